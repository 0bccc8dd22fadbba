//! `check`: golden results against what this program makes of them, or against a fresh run.

use super::print;
use crate::error::{Error, Result};
use crate::report::golden;
use std::path::{Path, PathBuf};

pub(super) fn run(golden: &[PathBuf], run: Option<&Path>, update: bool, reason: Option<&str>) -> Result<()> {
    if let (true, Some(run), Some(reason)) = (update, run, reason) {
        let [folder] = golden else {
            let example = "check --update --run runs/quickstart --reason \"why\" golden/quickstart";
            return Err(Error::request(format!("--update writes one golden folder: name it, as in `{example}`")));
        };
        return golden::update(run, folder, reason);
    }
    let report = golden::check(golden, run)?;
    print(&report.text)
}
