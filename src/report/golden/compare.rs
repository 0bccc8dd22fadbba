//! A fresh run against a golden, within its tolerances.

use super::answers;
use super::check;
use super::files::{EvalGolden, Folder, Hashes, Stored, Tolerance};
use super::finding::{Finding, Flip, Kind, Outcome, Place};
use super::hold::{self, Compared};
use crate::error::{Error, Result};
use crate::pins::Sha256;
use crate::report::judge::{self, Verdicts};
use crate::report::load::{Evaluation, Run};
use crate::report::portable;
use crate::report::recorded::{Samples, failed, samples};
use crate::score::{Score, floors};
use indexmap::IndexMap;
use std::path::Path;

/// Holds a run against a golden of its recipe.
pub(super) fn run(folder: &Folder, path: &Path, run: &Run) -> Result<Vec<Finding>> {
    let mut findings = Vec::new();
    let how = &folder.golden.how_made;
    // A golden has the overrides without the folders of its machine.
    if run.recipe_sha256 != how.recipe_sha256 || portable::overrides(&run.overrides) != how.overrides {
        let text = "note: the recipe file or its overrides are not those that the golden was made with";
        let place = Place::find(folder.path.join("golden.json"), "\"recipe_sha256\":");
        findings.push(Finding::whole(Kind::Recipe, Outcome::Noted, text).at(place));
    }
    let golden: Vec<&str> = folder.golden.evals.iter().map(|e| e.name.as_str()).collect();
    let questions =
        |name: &str, text: String, place| Finding::of(name, Kind::Questions, Outcome::Different, text).at(place);
    for extra in run.evals.iter().filter(|e| !golden.contains(&e.record.name.as_str())) {
        let text = "the run evaluates it and the golden does not have it".into();
        let place = Place::find(folder.path.join("golden.json"), "\"evals\":");
        findings.push(questions(&extra.record.name, text, place));
    }
    for ((kept, was), stored) in folder.golden.evals.iter().zip(&folder.run.evals).zip(&folder.stored) {
        let name = &kept.name;
        let Some(now) = run.evals.iter().find(|e| &e.record.name == name) else {
            let text = "the golden has it and the run does not evaluate it".into();
            findings.push(questions(name, text, in_golden(folder, name)));
            continue;
        };
        let (a, b) = (&was.record, &now.record);
        let of = |r: &crate::artifact::EvalRecord| (r.dataset_sha256.clone(), r.asked, r.questions, r.file.is_some());
        if of(a) != of(b) {
            let place = Place::key(&folder.path, name, "eval.json", "dataset_sha256");
            findings.push(questions(name, format!("other questions: {} → {}", asked(was), asked(now)), place));
            continue;
        }
        for (what, before, after) in [("rule", &a.rule, &b.rule), ("decoding", &a.decoding, &b.decoding)] {
            if before != after {
                let text = format!("{what} changed: {before} → {after}");
                let place = Place::key(&folder.path, name, "eval.json", what);
                findings.push(Finding::of(name, Kind::Settings, Outcome::Different, text).at(place));
            }
        }
        findings.extend(evaluation(folder, (kept, was, stored), path, now)?);
    }
    findings.extend(check::conditions(folder, run)?);
    Ok(findings)
}

/// The questions of an evaluation, in words.
fn asked(eval: &Evaluation) -> String {
    let record = &eval.record;
    let how = if record.file.is_some() { " from a file" } else { "" };
    format!("{} of {} of {}{how}", record.asked, record.questions, record.dataset_sha256.short())
}

/// Where `golden.json` has an evaluation.
fn in_golden(folder: &Folder, name: &str) -> Place {
    Place::find(folder.path.join("golden.json"), &format!("\"name\": \"{name}\""))
}

