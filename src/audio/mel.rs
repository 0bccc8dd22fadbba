//! Whisper's log-mel features, as `WhisperFeatureExtractor` of transformers 4.49.0 makes them (the torch path, with the
//! preprocessor_config.json of Qwen2-Audio: 128 mels, n_fft 400, hop 160, 30 s).
//!
//! The extractor pads every clip with zeros to 30 s and transforms all 3000 frames. A frame that touches only zeros has the
//! value of the floor, so only the frames that touch the clip are computed here, and the floor is kept as one number. The
//! arithmetic is float64 up to the logarithm: it lies closer to the exact result than the extractor's float32.

use super::filterbank::{self, BINS, MELS};
use super::spectrum::{HOP, LANES, N_FFT, Power, SPAN, Spectrum, Work};
use super::wide::wide;
use std::sync::OnceLock;

/// Frames that the extractor makes of every clip: 30 s.
pub const MAX_FRAMES: usize = 3000;
const HALF: usize = N_FFT / 2;
/// Samples that the extractor pads to.
const PADDED: usize = MAX_FRAMES * HOP;
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
    let peak = log_energies(samples, &mut values, tables());
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
    spectrum: Spectrum,
    triangles: Vec<Triangle>,
}

fn tables() -> &'static Tables {
    static TABLES: OnceLock<Tables> = OnceLock::new();
    TABLES.get_or_init(|| {
        let filters = filterbank::slaney();
        let triangles = (0..MELS).map(|mel| {
            // The extractor rounds the filters to float32.
            let column: Vec<f64> = (0..BINS).map(|bin| f64::from(filters[bin * MELS + mel] as f32)).collect();
            let start = column.iter().position(|w| *w > 0.0).unwrap_or(0);
            let end = column.iter().rposition(|w| *w > 0.0).map_or(start, |last| last + 1);
            Triangle { start, weights: column[start..end].to_vec() }
        });
        Tables { spectrum: Spectrum::new(), triangles: triangles.collect() }
    })
}

wide! {
    /// See [`plain_log_energies`].
    fn log_energies = plain_log_energies(samples: &[f32], values: &mut [f32], tables: &Tables) -> f32
}

/// log10 of the energy in every mel band of every frame, into `values`, [128, frames] row-major; returns the largest.
#[inline(always)]
fn plain_log_energies(samples: &[f32], values: &mut [f32], tables: &Tables) -> f32 {
    let frames = values.len() / MELS;
    let mut work = Work::new();
    let mut power = [[0f64; LANES]; BINS];
    let mut peaks = [f32::NEG_INFINITY; LANES];
    for start in (0..frames).step_by(LANES) {
        let from = (start * HOP).checked_sub(HALF);
        match from.and_then(|from| samples.get(from..)?.first_chunk()) {
            Some(span) => tables.spectrum.power(span, &mut work, &mut power),
            None => tables.spectrum.power(&span_at_an_end(samples, start), &mut work, &mut power),
        }
        let count = LANES.min(frames - start);
        for (triangle, row) in tables.triangles.iter().zip(values.chunks_exact_mut(frames)) {
            let logs = log_energy(triangle, &power);
            match row[start..].first_chunk_mut() {
                Some(whole) => *whole = logs,
                None => row[start..].copy_from_slice(&logs[..count]),
            }
            for (peak, log) in peaks[..count].iter_mut().zip(logs) {
                *peak = if log > *peak { log } else { *peak };
            }
        }
    }
    peaks.into_iter().fold(f32::NEG_INFINITY, f32::max)
}

/// log10 of the energy in one mel band, for the frames side by side.
#[inline(always)]
fn log_energy(triangle: &Triangle, power: &Power) -> [f32; LANES] {
    let mut energies = [0f64; LANES];
    for (weight, row) in triangle.weights.iter().zip(&power[triangle.start..]) {
        for (energy, power) in energies.iter_mut().zip(row) {
            *energy += weight * power;
        }
    }
    let mut logs = [0f32; LANES];
    for (log, energy) in logs.iter_mut().zip(energies) {
        *log = log10(if energy > SMALLEST { energy } else { SMALLEST }) as f32;
    }
    logs
}

/// The samples of [`LANES`] frames from `start`, some beyond the ends of the clip. The windows are centred at `frame * HOP`,
/// and the padded signal is mirrored at both ends without repeating the end sample (torch's `reflect`).
fn span_at_an_end(samples: &[f32], start: usize) -> [f32; SPAN] {
    std::array::from_fn(|i| {
        let at = (start * HOP + i).abs_diff(HALF);
        let at = if at < PADDED { at } else { 2 * (PADDED - 1) - at };
        samples.get(at).copied().unwrap_or(0.0)
    })
}

/// log10 of a positive, normal number, within 2e-15 of it relative to max(1, |log10|). Plain arithmetic, so that it runs in
/// vector lanes and gives the same bits on every machine.
#[inline(always)]
fn log10(x: f64) -> f64 {
    const MANTISSA: u64 = (1 << 52) - 1;
    // A float with this exponent holds an integer in its last bits: no conversion is needed, which AVX2 lacks.
    const INTEGER: f64 = (1u64 << 52) as f64;
    const BIAS: u64 = 1023;
    // Cut the number so that the mantissa lies in [sqrt(1/2), sqrt(2)).
    const CUT: u64 = 0x3fe6_a09e_667f_3bcd;
    let offset = x.to_bits().wrapping_sub(CUT);
    let exponent = f64::from_bits(offset.wrapping_add(BIAS << 52) >> 52 | INTEGER.to_bits()) - (INTEGER + BIAS as f64);
    let m = f64::from_bits((offset & MANTISSA).wrapping_add(CUT));
    // ln m = 2 atanh s with |s| < 0.1716; the next term of the series is below 1e-17.
    let s = (m - 1.0) / (m + 1.0);
    let z = s * s;
    // Two chains of products, which do not wait for each other.
    let zz = z * z;
    let (mut even, mut odd) = (1.0 / 17.0, 1.0 / 19.0);
    for k in [13.0, 9.0, 5.0, 1.0] {
        even = even * zz + 1.0 / k;
        odd = odd * zz + 1.0 / (k + 2.0);
    }
    let sum = even + odd * z;
    exponent * std::f64::consts::LOG10_2 + 2.0 * s * sum * std::f64::consts::LOG10_E
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

    /// Every machine gives the same bits, whatever its registers.
    #[test]
    fn wider_registers_change_no_bit() {
        let mut noise = crate::seeds::Key::derive(1, "mel", &[]).stream();
        let samples: Vec<f32> = (0..20_011).map(|_| noise.range(-1.0, 1.0) as f32).collect();
        let mut two = [vec![0f32; MELS * 127], vec![0f32; MELS * 127]];
        let peaks =
            [log_energies(&samples, &mut two[0], tables()), plain_log_energies(&samples, &mut two[1], tables())];
        assert_eq!(two[0], two[1]);
        assert_eq!(peaks[0], peaks[1]);
        assert_eq!(peaks[0], two[0].iter().copied().fold(f32::NEG_INFINITY, f32::max));
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
