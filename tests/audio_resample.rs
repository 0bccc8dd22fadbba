//! Resampling against torchaudio 2.11.0 and against the definition in float64 (fixtures: `tests/parity/audio`).

use aqa_bench::audio::resample::Resampler;
use audio_common::{Tensors, largest_difference};
use proptest::prelude::*;

mod audio_common;
mod measured;

const FIXTURE: &str = "audio/resample.safetensors";

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
    let fixture = Tensors::read(FIXTURE);
    for rate in [8000, 11025, 16000, 22050, 24000, 32000, 44100, 48000] {
        let input = fixture.pcm16(&format!("in.{rate}"));
        let theirs = fixture.floats(&format!("out.{rate}"));
        let ours = Resampler::new(rate, 16000).unwrap().run(input.clone(), usize::MAX);
        measured::within("resample/samples", &format!("{rate} Hz"), ours.len(), largest_difference(&ours, &theirs));
        if rate == 16000 {
            assert_eq!(ours, input);
            continue;
        }
        // And the definition is what both compute.
        let exact = by_definition(&input, rate, 16000);
        let off = ours.iter().zip(&exact).map(|(x, y)| (f64::from(*x) - y).abs()).fold(0.0, f64::max);
        println!("{rate} Hz: {off:e} from the definition");
        assert!(off <= 1e-6, "{rate} Hz: {off:e} from the definition");
    }
}

#[test]
fn lengths_are_torchaudios_float32_ceiling() {
    let rows = Tensors::read(FIXTURE).integers("lengths");
    let mut inexact = 0;
    for row in rows.chunks_exact(3) {
        let (rate, len, want) = (row[0] as u32, row[1] as usize, row[2] as usize);
        let ours = Resampler::new(rate, 16000).unwrap().output_len(len);
        let off = ours.abs_diff(want) as f64;
        measured::within("resample/lengths", &format!("{len} samples at {rate} Hz"), 1, off);
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
