//! The two programs: `aqa-bench` loads no libtorch, and starts `aqa-bench-engine` for what computes.
#![cfg(feature = "torch")]

mod program;

use program::said;
use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;
use std::process::Command;
use tempfile::{TempDir, tempdir_in};

const FRONT: &str = env!("CARGO_BIN_EXE_aqa-bench");
const ENGINE: &str = env!("CARGO_BIN_EXE_aqa-bench-engine");

/// `aqa-bench` in a folder of its own. A link, since a file that was just written may still be open where another test starts a
/// program, and then it cannot be started.
fn alone() -> TempDir {
    let dir = tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
    fs::hard_link(FRONT, dir.path().join("aqa-bench")).unwrap();
    dir
}

fn run(dir: &Path, args: &[&str], environment: &[(&str, &str)]) -> program::Said {
    let mut command = Command::new(dir.join("aqa-bench"));
    command.current_dir(dir).args(args).env_remove("GOMP_SPINCOUNT").env_remove("OMP_WAIT_POLICY");
    said(&command.envs(environment.iter().copied()).output().unwrap())
}

#[cfg(target_os = "linux")]
#[test]
fn only_the_engine_loads_libtorch() {
    let libraries = |program: &str| {
        let output = Command::new(program).env("LD_TRACE_LOADED_OBJECTS", "1").output().unwrap();
        String::from_utf8(output.stdout).unwrap()
    };
    for (program, loads) in [(FRONT, false), (ENGINE, true)] {
        let libraries = libraries(program);
        assert!(libraries.contains("libc.so"), "{program}: {libraries}");
        for library in ["libtorch", "libc10", "libstdc++"] {
            assert_eq!(libraries.contains(library), loads, "{program}: {libraries}");
        }
    }
}

#[test]
fn without_the_engine_all_but_computing_works() {
    let dir = alone();
    assert!(run(dir.path(), &["schema"], &[]).succeeds().starts_with('{'));
    // The front reads the recipe to see whether it asks for a model.
    let recipe = concat!(env!("CARGO_MANIFEST_DIR"), "/recipes/quickstart.yaml");
    for args in [&["doctor"][..], &["reproduce", recipe]] {
        let error = run(dir.path(), args, &[]).fails(4);
        assert!(error.contains("aqa-bench-engine: ") && error.contains("make build"), "{error}");
    }
    fs::create_dir(dir.path().join("aqa-bench-engine")).unwrap();
    let error = run(dir.path(), &["doctor"], &[]).fails(4);
    assert!(error.contains("cannot start"), "{error}");
}

/// A shell in the engine's place runs the file `doctor`, so that this can say what the engine would see.
#[test]
fn the_engine_gets_the_arguments_and_threads_that_soon_sleep() {
    let dir = alone();
    symlink("/bin/sh", dir.path().join("aqa-bench-engine")).unwrap();
    fs::write(dir.path().join("doctor"), "echo \"$#, $1, $2, $GOMP_SPINCOUNT, $OMP_WAIT_POLICY\"; exit 5").unwrap();
    let sees = |environment: &[(&str, &str)]| {
        let said = run(dir.path(), &["doctor", "--model", "a b"], environment);
        assert_eq!((said.code, said.err.as_str()), (5, ""));
        said.out
    };
    assert_eq!(sees(&[]), "2, --model, a b, 10000, \n");
    // What a user chose stays.
    assert_eq!(sees(&[("GOMP_SPINCOUNT", "7")]), "2, --model, a b, 7, \n");
    assert_eq!(sees(&[("OMP_WAIT_POLICY", "active")]), "2, --model, a b, , active\n");
}

#[test]
fn the_engine_is_started_by_its_own_front_only() {
    let mut engine = Command::new(ENGINE);
    engine.arg("doctor").env_remove("AQA_BENCH_FRONT");
    let error = said(&engine.output().unwrap()).fails(2);
    assert!(error.contains("run `aqa-bench`"), "{error}");
    let error = said(&engine.env("AQA_BENCH_FRONT", "0.0.9 of commit 123").output().unwrap()).fails(4);
    assert!(error.contains("0.0.9 of commit 123") && error.contains("make build"), "{error}");
}
