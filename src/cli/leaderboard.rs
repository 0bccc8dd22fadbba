//! The report of a complete run, on standard output and in its run folder.

use super::print;
use crate::artifact::layout::RunFolder;
use crate::artifact::write;
use crate::error::Result;
use crate::progress::say;
use crate::report::{self, Format};

pub(super) fn write(folder: &RunFolder) -> Result<()> {
    let runs = report::loaded(&[folder.root().to_owned()])?;
    for format in Format::ALL {
        let text = report::render_loaded(&runs, format)?;
        write::replace(&folder.leaderboard(format.extension()), text.as_bytes())?;
        if let Some(text) = report::breakdowns(&runs, format)? {
            write::replace(&folder.breakdowns(format.extension()), text.as_bytes())?;
        }
    }
    print(&report::render_loaded(&runs, Format::Markdown)?)?;
    say(format_args!("report: {} (and .tex, .csv, .json, breakdowns beside it)", folder.leaderboard("md").display()));
    Ok(())
}
