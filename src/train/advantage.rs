//! Group-relative advantages.

/// Rewards of one group and what GRPO makes of them.
#[derive(Debug, Clone, PartialEq)]
pub struct Group {
    /// `(reward - mean) / (std + eps)`, one a completion.
    pub advantages: Vec<f64>,
    /// Mean reward.
    pub mean: f64,
    /// Unbiased deviation (N - 1) of the rewards.
    pub std: f64,
}

/// Advantages of one group of at least two completions (trl 0.15.2 `grpo_trainer.py`: torch.std with N - 1, eps 1e-4).
///
/// A group whose rewards are all equal gets exactly 0: it gives no gradient but the KL penalty's.
pub fn group(rewards: &[f64], eps: f64) -> Group {
    let n = rewards.len() as f64;
    let mean = rewards.iter().sum::<f64>() / n;
    let variance = rewards.iter().map(|r| (r - mean).powi(2)).sum::<f64>() / (n - 1.0).max(1.0);
    let std = variance.sqrt();
    Group { advantages: rewards.iter().map(|r| (r - mean) / (std + eps)).collect(), mean, std }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn one_right_of_eight_gives_the_reference_values() {
        let g = group(&[1.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0], 1e-4);
        assert!((g.advantages[0] - 2.474).abs() < 1e-3 && (g.advantages[1] + 0.353).abs() < 1e-3, "{g:?}");
    }

    proptest! {
        #[test]
        fn they_sum_to_zero_and_keep_the_order_of_rewards(rewards in proptest::collection::vec(0.0f64..2.0, 2..16)) {
            let g = group(&rewards, 1e-4);
            prop_assert!(g.advantages.iter().sum::<f64>().abs() < 1e-6);
            for (a, b) in rewards.iter().zip(&g.advantages).zip(rewards.iter().zip(&g.advantages).skip(1)).map(|(x, y)| ((x.0, y.0), (x.1, y.1))) {
                prop_assert_eq!(a.0 < a.1, b.0 < b.1);
            }
        }

        #[test]
        fn equal_rewards_give_exactly_nothing(reward in 0u8..3, n in 2usize..16) {
            prop_assert!(group(&vec![f64::from(reward); n], 1e-4).advantages.iter().all(|&a| a == 0.0));
        }
    }
}
