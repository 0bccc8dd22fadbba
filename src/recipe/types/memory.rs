//! Where a training stage keeps what it needs, and what it computes twice instead of keeping.

use serde::{Deserialize, Serialize};

/// How a training stage spends memory. Everything but `moments: int8` gives the same numbers as the default.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct Memory {
    /// What the forward pass leaves for the backward pass.
    #[serde(skip_serializing_if = "is_default")]
    pub activations: Activations,
    /// Form of the float32 weights behind a bfloat16 policy.
    #[serde(skip_serializing_if = "is_default")]
    pub master: Master,
    /// Where the frozen reference lives.
    #[serde(skip_serializing_if = "is_default")]
    pub reference: Place,
    /// Where master weights and moments live, and where the step is computed.
    #[serde(skip_serializing_if = "is_default")]
    pub optimizer: Place,
    /// Number type of AdamW's moments.
    #[serde(skip_serializing_if = "is_default")]
    pub moments: Moments,
    /// Tokens that go through the policy at once, those of padding among them; `None` is no bound.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub micro_batch_tokens: Option<usize>,
    /// Questions whose completions are drawn at once; `None` is all of the step.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rollout_batch: Option<usize>,
}

/// Whether this is what a recipe without the key has. Fingerprints do not name it: a stage from before the key existed is the same stage.
pub(super) fn is_default<T: Default + PartialEq>(value: &T) -> bool {
    *value == T::default()
}

/// What the forward pass leaves for the backward pass.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Activations {
    /// Everything that the backward pass reads.
    #[default]
    Keep,
    /// The input of each layer; the backward pass runs the layer again. A third more computation, the same numbers.
    Recompute,
}

/// Form of the float32 weights behind a bfloat16 policy.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Master {
    /// Float32 beside the bfloat16 weights: 4 bytes a parameter.
    #[default]
    Float32,
    /// What the bfloat16 weights lack of them: 2 bytes a parameter, the same float32 numbers.
    Split,
}

/// Where something lives between its uses.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Place {
    /// On the device that computes.
    #[default]
    Device,
    /// In the host's memory; it is copied to the device, or gradients and weights to and fro, every step.
    Host,
}

/// Number type of AdamW's moments.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Moments {
    /// 8 bytes a parameter.
    #[default]
    Float32,
    /// A little over 2 bytes a parameter. Not exact: every step rounds both moments to 8 bits.
    Int8,
}
