//! Every key of a recipe: its shape, whether it must be there, what it means.

mod memory;
mod report;
mod train;

use super::shape::{Bound, Key, Object, Shape};
use report::REPORT;
use train::TRAIN;

const POSITIVE: Shape = Shape::Int(1, i64::MAX);
const NATURAL: Shape = Shape::Int(0, i64::MAX);
const ABOVE_0: Shape = Shape::Number(Bound::Beyond(0.0), Bound::None);
const AT_LEAST_0: Shape = Shape::Number(Bound::To(0.0), Bound::None);
const SHA256: Shape = Shape::Hex(64);
const REVISION: Shape = Shape::Hex(40);
const DTYPE: Shape = Shape::Choice(&["float32", "bfloat16"]);
const PROMPT: Shape = Shape::Choice(&["r1-aqa-1", "r1-aqa-2", "r1-aqa-3", "mmau"]);

/// A whole recipe.
pub(super) static RECIPE: Object = Object {
    doc: "A recipe of aqa-bench: everything that decides the result, pinned.",
    groups: &[&[
        Key::required("name", Shape::Name, "Name of the recipe and of its run folder."),
        Key::required("title", Shape::Text, "One line for people, the heading of the report."),
        Key::required("seed", NATURAL, "Every random number of the run derives from it.")
            .hint("any whole number, for example `seed: 1`; no run without a seed"),
        Key::optional("model", MODEL, "The policy that training starts from: init, source or recipe."),
        Key::required("data", Shape::Object(&DATA), "The data sets and where they are."),
        Key::optional("train", Shape::List(&TRAIN, 0, usize::MAX), "Training stages, in order."),
        Key::optional(
            "eval",
            Shape::List(&Shape::Object(&EVAL), 0, usize::MAX),
            "Evaluations, in order; each is a row of the report.",
        ),
        Key::optional(
            "scores",
            Shape::List(&Shape::Object(&SCORES), 0, usize::MAX),
            "Predictions that are there already, scored from their files; each is a row of the report.",
        ),
        Key::optional("report", Shape::Object(&REPORT), "What the report prints beside the measured rows."),
    ]],
};

const MODEL: Shape = Shape::ByKey(&[("init", &FROM_SEED), ("source", &CHECKPOINT), ("recipe", &FROM_RECIPE)]);

static FROM_SEED: Object = Object {
    doc: "Random weights from the recipe's seed; needs no download.",
    groups: &[&[
        Key::required("init", Shape::Object(&INIT), "Shape of a Qwen2-Audio policy made from the seed."),
        Key::required("dtype", DTYPE, "Number type of the weights."),
    ]],
};

static CHECKPOINT: Object = Object {
    doc: "A checkpoint in Hugging Face layout.",
    groups: &[&[
        Key::required(
            "source",
            Shape::Text,
            "hf://models/OWNER/NAME, or a folder; a relative one is below the recipe's own folder.",
        ),
        Key::required("dtype", DTYPE, "Number type to load the weights as."),
        Key::optional("revision", Shape::Commit, "Commit of the hub repository; required for hf://.").hint(
            "the 40 digits of a commit, from the page `Files and versions` of the model; `main` moves and pins nothing",
        ),
        Key::optional(
            "weights",
            Shape::Map("file name", &Shape::Text, &SHA256),
            "SHA-256 of every weight file; required for a folder.",
        )
        .hint("`sha256sum *.safetensors` in the folder prints the hashes"),
    ]],
};

static FROM_RECIPE: Object = Object {
    doc: "What a training stage of another recipe leaves.",
    groups: &[&[
        Key::required("recipe", Shape::Text, "The other recipe's file; a relative path is below this recipe's folder."),
        Key::required("stage", Shape::Name, "One of its training stages."),
    ]],
};

static INIT: Object = Object {
    doc: "Shape of a Qwen2-Audio policy.",
    groups: &[&[
        Key::required("hidden_size", POSITIVE, "Width of the language model."),
        Key::required("layers", POSITIVE, "Layers of the language model."),
        Key::required("heads", POSITIVE, "Attention heads of the language model; divide hidden_size."),
        Key::required("kv_heads", POSITIVE, "Key/value heads; divide heads."),
        Key::required("intermediate_size", POSITIVE, "Inner width of the language model's MLP."),
        Key::required("audio", Shape::Object(&AUDIO), "Shape of the audio encoder."),
        Key::required(
            "vocab_size",
            Shape::Int(257, i64::MAX),
            "Size of the byte-level BPE vocabulary: 256 bytes, merges, special tokens.",
        ),
    ]],
};

