//! Power spectra of overlapping frames: windows of 400 samples, 160 apart, through a real Fourier transform in float64.
//!
//! [`LANES`] neighbouring frames go through one transform side by side, a frame a lane, so that every operation runs along
//! contiguous memory whatever the transform's shape. A real transform of 400 is a complex one of 200 (even samples real, odd
//! ones imaginary) and a step that takes the halves apart. 200 = 8 x 25 has coprime factors, so Good's and Thomas's map of the
//! indices leaves no twiddle factors between them; 25 is 5 x 5 with them. Nothing here depends on the machine.

use super::filterbank::BINS;
use std::array::from_fn;
use std::f64::consts::{FRAC_1_SQRT_2, TAU};

/// Frames transformed side by side.
pub(super) const LANES: usize = 4;
/// Samples between frames.
pub(super) const HOP: usize = 160;
/// Samples of a frame.
pub(super) const N_FFT: usize = 400;
/// Samples that [`LANES`] frames span.
pub(super) const SPAN: usize = (LANES - 1) * HOP + N_FFT;

/// Points of the complex transform, and its coprime factors.
const N: usize = N_FFT / 2;
const A: usize = 8;
const B: usize = 25;
/// Hops that a span touches.
const HOPS: usize = SPAN.div_ceil(HOP);

/// A number a frame.
type Lane = [f64; LANES];
/// A complex number a frame: real parts, imaginary parts.
type Complex = (Lane, Lane);

/// Power of each frequency, a frame a lane.
pub(super) type Power = [Lane; BINS];

/// What depends on the lengths alone.
pub(super) struct Spectrum {
    /// By place in the working memory: where the even sample lies in the transposed span (the odd one is a row later).
    source: [(usize, usize); N],
    /// By place in the working memory: periodic Hann window at the even and at the odd sample.
    window: [(f64, f64); N],
    /// exp(-2πi b k / 25) for b, k below 5.
    inner: [[(f64, f64); 5]; 5],
    /// exp(-2πi k / 400) for k up to 100.
    outer: [(f64, f64); N / 2 + 1],
    /// Where the transform leaves frequency k.
    place: [usize; N],
}

/// The working memory of one transform.
pub(super) struct Work {
    /// The span, transposed: sample `HOP * q + r` at `[r][q]`.
    hops: [[f32; HOPS]; HOP],
    points: [Complex; N],
}

impl Work {
    pub(super) fn new() -> Self {
        Self { hops: [[0.0; HOPS]; HOP], points: [([0.0; LANES], [0.0; LANES]); N] }
    }
}

impl Spectrum {
    pub(super) fn new() -> Self {
        // Place B * i + j of the memory holds point (25 i + 8 j) mod 200 before the transform.
        let point = |place: usize| (B * (place / B) + A * (place % B)) % N;
        let hann = |i: usize| 0.5 - 0.5 * libm::cos(TAU * i as f64 / N_FFT as f64);
        let root = |k: usize, n: usize| {
            let angle = TAU * k as f64 / n as f64;
            (libm::cos(angle), -libm::sin(angle))
        };
        Self {
            source: from_fn(|place| (2 * point(place) % HOP, 2 * point(place) / HOP)),
            window: from_fn(|place| (hann(2 * point(place)), hann(2 * point(place) + 1))),
            inner: from_fn(|b| from_fn(|k| root(b * k, B))),
            outer: from_fn(|k| root(k, N_FFT)),
            // Of 25, the transform leaves frequency 5 s + t at 5 t + s.
            place: from_fn(|k| B * (k % A) + 5 * (k % B % 5) + k % B / 5),
        }
    }

    /// The power spectra of the frames that begin at samples 0, 160, … of the span.
    #[inline(always)]
    pub(super) fn power(&self, span: &[f32; SPAN], work: &mut Work, power: &mut Power) {
        for (q, hop) in span.chunks(HOP).enumerate() {
            for (row, x) in work.hops.iter_mut().zip(hop) {
                row[q] = *x;
            }
        }
        for j in 0..B {
            self.column(j, &work.hops, &mut work.points);
        }
        for row in work.points.as_chunks_mut().0 {
            self.row(row);
        }
        self.halves(&work.points, power);
    }

