//! Scoring a predictions file: MMAU's JSON with a prediction in each row.

use super::{Judged, Score, Verdict, judge, ordinary, score_rows};
use crate::data::mmau::{self, PREDICTIONS as KEYS, Place};
use crate::data::{Example, Problems, Row, id_of};
use crate::error::{Context, Error, Result};
use crate::progress::say;
use crate::recipe::Rule;
use serde_json::{Map, Value};
use std::collections::HashMap;
use std::path::Path;

/// The other keys that are looked at, the last with a data set alone.
const NEEDED: [&str; 7] = ["id", "choices", "answer", "task", "difficulty", "sub-category", "question"];

/// The way out where rows do not carry their questions.
pub(super) const GIVE: &str = " (give the questions with --dataset FILE)";

/// What a row's verdict depends on, and what it is counted under.
#[derive(Debug, Default)]
pub(super) struct Facts {
    pub choices: Vec<String>,
    pub answer: String,
    pub task: String,
    pub difficulty: String,
    pub sub_category: String,
}

/// Scores a predictions file by a rule. Rows without a prediction, and questions of the data set without a row, are missing.
/// With a data set, options, answers and labels are the data set's; a row may leave them out, but its question and options must
/// be the same where it has them.
///
/// # Errors
/// A file that cannot be read (exit code 4). Rows that cannot be judged, every problem by row (exit code 2): no id, or one that is
/// there twice or that the data set does not have; a prediction that is no text, or two that differ; no options or no answer; a
/// question or options other than the data set's. A file without any prediction (exit code 2).
pub fn score_file(predictions: &Path, rule: Rule, dataset: Option<&Path>) -> Result<Score> {
    let name = predictions.display().to_string();
    let bytes = std::fs::read(predictions).inputs(|| format!("cannot read {name}"))?;
    let examples = dataset.map(|file| Ok((file, mmau::load(file, Path::new(""))?))).transpose()?;
    match &examples {
        Some((file, examples)) => score_slice(&bytes, &name, rule, Some((&file.display().to_string(), examples))),
        None => match ordinary::score(&bytes, rule) {
            Some(score) => Ok(score),
            None => score_slice(&bytes, &name, rule, None),
        },
    }
}

/// [`score_file`] on the content of a file; `dataset` is the name and the questions of a data set.
pub(super) fn score_slice(bytes: &[u8], name: &str, rule: Rule, dataset: Option<(&str, &[Example])>) -> Result<Score> {
    let known: Option<HashMap<&str, &Example>> =
        dataset.map(|(_, examples)| examples.iter().map(|e| (e.id.as_str(), e)).collect());
    let rows = answered(bytes, name)?;
    let mut problems = Problems::of(name);
    let (mut seen, mut other_version, mut answers) = (HashMap::new(), false, 0);
    let mut judged = Vec::with_capacity(rows.len());
    for (index, object) in rows.iter().enumerate() {
        let place = Place(index, object);
        let row = Row(object);
        let example = id_of(&row, &place, &mut seen).and_then(|id| match (&known, dataset) {
            (Some(known), Some((file, _))) => {
                let known = known.get(id.as_str()).copied();
                other_version |= known.is_none_or(|example| differing(object, &example.row).is_some());
                answers += u64::from(known.is_some_and(|example| another_answer(object, example)));
                known.map(Some).ok_or(format!("id: {id:?} is no question of {file}"))
            }
            _ => Ok(None),
        });
        let read = example.and_then(|example| {
            let Some(prediction) = prediction(&row)? else { return Ok(None) };
            Ok(Some((facts(&row, example)?, prediction)))
        });
        match read {
            Ok(Some((facts, prediction))) => {
                let verdict = judge(rule, &facts.answer, prediction, &facts.choices);
                judged.push((facts, verdict));
            }
            Ok(None) => {}
            Err(what) => problems.add(place, what),
        }
    }
    let judged = problems.or(judged).map_err(|e| match dataset {
        Some((file, _)) if other_version => {
            Error::new(e.kind(), format!("{e}\n{name}: {}", another_version(name, file)))
        }
        _ => e,
    })?;
    if judged.is_empty() {
        return Err(none(name, rows.len()));
    }
    if let Some((file, _)) = dataset {
        tell(name, answers, file);
    }
    let asked = dataset.map_or(rows.len(), |(_, examples)| examples.len());
    let missing = (asked - judged.len()) as u64;
    let rows = judged.iter().map(|(facts, verdict)| facts.judged(*verdict));
    Ok(score_rows(rule, rows, missing))
}

/// The predictions of a file by question id, each held against the questions that it should answer (`dataset` names them). Rows without one
/// are left out.
///
/// # Errors
/// As [`score_file`] with a data set, each problem by row (exit code 2).
pub fn predictions(bytes: &[u8], name: &str, dataset: &str, examples: &[Example]) -> Result<HashMap<String, String>> {
    let known: HashMap<&str, &Example> = examples.iter().map(|e| (e.id.as_str(), e)).collect();
    let rows = answered(bytes, name)?;
    let mut problems = Problems::of(name);
    let (mut seen, mut found, mut answers) = (HashMap::new(), HashMap::new(), 0);
    for (index, object) in rows.iter().enumerate() {
        let (place, row) = (Place(index, object), Row(object));
        let read = id_of(&row, &place, &mut seen).and_then(|id| {
            let example = known.get(id.as_str()).ok_or(format!("id: {id:?} is no question of data set {dataset}"))?;
            answers += u64::from(another_answer(object, example));
            same(object, &example.row).map_err(|e| {
                format!("{e} (predictions made on another version of the data set? `aqa-bench identify FILE` tells)")
            })?;
            Ok(prediction(&row)?.map(|text| (id, text.to_owned())))
        });
        match read {
            Ok(read) => found.extend(read),
            Err(what) => problems.add(place, what),
        }
    }
    let found = problems.or(found)?;
    if found.is_empty() {
        return Err(none(name, rows.len()));
    }
    tell(name, answers, dataset);
    Ok(found)
}

