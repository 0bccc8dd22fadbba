//! The training loop: SFT and GRPO differ in one step, everything around it is shared.

use super::feed::{Clips, WAITING, ahead};
use super::metrics::{Log, Step};
use super::prepare::{Prepared, prepare};
use super::{Context, grpo, policy, sft};
use crate::architecture::Config;
use crate::artifact::layout::StageFolder;
use crate::data::Example;
use crate::error::{Error, Result};
use crate::model::checkpoint::Checkpoint;
use crate::model::params::wide;
use crate::model::{Qwen2Audio, lora};
use crate::plan::{Data, Policy};
use crate::progress::{Progress, say};
use crate::prompt::chat::ChatTemplate;
use crate::prompt::tokens::TextTokenizer;
use crate::recipe::{Activations, Dtype, Master, Method, Numerics, Place, RewardName, Train};
use crate::reward;
use crate::train::head;
use crate::train::logps::{Group, Logprobs, completion_logprobs};
use crate::train::optimizer::{AdamW, Sums};
use crate::train::order::Order;
use crate::train::parts::parts;
use crate::train::recompute;
use crate::train::schedule::learning_rate;
use crate::train::streamed::Streamed;
use rayon::prelude::*;
use std::path::Path;
use std::time::Instant;
use tch::{Device, Kind, Tensor, no_grad};

/// What a step works with.
pub(super) struct Trainer<'a> {
    /// The stage.
    pub train: &'a Train,
    /// The recipe's seed.
    pub seed: u64,
    /// The policy that is trained.
    pub policy: Checkpoint,
    /// GRPO with a KL penalty: the frozen start of the stage.
    pub reference: Option<Reference>,
}

/// The frozen start of a stage.
pub(super) enum Reference {
    /// On the device that computes.
    Whole(Box<Qwen2Audio>),
    /// On the host, layer by layer on the device.
    Streamed(Box<Streamed>),
}

impl Trainer<'_> {
    /// Runs a part of the step, one of `several` or all of it, and adds the gradient of its loss to what is there; both without gradient.
    pub(super) fn backward(
        &self,
        groups: &[Group<'_>],
        several: bool,
        optimizer: &mut AdamW,
        loss: impl FnOnce(&Logprobs) -> Tensor,
    ) -> Result<(Logprobs, Tensor)> {
        let (policy, sums) = (&self.policy, self.sums(several));
        let (model, numerics, training) = (&policy.model, self.train.numerics, (optimizer, sums));
        match self.train.memory.activations {
            Activations::Keep => head::keep(model, groups, policy.pad, numerics, training, loss),
            Activations::Recompute => recompute::backward(model, groups, policy.pad, numerics, training, loss),
        }
    }

    /// Log-probabilities of the reference for each part of a step, where there is one. They come before the policy's pass: the two need their room
    /// one after the other.
    pub(super) fn references(&self, parts: &[Vec<Group<'_>>]) -> Result<Option<Vec<Tensor>>> {
        let whole = |model: &Qwen2Audio| {
            let one = |groups: &Vec<Group<'_>>| {
                Ok(completion_logprobs(model, groups, self.policy.pad, self.train.numerics)?.logprobs)
            };
            no_grad(|| parts.iter().map(one).collect::<Result<Vec<_>>>())
        };
        match &self.reference {
            None => Ok(None),
            Some(Reference::Whole(model)) => whole(model).map(Some),
            Some(Reference::Streamed(model)) => model.logprobs(parts, self.policy.pad, self.train.numerics).map(Some),
        }
    }

    /// The questions of a step, in the parts that go through the model at once: places in the step.
    pub(super) fn parts(&self, groups: &[Group<'_>]) -> Vec<Vec<usize>> {
        let lengths: Vec<usize> = groups.iter().map(Group::tokens).collect();
        parts(&lengths, self.train.micro_batch, self.train.memory.micro_batch_tokens)
    }

    /// In what kind the parts of this step are summed.
    fn sums(&self, several: bool) -> Sums {
        if several && self.train.numerics == Numerics::Fp32Logprobs { Sums::Float32 } else { Sums::Own }
    }

    /// The kind of losses and advantages: float32, also for 16-bit policies.
    pub(super) fn wide(&self) -> Kind {
        wide(self.policy.model.kind())
    }
}

/// A question of a step.
pub(super) struct Question<'a> {
    /// As it stands in the data set.
    pub example: &'a Example,
    /// As the model takes it.
    pub prepared: Prepared,
}

