//! The YAML as written, after validation: shapes for serde alone. Private to this module's siblings.

use super::types::{
    Activations, Dtype, Expected, Extract, Master, Moments, Numerics, Place, PromptStyle, RewardName, Rule,
};
use crate::pins::{Commit, Revision, Sha256};
use serde::Deserialize;
use std::collections::BTreeMap;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Recipe {
    pub name: String,
    pub title: String,
    pub seed: u64,
    pub model: Option<Model>,
    pub data: Data,
    #[serde(default)]
    pub train: Vec<Train>,
    #[serde(default)]
    pub eval: Vec<Eval>,
    #[serde(default)]
    pub scores: Vec<Scored>,
    #[serde(default)]
    pub report: Report,
}

/// Exactly one of `init`, `source` and `recipe` is there.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Model {
    pub init: Option<Init>,
    pub source: Option<String>,
    pub revision: Option<Commit>,
    #[serde(default)]
    pub weights: BTreeMap<String, Sha256>,
    pub recipe: Option<String>,
    pub stage: Option<String>,
    pub dtype: Option<Dtype>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Init {
    pub hidden_size: i64,
    pub layers: i64,
    pub heads: i64,
    pub kv_heads: i64,
    pub intermediate_size: i64,
    pub audio: Audio,
    pub vocab_size: usize,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Audio {
    pub d_model: i64,
    pub layers: i64,
    pub heads: i64,
    pub ffn_dim: i64,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Data {
    pub dir: Option<String>,
    pub sets: BTreeMap<String, Dataset>,
}

#[derive(Deserialize)]
#[serde(tag = "format", rename_all = "lowercase", deny_unknown_fields)]
pub(super) enum Dataset {
    Synthetic {
        seed: u64,
        split: String,
        tasks: Vec<String>,
        count: usize,
        sha256: Sha256,
    },
    Mmau(Files),
    #[serde(rename = "mmau-parquet")]
    MmauParquet(Parquet),
    Avqa(Files),
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Parquet {
    pub file: String,
    pub sha256: Option<Sha256>,
    pub revision: Option<Commit>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Files {
    pub file: String,
    pub sha256: Option<Sha256>,
    pub git_blob: Option<Revision>,
    pub revision: Option<Commit>,
    pub audio: String,
    pub audio_sha256: Option<Sha256>,
    pub audio_folder: Option<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Train {
    pub name: String,
    pub method: Method,
    pub from: String,
    pub data: String,
    pub prompt: PromptStyle,
    pub seed: Option<u64>,
    pub steps: u64,
    pub questions_per_step: usize,
    pub micro_batch: Option<usize>,
    pub lora: Option<Lora>,
    pub memory: Option<Memory>,
    pub numerics: Option<Numerics>,
    pub optimizer: Optimizer,
    pub schedule: Schedule,
    pub order: Order,
    pub checkpoint_every: Option<u64>,
    pub resume_every: Option<u64>,
    pub grpo: Option<Grpo>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Memory {
    pub activations: Option<Activations>,
    pub master: Option<Master>,
    pub reference: Option<Place>,
    pub optimizer: Option<Place>,
    pub moments: Option<Moments>,
    pub micro_batch_tokens: Option<usize>,
    pub rollout_batch: Option<usize>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Lora {
    pub rank: usize,
    pub alpha: f64,
    pub targets: Vec<String>,
}

#[derive(Deserialize, Clone, Copy)]
#[serde(rename_all = "lowercase")]
pub(super) enum Method {
    Sft,
    Grpo,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Grpo {
    pub group_size: usize,
    pub beta: f64,
    pub advantage_eps: f64,
    pub max_prompt_length: usize,
    pub rewards: Vec<RewardName>,
    pub rollout: Decoding,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Decoding {
    pub do_sample: bool,
    pub max_new_tokens: usize,
    pub temperature: Option<f64>,
    pub top_k: Option<usize>,
    pub top_p: Option<f64>,
    pub repetition_penalty: Option<f64>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Optimizer {
    pub learning_rate: f64,
    pub betas: [f64; 2],
    pub eps: f64,
    pub weight_decay: f64,
    pub max_grad_norm: f64,
}

#[derive(Deserialize)]
#[serde(tag = "shape", rename_all = "lowercase", deny_unknown_fields)]
pub(super) enum Schedule {
    Constant { warmup_steps: u64 },
    Linear { warmup_steps: u64, total_steps: u64 },
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Order {
    pub seed: u64,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Eval {
    pub name: String,
    pub label: String,
    pub from: String,
    pub at_step: Option<u64>,
    pub data: String,
    pub system: Option<String>,
    pub prompt: PromptStyle,
    pub decoding: Decoding,
    pub batch_size: usize,
    pub extract: Extract,
    pub rule: Rule,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Scored {
    pub name: String,
    pub label: String,
    pub file: String,
    pub sha256: Option<Sha256>,
    pub data: String,
    pub extract: Option<Extract>,
    pub rule: Rule,
}

#[derive(Deserialize, Default)]
#[serde(deny_unknown_fields)]
pub(super) struct Report {
    #[serde(default)]
    pub claims: Vec<String>,
    #[serde(default)]
    pub expect: Vec<Expect>,
    #[serde(default)]
    pub groups: Vec<Group>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Group {
    pub name: String,
    pub label: String,
    pub evals: Vec<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Expect {
    pub eval: String,
    pub claim: String,
    pub expect: Option<Expected>,
}
