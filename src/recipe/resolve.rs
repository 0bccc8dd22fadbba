//! From the YAML's shape to the program's: paths joined, defaults filled in.

use super::problem::At;
use super::spot::Spot;
use super::tree::Node;
use super::types::*;
use super::wire;
use crate::error::{Error, Result};
use std::path::{Component, Path, PathBuf};

/// Where the values came from, for the paths among them.
pub(super) struct Places<'a> {
    /// The tree as validated.
    pub root: Spot<'a>,
    /// The folder of the recipe file.
    pub folder: &'a Path,
}

impl<'a> Places<'a> {
    pub fn new(root: &'a Node, folder: &'a Path) -> Self {
        Self { root: Spot::root(root), folder }
    }

    /// A path: joined to `base`, or, when it was given by `--set`, relative to the current folder.
    pub fn path(&self, keys: &[&str], text: &str, base: &Path) -> PathBuf {
        join(self.root.dig(keys).map(|spot| &spot.node.at), text, base)
    }
}

fn join(at: Option<&At>, text: &str, base: &Path) -> PathBuf {
    match at {
        Some(At::Set(_)) => tidy(Path::new(text)),
        _ => tidy(&base.join(text)),
    }
}

/// Without `.` segments, and without `FOLDER/..` where the folder is no link; an empty path is the current folder.
fn tidy(path: &Path) -> PathBuf {
    let mut tidy = PathBuf::new();
    for component in path.components() {
        let folder = matches!(tidy.components().next_back(), Some(Component::Normal(_)));
        match component {
            Component::CurDir => {}
            Component::ParentDir if folder && !tidy.is_symlink() => _ = tidy.pop(),
            _ => tidy.push(component),
        }
    }
    if tidy.as_os_str().is_empty() { PathBuf::from(".") } else { tidy }
}

/// The folder that relative paths of data sets and predictions start at.
pub(super) fn dir(data: &wire::Data, places: &Places<'_>) -> PathBuf {
    match &data.dir {
        Some(dir) => places.path(&["data", "dir"], dir, places.folder),
        None => places.folder.to_owned(),
    }
}

/// The data sets.
pub(super) fn data(data: wire::Data, places: &Places<'_>) -> std::collections::BTreeMap<String, Dataset> {
    let dir = dir(&data, places);
    let source = |set: &str, key: &str, text: String| match text.split_once("://") {
        Some(("hf", _)) => Source::Hub(text),
        Some(_) => Source::Url(text),
        None => Source::Path(places.path(&["data", "sets", set, key], &text, &dir)),
    };
    let files = |name: &str, set: wire::Files| Files {
        file: source(name, "file", set.file),
        sha256: set.sha256,
        git_blob: set.git_blob,
        revision: set.revision,
        audio: source(name, "audio", set.audio),
        audio_sha256: set.audio_sha256,
        audio_folder: set.audio_folder,
    };
    let one = |name: &str, set: wire::Dataset| match set {
        wire::Dataset::Synthetic { seed, split, tasks, count, sha256 } => {
            Dataset::Synthetic(Synthetic { seed, split, tasks, count, sha256 })
        }
        wire::Dataset::Mmau(set) => Dataset::Mmau(files(name, set)),
        wire::Dataset::MmauParquet(set) => Dataset::MmauParquet(Parquet {
            file: source(name, "file", set.file),
            sha256: set.sha256,
            revision: set.revision,
        }),
        wire::Dataset::Avqa(set) => Dataset::Avqa(files(name, set)),
    };
    data.sets.into_iter().map(|(name, set)| (name.clone(), one(&name, set))).collect()
}

/// The model; `from_recipe` is the other recipe where `model.recipe` names one.
pub(super) fn model(model: wire::Model, from_recipe: Option<Recipe>, places: &Places<'_>) -> Result<Model> {
    let drifted = || Error::internal("the schema of `model` and its wire shape differ");
    if let (Some(init), Some(dtype)) = (&model.init, model.dtype) {
        return Ok(Model::Init(Init {
            hidden_size: init.hidden_size,
            layers: init.layers,
            heads: init.heads,
            kv_heads: init.kv_heads,
            intermediate_size: init.intermediate_size,
            audio_d_model: init.audio.d_model,
            audio_layers: init.audio.layers,
            audio_heads: init.audio.heads,
            audio_ffn_dim: init.audio.ffn_dim,
            vocab_size: init.vocab_size,
            dtype,
        }));
    }
    if let (Some(source), Some(dtype)) = (model.source, model.dtype) {
        let source = match source.split_once("://") {
            Some(_) => Source::Hub(source),
            None => Source::Path(places.path(&["model", "source"], &source, places.folder)),
        };
        return Ok(Model::Checkpoint(Checkpoint { source, revision: model.revision, weights: model.weights, dtype }));
    }
    let recipe = Box::new(from_recipe.ok_or_else(drifted)?);
    Ok(Model::Stage(FromStage { recipe, stage: model.stage.ok_or_else(drifted)? }))
}

