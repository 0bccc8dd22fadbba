//! One engine for evaluation and for rollouts: a batched prefill with left padding, then decode steps over the cache.
//!
//! A prompt runs once, however many completions it gets; finished rows leave the batch.

pub mod choice;
pub mod hearing;

use crate::audio::Features;
use crate::error::{Error, Result};
use crate::model::Qwen2Audio;
use crate::model::kv_cache::KvCache;
use crate::model::mask::LeftPadded;
use crate::sampling::Filters;
use crate::seeds::Key;
use choice::{Draw, next_tokens};
use tch::{Device, Kind, Tensor, no_grad};

/// A prompt and the completions wanted of it.
#[derive(Debug)]
pub struct Request<'a> {
    /// Token ids, audio placeholders expanded.
    pub ids: &'a [i64],
    /// Its clips, in the order of the placeholders.
    pub audio: Vec<&'a Features>,
    /// One entry a completion: the key of its noise, or `None` for the most likely tokens.
    pub keys: Vec<Option<Key>>,
}

/// When to stop.
#[derive(Debug, Clone)]
pub struct Stop {
    /// Any of these ends a completion (and is part of it).
    pub eos: Vec<i64>,
    /// New tokens at most.
    pub max_new_tokens: usize,
    /// Fills the left of shorter prompts.
    pub pad: i64,
}

/// What the model said.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Completion {
    /// New token ids, the end token included.
    pub ids: Vec<i64>,
    /// An end token ended it; otherwise its length did.
    pub stopped: bool,
}

/// One completion under way.
struct Row {
    request: usize,
    slot: usize,
    key: Option<Key>,
    /// Prompt and new ids: what the repetition penalty looks at.
    seen: Vec<i64>,
    new: usize,
}

/// Completions of every request, in the order of its keys.
///
/// # Errors
/// Exit code 2 for a prompt that leaves no room in the model's positions; internal for counts that do not agree.
pub fn generate(
    model: &Qwen2Audio,
    requests: &[Request<'_>],
    filters: &Filters,
    stop: &Stop,
) -> Result<Vec<Vec<Completion>>> {
    if requests.is_empty() || stop.max_new_tokens == 0 {
        return Err(Error::internal("generate: nothing to generate"));
    }
    no_grad(|| Decoding::prefill(model, requests, stop)?.run(filters, stop, requests))
}

/// Logits `[vocab]` of the last position of one prompt, float32. `audio` `[tokens, hidden]` stands in for the placeholders.
///
/// # Errors
/// Internal, when placeholders and embeddings differ in number.
pub fn prompt_logits(model: &Qwen2Audio, ids: &[i64], audio: &Tensor, pad: i64) -> Result<Tensor> {
    let prompt = LeftPadded::new(&[ids.to_vec()], pad);
    let embeds = model.embed(&prompt.ids, Some(audio))?;
    let (positions, mask) = (prompt.position_ids(model.device()), prompt.prefill_mask(model.device()));
    let last = last_positions(1, prompt.len(), model.device());
    let hidden = model.language().forward(&embeds, &positions, &mask, Some(&last), None);
    Ok(model.language().logits(&hidden).view([-1]).to_kind(Kind::Float))
}

/// The last position of each of `rows` rows of `length`, in the flattened `[rows * length]`.
fn last_positions(rows: i64, length: i64, device: Device) -> Tensor {
    Tensor::arange_start_step(length - 1, rows * length, length, (Kind::Int64, device))
}

struct Decoding<'m> {
    model: &'m Qwen2Audio,
    cache: KvCache,
    rows: Vec<Row>,
    /// Logits of each row's last position `[rows, vocab]`.
    logits: Tensor,
}

