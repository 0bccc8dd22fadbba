//! One line of `metrics.jsonl` a step, and the same for TensorBoard.

use crate::artifact::events::Events;
use crate::artifact::jsonl::{self, Appender};
use crate::artifact::layout::StageFolder;
use crate::artifact::write;
use crate::error::{Context, Result};

pub use crate::artifact::Step;

/// What a stage logs: `metrics.jsonl`, and beside it the same numbers for TensorBoard.
pub(super) struct Log {
    lines: Appender,
    events: Events,
}

impl Log {
    /// The log of a stage, cut to the steps before `done` (a resume repeats the others). TensorBoard's file is written anew from what stays; when those
    /// steps were done is told by their seconds, counted back from now.
    pub(super) fn open(folder: &StageFolder, done: u64) -> Result<Self> {
        let path = folder.metrics();
        let mut kept: Vec<Step> = Vec::new();
        if path.exists() {
            kept = jsonl::read::<Step>(&path)?.rows.into_iter().filter(|s| s.step <= done).collect();
            let mut text = Vec::new();
            for step in &kept {
                serde_json::to_writer(&mut text, step).map_err(|e| write::failed("write", &path, &e.into()))?;
                text.push(b'\n');
            }
            write::replace(&path, &text)?;
        }
        let lines = Appender::open(&path)?;
        let mut time = now() - kept.iter().map(|s| s.seconds).sum::<f64>();
        let mut log = Self { lines, events: Events::create(&folder.events(), time)? };
        for step in &kept {
            time += step.seconds;
            log.event(time, step)?;
        }
        Ok(log)
    }

    /// Logs a step.
    pub(super) fn append(&mut self, step: &Step) -> Result<()> {
        self.lines.append(step)?;
        self.event(now(), step)
    }

    /// Ends the log.
    pub(super) fn finish(self) -> Result<()> {
        self.lines.finish()
    }

    fn event(&mut self, time: f64, step: &Step) -> Result<()> {
        let value = serde_json::to_value(step).internal(|| "cannot log a step".into())?;
        // JSON has no NaN: it is null there.
        let number = |v: &serde_json::Value| v.as_f64().or(v.is_null().then_some(f64::NAN));
        let fields = value.as_object().into_iter().flatten().filter(|(key, _)| *key != "step");
        let values: Vec<(&str, f64)> = fields.filter_map(|(key, v)| Some((key.as_str(), number(v)?))).collect();
        self.events.append(time, step.step, &values)
    }
}

/// Seconds since 1970.
fn now() -> f64 {
    std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).map_or(0.0, |t| t.as_secs_f64())
}
