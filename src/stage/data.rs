//! The stages that make their own inputs: synthetic questions, and a policy from a seed.

use crate::error::{Error, Result};
use crate::model::checkpoint::write_init;
use crate::progress::Progress;
use crate::recipe::{Init, Synthetic};
use crate::synth;
use std::path::Path;

/// Makes a synthetic data set and holds it against its pin.
pub(super) fn synthetic(name: &str, spec: &Synthetic, partial: &Path) -> Result<()> {
    let mut progress = Progress::start(name, 0, spec.count as u64);
    let found = synth::generate(spec, partial, &mut |done, _| progress.at(done as u64, ""))?;
    progress.finish("");
    if found == spec.sha256 {
        return Ok(());
    }
    let set = name.strip_prefix("data-").unwrap_or(name);
    Err(Error::inputs(format!(
        "data set {set}: expected sha256 {}, made {found}: the recipe pins another data set (to take this one: --set data.sets.{set}.sha256={found})",
        spec.sha256
    )))
}

/// Makes a policy from the recipe's seed.
pub(super) fn init(init: &Init, seed: u64, partial: &Path) -> Result<()> {
    write_init(partial, init, seed, &synth::tokenizer::build(init.vocab_size)?)
}
