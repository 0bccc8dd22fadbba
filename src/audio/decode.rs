//! From the bytes of a file to the samples of its first channel, by content and never by the file's name.
//!
//! What comes out equals what `torchaudio.load` gave the reference through libsndfile: float32, integer PCM divided by
//! 2^(bits-1), compressed audio not clipped. Only the first channel is kept: the reference resamples every channel and then
//! takes `waveform[0]`, so the others never reach the model.

use super::{codec, wav};
use crate::error::{Context, Error, Result};
use std::fmt;
use std::path::Path;

/// Samples that are looked at together.
const CHECKED: usize = 1024;

/// The first channel of a file.
#[derive(Debug, Clone, PartialEq)]
pub struct Decoded {
    /// Samples a second.
    pub sample_rate: u32,
    /// Channels in the file.
    pub channels: usize,
    /// Channel 0; integer PCM is in [-1, 1), floats and compressed audio may exceed it. Never empty, always finite.
    pub samples: Vec<f32>,
    /// Container and coding, for people.
    pub encoding: String,
    /// What was wrong with the file.
    pub damage: Damage,
}

/// What was wrong with a file that could be read all the same. A reader that gives up on it would lose the clip; one that
/// says nothing would hide that the model heard something else.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Damage {
    /// Frames that could not be decoded; each left silence of its length.
    pub bad_frames: u64,
    /// Bytes between frames that belong to none, or a last frame that is cut off.
    pub skipped_bytes: u64,
    /// Samples of one channel that the header promises and the file does not hold.
    pub missing_samples: u64,
    /// The stream stops without its end mark (Ogg), or in the middle of a packet.
    pub cut: bool,
}

impl Damage {
    /// Whether anything was wrong.
    pub fn any(&self) -> bool {
        *self != Self::default()
    }
}

impl fmt::Display for Damage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut parts = Vec::new();
        let counts = [
            (self.bad_frames, "undecodable frames"),
            (self.skipped_bytes, "bytes skipped"),
            (self.missing_samples, "samples missing"),
        ];
        parts.extend(counts.iter().filter(|(n, _)| *n > 0).map(|(n, what)| format!("{n} {what}")));
        if self.cut {
            parts.push("cut off".into());
        }
        f.write_str(if parts.is_empty() { "none".into() } else { parts.join(", ") }.as_str())
    }
}

/// Decodes a file.
///
/// # Errors
/// Exit code 4, with the file's name: it cannot be read, is empty, is not one of the formats (WAV, MP3, FLAC, Ogg Vorbis),
/// uses a coding of them that is not read, or holds no samples.
pub fn decode(path: &Path) -> Result<Decoded> {
    let name = path.display().to_string();
    let bytes = std::fs::read(path).inputs(|| format!("cannot read {name}"))?;
    decode_bytes(&bytes, &name)
}

/// Decodes the content of a file; `name` is for messages.
pub fn decode_bytes(bytes: &[u8], name: &str) -> Result<Decoded> {
    let decoded = by_content(bytes).map_err(|e| e.within(name))?;
    if decoded.sample_rate == 0 || decoded.channels == 0 {
        return Err(Error::inputs(format!(
            "{name}: expected a sample rate and channels, found {} Hz and {} channels",
            decoded.sample_rate, decoded.channels
        )));
    }
    if decoded.samples.is_empty() {
        return Err(Error::inputs(format!(
            "{name}: expected audio, found no samples ({}; damage: {})",
            decoded.encoding, decoded.damage
        )));
    }
    if let Some(at) = first_that_is_not_finite(&decoded.samples) {
        return Err(Error::inputs(format!(
            "{name}: expected finite samples, found {} at sample {at} of channel 0",
            decoded.samples[at]
        )));
    }
    Ok(decoded)
}

/// Looks at many samples at once: a search that may stop at each takes longer than decoding.
fn first_that_is_not_finite(samples: &[f32]) -> Option<usize> {
    let finite = |chunk: &[f32]| chunk.iter().fold(true, |all, x| all & x.is_finite());
    let start = samples.chunks(CHECKED).position(|chunk| !finite(chunk))? * CHECKED;
    samples[start..].iter().position(|x| !x.is_finite()).map(|at| start + at)
}

/// The formats by their first bytes. ID3v2 tags may stand in front of MP3 and FLAC.
fn by_content(bytes: &[u8]) -> Result<Decoded> {
    let body = &bytes[id3v2_len(bytes)..];
    let tagged = body.len() < bytes.len();
    match body {
        [] if !tagged => Err(Error::inputs("expected audio, found an empty file")),
        [b'R', b'I', b'F', b'F', _, _, _, _, b'W', b'A', b'V', b'E', ..] => wav::read(body),
        [b'f', b'L', b'a', b'C', ..] => codec::flac(body),
        [b'O', b'g', b'g', b'S', ..] => codec::ogg(body),
        [0xff, second, ..] if second & 0xe0 == 0xe0 => codec::mp3(body),
        // After a tag that says "audio frames follow", padding may stand before the first frame.
        _ if tagged => codec::mp3(body),
        _ => Err(Error::inputs(format!("expected WAV, MP3, FLAC or Ogg Vorbis by content, found {}", describe(bytes)))),
    }
}

/// Length of the ID3v2 tags at the start (<https://id3.org/id3v2.4.0-structure>, section 3.1), never beyond the end.
fn id3v2_len(bytes: &[u8]) -> usize {
    let mut at = 0;
    while let [b'I', b'D', b'3', _, _, flags, a, b, c, d, ..] = bytes[at..] {
        let size = [a, b, c, d].iter().fold(0usize, |n, byte| n << 7 | usize::from(byte & 0x7f));
        let footer = if flags & 0x10 != 0 { 10 } else { 0 };
        at = (at + 10 + size + footer).min(bytes.len());
    }
    at
}

fn describe(bytes: &[u8]) -> String {
    let known = match bytes {
        [b'R', b'F', b'6', b'4', ..] => "RF64 ",
        [b'R', b'I', b'F', b'X', ..] => "RIFX (big-endian WAV) ",
        [b'F', b'O', b'R', b'M', ..] => "AIFF ",
        [_, _, _, _, b'f', b't', b'y', b'p', ..] => "MP4 ",
        [b'<', ..] => "markup (a web page instead of the clip?) ",
        [b'v', b'e', b'r', b's', b'i', b'o', b'n', b' ', b'h', b't', b't', b'p', ..] => "a Git LFS pointer ",
        _ => "",
    };
    let head: Vec<String> = bytes.iter().take(8).map(|b| format!("{b:02x}")).collect();
    format!("{known}{} bytes beginning {}", bytes.len(), head.join(" "))
}
