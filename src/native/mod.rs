//! What libtorch's binding lacks: a few C++ functions, and safe ways to call them.

mod attend;
mod skinny;

pub use attend::{Sight, attend};
pub use skinny::{Part, linear as skinny_linear};

use std::cell::Cell;
use std::ffi::{c_int, c_void};
use std::io::Write;
use std::sync::OnceLock;
use tch::Device;

unsafe extern "C" {
    fn aqa_on_threads(threads: i32, pieces: i64, piece: extern "C" fn(*mut c_void, i64), data: *mut c_void);
    fn aqa_grad_enabled() -> bool;
    /// POSIX's.
    fn _exit(code: c_int) -> !;
    fn aqa_device_memory(index: i32, used: *mut i64, held: *mut i64) -> bool;
}

/// Has the C library keep freed memory of up to 1 GiB and take blocks below 32 MiB from it: by itself it gives the memory of a prefill back and takes it again,
/// page by page, in each. Before anything is computed; a user's own settings stay.
#[cfg(target_env = "gnu")]
pub fn keep_memory() {
    const TRIM_THRESHOLD: c_int = -1;
    const MMAP_THRESHOLD: c_int = -3;
    unsafe extern "C" {
        /// glibc's.
        fn mallopt(parameter: c_int, value: c_int) -> c_int;
    }
    let own = ["MALLOC_TRIM_THRESHOLD_", "MALLOC_MMAP_THRESHOLD_", "GLIBC_TUNABLES"];
    if own.iter().any(|name| std::env::var_os(name).is_some()) {
        return;
    }
    for (parameter, bytes) in [(TRIM_THRESHOLD, 1 << 30), (MMAP_THRESHOLD, 32 << 20)] {
        // SAFETY: sets a number of the allocator. Where it is not taken, all works as it did.
        unsafe { mallopt(parameter, bytes) };
    }
}

/// Other C libraries have no such setting.
#[cfg(not(target_env = "gnu"))]
pub fn keep_memory() {}

/// Ends the process at once. What is left of its memory goes back as a whole, where libtorch's own leave-taking, object by object, takes 70 ms.
/// Files are written and synced before; standard output is flushed here.
pub fn leave(code: u8) -> ! {
    // As at every end of a Rust program, nobody is left to tell.
    let _ = std::io::stdout().flush();
    // SAFETY: ends the process; nothing of it runs afterwards.
    unsafe { _exit(c_int::from(code)) }
}

/// Whether operations on this thread are recorded for a backward pass.
pub fn grad_enabled() -> bool {
    // SAFETY: reads a thread-local flag.
    unsafe { aqa_grad_enabled() }
}

/// What a process took of a CUDA device, in bytes, each at its highest since the process began. CUDA's own context is in neither.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DeviceMemory {
    /// Tensors.
    pub used: u64,
    /// What libtorch's allocator held for them.
    pub held: u64,
}

/// Memory of a CUDA device by libtorch's own count; `None` for another device, or one that was not used.
pub fn device_memory(device: Device) -> Option<DeviceMemory> {
    let Device::Cuda(index) = device else { return None };
    let (mut used, mut held) = (0, 0);
    // SAFETY: writes the two numbers; nothing is thrown.
    let known = unsafe { aqa_device_memory(i32::try_from(index).ok()?, &raw mut used, &raw mut held) };
    known.then_some(DeviceMemory { used: used as u64, held: held as u64 })
}

/// Sets of instructions that the kernels are compiled for; AVX-512 machines have both.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Instructions {
    /// Vectors of 512 bits.
    Avx512,
    /// Vectors of 256 bits, and products that are added at once.
    Avx2,
}

thread_local! {
    static CHOSEN: Cell<Option<Instructions>> = const { Cell::new(None) };
}

/// The sets that this machine has, the best first.
pub fn all_instructions() -> Vec<Instructions> {
    let mut found = Vec::new();
    #[cfg(target_arch = "x86_64")]
    {
        if is_x86_feature_detected!("avx512f") {
            found.push(Instructions::Avx512);
        }
        if is_x86_feature_detected!("avx2") && is_x86_feature_detected!("fma") {
            found.push(Instructions::Avx2);
        }
    }
    found
}

/// Runs `work` with the kernels of one set, those that this thread calls: tests hold the kernels of other machines to the same.
///
/// # Panics
/// This machine does not have the set.
pub fn with_instructions<T>(set: Instructions, work: impl FnOnce() -> T) -> T {
    struct Back(Option<Instructions>);
    impl Drop for Back {
        fn drop(&mut self) {
            CHOSEN.set(self.0);
        }
    }
    assert!(all_instructions().contains(&set), "this machine has no {set:?}");
    let _back = Back(CHOSEN.replace(Some(set)));
    work()
}

/// The set whose kernels are called. Other processors than x86-64 have none.
fn instructions() -> Option<Instructions> {
    static BEST: OnceLock<Option<Instructions>> = OnceLock::new();
    CHOSEN.get().or_else(|| *BEST.get_or_init(|| all_instructions().first().copied()))
}

/// Runs `piece(0)` to `piece(pieces - 1)` on libtorch's threads, in any order.
fn on_threads<F: Fn(i64) + Sync>(threads: i32, pieces: i64, piece: F) {
    extern "C" fn call<F: Fn(i64) + Sync>(data: *mut c_void, index: i64) {
        // SAFETY: `data` is the closure below, which outlives the call.
        let piece = unsafe { &*data.cast::<F>() };
        piece(index);
    }
    // SAFETY: the function returns when all pieces are done; a panic inside aborts, as `extern "C"` functions do.
    unsafe { aqa_on_threads(threads, pieces, call::<F>, (&raw const piece).cast_mut().cast()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_chosen_set_is_in_force_until_its_work_is_done_or_fails() {
        let best = instructions();
        for set in all_instructions() {
            with_instructions(set, || assert_eq!(instructions(), Some(set)));
            let failed = std::panic::catch_unwind(|| with_instructions(set, || panic!("it fails")));
            assert!(failed.is_err());
            assert_eq!(instructions(), best);
        }
    }

    /// libtorch throws here: nothing may cross into Rust.
    #[test]
    fn memory_of_a_device_that_is_not_there_is_not_known() {
        assert_eq!(device_memory(Device::Cpu), None);
        assert_eq!(device_memory(Device::Cuda(127)), None);
    }
}
