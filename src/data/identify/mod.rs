//! Which of MMAU's question files a file is.
//!
//! Four ways, the surest first: its hash; its hash with the dress taken off (byte order mark, line ends, predictions, another
//! program's white space), since the known versions can be written again byte for byte; its rows, where the rows of a version
//! are known; and, where nothing fits, the nearest of these.

mod contents;
mod dress;
mod parquet;
mod rows;
mod show;
mod which;

pub use contents::Contents;
pub use dress::Dress;
pub use parquet::{Counted, counted, identify_parquet};
pub use rows::{Difference, Rows, digest, order};
pub use which::{Compare, Which};

use super::mmau;
use super::versions::{self, Versions};
use crate::error::{Error, Result};
use crate::pins::{Revision, Sha256};
use crate::text;
use indexmap::IndexMap;
use rows::{Digested, Known};
use serde::Serialize;
use serde_json::{Map, Value};

/// What a file turned out to be: the JSON that `identify --format json` prints.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Identity {
    /// What the file was called.
    pub file: String,
    /// How sure it is, and of what.
    pub verdict: Verdict,
    /// The known files that it is, is a part of or is nearest to, oldest first. More than one where what there is fits all of
    /// them; none when the verdict is `unknown`.
    pub versions: Vec<Which>,
    /// What distinguishes it from the version without changing a row. Empty for `exact`.
    pub dress: Vec<Dress>,
    /// SHA-256 of the file.
    pub sha256: Sha256,
    /// Git's id of its content.
    pub git_blob: Revision,
    /// Its size.
    pub bytes: u64,
    /// What it holds.
    pub contents: Contents,
    /// What is odd about that, a sentence each.
    pub odd: Vec<String>,
    /// Numbers that a measurement on this file may be compared with; none on a part of a version or on another file.
    pub compare: Vec<Compare>,
    /// Its rows held against the first of `versions`; `null` where every row of the version is there.
    pub difference: Option<Difference>,
    /// Ids that stand in more than one row, a time for each row too many.
    pub repeated: Vec<String>,
    /// Rows that lack a key of MMAU, by key. A key that is not there was compared with nothing.
    pub lacking: IndexMap<String, u64>,
    /// Rows that have neither an id nor a clip named after one.
    pub nameless: u64,
    /// Commits of the versions whose rows are known.
    pub compared_with: Vec<Revision>,
    /// Files of test-mini that could not be compared row by row, since only their hashes are known.
    pub not_compared: u64,
}

/// How sure an identification is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// Byte for byte the known file.
    Exact,
    /// All rows of the known file and no others, unchanged, in other bytes.
    Same,
    /// Only rows of the known file, each as it is there, but not all, or not with every key.
    Part,
    /// Some rows of a known file, and others.
    Near,
    /// Rows like MMAU's, none of which is known.
    Unknown,
}

/// What identification knows.
#[derive(Debug)]
pub struct Knowledge<'t> {
    /// Every version's hashes.
    pub versions: &'t Versions,
    /// Rows of some versions.
    pub rows: Rows<'t>,
}

impl Knowledge<'static> {
    /// What the program ships.
    ///
    /// # Errors
    /// Exit code 1: a shipped table is broken (tests hold that none is).
    pub fn shipped() -> Result<Self> {
        Ok(Self { versions: versions::shipped()?, rows: Rows::shipped()? })
    }
}

