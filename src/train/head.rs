//! The end of a backward pass: from the loss to the hidden states. Long completions have more logits than there should be at once: they are computed some
//! rows at a time, once for the log-probabilities and once more for their gradients.

use super::logps::{Logprobs, Packed, Scoring};
use super::optimizer::{AdamW, Sums};
use crate::model::Qwen2Audio;
use crate::recipe::Numerics;
use tch::{Kind, Tensor, no_grad};

/// Takes up the gradients of `loss` of the log-probabilities under `hidden` `[P, hidden size]` for the parameters whose names `wanted` accepts; returns
/// the log-probabilities and the loss, both without gradient, and the gradients of `inputs`.
pub(super) fn backward(
    (packed, scoring): (&Packed<'_>, Scoring),
    model: &Qwen2Audio,
    hidden: &Tensor,
    (optimizer, sums): (&mut AdamW, Sums),
    (inputs, wanted): (&[&Tensor], impl Fn(&str) -> bool),
    loss: impl FnOnce(&Logprobs) -> Tensor,
) -> (Logprobs, Tensor, Vec<Tensor>) {
    let detached = |scored: Logprobs| Logprobs { logprobs: scored.logprobs.detach(), ..scored };
    if packed.len() <= scoring.rows {
        let scored = packed.score(model, hidden, scoring);
        let loss = loss(&scored);
        let grads = optimizer.backward_from(&loss, inputs, wanted, sums);
        return (detached(scored), loss.detach(), grads);
    }
    let states = hidden.detach();
    let some = packed.stretches(scoring.rows);
    let (tokens, entropies): (Vec<_>, Vec<_>) =
        no_grad(|| some.map(|rows| packed.tokens(model, &states, rows, scoring.numerics)).unzip());
    let tokens = Tensor::cat(&tokens, 0).set_requires_grad(true);
    let scored = packed.spread(&tokens, &Tensor::cat(&entropies, 0));
    let loss = loss(&scored);
    let by_token = optimizer.backward_from(&loss, &[&tokens], |_| false, sums).remove(0);
    let states = states.set_requires_grad(true);
    // One product would have summed these in float32.
    let of_head = if scoring.numerics == Numerics::Fp32Logprobs { Sums::Float32 } else { sums };
    let mut by_state: Option<Tensor> = None;
    for rows in packed.stretches(scoring.rows) {
        let own = packed.targets(&rows);
        let (tokens, _) = packed.tokens(model, &states, rows, scoring.numerics);
        let root = through(&tokens, &by_token.narrow(0, own.start as i64, own.len() as i64));
        let grad = optimizer.backward_from(&root, &[&states], &wanted, of_head).remove(0);
        by_state = Some(by_state.map_or_else(|| grad.shallow_clone(), |sum| sum + &grad));
    }
    let by_state = by_state.unwrap_or_else(|| states.zeros_like());
    let grads = optimizer.backward_from(&through(hidden, &by_state), inputs, wanted, sums);
    (detached(scored), loss.detach(), grads)
}

/// A number whose gradient in `y` is `grad`: 1 times each entry, which is exact.
pub(super) fn through(y: &Tensor, grad: &Tensor) -> Tensor {
    (y * grad).sum(None::<Kind>)
}

/// As [`super::logps::completion_logprobs`] and [`AdamW::backward`] together, everything kept that the backward pass reads but for the logits of long
/// completions.
///
/// # Errors
/// Internal, as [`super::logps::completion_logprobs`].
pub fn keep(
    model: &Qwen2Audio,
    groups: &[super::logps::Group<'_>],
    pad: i64,
    scoring: impl Into<Scoring>,
    training: (&mut AdamW, Sums),
    loss: impl FnOnce(&Logprobs) -> Tensor,
) -> crate::error::Result<(Logprobs, Tensor)> {
    let packed = Packed::new(groups, pad, model.device())?;
    let hidden = packed.hidden(model)?;
    let (scored, loss, _) = backward((&packed, scoring.into()), model, &hidden, training, (&[], |_: &str| true), loss);
    Ok((scored, loss))
}
