//! `doctor --model`: whether a checkpoint is whole, and whether it hears.

use super::{DoctorArgs, DtypeArg, device, print};
use crate::artifact::Hearing;
use crate::audio;
use crate::error::{Error, Result};
use crate::generate::hearing;
use crate::model::checkpoint::Checkpoint;
use crate::model::guard;
use std::fmt::Write;
use std::path::Path;

/// Under the clip; any question would do.
const TEXT: &str = "What is heard in the audio?";

pub(super) fn run(model: &Path, args: &DoctorArgs) -> Result<()> {
    let device = device::parse(&args.device)?;
    let dtype = DtypeArg::or_of(args.dtype, model)?;
    let (samples, name) = match &args.audio {
        Some(path) => (audio::load(path)?.samples, path.display().to_string()),
        None => (hearing::scale(), "a scale of eight tones".to_owned()),
    };
    let seconds = samples.len() as f64 / f64::from(audio::SAMPLE_RATE);
    let (found, parameters) = guard(|| {
        let checkpoint = Checkpoint::load(model, dtype, device)?;
        let found = hearing::hearing(&checkpoint, [(samples, TEXT.to_owned())].into_iter(), 1)?;
        Ok((found, checkpoint.model.params().count()))
    })?;
    let Some(found) = found else {
        return Err(Error::inputs(format!(
            "{name}: a clip that is silent, or the same in any order, cannot tell: choose another"
        )));
    };
    let mut out = format!("model      {}: {parameters} parameters, {}\n", model.display(), dtype.name());
    let (tokens, embeddings) = (found.audio_tokens, found.audio_embeddings);
    let _ = writeln!(out, "clip       {name}, {seconds:.2} s: {tokens} audio tokens, {embeddings} embeddings");
    let _ = writeln!(out, "silence    moves the logits by {} of the largest", Hearing::percent(found.silence));
    let _ = writeln!(out, "shuffled   moves the logits by {} of the largest", Hearing::percent(found.shuffled));
    let _ = writeln!(out, "heard      {}", if found.heard() { "yes" } else { "no" });
    print(&out)?;
    if found.heard() {
        return Ok(());
    }
    Err(Error::difference(format!(
        "{}: the model does not hear: nothing but the samples was changed, and the logits stayed within {} (are the audio tower and the projector trained weights?)",
        model.display(),
        Hearing::percent(Hearing::LEAST)
    )))
}
