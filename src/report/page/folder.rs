//! The folder of a page: made beside its place under a temporary name, and put there whole.

use crate::error::{Error, Result};
use std::fs;
use std::path::{Path, PathBuf};

/// A file that says whose folder it is: only such folders are replaced.
const MARKER: &str = "made-by-aqa-bench.txt";
const MARK: &str =
    "`aqa-bench report --format html` made this folder, and replaces it whole. Keep nothing of your own in it.\n";

/// A folder in the making. Dropped unfinished, it is removed.
#[derive(Debug)]
pub(super) struct Staging {
    out: PathBuf,
    partial: PathBuf,
}

impl Staging {
    /// Begins a folder that will stand at `out`.
    ///
    /// # Errors
    /// Exit code 2: something is there that no earlier call made. Exit code 1: nothing can be written there.
    pub(super) fn begin(out: &Path) -> Result<Self> {
        let name = out
            .file_name()
            .ok_or_else(|| Error::request(format!("--out {}: expected the name of a folder to make", out.display())))?;
        refuse_foreign(out)?;
        let partial = out.with_file_name(format!(".{}.partial", name.to_string_lossy()));
        remove_own(&partial)?;
        let staging = Self { out: out.to_owned(), partial };
        staging.write(MARKER, MARK.as_bytes())?;
        Ok(staging)
    }

    /// Where a file of the folder is written for now.
    pub(super) fn path(&self, below: &str) -> PathBuf {
        self.partial.join(below)
    }

    pub(super) fn write(&self, below: &str, bytes: &[u8]) -> Result<()> {
        let path = self.path(below);
        self.room(&path)?;
        fs::write(&path, bytes).map_err(|e| Error::io("write", &path, &e))
    }

    pub(super) fn copy(&self, from: &Path, below: &str) -> Result<()> {
        let path = self.path(below);
        self.room(&path)?;
        let copied = fs::copy(from, &path).map_err(|e| Error::io(&format!("copy {} to", from.display()), &path, &e));
        copied.map(|_| ())
    }

    fn room(&self, path: &Path) -> Result<()> {
        let folder = path.parent().unwrap_or(&self.partial);
        fs::create_dir_all(folder).map_err(|e| Error::io("make the folder", folder, &e))
    }

    /// Puts the folder in its place; an older one goes only when this one is there.
    pub(super) fn finish(self) -> Result<()> {
        let name = self.out.file_name().unwrap_or_default().to_string_lossy();
        let old = self.out.with_file_name(format!(".{name}.old"));
        remove_own(&old)?;
        let moved = |from: &Path, to: &Path| fs::rename(from, to).map_err(|e| Error::io("rename", from, &e));
        if self.out.exists() {
            moved(&self.out, &old)?;
        }
        moved(&self.partial, &self.out)?;
        remove(&old)
    }
}

impl Drop for Staging {
    fn drop(&mut self) {
        // Nothing is there after `finish`. Otherwise an error is on its way already, and the next call removes what is left.
        let _ = remove(&self.partial);
    }
}

/// A folder that is there must be empty or ours.
fn refuse_foreign(out: &Path) -> Result<()> {
    let empty = || fs::read_dir(out).is_ok_and(|mut entries| entries.next().is_none());
    if out.symlink_metadata().is_err() || out.join(MARKER).is_file() || (out.is_dir() && empty()) {
        return Ok(());
    }
    let what = if out.is_dir() { "a folder that `report --format html` did not make" } else { "a file" };
    Err(Error::request(format!(
        "--out {}: {what} is there, and would be lost (name a folder that is not there, or move it away)",
        out.display()
    )))
}

/// Removes what an earlier call left under a temporary name.
fn remove_own(path: &Path) -> Result<()> {
    refuse_foreign(path)?;
    remove(path)
}

fn remove(path: &Path) -> Result<()> {
    if path.symlink_metadata().is_err() {
        return Ok(());
    }
    fs::remove_dir_all(path).map_err(|e| Error::io("remove", path, &e))
}
