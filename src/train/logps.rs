//! Log-probabilities of completions, the prompt shared: each question runs as one packed row, prompt first, its completions behind it as a tree, so that
//! what they begin with in common runs once too. Audio is encoded once a question. The tests hold this to the plain way, one row a completion.

use super::tree::Tree;
use crate::audio::Features;
use crate::error::{Error, Result};
use crate::model::Qwen2Audio;
use crate::model::mask::{LeftPadded, packed_mask};
use crate::model::params::wide;
use crate::native::grad_enabled;
use crate::plan::memory::LOGIT_ROWS;
use crate::recipe::Numerics;
use std::ops::Range;
use tch::{Device, Kind, Tensor};

/// A question with its completions.
#[derive(Debug, Clone)]
pub struct Group<'a> {
    /// Prompt ids, audio placeholders expanded.
    pub prompt: &'a [i64],
    /// Its clips, in the order of the placeholders.
    pub audio: Vec<&'a Features>,
    /// Token ids of each completion, up to and including its first end token; none may be empty.
    pub completions: Vec<&'a [i64]>,
}

impl Group<'_> {
    /// Tokens of its row: the prompt, and each completion token once for all completions that begin the same way up to it.
    pub fn tokens(&self) -> usize {
        self.prompt.len() + Tree::new(&self.completions).tokens.len()
    }
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

/// How log-probabilities are computed.
#[derive(Debug, Clone, Copy)]
pub struct Scoring {
    /// In what number type.
    pub numerics: Numerics,
    /// Rows of logits at once.
    pub rows: i64,
}

impl From<Numerics> for Scoring {
    /// The reference has all logits at once, and sums up what they give to the output head there.
    fn from(numerics: Numerics) -> Self {
        let rows = if numerics == Numerics::ReferenceBf16 { i64::MAX } else { LOGIT_ROWS as i64 };
        Self { numerics, rows }
    }
}

/// Where everything stands in the packed rows, on the host.
struct Layout {
    prompts: LeftPadded,
    /// Completion tokens of each row, padded on the right to one length: `[B][T]`.
    tails: Vec<Vec<i64>>,
    /// Of each position of each row, the first one that no longer sees it; see [`packed_mask`].
    ends: Vec<i64>,
    positions: Vec<i64>,
    /// Flat index into `[B*L]` of the positions that predict completion tokens, each once.
    predictors: Vec<i64>,
    /// Of each token of the trees, the predictor it stands behind, and the token; by predictor.
    targets: Vec<(i64, i64)>,
    /// For each cell of `[N, C]` the index of its token among `targets`; their number where there is none.
    cells: Vec<i64>,
    longest: i64,
}

