//! What a finished evaluation recorded of each question: `samples.jsonl`, whole.

use super::load::Evaluation;
use crate::artifact::{RunFolder, Sample, read};
use crate::error::{Error, Result};
use crate::score::Verdict;
use crate::text::count;
use indexmap::IndexMap;
use std::collections::BTreeSet;
use std::path::Path;

/// Samples by id. There is one for each prediction, and no other; the later of two records of a question counts, as where the run read them.
pub(super) type Samples = IndexMap<String, Sample>;

/// The samples of an evaluation of a run.
///
/// # Errors
/// Exit code 4: they cannot be read, the last line is cut off, or they are not of the questions that have a prediction.
pub(super) fn samples(run: &Path, eval: &Evaluation) -> Result<Samples> {
    let at = RunFolder::new(run).folder(&eval.folder);
    let lines = read::samples(&at)?;
    let half = |what: String| {
        let way_out = "the run folder is half written, or was copied in part: run `aqa-bench reproduce` again, with the stage's folder moved away";
        Error::inputs(format!("{}: {what} ({way_out})", at.samples().display()))
    };
    if lines.dropped > 0 {
        return Err(half("its last line is cut off".into()));
    }
    let samples: Samples = lines.rows.into_iter().map(|s| (s.id.clone(), s)).collect();
    let predicted: BTreeSet<&str> = eval.predictions.iter().map(|row| row.id.as_str()).collect();
    let missing: Vec<&str> = predicted.iter().copied().filter(|id| !samples.contains_key(*id)).collect();
    if let Some(first) = missing.first() {
        let questions = count(missing.len() as u64, "question");
        return Err(half(format!("no sample of {questions} that have a prediction, the first is {first}")));
    }
    let others: Vec<&String> = samples.keys().filter(|id| !predicted.contains(id.as_str())).collect();
    match others.first() {
        Some(first) => {
            let samples = count(others.len() as u64, "sample");
            Err(half(format!("{samples} of questions without a prediction, the first is {first}")))
        }
        None => Ok(samples),
    }
}

/// Ids of the questions that could not be put to the model: their predictions are empty, as those without an answer are.
pub(super) fn failed(samples: &Samples) -> BTreeSet<&str> {
    samples.values().filter(|s| s.verdict == Some(Verdict::Failed)).map(|s| s.id.as_str()).collect()
}
