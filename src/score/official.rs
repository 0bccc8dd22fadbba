//! MMAU's rule (Sakshi113/MMAU, evaluation.py since commit 7468292).

use super::Verdict;
use crate::prompt::python::is_word;
use std::cmp::Ordering;

/// A text in which upper case of ASCII counts as lower case: itself, or with other letters in it lower-cased in a buffer.
fn folded<'a>(text: &'a str, buffer: &'a mut String) -> &'a str {
    if text.is_ascii() {
        return text;
    }
    *buffer = text.to_lowercase();
    buffer
}

/// A token to be compared: its first eight bytes in lower case as a number, zeros behind a shorter one, and what follows them in either case. No
/// token has a zero byte.
#[derive(Debug, Clone, Copy)]
struct Token<'a> {
    head: u64,
    rest: &'a [u8],
}

impl Token<'_> {
    fn is(&self, other: &Self) -> bool {
        // Most tokens have no rest: a call that compares nothing is not made.
        self.head == other.head
            && self.rest.len() == other.rest.len()
            && (self.rest.is_empty() || self.rest.eq_ignore_ascii_case(other.rest))
    }

    /// An order in which tokens that are the same stand at the same place.
    fn order(&self, other: &Self) -> Ordering {
        let [own, others] = [self, other].map(|token| token.rest.iter().map(u8::to_ascii_lowercase));
        self.head.cmp(&other.head).then_with(|| own.cmp(others))
    }
}

/// Of a byte of ASCII that is one of a word, its lower case; else zero.
const WORD: [u8; 256] = {
    let (mut word, mut byte) = ([0; 256], 0);
    while byte < 128 {
        let c = byte as u8;
        if c.is_ascii_alphanumeric() || c == b'_' {
            word[byte] = c.to_ascii_lowercase();
        }
        byte += 1;
    }
    word
};

/// The first of `\b\w+\b` in a folded text that `is_it`, as Python's `re` finds them: maximal runs of word characters.
fn find<'a>(folded: &'a str, mut is_it: impl FnMut(Token<'a>) -> bool) -> bool {
    if !folded.is_ascii() {
        let mut tokens = folded.split(|c| !is_word(c)).filter(|token| !token.is_empty());
        return tokens.any(|token| {
            let (head, rest) = token.as_bytes().split_at(token.len().min(8));
            is_it(Token {
                head: head.iter().rev().fold(0, |sum, byte| sum << 8 | u64::from(byte.to_ascii_lowercase())),
                rest,
            })
        });
    }
    let bytes = folded.as_bytes();
    let (mut head, mut length) = (0, 0);
    for (at, &byte) in bytes.iter().enumerate() {
        let letter = WORD[byte as usize];
        if letter != 0 {
            if length < 8 {
                head |= u64::from(letter) << (8 * length);
            }
            length += 1;
        } else if length > 0 {
            if is_it(Token { head, rest: &bytes[at - length + length.min(8)..at] }) {
                return true;
            }
            (head, length) = (0, 0);
        }
    }
    length > 0 && is_it(Token { head, rest: &bytes[bytes.len() - length + length.min(8)..] })
}

/// Tokens to be looked up: few as they come, many in order. For so few either is faster than hashing.
struct Tokens<'a>(Vec<Token<'a>>);

/// Tokens above which they are in order.
const FEW: usize = 16;

impl<'a> Tokens<'a> {
    fn of(folded: &'a str) -> Self {
        let mut tokens = Vec::with_capacity(FEW);
        find(folded, |token| {
            tokens.push(token);
            false
        });
        if tokens.len() > FEW {
            tokens.sort_unstable_by(Token::order);
        }
        Self(tokens)
    }

    fn has(&self, token: &Token<'_>) -> bool {
        match self.0.len() > FEW {
            true => self.0.binary_search_by(|own| own.order(token)).is_ok(),
            false => self.0.iter().any(|own| own.is(token)),
        }
    }
}

/// Judges a prediction: correct when it holds every token of the answer, and no token that another option has beyond the
/// answer's. Options whose token set is the answer's are no other options. Order and repetition do not matter.
///
/// A prediction without any token is no answer; the script counts it as not correct.
pub fn judge(answer: &str, prediction: &str, choices: &[impl AsRef<str>]) -> Verdict {
    let [mut one, mut two, mut three] = [const { String::new() }; 3];
    let (prediction, answer) = (folded(prediction, &mut one), folded(answer, &mut two));
    let predicted = Tokens::of(prediction);
    if predicted.0.is_empty() {
        return Verdict::NoAnswer;
    }
    if find(answer, |token| !predicted.has(&token)) {
        return Verdict::Wrong;
    }
    let gold = Tokens::of(answer);
    // A token beyond the answer's makes the option another one.
    let mut betrays =
        |choice: &str| find(folded(choice, &mut three), |token| predicted.has(&token) && !gold.has(&token));
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

        /// Words around eight bytes that begin alike, and predictions of few and of many.
        #[test]
        fn long_words_and_long_predictions_are_no_exception(
            answer in "((a{7,10}|a{7}b?|é{3,5}|[aA]{8}[bc]) ){1,3}", options in proptest::collection::vec("((A{7,10}|a{8}[bcC]|é{3,5}) ){1,3}", 1..4),
            words in proptest::collection::vec("a{6,11}|A{7}b|[éÉ]{2,6}|a{8}[bcdCD]|[b-z]", 0..40),
        ) {
            let prediction = words.join(" ");
            prop_assert_eq!(judge(&answer, &prediction, &options), by_sets(&answer, &prediction, &options));
            // One that holds the answer, so that what betrays it is looked for.
            let holds = format!("{prediction} {answer}");
            prop_assert_eq!(judge(&answer, &holds, &options), by_sets(&answer, &holds, &options));
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
