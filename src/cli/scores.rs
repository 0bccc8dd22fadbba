//! `reproduce` and `eval` of recipes that only score files: answered here, since no model is run.

use super::{RunArgs, claims, fetch, leaderboard, plan};
use crate::artifact::Provenance;
use crate::artifact::layout::RunFolder;
use crate::error::Result;
use crate::plan::{Done, Work, places_up_to};
use crate::progress::say;
use crate::scored;
use crate::text::count;

/// Scores the files of a recipe that asks for nothing else; `false` where it asks for more, and nothing was done.
pub(super) fn run(args: &RunArgs) -> Result<bool> {
    let (recipe, plan, run_dir) = plan::load(&args.recipe)?;
    if !plan.stages.iter().all(|stage| matches!(stage.work, Work::Score { .. })) {
        return Ok(false);
    }
    let only = args.until.as_deref().map(|name| places_up_to(&plan, name)).transpose()?;
    let provenance = Provenance {
        version: env!("CARGO_PKG_VERSION").into(),
        commit: env!("AQA_COMMIT").into(),
        argv: std::env::args().collect(),
        libtorch: String::new(),
        device: "cpu".into(),
        threads: 1,
    };
    let folder = RunFolder::new(&run_dir);
    say(format_args!("{}: {} in {}", recipe.name, recipe.title, run_dir.display()));
    fetch::bring(&recipe, &plan)?;
    claims::keep(&recipe, &folder)?;
    let done = scored::run(&recipe, &plan, &folder, only.as_deref(), provenance)?;
    let Done { ran, reused, left } = &done;
    say(format_args!("{} scored, {reused} taken as they were, in {}", count(*ran as u64, "file"), run_dir.display()));
    if left.is_empty() {
        leaderboard::write(&folder, &plan)?;
    } else {
        let way_out = "`reproduce` without --until goes on from here";
        say(format_args!("stopped as asked; still to do: {} ({way_out})", left.join(", ")));
    }
    Ok(true)
}
