//! The rollouts and targets that the reference stack trained on, over one fixture checkpoint.

use super::*;
use aqa_bench::model::params::{EMBED_POSITIONS, Params};
use aqa_bench::recipe::Numerics;
use aqa_bench::train::logps::{Group, Logprobs, completion_logprobs};
use aqa_bench::train::{advantage, grpo};
use tch::no_grad;

pub const BETA: f64 = 0.04;
/// Of `(reward - mean) / (std + eps)`.
pub const EPS: f64 = 1e-4;
pub const GROUP: usize = 4;

pub fn advantages(rewards: &Tensor, kind: Kind) -> Tensor {
    let groups: Vec<f64> =
        numbers(rewards).chunks(GROUP).flat_map(|rewards| advantage::group(rewards, EPS).advantages).collect();
    Tensor::from_slice(&groups).to_kind(kind)
}

/// The rollouts and targets of `train.json` over one checkpoint.
pub struct Run {
    pub theirs: Tensors,
    pub file: Value,
    pub model: Qwen2Audio,
    reference: Qwen2Audio,
    cases: BTreeMap<String, Case>,
    completions: Vec<Vec<Vec<i64>>>,
    pub targets: Vec<Vec<i64>>,
    parameters: Vec<String>,
}

impl Run {
    /// `exact`: the reference's own features and everything in float64, so that nothing but the arithmetic is compared.
    pub fn new(name: &str, exact: bool) -> Self {
        let policy = checkpoint(name);
        let (file, theirs) = (json("train.json"), Tensors::load(&format!("train-{name}.safetensors")));
        assert_eq!(file["beta"].as_f64(), Some(BETA));
        let kind = if exact { Kind::Double } else { Kind::Float };
        let scale = file["reference_scale"].as_f64().unwrap();
        let scaled = |(name, tensor): (&String, &Tensor)| {
            let tensor = if name == EMBED_POSITIONS { tensor.copy() } else { tensor * scale };
            (name.clone(), tensor.to_kind(kind))
        };
        let reference = Params::new(policy.model.params().iter().map(scaled).collect());
        let model = in_kind(&policy.model, kind);
        model.params().require_grad();

        let encode = |text: &Value| -> Vec<i64> {
            let ids = policy.tokenizer.encode(text.as_str().unwrap()).unwrap();
            ids.into_iter().map(i64::from).collect()
        };
        let limit = file["limit"].as_u64().unwrap() as usize;
        let mut completions = Vec::new();
        for (q, question) in file["grpo"].as_array().unwrap().iter().enumerate() {
            let mut rows: Vec<Vec<i64>> = question["completions"].as_array().unwrap().iter().map(encode).collect();
            rows.iter_mut().for_each(|row| row.truncate(limit));
            let (ids, mask) = (theirs.get(&format!("grpo.{q}.completion_ids")), format!("grpo.{q}.completion_mask"));
            let lengths = numbers(&theirs.get(&mask).sum_dim_intlist([1i64].as_slice(), false, Kind::Int64));
            for (i, row) in rows.iter().enumerate() {
                assert_eq!(row.len() as f64, lengths[i]);
                assert_eq!(super::ids(&ids.get(i as i64))[..row.len()], row[..]);
            }
            completions.push(rows);
        }
        let mut cases: BTreeMap<String, Case> = cases().into_iter().map(|case| (case.name.clone(), case)).collect();
        if exact {
            let inputs = Tensors::load("inputs.safetensors");
            for case in cases.values_mut() {
                case.features = case.clips.iter().map(|clip| reference_features(&inputs, clip)).collect();
            }
        }
        Self {
            model,
            reference: Qwen2Audio::new(policy.model.config().clone(), reference, Device::Cpu).unwrap(),
            cases,
            completions,
            targets: file["sft"].as_array().unwrap().iter().map(|sample| encode(&sample["target"])).collect(),
            parameters: texts(&file["parameters"][name]).into_iter().map(str::to_owned).collect(),
            file,
            theirs,
        }
    }

    pub fn group<'a>(&'a self, part: &str, index: usize, completions: Vec<&'a [i64]>) -> Group<'a> {
        let case = &self.cases[self.file[part][index]["case"].as_str().unwrap()];
        Group { prompt: &case.ids, audio: case.features.iter().collect::<Vec<&Features>>(), completions }
    }

