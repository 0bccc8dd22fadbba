//! A plan for people and for programs.

use super::memory::{Capacity, in_words};
use super::{Disk, Estimate, Input, Look, Plan, Work, inputs};
use crate::error::Result;
use serde_json::{Value, json};
use std::fmt::Write;
use std::path::Path;

impl Plan {
    /// A table: stages with their fingerprints, what is there already, how much is to be done; then memory, and whether it fits a device of
    /// `capacity`; then the inputs.
    ///
    /// # Errors
    /// As [`inputs()`].
    pub fn to_text(&self, run: &Path, capacity: Option<&Capacity>) -> Result<String> {
        let mut out = format!("plan of {} in {}\n\n", self.recipe, run.display());
        let wide = self.stages.iter().map(|s| s.name.len()).max().unwrap_or(0).max(5);
        let _ = writeln!(out, "{:wide$}  {:8}  {:12}  {:7}  work", "stage", "kind", "fingerprint", "state");
        for stage in &self.stages {
            let work = match stage.work.amount() {
                (Some(0), 0) => String::new(),
                (Some(questions), 0) => format!("{questions} questions"),
                (Some(questions), steps) => format!("{steps} steps, {questions} questions"),
                (None, _) => "all questions".to_owned(),
            };
            let (kind, hash, state) = (stage.work.kind(), stage.fingerprint.short(), self.state(stage, run));
            let _ = writeln!(out, "{:wide$}  {kind:8}  {hash:12}  {state:7}  {work}", stage.name);
        }
        out.push_str(&self.total_text());
        out.push_str(&self.memory_text(capacity));
        out.push_str(&self.disk_text());
        out.push_str(&self.time_text()?);
        let inputs = inputs(self, Look::Quick)?;
        if !inputs.is_empty() {
            out.push_str("\ninputs\n");
        }
        for input in &inputs {
            let found = if input.pin.is_empty() { "found" } else { "as pinned" };
            let state = input.problem.as_deref().unwrap_or(found);
            let at = format!("{} {}", input.at, input.pin);
            let _ = writeln!(out, "  {}: {}\n    {state}", input.what, at.trim_end());
        }
        out.push_str(&download(&inputs));
        Ok(out)
    }

    /// The same for programs.
    ///
    /// # Errors
    /// As [`inputs()`].
    pub fn to_json(&self, run: &Path, capacity: Option<&Capacity>) -> Result<Value> {
        let stages: Vec<Value> = self
            .stages
            .iter()
            .map(|s| {
                let (questions, steps) = s.work.amount();
                Ok(json!({"name": s.name, "kind": s.work.kind(), "fingerprint": s.fingerprint, "folder": s.folder,
                       "state": self.state(s, run), "questions": questions, "steps": steps, "memory": self.memory_json(s, capacity),
                       "time": self.time(s)?}))
            })
            .collect::<Result<_>>()?;
        let inputs = inputs(self, Look::Quick)?;
        Ok(json!({"recipe": self.recipe, "run_dir": run, "stages": stages, "inputs": inputs, "disk": self.disk()}))
    }

    fn state(&self, stage: &super::Stage, run: &Path) -> &'static str {
        if stage.find(run, &self.recipe).is_some() {
            "done"
        } else if run.join(format!("{}.partial", stage.folder)).is_dir() {
            "begun"
        } else {
            "to do"
        }
    }
}

/// What is to be downloaded, in a line; empty where nothing is.
fn download(inputs: &[Input]) -> String {
    let missing: Vec<_> = inputs.iter().filter_map(|input| input.to_fetch).collect();
    if missing.is_empty() {
        return String::new();
    }
    let known: u64 = missing.iter().filter_map(|m| m.bytes).sum();
    let about = if missing.iter().any(|m| m.reckoned) { "about " } else { "" };
    let mut parts = Vec::new();
    if known > 0 {
        parts.push(format!("{about}{} ({known} bytes)", in_words(known)));
    }
    match missing.iter().filter(|m| m.bytes.is_none()).count() {
        0 => {}
        1 => parts.push("1 input whose size is known when it is fetched".to_owned()),
        n => parts.push(format!("{n} inputs whose size is known when they are fetched")),
    }
    format!("\nto download: {}\n", parts.join(", and "))
}

impl Plan {
    /// Everything that is trained, in a line; empty where nothing is.
    fn total_text(&self) -> String {
        let trained: Vec<(u64, u64)> = self
            .stages
            .iter()
            .filter(|stage| matches!(stage.work, Work::Train { .. }))
            .map(|stage| (stage.work.amount().0.unwrap_or(0), stage.work.amount().1))
            .collect();
        let (questions, steps) = trained.iter().fold((0, 0), |(q, s), (questions, steps)| (q + questions, s + steps));
        if steps == 0 {
            String::new()
        } else {
            format!("\ntraining altogether: {steps} optimizer steps, {questions} questions\n")
        }
    }

    /// What training stages write, a line each; empty where there are none or their models' shapes are not known.
    fn disk_text(&self) -> String {
        let mut out = String::new();
        for disk in self.disk() {
            let Disk { stage, checkpoints, each, resume } = &disk;
            let (most, each, resume) = (in_words(disk.most()), in_words(*each), in_words(*resume));
            let s = if *checkpoints == 1 { "" } else { "s" };
            let kept = format!("{checkpoints} checkpoint{s} of {each}, and {resume} while it trains");
            let _ = writeln!(out, "  {stage}: {most} ({kept})");
        }
        if out.is_empty() { out } else { format!("\ndisk, predicted\n{out}") }
    }

    /// How long stages would take, by what was measured on this machine.
    fn time_text(&self) -> Result<String> {
        let mut said: Vec<(&str, String)> = Vec::new();
        for stage in &self.stages {
            let Some(estimates) = self.time(stage)? else { continue };
            let one = |e: &Estimate| match e.seconds {
                Some(seconds) => format!("about {} on {}", span(seconds), e.device),
                None => format!("{} a question on {}", span(e.seconds_a_question), e.device),
            };
            let words = match estimates.is_empty() {
                true => format!("not known: no {} of a model of this size has run on this machine", stage.work.kind()),
                false => estimates.iter().map(one).collect::<Vec<_>>().join(", "),
            };
            said.push((&stage.name, words));
        }
        let out = lines(said);
        Ok(if out.is_empty() { out } else { format!("\ntime, by what was measured on this machine\n{out}") })
    }
}

/// A line for everything that is said of stages; those of which the same is said share it.
pub(super) fn lines<'s>(said: impl IntoIterator<Item = (&'s str, String)>) -> String {
    let mut shared: Vec<(Vec<&str>, String)> = Vec::new();
    for (stage, words) in said {
        match shared.iter_mut().find(|(_, earlier)| *earlier == words) {
            Some((stages, _)) => stages.push(stage),
            None => shared.push((vec![stage], words)),
        }
    }
    let line = |(stages, words): (Vec<&str>, String)| format!("  {}: {words}\n", stages.join(", "));
    shared.into_iter().map(line).collect()
}

/// Seconds as people say them.
fn span(seconds: f64) -> String {
    match seconds {
        s if s < 0.1 => format!("{:.1} ms", s * 1e3),
        s if s < 120.0 => format!("{s:.1} s"),
        s if s < 7200.0 => format!("{:.0} min", s / 60.0),
        s => format!("{:.1} h", s / 3600.0),
    }
}
