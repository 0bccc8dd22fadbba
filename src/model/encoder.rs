//! The audio encoder: Whisper-style, then pooled to 25 embeddings a second.
//!
//! transformers 4.49.0 `Qwen2AudioEncoder.forward`. One difference in cost, none in result: the reference encodes 30 s of padding; here
//! the features may be cut to the longest clip of the batch, see [`frames_needed`].

use super::layers::{LayerNorm, Linear, attention, join_heads, split_heads};
use super::params::{EMBED_POSITIONS, Params};
use crate::architecture::AudioConfig;
use crate::error::{Error, Result};
use tch::{Kind, Tensor};

/// The encoder.
#[derive(Debug)]
pub struct Encoder {
    conv1: Conv,
    conv2: Conv,
    embed_positions: Tensor,
    layers: Vec<Layer>,
    layer_norm: LayerNorm,
    max_frames: i64,
    mel_bins: i64,
}

#[derive(Debug)]
struct Conv {
    weight: Tensor,
    bias: Tensor,
    stride: i64,
}

#[derive(Debug)]
struct Layer {
    q_proj: Linear,
    k_proj: Linear,
    v_proj: Linear,
    out_proj: Linear,
    self_attn_layer_norm: LayerNorm,
    fc1: Linear,
    fc2: Linear,
    final_layer_norm: LayerNorm,
    heads: i64,
}

/// Frames of which the encoder needs the features when the longest clip of a batch has `valid` frames: the second convolution's last
/// valid position sees frame `valid + 1` through the first; later frames reach only positions that are masked as keys.
pub fn frames_needed(valid: i64, max_frames: i64) -> i64 {
    (valid + 2 + valid % 2).min(max_frames)
}

/// Positions after the second convolution for `valid` frames.
fn conv_length(valid: i64) -> i64 {
    (valid - 1) / 2 + 1
}

/// Audio embeddings for `valid` frames.
pub fn pooled_length(valid: i64) -> i64 {
    ((conv_length(valid) - 2).div_euclid(2) + 1).max(0)
}

/// Clips, by their frames, in batches: the longest first, and with it all that have three quarters of it or lack less than two seconds. One batch keeps the
/// order of the clips.
pub fn of_like_length(frames: &[i64]) -> Vec<Vec<usize>> {
    let alike = |longest: i64, own: i64| 4 * own >= 3 * longest || longest - own < 200;
    let longest = frames.iter().copied().max().unwrap_or(0);
    let mut order: Vec<usize> = (0..frames.len()).collect();
    if !frames.iter().all(|&own| alike(longest, own)) {
        order.sort_by_key(|&i| std::cmp::Reverse(frames[i]));
    }
    let mut batches: Vec<Vec<usize>> = Vec::new();
    for i in order {
        match batches.last_mut() {
            Some(batch) if alike(frames[batch[0]], frames[i]) => batch.push(i),
            _ => batches.push(vec![i]),
        }
    }
    batches
}

impl Encoder {
    /// Reads `audio_tower.*`.
    pub fn new(config: &AudioConfig, params: &Params) -> Result<Self> {
        let conv = |name: &str, stride| -> Result<Conv> {
            let at = |part: &str| format!("audio_tower.{name}.{part}");
            Ok(Conv { weight: params.get(&at("weight"))?, bias: params.get(&at("bias"))?, stride })
        };
        let layer = |i: i64| -> Result<Layer> {
            let at = |part: &str| format!("audio_tower.layers.{i}.{part}");
            Ok(Layer {
                q_proj: Linear::with_bias(params, &at("self_attn.q_proj"))?,
                k_proj: Linear::no_bias(params, &at("self_attn.k_proj"))?,
                v_proj: Linear::with_bias(params, &at("self_attn.v_proj"))?,
                out_proj: Linear::with_bias(params, &at("self_attn.out_proj"))?,
                self_attn_layer_norm: LayerNorm::new(params, &at("self_attn_layer_norm"))?,
                fc1: Linear::with_bias(params, &at("fc1"))?,
                fc2: Linear::with_bias(params, &at("fc2"))?,
                final_layer_norm: LayerNorm::new(params, &at("final_layer_norm"))?,
                heads: config.encoder_attention_heads,
            })
        };
        Ok(Self {
            conv1: conv("conv1", 1)?,
            conv2: conv("conv2", 2)?,
            embed_positions: params.get(EMBED_POSITIONS)?,
            layers: (0..config.encoder_layers).map(layer).collect::<Result<_>>()?,
            layer_norm: LayerNorm::new(params, "audio_tower.layer_norm")?,
            max_frames: 2 * config.max_source_positions,
            mel_bins: config.num_mel_bins,
        })
    }

