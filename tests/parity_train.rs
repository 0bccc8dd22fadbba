//! Advantages, GRPO loss, log-probabilities, gradients, updates and data order are those of trl 0.15.2, transformers 4.49.0 and torch
//! 2.11.0. Fixtures, how they were made, and why the tolerances are what they are: `tests/parity/model/README.md`.
#![cfg(feature = "torch")]

mod support;

use aqa_bench::model::Qwen2Audio;
use aqa_bench::model::params::{EMBED_POSITIONS, Params};
use aqa_bench::pins::Sha256;
use aqa_bench::recipe::{Numerics, Optimizer, Schedule, Shape};
use aqa_bench::train::logps::token_logprobs;
use aqa_bench::train::optimizer::AdamW;
use aqa_bench::train::schedule::learning_rate;
use aqa_bench::train::{grpo, order};
use std::collections::BTreeMap;
use support::rollouts::{BETA, GROUP, Run, advantages};
use support::*;
use tch::{Kind, Tensor};

fn settings() -> Optimizer {
    Optimizer { learning_rate: 1e-3, beta1: 0.9, beta2: 0.999, eps: 1e-8, weight_decay: 0.0, max_grad_norm: 1.0 }
}

const SCHEDULE: Schedule = Schedule { shape: Shape::Linear, warmup_steps: 0, total_steps: 5 };

/// float64 1e-9; float32 1e-5 of `scale`, the loss with every term taken positive: the advantages cancel, so the loss is no measure.
#[test]
fn the_loss_of_given_logits_is_trl_s() {
    let theirs = Tensors::load("grpo-terms.safetensors");
    assert_eq!(theirs.number("eos_id"), 39.0);
    let completion_ids = theirs.get("completion_ids");
    for (name, kind) in [("float64", Kind::Double), ("float32", Kind::Float)] {
        let at = |part: &str| theirs.get(&format!("{name}.{part}"));
        let number = |part: &str| theirs.number(&format!("{name}.{part}"));
        // Float32 in parts of the sum of the absolute token terms.
        let unit = if kind == Kind::Double { 1.0 } else { number("scale") };
        let logits = theirs.get("logits").to_kind(kind).set_requires_grad(true);
        let logps = |x: &Tensor| token_logprobs(x, completion_ids, Numerics::Fp32Logprobs).0;
        let logprobs = logps(&logits);
        let ref_logprobs = logps(&theirs.get("ref_logits").to_kind(kind));
        // A log-probability is at most 20 here, of which float32 holds 1e-6.
        let row = |part: &str| format!("grpo/{part}-{name}");
        close(&row("logps"), "", &logprobs, at("logps"));
        let advantages = advantages(theirs.get("rewards"), kind);
        // The reference takes mean and deviation in float32, ours are float64: at most 1.5, of which float32 holds 1e-7.
        close(&row("advantages"), "", &advantages, at("advantages"));
        assert_eq!(numbers(&advantages)[GROUP..2 * GROUP], [0.0; GROUP], "equal rewards give exactly nothing");

        let mask = theirs.get("completion_mask").to_kind(kind);
        let inputs = grpo::Inputs {
            logprobs: &logprobs,
            ref_logprobs: &ref_logprobs,
            advantages: &advantages,
            completion_mask: &mask,
            beta: BETA,
        };
        let out = grpo::loss(&inputs);
        let rows = mask.size()[0] as f64;
        let loss = &out.loss_sum / rows;
        within(&row("loss"), "loss", 1, (loss.double_value(&[]) - number("loss")).abs() / unit);
        let kl = out.kl.mean(None::<Kind>).double_value(&[]);
        within(&row("loss"), "mean KL", 1, (kl - number("mean_kl")).abs() / unit);
        loss.backward();
        if kind == Kind::Double {
            close("grpo/gradient-float64", "of the logits", &logits.grad(), at("logits_grad"));
        }
        // What stands behind a completion's end is not looked at.
        let noise = logprobs.detach() + (1.0 - &mask) * 3.0;
        let other = grpo::loss(&grpo::Inputs { logprobs: &noise, ..inputs });
        assert_eq!(other.loss_sum.double_value(&[]), out.loss_sum.double_value(&[]));
    }
}

