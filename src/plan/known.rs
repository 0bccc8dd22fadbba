//! Shapes of published models, so that a plan can say what they take before anything is fetched.

use crate::architecture::Config;
use crate::error::{Context, Result};

/// The published configuration of Qwen2-Audio-7B-Instruct, whose shape its descendants share.
const QWEN2_AUDIO_7B: &str = include_str!("../../recipes/data/qwen2-audio-7b-instruct/config.json");
/// Repositories with that shape.
const OF_ITS_SHAPE: [&str; 4] = [
    "hf://models/Qwen/Qwen2-Audio-7B-Instruct",
    "hf://models/Qwen/Qwen2-Audio-7B",
    "hf://models/mispeech/r1-aqa",
    "hf://models/zhifeixie/Audio-Reasoner",
];

/// The configuration that a repository is known to have; `None` for one that is not known.
///
/// # Errors
/// Internal: the file that is built in is none.
pub(super) fn config(repository: &str) -> Result<Option<Config>> {
    if !OF_ITS_SHAPE.contains(&repository) {
        return Ok(None);
    }
    let name = "qwen2-audio-7b-instruct/config.json";
    let value = serde_json::from_str(QWEN2_AUDIO_7B).internal(|| format!("{name}: is no JSON"))?;
    Config::from_json(&value, name).map(Some)
}
