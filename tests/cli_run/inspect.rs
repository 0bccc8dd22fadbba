//! `inspect`: the six tensors of the contract.

use crate::program::aqa;
use safetensors::{Dtype, SafeTensors};
use std::fs;
use tempfile::tempdir;

#[test]
fn inspect_writes_what_the_model_sees_and_says() {
    let dir = tempdir().unwrap();
    let out = dir.path().join("inspect.safetensors");
    let model = "tests/parity/model/checkpoints/mha";
    let clip = "tests/parity/model/clips/half.wav";
    let args =
        ["inspect", "--model", model, "--audio", clip, "--prompt", "What is heard?", "--out", out.to_str().unwrap()];
    let told = aqa(args).succeeds();
    let bytes = fs::read(&out).unwrap();
    let tensors = SafeTensors::deserialize(&bytes).unwrap();
    let mut names = tensors.names();
    names.sort_unstable();
    assert_eq!(
        names,
        ["audio_embeddings", "feature_attention_mask", "greedy_ids", "input_features", "input_ids", "logits"]
    );
    let shape = |name: &str, dtype: Dtype| {
        let tensor = tensors.tensor(name).unwrap();
        assert_eq!(tensor.dtype(), dtype, "{name}");
        assert!(told.contains(name), "{told}");
        tensor.shape().to_vec()
    };
    let ids = |name: &str| -> Vec<i64> {
        let data = tensors.tensor(name).unwrap().data().to_vec();
        data.chunks(8).map(|c| i64::from_le_bytes(c.try_into().unwrap())).collect()
    };
    // Half a second: 50 valid frames, 12 audio tokens (tests/parity/model/README.md).
    assert_eq!(shape("input_features", Dtype::F32), [1, 128, 3000]);
    assert_eq!(shape("feature_attention_mask", Dtype::I64), [1, 3000]);
    assert_eq!(ids("feature_attention_mask").iter().sum::<i64>(), 50);
    assert_eq!(shape("audio_embeddings", Dtype::F32), [12, 32]);
    let prompt = shape("input_ids", Dtype::I64);
    assert_eq!((prompt[0], ids("input_ids").iter().filter(|id| **id == 364).count()), (1, 12));
    assert_eq!(shape("logits", Dtype::F32), [384]);
    let greedy = ids("greedy_ids");
    assert!((1..=16).contains(&greedy.len()));
    let logits = tensors.tensor("logits").unwrap().data().to_vec();
    let logits: Vec<f32> = logits.chunks(4).map(|c| f32::from_le_bytes(c.try_into().unwrap())).collect();
    let likeliest = (0..logits.len()).max_by(|a, b| logits[*a].total_cmp(&logits[*b])).unwrap();
    assert_eq!(greedy[0], likeliest as i64, "the first greedy id is the likeliest");

    // The same call writes the same bytes, and other words give other logits.
    aqa(args).succeeds();
    assert_eq!(fs::read(&out).unwrap(), bytes);
    let mut other = args;
    other[6] = "Who speaks?";
    aqa(other).succeeds();
    assert_ne!(fs::read(&out).unwrap(), bytes);
}
