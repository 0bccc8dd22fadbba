//! The parts of the engine on the `mini` shape (random weights): the encoder, the prefill, a decode step, a GRPO step and its passes.

use aqa_bench::architecture::{AudioConfig, Config, TextConfig};
use aqa_bench::audio::{Features, mel};
use aqa_bench::generate::{Request, Stop, generate};
use aqa_bench::model::Qwen2Audio;
use aqa_bench::model::kv_cache::KvCache;
use aqa_bench::model::mask::LeftPadded;
use aqa_bench::model::params::Params;
use aqa_bench::native::{Part, Sight, attend, skinny_linear};
use aqa_bench::recipe::{Dtype, Numerics, Optimizer};
use aqa_bench::sampling::Filters;
use aqa_bench::seeds::Key;
use aqa_bench::train::grpo::{Inputs, loss};
use aqa_bench::train::logps::{Group, completion_logprobs};
use aqa_bench::train::optimizer::AdamW;
use criterion::{Criterion, criterion_group, criterion_main};
use std::hint::black_box;
use std::time::{Duration, Instant};
use tch::{Device, Tensor, no_grad};

const PLACEHOLDER: i64 = 3;
const THREADS: i32 = 2;

/// text: hidden 512, 8 layers, 8 heads, intermediate 1408, vocabulary 8192; audio: d_model 256, 4 layers, 4 heads.
fn mini() -> Config {
    Config {
        audio: AudioConfig {
            num_mel_bins: 128,
            d_model: 256,
            encoder_layers: 4,
            encoder_attention_heads: 4,
            encoder_ffn_dim: 1024,
            max_source_positions: 1500,
        },
        text: TextConfig {
            vocab_size: 8192,
            hidden_size: 512,
            num_hidden_layers: 8,
            num_attention_heads: 8,
            num_key_value_heads: 8,
            intermediate_size: 1408,
            rms_norm_eps: 1e-6,
            rope_theta: 10_000.0,
            tie_word_embeddings: false,
            max_position_embeddings: 8192,
        },
        audio_token_index: PLACEHOLDER,
        dtype: Dtype::Float32,
    }
}

fn model() -> Qwen2Audio {
    tch::set_num_threads(THREADS);
    let config = mini();
    let params = Params::random(&config, 7, Device::Cpu);
    Qwen2Audio::new(config, params, Device::Cpu).expect("a model of its own shapes")
}

/// Ten seconds of noise.
fn clip() -> Features {
    let mut noise = Key::derive(1, "bench", &[]).stream();
    mel::log_mel(&(0..160_000).map(|_| noise.range(-0.2, 0.2) as f32).collect::<Vec<_>>())
}

/// A prompt of 80 text tokens around the clip's audio tokens.
fn prompt(clip: &Features) -> Vec<i64> {
    let text = |from: i64| (0..40).map(move |i| 10 + (from + 37 * i) % 8000);
    text(1).chain(std::iter::repeat_n(PLACEHOLDER, clip.audio_tokens())).chain(text(5)).collect()
}

const TOP_K: Filters = Filters { temperature: 1.0, top_k: 50, top_p: 1.0, repetition_penalty: 1.0 };
const PLAIN: Filters = Filters { temperature: 1.0, top_k: 0, top_p: 1.0, repetition_penalty: 1.0 };

fn draw(model: &Qwen2Audio, ids: &[i64], clip: &Features, batch: usize, new: usize) -> Duration {
    let request = || Request { ids, audio: vec![clip], keys: vec![None] };
    let requests: Vec<Request<'_>> = (0..batch).map(|_| request()).collect();
    let stop = Stop { eos: vec![], max_new_tokens: new, pad: 0 };
    let started = Instant::now();
    black_box(generate(model, &requests, &PLAIN, &stop).expect("a prompt with room"));
    started.elapsed()
}

