//! `report`: tables of finished runs.

use super::{TableFormat, print};
use crate::artifact::write;
use crate::error::Result;
use crate::report::{self, Format};
use std::path::{Path, PathBuf};

pub(super) fn run(runs: &[PathBuf], format: TableFormat, breakdowns: bool, out: Option<&Path>) -> Result<()> {
    let format = match format {
        TableFormat::Markdown => Format::Markdown,
        TableFormat::Latex => Format::Latex,
        TableFormat::Csv => Format::Csv,
        TableFormat::Json => Format::Json,
    };
    let text = if breakdowns { report::render_breakdowns(runs, format)? } else { report::render(runs, format)? };
    match out {
        Some(path) => write::replace(path, text.as_bytes()),
        None => print(&text),
    }
}
