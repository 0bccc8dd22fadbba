//! The language model: Qwen2 decoder (transformers 4.49.0 `modeling_qwen2.py`).

use super::config::TextConfig;
use super::kv_cache::KvCache;
use super::layers::{Linear, RmsNorm, Rotary, attention, join_heads, split_heads};
use super::params::Params;
use crate::error::Result;
use tch::Tensor;

/// The decoder, with its embedding and output head.
#[derive(Debug)]
pub struct Language {
    embed_tokens: Tensor,
    layers: Vec<Layer>,
    norm: RmsNorm,
    lm_head: Linear,
    head_dim: i64,
    rope_theta: f64,
}

/// One layer of the decoder.
#[derive(Debug)]
pub struct Layer {
    self_attn: Attention,
    mlp: Mlp,
    input_layernorm: RmsNorm,
    post_attention_layernorm: RmsNorm,
}

#[derive(Debug)]
struct Attention {
    q_proj: Linear,
    k_proj: Linear,
    v_proj: Linear,
    o_proj: Linear,
    heads: i64,
    kv_heads: i64,
}

#[derive(Debug)]
struct Mlp {
    gate_proj: Linear,
    up_proj: Linear,
    down_proj: Linear,
}

impl Language {
    /// Reads `language_model.*`.
    pub fn new(config: &TextConfig, params: &Params) -> Result<Self> {
        let embed_tokens = params.get("language_model.model.embed_tokens.weight")?;
        let lm_head = if config.tie_word_embeddings {
            Linear::tied(&embed_tokens)
        } else {
            Linear::no_bias(params, "language_model.lm_head")?
        };
        Ok(Self {
            embed_tokens,
            layers: (0..config.num_hidden_layers).map(|i| Layer::new(config, params, i)).collect::<Result<_>>()?,
            norm: RmsNorm::new(params, "language_model.model.norm", config.rms_norm_eps)?,
            lm_head,
            head_dim: config.head_dim(),
            rope_theta: config.rope_theta,
        })
    }

    /// Token ids `[B, T]` to embeddings `[B, T, hidden]`.
    pub fn embed(&self, input_ids: &Tensor) -> Tensor {
        Tensor::embedding(&self.embed_tokens, input_ids, -1, false, false)
    }

    /// Embeddings `[B, T, hidden]` at `position_ids` `[B, T]` to hidden states `[B, T, hidden]` (after the last norm). `mask` `[B, 1, T, S]` is
    /// true where a query may look; S is T, or with a cache its length plus T.
    pub fn forward(
        &self,
        embeds: &Tensor,
        position_ids: &Tensor,
        mask: &Tensor,
        mut cache: Option<&mut KvCache>,
    ) -> Tensor {
        let rotary = self.rotary(position_ids, embeds);
        let mut x = embeds.shallow_clone();
        for (i, layer) in self.layers.iter().enumerate() {
            x = layer.forward(&x, &rotary, mask, cache.as_deref_mut().map(|c| (i, c)));
        }
        if let Some(cache) = cache {
            cache.advance(embeds.size()[1]);
        }
        self.finish(&x)
    }

    /// The layers, in order: what [`Language::forward`] runs one after the other, between the embeddings and [`Language::finish`].
    pub fn layers(&self) -> &[Layer] {
        &self.layers
    }

    /// Rotary positions of every layer, in the kind of the embeddings.
    pub fn rotary(&self, position_ids: &Tensor, embeds: &Tensor) -> Rotary {
        Rotary::new(position_ids, self.head_dim, self.rope_theta, embeds.kind())
    }

    /// What the last layer gives to hidden states: the last norm.
    pub fn finish(&self, x: &Tensor) -> Tensor {
        self.norm.forward(x)
    }

    /// Hidden states `[…, hidden]` to logits `[…, vocab]`.
    pub fn logits(&self, hidden: &Tensor) -> Tensor {
        self.lm_head.forward(hidden)
    }
}

impl Layer {
    /// Reads `language_model.model.layers.I.*`.
    pub fn new(config: &TextConfig, params: &Params, i: i64) -> Result<Self> {
        let at = |part: &str| format!("language_model.model.layers.{i}.{part}");
        Ok(Self {
            self_attn: Attention {
                q_proj: Linear::with_bias(params, &at("self_attn.q_proj"))?,
                k_proj: Linear::with_bias(params, &at("self_attn.k_proj"))?,
                v_proj: Linear::with_bias(params, &at("self_attn.v_proj"))?,
                o_proj: Linear::no_bias(params, &at("self_attn.o_proj"))?,
                heads: config.num_attention_heads,
                kv_heads: config.num_key_value_heads,
            },
            mlp: Mlp {
                gate_proj: Linear::no_bias(params, &at("mlp.gate_proj"))?,
                up_proj: Linear::no_bias(params, &at("mlp.up_proj"))?,
                down_proj: Linear::no_bias(params, &at("mlp.down_proj"))?,
            },
            input_layernorm: RmsNorm::new(params, &at("input_layernorm"), config.rms_norm_eps)?,
            post_attention_layernorm: RmsNorm::new(params, &at("post_attention_layernorm"), config.rms_norm_eps)?,
        })
    }

    /// `[B, T, hidden]` to the same; with a cache, `(I, cache)` of this layer.
    pub fn forward(&self, x: &Tensor, rotary: &Rotary, mask: &Tensor, cache: Option<(usize, &mut KvCache)>) -> Tensor {
        let x = x + self.self_attn.forward(&self.input_layernorm.forward(x), rotary, mask, cache);
        let h = self.mlp.forward(&self.post_attention_layernorm.forward(&x));
        x + h
    }
}

impl Attention {
    fn forward(&self, x: &Tensor, rotary: &Rotary, mask: &Tensor, cache: Option<(usize, &mut KvCache)>) -> Tensor {
        let q = rotary.apply(&split_heads(&self.q_proj.forward(x), self.heads));
        let k = rotary.apply(&split_heads(&self.k_proj.forward(x), self.kv_heads));
        let v = split_heads(&self.v_proj.forward(x), self.kv_heads);
        let (k, v) = match cache {
            Some((layer, cache)) => cache.append(layer, &k, &v),
            None => (k, v),
        };
        self.o_proj.forward(&join_heads(&attention(&q, &k, &v, Some(mask))))
    }
}

impl Mlp {
    fn forward(&self, x: &Tensor) -> Tensor {
        self.down_proj.forward(&(self.gate_proj.forward(x).silu() * self.up_proj.forward(x)))
    }
}
