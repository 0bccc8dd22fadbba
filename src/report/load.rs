//! Run folder → what a report needs of it. Refuses what is unfinished.

use super::claims::{self, Claims};
use super::judge;
use crate::artifact::read;
use crate::artifact::{EvalRecord, Expectation, Group, Manifest, Provenance, RunFolder};
use crate::data::Example;
use crate::error::{Error, Result};
use crate::pins::Sha256;
use crate::score::Score;
use std::path::Path;

/// A finished run, or a golden: everything that its rows and captions are made of.
#[derive(Debug, Clone, PartialEq)]
pub struct Run {
    /// The folder, for messages.
    pub from: String,
    /// Recipe name.
    pub recipe: String,
    /// Recipe title.
    pub title: String,
    /// SHA-256 of the recipe file.
    pub recipe_sha256: Sha256,
    /// `--set` overrides.
    pub overrides: Vec<String>,
    /// What was there.
    pub provenance: Provenance,
    /// Claim files that the recipe names, with their names.
    pub claims: Vec<(String, Claims)>,
    /// Rows held against claims.
    pub expect: Vec<Expectation>,
    /// Evaluations that are one measurement made several times.
    pub groups: Vec<Group>,
    /// The evaluations and the scored files, in the plan's order.
    pub evals: Vec<Evaluation>,
}

/// One evaluation's artifacts.
#[derive(Debug, Clone, PartialEq)]
pub struct Evaluation {
    /// `eval.json`.
    pub record: EvalRecord,
    /// `score.json`; `None` where the answers are withheld.
    pub score: Option<Score>,
    /// `predictions.json`.
    pub predictions: Vec<Example>,
    /// Folder below the run's or the golden's.
    pub folder: String,
}

impl Evaluation {
    /// Questions that have a prediction and questions of the data set, where these differ: not all were asked, or predictions are missing.
    pub fn part(&self) -> Option<[u64; 2]> {
        let missing = self.score.as_ref().map_or(0, |score| score.ledger.missing);
        let answered = self.record.asked.saturating_sub(missing);
        (answered < self.record.questions).then_some([answered, self.record.questions])
    }

    /// The score, where there must be one.
    ///
    /// # Errors
    /// Exit code 4: the answers are withheld.
    pub fn scored(&self) -> Result<&Score> {
        let withheld = || Error::inputs(format!("{}: its answers are withheld, so it has no score", self.record.name));
        self.score.as_ref().ok_or_else(withheld)
    }
}

/// Reads a finished run.
///
/// # Errors
/// Exit code 2: a stage is missing (the message names it and how to go on) or there is no evaluation in it. Exit code 4: a file
/// is missing or is not what it should be.
pub fn run(path: &Path) -> Result<Run> {
    let folder = RunFolder::new(path);
    let manifest = read::manifest(&folder)?;
    refuse_unfinished(path, &manifest)?;
    let mut evals = Vec::new();
    for stage in manifest.stages.iter().filter(|s| s.kind == "evaluate" || s.kind == "score") {
        let at = folder.folder(&stage.folder);
        let (record, predictions) = (read::eval(&at)?, judge::predictions(&at.predictions())?);
        let score = if record.withheld.is_some() { None } else { Some(read::score(&at)?) };
        evals.push(checked(Evaluation { record, score, predictions, folder: stage.folder.clone() }, at.root())?);
    }
    if evals.is_empty() {
        return Err(Error::request(format!(
            "{}: this run evaluates nothing, so there is no row to print",
            path.display()
        )));
    }
    let named = manifest.claims.iter().map(|name| Ok((name.clone(), claims::load(name, Some(&folder))?)));
    Ok(Run {
        from: path.display().to_string(),
        claims: named.collect::<Result<_>>()?,
        recipe: manifest.recipe,
        title: manifest.title,
        recipe_sha256: manifest.recipe_sha256,
        overrides: manifest.overrides,
        provenance: manifest.provenance,
        expect: manifest.expect,
        groups: manifest.groups,
        evals,
    })
}

/// The report itself is a stage that reads the others, so it alone may be missing.
fn refuse_unfinished(path: &Path, manifest: &Manifest) -> Result<()> {
    let missing: Vec<String> = manifest
        .stages
        .iter()
        .filter(|s| !s.done && s.kind != "report")
        .map(|s| if s.name == s.kind { s.name.clone() } else { format!("{} ({})", s.name, s.kind) })
        .collect();
    if missing.is_empty() {
        return Ok(());
    }
    let stages = if missing.len() == 1 { "stage" } else { "stages" };
    Err(Error::request(format!(
        "{}: the run is not finished (status {}): {stages} {} missing; run `aqa-bench reproduce` with the recipe of {} again, it continues where it stopped",
        path.display(),
        manifest.status,
        missing.join(", "),
        manifest.recipe,
    )))
}

/// A score that contradicts itself or its record is not printed.
pub(super) fn checked(eval: Evaluation, at: &Path) -> Result<Evaluation> {
    let bad = |what: String| Err(Error::inputs(format!("{}: {what}", at.display())));
    let record = &eval.record;
    if record.asked > record.questions {
        return bad(format!("eval.json: {} asked of {} questions", record.asked, record.questions));
    }
    let Some(score) = &eval.score else { return Ok(eval) };
    let cells = score.task.iter().map(|(name, c)| (name.as_str(), c.total, c.correct, c.accuracy));
    for (name, total, correct, accuracy) in cells.chain([("total", score.total, score.correct, score.accuracy)]) {
        let exact = if total == 0 { 0.0 } else { 100.0 * correct as f64 / total as f64 };
        if correct > total || (accuracy - exact).abs() > 0.005_001 {
            return bad(format!("score.json: {name}: {correct} of {total} is not {accuracy} %"));
        }
    }
    let sums = |f: fn(&crate::score::Cell) -> u64| score.task.values().map(f).sum::<u64>();
    if (sums(|c| c.total), sums(|c| c.correct)) != (score.total, score.correct) {
        return bad("score.json: the tasks do not add up to the total".into());
    }
    if score.rule != record.rule {
        return bad(format!("eval.json says rule {}, score.json {}", record.rule, score.rule));
    }
    Ok(eval)
}
