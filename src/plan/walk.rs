//! Through the stages of a plan: what is there is taken, the rest is done by whoever can, and the manifest is true at every moment.

use super::{Plan, Stage, keep, manifest};
use crate::artifact::{Provenance, RunFolder, read, write};
use crate::error::Result;
use crate::recipe::Recipe;

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

/// Does the stages at these places (all of them, for `None`) with `one`, in order, where they are not done yet. The run folder is there, and locked.
/// The recipe's own bytes are kept in it.
///
/// # Errors
/// What `one` says; everything finished before stays, and the same call goes on from there. Exit code 2: the recipe's file changed
/// since it was read.
pub fn walk(
    recipe: &Recipe,
    plan: &Plan,
    folder: &RunFolder,
    only: Option<&[usize]>,
    provenance: Provenance,
    mut one: impl FnMut(&Stage) -> Result<()>,
) -> Result<Done> {
    let wanted = |index: &usize| only.is_none_or(|only| only.contains(index));
    let places: Vec<usize> = (0..plan.stages.len()).filter(wanted).collect();
    let mut manifest = manifest(recipe, plan, folder, provenance);
    if places.iter().all(|&index| manifest.stages[index].done)
        && let Ok(earlier) = read::manifest(folder)
    {
        // Nothing will be computed: what is there was made as the earlier manifest says, not by this call.
        manifest.provenance = earlier.provenance;
    }
    keep::keep(recipe, folder)?;
    write::replace_json(&folder.manifest(), &manifest)?;
    let mut done = Done { ran: 0, reused: 0, left: Vec::new() };
    for index in places {
        if manifest.stages[index].done {
            done.reused += 1;
            continue;
        }
        if let Err(e) = one(&plan.stages[index]) {
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
