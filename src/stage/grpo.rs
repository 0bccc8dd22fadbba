//! One GRPO step, straight through: draw completions, reward them, compare with the reference, accumulate the gradient.

use super::metrics::Step;
use super::train::{Batch, Question, Trainer};
use crate::error::{Error, Result};
use crate::generate::{Completion, Request, Stop, generate};
use crate::recipe::{Grpo, Numerics, RewardName};
use crate::reward;
use crate::sampling::Filters;
use crate::seeds::Key;
use crate::train::advantage;
use crate::train::grpo::{Inputs, loss};
use crate::train::logps::Group;
use crate::train::optimizer::AdamW;
use std::time::Instant;
use tch::Tensor;

/// A question's completions and what they earned.
struct Rollout {
    completions: Vec<Completion>,
    /// Sum of the rewards, one a completion.
    rewards: Vec<f64>,
    /// Sums over the group, in the order of [`RewardName::ALL`].
    parts: [f64; RewardName::ALL.len()],
    /// Completions whose accuracy is that of the string comparison, since math-verify's verdict is not known.
    unjudged: u64,
    group: advantage::Group,
}

/// Accumulates the gradient of one step and says what it saw.
pub(super) fn step(trainer: &Trainer<'_>, settings: &Grpo, batch: &Batch<'_>, optimizer: &mut AdamW) -> Result<Step> {
    let started = Instant::now();
    let rollouts = roll_out(trainer, settings, batch)?;
    let rollout_seconds = started.elapsed().as_secs_f64();
    let mut out = summary(settings, &rollouts);
    out.rollout_seconds = Some(rollout_seconds);

    let count = (batch.questions.len() * settings.group_size) as f64;
    let tokens = out.completion_tokens as f64;
    let mut kl = 0.0;
    let groups: Vec<Group<'_>> = batch.questions.iter().zip(&rollouts).map(|(q, r)| group(q, r)).collect();
    let places = trainer.parts(&groups);
    let parts: Vec<Vec<Group<'_>>> =
        places.iter().map(|part| part.iter().map(|&i| groups[i].clone()).collect()).collect();
    let references = trainer.references(&parts)?;
    for (i, (groups, places)) in parts.iter().zip(&places).enumerate() {
        let rollouts = || places.iter().map(|&place| &rollouts[place]);
        let advantages: Vec<f64> = rollouts().flat_map(|r| r.group.advantages.iter().copied()).collect();
        let advantages =
            Tensor::from_slice(&advantages).to_device(trainer.policy.model.device()).to_kind(trainer.wide());
        let mut kls = None;
        let (policy, mean) = trainer.backward(groups, parts.len() > 1, optimizer, |policy| {
            let own = policy.logprobs.detach();
            let output = loss(&Inputs {
                logprobs: &policy.logprobs,
                ref_logprobs: references.as_ref().map_or(&own, |references| &references[i]),
                advantages: &advantages,
                completion_mask: &policy.mask,
                beta: settings.beta,
            });
            kls = Some(output.kl);
            output.loss_sum / count
        })?;
        out.loss += mean.double_value(&[]);
        kl += kls.map_or(0.0, |kls| kls.sum(kls.kind()).double_value(&[])) / count;
        let here: usize = rollouts().flat_map(|r| r.completions.iter().map(|c| c.ids.len())).sum();
        out.entropy += policy.entropy * here as f64 / tokens;
    }
    out.kl = Some(kl);
    Ok(out)
}

fn group<'a>(question: &'a Question<'_>, rollout: &'a Rollout) -> Group<'a> {
    Group {
        prompt: &question.prepared.ids,
        audio: vec![&question.prepared.features],
        completions: rollout.completions.iter().map(|c| c.ids.as_slice()).collect(),
    }
}

