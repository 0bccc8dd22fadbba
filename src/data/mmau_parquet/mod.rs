//! MMAU as its authors put it on the hub (gamma-lab-umd/MMAU-test-mini): one Parquet file with the clips in it.
//!
//! A row is `context` (a struct with the clip's `bytes`), `instruction`, `choices` and `answer` with `(A) ` in front, and `other_attributes`, a
//! JSON text with the rest (`id`, `dataset`, `task`, `split`, `category`, `sub-category`, `difficulty`). Rows come out as they are in MMAU's JSON
//! file, so that whatever reads those reads these: the letters are taken off, since the official rule counts words and `A` is one.

mod columns;
mod letters;

use super::mmau::{self, Place};
use super::row::describe;
use super::{Example, Problems, Row, id_of};
use crate::error::{Error, Result};
use crate::progress::say;
use columns::{CLIPS, Columns};
use serde_json::{Map, Value};
use std::collections::HashMap;
use std::path::Path;

/// Keys of a row that have a column, or follow from the id: `other_attributes` may not have them too.
const ELSEWHERE: [&str; 4] = ["audio_id", "question", "choices", "answer"];

/// Reads the questions. Their clips are looked for in `clips` by [`clip_name`]; whether they are there is not checked here. A blank answer is
/// withheld (MMAU test).
///
/// # Errors
/// As [`rows`], and as [`mmau::load`] for what a row holds.
pub fn load(file: &Path, clips: &Path) -> Result<Vec<Example>> {
    mmau::of_rows(rows(file)?, &file.display().to_string(), clips)
}

/// The rows of a file, as they are in MMAU's JSON. The clips are not read.
///
/// # Errors
/// Exit code 2: it is no Parquet file, has other columns, no rows, or rows that are no questions: every problem by column, or by row and column. Exit
/// code 4: it cannot be read, or is cut or damaged.
pub fn rows(file: &Path) -> Result<Vec<Map<String, Value>>> {
    let columns = Columns::open(file)?;
    if let Some(others) = columns.others() {
        say(format_args!("{}: {others}", columns.name));
    }
    let questions = columns.texts("instruction")?;
    let choices = columns.lists("choices")?;
    let answers = columns.texts("answer")?;
    let attributes = columns.texts("other_attributes")?;
    if questions.is_empty() {
        return Err(Error::request(format!("{}: expected questions, found a file without rows", columns.name)));
    }
    let mut problems = Problems::of(&columns.name);
    let mut seen = HashMap::new();
    let mut rows = Vec::with_capacity(questions.len());
    let cells = questions.into_iter().zip(choices).zip(answers).zip(attributes);
    for (index, (((question, choices), answer), attributes)) in cells.enumerate() {
        let attributes = match object(attributes.as_deref()) {
            Ok(attributes) => attributes,
            Err(what) => {
                problems.add(format!("row {index}"), what);
                continue;
            }
        };
        let place = Place(index, &attributes).to_string();
        match row(question, choices, answer, attributes) {
            Ok(row) => match id_of(&Row(&row), &place, &mut seen) {
                Ok(_) => rows.push(row),
                Err(what) => problems.add(&place, what),
            },
            Err(all) => all.iter().for_each(|what| problems.add(&place, what)),
        }
    }
    problems.or(rows)
}

/// Gives every clip as `take(name, bytes)`, in the order of the rows; one at a time is in memory, where the file has it on a page of its own.
///
/// # Errors
/// As [`rows`]; a row without a clip (exit code 2); what `take` says.
pub fn clips(file: &Path, take: &mut dyn FnMut(&str, &[u8]) -> Result<()>) -> Result<()> {
    let rows = rows(file)?;
    let columns = Columns::open(file)?;
    let mut at = 0;
    columns.each(CLIPS, &mut |_, values| {
        // That there are as many of them as rows, the columns know.
        let Some(row) = rows.get(at) else { return Ok(()) };
        let problem = match values.first().map(|clip| clip.data()) {
            Some([]) => "found 0 bytes",
            None => "found null",
            Some(clip) => {
                at += 1;
                let id = row.get("id").and_then(Value::as_str).unwrap_or_default();
                return take(&clip_name(id), clip);
            }
        };
        let way_out = "clips that are not in the file: use `format: mmau` with `audio`";
        let place = Place(at, row);
        Err(Error::request(format!("{}: {place}: {CLIPS}: expected the clip, {problem} ({way_out})", columns.name)))
    })
}

/// Bytes of the column of clips once it is unpacked.
///
/// # Errors
/// As [`rows`] for what the file's own description holds.
pub fn bytes_of_clips(file: &Path) -> Result<u64> {
    Columns::open(file)?.bytes(CLIPS)
}

/// The file of a question's clip: MMAU's own name. All of them end in `.wav`, also those that hold MP3 (46 of 1000): clips are decoded by what is in
/// them, and so the name is known from the id alone.
pub fn clip_name(id: &str) -> String {
    format!("{id}.wav")
}

fn object(text: Option<&str>) -> Result<Map<String, Value>, String> {
    let expected = "other_attributes: expected a JSON object, found";
    let text = text.ok_or_else(|| format!("{expected} null"))?;
    match serde_json::from_str(text) {
        Ok(Value::Object(object)) => Ok(object),
        Ok(other) => Err(format!("{expected} {}", describe(&other))),
        Err(e) => Err(format!("{expected} no JSON: {e}")),
    }
}

/// The row as MMAU's JSON has it, keys in the order that most of its rows have.
fn row(
    question: Option<String>,
    choices: Vec<Option<String>>,
    answer: Option<String>,
    attributes: Map<String, Value>,
) -> Result<Map<String, Value>, Vec<String>> {
    let mut problems = Vec::new();
    let question = question.ok_or_else(|| "instruction: expected a text, found null".to_owned());
    let question = mmau::keep(&mut problems, question);
    let choices = letters::choices(&choices).and_then(|choices| {
        let answer = letters::answer(answer.as_deref().unwrap_or_default(), &choices)?;
        Ok((choices, answer))
    });
    let (choices, answer) = mmau::keep(&mut problems, choices);
    if let Some(key) = ELSEWHERE.iter().find(|key| attributes.contains_key(**key)) {
        problems.push(format!("other_attributes: expected no key {key}, which has a place of its own, found one"));
    }
    let text = |key| Row(&attributes).text(key).map_err(|what| format!("other_attributes: {what}"));
    let id = mmau::keep(&mut problems, text("id").and_then(plain));
    let split = mmau::keep(&mut problems, text("split"));
    if !problems.is_empty() {
        return Err(problems);
    }
    let mut out = Map::new();
    out.insert("id".into(), id.into());
    out.insert("audio_id".into(), format!("./{split}-audios/{}", clip_name(id)).into());
    out.insert("question".into(), question.into());
    out.insert("choices".into(), choices.into());
    out.insert("answer".into(), answer.into());
    // The id is there already, and keeps its place.
    out.extend(attributes);
    Ok(out)
}

/// An id that a file can be named by, on any machine.
fn plain(id: &str) -> Result<&str, String> {
    let fits = id.len() <= 200 && !id.starts_with('.');
    if fits && id.bytes().all(|b| b.is_ascii_alphanumeric() || b"-_.".contains(&b)) {
        return Ok(id);
    }
    Err(format!(
        "other_attributes: id: expected letters, digits, `-`, `_` and `.`, since it names a file, found {id:?}"
    ))
}
