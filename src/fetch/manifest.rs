//! The manifest of an unpacked archive: `FOLDER/manifest.json`, beside `FOLDER/files`. It is written last and renamed into place with the
//! folder, so where it is, everything is.

use super::Verified;
use super::unpacked::Unpacked;
use crate::artifact::write;
use crate::error::{Context, Error, Result};
use crate::pins::{Pin, Sha256};
use crate::progress::Progress;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// What was unpacked.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Manifest {
    /// SHA-256 of the archive.
    archive: Sha256,
    /// The endings that were asked for; none is every file.
    suffixes: Vec<String>,
    /// Files of the archive with other endings.
    skipped: u64,
    /// Every file by its name.
    files: BTreeMap<String, Member>,
}

#[derive(Debug, Serialize, Deserialize)]
struct Member {
    bytes: u64,
    sha256: Sha256,
}

/// Where the manifest of a folder is.
pub(super) fn manifest_path(folder: &Path) -> PathBuf {
    folder.join("manifest.json")
}

/// Where the files of a folder are.
pub(super) fn files_path(folder: &Path) -> PathBuf {
    folder.join("files")
}

impl Manifest {
    pub fn new(archive: Sha256, suffixes: &[&str], skipped: u64, files: &[Verified]) -> Result<Self> {
        let member = |file: &Verified| match &file.pin {
            Pin::Sha256(sha256) => Ok((file.name.clone(), Member { bytes: file.bytes, sha256: sha256.clone() })),
            Pin::GitBlob(_) => Err(Error::internal(format!("{}: hashed as git does", file.name))),
        };
        let files = files.iter().map(member).collect::<Result<_>>()?;
        Ok(Self { archive, suffixes: sorted(suffixes), skipped, files })
    }

    pub fn save(&self, folder: &Path) -> Result<()> {
        write::create_json(&manifest_path(folder), self)
    }

    pub fn load(folder: &Path) -> Result<Self> {
        let path = manifest_path(folder);
        let bytes = std::fs::read(&path).inputs(|| format!("cannot read {}", path.display()))?;
        let way_out = "move its folder away to unpack again";
        serde_json::from_slice(&bytes).inputs(|| format!("{}: is no manifest ({way_out})", path.display()))
    }

    /// Errs (exit code 4) unless it is of this archive and these endings.
    pub fn expect(&self, folder: &Path, archive: &Sha256, suffixes: &[&str]) -> Result<()> {
        let (expected, found) = ((archive, sorted(suffixes)), (&self.archive, self.suffixes.clone()));
        if expected == found {
            return Ok(());
        }
        let words =
            |(archive, suffixes): (&Sha256, Vec<String>)| format!("sha256 {archive} with the endings {suffixes:?}");
        let (expected, found) = (words(expected), words(found));
        let way_out = "it is of another archive: move it away to unpack again";
        Err(Error::inputs(format!("{}: expected {expected}, found {found} ({way_out})", folder.display())))
    }

    /// Hashes every file of the folder.
    ///
    /// # Errors
    /// Exit code 4, with every file that is missing or not what was unpacked.
    pub fn verify(&self, folder: &Path) -> Result<Unpacked> {
        let total = self.files.values().map(|member| member.bytes).sum();
        let mut progress = Progress::bytes("verify", 0, total);
        let (mut done, mut problems, mut files) = (0, Vec::new(), Vec::new());
        for (name, member) in &self.files {
            let (path, pin) = (files_path(folder).join(name), Pin::Sha256(member.sha256.clone()));
            match pin.of_file(&path, &mut |read| progress.at(done + read, "")) {
                Ok(found) if found == pin => files.push(Verified { name: name.clone(), bytes: member.bytes, pin }),
                Ok(found) => problems.push(format!("{}: expected {pin}, found {found} (changed)", path.display())),
                Err(error) => problems.push(error.to_string()),
            }
            done += member.bytes;
        }
        progress.clear();
        if problems.is_empty() {
            return Ok(Unpacked { dir: files_path(folder), files, skipped: self.skipped });
        }
        let way_out = format!("move {} away to unpack again", folder.display());
        Err(Error::inputs(format!("{}\n({way_out})", problems.join("\n"))))
    }
}

fn sorted(suffixes: &[&str]) -> Vec<String> {
    let mut sorted: Vec<String> = suffixes.iter().map(|suffix| suffix.to_string()).collect();
    sorted.sort();
    sorted.dedup();
    sorted
}

/// The files of a folder that [`unpack`](super::unpack) left, all of them hashed again; the archive itself is not needed.
///
/// # Errors
/// Exit code 4: no manifest, or with every file that is missing or was changed.
pub fn verify_unpacked(folder: &Path) -> Result<Unpacked> {
    Manifest::load(folder)?.verify(folder)
}
