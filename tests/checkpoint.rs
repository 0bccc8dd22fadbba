//! Checkpoints on disk: what does not fit is refused with the file and both sides of the difference, and what is saved is what was loaded.
#![cfg(feature = "torch")]

mod support;

use aqa_bench::error::{Error, Kind as ErrorKind};
use aqa_bench::model::checkpoint::Checkpoint;
use aqa_bench::model::params::Params;
use aqa_bench::model::weights;
use serde_json::{Value, json};
use std::path::Path;
use support::{checkpoint, checkpoint_dir, dtype_of};
use tch::{Device, Kind, Tensor};

const QUERY: &str = "language_model.model.layers.0.self_attn.q_proj.weight";
const WEIGHTS: &str = "model.safetensors";

/// The error of loading a copy of a fixture checkpoint after something was done to it.
fn refused(name: &str, spoil: impl FnOnce(&Path)) -> String {
    let dir = tempfile::tempdir().unwrap();
    for entry in std::fs::read_dir(checkpoint_dir(name)).unwrap() {
        let from = entry.unwrap().path();
        std::fs::copy(&from, dir.path().join(from.file_name().unwrap())).unwrap();
    }
    spoil(dir.path());
    let loaded = aqa_bench::model::guard(|| Checkpoint::load(dir.path(), dtype_of(name), Device::Cpu));
    let error: Error = loaded.err().expect("a spoilt checkpoint was loaded");
    assert_eq!(error.kind(), ErrorKind::Inputs, "{error}");
    let message = error.to_string();
    assert!(message.contains(&dir.path().display().to_string()), "no path in: {message}");
    message
}

fn edit_json(dir: &Path, file: &str, edit: impl FnOnce(&mut Value)) {
    let path = dir.join(file);
    let mut value: Value = serde_json::from_slice(&std::fs::read(&path).unwrap()).unwrap();
    edit(&mut value);
    std::fs::write(path, value.to_string()).unwrap();
}

fn edit_weights(dir: &Path, edit: impl FnOnce(&mut Vec<(String, Tensor)>)) {
    let path = dir.join(WEIGHTS);
    let mut tensors = Tensor::read_safetensors(&path).unwrap();
    edit(&mut tensors);
    Tensor::write_safetensors(&tensors, &path).unwrap();
}

#[track_caller]
fn says(message: &str, parts: &[&str]) {
    println!("{message}");
    for part in parts {
        assert!(message.contains(part), "{part:?} is not in: {message}");
    }
}

#[test]
fn a_shard_that_is_not_whole_is_named() {
    let shard = "model-00002-of-00004.safetensors";
    for keep in [2, 0] {
        let message = refused("gqa", |dir| {
            let bytes = std::fs::read(dir.join(shard)).unwrap();
            std::fs::write(dir.join(shard), &bytes[..bytes.len() / 4 * keep]).unwrap();
        });
        says(&message, &[shard, "expected a whole safetensors file", "bytes", "fetch it again"]);
    }
}

#[test]
fn tensors_that_the_model_has_no_place_for_and_tensors_it_misses_are_named() {
    let message = refused("mha", |dir| {
        edit_weights(dir, |tensors| {
            let copy = tensors.iter().find(|(name, _)| name == QUERY).unwrap().1.copy();
            tensors.push((QUERY.replace("layers.0", "layers.7"), copy));
        });
    });
    says(&message, &[WEIGHTS, &QUERY.replace("layers.0", "layers.7"), "extra"]);

    let message = refused("mha", |dir| edit_weights(dir, |tensors| tensors.retain(|(name, _)| name != QUERY)));
    says(&message, &[QUERY, "[32, 32]", "missing"]);

    let message = refused("gqa", |dir| {
        edit_json(dir, "config.json", |config| config["text_config"]["num_hidden_layers"] = json!(3));
    });
    says(&message, &["language_model.model.layers.2.mlp.down_proj.weight [32, 64]", "missing"]);
}

#[test]
fn a_shape_that_config_json_does_not_imply_is_shown_with_the_one_it_does() {
    let message = refused("mha", |dir| {
        edit_weights(dir, |tensors| {
            tensors.iter_mut().filter(|(name, _)| name == QUERY).for_each(|(_, t)| *t = t.narrow(0, 0, 24).copy());
        });
    });
    says(&message, &[WEIGHTS, QUERY, "[32, 32]", "[24, 32]", "config.json"]);

    // Eight heads of width 4 leave 2 x 4 rows to keys and values, where the file has 2 x 8.
    let message = refused("gqa", |dir| {
        edit_json(dir, "config.json", |config| config["text_config"]["num_attention_heads"] = json!(8));
    });
    says(&message, &["layers.0.self_attn.k_proj.weight", "[8, 32]", "[16, 32]", "config.json"]);
    let message = refused("mha", |dir| {
        edit_json(dir, "config.json", |config| config["text_config"]["num_attention_heads"] = json!(3));
    });
    says(&message, &["config.json", "hidden_size", "num_attention_heads", "32"]);
}

#[test]
fn numbers_that_are_no_weights_are_refused() {
    let message = refused("mha", |dir| {
        edit_weights(dir, |tensors| {
            tensors.iter_mut().filter(|(name, _)| name == QUERY).for_each(|(_, t)| *t = t.to_kind(Kind::Int64));
        });
    });
    says(&message, &[WEIGHTS, QUERY, "floating-point", "I64"]);
}

