//! A backward pass that keeps the input of each layer and runs the layer again, instead of keeping all that it computed: a third more
//! computation, the same operations on the same numbers.

use super::head::{self, through};
use super::logps::{Group, Logprobs, Packed, Scoring};
use super::optimizer::{AdamW, Sums};
use crate::error::Result;
use crate::model::Qwen2Audio;
use tch::{Tensor, no_grad};

/// Parameters of the language model's layers.
const LAYERS: &str = "language_model.model.layers.";
/// The embedding: before the layers, and behind them where the output head is tied to it.
const EMBEDDING: &str = "language_model.model.embed_tokens.";

/// Runs the groups, takes up the gradients of `loss` of their log-probabilities, and returns both without gradient. As
/// [`super::logps::completion_logprobs`] and [`AdamW::backward`] do together, at the cost of one layer's activations.
///
/// # Errors
/// Internal, as [`super::logps::completion_logprobs`].
pub fn backward(
    model: &Qwen2Audio,
    groups: &[Group<'_>],
    pad: i64,
    scoring: impl Into<Scoring>,
    (optimizer, sums): (&mut AdamW, Sums),
    loss: impl FnOnce(&Logprobs) -> Tensor,
) -> Result<(Logprobs, Tensor)> {
    let packed = Packed::new(groups, pad, model.device())?;
    let (language, mask) = (model.language(), &packed.mask);
    let mut x = no_grad(|| packed.embeds(model))?;
    let rotary = language.rotary(&packed.positions, &x);
    let last = language.layers().len() - 1;
    let wanted = |i: usize| (i == last).then_some(&packed.predictors);
    let mut inputs = Vec::with_capacity(language.layers().len());
    no_grad(|| {
        for (i, layer) in language.layers().iter().enumerate() {
            let y = layer.forward(&x, &rotary, mask, wanted(i), None);
            inputs.push(std::mem::replace(&mut x, y));
        }
    });

    let x = x.set_requires_grad(true);
    let behind = |name: &str| name.starts_with("language_model.") && !name.starts_with(LAYERS);
    let hidden = language.finish(&x);
    let how = (&packed, scoring.into());
    let (scored, loss, mut grads) = head::backward(how, model, &hidden, (optimizer, sums), (&[&x], behind), loss);
    let mut grad = grads.remove(0);
    drop((x, hidden));
    for (i, layer) in language.layers().iter().enumerate().rev() {
        let Some(x) = inputs.pop() else { break };
        let x = x.set_requires_grad(true);
        let prefix = format!("{LAYERS}{i}.");
        let root = through(&layer.forward(&x, &rotary, mask, wanted(i), None), &grad);
        grad = optimizer.backward_from(&root, &[&x], |name| name.starts_with(&prefix), sums).remove(0);
    }
    let root = through(&packed.embeds(model)?, &grad);
    // Nothing here is trained when only layers have adapters.
    if root.requires_grad() {
        let before = |name: &str| name.starts_with(EMBEDDING) || !name.starts_with("language_model.");
        optimizer.backward_from(&root, &[], before, sums);
    }
    Ok((scored, loss))
}
