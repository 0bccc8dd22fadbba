//! Inputs against a lock: every file is what it was when the lock was made.

use super::{Lock, Locked};
use crate::error::{Error, Result};
use crate::plan::{Content, Plan};
use crate::progress::Progress;
use crate::text;
use std::collections::BTreeSet;
use std::path::PathBuf;

/// Problems that are shown; the others are counted.
const SHOWN: usize = 20;

/// What the questions of a data set take otherwise than when the lock was made.
fn questions(plan: &Plan, what: &str, locked: &Locked) -> Result<Vec<String>> {
    let Some(taken) = plan.clips_taken(what)? else { return Ok(Vec::new()) };
    let mut problems = Vec::new();
    if let (Some(expected), Some(kept)) = (&locked.kept_ids, &taken.kept)
        && *expected != kept.kept_ids
    {
        let found = &kept.kept_ids;
        problems.push(format!(
            "{what}: the lock keeps the questions of ids sha256 {expected}, the clips that are there those of {found}"
        ));
    }
    problems.extend(others(what, locked, &taken.there));
    Ok(problems)
}

/// Clips that the questions take now and took none of, or others, when the lock was made: one in another folder, or one that was missing.
fn others(what: &str, locked: &Locked, found: &BTreeSet<String>) -> Option<String> {
    let new: Vec<&String> = found.iter().filter(|name| !locked.files.contains_key(*name)).collect();
    let first = new.first()?;
    Some(format!(
        "{what}: the questions take {} that the lock has not, the first is {first}",
        text::count(new.len() as u64, "clip")
    ))
}

/// Holds every input of a plan against the lock.
///
/// # Errors
/// Exit code 4: an input that the lock does not know, or lacks; a file that is missing or is another one, both hashes named.
pub fn check(plan: &Plan, lock: &Lock) -> Result<()> {
    let mut problems = Vec::new();
    let contents = plan.contents()?;
    for name in lock.inputs.keys().filter(|name| !contents.iter().any(|(what, _)| what == *name)) {
        problems.push(format!("{name}: the lock has it, the recipe has not"));
    }
    let total = contents.iter().filter_map(|(what, _)| lock.inputs.get(what)).map(|l| l.files.len() as u64).sum();
    let (mut progress, mut done) = (Progress::start("lock", 0, total), 0);
    for (what, content) in &contents {
        let Some(locked) = lock.inputs.get(what) else {
            problems.push(format!("{what}: the recipe has it, the lock has not"));
            continue;
        };
        // Questions that cannot be read are an input of their own, whose hash tells.
        problems.extend(questions(plan, what, locked).unwrap_or_else(|e| vec![format!("{what}: {e}")]));
        for (name, expected) in &locked.files {
            progress.at(done, "");
            done += 1;
            let path: PathBuf = match content {
                Content::Folder(dir) => dir.join(name),
                Content::File(path) => path.clone(),
            };
            match expected.0.of_file(&path, &mut |_| ()) {
                Ok(found) if found == expected.0 => {}
                Ok(found) => {
                    problems.push(format!("{what}: {}: the lock says {}, found {found}", path.display(), expected.0))
                }
                Err(_) if !path.exists() => {
                    problems.push(format!("{what}: {}: the lock has it, it is not there", path.display()))
                }
                Err(e) => problems.push(format!("{what}: {e}")),
            }
        }
    }
    progress.clear();
    if problems.is_empty() {
        return Ok(());
    }
    let more = problems.len().saturating_sub(SHOWN);
    problems.truncate(SHOWN);
    if more > 0 {
        problems.push(format!("and {more} more"));
    }
    let way_out = format!("put back what was locked, or make the lock anew: aqa-bench lock {}.yaml", plan.recipe);
    Err(Error::inputs(format!("{}\n({way_out})", problems.join("\n"))))
}
