//! Weights side by side, as they stand on a GPU: one product for layers of one input while no gradient is wanted, the same model otherwise.
#![cfg(feature = "torch")]

mod support;

use aqa_bench::model::Qwen2Audio;
use aqa_bench::model::layers::{Joined, Linear};
use aqa_bench::recipe::{Numerics, Optimizer};
use aqa_bench::seeds::Key;
use aqa_bench::train::logps::{Group, completion_logprobs};
use aqa_bench::train::optimizer::{AdamW, Sums};
use support::*;
use tch::{Device, Kind, Tensor, no_grad};

fn packed(model: &Qwen2Audio) -> Qwen2Audio {
    let params = model.params().deep_copy().packed(model.config());
    Qwen2Audio::new(model.config().clone(), params, Device::Cpu).unwrap()
}

/// What the layers of one input of the first block give to many rows in decoding, where they are one product: q, k and v with their biases, gate and up.
fn decoded(model: &Qwen2Audio) -> Tensor {
    let name = |part: &str| format!("language_model.model.layers.0.{part}");
    let biased = |part: &str| Linear::with_bias(model.params(), &name(part)).unwrap();
    let plain = |part: &str| Linear::no_bias(model.params(), &name(part)).unwrap();
    let attention = Joined::new(["q_proj", "k_proj", "v_proj"].map(|p| biased(&format!("self_attn.{p}"))));
    let mlp = Joined::new(["gate_proj", "up_proj"].map(|p| plain(&format!("mlp.{p}"))));
    // More rows than the CPU's own kernel takes.
    let hidden = model.config().text.hidden_size;
    let values: Vec<f32> = (0..200 * hidden).map(|i| Key::derive(5, "rows", &[]).normal(i as u64, 0) as f32).collect();
    let x = Tensor::from_slice(&values).view([200, hidden]);
    let (separate, joined) = no_grad(|| ((attention.forward(&x), mlp.forward(&x)), (attention.few(&x), mlp.few(&x))));
    let one = |(attention, mlp): ([Tensor; 3], [Tensor; 2])| {
        Tensor::cat(&attention.iter().chain(&mlp).collect::<Vec<_>>(), 1)
    };
    let (separate, joined) = (one(separate), one(joined));
    assert!(close(&joined, &separate));
    joined
}

fn at(model: &Qwen2Audio, name: &str) -> usize {
    model.params().get(&format!("language_model.model.layers.0.{name}")).unwrap().data_ptr() as usize
}

fn close(found: &Tensor, expected: &Tensor) -> bool {
    difference(found, expected) <= 1e-5 * expected.abs().max().double_value(&[])
}

#[test]
fn weights_side_by_side_are_the_same_model() {
    for name in ["mha", "gqa"] {
        let own = checkpoint(name).model;
        let joined = packed(&own);
        for (name, tensor) in own.params().iter() {
            assert!(tensor.equal(&joined.params().get(name).unwrap()), "{name}");
        }
        let gate = joined.params().get("language_model.model.layers.0.mlp.gate_proj.weight").unwrap();
        assert_eq!(at(&joined, "mlp.up_proj.weight"), at(&joined, "mlp.gate_proj.weight") + 4 * gate.numel());
        let cases = cases();
        let all: Vec<&Case> = cases.iter().collect();
        assert!(close(&decoded(&joined), &decoded(&own)), "{name}");
        let prompts = |model: &Qwen2Audio| no_grad(|| prompt_hidden(model, &all));
        assert!(prompts(&joined).equal(&prompts(&own)), "{name}: many rows take a product a layer, as with gradients");
    }
}

/// The joined tensor is the parameters' own memory: an update is seen at once, and gradients reach each part.
#[test]
fn training_changes_what_the_joined_product_reads() {
    let own = checkpoint("mha").model;
    let (own, joined) = (trainable(&own), packed(&own));
    joined.params().require_grad();
    let case = case("half");
    let settings =
        Optimizer { learning_rate: 1e-2, beta1: 0.9, beta2: 0.999, eps: 1e-8, weight_decay: 0.0, max_grad_norm: 1.0 };
    let before = decoded(&joined);
    let mut seen = Vec::new();
    for model in [&own, &joined] {
        let groups = [Group { prompt: &case.ids, audio: case.audio(), completions: vec![&[7, 9, 11], &[8, 12]] }];
        let scored = completion_logprobs(model, &groups, PAD, Numerics::Fp32Logprobs).unwrap();
        let mut optimizer = AdamW::new(model.params(), &settings);
        optimizer.backward(&-scored.logprobs.sum(Kind::Float), Sums::Own);
        seen.push(optimizer.gradients());
        optimizer.clip().unwrap();
        optimizer.step(1e-2);
    }
    assert_eq!(seen[0].len(), seen[1].len());
    for (name, gradient) in &seen[0] {
        assert!(
            gradient.equal(&seen[1][name]),
            "{name}: with gradients the layers are computed one by one, to the same bits"
        );
    }
    let (after, wanted) = (decoded(&joined), decoded(&own));
    assert!(close(&after, &wanted));
    assert!(!close(&after, &before), "the update was seen");
}
