//! What a Qwen2-Audio model is made of, known without loading it: its configuration, and the names and shapes of its parameters.
//!
//! `config.json` of a checkpoint is checked, with the defaults that transformers fills in.
//!
//! transformers 4.x writes only what differs from its defaults, 5.x writes everything and renames two keys
//! (`dtype`, `rope_parameters`). Defaults: transformers 4.49.0 `configuration_qwen2_audio.py`, `configuration_qwen2.py`.

mod reader;
mod shapes;

pub use shapes::{ALL_LINEAR, EMBED_POSITIONS, expected, matched};

use crate::error::{Context, Error, Result};
use crate::recipe::{Dtype, Init};
use reader::Reader;
use serde_json::{Value, json};
use std::path::Path;

/// Shape of a Qwen2-Audio model.
#[derive(Debug, Clone, PartialEq)]
pub struct Config {
    /// The audio encoder.
    pub audio: AudioConfig,
    /// The language model.
    pub text: TextConfig,
    /// Id of `<|AUDIO|>`, the placeholder of one audio embedding.
    pub audio_token_index: i64,
    /// Number type that the checkpoint was saved in.
    pub dtype: Dtype,
}

/// Shape of the Whisper-style audio encoder.
#[derive(Debug, Clone, PartialEq)]
pub struct AudioConfig {
    /// Mel bands of the input features.
    pub num_mel_bins: i64,
    /// Width.
    pub d_model: i64,
    /// Layers.
    pub encoder_layers: i64,
    /// Attention heads.
    pub encoder_attention_heads: i64,
    /// Inner width of the feed-forward.
    pub encoder_ffn_dim: i64,
    /// Positions after the second convolution: half of the input frames.
    pub max_source_positions: i64,
}

/// Shape of the Qwen2 language model.
#[derive(Debug, Clone, PartialEq)]
pub struct TextConfig {
    /// Rows of the embedding and of the output head.
    pub vocab_size: i64,
    /// Width.
    pub hidden_size: i64,
    /// Layers.
    pub num_hidden_layers: i64,
    /// Attention heads.
    pub num_attention_heads: i64,
    /// Key/value heads.
    pub num_key_value_heads: i64,
    /// Inner width of the MLP.
    pub intermediate_size: i64,
    /// Added to the mean square in RMSNorm.
    pub rms_norm_eps: f64,
    /// Base of the rotary frequencies.
    pub rope_theta: f64,
    /// The output head is the embedding.
    pub tie_word_embeddings: bool,
    /// Longest sequence.
    pub max_position_embeddings: i64,
}

impl TextConfig {
    /// Width of one attention head.
    pub fn head_dim(&self) -> i64 {
        self.hidden_size / self.num_attention_heads
    }
}

impl Config {
    /// Reads `config.json` of a checkpoint folder.
    ///
    /// # Errors
    /// Exit code 4, one line for every key that does not fit.
    pub fn load(dir: &Path) -> Result<Self> {
        let path = dir.join("config.json");
        let text = std::fs::read_to_string(&path).inputs(|| format!("cannot read {}", path.display()))?;
        let value: Value =
            serde_json::from_str(&text).inputs(|| format!("{}: expected a JSON object", path.display()))?;
        Self::from_json(&value, &path.display().to_string())
    }

