//! `numerics: reference-bf16` is what R1-AQA's trainer computes, and what it loses against `fp32-logprobs`. Fixtures: `grpo-terms.safetensors`
//! (bfloat16 part) and `numerics.safetensors`, see `tests/parity/model/README.md`.
#![cfg(feature = "torch")]

mod support;

use aqa_bench::model::Qwen2Audio;
use aqa_bench::model::params::{EMBED_POSITIONS, Params};
use aqa_bench::recipe::{Numerics, Optimizer};
use aqa_bench::train::grpo;
use aqa_bench::train::logps::{Group, Logprobs, completion_logprobs, token_logprobs};
use aqa_bench::train::optimizer::{AdamW, Sums};
use support::rollouts::{BETA, GROUP, advantages};
use support::*;
use tch::{Device, Kind, Tensor, no_grad};

const ADAM: Optimizer =
    Optimizer { learning_rate: 1e-3, beta1: 0.9, beta2: 0.999, eps: 1e-8, weight_decay: 0.0, max_grad_norm: 1e9 };

/// Log-probabilities of given logits, their KL and the loss: the same operations on the same numbers, so the same bits.
#[test]
fn the_bfloat16_loss_of_given_logits_is_trl_s() {
    let theirs = Tensors::load("grpo-terms.safetensors");
    let completion_ids = theirs.get("completion_ids");
    let logps = |name: &str| {
        let logits = theirs.get(name).to_kind(Kind::BFloat16);
        token_logprobs(&logits, completion_ids, Numerics::ReferenceBf16).0
    };
    let (logprobs, ref_logprobs) = (logps("logits"), logps("ref_logits"));
    for (what, found) in [("logps", &logprobs), ("ref_logps", &ref_logprobs)] {
        let (found, want) = (numbers(found), numbers(theirs.get(&format!("bfloat16.{what}"))));
        within("numerics/logps", what, want.len(), differing(&found, &want));
    }
    let advantages = advantages(theirs.get("rewards"), Kind::Float);
    let out = grpo::loss(&grpo::Inputs {
        logprobs: &logprobs,
        ref_logprobs: &ref_logprobs,
        advantages: &advantages,
        completion_mask: theirs.get("completion_mask"),
        beta: BETA,
    });
    let rows = logprobs.size()[0] as f64;
    let loss = (&out.loss_sum / rows).double_value(&[]);
    let mean_kl = out.kl.mean(None::<Kind>).double_value(&[]);
    assert_eq!(out.kl.kind(), Kind::BFloat16);
    // The mean of the masked float32 terms is taken in another order.
    let off = (loss - theirs.number("bfloat16.loss")).abs() / theirs.number("bfloat16.scale");
    within("numerics/loss", "given logits", 1, off);
    within("numerics/kl", "given logits", 1, differing(&[mean_kl], &[theirs.number("bfloat16.mean_kl")]));
}

/// The log-probabilities that the reference's own bfloat16 model gave: what comes after them is the same bits, whatever kernels a model has.
#[test]
fn kl_and_loss_of_the_reference_s_log_probabilities_are_trl_s() {
    let theirs = Tensors::load("numerics.safetensors");
    for q in 0..2 {
        let at = |part: &str| theirs.get(&format!("{q}.{part}"));
        let (logprobs, ref_logprobs) = (at("logps"), at("ref_logps"));
        let rewards = at("rewards");
        let loss = |advantages: &Tensor, mask: &Tensor, beta: f64| {
            grpo::loss(&grpo::Inputs { logprobs, ref_logprobs, advantages, completion_mask: mask, beta })
        };
        let out = loss(&advantages(rewards, Kind::Float), at("completion_mask"), BETA);
        let found = (&out.loss_sum / GROUP as f64).double_value(&[]);
        // The smaller loss is the KL alone, some 1e-3; its float32 sum has another order.
        within("numerics/loss", &format!("question {q}"), 1, (found - theirs.number(&format!("{q}.loss"))).abs());
        let mean_kl = out.kl.mean(None::<Kind>).double_value(&[]);
        within(
            "numerics/kl",
            &format!("question {q}"),
            1,
            differing(&[mean_kl], &[theirs.number(&format!("{q}.mean_kl"))]),
        );
        // A mask of one token gives that token's KL.
        let shape = logprobs.size();
        let want = at("per_token_kl");
        for token in 0..shape[1] {
            let only = Tensor::zeros(&shape[..], (Kind::Int, Device::Cpu));
            let _ = only.narrow(1, token, 1).fill_(1);
            let kl = loss(&Tensor::zeros([shape[0]], (Kind::Float, Device::Cpu)), &only, BETA).kl;
            let (kl, want) = (numbers(&kl), numbers(&want.select(1, token)));
            within("numerics/kl", &format!("question {q} token {token}"), want.len(), differing(&kl, &want));
        }
    }
}

