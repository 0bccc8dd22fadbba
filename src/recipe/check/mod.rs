//! What the shape of single values cannot say: references, multiples, pins that depend on where a thing comes from.

mod inputs;
mod memory;
mod report;
mod stages;

use super::problem::Problems;
use super::spot::Spot;
use super::tree::Node;
use crate::text::nearest;

/// Checks a tree across its keys; speaks about what is there and well-formed, whatever else is wrong.
///
/// `alone`: whether it was asked for by itself, and is not what another recipe builds on.
pub(super) fn check(root: &Node, alone: bool, problems: &mut Problems) {
    let root = Spot::root(root);
    inputs::model(&root, problems);
    inputs::data(&root, alone, problems);
    stages::stages(&root, problems);
}

/// `did you mean X?`, or the list of names.
fn hint_from(name: &str, known: &[&str], what: &str) -> String {
    match nearest(name, known.iter().copied()) {
        Some(near) => format!("did you mean {near}?"),
        None if known.is_empty() => format!("there are no {what}"),
        None => format!("{what}: {}", known.join(", ")),
    }
}
