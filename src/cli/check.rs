//! `check`: golden results against what this program makes of them, or against a fresh run.

use super::print;
use crate::error::{Error, Result};
use crate::report::golden;
use std::path::{Path, PathBuf};

pub(super) fn run(golden: Vec<PathBuf>, run: Option<&Path>, update: bool, reason: Option<&str>) -> Result<()> {
    if let (true, Some(run), Some(reason)) = (update, run, reason) {
        let [folder] = golden.as_slice() else {
            return Err(Error::request(
                "--update writes one golden folder: name it, as in `check --update --run runs/quickstart --reason … golden/quickstart`",
            ));
        };
        return golden::update(run, folder, reason);
    }
    let folders = if golden.is_empty() { golden::folders(Path::new("golden"))? } else { golden };
    let outcome = golden::check(&folders, run)?;
    print(&outcome.to_text())?;
    outcome.verdict()
}
