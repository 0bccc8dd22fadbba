//! How a token is chosen from logits: filters in transformers' order, then the most likely token or a draw by Gumbel-max.
//!
//! Pure functions over host memory, so that they need no engine. Noise is a function of (key, position, token id): a sample's
//! tokens do not depend on its batch, and rounding that swaps near-equal logits cannot move other draws.

mod filters;

pub use filters::{Candidate, Filters};

use crate::seeds::Key;

/// The token to emit at `position` (0 is the first new token).
///
/// `logits` `[vocab]` of the last position; `seen` all ids so far, prompt and new, without padding; `key` is this completion's own, `None`
/// takes the most likely token (ties: the lowest id).
pub fn choose(logits: &mut [f32], seen: &[i64], filters: &Filters, key: Option<Key>, position: u64) -> i64 {
    filters.penalise(logits, seen);
    draw(logits, |place| place as u64, filters, key, position) as i64
}

/// The same from a list of ids, ascending, that holds all survivors of the filters, and their logits, penalised already.
pub fn choose_listed(ids: &[i64], logits: &mut [f32], filters: &Filters, key: Option<Key>, position: u64) -> i64 {
    ids[draw(logits, |place| ids[place] as u64, filters, key, position)]
}

/// The place of the chosen logit; `id` is the token at a place.
fn draw(logits: &mut [f32], id: impl Fn(usize) -> u64, filters: &Filters, key: Option<Key>, position: u64) -> usize {
    let Some(key) = key else {
        return greedy(logits);
    };
    let noisy = |c: &Candidate| f64::from(c.logit) + key.gumbel(position, id(c.id));
    let best =
        filters.candidates(logits).into_iter().map(|c| (noisy(&c), c.id)).fold(None, |best, (score, id)| match best {
            Some((top, _)) if top >= score => best,
            _ => Some((score, id)),
        });
    best.map_or_else(|| greedy(logits), |(_, id)| id)
}

/// The index of the largest logit; the first of equals, as torch.argmax on the CPU.
fn greedy(logits: &[f32]) -> usize {
    let best =
        logits.iter().enumerate().fold((0, f32::NEG_INFINITY), |best, (i, &x)| if x > best.1 { (i, x) } else { best });
    best.0
}

#[cfg(test)]
mod tests {
    use super::*;

    const PLAIN: Filters = Filters { temperature: 1.0, top_k: 0, top_p: 1.0, repetition_penalty: 1.0 };

    #[test]
    fn greedy_takes_the_first_of_equal_logits() {
        assert_eq!(choose(&mut [0.0, 2.0, 2.0], &[], &PLAIN, None, 0), 1);
    }

    #[test]
    fn draws_follow_the_softmax_of_the_survivors() {
        let logits = [1.0f32, 0.0, 2.0, -1.0, 0.5];
        let filters = Filters { temperature: 0.7, top_k: 4, top_p: 0.95, repetition_penalty: 1.0 };
        let survivors = filters.candidates(&mut logits.clone());
        let z: f64 = survivors.iter().map(|c| libm::exp(f64::from(c.logit))).sum();
        let n = 20_000u64;
        let mut counts = [0u64; 5];
        for i in 0..n {
            let key = Key::derive(1, "draws", &[&i.to_string()]);
            counts[choose(&mut logits.clone(), &[], &filters, Some(key), 3) as usize] += 1;
        }
        let mut chi = 0.0;
        for c in &survivors {
            let want = n as f64 * libm::exp(f64::from(c.logit)) / z;
            chi += (counts[c.id] as f64 - want).powi(2) / want;
        }
        // 99.9 % of chi-square with at most 3 degrees of freedom is 16.3; the keys are fixed, so this cannot flake.
        assert!(chi < 16.3, "{chi} {counts:?}");
        assert_eq!(counts.iter().sum::<u64>(), survivors.iter().map(|c| counts[c.id]).sum::<u64>());
    }

    #[test]
    fn a_draw_depends_on_key_and_position_and_nothing_else() {
        let logits = [0.3f32, 0.1, 0.2, 0.0];
        let key = |i: u64| Some(Key::derive(5, "k", &[&i.to_string()]));
        let draw = |i, position| choose(&mut logits.clone(), &[], &PLAIN, key(i), position);
        let first: Vec<i64> = (0..40).map(|i| draw(i, 0)).collect();
        assert_eq!(first, (0..40).map(|i| draw(i, 0)).collect::<Vec<_>>());
        assert_ne!(first, (0..40).map(|i| draw(i, 1)).collect::<Vec<_>>());
        assert!(first.iter().any(|&t| t != first[0]));
    }
}
