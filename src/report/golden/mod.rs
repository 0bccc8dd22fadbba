//! Goldens: results that must not change, each with how it was made.
//!
//! A golden folder holds `golden.json` (how it was made, tolerances, conditions, the log of reasons), `leaderboard.md`, the claim
//! files of its own if it has any (`claims/`), and for each evaluation a folder with `eval.json`, `predictions.json`,
//! `verdicts.json`, `score.json`, and, where a model was asked, `prompts.json` and `outputs.json`: the hashes of what it was asked and
//! of what it said. Nothing else may lie there.

mod answers;
mod check;
mod compare;
mod files;
mod finding;
mod github;
mod hold;
mod junit;
mod update;

pub(super) use answers::{contradictions, not_taken};
pub use check::check;
pub(super) use compare::fresh;
pub use files::{Condition, EvalGolden, Golden, Hashes, HowMade, LogEntry, SCHEMA, Tolerance};
pub use finding::{Cause, CheckReport, Finding, Flip, Kind, Outcome, Place, Suite};
pub use github::{Roots, annotation_of, harmless, summary_of};
pub(super) use hold::first_difference;
pub use junit::junit_of;
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
