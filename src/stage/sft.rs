//! One SFT step: cross-entropy on `<answer>…</answer>` and the end token, mean over the answer tokens of the step.

use super::metrics::Step;
use super::train::{Batch, Question, Trainer};
use crate::error::{Error, Result};
use crate::train::logps::Group;
use crate::train::optimizer::AdamW;

/// Accumulates the gradient of one step and says what it saw.
pub(super) fn step(trainer: &Trainer<'_>, batch: &Batch<'_>, optimizer: &mut AdamW) -> Result<Step> {
    let policy = &trainer.policy;
    let end = i64::from(policy.tokenizer.eos_id());
    let mut targets = Vec::with_capacity(batch.questions.len());
    for question in &batch.questions {
        let answer = question.example.answer.as_deref();
        let answer =
            answer.ok_or_else(|| Error::inputs(format!("question {}: no answer to train on", question.example.id)))?;
        let ids = policy.tokenizer.encode(&format!("<answer>{answer}</answer>"))?;
        targets.push(ids.into_iter().map(i64::from).chain([end]).collect::<Vec<i64>>());
    }
    let tokens: usize = targets.iter().map(Vec::len).sum();
    let mut out = Step { completion_tokens: tokens as u64, ..Step::default() };
    let groups: Vec<Group<'_>> = batch.questions.iter().zip(&targets).map(|(q, target)| group(q, target)).collect();
    let parts = trainer.parts(&groups);
    for part in &parts {
        let groups: Vec<Group<'_>> = part.iter().map(|&i| groups[i].clone()).collect();
        let (scored, loss) = trainer.backward(&groups, parts.len() > 1, optimizer, |scored| {
            -(&scored.logprobs * &scored.mask).sum(trainer.wide()) / tokens as f64
        })?;
        out.loss += loss.double_value(&[]);
        let share = part.iter().map(|&i| targets[i].len()).sum::<usize>() as f64 / tokens as f64;
        out.entropy += scored.entropy * share;
    }
    Ok(out)
}

fn group<'a>(question: &'a Question<'_>, target: &'a [i64]) -> Group<'a> {
    Group { prompt: &question.prepared.ids, audio: vec![&question.prepared.features], completions: vec![target] }
}
