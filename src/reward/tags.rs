//! What counts as the answer in a text: Python's `re` on `<answer>(.*?)</answer>`, or on `<RESPONSE>(.*?)</RESPONSE>`.

use crate::prompt::python::strip;

pub(super) const OPEN: &str = "<answer>";
pub(super) const CLOSE: &str = "</answer>";

/// The insides of the blocks of a text between two tags, as `re.finditer` walks them. `.` stops at `\n` unless `dotall`.
fn between<'t>(text: &'t str, open: &'static str, close: &'static str, dotall: bool) -> impl Iterator<Item = &'t str> {
    let mut from = 0;
    std::iter::from_fn(move || {
        let (start, inside) = text[from..].match_indices(open).find_map(|(at, _)| {
            let start = from + at + open.len();
            let inside = &text[start..start + text[start..].find(close)?];
            (dotall || !inside.contains('\n')).then_some((start, inside))
        })?;
        from = start + inside.len() + close.len();
        Some(inside)
    })
}

fn blocks(text: &str, dotall: bool) -> impl Iterator<Item = &str> {
    between(text, OPEN, CLOSE, dotall)
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

/// The inside of the first `<RESPONSE>…</RESPONSE>`, over as many lines as it takes, else the whole text; stripped. Audio-Reasoner answers so, behind its
/// `<THINK>…</THINK>`.
pub fn response(text: &str) -> &str {
    strip(between(text, "<RESPONSE>", "</RESPONSE>", true).next().unwrap_or(text))
}
