//! A run that only scores files. What `stage` does where a model is needed, without the engine.

use super::{Questions, score};
use crate::artifact::write::failed;
use crate::artifact::{Provenance, RunFolder, lock};
use crate::error::{Error, Result};
use crate::plan::{self, Done, Plan, Stage, Work};
use crate::progress::say;
use crate::recipe::Recipe;

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
    plan::walk(recipe, plan, folder, only, provenance, |stage| one(folder, stage))
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
