//! The resolved recipe: everything decided, nothing optional that decides a number.
//!
//! These are the shapes the program uses. The YAML's own shape is private to this module's siblings.

mod memory;
mod report;
mod train;

pub use memory::*;
pub use report::*;
pub use train::*;

use crate::pins::{Commit, Revision, Sha256};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::path::PathBuf;

/// What was asked: one file, fully pinned.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Recipe {
    /// The name of the recipe and of its run folder: lower-case letters, digits and dashes.
    pub name: String,
    /// One line for people, the heading of the report.
    pub title: String,
    /// Every random number of the run derives from it.
    pub seed: u64,
    /// The policy that training starts from.
    pub model: Model,
    /// The data sets, by the name that stages use.
    pub data: BTreeMap<String, Dataset>,
    /// Training stages, in order.
    pub train: Vec<Train>,
    /// Evaluations, in order; each becomes a row of the report.
    pub eval: Vec<Eval>,
    /// Predictions that are there already; each becomes a row of the report.
    pub scores: Vec<Scored>,
    /// What the report prints beside the measured rows.
    pub report: Report,
    /// The file it was read from. Not part of any fingerprint.
    #[serde(skip)]
    pub path: PathBuf,
    /// SHA-256 of the file as written, before overrides. Not part of any fingerprint.
    #[serde(skip)]
    pub sha256: Sha256,
    /// `--set key=value` overrides, as given. Not part of any fingerprint (their effect is).
    #[serde(skip)]
    pub overrides: Vec<String>,
}

/// Number type of weights and activations.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Dtype {
    /// 32-bit IEEE.
    Float32,
    /// 16 bits, 8 of them exponent; training keeps float32 master weights.
    Bfloat16,
}

impl Dtype {
    /// As recipes and config.json spell it.
    pub fn name(self) -> &'static str {
        match self {
            Dtype::Float32 => "float32",
            Dtype::Bfloat16 => "bfloat16",
        }
    }
}

/// The policy that training starts from.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "lowercase", tag = "kind")]
pub enum Model {
    /// Random weights from the recipe's seed; needs no download.
    Init(Init),
    /// A checkpoint in Hugging Face layout.
    Checkpoint(Checkpoint),
    /// What a training stage of another recipe leaves. That recipe's stages become part of the plan.
    Stage(FromStage),
    /// None: the recipe scores files, and trains and evaluates nothing.
    Absent,
}

/// Shape of a Qwen2-Audio policy made from the seed.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Init {
    /// Width of the language model.
    pub hidden_size: i64,
    /// Layers of the language model.
    pub layers: i64,
    /// Attention heads of the language model.
    pub heads: i64,
    /// Key/value heads; fewer than `heads` is grouped-query attention.
    pub kv_heads: i64,
    /// Inner width of the language model's MLP.
    pub intermediate_size: i64,
    /// Width of the audio encoder.
    pub audio_d_model: i64,
    /// Layers of the audio encoder.
    pub audio_layers: i64,
    /// Attention heads of the audio encoder.
    pub audio_heads: i64,
    /// Inner width of the audio encoder's feed-forward.
    pub audio_ffn_dim: i64,
    /// Size of the byte-level BPE vocabulary trained on the recipe's synthetic questions, special tokens included.
    pub vocab_size: usize,
    /// Number type.
    pub dtype: Dtype,
}

/// A checkpoint in Hugging Face layout, pinned.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Checkpoint {
    /// `hf://models/OWNER/NAME`, or a folder.
    pub source: Source,
    /// The hub's commit; always present for `hf://`, there perhaps its beginning alone.
    pub revision: Option<Commit>,
    /// SHA-256 by file name; always present for a folder (every weight file).
    pub weights: BTreeMap<String, Sha256>,
    /// Number type to load as.
    pub dtype: Dtype,
}

/// The end of a training stage of another recipe.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct FromStage {
    /// The other recipe, already resolved (it takes no overrides). Boxed, since recipes nest.
    pub recipe: Box<Recipe>,
    /// One of its training stages.
    pub stage: String,
}

/// Where an input comes from.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "lowercase", tag = "kind", content = "at")]
pub enum Source {
    /// A path on this machine; relative ones are already joined to `data.dir` or the recipe's folder.
    Path(PathBuf),
    /// `hf://models/OWNER/NAME[/FILE]` or `hf://datasets/OWNER/NAME[/FILE]`, kept as written.
    Hub(String),
    /// `https://…` or `drive://ID` (a file on Google Drive), kept as written.
    Url(String),
}

/// A data set.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "lowercase", tag = "format")]
pub enum Dataset {
    /// Questions over sounds that the program makes from a seed, in MMAU's format.
    Synthetic(Synthetic),
    /// An MMAU JSON file and its audio folder.
    Mmau(Files),
    /// MMAU as one Parquet file with the clips in it, as its authors have it on the hub.
    #[serde(rename = "mmau-parquet")]
    MmauParquet(Parquet),
    /// AVQA's questions, as its authors publish them or as R1-AQA's JSON lines, and their audio folder.
    Avqa(Files),
}

/// Questions with their clips in one file.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Parquet {
    /// The file.
    pub file: Source,
    /// Its SHA-256. `None` only on the hub, with `revision`.
    pub sha256: Option<Sha256>,
    /// Commit of the hub repository that it is in.
    pub revision: Option<Commit>,
}

