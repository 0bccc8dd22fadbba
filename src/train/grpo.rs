//! The GRPO loss: a pure function of named tensors.
//!
//! As trl 0.15.2 `GRPOTrainer.compute_loss` and R1-AQA's trainer (xiaomi-research/r1-aqa 5d24f31) compute it. Departures from the published
//! GRPO (arXiv 2402.03300), kept because the reference has them: one update a rollout, so the ratio is 1 and nothing is clipped; log-probabilities
//! are of the unfiltered distribution at temperature 1 although rollouts are filtered by top-k; the mean over tokens is taken within each
//! completion first, then over completions.
//!
//! A departure from the reference: its completion mask ends at the tokenizer's end token alone, so that a row ended by `<|endoftext|>` counts the
//! padding behind it; here any end token of the checkpoint ends a completion.

use tch::{Kind, Tensor};

/// What the loss is computed from; N completions of at most C tokens.
#[derive(Debug)]
pub struct Inputs<'a> {
    /// Log-probabilities of the policy `[N, C]`, with gradient.
    pub logprobs: &'a Tensor,
    /// Log-probabilities of the frozen reference `[N, C]`.
    pub ref_logprobs: &'a Tensor,
    /// Group-relative advantages `[N]`; float32 also beside bfloat16 log-probabilities, as in the reference.
    pub advantages: &'a Tensor,
    /// 1 at the tokens of a completion up to and including its first end token, 0 behind `[N, C]`.
    pub completion_mask: &'a Tensor,
    /// Weight of the KL penalty.
    pub beta: f64,
}

/// The loss and what is logged of it.
#[derive(Debug)]
pub struct Output {
    /// Sum over the N completions of their token means. The caller divides by the completions of the optimizer step.
    pub loss_sum: Tensor,
    /// Mean KL of each completion `[N]`, without gradient.
    pub kl: Tensor,
}

/// In the number types that it is given: bfloat16 log-probabilities have a bfloat16 KL (`numerics: reference-bf16`).
///
/// Token loss `-(exp(p - stop(p)) A - beta KL)`, KL = exp(ref - p) - (ref - p) - 1 (the k3 estimator).
pub fn loss(inputs: &Inputs<'_>) -> Output {
    let p = inputs.logprobs;
    let difference = inputs.ref_logprobs - p;
    let kl: Tensor = difference.exp() - &difference - 1.0;
    let ratio = (p - p.detach()).exp();
    let token_loss = -(ratio * inputs.advantages.unsqueeze(1) - &kl * inputs.beta);
    Output {
        loss_sum: token_mean(&token_loss, inputs.completion_mask).sum(None::<Kind>),
        kl: token_mean(&kl.detach(), inputs.completion_mask),
    }
}

/// Mean over each completion's own tokens: `[N, C]` to `[N]`. Masked positions may hold anything finite.
fn token_mean(values: &Tensor, mask: &Tensor) -> Tensor {
    let mask = mask.to_kind(values.kind());
    (values * &mask).sum_dim_intlist([-1i64].as_slice(), false, None::<Kind>)
        / mask.sum_dim_intlist([-1i64].as_slice(), false, None::<Kind>)
}
