//! Log-mel features against transformers 4.49.0 and against float64 arithmetic (fixtures: `tests/parity/audio`).

use aqa_bench::audio::mel::{self, MAX_FRAMES};
use aqa_bench::audio::{MAX_SAMPLES, filterbank};
use audio_common::{Tensors, largest_difference};
use proptest::prelude::*;

mod audio_common;
mod measured;

/// What of mel.safetensors a test asks for.
struct Fixture(Tensors);

impl Fixture {
    fn read() -> Self {
        Self(Tensors::read("audio/mel.safetensors"))
    }

    fn names(&self) -> Vec<String> {
        [self.0.names(".in"), self.0.names(".swept")].concat()
    }

    /// A signal: samples that are repeated, or a sine table read at a rate that changes evenly.
    fn signal(&self, name: &str) -> Vec<f32> {
        if !self.0.names(".swept").iter().any(|n| n == name) {
            return self.0.pcm16(&format!("{name}.in")).repeat(self.integer(&format!("{name}.repeat")));
        }
        let table = self.0.pcm16(&format!("{name}.table"));
        let [n, mut step, sweep] = self.0.integers(&format!("{name}.swept"))[..] else { panic!("{name}") };
        let mut phase = 0u64;
        let next = |_| {
            let sample = table[(phase >> 52) as usize];
            phase = phase.wrapping_add(step);
            step = step.wrapping_add(sweep);
            sample
        };
        (0..n).map(next).collect()
    }

    fn integer(&self, name: &str) -> usize {
        self.0.integers(name)[0] as usize
    }
}

#[test]
fn the_filters_are_the_extractors() {
    let theirs = Fixture::read().0.floats("filters");
    let ours = filterbank::slaney();
    assert_eq!(ours.len(), filterbank::BINS * filterbank::MELS);
    let mut worst = 0f64;
    for (at, (x, y)) in ours.iter().zip(&theirs).enumerate() {
        assert_eq!(*x == 0.0, *y == 0.0, "frequency {}, filter {}", at / 128, at % 128);
        if *x != 0.0 {
            worst = worst.max((f64::from(*x as f32) / f64::from(*y) - 1.0).abs());
        }
    }
    measured::within("features/filters", "all", ours.len(), worst);
}

#[test]
fn features_agree_with_the_extractor_and_lie_no_farther_from_the_exact_ones() {
    let fixture = Fixture::read();
    let names = fixture.names();
    assert!(names.len() >= 29, "{names:?}");
    let mut rounded_away = 0;
    for name in names {
        let samples = fixture.signal(&name);
        let features = mel::log_mel(&samples);
        let whole = features.to_frames(MAX_FRAMES);
        let frames = fixture.0.integers(&format!("{name}.frames"));
        let ours: Vec<f32> = (0..filterbank::MELS)
            .flat_map(|m| frames.iter().map(move |f| m * MAX_FRAMES + *f as usize))
            .map(|i| whole[i])
            .collect();
        let (theirs, exact) = (fixture.0.floats(&format!("{name}.out")), fixture.0.floats(&format!("{name}.exact")));
        // The extractor computes in float32, and where a band is 10^-7 of the loudest its rounding alone can exceed the tolerance.
        // There, nothing can be said against it; against float64, everything.
        let tolerance = measured::tolerance("features/log-mel");
        let sound: Vec<usize> =
            (0..ours.len()).filter(|&i| f64::from((theirs[i] - exact[i]).abs()) <= tolerance).collect();
        rounded_away += ours.len() - sound.len();
        let error = sound.iter().map(|&i| f64::from((ours[i] - theirs[i]).abs())).fold(0.0, f64::max);
        measured::within("features/log-mel", &name, sound.len(), error);
        let (our_error, their_error) = (largest_difference(&ours, &exact), largest_difference(&theirs, &exact));
        println!("{name}: {our_error:.2e} from float64, the extractor {their_error:.2e}");
        measured::within("features/float64", &name, ours.len(), our_error);
        measured::within("features/excess", &name, ours.len(), (our_error - their_error).max(0.0));

        let mask = fixture.integer(&format!("{name}.mask"));
        assert_eq!(mask, samples.len().min(MAX_SAMPLES).div_ceil(160), "{name}");
        let differing = features.valid_frames.abs_diff(mask) as f64;
        measured::within("features/mask", &name, MAX_FRAMES, differing);
        let last = fixture.0.floats(&format!("{name}.last"))[0];
        assert_eq!(last.is_nan(), features.frames == MAX_FRAMES, "{name}");
        if !last.is_nan() {
            let padding = f64::from((features.padding - last).abs());
            measured::within("features/log-mel", &format!("{name}, padding"), 1, padding);
        }
    }
    assert!(rounded_away <= 2, "the extractor is off by more than the tolerance in {rounded_away} values");
}

