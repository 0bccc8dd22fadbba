//! The tokenizer of a checkpoint: text to ids and back, and the places that audio takes.

use crate::error::{Context, Error, Result};
use crate::progress::say;
use serde_json::{Map, Value};
use std::path::Path;
use tokenizers::Tokenizer;

/// Stands for a clip in the rendered prompt, and for one audio vector in the ids.
pub const AUDIO: &str = "<|AUDIO|>";
/// Opens a clip.
pub const AUDIO_BOS: &str = "<|audio_bos|>";
/// Closes a clip.
pub const AUDIO_EOS: &str = "<|audio_eos|>";

/// The files that name special tokens.
const NAMING: [&str; 2] = ["tokenizer_config.json", "special_tokens_map.json"];
/// What pads and what ends with Qwen2's tokenizers where a checkpoint brings no file that names it: the defaults of transformers' `Qwen2TokenizerFast`.
const ENDOFTEXT: &str = "<|endoftext|>";
/// What closes a turn in Qwen2's templates.
const TURN_END: &str = "<|im_end|>";

/// A checkpoint's tokenizer with the special tokens that the program needs.
pub struct TextTokenizer {
    tokenizer: Tokenizer,
    source: String,
    ends: Vec<u32>,
    eos: u32,
    pad: u32,
    audio: u32,
}

impl TextTokenizer {
    /// Reads `tokenizer.json`, and the names of the end and padding tokens from `tokenizer_config.json` and
    /// `special_tokens_map.json`. A checkpoint that has neither file (zhifeixie/Audio-Reasoner) gets Qwen2's: `<|endoftext|>` for both, as transformers
    /// would take them.
    ///
    /// # Errors
    /// A file that is missing or malformed; an end or padding token that neither file names, that they name differently, or that
    /// the tokenizer does not have; no `<|AUDIO|>`, `<|audio_bos|>` or `<|audio_eos|>` (exit code 4).
    pub fn load(dir: &Path) -> Result<Self> {
        let path = dir.join("tokenizer.json");
        let source = path.display().to_string();
        let bytes = std::fs::read(&path).inputs(|| format!("cannot read {source}"))?;
        let mut tokenizer = Tokenizer::from_bytes(&bytes)
            .inputs(|| format!("{source}: expected a tokenizer of the tokenizers library"))?;
        // A saved tokenizer may carry how a batch was once padded or cut; transformers resets both, and so do we.
        tokenizer.with_padding(None);
        tokenizer.with_truncation(None).inputs(|| source.clone())?;
        let specials = special_tokens(dir)?;
        let unnamed = NAMING.iter().all(|file| !dir.join(file).is_file());
        let id = |token: &str| {
            tokenizer
                .token_to_id(token)
                .ok_or_else(|| Error::inputs(format!("{source}: expected the token {token}, found none")))
        };
        let named = |name: &str| match specials.get(name).and_then(Value::as_str) {
            Some(token) => id(token),
            None if unnamed => {
                id(ENDOFTEXT).map_err(|e| e.within(format!("no file of {} names {name}", dir.display())))
            }
            None => Err(Error::inputs(format!(
                "{}: expected {name} in tokenizer_config.json or special_tokens_map.json, found none",
                dir.display()
            ))),
        };
        let (eos, pad, audio) = (named("eos_token")?, named("pad_token")?, id(AUDIO)?);
        id(AUDIO_BOS)?;
        id(AUDIO_EOS)?;
        let turn_end = tokenizer.token_to_id(TURN_END).filter(|_| unnamed);
        if unnamed {
            let dir = dir.display();
            say(format_args!(
                "{dir}: no file names its special tokens, so Qwen2's are taken: {ENDOFTEXT} pads, it and {TURN_END} end"
            ));
        }
        let ends = turn_end.into_iter().chain([eos]).collect();
        Ok(Self { tokenizer, source, ends, eos, pad, audio })
    }

    /// The ids that end what the model says, where its `generation_config.json` names none: the one that ends a turn by the tokenizer's own files. Where
    /// there is no such file, `<|im_end|>` and `<|endoftext|>`, which are the ends of Qwen2-Audio-7B-Instruct: `<|endoftext|>` alone would let it go on
    /// with a next turn.
    pub fn ends(&self) -> &[u32] {
        &self.ends
    }

    /// The id that ends a turn, as the tokenizer's own files name it.
    pub fn eos_id(&self) -> u32 {
        self.eos
    }

    /// The id that pads.
    pub fn pad_id(&self) -> u32 {
        self.pad
    }

    /// The id of `<|AUDIO|>`; the caller holds it against `audio_token_index` of config.json.
    pub fn audio_id(&self) -> u32 {
        self.audio
    }

    /// Number of ids that the tokenizer knows, added tokens included; the model's embedding may have more rows.
    pub fn len(&self) -> usize {
        self.tokenizer.get_vocab_size(true)
    }

