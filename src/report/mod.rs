//! Show it: tables from what runs left on disk, and goldens that must not change. Reads artifacts only.

mod answers;
pub mod breakdown;
pub mod bundle;
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
pub mod paired;
pub mod plot;
mod portable;
mod rank;
mod recorded;
pub mod splice;
pub mod table;
mod template;
pub mod verdict;

use crate::error::{Context, Error, Result};
use std::path::PathBuf;

const MARKDOWN: &str = include_str!("templates/leaderboard.md.j2");
const LATEX: &str = include_str!("templates/leaderboard.tex.j2");

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
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Markdown, Self::Latex, Self::Csv, Self::Json];

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
    render_loaded(&loaded(runs)?, format)
}

/// Every row of some runs that its recipe holds against a claim.
///
/// # Errors
/// As [`table::tables`].
pub fn verdicts(runs: &[load::Run]) -> Result<Vec<verdict::Held>> {
    Ok(table::tables(runs)?.into_iter().flat_map(|table| table.verdicts).collect())
}

/// Renders the tables of runs that are read already.
///
/// # Errors
/// As [`render`].
pub fn render_loaded(runs: &[load::Run], format: Format) -> Result<String> {
    let (tables, title) = (table::tables(runs)?, title(runs));
    match format {
        Format::Markdown => template::render(MARKDOWN, &title, tables.iter().map(markdown::view).collect()),
        Format::Latex => template::render(LATEX, &title, tables.iter().map(latex::view).collect()),
        Format::Csv => Ok(csv::render(&tables)),
        Format::Json => json(&serde_json::json!({ "title": title, "tables": tables })),
    }
}

/// Renders the breakdowns of some run folders: their measured rows by difficulty and by sub-category.
///
/// # Errors
/// As [`render`]. Exit code 2 also when nothing was scored.
pub fn render_breakdowns(runs: &[PathBuf], format: Format) -> Result<String> {
    breakdowns(&loaded(runs)?, format)?.ok_or_else(|| {
        Error::request("report: nothing of these runs was scored here, so there is nothing to break down")
    })
}

/// Renders the breakdowns of runs that are read already; `None` when nothing was scored.
///
/// # Errors
/// As [`render_breakdowns`].
pub fn breakdowns(runs: &[load::Run], format: Format) -> Result<Option<String>> {
    let (tables, title) = (table::tables(runs)?, title(runs));
    if tables.iter().all(|table| table.breakdowns.is_empty()) {
        return Ok(None);
    }
    let text = match format {
        Format::Markdown => template::render(MARKDOWN, &title, breakdown_views(&tables)),
        Format::Latex => template::render(LATEX, &title, tables.iter().flat_map(latex::breakdowns).collect()),
        Format::Csv => Ok(csv::breakdowns(&tables)),
        Format::Json => {
            let one = |t: &table::Table| serde_json::json!({ "heading": t.heading, "breakdowns": t.breakdowns });
            json(&serde_json::json!({ "title": title, "tables": tables.iter().map(one).collect::<Vec<_>>() }))
        }
    };
    text.map(Some)
}

/// Run folders and goldens, read.
///
/// # Errors
/// As [`render`].
pub fn loaded(runs: &[PathBuf]) -> Result<Vec<load::Run>> {
    if runs.is_empty() {
        return Err(Error::request("report: expected at least one run folder"));
    }
    runs.iter().map(|r| if golden::is_one(r) { golden::as_run(r) } else { load::run(r) }).collect()
}

/// The breakdowns of some tables in Markdown.
fn breakdown_views(tables: &[table::Table]) -> Vec<template::View> {
    tables.iter().flat_map(markdown::breakdowns).collect()
}

fn json(value: &serde_json::Value) -> Result<String> {
    Ok(serde_json::to_string_pretty(value).internal(|| "cannot write the report".into())? + "\n")
}

/// The titles of the runs, each once.
fn title(runs: &[load::Run]) -> String {
    let mut titles: Vec<&str> = runs.iter().map(|r| r.title.as_str()).collect();
    titles.dedup();
    titles.join("; ")
}
