//! LoRA is peft 0.14.0's: forward, gradients of SFT and GRPO, one update, merge; fixtures `tests/parity/model/lora-*.safetensors`, `lora.json` and
//! `adapters/`, made by `tests/parity/model/py/lora.py`.
#![cfg(feature = "torch")]

mod support;

use aqa_bench::error::Kind as ErrorKind;
use aqa_bench::model::lora::{ALL_LINEAR, Adapters, matched};
use aqa_bench::model::{Qwen2Audio, checkpoint::Checkpoint};
use aqa_bench::recipe::{Lora, Numerics, Optimizer};
use aqa_bench::train::logps::completion_logprobs;
use aqa_bench::train::optimizer::AdamW;
use std::path::PathBuf;
use support::rollouts::Run;
use support::*;
use tch::{Device, Kind, Tensor, no_grad};

fn settings() -> Lora {
    let file = json("lora.json");
    let targets = texts(&file["targets"]).into_iter().map(str::to_owned).collect();
    Lora { rank: file["rank"].as_u64().unwrap() as usize, alpha: file["alpha"].as_f64().unwrap(), targets }
}

fn adapters_of(name: &str, model: &Qwen2Audio) -> Adapters {
    let dir = fixture("adapters").join(name);
    Adapters::load(&dir, model.config(), &settings(), Device::Cpu).unwrap()
}

/// A fixture checkpoint with the fixture's adapters on it, which take gradients.
fn adapted(name: &str) -> Checkpoint {
    let mut policy = checkpoint(name);
    policy.model = policy.model.with_adapters(adapters_of(name, &policy.model)).unwrap();
    policy.model.params().require_grad();
    policy
}

fn logits(model: &Qwen2Audio, name: &str) -> Tensor {
    let case = case(name);
    no_grad(|| model.language().logits(&prompt_hidden(model, &[&case]).select(1, -1))).squeeze_dim(0)
}

#[test]
fn targets_match_the_layers_that_peft_matches() {
    let file = json("lora.json");
    let config = checkpoint("gqa").model.config().clone();
    for (targets, expected) in [(settings().targets, "modules"), (vec![ALL_LINEAR.to_owned()], "all-linear")] {
        let mut found: Vec<String> =
            matched(&config, &targets).unwrap().into_iter().map(|(module, _)| module).collect();
        found.sort();
        let wanted: Vec<String> = texts(&file[expected]).into_iter().map(str::to_owned).collect();
        within("lora/layers", &format!("{expected}: {found:?}"), wanted.len(), differing(&found, &wanted));
    }
    // The end of a name only behind a dot; a tied head and an embedding are no layers.
    assert!(matched(&config, &["proj".to_owned()]).is_err());
    let tied = checkpoint("tied").model.config().clone();
    for (config, target) in [(&config, "q_prj"), (&config, "embed_tokens"), (&config, "conv1"), (&tied, "lm_head")] {
        let error = matched(config, &["v_proj".to_owned(), target.to_owned()]).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Request);
        assert!(error.to_string().contains(&format!("found {target:?}")), "{error}");
    }
}

#[test]
fn logits_with_adapters_are_peft_s_and_without_them_the_base_s() {
    for (name, row) in [("gqa", "lora/forward"), ("bf16", "lora/forward-bfloat16")] {
        let theirs = Tensors::load(&format!("lora-{name}.safetensors"));
        let model = adapted(name).model;
        let base = model.without_adapters().unwrap();
        for case in ["odd", "one"] {
            let (with, without) = (theirs.get(&format!("{case}.logits")), theirs.get(&format!("{case}.base_logits")));
            assert!(difference(with, without) > 0.5 * largest(without), "the adapters change nothing");
            close_to_largest(row, &format!("{name} {case}"), &logits(&model, case), with);
            close_to_largest(row, &format!("{name} {case}, disabled"), &logits(&base, case), without);
        }
    }
}

/// A policy's gradients by the name that peft gives each adapter, zeroed afterwards.
fn take_gradients(model: &Qwen2Audio) -> Vec<(String, Tensor)> {
    let found = gradients(model);
    for (_, tensor) in model.params().trainable() {
        let _ = tensor.grad().zero_();
    }
    found.into_iter().map(|(name, tensor)| (format!("base_model.model.{name}"), tensor)).collect()
}

