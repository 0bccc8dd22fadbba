//! A known file of MMAU in one shape, wherever the table of versions has it.

use crate::data::versions::{Elsewhere, TestFile, Version, Versions};
use crate::pins::{Revision, Sha256};
use serde::Serialize;

/// A known file of MMAU.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Which {
    /// `MMAU test-mini of 2025-01-28`. Two versions of one day have the same name.
    pub name: String,
    /// Day of the commit; `None` off the main branch and for the test files.
    pub date: Option<String>,
    /// What the world calls it: `original` or `v05.15.25`.
    pub label: Option<String>,
    /// How many different files that label was given to.
    pub same_label: u64,
    /// A commit that has the file so; the first digits where no more is known.
    pub commit: String,
    /// SHA-256 of the file; `None` for the test files, of which only git's id is known.
    pub sha256: Option<Sha256>,
    /// Git's id of the content, for the test files.
    pub git_blob: Option<Revision>,
    /// What changed against the version before, or what is to be known about it.
    pub changed: String,
    /// Commit and date of the version before.
    pub before: Option<[String; 2]>,
    /// Published numbers that a measurement on it may be compared with.
    pub compare: Vec<Compare>,
}

/// Numbers that a measurement may be compared with.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Compare {
    /// Whose numbers, and where they are printed.
    pub numbers: String,
    /// What must be said beside the comparison.
    pub reservation: String,
}

impl Which {
    /// The known file with these bytes, by either hash.
    pub(super) fn of_bytes(table: &Versions, bytes: &[u8]) -> Option<Self> {
        let sha256 = Sha256::of(bytes);
        let version = table.versions.iter().position(|v| v.sha256 == sha256);
        let elsewhere = || table.elsewhere.iter().find(|e| e.sha256 == sha256).map(Self::elsewhere);
        let test = || {
            let blob = Revision::of_blob(bytes);
            table.test.iter().find(|t| t.git_blob == blob).map(|t| Self::test(table, t))
        };
        version.map(|at| Self::version(table, at)).or_else(elsewhere).or_else(test)
    }

    /// The version of a commit.
    pub(super) fn of_commit(table: &Versions, commit: &Revision) -> Option<Self> {
        table.versions.iter().position(|v| v.commit == *commit).map(|at| Self::version(table, at))
    }

    /// The known files that a commit, a SHA-256 or a git blob id of these first digits is of; test files where no other is.
    pub(super) fn named(table: &Versions, prefix: &str) -> Vec<Self> {
        let versions = (0..table.versions.len()).map(|at| Self::version(table, at));
        let elsewhere = table.elsewhere.iter().map(Self::elsewhere);
        let test = table.test.iter().map(|t| Self::test(table, t));
        let named = |which: &Self| which.has_commit(prefix) || which.has_hash(prefix);
        let mini: Vec<Self> = versions.chain(elsewhere).filter(named).collect();
        if mini.is_empty() { test.filter(named).collect() } else { mini }
    }

    /// Whether its commit starts with these digits. Where only the first digits are known, more of them are believed.
    pub(super) fn has_commit(&self, prefix: &str) -> bool {
        self.commit.starts_with(prefix) || (prefix.len() <= 40 && prefix.starts_with(&self.commit))
    }

    fn has_hash(&self, prefix: &str) -> bool {
        let starts = |hash: Option<&str>| hash.is_some_and(|hash| hash.starts_with(prefix));
        starts(self.sha256.as_ref().map(Sha256::as_str)) || starts(self.git_blob.as_ref().map(Revision::as_str))
    }

    /// Its name and the start of its commit, which no other known file has.
    pub fn title(&self) -> String {
        format!("{} (commit {})", self.name, self.commit.get(..7).unwrap_or(&self.commit))
    }

    fn version(table: &Versions, at: usize) -> Self {
        let Version { name, label, date, commit, sha256, note, .. } = table.versions[at].clone();
        let before = at.checked_sub(1).map(|at| &table.versions[at]);
        Self {
            name,
            date: Some(date),
            same_label: table.versions.iter().filter(|v| v.label == label).count() as u64,
            label: Some(label),
            compare: compare(table, |p| p.commits.iter().any(|c| commit.as_str().starts_with(c.as_str()))),
            commit: commit.to_string(),
            sha256: Some(sha256),
            git_blob: None,
            changed: note,
            before: before.map(|v| [v.commit.to_string(), v.date.clone()]),
        }
    }

    fn elsewhere(Elsewhere { name, commit, sha256, note }: &Elsewhere) -> Self {
        Self {
            name: name.clone(),
            date: None,
            label: None,
            same_label: 0,
            commit: commit.clone(),
            sha256: Some(sha256.clone()),
            git_blob: None,
            changed: note.clone(),
            before: None,
            compare: Vec::new(),
        }
    }

    fn test(table: &Versions, TestFile { name, commit, git_blob, note, .. }: &TestFile) -> Self {
        Self {
            name: name.clone(),
            date: None,
            label: None,
            same_label: 0,
            commit: commit.clone(),
            sha256: None,
            git_blob: Some(git_blob.clone()),
            changed: note.clone(),
            before: None,
            compare: compare(table, |p| p.blobs.iter().any(|b| git_blob.as_str().starts_with(b.as_str()))),
        }
    }
}

fn compare(table: &Versions, on: impl Fn(&crate::data::versions::Published) -> bool) -> Vec<Compare> {
    let published = table.published.iter().filter(|p| on(p));
    published.map(|p| Compare { numbers: p.numbers.clone(), reservation: p.reservation.clone() }).collect()
}
