//! A page to look at: one folder with tables, pictures, every sample and its clip, that works from the disk without a network.
//!
//! The tables and pictures are written as HTML; the samples are data (`assets/data.js`, since a page from the disk may not fetch), which
//! `assets/page.js` shows. What models said reaches the page as text alone, never as markup.

mod clips;
mod folder;
mod html;
mod samples;

use super::load::{self, Run};
use super::{plot, table};
use crate::artifact::RunFolder;
use crate::error::{Error, Result};
use crate::text::count;
pub use clips::Gone;
use folder::Staging;
use std::path::{Path, PathBuf};

/// How clips come to a page.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Clips {
    /// Copied: the folder can be sent to someone.
    Copy,
    /// Linked by a relative path to where they lie.
    Link,
}

/// What a page is made of.
#[derive(Debug, Clone, Copy)]
pub struct Request<'a> {
    /// Run folders.
    pub runs: &'a [PathBuf],
    /// The folder to make. One that an earlier call made is replaced.
    pub out: &'a Path,
    /// Folders of clips, for data sets that no stage of a run made; looked through in this order.
    pub audio: &'a [PathBuf],
    /// How clips come there.
    pub clips: Clips,
}

/// What a page has.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Made {
    /// `index.html`.
    pub page: PathBuf,
    /// Evaluations.
    pub evals: u64,
    /// Questions, each version of a data set by itself.
    pub questions: u64,
    /// Clips that can be played.
    pub clips: u64,
    /// How these came there.
    pub how: Clips,
    /// Clips that are not there, by data set.
    pub missing: Vec<Gone>,
    /// What could not be shown, a line each.
    pub notes: Vec<String>,
}

/// Makes a page.
///
/// # Errors
/// Exit code 2: no run, an unfinished one, or a folder in the way that no such call made. Exit code 4: a file of a run is missing or is not
/// what it should be, or a folder of clips is not there. Exit code 1: it cannot be written; what was there before stays.
pub fn write(request: &Request<'_>) -> Result<Made> {
    if request.runs.is_empty() {
        return Err(Error::request("report: expected at least one run folder"));
    }
    let runs: Vec<Run> = request.runs.iter().map(|r| load::run(r)).collect::<Result<_>>()?;
    let (tables, figures) = (table::tables(&runs)?, plot::figures(&runs)?);
    let mut data = samples::data(&runs)?;
    let staging = Staging::begin(request.out)?;
    let missing = clips::place(&runs, request, &staging, &mut data)?;
    for (name, bytes) in html::ASSETS {
        staging.write(&format!("assets/{name}"), bytes.as_bytes())?;
    }
    staging.write("assets/data.js", data.to_js()?.as_bytes())?;
    figures.write(&staging.path("plots"))?;
    let mut notes = figures.notes.clone();
    notes.extend(missing.iter().map(|gone| format!("{}.", gone.what)));
    staging.write("index.html", html::index(&runs, &tables, &figures.all, &notes)?.as_bytes())?;
    let made = Made {
        page: request.out.join("index.html"),
        evals: data.evals.len() as u64,
        questions: data.questions().count() as u64,
        clips: data.questions().filter(|q| q.clip.is_some()).count() as u64,
        how: request.clips,
        missing,
        notes: figures.notes,
    };
    staging.finish()?;
    Ok(made)
}

/// The page of a run in its own folder, with links to the clips that the run made, or that lie in one of the folders `audio`.
///
/// # Errors
/// As [`write()`].
pub fn of_run(folder: &RunFolder, audio: &[PathBuf]) -> Result<Made> {
    let runs = [folder.root().to_owned()];
    write(&Request { runs: &runs, out: &folder.page(), audio, clips: Clips::Link })
}

impl Made {
    /// What was made, for a person: the page, then what is not in it.
    pub fn in_words(&self) -> String {
        let how = match self.how {
            Clips::Copy => "copied",
            Clips::Link => "linked",
        };
        let (evals, questions) = (count(self.evals, "evaluation"), count(self.questions, "question"));
        let first = format!("{}: {evals}, {questions}, {} {how}", self.page.display(), count(self.clips, "clip"));
        let missing = self.missing.iter().map(|Gone { what, way_out }| format!("{what} ({way_out})"));
        let lines = [first].into_iter().chain(missing).chain(self.notes.iter().cloned());
        lines.map(|line| line + "\n").collect()
    }
}