/// Says which file of MMAU these bytes are; `name` names the file in messages and in the answer.
///
/// # Errors
/// Exit code 2: it is not a JSON array of rows like MMAU's, with what was expected and found.
pub fn identify(bytes: &[u8], name: &str, known: &Knowledge<'_>) -> Result<Identity> {
    let mut dress = Vec::new();
    let plain = dress::plain(bytes, name, &mut dress)?;
    let rows = mmau::rows(&plain, name)?;
    let file = Hashed { sha256: Sha256::of(bytes), git_blob: Revision::of_blob(bytes), bytes: bytes.len() as u64 };
    let (mut out, digested) = Identity::of(&rows, name, file, known)?;
    let (bare, taken) = dress::bare(&rows, &known.rows.keys());
    let table = known.versions;
    if let Some(which) = Which::of_bytes(table, bytes) {
        out.is(Verdict::Exact, which);
    } else if let Some((which, found)) = ended(&plain, table) {
        out.dress = [dress, found].concat();
        out.is(Verdict::Same, which);
    } else if let Some((which, found)) = rewritten(&plain, &rows, &bare, table)? {
        out.dress = [dress, found, taken].concat();
        out.is(Verdict::Same, which);
    } else {
        out.dress = [dress, taken].concat();
        by_rows(&mut out, &digested, known)?;
        if out.verdict == Verdict::Unknown {
            like_mmau(&rows, name)?;
        }
    }
    Ok(out)
}

/// What a file is by its bytes.
struct Hashed {
    sha256: Sha256,
    git_blob: Revision,
    bytes: u64,
}

impl Identity {
    /// Of rows that are still to be held against the known ones.
    fn of(rows: &[Map<String, Value>], name: &str, file: Hashed, known: &Knowledge<'_>) -> Result<(Self, Digested)> {
        let digested = known.rows.digest(rows)?;
        let contents = Contents::of(rows);
        let table = known.versions;
        let out = Self {
            file: name.to_owned(),
            verdict: Verdict::Unknown,
            versions: Vec::new(),
            dress: Vec::new(),
            sha256: file.sha256,
            git_blob: file.git_blob,
            bytes: file.bytes,
            odd: contents.odd(),
            contents,
            compare: Vec::new(),
            difference: None,
            repeated: digested.repeated.clone(),
            lacking: digested.lacking.clone(),
            nameless: digested.nameless,
            not_compared: (table.versions.len() + table.elsewhere.len() - known.rows.versions.len()) as u64,
            compared_with: known.rows.versions.iter().map(|v| v.commit.clone()).collect(),
        };
        Ok((out, digested))
    }

    fn is(&mut self, verdict: Verdict, which: Which) {
        self.verdict = verdict;
        self.compare.clone_from(&which.compare);
        self.versions = vec![which];
    }

    /// Errs (exit code 4) unless the file is the one that `prefix` names, naming both: by the first digits (7 or more) of a
    /// commit, whose rows it must hold, all of them and no others, in whatever dress; or of a SHA-256 or git blob id, which its
    /// bytes must have.
    ///
    /// # Errors
    /// Exit code 2: a prefix that is no such digits.
    pub fn expect(&self, prefix: &str, known: &Knowledge<'_>) -> Result<()> {
        let hex = prefix.bytes().all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b));
        if !hex || !(7..=64).contains(&prefix.len()) {
            let expected = "expected 7 to 64 lower-case hexadecimal digits of a commit or a sha256";
            return Err(Error::request(format!("--expect: {expected}, found {prefix:?}")));
        }
        let whole = matches!(self.verdict, Verdict::Exact | Verdict::Same);
        let of_commit = whole && self.versions.iter().any(|w| w.has_commit(prefix));
        if of_commit || self.sha256.as_str().starts_with(prefix) || self.git_blob.as_str().starts_with(prefix) {
            return Ok(());
        }
        let wanted = match Which::named(known.versions, prefix).as_slice() {
            [] => format!("a file of commit or hash {prefix}, which is no known version's"),
            all => all.iter().map(Which::title).collect::<Vec<_>>().join(" or "),
        };
        let way_out = match self.versions.first() {
            Some(which)
                if self.verdict == Verdict::Same
                    && which.sha256.as_ref().is_some_and(|h| h.as_str().starts_with(prefix)) =>
            {
                "; the commit instead of the hash accepts any dress"
            }
            _ => "",
        };
        Err(Error::inputs(format!(
            "{}: expected {wanted}, found sha256 {}: {}{way_out}",
            self.file,
            self.sha256.short(),
            self.headline()
        )))
    }
}

