//! The clips that the questions of a data set take.

use super::Wanted;
use crate::data::prepare::Prepared;
use crate::data::{Example, avqa, mmau};
use crate::error::{Context, Result};
use crate::plan::Plan;
use std::collections::BTreeSet;
use std::path::Path;

/// Clips as they are called within their folder: a file name, or `FOLDER/NAME`.
#[derive(Debug)]
pub(crate) struct ClipsTaken {
    pub there: BTreeSet<String>,
    pub missing: BTreeSet<String>,
    /// What AVQA's own file keeps beside them; `None` for other questions, of which nothing is left out.
    pub kept: Option<Prepared>,
}

/// What some questions take of a folder; `is_mmau`, or else AVQA's.
///
/// # Errors
/// As the readers of the questions.
pub(crate) fn taken(questions: &Path, dir: &Path, is_mmau: bool) -> Result<ClipsTaken> {
    let (examples, kept) =
        if is_mmau { (mmau::load(questions, dir)?, None) } else { avqa::load_and_kept(questions, dir)? };
    let name = |e: &Example| {
        let name = e.audio.strip_prefix(dir).internal(|| format!("{} is not in {}", e.audio.display(), dir.display()));
        name.map(|name| name.to_string_lossy().into_owned())
    };
    let names = examples.iter().map(name).collect::<Result<BTreeSet<_>>>()?;
    let (there, missing) = names.into_iter().partition(|name| dir.join(name).is_file());
    Ok(ClipsTaken { there, missing, kept })
}

impl Plan {
    /// What the questions take of an input, where that is a folder of clips.
    ///
    /// # Errors
    /// As [`taken`].
    pub(crate) fn clips_taken(&self, what: &str) -> Result<Option<ClipsTaken>> {
        let named = self.named();
        let input = named.iter().find(|(name, _)| name == what).map(|(_, wanted)| wanted);
        let Some(&Wanted::Clips(files, _, is_mmau)) = input else { return Ok(None) };
        taken(&files.questions()?, &files.clips()?, is_mmau).map(Some)
    }
}
