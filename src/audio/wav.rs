//! WAV: reading PCM and float data as libsndfile does, and writing 16-bit mono.
//!
//! Reading is our own rather than symphonia's because the first channel must come out of files whose header and content
//! disagree: symphonia 0.6.1 drops the last packet (up to 1152 samples) of a truncated `data` chunk and refuses a RIFF size
//! smaller than the chunks, where libsndfile reads what is there.

use super::decode::{Damage, Decoded};
use crate::error::{Context, Error, Result};
use std::path::Path;

/// Bytes 4 to 15 of the GUIDs whose first two bytes are a plain format tag (`KSDATAFORMAT_SUBTYPE_*` of ksmedia.h).
const GUID_TAIL: [u8; 12] = [0x00, 0x00, 0x10, 0x00, 0x80, 0x00, 0x00, 0xaa, 0x00, 0x38, 0x9b, 0x71];
const PCM: u16 = 1;
const FLOAT: u16 = 3;
const EXTENSIBLE: u16 = 0xfffe;

struct Format {
    tag: u16,
    extensible: bool,
    channels: usize,
    rate: u32,
    /// Bytes of one sample of one channel.
    width: usize,
}

/// Reads a RIFF/WAVE file; errors do not name it.
///
/// A `data` chunk that promises more than the file holds gives what is there, and the shortfall. A size of 2^32-1 means that
/// the writer did not know it: the rest of the file is data. The size of the RIFF chunk around all is not looked at.
pub(super) fn read(bytes: &[u8]) -> Result<Decoded> {
    let mut format = None;
    let mut at = 12;
    loop {
        let Some(header) = bytes.get(at..at + 8) else {
            let missing = if format.is_some() { "data" } else { "fmt" };
            return Err(Error::inputs(format!(
                "expected a WAV {missing} chunk, found the end of the file at byte {}",
                bytes.len()
            )));
        };
        let size = u32_at(header, 4);
        let body = &bytes[at + 8..];
        match &header[..4] {
            b"fmt " => {
                let chunk = body.get(..size as usize).unwrap_or(body);
                format = Some(parse_format(chunk).map_err(|e| e.within(format!("fmt chunk at byte {at}")))?);
            }
            b"data" => {
                let format = format.ok_or_else(|| {
                    Error::inputs(format!("expected a WAV fmt chunk, found the data chunk first at byte {at}"))
                })?;
                if size == 0 && !body.is_empty() {
                    return Err(Error::inputs(format!(
                        "expected samples, found a data chunk of 0 bytes with {} bytes behind it: the file was not closed \
                         when it was written",
                        body.len()
                    )));
                }
                return Ok(samples(&format, body, size));
            }
            _ => {}
        }
        // Chunks are padded to an even length.
        at = (at + 8).saturating_add(size as usize).saturating_add(size as usize & 1).min(bytes.len());
    }
}

fn parse_format(chunk: &[u8]) -> Result<Format> {
    if chunk.len() < 16 {
        return Err(Error::inputs(format!("expected at least 16 bytes, found {}", chunk.len())));
    }
    let mut tag = u16_at(chunk, 0);
    let channels = usize::from(u16_at(chunk, 2));
    let block = usize::from(u16_at(chunk, 12));
    let bits = usize::from(u16_at(chunk, 14));
    let extensible = tag == EXTENSIBLE;
    if extensible {
        let guid = chunk.get(24..40).ok_or_else(|| {
            Error::inputs(format!("expected 40 bytes of WAVE_FORMAT_EXTENSIBLE, found {}", chunk.len()))
        })?;
        if guid[2..4] != [0, 0] || guid[4..] != GUID_TAIL {
            return Err(Error::inputs(format!("expected a PCM or float sub-format, found GUID {guid:02x?}")));
        }
        tag = u16_at(guid, 0);
    }
    if tag != PCM && tag != FLOAT {
        let name = match tag {
            2 => " (ADPCM)",
            6 => " (A-law)",
            7 => " (mu-law)",
            0x55 => " (MP3 in WAV)",
            _ => "",
        };
        return Err(Error::inputs(format!(
            "expected PCM (1) or float (3), found format tag {tag:#06x}{name}: convert the clip to PCM"
        )));
    }
    if channels == 0 || block == 0 || block % channels != 0 {
        return Err(Error::inputs(format!(
            "expected whole samples a block, found {channels} channels in {block} bytes"
        )));
    }
    let width = block / channels;
    let fits = if tag == PCM { (1..=4).contains(&width) && bits <= 8 * width } else { width == 4 || width == 8 };
    if !fits || bits == 0 || bits.div_ceil(8) != width && !extensible {
        let kind = if tag == PCM { "8 to 32-bit PCM" } else { "32 or 64-bit float" };
        return Err(Error::inputs(format!("expected {kind}, found {bits} bits in {width} bytes a sample")));
    }
    Ok(Format { tag, extensible, channels, rate: u32_at(chunk, 4), width })
}

