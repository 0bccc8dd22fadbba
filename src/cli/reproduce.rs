//! `reproduce`, `train` and `eval`: run the plan, then render the report.

use super::{RunArgs, claims, device, fetch, leaderboard, memory, plan};
use crate::artifact::Provenance;
use crate::artifact::layout::RunFolder;
use crate::error::{Error, Result};
use crate::plan::{Done, Plan, Work};
use crate::progress::say;
use crate::stage::{self, Options, places_up_to};

/// Which part of the plan is run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Part {
    /// Every stage, then the report.
    All,
    /// Training stages and what they need.
    Train,
    /// Evaluations and what they need.
    Eval,
}

pub(super) fn run(args: &RunArgs, part: Part) -> Result<()> {
    let (recipe, plan, run_dir) = plan::load(&args.recipe)?;
    let device = device::parse(&args.device)?;
    let threads = args.threads.map_or_else(device::threads, |n| n as usize);
    let provenance = Provenance {
        version: env!("CARGO_PKG_VERSION").into(),
        commit: env!("AQA_COMMIT").into(),
        argv: std::env::args().collect(),
        libtorch: env!("AQA_LIBTORCH").into(),
        device: device::describe(device),
        threads: threads as i64,
    };
    let only = only(&plan, part, args.until.as_deref())?;
    let folder = RunFolder::new(&run_dir);
    say(format_args!("{}: {} in {}", recipe.name, recipe.title, run_dir.display()));
    fetch::bring(&recipe, &plan)?;
    claims::keep(&recipe, &folder)?;
    let options = Options { device, threads, only, provenance, capacity: memory::capacity(device) };
    let done = stage::run(&recipe, &plan, &folder, &options)?;
    conclude(&done, part, &folder, &plan)
}

/// Places in the plan of the stages to run; `None` is all of them.
fn only(plan: &Plan, part: Part, until: Option<&str>) -> Result<Option<Vec<usize>>> {
    let wanted = |stage: &Work| match part {
        Part::All => true,
        Part::Train => matches!(stage, Work::Train { .. }),
        Part::Eval => matches!(stage, Work::Evaluate { .. } | Work::Score { .. }),
    };
    if let Some(name) = until {
        return places_up_to(plan, name).map(Some);
    }
    if part == Part::All {
        return Ok(None);
    }
    let mut places = Vec::new();
    for stage in plan.stages.iter().filter(|s| wanted(&s.work)) {
        places.extend(places_up_to(plan, &stage.name)?);
    }
    if places.is_empty() {
        let what = if part == Part::Train { "train" } else { "eval" };
        return Err(Error::request(format!(
            "recipe {}: it has no {what} stages, so there is nothing to do",
            plan.recipe
        )));
    }
    places.sort_unstable();
    places.dedup();
    Ok(Some(places))
}

/// The report of a complete run, on standard output and in the run folder.
fn conclude(done: &Done, part: Part, folder: &RunFolder, plan: &Plan) -> Result<()> {
    let Done { ran, reused, left } = done;
    say(format_args!("{ran} stages run, {reused} taken as they were, in {}", folder.root().display()));
    if !left.is_empty() {
        let way_out = "`reproduce` without --until goes on from here";
        say(format_args!("stopped as asked; still to do: {} ({way_out})", left.join(", ")));
    }
    if !left.is_empty() || part == Part::Train {
        return Ok(());
    }
    leaderboard::write(folder, plan)
}
