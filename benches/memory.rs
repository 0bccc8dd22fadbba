//! Memory that `plan` predicts against memory that is taken: the phases of a GRPO step on the CPU, over small models of several shapes.
//!
//! Measured is the highest resident size during a phase, above what stood before it (Linux: VmHWM, reset through /proc/self/clear_refs). Prompts and
//! completions are as long as the forecast takes them to be.

use aqa_bench::architecture::Config;
use aqa_bench::audio::Features;
use aqa_bench::generate::{Request, Stop, generate};
use aqa_bench::model::Qwen2Audio;
use aqa_bench::model::params::Params;
use aqa_bench::plan::memory::{Forecast, Part, Phase, training};
use aqa_bench::recipe::{self, Activations, Dtype, Init, Memory, Method, Numerics, Train};
use aqa_bench::sampling::Filters;
use aqa_bench::seeds::Key;
use aqa_bench::train::logps::{Group, completion_logprobs};
use aqa_bench::train::optimizer::{AdamW, Sums};
use aqa_bench::train::recompute;
use std::fs;
use tch::{Device, Kind, no_grad};

unsafe extern "C" {
    fn malloc_trim(pad: usize) -> i32;
    fn mallopt(param: i32, value: i32) -> i32;
}

/// A model and the rows that go through it.
struct Shape {
    name: &'static str,
    hidden: i64,
    layers: i64,
    inner: i64,
    kv_heads: i64,
    audio: (i64, i64, i64),
    vocab: usize,
    dtype: Dtype,
    activations: Activations,
    questions: usize,
    /// Audio tokens and tokens of text of a prompt; completions and their tokens.
    rows: (usize, usize, usize, usize),
}

const BASE: Shape = Shape {
    name: "base",
    hidden: 256,
    layers: 6,
    inner: 704,
    kv_heads: 8,
    audio: (192, 3, 768),
    vocab: 4000,
    dtype: Dtype::Float32,
    activations: Activations::Keep,
    questions: 4,
    rows: (100, 60, 4, 40),
};

fn shapes() -> [Shape; 8] {
    [
        BASE,
        Shape { name: "bfloat16", dtype: Dtype::Bfloat16, ..BASE },
        Shape { name: "recompute", activations: Activations::Recompute, ..BASE },
        Shape { name: "recompute, bfloat16", activations: Activations::Recompute, dtype: Dtype::Bfloat16, ..BASE },
        Shape { name: "grouped heads", kv_heads: 2, ..BASE },
        Shape { name: "long completions", rows: (20, 60, 8, 120), ..BASE },
        Shape { name: "large vocabulary", vocab: 40_000, rows: (20, 60, 2, 30), ..BASE },
        Shape { name: "long clips", audio: (384, 6, 1536), rows: (700, 20, 2, 8), questions: 2, ..BASE },
    ]
}

/// A line of /proc/self/status, in bytes.
fn status(key: &str) -> u64 {
    let text = fs::read_to_string("/proc/self/status").expect("Linux");
    let line = text.lines().find(|line| line.starts_with(key)).expect("a line of that name");
    line.split_whitespace().nth(1).and_then(|kib| kib.parse::<u64>().ok()).expect("a number") * 1024
}

/// What `work` takes at its worst beyond what stood before it.
fn taken<T>(work: impl FnOnce() -> T) -> (T, u64) {
    // SAFETY: glibc's own calls, without pointers.
    unsafe { malloc_trim(0) };
    let before = status("VmRSS:");
    fs::write("/proc/self/clear_refs", "5").expect("Linux");
    let out = work();
    (out, status("VmHWM:").saturating_sub(before))
}

/// What a phase takes beyond what is always there.
fn moving(phase: &Phase, without: &[Part]) -> u64 {
    phase.device.iter().filter(|(part, _)| !without.contains(part)).map(|(_, bytes)| bytes).sum()
}

fn stage(shape: &Shape) -> Train {
    let recipe = recipe::load(std::path::Path::new("recipes/quickstart.yaml"), &[]).expect("a recipe that loads");
    let mut train = recipe.train.into_iter().find(|t| t.name == "grpo").expect("its GRPO stage");
    let (audio, text, group, completion) = shape.rows;
    (train.questions_per_step, train.micro_batch) = (2 * shape.questions, shape.questions);
    train.memory = Memory { activations: shape.activations, rollout_batch: Some(shape.questions), ..Memory::default() };
    if let Method::Grpo(grpo) = &mut train.method {
        (grpo.group_size, grpo.max_prompt_length, grpo.rollout.max_new_tokens) = (group, audio + text, completion);
    }
    train
}

fn config(shape: &Shape) -> Config {
    let (audio_d_model, audio_layers, audio_ffn_dim) = shape.audio;
    let init = Init {
        hidden_size: shape.hidden,
        layers: shape.layers,
        heads: 8,
        kv_heads: shape.kv_heads,
        intermediate_size: shape.inner,
        audio_d_model,
        audio_layers,
        audio_heads: 6,
        audio_ffn_dim,
        vocab_size: shape.vocab,
        dtype: shape.dtype,
    };
    Config::from_init(&init, shape.vocab as i64, 5)
}

