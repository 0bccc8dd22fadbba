//! What the caches hold, for a person: sizes and free space, without a request.

use super::Settings;
use super::disk::failed;
use crate::error::Result;
use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

/// What a folder holds. Links are not followed: a snapshot of the hub's cache is links to blobs, which are counted where they lie.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Held {
    /// Files in it and below.
    pub files: u64,
    /// Their bytes.
    pub bytes: u64,
}

/// A cache as it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CacheState {
    /// Where it is, or will be.
    pub path: PathBuf,
    /// All of it.
    pub held: Held,
    /// Its folders by name, those that hold a file.
    pub folders: Vec<(String, Held)>,
    /// Bytes that are free there.
    pub free: u64,
}

impl Settings {
    /// The Hugging Face cache, a folder a repository.
    ///
    /// # Errors
    /// Exit code 1, or 4 where the user may not: a folder that cannot be listed.
    pub fn hub_state(&self) -> Result<CacheState> {
        self.state(&self.hub_cache)
    }

    /// This program's cache.
    ///
    /// # Errors
    /// As [`Settings::hub_state`].
    pub fn own_state(&self) -> Result<CacheState> {
        self.state(&self.own_cache)
    }

    fn state(&self, path: &Path) -> Result<CacheState> {
        let (mut held, mut folders) = (Held::default(), Vec::new());
        for (name, is_folder, bytes) in list(path)? {
            let one = if is_folder { below(&path.join(&name))? } else { Held { files: 1, bytes } };
            held = held.and(one);
            if is_folder && one.files > 0 {
                folders.push((name, one));
            }
        }
        folders.sort_by(|a, b| a.0.cmp(&b.0));
        let free = (self.free_space)(path).map_err(|e| failed("ask for the free space of", path, &e))?;
        Ok(CacheState { path: path.to_owned(), held, folders, free })
    }
}

impl Held {
    fn and(self, other: Self) -> Self {
        Self { files: self.files + other.files, bytes: self.bytes + other.bytes }
    }
}

fn below(folder: &Path) -> Result<Held> {
    list(folder)?.into_iter().try_fold(Held::default(), |held, (name, is_folder, bytes)| {
        Ok(held.and(if is_folder { below(&folder.join(name))? } else { Held { files: 1, bytes } }))
    })
}

/// Files and folders in a folder with the bytes of the files; nothing where there is no such folder.
fn list(folder: &Path) -> Result<Vec<(String, bool, u64)>> {
    let cannot = |e: &std::io::Error| failed("list the folder", folder, e);
    let entries = match fs::read_dir(folder) {
        Err(e) if e.kind() == ErrorKind::NotFound => return Ok(Vec::new()),
        entries => entries.map_err(|e| cannot(&e))?,
    };
    let mut out = Vec::new();
    for entry in entries {
        // Of the entry itself: a link is neither a file nor a folder.
        let entry = entry.map_err(|e| cannot(&e))?;
        let data = match entry.metadata() {
            Err(e) if e.kind() == ErrorKind::NotFound => continue,
            data => data.map_err(|e| cannot(&e))?,
        };
        if data.is_file() || data.is_dir() {
            out.push((entry.file_name().to_string_lossy().into_owned(), data.is_dir(), data.len()));
        }
    }
    Ok(out)
}
