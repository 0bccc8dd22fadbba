//! What decoding refuses, what it makes of damage, and that no file harms it. Whether samples are right: `audio_parity.rs`.

use aqa_bench::audio::decode::{self, Damage, Decoded};
use aqa_bench::audio::{self, wav};
use aqa_bench::error::Kind;
use audio_common::clips;
use proptest::prelude::*;
use std::path::Path;

mod audio_common;

fn bytes_of(name: &str) -> Vec<u8> {
    std::fs::read(clips().join(name)).unwrap()
}

fn good(bytes: &[u8]) -> Decoded {
    decode::decode_bytes(bytes, "clip").unwrap()
}

/// The message of a refusal: it names the file and has exit code 4.
fn refusal(bytes: &[u8]) -> String {
    let error = decode::decode_bytes(bytes, "some/clip.wav").unwrap_err();
    assert_eq!(error.kind(), Kind::Inputs);
    let message = error.to_string();
    assert!(message.starts_with("some/clip.wav: ") && !message.contains('\n'), "{message}");
    message
}

#[test]
fn the_name_of_a_file_means_nothing() {
    let folder = tempfile::tempdir().unwrap();
    for name in ["pcm16-16000-2ch.wav", "mp3-id3v2-44100-2ch.wav", "flac16-44100-2ch.flac", "vorbis-16000-1ch.ogg"] {
        for other in ["clip", "clip.mp3", "clip.wav", "clip.flac", "clip.txt"] {
            let path = folder.path().join(other);
            std::fs::copy(clips().join(name), &path).unwrap();
            assert_eq!(decode::decode(&path).unwrap(), decode::decode(&clips().join(name)).unwrap(), "{name}");
        }
    }
}

#[test]
fn tags_around_an_mp3_stream_change_no_sample_of_it() {
    let stream = bytes_of("mp3-44100-2ch.wav");
    let plain = good(&stream);
    // ID3v2.4 with a footer, then one without, 300 bytes of padding in it that look like a frame header.
    let mut tagged = b"ID3\x04\0\x10\0\0\0\x05hello3DI\x04\0\x10\0\0\0\x05".to_vec();
    tagged.extend(b"ID3\x03\0\0\0\0\x02\x2c");
    tagged.extend([0xff, 0xfb].repeat(150));
    tagged.extend(&stream);
    assert_eq!(good(&tagged), plain);
    // APEv2 and ID3v1 behind it.
    tagged.extend(b"APETAGEX\xd0\x07\0\0\x25\0\0\0\0\0\0\0\0\0\0\xa0\0\0\0\0\0\0\0\0");
    tagged.extend(b"\xff\xfb\x90\x64\0");
    tagged.extend(b"APETAGEX\xd0\x07\0\0\x25\0\0\0\0\0\0\0\0\0\0\x80\0\0\0\0\0\0\0\0");
    let mut id3v1 = b"TAG".to_vec();
    id3v1.resize(128, b'x');
    tagged.extend(id3v1);
    assert_eq!(good(&tagged), plain);
}

#[test]
fn what_is_no_audio_is_refused_in_one_line() {
    assert!(refusal(b"").contains("empty file"));
    assert!(refusal(b"R").contains("1 bytes beginning 52"));
    assert!(refusal(b"this is a text, not a clip").contains("WAV, MP3, FLAC or Ogg Vorbis"));
    assert!(refusal(b"<!DOCTYPE html><html></html>").contains("web page"));
    assert!(refusal(b"version https://git-lfs.github.com/spec/v1\n").contains("Git LFS"));
    assert!(
        refusal(b"RIFF\x24\0\0\0AVI LIST").contains("RIFF") || refusal(b"RIFF\x24\0\0\0AVI LIST").contains("52 49")
    );
    assert!(refusal(b"ID3\x04\0\0\0\0\0\x05hello").contains("MP3"));
    assert!(refusal(&[0xff, 0xfb, 0x90, 0x64]).contains("MP3"));
    assert!(refusal(b"fLaC").contains("FLAC"));
    assert!(refusal(b"OggS").contains("Ogg"));
    // An Opus stream in Ogg: named, not guessed.
    assert!(
        refusal(&[b"OggS\0\x02".as_slice(), &[0; 20], b"\x01\x13OpusHead\x01\x01\0\0\x80\xbb\0\0\0\0\0"].concat())
            .contains("Ogg")
    );
    let error = decode::decode(Path::new("no/such/clip.wav")).unwrap_err();
    assert!(error.to_string().contains("no/such/clip.wav") && error.kind() == Kind::Inputs, "{error}");
}

