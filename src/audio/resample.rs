//! torchaudio's default resampler: `torchaudio.transforms.Resample(from, to)` with `sinc_interp_hann`,
//! `lowpass_filter_width` 6 and `rolloff` 0.99, on the CPU in float32.
//!
//! Source: `torchaudio/functional/functional.py` of torchaudio 2.11.0 (`_get_sinc_resample_kernel`,
//! `_apply_sinc_resample_kernel`). The kernel is made in float64 from a phase that is divided in float32, and stored as
//! float32. Where torchaudio convolves with all `2 * width + from` taps, only the taps inside the window are kept here: the
//! others are products with a zero of the window (below 1e-33).

use super::wide::wide;
use crate::error::{Error, Result};
use std::f64::consts::PI;
use std::sync::{Arc, Mutex, PoisonError};

const LOWPASS_FILTER_WIDTH: f64 = 6.0;
const ROLLOFF: f64 = 0.99;
/// The dot product runs in this many lanes.
const LANES: usize = 8;
/// Filters are kept that have at most this many phases, as those of all usual rates (11 025 Hz to 16 kHz: 640), and so many of them.
const KEPT_PHASES: usize = 640;
const KEPT_KERNELS: usize = 16;
/// Sample rates that are taken for real; outside of them a header is damaged, and the filter would not fit in memory.
const RATES: std::ops::RangeInclusive<u32> = 100..=1_536_000;

/// Resamples from one rate to another.
#[derive(Debug, Clone, PartialEq, Eq)]
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
        let mut out = vec![0f32; len];
        convolve(self, &self.kernel(len), &samples, &mut out);
        out
    }

    /// The phases that the first `len` outputs need: kept for the next clip of these rates when they are few.
    fn kernel(&self, len: usize) -> Arc<Kernel> {
        static KEPT: Mutex<Vec<(Resampler, Arc<Kernel>)>> = Mutex::new(Vec::new());
        if self.to > KEPT_PHASES {
            return Arc::new(self.phases(self.to.min(len)));
        }
        // A thread that panicked here left whole entries.
        let mut kept = KEPT.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((_, kernel)) = kept.iter().find(|(of, _)| of == self) {
            return Arc::clone(kernel);
        }
        let kernel = Arc::new(self.phases(self.to));
        if kept.len() < KEPT_KERNELS {
            kept.push((self.clone(), Arc::clone(&kernel)));
        }
        kernel
    }

    /// The first so many phases of the filter.
    fn phases(&self, phases: usize) -> Kernel {
        let (from, to, width) = (self.from as f64, self.to as f64, self.width as i64);
        let base = base(self.from, self.to);
        let half = LOWPASS_FILTER_WIDTH * from / base;
        let taps = (2.0 * half).ceil() as usize + 1;
        let taps = taps.next_multiple_of(LANES);
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

wide! {
    /// See [`plain_convolve`].
    fn convolve = plain_convolve(resampler: &Resampler, kernel: &Kernel, samples: &[f32], out: &mut [f32])
}

/// Output `block * to + phase` is the dot product of the phase's taps with the window that begins at `block * from`.
#[inline(always)]
fn plain_convolve(resampler: &Resampler, kernel: &Kernel, samples: &[f32], out: &mut [f32]) {
    let Resampler { from, to, width } = *resampler;
    let reach = kernel.offsets.iter().max().map_or(0, |last| last + kernel.taps);
    let mut at_an_end = Vec::new();
    let mut sums = vec![[0f32; LANES]; kernel.offsets.len()];
    for (block, out) in out.chunks_mut(to).enumerate() {
        // `width` zeros stand in front of the signal, and any number behind it.
        let first = (block * from).checked_sub(width);
        let window = match first.and_then(|first| samples.get(first..first + reach)) {
            Some(window) => window,
            None => {
                at_an_end.clear();
                let sample = |i: usize| (block * from + i).checked_sub(width).and_then(|i| samples.get(i).copied());
                at_an_end.extend((0..reach).map(|i| sample(i).unwrap_or(0.0)));
                &at_an_end
            }
        };
        // Lanes are added up in a loop of their own: in one with the products the compiler runs them two by two.
        for ((sum, offset), taps) in sums.iter_mut().zip(&kernel.offsets).zip(kernel.values.chunks_exact(kernel.taps)) {
            *sum = dot(&window[*offset..offset + kernel.taps], taps);
        }
        for (out, [a, b, c, d, e, f, g, h]) in out.iter_mut().zip(&sums) {
            *out = ((a + e) + (c + g)) + ((b + f) + (d + h));
        }
    }
}

/// The dot product, in lanes. Both slices have the same length, a multiple of [`LANES`].
#[inline(always)]
fn dot(a: &[f32], b: &[f32]) -> [f32; LANES] {
    let mut lanes = [0f32; LANES];
    for (x, y) in a.as_chunks::<LANES>().0.iter().zip(b.as_chunks::<LANES>().0) {
        for lane in 0..LANES {
            lanes[lane] += x[lane] * y[lane];
        }
    }
    lanes
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::seeds::Key;

    /// Every machine gives the same bits, whatever its registers, and so does a kept filter.
    #[test]
    fn wider_registers_and_kept_filters_change_no_bit() {
        let mut noise = Key::derive(1, "resample", &[]).stream();
        let samples: Vec<f32> = (0..30_000).map(|_| noise.range(-1.0, 1.0) as f32).collect();
        for rate in [8000, 11_025, 44_100, 44_101, 48_000] {
            let resampler = Resampler::new(rate, 16_000).unwrap();
            let mut plain = vec![0f32; resampler.output_len(samples.len())];
            plain_convolve(&resampler, &resampler.phases(resampler.to.min(plain.len())), &samples, &mut plain);
            for _ in 0..2 {
                assert_eq!(resampler.run(samples.clone(), usize::MAX), plain, "{rate} Hz");
            }
        }
    }
}
