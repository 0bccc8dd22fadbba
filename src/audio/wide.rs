//! Plain arithmetic in wider registers, where the machine has them.
//!
//! `wide!` compiles a function a second time for AVX2 and chooses when it is called. No operation is fused or reordered by
//! that, so both give the same bits: Rust contracts no product with a sum, and the lanes are written out in the code.

/// `wide!(fn name = plain(argument: Type, …) -> Type)` defines `name`, which does what `plain` does. `plain` must be
/// `#[inline(always)]`, as everything it spends time in: only what is inlined is compiled for the wider registers.
macro_rules! wide {
    ($(#[$doc:meta])* fn $name:ident = $plain:ident($($arg:ident: $kind:ty),* $(,)?) $(-> $out:ty)?) => {
        $(#[$doc])*
        fn $name($($arg: $kind),*) $(-> $out)? {
            #[cfg(target_arch = "x86_64")]
            {
                #[target_feature(enable = "avx2")]
                fn with_avx2($($arg: $kind),*) $(-> $out)? {
                    $plain($($arg),*)
                }
                if std::arch::is_x86_feature_detected!("avx2") {
                    // SAFETY: the machine has the instructions that `with_avx2` is compiled to.
                    return unsafe { with_avx2($($arg),*) };
                }
            }
            $plain($($arg),*)
        }
    };
}
pub(super) use wide;
