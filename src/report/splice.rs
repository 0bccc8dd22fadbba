//! Tables inside a page that people write: what stands between two markers is rendered anew from the runs that the first one names.
//!
//! ```text
//! <!-- aqa-bench report golden/quickstart -->
//! …
//! <!-- /aqa-bench -->
//! ```

use super::{breakdown_views, loaded, markdown, table, template};
use crate::error::{Context, Error, Result};
use std::path::{Path, PathBuf};

const BEGIN: &str = "<!-- aqa-bench report ";
const END: &str = "<!-- /aqa-bench -->";

/// A page with its blocks rendered anew.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Spliced {
    /// The page as it should be.
    pub text: String,
    /// Lines (from 1) of the markers whose blocks are not what they should be.
    pub stale: Vec<usize>,
    /// Blocks of the page.
    pub blocks: usize,
}

/// Renders the blocks of a page anew; the runs (or goldens) that they name lie relative to the page.
///
/// # Errors
/// Exit code 4: the page cannot be read. Exit code 2: no block in it, one without an end, or with an argument that is no run (file and line are
/// named). As [`super::render`] for its runs.
pub fn splice(page: &Path) -> Result<Spliced> {
    let name = page.display().to_string();
    let old = std::fs::read_to_string(page).inputs(|| format!("cannot read {name}"))?;
    let newline = if old.contains("\r\n") { "\r\n" } else { "\n" };
    let mut out = Spliced { text: String::with_capacity(old.len()), stale: Vec::new(), blocks: 0 };
    let mut lines = old.split_inclusive('\n').enumerate();
    let mut fenced = false;
    while let Some((index, line)) = lines.next() {
        out.text += line;
        // What stands in a block of code is shown, not meant.
        fenced ^= line.trim_start().starts_with("```") || line.trim_start().starts_with("~~~");
        let at = format!("{name}:{}", index + 1);
        let bad = |what: &str| Error::request(format!("{at}: {what}"));
        let Some(arguments) = line.trim_end().strip_prefix(BEGIN).filter(|_| !fenced) else {
            let looks_like_one = ["<!-- aqa-bench", "<!-- /aqa-bench", "<!--aqa-bench", "<!--/aqa-bench"];
            if !fenced && looks_like_one.iter().any(|start| line.trim_start().starts_with(start)) {
                let (found, begin) = (line.trim_end(), format!("{BEGIN}RUN… -->"));
                return Err(bad(&format!(
                    "expected {begin} or, behind it, {END}, at the beginning of a line, found {found:?}"
                )));
            }
            continue;
        };
        let arguments = arguments.strip_suffix("-->").ok_or_else(|| bad("expected --> at the end of the line"))?;
        let mut before = String::new();
        let end = loop {
            match lines.next() {
                Some((_, line)) if line.trim_end() == END => break line,
                Some((_, line)) if !line.starts_with(BEGIN) => before += line,
                _ => return Err(bad(&format!("expected {END} on a line of its own behind this block, found none"))),
            }
        };
        let block = block(page, arguments).map_err(|e| e.within(at))?.replace('\n', newline);
        if block != before {
            out.stale.push(index + 1);
        }
        out.text += &block;
        out.text += end;
        out.blocks += 1;
    }
    if out.blocks == 0 {
        let example = format!("{BEGIN}runs/quickstart --> and {END}");
        return Err(Error::request(format!("{name}: expected lines such as {example}, found none: nothing to splice")));
    }
    Ok(out)
}

/// What belongs into a block.
fn block(page: &Path, arguments: &str) -> Result<String> {
    let folder = page.parent().unwrap_or(Path::new(""));
    let (mut runs, mut breakdowns): (Vec<PathBuf>, bool) = (Vec::new(), false);
    for argument in arguments.split_whitespace() {
        match argument {
            "--breakdowns" => breakdowns = true,
            option if option.starts_with('-') => {
                return Err(Error::request(format!("expected folders of runs or --breakdowns, found {option}")));
            }
            run => runs.push(folder.join(run)),
        }
    }
    let tables = table::tables(&loaded(&runs)?)?;
    let views = if breakdowns { breakdown_views(&tables) } else { tables.iter().map(markdown::view).collect() };
    template::render(include_str!("templates/splice.md.j2"), "", views)
}