impl Layout {
    fn new(groups: &[Group<'_>], pad: i64) -> Result<Self> {
        let completions = || groups.iter().flat_map(|g| g.completions.iter());
        if groups.is_empty() || groups.iter().any(|g| g.completions.is_empty()) || completions().any(|c| c.is_empty()) {
            return Err(Error::internal("packed rows need questions, with completions of at least one token"));
        }
        let longest = completions().map(|c| c.len()).max().unwrap_or(0);
        let prompts: Vec<Vec<i64>> = groups.iter().map(|g| g.prompt.to_vec()).collect();
        let prompts = LeftPadded::new(&prompts, pad);
        let trees: Vec<Tree> = groups.iter().map(|g| Tree::new(&g.completions)).collect();
        let tail = trees.iter().map(|tree| tree.tokens.len()).max().unwrap_or(0);
        let mut layout = Self {
            prompts,
            tails: Vec::new(),
            ends: Vec::new(),
            positions: Vec::new(),
            predictors: Vec::new(),
            targets: Vec::new(),
            cells: Vec::with_capacity(completions().count() * longest),
            longest: longest as i64,
        };
        for (row, tree) in trees.iter().enumerate() {
            layout.row(row, tree, tail, pad);
        }
        let none = layout.targets.len() as i64;
        layout.cells.iter_mut().filter(|c| **c < 0).for_each(|c| *c = none);
        Ok(layout)
    }

    /// Completion tokens, those of equal completions each for itself.
    fn real(&self) -> usize {
        self.cells.iter().filter(|&&cell| cell < self.targets.len() as i64).count()
    }

    /// Adds a row: the prompt, the tree of its completions, and padding up to `tail` tokens behind the prompt.
    fn row(&mut self, row: usize, tree: &Tree, tail: usize, pad: i64) {
        let head = self.prompts.len() as usize;
        let (pads, length) = (self.prompts.pads[row] as usize, head + tail);
        self.ends.extend((0..head).map(|i| if i < pads { i + 1 } else { length } as i64));
        self.positions.extend((0..head).map(|i| i.saturating_sub(pads) as i64));
        self.ends.extend(tree.ends.iter().map(|end| (head + end) as i64));
        self.positions.extend(tree.depths.iter().map(|depth| (head - pads + depth) as i64));
        let own = tree.tokens.len();
        self.ends.extend((own..tail).map(|i| (head + i + 1) as i64));
        self.positions.extend((own..tail).map(|_| 0));
        self.tails.push(tree.tokens.iter().copied().chain((own..tail).map(|_| pad)).collect());

        let first = self.targets.len() as i64;
        // Of the prompt's last position and of every token, its place among the predictors.
        let mut places: Vec<Option<i64>> = vec![None; 1 + own];
        let mut targets = Vec::with_capacity(own);
        for (before, &token) in tree.before.iter().zip(&tree.tokens) {
            let from = before.map_or(0, |before| 1 + before);
            let place = *places[from].get_or_insert_with(|| {
                self.predictors.push((row * length + head - 1 + from) as i64);
                self.predictors.len() as i64 - 1
            });
            targets.push((place, token));
        }
        // By predictor, so that some predictors have a stretch of them.
        let mut order: Vec<usize> = (0..own).collect();
        order.sort_by_key(|&i| targets[i].0);
        self.targets.extend(order.iter().map(|&i| targets[i]));
        let mut stands = vec![0; own];
        order.iter().zip(first..).for_each(|(&i, at)| stands[i] = at);
        for path in &tree.paths {
            self.cells.extend((0..self.longest as usize).map(|j| path.get(j).map_or(-1, |&i| stands[i])));
        }
    }
}

/// Log-probability of each token `[…]` under its logits `[…, vocab]`, and the entropy (nats, without gradient) of what it was drawn from: of the whole
/// vocabulary, at temperature 1. By `numerics` in float32 for 16-bit logits, or in the logits' own kind (trl 0.15.2 `selective_log_softmax`).
pub fn token_logprobs(logits: &Tensor, tokens: &Tensor, numerics: Numerics) -> (Tensor, Tensor) {
    let (all, entropies) = distributions(logits, numerics);
    (all.gather(-1, &tokens.unsqueeze(-1), false).squeeze_dim(-1), entropies)
}

/// Log-probabilities of the whole vocabulary and entropies; see [`token_logprobs`].
fn distributions(logits: &Tensor, numerics: Numerics) -> (Tensor, Tensor) {
    let wide = wide(logits.kind());
    let kind = if numerics == Numerics::ReferenceBf16 { logits.kind() } else { wide };
    let all = logits.to_kind(kind).log_softmax(-1, None::<Kind>);
    let entropies = tch::no_grad(|| -(all.exp() * &all).sum_dim_intlist([-1i64].as_slice(), false, wide));
    (all, entropies)
}

/// Log-probabilities of every completion token given its prompt and what stands before it; see [`token_logprobs`].
///
/// # Errors
/// Internal, when a completion is empty, or audio and placeholders disagree.
pub fn completion_logprobs(
    model: &Qwen2Audio,
    groups: &[Group<'_>],
    pad: i64,
    numerics: impl Into<Scoring>,
) -> Result<Logprobs> {
    let packed = Packed::new(groups, pad, model.device())?;
    Ok(packed.score(model, &packed.hidden(model)?, numerics.into()))
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
    /// The P positions that predict completion tokens, in the flattened `[B * L]`.
    pub predictors: Tensor,
}

impl<'a> Packed<'a> {
    /// Lays the groups out.
    ///
    /// # Errors
    /// Internal, when a question has no completion or an empty one.
    pub fn new(groups: &'a [Group<'a>], pad: i64, device: Device) -> Result<Self> {
        let layout = Layout::new(groups, pad)?;
        let rows = |values: &[i64]| Tensor::from_slice(values).to_device(device).view([groups.len() as i64, -1]);
        let (positions, mask) = (rows(&layout.positions), packed_mask(&rows(&layout.ends)));
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

    /// Hidden states `[P, hidden]` of the predictors.
    ///
    /// # Errors
    /// Internal, when audio and placeholders disagree.
    pub(super) fn hidden(&self, model: &Qwen2Audio) -> Result<Tensor> {
        let embeds = self.embeds(model)?;
        Ok(model.language().forward(&embeds, &self.positions, &self.mask, Some(&self.predictors), None))
    }

    /// Log-probabilities under the hidden states `[P, hidden]` of the predictors. Where no gradient is wanted, some rows of logits at a time.
    pub fn score(&self, model: &Qwen2Audio, hidden: &Tensor, scoring: Scoring) -> Logprobs {
        let rows = if grad_enabled() { self.len() } else { scoring.rows };
        let some: Vec<_> =
            self.stretches(rows).map(|rows| self.tokens(model, hidden, rows, scoring.numerics)).collect();
        let (tokens, entropies): (Vec<_>, Vec<_>) = some.into_iter().unzip();
        self.spread(&Tensor::cat(&tokens, 0), &Tensor::cat(&entropies, 0))
    }

    /// The number of predictors.
    pub(super) fn len(&self) -> i64 {
        self.layout.predictors.len() as i64
    }

    /// All predictors, so many at a time.
    pub(super) fn stretches(&self, rows: i64) -> impl Iterator<Item = Range<i64>> + use<> {
        let len = self.len();
        (0..len).step_by(rows.clamp(1, len) as usize).map(move |start| start..(start + rows).min(len))
    }

    /// Log-probabilities and entropies of the tokens `[T]` that some predictors stand before; `hidden` is that of all.
    pub(super) fn tokens(
        &self,
        model: &Qwen2Audio,
        hidden: &Tensor,
        rows: Range<i64>,
        numerics: Numerics,
    ) -> (Tensor, Tensor) {
        let logits = model.language().logits(&hidden.narrow(0, rows.start, rows.end - rows.start)); // [rows, vocab]
        let vocab = logits.size()[1];
        let (all, entropies) = distributions(&logits, numerics);
        let (places, picks): (Vec<i64>, Vec<i64>) = self.layout.targets[self.targets(&rows)]
            .iter()
            .map(|(place, token)| (place - rows.start, (place - rows.start) * vocab + token))
            .unzip();
        let [places, picks] = [places, picks].map(|values| Tensor::from_slice(&values).to_device(self.device));
        // No pick stands there twice, so that their gradients are in no sum whose order is open.
        (all.view([-1]).index_select(0, &picks), entropies.index_select(0, &places))
    }

    /// Where the tokens of some predictors stand among all.
    pub(super) fn targets(&self, rows: &Range<i64>) -> Range<usize> {
        let at = |row: i64| self.layout.targets.partition_point(|(place, _)| *place < row);
        at(rows.start)..at(rows.end)
    }

    /// Log-probabilities and entropies of the tokens to those of the completions, which may share them.
    pub(super) fn spread(&self, tokens: &Tensor, entropies: &Tensor) -> Logprobs {
        let layout = &self.layout;
        let cells = Tensor::from_slice(&layout.cells).to_device(self.device);
        let spread = |values: &Tensor| {
            let padded = Tensor::cat(&[values, &Tensor::zeros([1], (values.kind(), self.device))], 0);
            // A shared token takes up gradients from several cells: an embedding sums them in a settled order, on a GPU too.
            Tensor::embedding(&padded.unsqueeze(1), &cells, -1, false, false).view([-1, layout.longest])
        };
        let (logprobs, entropies) = (spread(tokens), spread(entropies));
        let mask = cells.lt(layout.targets.len() as i64).to_kind(tokens.kind()).view([-1, layout.longest]);
        let entropy = entropies.sum(None::<Kind>).double_value(&[]) / layout.real() as f64;
        Logprobs { logprobs, mask, entropy }
    }
}
