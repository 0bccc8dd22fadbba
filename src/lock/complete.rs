//! From a lock into a recipe: the pins that it could not know beforehand.

use super::{Lock, Locked, is_of};
use crate::error::{Error, Result};
use crate::pins::{Commit, Revision, Sha256};
use crate::recipe::{Dataset, Model, Recipe};

/// Fills in what the recipe leaves to its lock, and holds what it pins itself against it.
///
/// # Errors
/// Exit code 4: a pin of the recipe is another one than the lock's, both named.
pub fn complete(recipe: &mut Recipe, lock: &Lock) -> Result<()> {
    let whole = recipe.name.clone();
    one(recipe, lock, "", &whole)
}

/// `prefix` stands before the inputs of a recipe that the locked one builds on.
fn one(recipe: &mut Recipe, lock: &Lock, prefix: &str, whole: &str) -> Result<()> {
    let locked = |what: String| (lock.inputs.get(&format!("{prefix}{what}")), format!("{prefix}{what}"));
    match &mut recipe.model {
        Model::Checkpoint(checkpoint) => {
            if let (Some(locked), what) = locked("model".to_owned()) {
                revision(&mut checkpoint.revision, locked, &what, whole)?;
            }
        }
        Model::Stage(from) => {
            let prefix = format!("{}/", from.recipe.name);
            one(&mut from.recipe, lock, &prefix, whole)?;
        }
        Model::Init(_) | Model::Absent => {}
    }
    for (name, set) in &mut recipe.data {
        if let Dataset::MmauParquet(parquet) = set
            && let (Some(locked), what) = locked(format!("data set {name}"))
        {
            revision(&mut parquet.revision, locked, &what, whole)?;
        }
        let (Dataset::Mmau(files) | Dataset::Avqa(files)) = set else { continue };
        if let (Some(locked), what) = locked(format!("data set {name}")) {
            revision(&mut files.revision, locked, &what, whole)?;
        }
        if let (Some(locked), what) = locked(format!("audio of data set {name}")) {
            revision(&mut files.revision, locked, &what, whole)?;
            archive(&mut files.audio_sha256, locked, &what, whole)?;
        }
    }
    Ok(())
}

fn revision(own: &mut Option<Commit>, locked: &Locked, what: &str, recipe: &str) -> Result<()> {
    let (Some(commit), Some(revision)) = (own.as_ref(), &locked.revision) else { return Ok(()) };
    if !is_of(commit, revision) {
        return Err(other(what, recipe, format!("revision {commit}"), revision));
    }
    *own = Some(Revision::clone(revision).into());
    Ok(())
}

fn archive(own: &mut Option<Sha256>, locked: &Locked, what: &str, recipe: &str) -> Result<()> {
    let Some(archive) = &locked.archive else { return Ok(()) };
    if let Some(pinned) = own.as_ref().filter(|pinned| *pinned != archive) {
        return Err(other(what, recipe, format!("sha256 {pinned}"), archive));
    }
    *own = Some(archive.clone());
    Ok(())
}

fn other(what: &str, recipe: &str, says: String, locked: impl std::fmt::Display) -> Error {
    Error::inputs(format!(
        "{what}: the recipe pins {says}, its lock {locked} (correct the recipe, or make the lock anew: aqa-bench lock {recipe}.yaml)"
    ))
}
