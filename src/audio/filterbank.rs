//! The mel filters of Whisper: 128 Slaney triangles over 201 frequencies.
//!
//! Source: `mel_filter_bank(201, 128, 0.0, 8000.0, 16000, norm="slaney", mel_scale="slaney")` of transformers 4.49.0
//! (`audio_utils.py`), which follows librosa: a scale that is linear below 1 kHz and logarithmic above, triangles in hertz,
//! each with area 1 in the sense of 2 / (width in hertz).

/// Frequencies of the spectrum: 0 to 8000 Hz in steps of 40.
pub const BINS: usize = 201;
/// Mel filters.
pub const MELS: usize = 128;

const NYQUIST: f64 = 8000.0;

/// Where the mel scale turns from linear to logarithmic, in hertz and in mels.
const KNEE_HERTZ: f64 = 1000.0;
const KNEE_MEL: f64 = 15.0;

fn hertz_to_mel(hertz: f64) -> f64 {
    if hertz < KNEE_HERTZ {
        3.0 * hertz / 200.0
    } else {
        KNEE_MEL + libm::log(hertz / KNEE_HERTZ) * (27.0 / libm::log(6.4))
    }
}

fn mel_to_hertz(mel: f64) -> f64 {
    if mel < KNEE_MEL { 200.0 * mel / 3.0 } else { KNEE_HERTZ * libm::exp((libm::log(6.4) / 27.0) * (mel - KNEE_MEL)) }
}

/// The filters, [201, 128] row-major (frequency, filter), in float64; the extractor rounds them to float32.
pub fn slaney() -> Vec<f64> {
    let top = hertz_to_mel(NYQUIST);
    let corners: Vec<f64> = (0..MELS + 2).map(|i| mel_to_hertz(top * i as f64 / (MELS + 1) as f64)).collect();
    let mut filters = Vec::with_capacity(BINS * MELS);
    for bin in 0..BINS {
        let hertz = NYQUIST * bin as f64 / (BINS - 1) as f64;
        for corner in corners.windows(3) {
            let rise = (hertz - corner[0]) / (corner[1] - corner[0]);
            let fall = (corner[2] - hertz) / (corner[2] - corner[1]);
            filters.push(rise.min(fall).max(0.0) * (2.0 / (corner[2] - corner[0])));
        }
    }
    filters
}
