//! The keys of a training stage.

use super::super::shape::{Bound, Key, Object, Shape};
use super::{ABOVE_0, AT_LEAST_0, NATURAL, POSITIVE, PROMPT, ROLLOUT, memory};

pub(super) const TRAIN: Shape = Shape::Tagged { tag: "method", variants: &[("sft", &SFT), ("grpo", &GRPO_STAGE)] };

const MEMORY: &str =
    "Where the stage keeps what it needs, and what it computes twice instead. Default: everything on the device.";

const STAGE: &[Key] = &[
    Key::required("name", Shape::Name, "Name, unique among all stages of the recipe."),
    Key::required(
        "method",
        Shape::Choice(&["sft", "grpo"]),
        "What is trained towards: sft is cross-entropy on the answer, grpo is group relative policy optimisation.",
    ),
    Key::required("from", Shape::Name, "What training starts from: model, or an earlier training stage."),
    Key::required("data", Shape::Name, "Name of the data set."),
    Key::required("prompt", PROMPT, "Prompt given to the model."),
    Key::optional(
        "seed",
        NATURAL,
        "Every random number of this stage derives from it, but for the order of questions. Default: the recipe's.",
    ),
    Key::required("steps", POSITIVE, "Optimizer steps at which this stage stops."),
    Key::required("questions_per_step", POSITIVE, "Questions an optimizer step."),
    Key::optional(
        "micro_batch",
        POSITIVE,
        "Questions a forward pass of the policy; changes memory, not the result beyond rounding. Default: questions_per_step.",
    ),
    Key::optional(
        "lora",
        Shape::Object(&LORA),
        "Adapters to train instead of the weights. Default: the weights are trained.",
    ),
    Key::optional(
        "numerics",
        Shape::Choice(&["fp32-logprobs", "reference-bf16"]),
        "Number type of log-probabilities, KL and summed gradients of a bfloat16 policy: float32, or bfloat16 as the reference's trainer runs them. Default: fp32-logprobs.",
    ),
    Key::required("optimizer", Shape::Object(&OPTIMIZER), "AdamW and clipping."),
    Key::required("schedule", SCHEDULE, "Learning rate by step."),
    Key::required("order", Shape::Object(&ORDER), "Order in which questions are seen."),
    Key::optional(
        "checkpoint_every",
        POSITIVE,
        "A checkpoint is kept every so many steps; the last step always leaves one. Default: steps.",
    ),
    Key::optional(
        "resume_every",
        POSITIVE,
        "What is needed to resume is written every so many steps. Default: checkpoint_every.",
    ),
];

static SFT: Object = Object {
    doc: "Supervised fine-tuning: cross-entropy on the answer.",
    groups: &[STAGE, &[Key::optional("memory", Shape::Object(&memory::SFT), MEMORY)]],
};

static GRPO_STAGE: Object = Object {
    doc: "Group relative policy optimisation.",
    groups: &[
        STAGE,
        &[
            Key::optional("memory", Shape::Object(&memory::GRPO), MEMORY),
            Key::required("grpo", Shape::Object(&GRPO), "GRPO's own settings."),
        ],
    ],
};

static LORA: Object = Object {
    doc: "Low-rank adapters on linear layers, as peft has them, without dropout.",
    groups: &[&[
        Key::required("rank", POSITIVE, "Inner width of an adapter."),
        Key::required("alpha", ABOVE_0, "What an adapter adds is scaled by alpha / rank."),
        Key::required(
            "targets",
            Shape::List(&Shape::Text, 1, usize::MAX),
            "Linear layers by the end of their names (q_proj is a layer of both towers), or all-linear.",
        ),
    ]],
};

static GRPO: Object = Object {
    doc: "GRPO's own settings.",
    groups: &[&[
        Key::required(
            "group_size",
            Shape::Int(2, i64::MAX),
            "Completions a question; one alone has nothing to be compared with.",
        ),
        Key::required("beta", AT_LEAST_0, "Weight of the KL penalty against the frozen start of this stage."),
        Key::required("advantage_eps", ABOVE_0, "Added to the group's standard deviation."),
        Key::required(
            "max_prompt_length",
            POSITIVE,
            "A longer prompt, in tokens, is an error when its step comes up, and is not cut.",
        ),
        Key::required(
            "rewards",
            Shape::List(&Shape::Choice(&["accuracy", "accuracy-string", "format", "format-think"]), 1, usize::MAX),
            "Rewards, summed with equal weight; accuracy asks math-verify before it compares strings, format-think wants a thought before the answer.",
        ),
        Key::required(
            "rollout",
            Shape::Object(&ROLLOUT),
            "How completions are drawn; every setting is spelled out, since the reference trainer takes none from the checkpoint.",
        ),
    ]],
};

static OPTIMIZER: Object = Object {
    doc: "AdamW and clipping.",
    groups: &[&[
        Key::required("learning_rate", ABOVE_0, "Peak learning rate."),
        Key::required(
            "betas",
            Shape::List(&Shape::Number(Bound::To(0.0), Bound::Beyond(1.0)), 2, 2),
            "Decay of the first and of the second moment.",
        ),
        Key::required("eps", ABOVE_0, "Added outside the bias-corrected root."),
        Key::required("weight_decay", AT_LEAST_0, "Decoupled weight decay."),
        Key::required("max_grad_norm", ABOVE_0, "Gradients are scaled to this global norm when they exceed it."),
    ]],
};

const SCHEDULE: Shape = Shape::Tagged { tag: "shape", variants: &[("constant", &CONSTANT), ("linear", &LINEAR)] };
const SHAPE: Key = Key::required(
    "shape",
    Shape::Choice(&["constant", "linear"]),
    "After the warm-up: constant stays at the peak, linear falls to 0 at total_steps.",
);
const WARMUP: Key = Key::required("warmup_steps", NATURAL, "Steps over which the rate rises from 0.");

static CONSTANT: Object = Object { doc: "Stays at the peak after the warm-up.", groups: &[&[SHAPE, WARMUP]] };

static LINEAR: Object = Object {
    doc: "Falls to 0 at total_steps.",
    groups: &[&[
        SHAPE,
        WARMUP,
        Key::required(
            "total_steps",
            POSITIVE,
            "The length that linear decays over; may be more than the steps that are run.",
        ),
    ]],
};

static ORDER: Object = Object {
    doc: "Order in which questions are seen.",
    groups: &[&[Key::required(
        "seed",
        NATURAL,
        "Epoch e uses torch.manual_seed(seed + e) and torch.randperm, as Hugging Face's trainer does.",
    )]],
};
