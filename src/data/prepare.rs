//! AVQA as its authors publish it (a JSON array), made into the JSON lines that R1-AQA trains on; or such lines, without those whose clip is not
//! there.
//!
//! R1-AQA's own script is not published; its README shows a line. All fields stay, `dataset_name` and `audio_path` are added,
//! and questions whose clip is not there are left out. About 2000 of 40 425 clips could not be had by the authors either, so
//! who trains on what differs: the hash over the kept ids says whether two people trained on the same questions.

use super::avqa::answer;
use super::mmau::{self, Place, without_mark};
use super::{Clips, Row, id_of};
use crate::error::{Context, Error, Result};
use crate::pins::{Revision, Sha256};
use crate::text;
use indexmap::IndexMap;
use serde::Serialize;
use serde_json::{Map, Value};
use std::collections::HashMap;
use std::fmt::Write;
use std::path::Path;

/// AVQA's question files by git's id, unchanged since 2023-04-17 (AlyssaYoung/AVQA at 5f5b871).
const KNOWN: [(&str, &str); 2] = [
    ("dcf7ee2555bb4ce861a3e1e08fbda1508818d63c", "AVQA's train questions of 2023-04-17"),
    ("78ef35471495a77ad1921ad54b9dedc12b7eeca0", "AVQA's validation questions of 2023-04-17"),
];

/// Rows that are no question, by the key that is wrong: each by row, with what is wrong.
pub type Dropped = IndexMap<String, Vec<String>>;

/// Training lines, and what became of every row of the source: the JSON that `prepare avqa --format json` prints.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Prepared {
    /// The lines, each with its line feed.
    #[serde(skip)]
    pub lines: String,
    /// Git's id of the questions file.
    pub git_blob: Revision,
    /// Which of AVQA's files that is; `null` when it is none.
    pub known: Option<&'static str>,
    /// Rows of the questions file: kept, missing and dropped together.
    pub rows: u64,
    /// Questions in the lines.
    pub kept: u64,
    /// Of these, clips named as R1-AQA names them: `ID_30.wav`.
    pub short_names: u64,
    /// Of these, clips named as AVQA's extraction names them: `ID_000030.wav`. What is left is named otherwise.
    pub long_names: u64,
    /// Names of the videos whose clip is not there, a time for each question.
    pub missing: Vec<String>,
    /// Rows that are no question.
    pub dropped: Dropped,
    /// SHA-256 of the kept ids in order of the file, a line feed after each.
    pub kept_ids: Sha256,
    /// SHA-256 of the lines, what a recipe pins.
    pub sha256: Sha256,
}

/// Makes training lines from AVQA's questions, a JSON array or R1-AQA's JSON lines; `name` names the questions in messages.
///
/// Of the array, `audio_path` becomes the name of the clip alone, so that the lines do not depend on where it lies. A clip is looked for by
/// R1-AQA's name first, then by AVQA's (see [`clip_names`]). Lines stay as they are, but for their ends and empty ones; theirs is looked for as
/// [`super::avqa::load`] does. Questions keep their `video`, which that reader makes `audio`, as R1-AQA's does.
///
/// # Errors
/// Exit code 2: it is neither, or none of the rows is a question. Exit code 4: no question has its clip; a clip lies in two folders.
pub fn avqa(bytes: &[u8], name: &str, clips: &Clips) -> Result<Prepared> {
    let rows = rows(bytes, name)?;
    let (mut lines, mut ids) = (String::new(), String::new());
    let (mut kept, mut short_names, mut long_names, mut first_missing) = (0, 0, 0, None);
    let (mut missing, mut dropped) = (Vec::new(), Dropped::new());
    let mut seen = HashMap::new();
    for Asked { place, row, line } in &rows {
        let (id, wanted) = match question(row, line.is_some(), place, &mut seen) {
            Ok(found) => found,
            Err((key, what)) => {
                dropped.entry(key.to_owned()).or_default().push(format!("{place}: {what}"));
                continue;
            }
        };
        let found =
            clips.find(&wanted.names, wanted.near).map_err(|e| Error::inputs(format!("{name}: {place}: {e}")))?;
        let Some(clip) = found.as_deref().and_then(Path::file_name) else {
            first_missing.get_or_insert(wanted.names);
            missing.push(wanted.video.to_owned());
            continue;
        };
        let clip = clip.to_string_lossy();
        kept += 1;
        match (start(stem(&clip)), stem(&clip).rsplit_once('_')) {
            (Some(_), _) => long_names += 1,
            (None, Some((_, second))) if second.parse::<u32>().is_ok() => short_names += 1,
            _ => {}
        }
        match line {
            Some(line) => lines.push_str(line),
            None => {
                let mut line = row.clone();
                line.insert("dataset_name".into(), "AVQA".into());
                line.insert("audio_path".into(), clip.as_ref().into());
                let _ = write!(lines, "{}", Value::Object(line));
            }
        }
        lines.push('\n');
        let _ = writeln!(ids, "{id}");
    }
    if missing.is_empty() && kept == 0 {
        let first = dropped.values().flatten().next().map_or("", String::as_str);
        let expected = "expected AVQA's questions (id, video_name, question_text, multi_choice, answer)";
        let found = text::count(rows.len() as u64, "row");
        return Err(Error::request(format!("{name}: {expected}, found {found} and none of them one: {first}")));
    }
    if let Some(names) = first_missing.filter(|_| kept == 0) {
        let names = names.join(" or ");
        let of = text::count(missing.len() as u64, "question");
        return Err(Error::inputs(format!(
            "{name}: expected clips of {of} in the folder of --audio, found none (the first would be {names})"
        )));
    }
    let git_blob = Revision::of_blob(bytes);
    Ok(Prepared {
        known: KNOWN.iter().find(|(blob, _)| *blob == git_blob.as_str()).map(|(_, what)| *what),
        git_blob,
        rows: rows.len() as u64,
        kept,
        short_names,
        long_names,
        missing,
        dropped,
        kept_ids: Sha256::of(ids.as_bytes()),
        sha256: Sha256::of(lines.as_bytes()),
        lines,
    })
}

