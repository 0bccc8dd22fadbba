//! Checkpoints that are not what they should be: refused with the file and what is wrong in it.

use crate::folder::{copy, done, json, reproduce};
use crate::program::{Said, aqa};
use crate::report_runs::questions;
use aqa_bench::pins::Sha256;
use std::fs;
use std::path::{Path, PathBuf};
use tempfile::{TempDir, tempdir};

/// A copy of a checkpoint, twelve questions with one clip, and a recipe that evaluates the one on the other.
struct World {
    dir: TempDir,
}

impl World {
    fn new(checkpoint: &str) -> Self {
        let dir = tempdir().unwrap();
        copy(&Path::new("tests/parity/model/checkpoints").join(checkpoint), &dir.path().join("model"));
        fs::create_dir(dir.path().join("audios")).unwrap();
        fs::copy("tests/parity/model/clips/half.wav", dir.path().join("audios/q00.wav")).unwrap();
        fs::write(dir.path().join("questions.json"), serde_json::to_vec(&questions()[..1]).unwrap()).unwrap();
        let world = Self { dir };
        world.pin();
        world
    }

    fn model(&self, file: &str) -> PathBuf {
        self.dir.path().join("model").join(file)
    }

    /// Writes the recipe, with the hashes of what is there now.
    fn pin(&self) {
        let text = fs::read_to_string("tests/inputs/tiny/clips.yaml").unwrap();
        let (before, rest) = text.split_once("model:\n").unwrap();
        let (_, after) = rest.split_once("\n\ndata:\n").unwrap();
        let sha256 = |path: &Path| Sha256::of_file(path).unwrap().to_string();
        let mut files: Vec<PathBuf> = fs::read_dir(self.model("")).unwrap().map(|e| e.unwrap().path()).collect();
        files.retain(|path| path.extension().is_some_and(|e| e == "safetensors"));
        let weights =
            files.iter().map(|p| format!("    {}: {}\n", p.file_name().unwrap().to_str().unwrap(), sha256(p)));
        let model = format!("model:\n  source: model\n  dtype: float32\n  weights:\n{}", weights.collect::<String>());
        let recipe = format!("{before}{model}\ndata:\n{after}")
            .replace(&"0".repeat(64), &sha256(&self.dir.path().join("questions.json")));
        fs::write(self.dir.path().join("recipe.yaml"), recipe).unwrap();
    }

    fn reproduce(&self) -> Said {
        let dir = format!("data.dir={}", self.dir.path().display());
        let recipe = self.dir.path().join("recipe.yaml");
        reproduce(recipe.to_str().unwrap(), &self.dir.path().join("run"), &["--set", &dir])
    }
}

#[test]
fn a_checkpoint_from_a_folder_is_evaluated() {
    for checkpoint in ["mha", "gqa"] {
        let world = World::new(checkpoint);
        world.reproduce().succeeds();
        let record = json(&done(&world.dir.path().join("run"), "clips").join("eval.json"));
        assert_eq!(record["trained"], false);
    }
}

#[test]
fn a_configuration_that_does_not_fit_the_weights_is_named_by_tensor() {
    let world = World::new("mha");
    let mut config = json(&world.model("config.json"));
    config["text_config"]["intermediate_size"] = 96.into();
    config["text_config"]["num_hidden_layers"] = 3.into();
    fs::write(world.model("config.json"), config.to_string()).unwrap();
    let error = world.reproduce().fails(4);
    assert!(error.contains("config.json implies shape [96, 32], found [64, 32]"), "{error}");
    assert!(error.contains("language_model.model.layers.2.") && error.contains("(missing)"), "{error}");
    assert!(error.lines().count() <= 21, "{error}");

    config["text_config"]["num_hidden_layers"] = 1.into();
    config["text_config"]["intermediate_size"] = 64.into();
    fs::write(world.model("config.json"), config.to_string()).unwrap();
    let error = world.reproduce().fails(4);
    assert!(error.contains("layers.1.") && error.contains("(extra)"), "{error}");

    for (text, says) in [("{\"text_config\": {", "config.json"), ("[]", "config.json"), ("", "config.json")] {
        fs::write(world.model("config.json"), text).unwrap();
        let error = world.reproduce().fails(4);
        assert!(error.contains(says) && error.lines().count() == 1, "{error}");
    }
}

