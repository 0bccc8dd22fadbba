//! Counter-based randomness: every random number is a function of a key and a counter, never of what was drawn before.
//!
//! A key is derived from (recipe seed, purpose, indices) by SHA-256; the numbers of a key come from a SplitMix64-style mix of
//! (key, counter). So a sample's output does not depend on batch size, order, resume point or number of workers.

use sha2::{Digest, Sha256};

/// A key from which random numbers are drawn by counter.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Key(u64);

impl Key {
    /// The key for a purpose of a recipe's seed; `parts` are the indices (step, sample id, completion…), in a fixed order.
    pub fn derive(seed: u64, purpose: &str, parts: &[&str]) -> Self {
        let mut hasher = Sha256::new();
        hasher.update(seed.to_le_bytes());
        for part in std::iter::once(&purpose).chain(parts) {
            hasher.update((part.len() as u64).to_le_bytes());
            hasher.update(part.as_bytes());
        }
        let digest = hasher.finalize();
        Self(u64::from_le_bytes(digest[..8].try_into().expect("a SHA-256 has 32 bytes")))
    }

    /// 64 random bits at a two-part counter.
    pub fn bits(self, a: u64, b: u64) -> u64 {
        mix(mix(mix(self.0 ^ 0x9e37_79b9_7f4a_7c15).wrapping_add(a)).wrapping_add(b))
    }

    /// A uniform number in the open interval (0, 1), 53 bits.
    pub fn uniform(self, a: u64, b: u64) -> f64 {
        ((self.bits(a, b) >> 11) as f64 + 0.5) / (1u64 << 53) as f64
    }

    /// A standard Gumbel number: -ln(-ln u).
    pub fn gumbel(self, a: u64, b: u64) -> f64 {
        -libm::log(-libm::log(self.uniform(a, b)))
    }

    /// A standard normal number (Box-Muller).
    pub fn normal(self, a: u64, b: u64) -> f64 {
        let radius = libm::sqrt(-2.0 * libm::log(self.uniform(a, 2 * b)));
        radius * libm::cos(std::f64::consts::TAU * self.uniform(a, 2 * b + 1))
    }

    /// A stream that counts for itself, for code that draws many numbers in a row.
    pub fn stream(self) -> Stream {
        Stream { key: self, next: 0 }
    }
}

fn mix(mut z: u64) -> u64 {
    z = z.wrapping_add(0x9e37_79b9_7f4a_7c15);
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

/// Numbers of one key in counter order.
#[derive(Debug, Clone)]
pub struct Stream {
    key: Key,
    next: u64,
}

impl Stream {
    fn tick(&mut self) -> u64 {
        self.next += 1;
        self.next - 1
    }

    /// A uniform number in (0, 1).
    pub fn uniform(&mut self) -> f64 {
        let at = self.tick();
        self.key.uniform(at, 0)
    }

    /// A uniform number in (low, high).
    pub fn range(&mut self, low: f64, high: f64) -> f64 {
        low + (high - low) * self.uniform()
    }

    /// A uniform index below `n`; `n` must not be 0.
    pub fn below(&mut self, n: usize) -> usize {
        assert!(n > 0, "no index below 0");
        let at = self.tick();
        ((u128::from(self.key.bits(at, 0)) * n as u128) >> 64) as usize
    }

    /// A standard normal number.
    pub fn normal(&mut self) -> f64 {
        let at = self.tick();
        self.key.normal(at, 0)
    }

    /// Shuffles in place (Fisher-Yates).
    pub fn shuffle<T>(&mut self, items: &mut [T]) {
        for i in (1..items.len()).rev() {
            items.swap(i, self.below(i + 1));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_differ_by_every_part_and_by_where_parts_end() {
        let base = Key::derive(1, "p", &["a", "b"]);
        for other in [
            Key::derive(2, "p", &["a", "b"]),
            Key::derive(1, "q", &["a", "b"]),
            Key::derive(1, "p", &["ab"]),
            Key::derive(1, "p", &["ab", ""]),
            Key::derive(1, "p", &["b", "a"]),
        ] {
            assert_ne!(base, other);
        }
        assert_eq!(base, Key::derive(1, "p", &["a", "b"]));
    }

    #[test]
    fn uniform_and_normal_have_the_moments_they_should() {
        let mut s = Key::derive(7, "moments", &[]).stream();
        let n = 200_000;
        let u: Vec<f64> = (0..n).map(|_| s.uniform()).collect();
        let mean = u.iter().sum::<f64>() / n as f64;
        assert!((mean - 0.5).abs() < 0.003, "{mean}");
        assert!(u.iter().all(|&x| x > 0.0 && x < 1.0));
        let g: Vec<f64> = (0..n).map(|_| s.normal()).collect();
        let var = g.iter().map(|x| x * x).sum::<f64>() / n as f64;
        assert!((var - 1.0).abs() < 0.015, "{var}");
    }

    #[test]
    fn neighbouring_counters_are_uncorrelated() {
        let key = Key::derive(3, "lag", &[]);
        let n = 100_000u64;
        for (da, db) in [(1, 0), (0, 1)] {
            let c =
                (0..n).map(|i| (key.uniform(i, 5) - 0.5) * (key.uniform(i + da, 5 + db) - 0.5)).sum::<f64>() / n as f64;
            assert!(c.abs() < 0.002, "{c}");
        }
    }
}
