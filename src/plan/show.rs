//! A plan for people and for programs.

use super::memory::Capacity;
use super::{Plan, inputs};
use serde_json::{Value, json};
use std::fmt::Write;
use std::path::Path;

impl Plan {
    /// A table: stages with their fingerprints, what is there already, how much is to be done; then memory, and whether it fits a device of
    /// `capacity`; then the inputs.
    pub fn to_text(&self, run: &Path, capacity: Option<&Capacity>) -> String {
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
        let inputs = inputs(self);
        if !inputs.is_empty() {
            out.push_str("\ninputs\n");
        }
        for input in inputs {
            let state =
                input.problem.unwrap_or_else(|| (if input.pin.is_empty() { "found" } else { "as pinned" }).to_owned());
            let _ = writeln!(out, "  {}: {} {}\n    {state}", input.what, input.at, input.pin);
        }
        out
    }

    /// The same for programs.
    pub fn to_json(&self, run: &Path, capacity: Option<&Capacity>) -> Value {
        let stages: Vec<Value> = self
            .stages
            .iter()
            .map(|s| {
                let (questions, steps) = s.work.amount();
                json!({"name": s.name, "kind": s.work.kind(), "fingerprint": s.fingerprint, "folder": s.folder,
                       "state": self.state(s, run), "questions": questions, "steps": steps, "memory": self.memory_json(s, capacity)})
            })
            .collect();
        json!({"recipe": self.recipe, "run_dir": run, "stages": stages, "inputs": inputs(self)})
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