    /// Frames of a 30 s clip.
    pub fn max_frames(&self) -> i64 {
        self.max_frames
    }

    /// `input_features` `[B, mel, F]` and the number of valid frames of each clip to embeddings `[B, F/4, d_model]`, of which the
    /// first [`pooled_length`] of each clip count.
    ///
    /// # Errors
    /// Internal, when F is too short for the longest clip: the caller cut too much.
    pub fn forward(&self, input_features: &Tensor, valid_frames: &[i64]) -> Result<Tensor> {
        let (b, mel, frames) = input_features.size3().map_err(|e| Error::internal(e.to_string()))?;
        let longest = valid_frames.iter().copied().max().unwrap_or(0);
        if b != valid_frames.len() as i64 || mel != self.mel_bins || frames < frames_needed(longest, self.max_frames) {
            return Err(Error::internal(format!(
                "input_features: expected [{}, {}, {} or more], found [{b}, {mel}, {frames}]",
                valid_frames.len(),
                self.mel_bins,
                frames_needed(longest, self.max_frames)
            )));
        }
        let x = input_features.to_kind(self.conv1.weight.kind());
        let x = self.conv2.forward(&self.conv1.forward(&x).gelu("none")).gelu("none").transpose(1, 2);
        let positions = x.size()[1]; // [B, P, d]
        let mut x = x + self.embed_positions.narrow(0, 0, positions);
        let mask = self.key_mask(valid_frames, positions);
        for layer in &self.layers {
            x = layer.forward(&x, mask.as_ref());
        }
        let pooled = x.transpose(1, 2).avg_pool1d([2], [2], [0], false, true).transpose(1, 2);
        Ok(self.layer_norm.forward(&pooled))
    }

    /// `[B, 1, 1, P]`, true at the positions of valid frames; none when all are.
    fn key_mask(&self, valid_frames: &[i64], positions: i64) -> Option<Tensor> {
        let lengths: Vec<i64> = valid_frames.iter().map(|&n| conv_length(n)).collect();
        if lengths.iter().all(|&n| n == positions) {
            return None;
        }
        let device = self.embed_positions.device();
        let lengths = Tensor::from_slice(&lengths).to_device(device).view([-1, 1, 1, 1]);
        Some(Tensor::arange(positions, (Kind::Int64, device)).view([1, 1, 1, -1]).lt_tensor(&lengths))
    }
}

impl Conv {
    /// Kernel 3, padding 1.
    fn forward(&self, x: &Tensor) -> Tensor {
        x.conv1d(&self.weight, Some(&self.bias), [self.stride], [1], [1], 1)
    }
}

impl Layer {
    fn forward(&self, x: &Tensor, mask: Option<&Tensor>) -> Tensor {
        let h = self.self_attn_layer_norm.forward(x);
        let q = split_heads(&self.q_proj.forward(&h), self.heads);
        let k = split_heads(&self.k_proj.forward(&h), self.heads);
        let v = split_heads(&self.v_proj.forward(&h), self.heads);
        let x = x + self.out_proj.forward(&join_heads(&attention(&q, &k, &v, mask)));
        let h = self.fc1.forward(&self.final_layer_norm.forward(&x)).gelu("none");
        x + self.fc2.forward(&h)
    }
}
