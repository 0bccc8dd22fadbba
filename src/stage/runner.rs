//! Walks the plan: reuses what is there by its fingerprint, runs the rest, keeps the manifest true at every moment.

use super::evaluate::Job;
use super::feed::Clips;
use super::{Context, data, evaluate, train};
use crate::artifact::layout::RunFolder;
use crate::artifact::read;
use crate::artifact::write::{self, failed};
use crate::artifact::{Expectation, Manifest, Provenance, SCHEMA, StageState};
use crate::error::{Error, Kind, Result};
use crate::plan::memory::{self, Capacity};
use crate::plan::{self, Data, Pace, Plan, Stage, Work};
use crate::progress::say;
use crate::recipe::Recipe;
use std::fs::{File, TryLockError};
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

/// What a run did.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Done {
    /// Stages that were run now.
    pub ran: usize,
    /// Stages whose artifact was there.
    pub reused: usize,
    /// Stages of the plan that are not done, by name.
    pub left: Vec<String>,
}

/// Runs a plan in a run folder.
///
/// # Errors
/// What a stage says; everything finished before stays, and the same call goes on from there.
pub fn run(recipe: &Recipe, plan: &Plan, folder: &RunFolder, options: &Options) -> Result<Done> {
    plan::verify(plan)?;
    tch::set_num_threads(i32::try_from(options.threads).unwrap_or(i32::MAX));
    std::fs::create_dir_all(folder.root()).map_err(|e| failed("make the folder", folder.root(), &e))?;
    let _lock = lock(folder)?;
    let ctx = Context { plan, run: folder.root(), device: options.device, clips: Clips::default() };
    let wanted = |index: &usize| options.only.as_ref().is_none_or(|only| only.contains(index));
    let wanted: Vec<(usize, &Stage)> = plan.stages.iter().enumerate().filter(|(index, _)| wanted(index)).collect();
    let missing = |stage: &Stage| stage.find(folder.root(), &plan.recipe).is_none();
    wanted.iter().filter(|(_, stage)| missing(stage)).try_for_each(|(_, stage)| preflight(&ctx, stage))?;
    memory::check(plan, wanted.iter().map(|(_, stage)| *stage).filter(|stage| missing(stage)), &options.capacity)?;
    let mut manifest = manifest(recipe, plan, folder, options);
    if !wanted.iter().any(|(_, stage)| missing(stage))
        && let Ok(earlier) = read::manifest(folder)
    {
        // Nothing will be computed: what is there was made as the earlier manifest says, not by this call.
        manifest.provenance = earlier.provenance;
    }
    write::replace_json(&folder.manifest(), &manifest)?;
    let Provenance { device, threads, .. } = &options.provenance;
    let device = if device == "cpu" { format!("cpu with {threads} threads") } else { device.clone() };
    let mut done = Done { ran: 0, reused: 0, left: Vec::new() };
    for (index, stage) in wanted {
        if stage.find(folder.root(), &plan.recipe).is_some() {
            done.reused += 1;
        } else {
            if let Err(e) = one(&ctx, stage, &device) {
                manifest.status = "stopped".into();
                // The stage's own error is the one to report; a manifest that cannot be written has the same cause.
                let _ = write::replace_json(&folder.manifest(), &manifest);
                return Err(e);
            }
            done.ran += 1;
        }
        manifest.stages[index].done = true;
        write::replace_json(&folder.manifest(), &manifest)?;
    }
    done.left = manifest.stages.iter().filter(|s| !s.done).map(|s| s.name.clone()).collect();
    manifest.status = if done.left.is_empty() { "done" } else { "stopped" }.into();
    write::replace_json(&folder.manifest(), &manifest)?;
    Ok(done)
}

/// One process at a time works in a run folder: two would append to the same files. The lock ends with the process.
fn lock(folder: &RunFolder) -> Result<File> {
    let path = folder.root().join(".lock");
    let file = File::create(&path).map_err(|e| failed("write", &path, &e))?;
    match file.try_lock() {
        Ok(()) => {}
        Err(TryLockError::WouldBlock) => {
            let way_out = "wait until it is done, or choose another folder with --run-dir";
            return Err(Error::request(format!(
                "{}: another aqa-bench is working in this run folder ({way_out})",
                folder.root().display()
            )));
        }
        Err(TryLockError::Error(e)) => say(format_args!("{}: not locked: {e}", path.display())),
    }
    Ok(file)
}

/// What the questions of a stage tell before anything is computed. Those that an earlier stage makes are looked at when they are
/// there.
fn preflight(ctx: &Context<'_>, stage: &Stage) -> Result<()> {
    if let Work::Train { train, policy, .. } = &stage.work {
        train::check_policy(train, &ctx.config(policy)?)?;
    }
    match &stage.work {
        Work::Train { data: Data::Stage { .. }, .. } | Work::Evaluate { data: Data::Stage { .. }, .. } => Ok(()),
        Work::Train { train, data, .. } => train::check(train, &ctx.examples(data)?),
        Work::Evaluate { eval, data, limit, .. } => {
            let examples = ctx.examples(data)?;
            evaluate::check(eval, &examples[..limit.unwrap_or(examples.len()).min(examples.len())])
        }
        Work::Data(_) | Work::Init { .. } => Ok(()),
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
            Work::Data(_) | Work::Init { .. } => return Ok(()),
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
    };
    let outcome = crate::model::guard(body);
    outcome.map_err(|e| if e.kind() == Kind::Request { e } else { e.within(format!("stage {}", stage.name)) })
}

fn manifest(recipe: &Recipe, plan: &Plan, folder: &RunFolder, options: &Options) -> Manifest {
    let state = |s: &Stage| StageState {
        name: s.name.clone(),
        kind: s.work.kind().into(),
        fingerprint: s.fingerprint.clone(),
        folder: s.folder.clone(),
        done: s.find(folder.root(), &plan.recipe).is_some(),
    };
    let claim_name = |p: &std::path::PathBuf| p.file_name().map(|n| n.to_string_lossy().into_owned());
    Manifest {
        schema: SCHEMA,
        recipe: recipe.name.clone(),
        title: recipe.title.clone(),
        recipe_sha256: recipe.sha256.clone(),
        overrides: recipe.overrides.clone(),
        status: "running".into(),
        stages: plan.stages.iter().map(state).collect(),
        provenance: options.provenance.clone(),
        claims: recipe.report.claims.iter().filter_map(claim_name).collect(),
        expect: recipe
            .report
            .expect
            .iter()
            .map(|e| Expectation { eval: e.eval.clone(), claim: e.claim.clone() })
            .collect(),
    }
}

/// Refuses a stage name that the plan does not have.
pub fn places_up_to(plan: &Plan, name: &str) -> Result<Vec<usize>> {
    let names = || plan.stages.iter().map(|s| s.name.as_str());
    plan.up_to(name).ok_or_else(|| {
        let hint = crate::text::nearest(name, names()).map_or(String::new(), |n| format!(", did you mean {n:?}?"));
        Error::request(format!("no stage {name:?}: expected one of {}{hint}", names().collect::<Vec<_>>().join(", ")))
    })
}
