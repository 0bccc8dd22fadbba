//! The sounds: one function a kind, parameters drawn from the clip's stream, so that no two clips of a class are alike.

use super::dsp::{Biquad, RATE_F, Rotor, harmonics, trapezoid, white};
use crate::seeds::{Key, Stream};
use std::f64::consts::TAU;

/// What is heard in a clip.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Sound {
    /// White noise.
    Noise,
    /// A tone whose pitch swings up and down.
    Siren,
    /// Short bursts of noise at a steady pace.
    Clicks,
    /// A low steady buzz, rich in harmonics.
    Hum,
    /// A tone switched on and off.
    Beeps,
    /// Noise below 250 Hz.
    Rumble,
    /// Noise above 3.5 kHz.
    Hiss,
    /// Short rising sweeps above 2 kHz.
    Chirps,
    /// A sine with a breath of vibrato.
    Flute,
    /// A square wave: odd harmonics only.
    Clarinet,
    /// A saw-tooth with vibrato: all harmonics.
    Violin,
    /// Inharmonic partials that die away.
    Bell,
    /// A vowel at any pitch.
    Vowel(Vowel),
    /// A voice in a range, on any vowel.
    Voice(Range),
}

/// Vowels by their first three formants in hertz (Peterson and Barney 1952, adult male means; `oh` is their "aw").
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Vowel {
    /// As in "father".
    Ah,
    /// As in "see".
    Ee,
    /// As in "boot".
    Oo,
    /// As in "bed".
    Eh,
    /// As in "law".
    Oh,
}

impl Vowel {
    const ALL: [Vowel; 5] = [Vowel::Ah, Vowel::Ee, Vowel::Oo, Vowel::Eh, Vowel::Oh];

    fn formants(self) -> [f64; 3] {
        match self {
            Vowel::Ah => [730.0, 1090.0, 2440.0],
            Vowel::Ee => [270.0, 2290.0, 3010.0],
            Vowel::Oo => [300.0, 870.0, 2240.0],
            Vowel::Eh => [530.0, 1840.0, 2480.0],
            Vowel::Oh => [570.0, 840.0, 2410.0],
        }
    }
}

/// Ranges of the voice; they do not touch, so that a pitch belongs to one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Range {
    /// 75 to 105 Hz.
    Bass,
    /// 130 to 170 Hz.
    Tenor,
    /// 210 to 270 Hz.
    Alto,
    /// 340 to 440 Hz.
    Soprano,
}

impl Range {
    fn hertz(self) -> (f64, f64) {
        match self {
            Range::Bass => (75.0, 105.0),
            Range::Tenor => (130.0, 170.0),
            Range::Alto => (210.0, 270.0),
            Range::Soprano => (340.0, 440.0),
        }
    }
}

/// `n` samples of the sound, at any level; `noise` gives the samples of noisy kinds.
pub fn render(sound: Sound, n: usize, draw: &mut Stream, noise: Key) -> Vec<f64> {
    match sound {
        Sound::Noise => filtered_noise(n, draw, noise, &mut []),
        Sound::Rumble => {
            let corner = draw.range(120.0, 250.0);
            filtered_noise(n, draw, noise, &mut [Biquad::low_pass(corner), Biquad::low_pass(corner)])
        }
        Sound::Hiss => {
            let corner = draw.range(3500.0, 5000.0);
            filtered_noise(n, draw, noise, &mut [Biquad::high_pass(corner), Biquad::high_pass(corner)])
        }
        Sound::Siren => siren(n, draw),
        Sound::Clicks => {
            pulses(n, draw.range(5.0, 9.0), 0.012, draw.uniform(), |i, at| white(noise, i, 1) * libm::exp(-at / 0.003))
        }
        Sound::Hum => {
            let (hertz, wobble) = (draw.range(85.0, 130.0), draw.range(0.0, 0.01));
            let amplitudes: Vec<f64> = (1..=12).map(|k| 1.0 / f64::from(k)).collect();
            note(n, hertz, wobble, 1.0, &amplitudes, draw)
        }
        Sound::Beeps => {
            let length = draw.range(0.07, 0.12);
            let mut tone = Rotor::new(draw.range(700.0, 1600.0), 0.0);
            let tone: Vec<f64> = (0..n).map(|_| tone.step()).collect();
            pulses(n, draw.range(3.5, 5.5), length, draw.uniform(), |i, at| trapezoid(at, length, 0.005) * tone[i])
        }
        Sound::Chirps => {
            let (length, from, rise) = (draw.range(0.05, 0.09), draw.range(2000.0, 3000.0), draw.range(1500.0, 2500.0));
            pulses(n, draw.range(4.0, 7.0), length, draw.uniform(), |_, at| {
                let angle = TAU * (from * at + rise * at * at / (2.0 * length));
                trapezoid(at, length, 0.01) * libm::sin(angle)
            })
        }
        Sound::Flute => instrument(n, draw, 0.006, &[1.0, 0.08]),
        Sound::Clarinet => {
            let amplitudes: Vec<f64> = (1..=13).map(|k| if k % 2 == 1 { 1.0 / f64::from(k) } else { 0.0 }).collect();
            instrument(n, draw, 0.0, &amplitudes)
        }
        Sound::Violin => {
            let amplitudes: Vec<f64> = (1..=14).map(|k| 1.0 / f64::from(k)).collect();
            instrument(n, draw, 0.015, &amplitudes)
        }
        Sound::Bell => bell(n, draw),
        Sound::Vowel(vowel) => {
            let hertz = draw.range(90.0, 260.0);
            voice(n, draw, hertz, vowel)
        }
        Sound::Voice(range) => {
            let (low, high) = range.hertz();
            let hertz = draw.range(low, high);
            let vowel = Vowel::ALL[draw.below(Vowel::ALL.len())];
            voice(n, draw, hertz, vowel)
        }
    }
}