    /// Reads the parsed `config.json`; `file` names it in messages.
    pub fn from_json(value: &Value, file: &str) -> Result<Self> {
        let mut problems = Vec::new();
        let empty = json!({});
        let text_value = value.get("text_config").unwrap_or(&empty);
        let audio_value = value.get("audio_config").unwrap_or(&empty);

        let mut top = Reader { file, at: "", object: value, problems: &mut problems };
        top.required("model_type", &json!("qwen2_audio"));
        top.only("architectures", &json!(["Qwen2AudioForConditionalGeneration"]));
        // The library's default where the key is absent; the caller holds it against the tokenizer's `<|AUDIO|>`.
        let five = top.object.get("audio_token_id").and_then(Value::as_i64);
        let audio_token_index = top.int("audio_token_index", five.or(Some(151_646)));
        let dtype_value = ["dtype", "torch_dtype"].iter().find_map(|k| value.get(k).or_else(|| text_value.get(k)));
        let dtype = match dtype_value.and_then(Value::as_str) {
            Some("bfloat16") => Dtype::Bfloat16,
            None | Some("float32") => Dtype::Float32,
            Some(other) => {
                top.wrong("torch_dtype", "float32 or bfloat16", &json!(other));
                Dtype::Float32
            }
        };

        let mut r = Reader { file, at: "audio_config.", object: audio_value, problems: &mut problems };
        for (key, value) in [
            ("model_type", json!("qwen2_audio_encoder")),
            ("activation_function", json!("gelu")),
            ("scale_embedding", json!(false)),
            ("num_mel_bins", json!(128)),
            ("dropout", json!(0.0)),
            ("attention_dropout", json!(0.0)),
            ("activation_dropout", json!(0.0)),
            ("encoder_layerdrop", json!(0.0)),
        ] {
            r.only(key, &value);
        }
        let audio = AudioConfig {
            num_mel_bins: r.int("num_mel_bins", Some(128)),
            d_model: r.int("d_model", Some(1280)),
            encoder_layers: r.int("encoder_layers", Some(32)),
            encoder_attention_heads: r.int("encoder_attention_heads", Some(20)),
            encoder_ffn_dim: r.int("encoder_ffn_dim", Some(5120)),
            max_source_positions: r.int("max_source_positions", Some(1500)),
        };
        if audio.d_model % audio.encoder_attention_heads != 0 {
            r.wrong("d_model", "a multiple of encoder_attention_heads", &json!(audio.d_model));
        }

        let rope = text_value.get("rope_parameters").filter(|v| v.is_object());
        let mut r = Reader { file, at: "text_config.", object: text_value, problems: &mut problems };
        for (key, value) in [
            ("model_type", json!("qwen2")),
            ("hidden_act", json!("silu")),
            ("use_sliding_window", json!(false)),
            ("use_mrope", json!(false)),
            ("rope_scaling", Value::Null),
            ("attention_dropout", json!(0.0)),
        ] {
            r.only(key, &value);
        }
        if let Some(types) = text_value.get("layer_types").and_then(Value::as_array)
            && let Some(other) = types.iter().find(|kind| **kind != "full_attention")
        {
            r.wrong("layer_types", "\"full_attention\" everywhere (nothing else is implemented)", other);
        }
        for key in ["rope_type", "type"] {
            if let Some(kind) = rope.and_then(|v| v.get(key)).filter(|kind| **kind != "default") {
                r.wrong(&format!("rope_parameters.{key}"), "\"default\" (nothing else is implemented)", kind);
            }
        }
        let heads = r.int("num_attention_heads", Some(32));
        let rope_theta = match rope.and_then(|v| v.get("rope_theta")).and_then(Value::as_f64) {
            Some(theta) if theta > 0.0 => theta,
            _ => r.float("rope_theta", 10000.0),
        };
        let text = TextConfig {
            vocab_size: r.int("vocab_size", Some(151_936)),
            hidden_size: r.int("hidden_size", Some(4096)),
            num_hidden_layers: r.int("num_hidden_layers", Some(32)),
            num_attention_heads: heads,
            num_key_value_heads: r.int("num_key_value_heads", Some(32)),
            intermediate_size: r.int("intermediate_size", Some(22016)),
            rms_norm_eps: r.float("rms_norm_eps", 1e-6),
            rope_theta,
            tie_word_embeddings: [text_value, value]
                .iter()
                .find_map(|v| v.get("tie_word_embeddings").and_then(Value::as_bool))
                .unwrap_or(false),
            max_position_embeddings: r.int("max_position_embeddings", Some(32768)),
        };
        if text.hidden_size % heads != 0 {
            r.wrong("hidden_size", "a multiple of num_attention_heads", &json!(text.hidden_size));
        } else if let Some(dim) = text_value.get("head_dim").filter(|v| !v.is_null())
            && dim.as_i64() != Some(text.head_dim())
        {
            r.wrong("head_dim", &format!("{} (hidden_size / num_attention_heads)", text.head_dim()), dim);
        }
        if heads % text.num_key_value_heads != 0 {
            r.wrong("num_key_value_heads", "a divisor of num_attention_heads", &json!(text.num_key_value_heads));
        }
        if problems.is_empty() {
            Ok(Self { audio, text, audio_token_index, dtype })
        } else {
            Err(Error::inputs(problems.join("\n")))
        }
    }

