//! Writing: to a temporary name in the same folder, synced, renamed into place. A reader never sees half a file, and a file
//! that is there is not overwritten unless the caller says so.

use crate::error::{Context, Error, Result};
use serde::Serialize;
use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

/// Writes a file that must not exist yet.
///
/// # Errors
/// Exit code 1: it exists, or the machine failed (full disk, read-only folder); the message names the file and the way out.
pub fn create(path: &Path, bytes: &[u8]) -> Result<()> {
    if path.symlink_metadata().is_ok() {
        let way_out = "artifacts are never overwritten; move it away to write it again";
        return Err(Error::internal(format!("cannot write {}: it is already there ({way_out})", path.display())));
    }
    replace(path, bytes)
}

/// Writes a file, in place of an older one if there is one. A link is followed; what is no file (a terminal, a pipe, `/dev/stdout`) is written to.
///
/// # Errors
/// As [`create`], except that an existing file is replaced. The older file stays whole when writing fails.
pub fn replace(path: &Path, bytes: &[u8]) -> Result<()> {
    match (path.symlink_metadata(), fs::metadata(path)) {
        (_, Ok(found)) if !found.is_file() && !found.is_dir() => {
            let written = File::options().write(true).open(path).and_then(|mut file| file.write_all(bytes));
            return written.map_err(|e| failed("write", path, &e));
        }
        (Ok(link), Ok(_)) if link.is_symlink() => {
            let target = fs::canonicalize(path).map_err(|e| failed("write", path, &e))?;
            return replace(&target, bytes);
        }
        _ => {}
    }
    let folder = parent(path);
    fs::create_dir_all(&folder).map_err(|e| failed("make the folder", &folder, &e))?;
    let partial = partial_name(path)?;
    let written = write_synced(&partial, bytes).and_then(|()| fs::rename(&partial, path));
    if let Err(e) = written {
        // What could be written is useless: give a full disk its space back. The first error is the one to report.
        let _ = fs::remove_file(&partial);
        return Err(failed("write", path, &e));
    }
    // The rename itself is durable only once the folder is synced.
    File::open(&folder).and_then(|f| f.sync_all()).map_err(|e| failed("sync the folder", &folder, &e))
}

/// Writes a value as pretty JSON with a final newline to a file that must not exist yet.
///
/// # Errors
/// As [`create`]; or a value that JSON cannot spell.
pub fn create_json(path: &Path, value: &impl Serialize) -> Result<()> {
    create(path, &pretty(path, value)?)
}

/// Writes a value as pretty JSON with a final newline, in place of an older file if there is one.
///
/// # Errors
/// As [`replace`]; or a value that JSON cannot spell.
pub fn replace_json(path: &Path, value: &impl Serialize) -> Result<()> {
    replace(path, &pretty(path, value)?)
}

/// The error of a failed write: [`Error::io`].
pub fn failed(doing: &str, path: &Path, error: &io::Error) -> Error {
    Error::io(doing, path, error)
}

fn pretty(path: &Path, value: &impl Serialize) -> Result<Vec<u8>> {
    let mut bytes = serde_json::to_vec_pretty(value).internal(|| format!("cannot write {}", path.display()))?;
    bytes.push(b'\n');
    Ok(bytes)
}

fn parent(path: &Path) -> PathBuf {
    match path.parent() {
        Some(p) if p != Path::new("") => p.to_owned(),
        _ => PathBuf::from("."),
    }
}

/// `.NAME.partial` beside the file: a fixed name, so that what a kill leaves behind is reused and not gathered.
fn partial_name(path: &Path) -> Result<PathBuf> {
    let name = path.file_name().ok_or_else(|| Error::internal(format!("cannot write {}: no name", path.display())))?;
    Ok(path.with_file_name(format!(".{}.partial", name.to_string_lossy())))
}

fn write_synced(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let mut file = File::create(path)?;
    file.write_all(bytes)?;
    file.sync_all()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::ErrorKind;

    #[test]
    fn a_file_is_created_once_and_replaced_only_when_asked() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("a/b/score.json");
        create_json(&path, &serde_json::json!({"b": 1, "a": [2]})).unwrap();
        let first = "{\n  \"b\": 1,\n  \"a\": [\n    2\n  ]\n}\n";
        assert_eq!(fs::read_to_string(&path).unwrap(), first);
        let error = create(&path, b"x").unwrap_err();
        assert_eq!(error.exit_code(), 1);
        assert!(error.to_string().contains("never overwritten"), "{error}");
        assert_eq!(fs::read_to_string(&path).unwrap(), first);
        replace(&path, b"second").unwrap();
        assert_eq!(fs::read_to_string(&path).unwrap(), "second");
        let names: Vec<_> = fs::read_dir(path.parent().unwrap()).unwrap().map(|e| e.unwrap().file_name()).collect();
        assert_eq!(names, ["score.json"], "no temporary file stays");
    }

    #[cfg(unix)]
    #[test]
    fn a_link_stays_a_link_and_a_device_a_device() {
        use std::os::unix::fs::{FileTypeExt, symlink};
        let dir = tempfile::tempdir().unwrap();
        let (target, link) = (dir.path().join("target"), dir.path().join("link"));
        fs::write(&target, "old").unwrap();
        symlink(&target, &link).unwrap();
        replace(&link, b"new").unwrap();
        assert_eq!(fs::read_to_string(&target).unwrap(), "new");
        assert!(link.symlink_metadata().unwrap().is_symlink());

        // A copy of /dev/null's behaviour without touching it: writing through a link to it must leave it what it is.
        let null = dir.path().join("null");
        symlink("/dev/null", &null).unwrap();
        replace(&null, b"gone").unwrap();
        assert!(fs::metadata(&null).unwrap().file_type().is_char_device());
        assert!(null.symlink_metadata().unwrap().is_symlink());
    }

    #[test]
    fn a_half_written_temporary_file_is_no_obstacle_and_never_read() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("x.json");
        fs::write(dir.path().join(".x.json.partial"), "{\"half").unwrap();
        create(&path, b"{}\n").unwrap();
        assert_eq!(fs::read_to_string(&path).unwrap(), "{}\n");
        assert!(!dir.path().join(".x.json.partial").exists());
    }

    #[test]
    fn what_cannot_be_written_names_the_path_and_the_way_out() {
        let dir = tempfile::tempdir().unwrap();
        fs::write(dir.path().join("file"), "").unwrap();
        let error = create(&dir.path().join("file/below.json"), b"").unwrap_err();
        assert_eq!(error.exit_code(), 1);
        assert!(error.to_string().contains("/file") && error.to_string().contains("move it away"), "{error}");

        for (kind, says) in [
            (ErrorKind::StorageFull, "free some space"),
            (ErrorKind::ReadOnlyFilesystem, "--run-dir"),
            (ErrorKind::PermissionDenied, "--run-dir"),
        ] {
            let text = failed("write", Path::new("r/x.json"), &io::Error::from(kind)).to_string();
            assert!(text.starts_with("cannot write r/x.json: ") && text.contains(says), "{text}");
        }
    }

    #[test]
    fn a_full_device_is_an_error_and_leaves_the_old_file() {
        if !Path::new("/dev/full").exists() {
            eprintln!("skipped a_full_device_is_an_error_and_leaves_the_old_file: no /dev/full here");
            return;
        }
        let error = write_synced(Path::new("/dev/full"), b"x").unwrap_err();
        assert_eq!(error.kind(), ErrorKind::StorageFull);
    }
}
