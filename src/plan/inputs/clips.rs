//! The clips that the questions of a data set take.

use super::Wanted;
use crate::data::{Example, avqa, mmau};
use crate::error::{Context, Result};
use crate::pins::Sha256;
use crate::plan::Plan;
use crate::recipe::Files;
use std::collections::BTreeSet;
use std::path::Path;

/// Clips as they are called within their folder: a file name, or `FOLDER/NAME`.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct ClipsTaken {
    pub there: BTreeSet<String>,
    pub missing: BTreeSet<String>,
}

/// What some questions take of a folder; `is_mmau`, or else AVQA's.
///
/// # Errors
/// As the readers of the questions.
pub(crate) fn taken(questions: &Path, dir: &Path, is_mmau: bool) -> Result<ClipsTaken> {
    let examples = if is_mmau { mmau::load(questions, dir)? } else { avqa::load(questions, dir)? };
    let name = |e: &Example| {
        let name = e.audio.strip_prefix(dir).internal(|| format!("{} is not in {}", e.audio.display(), dir.display()));
        name.map(|name| name.to_string_lossy().into_owned())
    };
    let names = examples.iter().map(name).collect::<Result<BTreeSet<_>>>()?;
    let (there, missing) = names.into_iter().partition(|name| dir.join(name).is_file());
    Ok(ClipsTaken { there, missing })
}

impl Plan {
    /// The hash over the kept ids of a data set, for the clips of AVQA's own file alone.
    ///
    /// # Errors
    /// As [`avqa::kept`].
    pub(crate) fn kept_ids(&self, what: &str) -> Result<Option<Sha256>> {
        let Some((files, false)) = self.clips(what) else { return Ok(None) };
        Ok(avqa::kept(&files.questions()?, &files.clips()?)?.map(|kept| kept.kept_ids))
    }

    /// What the questions take of an input, where that is a folder of clips.
    ///
    /// # Errors
    /// As [`taken`].
    pub(crate) fn clips_taken(&self, what: &str) -> Result<Option<ClipsTaken>> {
        let Some((files, is_mmau)) = self.clips(what) else { return Ok(None) };
        taken(&files.questions()?, &files.clips()?, is_mmau).map(Some)
    }

    /// The data set whose clips an input is, and whether it is MMAU's.
    fn clips(&self, what: &str) -> Option<(&Files, bool)> {
        self.named().into_iter().find(|(name, _)| name == what).and_then(|(_, wanted)| match wanted {
            Wanted::Clips(files, _, is_mmau) => Some((files, is_mmau)),
            _ => None,
        })
    }
}
