//! A frozen model whose weights live on the host: its layers come to the device one after the other, once for all the rows of a step.

use super::logps::{Group, Packed};
use crate::architecture::{Config, TextConfig};
use crate::error::Result;
use crate::model::Qwen2Audio;
use crate::model::language::Layer;
use crate::model::params::Params;
use crate::recipe::Numerics;
use tch::{Device, Tensor, no_grad};

/// The model.
#[derive(Debug)]
pub struct Streamed {
    config: Config,
    host: Params,
    device: Device,
}

impl Streamed {
    /// A model that was loaded on the host, to be run on `device`.
    pub fn new(model: &Qwen2Audio, device: Device) -> Self {
        Self { config: model.config().clone(), host: model.params().with_adapters(None), device }
    }

    /// Those parameters whose names `wanted` accepts, on the device.
    fn bring(&self, wanted: impl Fn(&str) -> bool) -> Params {
        let some = self.host.iter().filter(|(name, _)| wanted(name));
        Params::new(some.map(|(name, tensor)| (name.clone(), tensor.to_device(self.device))).collect())
    }

    /// Log-probabilities `[N, C]` of the completions of each part of a step, without gradient: as [`super::logps::completion_logprobs`] of each part.
    ///
    /// # Errors
    /// Internal, as there.
    pub fn logprobs(&self, parts: &[Vec<Group<'_>>], pad: i64, numerics: Numerics) -> Result<Vec<Tensor>> {
        no_grad(|| {
            // What stands before and behind the layers: a model without any.
            let text = TextConfig { num_hidden_layers: 0, ..self.config.text.clone() };
            let ends = self.bring(|name| !name.starts_with("language_model.model.layers."));
            let ends = Qwen2Audio::new(Config { text, ..self.config.clone() }, ends, self.device)?;
            let mut rows = Vec::with_capacity(parts.len());
            for groups in parts {
                let packed = Packed::new(groups, pad, self.device)?;
                let x = packed.embeds(&ends)?;
                let rotary = ends.language().rotary(&packed.positions, &x);
                rows.push((packed, rotary, x));
            }
            for i in 0..self.config.text.num_hidden_layers {
                let prefix = format!("language_model.model.layers.{i}.");
                let layer = Layer::new(&self.config.text, &self.bring(|name| name.starts_with(&prefix)), i)?;
                let last = i + 1 == self.config.text.num_hidden_layers;
                for (packed, rotary, x) in &mut rows {
                    let wanted = last.then_some(&packed.predictors);
                    *x = layer.forward(x, rotary, &packed.mask, wanted, None);
                }
            }
            let score = |(packed, _, x): &(Packed<'_>, _, Tensor)| {
                packed.score(&ends, &ends.language().finish(x), numerics.into()).logprobs
            };
            Ok(rows.iter().map(score).collect())
        })
    }
}
