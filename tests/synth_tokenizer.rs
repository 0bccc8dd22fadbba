//! The tokenizer of a policy made from a seed: pinned bytes, and the same ids as transformers gives.

use aqa_bench::pins::Sha256;
use aqa_bench::synth::tokenizer::build;
use serde_json::Value;
use tokenizers::Tokenizer;

const FIXTURE: &str = include_str!("parity/tokenizer/encodings.json");

fn fixture() -> Value {
    serde_json::from_str(FIXTURE).unwrap()
}

/// The vocabulary is part of every pinned policy made from a seed.
#[test]
fn the_files_are_the_pinned_bytes_every_time() {
    let fixture = fixture();
    let size = usize::try_from(fixture["vocab_size"].as_u64().unwrap()).unwrap();
    for _ in 0..5 {
        for (name, content) in build(size).unwrap().files() {
            assert_eq!(Sha256::of(content.as_bytes()).as_str(), fixture["sha256"][name].as_str().unwrap(), "{name}");
        }
    }
}

#[test]
fn ids_and_texts_are_those_of_transformers() {
    let fixture = fixture();
    let size = usize::try_from(fixture["vocab_size"].as_u64().unwrap()).unwrap();
    let tokenizer = Tokenizer::from_bytes(build(size).unwrap().tokenizer_json).unwrap();
    let cases = fixture["cases"].as_array().unwrap();
    assert!(cases.len() >= 10, "{} cases", cases.len());
    for case in cases {
        let text = case["text"].as_str().unwrap();
        let encoding = tokenizer.encode(text, false).unwrap();
        let ids: Vec<Value> = encoding.get_ids().iter().map(|&id| id.into()).collect();
        assert_eq!(&ids, case["ids"].as_array().unwrap(), "{text:?}");
        assert_eq!(tokenizer.decode(encoding.get_ids(), false).unwrap(), case["decoded"].as_str().unwrap(), "{text:?}");
    }
}
