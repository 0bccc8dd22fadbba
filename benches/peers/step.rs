//! A GRPO step, by the code that training runs.

use super::inputs;
use super::place::Place;
use aqa_bench::data::Example;
use aqa_bench::error::{Error, Result};
use aqa_bench::generate::{Completion, Request, Stop, generate};
use aqa_bench::model::checkpoint::Checkpoint;
use aqa_bench::recipe::{
    self, Decoding, Grpo, Memory, Method, Numerics, Optimizer, Order, PromptStyle, RewardName, Schedule, Shape, Train,
};
use aqa_bench::reward;
use aqa_bench::sampling::Filters;
use aqa_bench::seeds::Key;
use aqa_bench::stage::feed::Clips;
use aqa_bench::stage::{Alone, prepare};
use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use std::path::Path;
use std::time::Instant;
use tch::Device;

const SEED: u64 = 1;
const NAME: &str = "grpo";

/// What a step is made of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Size {
    /// Completions a question.
    pub group: usize,
    /// Length of each clip in seconds.
    pub clip: u64,
    /// New tokens of each completion; none ends earlier.
    pub new_tokens: usize,
    /// Questions of the step.
    pub questions: usize,
    /// Questions of a pass.
    pub micro_batch: usize,
    /// How the stage spends memory.
    pub memory: Memory,
}

impl Size {
    /// The size that a request names; without `micro_batch` and `memory` questions go one by one and the memory block is a recipe's without one.
    pub fn of(request: &Value) -> Result<Self> {
        let number = |key| inputs::number(request, key);
        Ok(Self {
            group: number("group")? as usize,
            clip: number("clip")?,
            new_tokens: number("new_tokens")? as usize,
            questions: number("questions")? as usize,
            micro_batch: request.get("micro_batch").map_or(Ok(1), |_| number("micro_batch"))? as usize,
            memory: memory(request.get("memory"))?,
        })
    }
}

/// A recipe's memory block.
fn memory(block: Option<&Value>) -> Result<Memory> {
    fn word<T: DeserializeOwned>(key: &str, value: &Value) -> Result<T> {
        serde_json::from_value(value.clone()).map_err(|e| Error::request(format!("memory.{key}: {e}")))
    }
    let mut memory = Memory::default();
    for (key, value) in block.and_then(Value::as_object).into_iter().flatten() {
        match key.as_str() {
            "activations" => memory.activations = word(key, value)?,
            "master" => memory.master = word(key, value)?,
            "reference" => memory.reference = word(key, value)?,
            "optimizer" => memory.optimizer = word(key, value)?,
            "moments" => memory.moments = word(key, value)?,
            "rollout_batch" => memory.rollout_batch = Some(word(key, value)?),
            other => return Err(Error::request(format!("memory: no key {other:?}"))),
        }
    }
    Ok(memory)
}

/// A policy in training, with steps of one size.
pub struct Training {
    /// The size of its steps.
    pub size: Size,
    place: Place,
    alone: Alone<'static>,
    examples: Vec<Example>,
}

impl Training {
    /// Loads policy and reference. No id ends a completion.
    pub fn new(folder: &Path, place: Place, size: Size) -> Result<Self> {
        let load = |device| Checkpoint::load(&inputs::model(folder), place.dtype, device);
        let beside = if size.memory.reference == recipe::Place::Host { Device::Cpu } else { place.device };
        let (mut policy, reference) = (load(place.device)?, load(beside)?.model);
        policy.eos = Vec::new();
        let examples = (0..size.questions)
            .map(|i| inputs::question(inputs::clip_of(folder, size.clip), format!("question-{i}")))
            .collect();
        // A worker has few trainings; each is named to the end of the process.
        let train: &'static Train = Box::leak(Box::new(settings(size)));
        Ok(Self { size, place, alone: Alone::new(train, SEED, policy, Some(reference)), examples })
    }

    /// One step. Before its clock starts, each question gets for an answer what one of its completions will say, so that the rewards of a group
    /// differ, as they do in training: groups without a difference have no gradient but the KL penalty's.
    pub fn step(&mut self) -> Result<Value> {
        for (answer, example) in self.answers()?.into_iter().zip(&mut self.examples) {
            example.answer = Some(answer);
        }
        self.place.finish();
        let started = Instant::now();
        let seen = self.alone.step(&self.examples)?;
        self.place.finish();
        let seconds = started.elapsed().as_secs_f64();
        let tokens = (self.size.questions * self.size.group * self.size.new_tokens) as u64;
        if seen.completion_tokens != tokens || seen.frac_reward_zero_std != Some(0.0) || seen.grad_norm == 0.0 {
            return Err(Error::internal(format!(
                "expected {tokens} tokens, rewards that differ and a gradient: {seen:?}"
            )));
        }
        Ok(json!({
            "seconds": seconds,
            "rollout_seconds": seen.rollout_seconds,
            "prompt_tokens": seen.prompt_tokens,
            "same": {"prompt_tokens": seen.prompt_tokens, "completion_tokens": seen.completion_tokens},
        }))
    }

