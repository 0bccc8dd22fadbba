//! What passes through the model leave behind and pass through: counted operation by operation from `model/language.rs`, `model/encoder.rs`
//! and `train/logps.rs`. A change of an operation there that autograd sees belongs here too; the memory bench shows where the two part.

use super::sizes::{FLOAT32, bytes};
use crate::architecture::Config;
use crate::recipe::Lora;

/// The longest rows that a pass may meet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rows {
    /// Questions that go through at once.
    pub questions: u64,
    /// Tokens of a prompt, those of its audio among them.
    pub prompt: u64,
    /// Audio tokens of a prompt.
    pub audio: u64,
    /// Completions of a question.
    pub group: u64,
    /// Tokens of a completion.
    pub completion: u64,
}

impl Rows {
    /// Tokens of the packed rows: a question's completions stand behind its prompt, as many as there are when no two begin alike.
    pub(super) fn tokens(self) -> u64 {
        self.questions * self.row()
    }

    fn row(self) -> u64 {
        self.prompt + self.group * self.completion
    }

    /// Completion tokens: rows of logits.
    pub(super) fn predicted(self) -> u64 {
        self.questions * self.group * self.completion
    }

    /// Encoder positions of a clip: two a token, and one that pooling drops.
    fn positions(self, config: &Config) -> u64 {
        (2 * self.audio + 1).min(config.audio.max_source_positions as u64)
    }
}

/// Passes of a model.
#[derive(Debug, Clone, Copy)]
pub(super) struct Passes<'a> {
    pub config: &'a Config,
    pub lora: Option<&'a Lora>,
}

