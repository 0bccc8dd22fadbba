//! A GRPO step, by the code that training runs.

use super::inputs;
use aqa_bench::data::Example;
use aqa_bench::error::{Error, Result};
use aqa_bench::generate::{Completion, Request, Stop, generate};
use aqa_bench::model::checkpoint::Checkpoint;
use aqa_bench::recipe::{
    Decoding, Dtype, Grpo, Method, Numerics, Optimizer, Order, PromptStyle, RewardName, Schedule, Shape, Train,
};
use aqa_bench::reward;
use aqa_bench::sampling::Filters;
use aqa_bench::seeds::Key;
use aqa_bench::stage::feed::Clips;
use aqa_bench::stage::{Alone, prepare};
use serde_json::{Value, json};
use std::path::Path;
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
}

impl Size {
    /// The size that a request names.
    pub fn of(request: &Value) -> Result<Self> {
        let number = |key| inputs::number(request, key);
        Ok(Self {
            group: number("group")? as usize,
            clip: number("clip")?,
            new_tokens: number("new_tokens")? as usize,
            questions: number("questions")? as usize,
        })
    }
}

/// A policy in training, with steps of one size.
pub struct Training {
    /// The size of its steps.
    pub size: Size,
    alone: Alone<'static>,
    examples: Vec<Example>,
}

impl Training {
    /// Loads policy and reference. No id ends a completion.
    pub fn new(folder: &Path, size: Size) -> Result<Self> {
        let load = || Checkpoint::load(&inputs::model(folder), Dtype::Float32, Device::Cpu);
        let (mut policy, reference) = (load()?, load()?.model);
        policy.eos = Vec::new();
        let examples = (0..size.questions)
            .map(|i| inputs::question(inputs::clip_of(folder, size.clip), format!("question-{i}")))
            .collect();
        // A worker has few trainings; each is named to the end of the process.
        let train: &'static Train = Box::leak(Box::new(settings(size)));
        Ok(Self { size, alone: Alone::new(train, SEED, policy, Some(reference)), examples })
    }

    /// One step. Before its clock starts, each question gets for an answer what one of its completions will say, so that the rewards of a group
    /// differ, as they do in training: groups without a difference have no gradient but the KL penalty's.
    pub fn step(&mut self) -> Result<Value> {
        for i in 0..self.examples.len() {
            self.examples[i].answer = Some(self.first_said(&self.examples[i])?);
        }
        let seen = self.alone.step(&self.examples)?;
        let tokens = (self.size.questions * self.size.group * self.size.new_tokens) as u64;
        if seen.completion_tokens != tokens || seen.frac_reward_zero_std != Some(0.0) || seen.grad_norm == 0.0 {
            return Err(Error::internal(format!(
                "expected {tokens} tokens, rewards that differ and a gradient: {seen:?}"
            )));
        }
        Ok(json!({
            "seconds": seen.seconds,
            "rollout_seconds": seen.rollout_seconds,
            "prompt_tokens": seen.prompt_tokens,
            "same": {"prompt_tokens": seen.prompt_tokens, "completion_tokens": seen.completion_tokens},
        }))
    }

    /// An answer that one of the coming completions gets right and another wrong. The keys are those of `stage/grpo.rs`; should they part, no
    /// reward differs and the step is refused.
    fn first_said(&self, example: &Example) -> Result<String> {
        let policy = self.alone.policy();
        let prepared = prepare(example, PromptStyle::R1Aqa2, &policy.tokenizer, &policy.template, &Clips::default())?;
        let (step, settings) = (self.alone.done().to_string(), rollout(self.size.new_tokens));
        let key = |g: usize| Some(Key::derive(SEED, "rollout", &[NAME, &step, &example.id, &g.to_string()]));
        let keys = (0..self.size.group).map(key).collect();
        let request = Request { ids: &prepared.ids, audio: vec![&prepared.features], keys };
        let stop = Stop { eos: Vec::new(), max_new_tokens: settings.max_new_tokens, pad: policy.pad };
        let drawn = generate(&policy.model, &[request], &Filters::resolve(&settings, &Value::Null)?, &stop)?;
        let say = |said: &Completion| {
            policy.tokenizer.decode(&said.ids.iter().filter_map(|&id| u32::try_from(id).ok()).collect::<Vec<_>>())
        };
        let said = drawn.iter().flatten().map(say).collect::<Result<Vec<String>>>()?;
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

/// The settings of `recipes/r1-aqa.yaml`, with one question a step and a pass.
fn settings(size: Size) -> Train {
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
        from: "model".into(),
        data: "bench".into(),
        prompt: PromptStyle::R1Aqa2,
        method: Method::Grpo(grpo),
        steps: u64::MAX,
        questions_per_step: size.questions,
        micro_batch: 1,
        lora: None,
        numerics: Numerics::Fp32Logprobs,
        memory: aqa_bench::recipe::Memory::default(),
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