/// Whether a row brings a right answer of its own, and it is not the data set's.
fn another_answer(row: &Map<String, Value>, example: &Example) -> bool {
    row.get("answer")
        .and_then(Value::as_str)
        .is_some_and(|own| Some(own) != example.answer.as_deref() && !own.is_empty())
}

/// Says that answers were taken from the data set though the file has others: versions of a data set may differ in nothing else.
fn tell(name: &str, answers: u64, dataset: &str) {
    if answers > 0 {
        let rows = if answers == 1 { "1 row has".to_owned() } else { format!("{answers} rows have") };
        say(format_args!("{name}: {rows} another right answer than {dataset}, whose answers are used"));
    }
}

/// The rows of a predictions file with what a verdict depends on.
///
/// # Errors
/// Exit code 2: it is no JSON array of objects.
pub(super) fn answered(bytes: &[u8], name: &str) -> Result<Vec<Map<String, Value>>> {
    mmau::rows_with(&[&KEYS[..], &NEEDED].concat(), bytes, name)
}

/// A file that holds no prediction at all.
pub(super) fn none(name: &str, rows: usize) -> Error {
    Error::request(format!(
        "{name}: expected predictions under {} or {}, found none in {rows} rows (is this the questions file?)",
        KEYS[0], KEYS[1],
    ))
}

/// What may be behind ids and questions that are not the data set's.
fn another_version(name: &str, file: &str) -> String {
    format!(
        "predictions made on another version of the data set? `aqa-bench identify {name}` tells; `aqa-bench score {name} --rule all --dataset {file}` scores the questions that both have"
    )
}

/// The prediction of a row, if it has one.
pub(super) fn prediction<'a>(row: &Row<'a>) -> Result<Option<&'a str>, String> {
    let mut found: Option<(&str, &str)> = None;
    for key in KEYS {
        let Some(value) = row.0.get(key) else { continue };
        let Value::String(text) = value else {
            let way_out = if value.is_null() { " (leave the key out where there is no prediction)" } else { "" };
            return Err(format!("{key}: expected a text, found {}{way_out}", crate::data::describe(value)));
        };
        match found {
            Some((other, first)) if first != text => {
                return Err(format!("expected one prediction, found {other} {first:?} and {key} {text:?} (keep one)"));
            }
            _ => found = Some((key, text)),
        }
    }
    Ok(found.map(|(_, text)| text))
}

/// What the verdict depends on, from the data set's question where there is one, else from the row.
fn facts(row: &Row, example: Option<&Example>) -> Result<Facts, String> {
    let Some(example) = example else {
        return Facts::own(row).map_err(|what| what + GIVE);
    };
    same(row.0, &example.row)?;
    Facts::of(example)
}

impl Facts {
    /// Those of a data set's question.
    pub(super) fn of(example: &Example) -> Result<Self, String> {
        Ok(Self {
            choices: example.choices.clone(),
            answer: example.answer.clone().ok_or("answer: expected one in the data set, found it withheld")?,
            task: example.task.clone(),
            difficulty: example.difficulty.clone(),
            sub_category: example.sub_category.clone(),
        })
    }

    /// Those that a row of predictions carries.
    pub(super) fn own(row: &Row) -> Result<Self, String> {
        Ok(Self {
            choices: row.texts("choices", 1)?,
            answer: row.text("answer")?.to_owned(),
            task: row.text("task")?.to_owned(),
            difficulty: row.text("difficulty")?.to_owned(),
            sub_category: row.optional_text("sub-category")?.unwrap_or_default().to_owned(),
        })
    }

    /// The question with its verdict.
    pub(super) fn judged(&self, verdict: Verdict) -> Judged<'_> {
        let Self { task, difficulty, sub_category, .. } = self;
        Judged { task, difficulty, sub_category, verdict }
    }
}

/// A row that says it asked something else was made on another version of the data set.
fn same(row: &Map<String, Value>, example: &Map<String, Value>) -> Result<(), String> {
    match differing(row, example) {
        None => Ok(()),
        Some((key, found, expected)) => Err(format!("{key}: expected the data set's {expected}, found {found}")),
    }
}

/// The first of question and options that a row has otherwise than the data set: the key, what was found and what was expected.
fn differing<'a>(
    row: &'a Map<String, Value>,
    example: &'a Map<String, Value>,
) -> Option<(&'static str, &'a Value, &'a Value)> {
    ["question", "choices"].into_iter().find_map(|key| {
        let (found, expected) = (row.get(key)?, example.get(key)?);
        (found != expected).then_some((key, found, expected))
    })
}