/// A WAV file from the fields of its fmt chunk.
fn wav_of(tag: u16, channels: u16, rate: u32, block: u16, bits: u16, data: &[u8]) -> Vec<u8> {
    let mut out = b"RIFF\0\0\0\0WAVEfmt \x10\0\0\0".to_vec();
    out.extend(tag.to_le_bytes());
    out.extend(channels.to_le_bytes());
    out.extend(rate.to_le_bytes());
    out.extend((rate * u32::from(block)).to_le_bytes());
    out.extend(block.to_le_bytes());
    out.extend(bits.to_le_bytes());
    out.extend(b"data");
    out.extend((data.len() as u32).to_le_bytes());
    out.extend(data);
    out
}

#[test]
fn wav_headers_that_cannot_be_read_say_what_was_found() {
    let data = [0u8; 64];
    assert_eq!(good(&wav_of(1, 1, 16000, 2, 16, &data)).samples.len(), 32);
    assert!(refusal(&wav_of(1, 1, 16000, 2, 16, &[])).contains("no samples"));
    assert!(refusal(&wav_of(1, 1, 16000, 2, 16, &[7])).contains("no samples"));
    assert!(refusal(&wav_of(1, 1, 0, 2, 16, &data)).contains("0 Hz"));
    assert!(refusal(&wav_of(1, 0, 16000, 2, 16, &data)).contains("0 channels"));
    assert!(refusal(&wav_of(1, 3, 16000, 4, 16, &data)).contains("3 channels in 4 bytes"));
    assert!(refusal(&wav_of(1, 1, 16000, 0, 16, &data)).contains("0 bytes"));
    assert!(refusal(&wav_of(1, 1, 16000, 2, 24, &data)).contains("24 bits in 2 bytes"));
    assert!(refusal(&wav_of(1, 1, 16000, 8, 64, &data)).contains("64 bits in 8 bytes"));
    assert!(refusal(&wav_of(3, 1, 16000, 2, 16, &data)).contains("float"));
    assert!(refusal(&wav_of(2, 1, 16000, 256, 4, &data)).contains("ADPCM"));
    assert!(refusal(&wav_of(7, 1, 16000, 1, 8, &data)).contains("mu-law"));
    let whole = wav_of(1, 1, 16000, 2, 16, &data);
    assert!(refusal(&whole[..12]).contains("fmt chunk"));
    assert!(refusal(&whole[..30]).contains("fmt"));
    assert!(refusal(&whole[..40]).contains("data chunk"));
    assert!(refusal(&[&whole[..12], &whole[36..]].concat()).contains("data chunk first"));
    for bad in [f32::NAN, f32::INFINITY] {
        let floats: Vec<u8> = [0.5f32, bad].iter().flat_map(|x| x.to_le_bytes()).collect();
        assert!(refusal(&wav_of(3, 1, 16000, 4, 32, &floats)).contains("at sample 1"));
    }
}

#[test]
fn a_short_data_chunk_gives_what_is_there_and_the_shortfall() {
    let found = good(&bytes_of("odd-truncated.wav"));
    let whole = good(&bytes_of("pcm16-16000-1ch.wav"));
    assert_eq!(found.samples[..], whole.samples[..750]);
    assert_eq!(found.damage, Damage { missing_samples: 850, ..Damage::default() });
    assert_eq!(found.damage.to_string(), "850 samples missing");
}

#[test]
fn damage_inside_an_mp3_is_counted_and_keeps_the_time() {
    let stream = bytes_of("mp3-44100-2ch.wav");
    let whole = good(&stream);
    let starts: Vec<usize> =
        stream.windows(4).enumerate().filter(|(_, w)| w[..2] == stream[..2]).map(|(i, _)| i).collect();
    let (third, fourth) = (starts[3], starts[4]);

    // Side information that no encoder writes: the frame is refused, and silence stands in its place.
    let mut broken = stream.clone();
    broken[third + 4..fourth].fill(0xff);
    let found = good(&broken);
    assert!(found.damage.bad_frames >= 1, "{}", found.damage);
    assert_eq!(found.samples.len(), whole.samples.len());
    assert_eq!(found.samples[..3 * 1152 - 576], whole.samples[..3 * 1152 - 576]);
    assert_ne!(found.samples, whole.samples);

    // A frame header that is no header: the bytes belong to nothing.
    let mut headless = stream.clone();
    headless[third..third + 4].fill(0);
    assert_eq!(good(&headless).damage.skipped_bytes, (fourth - third) as u64);

    // A last frame that is cut off.
    let cut = good(&stream[..stream.len() - 100]);
    assert!(cut.damage.skipped_bytes > 0 && cut.samples.len() == whole.samples.len() - 1152, "{}", cut.damage);

    // With a LAME tag the length is known.
    let tagged = bytes_of("mp3-lame-tag-44100-2ch.mp3");
    let cut = good(&tagged[..tagged.len() / 2]);
    assert_eq!(cut.damage.missing_samples, 13230 - cut.samples.len() as u64);
    assert!(cut.damage.missing_samples > 1152, "{}", cut.damage);
}

