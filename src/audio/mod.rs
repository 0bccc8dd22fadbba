//! Clips: from a file to what the model hears.
//!
//! [`load`] decodes a file by its content, keeps the first channel, resamples it to 16 kHz and crops it at 30 s;
//! [`features`] makes the log-mel spectrogram of Whisper's feature extractor. Both follow the reference pipeline of R1-AQA
//! (torchaudio's load and default resampler, channel 0, `WhisperFeatureExtractor` of transformers 4.49.0).

pub mod decode;
pub mod filterbank;
pub mod mel;
pub mod resample;
pub mod wav;

mod codec;
mod spectrum;
mod wide;

pub use decode::{Damage, Decoded};
pub use mel::{Features, audio_tokens};

use crate::error::{Error, Result};
use std::path::Path;

/// Samples a second of everything downstream of [`load`].
pub const SAMPLE_RATE: u32 = 16_000;
/// What the feature extractor keeps of a clip: 30 s.
pub const MAX_SAMPLES: usize = 480_000;

/// A clip as the model hears it, with what happened on the way.
#[derive(Debug, Clone, PartialEq)]
pub struct Clip {
    /// Channel 0 at 16 kHz, at most [`MAX_SAMPLES`].
    pub samples: Vec<f32>,
    /// Whether the clip was longer than 30 s, and its rest left out.
    pub cropped: bool,
    /// Samples a second in the file.
    pub source_rate: u32,
    /// Channels in the file, of which the first is kept.
    pub source_channels: usize,
    /// Samples of one channel in the file.
    pub source_frames: usize,
    /// Container and coding, for people: `WAV 16-bit PCM`, `MP3`.
    pub encoding: String,
    /// What was wrong with the file, though it could be read.
    pub damage: Damage,
}

impl Clip {
    /// Duration of what is kept, in seconds.
    pub fn seconds(&self) -> f64 {
        self.samples.len() as f64 / f64::from(SAMPLE_RATE)
    }

    /// Number of audio tokens that the model makes of it; at least 1 for a clip that [`load`] returned.
    pub fn audio_tokens(&self) -> usize {
        audio_tokens(mel::valid_frames(self.samples.len()))
    }
}

/// Reads a clip: decode, channel 0, 16 kHz, at most 30 s.
///
/// # Errors
/// Exit code 4: the file is missing, is not audio that this program reads, holds no samples, or is so short (up to 320
/// samples at 16 kHz) that the model makes no audio token of it.
pub fn load(path: &Path) -> Result<Clip> {
    let decoded = decode::decode(path)?;
    clip(decoded, &path.display().to_string())
}

/// The part of [`load`] after decoding; `name` is for messages.
pub fn clip(decoded: Decoded, name: &str) -> Result<Clip> {
    let Decoded { sample_rate, channels, samples, encoding, damage } = decoded;
    let source_frames = samples.len();
    let resampler = resample::Resampler::new(sample_rate, SAMPLE_RATE).map_err(|e| e.within(name))?;
    let cropped = resampler.output_len(source_frames) > MAX_SAMPLES;
    let samples = resampler.run(samples, MAX_SAMPLES);
    let clip =
        Clip { samples, cropped, source_rate: sample_rate, source_channels: channels, source_frames, encoding, damage };
    if clip.audio_tokens() == 0 {
        return Err(Error::inputs(format!(
            "{name}: expected more than 20 ms of audio, found {:.2} ms ({source_frames} samples at {sample_rate} Hz): \
             the model makes no audio token of it",
            clip.seconds() * 1e3
        )));
    }
    Ok(clip)
}

/// The log-mel spectrogram of a clip and how much of it is valid.
pub fn features(clip: &Clip) -> Features {
    mel::log_mel(&clip.samples)
}