fn zero_gradients(model: &Qwen2Audio) {
    for (_, tensor) in model.params().trainable() {
        if tensor.grad().defined() {
            let _ = tensor.grad().zero_();
        }
    }
}

/// 1e-4: float32 differs from float64 by 5e-6. KL: its slope in a log-probability is below 1. The loss by the mean scale: that of the
/// question whose rewards are all equal is the KL penalty alone, too small a unit.
#[test]
fn log_probabilities_and_kl_are_trl_s_for_one_question_and_for_both_packed() {
    for name in ["mha", "gqa"] {
        let run = Run::new(name, false);
        let (both, ref_both) = run.logprobs(&[0, 1]);
        for q in 0..2 {
            let (one, ref_one) = run.logprobs(&[q]);
            let part = |t: &Tensor| t.narrow(0, (q * GROUP) as i64, GROUP as i64);
            let at = |what: &str| run.theirs.get(&format!("grpo.{q}.{what}"));
            let width = at("completion_ids").size()[1];
            for (how, policy, reference, mask) in [
                ("alone", one.logprobs.shallow_clone(), ref_one, one.mask.shallow_clone()),
                ("packed", part(&both.logprobs), part(&ref_both), part(&both.mask)),
            ] {
                assert_eq!(policy.size()[1], width, "every question has a completion of full length");
                assert_eq!(ids(&mask), ids(at("completion_mask")));
                let what = format!("{name} question {q} {how}");
                close("train/logps", &what, &policy, at("logps"));
                close("train/logps", &format!("reference, {what}"), &reference, at("ref_logps"));
                let difference = &reference - &policy;
                let kl = (difference.exp() - &difference - 1.0) * &mask;
                close("train/kl", &what, &kl, at("per_token_kl"));
            }
            let (loss, kl) = run.loss(&[q]);
            let deviation = |found: f64, part: &str| (found - run.theirs.number(&format!("grpo.{q}.{part}"))).abs();
            let what = format!("{name} question {q}");
            within("train/loss", &what, 1, deviation(loss.double_value(&[]), "loss") / run.scale());
            within("train/kl", &format!("mean, {what}"), 1, deviation(kl, "mean_kl"));
        }
    }
}

/// 1e-4 of each tensor's largest entry: the reference's own float32 is 9e-6 from float64 in the worst tensor.
#[test]
fn every_parameter_s_gradient_is_the_reference_s() {
    for name in ["mha", "gqa"] {
        let run = Run::new(name, false);
        let (loss, _) = run.loss(&[0, 1]);
        let deviation = (loss.double_value(&[]) - run.theirs.number("grpo.loss")).abs();
        within("train/loss", &format!("{name}, both questions"), 1, deviation / run.scale());
        loss.backward();
        let found = gradients(&run.model);
        run.holds("train/gradients-grpo", "grpo.grad", &found, true);
        let full = texts(&run.file["full_gradients"]);
        assert!(full.len() >= 7);
        for key in full {
            let theirs = run.theirs.get(&format!("grpo.grad.full.{key}"));
            close_to_largest("train/gradients-grpo", &format!("{name} {key}"), &found[key], theirs);
        }
        let mut optimizer = AdamW::new(run.model.params(), &settings());
        let norm = optimizer.clip().unwrap() / run.theirs.number("grpo.grad_norm");
        within("train/grad-norm", name, 1, (norm - 1.0).abs());
        let positions = run.model.params().get(EMBED_POSITIONS).unwrap();
        assert!(!positions.requires_grad() && !positions.grad().defined(), "the encoder's positions are not trained");
    }
}