static AUDIO: Object = Object {
    doc: "Shape of the audio encoder.",
    groups: &[&[
        Key::required("d_model", POSITIVE, "Width of the audio encoder."),
        Key::required("layers", POSITIVE, "Layers of the audio encoder."),
        Key::required("heads", POSITIVE, "Attention heads of the audio encoder; divide d_model."),
        Key::required("ffn_dim", POSITIVE, "Inner width of the audio encoder's feed-forward."),
    ]],
};

static DATA: Object = Object {
    doc: "The data sets and where they are.",
    groups: &[&[
        Key::optional(
            "dir",
            Shape::Or(&Shape::Text, &ASK),
            "Folder that relative paths of the data sets are joined to; itself relative to the recipe's folder, or, when given by --set, to the current folder. Default: the recipe's folder.",
        ),
        Key::required(
            "sets",
            Shape::Map("data set name", &Shape::Name, &DATASET),
            "The data sets, by the name that stages use.",
        ),
    ]],
};

static ASK: Object = Object {
    doc: "The folder is not known to the recipe: it must be given by --set data.dir=FOLDER.",
    groups: &[&[Key::required("ask", Shape::Text, "What the folder must hold; printed when it is not given.")]],
};

const DATASET: Shape = Shape::Tagged {
    tag: "format",
    variants: &[("synthetic", &SYNTHETIC), ("mmau", &MMAU), ("mmau-parquet", &MMAU_PARQUET), ("avqa", &AVQA)],
};

static SYNTHETIC: Object = Object {
    doc: "Questions over sounds that the program makes from a seed, in MMAU's format.",
    groups: &[&[
        FORMAT,
        Key::required("seed", NATURAL, "Every clip and question derives from it.")
            .hint("any whole number, for example `seed: 1`; no run without a seed"),
        Key::required(
            "split",
            Shape::Choice(&["train", "held-out"]),
            "Part of every id, so that splits never share a clip.",
        ),
        Key::required(
            "tasks",
            Shape::List(&Shape::Name, 1, usize::MAX),
            "Task names; questions are spread evenly over them.",
        ),
        Key::required("count", POSITIVE, "Number of questions."),
        Key::required("sha256", SHA256, "SHA-256 of the generated questions.json, which names each clip's SHA-256.")
            .hint("write 64 zeros and run: the message names the SHA-256 of what was made"),
    ]],
};

const FORMAT: Key = Key::required(
    "format",
    Shape::Choice(&["synthetic", "mmau", "mmau-parquet", "avqa"]),
    "Where the questions come from.",
);
const FILE: Key = Key::required(
    "file",
    Shape::Text,
    "The questions: a path (relative to data.dir), hf://datasets/OWNER/NAME/FILE, https://… or drive://ID (Google Drive).",
);
const CLIPS: &[Key] = &[
    Key::required(
        "audio",
        Shape::Text,
        "The clips: a folder (relative to data.dir or on the hub, hf://datasets/OWNER/NAME[/FOLDER]), or a .tar.gz of them (hf://datasets/OWNER/NAME/FILE, https://… or drive://ID).",
    ),
    Key::optional("audio_sha256", SHA256, "SHA-256 of the archive of clips; left out, `aqa-bench lock` fills it in."),
    Key::optional("audio_folder", Shape::Text, "Folder of the archive that holds the clips. Default: its root."),
    Key::optional(
        "revision",
        Shape::Commit,
        "Commit of the hub repository; required where questions or clips are on the hub.",
    )
    .hint(COMMIT_HOW),
    Key::optional(
        "sha256",
        SHA256,
        "SHA-256 of the questions file; this, git_blob or (on the hub) revision is required.",
    )
    .hint(SHA256_HOW),
    Key::optional("git_blob", REVISION, "Git blob id (SHA-1) of the questions file, where no SHA-256 is known.")
        .hint("`git hash-object FILE` prints it"),
];
const COMMIT_HOW: &str = "the 40 digits of a commit, from the page `Files and versions`; `main` moves and pins nothing";
const SHA256_HOW: &str = "`sha256sum FILE` prints it; no run without a pin";

static MMAU: Object = Object { doc: "An MMAU JSON file and its clips.", groups: &[&[FORMAT, FILE], CLIPS] };

static MMAU_PARQUET: Object = Object {
    doc: "MMAU as one Parquet file with the clips in it, as gamma-lab-umd/MMAU-test-mini on the hub.",
    groups: &[&[
        FORMAT,
        FILE,
        Key::optional("sha256", SHA256, "SHA-256 of the file; this or (on the hub) revision is required.")
            .hint(SHA256_HOW),
        Key::optional("revision", Shape::Commit, "Commit of the hub repository; required on the hub.").hint(COMMIT_HOW),
    ]],
};