/// The names that the clip of a video may have, the preferred one first. `ID_000030`, a YouTube id and the second it starts at,
/// is `ID_30.wav` with R1-AQA and `ID_000030.wav` with AVQA's own extraction. The id may hold `_` and `-` itself.
pub fn clip_names(video: &str) -> Vec<String> {
    let short = start(video).map(|(id, start)| match start.trim_start_matches('0') {
        "" => format!("{id}_0.wav"),
        start => format!("{id}_{start}.wav"),
    });
    let long = format!("{video}.wav");
    short.filter(|short| *short != long).into_iter().chain([long.clone()]).collect()
}

/// The YouTube id and the second of `ID_000030`.
fn start(video: &str) -> Option<(&str, &str)> {
    let parts = video.rsplit_once('_');
    parts.filter(|(id, start)| !id.is_empty() && start.len() == 6 && start.bytes().all(|b| b.is_ascii_digit()))
}

/// The name of a file without its ending.
pub(super) fn stem(name: &str) -> &str {
    name.rsplit_once('.').map_or(name, |(stem, _)| stem)
}

/// A row of the source; `line` is as it stands in a file of lines.
struct Asked<'a> {
    place: String,
    row: Map<String, Value>,
    line: Option<&'a str>,
}

fn rows<'a>(bytes: &'a [u8], name: &str) -> Result<Vec<Asked<'a>>> {
    if !is_lines(bytes) {
        let rows = mmau::rows(bytes, name)?.into_iter().enumerate();
        return Ok(rows.map(|(i, row)| Asked { place: Place(i, &row).to_string(), row, line: None }).collect());
    }
    let text = std::str::from_utf8(without_mark(bytes)).request(|| format!("{name}: expected UTF-8"))?;
    let lines = text.lines().enumerate().filter(|(_, line)| !line.trim().is_empty());
    let asked = |(index, line): (usize, &'a str)| {
        let place = format!("line {}", index + 1);
        let row = serde_json::from_str(line).map_err(|e| {
            let way_out = if e.is_eof() {
                "the file ends early: was it copied in part?"
            } else {
                "is this R1-AQA's training file?"
            };
            // serde_json counts this line as the first.
            let said = e.to_string().replace(" at line 1 column", " at column");
            Error::request(format!("{name}: {place}: expected a JSON object of a question: {said} ({way_out})"))
        })?;
        Ok(Asked { place, row, line: Some(line) })
    };
    lines.map(asked).collect()
}

/// Whether questions are R1-AQA's lines, not AVQA's own array.
pub(super) fn is_lines(bytes: &[u8]) -> bool {
    without_mark(bytes).iter().find(|b| !b.is_ascii_whitespace()) == Some(&b'{')
}

/// What the clip of a question may be called, and where else it may lie.
pub(super) struct WantedClip<'a> {
    /// AVQA's name of the video; of lines without one, that of the clip without its ending.
    pub video: &'a str,
    /// The preferred name first.
    pub names: Vec<String>,
    /// The folder that the line has it in.
    pub near: Option<&'a str>,
}