/// The signals are what their names say, whatever makes them.
#[test]
fn swept_signals_have_their_frequencies() {
    let fixture = Fixture::read();
    for (name, seconds, first, last) in [
        ("tone-0.1-s", 0.1, 1000.0, 1000.0),
        ("tone-3999.7-hz-31-s", 31.0, 3999.7, 3999.7),
        ("chirp-up-30-s", 30.0, 20.0, 8000.0),
        ("chirp-down-30-s", 30.0, 8000.0, 20.0),
    ] {
        let x = fixture.signal(name);
        assert_eq!(x.len(), (seconds * 16000.0) as usize, "{name}");
        let crossings = |part: &[f32]| part.windows(2).filter(|w| (w[0] < 0.0) != (w[1] < 0.0)).count() as f64;
        let tenth = x.len() / 10;
        let slack = 15.0f64.max(16000.0 / tenth as f64);
        let hertz = |part: &[f32]| crossings(part) * 8000.0 / part.len() as f64;
        let swept = (last - first) / 20.0;
        assert!((hertz(&x[..tenth]) - (first + swept)).abs() < slack, "{name}: begins at {} Hz", hertz(&x[..tenth]));
        let end = hertz(&x[x.len() - tenth..]);
        assert!((end - (last - swept)).abs() < slack, "{name}: ends at {end} Hz");
    }
}

/// The same clip with zeros behind it, so that every frame is computed: the constant must be what the zeros give.
fn padded(samples: &[f32]) -> mel::Features {
    let mut all = samples.to_vec();
    all.resize(MAX_SAMPLES, 0.0);
    mel::log_mel(&all)
}

#[test]
fn the_constant_is_what_the_padding_gives() {
    let fixture = Fixture::read();
    for name in ["tone", "quiet", "silence-0.1-s", "dc", "click-after-silence", "ten-seconds", "321-samples"] {
        let samples = fixture.signal(name);
        assert_eq!(mel::log_mel(&samples).to_frames(MAX_FRAMES), padded(&samples).values, "{name}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_number_of_frames_is_the_beginning_of_all(
        len in prop_oneof![1usize..3000, 479_000usize..=480_000, 1usize..400],
        seed in 1u32..1_000_000,
        extra in 0usize..40,
    ) {
        let mut state = seed;
        let samples: Vec<f32> = (0..len).map(|_| {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            (state >> 8) as f32 / 8_388_608.0 - 1.0
        }).collect();
        let features = mel::log_mel(&samples);
        prop_assert_eq!(features.valid_frames, len.div_ceil(160));
        prop_assert!(features.frames >= features.valid_frames && features.frames <= MAX_FRAMES);
        let whole = padded(&samples).values;
        let frames = (features.valid_frames + extra).min(MAX_FRAMES);
        let part = features.to_frames(frames);
        for m in 0..filterbank::MELS {
            prop_assert_eq!(&part[m * frames..][..frames], &whole[m * MAX_FRAMES..][..frames]);
        }
    }
}

#[test]
fn samples_beyond_thirty_seconds_change_nothing() {
    let samples = Fixture::read().signal("31-s");
    assert!(samples.len() > MAX_SAMPLES);
    assert_eq!(mel::log_mel(&samples), mel::log_mel(&samples[..MAX_SAMPLES]));
}