struct Policies {
    policy: Qwen2Audio,
    reference: Qwen2Audio,
    cases: [Case; 2],
    theirs: Tensors,
}

impl Policies {
    fn new() -> Self {
        let policy = checkpoint("bf16").model;
        let scale = json("train.json")["reference_scale"].as_f64().unwrap();
        let scaled = |(name, tensor): (&String, &Tensor)| {
            let wide = tensor.to_kind(Kind::Float);
            let tensor = if name == EMBED_POSITIONS { wide } else { wide * scale };
            (name.clone(), tensor.to_kind(Kind::BFloat16))
        };
        let reference = Params::new(policy.params().iter().map(scaled).collect());
        let reference = Qwen2Audio::new(policy.config().clone(), reference, Device::Cpu).unwrap();
        policy.params().require_grad();
        Self { policy, reference, cases: [case("half"), case("one")], theirs: Tensors::load("numerics.safetensors") }
    }

    fn completions(&self, q: usize) -> Vec<Vec<i64>> {
        let (all, mask) =
            (self.theirs.get(&format!("{q}.completion_ids")), self.theirs.get(&format!("{q}.completion_mask")));
        (0..GROUP as i64).map(|i| ids(&all.get(i))[..ids(&mask.get(i)).iter().sum::<i64>() as usize].to_vec()).collect()
    }

    fn logprobs(&self, model: &Qwen2Audio, q: usize, numerics: Numerics) -> Logprobs {
        let completions = self.completions(q);
        let group = Group {
            prompt: &self.cases[q].ids,
            audio: self.cases[q].audio(),
            completions: completions.iter().map(Vec::as_slice).collect(),
        };
        completion_logprobs(model, &[group], PAD, numerics).unwrap()
    }

    /// The loss of a question as a part of a step of two.
    fn loss(&self, q: usize, numerics: Numerics) -> Tensor {
        let policy = self.logprobs(&self.policy, q, numerics);
        let reference = no_grad(|| self.logprobs(&self.reference, q, numerics)).logprobs;
        let out = grpo::loss(&grpo::Inputs {
            logprobs: &policy.logprobs,
            ref_logprobs: &reference,
            advantages: &advantages(self.theirs.get(&format!("{q}.rewards")), Kind::Float),
            completion_mask: &policy.mask,
            beta: BETA,
        });
        out.loss_sum / (2 * GROUP) as f64
    }
}

#[test]
fn through_a_bfloat16_model_log_probabilities_and_summed_gradients_are_the_reference_s() {
    let run = Policies::new();
    for q in 0..2 {
        let found = run.logprobs(&run.policy, q, Numerics::ReferenceBf16);
        assert_eq!(found.logprobs.kind(), Kind::BFloat16);
        close_to_largest("numerics/model", "policy", &found.logprobs.detach(), run.theirs.get(&format!("{q}.logps")));
        let reference = no_grad(|| run.logprobs(&run.reference, q, Numerics::ReferenceBf16)).logprobs;
        close_to_largest("numerics/model", "reference", &reference, run.theirs.get(&format!("{q}.ref_logps")));
        run.loss(q, Numerics::ReferenceBf16).backward();
    }
    // The unit is what bfloat16 costs the reference itself: its own distance from float32, in the worst tensor.
    let rounding = run.theirs.number("rounding");
    assert!(rounding < 0.2, "{rounding}");
    let names = texts(&json("train.json")["parameters"]["gqa"]).len();
    let found = gradients(&run.policy);
    assert_eq!(found.len(), names);
    let rows = |part: &str| run.theirs.get(&format!("grad.{part}")).shallow_clone();
    for (i, (name, tensor)) in found.iter().enumerate() {
        assert_eq!(tensor.kind(), Kind::BFloat16);
        let flat = numbers(tensor);
        let of = |part: &str| numbers(&rows(part).get(i as i64));
        let norm = flat.iter().map(|x| x * x).sum::<f64>().sqrt();
        let theirs = of("norm")[0];
        within("numerics/gradients", &format!("norm of {name}"), 1, (norm / theirs - 1.0).abs() / rounding);
        let top = of("top_index").into_iter().map(|i| flat[i as usize]).zip(of("top_value"));
        let worst = top.map(|(a, b)| (a - b).abs() / theirs).fold(0.0, f64::max);
        within("numerics/gradients", &format!("largest of {name}"), 8, worst / rounding);
    }
}

