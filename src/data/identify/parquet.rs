//! Which version's rows a Parquet file holds.

use super::rows::Digested;
use super::{Dress, Hashed, Identity, Knowledge, Verdict, Which, by_rows, dress, rewritten};
use crate::data::mmau_parquet;
use crate::data::versions::{self, Version};
use crate::error::{Context, Error, Result};
use crate::pins::{Pin, Revision, Sha256};
use serde_json::{Map, Value};
use std::path::Path;

/// Says whose rows a Parquet file in the layout of gamma-lab-umd/MMAU-test-mini holds. It is never the known file itself, byte for byte. The clips are
/// not looked at: no hash of them is published.
///
/// # Errors
/// As [`mmau_parquet::rows`].
pub fn identify_parquet(path: &Path, known: &Knowledge<'_>) -> Result<Identity> {
    let rows = mmau_parquet::rows(path)?;
    let name = path.display().to_string();
    let git_blob = match Pin::GitBlob(Revision::of_blob(b"")).of_file(path, &mut |_| ())? {
        Pin::GitBlob(id) => id,
        other => return Err(Error::internal(format!("{name}: git's id was asked for, found {other}"))),
    };
    let bytes = std::fs::metadata(path).inputs(|| format!("cannot read {name}"))?.len();
    held(&rows, &name, Hashed { sha256: Sha256::of_file(path)?, git_blob, bytes }, known)
}

/// What the questions of a Parquet file count as beside others: which table they stand in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Counted {
    /// `mmau` where its rows are those of a known version, `mmau-parquet` else.
    pub format: &'static str,
    /// That version's SHA-256; else the file's own.
    pub sha256: Sha256,
    /// The file's own SHA-256 where `sha256` is the version's.
    pub packed: Option<Sha256>,
}

/// What the rows of a Parquet file count as; `sha256` is the file's.
///
/// # Errors
/// As [`mmau_parquet::rows`].
pub fn counted(path: &Path, sha256: Sha256) -> Result<Counted> {
    Ok(match version_of(&mmau_parquet::rows(path)?)? {
        Some(version) => Counted { format: "mmau", sha256: version.sha256.clone(), packed: Some(sha256) },
        None => Counted { format: "mmau-parquet", sha256, packed: None },
    })
}

/// The version of test-mini whose rows these are, all of them and no others, in whatever order.
fn version_of(rows: &[Map<String, Value>]) -> Result<Option<&'static Version>> {
    let nothing = Hashed { sha256: Sha256::of(b""), git_blob: Revision::of_blob(b""), bytes: 0 };
    let found = held(rows, "", nothing, &Knowledge::shipped()?)?;
    match &found.versions[..] {
        [Which { sha256: Some(sha256), .. }] if found.verdict == Verdict::Same => versions::find(sha256),
        _ => Ok(None),
    }
}

/// Rows of a Parquet file against all versions: written as MMAU's authors wrote theirs, which finds also those of which only the hash is known; else row
/// by row.
fn held(rows: &[Map<String, Value>], name: &str, file: Hashed, known: &Knowledge<'_>) -> Result<Identity> {
    let (mut out, digested): (Identity, Digested) = Identity::of(rows, name, file, known)?;
    let (bare, taken) = dress::bare(rows, &known.rows.keys());
    out.dress = [vec![Dress::Parquet], taken].concat();
    match rewritten(b"", rows, &bare, known.versions)? {
        Some((which, _)) => out.is(Verdict::Same, which),
        None => by_rows(&mut out, &digested, known)?,
    }
    // It is no JSON: how that is written distinguishes nothing.
    out.dress.retain(|dress| *dress != Dress::Rewritten);
    Ok(out)
}
