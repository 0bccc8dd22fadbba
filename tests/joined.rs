//! Weights side by side, as they stand on a GPU: one product for layers of one input while no gradient is wanted, the same model otherwise.
#![cfg(feature = "torch")]

mod support;

use aqa_bench::model::Qwen2Audio;
use aqa_bench::recipe::{Numerics, Optimizer};
use aqa_bench::train::logps::{Group, completion_logprobs};
use aqa_bench::train::optimizer::{AdamW, Sums};
use support::*;
use tch::{Device, Kind, Tensor, no_grad};

fn packed(model: &Qwen2Audio) -> Qwen2Audio {
    let params = model.params().deep_copy().packed(model.config());
    Qwen2Audio::new(model.config().clone(), params, Device::Cpu).unwrap()
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
        let hidden = |model: &Qwen2Audio| no_grad(|| prompt_hidden(model, &all));
        assert!(close(&hidden(&joined), &hidden(&own)), "{name}");
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
    let before = no_grad(|| prompt_hidden(&joined, &[&case]));
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
    let (after, wanted) = no_grad(|| (prompt_hidden(&joined, &[&case]), prompt_hidden(&own, &[&case])));
    assert!(close(&after, &wanted));
    assert!(!close(&after, &before), "the update was seen");
}
