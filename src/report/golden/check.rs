//! Checks goldens: stored predictions scored again, prompts and tables rendered again, fresh runs held against them.

use super::files::{self, Condition, EvalGolden, Folder, Hashes};
use super::finding::{CheckReport, Finding, Kind, Outcome, Place, Suite};
use super::{compare, hold};
use crate::data::Example;
use crate::error::{Error, Result};
use crate::pins::Sha256;
use crate::prompt::ChatTemplate;
use crate::report::judge::{self, Verdicts};
use crate::report::{Format, load, render_loaded};
use crate::score::{Score, Verdict};
use indexmap::IndexMap;
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

/// Checks goldens. Each of `dirs` is a golden, or a folder of goldens; none means `golden/` here. Without a run, verdicts,
/// scores, prompts and tables of the stored predictions must come out exactly the same. With a run, its verdicts and scores are
/// held too against the goldens of its recipe, within their tolerances and conditions.
///
/// # Errors
/// Exit code 4: no golden found, one that is incomplete, of another version or has a file that nothing refers to, or none of the
/// run's recipe; or a run whose files are half written. Exit code 2: a run that is not finished. Differences are no error here.
pub fn check(dirs: &[PathBuf], run: Option<&Path>) -> Result<CheckReport> {
    let here = [PathBuf::from("golden")];
    let dirs = if dirs.is_empty() { &here } else { dirs };
    let mut folders = Vec::new();
    for dir in dirs {
        for path in goldens(dir)? {
            folders.push(files::read_folder(&path)?);
        }
    }
    let mut suites = Vec::new();
    for folder in &folders {
        suites.push(Suite { golden: folder.path.clone(), run: None, findings: stored(folder)? });
    }
    if let Some(path) = run {
        let run = load::run(path)?;
        let mut matching = folders.iter().filter(|f| f.golden.how_made.recipe == run.recipe).peekable();
        if matching.peek().is_none() {
            let found: Vec<&str> = folders.iter().map(|f| f.golden.how_made.recipe.as_str()).collect();
            let (recipe, found) = (&run.recipe, found.join(", "));
            return Err(Error::inputs(format!("{}: no golden of recipe {recipe} (found {found})", path.display())));
        }
        for folder in matching {
            let findings = compare::run(folder, path, &run)?;
            suites.push(Suite { golden: folder.path.clone(), run: Some(path.to_owned()), findings });
        }
    }
    Ok(CheckReport::new(folders.len(), suites))
}

/// A golden itself, or every folder in a folder of goldens; each must be one. Beside them only a README.md may lie.
fn goldens(dir: &Path) -> Result<Vec<PathBuf>> {
    if dir.join("golden.json").exists() {
        return Ok(vec![dir.to_owned()]);
    }
    let mut paths = Vec::new();
    for (name, is_dir) in files::list(dir)? {
        let path = dir.join(&name);
        match (is_dir, name.as_str()) {
            (true, _) if path.join("golden.json").exists() => paths.push(path),
            (true, _) => {
                return Err(Error::inputs(format!("{}: no golden.json there: not a golden", path.display())));
            }
            (false, "README.md") => {}
            (false, _) => return Err(Error::inputs(format!("{}: belongs to no golden", path.display()))),
        }
    }
    if paths.is_empty() {
        return Err(Error::inputs(format!("{}: no golden found, so nothing was checked", dir.display())));
    }
    Ok(paths)
}

/// The stored predictions, scored and rendered again.
pub(super) fn stored(folder: &Folder) -> Result<Vec<Finding>> {
    let mut findings = Vec::new();
    for ((eval, stored), kept) in folder.run.evals.iter().zip(&folder.stored).zip(&folder.golden.evals) {
        let name = &eval.record.name;
        findings.extend(untouched(folder, kept)?);
        let (now, verdicts) = judge::rescore(&eval.predictions, &eval.record.rule, &failed(&stored.verdicts))?;
        let flips = hold::flips(&eval.predictions, &stored.verdicts, &verdicts, |_| None);
        findings.push(hold::verdicts(folder, name, stored.verdicts.len(), flips, Outcome::Different));
        findings.push(score(folder, name, eval.scored()?, &now));
        if let Some(prompts) = &stored.prompts {
            let rendered = render_prompts(&judge::template(&eval.record)?, &eval.record.prompt, &eval.predictions)?;
            findings.push(hold::prompts(folder, name, prompts, &rendered));
        }
        match (&stored.prompts, &stored.outputs) {
            (_, Some(outputs)) => findings.extend(whole(folder, name, outputs, &eval.predictions)),
            (Some(_), None) => findings.push(hold::not_recorded(name)),
            (None, None) => {}
        }
    }
    findings.extend(conditions(folder, &folder.run)?);
    findings.push(hold::table(folder, &render_loaded(std::slice::from_ref(&folder.run), Format::Markdown)?));
    Ok(findings)
}

