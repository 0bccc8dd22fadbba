//! Rows of the versions whose files were at hand, as digests, and a file's rows held against them.

use crate::canonical;
use crate::error::{Error, Result};
use crate::pins::{Revision, Sha256};
use indexmap::IndexMap;
use serde::Serialize;
use serde_json::{Map, Value};

/// `recipes/data/mmau-rows.tsv`, part of the program so that files are identified anywhere.
const SHIPPED: &str = include_str!("../../../recipes/data/mmau-rows.tsv");

/// Hexadecimal digits of a digest: 32 bits, for a comparison of one value with one or a few others.
const DIGITS: usize = 8;

/// The versions whose rows are known.
#[derive(Debug)]
pub struct Rows<'t> {
    /// Keys that are digested, in the order of the digests.
    pub(super) fields: Vec<&'t str>,
    /// Oldest first.
    pub(super) versions: Vec<Known<'t>>,
}

/// One version's rows.
#[derive(Debug)]
pub(super) struct Known<'t> {
    pub(super) commit: Revision,
    order: &'t str,
    rows: IndexMap<&'t str, &'t str>,
}

/// A file's rows held against one version's.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct Difference {
    /// Ids that both have.
    pub in_common: u64,
    /// Rows of these that are the same in every field that the file has.
    pub alike: u64,
    /// Ids that the version has not.
    pub only_here: Vec<String>,
    /// Ids that the file has not.
    pub only_there: Vec<String>,
    /// Ids of rows in common with another value, by field.
    pub fields: IndexMap<String, Vec<String>>,
}

/// A file's rows, digested.
pub(super) struct Digested {
    /// By id, in order of the file; `None` for a key that a row has not.
    rows: IndexMap<String, Vec<Option<String>>>,
    /// Ids that stand more than once, a time for each row too many.
    pub(super) repeated: Vec<String>,
    /// Rows without an id, and without a clip that is named after one.
    pub(super) nameless: u64,
    /// Rows that lack a key, by key.
    pub(super) lacking: IndexMap<String, u64>,
}

impl<'t> Rows<'t> {
    /// Reads the table that `scripts/mmau-versions.py` makes.
    ///
    /// # Errors
    /// Exit code 1: it is not such a table.
    pub fn parse(text: &'t str) -> Result<Self> {
        let mut out = Self { fields: Vec::new(), versions: Vec::new() };
        for (index, line) in text.lines().enumerate().filter(|(_, line)| !line.starts_with('#')) {
            out.take(line).ok_or_else(|| {
                Error::internal(format!("the table of MMAU's rows: line {}: cannot read {line:?}", index + 1))
            })?;
        }
        Ok(out)
    }

    /// The shipped table.
    ///
    /// # Errors
    /// Exit code 1: it is broken (a test holds that it is not).
    pub fn shipped() -> Result<Rows<'static>> {
        Rows::parse(SHIPPED)
    }

    fn take(&mut self, line: &'t str) -> Option<()> {
        let cells: Vec<&str> = line.split('\t').collect();
        match cells.as_slice() {
            ["version", commit, order] => {
                let commit = Revision::parse(commit).ok()?;
                self.versions.push(Known { commit, order, rows: IndexMap::new() });
            }
            ["fields", fields @ ..] => self.fields = fields.to_vec(),
            [versions, id, digests] if digests.len() == DIGITS * self.fields.len() => {
                for number in versions.chars() {
                    let at = number.to_digit(10)?.checked_sub(1)?;
                    self.versions.get_mut(at as usize)?.rows.insert(id, digests);
                }
            }
            _ => return None,
        }
        Some(())
    }

    /// The keys that a row of MMAU has.
    pub(super) fn keys(&self) -> Vec<&'t str> {
        std::iter::once("id").chain(self.fields.iter().copied()).collect()
    }

    /// Digests a file's rows. A row without `id` goes by the name of its clip, which is its id with `.wav`.
    ///
    /// # Errors
    /// Exit code 1: none that is known of.
    pub(super) fn digest(&self, rows: &[Map<String, Value>]) -> Result<Digested> {
        let mut out = Digested {
            rows: IndexMap::with_capacity(rows.len()),
            repeated: Vec::new(),
            nameless: 0,
            lacking: IndexMap::new(),
        };
        for row in rows {
            let Some(id) = id(row) else {
                out.nameless += 1;
                continue;
            };
            let mut digests = Vec::with_capacity(self.fields.len());
            for field in &self.fields {
                digests.push(row.get(*field).map(digest).transpose()?);
                if !row.contains_key(*field) {
                    *out.lacking.entry((*field).to_owned()).or_default() += 1;
                }
            }
            if out.rows.contains_key(&id) {
                out.repeated.push(id);
            } else {
                out.rows.insert(id, digests);
            }
        }
        Ok(out)
    }
}

impl Known<'_> {
    /// How many rows it has.
    pub(super) fn len(&self) -> usize {
        self.rows.len()
    }

    /// Whether a file has its ids in its order.
    pub(super) fn in_order(&self, file: &Digested) -> bool {
        order(file.rows.keys()) == self.order
    }

    /// Holds a file's rows against these.
    pub(super) fn compare(&self, fields: &[&str], file: &Digested) -> Difference {
        let mut out = Difference::default();
        for (id, found) in &file.rows {
            let Some(known) = self.rows.get(id.as_str()) else {
                out.only_here.push(id.clone());
                continue;
            };
            out.in_common += 1;
            let mut alike = true;
            for (at, field) in fields.iter().enumerate() {
                let differs = |found: &String| *found != known[at * DIGITS..(at + 1) * DIGITS];
                if found[at].as_ref().is_some_and(differs) {
                    out.fields.entry((*field).to_owned()).or_default().push(id.clone());
                    alike = false;
                }
            }
            out.alike += u64::from(alike);
        }
        let there = self.rows.keys().filter(|id| !file.rows.contains_key(**id));
        out.only_there = there.map(|id| (*id).to_owned()).collect();
        out
    }
}

impl Digested {
    /// How many different ids it has.
    pub(super) fn len(&self) -> usize {
        self.rows.len()
    }
}

/// The start of the hash of a value's canonical JSON.
///
/// # Errors
/// Exit code 1: none that is known of.
pub fn digest(value: &Value) -> Result<String> {
    Ok(Sha256::of(canonical::to_string(value)?.as_bytes()).as_str()[..DIGITS].to_owned())
}

/// The start of the hash of ids in order.
pub fn order<'i>(ids: impl Iterator<Item = &'i String>) -> String {
    let ids: Vec<&str> = ids.map(String::as_str).collect();
    Sha256::of(ids.join("\n").as_bytes()).as_str()[..2 * DIGITS].to_owned()
}

fn id(row: &Map<String, Value>) -> Option<String> {
    let text = |key| row.get(key).and_then(Value::as_str).filter(|text| !text.is_empty());
    let clip = || text("audio_id").and_then(|path| path.rsplit('/').next()?.strip_suffix(".wav"));
    text("id").or_else(clip).map(str::to_owned)
}
