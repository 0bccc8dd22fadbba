//! Training steps without a run folder, by the code that training runs: for whoever times a step (`benches/peers`).

use super::feed::Clips;
use super::metrics::Step;
use super::train::{Reader, Reference, Trainer, one_step};
use crate::data::Example;
use crate::error::Result;
use crate::model::Qwen2Audio;
use crate::model::checkpoint::Checkpoint;
use crate::recipe::{Place, Train};
use crate::train::optimizer::AdamW;
use crate::train::streamed::Streamed;
use std::time::Instant;

/// A policy in training. Nothing is written: no checkpoint, no metrics.
pub struct Alone<'a> {
    trainer: Trainer<'a>,
    optimizer: AdamW,
    done: u64,
}

impl<'a> Alone<'a> {
    /// Starts a stage's training; `reference` is the frozen start that GRPO's KL penalty is taken against, loaded where `memory.reference` says.
    pub fn new(train: &'a Train, seed: u64, policy: Checkpoint, reference: Option<Qwen2Audio>) -> Self {
        policy.model.params().require_grad();
        let optimizer = AdamW::with_memory(policy.model.params(), &train.optimizer, &train.memory);
        let device = policy.model.device();
        let reference = reference.map(|model| match train.memory.reference {
            Place::Device => Reference::Whole(Box::new(model)),
            Place::Host => Reference::Streamed(Box::new(Streamed::new(&model, device))),
        });
        let trainer = Trainer { train, seed, policy, reference };
        Self { trainer, optimizer, done: 0 }
    }

    /// The policy as it is now.
    pub fn policy(&self) -> &Checkpoint {
        &self.trainer.policy
    }

    /// Optimizer steps done.
    pub fn done(&self) -> u64 {
        self.done
    }

    /// The next step, on exactly these questions; its `seconds` are those of the step alone.
    ///
    /// # Errors
    /// As training: a clip that cannot be read, a prompt that is too long, a gradient that is not finite.
    pub fn step(&mut self, examples: &[Example]) -> Result<Step> {
        let all: Vec<usize> = (0..examples.len()).collect();
        // No clip is known from an earlier step: decoding belongs to what is timed.
        let (started, clips) = (Instant::now(), Clips::default());
        let batch = Reader::new(self.trainer.train, &self.trainer.policy, &clips).batch(examples, self.done, &all)?;
        let seen = one_step(&self.trainer, started, &batch, &mut self.optimizer)?;
        self.done += 1;
        Ok(seen)
    }
}
