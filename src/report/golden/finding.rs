//! What a check found, as data: every format says the same of it.

use crate::pins::Sha256;
use crate::score::Verdict;
use serde::Serialize;
use std::fmt::Write;
use std::path::{Path, PathBuf};

/// Changes of verdict shown of one finding; the rest is counted. The JSON has them all.
pub(super) const SHOWN: usize = 20;

/// What a check has to say: a suite for each golden, and one for each golden that a run was held against.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct CheckReport {
    /// Goldens checked; at least one.
    pub goldens: usize,
    /// Findings that are differences.
    pub differences: usize,
    /// In the order in which they were checked.
    pub suites: Vec<Suite>,
}

/// The findings about one golden.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Suite {
    /// The golden's folder, as it was given.
    pub golden: PathBuf,
    /// The run that was held against it; `None` is what was stored itself, made again by this program.
    pub run: Option<PathBuf>,
    /// In the order in which they were found.
    pub findings: Vec<Finding>,
}

/// One thing that was looked at.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Finding {
    /// The evaluation it is about; `None` where it is the whole golden.
    pub eval: Option<String>,
    /// What was looked at.
    pub kind: Kind,
    /// What came of it.
    pub outcome: Outcome,
    /// In a line.
    pub text: String,
    /// Further lines.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub details: Vec<String>,
    /// Every verdict that changed.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub flips: Vec<Flip>,
    /// Where in the golden it can be seen.
    pub place: Option<Place>,
}

/// What was looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Kind {
    /// Whether the run is of the recipe that the golden was made with.
    Recipe,
    /// Which evaluations there are, and on which questions.
    Questions,
    /// Rule and decoding.
    Settings,
    /// Whether the stored predictions are those that the golden was made of.
    Predictions,
    /// The bytes of the prompts.
    Prompts,
    /// What the model said.
    Outputs,
    /// Verdicts by question.
    Verdicts,
    /// The score, and whether it is that of the predictions.
    Score,
    /// How far a fresh run is from the golden.
    Tolerance,
    /// What must hold between evaluations.
    Conditions,
    /// The rendered table.
    Table,
}

impl Kind {
    /// As the JSON spells it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Recipe => "recipe",
            Self::Questions => "questions",
            Self::Settings => "settings",
            Self::Predictions => "predictions",
            Self::Prompts => "prompts",
            Self::Outputs => "outputs",
            Self::Verdicts => "verdicts",
            Self::Score => "score",
            Self::Tolerance => "tolerance",
            Self::Conditions => "conditions",
            Self::Table => "table",
        }
    }
}

/// What came of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Outcome {
    /// As it was, or within what the golden allows.
    Same,
    /// Something to know that is no difference.
    Noted,
    /// The golden does not have it, so that it could not be checked.
    NotRecorded,
    /// A difference: exit code 3.
    Different,
}

/// A verdict that changed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Flip {
    /// The question.
    pub id: String,
    /// Its task; `None` where there is no such question.
    pub task: Option<String>,
    /// `None` where the golden has no verdict.
    pub before: Option<Verdict>,
    /// `None` where there is none now.
    pub after: Option<Verdict>,
    /// Why, where that can be told.
    pub cause: Option<Cause>,
}

/// Why a verdict changed, as the hashes of prompt and output tell.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Cause {
    /// The model was asked something else.
    Prompt,
    /// It was asked the same and said something else.
    Output,
    /// It said the same: how the answer is taken or judged changed.
    Scoring,
}

/// A file of a golden, and the line.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Place {
    /// As it was given.
    pub file: PathBuf,
    /// From 1.
    pub line: usize,
}

impl Place {
    /// The first line of a file with these words in it; the first line where none has them.
    pub(super) fn find(file: PathBuf, words: &str) -> Self {
        let text = std::fs::read_to_string(&file).unwrap_or_default();
        let line = text.lines().position(|line| line.contains(words)).map_or(1, |at| at + 1);
        Self { file, line }
    }

