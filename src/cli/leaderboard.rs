//! The report of a complete run, on standard output and in its run folder, and whether it says what the recipe expects.

use super::print;
use crate::artifact::layout::RunFolder;
use crate::artifact::write;
use crate::error::{Error, Result};
use crate::plan::Plan;
use crate::progress::say;
use crate::report::load::Run;
use crate::report::verdict::Place;
use crate::report::{self, Format};

pub(super) fn write(folder: &RunFolder, plan: &Plan) -> Result<()> {
    let runs = report::loaded(&[folder.root().to_owned()])?;
    let mut table = String::new();
    for format in Format::ALL {
        let text = report::render_loaded(&runs, format)?;
        write::replace(&folder.leaderboard(format.extension()), text.as_bytes())?;
        if format == Format::Markdown {
            table = text;
        }
        if let Some(text) = report::breakdowns(&runs, format)? {
            write::replace(&folder.breakdowns(format.extension()), text.as_bytes())?;
        }
    }
    print(&table)?;
    say(format_args!("report: {} (and .tex, .csv, .json, breakdowns beside it)", folder.leaderboard("md").display()));
    say(format_args!("page: {}", report::page::of_run(folder, &plan.clip_folders())?.in_words().trim_end()));
    as_expected(&runs)
}

/// Every verdict that the recipe asks for; exit code 3 with those that came out otherwise.
fn as_expected(runs: &[Run]) -> Result<()> {
    let verdicts = report::verdicts(runs)?;
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
