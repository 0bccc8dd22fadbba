//! What counts as the answer in a text: Python's `re` on `<answer>(.*?)</answer>`.

use crate::prompt::python::strip;

pub(super) const OPEN: &str = "<answer>";
pub(super) const CLOSE: &str = "</answer>";

/// The insides of the blocks of a text, as `re.finditer` walks them. `.` stops at `\n` unless `dotall`.
fn blocks(text: &str, dotall: bool) -> impl Iterator<Item = &str> {
    let mut from = 0;
    std::iter::from_fn(move || {
        let (start, inside) = text[from..].match_indices(OPEN).find_map(|(at, _)| {
            let start = from + at + OPEN.len();
            let inside = &text[start..start + text[start..].find(CLOSE)?];
            (dotall || !inside.contains('\n')).then_some((start, inside))
        })?;
        from = start + inside.len() + CLOSE.len();
        Some(inside)
    })
}

/// The inside of the first block that lies within one line, else the whole text; stripped.
pub fn answer(text: &str) -> &str {
    strip(blocks(text, false).next().unwrap_or(text))
}

/// The inside of the first block, over as many lines as it takes, else the whole text; stripped.
pub fn answer_dotall(text: &str) -> &str {
    strip(blocks(text, true).next().unwrap_or(text))
}

/// The inside of the first block, over as many lines as it takes; `None` where there is no block.
pub fn tagged(text: &str) -> Option<&str> {
    blocks(text, true).next()
}

/// The inside of the last block that lies within one line, else the whole text; stripped. Blocks do not overlap: one that
/// begins within another is part of it.
pub fn last_answer(text: &str) -> &str {
    strip(blocks(text, false).last().unwrap_or(text))
}

/// [`answer`] of what follows the last `</think>`; of the whole text if there is none.
pub fn answer_after_think(text: &str) -> &str {
    answer(text.rsplit_once("</think>").map_or(text, |(_, after)| after))
}
