//! AVQA as gijs/avqa-processed has it on the hub: Arrow files of the `datasets` library with the clips in them, made into R1-AQA's lines and clips.
//!
//! The data set says nothing of its columns; two public programs that read it do (NVIDIA-NeMo/RL, nemo_rl/data/datasets, and wenet-e2e/west): a row is
//! `file_name`, `question` with `\nChoices:\nA. …\nB. …` behind it, `answer` with its letter, and `audio` with the file's `bytes`. That is checked here,
//! column by column and row by row; rows that are otherwise are dropped and counted.

mod columns;

use super::prepare::{Dropped, stem};
use crate::error::{Context, Error, Result};
use crate::pins::Sha256;
use crate::progress::{Progress, say};
use crate::text;
use columns::Cells;
use serde::Serialize;
use serde_json::json;
use std::collections::{BTreeSet, HashMap};
use std::fmt::Write;
use std::path::{Path, PathBuf};

/// Training lines, and what became of every row: the JSON that `prepare avqa-arrow --format json` prints.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Taken {
    /// The lines, each with its line feed.
    #[serde(skip)]
    pub lines: String,
    /// Rows of the files: kept and dropped together.
    pub rows: u64,
    /// Questions in the lines.
    pub kept: u64,
    /// Clips that they are about.
    pub clips: u64,
    /// Rows that are no question with a clip, by the column that is wrong: each by row, with what is wrong.
    pub dropped: Dropped,
    /// SHA-256 of the kept ids in order, a line feed after each.
    pub kept_ids: Sha256,
    /// SHA-256 of the lines, what a recipe pins.
    pub sha256: Sha256,
}

/// The Arrow files of a split, in their order, and their bytes.
#[derive(Debug, Clone, PartialEq)]
pub struct Split {
    folder: PathBuf,
    files: Vec<PathBuf>,
    /// Bytes of all of them: a little more than those of the clips.
    pub bytes: u64,
}

impl Split {
    /// Finds the files of a split: those that its `state.json` lists, else all `data-00000-of-00110.arrow` and so on. Other Arrow files (`datasets` keeps
    /// what it computed beside them, as `cache-….arrow`) are not read, and told.
    ///
    /// # Errors
    /// Exit code 4: the folder cannot be read, or has none of them; one of them is missing; there are those of two counts; it holds splits, of which
    /// one is to be named.
    pub fn of(folder: &Path) -> Result<Self> {
        let shown = folder.display();
        let mut names: Vec<String> = super::file_names(folder)?.into_iter().collect();
        names.sort();
        if names.iter().any(|name| name == "dataset_dict.json") {
            let expected = "expected one split of the data set, found all of them";
            return Err(Error::inputs(format!("{shown}: {expected} (name its folder, such as {shown}/train)")));
        }
        names.retain(|name| name.ends_with(".arrow"));
        let wanted = match listed(&folder.join("state.json"))? {
            Some(listed) => listed,
            None => numbered(&names).map_err(|what| Error::inputs(format!("{shown}: {what}")))?,
        };
        if let Some(missing) = wanted.iter().find(|name| !names.contains(name)) {
            let (expected, there) =
                (text::count(wanted.len() as u64, "Arrow file"), wanted.iter().filter(|n| names.contains(n)));
            let found = format!("found {}, {missing} is not there", there.count());
            return Err(Error::inputs(format!("{shown}: expected {expected}, {found} (fetch the rest)")));
        }
        let others: Vec<&String> = names.iter().filter(|name| !wanted.contains(name)).collect();
        if let Some(first) = others.first() {
            let others = text::count(others.len() as u64, "Arrow file");
            say(format_args!("{shown}: {others} beside the split's own not read, the first is {first}"));
        }
        let mut split = Self { folder: folder.to_owned(), files: Vec::new(), bytes: 0 };
        for name in wanted {
            let path = folder.join(name);
            split.bytes += path.metadata().inputs(|| format!("cannot read {}", path.display()))?.len();
            split.files.push(path);
        }
        Ok(split)
    }
}

