//! Data order of the reference: accelerate's SeedableRandomSampler, one permutation an epoch.

use std::sync::{Mutex, PoisonError};
use tch::{Device, Kind, Tensor};

/// libtorch has one CPU generator for the whole process: seeding it and drawing from it belong together.
static GENERATOR: Mutex<()> = Mutex::new(());

/// The permutation of epoch `epoch`: `torch.manual_seed(seed + epoch); torch.randperm(n)` on the CPU generator.
pub fn permutation(n: usize, seed: u64, epoch: u64) -> Vec<usize> {
    let perm = {
        let _alone = GENERATOR.lock().unwrap_or_else(PoisonError::into_inner);
        tch::manual_seed((seed + epoch) as i64);
        Tensor::randperm(n as i64, (Kind::Int64, Device::Cpu))
    };
    let mut out = vec![0i64; n];
    perm.copy_data(&mut out, n);
    out.into_iter().map(|i| i as usize).collect()
}

/// Which questions each step sees: positions run through the permutations of epoch 0, 1, … without a gap.
#[derive(Debug)]
pub struct Order {
    n: usize,
    seed: u64,
    epoch: Option<(u64, Vec<usize>)>,
}

impl Order {
    /// Over `n` questions; n must not be 0.
    pub fn new(n: usize, seed: u64) -> Self {
        Self { n, seed, epoch: None }
    }

    /// Indices of step `step` (0-based) of `count` questions.
    pub fn step(&mut self, step: u64, count: usize) -> Vec<usize> {
        (0..count as u64).map(|i| self.at(step * count as u64 + i)).collect()
    }

    fn at(&mut self, position: u64) -> usize {
        let epoch = position / self.n as u64;
        if self.epoch.as_ref().is_none_or(|(e, _)| *e != epoch) {
            self.epoch = Some((epoch, permutation(self.n, self.seed, epoch)));
        }
        let perm = self.epoch.as_ref().map_or(&[][..], |(_, p)| p);
        perm[(position % self.n as u64) as usize]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// torch 2.11.0 on the CPU: `torch.manual_seed(42); torch.randperm(N)[:8]`.
    #[test]
    fn permutations_equal_the_reference() {
        assert_eq!(permutation(38000, 42, 0)[..8], [21542, 100, 21798, 16619, 24998, 20020, 12670, 26228]);
        assert_eq!(permutation(40425, 42, 0)[..8], [5517, 2524, 38379, 21637, 25492, 31180, 4360, 21117]);
    }

    #[test]
    fn every_epoch_sees_every_question_once_and_a_resume_sees_the_same() {
        let mut whole = Order::new(10, 3);
        let steps: Vec<Vec<usize>> = (0..5).map(|s| whole.step(s, 4)).collect();
        let mut first: Vec<usize> = steps.iter().flatten().copied().take(10).collect();
        first.sort_unstable();
        assert_eq!(first, (0..10).collect::<Vec<_>>());
        assert_eq!(Order::new(10, 3).step(4, 4), steps[4]);
    }
}
