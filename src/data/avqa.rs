//! AVQA in R1-AQA's form: JSON lines with `audio_path` added to AVQA's own fields; or as its authors publish it, of which the questions are kept whose clips
//! are there.

use super::mmau::{keep, without_mark};
use super::prepare::{self, Prepared, WantedClip};
use super::row::describe;
use super::{Clips, Example, Problems, Row, id_of};
use crate::error::{Context, Error, Result};
use serde_json::{Map, Value};
use std::collections::HashMap;
use std::path::{Path, PathBuf};

/// Reads a training file. As in xiaomi-research/r1-aqa at 5d24f31 (src/dataset/dataset.py), every `video` in the question
/// becomes `audio` (as a substring, case-sensitive, not in the options), and the answer is `multi_choice[answer]`.
///
/// Clips are looked for in `audio_dir`, and in the folders in it (see [`Clips`]), by the file name of `audio_path`. Where that file is absent and
/// `<video_name>.wav` is there, the name that AVQA's own extraction gives, that one is taken.
///
/// AVQA's own file, a JSON array, gives the lines that [`prepare::avqa`] makes of it beside these clips; [`kept`] says what that left out.
///
/// # Errors
/// The file or the folder cannot be read (exit code 4); lines that are not such rows, or whose clip lies in two folders: every problem as
/// `file: line N: key: …` (exit code 2). As [`kept`].
pub fn load(file: &Path, audio_dir: &Path) -> Result<Vec<Example>> {
    load_and_kept(file, audio_dir).map(|(examples, _)| examples)
}

/// [`load`] and [`kept`] in one reading.
///
/// # Errors
/// As [`load`].
pub fn load_and_kept(file: &Path, audio_dir: &Path) -> Result<(Vec<Example>, Option<Prepared>)> {
    let name = file.display().to_string();
    let bytes = std::fs::read(file).inputs(|| format!("cannot read {name}"))?;
    let clips = Clips::of(audio_dir)?;
    if prepare::is_lines(&bytes) {
        return Ok((from_slice(&bytes, &name, &clips)?, None));
    }
    let prepared = prepare::avqa(&bytes, &name, &clips)?;
    Ok((from_slice(prepared.lines.as_bytes(), &name, &clips)?, Some(prepared)))
}

/// What AVQA's own file keeps beside these clips; `None` for R1-AQA's lines, of which nothing is left out.
///
/// # Errors
/// The file or the folder cannot be read (exit code 4). As [`prepare::avqa`].
pub fn kept(file: &Path, audio_dir: &Path) -> Result<Option<Prepared>> {
    let name = file.display().to_string();
    let bytes = std::fs::read(file).inputs(|| format!("cannot read {name}"))?;
    match prepare::is_lines(&bytes) {
        true => Ok(None),
        false => prepare::avqa(&bytes, &name, &Clips::of(audio_dir)?).map(Some),
    }
}

/// Reads the content of a training file; `name` names it in messages. See [`load`].
///
/// # Errors
/// As [`load`].
pub fn from_slice(bytes: &[u8], name: &str, clips: &Clips) -> Result<Vec<Example>> {
    let text = std::str::from_utf8(without_mark(bytes)).request(|| format!("{name}: expected UTF-8"))?;
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
            Ok(Value::Object(row)) => example(row, &place, &mut seen, clips),
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
    clips: &Clips,
) -> Result<Example, Vec<String>> {
    let row = Row(&object);
    let mut problems = Vec::new();
    let id = keep(&mut problems, id_of(&row, place, seen));
    let audio = keep(&mut problems, audio(&row, clips));
    let question = keep(&mut problems, row.text("question_text"));
    let choices = keep(&mut problems, row.texts("multi_choice", 2));
    let answer = keep(&mut problems, answer(&object, &choices));
    if !problems.is_empty() {
        return Err(problems);
    }
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

/// Where the clip of a line is, or should be.
fn audio(row: &Row, clips: &Clips) -> Result<PathBuf, String> {
    let wanted = WantedClip::of_line(row).map_err(|(_, what)| what)?;
    let found = clips.find(&wanted.names, wanted.near).map_err(|e| format!("audio_path: {e}"))?;
    Ok(found.unwrap_or_else(|| clips.place(&wanted.names[0])))
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