/// A training stage.
pub(super) fn train(train: wire::Train) -> Result<Train> {
    let method = match (train.method, train.grpo) {
        (wire::Method::Sft, None) => Method::Sft,
        (wire::Method::Grpo, Some(grpo)) => Method::Grpo(Grpo {
            group_size: grpo.group_size,
            beta: grpo.beta,
            advantage_eps: grpo.advantage_eps,
            max_prompt_length: grpo.max_prompt_length,
            rollout: decoding(grpo.rollout),
            rewards: grpo.rewards,
        }),
        _ => return Err(Error::internal("the schema of `train` and its wire shape differ")),
    };
    let schedule = match train.schedule {
        wire::Schedule::Constant { warmup_steps } => {
            Schedule { shape: Shape::Constant, warmup_steps, total_steps: train.steps }
        }
        wire::Schedule::Linear { warmup_steps, total_steps } => {
            Schedule { shape: Shape::Linear, warmup_steps, total_steps }
        }
    };
    let [beta1, beta2] = train.optimizer.betas;
    let checkpoint_every = train.checkpoint_every.unwrap_or(train.steps);
    Ok(Train {
        name: train.name,
        from: train.from,
        data: train.data,
        prompt: train.prompt,
        method,
        seed: train.seed,
        steps: train.steps,
        questions_per_step: train.questions_per_step,
        micro_batch: train.micro_batch.unwrap_or(train.questions_per_step),
        lora: train.lora.map(|lora| Lora { rank: lora.rank, alpha: lora.alpha, targets: lora.targets }),
        memory: train.memory.map_or_else(Memory::default, |memory| self::memory(memory, train.questions_per_step)),
        numerics: train.numerics.unwrap_or(Numerics::Fp32Logprobs),
        optimizer: Optimizer {
            learning_rate: train.optimizer.learning_rate,
            beta1,
            beta2,
            eps: train.optimizer.eps,
            weight_decay: train.optimizer.weight_decay,
            max_grad_norm: train.optimizer.max_grad_norm,
        },
        schedule,
        order: Order { seed: train.order.seed },
        checkpoint_every,
        resume_every: train.resume_every.unwrap_or(checkpoint_every),
    })
}

/// What is spelt out as it would be without the key is the same stage.
fn memory(memory: wire::Memory, questions_per_step: usize) -> Memory {
    Memory {
        activations: memory.activations.unwrap_or_default(),
        master: memory.master.unwrap_or_default(),
        reference: memory.reference.unwrap_or_default(),
        optimizer: memory.optimizer.unwrap_or_default(),
        moments: memory.moments.unwrap_or_default(),
        micro_batch_tokens: memory.micro_batch_tokens,
        rollout_batch: memory.rollout_batch.filter(|&n| n != questions_per_step),
    }
}

fn decoding(decoding: wire::Decoding) -> Decoding {
    Decoding {
        do_sample: decoding.do_sample,
        max_new_tokens: decoding.max_new_tokens,
        temperature: decoding.temperature,
        top_k: decoding.top_k,
        top_p: decoding.top_p,
        repetition_penalty: decoding.repetition_penalty,
    }
}

/// An evaluation.
pub(super) fn eval(eval: wire::Eval) -> Eval {
    Eval {
        name: eval.name,
        label: eval.label,
        from: eval.from,
        at_step: eval.at_step,
        data: eval.data,
        system: eval.system,
        prompt: eval.prompt,
        decoding: decoding(eval.decoding),
        batch_size: eval.batch_size,
        extract: eval.extract,
        rule: eval.rule,
    }
}

/// Predictions that are there already; `dir` is the folder of the data sets.
pub(super) fn scores(scores: Vec<wire::Scored>, dir: &Path, places: &Places<'_>) -> Vec<Scored> {
    let spots = places.root.list("scores");
    let one = |(i, scored): (usize, wire::Scored)| Scored {
        name: scored.name,
        label: scored.label,
        file: join(spots.get(i).and_then(|s| s.get("file")).map(|s| &s.node.at), &scored.file, dir),
        sha256: scored.sha256,
        data: scored.data,
        extract: scored.extract.unwrap_or(Extract::Whole),
        rule: scored.rule,
    };
    scores.into_iter().enumerate().map(one).collect()
}

/// What the report prints beside the measured rows.
pub(super) fn report(report: wire::Report, places: &Places<'_>) -> Report {
    let spots = places.root.dig(&["report", "claims"]).map_or_else(Vec::new, |claims| claims.items());
    let claims = (report.claims.iter().enumerate())
        .map(|(i, text)| join(spots.get(i).map(|spot| &spot.node.at), text, places.folder))
        .collect();
    let expect = report.expect.into_iter().map(|e| Expect { eval: e.eval, claim: e.claim, expect: e.expect }).collect();
    let group = |g: wire::Group| Group { name: g.name, label: g.label, evals: g.evals };
    Report { claims, expect, groups: report.groups.into_iter().map(group).collect() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_are_short_and_links_are_followed_as_the_system_does() {
        for (path, short) in
            [("recipes/../inputs", "inputs"), ("./a/./b", "a/b"), ("a/..", "."), ("../a", "../a"), ("/..", "/..")]
        {
            assert_eq!(tidy(Path::new(path)), Path::new(short), "{path}");
        }
        let dir = tempfile::tempdir().unwrap();
        std::fs::create_dir_all(dir.path().join("far/recipes")).unwrap();
        std::os::unix::fs::symlink("far/recipes", dir.path().join("recipes")).unwrap();
        let through = dir.path().join("recipes/../inputs");
        assert_eq!(tidy(&through), through, "it is far/inputs");
    }
}
