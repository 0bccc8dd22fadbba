//! The fast way through an ordinary predictions file: rows are read where they lie and judged as they come, no tree is built. What is not ordinary
//! (a number for an id, a key twice, an absent option) is left to the reader in `file.rs`, which knows every problem and says it.

use super::{Judged, Score, Tally, judge};
use crate::data::mmau::without_mark;
use crate::recipe::Rule;
use serde::de::{Deserialize, DeserializeSeed, Deserializer, SeqAccess, Visitor};
use std::borrow::Cow;
use std::collections::HashSet;
use std::fmt;

/// Rows for which there is room from the start: those of MMAU's test-mini.
const MANY: usize = 1000;

/// A text that is borrowed from the file unless it has escapes.
#[derive(Debug, serde::Deserialize)]
#[serde(transparent)]
struct Text<'a>(#[serde(borrow)] Cow<'a, str>);

impl AsRef<str> for Text<'_> {
    fn as_ref(&self) -> &str {
        &self.0
    }
}

/// What a verdict depends on. A null where a text should stand is not ordinary.
#[derive(Debug, serde::Deserialize)]
struct Ordinary<'a> {
    #[serde(borrow)]
    id: Text<'a>,
    choices: Vec<Text<'a>>,
    answer: Text<'a>,
    task: Text<'a>,
    difficulty: Text<'a>,
    #[serde(rename = "sub-category", default, deserialize_with = "present")]
    sub_category: Option<Text<'a>>,
    #[serde(default, deserialize_with = "present")]
    model_output: Option<Text<'a>>,
    #[serde(default, deserialize_with = "present")]
    model_prediction: Option<Text<'a>>,
}

fn present<'de, D: Deserializer<'de>>(reader: D) -> Result<Option<Text<'de>>, D::Error> {
    Text::deserialize(reader).map(Some)
}

impl Ordinary<'_> {
    fn is_whole(&self) -> bool {
        let given = [&self.id, &self.answer, &self.task, &self.difficulty];
        let one = match (&self.model_output, &self.model_prediction) {
            (Some(one), Some(other)) => one.0 == other.0,
            _ => true,
        };
        one && !self.choices.is_empty() && given.iter().all(|text| !text.0.is_empty())
    }
}

/// The rows of a file, judged and counted; an error that nobody reads where something is not ordinary.
struct Rows(Rule);

impl<'de> DeserializeSeed<'de> for Rows {
    type Value = (Tally, u64);

    fn deserialize<D: Deserializer<'de>>(self, reader: D) -> Result<Self::Value, D::Error> {
        reader.deserialize_seq(self)
    }
}

impl<'de> Visitor<'de> for Rows {
    type Value = (Tally, u64);

    fn expecting(&self, f: &mut fmt::Formatter) -> fmt::Result {
        f.write_str("an array of rows")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut rows: A) -> Result<Self::Value, A::Error> {
        let (mut seen, mut tally, mut missing) = (HashSet::with_capacity(MANY), Tally::default(), 0);
        while let Some(row) = rows.next_element::<Ordinary<'de>>()? {
            let whole = row.is_whole();
            if !whole || !seen.insert(row.id.0) {
                return Err(serde::de::Error::custom("not ordinary"));
            }
            let Some(prediction) = row.model_output.or(row.model_prediction) else {
                missing += 1;
                continue;
            };
            let verdict = judge(self.0, &row.answer.0, &prediction.0, &row.choices);
            tally.count(&Judged {
                task: row.task.as_ref(),
                difficulty: row.difficulty.as_ref(),
                sub_category: row.sub_category.as_ref().map_or("", Text::as_ref),
                verdict,
            });
        }
        Ok((tally, missing))
    }
}

