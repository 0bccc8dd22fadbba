//! Byte-level BPE by the book (Sennrich et al. 2016, arXiv 1508.07909): join the most frequent pair, again and again.
//!
//! Written here because the vocabulary is part of a pinned policy: its bytes must not depend on the order of a hash map, on the
//! number of threads, or on the version of a trainer.

use std::collections::{BTreeMap, HashMap};

/// What was learnt.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Bpe {
    /// Tokens by id: the 256 byte symbols in code point order, then one a merge.
    pub tokens: Vec<String>,
    /// The pairs that were joined, in the order in which they are to be joined.
    pub merges: Vec<(String, String)>,
}

/// GPT-2's printable stand-in for each byte (openai/gpt-2 src/encoder.py, bytes_to_unicode).
pub fn byte_symbols() -> [char; 256] {
    let printable = |b: u8| matches!(b, b'!'..=b'~' | 0xa1..=0xac | 0xae..=0xff);
    let mut next = 256;
    std::array::from_fn(|b| {
        let byte = u8::try_from(b).expect("an index below 256");
        let point = if printable(byte) {
            u32::from(byte)
        } else {
            next += 1;
            next - 1
        };
        char::from_u32(point).expect("below 512")
    })
}

/// Learns merges from chunks (spelt in byte symbols, with their counts) until there are `size` tokens or nothing is left to
/// join. Of equally frequent pairs the one with the lower ids is joined first.
pub fn train(chunks: &BTreeMap<String, u64>, size: usize) -> Bpe {
    let mut alphabet = byte_symbols();
    alphabet.sort_unstable();
    let mut tokens: Vec<String> = alphabet.iter().map(char::to_string).collect();
    let mut ids: HashMap<String, usize> = tokens.iter().cloned().zip(0..).collect();
    let mut merges = Vec::new();
    let mut words: Vec<(Vec<usize>, u64)> =
        chunks.iter().map(|(chunk, &count)| (chunk.chars().map(|c| ids[&c.to_string()]).collect(), count)).collect();
    while tokens.len() < size {
        let mut counts: BTreeMap<(usize, usize), u64> = BTreeMap::new();
        for (word, count) in &words {
            for pair in word.windows(2) {
                *counts.entry((pair[0], pair[1])).or_default() += count;
            }
        }
        // `max_by_key` takes the last of equals: going backwards, that is the pair with the lowest ids.
        let Some((&pair, _)) = counts.iter().rev().max_by_key(|(_, count)| **count) else { break };
        let joined = format!("{}{}", tokens[pair.0], tokens[pair.1]);
        merges.push((tokens[pair.0].clone(), tokens[pair.1].clone()));
        let id = *ids.entry(joined.clone()).or_insert_with(|| {
            tokens.push(joined);
            tokens.len() - 1
        });
        for (word, _) in &mut words {
            join(word, pair, id);
        }
    }
    Bpe { tokens, merges }
}

/// Replaces the pair by `id` wherever it stands, from the left.
fn join(word: &mut Vec<usize>, pair: (usize, usize), id: usize) {
    let mut at = 0;
    while at + 1 < word.len() {
        if (word[at], word[at + 1]) == pair {
            word[at] = id;
            word.remove(at + 1);
        }
        at += 1;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn learn(chunks: &[(&str, u64)], size: usize) -> Vec<String> {
        let chunks = chunks.iter().map(|&(c, n)| (c.to_owned(), n)).collect();
        train(&chunks, size).merges.into_iter().map(|(a, b)| format!("{a} {b}")).collect()
    }

    #[test]
    fn joins_the_most_frequent_pair_first_and_stops_when_nothing_is_left() {
        // Sennrich's example: low 5, lower 2, newest 6, widest 3.
        let merges = learn(&[("low", 5), ("lower", 2), ("newest", 6), ("widest", 3)], 260);
        assert_eq!(merges, ["e s", "es t", "l o", "lo w"]);
        assert_eq!(learn(&[("ab", 1)], 1000), ["a b"]);
        assert_eq!(learn(&[], 1000).len(), 0);
    }

    #[test]
    fn overlapping_pairs_are_joined_from_the_left() {
        let mut word = vec![1, 1, 1, 2, 1, 1];
        join(&mut word, (1, 1), 9);
        assert_eq!(word, [9, 1, 2, 9]);
    }

    #[test]
    fn byte_symbols_are_256_different_printable_characters() {
        let symbols = byte_symbols();
        assert_eq!(symbols.iter().collect::<std::collections::HashSet<_>>().len(), 256);
        assert_eq!((symbols[usize::from(b'a')], symbols[usize::from(b' ')], symbols[0]), ('a', 'Ġ', 'Ā'));
    }
}