impl Passes<'_> {
    /// Bytes of one weight or activation.
    fn width(&self) -> u64 {
        bytes(self.config.dtype)
    }

    /// What float32 statistics beside 16-bit activations add: the float32 copy of a norm's input, where there is one.
    fn copies(&self) -> bool {
        self.width() != FLOAT32
    }

    /// Features of clips on the host: float32, four frames a token.
    pub fn clips(&self, questions: usize, audio: u64) -> u64 {
        questions as u64 * self.config.audio.num_mel_bins as u64 * 4 * (audio + 1) * FLOAT32
    }

    /// What autograd keeps of one layer of the language model.
    fn language_layer(&self, rows: Rows) -> u64 {
        let text = &self.config.text;
        let (hidden, inner, e) = (text.hidden_size as u64, text.intermediate_size as u64, self.width());
        // RmsNorm: its input in float32 (the input itself, for float32), the normed values, and its output as the input of linear layers.
        let norm = hidden * (FLOAT32 + e + e);
        // Attention: q and k after rotation, v, and what comes out; grouped heads are repeated before they are kept.
        let attention = 4 * hidden * e;
        // gate, silu(gate), up, and their product.
        let mlp = 4 * inner * e;
        let statistics = FLOAT32 * (2 + text.num_attention_heads as u64);
        let kept = 2 * norm + attention + mlp + statistics;
        rows.tokens() * (kept + self.adapters("language_model.model.layers.0.", hidden, inner))
            + self.attention_mask(rows)
    }

    /// Adapters keep their layer's input in float32 (a copy each, beside 16 bits) and what stands between their halves.
    fn adapters(&self, layer: &str, width: u64, inner: u64) -> u64 {
        let Some(lora) = self.lora else { return 0 };
        let on = crate::architecture::matched(self.config, &lora.targets).unwrap_or_default();
        let own = on.iter().filter(|(module, _)| module.starts_with(layer));
        let input = |module: &str| if module.ends_with("down_proj") || module.ends_with("fc2") { inner } else { width };
        own.map(|(module, _)| if self.copies() { FLOAT32 * input(module) } else { 0 } + FLOAT32 * lora.rank as u64)
            .sum()
    }

    /// The boolean mask as the attention kernel takes it: numbers, made and kept in every layer.
    fn attention_mask(&self, rows: Rows) -> u64 {
        rows.questions * rows.row() * rows.row() * self.width()
    }

    /// What autograd keeps of the encoder and its projector for the clips of a pass.
    fn encoder(&self, rows: Rows) -> u64 {
        let audio = &self.config.audio;
        let (d, inner, e) = (audio.d_model as u64, audio.encoder_ffn_dim as u64, self.width());
        // LayerNorms: input and output; q, k, v and what attention gives; fc1 before and after its activation.
        let statistics = FLOAT32 * (4 + audio.encoder_attention_heads as u64);
        let layer = (8 * d + 2 * inner) * e + statistics + self.adapters("audio_tower.layers.0.", d, inner);
        // Features, both convolutions (the first at twice the positions) before and after their activation; pooling and the last norm.
        let frame = audio.num_mel_bins as u64 * e + 2 * d * e;
        let ends = 2 * frame + 2 * d * e + d * e + d * e / 2 + d * e / 2;
        let positions = rows.questions * rows.positions(self.config);
        positions * (audio.encoder_layers as u64 * layer + ends)
    }

    /// What autograd keeps from the embeddings to the loss, but for the logits.
    pub fn kept(&self, rows: Rows) -> u64 {
        let layers = self.config.text.num_hidden_layers as u64;
        self.encoder(rows) + layers * self.language_layer(rows) + self.last(rows)
    }

    /// With recomputation, up to the loss: the input of every layer, and what stands behind the last.
    pub fn inputs(&self, rows: Rows) -> u64 {
        self.config.text.num_hidden_layers as u64 * self.stream(rows) + self.last(rows)
    }

    /// With recomputation, behind the loss: a layer that is run again, with its output and the gradients of both ends, beside the inputs of those
    /// before it; or the encoder, which is run again last and alone.
    pub fn again(&self, rows: Rows) -> u64 {
        let inputs = self.config.text.num_hidden_layers as u64 * self.stream(rows);
        (inputs + self.language_layer(rows) + 4 * self.stream(rows)).max(self.encoder(rows) + 2 * self.stream(rows))
    }

    /// One tensor of the residual stream.
    pub fn stream(&self, rows: Rows) -> u64 {
        rows.tokens() * self.config.text.hidden_size as u64 * self.width()
    }

    /// The last norm and the rows that logits are made of.
    fn last(&self, rows: Rows) -> u64 {
        let (hidden, e) = (self.config.text.hidden_size as u64, self.width());
        rows.tokens() * hidden * (FLOAT32 + e + e) + rows.predicted() * hidden * e
    }

    /// Log-probabilities over the vocabulary, so many rows at once: logits, their float32 copy where they have 16 bits, log-softmax, and for the entropy its
    /// exponential and a product, all at once.
    pub fn logits(&self, rows: u64) -> u64 {
        let numbers = rows * self.config.text.vocab_size as u64;
        numbers * (self.width() + 3 * FLOAT32)
    }

    /// What the gradient of the logits needs at once: log-softmax, the gradients before and after it, and in 16 bits once more.
    pub fn logits_backward(&self, rows: u64) -> u64 {
        let numbers = rows * self.config.text.vocab_size as u64;
        numbers * (3 * FLOAT32 + if self.copies() { self.width() } else { 0 })
    }

    /// What a pass without gradients has at once before its logits: the widest layer, or the encoder's first convolution.
    pub fn working(&self, rows: Rows) -> u64 {
        let (text, audio, e) = (&self.config.text, &self.config.audio, self.width());
        let (hidden, inner) = (text.hidden_size as u64, text.intermediate_size as u64);
        // x before and after attention, normed, and what comes out, gate, silu(gate), up, product; or in attention x, normed, and q, k, v with their
        // rotations.
        let language = rows.tokens() * e * (4 * hidden + 4 * inner).max(11 * hidden) + self.attention_mask(rows);
        let positions = rows.questions * rows.positions(self.config);
        let (d, wide) = (audio.d_model as u64, audio.encoder_ffn_dim as u64);
        // The convolutions at twice the positions; or x before and after attention, both normed, q, k and v, and fc1 before and after its activation.
        let encoder = positions * e * (2 * (audio.num_mel_bins as u64 + 2 * d)).max(7 * d + 2 * wide);
        language.max(encoder)
    }

    /// The key/value cache of prompts: each once, however many completions it gets.
    pub fn prompt_cache(&self, rows: Rows) -> u64 {
        rows.questions * rows.prompt * self.position()
    }

    fn position(&self) -> u64 {
        let text = &self.config.text;
        2 * text.num_key_value_heads as u64 * text.head_dim() as u64 * text.num_hidden_layers as u64 * self.width()
    }

    /// The key/value cache of drawing: the prompts' and every completion's own positions; while rows leave, one layer stands there twice.
    pub fn cache(&self, rows: Rows) -> u64 {
        let own = rows.questions * rows.group * rows.completion * self.position();
        let whole = self.prompt_cache(rows) + own;
        whole + whole / self.config.text.num_hidden_layers as u64
    }

    /// Logits of drawing, one row a completion, with their float32 copy where they have 16 bits.
    pub fn drawn(&self, rows: Rows) -> u64 {
        let numbers = rows.questions * rows.group * self.config.text.vocab_size as u64;
        numbers * (self.width() + if self.copies() { FLOAT32 } else { 0 })
    }
}
