//! How many numbers a model and its passes have: products of the configuration's sizes, nothing measured.

use crate::architecture::{Config, EMBED_POSITIONS, expected, matched};
use crate::error::Result;
use crate::recipe::{Dtype, Lora};

/// Bytes of a float32 number.
pub(super) const FLOAT32: u64 = 4;

/// Bytes of a number of a type.
pub(super) fn bytes(dtype: Dtype) -> u64 {
    match dtype {
        Dtype::Float32 => FLOAT32,
        Dtype::Bfloat16 => 2,
    }
}

/// Numbers of a model.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Counts {
    /// All parameters.
    pub all: u64,
    /// Those that full training changes.
    pub trained: u64,
    /// The largest parameter: the embedding or the output head.
    pub largest: u64,
    /// One layer of the language model.
    pub layer: u64,
    /// What stands around its layers: encoder, projector, embedding, last norm and output head.
    pub ends: u64,
}

/// Counts the parameters that a configuration implies.
pub fn counts(config: &Config) -> Counts {
    let shapes = expected(config);
    let count = |wanted: &dyn Fn(&str) -> bool| -> u64 {
        shapes.iter().filter(|(name, _)| wanted(name)).map(|(_, shape)| size(shape)).sum()
    };
    Counts {
        all: count(&|_| true),
        trained: count(&|name| name != EMBED_POSITIONS),
        largest: shapes.iter().map(|(_, shape)| size(shape)).max().unwrap_or(0),
        layer: count(&|name| name.starts_with("language_model.model.layers.0.")),
        ends: count(&|name| !name.starts_with("language_model.model.layers.")),
    }
}

fn size(shape: &[i64]) -> u64 {
    shape.iter().map(|&n| n as u64).product()
}

/// Numbers of the adapters on a model.
///
/// # Errors
/// Exit code 2 for a target that no linear layer has.
pub fn adapters(config: &Config, lora: &Lora) -> Result<u64> {
    let layers = matched(config, &lora.targets)?;
    Ok(layers.iter().map(|(_, [out, of])| lora.rank as u64 * (out + of) as u64).sum())
}