fn samples(format: &Format, body: &[u8], size: u32) -> Decoded {
    let block = format.width * format.channels;
    let known = size != u32::MAX;
    let len = if known { body.len().min(size as usize) } else { body.len() };
    let there = len / block;
    let promised = if known { size as usize / block } else { there };
    let body = &body[..there * block];
    let samples = match (format.tag, format.width) {
        (PCM, 1) => first_channel::<1, 2>(body, block, |[b]| (f32::from(b) - 128.0) / 128.0),
        (PCM, 2) => first_channel::<2, 4>(body, block, |b| f32::from(i16::from_le_bytes(b)) / 32_768.0),
        (PCM, 3) => first_channel::<3, 6>(body, block, |[a, b, c]| scale(i32::from_le_bytes([0, a, b, c]))),
        (PCM, _) => first_channel::<4, 8>(body, block, |b| scale(i32::from_le_bytes(b))),
        (_, 4) => first_channel::<4, 8>(body, block, f32::from_le_bytes),
        (..) => first_channel::<8, 16>(body, block, |b| f64::from_le_bytes(b) as f32),
    };
    let kind = if format.tag == PCM { "PCM" } else { "float" };
    let form = if format.extensible { ", extensible" } else { "" };
    Decoded {
        sample_rate: format.rate,
        channels: format.channels,
        samples,
        encoding: format!("WAV {}-bit {kind}{form}", 8 * format.width),
        damage: Damage { missing_samples: (promised - there) as u64, ..Damage::default() },
    }
}

/// The first `WIDTH` bytes of every block, as samples. Mono and stereo (`TWICE` bytes a block) are apart, since with a length
/// that the compiler knows several samples are read at once.
fn first_channel<const WIDTH: usize, const TWICE: usize>(
    body: &[u8],
    block: usize,
    sample: impl Fn([u8; WIDTH]) -> f32,
) -> Vec<f32> {
    let first = |block: &[u8]| sample(*block.first_chunk().expect("a block holds a sample"));
    if block == WIDTH {
        body.as_chunks().0.iter().map(|block: &[u8; WIDTH]| first(block)).collect()
    } else if block == TWICE {
        body.as_chunks().0.iter().map(|block: &[u8; TWICE]| first(block)).collect()
    } else {
        body.chunks_exact(block).map(first).collect()
    }
}

/// A left-justified 32-bit sample; the nearest float32 of sample/2^31.
fn scale(sample: i32) -> f32 {
    sample as f32 / 2_147_483_648.0
}

fn u16_at(bytes: &[u8], at: usize) -> u16 {
    u16::from_le_bytes([bytes[at], bytes[at + 1]])
}

fn u32_at(bytes: &[u8], at: usize) -> u32 {
    u32::from_le_bytes([bytes[at], bytes[at + 1], bytes[at + 2], bytes[at + 3]])
}

/// The bytes of a 16-bit mono WAV file: a 44-byte header and the samples, each `round(x * 32768)` (ties away from zero)
/// clamped to what 16 bits hold; a NaN becomes 0. The same input gives the same bytes on every machine.
pub fn pcm16(samples: &[f32], rate: u32) -> Result<Vec<u8>> {
    let data = samples.len().checked_mul(2).and_then(|n| u32::try_from(n).ok()).filter(|n| *n <= u32::MAX - 36);
    let Some(data) = data else {
        return Err(Error::request(format!("expected samples that fit a WAV file (4 GiB), found {}", samples.len())));
    };
    let mut out = Vec::with_capacity(44 + samples.len() * 2);
    out.extend_from_slice(b"RIFF");
    out.extend_from_slice(&(36 + data).to_le_bytes());
    out.extend_from_slice(b"WAVEfmt ");
    out.extend_from_slice(&16u32.to_le_bytes());
    out.extend_from_slice(&PCM.to_le_bytes());
    out.extend_from_slice(&1u16.to_le_bytes());
    out.extend_from_slice(&rate.to_le_bytes());
    out.extend_from_slice(&rate.saturating_mul(2).to_le_bytes());
    out.extend_from_slice(&2u16.to_le_bytes());
    out.extend_from_slice(&16u16.to_le_bytes());
    out.extend_from_slice(b"data");
    out.extend_from_slice(&data.to_le_bytes());
    for x in samples {
        // A float-to-integer cast saturates.
        out.extend_from_slice(&((x * 32_768.0).round() as i16).to_le_bytes());
    }
    Ok(out)
}

/// Writes a 16-bit mono WAV file, see [`pcm16`].
///
/// # Errors
/// Exit code 1 when the file cannot be written; 2 when the samples exceed a WAV file.
pub fn write_pcm16(path: &Path, samples: &[f32], rate: u32) -> Result<()> {
    let bytes = pcm16(samples, rate).map_err(|e| e.within(path.display()))?;
    std::fs::write(path, bytes).internal(|| format!("cannot write {}", path.display()))
}
