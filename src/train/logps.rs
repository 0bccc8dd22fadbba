//! Log-probabilities of completions, the prompt shared: each question runs as one packed row, prompt first, its completions behind it,
//! none of which sees another. Audio is encoded once a question. The tests hold this to the plain way, one row a completion.

use crate::audio::Features;
use crate::error::{Error, Result};
use crate::model::Qwen2Audio;
use crate::model::mask::{LeftPadded, packed_mask};
use crate::model::params::wide;
use crate::recipe::Numerics;
use tch::{Device, Kind, Tensor};

/// A question with its completions.
#[derive(Debug)]
pub struct Group<'a> {
    /// Prompt ids, audio placeholders expanded.
    pub prompt: &'a [i64],
    /// Its clips, in the order of the placeholders.
    pub audio: Vec<&'a Features>,
    /// Token ids of each completion, up to and including its first end token; none may be empty.
    pub completions: Vec<&'a [i64]>,
}

/// Results over N completions (all groups in order) of at most C tokens.
#[derive(Debug)]
pub struct Logprobs {
    /// Log-probability of each completion token `[N, C]`, 0 behind a completion's end. With gradient, where gradients are on.
    pub logprobs: Tensor,
    /// 1 at the tokens of a completion `[N, C]`, of the log-probabilities' kind.
    pub mask: Tensor,
    /// Mean entropy (nats) of the distributions that the tokens were drawn from.
    pub entropy: f64,
}

/// Where everything stands in the packed rows, on the host.
struct Layout {
    prompts: LeftPadded,
    /// Completion tokens of each row, each completion padded to C: `[B][G*C]`.
    tails: Vec<Vec<i64>>,
    segments: Vec<i64>,
    positions: Vec<i64>,
    /// Flat index into `[B*L]` of the position that predicts each real completion token, and that token.
    predictors: Vec<i64>,
    targets: Vec<i64>,
    /// For each cell of `[N, C]` the index of its token among the real ones; their number where there is none.
    cells: Vec<i64>,
    longest: i64,
    count: i64,
}

impl Layout {
    fn new(groups: &[Group<'_>], pad: i64) -> Result<Self> {
        let per_group = groups.first().map_or(0, |g| g.completions.len());
        let lengths = || groups.iter().flat_map(|g| g.completions.iter().map(|c| c.len()));
        if per_group == 0 || groups.iter().any(|g| g.completions.len() != per_group) || lengths().any(|n| n == 0) {
            return Err(Error::internal("packed rows need groups of one size and completions of at least one token"));
        }
        let longest = lengths().max().unwrap_or(0);
        let prompts: Vec<Vec<i64>> = groups.iter().map(|g| g.prompt.to_vec()).collect();
        let prompts = LeftPadded::new(&prompts, pad);
        let head = prompts.len() as usize;
        let row_len = head + per_group * longest;
        let mut layout = Self {
            tails: Vec::new(),
            segments: Vec::with_capacity(groups.len() * row_len),
            positions: Vec::with_capacity(groups.len() * row_len),
            predictors: Vec::new(),
            targets: Vec::new(),
            cells: Vec::with_capacity(groups.len() * per_group * longest),
            longest: longest as i64,
            count: (groups.len() * per_group) as i64,
            prompts,
        };
        for (b, group) in groups.iter().enumerate() {
            let pads = layout.prompts.pads[b] as usize;
            let prompt_len = head - pads;
            layout.segments.extend((0..head).map(|i| if i < pads { -1 } else { 0 }));
            layout.positions.extend((0..head).map(|i| i.saturating_sub(pads) as i64));
            let mut tail = Vec::with_capacity(per_group * longest);
            for (g, completion) in group.completions.iter().enumerate() {
                let start = b * row_len + head + g * longest;
                for j in 0..longest {
                    layout.positions.push((prompt_len + j) as i64);
                    let real = j < completion.len();
                    layout.segments.push(if real { g as i64 + 1 } else { -1 });
                    tail.push(if real { completion[j] } else { pad });
                    layout.cells.push(if real { layout.targets.len() as i64 } else { -1 });
                    if real {
                        let before = if j == 0 { b * row_len + head - 1 } else { start + j - 1 };
                        layout.predictors.push(before as i64);
                        layout.targets.push(completion[j]);
                    }
                }
            }
            layout.tails.push(tail);
        }
        let none = layout.targets.len() as i64;
        layout.cells.iter_mut().filter(|c| **c < 0).for_each(|c| *c = none);
        Ok(layout)
    }
}

/// Log-probability of each token `[…]` under its logits `[…, vocab]`, and the entropy (nats, without gradient) of what it was drawn from: of the whole
/// vocabulary, at temperature 1. By `numerics` in float32 for 16-bit logits, or in the logits' own kind (trl 0.15.2 `selective_log_softmax`).
pub fn token_logprobs(logits: &Tensor, tokens: &Tensor, numerics: Numerics) -> (Tensor, Tensor) {
    let wide = wide(logits.kind());
    let kind = if numerics == Numerics::ReferenceBf16 { logits.kind() } else { wide };
    let all = logits.to_kind(kind).log_softmax(-1, None::<Kind>);
    let own = all.gather(-1, &tokens.unsqueeze(-1), false).squeeze_dim(-1);
    let entropies = tch::no_grad(|| -(all.exp() * &all).sum_dim_intlist([-1i64].as_slice(), false, wide));
    (own, entropies)
}

/// Log-probabilities of every completion token given its prompt and what stands before it; see [`token_logprobs`].
///
/// # Errors
/// Internal, when groups differ in size, a completion is empty, or audio and placeholders disagree.
pub fn completion_logprobs(model: &Qwen2Audio, groups: &[Group<'_>], pad: i64, numerics: Numerics) -> Result<Logprobs> {
    let packed = Packed::new(groups, pad, model.device())?;
    let hidden = model.language().forward(
        &packed.embeds(model)?,
        &packed.positions,
        &packed.mask,
        Some(&packed.predictors),
        None,
    );
    Ok(packed.score(model, &hidden, numerics))
}

/// Packed rows on their device: what stands before the layers of the language model, and what behind them.
pub struct Packed<'a> {
    groups: &'a [Group<'a>],
    layout: Layout,
    device: Device,
    /// Positions of the rows `[B, L]`.
    pub positions: Tensor,
    /// Who sees whom `[B, 1, L, L]`.
    pub mask: Tensor,
    /// The positions that predict the N real completion tokens, in the flattened `[B * L]`.
    pub predictors: Tensor,
}