#[test]
fn streams_that_are_cut_say_so() {
    for name in ["flac16-44100-2ch.flac", "vorbis-44100-2ch.ogg"] {
        let (bytes, whole) = (bytes_of(name), good(&bytes_of(name)));
        assert!(!whole.damage.any(), "{name}");
        // The FLAC clip has one whole block and a short one.
        let cut = good(&bytes[..bytes.len() * 49 / 50]);
        assert!(cut.damage.cut || cut.damage.missing_samples > 0, "{name}: {}", cut.damage);
        assert!(cut.samples.len() < whole.samples.len() && !cut.samples.is_empty(), "{name}");
        assert_eq!(cut.samples[..64], whole.samples[..64], "{name}");
    }
}

#[test]
fn clips_without_an_audio_token_are_refused_with_their_duration() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("short.wav");
    for (rate, len, tokens) in [(16000, 1, 0), (16000, 320, 0), (16000, 321, 1), (44100, 882, 0), (44100, 883, 1)] {
        wav::write_pcm16(&path, &vec![0.25; len], rate).unwrap();
        let loaded = audio::load(&path);
        if tokens > 0 {
            assert_eq!(loaded.unwrap().audio_tokens(), tokens, "{len} samples at {rate} Hz");
            continue;
        }
        let error = loaded.unwrap_err();
        let message = error.to_string();
        assert_eq!(error.kind(), Kind::Inputs);
        assert!(message.contains("short.wav") && message.contains(" ms"), "{message}");
    }
}

#[test]
fn what_is_written_is_read_back() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("out.wav");
    let samples: Vec<f32> = (-32768i32..=32767).step_by(13).map(|n| n as f32 / 32768.0).collect();
    wav::write_pcm16(&path, &samples, 22050).unwrap();
    let found = decode::decode(&path).unwrap();
    assert_eq!((found.sample_rate, found.channels, found.encoding.as_str()), (22050, 1, "WAV 16-bit PCM"));
    assert_eq!(found.samples, samples);
    // libsndfile wrote the same header: the same bytes.
    let theirs = bytes_of("pcm16-16000-1ch.wav");
    assert_eq!(wav::pcm16(&good(&theirs).samples, 16000).unwrap(), theirs);
    // Beyond full scale it clips; what is no number is silence.
    let clipped = wav::pcm16(&[2.0, -2.0, 1.0, f32::NAN], 16000).unwrap();
    assert_eq!(good(&clipped).samples, [32767.0 / 32768.0, -1.0, 32767.0 / 32768.0, 0.0]);
    let error = wav::write_pcm16(&folder.path().join("no/folder.wav"), &samples, 16000).unwrap_err();
    assert!(error.to_string().contains("no/folder.wav"), "{error}");
}

/// Decodes what no one vouches for: it may be refused, never panic, and what comes out holds its promises.
fn survives(bytes: &[u8]) {
    if let Ok(found) = decode::decode_bytes(bytes, "clip") {
        assert!(!found.samples.is_empty() && found.samples.iter().all(|x| x.is_finite()));
        assert!(found.channels > 0 && found.sample_rate > 0);
    }
}

const SEEDS: [&str; 7] = [
    "pcm16-48000-6ch.wav",
    "extensible-pcm24-44100-2ch.wav",
    "mp3-44100-2ch.wav",
    "mp3-lame-tag-44100-2ch.mp3",
    "flac16-44100-2ch.flac",
    "vorbis-44100-2ch.ogg",
    "vorbis-16000-1ch.ogg",
];

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn arbitrary_bytes_do_no_harm(
        head in prop::sample::select(vec![&b""[..], b"RIFF\0\0\0\0WAVE", b"RIFF\0\0\0\0WAVEfmt \x10\0\0\0", b"fLaC", b"OggS\0\x02",
            b"\xff\xfb\x90\x64", b"ID3\x04\0\0\0\0\0\x05", b"\xff\xf3"]),
        tail in prop::collection::vec(any::<u8>(), 0..4000),
    ) {
        survives(&[head, &tail].concat());
    }

    #[test]
    fn damaged_files_do_no_harm(
        name in prop::sample::select(SEEDS.to_vec()),
        keep in 0.0f64..=1.0,
        changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..12),
        in_header in any::<bool>(),
    ) {
        let mut bytes = bytes_of(name);
        bytes.truncate((bytes.len() as f64 * keep) as usize);
        for (at, byte) in changes {
            let reach = if in_header { bytes.len().min(120) } else { bytes.len() };
            if reach > 0 {
                bytes[at.index(reach)] = byte;
            }
        }
        survives(&bytes);
    }
}
