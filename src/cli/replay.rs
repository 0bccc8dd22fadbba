//! `replay`: one question of a run, answered again.

use super::{Format, ReplayArgs, device, plan, pretty, print};
use crate::artifact::{Manifest, RunFolder, Sample, read};
use crate::error::{Error, Result};
use crate::model::guard;
use crate::pins::Sha256;
use crate::plan::{Plan, Stage, Work};
use crate::stage::{Replay, replay};
use std::fmt::Write;
use std::path::PathBuf;

pub(super) fn run(args: &ReplayArgs) -> Result<()> {
    let folder = RunFolder::new(&args.run);
    let manifest = read::manifest(&folder)?;
    let recipe = recipe_file(args, &manifest)?;
    let then = manifest.provenance.device.as_str();
    let there = if then.starts_with("cuda") { "cuda" } else { "cpu" };
    let device = device::parse(args.device.as_deref().unwrap_or(there))?;
    let threads = args.threads.unwrap_or(manifest.provenance.threads.unsigned_abs());
    tch::set_num_threads(i32::try_from(threads).unwrap_or(i32::MAX));
    let (plan, place) = planned(args, &manifest, &folder, recipe)?;
    let stage = &plan.stages[place];
    let replay = guard(|| replay(&plan, folder.root(), device, stage, &args.id))?;
    match args.format {
        Format::Text => print(&text(stage, &replay))?,
        Format::Json => print(&pretty(&json(stage, &replay))?)?,
    }
    if replay.same() {
        return Ok(());
    }
    let now = device::describe(device);
    let elsewhere = match now.split(':').next() == then.split(':').next() {
        true => String::new(),
        false => format!(" (the run computed on {then}, this on {now}: rounding differs)"),
    };
    Err(Error::difference(format!("{}: question {} came out otherwise than on record{elsewhere}", stage.name, args.id)))
}

/// The recipe that the run was made by: named by the caller, or where the run says it lay.
fn recipe_file(args: &ReplayArgs, manifest: &Manifest) -> Result<PathBuf> {
    let at = args.recipe.clone().unwrap_or_else(|| PathBuf::from(&manifest.recipe_file));
    if !at.is_file() {
        return Err(Error::inputs(format!(
            "{}: its recipe {} is not at {:?}: say with --recipe FILE where it is",
            args.run.display(),
            manifest.recipe,
            at.display().to_string()
        )));
    }
    let found = Sha256::of_file(&at)?;
    if found != manifest.recipe_sha256 {
        return Err(Error::inputs(format!(
            "{}: expected the recipe of {} with sha256 {}, found {found} (it was changed since; say with --recipe FILE where the one is that the run was made by)",
            at.display(),
            args.run.display(),
            manifest.recipe_sha256,
        )));
    }
    Ok(at)
}

/// The plan that the run followed, and the place of the evaluation in it.
fn planned(args: &ReplayArgs, manifest: &Manifest, folder: &RunFolder, recipe: PathBuf) -> Result<(Plan, usize)> {
    let done: Vec<&str> =
        manifest.stages.iter().filter(|s| s.kind == "evaluate" && s.done).map(|s| s.name.as_str()).collect();
    let name = match (&args.eval, done.as_slice()) {
        (Some(name), names) if names.contains(&name.as_str()) => name.as_str(),
        (Some(name), names) => {
            let found = if names.is_empty() { "none".to_owned() } else { names.join(", ") };
            return Err(Error::request(format!(
                "--eval {name}: expected a finished evaluation of {}, found {found}",
                args.run.display()
            )));
        }
        (None, [one]) => one,
        (None, []) => {
            return Err(Error::request(format!("{}: no evaluation is done there", args.run.display())));
        }
        (None, names) => holding(folder, manifest, names, &args.id)?,
    };
    let state = manifest.stages.iter().find(|s| s.name == name).ok_or_else(|| Error::internal("a stage is gone"))?;
    let record = read::eval(&folder.folder(&state.folder))?;
    let request = super::RecipeArgs {
        recipe,
        sets: manifest.overrides.clone(),
        run_dir: Some(args.run.clone()),
        limit: (record.asked < record.questions).then_some(record.asked),
    };
    let (_, plan, _) = plan::load(&request)?;
    let place = plan.stages.iter().position(|s| s.name == name && matches!(s.work, Work::Evaluate { .. }));
    let place = place.ok_or_else(|| Error::internal("the plan has no such stage"))?;
    let now = &plan.stages[place].fingerprint;
    if *now != state.fingerprint {
        return Err(Error::inputs(format!(
            "{}: {name} has the fingerprint {} there, and {} by this program and what the recipe names now (the lock, an input or the program changed: `aqa-bench plan` shows the stages)",
            args.run.display(),
            state.fingerprint.short(),
            now.short(),
        )));
    }
    Ok((plan, place))
}

/// The one evaluation that asked the question.
fn holding<'a>(folder: &RunFolder, manifest: &Manifest, names: &[&'a str], id: &str) -> Result<&'a str> {
    let mut asked = Vec::new();
    for &name in names {
        let at = manifest.stages.iter().find(|s| s.name == name).map_or("", |s| s.folder.as_str());
        if read::samples(&folder.folder(at))?.rows.iter().any(|sample| sample.id == id) {
            asked.push(name);
        }
    }
    match asked.as_slice() {
        [one] => Ok(one),
        [] => Err(Error::request(format!("--id {id}: no evaluation of {} asked it", folder.root().display()))),
        several => Err(Error::request(format!(
            "--id {id}: {} asked it: say with --eval NAME which one is meant",
            several.join(", ")
        ))),
    }
}

fn text(stage: &Stage, replay: &Replay) -> String {
    let now = replay.in_batch.as_ref().unwrap_or(&replay.alone);
    let mut out = format!("{}, question {} ({})\n", stage.name, replay.recorded.id, replay.task);
    for (what, before, after) in facts(&replay.recorded, now) {
        let _ = match before == after {
            true => writeln!(out, "  {what:<9} same: {before}"),
            false => writeln!(out, "  {what:<9} on record: {before}\n            now:       {after}"),
        };
    }
    if replay.in_batch.is_some() && replay.same() {
        let alone = &replay.alone.output;
        let _ = writeln!(out, "  asked alone it says {alone:?}: rounding, which differs with the batch, decides here");
    }
    out
}

/// What is compared, as it is printed.
fn facts(before: &Sample, after: &Sample) -> Vec<(&'static str, String, String)> {
    let verdict = |s: &Sample| s.verdict.map_or("withheld".to_owned(), |v| v.in_words().to_owned());
    let error = |s: &Sample| s.error.clone().unwrap_or_default();
    let mut facts = vec![
        ("prompt", before.prompt_sha256.clone(), after.prompt_sha256.clone()),
        ("output", format!("{:?}", before.output), format!("{:?}", after.output)),
        ("answer", format!("{:?}", before.answer), format!("{:?}", after.answer)),
        ("tokens", before.tokens.to_string(), after.tokens.to_string()),
        ("verdict", verdict(before), verdict(after)),
    ];
    if before.error != after.error || before.error.is_some() {
        facts.push(("error", error(before), error(after)));
    }
    facts
}

fn json(stage: &Stage, replay: &Replay) -> serde_json::Value {
    serde_json::json!({
        "evaluation": stage.name,
        "id": replay.recorded.id,
        "same": replay.same(),
        "recorded": replay.recorded,
        "alone": replay.alone,
        "in_batch": replay.in_batch,
    })
}
