//! The parts that run on the host for every question: decoding, resampling, features, the choice of a token.

use aqa_bench::audio::{self, decode, mel, resample::Resampler, wav};
use aqa_bench::sampling::{Filters, choose};
use aqa_bench::seeds::Key;
use criterion::{Criterion, criterion_group, criterion_main};
use std::hint::black_box;

/// Noise with a tone in it, from a fixed key.
fn signal(rate: u32, seconds: u32) -> Vec<f32> {
    let mut noise = Key::derive(1, "bench", &[]).stream();
    let tone = |i: u32| libm::sin(f64::from(i) * 0.05) * 0.3;
    (0..rate * seconds).map(|i| (tone(i) + noise.range(-0.2, 0.2)) as f32).collect()
}

/// A 16-bit WAV file with the signal in two channels.
fn stereo(samples: &[f32], rate: u32) -> Vec<u8> {
    let twice: Vec<f32> = samples.iter().flat_map(|x| [*x, -*x]).collect();
    let mut bytes = wav::pcm16(&twice, rate).expect("a clip that fits a WAV file");
    // The format chunk: channels at 22, bytes a second at 28, bytes a block at 32.
    bytes[22] = 2;
    bytes[28..32].copy_from_slice(&(rate * 4).to_le_bytes());
    bytes[32] = 4;
    bytes
}

fn parts(c: &mut Criterion) {
    let clip = signal(16_000, 10);
    c.bench_function("log-mel/10 s", |b| b.iter(|| mel::log_mel(black_box(&clip))));
    let features = mel::log_mel(&clip);
    c.bench_function("features to 3000 frames/10 s", |b| b.iter(|| features.to_frames(black_box(3000))));
    for rate in [32_000, 44_100, 48_000] {
        let source = signal(rate, 10);
        let resampler = Resampler::new(rate, 16_000).expect("a rate that is supported");
        c.bench_function(&format!("resample/{rate} Hz, 10 s"), |b| {
            b.iter(|| resampler.run(black_box(source.clone()), 480_000));
        });
    }
    let bytes = wav::pcm16(&clip, 16_000).expect("a clip that fits a WAV file");
    c.bench_function("decode/16-bit WAV, 10 s", |b| b.iter(|| decode::decode_bytes(black_box(&bytes), "bench")));
    let bytes = stereo(&signal(44_100, 30), 44_100);
    c.bench_function("file to features/16-bit WAV, 44100 Hz, stereo, 30 s", |b| {
        b.iter(|| {
            let decoded = decode::decode_bytes(black_box(&bytes), "bench").expect("a WAV file");
            audio::features(&audio::clip(decoded, "bench").expect("a clip"))
        });
    });
}

fn sampling(c: &mut Criterion) {
    let key = Key::derive(1, "logits", &[]);
    let logits: Vec<f32> = (0..156_032).map(|i| (3.0 * key.normal(i, 0)) as f32).collect();
    let seen: Vec<i64> = (0..400).collect();
    let filters = Filters { temperature: 0.7, top_k: 20, top_p: 0.5, repetition_penalty: 1.1 };
    for (name, key) in [("greedy", None), ("sampled", Some(key))] {
        c.bench_function(&format!("choose/{name}, vocabulary 156032"), |b| {
            b.iter(|| choose(&mut logits.clone(), &seen, &filters, key, black_box(0)));
        });
    }
}

criterion_group!(benches, parts, sampling);
criterion_main!(benches);
