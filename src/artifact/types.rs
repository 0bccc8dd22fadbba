//! What a run folder holds, as written on disk. `SCHEMA` counts changes.

use crate::pins::Sha256;
use serde::{Deserialize, Serialize};

/// Version of these files. 1: first.
pub const SCHEMA: u32 = 1;

/// `manifest.json`: what was asked, what was there, how far it got. Written last at each state change.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Manifest {
    /// Version of this file.
    pub schema: u32,
    /// Recipe name.
    pub recipe: String,
    /// Recipe title.
    pub title: String,
    /// Where the recipe lay when the run was started, as it was named; empty in manifests that do not say.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub recipe_file: String,
    /// SHA-256 of the recipe file as written.
    pub recipe_sha256: Sha256,
    /// `--set` overrides, as given.
    pub overrides: Vec<String>,
    /// `running`, `done`, or `stopped` (with `--until` or after a failure).
    pub status: String,
    /// The plan's stages and what became of them.
    pub stages: Vec<StageState>,
    /// What was actually there.
    pub provenance: Provenance,
    /// Names of the claim files whose rows the report quotes: shipped ones (`r1-aqa-claims.json`), or files that the run
    /// keeps in its `claims/` folder.
    pub claims: Vec<String>,
    /// Which measured rows are held against which claims.
    pub expect: Vec<Expectation>,
    /// Which evaluations are one measurement made several times.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub groups: Vec<Group>,
}

/// Evaluations that are one measurement made several times.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Group {
    /// Its name in the recipe.
    pub name: String,
    /// What the report calls its rows.
    pub label: String,
    /// Names of the evaluations.
    pub evals: Vec<String>,
}

/// A measured row that is held against a claim.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Expectation {
    /// Name of the eval in the recipe.
    pub eval: String,
    /// Id of the claim in the claim files.
    pub claim: String,
    /// The verdict that the recipe asks for, `inside`; absent where it asks for none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expect: Option<crate::recipe::Expected>,
}

/// One stage of the plan.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct StageState {
    /// Stage name.
    pub name: String,
    /// `data`, `init`, `sft`, `grpo`, `evaluate`, `score`, `report`.
    pub kind: String,
    /// Hash of its inputs.
    pub fingerprint: Sha256,
    /// Folder below the run folder.
    pub folder: String,
    /// Whether the artifact is there.
    pub done: bool,
}

/// Captured once, when a run starts.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Provenance {
    /// Version of this program.
    pub version: String,
    /// Git commit this program was built from, with `-dirty` when files differed; `unknown` outside git.
    pub commit: String,
    /// The command line.
    pub argv: Vec<String>,
    /// libtorch version; empty when the run needed none.
    pub libtorch: String,
    /// `cpu` or `cuda:N`, with the device's name.
    pub device: String,
    /// Threads libtorch computes with. On the CPU a result is repeatable only for the same number.
    pub threads: i64,
}

/// `eval.json` in an evaluation's folder: what the row is, beside `samples.jsonl`, `predictions.json` and `score.json`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct EvalRecord {
    /// Version of this file.
    pub schema: u32,
    /// Name of the eval in the recipe.
    pub name: String,
    /// What the report calls the row.
    pub label: String,
    /// Which stage of this run trained the policy, and up to which step; absent when none did, and in records that do not say.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub policy: Option<TrainedBy>,
    /// Whether a stage of this run trained the policy. Then the result differs between machines by rounding, and a golden
    /// holds it by a margin.
    pub trained: bool,
    /// `mmau`, `mmau-parquet`, `avqa` or `synthetic`.
    pub dataset_format: String,
    /// Name of the data set in the recipe.
    pub dataset: String,
    /// SHA-256 of the questions file, or of the version of MMAU whose rows it has (see `packed`): decides which rows may share a table.
    pub dataset_sha256: Sha256,
    /// SHA-256 of the Parquet file that the questions were read from, where its rows are all of those of a known version of MMAU and no others:
    /// `dataset_format` and `dataset_sha256` are that version's then.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub packed: Option<Sha256>,
    /// Questions of the data set that were asked (`--limit` makes it fewer than the data set has).
    pub asked: u64,
    /// Questions of the data set.
    pub questions: u64,
    /// The system turn that the recipe gave; absent where that was the chat template's own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub system: Option<String>,
    /// Prompt style, e.g. `r1-aqa-2`; empty where a file was scored.
    pub prompt: String,
    /// How tokens were chosen, one line: `greedy, 16 new tokens`; empty where a file was scored.
    pub decoding: String,
    /// How the answer was taken from the text, e.g. `answer-tag`; empty in records that do not say.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub extract: String,
    /// Scoring rule.
    pub rule: String,
    /// Clips that were cropped to 30 s.
    pub cropped: u64,
    /// Completions that stopped for length, not at an end token.
    pub truncated: u64,
    /// Clips that were damaged though they could be read.
    #[serde(default)]
    pub damaged: u64,
    /// Whether the policy heard the clips; absent when none of the clips tried could tell, or the record is older than the test.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hearing: Option<Hearing>,
    /// Where the predictions are from, when no stage of this run made them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub file: Option<FromFile>,
    /// What is known of an evaluation whose answers are withheld; it has no `score.json`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub withheld: Option<Withheld>,
}

