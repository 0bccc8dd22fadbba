//! The report of a complete run, on standard output and in its run folder.

use super::print;
use crate::artifact::layout::RunFolder;
use crate::artifact::write;
use crate::error::Result;
use crate::plan::Plan;
use crate::progress::say;
use crate::report::{self, Format};
use std::path::PathBuf;

pub(super) fn write(folder: &RunFolder, plan: &Plan) -> Result<()> {
    let runs: [PathBuf; 1] = [folder.root().to_owned()];
    let tex = report::render(&runs, Format::Latex)?;
    write::replace(&folder.leaderboard(Format::Latex.extension()), tex.as_bytes())?;
    let text = report::render(&runs, Format::Markdown)?;
    let path = folder.leaderboard(Format::Markdown.extension());
    write::replace(&path, text.as_bytes())?;
    print(&text)?;
    say(format_args!("report: {} (and .tex beside it)", path.display()));
    say(format_args!("page: {}", report::page::of_run(folder, &plan.clip_folders())?.in_words().trim_end()));
    Ok(())
}
