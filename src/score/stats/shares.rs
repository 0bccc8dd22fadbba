//! Two shares of different questions, or of answers whose pairing nobody knows.

use super::wilson;

/// The difference `first - second` of two independent shares (each `[correct, total]`) in points, and its 95 % interval: the hybrid of two
/// Wilson intervals. Of no questions nothing is known: -100 to 100.
///
/// Newcombe 1998, "Interval estimation for the difference between independent proportions: comparison of eleven methods",
/// Statistics in Medicine 17:873-890, method 10.
pub fn difference(first: [u64; 2], second: [u64; 2]) -> (f64, [f64; 2]) {
    if first[1] == 0 || second[1] == 0 {
        return (0.0, [-100.0, 100.0]);
    }
    let share = |[correct, total]: [u64; 2]| 100.0 * correct as f64 / total as f64;
    let (p, q) = (share(first), share(second));
    let ([p_low, p_high], [q_low, q_high]) = (wilson(first[0], first[1]), wilson(second[0], second[1]));
    (p - q, [p - q - (p - p_low).hypot(q_high - q), p - q + (p_high - p).hypot(q - q_low)])
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// `confint_proportions_2indep(…, method="newcomb")` of statsmodels 0.15.0; 56/70 and 48/80 are Newcombe's own example.
    const PUBLISHED: [([u64; 2], [u64; 2], [f64; 2]); 6] = [
        ([645, 1000], [645, 1000], [-4.187714908671068, 4.187714908671068]),
        ([529, 1000], [492, 1000], [-0.6802849823503036, 8.060269959082055]),
        ([56, 70], [48, 80], [5.243147240236498, 33.38726540369061]),
        ([9, 10], [3, 10], [17.05227239345029, 80.9017973535488]),
        ([10, 10], [0, 20], [67.90860371419145, 100.0]),
        ([0, 10], [0, 10], [-27.753279986288926, 27.753279986288926]),
    ];

    #[test]
    fn the_interval_is_that_of_statsmodels() {
        for (first, second, [low, high]) in PUBLISHED {
            let (estimate, found) = difference(first, second);
            assert!((found[0] - low).abs() < 1e-9 && (found[1] - high).abs() < 1e-9, "{first:?} {second:?} {found:?}");
            assert!(low <= estimate && estimate <= high);
        }
        assert_eq!(difference([0, 0], [3, 4]), (0.0, [-100.0, 100.0]));
    }

    proptest! {
        #[test]
        fn it_holds_the_difference_mirrors_and_narrows(n in 1u64..2000, m in 1u64..2000, x in 0.0f64..=1.0, y in 0.0f64..=1.0) {
            let (first, second) = ([(x * n as f64) as u64, n], [(y * m as f64) as u64, m]);
            let (d, [low, high]) = difference(first, second);
            prop_assert!(-100.0 - 1e-9 <= low && low <= d && d <= high && high <= 100.0 + 1e-9);
            let (other, mirrored) = difference(second, first);
            prop_assert!((d + other).abs() < 1e-9 && (low + mirrored[1]).abs() < 1e-9 && (high + mirrored[0]).abs() < 1e-9);
            let (_, tenfold) = difference(first.map(|x| 10 * x), second.map(|x| 10 * x));
            prop_assert!(tenfold[1] - tenfold[0] < high - low);
        }
    }
}
