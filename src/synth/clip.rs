//! A clip: a sound, background noise at a random level, a random gain; 1.0 to 1.6 s of 16-bit PCM at 16 kHz.

use super::dsp::{RATE, RATE_F, trapezoid, white};
use super::sounds::{Sound, render};
use super::wav::encode;
use crate::seeds::Key;

/// How far the sound stands above the background noise.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Clearness {
    /// Ratio of the sound's power to the noise's, in decibels: 6 to 36.
    pub decibels: f64,
}

impl Clearness {
    /// The clearness of clip `index`, uniform in decibels.
    pub fn draw(seed: u64, split: &str, index: usize) -> Self {
        let decibels = Key::derive(seed, "synth.clearness", &[split, &index.to_string()]).stream().range(6.0, 36.0);
        Self { decibels }
    }

    /// MMAU's word for it: a third of the clips each.
    pub fn difficulty(self) -> &'static str {
        match self.decibels {
            d if d >= 26.0 => "easy",
            d if d >= 16.0 => "medium",
            _ => "hard",
        }
    }
}

/// Samples of the longest clip, at 16 kHz: 1.6 s.
pub const MAX_SAMPLES: usize = 25_600;

/// The WAV file of clip `index` of a split, the same bytes on every machine.
pub fn clip(seed: u64, split: &str, index: usize, sound: Sound) -> Vec<u8> {
    let at = index.to_string();
    let mut draw = Key::derive(seed, "synth.clip", &[split, &at]).stream();
    let noise = Key::derive(seed, "synth.noise", &[split, &at]);
    let n = (draw.range(1.0, 1.6) * RATE_F) as usize;
    let gain = amplitude(draw.range(-18.0, -1.0));
    let mut samples = render(sound, n, &mut draw, noise);
    let loudness = libm::sqrt(samples.iter().map(|x| x * x).sum::<f64>() / n as f64);
    let background = amplitude(-Clearness::draw(seed, split, index).decibels);
    let mut peak = 0.0f64;
    for (i, x) in samples.iter_mut().enumerate() {
        let edge = trapezoid(i as f64, n as f64, 0.005 * RATE_F);
        *x = edge * *x / loudness + background * white(noise, i, 0);
        peak = peak.max(x.abs());
    }
    let scale = gain / peak * f64::from(i16::MAX);
    let pcm: Vec<i16> = samples.iter().map(|x| libm::round(x * scale) as i16).collect();
    encode(&pcm, RATE)
}

/// The amplitude ratio of a level in decibels.
fn amplitude(decibels: f64) -> f64 {
    libm::exp(decibels * std::f64::consts::LN_10 / 20.0)
}
