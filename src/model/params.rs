//! The parameters of a Qwen2-Audio model: names as Hugging Face saves them, shapes as its configuration implies.

use super::lora::{Adapter, Adapters};
use crate::architecture::Config;
pub use crate::architecture::{EMBED_POSITIONS, expected};
use crate::error::{Error, Result};
use crate::recipe::Dtype;
use crate::seeds::Key;
use std::collections::BTreeMap;
use tch::{Device, Kind, Tensor};

/// Named tensors in the order of their names, and the adapters on them where there are any.
#[derive(Debug)]
pub struct Params {
    tensors: BTreeMap<String, Tensor>,
    adapters: Option<Adapters>,
}

/// The tch kind of a dtype.
pub fn kind(dtype: Dtype) -> Kind {
    match dtype {
        Dtype::Float32 => Kind::Float,
        Dtype::Bfloat16 => Kind::BFloat16,
    }
}

/// The kind that sums and statistics of a kind are computed in: float32 for 16 bits; float64 stays, so that tests can run a model in it.
pub fn wide(kind: Kind) -> Kind {
    if kind == Kind::Double { Kind::Double } else { Kind::Float }
}

/// Linear layers of one input: each group's weights, and biases, are best kept side by side.
fn joined(config: &Config) -> Vec<Vec<String>> {
    let layer = |i: i64| {
        let at = |part: &str| format!("language_model.model.layers.{i}.{part}");
        let qkv = |kind: &str| ["q_proj", "k_proj", "v_proj"].map(|p| at(&format!("self_attn.{p}.{kind}"))).to_vec();
        let gate_up = ["gate_proj", "up_proj"].map(|p| at(&format!("mlp.{p}.weight"))).to_vec();
        [qkv("weight"), qkv("bias"), gate_up]
    };
    (0..config.text.num_hidden_layers).flat_map(layer).collect()
}

/// Tensors that lie one behind the other in one storage, as one tensor over the same memory, without gradient; `None` where they do not.
pub fn adjacent(parts: &[&Tensor]) -> Option<Tensor> {
    let (first, rest) = parts.split_first()?;
    let end = |t: &Tensor| t.data_ptr() as usize + t.numel() * t.kind().elt_size_in_bytes();
    let mut before = first;
    for part in rest {
        let fits = part.is_contiguous() && part.kind() == first.kind() && part.device() == first.device();
        if !fits || end(before) != part.data_ptr() as usize || part.size()[1..] != first.size()[1..] {
            return None;
        }
        before = part;
    }
    let mut size = first.size();
    size[0] = parts.iter().map(|p| p.size()[0]).sum();
    // Neighbours by chance lie in two storages: libtorch refuses to reach over the end of one.
    let whole = first.detach().f_as_strided(&size, first.stride(), None::<i64>).ok()?;
    first.is_contiguous().then_some(whole)
}

impl Params {
    /// The same parameters, those of layers with one input side by side in one tensor, so that one product computes them. What is side by side already
    /// stays as it is; the rest is copied group by group.
    pub fn packed(mut self, config: &Config) -> Self {
        for group in joined(config) {
            let parts: Vec<&Tensor> = group.iter().filter_map(|name| self.tensors.get(name)).collect();
            if parts.len() != group.len() || adjacent(&parts).is_some() {
                continue;
            }
            let widths: Vec<i64> = parts.iter().map(|p| p.size()[0]).collect();
            let whole = Tensor::cat(&parts.iter().map(|p| p.detach()).collect::<Vec<_>>(), 0);
            let mut start = 0;
            for (name, width) in group.into_iter().zip(widths) {
                self.tensors.insert(name, whole.narrow(0, start, width).detach());
                start += width;
            }
        }
        self
    }

    /// Takes tensors by name. The caller has checked names and shapes.
    pub fn new(tensors: BTreeMap<String, Tensor>) -> Self {
        Self { tensors, adapters: None }
    }

    /// The same tensors (shared), with adapters on them or, with `None`, bare.
    pub fn with_adapters(&self, adapters: Option<Adapters>) -> Self {
        let share = |(name, tensor): (&String, &Tensor)| (name.clone(), tensor.shallow_clone());
        Self { tensors: self.tensors.iter().map(share).collect(), adapters }
    }

    /// The adapters, where there are any.
    pub fn adapters(&self) -> Option<&Adapters> {
        self.adapters.as_ref()
    }

    /// The adapter of the linear layer `module`, where it has one.
    pub fn adapter(&self, module: &str) -> Option<Adapter> {
        self.adapters.as_ref()?.get(module)
    }

