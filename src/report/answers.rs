//! What was answered to each question of an evaluation: `samples.jsonl`, or where a file was scored the predictions themselves.

use super::judge;
use super::load::{Evaluation, Run};
use super::recorded::samples;
use crate::artifact::{RunFolder, Sample};
use crate::data::Example;
use crate::error::{Error, Result};
use crate::recipe::Rule;
use crate::score::{self, Score, Verdict};
use serde::Serialize;
use std::collections::BTreeSet;
use std::path::Path;

/// What became of a question.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Outcome {
    Correct,
    Wrong,
    NoAnswer,
    Failed,
    /// The predictions do not have it.
    Missing,
    /// It has an answer, and nobody outside knows whether it is the right one.
    Withheld,
}

/// One answer.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub(super) struct Answer {
    /// What became of it.
    pub outcome: Outcome,
    /// What counts as the answer.
    pub answer: String,
    /// Places of the options that the official rule would take the answer for; usually one.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub given: Vec<usize>,
    /// The record, when a model was asked; a scored file has none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub said: Option<Said>,
}

/// What a model said.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(super) struct Said {
    /// As it was generated.
    pub output: String,
    /// SHA-256 of the prompt.
    pub prompt: String,
    /// New tokens.
    pub tokens: u64,
    /// Oddities in words: truncated, cropped, what was wrong with the clip.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub notes: Vec<String>,
    /// Why it failed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
}

/// One for each of the evaluation's predictions, in their order.
///
/// # Errors
/// Exit code 4: `samples.jsonl` cannot be read, has not exactly these questions, or is not what `score.json` counts.
pub(super) fn answers(run: &Run, eval: &Evaluation) -> Result<Vec<Answer>> {
    let folder = RunFolder::new(&run.from).folder(&eval.folder);
    let bad = |what: String| Error::inputs(format!("{}: {what}", folder.root().display()));
    let answers: Vec<Answer> = if eval.record.file.is_some() {
        of_file(eval).map_err(|e| e.within(folder.root().display()))?
    } else {
        let samples = samples(Path::new(&run.from), eval)?;
        // There is one for each of them.
        let one = |row: &Example| samples.get(&row.id).map(|sample| recorded(row, sample));
        eval.predictions.iter().filter_map(one).collect()
    };
    match &eval.score {
        Some(score) => contradiction(&answers, score).map_or(Ok(answers), |what| Err(bad(what))),
        None => Ok(answers),
    }
}

/// Where the counts of `score.json` are not those of the answers.
fn contradiction(answers: &[Answer], score: &Score) -> Option<String> {
    let count = |outcome| answers.iter().filter(|a| a.outcome == outcome).count() as u64;
    let ledger = &score.ledger;
    [
        ("correct", count(Outcome::Correct), score.correct),
        ("wrong", count(Outcome::Wrong), ledger.wrong),
        ("no answer", count(Outcome::NoAnswer), ledger.no_answer),
        ("failed", count(Outcome::Failed), ledger.failed),
        ("missing", count(Outcome::Missing), ledger.missing),
    ]
    .into_iter()
    .find(|(_, found, expected)| found != expected)
    .map(|(what, found, expected)| {
        format!(
            "score.json counts {expected} {what}, its samples {found} (the run was changed by hand; score it again)"
        )
    })
}

fn recorded(row: &Example, sample: &Sample) -> Answer {
    let mut notes = Vec::new();
    notes.extend(sample.truncated.then(|| "stopped for length".to_owned()));
    notes.extend(sample.cropped.then(|| "clip cropped to 30 s".to_owned()));
    notes.extend((!sample.damage.is_empty()).then(|| format!("clip damaged: {}", sample.damage)));
    let said = Said {
        output: sample.output.clone(),
        prompt: sample.prompt_sha256.clone(),
        tokens: sample.tokens,
        notes,
        error: sample.error.clone(),
    };
    let outcome = sample.verdict.map_or(Outcome::Withheld, outcome);
    Answer { outcome, answer: sample.answer.clone(), given: given(row, &sample.answer), said: Some(said) }
}

/// The verdicts of a scored file, taken again from its predictions.
fn of_file(eval: &Evaluation) -> Result<Vec<Answer>> {
    let (_, verdicts) = judge::rescore(&eval.predictions, &eval.record.rule, &BTreeSet::new())?;
    let one = |row: &Example| {
        let answer = row.row.get("model_prediction").and_then(|v| v.as_str()).unwrap_or_default();
        let outcome = verdicts.get(&row.id).copied().map_or(Outcome::Missing, outcome);
        Answer { outcome, answer: answer.to_owned(), given: given(row, answer), said: None }
    };
    Ok(eval.predictions.iter().map(one).collect())
}

fn outcome(verdict: Verdict) -> Outcome {
    match verdict {
        Verdict::Correct => Outcome::Correct,
        Verdict::Wrong => Outcome::Wrong,
        Verdict::NoAnswer => Outcome::NoAnswer,
        Verdict::Failed => Outcome::Failed,
    }
}

/// The options that the answer would be right for.
fn given(row: &Example, answer: &str) -> Vec<usize> {
    let would = |choice: &String| score::judge(Rule::Official, choice, answer, &row.choices) == Verdict::Correct;
    row.choices.iter().enumerate().filter(|(_, choice)| would(choice)).map(|(i, _)| i).collect()
}
