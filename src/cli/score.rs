//! `score`: a predictions file, judged.

use super::{Format, pretty, print};
use crate::error::Result;
use crate::recipe::Rule;
use crate::score;
use std::path::Path;

pub(super) fn run(file: &Path, dataset: Option<&Path>, format: Format) -> Result<()> {
    let score = score::score_file(file, Rule::Official, dataset)?;
    match format {
        Format::Text => print(&score.to_text()),
        Format::Json => print(&pretty(&score)?),
    }
}
