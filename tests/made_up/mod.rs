//! Made-up versions of a made-up data set, for what must hold of any.
#![allow(missing_docs)]

use aqa_bench::data::identify::{digest, order};
use aqa_bench::data::versions::Versions;
use aqa_bench::pins::{Revision, Sha256};
use serde_json::{Map, Value, json};

pub const FIELDS: [&str; 10] =
    ["audio_id", "question", "choices", "answer", "dataset", "task", "split", "category", "sub-category", "difficulty"];

pub type Rowed = Vec<Map<String, Value>>;

/// The first of three made-up versions, of seven rows.
pub fn first() -> Rowed {
    let row = |i: usize| {
        let row = json!({
            "id": format!("q{i}"), "audio_id": format!("./test-mini-audios/q{i}.wav"),
            "question": format!("Café {i}?"), "choices": ["dog", "cat", "dog"], "answer": "cat",
            "dataset": "made-up", "task": (["sound", "music", "speech"][i % 3]), "split": "test-mini",
            "category": ["Reasoning"], "sub-category": "Counting", "difficulty": (["easy", "Hard"][i % 2]),
        });
        row.as_object().unwrap().clone()
    };
    (0..7).map(row).collect()
}

/// The second: another answer in row 2.
pub fn second() -> Rowed {
    let mut rows = first();
    rows[2].insert("answer".into(), "horse".into());
    rows
}

/// The third: another row in place of row 0, and another question in row 1.
pub fn third() -> Rowed {
    let mut rows = second();
    rows[0].insert("id".into(), "new".into());
    rows[1].insert("question".into(), "What else?".into());
    rows
}

pub fn bytes(rows: &[Map<String, Value>]) -> Vec<u8> {
    serde_json::to_vec_pretty(rows).unwrap()
}

pub fn commit(name: &str) -> Revision {
    Revision::of_blob(name.as_bytes())
}

/// The table of some versions' rows, as `scripts/mmau-versions.py` makes it.
pub fn table(versions: &[(Revision, Rowed)]) -> String {
    let mut out = String::new();
    let mut known: indexmap::IndexMap<String, String> = indexmap::IndexMap::new();
    for (at, (commit, rows)) in versions.iter().enumerate() {
        let ids: Vec<String> = rows.iter().map(|row| row["id"].as_str().unwrap().to_owned()).collect();
        out += &format!("version\t{commit}\t{}\n", order(ids.iter()));
        for row in rows {
            let digests: String = FIELDS.iter().map(|field| digest(&row[*field]).unwrap()).collect();
            let line = format!("{}\t{digests}", row["id"].as_str().unwrap());
            *known.entry(line).or_default() += &(at + 1).to_string();
        }
    }
    out += &format!("fields\t{}\n", FIELDS.join("\t"));
    known.iter().for_each(|(line, versions)| out += &format!("{versions}\t{line}\n"));
    out
}

/// Three versions with rows, one with its hash alone, one of a pull request and a test file.
pub fn world() -> (Versions, String) {
    let version = |name: &str, rows: &[u8], published: &str| {
        json!({
            "name": format!("Made-up of {name}"), "label": "made-up", "date": name, "commit": commit(name),
            "sha256": Sha256::of(rows), "bytes": rows.len(), "rows": 7, "difficulty": {}, "answers_not_in_choices": 0,
            "comparable": published, "note": format!("what changed in {name}"),
        })
    };
    let fourth = [&bytes(&reversed(first()))[..], b"\n"].concat();
    let versions = json!({
        "schema": 1, "what": "", "repository": "", "file": "", "declared_comparable": {},
        "versions": [
            version("day 1", &bytes(&first()), "a"), version("day 2", &bytes(&second()), "a"),
            version("day 3", &bytes(&third()), "b"), version("day 4", &fourth, "c"),
        ],
        "elsewhere": [{"name": "Made-up of nowhere", "commit": "abcdef01", "sha256": Sha256::of(b"[{}]"), "note": "none"}],
        "test": [{"name": "Made-up test", "commit": "12345678", "git_blob": Revision::of_blob(&bytes(&first()[..2])),
                  "rows": 2, "note": "withheld"}],
        "published": [{"numbers": "Somebody's numbers", "reservation": "Two files may be meant.",
                       "commits": [commit("day 1").short(), commit("day 2").short()]}],
    });
    let known = [("day 1", first()), ("day 2", second()), ("day 3", third())];
    let known: Vec<_> = known.into_iter().map(|(name, rows)| (commit(name), rows)).collect();
    (Versions::parse(&versions.to_string()).unwrap(), table(&known))
}

pub fn reversed(mut rows: Rowed) -> Rowed {
    rows.reverse();
    rows
}
