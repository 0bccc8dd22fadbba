//! Evaluation: every question gets a record as soon as it is done, then the score. A restart does only what is missing.

mod record;
mod replay;

pub use replay::{Replay, replay};

use super::Context;
use super::feed::{Clips, WAITING, ahead};
use super::prepare::{Prepared, prepare};
use crate::artifact::jsonl::{self, Appender};
use crate::artifact::layout::StageFolder;
use crate::artifact::{Hearing, Sample, write};
use crate::audio;
use crate::data::Example;
use crate::error::{Context as _, Error, Kind, Result};
use crate::generate::{Completion, Request, Stop, generate, hearing};
use crate::model::checkpoint::Checkpoint;
use crate::plan::{Data, Policy};
use crate::progress::{Progress, say};
use crate::prompt;
use crate::prompt::chat::ChatTemplate;
use crate::prompt::tokens::TextTokenizer;
use crate::recipe::Eval;
use crate::sampling::Filters;
use crate::score::{self, Verdict};
use crate::seeds::Key;
use rayon::prelude::*;
use record::Answers;
use std::collections::HashMap;
use std::path::Path;

/// The settings of one evaluation.
pub(super) struct Job<'a> {
    /// The recipe's block.
    pub eval: &'a Eval,
    /// The recipe's seed.
    pub seed: u64,
    /// What is evaluated.
    pub policy: &'a Policy,
    /// Questions.
    pub data: &'a Data,
    /// Only the first so many questions.
    pub limit: Option<usize>,
}

/// Evaluates in a partial folder, from the samples that it holds.
pub(super) fn run(ctx: &Context<'_>, job: &Job<'_>, partial: &Path) -> Result<()> {
    let folder = StageFolder::new(partial);
    let mut examples = ctx.examples(job.data)?;
    let questions = examples.len();
    examples.truncate(job.limit.unwrap_or(questions));
    check(job.eval, &examples)?;
    let policy = load(ctx, job)?;
    let filters = Filters::resolve(&job.eval.decoding, &policy.generation_config)?;
    let hearing = listen(job.eval, &policy, &examples, &ctx.clips)?;

    let mut log = Appender::open(&folder.samples())?;
    let recorded = jsonl::read::<Sample>(&folder.samples())?.rows;
    let lines = recorded.len();
    // What failed when the run was interrupted is tried again: the clip may be there now.
    let answered = recorded.into_iter().filter(|s| s.verdict != Some(Verdict::Failed));
    let mut samples: HashMap<String, Sample> = answered.map(|s| (s.id.clone(), s)).collect();
    let tried_again = samples.len() < lines;
    let mut progress = Progress::start(&job.eval.name, samples.len() as u64, examples.len() as u64);
    // Batches are cut from the whole list, so that a question meets the same neighbours whether or not the run was interrupted.
    let missing = |batch: &&[Example]| batch.iter().any(|e| !samples.contains_key(&e.id));
    let batches: Vec<&[Example]> = examples.chunks(job.eval.batch_size).filter(missing).collect();
    let reader = Reader::new(job.eval, &policy, &ctx.clips);
    let batches = batches.into_iter().map(|batch| (batch, reader.batch(batch)));
    ahead(WAITING, batches, |batches| -> Result<()> {
        for (batch, prepared) in batches {
            for sample in answer(job, &policy, &filters, batch, &prepared)? {
                if !samples.contains_key(&sample.id) {
                    log.append(&sample)?;
                    samples.insert(sample.id.clone(), sample);
                }
            }
            progress.at(samples.len() as u64, "");
        }
        Ok(())
    })?;
    log.finish()?;
    let ordered: Vec<&Sample> = examples.iter().filter_map(|e| samples.get(&e.id)).collect();
    if tried_again {
        // Each question once and in order, as an undisturbed run leaves them.
        let line = |sample: &&Sample| serde_json::to_string(sample).map(|line| line + "\n");
        let text = ordered.iter().map(line).collect::<serde_json::Result<String>>();
        let text = text.internal(|| format!("cannot write {}", folder.samples().display()))?;
        write::replace(&folder.samples(), text.as_bytes())?;
    }
    let answers = Answers { examples: &examples, samples: &ordered, questions, filters: &filters, hearing };
    let score = record::write(ctx, job, &folder, answers)?;
    let withheld = || format!("{} predictions written; the answers are withheld", examples.len());
    progress.finish(&score.map_or_else(withheld, |score| score.in_words()));
    Ok(())
}

/// The policy that is evaluated, its template with the system turn of the evaluation.
fn load(ctx: &Context<'_>, job: &Job<'_>) -> Result<Checkpoint> {
    let mut policy = ctx.load_policy(job.policy, ctx.device)?;
    policy.template = policy.template.with_system(job.eval.system.as_deref());
    Ok(policy)
}

/// Refuses before anything is computed what could be neither scored nor handed in: where all answers are withheld there is no score, where
/// some are the score would be of an unknown part.
pub(super) fn check(eval: &Eval, examples: &[Example]) -> Result<()> {
    if examples.is_empty() {
        return Err(Error::inputs(format!("{}: data set {} has no questions", eval.name, eval.data)));
    }
    let withheld: Vec<&Example> = examples.iter().filter(|e| e.answer.is_none()).collect();
    if let Some(first) = withheld.first().filter(|_| withheld.len() < examples.len()) {
        let (n, of) = (withheld.len(), examples.len());
        return Err(Error::inputs(format!(
            "{}: {n} of {of} answers of data set {} are withheld, the first is that of question {}: it cannot be scored here",
            eval.name, eval.data, first.id
        )));
    }
    Ok(())
}

