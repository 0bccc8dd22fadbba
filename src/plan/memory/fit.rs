//! Whether a stage fits a device, and what would make it fit: found by forecasting the changed settings, never by rule of thumb.

use super::phases::{evaluation, has_master, training};
use super::show::{in_words, list};
use super::{Forecast, Phase};
use crate::architecture::Config;
use crate::error::{Error, Result};
use crate::plan::{Plan, Stage, Work};
use crate::recipe::{Activations, Lora, Master, Place, Train};

/// Memory that there is, in bytes; `None` is not known.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Capacity {
    /// The host computes: device and host are one.
    Shared(Option<u64>),
    /// A device beside the host.
    Apart {
        /// Of the device.
        device: Option<u64>,
        /// Of the host.
        host: Option<u64>,
    },
}

/// Whether it fits.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Fit {
    /// It does, as far as is known.
    Fits,
    /// It does not: what is needed and what there is, and the ways out, in words.
    Lacks(String),
}

impl Capacity {
    /// What a forecast takes more than there is: of the device (or of the shared memory), and of the host.
    fn lack(&self, forecast: &Forecast) -> (u64, u64) {
        let over = |needed: u64, there: Option<u64>| there.map_or(0, |there| needed.saturating_sub(there));
        match *self {
            Capacity::Shared(there) => (over(taken_together(forecast.together()), there), 0),
            Capacity::Apart { device, host } => {
                (over(forecast.device().on_device(), device), over(forecast.host().on_host(), host))
            }
        }
    }

    fn lacks(&self, forecast: &Forecast) -> u64 {
        let (device, host) = self.lack(forecast);
        device + host
    }

    /// The worst phase of what lacks most: bytes, in words where, its parts, and what there is.
    fn worst(&self, forecast: &Forecast) -> String {
        let say = |needed: u64, place: &str, phase: &Phase, parts: String, there: Option<u64>| {
            let (needed, there) = (in_words(needed), in_words(there.unwrap_or(0)));
            format!("needs {needed} of {place} (phase {}: {parts}) and there are {there}", phase.name)
        };
        match *self {
            Capacity::Shared(there) => {
                let phase = forecast.together();
                let parts = [phase.device.clone(), phase.host.clone()].concat();
                say(taken_together(phase), "memory", phase, list(&parts), there)
            }
            Capacity::Apart { device, host } => {
                let (on_device, on_host) = self.lack(forecast);
                if on_device >= on_host {
                    let phase = forecast.device();
                    say(phase.on_device(), "the device's memory", phase, list(&phase.device), device)
                } else {
                    let phase = forecast.host();
                    say(phase.on_host(), "the host's memory", phase, list(&phase.host), host)
                }
            }
        }
    }

    /// What decides, in one figure: for the way out's own.
    fn figure(&self, forecast: &Forecast) -> String {
        match self {
            Capacity::Shared(_) => in_words(taken_together(forecast.together())),
            Capacity::Apart { host: None, .. } => in_words(forecast.device().on_device()),
            Capacity::Apart { .. } => {
                let (device, host) = (forecast.device().on_device(), forecast.host().on_host());
                format!("{} and {} of the host", in_words(device), in_words(host))
            }
        }
    }
}

fn taken_together(phase: &Phase) -> u64 {
    phase.on_device() + phase.on_host()
}

