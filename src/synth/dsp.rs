//! Oscillators, filters and noise in f64, from operations that give the same bits on every machine: + - * / (IEEE 754, never
//! contracted by rustc) and the `libm` crate in place of the platform's sin and exp.

use crate::seeds::Key;
use std::f64::consts::TAU;

/// Samples a second of every clip.
pub const RATE: u32 = 16_000;

/// Samples a second, as a number to calculate with.
pub const RATE_F: f64 = RATE as f64;

/// A sine of constant frequency: a unit vector turned by a fixed angle each sample (four products instead of a sine).
pub struct Rotor {
    cos: f64,
    sin: f64,
    turn_cos: f64,
    turn_sin: f64,
}

impl Rotor {
    /// A sine of `hertz` that starts at `phase` radians.
    pub fn new(hertz: f64, phase: f64) -> Self {
        let turn = TAU * hertz / RATE_F;
        Self { cos: libm::cos(phase), sin: libm::sin(phase), turn_cos: libm::cos(turn), turn_sin: libm::sin(turn) }
    }

    /// The sine now; moves on by one sample.
    pub fn step(&mut self) -> f64 {
        let now = self.sin;
        let cos = self.cos * self.turn_cos - self.sin * self.turn_sin;
        self.sin = self.sin * self.turn_cos + self.cos * self.turn_sin;
        self.cos = cos;
        now
    }
}

/// The sum of `amplitudes[k - 1] * sin(k * angle)` over k = 1, 2, …, by the recurrence sin(k+1)a = 2 cos a sin ka - sin(k-1)a.
pub fn harmonics(angle: f64, amplitudes: &[f64]) -> f64 {
    let twice_cos = 2.0 * libm::cos(angle);
    let (mut before, mut now) = (0.0, libm::sin(angle));
    let mut sum = 0.0;
    for amplitude in amplitudes {
        sum += amplitude * now;
        (before, now) = (now, twice_cos * now - before);
    }
    sum
}

/// A second-order filter, y = b0 x + b1 x1 + b2 x2 - a1 y1 - a2 y2.
pub struct Biquad {
    b: [f64; 3],
    a: [f64; 2],
    x: [f64; 2],
    y: [f64; 2],
}

impl Biquad {
    fn new(b: [f64; 3], a: [f64; 2]) -> Self {
        Self { b, a, x: [0.0; 2], y: [0.0; 2] }
    }

    /// Butterworth low-pass at `hertz` (Bristow-Johnson's Audio EQ Cookbook, Q = 1/sqrt 2).
    pub fn low_pass(hertz: f64) -> Self {
        Self::cookbook(hertz, |cos| [(1.0 - cos) / 2.0, 1.0 - cos, (1.0 - cos) / 2.0])
    }

    /// Butterworth high-pass at `hertz` (same source).
    pub fn high_pass(hertz: f64) -> Self {
        Self::cookbook(hertz, |cos| [f64::midpoint(1.0, cos), -(1.0 + cos), f64::midpoint(1.0, cos)])
    }

    fn cookbook(hertz: f64, b: impl Fn(f64) -> [f64; 3]) -> Self {
        let angle = TAU * hertz / RATE_F;
        let (sin, cos) = (libm::sin(angle), libm::cos(angle));
        let alpha = sin / std::f64::consts::SQRT_2;
        let a0 = 1.0 + alpha;
        Self::new(b(cos).map(|v| v / a0), [-2.0 * cos / a0, (1.0 - alpha) / a0])
    }

    /// A formant: a two-pole resonance at `hertz`, `width` hertz wide, gain 1 at 0 Hz (Klatt 1980, doi 10.1121/1.383940).
    pub fn formant(hertz: f64, width: f64) -> Self {
        let radius = libm::exp(-std::f64::consts::PI * width / RATE_F);
        let (a1, a2) = (-2.0 * radius * libm::cos(TAU * hertz / RATE_F), radius * radius);
        Self::new([1.0 + a1 + a2, 0.0, 0.0], [a1, a2])
    }

