//! `report`: tables and pictures of finished runs, or a page with every sample.

use super::print;
use crate::artifact::write;
use crate::error::{Error, Result};
use crate::progress::say;
use crate::report::page::{self, Clips, Request};
use crate::report::{self, Format, load, plot};
use crate::text::count;
use clap::ValueEnum;
use std::path::{Path, PathBuf};

/// What `report` takes.
#[derive(Debug, Clone, clap::Args)]
pub(super) struct Args {
    /// Run folders
    #[arg(required = true)]
    runs: Vec<PathBuf>,
    /// How to print it; `html` makes a folder with tables, pictures, every sample and its clip, `svg` one with the pictures
    #[arg(long, value_enum, default_value_t = Kind::Markdown)]
    format: Kind,
    /// Write to a file instead of standard output; for html and svg the folder to make
    #[arg(long, value_name = "FILE|FOLDER")]
    out: Option<PathBuf>,
    /// The measured rows by difficulty and by sub-category, instead of the leaderboards
    #[arg(long)]
    breakdowns: bool,
    /// Also write the pictures (SVG) into this folder
    #[arg(long, value_name = "FOLDER")]
    plots: Option<PathBuf>,
    /// html: where the clips lie that no run made; may be given several times
    #[arg(long, value_name = "FOLDER")]
    audio: Vec<PathBuf>,
    /// html: copy the clips into the folder, or link to where they lie
    #[arg(long, value_enum, default_value_t = ClipsArg::Copy)]
    clips: ClipsArg,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Kind {
    Markdown,
    Latex,
    Csv,
    Json,
    Html,
    Svg,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum ClipsArg {
    Copy,
    Link,
}

pub(super) fn run(args: &Args) -> Result<()> {
    if args.format != Kind::Html && (!args.audio.is_empty() || args.clips != ClipsArg::Copy) {
        return Err(Error::request("report: --audio and --clips are about the page (expected with --format html)"));
    }
    if args.breakdowns && matches!(args.format, Kind::Html | Kind::Svg) {
        return Err(Error::request(
            "report: --breakdowns is about tables (the page and the pictures have them in any case)",
        ));
    }
    if let Some(folder) = &args.plots {
        say(pictures(&args.runs, folder)?);
    }
    let out = args.out.as_deref();
    match args.format {
        Kind::Markdown => table(args, Format::Markdown),
        Kind::Latex => table(args, Format::Latex),
        Kind::Csv => table(args, Format::Csv),
        Kind::Json => table(args, Format::Json),
        Kind::Svg => print(&pictures(&args.runs, folder(out, "svg")?)?),
        Kind::Html => {
            let clips = match args.clips {
                ClipsArg::Copy => Clips::Copy,
                ClipsArg::Link => Clips::Link,
            };
            let made =
                page::write(&Request { runs: &args.runs, out: folder(out, "html")?, audio: &args.audio, clips })?;
            print(&made.in_words())
        }
    }
}

fn table(args: &Args, format: Format) -> Result<()> {
    let text = match args.breakdowns {
        true => report::render_breakdowns(&args.runs, format)?,
        false => report::render(&args.runs, format)?,
    };
    match &args.out {
        Some(path) => write::replace(path, text.as_bytes()),
        None => print(&text),
    }
}

/// Writes the pictures; what was written, for a person.
fn pictures(runs: &[PathBuf], folder: &Path) -> Result<String> {
    let runs: Vec<load::Run> = runs.iter().map(|run| load::run(run)).collect::<Result<_>>()?;
    let figures = plot::figures(&runs)?;
    figures.write(folder)?;
    let first = format!("{}: {}", folder.display(), count(figures.all.len() as u64, "picture"));
    Ok([first].into_iter().chain(figures.notes).collect::<Vec<_>>().join("\n"))
}

/// A page and pictures are no text that could be printed.
fn folder<'a>(out: Option<&'a Path>, format: &str) -> Result<&'a Path> {
    let none = || Error::request(format!("report: --format {format} makes a folder: say which with --out FOLDER"));
    out.ok_or_else(none)
}
