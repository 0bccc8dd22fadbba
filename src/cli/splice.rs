//! `splice`: the tables inside pages, rendered anew from runs or goldens.

use super::print;
use crate::artifact::write;
use crate::error::{Error, Result};
use crate::report::splice;
use std::fmt::Write;
use std::path::PathBuf;

/// What `splice` takes.
#[derive(Debug, Clone, clap::Args)]
pub(super) struct Args {
    /// Pages in Markdown; runs and goldens are named relative to them
    #[arg(required = true)]
    pages: Vec<PathBuf>,
    /// Write nothing; end with exit code 3 when a table is not what its runs give
    #[arg(long)]
    check: bool,
}

pub(super) fn run(args: &Args) -> Result<()> {
    let Args { pages, check } = args;
    let check = *check;
    // All are rendered before one is written.
    let spliced = pages.iter().map(|page| splice::splice(page)).collect::<Result<Vec<_>>>()?;
    let (mut text, mut stale) = (String::new(), Vec::new());
    for (page, spliced) in pages.iter().zip(&spliced) {
        let name = page.display();
        let blocks = if spliced.blocks == 1 { "1 block".to_owned() } else { format!("{} blocks", spliced.blocks) };
        let _ = match spliced.stale.len() {
            0 => writeln!(text, "{name}: {blocks}: up to date"),
            n if check => writeln!(text, "{name}: {blocks}: {n} stale"),
            n => writeln!(text, "{name}: {blocks}: {n} renewed"),
        };
        stale.extend(spliced.stale.iter().map(|line| format!("{name}:{line}")));
        if !check && !spliced.stale.is_empty() {
            write::replace(page, spliced.text.as_bytes())?;
        }
    }
    print(&text)?;
    if check && !stale.is_empty() {
        let way_out = "`aqa-bench splice` renews it";
        return Err(Error::difference(format!("{}: not what its runs give ({way_out})", stale.join(", "))));
    }
    Ok(())
}
