//! The phases of a stage and what each holds.

use super::passes::{Passes, Rows};
use super::sizes::{Counts, FLOAT32, adapters, bytes, counts};
use super::{Forecast, Part, Parts, Phase, TEXT_TOKENS, rows};
use crate::architecture::Config;
use crate::error::Result;
use crate::recipe::{Activations, Dtype, Eval, Master, Method, Moments, Numerics, Place, Train};

/// The program with libtorch, as it stands on the host before it loads anything.
const PROGRAM: u64 = 250_000_000;
/// Parameters that the optimizer's step takes at a time; see `train/optimizer`.
pub const STEP_PARAMETERS: u64 = 1 << 22;
/// Rows of logits that a pass of training or of the reference has at once; see `train/head`.
pub const LOGIT_ROWS: u64 = 512;
/// Parameters that share a scale among 8-bit moments; see `train/moments`.
pub const MOMENT_BLOCK: u64 = 256;

/// The settled parts of a training stage: what it holds however long its rows are.
struct Settled<'a> {
    config: &'a Config,
    train: &'a Train,
    counts: Counts,
    /// Numbers that are trained.
    trained: u64,
    /// Bytes of one of them, and of its gradient.
    width: u64,
}

/// What a training stage takes over rows of at most so many audio tokens.
///
/// # Errors
/// Exit code 2 for an adapter's target that the model does not have.
pub fn training(config: &Config, train: &Train, audio: u64) -> Result<Forecast> {
    let counts = counts(config);
    let (trained, width) = match &train.lora {
        Some(lora) => (adapters(config, lora)?, FLOAT32),
        None => (counts.trained, bytes(config.dtype)),
    };
    let settled = Settled { config, train, counts, trained, width };
    let mut phases = vec![settled.phase("loading", Parts::new(), None)];
    if let Method::Grpo(grpo) = &train.method {
        phases.extend(settled.rollout(audio));
        if grpo.beta != 0.0 {
            phases.extend(settled.reference(audio));
        }
    }
    phases.extend(settled.passes(audio));
    // The root of the second moment, the denominator and the update; of 16 bits also the gradient, scaled, and the weight.
    let numbers = if width == FLOAT32 { 4 } else { 6 };
    let step = STEP_PARAMETERS.min(counts.largest).min(trained) * FLOAT32 * numbers;
    phases.push(settled.phase("optimizer step", vec![(Part::Gradients, settled.held()), (Part::Step, step)], None));
    // The clips of a step are there from its start to its end.
    let clips = settled.model().clips(train.questions_per_step, audio);
    phases.iter_mut().skip(1).for_each(|phase| phase.host.push((Part::Clips, clips)));
    Ok(Forecast { phases, rows: settled.part(audio) })
}