#[test]
fn files_that_are_absent_or_are_not_json_are_named() {
    let message = refused("gqa", |dir| std::fs::remove_file(dir.join("model-00003-of-00004.safetensors")).unwrap());
    says(&message, &["model.safetensors.index.json", "model-00003-of-00004.safetensors"]);
    let message = refused("mha", |dir| std::fs::remove_file(dir.join(WEIGHTS)).unwrap());
    says(&message, &[WEIGHTS, "model.safetensors.index.json"]);
    for file in ["tokenizer.json", "config.json"] {
        says(&refused("mha", |dir| std::fs::remove_file(dir.join(file)).unwrap()), &[file]);
        says(&refused("mha", |dir| std::fs::write(dir.join(file), "{\"model").unwrap()), &[file]);
    }
    for file in ["generation_config.json", "preprocessor_config.json"] {
        says(&refused("mha", |dir| std::fs::write(dir.join(file), "{\"model").unwrap()), &[file, "JSON"]);
    }
    let message = refused("gqa", |dir| std::fs::write(dir.join("model.safetensors.index.json"), "{}").unwrap());
    says(&message, &["model.safetensors.index.json", "weight_map"]);
}

#[test]
fn files_of_different_checkpoints_are_told_apart() {
    let message = refused("mha", |dir| {
        edit_json(dir, "config.json", |config| config["audio_token_index"] = json!(9));
    });
    says(&message, &["audio_token_index 9", "<|AUDIO|>", "364"]);
    let message = refused("mha", |dir| {
        edit_json(dir, "preprocessor_config.json", |config| config["hop_length"] = json!(320));
    });
    says(&message, &["preprocessor_config.json", "hop_length", "160", "320"]);
    let message = refused("v5", |dir| {
        edit_json(dir, "processor_config.json", |config| config["feature_extractor"]["feature_size"] = json!(80));
    });
    says(&message, &["/processor_config.json", "feature_size", "128", "80"]);
    for eos in [json!([361, "x"]), json!([]), json!("<|im_end|>")] {
        let message = refused("mha", |dir| {
            edit_json(dir, "generation_config.json", |config| config["eos_token_id"] = eos.clone());
        });
        says(&message, &["generation_config.json", "eos_token_id", &eos.to_string()]);
    }
}

fn same(left: &Params, right: &Params) {
    assert!(left.iter().map(|(name, _)| name).eq(right.iter().map(|(name, _)| name)));
    for ((name, a), (_, b)) in left.iter().zip(right.iter()) {
        assert_eq!((a.kind(), a.size()), (b.kind(), b.size()), "{name}");
        assert!(a.equal(b), "{name} changed");
    }
}

#[test]
fn a_saved_checkpoint_loads_as_what_it_was() {
    for name in ["mha", "gqa", "tied", "bf16", "v5"] {
        let first = checkpoint(name);
        let dir = tempfile::tempdir().unwrap();
        first.save(dir.path()).unwrap();
        let second = Checkpoint::load(dir.path(), dtype_of(name), Device::Cpu).unwrap();
        same(first.model.params(), second.model.params());
        assert_eq!(first.model.config(), second.model.config(), "{name}");
        assert_eq!((&first.eos, first.pad), (&second.eos, second.pad), "{name}");
        assert_eq!(first.generation_config, second.generation_config, "{name}");
        assert_eq!(first.template.render("x", 1).unwrap(), second.template.render("x", 1).unwrap(), "{name}");
        let text = "naïve — 日本語 <answer>";
        assert_eq!(first.tokenizer.encode(text).unwrap(), second.tokenizer.encode(text).unwrap(), "{name}");
    }
}

#[test]
fn shards_hold_every_tensor_once_and_keep_to_their_size() {
    const LIMIT: usize = 30_000;
    let first = checkpoint("mha").model;
    let dir = tempfile::tempdir().unwrap();
    weights::save(first.params(), dir.path(), LIMIT).unwrap();
    let files = weights::shard_files(dir.path()).unwrap();
    assert!(files.len() > 5, "{} files", files.len());
    let (mut total, mut names) = (0, 0);
    for (i, file) in files.iter().enumerate() {
        let expected = format!("model-{:05}-of-{:05}.safetensors", i + 1, files.len());
        assert_eq!(file.file_name().unwrap().to_str(), Some(expected.as_str()));
        let tensors = weights::load_tensors(file, Device::Cpu).unwrap();
        let bytes: usize = tensors.values().map(|t| t.numel() * 4).sum();
        assert!(bytes <= LIMIT || tensors.len() == 1, "{expected}: {bytes} bytes");
        (total, names) = (total + bytes, names + tensors.len());
    }
    let index: Value =
        serde_json::from_slice(&std::fs::read(dir.path().join("model.safetensors.index.json")).unwrap()).unwrap();
    assert_eq!(index["metadata"]["total_size"], json!(total));
    assert_eq!(names, first.params().iter().count());
    same(first.params(), &weights::load(dir.path(), first.config(), first.config().dtype, Device::Cpu).unwrap());
}