/// The time of `n` decode steps without the choice of a token, 32 at a time behind `prompts` prompts of 330 positions with `group` completions each.
fn decode_steps(model: &Qwen2Audio, prompts: i64, group: i64, n: u64) -> Duration {
    let (language, device) = (model.language(), Device::Cpu);
    let (length, steps) = (330, 32);
    let rows = LeftPadded::new(&vec![(0..length).map(|i| 10 + i).collect(); prompts as usize], 0);
    let mut cache = KvCache::new(&rows, device);
    no_grad(|| {
        let embeds = model.embed(&rows.ids, None).expect("no audio in it");
        let _ =
            language.forward(&embeds, &rows.position_ids(device), &rows.prefill_mask(device), None, Some(&mut cache));
    });
    let ids = Tensor::full([prompts * group, 1], 17, (tch::Kind::Int64, device));
    let of: Vec<i64> = (0..prompts * group).map(|row| row / group).collect();
    let mut spent = Duration::ZERO;
    for start in (0..n).step_by(steps as usize) {
        cache.start(&model.config().text, of.clone(), steps, tch::Kind::Float);
        let started = Instant::now();
        for _ in start..n.min(start + steps as u64) {
            let _ = no_grad(|| black_box(language.next_logits(&language.decode(&ids, &mut cache))));
        }
        spent += started.elapsed();
    }
    spent
}

/// The products of a decode step alone, over all weights of the shape: the kernel for few rows, and libtorch's product.
fn products(c: &mut Criterion) {
    let params = Params::random(&mini(), 7, Device::Cpu);
    tch::set_num_threads(THREADS);
    let linear = |name: &str| name.ends_with("proj.weight") || name.ends_with("lm_head.weight");
    let weights: Vec<&Tensor> =
        params.iter().filter(|(n, _)| n.starts_with("language_model") && linear(n)).map(|(_, t)| t).collect();
    let mut group = c.benchmark_group("products of a decode step");
    for batch in [1, 4, 8, 16, 32] {
        let inputs: Vec<Tensor> =
            weights.iter().map(|w| Tensor::rand([batch, w.size()[1]], (tch::Kind::Float, Device::Cpu))).collect();
        group.bench_function(format!("few rows/batch {batch}"), |b| {
            b.iter(|| {
                for (x, weight) in inputs.iter().zip(&weights) {
                    black_box(skinny_linear(x, &[Part { weight, bias: None }]));
                }
            });
        });
        group.bench_function(format!("libtorch/batch {batch}"), |b| {
            b.iter(|| {
                for (x, weight) in inputs.iter().zip(&weights) {
                    let _ = black_box(x.linear(weight, None::<&Tensor>));
                }
            });
        });
    }
}

/// The attention of a decode step alone, in all layers of the shape: prompts of 323 positions, 16 or 125 positions of each completion's own.
fn attention(c: &mut Criterion) {
    tch::set_num_threads(THREADS);
    let TextConfig { num_attention_heads: heads, num_hidden_layers: layers, hidden_size, .. } = mini().text;
    let (d, length) = (hidden_size / heads, 323);
    let random = |shape: [i64; 4]| Tensor::randn(shape, (tch::Kind::Float, Device::Cpu));
    let mut group = c.benchmark_group("attention of a decode step");
    for (questions, completions, own) in [(1, 1, 16), (8, 1, 16), (8, 1, 125), (1, 8, 16), (1, 8, 125)] {
        let rows = questions * completions;
        let q = random([rows, heads, 1, d]);
        let prompt = || (random([questions, heads, d, length]), random([questions, heads, length, d]));
        let mine = || (random([rows, heads, own, d]), random([rows, heads, own, d]));
        let layers: Vec<_> = (0..layers).map(|_| (prompt(), mine())).collect();
        let (pads, starts) =
            (vec![0; questions as usize], (0..=rows).step_by(completions as usize).collect::<Vec<_>>());
        group.bench_function(format!("{questions} questions, {completions} completions, {own} positions"), |b| {
            b.iter(|| {
                for ((prompt_keys, prompt_values), (keys, values)) in &layers {
                    let (pads, starts) = (&pads[..], &starts[..]);
                    black_box(attend(&q, &Sight { prompt_keys, prompt_values, pads, starts, keys, values, own }));
                }
            });
        });
    }
}

