//! From `aqa-bench` to `aqa-bench-engine`: the same process, with the same arguments, and settled waiting of idle threads.
//!
//! GNU's OpenMP spins while it waits, which is catastrophic on a machine where other programs run too: training ten times slower
//! was measured with two busy neighbours on two cores (docs/decisions.md). The runtime reads its settings when it is loaded, so
//! they are made here.

use crate::error::{Error, Result};
use std::os::unix::process::CommandExt;
use std::process::Command;

/// The program that computes, in the folder of the one that starts it.
const ENGINE: &str = "aqa-bench-engine";
/// In the engine's environment: the build that started it.
const FRONT: &str = "AQA_BENCH_FRONT";
/// Both programs are of one build, or a fix would be in one of them only.
const BUILD: &str = concat!(env!("CARGO_PKG_VERSION"), " of commit ", env!("AQA_COMMIT"));

/// Settings of OpenMP that a user may have chosen; then nothing is changed.
const CHOICES: [&str; 2] = ["OMP_WAIT_POLICY", "GOMP_SPINCOUNT"];
/// Turns of the waiting loop before a thread sleeps: as fast as spinning on a quiet machine, nearly as fast as sleeping at once on a busy one.
const SPINS: &str = "10000";

/// Becomes the engine. Returns only if that fails, with the reason.
pub(super) fn engine() -> Error {
    let program = match std::env::current_exe() {
        Ok(front) => front.with_file_name(ENGINE),
        Err(e) => return Error::internal(format!("cannot tell where this program is, and so where {ENGINE} is: {e}")),
    };
    let mut arguments = std::env::args_os();
    let mut engine = Command::new(&program);
    engine.arg0(arguments.next().unwrap_or_else(|| "aqa-bench".into())).args(arguments).env(FRONT, BUILD);
    if CHOICES.iter().all(|name| std::env::var_os(name).is_none()) {
        engine.env("GOMP_SPINCOUNT", SPINS);
    }
    let error = engine.exec();
    let at = program.display();
    if program.exists() {
        return Error::inputs(format!("cannot start {at}: {error}"));
    }
    Error::inputs(format!(
        "{at}: expected the program that computes beside this one, found none (`make build` makes both: keep them in one folder)"
    ))
}

/// Whether the program that runs is the engine, started by its own front.
pub(super) fn by_the_front() -> Result<()> {
    match std::env::var(FRONT) {
        Ok(build) if build == BUILD => Ok(()),
        Ok(build) => Err(Error::inputs(format!(
            "expected {ENGINE} of the build that starts it, found {BUILD}, started by {build} (`make build` makes both: keep them together)"
        ))),
        Err(_) => {
            Err(Error::request(format!("{ENGINE} is started by aqa-bench: run `aqa-bench` with the same arguments")))
        }
    }
}
