//! The language model: Qwen2 decoder (transformers 4.49.0 `modeling_qwen2.py`).

use super::kv_cache::KvCache;
use super::layers::{Joined, Linear, RmsNorm, Rotary, attention, join_heads, split_heads};
use super::params::Params;
use crate::architecture::TextConfig;
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
    /// `q_proj`, `k_proj`, `v_proj`.
    qkv_proj: Joined<3>,
    o_proj: Linear,
    heads: i64,
    kv_heads: i64,
}

#[derive(Debug)]
struct Mlp {
    /// `gate_proj`, `up_proj`.
    gate_up_proj: Joined<2>,
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

    /// Embeddings `[B, T, hidden]` at `position_ids` `[B, T]` to hidden states (after the last norm): of every position, `[B, T, hidden]`, or, flattened, of
    /// those that `wanted` names in `[B * T]`, `[N, hidden]`: the last layer computes no other. `mask` `[B, 1, T, T]` is true where a query may look. A cache takes
    /// the prompts' keys and values.
    pub fn forward(
        &self,
        embeds: &Tensor,
        position_ids: &Tensor,
        mask: &Tensor,
        wanted: Option<&Tensor>,
        mut cache: Option<&mut KvCache>,
    ) -> Tensor {
        let rotary = self.rotary(position_ids, embeds);
        let mut x = embeds.shallow_clone();
        for (i, layer) in self.layers.iter().enumerate() {
            let wanted = wanted.filter(|_| i + 1 == self.layers.len());
            x = layer.forward(&x, &rotary, mask, wanted, cache.as_deref_mut());
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

    /// One token of every row of the cache, ids `[R, 1]`, to hidden states `[R, hidden]`.
    pub fn decode(&self, ids: &Tensor, cache: &mut KvCache) -> Tensor {
        let embeds = self.embed(ids);
        let rotary = self.rotary(&cache.next_positions(), &embeds);
        let mut x = embeds;
        for (i, layer) in self.layers.iter().enumerate() {
            x = layer.decode(&x, &rotary, i, cache);
        }
        cache.advance();
        self.norm.few(&x.squeeze_dim(1))
    }

    /// Hidden states `[rows, hidden]` to logits `[rows, vocab]` for the choice of the next tokens: a few rows, without gradient.
    pub fn next_logits(&self, hidden: &Tensor) -> Tensor {
        self.lm_head.few(hidden)
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
                qkv_proj: Joined::new([
                    Linear::with_bias(params, &at("self_attn.q_proj"))?,
                    Linear::with_bias(params, &at("self_attn.k_proj"))?,
                    Linear::with_bias(params, &at("self_attn.v_proj"))?,
                ]),
                o_proj: Linear::no_bias(params, &at("self_attn.o_proj"))?,
                heads: config.num_attention_heads,
                kv_heads: config.num_key_value_heads,
            },
            mlp: Mlp {
                gate_up_proj: Joined::new([
                    Linear::no_bias(params, &at("mlp.gate_proj"))?,
                    Linear::no_bias(params, &at("mlp.up_proj"))?,
                ]),
                down_proj: Linear::no_bias(params, &at("mlp.down_proj"))?,
            },
            input_layernorm: RmsNorm::new(params, &at("input_layernorm"), config.rms_norm_eps)?,
            post_attention_layernorm: RmsNorm::new(params, &at("post_attention_layernorm"), config.rms_norm_eps)?,
        })
    }

    /// `[B, T, hidden]` to the same, or to the positions that `wanted` names in `[B * T]`, `[N, hidden]`. A cache takes the keys and values.
    pub fn forward(
        &self,
        x: &Tensor,
        rotary: &Rotary,
        mask: &Tensor,
        wanted: Option<&Tensor>,
        cache: Option<&mut KvCache>,
    ) -> Tensor {
        let attended = self.self_attn.over_all(&self.input_layernorm.forward(x), rotary, mask, cache);
        match wanted {
            Some(wanted) => {
                let only = |x: &Tensor| x.flatten(0, 1).index_select(0, wanted);
                self.behind_attention(&only(x), &only(&attended))
            }
            None => self.behind_attention(x, &attended),
        }
    }

    /// One token of every row of the cache, `[R, 1, hidden]` to the same; the layer is the cache's `index`-th.
    fn decode(&self, x: &Tensor, rotary: &Rotary, index: usize, cache: &mut KvCache) -> Tensor {
        let attn = &self.self_attn;
        let [q, k, v] = attn.of_few(&self.input_layernorm.few(x), rotary);
        let x = x + attn.o_proj.few(&join_heads(&cache.attend(index, &q, &k, &v)));
        let [gate, up] = self.mlp.gate_up_proj.few(&self.post_attention_layernorm.few(&x));
        let h = self.mlp.down_proj.few(&(gate.silu() * up));
        x + h
    }

    fn behind_attention(&self, x: &Tensor, attended: &Tensor) -> Tensor {
        let x = x + self.self_attn.o_proj.forward(attended);
        let h = self.mlp.forward(&self.post_attention_layernorm.forward(&x));
        x + h
    }
}

impl Attention {
    /// Queries, keys and values `[B, T, heads * head_dim]` to `[B, heads, T, head_dim]`, the first two turned to their positions.
    fn turned(&self, [q, k, v]: [Tensor; 3], rotary: &Rotary) -> [Tensor; 3] {
        let q = rotary.apply(&split_heads(&q, self.heads));
        let k = rotary.apply(&split_heads(&k, self.kv_heads));
        [q, k, split_heads(&v, self.kv_heads)]
    }

    /// The same of a few rows, without gradient: queries and keys are turned together where they lie side by side.
    fn of_few(&self, x: &Tensor, rotary: &Rotary) -> [Tensor; 3] {
        let Some(whole) = self.qkv_proj.few_whole(x) else { return self.turned(self.qkv_proj.few(x), rotary) };
        let all = split_heads(&whole, self.heads + 2 * self.kv_heads);
        let turned = rotary.apply(&all.narrow(1, 0, self.heads + self.kv_heads));
        let keys = turned.narrow(1, self.heads, self.kv_heads);
        [turned.narrow(1, 0, self.heads), keys, all.narrow(1, self.heads + self.kv_heads, self.kv_heads)]
    }

    /// Whole sequences, before the output projection.
    fn over_all(&self, x: &Tensor, rotary: &Rotary, mask: &Tensor, cache: Option<&mut KvCache>) -> Tensor {
        let [q, k, v] = self.turned(self.qkv_proj.forward(x), rotary);
        if let Some(cache) = cache {
            cache.keep_prompt(&k, &v);
        }
        join_heads(&attention(&q, &k, &v, Some(mask)))
    }
}

impl Mlp {
    fn forward(&self, x: &Tensor) -> Tensor {
        let [gate, up] = self.gate_up_proj.forward(x);
        self.down_proj.forward(&(gate.silu() * up))
    }
}
