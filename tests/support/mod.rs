//! What the engine's tests share: fixtures of the reference stack, the cases as the program prepares them, comparisons.
#![allow(dead_code, unused_imports)] // each test binary uses its part

#[path = "../measured/mod.rs"]
pub mod measured;
pub mod rollouts;

use aqa_bench::architecture::Config;
use aqa_bench::audio::{self, Features};
use aqa_bench::model::Qwen2Audio;
use aqa_bench::model::checkpoint::Checkpoint;
use aqa_bench::model::mask::LeftPadded;
use aqa_bench::recipe::Dtype;
use aqa_bench::sampling::Filters;
pub use measured::{differing, within};
use serde_json::Value;
use std::collections::{BTreeMap, HashMap};
use std::path::{Path, PathBuf};
use std::sync::Once;
use tch::{Device, Kind, Tensor};

/// No filter at all.
pub const PLAIN: Filters = Filters { temperature: 1.0, top_k: 0, top_p: 1.0, repetition_penalty: 1.0 };
/// `<|endoftext|>`, which also pads, and `<|im_end|>`.
pub const ENDS: [i64; 2] = [361, 363];
/// The padding id of every fixture checkpoint.
pub const PAD: i64 = 361;
/// `<|AUDIO|>`.
pub const PLACEHOLDER: i64 = 364;

/// A file of the fixtures. Whoever reads one computes with one thread: the matrices are small, and libtorch's second thread, which waits
/// spinning, makes tests ten times slower on a machine that is busy otherwise. What needs two threads asks for them.
pub fn fixture(name: &str) -> PathBuf {
    static THREADS: Once = Once::new();
    THREADS.call_once(|| tch::set_num_threads(1));
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/parity/model").join(name)
}

pub fn json(name: &str) -> Value {
    serde_json::from_slice(&std::fs::read(fixture(name)).unwrap()).unwrap()
}

pub fn texts(value: &Value) -> Vec<&str> {
    value.as_array().unwrap().iter().map(|v| v.as_str().unwrap()).collect()
}

/// Tensors of the reference by name.
pub struct Tensors(HashMap<String, Tensor>);

impl Tensors {
    pub fn load(name: &str) -> Self {
        Self(Tensor::read_safetensors(fixture(name)).unwrap().into_iter().collect())
    }

    pub fn get(&self, name: &str) -> &Tensor {
        self.0.get(name).unwrap_or_else(|| panic!("the fixture has no {name}"))
    }

    pub fn has(&self, name: &str) -> bool {
        self.0.contains_key(name)
    }

    pub fn ids(&self, name: &str) -> Vec<i64> {
        ids(self.get(name))
    }

    /// The only number of a tensor.
    pub fn number(&self, name: &str) -> f64 {
        let tensor = self.get(name);
        assert_eq!(tensor.numel(), 1, "{name}");
        tensor.double_value(&[0])
    }
}

pub fn ids(tensor: &Tensor) -> Vec<i64> {
    Vec::try_from(&tensor.to_kind(Kind::Int64).reshape([-1])).unwrap()
}

pub fn numbers(tensor: &Tensor) -> Vec<f64> {
    Vec::try_from(&tensor.to_kind(Kind::Double).reshape([-1])).unwrap()
}

pub fn checkpoint_dir(name: &str) -> PathBuf {
    fixture("checkpoints").join(name)
}

/// A fixture checkpoint in the number type it was saved in.
pub fn checkpoint(name: &str) -> Checkpoint {
    let dir = checkpoint_dir(name);
    let dtype = Config::load(&dir).unwrap().dtype;
    Checkpoint::load(&dir, dtype, Device::Cpu).unwrap()
}

/// The same model, its own parameters in another kind.
pub fn in_kind(model: &Qwen2Audio, kind: Kind) -> Qwen2Audio {
    Qwen2Audio::new(model.config().clone(), model.params().to_kind(kind), Device::Cpu).unwrap()
}

/// The same weights, sharing nothing, without gradients.
pub fn frozen_copy(model: &Qwen2Audio) -> Qwen2Audio {
    Qwen2Audio::new(model.config().clone(), model.params().deep_copy(), Device::Cpu).unwrap()
}

/// The same weights in parameters of its own that take gradients.
pub fn trainable(model: &Qwen2Audio) -> Qwen2Audio {
    let copy = frozen_copy(model);
    copy.params().require_grad();
    copy
}

