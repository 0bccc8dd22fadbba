//! AVQA as its authors publish it (a JSON array), made into the JSON lines that R1-AQA trains on.
//!
//! R1-AQA's own script is not published; its README shows a line. All fields stay, `dataset_name` and `audio_path` are added,
//! and questions whose clip is not there are left out. About 2000 of 40 425 clips could not be had by the authors either, so
//! who trains on what differs: the hash over the kept ids says whether two people trained on the same questions.

use super::avqa::answer;
use super::mmau::{self, Place};
use super::{Row, id_of};
use crate::error::{Context, Error, Result};
use crate::pins::{Revision, Sha256};
use crate::text;
use indexmap::IndexMap;
use serde::Serialize;
use serde_json::{Map, Value};
use std::collections::{HashMap, HashSet};
use std::fmt::Write;
use std::path::Path;

/// AVQA's question files by git's id, unchanged since 2023-04-17 (AlyssaYoung/AVQA at 5f5b871).
const KNOWN: [(&str, &str); 2] = [
    ("dcf7ee2555bb4ce861a3e1e08fbda1508818d63c", "AVQA's train questions of 2023-04-17"),
    ("78ef35471495a77ad1921ad54b9dedc12b7eeca0", "AVQA's validation questions of 2023-04-17"),
];

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
    /// Of these, clips named as AVQA's extraction names them: `ID_000030.wav`.
    pub long_names: u64,
    /// Names of the videos whose clip is not there, a time for each question.
    pub missing: Vec<String>,
    /// Rows that are no question, by the key that is wrong: each by row, with what is wrong.
    pub dropped: IndexMap<String, Vec<String>>,
    /// SHA-256 of the kept ids in order of the file, a line feed after each.
    pub kept_ids: Sha256,
    /// SHA-256 of the lines, what a recipe pins.
    pub sha256: Sha256,
}

/// Makes training lines from AVQA's questions; `clips` are the file names in the folder of clips, and `name` names the
/// questions in messages. `audio_path` is the name of the clip alone, so that the lines do not depend on where it lies. A
/// clip is looked for by R1-AQA's name first, then by AVQA's (see [`clip_names`]). Questions keep their `video`;
/// [`super::avqa::load`] makes it `audio`, as R1-AQA's reader does.
///
/// # Errors
/// Exit code 2: it is no JSON array of objects, or none of them is a question. Exit code 4: no question has its clip.
pub fn avqa(bytes: &[u8], name: &str, clips: &HashSet<String>) -> Result<Prepared> {
    let git_blob = Revision::of_blob(bytes);
    let rows = mmau::rows(bytes, name)?;
    let (mut lines, mut ids) = (String::new(), String::new());
    let (mut kept, mut short_names) = (0, 0);
    let (mut missing, mut dropped) = (Vec::new(), IndexMap::<String, Vec<String>>::new());
    let mut seen = HashMap::new();
    for (index, row) in rows.iter().enumerate() {
        let place = Place(index, row).to_string();
        let (id, video) = match question(row, &place, &mut seen) {
            Ok(found) => found,
            Err((key, what)) => {
                dropped.entry(key.to_owned()).or_default().push(format!("{place}: {what}"));
                continue;
            }
        };
        let names = clip_names(video);
        let Some(clip) = names.iter().find(|name| clips.contains(*name)) else {
            missing.push(video.to_owned());
            continue;
        };
        kept += 1;
        short_names += u64::from(*clip != format!("{video}.wav"));
        let mut line = row.clone();
        line.insert("dataset_name".into(), "AVQA".into());
        line.insert("audio_path".into(), clip.as_str().into());
        let _ = writeln!(lines, "{}", Value::Object(line));
        let _ = writeln!(ids, "{id}");
    }
    if missing.is_empty() && kept == 0 {
        let first = dropped.values().flatten().next().map_or("", String::as_str);
        let expected = "expected AVQA's questions (id, video_name, question_text, multi_choice, answer)";
        let found = text::count(rows.len() as u64, "row");
        return Err(Error::request(format!("{name}: {expected}, found {found} and none of them one: {first}")));
    }
    if kept == 0 {
        let names = clip_names(&missing[0]).join(" or ");
        let of = text::count(missing.len() as u64, "question");
        return Err(Error::inputs(format!(
            "{name}: expected clips of {of} in the folder of --audio, found none (the first would be {names})"
        )));
    }
    Ok(Prepared {
        known: KNOWN.iter().find(|(blob, _)| *blob == git_blob.as_str()).map(|(_, what)| *what),
        git_blob,
        rows: rows.len() as u64,
        kept,
        short_names,
        long_names: kept - short_names,
        missing,
        dropped,
        kept_ids: Sha256::of(ids.as_bytes()),
        sha256: Sha256::of(lines.as_bytes()),
        lines,
    })
}

