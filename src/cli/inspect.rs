//! `inspect`: what the model sees and says about one clip, as tensors.

use super::{DtypeArg, InspectArgs, device, print};
use crate::audio;
use crate::error::{Error, Result};
use crate::generate::{Request, Stop, generate, prompt_logits};
use crate::model::checkpoint::Checkpoint;
use crate::model::{guard, weights};
use crate::prompt::tokens::AUDIO;
use crate::sampling::Filters;
use tch::{Tensor, no_grad};

/// New tokens that `greedy_ids` holds at most.
const NEW_TOKENS: usize = 16;
/// Frames of 30 s.
const FRAMES: usize = 3000;

pub(super) fn run(args: &InspectArgs) -> Result<()> {
    if args.prompt.contains(AUDIO) {
        return Err(Error::request(format!(
            "--prompt: expected text, found {AUDIO} in it, which only the template may write"
        )));
    }
    let device = device::parse(&args.device)?;
    let dtype = DtypeArg::or_of(args.dtype, &args.model)?;
    let text = guard(|| {
        let checkpoint = Checkpoint::load(&args.model, dtype, device)?;
        let tensors = no_grad(|| tensors(&checkpoint, args))?;
        let lines: Vec<String> =
            tensors.iter().map(|(name, t)| format!("{name} {:?} {:?}", t.size(), t.kind())).collect();
        weights::save_tensors(tensors.into_iter(), &args.out)?;
        Ok(lines.join("\n"))
    })?;
    print(&text)
}

fn tensors(checkpoint: &Checkpoint, args: &InspectArgs) -> Result<Vec<(String, Tensor)>> {
    let model = &checkpoint.model;
    let clip = audio::load(&args.audio)?;
    let features = audio::features(&clip);
    let rendered = checkpoint.template.render(&args.prompt, 1)?;
    let ids = checkpoint.tokenizer.expand_audio(&rendered, &[features.audio_tokens()])?;
    let ids: Vec<i64> = ids.into_iter().map(i64::from).collect();

    let audio_embeddings = model.encode_audio(&[&features])?;
    let logits = prompt_logits(model, &ids, &audio_embeddings, checkpoint.pad)?;

    let plain = Filters { temperature: 1.0, top_k: 0, top_p: 1.0, repetition_penalty: 1.0 };
    let stop = Stop { eos: checkpoint.eos.clone(), max_new_tokens: NEW_TOKENS, pad: checkpoint.pad };
    let request = Request { ids: &ids, audio: vec![&features], keys: vec![None] };
    let greedy = generate(model, &[request], &plain, &stop)?;
    let greedy: Vec<i64> = greedy.into_iter().flatten().flat_map(|c| c.ids).collect();

    let values = features.to_frames(FRAMES);
    let valid: Vec<i64> = (0..FRAMES).map(|f| i64::from(f < features.valid_frames)).collect();
    let named = |name: &str, tensor: Tensor| (name.to_owned(), tensor);
    Ok(vec![
        named("input_features", Tensor::from_slice(&values).view([1, -1, FRAMES as i64])),
        named("feature_attention_mask", Tensor::from_slice(&valid).unsqueeze(0)),
        named("input_ids", Tensor::from_slice(&ids).unsqueeze(0)),
        named("audio_embeddings", audio_embeddings),
        named("logits", logits),
        named("greedy_ids", Tensor::from_slice(&greedy)),
    ])
}
