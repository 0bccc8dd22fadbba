//! The shapes of models that are measured.

use aqa_bench::error::{Error, Result};
use aqa_bench::recipe::{Dtype, Init};

/// The shape of Qwen2-Audio with 38 million parameters.
pub const MINI: Init = Init {
    hidden_size: 512,
    layers: 8,
    heads: 8,
    kv_heads: 8,
    intermediate_size: 1408,
    audio_d_model: 256,
    audio_layers: 4,
    audio_heads: 4,
    audio_ffn_dim: 1024,
    vocab_size: 8192,
    dtype: Dtype::Float32,
};

/// Qwen2-Audio-7B: what its published config.json and the defaults of transformers say.
const REAL: Init = Init {
    hidden_size: 4096,
    layers: 32,
    heads: 32,
    kv_heads: 32,
    intermediate_size: 11_008,
    audio_d_model: 1280,
    audio_layers: 32,
    audio_heads: 20,
    audio_ffn_dim: 5120,
    vocab_size: 156_032,
    dtype: Dtype::Bfloat16,
};

/// What a machine without a GPU can go through, to see that the bench works.
const SMALL: Init = Init {
    hidden_size: 128,
    layers: 2,
    heads: 4,
    kv_heads: 4,
    intermediate_size: 352,
    audio_d_model: 64,
    audio_layers: 2,
    audio_heads: 2,
    audio_ffn_dim: 256,
    vocab_size: 2048,
    dtype: Dtype::Bfloat16,
};

/// A shape by its name.
pub fn of(name: &str) -> Result<&'static Init> {
    match name {
        "mini" => Ok(&MINI),
        "real" => Ok(&REAL),
        "small" => Ok(&SMALL),
        other => Err(Error::request(format!("expected mini, real or small, found {other:?}"))),
    }
}
