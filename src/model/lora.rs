//! LoRA (arXiv 2106.09685) as peft 0.14.0 computes it (`tuners/lora/layer.py`, `Linear`): `y = x Wᵀ + (alpha / rank) x Aᵀ Bᵀ`, without dropout
//! or bias. The base weights stay frozen; adapters are float32 also beside 16-bit weights, as peft's are.
//!
//! A difference, on purpose: a target that names no layer is an error; peft passes over it as long as another one fits.

use super::params::Params;
use super::weights::{load_tensors, save_tensors};
use crate::architecture::Config;
pub use crate::architecture::{ALL_LINEAR, matched};
use crate::artifact::write;
use crate::error::{Error, Result};
use crate::recipe::Lora;
use crate::seeds::Key;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::path::Path;
use tch::{Device, Kind, Tensor};

/// What peft puts before a module's name in `adapter_model.safetensors`.
const PREFIX: &str = "base_model.model.";
const WEIGHTS: &str = "adapter_model.safetensors";
const CONFIG: &str = "adapter_config.json";

/// The adapter of one linear layer.
#[derive(Debug)]
pub struct Adapter {
    /// `[rank, in]`.
    a: Tensor,
    /// `[out, rank]`.
    b: Tensor,
    scaling: f64,
}

impl Adapter {
    /// What it adds to `y`, the layer's output for `x`; in the adapter's own kind, then back to `y`'s.
    pub fn add_to(&self, y: &Tensor, x: &Tensor) -> Tensor {
        let x = x.to_kind(self.a.kind());
        let low = x.linear(&self.a, None::<&Tensor>).linear(&self.b, None::<&Tensor>);
        (y + low * self.scaling).to_kind(y.kind())
    }

    /// `W + scaling B A`, computed in float32 at least, in W's kind.
    fn merged(&self, weight: &Tensor) -> Tensor {
        let delta = self.b.matmul(&self.a) * self.scaling;
        (weight.to_kind(delta.kind()) + delta).to_kind(weight.kind())
    }
}

/// The adapters of a model, by the name of the layer's parameters: `MODULE.lora_A.weight` `[rank, in]`, `MODULE.lora_B.weight` `[out, rank]`.
#[derive(Debug)]
pub struct Adapters {
    settings: Lora,
    tensors: BTreeMap<String, Tensor>,
}

fn names(module: &str) -> [String; 2] {
    ["A", "B"].map(|half| format!("{module}.lora_{half}.weight"))
}

impl Adapters {
    /// Fresh adapters: A uniform in ±1/sqrt(in) (peft's kaiming_uniform with a = sqrt(5)), B zero, so that the model starts as it was.
    /// Every number is a function of (seed, stage, module, index).
    pub fn new(config: &Config, settings: &Lora, seed: u64, stage: &str, device: Device) -> Result<Self> {
        let rank = settings.rank as i64;
        let mut tensors = BTreeMap::new();
        for (module, [out, of]) in matched(config, &settings.targets)? {
            let key = Key::derive(seed, "lora", &[stage, &module]);
            let bound = 1.0 / (of as f64).sqrt();
            let values: Vec<f32> =
                (0..(rank * of) as u64).map(|i| (bound * (2.0 * key.uniform(i, 0) - 1.0)) as f32).collect();
            let [a, b] = names(&module);
            tensors.insert(a, Tensor::from_slice(&values).view([rank, of]).to_device(device));
            tensors.insert(b, Tensor::zeros([out, rank], (Kind::Float, device)));
        }
        Ok(Self { settings: settings.clone(), tensors })
    }

    /// Reads `adapter_model.safetensors` of a folder in peft's layout. Names must agree both ways with the settings, and shapes with the model.
    ///
    /// # Errors
    /// Exit code 4, naming the first tensor that is missing, extra or of another shape.
    pub fn load(dir: &Path, config: &Config, settings: &Lora, device: Device) -> Result<Self> {
        let path = dir.join(WEIGHTS);
        let mut found = load_tensors(&path, device)?;
        let wrong = |what: String| Error::inputs(format!("{}: {what}", path.display()));
        let mut tensors = BTreeMap::new();
        let rank = settings.rank as i64;
        for (module, [out, of]) in matched(config, &settings.targets)? {
            for (name, shape) in names(&module).into_iter().zip([[rank, of], [out, rank]]) {
                let tensor = found.remove(&format!("{PREFIX}{name}"));
                let tensor = tensor.ok_or_else(|| wrong(format!("expected {PREFIX}{name}, which is missing")))?;
                if tensor.size() != shape {
                    return Err(wrong(format!("{PREFIX}{name}: expected shape {shape:?}, found {:?}", tensor.size())));
                }
                tensors.insert(name, tensor.to_kind(Kind::Float));
            }
        }
        match found.keys().next() {
            Some(extra) => Err(wrong(format!("{extra}: not an adapter of this recipe's lora.targets (extra)"))),
            None => Ok(Self { settings: settings.clone(), tensors }),
        }
    }

    /// Writes them in peft's layout into a folder that exists: `PeftModel.from_pretrained(base, dir)` reads it.
    pub fn save(&self, dir: &Path) -> Result<()> {
        let named = self.tensors.iter().map(|(name, tensor)| (format!("{PREFIX}{name}"), tensor.shallow_clone()));
        save_tensors(named, &dir.join(WEIGHTS))?;
        write::replace_json(&dir.join(CONFIG), &self.config())
    }

    fn config(&self) -> Value {
        // One target that means all is a text in peft's configuration, not a list.
        let targets = match &self.settings.targets[..] {
            [one] if one == ALL_LINEAR => json!(ALL_LINEAR),
            targets => json!(targets),
        };
        json!({
            "peft_type": "LORA",
            "base_model_name_or_path": null,
            "r": self.settings.rank,
            "lora_alpha": self.settings.alpha,
            "lora_dropout": 0.0,
            "target_modules": targets,
            "bias": "none",
            "fan_in_fan_out": false,
            "use_rslora": false,
            "use_dora": false,
            "init_lora_weights": true,
            "inference_mode": true,
        })
    }

    /// The adapter of a layer, if it has one.
    pub fn get(&self, module: &str) -> Option<Adapter> {
        let [a, b] = names(module).map(|name| self.tensors.get(&name).map(Tensor::shallow_clone));
        Some(Adapter { a: a?, b: b?, scaling: self.settings.alpha / self.settings.rank as f64 })
    }

    /// All of them, by name.
    pub fn iter(&self) -> impl Iterator<Item = (&String, &Tensor)> {
        self.tensors.iter()
    }

    /// A copy that shares nothing.
    pub fn copy(&self) -> Self {
        let tensors = self.tensors.iter().map(|(name, t)| (name.clone(), t.detach().copy()));
        Self { settings: self.settings.clone(), tensors: tensors.collect() }
    }

    /// A copy in another kind.
    pub fn to_kind(&self, kind: Kind) -> Self {
        let tensors = self.tensors.iter().map(|(name, t)| (name.clone(), t.detach().to_kind(kind).copy()));
        Self { settings: self.settings.clone(), tensors: tensors.collect() }
    }

    /// The weights of a model with these adapters added to them; everything else as it is.
    pub(super) fn merge(&self, base: &Params) -> Params {
        let merged = base.iter().map(|(name, tensor)| {
            let adapter = name.strip_suffix(".weight").and_then(|module| self.get(module));
            let tensor = adapter.map_or_else(|| tensor.shallow_clone(), |adapter| adapter.merged(tensor));
            (name.clone(), tensor.detach())
        });
        Params::new(merged.collect())
    }
}
