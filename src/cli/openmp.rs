//! How idle threads of libtorch's OpenMP wait. GNU's runtime spins by default, which is catastrophic on a machine where other programs run too:
//! training ten times slower was measured with two busy neighbours on two cores (docs/decisions.md). The runtime reads its settings when it is
//! loaded, so the program starts itself again with them.

use crate::progress::say;
use std::os::unix::process::CommandExt;
use std::process::Command;

/// Settings of the runtime that a user may have chosen; then nothing is changed.
const CHOICES: [&str; 2] = ["OMP_WAIT_POLICY", "GOMP_SPINCOUNT"];

/// Turns of the waiting loop before a thread sleeps: as fast as spinning on a quiet machine, nearly as fast as sleeping at once on a busy one.
const SPINS: &str = "10000";

/// Starts this program again with threads that soon sleep while they wait, unless that is settled already. Returns when it is, or when the program
/// cannot be started again: then it is slower on a busy machine and right all the same.
pub(super) fn settle() {
    if CHOICES.iter().any(|name| std::env::var_os(name).is_some()) {
        return;
    }
    if let Ok(program) = std::env::current_exe() {
        let mut arguments = std::env::args_os();
        let mut again = Command::new(&program);
        again.arg0(arguments.next().unwrap_or_else(|| program.into_os_string())).args(arguments);
        let error = again.env("GOMP_SPINCOUNT", SPINS).exec();
        say(format_args!(
            "warning: could not start again with GOMP_SPINCOUNT={SPINS} ({error}): slower if the machine is busy"
        ));
    }
}
