//! MMAU's rule (Sakshi113/MMAU, evaluation.py since commit 7468292).

use super::Verdict;
use crate::prompt::python::is_word;

/// Puts the lower-cased text into a buffer.
fn lower<'a>(text: &str, buffer: &'a mut String) -> &'a str {
    buffer.clear();
    if text.is_ascii() {
        buffer.push_str(text);
        buffer.make_ascii_lowercase();
    } else {
        buffer.push_str(&text.to_lowercase());
    }
    buffer
}

/// The first of `\b\w+\b` in the lower-cased text that `is_it`, as Python's `re` finds them: maximal runs of word characters.
fn find<'a>(lower: &'a str, mut is_it: impl FnMut(&'a str) -> bool) -> bool {
    let (bytes, mut start) = (lower.as_bytes(), None);
    if !lower.is_ascii() {
        return lower.split(|c| !is_word(c)).any(|token| !token.is_empty() && is_it(token));
    }
    for (at, &byte) in bytes.iter().enumerate() {
        match (byte.is_ascii_alphanumeric() || byte == b'_', start) {
            (true, None) => start = Some(at),
            (false, Some(from)) => {
                if is_it(&lower[from..at]) {
                    return true;
                }
                start = None;
            }
            _ => {}
        }
    }
    start.is_some_and(|from| is_it(&lower[from..]))
}

/// Tokens in order, to be looked up: for so few that is faster than hashing.
fn sorted(lower: &str) -> Vec<&str> {
    let mut tokens: Vec<&str> = Vec::with_capacity(16);
    find(lower, |token| {
        tokens.push(token);
        false
    });
    tokens.sort_unstable();
    tokens
}

fn has(sorted: &[&str], token: &str) -> bool {
    sorted.binary_search(&token).is_ok()
}

/// Judges a prediction: correct when it holds every token of the answer, and no token that another option has beyond the
/// answer's. Options whose token set is the answer's are no other options. Order and repetition do not matter.
///
/// A prediction without any token is no answer; the script counts it as not correct.
pub fn judge(answer: &str, prediction: &str, choices: &[impl AsRef<str>]) -> Verdict {
    let [mut one, mut two, mut three] = [const { String::new() }; 3];
    let (prediction, answer) = (lower(prediction, &mut one), lower(answer, &mut two));
    let predicted = sorted(prediction);
    if predicted.is_empty() {
        return Verdict::NoAnswer;
    }
    if find(answer, |token| !has(&predicted, token)) {
        return Verdict::Wrong;
    }
    let gold = sorted(answer);
    // A token beyond the answer's makes the option another one.
    let mut betrays =
        |choice: &str| find(lower(choice, &mut three), |token| has(&predicted, token) && !has(&gold, token));
    if choices.iter().any(|choice| betrays(choice.as_ref())) { Verdict::Wrong } else { Verdict::Correct }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::HashSet;

    /// What the script says, in sets.
    fn by_sets(answer: &str, prediction: &str, choices: &[String]) -> Verdict {
        let set = |text: &str| -> HashSet<String> {
            let lower = text.to_lowercase();
            lower.split(|c| !is_word(c)).filter(|token| !token.is_empty()).map(str::to_owned).collect()
        };
        let (gold, predicted) = (set(answer), set(prediction));
        let others = choices.iter().map(|choice| set(choice)).filter(|other| *other != gold);
        let wrong: HashSet<String> = others.flat_map(|other| &other - &gold).collect();
        match (predicted.is_empty(), gold.is_subset(&predicted) && wrong.is_disjoint(&predicted)) {
            (true, _) => Verdict::NoAnswer,
            (false, true) => Verdict::Correct,
            (false, false) => Verdict::Wrong,
        }
    }

    fn choices(texts: &[&str]) -> Vec<String> {
        texts.iter().map(|&t| t.to_owned()).collect()
    }

    #[test]
    fn the_rule_reads_token_sets() {
        let options = choices(&["A dog", "A cat", "dog a", "The dog"]);
        let judge = |prediction: &str| judge("A dog", prediction, &options);
        assert_eq!(judge("a  DOG!"), Verdict::Correct);
        assert_eq!(judge("dog, a barking dog"), Verdict::Correct);
        assert_eq!(judge("dog"), Verdict::Wrong);
        assert_eq!(judge("a dog and a cat"), Verdict::Wrong);
        assert_eq!(judge("the answer is a dog"), Verdict::Wrong, "`the` is another option's");
        assert_eq!(judge(" ... "), Verdict::NoAnswer);
        assert_eq!(judge(""), Verdict::NoAnswer);
    }

    proptest! {
        #[test]
        fn verdicts_are_those_of_sets(
            answer in "[a-cÉΣ ',]{0,6}", options in proptest::collection::vec("[a-cÉΣ ',]{0,6}", 0..5), prediction in "[a-céσς ,]{0,9}",
        ) {
            prop_assert_eq!(judge(&answer, &prediction, &options), by_sets(&answer, &prediction, &options));
        }

        #[test]
        fn the_gold_passes_and_the_order_of_options_is_nothing(
            options in proptest::collection::vec("[a-eÉΣ ',]{0,8}", 2..6), at in 0usize..6, prediction in "[a-eéσς ,]{0,8}", turn in 0usize..6,
        ) {
            let answer = &options[at % options.len()];
            let own = judge(answer, answer, &options);
            prop_assert!(own == Verdict::Correct || own == Verdict::NoAnswer);
            let mut turned = options.clone();
            turned.rotate_left(turn % options.len());
            turned.reverse();
            prop_assert_eq!(judge(answer, &prediction, &options), judge(answer, &prediction, &turned));
        }

        #[test]
        fn other_options_fail_when_their_tokens_are_their_own(sets in proptest::collection::vec("[a-e]( [a-e]){0,2}", 2..6)) {
            let sets: Vec<String> = sets.iter().enumerate().map(|(i, s)| format!("{s} own{i}")).collect();
            for (i, gold) in sets.iter().enumerate() {
                for (j, other) in sets.iter().enumerate() {
                    prop_assert_eq!(judge(gold, other, &sets) == Verdict::Correct, i == j);
                }
            }
        }
    }
}
