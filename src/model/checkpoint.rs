//! A checkpoint folder in Hugging Face layout: the model, its tokenizer, chat template and generation defaults, loaded together and checked
//! against each other; and written so that transformers loads it.

use super::params::Params;
use super::{Qwen2Audio, weights};
use crate::architecture::Config;
use crate::artifact::write;
use crate::error::{Context, Error, Result};
use crate::prompt::chat::{ChatTemplate, QWEN2_AUDIO};
use crate::prompt::tokens::{AUDIO, TextTokenizer};
use crate::recipe::{Dtype, Init};
use crate::synth::tokenizer::TokenizerFiles;
use serde_json::{Value, json};
use std::path::Path;
use tch::Device;

/// Largest weight file that [`Checkpoint::save`] writes: 5 GB, as transformers does.
const SHARD_BYTES: usize = 5_000_000_000;

/// The folder of a checkpoint that holds its adapters by themselves.
pub const ADAPTER: &str = "adapter";

/// Files of a checkpoint that training leaves as they are; those that are there are kept in memory with the model, since the
/// folder may be gone when it is saved (a resume starts from a checkpoint that is dropped once there is a newer one).
const CARRIED: [&str; 11] = [
    "tokenizer.json",
    "tokenizer_config.json",
    "special_tokens_map.json",
    "added_tokens.json",
    "vocab.json",
    "merges.txt",
    "generation_config.json",
    "preprocessor_config.json",
    "processor_config.json",
    "chat_template.json",
    "chat_template.jinja",
];

/// A policy with everything it needs to read and speak.
pub struct Checkpoint {
    /// The model.
    pub model: Qwen2Audio,
    /// Text to ids and back.
    pub tokenizer: TextTokenizer,
    /// How a turn is written.
    pub template: ChatTemplate,
    /// `generation_config.json`; an empty object where there is none.
    pub generation_config: Value,
    /// Ids that end a completion.
    pub eos: Vec<i64>,
    /// The id that fills the left of shorter prompts.
    pub pad: i64,
    config: Value,
    carried: Vec<(&'static str, Vec<u8>)>,
}

impl Checkpoint {
    /// Loads a folder.
    ///
    /// # Errors
    /// Exit code 4: a file that is missing or broken, weights that do not fit config.json, a tokenizer whose placeholder is not config.json's,
    /// features other than Whisper's 128 bands at 16 kHz.
    pub fn load(dir: &Path, dtype: Dtype, device: Device) -> Result<Self> {
        let tokenizer = TextTokenizer::load(dir)?;
        let config = Config::load(dir)?;
        let placeholder = i64::from(tokenizer.audio_id());
        if config.audio_token_index != placeholder {
            return Err(Error::inputs(format!(
                "{}: config.json says audio_token_index {}, but the tokenizer's {AUDIO} is {placeholder}: the files are not of one checkpoint",
                dir.display(),
                config.audio_token_index
            )));
        }
        check_features(dir)?;
        let generation_config = optional_json(dir, "generation_config.json")?.unwrap_or_else(|| json!({}));
        let eos = match generation_config.get("eos_token_id") {
            None | Some(Value::Null) => Some(tokenizer.ends().iter().map(|&id| i64::from(id)).collect()),
            Some(Value::Array(ids)) => ids.iter().map(Value::as_i64).collect(),
            Some(id) => id.as_i64().map(|id| vec![id]),
        };
        let Some(eos) = eos.filter(|ids| !ids.is_empty()) else {
            let found = &generation_config["eos_token_id"];
            let file = dir.join("generation_config.json");
            return Err(Error::inputs(format!("{}: eos_token_id: expected ids, found {found}", file.display())));
        };
        let pad = generation_config.get("pad_token_id").and_then(Value::as_i64);
        Ok(Self {
            pad: pad.unwrap_or_else(|| i64::from(tokenizer.pad_id())),
            template: ChatTemplate::load(dir)?,
            model: Qwen2Audio::load(dir, dtype, device)?,
            tokenizer,
            generation_config,
            eos,
            config: read_json(dir, "config.json")?,
            carried: carried(dir)?,
        })
    }

