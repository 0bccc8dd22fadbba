//! `metrics.jsonl` while a stage runs: one [`Step`] a line.

use crate::artifact::jsonl::{self, Appender};
use crate::artifact::write;
use crate::error::Result;
use std::path::Path;

pub use crate::artifact::Step;

/// The metrics file of a stage, cut to the steps before `done` (a resume repeats the others).
pub(super) fn open(path: &Path, done: u64) -> Result<Appender> {
    if path.exists() {
        let mut kept = Vec::new();
        for step in jsonl::read::<Step>(path)?.rows.into_iter().filter(|s| s.step <= done) {
            serde_json::to_writer(&mut kept, &step).map_err(|e| write::failed("write", path, &e.into()))?;
            kept.push(b'\n');
        }
        write::replace(path, &kept)?;
    }
    Appender::open(path)
}
