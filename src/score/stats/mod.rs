//! How sure shares of counts are, and their differences. Shares are in percent and differences in points, unrounded.

mod best;
mod paired;
mod shares;

pub use best::{Optimism, expected_maximum, optimism};
pub use paired::{Pairs, bootstrap};
pub use shares::difference;

/// The 97.5 % point of the standard normal distribution: two-sided 95 %.
const Z: f64 = 1.959963984540054;

/// 95 % Wilson interval of `correct` of `total`, in percent, unrounded. Of no questions nothing is known: 0 to 100.
///
/// Wilson 1927, "Probable inference, the law of succession, and statistical inference", JASA 22:209-212.
pub fn wilson(correct: u64, total: u64) -> [f64; 2] {
    debug_assert!(correct <= total);
    if total == 0 {
        return [0.0, 100.0];
    }
    let n = total as f64;
    let p = correct as f64 / n;
    let z2 = Z * Z;
    let centre = p + z2 / (2.0 * n);
    let half = Z * (p * (1.0 - p) / n + z2 / (4.0 * n * n)).sqrt();
    let scale = 100.0 / (1.0 + z2 / n);
    // At 0 and at `total` the bound is exact; in floating point the two terms need not cancel.
    let low = if correct == 0 { 0.0 } else { ((centre - half) * scale).max(0.0) };
    let high = if correct == total { 100.0 } else { ((centre + half) * scale).min(100.0) };
    [low, high]
}

/// `correct` of `total` in percent with two decimals, as MMAU's script prints it (the binary quotient, half to even); 0 of none.
pub fn percent(correct: u64, total: u64) -> f64 {
    if total == 0 { 0.0 } else { rounded(correct as f64 / total as f64 * 100.0, 2) }
}

/// A number at so many decimals, as it would be printed.
pub fn rounded(value: f64, decimals: usize) -> f64 {
    format!("{value:.decimals$}").parse().expect("a printed number reads back")
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn z_is_what_leaves_two_and_a_half_percent() {
        use statrs::distribution::{ContinuousCDF, Normal};
        assert!((Normal::standard().inverse_cdf(0.975) - Z).abs() < 1e-12);
    }

    #[test]
    fn intervals_are_the_published_ones() {
        let cases = [
            ((645, 1000), [61.5, 67.4]),
            ((656, 1000), [62.6, 68.5]),
            ((492, 1000), [46.1, 52.3]),
            ((630, 1000), [60.0, 65.9]),
        ];
        for ((correct, total), expected) in cases {
            assert_eq!(wilson(correct, total).map(|x| rounded(x, 1)), expected);
        }
        assert_eq!(wilson(0, 0), [0.0, 100.0]);
    }

    proptest! {
        #[test]
        fn an_interval_holds_its_estimate_and_mirrors(total in 1u64..1_000_000, share in 0.0f64..=1.0) {
            let correct = (share * total as f64) as u64;
            let [low, high] = wilson(correct, total);
            let estimate = correct as f64 / total as f64 * 100.0;
            prop_assert!(0.0 <= low && low <= estimate && estimate <= high && high <= 100.0);
            prop_assert!(low < high);
            let [other_low, other_high] = wilson(total - correct, total);
            prop_assert!((low + other_high - 100.0).abs() < 1e-9 && (high + other_low - 100.0).abs() < 1e-9);
            // The bounds solve (p - x)^2 = z^2 x (1 - x) / n.
            for bound in [low / 100.0, high / 100.0] {
                let left = (correct as f64 / total as f64 - bound).powi(2);
                prop_assert!((left - Z * Z * bound * (1.0 - bound) / total as f64).abs() < 1e-12);
            }
        }
    }
}
