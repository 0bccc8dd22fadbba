//! `submission`: whether a predictions file can be handed in where MMAU's large test is scored.

use super::{Format, pretty, print};
use crate::error::Result;
use crate::score::submission;
use clap::Args;
use std::path::PathBuf;

/// What `submission` takes.
#[derive(Debug, Clone, Args)]
pub(super) struct SubmissionArgs {
    /// The predictions: predictions.json of an evaluation, or a file made elsewhere
    file: PathBuf,
    /// The questions that it answers: mmau-test.json
    #[arg(long, value_name = "FILE")]
    dataset: PathBuf,
    /// How to print it
    #[arg(long, value_enum, default_value_t = Format::Text)]
    format: Format,
}

pub(super) fn run(args: &SubmissionArgs) -> Result<()> {
    let submission = submission::check(&args.file, &args.dataset)?;
    match args.format {
        Format::Text => print(&submission.in_words()),
        Format::Json => print(&pretty(&submission)?),
    }
}
