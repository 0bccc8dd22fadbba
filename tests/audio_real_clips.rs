//! The 73 real MMAU clips, where they are at hand (`AQA_SHARED`, default `../shared`), against libsndfile
//! (tests/fixtures/audio/clips.json, made by clips.py there).

use aqa_bench::audio::{self, MAX_SAMPLES, decode};
use serde_json::Value;
use std::path::{Path, PathBuf};

mod audio_common;

/// The folder of clips, or a line that says which test was skipped.
fn clips(test: &str) -> Option<PathBuf> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let shared = std::env::var_os("AQA_SHARED").map_or_else(|| PathBuf::from("../shared"), PathBuf::from);
    let folder = root.join(shared).join("data/mmau/test-mini-audios");
    if !folder.is_dir() {
        eprintln!("skipped {test}: {} is not there (set AQA_SHARED)", folder.display());
        return None;
    }
    Some(folder)
}

#[test]
fn all_real_clips_decode_as_libsndfile_reads_them() {
    let Some(folder) = clips("all_real_clips_decode_as_libsndfile_reads_them") else { return };
    let facts: Value = serde_json::from_str(include_str!("fixtures/audio/clips.json")).unwrap();
    let facts = facts["clips"].as_object().unwrap();
    assert_eq!(facts.len(), 73);
    assert_eq!(std::fs::read_dir(&folder).unwrap().count(), 73);
    let mut encodings = std::collections::BTreeMap::new();
    let mut long = 0;
    for (id, fact) in facts {
        let path = folder.join(format!("{id}.wav"));
        let found = decode::decode(&path).unwrap();
        assert_eq!(u64::from(found.sample_rate), fact[0], "{id}");
        assert_eq!(found.channels as u64, fact[1], "{id}");
        assert_eq!(found.samples.len() as u64, fact[2], "{id}");
        let square = found.samples.iter().map(|x| f64::from(*x).powi(2)).sum::<f64>() / found.samples.len() as f64;
        let want = fact[4].as_f64().unwrap();
        assert!((square - want).abs() <= 2e-6 * want, "{id}: mean square {square} for {want}");
        match fact[3].as_u64() {
            Some(crc) => assert_eq!(u64::from(audio_common::crc32_of(&found.samples)), crc, "{id}: channel 0 differs"),
            None => assert_eq!(found.encoding, "MP3", "{id}"),
        }
        assert!(!found.damage.any(), "{id}: {}", found.damage);
        *encodings.entry((found.encoding.clone(), found.sample_rate, found.channels)).or_insert(0) += 1;

        // Longer than 30 s by the header's own arithmetic, not by what the resampler says.
        let too_long = found.samples.len() > 30 * found.sample_rate as usize;
        let clip = audio::load(&path).unwrap();
        assert_eq!(clip.cropped, too_long, "{id}: {} samples at {} Hz", found.samples.len(), found.sample_rate);
        assert_eq!(clip.samples.len() == MAX_SAMPLES, found.samples.len() >= 30 * found.sample_rate as usize, "{id}");
        long += usize::from(clip.cropped);
        let features = audio::features(&clip);
        assert_eq!(features.audio_tokens(), clip.audio_tokens(), "{id}");
        assert!(features.values.iter().all(|x| x.is_finite()), "{id}");
    }
    for (encoding, count) in &encodings {
        println!("{count:3} {encoding:?}");
    }
    // The ten MP3 clips are 30.04 s and 30.02 s.
    assert_eq!(long, 10, "clips longer than 30 s");
    assert!(encodings.len() >= 12, "{encodings:?}");
}