/// Draws every completion of the step in one batch and rewards it.
fn roll_out(trainer: &Trainer<'_>, settings: &Grpo, batch: &Batch<'_>) -> Result<Vec<Rollout>> {
    let policy = &trainer.policy;
    let filters = Filters::resolve(&settings.rollout, &serde_json::Value::Null)?;
    let mut requests = Vec::with_capacity(batch.questions.len());
    for (place, question) in batch.questions.iter().enumerate() {
        // A question that stands in a step twice (a set smaller than the step) must not draw the same completions twice.
        let earlier = batch.questions[..place].iter().filter(|q| q.example.id == question.example.id).count();
        let (id, length) = (&question.example.id, question.prepared.ids.len());
        if length > settings.max_prompt_length {
            return Err(Error::request(format!(
                "question {id}: its prompt has {length} tokens, max_prompt_length is {} (the reference would cut its head and train on its tail as if the policy had said it: {})",
                settings.max_prompt_length,
                match trainer.train.numerics {
                    Numerics::Fp32Logprobs => "raise it, or take shorter clips",
                    Numerics::ReferenceBf16 => "take shorter clips, or raise it with numerics: fp32-logprobs",
                }
            )));
        }
        let key = |g: usize| {
            let parts = [
                trainer.train.name.as_str(),
                &batch.step.to_string(),
                id,
                &(earlier * settings.group_size + g).to_string(),
            ];
            settings.rollout.do_sample.then(|| Key::derive(trainer.seed, "rollout", &parts))
        };
        requests.push(Request {
            ids: &question.prepared.ids,
            audio: vec![&question.prepared.features],
            keys: (0..settings.group_size).map(key).collect(),
        });
    }
    let stop = Stop { eos: policy.eos.clone(), max_new_tokens: settings.rollout.max_new_tokens, pad: policy.pad };
    let mut drawn = Vec::with_capacity(requests.len());
    for some in requests.chunks(trainer.train.memory.rollout_batch.unwrap_or(requests.len()).max(1)) {
        drawn.extend(generate(&policy.model, some, &filters, &stop)?);
    }
    batch
        .questions
        .iter()
        .zip(drawn)
        .map(|(question, completions)| reward_group(trainer, settings, question, completions))
        .collect()
}

fn reward_group(
    trainer: &Trainer<'_>,
    settings: &Grpo,
    question: &Question<'_>,
    completions: Vec<Completion>,
) -> Result<Rollout> {
    let id = &question.example.id;
    let answer = question.example.answer.as_deref();
    let answer = answer.ok_or_else(|| Error::inputs(format!("question {id}: no answer to reward")))?;
    let solution = format!("<answer>{answer}</answer>");
    let (mut rewards, mut parts) = (Vec::with_capacity(completions.len()), [0.0; RewardName::ALL.len()]);
    let mut unjudged = 0;
    for completion in &completions {
        let ids: Vec<u32> = completion.ids.iter().filter_map(|&i| u32::try_from(i).ok()).collect();
        let text = trainer.policy.tokenizer.decode(&ids)?;
        let mut total = 0.0;
        for &name in &settings.rewards {
            let outcome = reward::of(name, &text, &solution);
            parts[name as usize] += outcome.value;
            unjudged += u64::from(outcome.unjudged.is_some());
            total += outcome.value;
        }
        rewards.push(total);
    }
    let group = advantage::group(&rewards, settings.advantage_eps);
    Ok(Rollout { completions, rewards, parts, unjudged, group })
}

fn summary(settings: &Grpo, rollouts: &[Rollout]) -> Step {
    let lengths: Vec<u64> = rollouts.iter().flat_map(|r| r.completions.iter().map(|c| c.ids.len() as u64)).collect();
    let (count, groups) = (lengths.len() as f64, rollouts.len() as f64);
    let tokens: u64 = lengths.iter().sum();
    let part = |name: RewardName| {
        let sum = || rollouts.iter().map(|r| r.parts[name as usize]).sum::<f64>();
        settings.rewards.contains(&name).then(|| sum() / count)
    };
    Step {
        completion_tokens: tokens,
        reward: Some(rollouts.iter().flat_map(|r| &r.rewards).sum::<f64>() / count),
        reward_accuracy: part(RewardName::Accuracy),
        reward_accuracy_string: part(RewardName::AccuracyString),
        reward_format: part(RewardName::Format),
        reward_format_think: part(RewardName::FormatThink),
        unjudged: settings.rewards.contains(&RewardName::Accuracy).then(|| rollouts.iter().map(|r| r.unjudged).sum()),
        reward_std: Some(rollouts.iter().map(|r| r.group.std).sum::<f64>() / groups),
        frac_reward_zero_std: Some(rollouts.iter().filter(|r| r.group.std == 0.0).count() as f64 / groups),
        completion_length: Some(tokens as f64 / count),
        completion_length_min: lengths.iter().copied().min(),
        completion_length_max: lengths.iter().copied().max(),
        truncated: Some(rollouts.iter().flat_map(|r| &r.completions).filter(|c| !c.stopped).count() as u64),
        ..Step::default()
    }
}