    /// For each question an answer that one of its coming completions gets right and another wrong. Keys and batches are those of `stage/grpo.rs`; should
    /// they part, no reward differs and the step is refused.
    fn answers(&self) -> Result<Vec<String>> {
        let policy = self.alone.policy();
        let (step, settings) = (self.alone.done().to_string(), rollout(self.size.new_tokens));
        let one = |e: &Example| prepare(e, PromptStyle::R1Aqa2, &policy.tokenizer, &policy.template, &Clips::default());
        let prepared = self.examples.iter().map(one).collect::<Result<Vec<_>>>()?;
        let rows = self.examples.iter().zip(&prepared).map(|(example, prepared)| {
            let key = |g: usize| Some(Key::derive(SEED, "rollout", &[NAME, &step, &example.id, &g.to_string()]));
            let keys = (0..self.size.group).map(key).collect();
            Request { ids: &prepared.ids, audio: vec![&prepared.features], keys }
        });
        let requests: Vec<Request<'_>> = rows.collect();
        let stop = Stop { eos: Vec::new(), max_new_tokens: settings.max_new_tokens, pad: policy.pad };
        let filters = Filters::resolve(&settings, &Value::Null)?;
        let mut drawn = Vec::with_capacity(requests.len());
        for some in requests.chunks(self.size.memory.rollout_batch.unwrap_or(requests.len()).max(1)) {
            drawn.extend(generate(&policy.model, some, &filters, &stop)?);
        }
        drawn.iter().map(|completions| self.telling(completions)).collect()
    }

    /// What one of the completions says that another does not.
    fn telling(&self, completions: &[Completion]) -> Result<String> {
        let say = |said: &Completion| {
            let ids: Vec<u32> = said.ids.iter().filter_map(|&id| u32::try_from(id).ok()).collect();
            self.alone.policy().tokenizer.decode(&ids)
        };
        let said = completions.iter().map(say).collect::<Result<Vec<String>>>()?;
        let earns = |answer: &str, text: &String| {
            let solution = format!("<answer>{answer}</answer>");
            REWARDS.iter().map(|&name| reward::of(name, text, &solution).value).sum::<f64>()
        };
        let parts = |answer: &String| said.iter().any(|text| earns(answer, text) != earns(answer, &said[0]));
        let found = said.iter().map(|text| text.trim().to_owned()).find(parts);
        found.ok_or_else(|| Error::internal("no answer is right for one completion and wrong for another"))
    }
}

const REWARDS: [RewardName; 2] = [RewardName::Accuracy, RewardName::Format];

/// As the reference draws completions.
fn rollout(max_new_tokens: usize) -> Decoding {
    Decoding {
        do_sample: true,
        max_new_tokens,
        temperature: Some(1.0),
        top_k: Some(50),
        top_p: Some(1.0),
        repetition_penalty: Some(1.0),
    }
}

/// The settings of `recipes/r1-aqa.yaml`, with the size that is asked for.
pub fn settings(size: Size) -> Train {
    let grpo = Grpo {
        group_size: size.group,
        beta: 0.04,
        advantage_eps: 1e-4,
        max_prompt_length: 4096,
        rollout: rollout(size.new_tokens),
        rewards: REWARDS.to_vec(),
    };
    Train {
        name: NAME.into(),
        seed: None,
        from: "model".into(),
        data: "bench".into(),
        prompt: PromptStyle::R1Aqa2,
        method: Method::Grpo(grpo),
        steps: u64::MAX,
        questions_per_step: size.questions,
        micro_batch: size.micro_batch,
        lora: None,
        numerics: Numerics::Fp32Logprobs,
        memory: size.memory,
        optimizer: Optimizer {
            learning_rate: 1e-6,
            beta1: 0.9,
            beta2: 0.999,
            eps: 1e-8,
            weight_decay: 0.0,
            max_grad_norm: 1.0,
        },
        schedule: Schedule { shape: Shape::Constant, warmup_steps: 0, total_steps: u64::MAX },
        order: Order { seed: 42 },
        checkpoint_every: u64::MAX,
        resume_every: u64::MAX,
    }
}