fn measure(shape: &Shape) {
    let (audio, text, group, completion) = shape.rows;
    let (config, train) = (config(shape), stage(shape));
    let forecast = training(&config, &train, audio as u64).expect("a forecast");
    let model = Qwen2Audio::new(config.clone(), Params::random(&config, 1, Device::Cpu), Device::Cpu).expect("a model");
    model.params().require_grad();
    let reference = Qwen2Audio::new(config, model.params().deep_copy(), Device::Cpu).expect("a model");
    let mut optimizer = AdamW::with_memory(model.params(), &train.optimizer, &train.memory);

    // Four frames a token.
    let frames = 4 * audio;
    let features = Features { valid_frames: frames, frames, values: vec![0.1; 128 * frames], padding: 0.0 };
    let ids: Vec<i64> = (0..audio + text).map(|i| if i < audio { 5 } else { 6 + i as i64 % 100 }).collect();
    let answers: Vec<i64> = (0..completion as i64).map(|i| 10 + i % 90).collect();
    let groups = || -> Vec<Group<'_>> {
        let one = || Group { prompt: &ids, audio: vec![&features], completions: vec![&answers; group] };
        (0..shape.questions).map(|_| one()).collect()
    };
    let numerics = Numerics::Fp32Logprobs;
    let pass = |optimizer: &mut AdamW| match shape.activations {
        Activations::Keep => {
            let scored = completion_logprobs(&model, &groups(), 0, numerics).expect("a pass");
            let loss = scored.logprobs.sum(Kind::Float);
            drop(scored);
            optimizer.backward(&loss, Sums::Float32);
        }
        Activations::Recompute => {
            let sum = |scored: &aqa_bench::train::logps::Logprobs| scored.logprobs.sum(Kind::Float);
            let _ =
                recompute::backward(&model, &groups(), 0, numerics, (optimizer, Sums::Float32), sum).expect("a pass");
        }
    };
    // Once through everything: moments and libtorch's own buffers are touched.
    pass(&mut optimizer);
    optimizer.step(1e-6);

    let settled = [Part::Weights, Part::Master, Part::Moments, Part::Reference];
    let predicted = |names: &[&str], forecast: &Forecast, without: &[Part]| {
        let phases = forecast.phases.iter().filter(|p| names.contains(&p.name));
        phases.map(|phase| moving(phase, without)).max().unwrap_or(0)
    };
    let (request, filters) = (
        |keys: usize| Request {
            ids: &ids,
            audio: vec![&features],
            keys: (0..keys).map(|i| Some(Key::derive(1, "bench", &[&i.to_string()]))).collect(),
        },
        Filters { temperature: 1.0, top_k: 0, top_p: 1.0, repetition_penalty: 1.0 },
    );
    let requests: Vec<Request<'_>> = (0..shape.questions).map(|_| request(group)).collect();
    // As many end tokens as let about one row end at each step, as the first of which the cache is copied for all others.
    let ends = shape.vocab as i64 / (shape.questions * group) as i64;
    let stop = Stop { eos: (0..ends).collect(), max_new_tokens: completion, pad: 0 };
    let (_, drawing) = taken(|| generate(&model, &requests, &filters, &stop).expect("completions"));
    let (_, compared) = taken(|| no_grad(|| completion_logprobs(&reference, &groups(), 0, numerics)).expect("a pass"));
    pass(&mut optimizer);
    let (_, second) = taken(|| pass(&mut optimizer));
    let (_, step) = taken(|| {
        optimizer.clip().expect("a norm");
        optimizer.step(1e-6);
    });
    // The sums of the part before stood there already.
    let held = [settled.as_slice(), &[Part::Gradients]].concat();
    for (name, measured, predicted) in [
        ("drawing completions", drawing, predicted(&["prompts", "drawing completions"], &forecast, &settled)),
        ("reference", compared, predicted(&["reference", "reference logits"], &forecast, &settled)),
        ("forward and backward", second, predicted(&["forward", "loss", "backward"], &forecast, &held)),
        ("optimizer step", step, predicted(&["optimizer step"], &forecast, &held)),
    ] {
        let (m, p) = (measured as f64 / 1e6, predicted as f64 / 1e6);
        println!("{:20}  {name:20}  {p:9.1}  {m:9.1}  {:+6.1} %", shape.name, 100.0 * (p / m - 1.0));
    }
}

fn main() {
    tch::set_num_threads(1);
    // SAFETY: glibc's own call, without pointers. M_MMAP_THRESHOLD (-3): what is freed goes back at once, so that peaks are what is in use.
    unsafe { mallopt(-3, 1 << 16) };
    println!("{:20}  {:20}  {:>9}  {:>9}  {:>8}", "shape", "phase", "plan, MB", "taken, MB", "plan");
    for shape in shapes() {
        measure(&shape);
    }
}
