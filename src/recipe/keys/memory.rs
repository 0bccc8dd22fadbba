//! The keys of how a training stage spends memory.

use super::super::shape::{Key, Object, Shape};
use super::POSITIVE;

const PLACE: Shape = Shape::Choice(&["device", "host"]);

const STAGE: &[Key] = &[
    Key::optional(
        "activations",
        Shape::Choice(&["keep", "recompute"]),
        "What the backward pass finds: keep is everything it reads, recompute the input of each layer, which then runs again; the same numbers. Default: keep.",
    ),
    Key::optional(
        "master",
        Shape::Choice(&["float32", "split"]),
        "The float32 weights behind a bfloat16 policy: beside it (4 bytes a parameter), or what the bfloat16 weights lack of them (2 bytes); the same numbers. Default: float32.",
    ),
    Key::optional(
        "optimizer",
        PLACE,
        "Where master weights and moments live and the step is computed; the same numbers but for the device's own rounding. Default: device.",
    ),
    Key::optional(
        "micro_batch_tokens",
        POSITIVE,
        "Tokens that go through the policy at once, prompts, completions and padding: as many questions as fit go together, those of like length; one that is longer goes alone. Changes memory and speed, not the result beyond rounding. Default: no bound but micro_batch.",
    ),
    Key::optional(
        "moments",
        Shape::Choice(&["float32", "int8"]),
        "Number type of AdamW's moments; int8 is not exact: every step rounds them to 8 bits in blocks of 256. Default: float32.",
    ),
];

/// Of supervised training.
pub(super) static SFT: Object = Object { doc: "Where the stage keeps what it needs.", groups: &[STAGE] };

/// Of GRPO.
pub(super) static GRPO: Object = Object {
    doc: "Where the stage keeps what it needs.",
    groups: &[
        STAGE,
        &[
            Key::optional(
                "reference",
                PLACE,
                "Where the frozen reference lives: host brings it to the device layer by layer, once a step; the same numbers. Default: device.",
            ),
            Key::optional(
                "rollout_batch",
                POSITIVE,
                "Questions whose completions are drawn at once; changes memory, not the result beyond rounding. Default: questions_per_step.",
            ),
        ],
    ],
};
