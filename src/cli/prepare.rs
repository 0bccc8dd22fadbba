//! `prepare`: training files made from what data sets publish.

use super::{Format, pretty, print};
use crate::artifact::write;
use crate::data::avqa_arrow::Split;
use crate::data::{self, Clips, prepare};
use crate::error::{Context, Error, Result};
use crate::fetch;
use clap::{Args, Subcommand};
use serde::Serialize;
use std::path::{Path, PathBuf};

/// What is prepared.
#[derive(Debug, Subcommand)]
pub(super) enum What {
    /// AVQA's train_qa.json made into R1-AQA's JSON lines, or such lines, without the questions whose clip is not there
    Avqa(AvqaArgs),
    /// A split of gijs/avqa-processed (Arrow files with the clips in them) made into R1-AQA's JSON lines and a folder of clips
    AvqaArrow(ArrowArgs),
}

#[derive(Debug, Args)]
pub(super) struct AvqaArgs {
    /// AVQA's questions, a JSON array, or R1-AQA's lines
    #[arg(long, value_name = "FILE")]
    questions: PathBuf,
    /// The folder of clips, or of folders of clips, named VIDEO_30.wav (as R1-AQA does) or VIDEO_000030.wav (as AVQA does)
    #[arg(long, value_name = "DIR")]
    audio: PathBuf,
    #[command(flatten)]
    lines: Lines,
}

#[derive(Debug, Args)]
pub(super) struct ArrowArgs {
    /// The folder of a split, with its data-00000-of-….arrow
    #[arg(long, value_name = "DIR")]
    from: PathBuf,
    /// Where the clips go: a folder that is made, or that has some of them already
    #[arg(long, value_name = "DIR")]
    audio: PathBuf,
    #[command(flatten)]
    lines: Lines,
}

/// What every preparation leaves.
#[derive(Debug, Args)]
struct Lines {
    /// Where to write the lines
    #[arg(long, value_name = "FILE.jsonl")]
    out: PathBuf,
    /// How to print what was kept and what was not
    #[arg(long, value_enum, default_value_t = Format::Text)]
    format: Format,
}

impl Lines {
    /// Writes the lines, and prints what became of every row; `to_text` takes the file's name.
    fn write(&self, lines: &str, made: &impl Serialize, to_text: impl FnOnce(&str) -> String) -> Result<()> {
        keep("--out", "other lines", &self.out, lines.as_bytes())?;
        match self.format {
            Format::Text => print(&to_text(&self.out.display().to_string())),
            Format::Json => print(&pretty(made)?),
        }
    }
}

pub(super) fn run(what: &What) -> Result<()> {
    match what {
        What::Avqa(args) => avqa(args),
        What::AvqaArrow(args) => avqa_arrow(args),
    }
}

fn avqa_arrow(args: &ArrowArgs) -> Result<()> {
    let split = Split::of(&args.from)?;
    room(&args.audio, split.bytes, &args.from.display().to_string())?;
    let taken = data::avqa_arrow::take(&split, &mut |name, bytes| {
        keep("--audio", "another clip", &args.audio.join(name), bytes)
    })?;
    args.lines.write(&taken.lines, &taken, |out| taken.to_text(out, &args.audio.display().to_string()))
}

/// Errs when so many bytes do not fit into a folder. The files in it count as clips of a run that was stopped.
fn room(folder: &Path, bytes: u64, what: &str) -> Result<()> {
    let there = std::fs::read_dir(folder).into_iter().flatten().flatten();
    let there: u64 = there.filter_map(|entry| entry.metadata().ok()).filter(|m| m.is_file()).map(|m| m.len()).sum();
    fetch::room(folder, bytes.saturating_sub(there), what, "--audio")
}

fn avqa(args: &AvqaArgs) -> Result<()> {
    let name = args.questions.display().to_string();
    let bytes = std::fs::read(&args.questions).inputs(|| format!("cannot read {name}"))?;
    let prepared = prepare::avqa(&bytes, &name, &Clips::of(&args.audio)?)?;
    args.lines.write(&prepared.lines, &prepared, |out| prepared.to_text(out))
}

/// Writes a file that is not there yet, or is there with these bytes; `other` says what it may hold else.
fn keep(option: &str, other: &str, out: &Path, bytes: &[u8]) -> Result<()> {
    match std::fs::read(out) {
        Ok(there) if there == bytes => Ok(()),
        Ok(_) => Err(Error::request(format!(
            "{option}: {} is already there with {other} (name another place, or move it away)",
            out.display()
        ))),
        Err(_) => write::create(out, bytes),
    }
}
