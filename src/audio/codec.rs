//! Compressed audio through symphonia: MP3, FLAC, Ogg Vorbis.

use super::decode::{Damage, Decoded};
use crate::error::{Context, Error, Result};
use std::io::{Cursor, ErrorKind};
use std::panic::{AssertUnwindSafe, catch_unwind};
use symphonia::core::audio::GenericAudioBufferRef;
use symphonia::core::codecs::audio::{AudioCodecParameters, AudioDecoder, AudioDecoderOptions};
use symphonia::core::errors::Error as Fault;
use symphonia::core::formats::{FormatOptions, FormatReader, Track};
use symphonia::core::io::{MediaSourceStream, MediaSourceStreamOptions, ReadBytes};
use symphonia::default::formats::{FlacReader, MpaReader, OggReader};

type Reading<T> = std::result::Result<T, Fault>;

/// MPEG-1/2/2.5 layer III. `bytes` begin at or before the first frame, after any ID3v2 tag.
///
/// With a LAME tag the encoder's delay and padding are cut as mpg123 does (529 samples of decoder delay included); without
/// one nothing is cut. symphonia's own gapless mode is off because it also cuts at a length that it guesses from the bit rate.
pub(super) fn mp3(bytes: &[u8]) -> Result<Decoded> {
    guarded("MP3", || {
        let bytes = without_trailing_tags(bytes);
        let probe: Box<dyn FormatReader + '_> = Box::new(MpaReader::try_new(stream(bytes), FormatOptions::default())?);
        let start = probe.into_inner().pos();
        let reader = MpaReader::try_new(stream(bytes), FormatOptions::default())?;
        let mut pass = Pass::new(Box::new(reader))?;
        pass.run()?;
        let tail = (bytes.len() as u64).saturating_sub(start);
        pass.damage.skipped_bytes = tail.saturating_sub(pass.packet_bytes);
        if let Some(delay) = pass.track.delay {
            pass.samples.drain(..(delay as usize).min(pass.samples.len()));
            if let Some(len) = pass.track.num_frames {
                pass.settle(len);
            }
        }
        pass.finish("MP3")
    })
}

/// FLAC in its own container.
pub(super) fn flac(bytes: &[u8]) -> Result<Decoded> {
    guarded("FLAC", || {
        let mut pass = Pass::new(Box::new(FlacReader::try_new(stream(bytes), FormatOptions::default())?))?;
        pass.run()?;
        if let Some(len) = pass.track.num_frames {
            pass.settle(len);
        }
        let bits = pass.params.bits_per_sample.map(|b| format!("FLAC {b}-bit"));
        pass.finish(bits.as_deref().unwrap_or("FLAC"))
    })
}

/// Vorbis in Ogg. The first packet gives no samples, and the last page says where the stream ends; both are symphonia's to do.
pub(super) fn ogg(bytes: &[u8]) -> Result<Decoded> {
    guarded("Ogg Vorbis", || {
        let mut pass = Pass::new(Box::new(OggReader::try_new(stream(bytes), FormatOptions::default())?))?;
        pass.run()?;
        // Bit 2 of the flags of the last page marks the end of the stream (RFC 3533, section 6).
        let last = bytes.windows(6).rposition(|w| w.starts_with(b"OggS") && w[4] == 0);
        pass.damage.cut |= last.is_none_or(|at| bytes[at + 5] & 4 == 0);
        pass.finish("Ogg Vorbis")
    })
}

fn stream(bytes: &[u8]) -> MediaSourceStream<'_> {
    MediaSourceStream::new(Box::new(Cursor::new(bytes)), MediaSourceStreamOptions::default())
}

/// Runs a decoder on bytes that no one vouches for: its faults and its panics become an error about the input.
fn guarded(format: &str, run: impl FnOnce() -> Reading<Decoded>) -> Result<Decoded> {
    match catch_unwind(AssertUnwindSafe(run)) {
        Ok(Ok(decoded)) => Ok(decoded),
        Ok(Err(Fault::IoError(e))) if e.kind() == ErrorKind::UnexpectedEof => {
            Err(Error::inputs(format!("expected {format}, found the end of the file before any audio")))
        }
        Ok(Err(fault)) => Err(fault).inputs(|| format!("expected {format} that can be decoded")),
        Err(_) => Err(Error::inputs(format!("expected {format} that can be decoded, but its decoder failed on it"))),
    }
}

/// ID3v1 (128 bytes from the end) and APEv1/2 tags are no part of an MP3 stream.
fn without_trailing_tags(mut bytes: &[u8]) -> &[u8] {
    if bytes.len() >= 128 && bytes[bytes.len() - 128..].starts_with(b"TAG") {
        bytes = &bytes[..bytes.len() - 128];
    }
    // Footer of 32 bytes: "APETAGEX", version, size of items and footer, count, flags (bit 31: a header of 32 bytes too).
    if let Some(at) = bytes.len().checked_sub(32).filter(|at| bytes[*at..].starts_with(b"APETAGEX")) {
        let word = |i: usize| bytes[at + i..at + i + 4].iter().rev().fold(0usize, |n, b| n << 8 | usize::from(*b));
        let header = if word(20) >> 31 == 1 { 32 } else { 0 };
        bytes = &bytes[..bytes.len().saturating_sub(word(12).saturating_add(header))];
    }
    bytes
}

