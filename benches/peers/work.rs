//! Our side of every work: the same inputs as the peers', the same tokens wanted, seconds of the work alone.

use super::forecast::forecast;
use super::inputs::{self, CLIPS, number};
use super::machine;
use super::place::Place;
use super::step::{Size, Training};
use aqa_bench::audio::{self, mel};
use aqa_bench::error::{Error, Result};
use aqa_bench::generate::{Request, Stop, generate};
use aqa_bench::model::checkpoint::Checkpoint;
use aqa_bench::prompt::chat::ChatTemplate;
use aqa_bench::prompt::tokens::TextTokenizer;
use aqa_bench::recipe::PromptStyle;
use aqa_bench::sampling::Filters;
use aqa_bench::stage::feed::Clips;
use aqa_bench::stage::{Prepared, prepare};
use rayon::prelude::*;
use serde_json::{Value, json};
use std::path::{Path, PathBuf};
use std::time::Instant;

/// No filter: the most likely token.
const PLAIN: Filters = Filters { temperature: 1.0, top_k: 0, top_p: 1.0, repetition_penalty: 1.0 };

/// Answers requests; what a work needs is loaded when it is first asked for.
pub struct Worker {
    folder: PathBuf,
    place: Place,
    policy: Option<Checkpoint>,
    training: Option<Training>,
}

impl Worker {
    /// Over the folder that [`inputs::write`] made.
    pub fn new(folder: &Path, place: Place) -> Result<Self> {
        inputs::check(folder)?;
        Ok(Self { folder: folder.into(), place, policy: None, training: None })
    }

    /// Does one work.
    pub fn answer(&mut self, request: &Value) -> Result<Value> {
        match request.get("work").and_then(Value::as_str) {
            Some("touch") => machine::touch(self.place),
            Some("forecast") => forecast(&self.folder, self.place.dtype, request),
            Some("load") => self.policy().map(|_| ()).and_then(|()| machine::memory(self.place)),
            Some("load-step") => self.training(request).map(|_| ()).and_then(|()| machine::memory(self.place)),
            Some("step") => self.training(request)?.step(),
            Some("memory") => machine::memory(self.place),
            Some("throughput") => machine::throughput(request, self.place),
            Some("prefill") => self.prefill(number(request, "batch")? as usize),
            Some("decode") => self.decode(number(request, "batch")? as usize, number(request, "new_tokens")? as usize),
            Some("evaluate") => self.evaluate(request),
            Some("log-mel") => self.log_mel(),
            Some("clip") => self.clip(),
            _ => Err(Error::request(format!("expected a known work, found {request}"))),
        }
    }

    fn training(&mut self, request: &Value) -> Result<&mut Training> {
        let size = Size::of(request)?;
        // One of another size goes before the next is loaded.
        let kept = self.training.take().filter(|training| training.size == size);
        let training = kept.map_or_else(|| Training::new(&self.folder, self.place, size), Ok)?;
        Ok(self.training.insert(training))
    }

    fn policy(&mut self) -> Result<&Checkpoint> {
        if self.policy.is_none() {
            self.policy = Some(load(&self.folder, self.place)?);
        }
        self.policy.as_ref().ok_or_else(|| Error::internal("the policy was loaded above"))
    }

    /// Clips' features to the first token of each row.
    fn prefill(&mut self, batch: usize) -> Result<Value> {
        let prepared = self.prepared(batch)?;
        let place = self.place;
        let (seconds, ids) = greedy(self.policy()?, place, &prepared, 1)?;
        Ok(json!({"seconds": seconds, "same": {"prompt_ids": prompt_ids(&prepared), "tokens": ids}}))
    }

    /// Seconds a decode step: those of a generation of `new_tokens + 1` less those of the first token, by `new_tokens`.
    fn decode(&mut self, batch: usize, new_tokens: usize) -> Result<Value> {
        let (prepared, place) = (self.prepared(batch)?, self.place);
        let policy = self.policy()?;
        let (first, _) = greedy(policy, place, &prepared, 1)?;
        let (all, ids) = greedy(policy, place, &prepared, new_tokens + 1)?;
        let seconds = (all - first) / new_tokens as f64;
        let counts: Vec<usize> = ids.iter().map(Vec::len).collect();
        let head: Vec<&[i64]> = ids.iter().map(|row| &row[..row.len().min(8)]).collect();
        Ok(json!({"seconds": seconds, "same": {"prompt_ids": prompt_ids(&prepared), "counts": counts, "tokens": head}}))
    }

