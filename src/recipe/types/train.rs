//! A training stage, resolved.

use super::memory::is_default;
use super::{Decoding, Memory, PromptStyle};
use serde::{Deserialize, Serialize};

/// A training stage.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Train {
    /// Name, unique among all stages of the recipe.
    pub name: String,
    /// `model`, or the name of an earlier training stage.
    pub from: String,
    /// Name of the data set.
    pub data: String,
    /// Prompt given to the model.
    pub prompt: PromptStyle,
    /// What is trained towards.
    pub method: Method,
    /// What its random numbers derive from, but for the order of questions; `None` is the recipe's seed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub seed: Option<u64>,
    /// Optimizer steps at which this stage stops.
    pub steps: u64,
    /// Questions an optimizer step.
    pub questions_per_step: usize,
    /// Questions a forward pass of the policy; changes memory, not the result beyond rounding.
    pub micro_batch: usize,
    /// Adapters to train instead of the weights.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub lora: Option<Lora>,
    /// How memory is spent.
    #[serde(skip_serializing_if = "is_default")]
    pub memory: Memory,
    /// The number types of what stands around the model.
    pub numerics: Numerics,
    /// Optimizer.
    pub optimizer: Optimizer,
    /// Learning rate by step.
    pub schedule: Schedule,
    /// Order in which questions are seen.
    pub order: Order,
    /// A checkpoint is kept every so many steps; the last step always leaves one.
    pub checkpoint_every: u64,
    /// Which part of a run's state is needed to resume is written every so many steps.
    pub resume_every: u64,
}

/// Low-rank adapters, as peft 0.14.0 has them, without dropout.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Lora {
    /// Inner width of an adapter.
    pub rank: usize,
    /// What an adapter adds is scaled by `alpha / rank`.
    pub alpha: f64,
    /// Linear layers, by the end of their names (`q_proj` is one of both towers), or `all-linear`.
    pub targets: Vec<String>,
}

/// The number types of log-probabilities, KL and summed gradients of a bfloat16 policy.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Numerics {
    /// Float32, whatever the policy's own type.
    #[serde(rename = "fp32-logprobs")]
    Fp32Logprobs,
    /// Bfloat16, as R1-AQA's trainer runs them under DeepSpeed.
    #[serde(rename = "reference-bf16")]
    ReferenceBf16,
}

/// What a training stage trains towards.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "lowercase", tag = "kind")]
pub enum Method {
    /// Cross-entropy on `<answer>…</answer>` and the end token, mean over the answer tokens of the batch.
    Sft,
    /// Group relative policy optimisation as trl 0.15.2 and R1-AQA do it.
    Grpo(Grpo),
}

/// GRPO's own settings.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Grpo {
    /// Completions a question.
    pub group_size: usize,
    /// Weight of the KL penalty against the frozen start of this stage.
    pub beta: f64,
    /// Added to the group's standard deviation.
    pub advantage_eps: f64,
    /// A longer prompt is an error, not cut.
    pub max_prompt_length: usize,
    /// How completions are drawn.
    pub rollout: Decoding,
    /// Rewards, summed with equal weight.
    pub rewards: Vec<RewardName>,
}

/// A reward.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum RewardName {
    /// 1 when math-verify 0.7.0 takes the completion for equal to the answer, or the strings are equal (R1-AQA's trainer).
    Accuracy,
    /// 1 when the completion's answer is the right one as a string.
    AccuracyString,
    /// 1 when the completion is an answer block and nothing else.
    Format,
    /// 1 when the completion is a thought and an answer block and nothing else (R1-AQA's think mode, for prompt 3).
    FormatThink,
}

impl RewardName {
    /// Every reward, in the order of their counts in a step.
    pub const ALL: [Self; 4] = [Self::Accuracy, Self::AccuracyString, Self::Format, Self::FormatThink];
}

/// AdamW and clipping.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Optimizer {
    /// Peak learning rate.
    pub learning_rate: f64,
    /// Decay of the first moment.
    pub beta1: f64,
    /// Decay of the second moment.
    pub beta2: f64,
    /// Added outside the bias-corrected root.
    pub eps: f64,
    /// Decoupled weight decay.
    pub weight_decay: f64,
    /// Gradients are scaled to this global norm when they exceed it.
    pub max_grad_norm: f64,
}

/// Learning rate by step.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Schedule {
    /// After the warm-up.
    pub shape: Shape,
    /// Steps over which the rate rises from 0.
    pub warmup_steps: u64,
    /// The length that `linear` decays over; may be more than the steps that are run.
    pub total_steps: u64,
}

/// Shape of the schedule after its warm-up.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Shape {
    /// Stays at the peak.
    Constant,
    /// Falls to 0 at `total_steps`.
    Linear,
}

/// Order in which questions are seen.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Order {
    /// Epoch e uses `torch.manual_seed(seed + e); torch.randperm(n)`, as accelerate's SeedableRandomSampler does.
    pub seed: u64,
}
