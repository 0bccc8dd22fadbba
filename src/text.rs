//! Small words for messages: nearest known name, counts, lists.

/// The known name nearest to `name` by edit distance, when it is near enough to be a misspelling.
pub fn nearest<'a>(name: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    known
        .into_iter()
        .map(|k| (strsim::damerau_levenshtein(name, k), k))
        .filter(|(d, k)| *d <= k.len().max(name.len()) / 3 + 1)
        .min_by_key(|(d, _)| *d)
        .map(|(_, k)| k)
}

/// `1 row`, `2 rows`; for words whose plural ends in s.
pub fn count(number: impl Into<u64>, what: &str) -> String {
    let number = number.into();
    format!("{number} {what}{}", if number == 1 { "" } else { "s" })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nearest_finds_misspellings_and_nothing_else() {
        assert_eq!(nearest("sede", ["seed", "name"]), Some("seed"));
        assert_eq!(nearest("group_sise", ["group_size", "steps"]), Some("group_size"));
        assert_eq!(nearest("zebra", ["seed", "name"]), None);
    }
}