    /// WAV files to texts, as `stage/evaluate` goes through a batch.
    fn evaluate(&mut self, request: &Value) -> Result<Value> {
        let (count, batch) = (number(request, "clips")? as usize, number(request, "batch")? as usize);
        let new_tokens = number(request, "new_tokens")? as usize;
        let files: Vec<PathBuf> = (0..count).map(|i| inputs::clip(&self.folder, i % CLIPS)).collect();
        let place = self.place;
        let policy = self.policy()?;
        place.finish();
        let started = Instant::now();
        let (mut first, mut counts, mut texts) = (Vec::new(), Vec::new(), Vec::new());
        for files in files.chunks(batch) {
            let (tokenizer, template) = (&policy.tokenizer, &policy.template);
            let one = |file: &PathBuf| ask(tokenizer, template, file);
            let prepared = files.par_iter().map(one).collect::<Result<Vec<_>>>()?;
            for ids in greedy(policy, place, &prepared, new_tokens)?.1 {
                let said: Vec<u32> = ids.iter().filter_map(|&id| u32::try_from(id).ok()).collect();
                first.push(ids[0]);
                counts.push(ids.len());
                texts.push(policy.tokenizer.decode(&said)?);
            }
        }
        let seconds = started.elapsed().as_secs_f64();
        Ok(json!({"seconds": seconds, "same": {"first": first, "counts": counts}, "texts": texts}))
    }

    /// The log-mel spectrogram of a clip whose samples are in memory, as the 3000 frames that the extractor returns.
    fn log_mel(&mut self) -> Result<Value> {
        let clip = audio::load(&inputs::clip(&self.folder, 0))?;
        let started = Instant::now();
        let features = mel::log_mel(&clip.samples);
        let values = features.to_frames(3000);
        let seconds = started.elapsed().as_secs_f64();
        Ok(json!({"seconds": seconds, "same": {"frames": features.valid_frames, "values": values.len()}}))
    }

    /// A stereo file at 44.1 kHz to features.
    fn clip(&mut self) -> Result<Value> {
        let file = inputs::stereo(&self.folder);
        let started = Instant::now();
        let clip = audio::load(&file)?;
        let features = audio::features(&clip);
        let values = features.to_frames(3000);
        let seconds = started.elapsed().as_secs_f64();
        let same = json!({"samples": clip.samples.len(), "frames": features.valid_frames, "values": values.len()});
        Ok(json!({"seconds": seconds, "same": same}))
    }

    fn prepared(&mut self, batch: usize) -> Result<Vec<Prepared>> {
        let folder = self.folder.clone();
        let policy = self.policy()?;
        (0..batch).map(|i| question(policy, &inputs::clip(&folder, i))).collect()
    }
}

/// From the start of the process to the first token: the checkpoint, one clip, the prompt.
pub fn first_token(folder: &Path) -> Result<Value> {
    let policy = load(folder, Place::CPU)?;
    let prepared = question(&policy, &inputs::clip(folder, 0))?;
    let (_, ids) = greedy(&policy, Place::CPU, std::slice::from_ref(&prepared), 1)?;
    let memory = machine::memory(Place::CPU)?;
    Ok(json!({"memory": memory, "same": {"prompt_ids": prepared.ids, "tokens": ids}}))
}

/// The checkpoint; no id ends a completion.
fn load(folder: &Path, place: Place) -> Result<Checkpoint> {
    let mut policy = Checkpoint::load(&inputs::model(folder), place.dtype, place.device)?;
    policy.eos = Vec::new();
    Ok(policy)
}

fn question(policy: &Checkpoint, file: &Path) -> Result<Prepared> {
    ask(&policy.tokenizer, &policy.template, file)
}

/// What the model takes for the question about a clip.
pub fn ask(tokenizer: &TextTokenizer, template: &ChatTemplate, file: &Path) -> Result<Prepared> {
    prepare(
        &inputs::question(file.into(), "question".into()),
        PromptStyle::R1Aqa2,
        tokenizer,
        template,
        &Clips::default(),
    )
}

/// The most likely tokens of every row, and the seconds that they took.
fn greedy(policy: &Checkpoint, place: Place, prepared: &[Prepared], new_tokens: usize) -> Result<(f64, Vec<Vec<i64>>)> {
    let requests: Vec<Request<'_>> =
        prepared.iter().map(|p| Request { ids: &p.ids, audio: vec![&p.features], keys: vec![None] }).collect();
    let stop = Stop { eos: policy.eos.clone(), max_new_tokens: new_tokens, pad: policy.pad };
    place.finish();
    let started = Instant::now();
    let drawn = generate(&policy.model, &requests, &PLAIN, &stop)?;
    place.finish();
    let seconds = started.elapsed().as_secs_f64();
    Ok((seconds, drawn.into_iter().flatten().map(|completion| completion.ids).collect()))
}

fn prompt_ids(prepared: &[Prepared]) -> Vec<&[i64]> {
    prepared.iter().map(|p| p.ids.as_slice()).collect()
}