/// Clips that the policy's hearing is tested on, and questions that are looked through for them.
const LISTEN_TO: usize = 4;
const LOOK_AT: usize = 16;

/// Tests on the first clips that can tell whether the policy hears them; says so when it does not. A question that cannot be put is passed
/// over here, and is a failed record later.
fn listen(eval: &Eval, policy: &Checkpoint, examples: &[Example], clips: &Clips) -> Result<Option<Hearing>> {
    let clip = |example: &Example| {
        prepare(example, eval.prompt, &policy.tokenizer, &policy.template, clips).ok()?;
        Some((audio::load(&example.audio).ok()?.samples, prompt::text(eval.prompt, example)))
    };
    let found = hearing::hearing(policy, examples.iter().take(LOOK_AT).filter_map(clip), LISTEN_TO)?;
    if let Some(found) = found.as_ref().filter(|found| !found.heard()) {
        say(format_args!("{}: {}", eval.name, found.in_words()));
    }
    Ok(found)
}

/// Reads questions; knows nothing of the model, so that it can work beside it.
struct Reader<'a> {
    eval: &'a Eval,
    tokenizer: &'a TextTokenizer,
    template: &'a ChatTemplate,
    /// Positions of the model.
    room: usize,
    clips: &'a Clips,
}

impl<'a> Reader<'a> {
    fn new(eval: &'a Eval, policy: &'a Checkpoint, clips: &'a Clips) -> Self {
        let room = policy.model.config().text.max_position_embeddings as usize;
        Self { eval, tokenizer: &policy.tokenizer, template: &policy.template, room, clips }
    }

    fn batch(&self, batch: &[Example]) -> Vec<Result<Prepared>> {
        let one = |example: &Example| {
            let prepared = prepare(example, self.eval.prompt, self.tokenizer, self.template, self.clips)?;
            let wanted = prepared.ids.len() + self.eval.decoding.max_new_tokens;
            if wanted > self.room {
                return Err(Error::inputs(format!(
                    "its prompt and the new tokens take {wanted} positions, the model has {}",
                    self.room
                )));
            }
            Ok(prepared)
        };
        batch.par_iter().map(one).collect()
    }
}

/// One record for every question of a batch; a question that cannot be put is a record too.
fn answer(
    job: &Job<'_>,
    policy: &Checkpoint,
    filters: &Filters,
    batch: &[Example],
    prepared: &[Result<Prepared>],
) -> Result<Vec<Sample>> {
    let requests: Vec<Request<'_>> = batch
        .iter()
        .zip(prepared)
        .filter_map(|(example, prepared)| {
            let prepared = prepared.as_ref().ok()?;
            let key = || Key::derive(job.seed, "evaluate", &[&job.eval.name, &example.id]);
            let keys = vec![job.eval.decoding.do_sample.then(key)];
            Some(Request { ids: &prepared.ids, audio: vec![&prepared.features], keys })
        })
        .collect();
    let stop = Stop { eos: policy.eos.clone(), max_new_tokens: job.eval.decoding.max_new_tokens, pad: policy.pad };
    let drawn = if requests.is_empty() { Vec::new() } else { generate(&policy.model, &requests, filters, &stop)? };
    let mut drawn = drawn.into_iter().flatten();
    batch
        .iter()
        .zip(prepared)
        .map(|(example, prepared)| match prepared {
            Err(e) if e.kind() == Kind::Internal => {
                Err(Error::internal(e.to_string()).within(format!("question {}", example.id)))
            }
            Err(e) => Ok(failed(example, &e.to_string())),
            Ok(prepared) => {
                let completion = drawn.next().ok_or_else(|| Error::internal("fewer completions than prompts"))?;
                judged(job, policy, example, prepared, &completion)
            }
        })
        .collect()
}

fn failed(example: &Example, why: &str) -> Sample {
    Sample {
        id: example.id.clone(),
        prompt_sha256: String::new(),
        output: String::new(),
        answer: String::new(),
        tokens: 0,
        truncated: false,
        cropped: false,
        damage: String::new(),
        verdict: Some(Verdict::Failed),
        error: Some(why.to_owned()),
    }
}

fn judged(
    job: &Job<'_>,
    policy: &Checkpoint,
    example: &Example,
    prepared: &Prepared,
    said: &Completion,
) -> Result<Sample> {
    let ids: Vec<u32> = said.ids.iter().filter_map(|&i| u32::try_from(i).ok()).collect();
    let output = policy.tokenizer.decode(&ids)?;
    let answer = score::extract(job.eval.extract, &output);
    let verdict = match &example.answer {
        Some(gold) => Some(score::judge(job.eval.rule, gold, &answer, &example.choices)),
        None => (!score::is_answer(job.eval.rule, &answer, &example.choices)).then_some(Verdict::NoAnswer),
    };
    Ok(Sample {
        id: example.id.clone(),
        prompt_sha256: prepared.prompt_sha256.to_string(),
        tokens: said.ids.len() as u64,
        truncated: !said.stopped,
        cropped: prepared.cropped,
        damage: prepared.damage.clone(),
        verdict,
        output,
        answer,
        error: None,
    })
}