/// Questions and audio on disk or on the hub.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Files {
    /// The questions.
    pub file: Source,
    /// SHA-256 of the questions file. `None` only with `git_blob`, or on the hub with `revision`.
    pub sha256: Option<Sha256>,
    /// Git blob id (sha1) of the questions file, where no SHA-256 is known.
    pub git_blob: Option<Revision>,
    /// Commit of the hub repository that questions or clips are in.
    pub revision: Option<Commit>,
    /// The clips: a folder, or an archive of them. Questions' audio paths are looked up there by their file name.
    pub audio: Source,
    /// SHA-256 of the archive. `None` waits for a lock, unless the hub's revision pins it.
    pub audio_sha256: Option<Sha256>,
    /// The folder of the archive that the clips are in; `None` is its root.
    pub audio_folder: Option<String>,
}

impl Files {
    /// Whether the clips come packed: from an address of their own, or as a `.tar.gz` on the hub.
    pub fn is_packed(&self) -> bool {
        match &self.audio {
            Source::Path(_) => false,
            Source::Url(_) => true,
            Source::Hub(at) => [".tar.gz", ".tgz"].iter().any(|end| at.ends_with(end)),
        }
    }
}

/// A synthetic data set.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Synthetic {
    /// Every clip and question derives from it.
    pub seed: u64,
    /// `train` or `held-out`; part of every id, so that splits never share a clip.
    pub split: String,
    /// Task names, see [`crate::synth`]; questions are spread evenly over them.
    pub tasks: Vec<String>,
    /// Number of questions.
    pub count: usize,
    /// SHA-256 of the generated `questions.json`, which names each clip's SHA-256.
    pub sha256: Sha256,
}

/// How tokens are chosen.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Decoding {
    /// Sample, or take the most likely token.
    pub do_sample: bool,
    /// New tokens at most.
    pub max_new_tokens: usize,
    /// `None` means: the checkpoint's generation_config.json decides.
    pub temperature: Option<f64>,
    /// Likewise; 0 keeps every token.
    pub top_k: Option<usize>,
    /// Likewise; 1.0 keeps every token.
    pub top_p: Option<f64>,
    /// Likewise; 1.0 changes nothing.
    pub repetition_penalty: Option<f64>,
}

/// The text of the user turn.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum PromptStyle {
    /// R1-AQA's prompt 1: question and options.
    #[serde(rename = "r1-aqa-1")]
    R1Aqa1,
    /// R1-AQA's prompt 2: and `<answer>` tags.
    #[serde(rename = "r1-aqa-2")]
    R1Aqa2,
    /// R1-AQA's prompt 3: and `<think>` tags.
    #[serde(rename = "r1-aqa-3")]
    R1Aqa3,
    /// What MMAU's authors gave Qwen2-Audio: the question and `Select one option from the provided choices.`
    #[serde(rename = "mmau")]
    Mmau,
}

/// An evaluation: a row of the report.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Eval {
    /// Name, unique among all stages of the recipe.
    pub name: String,
    /// What the report calls the row.
    pub label: String,
    /// `model`, or the name of a training stage.
    pub from: String,
    /// Optimizer step whose checkpoint is evaluated; `None` is the last.
    pub at_step: Option<u64>,
    /// Name of the data set.
    pub data: String,
    /// The system turn that the conversation begins with; `None` is the chat template's own. Not named where it is not set, so that stages from before
    /// it existed stay what they were.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub system: Option<String>,
    /// Prompt given to the model.
    pub prompt: PromptStyle,
    /// How tokens are chosen.
    pub decoding: Decoding,
    /// Questions a batch; changes speed, not the result.
    pub batch_size: usize,
    /// How the answer is taken from the text.
    pub extract: Extract,
    /// How the answer is judged.
    pub rule: Rule,
}

/// How the answer is taken from the generated text.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Extract {
    /// First `<answer>(.*?)</answer>` within one line, else the whole text; stripped (R1-AQA's test_mmau.py).
    #[serde(rename = "answer-tag")]
    AnswerTag,
    /// First `<answer>(.*?)</answer>` over any lines (Python's DOTALL), else the whole text; stripped.
    #[serde(rename = "answer-tag-dotall")]
    AnswerTagDotall,
    /// Last `<answer>(.*?)</answer>` within one line, else the whole text; stripped.
    #[serde(rename = "last-answer-tag")]
    LastAnswerTag,
    /// What follows the last `</think>`, else the whole text; of that as `answer-tag`.
    #[serde(rename = "after-think")]
    AfterThink,
    /// First `<RESPONSE>(.*?)</RESPONSE>` over any lines, else the whole text; stripped (Audio-Reasoner's answers).
    #[serde(rename = "response-tag")]
    ResponseTag,
    /// The whole text, stripped.
    #[serde(rename = "whole")]
    Whole,
}

/// How an answer is judged (`score` says in full how each reads a text).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Rule {
    /// MMAU's evaluation.py: token sets.
    Official,
    /// The option that the text names, by letter or by text; strict forms first, nothing is guessed.
    Parsed,
    /// The answer's text, byte for byte but for white space around it.
    Exact,
    /// What stands in `<answer>…</answer>`, an option's text or letter; without a tag there is no answer.
    AnswerTag,
}

impl Rule {
    /// All of them, in the order in which tables show them.
    pub const ALL: [Self; 4] = [Self::Official, Self::Parsed, Self::Exact, Self::AnswerTag];

    /// What recipes, scores and the command line call it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Official => "official",
            Self::Parsed => "parsed",
            Self::Exact => "exact",
            Self::AnswerTag => "answer-tag",
        }
    }

    /// The rule of this name.
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|rule| rule.name() == name)
    }
}
