//! Decoding against libsndfile (tests/fixtures/audio: clips of our own, expected.json and the scripts that made them).

use aqa_bench::audio::{self, decode};
use serde_json::Value;
use std::path::{Path, PathBuf};

fn fixtures() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/audio")
}

fn json(name: &str) -> Value {
    serde_json::from_slice(&std::fs::read(fixtures().join(name)).unwrap()).unwrap()
}

fn crc32(bytes: impl Iterator<Item = u8>) -> u32 {
    !bytes.fold(!0u32, |crc, byte| {
        (0..8).fold(crc ^ u32::from(byte), |c, _| if c & 1 == 1 { c >> 1 ^ 0xedb8_8320 } else { c >> 1 })
    })
}

#[test]
fn every_encoding_decodes_as_libsndfile_reads_it() {
    let expected = json("expected.json");
    let files = expected["files"].as_object().unwrap();
    assert!(files.len() >= 30, "{} files", files.len());
    let mut worst = 0f64;
    for (name, want) in files {
        let found = decode::decode(&fixtures().join(name));
        if want["frames"] == 0 {
            let message = found.unwrap_err().to_string();
            assert!(message.contains(name) && message.contains("not closed"), "{message}");
            continue;
        }
        let found = found.unwrap();
        assert_eq!(u64::from(found.sample_rate), want["rate"], "{name}");
        assert_eq!(found.channels as u64, want["channels"], "{name}");
        assert_eq!(found.samples.len() as u64, want["frames"], "{name}");
        if let Some(every) = want["every_16th"].as_array() {
            for (at, (ours, theirs)) in found.samples.iter().step_by(16).zip(every).enumerate() {
                let error = (f64::from(*ours) - theirs.as_f64().unwrap()).abs();
                worst = worst.max(error);
                assert!(error < 2e-6, "{name}: sample {}: {ours} for {theirs}", at * 16);
            }
        } else {
            let crc = crc32(found.samples.iter().flat_map(|x| x.to_le_bytes()));
            assert_eq!(u64::from(crc), want["crc32"], "{name}: channel 0 differs");
        }
        assert_eq!(found.damage.any(), name == "odd-truncated.wav", "{name}: {}", found.damage);
    }
    println!("largest difference of a lossy decoder: {worst:e}");
}