    /// Windows the eight points of a column and transforms them.
    #[inline(always)]
    fn column(&self, j: usize, hops: &[[f32; HOPS]; HOP], points: &mut [Complex; N]) {
        let mut x = [([0.0; LANES], [0.0; LANES]); A];
        for (i, x) in x.iter_mut().enumerate() {
            let ((row, q), (even, odd)) = (self.source[B * i + j], self.window[B * i + j]);
            *x = (windowed(&hops[row], q, even), windowed(&hops[row + 1], q, odd));
        }
        let even = four(x[0], x[2], x[4], x[6]);
        let odd = four(x[1], x[3], x[5], x[7]);
        // Times exp(-2πi k / 8): an eighth of a turn, a quarter, three eighths.
        let eighth = scale((add(odd[1].0, odd[1].1), sub(odd[1].1, odd[1].0)), FRAC_1_SQRT_2);
        let other = scale((sub(odd[3].1, odd[3].0), add(odd[3].0, odd[3].1)), FRAC_1_SQRT_2);
        let y = [
            plus(even[0], odd[0]),
            plus(even[1], eighth),
            plus_turned(even[2], odd[2]),
            (add(even[3].0, other.0), sub(even[3].1, other.1)),
            minus(even[0], odd[0]),
            minus(even[1], eighth),
            minus_turned(even[2], odd[2]),
            (sub(even[3].0, other.0), add(even[3].1, other.1)),
        ];
        for (k, y) in y.into_iter().enumerate() {
            points[B * k + j] = y;
        }
    }

    /// Transforms the 25 points of a row in place.
    #[inline(always)]
    fn row(&self, row: &mut [Complex; B]) {
        for b in 0..5 {
            let y = five([row[b], row[5 + b], row[10 + b], row[15 + b], row[20 + b]]);
            for (k, y) in y.into_iter().enumerate() {
                row[5 * k + b] = if b * k == 0 { y } else { times(y, self.inner[b][k]) };
            }
        }
        for points in row.as_chunks_mut().0 {
            *points = five(*points);
        }
    }

    /// Takes even and odd samples apart: with their spectra E and O, frequency k has E + w O and 200 - k the conjugate of E - w O.
    #[inline(always)]
    fn halves(&self, points: &[Complex; N], power: &mut Power) {
        for k in 0..=N / 2 {
            let (z, mirror) = (points[self.place[k]], points[self.place[(N - k) % N]]);
            let even = (add(z.0, mirror.0), sub(z.1, mirror.1));
            let odd = (add(z.1, mirror.1), sub(mirror.0, z.0));
            let odd = times(odd, self.outer[k]);
            // E and O are twice what they should be.
            power[k] = quarter_of_square(plus(even, odd));
            power[N - k] = quarter_of_square(minus(even, odd));
        }
    }
}

/// One operation in every lane. Written as a loop, since closures of library functions are not always inlined, and then not
/// compiled for the wider registers.
macro_rules! lanes {
    ($lane:ident => $value:expr) => {{
        let mut out: Lane = [0.0; LANES];
        for $lane in 0..LANES {
            out[$lane] = $value;
        }
        out
    }};
}

#[inline(always)]
fn add(a: Lane, b: Lane) -> Lane {
    lanes!(i => a[i] + b[i])
}

#[inline(always)]
fn sub(a: Lane, b: Lane) -> Lane {
    lanes!(i => a[i] - b[i])
}

#[inline(always)]
fn plus(a: Complex, b: Complex) -> Complex {
    (add(a.0, b.0), add(a.1, b.1))
}

#[inline(always)]
fn minus(a: Complex, b: Complex) -> Complex {
    (sub(a.0, b.0), sub(a.1, b.1))
}

/// a - ib, for a quarter turn of b.
#[inline(always)]
fn plus_turned(a: Complex, b: Complex) -> Complex {
    (add(a.0, b.1), sub(a.1, b.0))
}

/// a + ib.
#[inline(always)]
fn minus_turned(a: Complex, b: Complex) -> Complex {
    (sub(a.0, b.1), add(a.1, b.0))
}

#[inline(always)]
fn scale(a: Complex, by: f64) -> Complex {
    (lanes!(i => a.0[i] * by), lanes!(i => a.1[i] * by))
}

#[inline(always)]
fn times(a: Complex, (re, im): (f64, f64)) -> Complex {
    (lanes!(i => a.0[i] * re - a.1[i] * im), lanes!(i => a.0[i] * im + a.1[i] * re))
}

/// A quarter of the squared absolute value.
#[inline(always)]
fn quarter_of_square(a: Complex) -> Lane {
    lanes!(i => 0.25 * (a.0[i] * a.0[i] + a.1[i] * a.1[i]))
}

/// A sample of every frame, from a row of the transposed span, times its weight.
#[inline(always)]
fn windowed(row: &[f32; HOPS], q: usize, weight: f64) -> Lane {
    let row: &[f32; LANES] = row[q..].first_chunk().expect("a span holds the hops of its frames");
    lanes!(i => f64::from(row[i]) * weight)
}

