//! The rules that read less than MMAU's script does: `parsed`, `exact`, `answer-tag`.

use super::Verdict;
use super::options::Options;
use crate::prompt::python::strip;
use crate::reward;

/// Judges the option that a text names. Of a text with thoughts, what follows the last `</think>` counts; of that, what stands in the first
/// `<answer>…</answer>` where there is one. It is read, in this order and no further than needed, as
///
/// 1. an option's text, alone (case, white space, quotes, emphasis and closing punctuation do not matter),
/// 2. a letter and an option's text that agree: `(A) text`, `A. text`, `A: text`, `A) text`,
/// 3. a letter alone: `A`, `(A)`, `A.`,
/// 4. what follows the last `answer is` or `answer:` that names an option, as 1 to 3 or as 5 within its sentence,
/// 5. running text that names one option: by its text as a phrase (one that lies within a longer option's does not count), by `(A)` anywhere or
///    `A.` at the beginning.
///
/// A text that names none is no answer. One that names different options is wrong: it was answered, and an answer that leaves the choice to the
/// reader is none of the options (the official rule says the same). Nothing is guessed.
pub(super) fn parsed(answer: &str, prediction: &str, choices: &[impl AsRef<str>]) -> Verdict {
    let said = prediction.rsplit_once("</think>").map_or(prediction, |(_, after)| after);
    let said = reward::tagged(said).unwrap_or(said);
    if strip(said).is_empty() {
        return Verdict::NoAnswer;
    }
    let options = Options::of(answer, choices);
    let named = options.whole(said).or_else(|| options.after_cue(said)).or_else(|| options.running(said));
    match named {
        None => Verdict::NoAnswer,
        Some(named) if options.is_gold(named) => Verdict::Correct,
        Some(_) => Verdict::Wrong,
    }
}

/// Judges by equal bytes, white space around both texts left out (Python's `strip`). A blank text is no answer.
pub(super) fn exact(answer: &str, prediction: &str) -> Verdict {
    match strip(prediction) {
        "" => Verdict::NoAnswer,
        said if said == strip(answer) => Verdict::Correct,
        _ => Verdict::Wrong,
    }
}

/// Judges what stands in the first `<answer>…</answer>`, over as many lines as it takes: the forms 1 to 3 of [`parsed`]. Without a tag, or with a
/// blank one, there is no answer; a tag with anything else is wrong.
pub(super) fn answer_tag(answer: &str, prediction: &str, choices: &[impl AsRef<str>]) -> Verdict {
    let said = reward::tagged(prediction).map_or("", strip);
    if said.is_empty() {
        return Verdict::NoAnswer;
    }
    let options = Options::of(answer, choices);
    let right = options.whole(said).is_some_and(|named| options.is_gold(named));
    if right { Verdict::Correct } else { Verdict::Wrong }
}
