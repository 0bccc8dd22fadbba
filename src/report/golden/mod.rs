//! Goldens: results that must not change, each with how it was made.
//!
//! A golden folder holds `golden.json` (how it was made, tolerances, conditions, the log of reasons), `leaderboard.md`, the claim
//! files of its own if it has any (`claims/`), and for each evaluation a folder with `eval.json`, `predictions.json`,
//! `verdicts.json`, `score.json` and `prompts.json`. Nothing else may lie there.

mod check;
mod compare;
mod files;
mod update;

pub use check::{CheckReport, check};
pub use files::{Condition, EvalGolden, Golden, HowMade, LogEntry, Prompts, SCHEMA, Tolerance};
pub use update::update;

use super::load::Run;
use crate::error::Result;
use std::path::Path;

/// Whether a folder is a golden.
pub(super) fn is_one(path: &Path) -> bool {
    path.join("golden.json").exists()
}

/// A golden's results, as those of the run that it was made from.
pub(super) fn as_run(path: &Path) -> Result<Run> {
    files::read_folder(path).map(|folder| folder.run)
}
