//! Whisper's log-mel features, as `WhisperFeatureExtractor` of transformers 4.49.0 makes them (the torch path, with the
//! preprocessor_config.json of Qwen2-Audio: 128 mels, n_fft 400, hop 160, 30 s).
//!
//! The extractor pads every clip with zeros to 30 s and transforms all 3000 frames. A frame that touches only zeros has the
//! value of the floor, so only the frames that touch the clip are computed here, and the floor is kept as one number. The
//! arithmetic is float64 up to the logarithm: it lies closer to the exact result than the extractor's float32.

use super::filterbank::{self, BINS, MELS};
use rustfft::{Fft, FftPlanner, num_complex::Complex};
use std::sync::{Arc, OnceLock};

/// Frames that the extractor makes of every clip: 30 s.
pub const MAX_FRAMES: usize = 3000;
/// Samples between frames.
pub const HOP: usize = 160;

const N_FFT: usize = 400;
const HALF: usize = N_FFT / 2;
/// Samples that the extractor pads to.
const PADDED: usize = MAX_FRAMES * HOP;
/// Frames transformed together, so that the filters run along contiguous memory.
const BLOCK: usize = 16;
/// Mel energies below it count as it.
const SMALLEST: f64 = 1e-10;

/// `input_features` of one clip, without the constant padding, and the length of its `feature_attention_mask`.
#[derive(Debug, Clone, PartialEq)]
pub struct Features {
    /// Frames that the mask marks as valid: ceil(samples / 160), at most 3000.
    pub valid_frames: usize,
    /// Frames stored; at least the valid ones, since the last windows reach over the end of the clip.
    pub frames: usize,
    /// [128, frames] row-major.
    pub values: Vec<f32>,
    /// The value of every later frame.
    pub padding: f32,
}

impl Features {
    /// [128, frames] row-major, cut or padded; with 3000 it is what the extractor returns.
    ///
    /// # Panics
    /// When `frames` is below `valid_frames` or above 3000.
    pub fn to_frames(&self, frames: usize) -> Vec<f32> {
        assert!(
            (self.valid_frames..=MAX_FRAMES).contains(&frames),
            "{frames} frames asked of a clip with {} valid ones",
            self.valid_frames
        );
        let kept = self.frames.min(frames);
        let mut out = Vec::with_capacity(MELS * frames);
        for mel in 0..MELS {
            out.extend_from_slice(&self.values[mel * self.frames..][..kept]);
            out.resize((mel + 1) * frames, self.padding);
        }
        out
    }

    /// Number of audio tokens that the encoder makes of it.
    pub fn audio_tokens(&self) -> usize {
        audio_tokens(self.valid_frames)
    }
}

/// Frames that the mask marks as valid for a clip of that many samples at 16 kHz.
pub fn valid_frames(samples: usize) -> usize {
    samples.min(PADDED).div_ceil(HOP)
}

/// Audio tokens that Qwen2-Audio makes of `m` valid frames: `((m - 1) // 2 + 1 - 2) // 2 + 1` with Python's floor division
/// (`_get_feat_extract_output_lengths` of transformers 4.49.0); 0 for up to two frames, 750 for 3000.
pub fn audio_tokens(valid_frames: usize) -> usize {
    valid_frames.div_ceil(2) / 2
}

/// The features of a clip at 16 kHz; samples beyond 30 s are ignored.
pub fn log_mel(samples: &[f32]) -> Features {
    let samples = &samples[..samples.len().min(PADDED)];
    let frames = (samples.len() + HALF).div_ceil(HOP).min(MAX_FRAMES);
    let mut values = vec![0f32; MELS * frames];
    let mut peak = f32::NEG_INFINITY;
    let mut transform = Transform::new();
    for start in (0..frames).step_by(BLOCK) {
        let count = BLOCK.min(frames - start);
        transform.power(samples, start, count);
        for mel in 0..MELS {
            let row = transform.log_energies(mel);
            let out = &mut values[mel * frames + start..][..count];
            for (out, value) in out.iter_mut().zip(row) {
                *out = value as f32;
                peak = peak.max(*out);
            }
        }
    }
    let smallest = log10(SMALLEST) as f32;
    let floor = peak.max(smallest) - 8.0;
    let shape = |x: f32| (x.max(floor) + 4.0) / 4.0;
    for value in &mut values {
        *value = shape(*value);
    }
    Features { valid_frames: valid_frames(samples.len()), frames, values, padding: shape(smallest) }
}

/// One triangle: the frequencies where it is not zero.
struct Triangle {
    start: usize,
    weights: Vec<f64>,
}

struct Tables {
    fft: Arc<dyn Fft<f64>>,
    /// Periodic Hann window.
    window: Vec<f64>,
    triangles: Vec<Triangle>,
}

fn tables() -> &'static Tables {
    static TABLES: OnceLock<Tables> = OnceLock::new();
    TABLES.get_or_init(|| {
        let angle = |i: usize| std::f64::consts::TAU * i as f64 / N_FFT as f64;
        let filters = filterbank::slaney();
        let triangles = (0..MELS).map(|mel| {
            // The extractor rounds the filters to float32.
            let column: Vec<f64> = (0..BINS).map(|bin| f64::from(filters[bin * MELS + mel] as f32)).collect();
            let start = column.iter().position(|w| *w > 0.0).unwrap_or(0);
            let end = column.iter().rposition(|w| *w > 0.0).map_or(start, |last| last + 1);
            Triangle { start, weights: column[start..end].to_vec() }
        });
        Tables {
            fft: FftPlanner::new().plan_fft_forward(N_FFT),
            window: (0..N_FFT).map(|i| 0.5 - 0.5 * libm::cos(angle(i))).collect(),
            triangles: triangles.collect(),
        }
    })
}