fn filtered_noise(n: usize, draw: &mut Stream, noise: Key, filters: &mut [Biquad]) -> Vec<f64> {
    let (depth, mut swell) = (draw.range(0.0, 0.4), Rotor::new(draw.range(0.5, 2.0), draw.range(0.0, TAU)));
    let mut next = |i| {
        let x = filters.iter_mut().fold(white(noise, i, 1), |x, filter| filter.step(x));
        x * (1.0 + depth * swell.step())
    };
    (0..n).map(&mut next).collect()
}

/// Calls `shape(sample, seconds since the pulse began)` within pulses of `length` seconds, `rate` a second; silence between.
fn pulses(n: usize, rate: f64, length: f64, phase: f64, shape: impl Fn(usize, f64) -> f64) -> Vec<f64> {
    let period = 1.0 / rate;
    let mut at = phase * period;
    let mut next = |i| {
        let x = if at < length { shape(i, at) } else { 0.0 };
        at += 1.0 / RATE_F;
        if at >= period {
            at -= period;
        }
        x
    };
    (0..n).map(&mut next).collect()
}

fn siren(n: usize, draw: &mut Stream) -> Vec<f64> {
    let (low, span) = (draw.range(450.0, 650.0), draw.range(600.0, 900.0));
    let mut swing = Rotor::new(draw.range(1.2, 2.5), draw.range(0.0, TAU));
    let mut angle = 0.0;
    let mut next = |_| {
        angle += TAU * (low + span * (0.5 + 0.5 * swing.step())) / RATE_F;
        harmonics(angle, &[1.0, 0.35, 0.15])
    };
    (0..n).map(&mut next).collect()
}

/// A harmonic tone over a share `length` of the clip, with 30 ms of attack and release and vibrato of relative `depth`.
fn note(n: usize, hertz: f64, depth: f64, length: f64, amplitudes: &[f64], draw: &mut Stream) -> Vec<f64> {
    let mut vibrato = Rotor::new(draw.range(4.5, 6.5), draw.range(0.0, TAU));
    let length = length * n as f64;
    let mut angle = 0.0;
    let mut next = |i| {
        angle += TAU * hertz * (1.0 + depth * vibrato.step()) / RATE_F;
        trapezoid(i as f64, length, 0.03 * RATE_F) * harmonics(angle, amplitudes)
    };
    (0..n).map(&mut next).collect()
}

fn instrument(n: usize, draw: &mut Stream, depth: f64, amplitudes: &[f64]) -> Vec<f64> {
    let (hertz, length) = (draw.range(220.0, 520.0), draw.range(0.75, 1.0));
    note(n, hertz, depth * draw.range(0.6, 1.4), length, amplitudes, draw)
}

/// Partials of a church bell's kind, from its prime; higher ones die sooner.
fn bell(n: usize, draw: &mut Stream) -> Vec<f64> {
    const PARTIALS: [(f64, f64); 6] = [(1.0, 1.0), (2.76, 0.7), (4.07, 0.4), (5.40, 0.45), (6.80, 0.25), (8.93, 0.2)];
    let (hertz, decay) = (draw.range(220.0, 520.0), draw.range(0.35, 0.7));
    let mut partials: Vec<(Rotor, f64, f64)> = PARTIALS
        .iter()
        .map(|&(ratio, level)| {
            let fall = libm::exp(-libm::sqrt(ratio) / (decay * RATE_F));
            (Rotor::new(hertz * ratio, draw.range(0.0, TAU)), level, fall)
        })
        .collect();
    let mut next = |_| {
        partials.iter_mut().fold(0.0, |sum, (rotor, level, fall)| {
            *level *= *fall;
            sum + *level * rotor.step()
        })
    };
    (0..n).map(&mut next).collect()
}

/// A train of pulses, softened as the glottis does, through the vowel's formants (each moved by up to 6 %).
fn voice(n: usize, draw: &mut Stream, hertz: f64, vowel: Vowel) -> Vec<f64> {
    let mut tract: Vec<Biquad> = vowel
        .formants()
        .into_iter()
        .zip([70.0, 90.0, 140.0])
        .map(|(centre, width)| Biquad::formant(centre * draw.range(0.94, 1.06), width))
        .collect();
    let mut vibrato = Rotor::new(draw.range(4.0, 6.0), draw.range(0.0, TAU));
    let (depth, drift) = (draw.range(0.0, 0.012), draw.range(-0.05, 0.05));
    let length = draw.range(0.75, 1.0) * n as f64;
    let (mut phase, mut carried, mut glottis) = (0.0, 0.0, 0.0);
    let mut next = |i| {
        let bend = 1.0 + depth * vibrato.step() + drift * (i as f64 / n as f64 - 0.5);
        let step = hertz * bend / RATE_F;
        phase += step;
        let mut pulse = carried;
        carried = 0.0;
        if phase >= 1.0 {
            phase -= 1.0;
            // The pulse falls between two samples: shared by nearness, so that its pitch is not rounded to whole samples.
            let late = phase / step;
            pulse += late;
            carried = 1.0 - late;
        }
        glottis = 0.9 * glottis + 0.1 * pulse;
        trapezoid(i as f64, length, 0.03 * RATE_F) * tract.iter_mut().fold(glottis, |x, formant| formant.step(x))
    };
    (0..n).map(&mut next).collect()
}
