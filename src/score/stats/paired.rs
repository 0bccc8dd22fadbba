//! Two runs on the same questions.

use super::wilson;
use crate::seeds::Key;
use serde::{Deserialize, Serialize};
use statrs::distribution::{Binomial, DiscreteCDF};

/// Questions by how they came out in two runs.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Pairs {
    /// Correct in both.
    pub both: u64,
    /// Correct in A alone: lost on the way to B.
    pub only_a: u64,
    /// Correct in B alone: gained.
    pub only_b: u64,
    /// Correct in neither.
    pub neither: u64,
}

impl Pairs {
    /// Counts one question more.
    pub fn count(&mut self, a: bool, b: bool) {
        let cell = match (a, b) {
            (true, true) => &mut self.both,
            (true, false) => &mut self.only_a,
            (false, true) => &mut self.only_b,
            (false, false) => &mut self.neither,
        };
        *cell += 1;
    }

    /// All questions.
    pub fn total(&self) -> u64 {
        self.both + self.only_a + self.only_b + self.neither
    }

    /// Correct in A, of all.
    pub fn a(&self) -> [u64; 2] {
        [self.both + self.only_a, self.total()]
    }

    /// Correct in B, of all.
    pub fn b(&self) -> [u64; 2] {
        [self.both + self.only_b, self.total()]
    }

    /// B - A in points; 0 of no questions.
    pub fn difference(&self) -> f64 {
        100.0 * (self.only_b as f64 - self.only_a as f64) / self.total().max(1) as f64
    }

    /// The two-sided p-value of McNemar's exact test: were A and B equally good, each of the questions that came out differently would
    /// have gone either way with probability one half. 1 where none did.
    ///
    /// McNemar 1947, "Note on the sampling error of the difference between correlated proportions or percentages", Psychometrika 12:153-157.
    pub fn mcnemar(&self) -> f64 {
        let (fewer, both) = (self.only_a.min(self.only_b), self.only_a + self.only_b);
        match Binomial::new(0.5, both) {
            Ok(coin) if both > 0 => (2.0 * coin.cdf(fewer)).min(1.0),
            _ => 1.0,
        }
    }

    /// The 95 % interval of B - A in points by arithmetic: two Wilson intervals joined by the correlation of the runs.
    ///
    /// Newcombe 1998, "Improved confidence intervals for the difference between binomial proportions based on paired data", Statistics in
    /// Medicine 17:2635-2650, method 10.
    pub fn interval(&self) -> [f64; 2] {
        if self.total() == 0 {
            return [-100.0, 100.0];
        }
        let share = |[correct, total]: [u64; 2]| 100.0 * correct as f64 / total as f64;
        let (a, b) = (share(self.a()), share(self.b()));
        let ([a_low, a_high], [b_low, b_high]) = (wilson(self.a()[0], self.total()), wilson(self.b()[0], self.total()));
        let phi = self.correlation();
        let side = |x: f64, y: f64| (x * x - 2.0 * phi * x * y + y * y).max(0.0).sqrt();
        [b - a - side(b - b_low, a_high - a), b - a + side(b_high - b, a - a_low)]
    }

    /// Of the two runs over the questions, shrunk by half a question where it is positive; 0 where a run has all right or all wrong.
    fn correlation(&self) -> f64 {
        let [both, only_a, only_b, neither] =
            [self.both, self.only_a, self.only_b, self.neither].map(|count| count as f64);
        let margins = (both + only_a) * (only_b + neither) * (both + only_b) * (only_a + neither);
        let cross = both * neither - only_a * only_b;
        let shrunk = if cross > 0.0 { (cross - self.total() as f64 / 2.0).max(0.0) } else { cross };
        if margins > 0.0 { shrunk / margins.sqrt() } else { 0.0 }
    }
}

/// The 95 % percentile interval, in points, of the mean over strata of B - A, by drawing each stratum's questions anew with replacement
/// as many times as `resamples` says (40 or more). One stratum with all questions: the difference of micro accuracies. A stratum for each
/// task: that of macro accuracies. `None` where a stratum has no question or there is none.
///
/// Efron and Tibshirani 1993, "An introduction to the bootstrap", chapter 13. The rank is that of `(resamples + 1) * 2.5 %`.
pub fn bootstrap(strata: &[Pairs], key: Key, resamples: u64) -> Option<[f64; 2]> {
    if strata.is_empty() || strata.iter().any(|pairs| pairs.total() == 0) || resamples < 40 {
        return None;
    }
    let mut draws = key.stream();
    let mut means: Vec<f64> = (0..resamples)
        .map(|_| strata.iter().map(|pairs| redrawn(pairs, &mut draws).difference()).sum::<f64>() / strata.len() as f64)
        .collect();
    means.sort_by(f64::total_cmp);
    let rank = (0.025 * (resamples + 1) as f64).round() as usize;
    Some([means[rank - 1], means[resamples as usize - rank]])
}

