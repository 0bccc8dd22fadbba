//! One process at a time works in a run folder: two would append to the same files.

use super::layout::RunFolder;
use super::write::failed;
use crate::error::{Error, Result};
use crate::progress::say;
use std::fs::{File, TryLockError};

/// Locks a run folder, which must be there. The lock ends with the file that is returned, or with the process.
///
/// # Errors
/// Exit code 2: another process works there. Exit code 1: the folder cannot be written.
pub fn lock(folder: &RunFolder) -> Result<File> {
    let path = folder.root().join(".lock");
    let file = File::create(&path).map_err(|e| failed("write", &path, &e))?;
    match file.try_lock() {
        Ok(()) => {}
        Err(TryLockError::WouldBlock) => {
            let way_out = "wait until it is done, or choose another folder with --run-dir";
            return Err(Error::request(format!(
                "{}: another aqa-bench is working in this run folder ({way_out})",
                folder.root().display()
            )));
        }
        Err(TryLockError::Error(e)) => say(format_args!("{}: not locked: {e}", path.display())),
    }
    Ok(file)
}
