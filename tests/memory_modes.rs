//! Ways of spending memory: each gives the numbers of the plain way, bit for bit where it is called exact.
#![cfg(feature = "torch")]

mod support;

use aqa_bench::model::Qwen2Audio;
use aqa_bench::model::lora::Adapters;
use aqa_bench::recipe::{Activations, Lora, Master, Memory, Moments, Numerics, Optimizer, Place};
use aqa_bench::train::head;
use aqa_bench::train::logps::{Group, Logprobs, Scoring, completion_logprobs};
use aqa_bench::train::optimizer::{AdamW, Sums};
use aqa_bench::train::recompute;
use aqa_bench::train::streamed::Streamed;
use std::collections::BTreeMap;
use support::*;
use tch::{Device, Kind, Tensor, no_grad};

const ADAM: Optimizer =
    Optimizer { learning_rate: 1e-3, beta1: 0.9, beta2: 0.999, eps: 1e-8, weight_decay: 0.1, max_grad_norm: 0.5 };
const NUMERICS: Numerics = Numerics::Fp32Logprobs;
/// Completions of every question; ids that every fixture's vocabulary has.
const COMPLETIONS: [&[i64]; 3] = [&[65, 66, 67, 68, 270], &[80, 81], &[90, 91, 92]];

fn group(case: &Case) -> Group<'_> {
    Group { prompt: &case.ids, audio: case.audio(), completions: COMPLETIONS.to_vec() }
}

/// The questions in two parts, as a step with a micro-batch has them.
fn parts(cases: &[Case]) -> Vec<Vec<Group<'_>>> {
    cases.chunks(3).map(|some| some.iter().map(group).collect()).collect()
}

/// A loss with terms of both signs, so that nothing cancels out of sight.
fn loss(scored: &Logprobs) -> Tensor {
    let n = scored.logprobs.numel() as i64;
    let weights =
        Tensor::arange(n, (scored.logprobs.kind(), Device::Cpu)).cos().view(scored.logprobs.size().as_slice());
    (&scored.logprobs * &scored.mask * weights).sum(scored.logprobs.kind()) / 5.0
}

/// Losses and gradients of a step in two parts.
fn gradients(model: &Qwen2Audio, activations: Activations, rows: i64) -> (Vec<f64>, BTreeMap<String, Tensor>) {
    let (cases, mut optimizer) = (cases(), AdamW::new(model.params(), &ADAM));
    let scoring = Scoring { numerics: NUMERICS, rows };
    let mut one = |groups: Vec<Group<'_>>| one_part(model, &groups, activations, scoring, &mut optimizer);
    let losses = parts(&cases).into_iter().map(&mut one).collect();
    (losses, optimizer.gradients())
}

