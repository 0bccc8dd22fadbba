//! The parameters that a configuration implies: names as Hugging Face saves them, and shapes.

use super::Config;
use crate::error::{Error, Result};
use crate::text::nearest;

/// The encoder's sinusoidal positions: part of the checkpoint, never trained (transformers 4.49 `requires_grad_(False)`).
pub const EMBED_POSITIONS: &str = "audio_tower.embed_positions.weight";

/// Every linear layer, as peft's target of that name means it.
pub const ALL_LINEAR: &str = "all-linear";

/// Every parameter that a configuration implies, with its shape, in the order of the model.
pub fn expected(config: &Config) -> Vec<(String, Vec<i64>)> {
    let mut out: Vec<(String, Vec<i64>)> = Vec::new();
    let mut add = |name: String, shape: &[i64]| out.push((name, shape.to_vec()));
    let a = &config.audio;
    add("audio_tower.conv1.weight".into(), &[a.d_model, a.num_mel_bins, 3]);
    add("audio_tower.conv1.bias".into(), &[a.d_model]);
    add("audio_tower.conv2.weight".into(), &[a.d_model, a.d_model, 3]);
    add("audio_tower.conv2.bias".into(), &[a.d_model]);
    add(EMBED_POSITIONS.into(), &[a.max_source_positions, a.d_model]);
    for i in 0..a.encoder_layers {
        let at = |part: &str| format!("audio_tower.layers.{i}.{part}");
        for proj in ["q_proj", "k_proj", "v_proj", "out_proj"] {
            add(at(&format!("self_attn.{proj}.weight")), &[a.d_model, a.d_model]);
            if proj != "k_proj" {
                add(at(&format!("self_attn.{proj}.bias")), &[a.d_model]);
            }
        }
        add(at("fc1.weight"), &[a.encoder_ffn_dim, a.d_model]);
        add(at("fc1.bias"), &[a.encoder_ffn_dim]);
        add(at("fc2.weight"), &[a.d_model, a.encoder_ffn_dim]);
        add(at("fc2.bias"), &[a.d_model]);
        for norm in ["self_attn_layer_norm", "final_layer_norm"] {
            add(at(&format!("{norm}.weight")), &[a.d_model]);
            add(at(&format!("{norm}.bias")), &[a.d_model]);
        }
    }
    add("audio_tower.layer_norm.weight".into(), &[a.d_model]);
    add("audio_tower.layer_norm.bias".into(), &[a.d_model]);

    let t = &config.text;
    let (hidden, kv) = (t.hidden_size, t.num_key_value_heads * t.head_dim());
    add("multi_modal_projector.linear.weight".into(), &[hidden, a.d_model]);
    add("multi_modal_projector.linear.bias".into(), &[hidden]);
    add("language_model.model.embed_tokens.weight".into(), &[t.vocab_size, hidden]);
    for i in 0..t.num_hidden_layers {
        let at = |part: &str| format!("language_model.model.layers.{i}.{part}");
        for (proj, width) in [("q_proj", hidden), ("k_proj", kv), ("v_proj", kv)] {
            add(at(&format!("self_attn.{proj}.weight")), &[width, hidden]);
            add(at(&format!("self_attn.{proj}.bias")), &[width]);
        }
        add(at("self_attn.o_proj.weight"), &[hidden, hidden]);
        add(at("mlp.gate_proj.weight"), &[t.intermediate_size, hidden]);
        add(at("mlp.up_proj.weight"), &[t.intermediate_size, hidden]);
        add(at("mlp.down_proj.weight"), &[hidden, t.intermediate_size]);
        add(at("input_layernorm.weight"), &[hidden]);
        add(at("post_attention_layernorm.weight"), &[hidden]);
    }
    add("language_model.model.norm.weight".into(), &[hidden]);
    if !t.tie_word_embeddings {
        add("language_model.lm_head.weight".into(), &[t.vocab_size, hidden]);
    }
    out
}

/// Every linear layer of a model with `[out, in]`; a tied head is the embedding and no layer of its own.
fn linear_layers(config: &Config) -> Vec<(String, [i64; 2])> {
    let layer = |(name, shape): (String, Vec<i64>)| {
        let module = name.strip_suffix(".weight")?;
        let embedding = module.ends_with("embed_tokens") || module.ends_with("embed_positions");
        match shape[..] {
            [out, of] if !embedding => Some((module.to_owned(), [out, of])),
            _ => None,
        }
    };
    expected(config).into_iter().filter_map(layer).collect()
}

/// The linear layers that `targets` name: a whole name, or the end of one behind a dot, as peft matches them.
///
/// # Errors
/// Exit code 2 for a target that no linear layer has.
pub fn matched(config: &Config, targets: &[String]) -> Result<Vec<(String, [i64; 2])>> {
    let layers = linear_layers(config);
    let fits = |target: &str, module: &str| {
        module.strip_suffix(target).is_some_and(|head| head.is_empty() || head.ends_with('.'))
    };
    let is = |target: &str, module: &str| target == ALL_LINEAR || fits(target, module);
    for target in targets {
        if !layers.iter().any(|(module, _)| is(target, module)) {
            let ends = layers.iter().filter_map(|(module, _)| module.rsplit('.').next());
            let hint = nearest(target, ends).map_or(String::new(), |near| format!("; did you mean {near}?"));
            return Err(Error::request(format!(
                "lora.targets: expected linear layers of the model (q_proj, v_proj, fc1, …, or {ALL_LINEAR}), found {target:?}, which no layer's name ends with{hint}"
            )));
        }
    }
    Ok(layers.into_iter().filter(|(module, _)| targets.iter().any(|target| is(target, module))).collect())
}