    /// The groups of the given questions.
    pub fn questions(&self, which: &[usize]) -> Vec<Group<'_>> {
        let rows = |q: usize| self.completions[q].iter().map(Vec::as_slice).collect();
        which.iter().map(|&q| self.group("grpo", q, rows(q))).collect()
    }

    pub fn logprobs(&self, which: &[usize]) -> (Logprobs, Tensor) {
        let groups = self.questions(which);
        let reference = no_grad(|| completion_logprobs(&self.reference, &groups, PAD, Numerics::Fp32Logprobs)).unwrap();
        (completion_logprobs(&self.model, &groups, PAD, Numerics::Fp32Logprobs).unwrap(), reference.logprobs)
    }

    /// The mean loss over the completions of the given questions, and their mean KL.
    pub fn loss(&self, which: &[usize]) -> (Tensor, f64) {
        let (policy, ref_logprobs) = self.logprobs(which);
        let kind = policy.logprobs.kind();
        let rewards: Vec<&Tensor> = which.iter().map(|q| self.theirs.get(&format!("grpo.{q}.rewards"))).collect();
        let out = grpo::loss(&grpo::Inputs {
            logprobs: &policy.logprobs,
            ref_logprobs: &ref_logprobs,
            advantages: &advantages(&Tensor::cat(&rewards, 0), kind),
            completion_mask: &policy.mask,
            beta: BETA,
        });
        (out.loss_sum / (which.len() * GROUP) as f64, out.kl.mean(None::<Kind>).double_value(&[]))
    }

    /// Summed cross-entropy of each SFT target.
    pub fn sft_sums(&self) -> Tensor {
        let groups = self.targets.iter().enumerate().map(|(i, target)| self.group("sft", i, vec![target]));
        let scored =
            completion_logprobs(&self.model, &groups.collect::<Vec<_>>(), PAD, Numerics::Fp32Logprobs).unwrap();
        -(scored.logprobs * scored.mask).sum_dim_intlist([1i64].as_slice(), false, None::<Kind>)
    }

    /// What the losses' rounding is measured by.
    pub fn scale(&self) -> f64 {
        (self.theirs.number("grpo.0.scale") + self.theirs.number("grpo.1.scale")) / 2.0
    }

    /// Holds tensors, in the order of the names, to the fixture's digest of them.
    ///
    /// `share`: deviations are parts of the tensor's largest entry (moment: of its norm), else absolute (norm: relative).
    pub fn holds(&self, row: &str, prefix: &str, tensors: &BTreeMap<String, Tensor>, share: bool) {
        assert_eq!(tensors.len(), self.parameters.len());
        let rows = |part: &str| self.theirs.get(&format!("{prefix}.{part}"));
        for (i, name) in self.parameters.iter().enumerate() {
            let flat = numbers(&tensors[name]);
            let of = |part: &str| numbers(&rows(part).get(i as i64));
            let norm = flat.iter().map(|x| x * x).sum::<f64>().sqrt();
            let moment: f64 = flat.iter().enumerate().map(|(i, x)| x * (i as f64).cos()).sum();
            let (their_norm, their_moment) = (of("norm")[0], of("moment")[0]);
            let top = of("top_value");
            let unit = if share { top[0].abs() } else { 1.0 };
            let index = of("top_index").into_iter().map(|i| flat[i as usize]);
            let apart = |found: &mut dyn Iterator<Item = f64>, want: &[f64]| {
                found.zip(want).map(|(a, b)| (a - b).abs()).fold(0.0, f64::max) / unit
            };
            let deviations = [
                (norm - their_norm).abs() / their_norm,
                (moment - their_moment).abs() / if share { their_norm } else { their_norm.max(1.0) },
                apart(&mut flat.iter().copied(), &of("head")),
                apart(&mut index.into_iter(), &top),
            ];
            let parts = [("norm", 1), ("moment", 1), ("head", of("head").len()), ("top", top.len())];
            for (deviation, (part, compared)) in deviations.into_iter().zip(parts) {
                within(row, &format!("{prefix} {name} {part}"), compared, deviation);
            }
        }
    }
}
