//! The disk: free space, locks between processes, and what a failure under a cache means for its user.

use crate::error::{Error, Result};
use crate::progress::say;
use indicatif::DecimalBytes;
use std::fs::{self, File, TryLockError};
use std::io::{self, ErrorKind};
use std::path::Path;

/// Bytes that an ordinary user may still write where `path` is, or will be.
pub(super) fn free_space(path: &Path) -> io::Result<u64> {
    let there = path.ancestors().find(|p| p.exists()).unwrap_or(Path::new("."));
    let there = if there.as_os_str().is_empty() { Path::new(".") } else { there };
    let stat = rustix::fs::statvfs(there)?;
    Ok(stat.f_bavail.saturating_mul(stat.f_frsize))
}

/// Errs (exit code 4) when `needed` bytes do not fit where `folder` is; `variable` moves that cache.
pub(super) fn room(
    folder: &Path,
    needed: u64,
    free_space: fn(&Path) -> io::Result<u64>,
    what: &str,
    variable: &str,
) -> Result<()> {
    let free = free_space(folder).map_err(|e| failed("ask for the free space of", folder, &e))?;
    if needed <= free {
        return Ok(());
    }
    Err(Error::inputs(format!(
        "{what}: needs {needed} bytes ({}) in {}, {free} are free ({}): free some space, or set {variable} to a folder on a larger disk",
        DecimalBytes(needed),
        folder.display(),
        DecimalBytes(free),
    )))
}

/// A lock between processes, held until it is dropped. The kernel takes it back from a process that is killed; the file stays, since
/// removing it would let two processes hold locks of the same name.
#[derive(Debug)]
pub(super) struct Lock(#[expect(dead_code, reason = "held, not read")] File);

impl Lock {
    /// Takes the lock, and waits for a process that holds it.
    pub fn take(path: &Path, what: &str) -> Result<Self> {
        make_parent(path)?;
        let open = File::options().create(true).append(true).open(path);
        let file = open.map_err(|e| failed("open the lock", path, &e))?;
        match file.try_lock() {
            Ok(()) => return Ok(Self(file)),
            Err(TryLockError::WouldBlock) => say(format_args!("{what}: another process is at it, waiting for it")),
            Err(TryLockError::Error(e)) => return Err(failed("lock", path, &e)),
        }
        file.lock().map_err(|e| failed("lock", path, &e))?;
        Ok(Self(file))
    }
}

/// Makes the folder that a file goes into.
pub(super) fn make_parent(path: &Path) -> Result<()> {
    let folder = path.parent().unwrap_or(Path::new("."));
    fs::create_dir_all(folder).map_err(|e| failed("make the folder", folder, &e))
}

/// Removes a file that may not be there.
pub(super) fn remove(path: &Path) -> Result<()> {
    match fs::remove_file(path) {
        Err(e) if e.kind() != ErrorKind::NotFound => Err(failed("remove", path, &e)),
        _ => Ok(()),
    }
}

/// Renames a whole file into place and makes that last: its bytes and its name are on the disk afterwards.
pub(super) fn put(file: &File, from: &Path, to: &Path) -> Result<()> {
    file.sync_all().map_err(|e| failed("write", from, &e))?;
    fs::rename(from, to).map_err(|e| failed("rename into place", to, &e))?;
    let folder = to.parent().unwrap_or(Path::new("."));
    File::open(folder).and_then(|f| f.sync_all()).map_err(|e| failed("sync the folder", folder, &e))
}

/// The machine failed under a file of a cache or of an unpacked archive (exit code 1; 4 where the user has to choose another folder).
pub(super) fn failed(doing: &str, path: &Path, error: &io::Error) -> Error {
    match error.kind() {
        ErrorKind::ReadOnlyFilesystem | ErrorKind::PermissionDenied => Error::inputs(format!(
            "cannot {doing} {}: {error} (set HF_HUB_CACHE and AQA_CACHE to folders that can be written)",
            path.display()
        )),
        _ => Error::io(doing, path, error),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn space_is_asked_of_the_nearest_folder_that_is_there() {
        let dir = tempfile::tempdir().unwrap();
        assert!(free_space(&dir.path().join("not/yet/there")).unwrap() > 0);
        assert!(free_space(Path::new("not-there-at-all")).unwrap() > 0);
    }

    #[test]
    fn too_little_space_names_both_numbers_and_the_variable() {
        let room = |needed| room(Path::new("/c"), needed, |_| Ok(1_000), "models/a/b", "HF_HUB_CACHE");
        room(1_000).unwrap();
        let error = room(2_500_000_000).unwrap_err();
        assert_eq!(error.exit_code(), 4);
        for part in ["models/a/b", "2500000000 bytes", "2.50 GB", "1000 are free", "HF_HUB_CACHE"] {
            assert!(error.to_string().contains(part), "{error}");
        }
    }

    #[test]
    fn a_lock_is_waited_for_and_given_back() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("locks/x.lock");
        let first = Lock::take(&path, "x").unwrap();
        let (sender, receiver) = std::sync::mpsc::channel();
        std::thread::scope(|scope| {
            scope.spawn(|| {
                let _second = Lock::take(&path, "x").unwrap();
                sender.send(()).unwrap();
            });
            let pause = std::time::Duration::from_millis(50);
            assert!(receiver.recv_timeout(pause).is_err(), "taken while another holds it");
            drop(first);
            receiver.recv().unwrap();
        });
    }
}
