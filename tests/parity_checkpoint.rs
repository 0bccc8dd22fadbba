//! Checkpoints both ways. What this program writes is committed in `tests/parity/model/ours/`, where transformers 4.49.0 and peft 0.14.0 load it
//! (`tests/parity/model/py/ours.py`): a test here holds the program to these bytes. `AQA_WRITE_OURS=1` writes them anew.
#![cfg(feature = "torch")]

mod support;

use aqa_bench::model::Qwen2Audio;
use aqa_bench::model::checkpoint::{Checkpoint, write_init};
use aqa_bench::model::lora::Adapters;
use aqa_bench::recipe::{Dtype, Init, Lora};
use aqa_bench::synth::tokenizer;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use support::*;
use tch::{Device, Tensor, no_grad};

const INIT: Init = Init {
    hidden_size: 16,
    layers: 1,
    heads: 2,
    kv_heads: 1,
    intermediate_size: 24,
    audio_d_model: 8,
    audio_layers: 1,
    audio_heads: 2,
    audio_ffn_dim: 12,
    vocab_size: 300,
    dtype: Dtype::Float32,
};

/// Writes everything that `ours/` holds into a folder.
fn write(dir: &Path) {
    let make = |name: &str| {
        let path = dir.join(name);
        std::fs::create_dir_all(&path).unwrap();
        path
    };
    let policy = checkpoint("gqa");
    policy.save(&make("gqa")).unwrap();
    write_init(&make("init"), &INIT, 12, &tokenizer::build(INIT.vocab_size).unwrap()).unwrap();
    let file = json("lora.json");
    let lora = Lora {
        rank: file["rank"].as_u64().unwrap() as usize,
        alpha: file["alpha"].as_f64().unwrap(),
        targets: texts(&file["targets"]).into_iter().map(str::to_owned).collect(),
    };
    let adapters = Adapters::load(&fixture("adapters/gqa"), policy.model.config(), &lora, Device::Cpu).unwrap();
    adapters.save(&make("adapter")).unwrap();
}

fn files(dir: &Path) -> BTreeMap<PathBuf, Vec<u8>> {
    let mut out = BTreeMap::new();
    for folder in ["gqa", "init", "adapter"] {
        for entry in std::fs::read_dir(dir.join(folder)).unwrap() {
            let path = entry.unwrap().path();
            out.insert(path.strip_prefix(dir).unwrap().to_owned(), std::fs::read(&path).unwrap());
        }
    }
    out
}

#[test]
fn the_program_writes_the_bytes_that_transformers_was_given() {
    let ours = fixture("ours");
    if std::env::var_os("AQA_WRITE_OURS").is_some() {
        write(&ours);
    }
    let dir = tempfile::tempdir().unwrap();
    write(dir.path());
    let (found, committed) = (files(dir.path()), files(&ours));
    assert!(committed.len() > 20, "{:?}", committed.keys());
    let names = found.keys().chain(committed.keys());
    let mut differ: Vec<&PathBuf> = names.filter(|name| found.get(*name) != committed.get(*name)).collect();
    differ.dedup();
    assert!(differ.is_empty(), "AQA_WRITE_OURS=1 writes them anew, then run scripts/parity-fixtures.sh: {differ:?}");
}

fn logits(model: &Qwen2Audio, case: &Case) -> Tensor {
    no_grad(|| model.language().logits(&prompt_hidden(model, &[case]).select(1, -1))).squeeze_dim(0)
}

/// transformers reads no name that it does not expect and misses none (its script asserts that), and says the same to our copy of a checkpoint as
/// to the original, bit for bit; to a checkpoint made from a seed it says what we say.
#[test]
fn transformers_reads_what_the_program_writes() {
    let theirs = Tensors::load("ours.safetensors");
    for (copy, file, original) in [
        ("gqa.logits", "forward-gqa.safetensors", "odd.logits"),
        ("adapter.logits", "lora-gqa.safetensors", "odd.logits"),
    ] {
        let original = numbers(Tensors::load(file).get(original));
        let differ = differing(&numbers(theirs.get(copy)), &original);
        within("checkpoint/theirs-of-ours", copy, original.len(), differ);
    }
    let policy = Checkpoint::load(&fixture("ours/init"), Dtype::Float32, Device::Cpu).unwrap();
    let odd = case("odd");
    let rendered = policy.template.render(&odd.text, 1).unwrap();
    let ids = policy.tokenizer.expand_audio(&rendered, &[odd.features[0].audio_tokens()]).unwrap();
    let ids: Vec<i64> = ids.into_iter().map(i64::from).collect();
    assert_eq!(ids, theirs.ids("init.input_ids"), "ids of a tokenizer of our own");
    let own = Case { ids, ..odd };
    close_to_largest("checkpoint/init", "logits", &logits(&policy.model, &own), theirs.get("init.logits"));
}

/// The names and files of transformers 5 are the same model, and so is a copy that we wrote: the same bits.
#[test]
fn every_spelling_of_a_checkpoint_is_the_same_model() {
    let odd = case("odd");
    let of = |dir: &Path| {
        let policy = Checkpoint::load(dir, Dtype::Float32, Device::Cpu).unwrap();
        numbers(&logits(&policy.model, &odd))
    };
    let want = of(&checkpoint_dir("gqa"));
    for dir in [checkpoint_dir("v5"), fixture("ours/gqa")] {
        within("checkpoint/ours-of-theirs", &dir.display().to_string(), want.len(), differing(&of(&dir), &want));
    }
}
