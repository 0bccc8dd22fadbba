//! The best of several: what choosing it on the very questions that it is reported on adds.

use serde::Serialize;
use statrs::distribution::{Continuous, ContinuousCDF, Normal};

/// By how many points the best of k rows is expected to lie above their mean when all are equally good.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Optimism {
    /// By the questions that the rows answer differently: their errors have what they share in common.
    pub expected: f64,
    /// Were the rows' errors independent: an upper bound of it for rows that agree more often than by chance.
    pub independent: f64,
}

/// The optimism of the best of several rows from their verdicts on the same questions, one list a row; `None` for fewer than two rows, no
/// question, or lists of different lengths.
///
/// When all rows are equally good, the row totals differ by what varies within questions alone: with s of k rows correct on a question,
/// s(k - s) / (k(k - 1)) is its unbiased variance. The largest of k such totals lies [`expected_maximum`] standard deviations above their mean
/// (totals as normal numbers: many questions).
pub fn optimism(rows: &[Vec<bool>]) -> Option<Optimism> {
    let (k, n) = (rows.len(), rows.first()?.len());
    if k < 2 || n == 0 || rows.iter().any(|row| row.len() != n) {
        return None;
    }
    let right = |i: usize| rows.iter().filter(|row| row[i]).count() as f64;
    let (k, n) = (k as f64, n as f64);
    let within: f64 = (0..rows[0].len()).map(|i| right(i) * (k - right(i)) / (k * (k - 1.0))).sum();
    let pooled = (0..rows[0].len()).map(right).sum::<f64>() / (k * n);
    let factor = 100.0 * expected_maximum(rows.len());
    Some(Optimism { expected: factor * within.sqrt() / n, independent: factor * (pooled * (1.0 - pooled) / n).sqrt() })
}

/// The expected largest of `k` independent standard normal numbers: 0 for one, 0.85 for three, 1.54 for ten.
pub fn expected_maximum(k: usize) -> f64 {
    /// Steps of Simpson's rule, and how far out it goes: what lies beyond is below 1e-20.
    const STEPS: usize = 2000;
    const FAR: f64 = 10.0;
    let normal = Normal::standard();
    let density = |x: f64| x * k as f64 * normal.pdf(x) * normal.cdf(x).powi(k as i32 - 1);
    let width = 2.0 * FAR / STEPS as f64;
    let weight = |i: usize| if i == 0 || i == STEPS { 1.0 } else { 2.0 + 2.0 * (i % 2) as f64 };
    (0..=STEPS).map(|i| weight(i) * density(-FAR + i as f64 * width)).sum::<f64>() * width / 3.0
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::seeds::Key;

    #[test]
    fn the_expected_maximum_is_that_of_the_tables() {
        // scipy 1.17.1: quad(lambda x: x * k * norm.pdf(x) * norm.cdf(x) ** (k - 1), -12, 12)
        let known = [(1, 0.0), (2, 0.5641895835477566), (3, 0.8462843753216347), (5, 1.1629644736405196)];
        for (k, expected) in known.into_iter().chain([(10, 1.538752730835173), (50, 2.2490736293898523)]) {
            assert!((expected_maximum(k) - expected).abs() < 1e-9, "{k}: {}", expected_maximum(k));
        }
    }

    /// `k` equally good rows of `n` questions, each of a difficulty of its own: what rows have in common.
    fn rows(k: usize, n: usize, seed: u64) -> Vec<Vec<bool>> {
        let mut draws = Key::derive(seed, "rows", &[]).stream();
        let ease: Vec<f64> = (0..n).map(|_| if draws.uniform() < 0.5 { draws.uniform() } else { 0.95 }).collect();
        (0..k).map(|_| ease.iter().map(|e| draws.uniform() < *e).collect()).collect()
    }

    #[test]
    fn it_is_what_shuffling_the_verdicts_of_each_question_gives() {
        for (k, n) in [(3, 600), (10, 400)] {
            let rows = rows(k, n, 3);
            let found = optimism(&rows).unwrap();
            let mut draws = Key::derive(9, "shuffles", &[]).stream();
            let right = rows.iter().flatten().filter(|v| **v).count() as f64;
            let gaps = (0..600).map(|_| {
                let mut totals = vec![0.0; k];
                for i in 0..n {
                    let mut column: Vec<bool> = rows.iter().map(|row| row[i]).collect();
                    draws.shuffle(&mut column);
                    totals.iter_mut().zip(&column).for_each(|(total, v)| *total += f64::from(u8::from(*v)));
                }
                totals.into_iter().fold(0.0, f64::max) - right / k as f64
            });
            let shuffled = 100.0 * gaps.sum::<f64>() / 600.0 / n as f64;
            assert!((found.expected / shuffled - 1.0).abs() < 0.06, "{found:?} {shuffled}");
            assert!(found.expected < found.independent, "{found:?}");
        }
    }

    #[test]
    fn rows_that_agree_have_none_and_nothing_has_none_to_give() {
        let row = vec![true, false, true, true];
        assert_eq!(optimism(&[row.clone(), row.clone()]).unwrap().expected, 0.0);
        assert_eq!(optimism(std::slice::from_ref(&row)), None);
        assert_eq!(optimism(&[row.clone(), vec![true]]), None);
        assert_eq!(optimism(&[vec![], vec![]]), None);
        assert_eq!(optimism(&[]), None);
    }
}
