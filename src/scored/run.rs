//! A run that only scores files. What `stage` does where a model is needed, without the engine.

use super::{Questions, score};
use crate::artifact::write::{self, failed};
use crate::artifact::{Provenance, RunFolder, lock, read};
use crate::error::{Error, Result};
use crate::plan::{self, Plan, Stage, Work};
use crate::progress::say;
use crate::recipe::Recipe;

/// What a run did.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Done {
    /// Files that were scored now.
    pub ran: usize,
    /// Files whose score was there.
    pub reused: usize,
    /// Stages of the plan that are not done, by name.
    pub left: Vec<String>,
}

/// Runs the stages of a plan that has no others, those at these places alone when they are given.
///
/// # Errors
/// Exit code 4: an input is missing or not what was pinned; nothing is done then. As [`score()`]. What was scored before stays.
pub fn run(
    recipe: &Recipe,
    plan: &Plan,
    folder: &RunFolder,
    only: Option<&[usize]>,
    provenance: Provenance,
) -> Result<Done> {
    plan::verify(plan)?;
    std::fs::create_dir_all(folder.root()).map_err(|e| failed("make the folder", folder.root(), &e))?;
    let _lock = lock::lock(folder)?;
    let mut manifest = plan::manifest(recipe, plan, folder, provenance);
    if manifest.stages.iter().all(|s| s.done)
        && let Ok(earlier) = read::manifest(folder)
    {
        // Nothing will be computed: what is there was made as the earlier manifest says, not by this call.
        manifest.provenance = earlier.provenance;
    }
    write::replace_json(&folder.manifest(), &manifest)?;
    let mut done = Done { ran: 0, reused: 0, left: Vec::new() };
    for (index, stage) in plan.stages.iter().enumerate().filter(|(i, _)| only.is_none_or(|only| only.contains(i))) {
        if manifest.stages[index].done {
            done.reused += 1;
            continue;
        }
        if let Err(e) = one(folder, stage) {
            manifest.status = "stopped".into();
            // The stage's own error is the one to report; a manifest that cannot be written has the same cause.
            let _ = write::replace_json(&folder.manifest(), &manifest);
            return Err(e);
        }
        done.ran += 1;
        manifest.stages[index].done = true;
        write::replace_json(&folder.manifest(), &manifest)?;
    }
    done.left = manifest.stages.iter().filter(|s| !s.done).map(|s| s.name.clone()).collect();
    manifest.status = if done.left.is_empty() { "done" } else { "stopped" }.into();
    write::replace_json(&folder.manifest(), &manifest)?;
    Ok(done)
}

/// Scores one file in a partial folder, which is renamed into place when it is whole.
fn one(folder: &RunFolder, stage: &Stage) -> Result<()> {
    let Work::Score { scored, data, limit } = &stage.work else {
        return Err(Error::internal(format!("stage {} needs the engine", stage.name)));
    };
    let place = folder.root().join(&stage.folder);
    let partial = folder.root().join(format!("{}.partial", stage.folder));
    std::fs::create_dir_all(&partial).map_err(|e| failed("make the folder", &partial, &e))?;
    let score = score(scored, &Questions::load(data)?, *limit, &partial)?;
    std::fs::rename(&partial, &place).map_err(|e| failed("rename", &partial, &e))?;
    say(format_args!("{}: {}", stage.name, score.in_words()));
    Ok(())
}