    /// Writes the model with the files it was loaded with into a folder that exists and is empty. Adapters are merged into the
    /// weights, and also stand by themselves in `adapter/`, in peft's layout.
    pub fn save(&self, dir: &Path) -> Result<()> {
        let params = self.model.params();
        weights::save(&params.merged(), dir, SHARD_BYTES)?;
        if let Some(adapters) = params.adapters() {
            let dir = dir.join(ADAPTER);
            std::fs::create_dir_all(&dir).map_err(|e| write::failed("make the folder", &dir, &e))?;
            adapters.save(&dir)?;
        }
        for (name, bytes) in &self.carried {
            write::replace(&dir.join(name), bytes)?;
        }
        let mut config = self.config.clone();
        set_dtype(&mut config, self.model.config().dtype);
        write::replace_json(&dir.join("config.json"), &config)
    }
}

/// Writes a policy made from a seed: random weights and a tokenizer of our own, in the layout that transformers reads.
pub fn write_init(dir: &Path, init: &Init, seed: u64, tokenizer: &TokenizerFiles) -> Result<()> {
    let config = write_bare(dir, init, tokenizer)?;
    weights::save(&Params::random(&config, seed, Device::Cpu), dir, SHARD_BYTES)
}

/// Writes such a policy without its weights, and returns the configuration that they must fit.
pub fn write_bare(dir: &Path, init: &Init, tokenizer: &TokenizerFiles) -> Result<Config> {
    let ids = &tokenizer.special;
    let config = Config::from_init(init, init.vocab_size as i64, i64::from(ids.audio));
    write::replace_json(&dir.join("config.json"), &config.to_json(i64::from(ids.im_end), i64::from(ids.endoftext)))?;
    let generation = json!({
        "eos_token_id": [ids.endoftext, ids.im_end],
        "pad_token_id": ids.endoftext,
        "do_sample": false,
        "transformers_version": "4.49.0",
    });
    write::replace_json(&dir.join("generation_config.json"), &generation)?;
    write::replace_json(&dir.join("preprocessor_config.json"), &preprocessor_config())?;
    let template = json!({"chat_template": QWEN2_AUDIO});
    write::replace_json(&dir.join("chat_template.json"), &template)?;
    for (name, text) in tokenizer.files() {
        write::replace(&dir.join(name), text.as_bytes())?;
    }
    Ok(config)
}

fn preprocessor_config() -> Value {
    json!({
        "chunk_length": 30,
        "feature_extractor_type": "WhisperFeatureExtractor",
        "feature_size": 128,
        "hop_length": 160,
        "n_fft": 400,
        "n_samples": 480_000,
        "nb_max_frames": 3000,
        "padding_side": "right",
        "padding_value": 0.0,
        "processor_class": "Qwen2AudioProcessor",
        "return_attention_mask": true,
        "sampling_rate": 16_000,
    })
}

/// The features that this program makes must be the ones that the checkpoint was trained with.
fn check_features(dir: &Path) -> Result<()> {
    let file = optional_json(dir, "preprocessor_config.json")?.map(|v| ("preprocessor_config.json", v));
    let nested = optional_json(dir, "processor_config.json")?.and_then(|v| v.get("feature_extractor").cloned());
    let Some((name, found)) = file.or(nested.map(|v| ("processor_config.json", v))) else {
        return Ok(());
    };
    let ours = preprocessor_config();
    for key in ["feature_size", "hop_length", "n_fft", "sampling_rate", "chunk_length"] {
        if let Some(value) = found.get(key)
            && *value != ours[key]
        {
            return Err(Error::inputs(format!(
                "{}: {key}: expected {} (the only features implemented), found {value}",
                dir.join(name).display(),
                ours[key]
            )));
        }
    }
    Ok(())
}

fn optional_json(dir: &Path, name: &str) -> Result<Option<Value>> {
    if dir.join(name).exists() { read_json(dir, name).map(Some) } else { Ok(None) }
}

fn read_json(dir: &Path, name: &str) -> Result<Value> {
    let path = dir.join(name);
    let text = std::fs::read_to_string(&path).inputs(|| format!("cannot read {}", path.display()))?;
    serde_json::from_str(&text).inputs(|| format!("{}: expected JSON", path.display()))
}

/// The files of [`CARRIED`] that a folder has.
fn carried(dir: &Path) -> Result<Vec<(&'static str, Vec<u8>)>> {
    let there = CARRIED.into_iter().map(|name| (name, dir.join(name))).filter(|(_, path)| path.exists());
    let read = |path: &Path| std::fs::read(path).inputs(|| format!("cannot read {}", path.display()));
    there.map(|(name, path)| Ok((name, read(&path)?))).collect()
}

/// Says which number type the weights now have, wherever the file says one.
fn set_dtype(config: &mut Value, dtype: Dtype) {
    let name = dtype.name();
    let key = if config.get("dtype").is_some() { "dtype" } else { "torch_dtype" };
    config[key] = json!(name);
    for part in ["text_config", "audio_config"] {
        for key in ["dtype", "torch_dtype"] {
            if config.get(part).is_some_and(|p| p.get(key).is_some()) {
                config[part][key] = json!(name);
            }
        }
    }
}
