//! Predictions that are scored elsewhere (MMAU test): whether their file is whole.

use crate::data::mmau::{self, PREDICTIONS, Place};
use crate::data::{Example, Problems, Row, describe, id_of, versions};
use crate::error::{Context, Error, Result};
use crate::pins::{Revision, Sha256};
use serde::Serialize;
use serde_json::{Map, Value};
use std::collections::HashMap;
use std::path::Path;

/// Questions of MMAU's large test.
const QUESTIONS: usize = 9000;

/// The key that MMAU's README asks for.
const KEY: &str = "model_prediction";

/// Where MMAU's large test is scored.
const SITE: &str = "the Hugging Face Space sonalkum/MMAU-Eval";

/// A file that can be handed in.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Submission {
    /// The file.
    pub file: String,
    /// Its SHA-256.
    pub sha256: Sha256,
    /// The version of the questions, where it is a known one.
    pub questions: Option<String>,
    /// Predictions: one a question.
    pub predictions: usize,
    /// Of these, empty: they count as wrong there.
    pub empty: usize,
}

impl Submission {
    /// In a line.
    pub fn in_words(&self) -> String {
        let Self { file, sha256, questions, predictions, empty } = self;
        let which = questions.as_deref().unwrap_or("questions of no version that is known here");
        let empty = if *empty == 0 { String::new() } else { format!(", {empty} of them empty") };
        format!(
            "{file}: whole: {predictions} predictions{empty}, on {which}; to be handed in at {SITE}; sha256 {sha256}"
        )
    }
}

/// Holds a predictions file against MMAU's large test, as [`complete`] does.
///
/// # Errors
/// Exit code 4: a file cannot be read, or the predictions are not whole; every problem by row. Exit code 2: one is no list of MMAU rows, or
/// the questions are not those of the large test.
pub fn check(file: &Path, dataset: &Path) -> Result<Submission> {
    let bytes = std::fs::read(dataset).inputs(|| format!("cannot read {}", dataset.display()))?;
    let questions = mmau::from_slice(&bytes, &dataset.display().to_string(), Path::new(""))?;
    let answered = questions.iter().filter(|question| question.answer.is_some()).count();
    if questions.len() != QUESTIONS || answered > 0 {
        return Err(Error::request(format!(
            "{}: expected the questions of MMAU's large test ({QUESTIONS}, answers withheld), found {} questions, {answered} with an \
             answer (give mmau-test.json; `aqa-bench score` scores predictions whose answers are known)",
            dataset.display(),
            questions.len(),
        )));
    }
    let rows = complete(file, &questions)?;
    let blob = Revision::of_blob(&bytes);
    let known = versions::shipped()?.test.iter().find(|version| version.git_blob == blob);
    let is_empty =
        |row: &&Map<String, Value>| row.get(KEY).and_then(Value::as_str).is_some_and(|t| t.trim().is_empty());
    Ok(Submission {
        file: file.display().to_string(),
        sha256: Sha256::of_file(file)?,
        questions: known.map(|version| version.name.clone()),
        predictions: rows.len(),
        empty: rows.iter().filter(is_empty).count(),
    })
}

/// Holds a predictions file against the questions that it answers: every question once, in their order, as it was asked, with a text under
/// `model_prediction` (an empty one where there is no answer). Gives its rows.
///
/// # Errors
/// Exit code 4: it cannot be read, or is not whole; every problem by row, up to 20. Exit code 2: it is no list of objects.
pub fn complete(file: &Path, questions: &[Example]) -> Result<Vec<Map<String, Value>>> {
    let name = file.display().to_string();
    let bytes = std::fs::read(file).inputs(|| format!("cannot read {name}"))?;
    let rows = mmau::rows(&bytes, &name)?;
    let known: HashMap<&str, &Example> = questions.iter().map(|question| (question.id.as_str(), question)).collect();
    let (mut problems, mut seen) = (Problems::of(&name), HashMap::new());
    for (index, row) in rows.iter().enumerate() {
        let place = Place(index, row);
        let found = id_of(&Row(row), &place, &mut seen);
        let question =
            found.and_then(|id| known.get(id.as_str()).ok_or(format!("id: {id:?} is none of the questions")));
        match question.and_then(|question| answered(row, question)) {
            Ok(()) => {}
            Err(what) => problems.add(place, what),
        }
    }
    if let Some(first) = questions.iter().find(|question| !seen.contains_key(&question.id)) {
        let missing = questions.iter().filter(|question| !seen.contains_key(&question.id)).count();
        let expected = format!("expected {} predictions, one a question, found {}", questions.len(), rows.len());
        problems.add("rows", format!("{expected}: {missing} questions have none, first {}", first.id));
    } else if let Some((place, (row, question))) =
        rows.iter().zip(questions).enumerate().find(|(_, (row, question))| row.get("id") != question.row.get("id"))
    {
        let found = row.get("id").map_or("none".to_owned(), |id| id.as_str().map_or(id.to_string(), str::to_owned));
        let order = "the questions' order is to be kept";
        problems.add(format!("row {place}"), format!("expected question {}, found {found} ({order})", question.id));
    }
    problems.or(rows).map_err(|e| Error::inputs(e.to_string()))
}

/// Whether a row asks what the question asks, and has a prediction.
fn answered(row: &Map<String, Value>, question: &Example) -> Result<(), String> {
    if let Some((key, value)) = question.row.iter().find(|(key, value)| row.get(*key) != Some(value)) {
        let found = row.get(key).map_or("nothing".to_owned(), ToString::to_string);
        let hint = "predictions made on another version of the questions?";
        return Err(format!("{key}: expected {value}, found {found} ({hint})"));
    }
    match (row.get(KEY), PREDICTIONS.iter().find(|key| **key != KEY && row.contains_key(**key))) {
        (Some(Value::String(_)), None) => Ok(()),
        (None, Some(other)) => Err(format!("expected a text under {KEY}, found {other} (rename it)")),
        (Some(_), Some(other)) => Err(format!("expected a text under {KEY} alone, found {other} too (keep one)")),
        (None, None) => Err(format!("expected a text under {KEY}, found none")),
        (Some(value), None) => Err(format!("expected a text under {KEY}, found {}", describe(value))),
    }
}