/// Where an evaluated policy stands in its training.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TrainedBy {
    /// Name of the training stage.
    pub stage: String,
    /// Optimizer steps done.
    pub step: u64,
}

/// A predictions file that was scored.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FromFile {
    /// Its name, without its folder.
    pub name: String,
    /// Its SHA-256.
    pub sha256: Sha256,
}

/// Counts of an evaluation that nobody outside can score.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Withheld {
    /// Nothing that counts as an answer.
    pub no_answer: u64,
    /// Could not be put to the model.
    pub failed: u64,
}

/// What the logits behind the prompt did when only the samples of the clip were changed.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Hearing {
    /// Clips that were tried.
    pub clips: u64,
    /// Largest change of a logit when the clip is silence, as a part of the largest logit; of the clip that moved it least.
    pub silence: f64,
    /// Likewise when the parts of the clip stand in another order.
    pub shuffled: f64,
    /// Audio placeholders in the prompts.
    pub audio_tokens: u64,
    /// Audio embeddings that the encoder made.
    pub audio_embeddings: u64,
}

impl Hearing {
    /// The part of the largest logit that must move. A model that does not hear moves nothing at all, not even by rounding, since nothing but
    /// the samples differs; the least that models which hear were seen to move is two hundred times this, on steady sounds shuffled.
    pub const LEAST: f64 = 1e-5;

    /// Whether it heard.
    pub fn heard(&self) -> bool {
        self.audio_tokens == self.audio_embeddings && self.silence > Self::LEAST && self.shuffled > Self::LEAST
    }

    /// The finding in a sentence.
    pub fn in_words(&self) -> String {
        let Self { clips, silence, shuffled, audio_tokens, audio_embeddings } = self;
        format!(
            "{} ({clips} {}): silence moves the logits by {} of the largest or more, a shuffled clip by {}; {audio_tokens} audio tokens, {audio_embeddings} embeddings",
            if self.heard() { "audio was heard" } else { "AUDIO WAS NOT HEARD" },
            if *clips == 1 { "clip" } else { "clips" },
            Self::percent(*silence),
            Self::percent(*shuffled),
        )
    }

    /// A part as percent, small ones with the digits that they need.
    pub fn percent(part: f64) -> String {
        let percent = 100.0 * part;
        if percent == 0.0 || percent >= 0.01 { format!("{percent:.2} %") } else { format!("{percent:.1e} %") }
    }
}

/// One line of `samples.jsonl`: one question, as soon as it is done.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Sample {
    /// Question id.
    pub id: String,
    /// SHA-256 of the rendered prompt (before audio tokens are expanded); empty when it failed before.
    pub prompt_sha256: String,
    /// What the model said, special tokens skipped.
    pub output: String,
    /// What counts as its answer.
    pub answer: String,
    /// New tokens, end token included.
    pub tokens: u64,
    /// Whether it stopped for length.
    pub truncated: bool,
    /// Whether the clip was cropped to 30 s.
    pub cropped: bool,
    /// What was wrong with the clip though it could be read; empty when nothing was.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub damage: String,
    /// Verdict; absent where there is an answer to judge and the right one is withheld.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub verdict: Option<crate::score::Verdict>,
    /// Why it failed.
    pub error: Option<String>,
}
