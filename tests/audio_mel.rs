//! Log-mel features against transformers 4.49.0 (tests/parity/mel.py) and against float64 arithmetic.

use aqa_bench::audio::mel::{self, MAX_FRAMES};
use aqa_bench::audio::{MAX_SAMPLES, filterbank};
use proptest::prelude::*;
use safetensors::SafeTensors;
use std::path::Path;

struct Fixture(Vec<u8>);

impl Fixture {
    fn read() -> Self {
        Self(std::fs::read(Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/parity/mel.safetensors")).unwrap())
    }

    fn file(&self) -> SafeTensors<'_> {
        SafeTensors::deserialize(&self.0).unwrap()
    }

    fn floats(&self, name: &str) -> Vec<f32> {
        let file = self.file();
        let data = file.tensor(name).unwrap();
        data.data().chunks_exact(4).map(|b| f32::from_le_bytes(b.try_into().unwrap())).collect()
    }

    fn integers(&self, name: &str) -> Vec<usize> {
        let file = self.file();
        let data = file.tensor(name).unwrap();
        data.data().chunks_exact(8).map(|b| i64::from_le_bytes(b.try_into().unwrap()) as usize).collect()
    }

    fn signal(&self, name: &str) -> Vec<f32> {
        let file = self.file();
        let data = file.tensor(&format!("{name}.in")).unwrap();
        let once: Vec<f32> =
            data.data().chunks_exact(2).map(|b| f32::from(i16::from_le_bytes([b[0], b[1]])) / 32768.0).collect();
        once.repeat(self.integers(&format!("{name}.repeat"))[0])
    }
}

fn largest_difference(a: &[f32], b: &[f32]) -> f32 {
    assert_eq!(a.len(), b.len());
    a.iter().zip(b).map(|(x, y)| (x - y).abs()).fold(0.0, f32::max)
}

#[test]
fn the_filters_are_the_extractors() {
    let theirs = Fixture::read().floats("filters");
    let ours = filterbank::slaney();
    assert_eq!(ours.len(), filterbank::BINS * filterbank::MELS);
    for (at, (x, y)) in ours.iter().zip(&theirs).enumerate() {
        assert!((*x as f32 - y).abs() <= y.abs() * 1e-6, "frequency {}, filter {}: {x} for {y}", at / 128, at % 128);
        assert_eq!(*x == 0.0, *y == 0.0, "frequency {}, filter {}", at / 128, at % 128);
    }
}

#[test]
fn features_agree_with_the_extractor_and_lie_no_farther_from_the_exact_ones() {
    let fixture = Fixture::read();
    let file = fixture.file();
    let names: Vec<String> = file.names().iter().filter_map(|n| n.strip_suffix(".in").map(str::to_owned)).collect();
    assert!(names.len() >= 15, "{names:?}");
    for name in names {
        let features = mel::log_mel(&fixture.signal(&name));
        let whole = features.to_frames(MAX_FRAMES);
        let frames = fixture.integers(&format!("{name}.frames"));
        let ours: Vec<f32> = (0..filterbank::MELS)
            .flat_map(|m| frames.iter().map(move |f| m * MAX_FRAMES + f))
            .map(|i| whole[i])
            .collect();
        let (theirs, exact) = (fixture.floats(&format!("{name}.out")), fixture.floats(&format!("{name}.exact")));
        let difference = largest_difference(&ours, &theirs);
        let (our_error, their_error) = (largest_difference(&ours, &exact), largest_difference(&theirs, &exact));
        println!(
            "{name}: {difference:.2e} from the extractor; from exact: {our_error:.2e}, extractor {their_error:.2e}"
        );
        assert!(difference <= 5e-5, "{name}: {difference:e}");
        // One unit in the last place of a float32 below 2 is 1.2e-7.
        assert!(our_error <= their_error.max(2.4e-7), "{name}: {our_error:e} for {their_error:e}");
        assert_eq!(features.valid_frames, fixture.integers(&format!("{name}.mask"))[0], "{name}");
        let last = fixture.floats(&format!("{name}.last"))[0];
        assert_eq!(last.is_nan(), features.frames == MAX_FRAMES, "{name}");
        if !last.is_nan() {
            assert!((features.padding - last).abs() <= 5e-5, "{name}: padding {} for {last}", features.padding);
        }
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
    for name in ["tone", "quiet", "silence", "dc", "click-after-silence", "ten-seconds", "321-samples"] {
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
