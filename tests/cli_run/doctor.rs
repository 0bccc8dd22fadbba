//! `doctor --model`: a user's test of a checkpoint.

use crate::folder::copy;
use crate::program::aqa;
use safetensors::SafeTensors;
use std::path::Path;
use tempfile::tempdir;

const MODEL: &str = "tests/parity/model/checkpoints/mha";

#[test]
fn a_model_that_hears_passes_with_a_clip_of_its_own_and_without() {
    let said = aqa(["doctor", "--model", MODEL]).succeeds();
    for part in [
        "clip       a scale of eight tones, 2.00 s: 50 audio tokens, 50 embeddings",
        "silence    moves",
        "heard      yes",
    ] {
        assert!(said.contains(part), "{part}: {said}");
    }
    let clip = "tests/parity/model/clips/one.wav";
    let said = aqa(["doctor", "--model", MODEL, "--audio", clip, "--dtype", "bfloat16"]).succeeds();
    assert!(said.contains("one.wav, 1.00 s: 25 audio tokens") && said.contains("bfloat16"), "{said}");
}

#[test]
fn a_deaf_model_fails_the_check() {
    let dir = tempdir().unwrap();
    copy(Path::new(MODEL), dir.path());
    let path = dir.path().join("model.safetensors");
    let mut bytes = std::fs::read(&path).unwrap();
    let (header, file) = SafeTensors::read_metadata(&bytes).unwrap();
    let [from, to] = <[usize; 2]>::from(file.info("multi_modal_projector.linear.weight").unwrap().data_offsets);
    bytes[8 + header + from..8 + header + to].fill(0);
    std::fs::write(&path, bytes).unwrap();
    let folder = dir.path().to_str().unwrap();
    let error = aqa(["doctor", "--model", folder]).fails(3);
    assert!(error.contains("does not hear") && error.contains("the projector"), "{error}");
}

#[test]
fn what_cannot_be_tested_is_refused() {
    let error = aqa(["doctor", "--model", "no/such"]).fails(4);
    assert!(error.contains("no/such"), "{error}");
    let dir = tempdir().unwrap();
    let silent = dir.path().join("silent.wav");
    aqa_bench::audio::wav::write_pcm16(&silent, &vec![0.0; 16_000], 16_000).unwrap();
    let error = aqa(["doctor", "--model", MODEL, "--audio", silent.to_str().unwrap()]).fails(4);
    assert!(error.contains("silent.wav") && error.contains("choose another"), "{error}");
    let error = aqa(["doctor", "--audio", silent.to_str().unwrap()]).fails(2);
    assert!(error.contains("--model"), "{error}");
}
