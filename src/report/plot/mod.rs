//! Pictures: SVG files that a paper can use, and a page can hold. The same run gives the same bytes; nothing is drawn that was not measured.

mod axis;
mod bars;
mod categories;
mod lines;
mod pairs;
mod style;
mod svg;
mod training;
mod versus;

pub(super) use svg::escape;

use super::load::Run;
use super::table;
use crate::artifact::write;
use crate::error::{Error, Result};
use serde::Serialize;
use std::collections::HashSet;
use std::path::Path;

/// What a picture is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum About {
    /// Curves of a training stage, or of its checkpoints.
    Training,
    /// Accuracy by sub-category.
    Categories,
    /// One evaluation against another.
    Versus,
}

/// A picture.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Figure {
    /// The name of its file, without `.svg`.
    pub name: String,
    /// What it is about.
    pub about: About,
    /// Pictures of the same part stand together.
    pub part: String,
    /// What it shows, in a few words.
    pub title: String,
    /// What it shows and how, with what it leaves out.
    pub caption: String,
    /// The file.
    pub svg: String,
}

/// The pictures of some runs.
#[derive(Debug, Clone, PartialEq)]
pub struct Figures {
    /// In the order of a page.
    pub all: Vec<Figure>,
    /// What could not be drawn, a line each.
    pub notes: Vec<String>,
}

/// Draws the pictures of some runs.
///
/// # Errors
/// Exit code 4: a file of a run is missing or is not what it should be.
pub fn figures(runs: &[Run]) -> Result<Figures> {
    let groups = table::grouped(runs)?;
    let (mut all, notes) = training::figures(runs)?;
    all.extend(categories::figures(&groups));
    all.extend(versus::figures(&groups)?);
    let mut taken = HashSet::new();
    match all.iter().find(|f| !taken.insert(f.name.as_str())) {
        Some(twice) => Err(Error::internal(format!("two pictures are called {}", twice.name))),
        None => Ok(Figures { all, notes }),
    }
}

impl Figures {
    /// Writes them into a folder, which is made when it is not there.
    ///
    /// # Errors
    /// Exit code 1 when a file cannot be written.
    pub fn write(&self, folder: &Path) -> Result<()> {
        let path = |figure: &Figure| folder.join(format!("{}.svg", figure.name));
        self.all.iter().try_for_each(|figure| write::replace(&path(figure), figure.svg.as_bytes()))
    }
}

/// A file name of these parts: letters, digits, dots and dashes.
fn file_name(parts: &[&str]) -> String {
    let plain = |c: char| if c.is_ascii_alphanumeric() || c == '.' { c.to_ascii_lowercase() } else { '-' };
    let words: Vec<String> = parts.iter().map(|part| part.chars().map(plain).collect()).collect();
    let name = words.join("-");
    name.split('-').filter(|word| !word.is_empty()).collect::<Vec<_>>().join("-")
}

/// How pictures call a run: its recipe, and its place where several runs are of that recipe.
fn run_name(runs: &[Run], run: &Run) -> String {
    let place = runs.iter().position(|r| std::ptr::eq(r, run)).unwrap_or_default() + 1;
    let several = runs.iter().filter(|r| r.recipe == run.recipe).count() > 1;
    if several { format!("{}, run {place}", run.recipe) } else { run.recipe.clone() }
}