    /// Plain weights that compute what these do: adapters added to the layers they sit on.
    pub fn merged(&self) -> Self {
        self.adapters.as_ref().map_or_else(|| self.with_adapters(None), |adapters| adapters.merge(self))
    }

    /// Random weights from a key: linear and convolution layers uniform in ±1/sqrt(fan in) as PyTorch initialises them, embeddings
    /// normal with deviation 0.02, norms 1 and 0. Every number is a function of (key, parameter name, index).
    pub fn random(config: &Config, seed: u64, device: Device) -> Self {
        let shapes = expected(config);
        let fan_in: BTreeMap<String, i64> = shapes
            .iter()
            .filter(|(name, shape)| name.ends_with(".weight") && shape.len() > 1)
            .map(|(name, shape)| (name.trim_end_matches(".weight").to_owned(), shape[1..].iter().product()))
            .collect();
        let tensors = shapes.into_iter().map(|(name, shape)| {
            let key = Key::derive(seed, "init", &[&name]);
            let count = shape.iter().product::<i64>() as u64;
            let owner = name.rsplit_once('.').map_or("", |(owner, _)| owner);
            let values: Vec<f32> = if name == EMBED_POSITIONS {
                sinusoids(shape[0], shape[1])
            } else if owner.ends_with("norm") {
                vec![if name.ends_with(".weight") { 1.0 } else { 0.0 }; count as usize]
            } else if owner.ends_with("embed_tokens") {
                (0..count).map(|i| (0.02 * key.normal(i, 0)) as f32).collect()
            } else {
                let bound = 1.0 / libm::sqrt(fan_in.get(owner).copied().unwrap_or(1) as f64);
                (0..count).map(|i| (bound * (2.0 * key.uniform(i, 0) - 1.0)) as f32).collect()
            };
            let tensor = Tensor::from_slice(&values).reshape(&shape).to_kind(kind(config.dtype)).to_device(device);
            (name, tensor)
        });
        Self::new(tensors.collect())
    }

    /// The tensor of that name.
    ///
    /// # Errors
    /// An internal error when the configuration does not imply it: a defect of this program.
    pub fn get(&self, name: &str) -> Result<Tensor> {
        let found = self.tensors.get(name).map(Tensor::shallow_clone);
        found.ok_or_else(|| Error::internal(format!("no parameter {name:?} in the model")))
    }

    /// All of them but adapters, by name.
    pub fn iter(&self) -> impl Iterator<Item = (&String, &Tensor)> {
        self.tensors.iter()
    }

    /// Those that training changes, by name: the adapters where there are any, else everything but the encoder's positions.
    pub fn trainable(&self) -> impl Iterator<Item = (&String, &Tensor)> {
        let whole = self.adapters.is_none();
        let own = self.tensors.iter().filter(move |(name, _)| whole && *name != EMBED_POSITIONS);
        own.chain(self.adapters.iter().flat_map(Adapters::iter))
    }

    /// Lets gradients flow to the trainable ones.
    pub fn require_grad(&self) {
        for (_, tensor) in self.trainable() {
            let _ = tensor.set_requires_grad(true);
        }
    }

    /// A copy that shares nothing.
    pub fn deep_copy(&self) -> Self {
        let copy = |(name, tensor): (&String, &Tensor)| (name.clone(), tensor.detach().copy());
        Self { tensors: self.tensors.iter().map(copy).collect(), adapters: self.adapters.as_ref().map(Adapters::copy) }
    }

    /// The same numbers in another kind.
    pub fn to_kind(&self, kind: Kind) -> Self {
        let tensors = self.tensors.iter().map(|(n, t)| (n.clone(), t.detach().to_kind(kind).copy()));
        Self { tensors: tensors.collect(), adapters: self.adapters.as_ref().map(|a| a.to_kind(wide(kind))) }
    }

    /// Number of elements.
    pub fn count(&self) -> usize {
        self.tensors.values().map(Tensor::numel).sum()
    }
}

/// Whisper's sinusoidal positions `[length, channels]`: sines then cosines, timescale 10000 (openai/whisper `model.py` `sinusoids`).
fn sinusoids(length: i64, channels: i64) -> Vec<f32> {
    let half = channels / 2;
    let step = libm::log(10000.0) / (half - 1).max(1) as f64;
    let angle = |t: i64, c: i64| t as f64 * libm::exp(-step * c as f64);
    let row = |t: i64| {
        (0..channels).map(move |c| if c < half { libm::sin(angle(t, c)) } else { libm::cos(angle(t, c - half)) } as f32)
    };
    (0..length).flat_map(row).collect()
}
