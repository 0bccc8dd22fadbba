//! Where libtorch is (so that the programs run from any folder without environment variables) and which commit this is.

use std::path::Path;
use std::process::Command;

fn main() {
    println!("cargo:rerun-if-changed=build.rs");
    commit();
    if std::env::var_os("CARGO_FEATURE_TORCH").is_some() {
        rpath();
        #[cfg(feature = "torch")]
        native();
        front();
    }
}

/// The C++ functions beside libtorch's binding: `src/native`.
#[cfg(feature = "torch")]
fn native() {
    println!("cargo:rerun-if-changed=src/native");
    let include = Path::new(&std::env::var("LIBTORCH").unwrap_or_default()).join("include");
    let build = || {
        let mut build = cc::Build::new();
        build.cpp(true).std("c++17").opt_level(3).warnings(false).flag("-fopenmp").cargo_metadata(false);
        build
    };
    let x86 = std::env::var("CARGO_CFG_TARGET_ARCH").is_ok_and(|arch| arch == "x86_64");
    for (set, flags) in [("avx2", &["-mavx2", "-mfma"][..]), ("avx512", &["-mavx512f", "-mfma"][..])] {
        if x86 {
            let mut kernel = build();
            kernel
                .file("src/native/skinny.cpp")
                .file("src/native/attend.cpp")
                .define(&format!("AQA_{}", set.to_uppercase()), None);
            flags.iter().for_each(|flag| _ = kernel.flag(flag));
            kernel.compile(&format!("aqa_kernels_{set}"));
            link(&format!("aqa_kernels_{set}"));
        }
    }
    build().file("src/native/threads.cpp").file("src/native/torch.cpp").include(include).compile("aqa_native");
    link("aqa_native");
    println!("cargo:rustc-link-lib=stdc++");
}

/// Links a library of [`native`]. It stays a file of its own, so that `aqa-bench` can be linked without it.
#[cfg(feature = "torch")]
fn link(name: &str) {
    println!("cargo:rustc-link-search=native={}", std::env::var("OUT_DIR").unwrap_or_default());
    println!("cargo:rustc-link-lib=static:-bundle={name}");
}

/// `AQA_COMMIT`: the git commit, with `-dirty` when tracked files differ; `unknown` outside git.
fn commit() {
    for path in [".git/HEAD", ".git/logs/HEAD", "src", "Cargo.toml"] {
        if Path::new(path).exists() {
            println!("cargo:rerun-if-changed={path}");
        }
    }
    let git = Command::new("git").args(["describe", "--always", "--dirty", "--abbrev=40", "--exclude=*"]).output();
    let commit = match git {
        Ok(out) if out.status.success() => String::from_utf8_lossy(&out.stdout).trim().to_owned(),
        _ => "unknown".to_owned(),
    };
    println!("cargo:rustc-env=AQA_COMMIT={commit}");
}

/// The absolute path of libtorch goes into the programs; a CUDA libtorch is linked though no symbol of it is named.
fn rpath() {
    println!("cargo:rerun-if-env-changed=LIBTORCH");
    println!("cargo:rerun-if-changed=.libtorch/build-version");
    let libtorch = std::env::var("LIBTORCH").unwrap_or_default();
    let Ok(lib) = Path::new(&libtorch).join("lib").canonicalize() else {
        println!(
            "cargo:error=libtorch 2.11.0 not found at {libtorch:?}: run `make libtorch` (or set LIBTORCH), or build without it: --no-default-features"
        );
        return;
    };
    let version = std::fs::read_to_string(lib.with_file_name("build-version")).unwrap_or_default();
    println!("cargo:rustc-env=AQA_LIBTORCH={}", version.trim());
    println!("cargo:rustc-env=AQA_LIBTORCH_DIR={}", lib.display());
    println!("cargo:rustc-link-arg=-Wl,-rpath,{}", lib.display());
    let cuda = lib.join("libtorch_cuda.so").exists();
    println!("cargo:rustc-env=AQA_LIBTORCH_FOR={}", if cuda { "CUDA" } else { "the CPU" });
    if cuda {
        println!("cargo:rustc-link-arg=-Wl,--unresolved-symbols=ignore-in-shared-libs");
        // Not of `aqa-bench`, which must load no libtorch.
        for target in ["bin=aqa-bench-engine", "tests", "benches"] {
            println!("cargo:rustc-link-arg-{target}=-Wl,--no-as-needed");
            println!("cargo:rustc-link-arg-{target}=-ltorch_cuda");
        }
    }
}

/// Keeps libtorch out of `aqa-bench`. The linker drops the engine, which that program never reaches, but not the initializers of
/// the binding's C++, and these need libtorch; nor does it forget that C++ needs its library, which takes as long to load as a score to make. So the
/// binding and our own C++ are replaced by empty files: what reached them would not link.
fn front() {
    let without = ["*/libtorch_sys-*.rlib", "*libaqa_*.a"].map(|files| format!("-Wl,--remap-inputs={files}=/dev/null"));
    if linker_takes(&without[0]) {
        for argument in without {
            println!("cargo:rustc-link-arg-bin=aqa-bench={argument}");
        }
    } else {
        println!(
            "cargo:warning=this linker cannot leave libtorch out of aqa-bench, so every command takes a quarter of a second longer (LLVM's can)"
        );
    }
}

/// Whether the linker of this build, LLVM's or another, knows an argument.
fn linker_takes(argument: &str) -> bool {
    let variable = |name: &str| std::env::var(name).unwrap_or_default();
    let folder = std::path::PathBuf::from(variable("OUT_DIR"));
    let source = folder.join("linker.rs");
    std::fs::write(&source, "fn main() {}").expect("OUT_DIR is there to be written to");
    let mut rustc = Command::new(variable("RUSTC"));
    rustc.arg(&source).arg("-o").arg(folder.join("linker")).args(["--target", &variable("TARGET")]);
    rustc.args(variable("CARGO_ENCODED_RUSTFLAGS").split('\u{1f}').filter(|flag| !flag.is_empty()));
    if let Some(linker) = std::env::var_os("RUSTC_LINKER") {
        rustc.arg("-C").arg(format!("linker={}", linker.display()));
    }
    rustc.arg("-C").arg(format!("link-arg={argument}"));
    rustc.output().is_ok_and(|out| out.status.success())
}
