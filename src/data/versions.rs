//! Every known version of MMAU's question files, and which numbers may be compared with which.

use crate::error::{Context, Result};
use crate::pins::{Revision, Sha256};
use indexmap::IndexMap;
use serde::{Deserialize, Serialize};
use std::sync::OnceLock;

/// `recipes/data/mmau-versions.json`, part of the program so that reports work from anywhere.
const SHIPPED: &str = include_str!("../../recipes/data/mmau-versions.json");

/// The file's shape.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Versions {
    schema: u32,
    what: String,
    repository: String,
    file: String,
    /// Comparability groups of more than one version, with the reason.
    pub declared_comparable: IndexMap<String, String>,
    /// Versions of `mmau-test-mini.json` on the main branch, oldest first.
    pub versions: Vec<Version>,
    /// Files of that name that were never on the main branch.
    pub elsewhere: Vec<Elsewhere>,
    /// Versions of `mmau-test.json`.
    pub test: Vec<TestFile>,
    /// Published numbers, and the files that they are on.
    pub published: Vec<Published>,
}

/// One version of the file.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Version {
    /// What tables call it: `MMAU test-mini of 2025-01-28`.
    pub name: String,
    /// What the world called it then: `original` or `v05.15.25` (eleven different files).
    pub label: String,
    /// Day of the commit.
    pub date: String,
    /// Commit of the repository that has the file so.
    pub commit: Revision,
    /// SHA-256 of the file.
    pub sha256: Sha256,
    /// Size of the file.
    pub bytes: u64,
    /// Questions.
    pub rows: u64,
    /// Questions by difficulty, labels as written in the file.
    pub difficulty: IndexMap<String, u64>,
    /// Questions whose answer is not among their choices.
    pub answers_not_in_choices: u64,
    /// Versions with the same group may share a table.
    pub comparable: String,
    /// What changed.
    pub note: String,
}

/// A file of a pull request.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Elsewhere {
    /// What it is called here.
    pub name: String,
    /// The first digits of its commit: no more is known.
    pub commit: String,
    /// SHA-256 of the file.
    pub sha256: Sha256,
    /// What it changes.
    pub note: String,
}

/// One version of `mmau-test.json`. Its SHA-256 is not known.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TestFile {
    /// What it is called here.
    pub name: String,
    /// The first digits of a commit of the repository that has the file so.
    pub commit: String,
    /// Git's id of the file's content.
    pub git_blob: Revision,
    /// Questions.
    pub rows: u64,
    /// What is to be known about it.
    pub note: String,
}

/// Numbers that were published, and the files that a measurement must be on to be compared with them.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Published {
    /// Whose numbers, and where they are printed.
    pub numbers: String,
    /// First digits of the commits of these files.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub commits: Vec<String>,
    /// First digits of the git blob ids of these files.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub blobs: Vec<String>,
    /// What must be said beside such a comparison.
    pub reservation: String,
}

impl Versions {
    /// A table from its JSON.
    ///
    /// # Errors
    /// Exit code 1: it is not such a table.
    pub fn parse(text: &str) -> Result<Self> {
        serde_json::from_str(text).internal(|| "the table of MMAU's versions".into())
    }
}

/// The table of versions.
///
/// # Errors
/// Exit code 1: the shipped file is broken (a test holds that it is not).
pub fn shipped() -> Result<&'static Versions> {
    static PARSED: OnceLock<Versions> = OnceLock::new();
    if let Some(versions) = PARSED.get() {
        return Ok(versions);
    }
    let versions = Versions::parse(SHIPPED)?;
    Ok(PARSED.get_or_init(|| versions))
}

/// The known version with this hash.
///
/// # Errors
/// As [`shipped`].
pub fn find(sha256: &Sha256) -> Result<Option<&'static Version>> {
    Ok(shipped()?.versions.iter().find(|v| &v.sha256 == sha256))
}

/// The comparability group of a questions file: the declared one, or its own hash when it is not a known version.
///
/// # Errors
/// As [`shipped`].
pub fn group(sha256: &Sha256) -> Result<String> {
    Ok(find(sha256)?.map_or_else(|| sha256.to_string(), |v| v.comparable.clone()))
}

/// Why versions of a group may be compared; empty for a group of one.
///
/// # Errors
/// As [`shipped`].
pub fn declared(group: &str) -> Result<&'static str> {
    Ok(shipped()?.declared_comparable.get(group).map_or("", String::as_str))
}

/// The repository that the versions are commits of.
///
/// # Errors
/// As [`shipped`].
pub fn repository() -> Result<&'static str> {
    Ok(&shipped()?.repository)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn eighteen_versions_all_different_and_only_the_two_paper_era_ones_comparable() {
        let all = &shipped().unwrap().versions;
        assert_eq!(all.len(), 18);
        assert_eq!(all.iter().map(|v| &v.sha256).collect::<BTreeSet<_>>().len(), 18);
        assert_eq!(all.iter().map(|v| &v.commit).collect::<BTreeSet<_>>().len(), 18);
        assert_eq!(all.iter().filter(|v| v.label == "v05.15.25").count(), 11, "one label, eleven files");
        assert!(all.is_sorted_by_key(|v| &v.date));
        for v in all {
            assert_eq!(v.rows, 1000);
            assert_eq!(v.difficulty.values().sum::<u64>(), 1000, "{}", v.sha256);
        }
        for a in all {
            for b in all.iter().filter(|b| b.sha256 != a.sha256) {
                let paper = a.date.as_str() < "2025-05" && b.date.as_str() < "2025-05";
                let both = paper && a.date.as_str() > "2025-01" && b.date.as_str() > "2025-01";
                assert_eq!(a.comparable == b.comparable, both, "{} and {}", a.date, b.date);
            }
        }
        for group in shipped().unwrap().declared_comparable.keys() {
            assert!(all.iter().filter(|v| &v.comparable == group).count() > 1, "{group} is used");
        }
    }

    #[test]
    fn published_numbers_are_on_known_files_and_none_on_the_broken_ones() {
        let table = shipped().unwrap();
        assert_eq!((table.elsewhere.len(), table.test.len()), (2, 2));
        for published in &table.published {
            assert!(!published.commits.is_empty() || !published.blobs.is_empty(), "{}", published.numbers);
            for commit in &published.commits {
                let version = table.versions.iter().filter(|v| v.commit.as_str().starts_with(commit.as_str()));
                let version: Vec<_> = version.collect();
                assert_eq!(version.len(), 1, "{commit}");
                assert_eq!(version[0].answers_not_in_choices, 0, "{commit}");
                let paper = version[0].comparable == "paper-era";
                assert_eq!(paper, published.numbers.starts_with("R1-AQA"), "{commit}");
            }
            for blob in &published.blobs {
                assert_eq!(table.test.iter().filter(|t| t.git_blob.as_str().starts_with(blob.as_str())).count(), 1);
            }
        }
        let labelled = table.published.iter().find(|p| p.numbers.contains("v05.15.25")).unwrap();
        assert_eq!(labelled.commits.len(), 8, "of eleven files three are broken");
    }

    #[test]
    fn an_unknown_file_is_its_own_group() {
        let (a, b) = (Sha256::of(b"a"), Sha256::of(b"b"));
        assert_ne!(group(&a).unwrap(), group(&b).unwrap());
        assert!(find(&a).unwrap().is_none());
    }
}
