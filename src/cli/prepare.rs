//! `prepare`: training files made from what data sets publish.

use super::{Format, pretty, print};
use crate::artifact::write;
use crate::data::{Clips, prepare};
use crate::error::{Context, Error, Result};
use clap::{Args, Subcommand};
use std::path::{Path, PathBuf};

/// What is prepared.
#[derive(Debug, Subcommand)]
pub(super) enum What {
    /// AVQA's train_qa.json made into R1-AQA's JSON lines, or such lines, without the questions whose clip is not there
    Avqa(AvqaArgs),
}

#[derive(Debug, Args)]
pub(super) struct AvqaArgs {
    /// AVQA's questions, a JSON array, or R1-AQA's lines
    #[arg(long, value_name = "FILE")]
    questions: PathBuf,
    /// The folder of clips, or of folders of clips, named VIDEO_30.wav (as R1-AQA does) or VIDEO_000030.wav (as AVQA does)
    #[arg(long, value_name = "DIR")]
    audio: PathBuf,
    /// Where to write the lines
    #[arg(long, value_name = "FILE.jsonl")]
    out: PathBuf,
    /// How to print what was kept and what was not
    #[arg(long, value_enum, default_value_t = Format::Text)]
    format: Format,
}

pub(super) fn run(What::Avqa(args): &What) -> Result<()> {
    let name = args.questions.display().to_string();
    let bytes = std::fs::read(&args.questions).inputs(|| format!("cannot read {name}"))?;
    let prepared = prepare::avqa(&bytes, &name, &Clips::of(&args.audio)?)?;
    keep(&args.out, prepared.lines.as_bytes())?;
    match args.format {
        Format::Text => print(&prepared.to_text(&args.out.display().to_string())),
        Format::Json => print(&pretty(&prepared)?),
    }
}

/// Writes a file that is not there yet, or is there with these bytes.
fn keep(out: &Path, bytes: &[u8]) -> Result<()> {
    match std::fs::read(out) {
        Ok(there) if there == bytes => Ok(()),
        Ok(_) => Err(Error::request(format!(
            "--out: {} is already there with other lines (name another file, or move it away)",
            out.display()
        ))),
        Err(_) => write::create(out, bytes),
    }
}
