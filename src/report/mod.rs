//! Show it: tables from what runs left on disk, and goldens that must not change. Reads artifacts only.

mod answers;
mod caption;
pub mod claims;
mod csv;
pub mod golden;
pub mod group;
mod judge;
mod latex;
pub mod load;
mod markdown;
pub mod page;
pub mod plot;
pub mod table;
mod template;

use crate::error::{Context, Error, Result};
use std::path::PathBuf;

/// What a report is written as.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// Tables with captions, for a README or an issue.
    Markdown,
    /// `booktabs` tables, for a paper.
    Latex,
    /// One line a row, all tables together.
    Csv,
    /// The tables as they are inside.
    Json,
}

impl Format {
    /// The file name extension of a report in this format.
    pub fn extension(self) -> &'static str {
        match self {
            Self::Markdown => "md",
            Self::Latex => "tex",
            Self::Csv => "csv",
            Self::Json => "json",
        }
    }
}

/// Renders the tables of some run folders.
///
/// # Errors
/// Exit code 2: no run, or one that is not finished (the stage that is missing is named). Exit code 4: a file of a run is
/// missing or is not what it should be.
pub fn render(runs: &[PathBuf], format: Format) -> Result<String> {
    if runs.is_empty() {
        return Err(Error::request("report: expected at least one run folder"));
    }
    let runs: Vec<load::Run> = runs.iter().map(|r| load::run(r)).collect::<Result<_>>()?;
    render_loaded(&runs, format)
}

/// Renders the tables of runs that are read already.
///
/// # Errors
/// As [`render`].
pub fn render_loaded(runs: &[load::Run], format: Format) -> Result<String> {
    let tables = table::tables(runs)?;
    let mut titles: Vec<&str> = runs.iter().map(|r| r.title.as_str()).collect();
    titles.dedup();
    let title = titles.join("; ");
    match format {
        Format::Markdown => {
            template::render(include_str!("templates/leaderboard.md.j2"), &title, &tables, markdown::view)
        }
        Format::Latex => template::render(include_str!("templates/leaderboard.tex.j2"), &title, &tables, latex::view),
        Format::Csv => Ok(csv::render(&tables)),
        Format::Json => {
            let json = serde_json::json!({ "title": title, "tables": tables });
            let text = serde_json::to_string_pretty(&json).internal(|| "cannot write the report".into())?;
            Ok(text + "\n")
        }
    }
}
