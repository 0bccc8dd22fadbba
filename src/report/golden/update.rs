//! Writes a golden from a run, whole or not at all.

use super::check;
use super::compare;
use super::files::{self, EvalGolden, Golden, HowMade, LogEntry, Tolerance};
use super::finding::{self, Suite};
use crate::artifact::write::{create, create_json, failed};
use crate::artifact::{RunFolder, read};
use crate::error::{Error, Result};
use crate::pins::Sha256;
use crate::report::portable::portable;
use crate::report::{Format, caption, load, render_loaded};
use std::fs;
use std::path::{Path, PathBuf};

/// Writes the golden `dir` from a finished run, keeping the tolerances, the conditions and the log of the one that is there. A
/// new evaluation must repeat exactly (no flips) until someone writes another tolerance into `golden.json`, and why.
///
/// # Errors
/// Exit code 2: no reason, or the run is not finished or only partly evaluated. Exit code 3: the golden that would be written
/// does not hold (its conditions, or prompts of a chat template other than Qwen2-Audio's); the old one stays. Exit code 4: a
/// broken run. Exit code 1: it cannot be written.
pub fn update(run: &Path, dir: &Path, reason: &str) -> Result<()> {
    let reason = reason.trim();
    if reason.is_empty() {
        return Err(Error::request("--update needs --reason TEXT: why does the golden change?"));
    }
    let old = dir.join("golden.json").exists().then(|| files::read_golden(dir)).transpose()?;
    if let (true, None) = (dir.exists(), &old) {
        return Err(Error::request(format!("{}: it is there and is no golden (no golden.json)", dir.display())));
    }
    let new = sibling(dir, "new")?;
    remove(&new)?;
    let written = write(run, &new, old, reason).and_then(|()| {
        let folder = files::read_folder(&new)?;
        let suite = Suite { golden: dir.to_owned(), run: None, findings: check::stored(&folder)? };
        if suite.differences() == 0 {
            return Ok(());
        }
        Err(Error::difference(format!("{}the golden would not hold, so it was not written", finding::text(&suite))))
    });
    if let Err(error) = written {
        remove(&new)?;
        return Err(error);
    }
    let aside = sibling(dir, "old")?;
    remove(&aside)?;
    let moved = |e: std::io::Error| failed("put in place", dir, &e);
    if dir.exists() {
        fs::rename(dir, &aside).map_err(moved)?;
    }
    fs::rename(&new, dir).map_err(moved)?;
    remove(&aside)
}

fn write(path: &Path, new: &Path, old: Option<Golden>, reason: &str) -> Result<()> {
    let run = portable(load::run(path)?);
    let from = RunFolder::new(path);
    let manifest = read::manifest(&from)?;
    if let Some(old) = old.as_ref().filter(|old| old.how_made.recipe != run.recipe) {
        return Err(Error::request(format!(
            "{}: a run of recipe {}, the golden is one of {} (name another folder for a new golden)",
            path.display(),
            run.recipe,
            old.how_made.recipe
        )));
    }
    let (mut log, kept, conditions) = old.map(|o| (o.log, o.evals, o.conditions)).unwrap_or_default();
    log.push(LogEntry { reason: reason.to_owned(), commit: run.provenance.commit.clone() });
    let mut evals = Vec::new();
    for eval in &run.evals {
        let record = &eval.record;
        let bad = |what: &str| Err(Error::request(format!("{}: {}: {what}", path.display(), record.name)));
        if record.asked < record.questions {
            return bad("only part of the questions were asked; a golden needs them all (run it without --limit)");
        }
        let fresh = compare::fresh(path, eval)?;
        if !fresh.contradictions.is_empty() {
            return bad(&fresh.contradictions.join("; "));
        }
        let at = new.join(&record.name);
        let source = from.folder(&eval.folder);
        create_json(&at.join("eval.json"), record)?;
        create_json(&at.join("score.json"), eval.scored()?)?;
        create_json(&at.join("verdicts.json"), &fresh.verdicts)?;
        if let Some((prompts, outputs)) = &fresh.hashes {
            create_json(&at.join("prompts.json"), prompts)?;
            create_json(&at.join("outputs.json"), outputs)?;
        }
        copy(&source.predictions(), &at.join("predictions.json"))?;
        let strict = || EvalGolden {
            name: record.name.clone(),
            tolerance: Tolerance::Flips(0),
            why: if record.trained {
                "the default; training differs between machines by rounding, so a margin belongs here".into()
            } else {
                "the default: it must repeat exactly".into()
            },
            predictions_sha256: None,
        };
        let kept = kept.iter().find(|k| k.name == record.name).cloned().unwrap_or_else(strict);
        evals.push(EvalGolden { predictions_sha256: Some(Sha256::of_file(&at.join("predictions.json"))?), ..kept });
    }
    for name in &manifest.claims {
        if from.claims(name).exists() {
            copy(&from.claims(name), &RunFolder::new(new).claims(name))?;
        }
    }
    let how_made = HowMade {
        command: caption::command(&run.provenance.argv),
        recipe: run.recipe.clone(),
        title: run.title.clone(),
        recipe_sha256: run.recipe_sha256.clone(),
        overrides: run.overrides.clone(),
        provenance: run.provenance.clone(),
    };
    let (claims, expect, groups) = (manifest.claims, manifest.expect, manifest.groups);
    let golden = Golden { schema: files::SCHEMA, how_made, claims, expect, groups, evals, conditions, log };
    create(&new.join("leaderboard.md"), render_loaded(&[run], Format::Markdown)?.as_bytes())?;
    create_json(&new.join("golden.json"), &golden)
}

fn copy(from: &Path, to: &Path) -> Result<()> {
    create(to, &fs::read(from).map_err(|e| Error::inputs(format!("cannot read {}: {e}", from.display())))?)
}

/// `.NAME.WHAT` beside the golden.
fn sibling(dir: &Path, what: &str) -> Result<PathBuf> {
    let name = dir.file_name().ok_or_else(|| Error::request(format!("{}: not the name of a golden", dir.display())))?;
    Ok(dir.with_file_name(format!(".{}.{what}", name.to_string_lossy())))
}

fn remove(dir: &Path) -> Result<()> {
    if dir.exists() { fs::remove_dir_all(dir).map_err(|e| failed("remove", dir, &e)) } else { Ok(()) }
}
