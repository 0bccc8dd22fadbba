//! A plan for people and for programs.

use super::memory::Capacity;
use super::{Input, Look, Plan, inputs};
use crate::error::Result;
use serde_json::{Value, json};
use std::fmt::Write;
use std::path::Path;

impl Plan {
    /// A table: stages with their fingerprints, what is there already, how much is to be done; then memory, and whether it fits a device of
    /// `capacity`; then the inputs.
    ///
    /// # Errors
    /// As [`inputs`].
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
        out.push_str(&self.memory_text(capacity));
        let inputs = inputs(self, Look::Quick)?;
        if !inputs.is_empty() {
            out.push_str("\ninputs\n");
        }
        for input in &inputs {
            let found = if input.pin.is_empty() { "found" } else { "as pinned" };
            let state = input.problem.as_deref().unwrap_or(found);
            let _ = writeln!(out, "  {}: {} {}\n    {state}", input.what, input.at, input.pin);
        }
        out.push_str(&download(&inputs));
        Ok(out)
    }

    /// The same for programs.
    ///
    /// # Errors
    /// As [`inputs`].
    pub fn to_json(&self, run: &Path, capacity: Option<&Capacity>) -> Result<Value> {
        let stages: Vec<Value> = self
            .stages
            .iter()
            .map(|s| {
                let (questions, steps) = s.work.amount();
                json!({"name": s.name, "kind": s.work.kind(), "fingerprint": s.fingerprint, "folder": s.folder,
                       "state": self.state(s, run), "questions": questions, "steps": steps, "memory": self.memory_json(s, capacity)})
            })
            .collect();
        let inputs = inputs(self, Look::Quick)?;
        Ok(json!({"recipe": self.recipe, "run_dir": run, "stages": stages, "inputs": inputs}))
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
    let (known, unknown) =
        (missing.iter().filter_map(|m| m.bytes).sum::<u64>(), missing.iter().filter(|m| m.bytes.is_none()));
    let known = if known > 0 { format!("{} ({known} bytes)", indicatif::DecimalBytes(known)) } else { String::new() };
    let unknown = match unknown.count() {
        0 => String::new(),
        n => format!("{n} input{} whose size is known when it is fetched", if n == 1 { "" } else { "s" }),
    };
    let and = if known.is_empty() || unknown.is_empty() { "" } else { ", and " };
    format!("\nto download: {known}{and}{unknown}\n")
}
