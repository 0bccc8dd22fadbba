//! Judgement of answers: verdicts by named rule, the ledger, accuracies with their intervals. Needs no libtorch.

use serde::{Deserialize, Serialize};

/// What became of one question. Four different things.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// The answer passes the rule.
    Correct,
    /// There is an answer and it does not pass.
    Wrong,
    /// The model said nothing that counts as an answer.
    NoAnswer,
    /// The question could not be put: missing or undecodable clip, engine error.
    Failed,
}

/// Counts and accuracy of some questions.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Cell {
    /// Questions that count.
    pub total: u64,
    /// Of these, correct.
    pub correct: u64,
    /// Percent, two decimals, as MMAU's script prints it.
    pub accuracy: f64,
}

/// What stands beside every accuracy.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ledger {
    /// Answered, not passed.
    pub wrong: u64,
    /// Nothing that counts as an answer.
    pub no_answer: u64,
    /// Rows of the data set that the predictions do not have.
    pub missing: u64,
    /// Could not be put to the model.
    pub failed: u64,
}

/// A score: the JSON that `score --format json` prints.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Score {
    /// Name of the rule.
    pub rule: String,
    /// Questions that the rule counts.
    pub total: u64,
    /// Of these, correct.
    pub correct: u64,
    /// Percent, two decimals.
    pub accuracy: f64,
    /// 95 % Wilson interval in percent, one decimal.
    pub interval: [f64; 2],
    /// What became of the others.
    pub ledger: Ledger,
    /// By task, in order of first appearance.
    pub task: Cells,
    /// By difficulty.
    pub difficulty: Cells,
    /// By sub-category.
    #[serde(rename = "sub-category")]
    pub sub_category: Cells,
}

/// Cells by name, in order of first appearance.
pub type Cells = indexmap::IndexMap<String, Cell>;