/// The questions of a step.
pub(super) struct Batch<'a> {
    /// Steps done before this one.
    pub step: u64,
    /// In the data order.
    pub questions: Vec<Question<'a>>,
}

/// Trains in a partial folder, from its newest checkpoint if it has one.
pub(super) fn run(
    ctx: &Context<'_>,
    train: &Train,
    seed: u64,
    start: &Policy,
    data: &Data,
    partial: &Path,
) -> Result<()> {
    let examples = ctx.examples(data)?;
    check(train, &examples)?;
    tell_unjudged(train, &examples);
    let done = policy::saved(partial)?.into_iter().max().unwrap_or(0);
    let policy = policy::start(ctx, train, seed, start, partial, done)?;
    let reference = match &train.method {
        // Adapters leave the weights below them as they were.
        Method::Grpo(settings) if settings.beta != 0.0 && train.lora.is_some() => {
            Some(Reference::Whole(Box::new(policy.model.without_adapters()?)))
        }
        Method::Grpo(settings) if settings.beta != 0.0 => Some(match train.memory.reference {
            Place::Device => Reference::Whole(Box::new(ctx.load_policy(start, ctx.device)?.model)),
            Place::Host => {
                Reference::Streamed(Box::new(Streamed::new(&ctx.load_policy(start, Device::Cpu)?.model, ctx.device)))
            }
        }),
        _ => None,
    };
    policy.model.params().require_grad();
    let mut optimizer = AdamW::with_memory(policy.model.params(), &train.optimizer, &train.memory);
    if done > 0 {
        policy::restore(partial, done, &mut optimizer)?;
        // A kill between writing a checkpoint and dropping the one before it leaves both.
        policy::prune(partial, done, |step| is_kept(train, step))?;
    }
    let trainer = Trainer { train, seed, policy, reference };
    let mut order = Order::new(examples.len(), train.order.seed);
    let mut log = Log::open(&StageFolder::new(partial), done)?;
    let mut progress = Progress::start(&train.name, done, train.steps);
    let mut last = String::new();
    let reader = Reader::new(train, &trainer.policy, &ctx.clips);
    let batches = (done..train.steps).map(|step| {
        let indices = order.step(step, train.questions_per_step);
        reader.batch(&examples, step, &indices)
    });
    ahead(WAITING, batches, |batches| -> Result<()> {
        let mut started = Instant::now();
        for batch in batches {
            let seen = one_step(&trainer, started, &batch?, &mut optimizer)?;
            log.append(&seen)?;
            last = in_words(&seen);
            progress.at(seen.step, &last);
            keep(train, seen.step, partial, &trainer.policy, &optimizer)?;
            started = Instant::now();
        }
        Ok(())
    })?;
    log.finish()?;
    progress.finish(&last);
    Ok(())
}

/// One optimizer step: accumulates the gradient, updates; what it saw. Its seconds count from `started`: the wait for its questions is part of it.
pub(super) fn one_step(
    trainer: &Trainer<'_>,
    started: Instant,
    batch: &Batch<'_>,
    optimizer: &mut AdamW,
) -> Result<Step> {
    let (train, step) = (trainer.train, batch.step);
    let mut seen = match &train.method {
        Method::Sft => sft::step(trainer, batch, optimizer)?,
        Method::Grpo(settings) => grpo::step(trainer, settings, batch, optimizer)?,
    };
    seen.grad_norm = optimizer.clip().map_err(|e| e.within(format!("{} step {}", train.name, step + 1)))?;
    seen.learning_rate = learning_rate(train.optimizer.learning_rate, &train.schedule, step);
    optimizer.step(seen.learning_rate);
    seen.step = step + 1;
    seen.prompt_tokens = batch.questions.iter().map(|q| q.prepared.ids.len() as u64).sum();
    seen.cropped = batch.questions.iter().filter(|q| q.prepared.cropped).count() as u64;
    seen.damaged = batch.questions.iter().filter(|q| !q.prepared.damage.is_empty()).count() as u64;
    seen.seconds = started.elapsed().as_secs_f64();
    Ok(seen)
}

