//! One question of a finished evaluation, put to the policy again.

use super::super::Context;
use super::super::feed::Clips;
use super::{Job, Reader, answer, load};
use crate::artifact::layout::StageFolder;
use crate::artifact::{Sample, read};
use crate::error::{Error, Result};
use crate::plan::{Plan, Stage, Work};
use crate::sampling::Filters;
use crate::text::nearest;
use std::path::Path;
use tch::Device;

/// What an evaluation has on record for a question, and what the policy says now.
#[derive(Debug, Clone, PartialEq)]
pub struct Replay {
    /// Its task.
    pub task: String,
    /// The line of `samples.jsonl`.
    pub recorded: Sample,
    /// What the policy says when it is asked this question alone.
    pub alone: Sample,
    /// What it says among the questions it was asked with; only where it says something else alone.
    pub in_batch: Option<Sample>,
}

impl Replay {
    /// Whether the record came out again, alone or in its batch.
    pub fn same(&self) -> bool {
        self.in_batch.as_ref().unwrap_or(&self.alone) == &self.recorded
    }
}

/// Puts one question of an evaluation to its policy again: alone, and where that gives something else, in its batch (rounding differs with the
/// shape of the batch).
///
/// # Errors
/// Exit code 2: the evaluation did not ask this question, or is none. Exit code 4: what it needs is not there any more.
pub fn replay(plan: &Plan, run: &Path, device: Device, stage: &Stage, id: &str) -> Result<Replay> {
    let Work::Evaluate { eval, seed, policy, data, limit } = &stage.work else {
        return Err(Error::request(format!("stage {} asks a model nothing: there is nothing to replay", stage.name)));
    };
    let job = Job { eval, seed: *seed, policy, data, limit: *limit };
    let ctx = Context { plan, run, device, clips: Clips::default() };
    let folder = stage.find(run, &plan.recipe).ok_or_else(|| {
        Error::request(format!("{}: evaluation {} is not done: `reproduce` does it", run.display(), stage.name))
    })?;
    let samples = read::samples(&StageFolder::new(&folder))?.rows;
    let mut examples = ctx.examples(data)?;
    examples.truncate(limit.unwrap_or(examples.len()));
    let found = examples.iter().position(|e| e.id == id).zip(samples.iter().find(|s| s.id == id));
    let Some((place, recorded)) = found else {
        let near = nearest(id, samples.iter().map(|s| s.id.as_str()));
        let hint = near.map_or_else(String::new, |near| format!(" (did you mean {near}?)"));
        return Err(Error::request(format!("--id {id}: no question that {} asked{hint}", stage.name)));
    };
    let policy = load(&ctx, &job)?;
    let filters = Filters::resolve(&eval.decoding, &policy.generation_config)?;
    let ask = |batch: std::ops::Range<usize>| -> Result<Sample> {
        let questions = &examples[batch];
        let prepared = Reader::new(eval, &policy, &ctx.clips).batch(questions);
        let said = answer(&job, &policy, &filters, questions, &prepared)?;
        said.into_iter().find(|s| s.id == id).ok_or_else(|| Error::internal("the question was not answered"))
    };
    let alone = ask(place..place + 1)?;
    let start = place - place % eval.batch_size;
    let batch = start..(start + eval.batch_size).min(examples.len());
    let in_batch = (alone != *recorded && batch.len() > 1).then(|| ask(batch)).transpose()?;
    Ok(Replay { task: examples[place].task.clone(), recorded: recorded.clone(), alone, in_batch })
}