/// As many questions, drawn with replacement. Which ones does not matter, only how they came out.
fn redrawn(pairs: &Pairs, draws: &mut crate::seeds::Stream) -> Pairs {
    let (lost, differing) = (pairs.only_a, pairs.only_a + pairs.only_b);
    let mut again = Pairs { neither: pairs.total(), ..Pairs::default() };
    for _ in 0..pairs.total() {
        let question = draws.below(pairs.total() as usize) as u64;
        again.only_a += u64::from(question < lost);
        again.only_b += u64::from((lost..differing).contains(&question));
    }
    again.neither -= again.only_a + again.only_b;
    again
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn pairs(both: u64, only_a: u64, only_b: u64, neither: u64) -> Pairs {
        Pairs { both, only_a, only_b, neither }
    }

    /// `scipy.stats.binomtest(b, b + c, 0.5).pvalue` of scipy 1.17.1; statsmodels' `mcnemar(exact=True)` gives the same.
    const P: [(u64, u64, f64); 9] = [
        (0, 0, 1.0),
        (0, 1, 1.0),
        (1, 9, 0.021484375),
        (5, 5, 1.0),
        (12, 2, 0.012939453125),
        (3, 21, 0.0002771615982055664),
        (60, 90, 0.017597691928785828),
        (500, 600, 0.0028195449914364284),
        (69, 185, 2.0324866842125562e-13),
    ];

    #[test]
    fn p_values_are_those_of_scipy() {
        for (only_a, only_b, p) in P {
            let found = pairs(7, only_a, only_b, 3).mcnemar();
            assert!((found / p - 1.0).abs() < 1e-9, "{only_a} {only_b}: {found} for {p}");
        }
    }

    /// Both tails of the coin, summed term by term.
    fn slow(only_a: u64, only_b: u64) -> f64 {
        let n = only_a + only_b;
        let term = |k: u64| (1..=k).fold(0.5f64.powi(n as i32), |t, i| t * (n - i + 1) as f64 / i as f64);
        let centre = n as f64 / 2.0;
        let far = (only_a as f64 - centre).abs();
        (0..=n).filter(|&k| (k as f64 - centre).abs() >= far).map(term).sum()
    }

    #[test]
    fn the_analytic_interval_is_the_published_one() {
        // Newcombe's example b (36, 12, 2, 0), A - B there: 0.0569 to 0.3404.
        let [low, high] = pairs(36, 12, 2, 0).interval();
        assert!((low + 34.04).abs() < 0.01 && (high + 5.69).abs() < 0.01, "{low} {high}");
        assert_eq!(pairs(0, 0, 0, 0).interval(), [-100.0, 100.0]);
        let [low, high] = pairs(0, 0, 0, 50).interval();
        assert!(low < 0.0 && high > 0.0 && (low + high).abs() < 1e-9, "no difference is not certainty");
    }

    #[test]
    fn the_bootstrap_agrees_with_arithmetic_on_many_questions() {
        let key = Key::derive(5, "test", &[]);
        for case in [pairs(460, 69, 185, 286), pairs(300, 40, 44, 216), pairs(4000, 500, 900, 3600)] {
            let [low, high] = bootstrap(&[case], key, 2000).unwrap();
            let analytic = case.interval();
            let width = analytic[1] - analytic[0];
            assert!((low - analytic[0]).abs() < 0.08 * width && (high - analytic[1]).abs() < 0.08 * width, "{case:?}");
            assert_eq!(bootstrap(&[case], key, 2000), Some([low, high]), "the key decides");
            let other = |seed| bootstrap(&[case], Key::derive(seed, "test", &[]), 2000) != Some([low, high]);
            assert!((6..12).any(other), "and nothing else does");
        }
        assert_eq!(bootstrap(&[pairs(5, 0, 0, 5)], key, 100), Some([0.0, 0.0]), "nothing differs");
        assert_eq!(bootstrap(&[], key, 100), None);
        assert_eq!(bootstrap(&[Pairs::default()], key, 100), None);
    }

    #[test]
    fn strata_are_drawn_by_themselves_and_weigh_the_same() {
        // A large one where B wins by 50 points and a small one where it loses all: the mean is -25 however large the first is.
        let (large, small) = (pairs(0, 0, 500, 500), pairs(0, 10, 0, 0));
        let key = Key::derive(1, "strata", &[]);
        let [low, high] = bootstrap(&[large, small], key, 1000).unwrap();
        assert!(low < -25.0 && -25.0 < high && high - low < 4.0, "{low} {high}");
    }

    proptest! {
        #[test]
        fn mcnemar_is_the_slow_sum(only_a in 0u64..60, only_b in 0u64..60, same in 0u64..9) {
            let p = pairs(same, only_a, only_b, same).mcnemar();
            prop_assert!((p - slow(only_a, only_b)).abs() < 1e-9);
            prop_assert_eq!(p, pairs(0, only_b, only_a, 1).mcnemar());
        }

        #[test]
        fn the_interval_holds_the_difference_and_mirrors(both in 0u64..400, x in 0u64..99, y in 0u64..99, neither in 1u64..400) {
            let (case, turned) = (pairs(both, x, y, neither), pairs(both, y, x, neither));
            let [low, high] = case.interval();
            prop_assert!(low <= case.difference() && case.difference() <= high);
            let mirrored = turned.interval();
            prop_assert!((low + mirrored[1]).abs() < 1e-9 && (high + mirrored[0]).abs() < 1e-9);
            // Pairing helps: what moves together leaves less to chance than two independent runs of the same shares.
            let (_, unpaired) = super::super::difference(case.b(), case.a());
            if case.correlation() > 0.0 {
                prop_assert!(high - low < unpaired[1] - unpaired[0]);
            }
        }
    }
}