impl<'a> Packed<'a> {
    /// Lays the groups out.
    ///
    /// # Errors
    /// Internal, when groups differ in size or a completion is empty.
    pub fn new(groups: &'a [Group<'a>], pad: i64, device: Device) -> Result<Self> {
        let layout = Layout::new(groups, pad)?;
        let rows = |values: &[i64]| Tensor::from_slice(values).to_device(device).view([groups.len() as i64, -1]);
        let (positions, mask) = (rows(&layout.positions), packed_mask(&rows(&layout.segments)));
        let predictors = Tensor::from_slice(&layout.predictors).to_device(device);
        Ok(Self { groups, layout, device, positions, mask, predictors })
    }

    /// Embeddings of the rows `[B, L, hidden]`, the clips encoded.
    ///
    /// # Errors
    /// Internal, when audio and placeholders disagree.
    pub fn embeds(&self, model: &Qwen2Audio) -> Result<Tensor> {
        let clips: Vec<&Features> = self.groups.iter().flat_map(|g| g.audio.iter().copied()).collect();
        let audio = if clips.is_empty() { None } else { Some(model.encode_audio(&clips)?) };
        let head = model.embed(&self.layout.prompts.ids, audio.as_ref())?;
        // A completion may hold a sampled placeholder id: it is a token like any other there, so it is not merged with audio.
        let tails = Tensor::from_slice(&self.layout.tails.concat()).to_device(self.device);
        let tail = model.language().embed(&tails.view([self.groups.len() as i64, -1]));
        Ok(Tensor::cat(&[&head, &tail], 1))
    }

    /// Log-probabilities under the hidden states `[N, hidden]` of the predictors.
    pub fn score(&self, model: &Qwen2Audio, hidden: &Tensor, numerics: Numerics) -> Logprobs {
        let layout = &self.layout;
        let tensor = |values: &[i64]| Tensor::from_slice(values).to_device(self.device);
        let logits = model.language().logits(hidden);
        let (tokens, entropies) = token_logprobs(&logits, &tensor(&layout.targets), numerics);
        let entropy = entropies.mean(None::<Kind>).double_value(&[]);

        let kind = tokens.kind();
        let padded = Tensor::cat(&[&tokens, &Tensor::zeros([1], (kind, self.device))], 0);
        let cells = tensor(&layout.cells);
        let shape = [layout.count, layout.longest];
        let logprobs = padded.index_select(0, &cells).view(shape);
        let mask = cells.lt(layout.targets.len() as i64).to_kind(kind).view(shape);
        Logprobs { logprobs, mask, entropy }
    }
}
