//! How much memory a stage takes at its worst, by part, before anything is loaded: arithmetic over the model's configuration and the recipe.
//!
//! A stage is a sequence of phases; what it takes is the phase that takes most. Each phase is a sum of parts. Rows are taken as long as the recipe lets
//! them become, so the forecast is what the longest rows take; it says how long they were taken to be.

mod fit;
mod passes;
mod phases;
mod show;
mod sizes;

pub(super) use show::in_words;

pub use fit::{Capacity, Fit, check};
pub use passes::Rows;
pub use phases::{LOGIT_ROWS, MOMENT_BLOCK, STEP_PARAMETERS, evaluation, training};
pub use sizes::{Counts, adapters, counts};

use super::{Data, Plan, Policy, Stage, Work, known};
use crate::architecture::Config;
use crate::audio;
use crate::recipe::{Method, Source, Train};
use serde::Serialize;

/// Tokens of a prompt beside its audio, where the recipe sets no bound: a question with its options is far below.
pub const TEXT_TOKENS: u64 = 256;
/// Tokens of an answer that supervised training learns, likewise.
pub const ANSWER_TOKENS: u64 = 64;

/// What memory is taken for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Part {
    /// The policy's weights, adapters among them.
    Weights,
    /// Float32 weights behind bfloat16 ones, or what those lack of them.
    Master,
    /// AdamW's two moments.
    Moments,
    /// The frozen reference; of one on the host, what is on the device while it passes.
    Reference,
    /// Gradients that are summed over the parts of a step.
    Gradients,
    /// Gradients of the part that was just run, before they are added.
    NewGradients,
    /// What the forward pass leaves for the backward pass, or has at once where nothing is kept.
    Activations,
    /// Logits over the vocabulary and what is made of them.
    Logits,
    /// Keys and values of the rows that are drawn.
    KvCache,
    /// What the optimizer's step has at once.
    Step,
    /// Features of the clips of a step, or of a batch of an evaluation.
    Clips,
    /// The program and libtorch themselves.
    Program,
}

impl Part {
    /// As the table prints it.
    pub fn name(self) -> &'static str {
        match self {
            Part::Weights => "weights",
            Part::Master => "master",
            Part::Moments => "moments",
            Part::Reference => "reference",
            Part::Gradients => "gradients",
            Part::NewGradients => "new gradients",
            Part::Activations => "activations",
            Part::Logits => "logits",
            Part::KvCache => "KV cache",
            Part::Step => "step",
            Part::Clips => "clips",
            Part::Program => "program",
        }
    }
}

/// Parts with their bytes.
pub type Parts = Vec<(Part, u64)>;

fn total(parts: &[(Part, u64)]) -> u64 {
    parts.iter().map(|(_, bytes)| bytes).sum()
}

/// A phase of a stage: what the device and the host hold at once.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Phase {
    /// What is being done.
    pub name: &'static str,
    /// On the device that computes.
    pub device: Parts,
    /// In the host's memory, beside it; on a CPU the two are one.
    pub host: Parts,
}

impl Phase {
    /// Bytes on the device.
    pub fn on_device(&self) -> u64 {
        total(&self.device)
    }

    /// Bytes on the host.
    pub fn on_host(&self) -> u64 {
        total(&self.host)
    }
}

/// What a stage will take.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Forecast {
    /// In the order in which they come.
    pub phases: Vec<Phase>,
    /// How long rows were taken to be.
    pub rows: Rows,
}

impl Forecast {
    fn most(&self, bytes: impl Fn(&Phase) -> u64) -> &Phase {
        // There is always a phase: both constructors make several.
        self.phases.iter().max_by_key(|phase| bytes(phase)).expect("a forecast has phases")
    }

    /// The phase that takes most of a device that is not the host.
    pub fn device(&self) -> &Phase {
        self.most(Phase::on_device)
    }

    /// The phase that takes most of the host beside such a device.
    pub fn host(&self) -> &Phase {
        self.most(Phase::on_host)
    }

    /// The phase that takes most where the host is the device.
    pub fn together(&self) -> &Phase {
        self.most(|phase| phase.on_device() + phase.on_host())
    }
}

impl Plan {
    /// What a stage will take; `None` for stages that run no model.
    ///
    /// # Errors
    /// In words, why it is not known: the model's configuration is not there yet, or the settings do not fit it.
    pub fn memory(&self, stage: &Stage) -> Option<Result<Forecast, String>> {
        let (policy, data) = match &stage.work {
            Work::Data(_) | Work::Init { .. } | Work::Score { .. } => return None,
            Work::Train { policy, data, .. } | Work::Evaluate { policy, data, .. } => (policy, data),
        };
        let forecast = self.config(policy).and_then(|config| match &stage.work {
            Work::Train { train, .. } => training(&config, train, self.audio_tokens(data)).map_err(|e| e.to_string()),
            Work::Evaluate { eval, .. } => Ok(evaluation(&config, eval, self.audio_tokens(data))),
            _ => Err("it runs no model".to_owned()),
        });
        Some(forecast)
    }

    /// The configuration that a policy has, or will have: training changes none.
    pub(super) fn config(&self, policy: &Policy) -> Result<Config, String> {
        match policy {
            Policy::Stage { index, .. } => match &self.stages[*index].work {
                // The placeholder's id is no size.
                Work::Init { init, .. } => Ok(Config::from_init(init, init.vocab_size as i64, 0)),
                Work::Train { policy, .. } => self.config(policy),
                _ => Err("the policy comes from a stage that leaves no weights".to_owned()),
            },
            Policy::Checkpoint(checkpoint) => {
                let dir = checkpoint.folder();
                let there = dir.as_ref().is_ok_and(|dir| dir.join("config.json").is_file());
                let known = match (&checkpoint.source, there) {
                    (Source::Hub(at), false) => known::config(at).map_err(|e| e.to_string())?,
                    _ => None,
                };
                let config = match (known, &checkpoint.source) {
                    (Some(config), _) => config,
                    (None, Source::Hub(at)) if !there => {
                        return Err(format!("the model's config.json is not here yet ({at} is not fetched)"));
                    }
                    _ => Config::load(&dir.map_err(|e| e.to_string())?).map_err(|e| e.to_string())?,
                };
                Ok(Config { dtype: checkpoint.dtype, ..config })
            }
        }
    }

    /// Audio tokens of the longest clip that a data set may hold.
    fn audio_tokens(&self, data: &Data) -> u64 {
        let samples = match data {
            Data::Stage { .. } => crate::synth::MAX_SAMPLES,
            Data::Mmau { .. } | Data::MmauParquet { .. } | Data::Avqa { .. } => audio::MAX_SAMPLES,
        };
        audio::audio_tokens(audio::mel::valid_frames(samples)) as u64
    }
}

/// The longest rows of a training stage, `questions` at once.
fn rows(train: &Train, audio: u64, questions: usize) -> Rows {
    let questions = questions as u64;
    match &train.method {
        Method::Sft => Rows { questions, prompt: audio + TEXT_TOKENS, audio, group: 1, completion: ANSWER_TOKENS },
        Method::Grpo(grpo) => {
            let (prompt, completion) = (grpo.max_prompt_length as u64, grpo.rollout.max_new_tokens as u64);
            Rows { questions, prompt, audio: audio.min(prompt), group: grpo.group_size as u64, completion }
        }
    }
}
