//! MMAU's question files (Sakshi113/MMAU, mmau-test-mini.json and mmau-test.json), as they are in the wild.

use super::{Example, Problems, Row, id_of};
use crate::error::{Context, Result};
use serde_json::{Map, Value};
use std::collections::HashMap;
use std::fmt;
use std::path::Path;

pub(crate) use super::rows::{rows, rows_with, without_mark};

/// Keys of a prediction: MMAU's script reads the first, R1-AQA writes the second.
pub(crate) const PREDICTIONS: [&str; 2] = ["model_output", "model_prediction"];

/// Reads a question file. Clips are looked for in `audio_dir` by the file name of `audio_id`; whether they are there is not
/// checked here. `category` may be a text or a list of one; there are two options or more, the same one may stand twice; an
/// absent or empty `answer` is withheld; one that is no option is accepted (see [`super::notes`]).
///
/// # Errors
/// The file cannot be read (exit code 4). It is not a JSON array of such rows: every problem by row and key, up to 20 (exit
/// code 2).
pub fn load(file: &Path, audio_dir: &Path) -> Result<Vec<Example>> {
    let bytes = std::fs::read(file).inputs(|| format!("cannot read {}", file.display()))?;
    from_slice(&bytes, &file.display().to_string(), audio_dir)
}

/// Reads the content of a question file; `name` names it in messages. See [`load`].
///
/// # Errors
/// As [`load`].
pub fn from_slice(bytes: &[u8], name: &str, audio_dir: &Path) -> Result<Vec<Example>> {
    of_rows(rows(bytes, name)?, name, audio_dir)
}

/// Questions from the rows of a file.
pub(super) fn of_rows(rows: Vec<Map<String, Value>>, name: &str, audio_dir: &Path) -> Result<Vec<Example>> {
    let mut problems = Problems::of(name);
    let mut seen = HashMap::new();
    let mut examples = Vec::with_capacity(rows.len());
    for (index, row) in rows.into_iter().enumerate() {
        let place = Place(index, &row).to_string();
        match example(row, &place, &mut seen, audio_dir) {
            Ok(example) => examples.push(example),
            Err(all) => all.iter().for_each(|what| problems.add(&place, what)),
        }
    }
    problems.or(examples)
}

/// How messages name a row: its index from 0, and its id where there is one.
#[derive(Clone, Copy)]
pub(crate) struct Place<'a>(pub(crate) usize, pub(crate) &'a Map<String, Value>);

impl fmt::Display for Place<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.1.get("id") {
            Some(Value::String(id)) => write!(f, "row {} ({id})", self.0),
            _ => write!(f, "row {}", self.0),
        }
    }
}

fn example(
    object: Map<String, Value>,
    place: &String,
    seen: &mut HashMap<String, String>,
    audio_dir: &Path,
) -> Result<Example, Vec<String>> {
    let row = Row(&object);
    let mut problems = Vec::new();
    let id = keep(&mut problems, id_of(&row, place, seen));
    let audio = keep(&mut problems, file_name(&row, "audio_id"));
    let question = keep(&mut problems, row.text("question"));
    let choices = keep(&mut problems, row.texts("choices", 2));
    let answer = keep(&mut problems, row.optional_text("answer"));
    let task = keep(&mut problems, row.text("task"));
    let difficulty = keep(&mut problems, row.text("difficulty"));
    let sub_category = keep(&mut problems, row.optional_text("sub-category"));
    keep(&mut problems, row.text_or_single("category"));
    if !problems.is_empty() {
        return Err(problems);
    }
    Ok(Example {
        id,
        audio: audio_dir.join(audio),
        question: question.to_owned(),
        choices,
        answer: answer.filter(|a| !a.is_empty()).map(str::to_owned),
        task: task.to_owned(),
        difficulty: difficulty.to_owned(),
        sub_category: sub_category.unwrap_or_default().to_owned(),
        row: object,
    })
}

/// The value, or its default with the problem noted.
pub(super) fn keep<T: Default>(problems: &mut Vec<String>, result: Result<T, String>) -> T {
    result.unwrap_or_else(|problem| {
        problems.push(problem);
        T::default()
    })
}

/// The last component of a path with `/`, which must name a file.
pub(super) fn file_name<'a>(row: &Row<'a>, key: &str) -> Result<&'a str, String> {
    let path = row.text(key)?;
    match path.rsplit('/').next() {
        Some(name) if !matches!(name, "" | "." | "..") => Ok(name),
        _ => Err(format!("{key}: expected the path of a clip, found {path:?}")),
    }
}
