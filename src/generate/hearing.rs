//! Whether a model hears: what its logits do when the clip falls silent, and when its parts stand in another order.
//!
//! A model whose projector is zero, or whose audio embeddings never reach the prompt, still answers multiple-choice questions far above
//! chance from their text; its accuracy does not show it. Here it does: nothing but the samples changes, so logits that stay where they were
//! were never about the sound.

use super::prompt_logits;
use crate::artifact::Hearing;
use crate::audio::{Features, SAMPLE_RATE, mel};
use crate::error::{Error, Result};
use crate::model::checkpoint::Checkpoint;
use crate::seeds::Key;
use tch::{Tensor, no_grad};

/// Parts that a clip is cut into to be shuffled.
const PARTS: usize = 16;

/// What one clip shows.
struct Moved {
    silence: f64,
    shuffled: f64,
    tokens: u64,
    embeddings: u64,
}

/// Tests a model on the first `enough` clips (mono samples at 16 kHz, each under the text of a user turn) that can tell: a clip that is silent,
/// or the same in any order, cannot. `None` when there is none.
///
/// # Errors
/// As for a prompt: a text that holds the placeholder, a clip too short for an audio token; internal for logits that are not numbers.
pub fn hearing(
    checkpoint: &Checkpoint,
    clips: impl Iterator<Item = (Vec<f32>, String)>,
    enough: usize,
) -> Result<Option<Hearing>> {
    let mut all = Vec::new();
    for (samples, text) in clips {
        all.extend(no_grad(|| moved(checkpoint, &samples, &text))?);
        if all.len() == enough {
            break;
        }
    }
    if all.is_empty() {
        return Ok(None);
    }
    // The clip that moves the logits least decides.
    let least = |of: fn(&Moved) -> f64| all.iter().map(of).fold(f64::INFINITY, f64::min);
    Ok(Some(Hearing {
        clips: all.len() as u64,
        silence: least(|m| m.silence),
        shuffled: least(|m| m.shuffled),
        audio_tokens: all.iter().map(|m| m.tokens).sum(),
        audio_embeddings: all.iter().map(|m| m.embeddings).sum(),
    }))
}

fn moved(checkpoint: &Checkpoint, samples: &[f32], text: &str) -> Result<Option<Moved>> {
    let own = mel::log_mel(samples);
    let others = [mel::log_mel(&vec![0.0; samples.len()]), mel::log_mel(&shuffled(samples))];
    if others.iter().any(|other| other.values == own.values) {
        return Ok(None);
    }
    let rendered = checkpoint.template.render(text, 1)?;
    let ids = checkpoint.tokenizer.expand_audio(&rendered, &[own.audio_tokens()])?;
    let ids: Vec<i64> = ids.into_iter().map(i64::from).collect();
    let (logits, embeddings) = last_logits(checkpoint, &ids, &own)?;
    let largest = logits.abs().max().double_value(&[]);
    let share = |other: &Features| -> Result<f64> {
        let (other, _) = last_logits(checkpoint, &ids, other)?;
        let share = (other - &logits).abs().max().double_value(&[]) / largest;
        if share.is_finite() {
            return Ok(share);
        }
        let what = "the model's logits are all 0, infinite or not numbers (NaN): the weights have gone wrong";
        Err(Error::internal(what))
    };
    let placeholder = i64::from(checkpoint.tokenizer.audio_id());
    let tokens = ids.iter().filter(|&&id| id == placeholder).count() as u64;
    Ok(Some(Moved { silence: share(&others[0])?, shuffled: share(&others[1])?, tokens, embeddings }))
}

/// Logits `[vocab]` behind the prompt in float32, and the number of audio embeddings.
fn last_logits(checkpoint: &Checkpoint, ids: &[i64], features: &Features) -> Result<(Tensor, u64)> {
    let audio = checkpoint.model.encode_audio(&[features])?;
    Ok((prompt_logits(&checkpoint.model, ids, &audio, checkpoint.pad)?, audio.size()[0] as u64))
}

/// The clip in [`PARTS`] equal parts, in an order that keeps none in its place: each length has one.
fn shuffled(samples: &[f32]) -> Vec<f32> {
    let parts: Vec<&[f32]> = samples.chunks(samples.len().div_ceil(PARTS).max(1)).collect();
    let mut draw = Key::derive(samples.len() as u64, "hearing.shuffle", &[]).stream();
    let mut order: Vec<usize> = (0..parts.len()).collect();
    // Sattolo's algorithm: one cycle through all of them.
    for i in (1..order.len()).rev() {
        order.swap(i, draw.below(i));
    }
    order.into_iter().flat_map(|i| parts[i]).copied().collect()
}

/// A clip for models that come without one: eight tones up a scale, two seconds.
pub fn scale() -> Vec<f32> {
    let tone = |step: usize| {
        let hertz = 220.0 * 2f64.powf(step as f64 / 4.0);
        let angle = move |i: usize| std::f64::consts::TAU * hertz * i as f64 / f64::from(SAMPLE_RATE);
        (0..SAMPLE_RATE as usize / 4).map(move |i| (0.4 * libm::sin(angle(i))) as f32)
    };
    (0..8).flat_map(tone).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shuffling_moves_every_part_and_loses_none() {
        for n in [1usize, 2, 15, 16, 17, 400, 16_001] {
            let samples: Vec<f32> = (0..n).map(|i| i as f32).collect();
            let mut out = shuffled(&samples);
            assert_eq!(out, shuffled(&samples), "the same order every time");
            let part = n.div_ceil(PARTS).max(1);
            if n > part {
                assert!(out.chunks(part).zip(samples.chunks(part)).all(|(a, b)| a != b), "{n}");
            }
            out.sort_by(f32::total_cmp);
            assert_eq!(out, samples);
        }
    }
}