#[test]
fn gradients_and_one_update_are_peft_s() {
    let theirs = Tensors::load("lora-gqa.safetensors");
    let mut run = Run::new("gqa", false);
    run.model = run.model.with_adapters(adapters_of("gqa", &run.model)).unwrap();
    let frozen = |model: &Qwen2Audio| model.params().iter().all(|(_, tensor)| !tensor.grad().defined());
    for (_, tensor) in run.model.params().iter() {
        let _ = tensor.set_requires_grad(false);
    }
    run.model.params().require_grad();

    let sums = run.sft_sums();
    let tokens: usize = run.targets.iter().map(Vec::len).sum();
    let sft = sums.sum(Kind::Float) / tokens as f64;
    within("lora/loss", "SFT", 1, (sft.double_value(&[]) / theirs.number("sft.loss") - 1.0).abs());
    sft.backward();
    for (name, found) in take_gradients(&run.model) {
        close_to_largest("lora/gradients", &name, &found, theirs.get(&format!("sft.grad.{name}")));
    }
    let (loss, _) = run.loss(&[0, 1]);
    within("lora/loss", "GRPO", 1, (loss.double_value(&[]) - theirs.number("grpo.loss")).abs() / run.scale());
    loss.backward();
    assert!(frozen(&run.model), "weights below adapters take no gradient");

    let kept = gradients(&run.model);
    assert_eq!(kept.len(), 28);
    for (name, found) in &kept {
        let theirs = theirs.get(&format!("grpo.grad.base_model.model.{name}"));
        close_to_largest("lora/gradients", name, found, theirs);
    }
    let adam =
        Optimizer { learning_rate: 1e-3, beta1: 0.9, beta2: 0.999, eps: 1e-8, weight_decay: 0.0, max_grad_norm: 1.0 };
    let mut optimizer = AdamW::new(run.model.params(), &adam);
    let norm = optimizer.clip().unwrap();
    within("train/grad-norm", "adapters", 1, (norm / theirs.number("update.grad_norm") - 1.0).abs());
    optimizer.step(1e-3);
    for (name, found) in run.model.params().adapters().unwrap().iter() {
        let (start, end) = (format!("initial.base_model.model.{name}"), format!("update.base_model.model.{name}"));
        assert!(difference(&found.detach(), theirs.get(&start)) > 1e-4, "{name} did not move");
        close("lora/update", name, &found.detach(), theirs.get(&end));
    }
    // And the update, merged.
    let merged = run.model.params().merged();
    for module in texts(&json("lora.json")["modules"]) {
        let found = merged.get(&format!("{module}.weight")).unwrap();
        close("lora/merge", module, &found, theirs.get(&format!("merged.{module}")));
    }
    let merged = Qwen2Audio::new(run.model.config().clone(), merged, Device::Cpu).unwrap();
    close_to_largest("lora/forward", "merged", &logits(&merged, "odd"), theirs.get("merged.odd.logits"));
}

/// The fixture merges after its update, so ours takes the updated adapters from it. A sum in another order turns a rounding now and then: one
/// step of bfloat16, in less than one weight of a thousand.
#[test]
fn bfloat16_weights_merge_to_the_same_numbers() {
    let theirs = Tensors::load("lora-bf16.safetensors");
    let model = adapted("bf16").model;
    no_grad(|| {
        for (name, tensor) in model.params().adapters().unwrap().iter() {
            assert_eq!(tensor.kind(), Kind::Float, "adapters are float32 beside bfloat16 weights");
            tensor.shallow_clone().copy_(theirs.get(&format!("update.base_model.model.{name}")));
        }
    });
    let merged = model.params().merged();
    let (mut turned, mut all) = (0.0, 0);
    for module in texts(&json("lora.json")["modules"]) {
        let found = merged.get(&format!("{module}.weight")).unwrap();
        assert_eq!(found.kind(), Kind::BFloat16);
        let (found, wanted) = (numbers(&found), numbers(theirs.get(&format!("merged.{module}"))));
        let apart = found.iter().zip(&wanted).map(|(a, b)| (a - b).abs() / b.abs().max(f64::MIN_POSITIVE));
        within("lora/merge-bfloat16", module, wanted.len(), apart.fold(0.0, f64::max));
        turned += differing(&found, &wanted);
        all += wanted.len();
    }
    assert!(turned <= all as f64 / 1000.0, "{turned} of {all} weights differ");
}

