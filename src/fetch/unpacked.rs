//! A folder of files that came packed: made once, whole or not at all, and verified from then on.

use super::Verified;
use super::disk::{self, Lock};
use super::manifest::{Manifest, files_path, manifest_path};
use super::transfer::beside;
use crate::error::{Error, Result};
use crate::pins::Sha256;
use std::fs::{self, File};
use std::path::{Path, PathBuf};

/// What a packed file was unpacked to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unpacked {
    /// The folder of its files: `files` in the folder that was asked for.
    pub dir: PathBuf,
    /// Its files.
    pub files: Vec<Verified>,
    /// Files of the archive that were not wanted.
    pub skipped: u64,
}

/// Makes a folder (`files/…` and `manifest.json`) from a packed file with this hash: `fill` puts the files into an empty one, and says which they are and how many it left out. Where the
/// folder was made before, from the same file and with the same endings, its files are verified.
pub(super) fn once(
    packed: &Path,
    sha256: Sha256,
    to: &Path,
    suffixes: &[&str],
    fill: impl FnOnce(&Path) -> Result<(Vec<Verified>, u64)>,
) -> Result<Unpacked> {
    let what = packed.display().to_string();
    let _lock = Lock::take(&beside(to, ".lock"), &what)?;
    if manifest_path(to).exists() {
        let manifest = Manifest::load(to)?;
        manifest.expect(to, &sha256, suffixes)?;
        return manifest.verify(to);
    }
    if to.symlink_metadata().is_ok() {
        let way_out = "it was not unpacked by this program, or not completely: move it away";
        return Err(Error::inputs(format!("{what}: the folder {} is already there ({way_out})", to.display())));
    }
    let partial = beside(to, ".partial");
    if partial.exists() {
        fs::remove_dir_all(&partial).map_err(|e| disk::failed("remove the folder", &partial, &e))?;
    }
    fs::create_dir_all(files_path(&partial)).map_err(|e| disk::failed("make the folder", &partial, &e))?;
    let (files, skipped) = match fill(&files_path(&partial)) {
        Ok(found) => found,
        Err(error) => {
            // Nothing of it may be used: give the disk its space back. The first error is the one to report.
            let _ = fs::remove_dir_all(&partial);
            return Err(error);
        }
    };
    Manifest::new(sha256, suffixes, skipped, &files)?.save(&partial)?;
    // One call for all files: thousands of clips synced one by one take minutes.
    let folder = File::open(&partial).map_err(|e| disk::failed("open the folder", &partial, &e))?;
    rustix::fs::syncfs(&folder).map_err(|e| disk::failed("sync the folder", &partial, &e.into()))?;
    disk::put(&folder, &partial, to)?;
    Ok(Unpacked { dir: files_path(to), files, skipped })
}
