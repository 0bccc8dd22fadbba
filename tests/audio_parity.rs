//! Decoding held against libsndfile, torchaudio 2.6.0's load and ffmpeg, on clips of our own in every encoding. Fixtures and how they
//! were made: `tests/parity/audio` and `tests/parity/torchaudio-load`.

use aqa_bench::audio::decode::{self, Decoded};
use audio_common::{Tensors, clips, crc32_of, json, largest_difference};
use serde_json::Value;

mod audio_common;
mod measured;

/// How many samples apart the fixture's lossy samples are.
const STRIDE: usize = 5;
/// Samples of an MP3 frame; the search for the best alignment goes as far.
const FRAME: isize = 1152;

/// The row of the table that a lossless encoding belongs to, by libsndfile's name of it.
fn lossless_row(name: &str, subtype: &str) -> &'static str {
    match subtype {
        _ if name.ends_with(".flac") => "decode/flac",
        "PCM_U8" | "PCM_16" | "PCM_24" | "PCM_32" => "decode/pcm",
        "FLOAT" | "DOUBLE" => "decode/float",
        other => panic!("{name}: {other}"),
    }
}

/// Rate, channels and number of samples, as numbers to compare.
fn shape(found: &Decoded) -> [u64; 3] {
    [u64::from(found.sample_rate), found.channels as u64, found.samples.len() as u64]
}

fn decoded(name: &str) -> Decoded {
    decode::decode(&clips().join(name)).unwrap_or_else(|e| panic!("{e}"))
}

/// Holds the lossless clips against one reader's facts: [rate, channels, samples, CRC-32 of channel 0, ...] by name.
fn hold(reader: &str, facts: &Value, subtypes: &Value) {
    let mut seen = Vec::new();
    for (name, want) in facts.as_object().unwrap() {
        if want[2] == 0 {
            let message = decode::decode(&clips().join(name)).unwrap_err().to_string();
            assert!(message.contains(name.as_str()) && message.contains("not closed"), "{message}");
            continue;
        }
        let found = decoded(name);
        assert_eq!(shape(&found).map(Value::from)[..], want.as_array().unwrap()[..3], "{name} by {reader}");
        assert_eq!(found.damage.any(), name == "odd-truncated.wav", "{name}: {}", found.damage);
        if want[3].is_null() {
            continue;
        }
        let row = lossless_row(name, subtypes[name][4].as_str().unwrap());
        let same = want[3].as_u64() == Some(u64::from(crc32_of(&found.samples)));
        let n = found.samples.len();
        measured::within(row, &format!("{name} by {reader}"), n, if same { 0.0 } else { n as f64 });
        seen.push(format!("{row} {}", subtypes[name][4].as_str().unwrap()));
    }
    for wanted in [
        "pcm PCM_U8",
        "pcm PCM_16",
        "pcm PCM_24",
        "pcm PCM_32",
        "float FLOAT",
        "float DOUBLE",
        "flac PCM_16",
        "flac PCM_24",
    ] {
        assert!(seen.contains(&format!("decode/{wanted}")), "no clip of {wanted}: {seen:?}");
    }
}

#[test]
fn lossless_clips_are_what_libsndfile_reads() {
    let facts = json("audio/libsndfile.json");
    assert_eq!(facts["made_with"]["soundfile"], "0.12.1");
    hold("libsndfile", &facts["files"], &facts["files"]);
}

#[test]
fn lossless_clips_are_what_torchaudio_loads() {
    let facts = json("torchaudio-load/loaded.json");
    assert_eq!(facts["made_with"]["torchaudio"], "2.6.0");
    let files = &json("audio/libsndfile.json")["files"];
    assert_eq!(facts["files"].as_object().unwrap().len(), files.as_object().unwrap().len());
    hold("torchaudio.load", &facts["files"], files);
}

/// Where every `STRIDE`-th sample of a reader fits ours best: (shift, largest difference where both have samples). A positive shift
/// means that ours begins later.
fn align(ours: &[f32], theirs: &[f32]) -> (isize, f64) {
    let error = |shift: isize| {
        let pairs = theirs.iter().enumerate().filter_map(|(k, y)| {
            let at = (k * STRIDE) as isize + shift;
            usize::try_from(at).ok().and_then(|at| ours.get(at)).map(|x| (*x, *y))
        });
        pairs.map(|(x, y)| f64::from((x - y).abs())).fold(0.0, f64::max)
    };
    (-FRAME..=FRAME).map(|shift| (shift, error(shift))).min_by(|a, b| a.1.total_cmp(&b.1)).unwrap()
}

#[test]
fn mp3_clips_begin_end_and_sound_as_in_libsndfile_and_ffmpeg() {
    let tensors = Tensors::read("audio/lossy.safetensors");
    let files = &json("audio/libsndfile.json")["files"];
    let names = tensors.names(".ffmpeg");
    assert!(names.len() >= 8, "{names:?}");
    for name in names {
        let found = decoded(&name);
        let counts = [
            ("libsndfile", files[&name][2].as_u64().unwrap()),
            ("ffmpeg", tensors.integers(&format!("{name}.ffmpeg.count"))[0]),
        ];
        for (reader, count) in counts {
            let theirs = tensors.floats(&format!("{name}.{reader}"));
            assert_eq!(theirs.len() as u64, count.div_ceil(STRIDE as u64), "{name}");
            let (shift, inside) = align(&found.samples, &theirs);
            let at_the_end = (found.samples.len() as f64 - count as f64 - shift as f64).abs();
            let what = format!("{name} by {reader}");
            measured::within(&format!("decode/mp3-ends-{reader}"), &what, 2, shift.unsigned_abs() as f64 + at_the_end);
            measured::within(&format!("decode/mp3-{reader}"), &what, theirs.len(), inside);
        }
    }
}

#[test]
fn vorbis_clips_sound_as_in_libsndfile() {
    let tensors = Tensors::read("audio/lossy.safetensors");
    let names: Vec<String> = tensors.names(".libsndfile").into_iter().filter(|n| n.ends_with(".ogg")).collect();
    assert_eq!(names.len(), 2, "{names:?}");
    for name in names {
        let ours: Vec<f32> = decoded(&name).samples.into_iter().step_by(STRIDE).collect();
        let theirs = tensors.floats(&format!("{name}.libsndfile"));
        measured::within("decode/vorbis", &name, ours.len(), largest_difference(&ours, &theirs));
    }
}

/// The resampler of the release that R1-AQA pins gives what the later one gives that the resampling fixture was made with.
#[test]
fn both_releases_of_torchaudio_resample_alike() {
    let facts = json("torchaudio-load/loaded.json");
    let rates = facts["resampled"].as_object().unwrap();
    assert_eq!(rates.len(), 8);
    for (rate, difference) in rates {
        assert_eq!(difference, 0.0, "{rate} Hz");
    }
}
