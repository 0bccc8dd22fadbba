//! One side of a comparison: an evaluation of a run, or a predictions file, as verdicts by question.

use crate::artifact::RunFolder;
use crate::data::{Example, mmau, versions};
use crate::error::{Context, Error, Result};
use crate::pins::Sha256;
use crate::recipe::Rule;
use crate::report::load::{Evaluation, Run};
use crate::report::recorded::{Samples, failed, samples};
use crate::score::{self, Verdict};
use indexmap::IndexMap;
use std::path::Path;

/// Verdicts by question id, with what was asked.
pub(super) struct Side {
    /// What it is called in print.
    pub name: String,
    /// SHA-256 of the predictions.
    pub sha256: Sha256,
    /// In the order of the file.
    pub asked: IndexMap<String, Asked>,
}

/// One question, and what became of it.
pub(super) struct Asked {
    pub example: Example,
    /// `None` where there is no prediction.
    pub verdict: Option<Verdict>,
}

/// A predictions file; with a data set, its questions are what was asked.
///
/// # Errors
/// As [`score::score_file`].
pub(super) fn of_file(path: &Path, dataset: Option<&Path>, rule: Rule) -> Result<Side> {
    let name = path.display().to_string();
    let bytes = std::fs::read(path).inputs(|| format!("cannot read {name}"))?;
    let (of, examples) = match dataset {
        Some(file) => (file.display().to_string(), mmau::load(file, Path::new(""))?),
        None => (name.clone(), mmau::from_slice(&bytes, &name, Path::new(""))?),
    };
    let mut said = score::predictions(&bytes, &name, &of, &examples)?;
    let one = |example: Example| {
        let verdict = said.remove(&example.id).map(|text| judge(&name, rule, &example, &text)).transpose()?;
        Ok((example.id.clone(), Asked { example, verdict }))
    };
    let asked = examples.into_iter().map(one).collect::<Result<_>>()?;
    Ok(Side { name, sha256: Sha256::of(&bytes), asked })
}

/// An evaluation of a run. What could not be put to the model failed; its row has an empty prediction.
///
/// # Errors
/// Exit code 4: the answers are withheld, or the samples cannot be read. Exit code 2: it was scored by another rule than this one, and
/// `asked` for none.
pub(super) fn of_run(run: &Run, eval: &Evaluation, rule: Rule, asked_for: bool) -> Result<Side> {
    let (record, name) = (&eval.record, format!("{}: {} ({})", run.from, eval.record.name, eval.record.label));
    if !asked_for && record.rule != rule.name() {
        let way_out = format!("say --rule {} to have both judged by it", record.rule);
        return Err(Error::request(format!("{name}: it was scored by the rule {} ({way_out})", record.rule)));
    }
    if rule == Rule::AnswerTag && !matches!(record.extract.as_str(), "" | "whole") {
        let way_out = "compare by official, parsed or exact";
        return Err(Error::request(format!(
            "{name}: its answers were taken by `{}`, so no tag is left for the rule answer-tag ({way_out})",
            record.extract
        )));
    }
    let folder = RunFolder::new(&run.from).folder(&eval.folder);
    // Of a scored file there are none.
    let samples = if record.file.is_none() { samples(Path::new(&run.from), eval)? } else { Samples::new() };
    let failed = failed(&samples);
    let one = |example: &Example| {
        let text = example.row.get("model_prediction").and_then(|text| text.as_str());
        let verdict = match text {
            Some("") if failed.contains(example.id.as_str()) => Some(Verdict::Failed),
            Some(text) => Some(judge(&name, rule, example, text)?),
            None => None,
        };
        Ok((example.id.clone(), Asked { example: example.clone(), verdict }))
    };
    let asked = eval.predictions.iter().map(one).collect::<Result<_>>()?;
    Ok(Side { sha256: Sha256::of_file(&folder.predictions())?, name, asked })
}

fn judge(name: &str, rule: Rule, example: &Example, text: &str) -> Result<Verdict> {
    let answer = example.answer.as_deref().ok_or_else(|| {
        let why =
            "its answer is withheld, so that nothing can be compared (--dataset FILE names questions with answers)";
        Error::inputs(format!("{name}: question {}: {why}", example.id))
    })?;
    Ok(score::judge(rule, answer, text, &example.choices))
}

/// The evaluations of two runs that are to be compared: those named (one name for both, or one for each), else the only two that are on
/// one data set and have one name, else the only ones that there are.
///
/// # Errors
/// Exit code 2: a name that a run does not have, or several that fit; the message lists them.
pub(super) fn choose<'a>(a: &'a Run, b: &'a Run, names: &[String]) -> Result<(&'a Evaluation, &'a Evaluation)> {
    if let Some(first) = names.first() {
        return Ok((named(a, first)?, named(b, names.get(1).unwrap_or(first))?));
    }
    let mut pairs = Vec::new();
    for one in &a.evals {
        for other in &b.evals {
            let group = |eval: &Evaluation| versions::group(&eval.record.dataset_sha256);
            if one.record.name == other.record.name && group(one)? == group(other)? {
                pairs.push((one, other));
            }
        }
    }
    match (&pairs[..], &a.evals[..], &b.evals[..]) {
        ([pair], ..) => Ok(*pair),
        ([], [one], [other]) => Ok((one, other)),
        _ => Err(Error::request(format!(
            "which evaluations? --eval NAME takes one name for both, or twice one for each ({} has {}; {} has {})",
            a.from,
            list(a),
            b.from,
            list(b)
        ))),
    }
}

/// The evaluation of a run that is to be compared with a file.
///
/// # Errors
/// As [`choose`].
pub(super) fn only<'a>(run: &'a Run, names: &[String]) -> Result<&'a Evaluation> {
    match (names.first(), &run.evals[..]) {
        (Some(name), _) => named(run, name),
        (None, [one]) => Ok(one),
        (None, _) => Err(Error::request(format!("which evaluation? say --eval NAME ({} has {})", run.from, list(run)))),
    }
}

fn named<'a>(run: &'a Run, name: &str) -> Result<&'a Evaluation> {
    let found = run.evals.iter().find(|e| e.record.name == name);
    found.ok_or_else(|| {
        Error::request(format!("--eval {name}: {} has none of that name; it has {}", run.from, list(run)))
    })
}

fn list(run: &Run) -> String {
    run.evals.iter().map(|e| e.record.name.as_str()).collect::<Vec<_>>().join(", ")
}
