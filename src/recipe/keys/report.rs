//! The keys of the report.

use super::super::shape::{Key, Object, Shape};

pub(super) static REPORT: Object = Object {
    doc: "What the report prints beside the measured rows.",
    groups: &[&[
        Key::optional(
            "claims",
            Shape::List(&Shape::Text, 0, usize::MAX),
            "Files of quoted rows, relative to the recipe's folder.",
        ),
        Key::optional(
            "expect",
            Shape::List(&Shape::Object(&EXPECT), 0, usize::MAX),
            "Claims that measured rows are held against, for the verdict.",
        ),
        Key::optional(
            "groups",
            Shape::List(&Shape::Object(&GROUP), 0, usize::MAX),
            "Evaluations that are one measurement made several times, as with several seeds.",
        ),
    ]],
};

static EXPECT: Object = Object {
    doc: "A claim that a measured row is held against.",
    groups: &[&[
        Key::required("eval", Shape::Name, "Name of the eval, or of one of scores."),
        Key::required("claim", Shape::Text, "Id of the claim in the claim files."),
        Key::optional(
            "expect",
            Shape::Choice(&["inside"]),
            "inside: end with exit code 3, after everything is written, unless the verdict is that.",
        ),
    ]],
};

static GROUP: Object = Object {
    doc: "Evaluations that are one measurement made several times: mean, standard deviation, range and best of them are rows.",
    groups: &[&[
        Key::required("name", Shape::Name, "Name, unique among groups."),
        Key::required("label", Shape::Text, "What the report calls its rows."),
        Key::required(
            "evals",
            Shape::List(&Shape::Name, 2, usize::MAX),
            "Names of evals or of scores, all on one data set.",
        ),
    ]],
};