impl<'a> WantedClip<'a> {
    /// The clip of a line of R1-AQA's: that of `audio_path`, or `<video_name>.wav`.
    ///
    /// # Errors
    /// The key that is wrong, and how.
    pub fn of_line(keys: &Row<'a>) -> Result<Self, (&'static str, String)> {
        let path = keys.text("audio_path").map_err(|e| ("audio_path", e))?;
        let name = mmau::file_name(keys, "audio_path").map_err(|e| ("audio_path", e))?;
        let video = keys
            .optional_text("video_name")
            .map_err(|e| ("video_name", e))?
            .filter(|video| !video.contains('/') && !video.is_empty());
        let long = video.map(|video| format!("{video}.wav")).filter(|long| long != name);
        let near = path.strip_suffix(name).and_then(|before| before.trim_end_matches('/').rsplit('/').next());
        Ok(Self {
            video: video.unwrap_or_else(|| stem(name)),
            names: [name.to_owned()].into_iter().chain(long).collect(),
            near,
        })
    }
}

/// The id and the clip of a row that is a question; else the key that is wrong, and how.
fn question<'a>(
    row: &'a Map<String, Value>,
    is_line: bool,
    place: &String,
    seen: &mut HashMap<String, String>,
) -> Result<(String, WantedClip<'a>), (&'static str, String)> {
    let keys = Row(row);
    let wanted = if is_line {
        WantedClip::of_line(&keys)?
    } else {
        let video = keys.text("video_name").and_then(|video| match video.contains('/') {
            false => Ok(video),
            true => Err(format!("video_name: expected a name, found the path {video:?}")),
        });
        let video = video.map_err(|e| ("video_name", e))?;
        WantedClip { video, names: clip_names(video), near: None }
    };
    keys.text("question_text").map_err(|e| ("question_text", e))?;
    let choices = keys.texts("multi_choice", 2).map_err(|e| ("multi_choice", e))?;
    answer(row, &choices).map_err(|e| ("answer", e))?;
    // Last, so that a row that is dropped for something else takes no id away.
    let id = id_of(&keys, place, seen).map_err(|e| ("id", e))?;
    Ok((id, wanted))
}

/// Lines about what was dropped, and why.
pub(super) fn put_dropped(dropped: &Dropped, put: &mut dyn FnMut(&str, String)) {
    put("dropped", text::count(dropped.values().map(Vec::len).sum::<usize>() as u64, "row"));
    for (key, rows) in dropped {
        let first = rows.first().map_or("", String::as_str);
        put("", format!("for {key}: {}, the first is {first}", rows.len()));
    }
}

impl Prepared {
    /// What was kept and what was not, in a line.
    pub fn in_words(&self) -> String {
        let dropped = self.dropped.values().map(Vec::len).sum::<usize>();
        let (kept, rows, missing) = (self.kept, self.rows, self.missing.len());
        format!(
            "{kept} of {rows} questions kept: {missing} clips missing, {dropped} rows dropped; kept ids sha256 {}",
            self.kept_ids
        )
    }

    /// What became of every row, for a person; `out` names the file of the lines.
    pub fn to_text(&self, out: &str) -> String {
        let mut text = format!("{out}: {} of {} kept\n\n", self.kept, text::count(self.rows, "question"));
        let mut put = |what: &str, line: String| {
            let _ = writeln!(text, "{what:<10} {line}");
        };
        let known = self.known.unwrap_or("no file of AVQA that is known");
        put("questions", format!("git blob {}: {known}", self.git_blob));
        put(
            "kept",
            format!(
                "{}, clips named as ID_30.wav {}, as ID_000030.wav {}, otherwise {}",
                self.kept,
                self.short_names,
                self.long_names,
                self.kept - self.short_names - self.long_names
            ),
        );
        let first = self.missing.first().map(|video| format!(", the first is that of {video}")).unwrap_or_default();
        put("missing", format!("{}{first}", text::count(self.missing.len() as u64, "clip")));
        put_dropped(&self.dropped, &mut put);
        put("kept ids", format!("sha256 {}", self.kept_ids));
        put("lines", format!("sha256 {} (what a recipe pins)", self.sha256));
        text
    }
}

#[cfg(test)]
mod tests {
    use super::clip_names;

    #[test]
    fn clips_are_named_by_the_last_underscore() {
        assert_eq!(clip_names("-HG3Omg_89c_000030"), ["-HG3Omg_89c_30.wav", "-HG3Omg_89c_000030.wav"]);
        assert_eq!(clip_names("a_b_000000"), ["a_b_0.wav", "a_b_000000.wav"]);
        assert_eq!(clip_names("x_123456"), ["x_123456.wav"]);
        for other in ["noend", "x_30", "x_00003a", "_000030"] {
            assert_eq!(clip_names(other), [format!("{other}.wav")]);
        }
    }
}
