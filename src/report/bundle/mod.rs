//! Bundles: a finished run as one archive that anybody can check.
//!
//! `NAME-bundle/` holds `README.md`, `command.txt`, `citation.bib`, `SHA256SUMS`, `tables/leaderboard.{md,tex,csv,json}`, `plots/` where
//! the run has pictures, and `run/`: the run folder without weights, clips and folders of the machine (manifest, recipe and lock,
//! claims, of each evaluation its record, samples, predictions and score, of each training stage its metrics). The same run gives the
//! same bytes.

mod archive;
mod contents;
mod cover;
mod secrets;
mod verify;

pub use verify::{Line, Verification, is_bundle, verify};

use super::{Format, load, render_loaded};
use crate::artifact::write;
use crate::error::{Context, Error, Result};
use crate::pins::Sha256;
use std::path::{Path, PathBuf};

/// The tables of a bundle.
const TABLES: [Format; 4] = [Format::Markdown, Format::Latex, Format::Csv, Format::Json];

/// Where a bundle has a table.
fn table_name(format: Format) -> String {
    format!("tables/leaderboard.{}", format.extension())
}

/// A bundle that was written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Bundled {
    /// Where.
    pub path: PathBuf,
    /// Files in it.
    pub files: usize,
    /// Its size.
    pub bytes: usize,
    /// Its hash.
    pub sha256: Sha256,
    /// What its maker should know.
    pub notes: Vec<String>,
}

/// Writes the bundle of a finished run to `out` (else `NAME-bundle.tar.gz` here), once it verifies. `recipe` is the recipe's file, for runs
/// that keep none.
///
/// # Errors
/// Exit code 2: the run is not finished, or another file is at `out`. Exit code 3: what the run says is not what its predictions give.
/// Exit code 4: a file of the run is missing or broken, the recipe is not that of the run, or a text looks like an access token.
/// Exit code 1: it cannot be written.
pub fn bundle(run: &Path, recipe: Option<&Path>, out: Option<&Path>) -> Result<Bundled> {
    let staged = staging()?;
    let (mut contents, notes) = contents::gather(run, recipe)?;
    secrets::refuse(&contents)?;
    let place = staged.path().join("run");
    for (name, bytes) in contents.iter().filter_map(|(name, bytes)| Some((name.strip_prefix("run/")?, bytes))) {
        write::create(&place.join(name), bytes)?;
    }
    // Everything else is made of what goes into the bundle, as whoever checks it will make it.
    let loaded = load::run(&place)?;
    for format in TABLES {
        let text = render_loaded(std::slice::from_ref(&loaded), format)?;
        contents.insert(table_name(format), text.into_bytes());
    }
    cover::add(&mut contents, &loaded);
    contents.insert(archive::SUMS.into(), archive::sums(&contents).into_bytes());
    let bytes = archive::pack(&archive::folder(&loaded.recipe), &contents)?;

    let name = format!("{}.tar.gz", archive::folder(&loaded.recipe));
    let tried = staged.path().join(&name);
    std::fs::write(&tried, &bytes).map_err(|e| Error::io("write", &tried, &e))?;
    let verification = verify(&tried)?;
    if verification.differences > 0 {
        let why = "the bundle would not verify, so it was not written";
        return Err(Error::difference(format!("{}{why}", verification.to_text())));
    }
    let path = out.map_or_else(|| PathBuf::from(&name), Path::to_owned);
    put(&path, &bytes)?;
    Ok(Bundled { path, files: contents.len(), bytes: bytes.len(), sha256: Sha256::of(&bytes), notes })
}

/// A folder that is removed when it goes out of scope.
fn staging() -> Result<tempfile::TempDir> {
    tempfile::Builder::new()
        .prefix("aqa-bench-")
        .tempdir()
        .internal(|| format!("cannot make a folder in {} (TMPDIR says another one)", std::env::temp_dir().display()))
}

/// The same bytes may be there already; others are not overwritten.
fn put(path: &Path, bytes: &[u8]) -> Result<()> {
    match std::fs::read(path) {
        Ok(found) if found == bytes => Ok(()),
        Ok(_) => {
            let way_out = "move it away, or name another file with --out";
            Err(Error::request(format!("{}: another file is already there ({way_out})", path.display())))
        }
        Err(_) => write::create(path, bytes),
    }
}
