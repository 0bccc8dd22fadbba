//! A forecast for people and for programs.

use super::{Capacity, Fit, Forecast, Part, Phase};
use crate::plan::show::lines;
use crate::plan::{Plan, Stage};
use serde_json::{Map, Value, json};

/// Bytes as people say them, in powers of ten as makers of memory do.
pub(in crate::plan) fn in_words(bytes: u64) -> String {
    match bytes {
        0..1_000_000 => format!("{:.0} kB", bytes as f64 / 1e3),
        1_000_000..1_000_000_000 => format!("{:.0} MB", bytes as f64 / 1e6),
        _ => format!("{:.1} GB", bytes as f64 / 1e9),
    }
}

/// Parts in words, the largest first.
pub(super) fn list(parts: &[(Part, u64)]) -> String {
    let mut parts = parts.to_vec();
    parts.sort_by_key(|(part, bytes)| (std::cmp::Reverse(*bytes), *part));
    let words: Vec<String> =
        parts.iter().map(|(part, bytes)| format!("{} {}", part.name(), in_words(*bytes))).collect();
    words.join(", ")
}

impl Plan {
    /// Below the table of stages: what each takes at its worst, and whether that fits, where a size is given. Stages of which the same is said share it.
    pub(in crate::plan) fn memory_text(&self, capacity: Option<&Capacity>) -> String {
        let said = self.stages.iter().filter_map(|stage| Some((stage.name.as_str(), self.memory_of(stage, capacity)?)));
        let out = lines(said);
        if out.is_empty() { out } else { format!("\nmemory of the device at the worst moment, predicted\n{out}") }
    }

    fn memory_of(&self, stage: &Stage, capacity: Option<&Capacity>) -> Option<String> {
        let forecast = match self.memory(stage)? {
            Ok(forecast) => forecast,
            Err(why) => return Some(format!("not known: {why}")),
        };
        let (device, host) = (forecast.device(), forecast.host());
        let line = |phase: &Phase, bytes: u64, parts| format!("{} ({}: {})", in_words(bytes), phase.name, list(parts));
        let (on_device, on_host) =
            (line(device, device.on_device(), &device.device), line(host, host.on_host(), &host.host));
        let fit = match capacity.and_then(|capacity| self.fit(stage, capacity)) {
            Some(Fit::Fits) => "\n    fits".to_owned(),
            Some(Fit::Lacks(why)) => format!("\n    does not fit: {why}"),
            None => String::new(),
        };
        Some(format!("{on_device}\n    host {on_host}\n    {}{fit}", forecast.taken()))
    }

    /// The forecast of a stage as JSON; null where it runs no model.
    pub(in crate::plan) fn memory_json(&self, stage: &Stage, capacity: Option<&Capacity>) -> Value {
        let mut value = match self.memory(stage) {
            None => return Value::Null,
            Some(Err(why)) => return json!({"unknown": why}),
            Some(Ok(forecast)) => forecast.to_json(),
        };
        match capacity.and_then(|capacity| self.fit(stage, capacity)) {
            Some(Fit::Fits) => value["fits"] = json!(true),
            Some(Fit::Lacks(why)) => {
                value["fits"] = json!(false);
                value["why"] = json!(why);
            }
            None => {}
        }
        value
    }
}

impl Forecast {
    /// How long rows were taken to be.
    fn taken(&self) -> String {
        let rows = self.rows;
        format!(
            "taken for prompts of {} tokens, {} of them audio, and completions of {}",
            rows.prompt, rows.audio, rows.completion
        )
    }

    /// Peaks and phases by part, in bytes.
    pub fn to_json(&self) -> Value {
        let parts = |parts: &[(Part, u64)]| {
            let named = parts.iter().map(|(part, bytes)| (part.name().replace(' ', "_").to_lowercase(), json!(bytes)));
            Value::Object(named.collect::<Map<String, Value>>())
        };
        let phase = |phase: &Phase| {
            json!({"name": phase.name, "device": parts(&phase.device), "host": parts(&phase.host),
                   "device_total": phase.on_device(), "host_total": phase.on_host()})
        };
        let (device, host) = (self.device(), self.host());
        json!({
            "device": {"peak": device.on_device(), "phase": device.name, "parts": parts(&device.device)},
            "host": {"peak": host.on_host(), "phase": host.name, "parts": parts(&host.host)},
            "phases": self.phases.iter().map(phase).collect::<Vec<_>>(),
            "taken": {"prompt_tokens": self.rows.prompt, "audio_tokens": self.rows.audio, "completion_tokens": self.rows.completion},
        })
    }
}