    /// The next output for the next input.
    pub fn step(&mut self, x: f64) -> f64 {
        let y = self.b[0] * x + self.b[1] * self.x[0] + self.b[2] * self.x[1]
            - self.a[0] * self.y[0]
            - self.a[1] * self.y[1];
        self.x = [x, self.x[0]];
        self.y = [y, self.y[0]];
        y
    }
}

/// White noise by counter, mean 0, variance 1: the sum of four uniform 16-bit numbers, near enough to normal for an ear.
pub fn white(key: Key, at: usize, channel: u64) -> f64 {
    const DEVIATION: f64 = 37_837.227; // of the sum of four uniform numbers in 0..65536: 65536 * sqrt(4 / 12)
    let bits = key.bits(at as u64, channel);
    let sum = (bits & 0xffff) + (bits >> 16 & 0xffff) + (bits >> 32 & 0xffff) + (bits >> 48);
    (sum as f64 - 131_070.0) / DEVIATION
}

/// A ramp from 0 to 1 and back to 0 over `length`, with edges `edge` long; 0 outside. All in the same unit.
pub fn trapezoid(at: f64, length: f64, edge: f64) -> f64 {
    (at / edge).min((length - at) / edge).clamp(0.0, 1.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rotor_is_a_sine_and_harmonics_are_sines() {
        let mut rotor = Rotor::new(440.0, 0.3);
        for i in 0..RATE * 2 {
            let expected = libm::sin(0.3 + TAU * 440.0 / RATE_F * f64::from(i));
            assert!((rotor.step() - expected).abs() < 1e-9, "sample {i}");
        }
        let amplitudes = [1.0, 0.0, -0.5, 0.25];
        for angle in [0.1, 1.0, 2.5, 40.0] {
            let expected: f64 = (1..).zip(amplitudes).map(|(k, a)| a * libm::sin(f64::from(k) * angle)).sum();
            assert!((harmonics(angle, &amplitudes) - expected).abs() < 1e-12, "{angle}");
        }
    }

    #[test]
    fn filters_pass_and_stop_what_their_names_say() {
        let gain = |mut filter: Biquad, hertz: f64| {
            let mut rotor = Rotor::new(hertz, 0.0);
            let out: Vec<f64> = (0..16_000).map(|_| filter.step(rotor.step())).collect();
            out[8000..].iter().fold(0.0f64, |peak, y| peak.max(y.abs()))
        };
        assert!((gain(Biquad::low_pass(1000.0), 100.0) - 1.0).abs() < 0.01);
        assert!((gain(Biquad::low_pass(1000.0), 1000.0) - 0.5f64.sqrt()).abs() < 0.01);
        assert!(gain(Biquad::low_pass(1000.0), 6000.0) < 0.02);
        assert!((gain(Biquad::high_pass(1000.0), 6000.0) - 1.0).abs() < 0.01);
        assert!(gain(Biquad::high_pass(1000.0), 100.0) < 0.02);
        assert!(gain(Biquad::formant(700.0, 80.0), 700.0) > 5.0);
        assert!(gain(Biquad::formant(700.0, 80.0), 3000.0) < 0.2);
    }

    #[test]
    fn white_noise_has_mean_0_variance_1_and_no_memory() {
        let key = Key::derive(1, "white", &[]);
        let n = 100_000;
        let x: Vec<f64> = (0..n).map(|i| white(key, i, 0)).collect();
        let moment = |f: &dyn Fn(usize) -> f64| (0..n - 1).map(f).sum::<f64>() / (n - 1) as f64;
        assert!(moment(&|i| x[i]).abs() < 0.01);
        assert!((moment(&|i| x[i] * x[i]) - 1.0).abs() < 0.02);
        assert!(moment(&|i| x[i] * x[i + 1]).abs() < 0.015);
        assert!(moment(&|i| x[i] * white(key, i, 1)).abs() < 0.015);
    }

    #[test]
    fn trapezoid_rises_stays_and_falls() {
        for (at, expected) in [(-1.0, 0.0), (0.0, 0.0), (0.5, 0.5), (1.0, 1.0), (5.0, 1.0), (9.5, 0.5), (11.0, 0.0)] {
            assert_eq!(trapezoid(at, 10.0, 1.0), expected, "{at}");
        }
    }
}