/// A changed setting: how it is asked for, and the change.
type Change = (&'static str, fn(&mut Train));

/// In the order in which they are offered: what costs least first.
const CHANGES: [Change; 9] = [
    ("micro_batch=1", |train| train.micro_batch = 1),
    ("memory.rollout_batch=1", |train| train.memory.rollout_batch = Some(1)),
    ("memory.master=split", |train| train.memory.master = Master::Split),
    ("memory.activations=recompute", |train| train.memory.activations = Activations::Recompute),
    ("memory.reference=host", |train| train.memory.reference = Place::Host),
    ("memory.optimizer=host", |train| {
        train.memory.optimizer = Place::Host;
        train.memory.master = Master::Float32;
    }),
    ("memory.reference=device", |train| train.memory.reference = Place::Device),
    ("memory.optimizer=device", |train| train.memory.optimizer = Place::Device),
    ("lora={rank: 16, alpha: 32, targets: [all-linear]}", |train| {
        train.memory.master = Master::Float32;
        train.memory.reference = Place::Device;
        train.lora = Some(Lora { rank: 16, alpha: 32.0, targets: vec![crate::architecture::ALL_LINEAR.to_owned()] });
    }),
];

/// Whether the recipe takes it: a change that would be refused is no way out.
fn sound(config: &Config, train: &Train) -> bool {
    let split = train.memory.master == Master::Split;
    !split || (has_master(config, train) && train.memory.optimizer == Place::Device)
}

/// Whether what lacks becomes less by more than a hundredth of it.
fn helps(after: u64, before: u64) -> bool {
    before > 0 && after < before - before / 100
}

/// What helps a training stage: each change that lessens what lacks, with what is needed then; and if none is enough alone, those that together are.
fn ways_out(config: &Config, train: &Train, audio: u64, capacity: &Capacity) -> Vec<String> {
    let of = |train: &Train| training(config, train, audio).ok();
    let Some(now) = of(train).map(|forecast| capacity.lacks(&forecast)) else { return Vec::new() };
    let ask = |setting: &str| match setting.split_once('=') {
        Some(("lora", value)) => format!("--set 'train.{}.lora={value}'", train.name),
        _ => format!("--set train.{}.{setting}", train.name),
    };
    let (mut out, mut enough) = (Vec::new(), false);
    let (mut together, mut lacking, mut asked) = (train.clone(), now, Vec::new());
    for (setting, change) in CHANGES {
        let mut changed = train.clone();
        change(&mut changed);
        let Some(forecast) = of(&changed).filter(|_| sound(config, &changed)) else { continue };
        // Alone a change may not show, since another part decides; together with others it may.
        if helps(capacity.lacks(&forecast), now) {
            enough |= capacity.lacks(&forecast) == 0;
            out.push(format!("{} ({})", ask(setting), capacity.figure(&forecast)));
        }
        let mut next = together.clone();
        change(&mut next);
        let Some(forecast) = of(&next).filter(|_| sound(config, &next)) else { continue };
        let lacks = capacity.lacks(&forecast);
        if helps(lacks, lacking) && !setting.starts_with("lora") {
            if next.memory.master != together.memory.master {
                asked.retain(|a: &String| !a.contains("memory.master"));
            }
            (together, lacking) = (next, lacks);
            asked.push(ask(setting));
        }
    }
    if !enough && lacking == 0 && asked.len() > 1 {
        let figure = of(&together).map_or_else(String::new, |forecast| capacity.figure(&forecast));
        out.push(format!("enough together: {} ({figure})", asked.join(" ")));
    }
    out
}

impl Plan {
    /// Whether a stage fits; `None` where it runs no model or what it takes is not known.
    pub fn fit(&self, stage: &Stage, capacity: &Capacity) -> Option<Fit> {
        let forecast = self.memory(stage)?.ok()?;
        if capacity.lacks(&forecast) == 0 {
            return Some(Fit::Fits);
        }
        let ways = match &stage.work {
            Work::Train { train, policy, data, .. } => {
                ways_out(&self.config(policy).ok()?, train, self.audio_tokens(data), capacity)
            }
            Work::Evaluate { eval, policy, data, .. } => {
                let mut fewer = eval.clone();
                fewer.batch_size = 1;
                let then = evaluation(&self.config(policy).ok()?, &fewer, self.audio_tokens(data));
                let helps = helps(capacity.lacks(&then), capacity.lacks(&forecast));
                let way = format!("--set eval.{}.batch_size=1 ({})", eval.name, capacity.figure(&then));
                helps.then_some(way).into_iter().collect()
            }
            _ => Vec::new(),
        };
        let ways = if ways.is_empty() { "take a larger one".to_owned() } else { ways.join(", ") };
        Some(Fit::Lacks(format!("{}; what helps: {ways}", capacity.worst(&forecast))))
    }
}

/// Refuses stages that do not fit, before anything is loaded.
///
/// # Errors
/// Exit code 5, a line for each stage: what it needs by part, what there is, and the settings that help.
pub fn check<'a>(plan: &Plan, stages: impl Iterator<Item = &'a Stage>, capacity: &Capacity) -> Result<()> {
    let lacks = |stage: &Stage| match plan.fit(stage, capacity) {
        Some(Fit::Lacks(why)) => Some(format!("{}: {why}", stage.name)),
        _ => None,
    };
    let lines: Vec<String> = stages.filter_map(lacks).collect();
    if lines.is_empty() { Ok(()) } else { Err(Error::capacity(lines.join("\n"))) }
}
