//! Problems of a recipe: where, what was expected, what was found, and the way out. Collected, never thrown one by one.

use crate::error::Error;
use std::fmt;
use std::path::{Path, PathBuf};

/// Where a key or a value stands.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum At {
    /// Line and column of the recipe file, both from 1, columns in characters.
    File(usize, usize),
    /// Given by `--set`; the key path as given.
    Set(String),
}

/// One problem. `hint` is never empty: every problem has a way out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Problem {
    pub at: At,
    pub path: String,
    pub expected: String,
    pub found: String,
    pub hint: String,
}

/// What is wrong with one file.
#[derive(Debug)]
pub(super) struct Problems {
    file: PathBuf,
    list: Vec<Problem>,
}

impl Problems {
    pub fn new(file: &Path) -> Self {
        Self { file: file.to_owned(), list: Vec::new() }
    }

    pub fn add(&mut self, at: &At, path: &str, expected: impl fmt::Display, found: impl fmt::Display, hint: &str) {
        let problem = Problem {
            at: at.clone(),
            path: if path.is_empty() { "recipe".to_owned() } else { path.to_owned() },
            expected: expected.to_string(),
            found: found.to_string(),
            hint: hint.trim_end_matches('.').to_owned(),
        };
        if !self.list.contains(&problem) {
            self.list.push(problem);
        }
    }

    pub fn is_empty(&self) -> bool {
        self.list.is_empty()
    }

    fn line(&self, problem: &Problem) -> String {
        let Problem { at, path, expected, found, hint } = problem;
        let place = match at {
            At::File(line, column) => format!("{}:{line}:{column}", self.file.display()),
            At::Set(key) if key.contains(char::is_control) => format!("--set {}", key.escape_debug()),
            At::Set(key) => format!("--set {key}"),
        };
        format!("{place}: {path}: expected {expected}, found {found} ({hint})")
    }
}

/// One error for all problems of all files: one problem a line in the order of the file, then the count by file.
pub(super) fn error(mut files: Vec<Problems>) -> Error {
    let mut lines = Vec::new();
    let mut counts = Vec::new();
    files.retain(|problems| !problems.is_empty());
    for problems in &mut files {
        problems.list.sort_by(|a, b| a.at.cmp(&b.at));
        lines.extend(problems.list.iter().map(|p| problems.line(p)));
        let n = problems.list.len();
        let noun = if n == 1 { "problem" } else { "problems" };
        counts.push(format!("{n} {noun} in {}", problems.file.display()));
    }
    lines.push(counts.join(", "));
    Error::request(lines.join("\n"))
}