    /// The shape of a policy made from a seed.
    pub fn from_init(init: &Init, vocab_size: i64, audio_token_index: i64) -> Self {
        Self {
            audio: AudioConfig {
                num_mel_bins: 128,
                d_model: init.audio_d_model,
                encoder_layers: init.audio_layers,
                encoder_attention_heads: init.audio_heads,
                encoder_ffn_dim: init.audio_ffn_dim,
                max_source_positions: 1500,
            },
            text: TextConfig {
                vocab_size,
                hidden_size: init.hidden_size,
                num_hidden_layers: init.layers,
                num_attention_heads: init.heads,
                num_key_value_heads: init.kv_heads,
                intermediate_size: init.intermediate_size,
                rms_norm_eps: 1e-5,
                rope_theta: 10000.0,
                tie_word_embeddings: false,
                max_position_embeddings: 8192,
            },
            audio_token_index,
            dtype: init.dtype,
        }
    }

    /// `config.json` as transformers 4.49 reads it, every value written out.
    pub fn to_json(&self, eos: i64, bos: i64) -> Value {
        let dtype = self.dtype.name();
        let (a, t) = (&self.audio, &self.text);
        json!({
            "architectures": ["Qwen2AudioForConditionalGeneration"],
            "model_type": "qwen2_audio",
            "audio_token_index": self.audio_token_index,
            "ignore_index": -100,
            "torch_dtype": dtype,
            "tie_word_embeddings": t.tie_word_embeddings,
            "vocab_size": t.vocab_size,
            "audio_config": {
                "model_type": "qwen2_audio_encoder",
                "num_mel_bins": a.num_mel_bins,
                "d_model": a.d_model,
                "encoder_layers": a.encoder_layers,
                "encoder_attention_heads": a.encoder_attention_heads,
                "encoder_ffn_dim": a.encoder_ffn_dim,
                "max_source_positions": a.max_source_positions,
                "activation_function": "gelu",
                "scale_embedding": false,
                "torch_dtype": dtype,
            },
            "text_config": {
                "model_type": "qwen2",
                "vocab_size": t.vocab_size,
                "hidden_size": t.hidden_size,
                "num_hidden_layers": t.num_hidden_layers,
                "num_attention_heads": t.num_attention_heads,
                "num_key_value_heads": t.num_key_value_heads,
                "intermediate_size": t.intermediate_size,
                "rms_norm_eps": t.rms_norm_eps,
                "rope_theta": t.rope_theta,
                "tie_word_embeddings": t.tie_word_embeddings,
                "max_position_embeddings": t.max_position_embeddings,
                "hidden_act": "silu",
                "use_sliding_window": false,
                "bos_token_id": bos,
                "eos_token_id": eos,
                "torch_dtype": dtype,
            },
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_published_config_takes_the_library_defaults() {
        let published = json!({
            "architectures": ["Qwen2AudioForConditionalGeneration"], "audio_token_index": 151646, "model_type": "qwen2_audio",
            "audio_config": {"model_type": "qwen2_audio_encoder", "num_mel_bins": 128, "encoder_layers": 32,
                "encoder_attention_heads": 20, "encoder_ffn_dim": 5120, "d_model": 1280, "scale_embedding": false,
                "activation_function": "gelu", "max_source_positions": 1500},
            "text_config": {"bos_token_id": 151643, "eos_token_id": 151645, "intermediate_size": 11008, "model_type": "qwen2",
                "max_position_embeddings": 8192, "rms_norm_eps": 1e-5, "vocab_size": 156032, "use_mrope": false},
            "torch_dtype": "bfloat16", "vocab_size": 156032});
        let c = Config::from_json(&published, "config.json").unwrap();
        assert_eq!((c.text.hidden_size, c.text.num_key_value_heads, c.text.head_dim()), (4096, 32, 128));
        assert_eq!((c.audio.d_model, c.dtype, c.text.rope_theta), (1280, Dtype::Bfloat16, 10000.0));
        assert_eq!(Config::from_json(&c.to_json(1, 2), "x").unwrap(), c);
    }

    #[test]
    fn every_key_that_does_not_fit_is_named() {
        let bad = json!({"model_type": "qwen2_audio", "audio_token_index": "x", "text_config": {"hidden_size": -3, "hidden_act": "relu"},
            "audio_config": {"activation_function": "relu"}});
        let text = Config::from_json(&bad, "c.json").unwrap_err().to_string();
        for part in [
            "audio_token_index: expected a positive integer",
            "text_config.hidden_size",
            "text_config.hidden_act: expected \"silu\"",
            "audio_config.activation_function",
        ] {
            assert!(text.contains(part), "{part} not in {text}");
        }
    }

    /// What would be run wrongly is refused by the name of the setting.
    #[test]
    fn what_is_not_implemented_is_refused_by_name() {
        let good = json!({"model_type": "qwen2_audio", "architectures": ["Qwen2AudioForConditionalGeneration"],
            "audio_config": {"model_type": "qwen2_audio_encoder", "dropout": 0}, "text_config": {"sliding_window": 32768, "use_sliding_window": false,
            "rope_scaling": null, "layer_types": ["full_attention", "full_attention"]}});
        assert!(Config::from_json(&good, "c.json").is_ok(), "a window that is not in use is none");
        for (path, value, part) in [
            ("/model_type", json!("qwen2_5_omni"), "model_type: expected \"qwen2_audio\""),
            ("/architectures", json!(["Qwen2AudioForSequenceClassification"]), "architectures: expected"),
            ("/audio_config/model_type", json!("whisper"), "audio_config.model_type"),
            ("/text_config", json!({"model_type": "llama"}), "text_config.model_type: expected \"qwen2\""),
            ("/text_config/use_sliding_window", json!(true), "text_config.use_sliding_window: expected false"),
            ("/text_config/layer_types", json!(["full_attention", "sliding_attention"]), "found \"sliding_attention\""),
            (
                "/text_config/rope_scaling",
                json!({"type": "yarn", "factor": 4.0}),
                "text_config.rope_scaling: expected null",
            ),
            (
                "/text_config",
                json!({"rope_parameters": {"rope_type": "linear", "factor": 2.0}}),
                "rope_parameters.rope_type",
            ),
            ("/text_config", json!({"rope_parameters": {"type": "yarn"}}), "rope_parameters.type"),
            ("/text_config", json!({"attention_dropout": 0.1}), "text_config.attention_dropout: expected 0"),
            ("/audio_config", json!({"encoder_layerdrop": 0.05}), "audio_config.encoder_layerdrop: expected 0"),
            ("/audio_config", json!({"num_mel_bins": 80}), "audio_config.num_mel_bins: expected 128"),
            ("/text_config", json!({"use_mrope": true}), "text_config.use_mrope"),
            ("/text_config", json!({"head_dim": 64}), "text_config.head_dim: expected 128"),
        ] {
            let mut bad = good.clone();
            *bad.pointer_mut(path).unwrap() = value;
            let error = Config::from_json(&bad, "c.json").unwrap_err();
            assert_eq!(error.kind(), crate::error::Kind::Inputs);
            assert!(error.to_string().contains(part), "{part} not in {error}");
        }
        let nameless = Config::from_json(&json!({"hidden_size": 4}), "c.json").unwrap_err().to_string();
        assert!(nameless.contains("model_type: expected \"qwen2_audio\""), "{nameless}");
    }

    #[test]
    fn the_five_point_x_spelling_is_read() {
        let v5 = json!({"audio_token_id": 9, "model_type": "qwen2_audio", "dtype": "bfloat16", "audio_config": {},
            "text_config": {"rope_parameters": {"rope_theta": 5e5, "rope_type": "default"}}});
        let c = Config::from_json(&v5, "config.json").unwrap();
        assert_eq!((c.audio_token_index, c.text.rope_theta, c.dtype), (9, 5e5, Dtype::Bfloat16));
    }
}
