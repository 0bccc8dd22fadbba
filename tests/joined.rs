//! Weights side by side, as they stand on a GPU: one product for layers of one input while no gradient is wanted, the same model otherwise.
#![cfg(feature = "torch")]

mod support;

use aqa_bench::audio::Features;
use aqa_bench::model::Qwen2Audio;
use aqa_bench::model::kv_cache::KvCache;
use aqa_bench::model::mask::LeftPadded;
use aqa_bench::recipe::{Numerics, Optimizer};
use aqa_bench::train::logps::{Group, completion_logprobs};
use aqa_bench::train::optimizer::{AdamW, Sums};
use support::*;
use tch::{Device, Kind, Tensor, no_grad};

fn packed(model: &Qwen2Audio) -> Qwen2Audio {
    let params = model.params().deep_copy().packed(model.config());
    Qwen2Audio::new(model.config().clone(), params, Device::Cpu).unwrap()
}

/// Hidden states of two decoded tokens behind each prompt, which is where layers of one input are one product; float64, for which the CPU's own kernel
/// is not made.
fn decoded(model: &Qwen2Audio, cases: &[&Case]) -> Tensor {
    let rows: Vec<Vec<i64>> = cases.iter().map(|case| case.ids.clone()).collect();
    let clips: Vec<&Features> = cases.iter().flat_map(|case| &case.features).collect();
    let batch = LeftPadded::new(&rows, PAD);
    let mut cache = KvCache::new(&batch, Device::Cpu);
    no_grad(|| {
        let embeds = model.embed(&batch.ids, Some(&model.encode_audio(&clips).unwrap())).unwrap();
        let (positions, mask) = (batch.position_ids(Device::Cpu), batch.prefill_mask(Device::Cpu));
        model.language().forward(&embeds, &positions, &mask, None, Some(&mut cache));
        cache.start(&model.config().text, (0..rows.len() as i64).collect(), 4, model.kind());
        let step = |id: i64, cache: &mut KvCache| {
            model.language().decode(&Tensor::from_slice(&vec![id; rows.len()]).unsqueeze(1), cache)
        };
        Tensor::stack(&[step(7, &mut cache), step(9, &mut cache)], 0)
    })
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
        let own = in_kind(&checkpoint(name).model, Kind::Double);
        let joined = packed(&own);
        for (name, tensor) in own.params().iter() {
            assert!(tensor.equal(&joined.params().get(name).unwrap()), "{name}");
        }
        let gate = joined.params().get("language_model.model.layers.0.mlp.gate_proj.weight").unwrap();
        assert_eq!(at(&joined, "mlp.up_proj.weight"), at(&joined, "mlp.gate_proj.weight") + 8 * gate.numel());
        let cases = cases();
        let all: Vec<&Case> = cases.iter().collect();
        assert!(close(&decoded(&joined, &all), &decoded(&own, &all)), "{name}");
        let prompts = |model: &Qwen2Audio| no_grad(|| prompt_hidden(model, &all));
        assert!(prompts(&joined).equal(&prompts(&own)), "{name}: many rows take a product a layer, as with gradients");
    }
}

/// The joined tensor is the parameters' own memory: an update is seen at once, and gradients reach each part.
#[test]
fn training_changes_what_the_joined_product_reads() {
    let own = in_kind(&checkpoint("mha").model, Kind::Double);
    let (own, joined) = (trainable(&own), packed(&own));
    joined.params().require_grad();
    let case = case("half");
    let settings =
        Optimizer { learning_rate: 1e-2, beta1: 0.9, beta2: 0.999, eps: 1e-8, weight_decay: 0.0, max_grad_norm: 1.0 };
    let before = decoded(&joined, &[&case]);
    let mut seen = Vec::new();
    for model in [&own, &joined] {
        let groups = [Group { prompt: &case.ids, audio: case.audio(), completions: vec![&[7, 9, 11], &[8, 12]] }];
        let scored = completion_logprobs(model, &groups, PAD, Numerics::Fp32Logprobs).unwrap();
        let mut optimizer = AdamW::new(model.params(), &settings);
        optimizer.backward(&-scored.logprobs.sum(Kind::Double), Sums::Own);
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
    let (after, wanted) = (decoded(&joined, &[&case]), decoded(&own, &[&case]));
    assert!(close(&after, &wanted));
    assert!(!close(&after, &before), "the update was seen");
}