    /// Whether it knows no ids at all.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The id of a token, if the tokenizer has it.
    pub fn token_id(&self, token: &str) -> Option<u32> {
        self.tokenizer.token_to_id(token)
    }

    /// Ids of a text. Special tokens in the text are recognised; none are added.
    ///
    /// # Errors
    /// The tokenizer failed on the text.
    pub fn encode(&self, text: &str) -> Result<Vec<u32>> {
        let encoding =
            self.tokenizer.encode_fast(text, false).inputs(|| format!("{}: cannot encode a text", self.source))?;
        Ok(encoding.get_ids().to_vec())
    }

    /// Text of some ids without special tokens, spaces as they are (`clean_up_tokenization_spaces=False`). Ids beyond the
    /// tokenizer's decode to nothing, as in transformers: embeddings have more rows than the tokenizer has tokens.
    ///
    /// # Errors
    /// The tokenizer failed on the ids.
    pub fn decode(&self, ids: &[u32]) -> Result<String> {
        self.tokenizer.decode(ids, true).inputs(|| format!("{}: cannot decode ids", self.source))
    }

    /// Ids of a rendered prompt in which the i-th `<|AUDIO|>` becomes `tokens_per_audio[i]` of them (transformers 4.49,
    /// `Qwen2AudioProcessor.__call__`). `<|audio_bos|>` and `<|audio_eos|>` are put around only where neither is there yet.
    ///
    /// # Errors
    /// Another number of placeholders than of clips, or another number of audio ids than asked for: both numbers are named.
    pub fn expand_audio(&self, rendered: &str, tokens_per_audio: &[usize]) -> Result<Vec<u32>> {
        let pieces: Vec<&str> = rendered.split(AUDIO).collect();
        let places = pieces.len() - 1;
        if places != tokens_per_audio.len() {
            return Err(Error::inputs(format!(
                "expected one {AUDIO} a clip, found {places} in the prompt for {} (does the question hold {AUDIO}?)",
                tokens_per_audio.len()
            )));
        }
        let wanted: usize = tokens_per_audio.iter().sum();
        let mut expanded = String::with_capacity(rendered.len() + wanted * AUDIO.len());
        expanded.push_str(pieces[0]);
        for (around, &count) in pieces.windows(2).zip(tokens_per_audio) {
            let bare = !around[0].ends_with(AUDIO_BOS) && !around[1].starts_with(AUDIO_EOS);
            let audio = AUDIO.repeat(count);
            if bare {
                expanded.extend([AUDIO_BOS, &audio, AUDIO_EOS]);
            } else {
                expanded.push_str(&audio);
            }
            expanded.push_str(around[1]);
        }
        let ids = self.encode(&expanded)?;
        let found = ids.iter().filter(|&&id| id == self.audio).count();
        if found != wanted {
            return Err(Error::inputs(format!(
                "{}: expected {wanted} ids of {AUDIO} in the prompt, found {found}",
                self.source
            )));
        }
        Ok(ids)
    }
}

/// A JSON file's object; `None` when there is no such file.
pub(super) fn read_object(path: &Path) -> Result<Option<Map<String, Value>>> {
    if !path.is_file() {
        return Ok(None);
    }
    let bytes = std::fs::read(path).inputs(|| format!("cannot read {}", path.display()))?;
    match serde_json::from_slice(&bytes).inputs(|| format!("{}: expected JSON", path.display()))? {
        Value::Object(map) => Ok(Some(map)),
        _ => Err(Error::inputs(format!("{}: expected a JSON object", path.display()))),
    }
}

/// The special tokens that a checkpoint's files name, e.g. `eos_token` → `<|im_end|>`. Each is a text or an object with
/// `content`; the two files must not contradict each other.
pub(super) fn special_tokens(dir: &Path) -> Result<Map<String, Value>> {
    let mut tokens: Map<String, Value> = Map::new();
    for file in NAMING {
        let path = dir.join(file);
        for (name, value) in read_object(&path)?.unwrap_or_default() {
            if !name.ends_with("_token") {
                continue;
            }
            let content = match &value {
                Value::String(text) => text.clone(),
                Value::Object(map) => match map.get("content") {
                    Some(Value::String(text)) => text.clone(),
                    _ => return Err(Error::inputs(format!("{}: {name}: expected a content text", path.display()))),
                },
                // `null`, and switches such as add_bos_token.
                _ => continue,
            };
            match tokens.get(&name).and_then(Value::as_str) {
                Some(other) if other != content => {
                    return Err(Error::inputs(format!(
                        "{}: {name} is {content:?}, but tokenizer_config.json has {other:?} (make the two agree)",
                        path.display()
                    )));
                }
                _ => tokens.insert(name, Value::String(content)),
            };
        }
    }
    Ok(tokens)
}