/// The names of the clips in a folder.
///
/// # Errors
/// Exit code 4: the folder cannot be read, or is one of Arrow files with the clips in them, as gijs/avqa-processed on the hub.
pub fn clips(folder: &Path) -> Result<HashSet<String>> {
    let names = file_names(folder)?;
    if is_arrow(folder, &names) {
        return Err(Error::inputs(format!(
            "{}: expected a folder of clips, found Arrow files with the clips in them, as in gijs/avqa-processed, which are not read (docs/recipes.md says how to take them out, and which copy has them as files)",
            folder.display()
        )));
    }
    Ok(names)
}

/// Whether a folder is what the `datasets` library saves to a disk: the folders of its splits, or one of them.
fn is_arrow(folder: &Path, names: &HashSet<String>) -> bool {
    let arrow = |name: &String| name.ends_with(".arrow");
    names.contains("dataset_dict.json") || (names.iter().any(arrow) && folder.join("state.json").is_file())
}

/// The names of the files in a folder. One reading of the folder is quicker than asking for each of 40 000 clips.
///
/// # Errors
/// Exit code 4: the folder cannot be read.
pub fn file_names(folder: &Path) -> Result<HashSet<String>> {
    let cannot = || format!("cannot read the folder {}", folder.display());
    let mut out = HashSet::new();
    for entry in std::fs::read_dir(folder).inputs(cannot)? {
        let entry = entry.inputs(cannot)?;
        // A link to a clip is a clip; a name that is not UTF-8 is none of a clip.
        if let (true, Ok(name)) = (entry.path().is_file(), entry.file_name().into_string()) {
            out.insert(name);
        }
    }
    Ok(out)
}

/// The names that the clip of a video may have, the preferred one first. `ID_000030`, a YouTube id and the second it starts at,
/// is `ID_30.wav` with R1-AQA and `ID_000030.wav` with AVQA's own extraction. The id may hold `_` and `-` itself.
pub fn clip_names(video: &str) -> Vec<String> {
    let start = video
        .rsplit_once('_')
        .filter(|(id, start)| !id.is_empty() && start.len() == 6 && start.bytes().all(|b| b.is_ascii_digit()));
    let short = start.map(|(id, start)| match start.trim_start_matches('0') {
        "" => format!("{id}_0.wav"),
        start => format!("{id}_{start}.wav"),
    });
    let long = format!("{video}.wav");
    short.filter(|short| *short != long).into_iter().chain([long.clone()]).collect()
}

/// The id and the video's name of a row that is a question; else the key that is wrong, and how.
fn question<'a>(
    row: &'a Map<String, Value>,
    place: &String,
    seen: &mut HashMap<String, String>,
) -> Result<(String, &'a str), (&'static str, String)> {
    let keys = Row(row);
    let video = keys.text("video_name").and_then(|video| match video.contains('/') {
        false => Ok(video),
        true => Err(format!("video_name: expected a name, found the path {video:?}")),
    });
    let video = video.map_err(|e| ("video_name", e))?;
    keys.text("question_text").map_err(|e| ("question_text", e))?;
    let choices = keys.texts("multi_choice", 2).map_err(|e| ("multi_choice", e))?;
    answer(row, &choices).map_err(|e| ("answer", e))?;
    // Last, so that a row that is dropped for something else takes no id away.
    let id = id_of(&keys, place, seen).map_err(|e| ("id", e))?;
    Ok((id, video))
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
                "{}, clips named as ID_30.wav {}, as ID_000030.wav {}",
                self.kept, self.short_names, self.long_names
            ),
        );
        let first = self.missing.first().map(|video| format!(", the first is that of {video}")).unwrap_or_default();
        put("missing", format!("{}{first}", text::count(self.missing.len() as u64, "clip")));
        put("dropped", text::count(self.dropped.values().map(Vec::len).sum::<usize>() as u64, "row"));
        for (key, rows) in &self.dropped {
            let first = rows.first().map_or("", String::as_str);
            put("", format!("for {key}: {}, the first is {first}", rows.len()));
        }
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