/// Leaves a checkpoint where the recipe wants one, where a resume could start, and at the end.
fn keep(train: &Train, step: u64, partial: &Path, policy: &Checkpoint, optimizer: &AdamW) -> Result<()> {
    if is_kept(train, step) || step.is_multiple_of(train.resume_every) {
        policy::save(partial, step, policy, optimizer)?;
        policy::prune(partial, step, |step| is_kept(train, step))?;
    }
    Ok(())
}

/// Whether the checkpoint of a step stays when the stage is done.
fn is_kept(train: &Train, step: u64) -> bool {
    step.is_multiple_of(train.checkpoint_every) || step == train.steps
}

/// Refuses before anything is computed what does not fit the policy that the stage will start from.
pub(super) fn check_policy(train: &Train, config: &Config) -> Result<()> {
    if let Some(lora) = &train.lora {
        lora::matched(config, &lora.targets).map_err(|e| e.within(train.name.clone()))?;
    }
    if train.memory.master == Master::Split && config.dtype != Dtype::Bfloat16 {
        return Err(Error::request(format!(
            "{}: memory.master: split needs a bfloat16 policy, the one it starts from is float32, its own master: remove it",
            train.name
        )));
    }
    if train.numerics == Numerics::ReferenceBf16 && config.dtype != Dtype::Bfloat16 {
        return Err(Error::request(format!(
            "{}: numerics: reference-bf16 needs a bfloat16 policy, the one it starts from is float32: write numerics: fp32-logprobs",
            train.name
        )));
    }
    Ok(())
}

/// Refuses before anything is computed what would fail in the middle.
pub(super) fn check(train: &Train, examples: &[Example]) -> Result<()> {
    if examples.is_empty() {
        return Err(Error::inputs(format!("{}: data set {} has no questions", train.name, train.data)));
    }
    let missing: Vec<&Example> = examples.iter().filter(|e| !e.audio.is_file()).collect();
    if let Some(first) = missing.first() {
        let (n, of) = (missing.len(), examples.len());
        return Err(Error::inputs(format!(
            "{}: {n} of {of} clips are missing, the first is {} (training leaves none out: put them there, or, of AVQA, let `aqa-bench prepare avqa` make lines of those that are)",
            train.name,
            first.audio.display()
        )));
    }
    if let Some(unanswered) = examples.iter().find(|e| e.answer.is_none()) {
        return Err(Error::inputs(format!("{}: question {} has no answer to train on", train.name, unanswered.id)));
    }
    Ok(())
}

/// Says how many answers the accuracy reward cannot judge as the reference does, and why.
fn tell_unjudged(train: &Train, examples: &[Example]) {
    let asked = matches!(&train.method, Method::Grpo(settings) if settings.rewards.contains(&RewardName::Accuracy));
    if let Some(line) =
        asked.then(|| reward::unjudged_line(examples.iter().filter_map(|e| e.answer.as_deref()))).flatten()
    {
        say(format_args!("{}: {line}", train.name));
    }
}

/// Reads questions; knows nothing of the model, so that it can work beside it.
pub(super) struct Reader<'a> {
    train: &'a Train,
    tokenizer: &'a TextTokenizer,
    template: &'a ChatTemplate,
    clips: &'a Clips,
}

impl<'a> Reader<'a> {
    /// For a stage that trains this policy.
    pub(super) fn new(train: &'a Train, policy: &'a Checkpoint, clips: &'a Clips) -> Self {
        Self { train, tokenizer: &policy.tokenizer, template: &policy.template, clips }
    }

    /// The questions of a step, decoded and tokenised.
    pub(super) fn batch<'e>(&self, examples: &'e [Example], step: u64, indices: &[usize]) -> Result<Batch<'e>> {
        let one = |&i: &usize| {
            let example = &examples[i];
            let prepared = prepare(example, self.train.prompt, self.tokenizer, self.template, self.clips);
            prepared
                .map(|prepared| Question { example, prepared })
                .map_err(|e| e.within(format!("question {}", example.id)))
        };
        Ok(Batch { step, questions: indices.par_iter().map(one).collect::<Result<_>>()? })
    }
}

/// The state of training in a few words.
fn in_words(step: &Step) -> String {
    match (step.reward, step.kl) {
        (Some(reward), Some(kl)) => format!("reward {reward:.2} kl {kl:.3}"),
        _ => format!("loss {:.3}", step.loss),
    }
}