/// One case of `cases.json`: ids from the reference, features from this program.
pub struct Case {
    pub name: String,
    pub text: String,
    pub prompt: String,
    pub clips: Vec<String>,
    pub ids: Vec<i64>,
    pub features: Vec<Features>,
}

impl Case {
    pub fn audio(&self) -> Vec<&Features> {
        self.features.iter().collect()
    }
}

/// The cases in the order of the reference's batch.
pub fn cases() -> Vec<Case> {
    let inputs = Tensors::load("inputs.safetensors");
    let (file, field) = (json("cases.json"), |v: &Value, key: &str| v[key].as_str().unwrap().to_owned());
    let all = file["cases"].as_array().unwrap().iter().map(|case| {
        let clips: Vec<String> = texts(&case["clips"]).into_iter().map(str::to_owned).collect();
        Case {
            ids: inputs.ids(&format!("{}.input_ids", case["name"].as_str().unwrap())),
            features: clips.iter().map(|clip| clip_features(clip)).collect(),
            name: field(case, "name"),
            text: field(case, "text"),
            prompt: field(case, "prompt"),
            clips,
        }
    });
    let all: Vec<Case> = all.collect();
    let order: Vec<&str> = all.iter().map(|case| case.name.as_str()).collect();
    assert_eq!(order, texts(&file["batch"]));
    all
}

pub fn case(name: &str) -> Case {
    cases().into_iter().find(|case| case.name == name).unwrap()
}

fn clip_features(name: &str) -> Features {
    audio::features(&audio::load(&fixture("clips").join(format!("{name}.wav"))).unwrap())
}

/// The reference's own features of a clip, where a comparison is to leave ours out.
pub fn reference_features(inputs: &Tensors, clip: &str) -> Features {
    let values = inputs.get(&format!("clip.{clip}.input_features"));
    Features {
        valid_frames: inputs.number(&format!("clip.{clip}.frames")) as usize,
        frames: values.size()[1] as usize,
        values: Vec::try_from(&values.reshape([-1])).unwrap(),
        padding: inputs.number(&format!("clip.{clip}.pad_value")) as f32,
    }
}

/// Hidden states `[B, T, hidden]` of left-padded prompts, T the longest.
pub fn prompt_hidden(model: &Qwen2Audio, cases: &[&Case]) -> Tensor {
    let rows: Vec<Vec<i64>> = cases.iter().map(|case| case.ids.clone()).collect();
    let clips: Vec<&Features> = cases.iter().flat_map(|case| &case.features).collect();
    let batch = LeftPadded::new(&rows, PAD);
    let embeds = model.embed(&batch.ids, Some(&model.encode_audio(&clips).unwrap())).unwrap();
    let (positions, mask) = (batch.position_ids(Device::Cpu), batch.prefill_mask(Device::Cpu));
    model.language().forward(&embeds, &positions, &mask, None, None)
}

/// The largest difference of two tensors of one shape; NaN counts as infinite.
pub fn difference(found: &Tensor, expected: &Tensor) -> f64 {
    assert_eq!(found.size(), expected.size());
    let pairs = numbers(found).into_iter().zip(numbers(expected));
    pairs
        .map(|(a, b)| if a == b { 0.0 } else { (a - b).abs() })
        .fold(0.0, |worst: f64, d| if d.is_nan() { f64::INFINITY } else { worst.max(d) })
}

pub fn largest(tensor: &Tensor) -> f64 {
    numbers(tensor).into_iter().map(f64::abs).fold(0.0, f64::max)
}

/// Holds the largest difference of two tensors to a row of `tests/parity/table.tsv`.
pub fn close(row: &str, what: &str, found: &Tensor, expected: &Tensor) {
    within(row, what, expected.numel(), difference(found, expected));
}

/// The same in parts of the expected tensor's largest entry.
pub fn close_to_largest(row: &str, what: &str, found: &Tensor, expected: &Tensor) {
    within(row, what, expected.numel(), difference(found, expected) / largest(expected));
}

/// Gradients of the trainable parameters by name; every one of them must have taken part.
pub fn gradients(model: &Qwen2Audio) -> BTreeMap<String, Tensor> {
    let take = |(name, tensor): (&String, &Tensor)| {
        let gradient = tensor.grad();
        assert!(gradient.defined(), "{name} has no gradient");
        (name.clone(), gradient.detach().copy())
    };
    model.params().trainable().map(take).collect()
}

/// The number type as a word.
pub fn dtype_of(name: &str) -> Dtype {
    Config::load(&checkpoint_dir(name)).unwrap().dtype
}
