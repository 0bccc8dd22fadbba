//! The lock: what a recipe resolved to, file by file, in `NAME.lock` beside it. It completes what a recipe cannot pin beforehand, and holds every input to
//! what it was when it was made.
//!
//! JSON with sorted keys and a fact a line, without dates or paths of a machine, so that two locks can be compared with `diff`.

mod check;
mod complete;
mod differ;
mod make;

pub use check::check;
pub use complete::complete;
pub use differ::{Difference, differ};
pub use make::make;

use crate::artifact::write;
use crate::error::{Context, Error, Result};
use crate::pins::{Commit, Pin, Revision, Sha256};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// The version of this form.
const SCHEMA: u32 = 1;

/// What a recipe resolved to.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Lock {
    /// Version of this form.
    pub schema: u32,
    /// The recipe's name.
    pub recipe: String,
    /// Every input by what it is: `model`, `data set NAME`, `audio of data set NAME`; of a recipe that this one builds on, with `RECIPE/` before it.
    pub inputs: BTreeMap<String, Locked>,
    /// SHA-256 of each prompt as it renders a fixed question, by the prompt's name: the bytes of its template.
    pub prompts: BTreeMap<String, Sha256>,
    /// How each evaluation chooses tokens, the checkpoint's own settings filled in; empty where the checkpoint's are not known.
    pub decoding: BTreeMap<String, Value>,
}

/// An input as it was.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Locked {
    /// Where it came from, as the recipe says it; empty for a path, which is another one on another machine.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub source: String,
    /// The hub's commit.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub revision: Option<Revision>,
    /// SHA-256 of the archive that the files came in.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub archive: Option<Sha256>,
    /// Clips that the questions name and that were not there.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub missing: u64,
    /// SHA-256 over the ids of the questions that are kept, where the clips that are there decide which.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub kept_ids: Option<Sha256>,
    /// `sha256 …` or `git blob …` of every file, by name.
    pub files: BTreeMap<String, FilePin>,
}

fn is_zero(n: &u64) -> bool {
    *n == 0
}

/// A pin as one text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FilePin(pub Pin);

impl Serialize for FilePin {
    fn serialize<S: serde::Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
        s.serialize_str(&self.0.to_string())
    }
}

impl<'de> Deserialize<'de> for FilePin {
    fn deserialize<D: serde::Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        let text = String::deserialize(d)?;
        let pin = match (text.strip_prefix("sha256 "), text.strip_prefix("git blob ")) {
            (Some(hash), _) => Sha256::parse(hash).map(Pin::Sha256),
            (_, Some(id)) => Revision::parse(id).map(Pin::GitBlob),
            _ => Err(format!("expected `sha256 …` or `git blob …`, found {text:?}")),
        };
        pin.map(Self).map_err(serde::de::Error::custom)
    }
}

/// Where the lock of a recipe is: `NAME.lock` for `NAME.yaml`.
pub fn path(recipe: &Path) -> PathBuf {
    recipe.with_extension("lock")
}

impl Lock {
    /// Reads the lock of a recipe; `None` where there is none.
    ///
    /// # Errors
    /// Exit code 2: it is no lock, or of another version of this form, or of another recipe than `name`.
    pub fn of(recipe: &Path, name: &str) -> Result<Option<Self>> {
        let path = path(recipe);
        if !path.exists() {
            return Ok(None);
        }
        let lock = Self::load(&path)?;
        if lock.recipe != name {
            let found = format!("expected the lock of recipe {name}, found that of {}", lock.recipe);
            return Err(Error::request(format!(
                "{}: {found} (make it anew: aqa-bench lock {})",
                path.display(),
                recipe.display()
            )));
        }
        Ok(Some(lock))
    }

    /// Reads a lock.
    ///
    /// # Errors
    /// Exit code 2, as [`Lock::of`]; 4: it cannot be read.
    pub fn load(path: &Path) -> Result<Self> {
        let bytes = std::fs::read(path).inputs(|| format!("cannot read {}", path.display()))?;
        let lock: Self = serde_json::from_slice(&bytes).map_err(|e| {
            let at = format!("{}:{}:{}", path.display(), e.line(), e.column());
            Error::request(format!(
                "{at}: expected a lock of aqa-bench, found {e} (make it anew: aqa-bench lock RECIPE)"
            ))
        })?;
        if lock.schema != SCHEMA {
            let found = format!("expected a lock of version {SCHEMA}, found version {}", lock.schema);
            return Err(Error::request(format!("{}: {found} (make it anew: aqa-bench lock RECIPE)", path.display())));
        }
        Ok(lock)
    }

    /// Its text: sorted keys, a fact a line.
    ///
    /// # Errors
    /// Internal: it cannot be written as JSON.
    pub fn to_text(&self) -> Result<String> {
        // Through a value: maps of serde_json keep the order they were given, so it is made here.
        let text = serde_json::to_string_pretty(self).internal(|| "cannot write the lock".to_owned())?;
        Ok(text + "\n")
    }

    /// Writes it beside the recipe, in place of the one that is there.
    ///
    /// # Errors
    /// Internal: it cannot be written.
    pub fn save(&self, recipe: &Path) -> Result<PathBuf> {
        let path = path(recipe);
        write::replace(&path, self.to_text()?.as_bytes())?;
        Ok(path)
    }
}

/// Whether a commit that a recipe gives can be this revision.
fn is_of(commit: &Commit, revision: &Revision) -> bool {
    revision.as_str().starts_with(commit.as_str())
}
