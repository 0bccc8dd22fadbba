//! `bundle` and `verify BUNDLE`: a finished run as one archive, and whether such an archive is what it says.

use super::{Format, RecipeArgs, pretty, print};
use crate::error::{Error, Result};
use crate::progress::say;
use crate::report::bundle;
use clap::Args;
use std::path::{Path, PathBuf};

/// What `bundle` takes.
#[derive(Debug, Clone, Args)]
pub(super) struct BundleArgs {
    /// The run folder
    run: PathBuf,
    /// Where to write it (default: RECIPE-bundle.tar.gz here)
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
    /// The recipe's file, for a run that does not keep its recipe
    #[arg(long, value_name = "FILE")]
    recipe: Option<PathBuf>,
}

pub(super) fn run(args: &BundleArgs) -> Result<()> {
    let bundled = bundle::bundle(&args.run, args.recipe.as_deref(), args.out.as_deref())?;
    for note in &bundled.notes {
        say(format_args!("note: {note}"));
    }
    let bundle::Bundled { path, files, bytes, sha256, .. } = &bundled;
    print(&format!("{}: {files} files in {bytes} bytes, verified, sha256 {sha256}", path.display()))
}

/// Whether `verify` was given a bundle: by its first bytes, or, where these are no archive's, by its name.
///
/// # Errors
/// Exit code 4: an archive by its name, and not by its bytes. Exit code 2: neither a recipe nor a bundle by its name.
pub(super) fn is_bundle(path: &Path) -> Result<bool> {
    let extension = path.extension().map(|e| e.to_string_lossy().to_ascii_lowercase()).unwrap_or_default();
    let is_packed = matches!(extension.as_str(), "gz" | "tgz" | "tar");
    if !path.is_file() && !is_packed {
        // What is no file is for the reader of recipes to name.
        return Ok(false);
    }
    if bundle::is_bundle(path)? {
        return Ok(true);
    }
    match extension.as_str() {
        "yaml" | "yml" => Ok(false),
        _ if is_packed => {
            let found = "expected a bundle (.tar.gz), found a file that is not packed by gzip";
            Err(Error::inputs(format!("{}: {found} (get it again from its maker)", path.display())))
        }
        _ => {
            let expected = "expected a recipe (.yaml) or a bundle (.tar.gz, as `aqa-bench bundle RUN` makes it)";
            Err(Error::request(format!("{}: {expected}, found neither", path.display())))
        }
    }
}

pub(super) fn verify(args: &RecipeArgs, format: Format) -> Result<()> {
    if !args.sets.is_empty() || args.run_dir.is_some() || args.limit.is_some() {
        let only = "--set, --run-dir and --limit are for recipes: a bundle is checked as it is";
        return Err(Error::request(format!("{}: {only}", args.recipe.display())));
    }
    let verification = bundle::verify(&args.recipe)?;
    match format {
        Format::Text => print(&verification.to_text())?,
        Format::Json => print(&pretty(&verification)?)?,
    }
    match verification.differences {
        0 => Ok(()),
        n => Err(Error::difference(format!(
            "{}: {n} of {} checks found a difference (this is aqa-bench {} at commit {})",
            args.recipe.display(),
            verification.checks.len(),
            env!("CARGO_PKG_VERSION"),
            env!("AQA_COMMIT"),
        ))),
    }
}
