//! How long stages took on this machine: noted when one is done, and asked when the next is planned. Nothing is estimated from another machine or model.

use super::memory::counts;
use super::{Plan, Stage, Work};
use crate::architecture::Config;
use crate::artifact::write;
use crate::error::{Context, Result};
use crate::fetch::Settings;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// What was measured, by [`key`] and device.
#[derive(Debug, Default, Serialize, Deserialize)]
struct Paces(BTreeMap<String, BTreeMap<String, Pace>>);

/// The last stage of a kind that ran from its start to its end.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Pace {
    /// Questions that it took.
    pub questions: u64,
    /// Seconds, loading among them.
    pub seconds: f64,
}

fn file(own_cache: &Path) -> PathBuf {
    own_cache.join("pace.json")
}

fn load(own_cache: &Path) -> Result<Paces> {
    let path = file(own_cache);
    if !path.exists() {
        return Ok(Paces::default());
    }
    let bytes = std::fs::read(&path).inputs(|| format!("cannot read {}", path.display()))?;
    serde_json::from_slice(&bytes).inputs(|| format!("{}: is not what it should be (remove it)", path.display()))
}

/// What makes two stages alike: what they do, to a model of which size, in which number type.
fn key(kind: &str, config: &Config) -> String {
    format!("{kind} of {} parameters in {}", counts(config).all, config.dtype.name())
}

/// Notes a stage that ran whole. `device`: `cuda:0`, or `cpu with 2 threads`.
///
/// # Errors
/// As [`Settings::from_env`]; exit code 1: it cannot be written.
pub fn note(stage: &Stage, config: &Config, device: &str, pace: Pace) -> Result<()> {
    let own_cache = Settings::from_env()?.own_cache;
    let mut paces = load(&own_cache)?;
    paces.0.entry(key(stage.work.kind(), config)).or_default().insert(device.to_owned(), pace);
    std::fs::create_dir_all(&own_cache).internal(|| format!("cannot make {}", own_cache.display()))?;
    write::replace_json(&file(&own_cache), &paces)
}

/// A stage's time on a device that ran one like it.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Estimate {
    /// The device.
    pub device: String,
    /// Seconds a question, measured.
    pub seconds_a_question: f64,
    /// Seconds of the stage, where the number of its questions is known.
    pub seconds: Option<f64>,
}

impl Plan {
    /// What a stage would take, by device; empty where nothing like it ran on this machine. `None` where it runs no model or the model's shape is not known.
    ///
    /// # Errors
    /// As [`Settings::from_env`]; exit code 4: the notes are damaged.
    pub fn time(&self, stage: &Stage) -> Result<Option<Vec<Estimate>>> {
        let (Work::Train { policy, .. } | Work::Evaluate { policy, .. }) = &stage.work else { return Ok(None) };
        let Ok(config) = self.config(policy) else { return Ok(None) };
        let paces = load(&Settings::from_env()?.own_cache)?;
        let of = paces.0.get(&key(stage.work.kind(), &config));
        let one = |(device, pace): (&String, &Pace)| {
            let each = pace.seconds / pace.questions.max(1) as f64;
            let seconds = stage.work.amount().0.map(|questions| questions as f64 * each);
            Estimate { device: device.clone(), seconds_a_question: each, seconds }
        };
        Ok(Some(of.into_iter().flatten().map(one).collect()))
    }
}