fn one_part(
    model: &Qwen2Audio,
    groups: &[Group<'_>],
    activations: Activations,
    scoring: Scoring,
    optimizer: &mut AdamW,
) -> f64 {
    let training = (optimizer, Sums::Float32);
    let (_, loss) = match activations {
        Activations::Recompute => recompute::backward(model, groups, PAD, scoring, training, loss).unwrap(),
        Activations::Keep => head::keep(model, groups, PAD, scoring, training, loss).unwrap(),
    };
    loss.double_value(&[])
}

/// Some rows of logits at a time, in either mode: the same log-probabilities, and gradients that differ by the order of the sums over rows.
#[test]
fn logits_some_rows_at_a_time_give_the_same_loss_and_gradients() {
    for (name, allowed) in [("mha", 1e-5), ("tied", 1e-5), ("bf16", 1e-2)] {
        let model = trainable(&checkpoint(name).model);
        let (losses, whole) = gradients(&model, Activations::Keep, i64::MAX);
        for (activations, rows) in [(Activations::Keep, 4), (Activations::Recompute, 4), (Activations::Keep, 1)] {
            let (found, some) = gradients(&model, activations, rows);
            for (a, b) in losses.iter().zip(&found) {
                assert!((a - b).abs() <= 1e-6 * a.abs(), "{name}: {a} and {b}");
            }
            assert_eq!(whole.len(), some.len());
            for (key, gradient) in &whole {
                let apart = difference(gradient, &some[key]) / gradient.abs().max().double_value(&[]);
                assert!(apart <= allowed, "{name}: {key} differs by {apart:e} with {rows} rows");
            }
        }
        let cases = cases();
        let scored = |rows| {
            let scoring = Scoring { numerics: NUMERICS, rows };
            let groups: Vec<Group<'_>> = cases.iter().map(group).collect();
            no_grad(|| completion_logprobs(&model, &groups, PAD, scoring)).unwrap()
        };
        let (whole, some) = (scored(i64::MAX), scored(3));
        assert!(difference(&whole.logprobs, &some.logprobs) <= 1e-5 && (whole.entropy - some.entropy).abs() < 1e-5);
    }
}

/// A tied embedding takes its gradient from both ends: the only sum whose order differs.
#[test]
fn recomputed_activations_give_the_same_loss_and_gradients() {
    for name in ["mha", "gqa", "tied", "bf16"] {
        let model = trainable(&checkpoint(name).model);
        let (losses, kept) = gradients(&model, Activations::Keep, 512);
        let (again, recomputed) = gradients(&model, Activations::Recompute, 512);
        assert_eq!(losses, again, "{name}");
        assert!(losses.iter().all(|loss| loss.abs() > 1e-3));
        assert_eq!(kept.keys().collect::<Vec<_>>(), recomputed.keys().collect::<Vec<_>>());
        assert_eq!(kept.len(), model.params().trainable().count(), "every parameter has a gradient");
        for (key, gradient) in &kept {
            let apart = difference(gradient, &recomputed[key]);
            let allowed = if name == "tied" && key.contains("embed_tokens") { 1e-6 } else { 0.0 };
            assert!(apart <= allowed, "{name}: {key} differs by {apart:e}");
        }
    }
}

#[test]
fn adapters_recompute_too_wherever_they_sit() {
    let model = checkpoint("gqa").model;
    for targets in [vec!["all-linear"], vec!["q_proj"], vec!["language_model.model.layers.1.mlp.down_proj"]] {
        let lora = Lora { rank: 3, alpha: 6.0, targets: targets.iter().map(|t| (*t).to_owned()).collect() };
        let adapters = Adapters::new(model.config(), &lora, 1, "test", Device::Cpu).unwrap();
        // B starts at zero, where A has no gradient.
        adapters.iter().for_each(|(_, tensor)| _ = tensor.shallow_clone().g_add_scalar_(0.01));
        let model = model.with_adapters(adapters).unwrap();
        model.params().require_grad();
        let (losses, kept) = gradients(&model, Activations::Keep, 512);
        let (again, recomputed) = gradients(&model, Activations::Recompute, 512);
        assert_eq!((losses, kept.len()), (again, recomputed.len()));
        for (key, gradient) in &kept {
            assert!(gradient.equal(&recomputed[key]), "{targets:?}: {key}");
        }
    }
}

#[test]
fn a_streamed_reference_says_what_a_whole_one_says() {
    for name in ["mha", "gqa", "tied", "bf16"] {
        let (model, cases) = (checkpoint(name).model, cases());
        let parts = parts(&cases);
        assert!(parts.len() >= 2);
        let streamed = Streamed::new(&model, Device::Cpu).logprobs(&parts, PAD, NUMERICS).unwrap();
        for (groups, streamed) in parts.iter().zip(streamed) {
            let whole = no_grad(|| completion_logprobs(&model, groups, PAD, NUMERICS)).unwrap().logprobs;
            assert!(whole.equal(&streamed) && !streamed.requires_grad(), "{name}");
        }
    }
}

/// Parameters and losses of some steps. `resumed`: halfway everything is written down and taken up by a new optimizer.
fn trained(name: &str, memory: &Memory, resumed: bool) -> (Vec<f64>, Vec<(String, Tensor)>) {
    let model = trainable(&checkpoint(name).model);
    let (cases, mut losses) = (cases(), Vec::new());
    let mut optimizer = AdamW::with_memory(model.params(), &ADAM, memory);
    for step in 0..6 {
        if resumed && step == 3 {
            let state = optimizer.state().into_iter().map(|(name, tensor)| (name, tensor.copy())).collect();
            optimizer = AdamW::with_memory(model.params(), &ADAM, memory);
            optimizer.restore(&state).unwrap();
        }
        for groups in parts(&cases) {
            losses.push(one_part(&model, &groups, memory.activations, NUMERICS.into(), &mut optimizer));
        }
        assert!(optimizer.clip().unwrap() > 0.0);
        // Small enough that most updates are below one step of bfloat16.
        optimizer.step(2e-4);
    }
    (losses, model.params().trainable().map(|(n, t)| (n.clone(), t.detach().copy())).collect())
}

#[test]
fn exact_modes_train_to_the_same_bits_also_when_resumed() {
    let split = Memory { master: Master::Split, ..Memory::default() };
    let host = Memory { optimizer: Place::Host, ..Memory::default() };
    let everything = Memory { activations: Activations::Recompute, ..split };
    for (name, modes) in [("bf16", vec![Memory::default(), split, host, everything]), ("gqa", vec![host])] {
        let (losses, plain) = trained(name, &Memory::default(), false);
        assert!(losses[0] != losses[losses.len() - 2], "it trains");
        for memory in modes {
            for resumed in [false, true] {
                let (again, params) = trained(name, &memory, resumed);
                assert_eq!(losses, again, "{name} {memory:?}");
                for ((key, a), (_, b)) in plain.iter().zip(&params) {
                    assert!(a.equal(b), "{name} {memory:?}: {key}");
                }
            }
        }
    }
}

/// Not exact: the path is near. The loss falls by 100 parts, of which 8-bit moments may miss ten.
#[test]
fn eight_bit_moments_train_to_nearly_the_same_loss() {
    for name in ["gqa", "bf16"] {
        let coded = Memory { moments: Moments::Int8, ..Memory::default() };
        let ((plain, _), (coded_losses, params)) =
            (trained(name, &Memory::default(), false), trained(name, &coded, false));
        let fall = (plain[0] - plain[plain.len() - 2]).abs();
        for (step, (a, b)) in plain.iter().zip(&coded_losses).enumerate() {
            assert!((a - b).abs() < 0.1 * fall, "{name} step {step}: {a} against {b}, of a fall of {fall}");
        }
        assert!(plain != coded_losses, "8 bits are not exact");
        let (_, again) = trained(name, &coded, true);
        for ((key, a), (_, b)) in params.iter().zip(&again) {
            assert!(a.equal(b), "{name}: {key}: a resume changes nothing");
        }
    }
}

/// A state of one form is not taken for another's.
#[test]
fn a_state_of_another_form_is_refused_by_the_name_of_what_is_missing() {
    let model = trainable(&checkpoint("bf16").model);
    let of = |memory: &Memory| AdamW::with_memory(model.params(), &ADAM, memory);
    let (split, coded) =
        (Memory { master: Master::Split, ..Memory::default() }, Memory { moments: Moments::Int8, ..Memory::default() });
    let state = of(&Memory::default()).state();
    for (memory, part) in [(split, "master_low."), (coded, ".codes is missing")] {
        let error = of(&memory).restore(&state).unwrap_err().to_string();
        assert!(error.contains(part), "{error}");
    }
    let kinds: Vec<Kind> = of(&coded).state().values().map(Tensor::kind).collect();
    assert!(kinds.contains(&Kind::Int8) && kinds.contains(&Kind::Uint8));
}
