//! The tokenizer of a policy made from a seed: pinned bytes, and the same ids as transformers gives.

use aqa_bench::pins::Sha256;
use aqa_bench::synth::tokenizer::build;
use serde_json::Value;
use std::path::{Path, PathBuf};
use tokenizers::Tokenizer;

mod measured;

/// Words and special tokens of the committed copy.
const SIZE: usize = 511;

const FIXTURE: &str = include_str!("parity/tokenizer/encodings.json");

fn fixture() -> Value {
    serde_json::from_str(FIXTURE).unwrap()
}

fn built() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/parity/tokenizer/built")
}

/// The vocabulary is part of every pinned policy made from a seed. The bytes are those that transformers read when the encodings
/// were made.
#[test]
fn the_files_are_the_pinned_bytes_every_time() {
    let fixture = fixture();
    for _ in 0..5 {
        let files = build(SIZE).unwrap();
        assert_eq!(files.files().len(), fixture["sha256"].as_object().unwrap().len());
        for (name, content) in files.files() {
            let committed = std::fs::read(built().join(name)).unwrap();
            let differing = measured::differing(content.as_bytes(), &committed);
            measured::within("tokenizer/files", name, committed.len(), differing);
            assert_eq!(Sha256::of(content.as_bytes()).as_str(), fixture["sha256"][name].as_str().unwrap(), "{name}");
        }
    }
}

/// After a wanted change of the vocabulary: `cargo test --test synth_tokenizer -- --ignored`, then `make parity-fixtures`.
#[test]
#[ignore = "writes tests/parity/tokenizer/built"]
fn write_the_committed_files() {
    for (name, content) in build(SIZE).unwrap().files() {
        std::fs::write(built().join(name), content).unwrap();
    }
}

#[test]
fn ids_and_texts_are_those_of_transformers() {
    let fixture = fixture();
    assert_eq!(fixture["vocab_size"], SIZE);
    let tokenizer = Tokenizer::from_bytes(build(SIZE).unwrap().tokenizer_json).unwrap();
    let cases = fixture["cases"].as_array().unwrap();
    assert!(cases.len() >= 10, "{} cases", cases.len());
    for case in cases {
        let text = case["text"].as_str().unwrap();
        let encoding = tokenizer.encode(text, false).unwrap();
        let ids: Vec<Value> = encoding.get_ids().iter().map(|&id| id.into()).collect();
        let theirs = case["ids"].as_array().unwrap();
        // An empty text has no ids, and that is compared too.
        measured::within("tokenizer/ids", text, theirs.len().max(1), measured::differing(&ids, theirs));
        let decoded = tokenizer.decode(encoding.get_ids(), false).unwrap();
        let differs = f64::from(decoded != case["decoded"].as_str().unwrap());
        measured::within("tokenizer/texts", &format!("{text:?}: {decoded:?}"), 1, differs);
    }
}