/// One pass over the packets of a file's audio track.
struct Pass<'a> {
    reader: Box<dyn FormatReader + 'a>,
    decoder: Box<dyn AudioDecoder>,
    track: Track,
    params: AudioCodecParameters,
    samples: Vec<f32>,
    /// Bytes of all packets.
    packet_bytes: u64,
    /// Rate and channels of the first decoded packet.
    spec: Option<(u32, usize)>,
    damage: Damage,
}

impl<'a> Pass<'a> {
    fn new(reader: Box<dyn FormatReader + 'a>) -> Reading<Self> {
        let audio = |t: &Track| t.codec_params.as_ref().and_then(|p| p.audio()).cloned();
        let (track, params) = (reader.tracks().iter())
            .find_map(|t| audio(t).map(|p| (t.clone(), p)))
            .ok_or(Fault::Unsupported("no audio track"))?;
        let options = AudioDecoderOptions::default().gapless(reader.format_info().short_name != "mp3");
        let decoder = symphonia::default::get_codecs().make_audio_decoder(&params, &options)?;
        let damage = Damage::default();
        Ok(Self { reader, decoder, track, params, samples: Vec::new(), packet_bytes: 0, spec: None, damage })
    }

    fn run(&mut self) -> Reading<()> {
        loop {
            let packet = match self.reader.next_packet() {
                Ok(Some(packet)) => packet,
                Ok(None) => return Ok(()),
                Err(Fault::IoError(e)) if e.kind() == ErrorKind::UnexpectedEof => {
                    self.damage.cut = true;
                    return Ok(());
                }
                Err(Fault::ResetRequired) => return Err(Fault::Unsupported("a second stream begins in the file")),
                Err(fault) => return Err(fault),
            };
            if packet.track_id != self.track.id {
                continue;
            }
            self.packet_bytes += packet.data.len() as u64;
            match self.decoder.decode(&packet) {
                Ok(buffer) => {
                    let spec = (buffer.spec().rate(), buffer.spec().channels().count());
                    if *self.spec.get_or_insert(spec) != spec {
                        return Err(Fault::Unsupported("the sample rate or the channels change within the file"));
                    }
                    append_first_channel(&buffer, &mut self.samples);
                }
                // Silence in its place keeps what follows where it was.
                Err(Fault::DecodeError(_) | Fault::IoError(_)) => {
                    self.damage.bad_frames += 1;
                    let len = usize::try_from(packet.dur.get()).unwrap_or(0).min(1 << 16);
                    self.samples.resize(self.samples.len() + len, 0.0);
                }
                Err(fault) => return Err(fault),
            }
        }
    }

    /// Holds what was decoded against the length that the header gives.
    fn settle(&mut self, len: u64) {
        self.damage.missing_samples = len.saturating_sub(self.samples.len() as u64);
        self.samples.truncate(usize::try_from(len).unwrap_or(usize::MAX));
    }

    fn finish(self, encoding: &str) -> Reading<Decoded> {
        let stated = (self.params.sample_rate, self.params.channels.as_ref().map(|c| c.count()));
        let (sample_rate, channels) = match (self.spec, stated) {
            (Some(spec), _) => spec,
            (None, (Some(rate), Some(channels))) => (rate, channels),
            _ => return Err(Fault::DecodeError("no frame could be decoded")),
        };
        if self.spec.is_none() && self.damage.bad_frames > 0 {
            return Err(Fault::DecodeError("no frame could be decoded"));
        }
        let Self { samples, damage, .. } = self;
        Ok(Decoded { sample_rate, channels, samples, encoding: encoding.to_owned(), damage })
    }
}

/// Channel 0 as float32: integers divided by 2^(bits-1), floats as they are.
fn append_first_channel(buffer: &GenericAudioBufferRef<'_>, out: &mut Vec<f32>) {
    use symphonia::core::audio::{Audio, conv::IntoSample};
    macro_rules! plane {
        ($buf:expr) => {
            out.extend($buf.plane(0).unwrap_or_default().iter().map(|s| IntoSample::<f32>::into_sample(*s)))
        };
    }
    match buffer {
        GenericAudioBufferRef::U8(b) => plane!(b),
        GenericAudioBufferRef::U16(b) => plane!(b),
        GenericAudioBufferRef::U24(b) => plane!(b),
        GenericAudioBufferRef::U32(b) => plane!(b),
        GenericAudioBufferRef::S8(b) => plane!(b),
        GenericAudioBufferRef::S16(b) => plane!(b),
        GenericAudioBufferRef::S24(b) => plane!(b),
        GenericAudioBufferRef::S32(b) => plane!(b),
        GenericAudioBufferRef::F32(b) => plane!(b),
        GenericAudioBufferRef::F64(b) => plane!(b),
    }
}