/// One evaluation on the same questions.
fn evaluation(
    folder: &Folder,
    (kept, was, stored): (&EvalGolden, &Evaluation, &Stored),
    path: &Path,
    now: &Evaluation,
) -> Result<Vec<Finding>> {
    let name = &kept.name;
    let fresh = fresh(path, now)?;
    let mut findings = Vec::new();
    for text in &fresh.contradictions {
        findings.push(Finding::of(name, Kind::Score, Outcome::Different, text).at(in_golden(folder, name)));
    }
    let hashes = match (&stored.prompts, &fresh.hashes) {
        (Some(prompts), Some(fresh)) => {
            Some(Compared { prompts: (prompts, &fresh.0), outputs: (stored.outputs.as_ref(), &fresh.1) })
        }
        _ => None,
    };
    let cause = |id: &str| hashes.and_then(|hashes| hashes.cause(id));
    let flips = hold::flips(&was.predictions, &stored.verdicts, &fresh.verdicts, cause);
    if let Some(hashes) = hashes {
        findings.push(hold::prompts(folder, name, hashes.prompts.0, hashes.prompts.1));
        findings.push(hold::outputs(folder, name, hashes, &flips));
    }
    let (text, holds) = tolerance(kept.tolerance, &flips, (accuracy(was), accuracy(now)));
    findings.push(hold::verdicts(folder, name, stored.verdicts.len(), flips, Outcome::Noted));
    let outcome = if holds { Outcome::Same } else { Outcome::Different };
    findings.push(Finding::of(name, Kind::Tolerance, outcome, text).at(in_golden(folder, name)));
    Ok(findings)
}

/// What the golden's tolerance says, and whether it holds.
fn tolerance(tolerance: Tolerance, flips: &[Flip], (a, b): (f64, f64)) -> (String, bool) {
    let count = flips.len() as u64;
    let flips = if count == 1 { "1 flip".to_owned() } else { format!("{count} flips") };
    match tolerance {
        Tolerance::Flips(budget) if count > budget => {
            (format!("{flips}, at most {budget} allowed ({a:.2} → {b:.2})"), false)
        }
        Tolerance::Flips(budget) => (format!("{flips}, within {budget} ({a:.2} → {b:.2})"), true),
        Tolerance::Margin(margin) => {
            let holds = (b - a).abs() <= margin + 1e-9;
            let words = if holds { "within" } else { "more than" };
            (format!("accuracy {a:.2} → {b:.2}, {:+.2} points, {words} {margin}", b - a), holds)
        }
    }
}

/// Percent of all questions, those without a prediction as not correct, so that leaving questions out raises nothing; 0 where nothing was scored.
pub(super) fn accuracy(eval: &Evaluation) -> f64 {
    let score = eval.score.as_ref().filter(|score| score.total > 0);
    score.map_or(0.0, |score| 100.0 * score.correct as f64 / (score.total + score.ledger.missing) as f64)
}

/// An evaluation of a run by name.
pub(super) fn eval<'a>(run: &'a Run, name: &str) -> Option<&'a Evaluation> {
    run.evals.iter().find(|e| e.record.name == name)
}

/// What a condition compares with: another evaluation, or a floor of the questions of `eval`. `None`: the run does not evaluate it.
pub(super) fn reference(run: &Run, eval: &Evaluation, above: &str) -> Result<Option<f64>> {
    let Some(floor) = above.strip_prefix("floor:") else { return Ok(self::eval(run, above).map(accuracy)) };
    let floors = floors(judge::rule(&eval.record.rule)?, &eval.predictions).ok_or_else(|| {
        Error::inputs(format!("{}: the answers are withheld, so there is no floor", eval.record.name))
    })?;
    let correct = match floor {
        "first" => floors.all.first as f64,
        "random" => floors.all.random,
        _ => return Err(Error::inputs(format!("condition: expected floor:first or floor:random, found {above:?}"))),
    };
    Ok(Some(100.0 * correct / floors.all.total as f64))
}

/// What is said of files that contradict the predictions.
const NOT_GIVEN: &str = "score.json or samples.jsonl is not what predictions.json gives";