fn inference(c: &mut Criterion) {
    let (model, clip) = (model(), clip());
    let ids = prompt(&clip);
    let mut group = c.benchmark_group("inference");
    group.sample_size(10).measurement_time(Duration::from_secs(4));
    group.bench_function("encoder/10 s", |b| b.iter(|| no_grad(|| model.encode_audio(&[&clip]).expect("a clip"))));
    for batch in [1, 8] {
        group.bench_function(format!("prefill to first token/batch {batch}"), |b| {
            b.iter(|| draw(&model, &ids, &clip, batch as usize, 1));
        });
    }
    for (prompts, completions) in [(1, 1), (8, 1), (1, 8)] {
        let name = format!("decode step at 331 to 362 positions/{prompts} x {completions}");
        group.bench_function(name, |b| b.iter_custom(|n| decode_steps(&model, prompts, completions, n)));
    }
    group.finish();
}

fn training(c: &mut Criterion) {
    let (policy, reference, clip) = (model(), model(), clip());
    let ids = prompt(&clip);
    policy.params().require_grad();
    let settings =
        Optimizer { learning_rate: 1e-6, beta1: 0.9, beta2: 0.999, eps: 1e-8, weight_decay: 0.0, max_grad_norm: 1.0 };
    let mut optimizer = AdamW::new(policy.params(), &settings);
    let keys = || (0..8).map(|i| Some(Key::derive(3, "bench", &[&i.to_string()]))).collect::<Vec<_>>();
    let roll_out = || {
        let request = Request { ids: &ids, audio: vec![&clip], keys: keys() };
        let stop = Stop { eos: vec![], max_new_tokens: 24, pad: 0 };
        generate(&policy, &[request], &TOP_K, &stop).expect("a prompt with room").remove(0)
    };
    let drawn = roll_out();
    let packed = || Group { prompt: &ids, audio: vec![&clip], completions: drawn.iter().map(|c| &c.ids[..]).collect() };
    let advantages = Tensor::from_slice(&[1f32, -1.0, 0.5, -0.5, 0.25, -0.25, 2.0, -2.0]);
    let mut group = c.benchmark_group("GRPO step, G = 8, 10 s, 24 new tokens");
    group.sample_size(10).measurement_time(Duration::from_secs(8));
    group.bench_function("rollout", |b| b.iter(roll_out));
    let reference_pass = || {
        no_grad(|| completion_logprobs(&reference, &[packed()], 0, Numerics::Fp32Logprobs)).expect("groups of one size")
    };
    group.bench_function("reference pass", |b| b.iter(reference_pass));
    let mut backward = || {
        let p = completion_logprobs(&policy, &[packed()], 0, Numerics::Fp32Logprobs).expect("groups of one size");
        let r = p.logprobs.detach();
        let inputs = Inputs {
            logprobs: &p.logprobs,
            ref_logprobs: &r,
            advantages: &advantages,
            completion_mask: &p.mask,
            beta: 0.04,
        };
        (loss(&inputs).loss_sum / 8.0).backward();
    };
    group.bench_function("policy forward and backward", |b| b.iter(&mut backward));
    backward();
    group.bench_function("clip and optimizer step", |b| {
        b.iter(|| {
            optimizer.clip().expect("finite gradients");
            optimizer.step(1e-6);
            backward_free(&policy);
        });
    });
    group.finish();
}

/// Gradients to step on: the step zeroes them.
fn backward_free(policy: &Qwen2Audio) {
    for (_, tensor) in policy.params().trainable() {
        let mut grad = tensor.grad();
        if grad.defined() {
            let _ = grad.fill_(1e-3);
        }
    }
}

criterion_group!(benches, products, attention, inference, training);
criterion_main!(benches);
