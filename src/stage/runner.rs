//! Runs a plan: looks at everything first, then walks its stages.

use super::evaluate::Job;
use super::feed::Clips;
use super::{Context, data, evaluate, train};
use crate::artifact::layout::RunFolder;
use crate::artifact::write::failed;
use crate::artifact::{Provenance, lock};
use crate::data::avqa;
use crate::error::{Kind, Result};
use crate::plan::memory::{self, Capacity};
use crate::plan::{self, Data, Done, Pace, Plan, Stage, Work};
use crate::progress::say;
use crate::recipe::Recipe;
use crate::scored;
use std::path::Path;
use std::time::Instant;
use tch::Device;

/// How a plan is run.
#[derive(Debug, Clone)]
pub struct Options {
    /// Where it computes.
    pub device: Device,
    /// Threads libtorch computes with.
    pub threads: usize,
    /// The stages to run (places in the plan), each with what it needs; all of them by default.
    pub only: Option<Vec<usize>>,
    /// Memory that the run may take; stages that would take more are refused before anything is loaded.
    pub capacity: Capacity,
    /// What was there when the run started.
    pub provenance: Provenance,
}

/// Runs a plan in a run folder.
///
/// # Errors
/// What a stage says; everything finished before stays, and the same call goes on from there.
pub fn run(recipe: &Recipe, plan: &Plan, folder: &RunFolder, options: &Options) -> Result<Done> {
    plan::verify(plan)?;
    tch::set_num_threads(i32::try_from(options.threads).unwrap_or(i32::MAX));
    std::fs::create_dir_all(folder.root()).map_err(|e| failed("make the folder", folder.root(), &e))?;
    let _lock = lock::lock(folder)?;
    let ctx = Context { plan, run: folder.root(), device: options.device, clips: Clips::default() };
    let wanted = |index: &usize| options.only.as_ref().is_none_or(|only| only.contains(index));
    let missing = |stage: &Stage| stage.find(folder.root(), &plan.recipe).is_none();
    let wanted = plan.stages.iter().enumerate().filter(|(index, stage)| wanted(index) && missing(stage));
    let to_do: Vec<&Stage> = wanted.map(|(_, stage)| stage).collect();
    to_do.iter().try_for_each(|stage| preflight(&ctx, stage))?;
    memory::check(plan, to_do.into_iter(), &options.capacity)?;
    let Provenance { device, threads, .. } = &options.provenance;
    let device = if device == "cpu" { format!("cpu with {threads} threads") } else { device.clone() };
    let only = options.only.as_deref();
    plan::walk(recipe, plan, folder, only, options.provenance.clone(), |stage| one(&ctx, stage, &device))
}

/// What the questions of a stage tell before anything is computed. Those that an earlier stage makes are looked at when they are
/// there.
fn preflight(ctx: &Context<'_>, stage: &Stage) -> Result<()> {
    if let Work::Train { train, policy, .. } = &stage.work {
        train::check_policy(train, &ctx.config(policy)?)?;
    }
    match &stage.work {
        Work::Train { data: Data::Stage { .. }, .. } | Work::Evaluate { data: Data::Stage { .. }, .. } => Ok(()),
        Work::Train { train, data, .. } => {
            if let Data::Avqa { files, .. } = data
                && let Some(kept) = avqa::kept(&files.questions()?, &files.clips()?)?
            {
                say(format_args!("{}: {}", train.name, kept.in_words()));
            }
            train::check(train, &ctx.examples(data)?)
        }
        Work::Evaluate { data: Data::Avqa { name, .. }, .. } | Work::Score { data: Data::Avqa { name, .. }, .. } => {
            Err(scored::no_tasks(&stage.name, name))
        }
        Work::Evaluate { eval, data, limit, .. } => {
            let examples = ctx.examples(data)?;
            evaluate::check(eval, &examples[..limit.unwrap_or(examples.len()).min(examples.len())])
        }
        Work::Data(_) | Work::Init { .. } | Work::Score { .. } => Ok(()),
    }
}

/// Runs one stage in its partial folder and renames it into place.
fn one(ctx: &Context<'_>, stage: &Stage, device: &str) -> Result<()> {
    let place = ctx.run.join(&stage.folder);
    let partial = ctx.run.join(format!("{}.partial", stage.folder));
    let begun = partial.is_dir();
    std::fs::create_dir_all(&partial).map_err(|e| failed("make the folder", &partial, &e))?;
    let started = Instant::now();
    work(ctx, stage, &partial)?;
    if !begun {
        note(ctx, stage, device, started.elapsed().as_secs_f64());
    }
    std::fs::rename(&partial, &place).map_err(|e| failed("rename", &partial, &e))
}

/// Notes how long a stage took, for the plans of others like it. That is no part of the run: where it cannot be kept, it is said.
fn note(ctx: &Context<'_>, stage: &Stage, device: &str, seconds: f64) {
    let noted = || -> Result<()> {
        let (policy, questions) = match &stage.work {
            Work::Train { policy, .. } => (policy, stage.work.amount().0.unwrap_or(0)),
            Work::Evaluate { policy, data, limit, .. } => {
                let all = ctx.examples(data)?.len();
                (policy, limit.unwrap_or(all).min(all) as u64)
            }
            Work::Data(_) | Work::Init { .. } | Work::Score { .. } => return Ok(()),
        };
        plan::note(stage, &ctx.config(policy)?, device, Pace { questions, seconds })
    };
    if let Err(e) = noted() {
        say(format_args!("stage {}: how long it took is not kept: {e}", stage.name));
    }
}

/// A libtorch error arrives as a panic of its binding: it becomes an error of the stage, with the way out where it is memory.
fn work(ctx: &Context<'_>, stage: &Stage, partial: &Path) -> Result<()> {
    let body = || match &stage.work {
        Work::Data(spec) => data::synthetic(&stage.name, spec, partial),
        Work::Init { init, seed } => data::init(init, *seed, partial),
        Work::Train { train, seed, policy, data } => train::run(ctx, train, *seed, policy, data, partial),
        Work::Evaluate { eval, seed, policy, data, limit } => {
            evaluate::run(ctx, &Job { eval, seed: *seed, policy, data, limit: *limit }, partial)
        }
        Work::Score { scored, data, limit } => {
            let (format, sha256, packed) = ctx.dataset_id(data)?;
            let questions = scored::Questions { format, sha256, packed, all: ctx.examples(data)? };
            let score = scored::score(scored, &questions, *limit, partial)?;
            say(format_args!("{}: {}", stage.name, score.in_words()));
            Ok(())
        }
    };
    let outcome = crate::model::guard(body);
    outcome.map_err(|e| if e.kind() == Kind::Request { e } else { e.within(format!("stage {}", stage.name)) })
}