/// Sums 1e-5 relative: 3e-6 of 120 measured against float64.
#[test]
fn the_sft_loss_and_its_gradients_are_the_reference_s() {
    for name in ["mha", "gqa"] {
        let run = Run::new(name, false);
        let lengths: Vec<f64> = run.targets.iter().map(|target| target.len() as f64).collect();
        assert_eq!(lengths, numbers(run.theirs.get("sft.tokens")));
        let their_sums = run.theirs.get("sft.sums");
        let relative = run.sft_sums() / their_sums;
        close("train/sft-loss", &format!("sums of {name}"), &relative, &relative.ones_like());
        for mean in ["token_mean", "sample_mean"] {
            zero_gradients(&run.model);
            let sums = run.sft_sums();
            let loss = match mean {
                "token_mean" => sums.sum(None::<Kind>) / lengths.iter().sum::<f64>(),
                _ => (sums / Tensor::from_slice(&lengths).to_kind(Kind::Float)).mean(None::<Kind>),
            };
            let theirs = run.theirs.number(&format!("sft.{mean}.loss"));
            within("train/sft-loss", &format!("{mean} of {name}"), 1, (loss.double_value(&[]) / theirs - 1.0).abs());
            loss.backward();
            run.holds("train/gradients-sft", &format!("sft.{mean}.grad"), &gradients(&run.model), true);
        }
    }
}

/// 1e-6: everything is float64 but the rotary tables, which transformers keeps in float32, and whose cosines differ by 6e-8
/// between kernels.
#[test]
fn float64_takes_rounding_out_of_the_comparison() {
    for name in ["mha", "gqa"] {
        let run = Run::new(name, true);
        let (both, _) = run.logprobs(&[0, 1]);
        for q in 0..2 {
            let found = both.logprobs.narrow(0, (q * GROUP) as i64, GROUP as i64);
            let theirs = run.theirs.get(&format!("float64.grpo.{q}.logps"));
            close("train/float64", &format!("log-probabilities of {name} {q}"), &found, theirs);
        }
        let (loss, _) = run.loss(&[0, 1]);
        let theirs = |part: &str| run.theirs.number(&format!("float64.{part}"));
        within("train/float64", &format!("loss of {name}"), 1, (loss.double_value(&[]) - theirs("grpo.loss")).abs());
        loss.backward();
        let norm = AdamW::new(run.model.params(), &settings()).clip().unwrap();
        within("train/float64", &format!("gradient norm of {name}"), 1, (norm / theirs("grpo.grad_norm") - 1.0).abs());
        let (sums, lengths) = (numbers(&run.sft_sums()), run.targets.iter().map(|t| t.len() as f64));
        let sample_mean = sums.iter().zip(lengths.clone()).map(|(s, n)| s / n).sum::<f64>() / sums.len() as f64;
        let token_mean = sums.iter().sum::<f64>() / lengths.sum::<f64>();
        for (mean, found) in [("token_mean", token_mean), ("sample_mean", sample_mean)] {
            let deviation = (found - theirs(&format!("sft.{mean}.loss"))).abs();
            within("train/float64", &format!("SFT {mean} of {name}"), 1, deviation);
        }
    }
}

/// 1e-5 absolute after five steps of at most 1e-3: Adam divides by the gradient's size, so an entry near 0 carries its whole relative error;
/// 2e-6 measured against float64.
#[test]
fn five_updates_of_the_model_are_the_reference_s() {
    for name in ["mha", "gqa"] {
        let run = Run::new(name, false);
        let mut optimizer = AdamW::new(run.model.params(), &settings());
        let at = |part: &str, step: usize| numbers(run.theirs.get(&format!("steps.{part}")))[step];
        for step in 0..5 {
            let (loss, _) = run.loss(&[0, 1]);
            let deviation = (loss.double_value(&[]) - at("loss", step)).abs();
            within("train/loss", &format!("{name} step {step}"), 1, deviation / run.scale());
            loss.backward();
            let norm = optimizer.clip().unwrap() / at("grad_norm", step);
            within("train/grad-norm", &format!("{name} step {step}"), 1, (norm - 1.0).abs());
            let rate = learning_rate(1e-3, &SCHEDULE, step as u64);
            within("update/learning-rate", name, 1, (rate - at("lr", step)).abs());
            optimizer.step(rate);
            if step == 0 || step == 4 {
                let params: BTreeMap<String, Tensor> =
                    run.model.params().trainable().map(|(n, t)| (n.clone(), t.detach().copy())).collect();
                run.holds("update/model", &format!("steps.{step}.param"), &params, false);
            }
        }
    }
}

