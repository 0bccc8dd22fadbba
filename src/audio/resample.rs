//! torchaudio's default resampler: `torchaudio.transforms.Resample(from, to)` with `sinc_interp_hann`,
//! `lowpass_filter_width` 6 and `rolloff` 0.99, on the CPU in float32.
//!
//! Source: `torchaudio/functional/functional.py` of torchaudio 2.11.0 (`_get_sinc_resample_kernel`,
//! `_apply_sinc_resample_kernel`). The kernel is made in float64 from a phase that is divided in float32, and stored as
//! float32. Where torchaudio convolves with all `2 * width + from` taps, only the taps inside the window are kept here: the
//! others are products with a zero of the window (below 1e-33).

use crate::error::{Error, Result};
use std::f64::consts::PI;

const LOWPASS_FILTER_WIDTH: f64 = 6.0;
const ROLLOFF: f64 = 0.99;
/// The dot product runs in this many lanes.
const LANES: usize = 8;
/// Sample rates that are taken for real; outside of them a header is damaged, and the filter would not fit in memory.
const RATES: std::ops::RangeInclusive<u32> = 100..=1_536_000;

/// Resamples from one rate to another.
#[derive(Debug, Clone)]
pub struct Resampler {
    /// The rates divided by their greatest common divisor.
    from: usize,
    to: usize,
    /// Zeros in front of the signal.
    width: usize,
}

/// The filter: `taps` coefficients a phase, the first at sample `offsets[phase]` of the padded signal's window.
struct Kernel {
    taps: usize,
    offsets: Vec<usize>,
    /// [phases, taps] row-major.
    values: Vec<f32>,
}

impl Resampler {
    /// A resampler from `from` to `to` samples a second.
    ///
    /// # Errors
    /// Exit code 4: a rate below 100 Hz or above 1536 kHz.
    pub fn new(from: u32, to: u32) -> Result<Self> {
        for rate in [from, to] {
            if !RATES.contains(&rate) {
                return Err(Error::inputs(format!(
                    "expected a sample rate from {} to {} Hz, found {rate}",
                    RATES.start(),
                    RATES.end()
                )));
            }
        }
        let divisor = gcd(from, to);
        let (from, to) = ((from / divisor) as usize, (to / divisor) as usize);
        let width = (LOWPASS_FILTER_WIDTH * from as f64 / base(from, to)).ceil() as usize;
        Ok(Self { from, to, width })
    }

    /// Samples that `len` samples become. torchaudio takes the ceiling of a float32, so a fraction that float32 cannot hold
    /// is lost: 1 102 602 samples at 44.1 kHz become one sample less at 16 kHz than the exact ceiling says.
    pub fn output_len(&self, len: usize) -> usize {
        if self.from == self.to {
            return len;
        }
        let exact = (self.to as u128 * len as u128) as f64 / self.from as f64;
        ((exact as f32).ceil() as usize).min((len / self.from + 1) * self.to)
    }

    /// Resamples, giving at most the first `limit` samples. Equal rates give the input.
    pub fn run(&self, samples: Vec<f32>, limit: usize) -> Vec<f32> {
        let len = self.output_len(samples.len()).min(limit);
        if self.from == self.to {
            let mut samples = samples;
            samples.truncate(len);
            return samples;
        }
        let kernel = self.kernel(len);
        // Enough zeros behind for the last window and for the lanes that fill up the taps.
        let needed = (len / self.to + 1) * self.from + 2 * self.width + kernel.taps + LANES;
        let mut padded = vec![0f32; self.width + samples.len().max(needed)];
        padded[self.width..self.width + samples.len()].copy_from_slice(&samples);
        drop(samples);

        let mut out = Vec::with_capacity(len);
        for block in 0..len.div_ceil(self.to) {
            let window = &padded[block * self.from..];
            for (offset, taps) in kernel.offsets.iter().zip(kernel.values.chunks_exact(kernel.taps)) {
                if out.len() == len {
                    break;
                }
                out.push(dot(&window[*offset..offset + kernel.taps], taps));
            }
        }
        out
    }

    /// The phases that the first `len` outputs need.
    fn kernel(&self, len: usize) -> Kernel {
        let (from, to, width) = (self.from as f64, self.to as f64, self.width as i64);
        let base = base(self.from, self.to);
        let half = LOWPASS_FILTER_WIDTH * from / base;
        let taps = (2.0 * half).ceil() as usize + 1;
        let taps = taps.next_multiple_of(LANES);
        let phases = self.to.min(len);
        let mut kernel = Kernel { taps, offsets: Vec::with_capacity(phases), values: vec![0.0; phases * taps] };
        for (phase, row) in kernel.values.chunks_exact_mut(taps).enumerate() {
            // Integers divided by an integer are float32 in torch.
            let shift = f64::from(-(phase as f32) / self.to as f32);
            let at = |i: i64| (shift + i as f64 / from) * base;
            let mut first = ((phase as f64 / to * from - half).floor() as i64 - 1).max(-width);
            while at(first) <= -LOWPASS_FILTER_WIDTH {
                first += 1;
            }
            kernel.offsets.push((first + width) as usize);
            let last = width + self.from as i64 - 1;
            for (i, value) in (first..=last).zip(row) {
                let t = at(i);
                if t >= LOWPASS_FILTER_WIDTH {
                    break;
                }
                let cosine = libm::cos(t * PI / LOWPASS_FILTER_WIDTH / 2.0);
                let x = t * PI;
                let sinc = if x == 0.0 { 1.0 } else { libm::sin(x) / x };
                *value = (sinc * (cosine * cosine * (base / from))) as f32;
            }
        }
        kernel
    }
}

/// The cut-off: the smaller rate, a little less.
fn base(from: usize, to: usize) -> f64 {
    from.min(to) as f64 * ROLLOFF
}

fn gcd(a: u32, b: u32) -> u32 {
    if b == 0 { a } else { gcd(b, a % b) }
}

/// Both slices have the same length, a multiple of [`LANES`].
fn dot(a: &[f32], b: &[f32]) -> f32 {
    let mut lanes = [0f32; LANES];
    for (x, y) in a.chunks_exact(LANES).zip(b.chunks_exact(LANES)) {
        for lane in 0..LANES {
            lanes[lane] += x[lane] * y[lane];
        }
    }
    let quarters = [lanes[0] + lanes[4], lanes[1] + lanes[5], lanes[2] + lanes[6], lanes[3] + lanes[7]];
    (quarters[0] + quarters[2]) + (quarters[1] + quarters[3])
}