/// The files that `state.json` lists; `None` where there is no such file.
fn listed(state: &Path) -> Result<Option<Vec<String>>> {
    #[derive(serde::Deserialize)]
    struct State {
        _data_files: Vec<DataFile>,
    }
    #[derive(serde::Deserialize)]
    struct DataFile {
        filename: String,
    }
    if !state.is_file() {
        return Ok(None);
    }
    let bytes = std::fs::read(state).inputs(|| format!("cannot read {}", state.display()))?;
    let state: State = serde_json::from_slice(&bytes)
        .inputs(|| format!("{}: expected the state of a split that `datasets` saved", state.display()))?;
    Ok(Some(state._data_files.into_iter().map(|file| file.filename).collect()))
}

/// All files of the count that the names of some of them give.
fn numbered(names: &[String]) -> Result<Vec<String>, String> {
    let count = |name: &String| name.strip_prefix("data-")?.strip_suffix(".arrow")?.split_once("-of-")?.1.parse().ok();
    let counts: BTreeSet<u64> = names.iter().filter_map(count).filter(|n| (1..=99_999).contains(n)).collect();
    match counts.iter().copied().collect::<Vec<_>>()[..] {
        [whole] => Ok((0..whole).map(|i| format!("data-{i:05}-of-{whole:05}.arrow")).collect()),
        [] => {
            let found = names.first().map_or("none".to_owned(), |other| format!("none so named, but {other}"));
            Err(format!("expected Arrow files of the datasets library (data-00000-of-00001.arrow …), found {found}"))
        }
        [one, other, ..] => Err(format!(
            "expected the files of one split, found some of {one} and some of {other} (move the others away)"
        )),
    }
}

/// Makes training lines of a split, and gives each clip once, as `take(name, bytes)`. The id of a question is its row's number from 0, over all
/// files. Questions keep their `video`; [`super::avqa::load`] makes it `audio`. A row whose clip has the name of another one and other bytes is dropped.
///
/// # Errors
/// Exit code 2: other columns, or no row is a question. Exit code 4: a file cannot be read, or is damaged. What `take` says.
pub fn take(split: &Split, take: &mut dyn FnMut(&str, &[u8]) -> Result<()>) -> Result<Taken> {
    let mut progress = Progress::bytes("unpack", 0, split.bytes);
    let (mut lines, mut ids, mut dropped) = (String::new(), String::new(), Dropped::new());
    let (mut rows, mut kept, mut done) = (0, 0, 0);
    let (mut clips, mut others) = (HashMap::<String, Sha256>::new(), BTreeSet::new());
    for file in &split.files {
        others.extend(columns::each(file, &mut |cells| {
            let id = rows;
            rows += 1;
            done += cells.clip.map_or(0, <[u8]>::len) as u64;
            let asked = question(cells).and_then(|asked| {
                let hash = Sha256::of(asked.clip);
                match clips.get(asked.clip_name) {
                    Some(first) if *first != hash => {
                        Err(("file_name", format!("file_name: {:?} is already that of another clip", asked.clip_name)))
                    }
                    Some(_) => Ok((asked, None)),
                    None => Ok((asked, Some(hash))),
                }
            });
            match asked {
                Ok((Asked { clip_name, clip, question, choices, answer }, new)) => {
                    if let Some(hash) = new {
                        take(clip_name, clip)?;
                        clips.insert(clip_name.to_owned(), hash);
                    }
                    kept += 1;
                    let line = json!({"id": id, "video_name": stem(clip_name), "question_text": question, "multi_choice": choices,
                                      "answer": answer, "dataset_name": "AVQA", "audio_path": clip_name});
                    let _ = writeln!(lines, "{line}");
                    let _ = writeln!(ids, "{id}");
                }
                Err((column, what)) => dropped.entry(column.to_owned()).or_default().push(format!("row {id}: {what}")),
            }
            progress.at(done, "");
            Ok(())
        })?);
    }
    progress.clear();
    if !others.is_empty() {
        let names = others.iter().map(String::as_str).collect::<Vec<_>>().join(", ");
        say(format_args!("{} of the columns not read: {names}", others.len()));
    }
    if kept == 0 {
        let first = dropped.values().flatten().next().map_or("there are none", String::as_str);
        let place = split.folder.display();
        let found = format!("found {} and none of them one: {first}", text::count(rows, "row"));
        return Err(Error::request(format!("{place}: expected questions with their clips, {found}")));
    }
    Ok(Taken {
        rows,
        kept,
        clips: clips.len() as u64,
        dropped,
        kept_ids: Sha256::of(ids.as_bytes()),
        sha256: Sha256::of(lines.as_bytes()),
        lines,
    })
}