/// The known file that these bytes are, with a line end more or less at their end.
fn ended(plain: &[u8], table: &Versions) -> Option<(Which, Vec<Dress>)> {
    if let Some(which) = Which::of_bytes(table, plain) {
        return Some((which, Vec::new()));
    }
    let other = plain.strip_suffix(b"\n").map_or_else(|| [plain, b"\n"].concat(), <[u8]>::to_vec);
    Which::of_bytes(table, &other).map(|which| (which, vec![Dress::FinalNewline]))
}

/// The known file that the bare rows are when they are written as it was.
fn rewritten(
    plain: &[u8],
    rows: &[Map<String, Value>],
    bare: &[Map<String, Value>],
    table: &Versions,
) -> Result<Option<(Which, Vec<Dress>)>> {
    for style in dress::styles() {
        if let Some(which) = Which::of_bytes(table, &style.write(bare)?) {
            let anew = style.write(rows)? != plain;
            return Ok(Some((which, if anew { vec![Dress::Rewritten] } else { Vec::new() })));
        }
    }
    Ok(None)
}

/// Holds the rows against those of every version that has them known, and keeps what fits best.
fn by_rows(out: &mut Identity, file: &Digested, known: &Knowledge<'_>) -> Result<()> {
    let held = known.rows.versions.iter().map(|v| (v, v.compare(&known.rows.fields, file)));
    let held: Vec<(&Known<'_>, Difference)> = held.collect();
    let best = held.iter().map(|(_, d)| (d.alike, d.in_common)).max().unwrap_or_default();
    if best.1 == 0 {
        return Ok(());
    }
    let mut fits = held.into_iter().filter(|(_, d)| (d.alike, d.in_common) == best).peekable();
    let Some((first, _)) = fits.peek() else { return Ok(()) };
    let pure = best.0 as usize == file.len() && file.nameless == 0 && file.repeated.is_empty();
    let whole = pure && file.len() == first.len() && file.lacking.is_empty();
    out.verdict = match (whole, pure) {
        (true, _) => Verdict::Same,
        (false, true) => Verdict::Part,
        (false, false) => Verdict::Near,
    };
    if whole {
        // In the version's order and with nothing added, only white space, escapes or the order of keys can be left.
        let left = if first.in_order(file) { Dress::Rewritten } else { Dress::Reordered };
        out.dress.push(left);
    }
    for (version, difference) in fits {
        let which = Which::of_commit(known.versions, &version.commit).ok_or_else(|| {
            Error::internal(format!("commit {} has its rows in one table and is not in the other", version.commit))
        })?;
        if whole {
            out.compare.clone_from(&which.compare);
        } else if out.difference.is_none() {
            out.difference = Some(difference);
        }
        out.versions.push(which);
    }
    Ok(())
}

/// Errs (exit code 2) where no row has what a row of MMAU has.
fn like_mmau(rows: &[Map<String, Value>], name: &str) -> Result<()> {
    let has = |row: &Map<String, Value>, key| matches!(row.get(key), Some(Value::String(_)));
    let like = |row: &Map<String, Value>| {
        has(row, "question")
            && matches!(row.get("choices"), Some(Value::Array(_)))
            && (has(row, "id") || has(row, "audio_id"))
    };
    if rows.iter().any(like) {
        return Ok(());
    }
    let keys: indexmap::IndexSet<&str> = rows.iter().flat_map(|row| row.keys().map(String::as_str)).collect();
    let keys: Vec<&str> = keys.into_iter().take(12).collect();
    Err(Error::request(format!(
        "{name}: expected rows of MMAU (id, audio_id, question, choices, answer, …), found {} with the keys {}",
        text::count(rows.len() as u64, "row"),
        if keys.is_empty() { "none".to_owned() } else { keys.join(", ") }
    )))
}
