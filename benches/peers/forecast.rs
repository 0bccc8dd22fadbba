//! What `plan` predicts for the works that are measured here: the same arithmetic, for rows exactly as long as these.

use super::step::{Size, settings};
use super::work::ask;
use super::{inputs, inputs::number};
use aqa_bench::architecture::Config;
use aqa_bench::audio;
use aqa_bench::error::Result;
use aqa_bench::plan::memory::{Forecast, evaluation, training};
use aqa_bench::prompt::chat::ChatTemplate;
use aqa_bench::prompt::tokens::TextTokenizer;
use aqa_bench::recipe::{Decoding, Dtype, Eval, Extract, Method, PromptStyle, Rule};
use serde_json::{Value, json};
use std::path::Path;

/// The prediction for a training step (`of: step`) or an evaluation (`of: evaluate`); no weights are loaded.
pub fn forecast(folder: &Path, dtype: Dtype, request: &Value) -> Result<Value> {
    let config = Config { dtype, ..Config::load(&inputs::model(folder))? };
    let told = |found: &Forecast| {
        let together = found.together();
        let mut value = found.to_json();
        value["together"] = json!({"peak": together.on_device() + together.on_host(), "phase": together.name});
        value
    };
    if request.get("of").and_then(Value::as_str) == Some("evaluate") {
        let (batch, new_tokens) = (number(request, "batch")? as usize, number(request, "new_tokens")? as usize);
        let clip = audio::load(&inputs::clip(folder, 0))?;
        return Ok(told(&evaluation(&config, &evaluate(batch, new_tokens), clip.audio_tokens() as u64)));
    }
    let size = Size::of(request)?;
    let (file, model) = (inputs::clip_of(folder, size.clip), inputs::model(folder));
    let prompt = ask(&TextTokenizer::load(&model)?, &ChatTemplate::load(&model)?, &file)?.ids.len();
    let mut train = settings(size);
    if let Method::Grpo(grpo) = &mut train.method {
        // The forecast takes prompts as long as they may become.
        grpo.max_prompt_length = prompt;
    }
    Ok(told(&training(&config, &train, audio::load(&file)?.audio_tokens() as u64)?))
}

fn evaluate(batch_size: usize, max_new_tokens: usize) -> Eval {
    Eval {
        name: "evaluate".into(),
        label: "evaluate".into(),
        from: "model".into(),
        at_step: None,
        data: "bench".into(),
        system: None,
        prompt: PromptStyle::R1Aqa2,
        decoding: Decoding {
            do_sample: false,
            max_new_tokens,
            temperature: None,
            top_k: None,
            top_p: None,
            repetition_penalty: None,
        },
        batch_size,
        extract: Extract::AnswerTag,
        rule: Rule::Official,
    }
}
