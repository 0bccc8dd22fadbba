//! Judgement of answers: verdicts by named rule, the ledger, accuracies with their intervals. Needs no libtorch.

use crate::recipe::{Extract, Rule};
use crate::reward;
use serde::{Deserialize, Serialize};

mod bounds;
mod file;
mod floors;
mod matrix;
pub mod official;
mod options;
mod ordinary;
mod phrase;
pub mod stats;
mod strict;
pub mod submission;
mod table;

pub use bounds::{Bounded, Bounds};
pub use file::{predictions, score_file};
pub use floors::{Floor, Floors, floors};
pub use matrix::{Matrix, Over, Set, Which, matrix};

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

impl Verdict {
    /// For people.
    pub fn in_words(self) -> &'static str {
        match self {
            Self::Correct => "correct",
            Self::Wrong => "wrong",
            Self::NoAnswer => "no answer",
            Self::Failed => "failed",
        }
    }
}

/// Counts and accuracy of some questions.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
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

/// A score: the JSON that `score --format json` prints (see [`Bounded`]) and a run keeps.
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

/// One question's verdict and what it is counted under.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Judged<'a> {
    /// Its task.
    pub task: &'a str,
    /// Its difficulty.
    pub difficulty: &'a str,
    /// Its sub-category; empty when it has none.
    pub sub_category: &'a str,
    /// What became of it.
    pub verdict: Verdict,
}

/// Judges what counts as the answer (see [`extract`]) by a rule; never gives [`Verdict::Failed`]. Which rule counts what, and why, is in
/// docs/methodology.md.
pub fn judge(rule: Rule, answer: &str, prediction: &str, choices: &[impl AsRef<str>]) -> Verdict {
    match rule {
        Rule::Official => official::judge(answer, prediction, choices),
        Rule::Parsed => strict::parsed(answer, prediction, choices),
        Rule::Exact => strict::exact(answer, prediction),
        Rule::AnswerTag => strict::answer_tag(answer, prediction, choices),
    }
}

/// Whether a text counts as an answer to these options by a rule, whatever the right one is.
pub fn is_answer(rule: Rule, prediction: &str, choices: &[impl AsRef<str>]) -> bool {
    judge(rule, "", prediction, choices) != Verdict::NoAnswer
}

/// Takes what counts as the answer from a generated text.
pub fn extract(how: Extract, output: &str) -> String {
    match how {
        Extract::AnswerTag => reward::answer(output),
        Extract::AnswerTagDotall => reward::answer_dotall(output),
        Extract::LastAnswerTag => reward::last_answer(output),
        Extract::AfterThink => reward::answer_after_think(output),
        Extract::ResponseTag => reward::response(output),
        Extract::Whole => crate::prompt::python::strip(output),
    }
    .to_owned()
}

/// Counts verdicts. `missing` is the number of questions without a prediction: as in MMAU's script they are in no total, so they
/// stand in the ledger. A failed question stays in the total and is not correct: a clip that cannot be read must not raise a
/// score (its row of a predictions file holds an empty prediction, which the script counts in the same way).
pub fn score_rows<'a>(rule: Rule, rows: impl IntoIterator<Item = Judged<'a>>, missing: u64) -> Score {
    let mut tally = Tally::default();
    rows.into_iter().for_each(|row| tally.count(&row));
    tally.finish(rule, missing)
}

/// Verdicts that are counted as they come.
#[derive(Default)]
struct Tally {
    whole: Cell,
    ledger: Ledger,
    task: Cells,
    difficulty: Cells,
    sub_category: Cells,
}

impl Tally {
    fn count(&mut self, row: &Judged<'_>) {
        match row.verdict {
            Verdict::Correct => {}
            Verdict::Wrong => self.ledger.wrong += 1,
            Verdict::NoAnswer => self.ledger.no_answer += 1,
            Verdict::Failed => self.ledger.failed += 1,
        }
        self.whole.count(row.verdict);
        for (cells, name) in [
            (&mut self.task, row.task),
            (&mut self.difficulty, row.difficulty),
            (&mut self.sub_category, row.sub_category),
        ] {
            if !name.is_empty() {
                match cells.get_mut(name) {
                    Some(cell) => cell.count(row.verdict),
                    None => cells.entry(name.to_owned()).or_default().count(row.verdict),
                }
            }
        }
    }

    fn finish(self, rule: Rule, missing: u64) -> Score {
        let Self { whole, ledger, mut task, mut difficulty, mut sub_category } = self;
        for cell in task.values_mut().chain(difficulty.values_mut()).chain(sub_category.values_mut()) {
            cell.accuracy = stats::percent(cell.correct, cell.total);
        }
        Score {
            rule: rule.name().into(),
            total: whole.total,
            correct: whole.correct,
            accuracy: stats::percent(whole.correct, whole.total),
            interval: stats::wilson(whole.correct, whole.total).map(|bound| stats::rounded(bound, 1)),
            ledger: Ledger { missing, ..ledger },
            task,
            difficulty,
            sub_category,
        }
    }
}

impl Cell {
    fn count(&mut self, verdict: Verdict) {
        self.total += 1;
        self.correct += u64::from(verdict == Verdict::Correct);
    }
}

impl Score {
    /// The score in a line, as progress says it: `accuracy 64.50 (645 of 1000)`, and what is missing.
    pub fn in_words(&self) -> String {
        let Self { accuracy, correct, total, ledger, .. } = self;
        let missing = if ledger.missing == 0 { String::new() } else { format!(", {} missing", ledger.missing) };
        format!("accuracy {accuracy:.2} ({correct} of {total}){missing}")
    }

    /// The score for a person: accuracy with its interval and the ledger, then a table of every breakdown.
    pub fn to_text(&self) -> String {
        table::text(self)
    }
}