static AVQA: Object = Object {
    doc: "AVQA's train_qa.json, or R1-AQA's JSON lines made from it, and its clips.",
    groups: &[&[FORMAT, FILE], CLIPS],
};

const DO_SAMPLE: Key = Key::required("do_sample", Shape::Bool, "Sample, or take the most likely token.");
const MAX_NEW_TOKENS: Key = Key::required("max_new_tokens", POSITIVE, "New tokens at most.");
const PROBABILITY: Shape = Shape::Number(Bound::Beyond(0.0), Bound::To(1.0));

static ROLLOUT: Object = Object {
    doc: "How completions are drawn.",
    groups: &[&[
        DO_SAMPLE,
        MAX_NEW_TOKENS,
        Key::required("temperature", ABOVE_0, "Logits are divided by it."),
        Key::required("top_k", NATURAL, "Only so many most likely tokens are kept; 0 keeps every token."),
        Key::required(
            "top_p",
            PROBABILITY,
            "Only the most likely tokens with this probability together are kept; 1.0 keeps every token.",
        ),
        Key::required("repetition_penalty", ABOVE_0, "Penalty on tokens that were there before; 1.0 changes nothing."),
    ]],
};

static DECODING: Object = Object {
    doc: "How tokens are chosen; what is left out, the checkpoint's generation_config.json decides.",
    groups: &[&[
        DO_SAMPLE,
        MAX_NEW_TOKENS,
        Key::optional("temperature", ABOVE_0, "Logits are divided by it. Left out: the checkpoint's."),
        Key::optional(
            "top_k",
            NATURAL,
            "Only so many most likely tokens are kept; 0 keeps every token. Left out: the checkpoint's.",
        ),
        Key::optional(
            "top_p",
            PROBABILITY,
            "Only the most likely tokens with this probability together are kept; 1.0 keeps every token. Left out: the checkpoint's.",
        ),
        Key::optional(
            "repetition_penalty",
            ABOVE_0,
            "Penalty on tokens that were there before; 1.0 changes nothing. Left out: the checkpoint's.",
        ),
    ]],
};

static EVAL: Object = Object {
    doc: "An evaluation: a row of the report.",
    groups: &[&[
        Key::required("name", Shape::Name, "Name, unique among all stages of the recipe."),
        Key::required("label", Shape::Text, "What the report calls the row."),
        Key::required("from", Shape::Name, "What is evaluated: model, or a training stage."),
        Key::optional("at_step", POSITIVE, "Optimizer step whose checkpoint is evaluated. Default: the last."),
        Key::required("data", Shape::Name, "Name of the data set."),
        Key::optional(
            "system",
            Shape::Text,
            "The system turn that the conversation begins with. Default: the chat template's own.",
        ),
        Key::required("prompt", PROMPT, "Prompt given to the model."),
        Key::required("decoding", Shape::Object(&DECODING), "How tokens are chosen."),
        Key::required("batch_size", POSITIVE, "Questions a batch; changes speed, not the result."),
        Key::required("extract", EXTRACT, EXTRACT_WHAT),
        RULE,
    ]],
};

const EXTRACT: Shape =
    Shape::Choice(&["answer-tag", "answer-tag-dotall", "last-answer-tag", "after-think", "response-tag", "whole"]);
const EXTRACT_WHAT: &str = "How the answer is taken from the text: the first <answer>…</answer> within one line (answer-tag), the first over any lines, the last within one line, the first in what follows the last </think>, the first <RESPONSE>…</RESPONSE> over any lines; or else, or always (whole), the whole text.";
const RULE: Key = Key::required(
    "rule",
    Shape::Choice(&["official", "parsed", "exact", "answer-tag"]),
    "How the answer is judged: official is MMAU's evaluation.py; parsed takes the option that the text names, by letter or text; exact wants the answer's text; answer-tag an option in <answer>…</answer>.",
);

static SCORES: Object = Object {
    doc: "Predictions that are there already: a row of the report.",
    groups: &[&[
        Key::required("name", Shape::Name, "Name, unique among all stages of the recipe."),
        Key::required("label", Shape::Text, "What the report calls the row."),
        Key::required(
            "file",
            Shape::Text,
            "MMAU JSON with `model_output` or `model_prediction`: a path (relative to data.dir).",
        ),
        Key::optional("sha256", SHA256, "SHA-256 of the file. Left out: the report says which file it was.")
            .hint("`sha256sum FILE` prints it"),
        Key::required("data", Shape::Name, "Name of the data set whose questions were answered."),
        Key::optional("extract", EXTRACT, "How the answer is taken from a prediction. Default: whole."),
        RULE,
    ]],
};