/// Fresh adapters change nothing, depend on the seed and the stage alone, and are drawn within peft's bounds.
#[test]
fn fresh_adapters_leave_the_model_as_it_was() {
    let model = checkpoint("mha").model;
    let fresh = |seed, stage: &str| Adapters::new(model.config(), &settings(), seed, stage, Device::Cpu).unwrap();
    let with = model.with_adapters(fresh(3, "sft")).unwrap();
    assert!(logits(&with, "odd").equal(&logits(&model, "odd")));
    let (same, seed, stage) = (fresh(3, "sft"), fresh(4, "sft"), fresh(3, "other"));
    for (name, tensor) in with.params().adapters().unwrap().iter() {
        let of = |other: &Adapters| other.iter().find(|(n, _)| *n == name).unwrap().1.shallow_clone();
        assert!(of(&same).equal(tensor));
        if name.contains("lora_A") {
            assert!(!of(&seed).equal(tensor) && !of(&stage).equal(tensor), "{name}");
            let bound = 1.0 / (tensor.size()[1] as f64).sqrt();
            assert!(largest(tensor) <= bound && largest(tensor) > 0.8 * bound, "{name}");
        } else {
            assert_eq!(largest(tensor), 0.0, "{name}");
        }
    }
}

#[test]
fn a_checkpoint_holds_the_merged_weights_and_the_adapters_by_themselves() {
    let policy = adapted("gqa");
    let dir = tempfile::tempdir().unwrap();
    policy.save(dir.path()).unwrap();
    let back = Checkpoint::load(dir.path(), dtype_of("gqa"), Device::Cpu).unwrap();
    assert!(back.model.params().adapters().is_none(), "a merged checkpoint is an ordinary one");
    let (found, kept) = (logits(&back.model, "odd"), logits(&policy.model, "odd"));
    assert!(difference(&found, &kept) < 1e-5 * largest(&kept), "merged weights compute what weights and adapters do");
    let adapter = dir.path().join("adapter");
    let read = Adapters::load(&adapter, policy.model.config(), &settings(), Device::Cpu).unwrap();
    for ((name, tensor), (_, kept)) in read.iter().zip(policy.model.params().adapters().unwrap().iter()) {
        assert!(tensor.equal(kept), "{name}");
    }

    let other = Lora { rank: 8, ..settings() };
    let error = Adapters::load(&adapter, policy.model.config(), &other, Device::Cpu).unwrap_err().to_string();
    assert!(error.contains("expected shape [8, 16], found [4, 16]"), "{error}");
    let fewer = Lora { targets: vec!["q_proj".into()], ..settings() };
    let error = Adapters::load(&adapter, policy.model.config(), &fewer, Device::Cpu).unwrap_err().to_string();
    assert!(error.contains("not an adapter of this recipe's lora.targets"), "{error}");
    let more = Lora { targets: vec![ALL_LINEAR.into()], ..settings() };
    let error = Adapters::load(&adapter, policy.model.config(), &more, Device::Cpu).unwrap_err().to_string();
    assert!(error.contains("which is missing"), "{error}");
    let nowhere = Adapters::load(&PathBuf::from("no/such"), policy.model.config(), &settings(), Device::Cpu);
    assert_eq!(nowhere.unwrap_err().kind(), ErrorKind::Inputs);
}

/// Trained through the packed rows that training uses, an adapted policy and its frozen start share their weights.
#[test]
fn the_reference_of_an_adapted_policy_shares_its_weights() {
    let policy = adapted("gqa");
    let reference = policy.model.without_adapters().unwrap();
    for (name, tensor) in reference.params().iter() {
        assert_eq!(tensor.data_ptr(), policy.model.params().get(name).unwrap().data_ptr(), "{name}");
    }
    let run = Run::new("gqa", false);
    let groups = run.questions(&[0]);
    let of = |model: &Qwen2Audio| {
        no_grad(|| completion_logprobs(model, &groups, PAD, Numerics::Fp32Logprobs)).unwrap().logprobs
    };
    assert!(difference(&of(&policy.model), &of(&reference)) > 0.1);
}