impl<'m> Decoding<'m> {
    fn prefill(model: &'m Qwen2Audio, requests: &[Request<'_>], stop: &Stop) -> Result<Self> {
        let device = model.device();
        let prompts: Vec<Vec<i64>> = requests.iter().map(|r| r.ids.to_vec()).collect();
        let batch = LeftPadded::new(&prompts, stop.pad);
        let (length, room) = (batch.len(), model.config().text.max_position_embeddings);
        if length + stop.max_new_tokens as i64 > room {
            let wanted = format!("{length} prompt tokens and {} new ones", stop.max_new_tokens);
            return Err(Error::request(format!("{wanted} exceed the model's {room} positions: lower max_new_tokens")));
        }
        let clips: Vec<&Features> = requests.iter().flat_map(|r| r.audio.iter().copied()).collect();
        let audio = if clips.is_empty() { None } else { Some(model.encode_audio(&clips)?) };
        let embeds = model.embed(&batch.ids, audio.as_ref())?;
        let mut cache = KvCache::new(&batch, device);
        let (positions, mask) = (batch.position_ids(device), batch.prefill_mask(device));
        let last = last_positions(prompts.len() as i64, length, device);
        let hidden = model.language().forward(&embeds, &positions, &mask, Some(&last), Some(&mut cache));
        let logits = model.language().next_logits(&hidden); // [B, vocab]

        let rows: Vec<Row> = requests
            .iter()
            .enumerate()
            .flat_map(|(request, r)| {
                let row =
                    move |(slot, &key): (usize, &Option<Key>)| Row { request, slot, key, seen: r.ids.to_vec(), new: 0 };
                r.keys.iter().enumerate().map(row)
            })
            .collect();
        let of: Vec<i64> = rows.iter().map(|r| r.request as i64).collect();
        let logits = logits.index_select(0, &Tensor::from_slice(&of).to_device(device));
        // The last token is never run.
        cache.start(&model.config().text, of, (stop.max_new_tokens as i64 - 1).max(1), model.kind());
        Ok(Self { model, cache, rows, logits })
    }

    fn run(mut self, filters: &Filters, stop: &Stop, requests: &[Request<'_>]) -> Result<Vec<Vec<Completion>>> {
        let empty = Completion { ids: Vec::new(), stopped: false };
        let mut done: Vec<Vec<Completion>> = requests.iter().map(|r| vec![empty.clone(); r.keys.len()]).collect();
        loop {
            let chosen = self.choose(filters)?;
            let mut going = Vec::new();
            for (i, (row, &id)) in self.rows.iter_mut().zip(&chosen).enumerate() {
                row.seen.push(id);
                row.new += 1;
                let stopped = stop.eos.contains(&id);
                if stopped || row.new == stop.max_new_tokens {
                    let ids = row.seen[row.seen.len() - row.new..].to_vec();
                    done[row.request][row.slot] = Completion { ids, stopped };
                } else {
                    going.push(i as i64);
                }
            }
            if going.is_empty() {
                return Ok(done);
            }
            self.keep(&going);
            self.step();
        }
    }

    /// The next token of every row.
    fn choose(&self, filters: &Filters) -> Result<Vec<i64>> {
        let draws: Vec<Draw<'_>> =
            self.rows.iter().map(|row| Draw { key: row.key, seen: &row.seen, position: row.new as u64 }).collect();
        next_tokens(&self.logits, &draws, filters)
    }

    /// Only the given rows go on.
    fn keep(&mut self, going: &[i64]) {
        if going.len() == self.rows.len() {
            return;
        }
        self.cache.keep(going);
        let mut at = 0;
        let mut wanted = going.iter().peekable();
        self.rows.retain(|_| {
            let keep = wanted.next_if(|g| **g == at).is_some();
            at += 1;
            keep
        });
    }

    /// Runs the last token of every row.
    fn step(&mut self) {
        let last: Vec<i64> = self.rows.iter().filter_map(|r| r.seen.last().copied()).collect();
        let ids = Tensor::from_slice(&last).to_device(self.model.device()).unsqueeze(1);
        let language = self.model.language();
        self.logits = language.next_logits(&language.decode(&ids, &mut self.cache));
    }
}
