//! Resampling against torchaudio 2.11.0 (tests/parity/resample.py) and against the definition in float64.

use aqa_bench::audio::resample::Resampler;
use proptest::prelude::*;
use safetensors::SafeTensors;
use std::path::Path;

fn fixture() -> Vec<u8> {
    std::fs::read(Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/parity/resample.safetensors")).unwrap()
}

fn signal(file: &SafeTensors, name: &str) -> Vec<f32> {
    let data = file.tensor(name).unwrap();
    data.data().chunks_exact(2).map(|b| f32::from(i16::from_le_bytes([b[0], b[1]])) / 32768.0).collect()
}

fn floats(file: &SafeTensors, name: &str) -> Vec<f32> {
    file.tensor(name).unwrap().data().chunks_exact(4).map(|b| f32::from_le_bytes(b.try_into().unwrap())).collect()
}

fn largest_difference(a: &[f32], b: &[f32]) -> f32 {
    assert_eq!(a.len(), b.len());
    a.iter().zip(b).map(|(x, y)| (x - y).abs()).fold(0.0, f32::max)
}

/// The definition, sample by sample, over every tap, without a table: float64 but for torchaudio's phase, an integer divided
/// by an integer, which torch does in float32. (That alone moves samples by up to 2e-5 at 11 025 Hz.)
fn by_definition(x: &[f32], from: u32, to: u32) -> Vec<f64> {
    let divisor = (1..=from.min(to)).rev().find(|d| (from % d, to % d) == (0, 0)).unwrap();
    let (from, to) = (from / divisor, to / divisor);
    let cutoff = f64::from(from.min(to)) * 0.99;
    let len = (u64::from(to) * x.len() as u64).div_ceil(u64::from(from));
    let output = |k: u64| {
        let (block, phase) = (k / u64::from(to), k % u64::from(to));
        let phase = f64::from(phase as f32 / to as f32);
        let taps = x.iter().enumerate().map(|(i, x)| {
            let t = ((i as f64 - (block * u64::from(from)) as f64) / f64::from(from) - phase) * cutoff;
            if t.abs() >= 6.0 {
                return 0.0;
            }
            let window = (std::f64::consts::PI * t / 12.0).cos().powi(2);
            let angle = std::f64::consts::PI * t;
            f64::from(*x) * window * if t == 0.0 { 1.0 } else { angle.sin() / angle }
        });
        taps.sum::<f64>() * cutoff / f64::from(from)
    };
    (0..len).map(output).collect()
}

#[test]
fn every_rate_agrees_with_torchaudio() {
    let bytes = fixture();
    let file = SafeTensors::deserialize(&bytes).unwrap();
    for rate in [8000, 11025, 16000, 22050, 24000, 32000, 44100, 48000] {
        let input = signal(&file, &format!("in.{rate}"));
        let theirs = floats(&file, &format!("out.{rate}"));
        let ours = Resampler::new(rate, 16000).unwrap().run(input.clone(), usize::MAX);
        let difference = largest_difference(&ours, &theirs);
        println!("{rate} Hz: {difference:e}");
        assert!(difference <= 1e-6, "{rate} Hz: {difference:e}");
        if rate == 16000 {
            assert_eq!(ours, input);
        }
        // And the definition is what both compute.
        let exact = by_definition(&input, rate, 16000);
        let off = ours.iter().zip(&exact).map(|(x, y)| (f64::from(*x) - y).abs()).fold(0.0, f64::max);
        println!("{rate} Hz: {off:e} from the definition");
        assert!(off <= 1e-6 || rate == 16000, "{rate} Hz: {off:e} from the definition");
    }
}

#[test]
fn lengths_are_torchaudios_float32_ceiling() {
    let bytes = fixture();
    let file = SafeTensors::deserialize(&bytes).unwrap();
    let rows = file.tensor("lengths").unwrap();
    let numbers: Vec<i64> = rows.data().chunks_exact(8).map(|b| i64::from_le_bytes(b.try_into().unwrap())).collect();
    let mut inexact = 0;
    for row in numbers.chunks_exact(3) {
        let (rate, len, want) = (row[0] as u32, row[1] as usize, row[2] as usize);
        assert_eq!(Resampler::new(rate, 16000).unwrap().output_len(len), want, "{len} samples at {rate} Hz");
        inexact += usize::from((16000 * len).div_ceil(rate as usize) != want);
    }
    assert!(inexact >= 6, "the fixture has lengths where the exact ceiling differs, {inexact}");
}

#[test]
fn rates_that_are_no_audio_are_refused() {
    for rate in [0, 99, 1_536_001, u32::MAX] {
        let message = Resampler::new(rate, 16000).unwrap_err().to_string();
        assert!(message.contains("sample rate") && message.contains(&rate.to_string()), "{message}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 60, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_rates_agree_with_the_definition(
        from in prop_oneof![100u32..1000, 1000u32..60_000, Just(1_536_000), Just(44_100)],
        to in prop_oneof![Just(16_000u32), 7000u32..50_000],
        x in prop::collection::vec(-1f32..1.0, 1..300),
    ) {
        let ours = Resampler::new(from, to).unwrap().run(x.clone(), usize::MAX);
        if from == to {
            prop_assert_eq!(ours, x);
            return Ok(());
        }
        let exact = by_definition(&x, from, to);
        // The float32 ceiling of the length may lose the last sample.
        prop_assert!(exact.len() - ours.len() <= 1, "{} for {}", ours.len(), exact.len());
        for (k, (a, b)) in ours.iter().zip(&exact).enumerate() {
            prop_assert!((f64::from(*a) - b).abs() <= 1e-6, "{from} to {to} Hz, sample {k}: {a} for {b}");
        }
    }

    #[test]
    fn a_limit_gives_the_beginning_of_the_whole(
        rate in prop_oneof![Just(16_000u32), Just(44_100), Just(8000), Just(11_025), Just(48_000)],
        x in prop::collection::vec(-1f32..1.0, 1..2000),
        limit in 0usize..1500,
    ) {
        let resampler = Resampler::new(rate, 16_000).unwrap();
        let whole = resampler.run(x.clone(), usize::MAX);
        let part = resampler.run(x, limit);
        prop_assert_eq!(&part[..], &whole[..limit.min(whole.len())]);
    }

    #[test]
    fn the_filter_is_linear_and_keeps_a_constant(rate in prop_oneof![Just(44_100u32), Just(8000), Just(48_000)]) {
        let resampler = Resampler::new(rate, 16_000).unwrap();
        let y = resampler.run(vec![0.5; rate as usize / 4], usize::MAX);
        let middle = &y[y.len() / 4..y.len() * 3 / 4];
        prop_assert!(middle.iter().all(|v| (v - 0.5).abs() < 2e-3), "{:?}", &middle[..4]);
    }
}