    /// The line of a JSON key in a file of an evaluation's folder.
    pub(super) fn key(golden: &Path, eval: &str, file: &str, key: &str) -> Self {
        Self::find(golden.join(eval).join(file), &format!("{}:", serde_json::Value::from(key)))
    }
}

impl Finding {
    /// About an evaluation.
    pub(super) fn of(eval: &str, kind: Kind, outcome: Outcome, text: impl Into<String>) -> Self {
        Self { eval: Some(eval.to_owned()), ..Self::whole(kind, outcome, text) }
    }

    /// About the whole golden.
    pub(super) fn whole(kind: Kind, outcome: Outcome, text: impl Into<String>) -> Self {
        Self { eval: None, kind, outcome, text: text.into(), details: vec![], flips: vec![], place: None }
    }

    pub(super) fn detail(mut self, line: impl Into<String>) -> Self {
        self.details.push(line.into());
        self
    }

    pub(super) fn at(self, place: Place) -> Self {
        Self { place: Some(place), ..self }
    }

    /// Its line, with the evaluation in front.
    pub fn line(&self) -> String {
        match &self.eval {
            Some(eval) => format!("{}: {}", plain(eval), self.text),
            None => self.text.clone(),
        }
    }

    /// The lines behind the first: details, then flips as far as they are shown.
    pub fn more(&self) -> Vec<String> {
        let mut lines = self.details.clone();
        lines.extend(self.flips.iter().take(SHOWN).map(Flip::in_words));
        if self.flips.len() > SHOWN {
            lines.push(format!("and {} more", self.flips.len() - SHOWN));
        }
        lines
    }
}

impl Flip {
    /// `ID (TASK): BEFORE → AFTER`, and why.
    pub fn in_words(&self) -> String {
        let task = self.task.as_deref().unwrap_or("no such question");
        let cause = match self.cause {
            None => "",
            Some(Cause::Prompt) => ", under another prompt",
            Some(Cause::Output) => ", another output under the same prompt",
            Some(Cause::Scoring) => ", the same output",
        };
        format!("{} ({}): {} → {}{cause}", plain(&self.id), plain(task), word(self.before), word(self.after))
    }
}

/// A verdict for people.
fn word(verdict: Option<Verdict>) -> &'static str {
    verdict.map_or("absent", Verdict::in_words)
}

/// A text of a file on one line: what steers a terminal or a reader of logs is shown, not done.
pub(super) fn plain(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { c.escape_default().to_string() } else { c.to_string() }).collect()
}

/// The beginning of a hash, or that there is none.
pub(super) fn short(hash: Option<&Sha256>) -> &str {
    hash.map_or("absent", Sha256::short)
}

impl Suite {
    /// What was checked, in a line.
    pub fn heading(&self) -> String {
        let golden = self.golden.display();
        match &self.run {
            None => format!("golden {golden}"),
            Some(run) => format!("run {} against golden {golden}", run.display()),
        }
    }

    /// Findings that are differences.
    pub fn differences(&self) -> usize {
        self.findings.iter().filter(|f| f.outcome == Outcome::Different).count()
    }
}

impl CheckReport {
    pub(super) fn new(goldens: usize, suites: Vec<Suite>) -> Self {
        let differences = suites.iter().map(Suite::differences).sum();
        Self { goldens, differences, suites }
    }

    /// For people: a line for each thing that was checked.
    pub fn to_text(&self) -> String {
        self.suites.iter().map(text).collect()
    }

    /// `1 difference`, `3 differences`.
    pub fn count(&self) -> String {
        format!("{} difference{}", self.differences, if self.differences == 1 { "" } else { "s" })
    }
}

/// A suite for people.
pub(super) fn text(suite: &Suite) -> String {
    let mut text = suite.heading() + "\n";
    for finding in &suite.findings {
        let mark = if finding.outcome == Outcome::Different { '✗' } else { ' ' };
        let _ = writeln!(text, "{mark} {}", finding.line());
        for line in finding.more() {
            let _ = writeln!(text, "    {line}");
        }
    }
    text
}