/// A row that is a question.
struct Asked<'a> {
    clip_name: &'a str,
    clip: &'a [u8],
    question: &'a str,
    choices: Vec<&'a str>,
    /// Index of the right one.
    answer: usize,
}

/// The question of a row; else the column that is wrong, and how.
fn question<'a>(cells: &Cells<'a>) -> Result<Asked<'a>, (&'static str, String)> {
    let clip_name = name(cells.file_name).map_err(|e| ("file_name", e))?;
    let (question, choices) = choices(cells.question).map_err(|e| ("question", e))?;
    let answer = answer(cells.answer, &choices).map_err(|e| ("answer", e))?;
    let clip = match cells.clip {
        Some([]) => Err("audio: expected the clip, found 0 bytes"),
        None => Err("audio: expected the clip, found null"),
        Some(clip) => Ok(clip),
    };
    Ok(Asked { clip_name, clip: clip.map_err(|e| ("audio", e.to_owned()))?, question, choices, answer })
}

/// Bytes of a file's name at most: of the 255 that file systems take, nine are for the name while it is written.
const LONGEST: usize = 246;

/// The name of the clip's file: the last part of a path, and one that a file can have.
fn name(path: Option<&str>) -> Result<&str, String> {
    let path = path.ok_or("file_name: expected a text, found null")?;
    let name = path.rsplit(['/', '\\']).next().unwrap_or_default();
    match name.is_empty() || name.starts_with('.') || name.chars().any(char::is_control) || name.len() > LONGEST {
        true => Err(format!("file_name: expected the name of a clip, found {path:?}")),
        false => Ok(name),
    }
}

/// The question and its options, from `QUESTION\nChoices:\nA. ONE\nB. TWO`: the letters run in order from A.
fn choices(text: Option<&str>) -> Result<(&str, Vec<&str>), String> {
    let text = text.ok_or("question: expected a text, found null")?;
    let mut parts = text.split("\nChoices:\n");
    let (Some(question), Some(listed), None) = (parts.next(), parts.next(), parts.next()) else {
        return Err(format!("question: expected \"\\nChoices:\\n\" in it once, found {text:?}"));
    };
    if question.trim().is_empty() {
        return Err("question: expected a question before its choices, found none".to_owned());
    }
    let lines = listed.lines().map(str::trim).filter(|line| !line.is_empty());
    let choices: Vec<&str> = ('A'..='Z')
        .zip(lines.clone())
        .map(|(letter, line)| {
            let choice = after_letter(line, letter).filter(|choice| !choice.is_empty());
            choice.ok_or_else(|| {
                format!("question: expected \"{letter}. …\" as the choice of that place, found {line:?}")
            })
        })
        .collect::<Result<_, _>>()?;
    match lines.count() {
        2..=26 => Ok((question, choices)),
        n => Err(format!("question: expected 2 to 26 choices, found {n}")),
    }
}

/// The index of the answer: `B. TWO` where the second option is `TWO`, or `TWO` where one option is that.
fn answer(text: Option<&str>, choices: &[&str]) -> Result<usize, String> {
    let text = text.ok_or("answer: expected a text, found null")?.trim();
    let lettered = ('A'..='Z').zip(choices).position(|(letter, choice)| after_letter(text, letter) == Some(choice));
    let found = lettered.or_else(|| choices.iter().position(|choice| *choice == text));
    found.ok_or_else(|| format!("answer: expected one of the choices with its letter, found {text:?}"))
}

fn after_letter(text: &str, letter: char) -> Option<&str> {
    text.strip_prefix(letter)?.strip_prefix('.').map(str::trim_start)
}

impl Taken {
    /// What became of every row, for a person; `out` names the file of the lines, `audio` the folder of clips.
    pub fn to_text(&self, out: &str, audio: &str) -> String {
        let mut text = format!("{out}: {} of {} kept\n\n", self.kept, text::count(self.rows, "row"));
        let mut put = |what: &str, line: String| {
            let _ = writeln!(text, "{what:<10} {line}");
        };
        put("clips", format!("{} in {audio}", self.clips));
        super::prepare::put_dropped(&self.dropped, &mut put);
        put("kept ids", format!("sha256 {}", self.kept_ids));
        put("lines", format!("sha256 {} (what a recipe pins)", self.sha256));
        text
    }
}