#[test]
fn a_half_written_shard_is_refused_whatever_was_pinned() {
    let world = World::new("gqa");
    let shard = world.model("model-00002-of-00004.safetensors");
    let whole = fs::read(&shard).unwrap();
    let pinned = Sha256::of(&whole).to_string();
    for keep in [whole.len() / 2, 4, 0] {
        fs::write(&shard, &whole[..keep]).unwrap();
        let found = Sha256::of(&whole[..keep]).to_string();
        let error = world.reproduce().fails(4);
        assert!(error.contains(&pinned) && error.contains(&found) && error.contains("00002-of-00004"), "{error}");
        assert!(!world.dir.path().join("run").exists(), "refused before anything is computed");
    }
    for keep in [whole.len() / 2, 4, 0] {
        fs::write(&shard, &whole[..keep]).unwrap();
        world.pin();
        let error = world.reproduce().fails(4);
        assert!(error.contains("00002-of-00004") && error.lines().count() == 1, "{error}");
    }
    fs::remove_file(&shard).unwrap();
    world.pin();
    let error = world.reproduce().fails(4);
    assert!(error.contains("model.safetensors.index.json") && error.contains("00002-of-00004"), "{error}");
    fs::write(&shard, &whole).unwrap();
    world.pin();
    world.reproduce().succeeds();
}

#[test]
fn every_weight_file_is_pinned_or_there_is_no_run() {
    let world = World::new("gqa");
    let shard = world.model("model-00003-of-00004.safetensors");
    let aside = world.dir.path().join("aside");
    fs::rename(&shard, &aside).unwrap();
    world.pin();
    fs::rename(&aside, &shard).unwrap();
    let error = world.reproduce().fails(4);
    assert!(error.contains("00003-of-00004") && error.contains("a pin for every weight file"), "{error}");
    assert!(error.contains(&Sha256::of_file(&shard).unwrap().to_string()), "the message holds what to add: {error}");
}

#[test]
fn files_of_two_checkpoints_are_not_mixed() {
    let world = World::new("mha");
    let tokenizer = fs::read_to_string(world.model("tokenizer.json")).unwrap();
    fs::remove_file(world.model("tokenizer.json")).unwrap();
    let error = world.reproduce().fails(4);
    assert!(error.contains("tokenizer.json"), "{error}");
    fs::write(world.model("tokenizer.json"), tokenizer).unwrap();
    let mut config = json(&world.model("config.json"));
    config["audio_token_index"] = 363.into();
    fs::write(world.model("config.json"), config.to_string()).unwrap();
    let error = world.reproduce().fails(4);
    assert!(error.contains("audio_token_index 363") && error.contains("364"), "{error}");
}

#[test]
fn inspect_refuses_what_it_cannot_load() {
    let dir = tempdir().unwrap();
    let out = dir.path().join("out.safetensors");
    let clip = "tests/parity/model/clips/half.wav";
    let inspect = |model: &str, audio: &str| {
        aqa(["inspect", "--model", model, "--audio", audio, "--prompt", "What?", "--out", out.to_str().unwrap()])
    };
    let model = "tests/parity/model/checkpoints/mha";
    for (model, audio, says) in [
        ("nowhere", clip, "nowhere"),
        ("tests/parity", clip, "tests/parity"),
        (model, "nowhere.wav", "nowhere.wav"),
        (model, "Cargo.toml", "Cargo.toml"),
    ] {
        let error = inspect(model, audio).fails(4);
        assert!(error.contains(says) && error.lines().count() == 1, "{error}");
        assert!(!out.exists());
    }
    let said =
        aqa(["inspect", "--model", model, "--audio", clip, "--prompt", "a<|AUDIO|>b", "--out", out.to_str().unwrap()]);
    assert!(said.fails(2).contains("<|AUDIO|>"));
}