/// Masters 1e-6 absolute, a thousandth of a step; bfloat16 weights identical. Every gradient comes as a product with the parameter,
/// whose derivative is the gradient, exactly.
#[test]
fn updates_from_given_gradients_are_those_of_torch() {
    let theirs = Tensors::load("update.safetensors");
    for name in ["float32", "bfloat16"] {
        let get = |part: &str| theirs.get(&format!("{name}.{part}"));
        let start = ["a", "b", "c"].map(|key| (key.to_owned(), get(&format!("initial.{key}")).copy()));
        let params = Params::new(start.into_iter().collect());
        params.require_grad();
        let mut optimizer = AdamW::new(&params, &settings());
        for step in 0..5 {
            for (key, param) in params.iter() {
                (param * get(&format!("{step}.grad.{key}"))).sum(param.kind()).backward();
                assert!(param.grad().equal(get(&format!("{step}.grad.{key}"))));
            }
            let norm = optimizer.clip().unwrap() / theirs.number(&format!("{name}.{step}.grad_norm"));
            within("update/grad-norm", &format!("{name} step {step}"), 1, (norm - 1.0).abs());
            let rate = learning_rate(1e-3, &SCHEDULE, step as u64);
            within("update/learning-rate", name, 1, (rate - theirs.number(&format!("{name}.{step}.lr"))).abs());
            optimizer.step(rate);
            let state = optimizer.state();
            for (key, param) in params.iter() {
                let master = state.get(&format!("master.{key}")).unwrap_or(param);
                assert_eq!((master.kind(), master.size() == param.size()), (Kind::Float, true));
                let what = format!("master {key}, {name} step {step}");
                close("update/master", &what, &master.detach(), get(&format!("{step}.master.{key}")));
                if name == "bfloat16" {
                    let (found, want) = (numbers(param), numbers(get(&format!("{step}.weight.{key}"))));
                    within("update/bfloat16", &what, want.len(), differing(&found, &want));
                }
                assert_eq!(largest(&param.grad()), 0.0, "gradients are zeroed after a step");
            }
        }
    }
}

#[test]
fn the_data_order_is_torch_s_permutation() {
    let cases = json("order.json");
    let cases = cases.as_array().unwrap();
    assert!(cases.len() >= 15);
    for case in cases {
        let number = |key: &str| case[key].as_u64().unwrap();
        let (n, epoch) = (number("n") as usize, number("epoch"));
        assert_eq!(number("seed"), 42 + epoch);
        let found = order::permutation(n, 42, epoch);
        let first: Vec<u64> = case["first"].as_array().unwrap().iter().map(|v| v.as_u64().unwrap()).collect();
        let start: Vec<u64> = found.iter().map(|&i| i as u64).take(16).collect();
        within("order/permutation", &format!("n {n} epoch {epoch}"), n, differing(&start, &first));
        let bytes: Vec<u8> = found.iter().flat_map(|&i| (i as i64).to_le_bytes()).collect();
        assert_eq!(Sha256::of(&bytes).as_str(), case["sha256"].as_str().unwrap(), "n {n} epoch {epoch}");
        // A whole epoch of the loop's order, in steps that do not divide it, is that permutation.
        if n == 1600 {
            let mut walk = order::Order::new(n, 42);
            let steps: Vec<usize> = (0..(3 * n as u64) / 7 + 1).flat_map(|step| walk.step(step, 7)).collect();
            assert_eq!(steps[epoch as usize * n..][..n], found[..]);
        }
    }
}