/// What bfloat16 log-probabilities lose: near the start of training policy and reference differ by less than bfloat16 can say, so KL and its
/// gradient are 0 or noise. Figures: docs/methodology.md.
#[test]
fn bfloat16_log_probabilities_lose_small_kl_and_its_gradient() {
    // KL and its gradient at three log-probabilities whose reference is higher by `d`; without advantages the loss is the KL alone.
    let kl = |kind: Kind, d: f64| {
        let p = Tensor::from_slice(&[-0.5f32, -1.0, -2.0]).view([3, 1]).to_kind(kind).set_requires_grad(true);
        let out = grpo::loss(&grpo::Inputs {
            logprobs: &p,
            ref_logprobs: &(p.detach().to_kind(Kind::Float) + d).to_kind(kind),
            advantages: &Tensor::zeros([3], (Kind::Float, Device::Cpu)),
            completion_mask: &Tensor::ones([3, 1], (Kind::Int, Device::Cpu)),
            beta: 1.0,
        });
        out.loss_sum.backward();
        (numbers(&out.kl), numbers(&p.grad()))
    };
    let exact = |d: f64| d.exp() - d - 1.0;
    // A drift of 0.001 a token is real in float32 (to its own rounding) and nothing in bfloat16: no penalty, no gradient.
    let (wide, narrow) = (kl(Kind::Float, 1e-3), kl(Kind::BFloat16, 1e-3));
    assert!(wide.0.iter().all(|k| (k - exact(1e-3)).abs() < 2e-7), "{wide:?}");
    assert!(wide.1.iter().all(|g| (g - (1.0 - 1e-3f64.exp())).abs() < 2e-7), "{wide:?}");
    assert_eq!(narrow, (vec![0.0; 3], vec![0.0; 3]));
    // At a drift of 0.1 the penalty is nothing or half too large.
    let (wide, narrow) = (kl(Kind::Float, 0.1), kl(Kind::BFloat16, 0.1));
    assert!(wide.0.iter().all(|k| (k / exact(0.1) - 1.0).abs() < 1e-3));
    assert_eq!(narrow.0, [0.0, 0.0078125, 0.0078125]);

    // The same through a model: log-probabilities of one bfloat16 policy in both number types.
    let run = Policies::new();
    let (wide, narrow) =
        (run.logprobs(&run.policy, 1, Numerics::Fp32Logprobs), run.logprobs(&run.policy, 1, Numerics::ReferenceBf16));
    assert_eq!(wide.logprobs.kind(), Kind::Float);
    let lost = difference(&wide.logprobs.detach(), &narrow.logprobs.detach());
    // Of log-probabilities up to 10, which bfloat16 holds in steps of 0.06 at most: half a step, by kernel a little less or more.
    assert!(lost > 0.01 && lost < 0.04, "{lost}");
}

/// Of 512 equal parts of a gradient bfloat16 keeps the first 256: from there on a part is less than half a step.
#[test]
fn bfloat16_sums_of_gradients_stall_and_float32_sums_do_not() {
    let sum = |sums: Sums| {
        let weight = Tensor::zeros([4], (Kind::BFloat16, Device::Cpu));
        let params = Params::new([("w".to_owned(), weight)].into());
        params.require_grad();
        let mut optimizer = AdamW::new(&params, &ADAM);
        let weight = params.get("w").unwrap();
        for _ in 0..512 {
            optimizer.backward(&weight.sum(Kind::BFloat16), sums);
        }
        optimizer.clip().unwrap()
    };
    // The norm of four equal entries is twice one of them.
    assert_eq!(sum(Sums::Float32), 2.0 * 512.0);
    assert_eq!(sum(Sums::Own), 2.0 * 256.0);
}

/// One part alone, or float32 weights: nothing is rounded away, and both ways are the same bits.
#[test]
fn accumulating_changes_nothing_where_nothing_is_lost() {
    for kind in [Kind::Float, Kind::BFloat16] {
        let step = |sums: Sums| {
            let weight = Tensor::from_slice(&[0.3f32, -1.7, 2.5]).to_kind(kind);
            let params = Params::new([("w".to_owned(), weight)].into());
            params.require_grad();
            let mut optimizer = AdamW::new(&params, &ADAM);
            let weight = params.get("w").unwrap();
            for _ in 0..3 {
                let loss = (&weight * Tensor::from_slice(&[0.11f32, 0.07, -3.0]).to_kind(kind)).sum(kind);
                optimizer.backward(&loss, sums);
                optimizer.clip().unwrap();
                optimizer.step(1e-2);
            }
            numbers(&weight.detach())
        };
        assert_eq!(step(Sums::Float32), step(Sums::Own));
    }
}
