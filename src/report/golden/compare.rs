//! A fresh run against a golden, within its tolerances.

use super::check::{self, Findings};
use super::files::{Folder, Prompts, Tolerance};
use crate::artifact::{RunFolder, Sample, read};
use crate::error::{Error, Result};
use crate::pins::Sha256;
use crate::report::judge::{self, Verdicts};
use crate::report::load::{Evaluation, Run};
use crate::score::{Verdict, floors};
use indexmap::IndexMap;
use std::path::Path;

/// Holds a run against a golden of its recipe.
pub(super) fn run(folder: &Folder, path: &Path, run: &Run, findings: &mut Findings) -> Result<()> {
    if run.recipe_sha256 != folder.golden.how_made.recipe_sha256 || run.overrides != folder.golden.how_made.overrides {
        findings.line("  note: the recipe file or its overrides are not those that the golden was made with");
    }
    let golden: Vec<&str> = folder.golden.evals.iter().map(|e| e.name.as_str()).collect();
    for extra in run.evals.iter().filter(|e| !golden.contains(&e.record.name.as_str())) {
        findings.differs(format!("  {}: the run evaluates it and the golden does not have it", extra.record.name));
    }
    for ((kept, was), (verdicts, prompts)) in folder.golden.evals.iter().zip(&folder.run.evals).zip(&folder.stored) {
        let name = &kept.name;
        let Some(now) = run.evals.iter().find(|e| &e.record.name == name) else {
            findings.differs(format!("  {name}: the golden has it and the run does not evaluate it"));
            continue;
        };
        let (a, b) = (&was.record, &now.record);
        if a.dataset_sha256 != b.dataset_sha256 || (a.asked, a.questions) != (b.asked, b.questions) {
            findings.differs(format!(
                "  {name}: other questions: {} of {} of {} → {} of {} of {}",
                a.asked,
                a.questions,
                a.dataset_sha256.short(),
                b.asked,
                b.questions,
                b.dataset_sha256.short()
            ));
            continue;
        }
        for (what, before, after) in [("rule", &a.rule, &b.rule), ("decoding", &a.decoding, &b.decoding)] {
            if before != after {
                findings.differs(format!("  {name}: {what} changed: {before} → {after}"));
            }
        }
        let samples = samples(path, now)?;
        let (fresh, score_differs) = verdicts_of(now, &samples)?;
        if score_differs {
            findings.differs(format!("  {name}: score.json or samples.jsonl is not what predictions.json gives"));
        }
        check::compare_prompts(name, prompts, &prompts_of(path, now, &samples)?, findings);
        tolerance(name, kept.tolerance, (was, verdicts), (now, &fresh), findings);
    }
    if folder.golden.conditions.iter().all(|c| run.evals.iter().any(|e| e.record.name == c.eval)) {
        check::conditions(folder, run, findings)?;
    }
    Ok(())
}

fn tolerance(
    name: &str,
    tolerance: Tolerance,
    (was, before): (&Evaluation, &Verdicts),
    (now, after): (&Evaluation, &Verdicts),
    findings: &mut Findings,
) {
    let flips = check::flips(name, &was.predictions, before, after, findings, false);
    let (a, b) = (accuracy(was), accuracy(now));
    match tolerance {
        Tolerance::Flips(budget) if flips > budget => {
            findings.differs(format!("  {name}: {flips} flips, at most {budget} allowed ({a:.2} → {b:.2})"));
        }
        Tolerance::Flips(budget) => {
            findings.line(format!("  {name}: {flips} flips, within {budget} ({a:.2} → {b:.2})"))
        }
        Tolerance::Margin(margin) => {
            let line = format!("  {name}: accuracy {a:.2} → {b:.2}, {:+.2} points", b - a);
            if (b - a).abs() <= margin + 1e-9 {
                findings.line(format!("{line}, within {margin}"));
            } else {
                findings.differs(format!("{line}, more than {margin}"));
            }
        }
    }
}

/// Percent, from the counts; 0 where nothing was scored.
pub(super) fn accuracy(eval: &Evaluation) -> f64 {
    let score = eval.score.as_ref().filter(|score| score.total > 0);
    score.map_or(0.0, |score| 100.0 * score.correct as f64 / score.total as f64)
}

/// An evaluation of a run by name.
pub(super) fn eval<'a>(run: &'a Run, name: &str) -> Result<&'a Evaluation> {
    let found = run.evals.iter().find(|e| e.record.name == name);
    found.ok_or_else(|| Error::inputs(format!("{}: no evaluation {name}", run.from)))
}

/// What a condition compares with: another evaluation, or a floor of the questions of `eval`.
pub(super) fn reference(run: &Run, eval: &Evaluation, above: &str) -> Result<f64> {
    let Some(floor) = above.strip_prefix("floor:") else { return Ok(accuracy(self::eval(run, above)?)) };
    let floors = floors(judge::rule(&eval.record.rule)?, &eval.predictions).ok_or_else(|| {
        Error::inputs(format!("{}: the answers are withheld, so there is no floor", eval.record.name))
    })?;
    let correct = match floor {
        "first" => floors.all.first as f64,
        "random" => floors.all.random,
        _ => return Err(Error::inputs(format!("condition: expected floor:first or floor:random, found {above:?}"))),
    };
    Ok(100.0 * correct / floors.all.total as f64)
}

/// A finished evaluation's samples by id; the later of two records of a question counts.
pub(super) fn samples(run: &Path, eval: &Evaluation) -> Result<IndexMap<String, Sample>> {
    let lines = read::samples(&RunFolder::new(run).folder(&eval.folder))?;
    Ok(lines.rows.into_iter().map(|s| (s.id.clone(), s)).collect())
}

/// Verdicts of the predictions, in their order, and whether they contradict the score or the samples.
pub(super) fn verdicts_of(eval: &Evaluation, samples: &IndexMap<String, Sample>) -> Result<(Verdicts, bool)> {
    let recorded: Verdicts = samples.iter().filter_map(|(id, s)| Some((id.clone(), s.verdict?))).collect();
    let failed = recorded.iter().filter(|(_, v)| **v == Verdict::Failed).map(|(id, _)| id.as_str()).collect();
    let (score, verdicts) = judge::rescore(&eval.predictions, &eval.record.rule, &failed)?;
    let same = score == *eval.scored()? && verdicts == recorded;
    Ok((verdicts, !same))
}

/// The prompts that a run rendered, in the order of its predictions. A question that failed before its prompt was rendered has
/// the one that it would have had.
pub(super) fn prompts_of(run: &Path, eval: &Evaluation, samples: &IndexMap<String, Sample>) -> Result<Prompts> {
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
    Ok(Prompts::of(by_id))
}