/// Whether the stored predictions are those that the golden was made of.
fn untouched(folder: &Folder, kept: &EvalGolden) -> Result<Option<Finding>> {
    let file = folder.path.join(&kept.name).join("predictions.json");
    let Some(expected) = &kept.predictions_sha256 else { return Ok(None) };
    let found = Sha256::of_file(&file)?;
    if found == *expected {
        return Ok(None);
    }
    let text = format!(
        "predictions.json was changed after the golden was made: expected sha256 {}, found {}",
        expected.short(),
        found.short()
    );
    Ok(Some(Finding::of(&kept.name, Kind::Predictions, Outcome::Different, text).at(Place { file, line: 1 })))
}

fn score(folder: &Folder, name: &str, was: &Score, is: &Score) -> Finding {
    let of = |outcome, text| Finding::of(name, Kind::Score, outcome, text);
    if was == is {
        return of(Outcome::Same, format!("score {:.2} ({}/{}): same", is.accuracy, is.correct, is.total));
    }
    let where_else =
        if (was.correct, was.total) == (is.correct, is.total) { ", in a breakdown or the ledger" } else { "" };
    let text = format!(
        "score.json changed: {:.2} ({}/{}) → {:.2} ({}/{}){where_else}",
        was.accuracy, was.correct, was.total, is.accuracy, is.correct, is.total,
    );
    of(Outcome::Different, text).at(Place { file: folder.path.join(name).join("score.json"), line: 1 })
}

/// Nothing can be made again of what the model said, but the list of it can be broken.
fn whole(folder: &Folder, name: &str, outputs: &Hashes, rows: &[Example]) -> Option<Finding> {
    let ids = outputs.by_id.keys().map(String::as_str);
    if *outputs == Hashes::of(outputs.by_id.clone()) && ids.eq(rows.iter().map(|row| row.id.as_str())) {
        return None;
    }
    let text = "outputs.json: not a hash for each prediction, in their order, with the hash over all";
    let place = Place { file: folder.path.join(name).join("outputs.json"), line: 1 };
    Some(Finding::of(name, Kind::Outputs, Outcome::Different, text).at(place))
}

/// Ids of questions that could not be put to the model.
pub(super) fn failed(verdicts: &Verdicts) -> BTreeSet<&str> {
    verdicts.iter().filter(|(_, v)| **v == Verdict::Failed).map(|(id, _)| id.as_str()).collect()
}

/// Prompts of all questions.
pub(super) fn render_prompts(template: &ChatTemplate, style: &str, rows: &[Example]) -> Result<Hashes> {
    let hashes = rows.iter().map(|row| Ok((row.id.clone(), judge::prompt_sha256(template, style, row)?)));
    Ok(Hashes::of(hashes.collect::<Result<IndexMap<_, _>>>()?))
}

/// The golden's conditions on the results of a run or of the golden itself.
pub(super) fn conditions(folder: &Folder, run: &load::Run) -> Result<Vec<Finding>> {
    let place = Place::find(folder.path.join("golden.json"), "\"conditions\":");
    let held = |c| condition(run, c).map(|(outcome, text)| Finding::whole(Kind::Conditions, outcome, text));
    folder.golden.conditions.iter().map(|c| Ok(held(c)?.at(place.clone()))).collect()
}

/// Whether a condition holds, in words. One on an evaluation that the run does not have could not be checked, and so does not hold.
fn condition(run: &load::Run, Condition { eval: name, above, by }: &Condition) -> Result<(Outcome, String)> {
    let absent = |missing: &[&str]| {
        let missing = missing.join(" and ");
        let text = format!("condition: {name} above {above} by at least {by}: the run does not evaluate {missing}");
        Ok((Outcome::Different, text))
    };
    let Some(eval) = compare::eval(run, name) else {
        let other = above.as_str();
        let both = !other.starts_with("floor:") && compare::eval(run, other).is_none();
        return if both { absent(&[name, other]) } else { absent(&[name]) };
    };
    let Some(low) = compare::reference(run, eval, above)? else { return absent(&[above]) };
    let high = compare::accuracy(eval);
    // Accuracies are quotients of counts: a difference of exactly `by` may come out a rounding below it.
    let holds = high - low >= by - 1e-9;
    let (outcome, words) = if holds { (Outcome::Same, "holds") } else { (Outcome::Different, "does not hold") };
    let line = format!("condition: {name} {high:.2} − {above} {low:.2} = {:.2} points, at least {by}", high - low);
    Ok((outcome, format!("{line}: {words}")))
}