/// A transform of four points.
#[inline(always)]
fn four(x0: Complex, x1: Complex, x2: Complex, x3: Complex) -> [Complex; 4] {
    let (a, b) = (plus(x0, x2), minus(x0, x2));
    let (c, d) = (plus(x1, x3), minus(x1, x3));
    [plus(a, c), plus_turned(b, d), minus(a, c), minus_turned(b, d)]
}

/// A transform of five points, after Winograd: cos 72° and cos 144° are (-1 ± √5) / 4.
#[inline(always)]
fn five(x: [Complex; 5]) -> [Complex; 5] {
    const ROOT: f64 = 0.559_016_994_374_947_4; // √5 / 4
    const SIN_72: f64 = 0.951_056_516_295_153_5;
    const SIN_144: f64 = 0.587_785_252_292_473_1;
    let (outer, inner) = (plus(x[1], x[4]), plus(x[2], x[3]));
    let (p, q) = (minus(x[1], x[4]), minus(x[2], x[3]));
    let sum = plus(outer, inner);
    let middle = minus(x[0], scale(sum, 0.25));
    let apart = scale(minus(outer, inner), ROOT);
    let (near, far) = (plus(middle, apart), minus(middle, apart));
    let u = plus(scale(p, SIN_72), scale(q, SIN_144));
    let v = minus(scale(p, SIN_144), scale(q, SIN_72));
    [plus(x[0], sum), plus_turned(near, u), plus_turned(far, v), minus_turned(far, v), minus_turned(near, u)]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::seeds::Key;

    /// The definition: for every frequency a sum over 400 samples.
    fn by_definition(frame: &[f32]) -> Vec<f64> {
        let angle = |n: usize| TAU * n as f64 / N_FFT as f64;
        let roots: Vec<_> = (0..N_FFT).map(|n| (libm::cos(angle(n)), libm::sin(angle(n)))).collect();
        let power = |bin: usize| {
            let (mut re, mut im) = (0.0, 0.0);
            for (n, x) in frame.iter().enumerate().filter(|(_, x)| **x != 0.0) {
                let x = f64::from(*x) * (0.5 - 0.5 * roots[n].0);
                let (cos, sin) = roots[n * bin % N_FFT];
                re += x * cos;
                im -= x * sin;
            }
            re * re + im * im
        };
        (0..BINS).map(power).collect()
    }

    fn power_of(span: &[f32; SPAN]) -> Box<Power> {
        let mut power = Box::new([[f64::NAN; LANES]; BINS]);
        Spectrum::new().power(span, &mut Work::new(), &mut power);
        power
    }

    fn agrees(span: &[f32; SPAN], what: &str) {
        let power = power_of(span);
        for lane in 0..LANES {
            let exact = by_definition(&span[lane * HOP..][..N_FFT]);
            let loudest = exact.iter().copied().fold(0.0, f64::max);
            for (bin, exact) in exact.iter().enumerate() {
                let off = (power[bin][lane] - exact).abs();
                // 1e-15 of the largest amplitude, at this amplitude and at none.
                assert!(
                    off <= 1e-14 * (exact * loudest).sqrt() + 1e-29 * loudest,
                    "{what}, frame {lane}, frequency {bin}: {} for {exact} of {loudest}",
                    power[bin][lane]
                );
            }
        }
    }

    #[test]
    fn power_is_that_of_the_definition() {
        for seed in 0..3 {
            let mut noise = Key::derive(seed, "spectrum", &[]).stream();
            agrees(&from_fn(|_| noise.range(-1.0, 1.0) as f32), "noise");
        }
        agrees(&from_fn(|i| libm::sin(i as f64 * 0.7) as f32), "a tone");
        agrees(&[0.5; SPAN], "a constant");
        agrees(&[0.0; SPAN], "silence");
        // A click at every place of a frame: each sample and each factor on its own.
        for at in 0..N_FFT {
            agrees(&from_fn(|i| if i == at + HOP { 1.0 } else { 0.0 }), &format!("a click at {at}"));
        }
    }

    #[test]
    fn frames_do_not_touch_each_other() {
        let mut noise = Key::derive(1, "spectrum", &[]).stream();
        let span: [f32; SPAN] = from_fn(|_| noise.range(-1.0, 1.0) as f32);
        let whole = power_of(&span);
        let alone = power_of(&from_fn(|i| if i < N_FFT { span[i] } else { 0.0 }));
        assert!(whole.iter().zip(alone.iter()).all(|(whole, alone)| whole[0].to_bits() == alone[0].to_bits()));
    }
}
