//! From a question to what the model takes: features of its clip, the rendered prompt, token ids.

use super::feed::Clips;
use crate::audio::Features;
use crate::data::Example;
use crate::error::Result;
use crate::pins::Sha256;
use crate::prompt;
use crate::prompt::chat::ChatTemplate;
use crate::prompt::tokens::TextTokenizer;
use crate::recipe::PromptStyle;
use std::sync::Arc;

/// A question, ready for the model.
#[derive(Debug)]
pub struct Prepared {
    /// Token ids of the prompt, audio placeholders expanded.
    pub ids: Vec<i64>,
    /// The clip.
    pub features: Arc<Features>,
    /// The clip was longer than 30 s.
    pub cropped: bool,
    /// What was wrong with the clip though it could be read, in words; empty when nothing was.
    pub damage: String,
    /// SHA-256 of the rendered prompt, before audio tokens are expanded.
    pub prompt_sha256: Sha256,
}

/// Prepares one question.
///
/// # Errors
/// Exit code 4: the clip is missing or cannot be decoded. Exit code 2: the text cannot be put to the model (it holds the placeholder).
pub fn prepare(
    example: &Example,
    style: PromptStyle,
    tokenizer: &TextTokenizer,
    template: &ChatTemplate,
    clips: &Clips,
) -> Result<Prepared> {
    let heard = clips.load(&example.audio)?;
    let rendered = template.render(&prompt::text(style, example), 1)?;
    let ids = tokenizer.expand_audio(&rendered, &[heard.features.audio_tokens()])?;
    Ok(Prepared {
        ids: ids.into_iter().map(i64::from).collect(),
        features: heard.features,
        cropped: heard.cropped,
        damage: heard.damage,
        prompt_sha256: Sha256::of(rendered.as_bytes()),
    })
}
