//! The command line: definitions and dispatch.

use std::process::ExitCode;

/// Parses the arguments, runs the command, prints an error once.
pub fn main() -> ExitCode {
    ExitCode::SUCCESS
}
