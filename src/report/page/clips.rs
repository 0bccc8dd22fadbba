//! Clips: where those of a page's questions lie, and how they come to the page.

use super::folder::Staging;
use super::samples::{Data, Set};
use super::{Clips, Request};
use crate::artifact::{RunFolder, read};
use crate::data;
use crate::error::{Error, Result};
use crate::pins::Sha256;
use crate::progress::Progress;
use crate::report::load::Run;
use crate::text::count;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use std::path::{Component, Path, PathBuf};

/// What a path in an address may hold as it stands.
const PLAIN: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'_').remove(b'.').remove(b'/').remove(b'~');

/// Clips of a data set that are not there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Gone {
    /// How many of which, for readers of the page.
    pub what: String,
    /// What whoever makes the page can do; names folders of this machine.
    pub way_out: String,
}

/// Puts the clips of all questions to the page, and says where each can be played. Returns those that are not there, by data set.
///
/// # Errors
/// Exit code 4: a folder of clips is not there. Exit code 1: one cannot be copied.
pub(super) fn place(runs: &[Run], request: &Request<'_>, staging: &Staging, data: &mut Data) -> Result<Vec<Gone>> {
    for dir in request.audio {
        if !dir.is_dir() {
            return Err(Error::inputs(format!(
                "--audio {}: expected a folder of clips, found none there",
                dir.display()
            )));
        }
    }
    let home = match request.clips {
        Clips::Copy => None,
        Clips::Link => Some(absolute(request.out)?),
    };
    let mut missing = Vec::new();
    for (number, set) in data.sets.iter_mut().enumerate() {
        let folders: Vec<PathBuf> = made(runs, set)?.into_iter().chain(request.audio.iter().cloned()).collect();
        let below = if set.format == "avqa" { request.audio } else { &[] };
        let below: Vec<data::Clips> = below.iter().map(|dir| data::Clips::of(dir)).collect::<Result<_>>()?;
        let mut unclear = None;
        let mut progress = Progress::start(&format!("clips of {}", set.name), 0, set.questions.len() as u64);
        for (done, question) in set.questions.iter_mut().enumerate() {
            let found = folders.iter().map(|f| f.join(&question.audio)).find(|path| path.is_file());
            if let Some(path) = found.or_else(|| search(&below, &question.audio, &mut unclear)) {
                let below = match &home {
                    None => {
                        let below = format!("clips/{}/{}", number + 1, question.audio);
                        staging.copy(&path, &below)?;
                        below
                    }
                    Some(home) => relative(home, &absolute(&path)?),
                };
                question.clip = Some(utf8_percent_encode(&below, PLAIN).to_string());
            }
            progress.at(done as u64 + 1, "");
        }
        progress.clear();
        missing.extend(gone(set, &folders, unclear));
    }
    Ok(missing)
}

/// A clip in the folders of these folders, where AVQA's reader looks too. `unclear` keeps the first reason why one that may be there was not taken.
fn search(below: &[data::Clips], name: &str, unclear: &mut Option<String>) -> Option<PathBuf> {
    below.iter().find_map(|clips| match clips.find(&[name.to_owned()], None) {
        Ok(found) => found,
        Err(what) => {
            unclear.get_or_insert(what);
            None
        }
    })
}

fn gone(set: &Set, folders: &[PathBuf], unclear: Option<String>) -> Option<Gone> {
    let gone: Vec<&str> = set.questions.iter().filter(|q| q.clip.is_none()).map(|q| q.audio.as_str()).collect();
    let (first, of, name) = (gone.first()?, set.questions.len(), &set.name);
    let what = format!("{} of {of} of {name} not there, the first is {first}", count(gone.len() as u64, "clip"));
    let looked: Vec<String> = folders.iter().map(|f| f.display().to_string()).collect();
    let way_out = if looked.is_empty() {
        "no run made them: give the folder where they lie with --audio".into()
    } else {
        format!("looked in {}", looked.join(", "))
    };
    let way_out = unclear.into_iter().fold(way_out, |way_out, what| format!("{way_out}; {what}"));
    Some(Gone { what, way_out })
}

/// The clips of a set that a stage of a run made: its questions are those that the evaluation was of.
fn made(runs: &[Run], set: &Set) -> Result<Option<PathBuf>> {
    if set.format != "synthetic" {
        return Ok(None);
    }
    for run in runs {
        let folder = RunFolder::new(&run.from);
        for stage in read::manifest(&folder)?.stages.iter().filter(|s| s.kind == "data") {
            let Some(at) = folder.find(&stage.folder) else { continue };
            let questions = at.root().join("questions.json");
            if questions.is_file() && Sha256::of_file(&questions)?.as_str() == set.sha256 {
                return Ok(Some(at.root().join("audios")));
            }
        }
    }
    Ok(None)
}

/// A path from the root, without links where it is there.
fn absolute(path: &Path) -> Result<PathBuf> {
    let failed = |e: std::io::Error| Error::io("find", path, &e);
    if let Ok(found) = path.canonicalize() {
        return Ok(found);
    }
    let (Some(folder), Some(name)) = (path.parent(), path.file_name()) else {
        return std::path::absolute(path).map_err(failed);
    };
    if folder.as_os_str().is_empty() { absolute(Path::new(".")) } else { absolute(folder) }
        .map(|folder| folder.join(name))
}

/// The way from a folder to a file, with `/`; both from the root.
fn relative(from: &Path, to: &Path) -> String {
    let (from, to): (Vec<Component<'_>>, Vec<Component<'_>>) = (from.components().collect(), to.components().collect());
    let shared = from.iter().zip(&to).take_while(|(a, b)| a == b).count();
    let up = from[shared..].iter().map(|_| "..".to_owned());
    let down = to[shared..].iter().map(|part| part.as_os_str().to_string_lossy().into_owned());
    up.chain(down).collect::<Vec<_>>().join("/")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_way_between_two_places() {
        let way = |from: &str, to: &str| relative(Path::new(from), Path::new(to));
        assert_eq!(way("/r/report/page", "/r/data/audios/a b.wav"), "../../data/audios/a b.wav");
        assert_eq!(way("/r", "/r/x.wav"), "x.wav");
        assert_eq!(utf8_percent_encode("../a b#?%.wav", PLAIN).to_string(), "../a%20b%23%3F%25.wav");
    }
}
