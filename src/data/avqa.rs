//! AVQA in R1-AQA's form: JSON lines with `audio_path` added to AVQA's own fields; or as its authors publish it, of which the questions are kept whose clips
//! are there.

use super::mmau::{file_name, keep};
use super::prepare::{self, Prepared};
use super::row::describe;
use super::{Example, Problems, Row, id_of};
use crate::error::{Context, Error, Result};
use serde_json::{Map, Value};
use std::collections::HashMap;
use std::path::Path;

/// Reads a training file. As in xiaomi-research/r1-aqa at 5d24f31 (src/dataset/dataset.py), every `video` in the question
/// becomes `audio` (as a substring, case-sensitive, not in the options), and the answer is `multi_choice[answer]`.
///
/// Clips are looked for in `audio_dir` by the file name of `audio_path`. Where that file is absent and `<video_name>.wav` is
/// there, the name that AVQA's own extraction gives, that one is taken.
///
/// AVQA's own file, a JSON array, gives the lines that [`prepare::avqa`] makes of it beside these clips; [`kept`] says what that left out.
///
/// # Errors
/// The file cannot be read (exit code 4); lines that are not such rows: every problem as `file: line N: key: …` (exit code 2). As [`kept`].
pub fn load(file: &Path, audio_dir: &Path) -> Result<Vec<Example>> {
    let name = file.display().to_string();
    let bytes = std::fs::read(file).inputs(|| format!("cannot read {name}"))?;
    match prepared(&bytes, &name, audio_dir)? {
        Some(prepared) => from_slice(prepared.lines.as_bytes(), &name, audio_dir),
        None => from_slice(&bytes, &name, audio_dir),
    }
}

/// What AVQA's own file keeps beside these clips; `None` for R1-AQA's lines, of which nothing is left out.
///
/// # Errors
/// The file or the folder cannot be read (exit code 4). As [`prepare::avqa`].
pub fn kept(file: &Path, audio_dir: &Path) -> Result<Option<Prepared>> {
    let name = file.display().to_string();
    prepared(&std::fs::read(file).inputs(|| format!("cannot read {name}"))?, &name, audio_dir)
}

fn prepared(bytes: &[u8], name: &str, audio_dir: &Path) -> Result<Option<Prepared>> {
    let array = bytes.iter().find(|b| !b.is_ascii_whitespace()) == Some(&b'[');
    if !array {
        return Ok(None);
    }
    prepare::avqa(bytes, name, &prepare::clips(audio_dir)?).map(Some)
}

/// Reads the content of a training file; `name` names it in messages. See [`load`].
///
/// # Errors
/// As [`load`].
pub fn from_slice(bytes: &[u8], name: &str, audio_dir: &Path) -> Result<Vec<Example>> {
    let text = std::str::from_utf8(bytes).request(|| format!("{name}: expected UTF-8"))?;
    if text.trim_start().starts_with('[') {
        let way_out = "is this AVQA's own file? `aqa-bench prepare avqa` makes the lines of it";
        return Err(Error::request(format!(
            "{name}: expected JSON lines of questions, found a JSON array ({way_out})"
        )));
    }
    let mut problems = Problems::of(name);
    let mut seen = HashMap::new();
    let mut examples = Vec::new();
    for (index, line) in text.split('\n').enumerate() {
        if line.trim().is_empty() {
            continue;
        }
        let place = format!("line {}", index + 1);
        let found = match serde_json::from_str(line) {
            Ok(Value::Object(row)) => example(row, &place, &mut seen, audio_dir),
            Ok(other) => Err(vec![format!("expected a JSON object, found {}", describe(&other))]),
            Err(e) => Err(vec![format!("expected a JSON object, found no JSON: {e}")]),
        };
        match found {
            Ok(example) => examples.push(example),
            Err(all) => all.iter().for_each(|what| problems.add(&place, what)),
        }
    }
    if examples.is_empty() && problems.is_empty() {
        return Err(Error::request(format!("{name}: expected JSON lines of questions, found none")));
    }
    problems.or(examples)
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
    let audio = keep(&mut problems, file_name(&row, "audio_path"));
    let video = keep(&mut problems, row.optional_text("video_name"));
    let question = keep(&mut problems, row.text("question_text"));
    let choices = keep(&mut problems, row.texts("multi_choice", 2));
    let answer = keep(&mut problems, answer(&object, &choices));
    if !problems.is_empty() {
        return Err(problems);
    }
    let named = audio_dir.join(audio);
    let other = video.filter(|v| !v.contains('/')).map(|v| audio_dir.join(format!("{v}.wav")));
    let audio = match other {
        Some(other) if !named.is_file() && other.is_file() => other,
        _ => named,
    };
    Ok(Example {
        id,
        audio,
        question: question.replace("video", "audio"),
        choices,
        answer: Some(answer),
        task: String::new(),
        difficulty: String::new(),
        sub_category: String::new(),
        row: object,
    })
}

/// The option that `answer`, an index from 0, points at.
pub(super) fn answer(row: &Map<String, Value>, choices: &[String]) -> Result<String, String> {
    let expected = "answer: expected an index into multi_choice, found";
    let index = match row.get("answer") {
        Some(value) => value.as_u64().ok_or_else(|| format!("{expected} {}", describe(value)))?,
        None => return Err(format!("{expected} none")),
    };
    // A list that was refused is empty here, and has its own message.
    if choices.is_empty() {
        return Ok(String::new());
    }
    let found = usize::try_from(index).ok().and_then(|i| choices.get(i));
    found.cloned().ok_or_else(|| format!("{expected} {index} for {} options", choices.len()))
}