impl Settled<'_> {
    /// A phase with what is always there. `passing`: bytes of a reference on the host that are on the device, where that phase has it.
    fn phase(&self, name: &'static str, more: Parts, passing: Option<u64>) -> Phase {
        let (mut device, mut host) = (Parts::new(), vec![(Part::Program, PROGRAM)]);
        let weights = self.counts.all * bytes(self.config.dtype);
        let adapters = if self.train.lora.is_some() { self.trained * FLOAT32 } else { 0 };
        device.push((Part::Weights, weights + adapters));
        let memory = &self.train.memory;
        let optimizer = if memory.optimizer == Place::Host { &mut host } else { &mut device };
        optimizer.push((Part::Master, self.master()));
        optimizer.push((Part::Moments, self.moments()));
        if self.has_reference() {
            match memory.reference {
                Place::Device => device.push((Part::Reference, weights)),
                Place::Host => {
                    host.push((Part::Reference, weights));
                    device.push((Part::Reference, passing.unwrap_or(0)));
                }
            }
        }
        device.extend(more);
        for parts in [&mut device, &mut host] {
            parts.retain(|(_, bytes)| *bytes > 0);
        }
        Phase { name, device, host }
    }

    /// Adapters share the weights below them with the reference.
    fn has_reference(&self) -> bool {
        self.train.lora.is_none() && matches!(&self.train.method, Method::Grpo(grpo) if grpo.beta != 0.0)
    }

    fn master(&self) -> u64 {
        match (self.width == FLOAT32, self.train.memory.master) {
            (true, _) => 0,
            (false, Master::Float32) => self.trained * FLOAT32,
            (false, Master::Split) => self.trained * 2,
        }
    }

    fn moments(&self) -> u64 {
        match self.train.memory.moments {
            Moments::Float32 => self.trained * 2 * FLOAT32,
            Moments::Int8 => self.trained * 2 + 2 * FLOAT32 * self.trained.div_ceil(MOMENT_BLOCK),
        }
    }

    /// The longest rows that go through at once. A budget that ends within a row counts as the whole of it: shorter rows may fill it.
    fn part(&self, audio: u64) -> Rows {
        let bounded = |tokens: usize| (tokens as u64).div_ceil(rows(self.train, audio, 1).tokens()).max(1) as usize;
        let most = self.train.memory.micro_batch_tokens.map_or(usize::MAX, bounded);
        rows(self.train, audio, self.train.micro_batch.min(most))
    }

    /// Whether a step may have several parts.
    fn several(&self) -> bool {
        self.train.questions_per_step > self.train.micro_batch || self.train.memory.micro_batch_tokens.is_some()
    }

    /// Bytes of the gradients that stand between the parts of a step: float32 sums of a bfloat16 policy's, where there are several.
    fn held(&self) -> u64 {
        let sums = self.several() && self.train.numerics == Numerics::Fp32Logprobs;
        self.trained * if sums { FLOAT32 } else { self.width }
    }

    /// Rows of logits at once.
    fn logit_rows(&self, rows: Rows) -> u64 {
        match self.train.numerics {
            Numerics::Fp32Logprobs => rows.predicted().min(LOGIT_ROWS),
            Numerics::ReferenceBf16 => rows.predicted(),
        }
    }

    fn model(&self) -> Passes<'_> {
        Passes { config: self.config, lora: self.train.lora.as_ref() }
    }

    fn rollout(&self, audio: u64) -> [Phase; 2] {
        let at_once = self.train.memory.rollout_batch.unwrap_or(self.train.questions_per_step);
        drawing(&self.model(), rows(self.train, audio, at_once)).map(|(name, more)| self.phase(name, more, None))
    }

    /// All references of a step come before its first gradient.
    fn reference(&self, audio: u64) -> [Phase; 2] {
        let (bare, width) = (Passes { config: self.config, lora: None }, bytes(self.config.dtype));
        let rows = self.part(audio);
        // What stands around the layers, and one of them at a time.
        let passing = (self.counts.ends + self.counts.layer) * width;
        let waiting = match self.train.memory.reference {
            Place::Device => 0,
            // Layer after layer over the whole step: the rows of all its parts wait in between.
            Place::Host => bare.stream(super::rows(self.train, audio, self.train.questions_per_step)),
        };
        let layers = vec![(Part::Activations, bare.working(rows) + waiting)];
        let logits =
            vec![(Part::Activations, bare.stream(rows) + waiting), (Part::Logits, bare.logits(self.logit_rows(rows)))];
        [self.phase("reference", layers, Some(passing)), self.phase("reference logits", logits, Some(passing))]
    }

    /// The end of the forward pass, the gradient of the logits, and the end of the backward pass: between the last two activations go as gradients come,
    /// so that nothing between them takes more than both.
    fn passes(&self, audio: u64) -> [Phase; 3] {
        let (model, rows) = (self.model(), self.part(audio));
        let kept = self.train.memory.activations == Activations::Keep;
        let activations = if kept { model.kept(rows) } else { model.inputs(rows) };
        let held = if self.several() { self.held() } else { 0 };
        let head = if self.train.lora.is_some() { 0 } else { self.counts.largest * self.width };
        // With everything kept the gradients of a part come at once; with recomputation layer by layer, and are added as they come. The embedding's
        // comes twice, from prompts and from completions, when the layers are through.
        let new = if kept { self.trained * self.width + head } else { 2 * head };
        // Logits that are computed some rows at a time sum up what they give to the output head in float32.
        let logits = self.logit_rows(rows);
        let summed = if logits < rows.predicted() && !self.several() { head / self.width * FLOAT32 } else { 0 };
        let phase = |name, more| self.phase(name, more, None);
        [
            phase(
                "forward",
                vec![(Part::Gradients, held), (Part::Activations, activations), (Part::Logits, model.logits(logits))],
            ),
            phase(
                "loss",
                vec![
                    (Part::Gradients, held),
                    (Part::NewGradients, head + summed),
                    (Part::Activations, activations),
                    (Part::Logits, model.logits_backward(logits)),
                ],
            ),
            phase(
                "backward",
                vec![
                    (Part::Gradients, if kept { held } else { self.held() }),
                    (Part::NewGradients, new + summed),
                    (Part::Activations, if kept { 0 } else { model.again(rows) }),
                ],
            ),
        ]
    }
}

/// What drawing holds beside the weights: while prompts run, and while tokens are drawn.
fn drawing(model: &Passes<'_>, rows: Rows) -> [(&'static str, Parts); 2] {
    let prompts = Rows { group: 0, ..rows };
    let cache = (Part::KvCache, model.prompt_cache(rows));
    let completions = vec![(Part::Logits, model.drawn(rows)), (Part::KvCache, model.cache(rows))];
    [("prompts", vec![(Part::Activations, model.working(prompts)), cache]), ("drawing completions", completions)]
}

/// What an evaluation takes over prompts of at most so many audio tokens.
pub fn evaluation(config: &Config, eval: &Eval, audio: u64) -> Forecast {
    let model = Passes { config, lora: None };
    let (questions, completion) = (eval.batch_size as u64, eval.decoding.max_new_tokens as u64);
    let rows = Rows { questions, prompt: audio + TEXT_TOKENS, audio, group: 1, completion };
    let weights = (Part::Weights, counts(config).all * bytes(config.dtype));
    let program = (Part::Program, PROGRAM);
    let clips = (Part::Clips, model.clips(eval.batch_size, audio));
    let mut phases = vec![Phase { name: "loading", device: vec![weights], host: vec![program] }];
    phases.extend(drawing(&model, rows).map(|(name, more)| Phase {
        name,
        device: [vec![weights], more].concat(),
        host: vec![program, clips],
    }));
    Forecast { phases, rows }
}

/// Whether a policy of this type has a master.
pub(super) fn has_master(config: &Config, train: &Train) -> bool {
    config.dtype == Dtype::Bfloat16 && train.lora.is_none()
}
