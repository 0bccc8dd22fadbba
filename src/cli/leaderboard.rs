//! The report of a complete run, on standard output and in its run folder, and whether it says what the recipe expects.

use super::print;
use crate::artifact::layout::RunFolder;
use crate::artifact::write;
use crate::error::{Error, Result};
use crate::progress::say;
use crate::report::verdict::Place;
use crate::report::{self, Format};
use std::path::PathBuf;

pub(super) fn write(folder: &RunFolder) -> Result<()> {
    let runs: [PathBuf; 1] = [folder.root().to_owned()];
    let tex = report::render(&runs, Format::Latex)?;
    write::replace(&folder.leaderboard(Format::Latex.extension()), tex.as_bytes())?;
    let text = report::render(&runs, Format::Markdown)?;
    let path = folder.leaderboard(Format::Markdown.extension());
    write::replace(&path, text.as_bytes())?;
    print(&text)?;
    say(format_args!("report: {} (and .tex beside it)", path.display()));
    as_expected(folder)
}

/// Every verdict that the recipe asks for; exit code 3 with those that came out otherwise.
fn as_expected(folder: &RunFolder) -> Result<()> {
    let verdicts = report::verdicts(folder.root())?;
    let others = verdicts.iter().filter(|held| held.must_be_inside && held.place != Place::Inside);
    let lines: Vec<String> = others
        .map(|held| {
            format!(
                "eval {}: expected inside of the claim {} ({}), found {}",
                held.eval,
                held.claimed,
                held.claim,
                held.verdict()
            )
        })
        .collect();
    if lines.is_empty() { Ok(()) } else { Err(Error::difference(lines.join("\n"))) }
}