/// The working memory of one clip.
struct Transform {
    tables: &'static Tables,
    buffer: Vec<Complex<f64>>,
    scratch: Vec<Complex<f64>>,
    /// [201, BLOCK] row-major: the power spectra of a block of frames.
    power: Vec<f64>,
}

impl Transform {
    fn new() -> Self {
        let tables = tables();
        let zero = Complex::new(0.0, 0.0);
        let scratch = vec![zero; tables.fft.get_inplace_scratch_len()];
        Self { tables, buffer: vec![zero; N_FFT], scratch, power: vec![0.0; BINS * BLOCK] }
    }

    /// Power spectra of `count` frames from `start`: two real frames go through one complex transform.
    fn power(&mut self, samples: &[f32], start: usize, count: usize) {
        for lane in (0..count).step_by(2) {
            self.buffer.fill(Complex::new(0.0, 0.0));
            each_sample(samples, start + lane, |i, x| self.buffer[i].re = x * self.tables.window[i]);
            if lane + 1 < count {
                each_sample(samples, start + lane + 1, |i, x| self.buffer[i].im = x * self.tables.window[i]);
            }
            self.tables.fft.process_with_scratch(&mut self.buffer, &mut self.scratch);
            for bin in 0..BINS {
                let (z, mirror) = (self.buffer[bin], self.buffer[(N_FFT - bin) % N_FFT]);
                let (a_re, a_im) = (z.re + mirror.re, z.im - mirror.im);
                let (b_re, b_im) = (z.im + mirror.im, mirror.re - z.re);
                self.power[bin * BLOCK + lane] = 0.25 * (a_re * a_re + a_im * a_im);
                self.power[bin * BLOCK + lane + 1] = 0.25 * (b_re * b_re + b_im * b_im);
            }
        }
    }

    /// log10 of the energy in one mel band, for the frames of the block.
    fn log_energies(&self, mel: usize) -> [f64; BLOCK] {
        let triangle = &self.tables.triangles[mel];
        let mut energies = [0f64; BLOCK];
        let rows = self.power[triangle.start * BLOCK..].chunks_exact(BLOCK);
        for (weight, row) in triangle.weights.iter().zip(rows) {
            for (energy, power) in energies.iter_mut().zip(row) {
                *energy += weight * power;
            }
        }
        energies.map(|energy| log10(energy.max(SMALLEST)))
    }
}

/// Calls `put(i, x)` for the samples of a frame that may differ from zero: the window is centred at `frame * HOP`, and the
/// padded signal is mirrored at both ends without repeating the end sample (torch's `reflect`).
fn each_sample(samples: &[f32], frame: usize, mut put: impl FnMut(usize, f64)) {
    let first = frame * HOP;
    if first >= HALF && first + HALF <= PADDED {
        let from = first - HALF;
        let inside = samples.get(from..).unwrap_or_default();
        inside.iter().take(N_FFT).enumerate().for_each(|(i, x)| put(i, f64::from(*x)));
        return;
    }
    for i in 0..N_FFT {
        let at = (first + i).abs_diff(HALF);
        let at = if at < PADDED { at } else { 2 * (PADDED - 1) - at };
        put(i, samples.get(at).map_or(0.0, |x| f64::from(*x)));
    }
}

/// log10 of a positive, normal number, within 2e-15 of it relative to max(1, |log10|). Plain arithmetic, so that it runs in
/// vector lanes and gives the same bits on every machine.
fn log10(x: f64) -> f64 {
    const MANTISSA: u64 = (1 << 52) - 1;
    // Cut the number so that the mantissa lies in [sqrt(1/2), sqrt(2)).
    const CUT: u64 = 0x3fe6_a09e_667f_3bcd;
    let offset = x.to_bits().wrapping_sub(CUT);
    let exponent = (offset as i64) >> 52;
    let m = f64::from_bits((offset & MANTISSA).wrapping_add(CUT));
    // ln m = 2 atanh s with |s| < 0.1716; the next term of the series is below 1e-17.
    let s = (m - 1.0) / (m + 1.0);
    let z = s * s;
    let mut sum = 1.0 / 19.0;
    for k in [17.0, 15.0, 13.0, 11.0, 9.0, 7.0, 5.0, 3.0, 1.0] {
        sum = sum * z + 1.0 / k;
    }
    exponent as f64 * std::f64::consts::LOG10_2 + 2.0 * s * sum * std::f64::consts::LOG10_E
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_logarithm_agrees_with_libm() {
        let mut x = SMALLEST;
        while x < 1e9 {
            let (ours, theirs) = (log10(x), libm::log10(x));
            assert!((ours - theirs).abs() <= 2e-15 * theirs.abs().max(1.0), "{x}: {ours} {theirs}");
            x *= 1.000_37;
        }
        assert_eq!(log10(1.0), 0.0);
        assert_eq!(log10(SMALLEST) as f32, -10.0);
    }

    #[test]
    fn audio_tokens_are_the_models_formula() {
        for m in 0..=3000i64 {
            let formula = ((m - 1).div_euclid(2) + 1 - 2).div_euclid(2) + 1;
            assert_eq!(audio_tokens(m as usize) as i64, formula.max(0), "{m} frames");
        }
        for (samples, tokens) in [(0, 0), (320, 0), (321, 1), (1000, 2), (16_000, 25), (480_000, 750), (999_999, 750)] {
            assert_eq!(audio_tokens(valid_frames(samples)), tokens, "{samples} samples");
        }
    }
}