/// What a finished evaluation gives, made again from its predictions and samples.
pub(in crate::report) struct Fresh {
    /// Of the predictions.
    pub score: Score,
    /// Of the predictions, in their order.
    pub verdicts: Verdicts,
    /// Prompts and outputs; `None` where a file was scored.
    pub hashes: Option<(Hashes, Hashes)>,
    /// Where `score.json` or `samples.jsonl` says something else than the predictions give, or than follows from what the model said.
    pub contradictions: Vec<String>,
}

/// Reads and judges a finished evaluation of a run.
///
/// # Errors
/// Exit code 4: its samples are half written, or broken.
pub(in crate::report) fn fresh(run: &Path, eval: &Evaluation) -> Result<Fresh> {
    if eval.record.file.is_some() {
        let (score, verdicts) = judge::rescore(&eval.predictions, &eval.record.rule, &Default::default())?;
        let contradictions = (score != *eval.scored()?).then(|| NOT_GIVEN.to_owned()).into_iter().collect();
        return Ok(Fresh { score, verdicts, hashes: None, contradictions });
    }
    let samples = samples(run, eval)?;
    let recorded: Verdicts = samples.iter().filter_map(|(id, s)| Some((id.clone(), s.verdict?))).collect();
    let (score, verdicts) = judge::rescore(&eval.predictions, &eval.record.rule, &failed(&samples))?;
    let answers = answers::contradictions(eval, &samples);
    let differs = score != *eval.scored()? || verdicts != recorded || !answers.predicted.is_empty();
    let given = differs.then(|| NOT_GIVEN.to_owned());
    let contradictions = given.into_iter().chain(answers::not_taken(eval, &answers.taken)).collect();
    let outputs = eval.predictions.iter().filter_map(|row| {
        let sample = samples.get(&row.id)?;
        Some((row.id.clone(), Sha256::of(sample.output.as_bytes())))
    });
    let outputs = Hashes::of(outputs.collect());
    Ok(Fresh { score, verdicts, hashes: Some((prompts(run, eval, &samples)?, outputs)), contradictions })
}

/// The prompts that a run rendered, in the order of its predictions. A question that failed before its prompt was rendered has
/// the one that it would have had.
fn prompts(run: &Path, eval: &Evaluation, samples: &Samples) -> Result<Hashes> {
    let template = judge::template(&eval.record)?;
    let mut by_id = IndexMap::new();
    for row in &eval.predictions {
        let recorded = samples.get(&row.id).map(|s| s.prompt_sha256.as_str()).unwrap_or_default();
        let hash = match recorded {
            "" => judge::prompt_sha256(&template, &eval.record.prompt, row)?,
            text => Sha256::parse(text)
                .map_err(|e| Error::inputs(format!("{}: {}: question {}: {e}", run.display(), eval.folder, row.id)))?,
        };
        by_id.insert(row.id.clone(), hash);
    }
    Ok(Hashes::of(by_id))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::score::Verdict;

    fn flips(n: usize) -> Vec<Flip> {
        let flip = |i: usize| Flip {
            id: format!("q{i}"),
            task: None,
            before: Some(Verdict::Correct),
            after: Some(Verdict::Wrong),
            cause: None,
        };
        (0..n).map(flip).collect()
    }

    #[test]
    fn a_budget_is_met_to_the_last_flip_and_a_margin_to_the_last_point() {
        assert!(tolerance(Tolerance::Flips(2), &flips(2), (50.0, 50.0)).1);
        assert!(!tolerance(Tolerance::Flips(2), &flips(3), (50.0, 50.0)).1);
        // 0.1 + 0.2 is above 0.3 in binary.
        assert!(tolerance(Tolerance::Margin(0.3), &flips(9), (0.1, 0.1 + 0.2 + 0.1)).1);
        assert!(!tolerance(Tolerance::Margin(20.0), &[], (50.0, 29.9)).1);
        assert!(!tolerance(Tolerance::Margin(20.0), &[], (50.0, 70.1)).1);
    }
}
