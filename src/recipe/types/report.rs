//! Rows that no model is run for, and what the report prints beside the measured ones.

use super::{Extract, Rule};
use crate::pins::Sha256;
use serde::{Deserialize, Serialize};
use std::path::PathBuf;

/// Predictions that are there already: a row of the report.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Scored {
    /// Name, unique among all stages of the recipe.
    pub name: String,
    /// What the report calls the row.
    pub label: String,
    /// MMAU JSON with `model_output` or `model_prediction`; where it lies is in no fingerprint.
    #[serde(skip)]
    pub file: PathBuf,
    /// SHA-256 of the file, where it is pinned.
    pub sha256: Option<Sha256>,
    /// Name of the data set whose questions were answered.
    pub data: String,
    /// How the answer is taken from a prediction.
    pub extract: Extract,
    /// How the answer is judged.
    pub rule: Rule,
}

/// What the report prints beside the measured rows.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Report {
    /// Names of claim files under `recipes/data/`, resolved to paths; their rows are quoted when the dataset's version matches.
    pub claims: Vec<PathBuf>,
    /// The eval whose score is held against a claim, for the verdict.
    pub expect: Vec<Expect>,
    /// Evals that are one measurement made several times.
    pub groups: Vec<Group>,
}

/// A claim that a measured row is held against.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Expect {
    /// Name of the eval, or of one of `scores`.
    pub eval: String,
    /// Id of the claim in the claim files.
    pub claim: String,
    /// The verdict without which `reproduce` ends with exit code 3.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub expect: Option<Expected>,
}

/// A verdict that a recipe can ask for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Expected {
    /// The interval of the difference holds 0.
    Inside,
}

/// Evals that are one measurement made several times, as with several seeds.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Group {
    /// Name, unique among groups.
    pub name: String,
    /// What the report calls its rows.
    pub label: String,
    /// Names of evals or scores on one data set; two at least.
    pub evals: Vec<String>,
}