/// The score of an ordinary file; `None` where something in it is not.
pub(super) fn score(bytes: &[u8], rule: Rule) -> Option<Score> {
    let mut reader = serde_json::Deserializer::from_str(std::str::from_utf8(without_mark(bytes)).ok()?);
    let (tally, missing) = Rows(rule).deserialize(&mut reader).ok()?;
    reader.end().ok()?;
    (tally.whole.total > 0).then(|| tally.finish(rule, missing))
}

#[cfg(test)]
mod tests {
    use super::super::file::score_slice;
    use super::*;
    use proptest::prelude::*;

    /// The entries of a row as text, in order, so that keys may be there twice and texts may have escapes.
    const ENTRIES: [[&str; 4]; 11] = [
        [r#""id": "N""#, r#""id": N"#, r#""id": """#, r#""id": "same""#],
        [
            r#""choices": ["a dog", "a \u0063at"]"#,
            r#""choices": []"#,
            r#""choices": [1]"#,
            r#""choices": ["É", "é b"]"#,
        ],
        [r#""answer": "a dog""#, r#""answer": null"#, r#""answer": """#, r#""answer": "é""#],
        [r#""task": "sound""#, r#""task": """#, r#""task": "mu\nsic""#, r#""task": 1"#],
        [r#""difficulty": "easy""#, r#""difficulty": null"#, r#""difficulty": "hard""#, r#""difficulty": """#],
        [r#""sub-category": "s""#, r#""sub-category": null"#, r#""sub-category": """#, r#""sub-category": ["s"]"#],
        [r#""model_output": "A DOG""#, r#""model_output": null"#, r#""model_output": "cat""#, r#""model_output": """#],
        [r#""model_prediction": "A DOG""#, r#""model_prediction": 3"#, r#""model_prediction": "a cat""#, ""],
        [r#""other": {"id": [null, 1.5e3]}"#, r#""\u0069d": "M""#, r#""question": "?""#, ""],
        [r#""task": "again""#, "", "", ""],
        [r#""model_output": "É""#, "", "", ""],
    ];

    fn row() -> impl Strategy<Value = String> {
        // Mostly the first seven entries as they should be and no others; now and then another, and an entry that is not there.
        let entry = |i: usize| prop_oneof![12 => Just(if i < 7 { 0 } else { 4usize }), 1 => 0..5usize];
        let picks: Vec<_> = (0..ENTRIES.len()).map(entry).collect();
        picks.prop_map(|picks| {
            let chosen = picks.iter().zip(ENTRIES).map(|(&pick, entry)| *entry.get(pick).unwrap_or(&""));
            let chosen: Vec<&str> = chosen.filter(|text| !text.is_empty()).collect();
            format!("{{{}}}", chosen.join(", "))
        })
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(2000))]
        #[test]
        fn an_ordinary_file_scores_as_any_other(rows in proptest::collection::vec(row(), 1..4), behind in "[ \n]{0,2}|x") {
            let rows: Vec<String> = rows.iter().enumerate().map(|(i, row)| row.replace('N', &i.to_string())).collect();
            let text = format!("[{}]{behind}", rows.join(","));
            for rule in Rule::ALL {
                if let Some(fast) = score(text.as_bytes(), rule) {
                    prop_assert_eq!(Some(fast), score_slice(text.as_bytes(), "p.json", rule, None).ok(), "{}", text);
                }
            }
        }
    }

    #[test]
    fn what_users_have_is_ordinary() {
        let row = |i: usize| format!("{{{}}}", ENTRIES.map(|e| e[0])[..7].join(", ").replace('N', &i.to_string()));
        let text = |rows: &[String]| format!("[{}]\n", rows.join(",\n"));
        let whole = text(&[row(1), row(2), row(3)]);
        assert_eq!(score(whole.as_bytes(), Rule::Official).unwrap().correct, 3);
        assert!(score(text(&[row(1), row(1)]).as_bytes(), Rule::Official).is_none(), "an id twice");
        assert!(score(&[whole.as_bytes(), b"\xff"].concat(), Rule::Official).is_none(), "no UTF-8");
    }
}
