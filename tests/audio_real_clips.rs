//! The 73 real MMAU clips, where they are at hand (`AQA_SHARED`, default `../shared`), against libsndfile, ffmpeg and R1-AQA's own
//! steps in torchaudio and transformers. Fixtures hold counts, checksums and norms: `tests/parity/audio/real_clips.json` and
//! `tests/parity/torchaudio-load/real_clips.json`.

use aqa_bench::audio::decode::{self, Decoded};
use aqa_bench::audio::{self, MAX_SAMPLES};
use audio_common::{crc32_of, json, real_clips};
use serde_json::{Map, Value};
use std::path::Path;

mod audio_common;
mod measured;

/// Radians a sample of the slow wave that samples are correlated with.
const ANGLE: f64 = 0.05;

fn facts(path: &str, table: &str) -> Map<String, Value> {
    json(path)[table].as_object().unwrap().clone()
}

fn decoded(folder: &Path, id: &str) -> Decoded {
    decode::decode(&folder.join(format!("{id}.wav"))).unwrap()
}

fn mean(x: &[f32], of: impl Fn(usize, f64) -> f64) -> f64 {
    x.iter().enumerate().map(|(i, x)| of(i, f64::from(*x))).sum::<f64>() / x.len() as f64
}

fn relative(found: f64, want: &Value) -> f64 {
    (found / want.as_f64().unwrap() - 1.0).abs()
}

#[test]
fn all_real_clips_decode_as_libsndfile_reads_them() {
    let Some(folder) = real_clips("all_real_clips_decode_as_libsndfile_reads_them") else { return };
    let facts = facts("audio/real_clips.json", "clips");
    assert_eq!(facts.len(), 73);
    assert_eq!(std::fs::read_dir(&folder).unwrap().count(), 73);
    let mut encodings = std::collections::BTreeMap::new();
    let mut long = 0;
    for (id, fact) in &facts {
        let found = decoded(&folder, id);
        let shape = [u64::from(found.sample_rate), found.channels as u64, found.samples.len() as u64];
        assert_eq!(shape.map(Value::from)[..], fact.as_array().unwrap()[..3], "{id}");
        match fact[3].as_u64() {
            Some(crc) => {
                let n = found.samples.len();
                let differing = if u64::from(crc32_of(&found.samples)) == crc { 0.0 } else { n as f64 };
                measured::within("decode/real-lossless", id, n, differing);
            }
            None => {
                assert_eq!(found.encoding, "MP3", "{id}");
                let off = relative(mean(&found.samples, |_, x| x * x), &fact[4]);
                measured::within("decode/real-mp3-square", &format!("{id} by libsndfile"), 1, off);
            }
        }
        assert!(!found.damage.any(), "{id}: {}", found.damage);
        *encodings.entry((found.encoding.clone(), found.sample_rate, found.channels)).or_insert(0) += 1;

        // Longer than 30 s by the header's own arithmetic, not by what the resampler says.
        let (frames, limit) = (found.samples.len(), 30 * found.sample_rate as usize);
        let clip = audio::clip(found, id).unwrap();
        assert_eq!(clip.cropped, frames > limit, "{id}: {frames} samples at {} Hz", clip.source_rate);
        assert_eq!(clip.samples.len() == MAX_SAMPLES, frames >= limit, "{id}");
        long += usize::from(clip.cropped);
    }
    for (encoding, count) in &encodings {
        println!("{count:3} {encoding:?}");
    }
    // The ten MP3 clips are 30.04 s and 30.02 s.
    assert_eq!(long, 10, "clips longer than 30 s");
    assert!(encodings.len() >= 12, "{encodings:?}");
}

#[test]
fn real_mp3_clips_begin_end_and_sound_as_in_ffmpeg() {
    let Some(folder) = real_clips("real_mp3_clips_begin_end_and_sound_as_in_ffmpeg") else { return };
    let facts = facts("audio/real_clips.json", "ffmpeg");
    assert_eq!(facts.len(), 10);
    for (id, fact) in &facts {
        let samples = decoded(&folder, id).samples;
        let count = fact["samples"].as_u64().unwrap();
        measured::within("decode/real-mp3-count", id, 1, (samples.len() as u64).abs_diff(count) as f64);
        let off = relative(mean(&samples, |_, x| x * x), &fact["mean_square"]);
        measured::within("decode/real-mp3-square", &format!("{id} by ffmpeg"), 1, off);
        // The maker of the fixture made sure that a shift by one sample moves these ten times as far as is allowed here.
        let ours =
            [mean(&samples, |i, x| x * (ANGLE * i as f64).cos()), mean(&samples, |i, x| x * (ANGLE * i as f64).sin())];
        let off = [0, 1].map(|k| (ours[k] - fact["moments"][k].as_f64().unwrap()).abs());
        measured::within("decode/real-mp3-moments", id, 2, off[0].max(off[1]));
        // Both readers of the reference agree, so agreeing with one is agreeing with the other.
        let readers = fact["largest_difference_from_libsndfile"].as_f64().unwrap();
        assert!(readers <= measured::tolerance("decode/mp3-ffmpeg"), "{id}: {readers:e}");
    }
}

#[test]
fn real_clips_make_as_many_audio_tokens_as_in_the_reference() {
    let Some(folder) = real_clips("real_clips_make_as_many_audio_tokens_as_in_the_reference") else { return };
    let loaded = facts("torchaudio-load/real_clips.json", "clips");
    let by_libsndfile = facts("audio/real_clips.json", "clips");
    let by_ffmpeg = facts("audio/real_clips.json", "ffmpeg");
    assert_eq!((loaded.len(), by_libsndfile.len(), by_ffmpeg.len()), (73, 73, 10));
    let mut different = std::collections::BTreeSet::new();
    for (id, fact) in &loaded {
        // Rate, channels, samples, checksum: what torchaudio loads is what libsndfile reads, and that is what we are held to.
        assert_eq!(fact.as_array().unwrap()[..4], by_libsndfile[id].as_array().unwrap()[..4], "{id}");
        let clip = audio::load(&folder.join(format!("{id}.wav"))).unwrap();
        let samples = fact[4].as_u64().unwrap().min(MAX_SAMPLES as u64);
        assert_eq!(clip.samples.len() as u64, samples, "{id}: samples at 16 kHz");
        let features = audio::features(&clip);
        assert!(features.values.iter().all(|x| x.is_finite()), "{id}");
        let ours = Value::from(features.audio_tokens());
        assert_eq!(features.audio_tokens(), clip.audio_tokens(), "{id}");
        let readers = [Some(&fact[5]), Some(&by_libsndfile[id][6]), by_ffmpeg.get(id).map(|f| &f["tokens"])];
        let theirs: Vec<&Value> = readers.into_iter().flatten().collect();
        let differing = theirs.iter().filter(|t| **t != &ours).count() as f64;
        measured::within("decode/real-tokens", &format!("{id}: {ours} for {theirs:?}"), theirs.len(), differing);
        different.insert(ours.as_u64());
    }
    assert!(different.len() >= 10, "clips of many lengths: {different:?}");
}
