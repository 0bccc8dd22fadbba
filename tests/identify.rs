//! `identify`: which of MMAU's files a file is, whatever it is dressed in. Made-up versions for what must hold of any; the real
//! files for what the shipped tables say.

mod made_up;
mod program;

use aqa_bench::data::identify::{Dress, Identity, Knowledge, Rows, Verdict, Which, identify};
use aqa_bench::pins::Sha256;
use made_up::{FIELDS, Rowed, bytes, commit, first, second, table, third, world};
use program::{aqa, redact, shared};
use proptest::prelude::*;
use serde_json::{Map, Value, json};
use std::collections::BTreeMap;
use std::fs;
use tempfile::tempdir;

#[track_caller]
fn found(bytes: &[u8]) -> Identity {
    let (versions, rows) = world();
    identify(bytes, "FILE.json", &Knowledge { versions: &versions, rows: Rows::parse(&rows).unwrap() }).unwrap()
}

fn names(identity: &Identity) -> Vec<&str> {
    identity.versions.iter().map(|which: &Which| which.name.strip_prefix("Made-up ").unwrap()).collect()
}

#[test]
fn a_known_file_is_known_by_its_hash() {
    for (rows, name) in [(first(), "of day 1"), (second(), "of day 2"), (third(), "of day 3")] {
        let identity = found(&bytes(&rows));
        assert_eq!((identity.verdict, names(&identity)), (Verdict::Exact, vec![name]));
        assert_eq!((identity.dress.len(), identity.difference.is_none()), (0, true));
        assert_eq!(identity.compare.len(), usize::from(name != "of day 3"));
    }
    assert_eq!(names(&found(b"[{}]")), ["of nowhere"]);
    assert_eq!(names(&found(&bytes(&first()[..2]))), ["test"], "a test file is known by git's id");
}

/// A file in some dress.
fn dressed(rows: &[Map<String, Value>], indent: usize, bom: bool, crlf: bool) -> Vec<u8> {
    let mut text = match indent {
        0 => serde_json::to_string(rows).unwrap(),
        _ => {
            let indent = " ".repeat(indent);
            let mut out = Vec::new();
            let style = serde_json::ser::PrettyFormatter::with_indent(indent.as_bytes());
            serde::Serialize::serialize(rows, &mut serde_json::Serializer::with_formatter(&mut out, style)).unwrap();
            String::from_utf8(out).unwrap()
        }
    };
    if crlf {
        text = text.replace('\n', "\r\n");
    }
    if bom { [b"\xef\xbb\xbf", text.as_bytes()].concat() } else { text.into() }
}

proptest! {
    /// Whatever is put around the rows, they are recognised, and everything that was put there is named.
    #[test]
    fn the_same_rows_are_recognised_in_any_dress(
        which in 0usize..3, indent in 0usize..6, bom: bool, crlf: bool, predicted in 0usize..8, extra in 0usize..8,
        keys_turned: bool, rows_turned: bool,
    ) {
        let plain = [first(), second(), third()][which].clone();
        let mut rows = plain.clone();
        if rows_turned {
            rows.reverse();
        }
        for row in &mut rows {
            if keys_turned {
                *row = row.clone().into_iter().rev().collect();
            }
        }
        rows.iter_mut().take(predicted).for_each(|row| { row.insert("model_output".into(), "dog".into()); });
        rows.iter_mut().take(extra).for_each(|row| { row.insert("mine".into(), 1.into()); });
        let file = dressed(&rows, indent, bom, crlf);
        let identity = found(&file);
        let day_4 = which == 0 && rows_turned && !keys_turned;
        let name = if day_4 { "of day 4".to_owned() } else { format!("of day {}", which + 1) };
        prop_assert_eq!(names(&identity), [name]);
        prop_assert!(identity.difference.is_none());
        let plain_dress = !bom && (!crlf || indent == 0) && predicted == 0 && extra == 0 && !keys_turned && !rows_turned;
        prop_assert_eq!(identity.verdict, if plain_dress && indent == 2 { Verdict::Exact } else { Verdict::Same });
        let has = |dress: &Dress| identity.dress.contains(dress);
        prop_assert_eq!(has(&Dress::Bom), bom);
        prop_assert_eq!(has(&Dress::Crlf), crlf && indent > 0);
        prop_assert_eq!(has(&Dress::Predictions { key: "model_output".into(), rows: predicted as u64 }), predicted > 0);
        prop_assert_eq!(has(&Dress::ExtraKey { key: "mine".into(), rows: extra as u64 }), extra > 0);
        prop_assert_eq!(has(&Dress::Reordered), rows_turned && !day_4);
        if !rows_turned {
            prop_assert_eq!(has(&Dress::Rewritten), keys_turned || indent != 2);
        }
    }

    /// Some of the rows, in any order, are a part of every version that has them all.
    #[test]
    fn some_of_the_rows_are_a_part_of_every_version_that_has_them(kept in 1u8..127, turned: bool) {
        let mut rows: Rowed = first().into_iter().enumerate().filter(|(i, _)| kept >> i & 1 == 1).map(|(_, row)| row).collect();
        if turned {
            rows.reverse();
        }
        // The first two are the made-up test file.
        prop_assume!(kept != 3);
        let identity = found(&dressed(&rows, 3, false, false));
        let with = |i: usize| kept >> i & 1 == 1;
        let mut expected = vec!["of day 1"];
        if !with(2) {
            expected.push("of day 2");
            if !with(0) && !with(1) {
                expected.push("of day 3");
            }
        }
        prop_assert_eq!(names(&identity), expected);
        prop_assert_eq!((identity.verdict, identity.compare.len()), (Verdict::Part, 0));
        let difference = identity.difference.unwrap();
        prop_assert_eq!((difference.in_common, difference.only_there.len()), (rows.len() as u64, 7 - rows.len()));
    }

    /// One value changed is one difference, under its name, whatever the field.
    #[test]
    fn a_changed_value_is_named(row in 0usize..7, field in 0usize..FIELDS.len()) {
        let mut rows = third();
        let value = if FIELDS[field] == "choices" { json!(["dog"]) } else { json!("something else") };
        rows[row].insert(FIELDS[field].into(), value);
        let identity = found(&bytes(&rows));
        prop_assert_eq!((identity.verdict, names(&identity)), (Verdict::Near, vec!["of day 3"]));
        let difference = identity.difference.unwrap();
        prop_assert_eq!((difference.in_common, difference.alike), (7, 6));
        let ids = vec![rows[row]["id"].as_str().unwrap().to_owned()];
        prop_assert_eq!(difference.fields.into_iter().collect::<Vec<_>>(), [(FIELDS[field].to_owned(), ids)]);
    }
}

#[test]
fn rows_that_are_too_many_twice_or_without_a_name_are_no_version() {
    let extra = |edit: &dyn Fn(&mut Rowed)| {
        let mut rows = first();
        edit(&mut rows);
        found(&bytes(&rows))
    };
    let other = json!({"id": "x", "question": "?", "choices": ["a", "b"]});
    let more = extra(&|rows| rows.push(other.as_object().unwrap().clone()));
    assert_eq!((more.verdict, more.difference.unwrap().only_here), (Verdict::Near, vec!["x".to_owned()]));
    let twice = extra(&|rows| rows.push(rows[3].clone()));
    assert_eq!((twice.verdict, twice.repeated), (Verdict::Near, vec!["q3".to_owned()]));
    let nameless = extra(&|rows| rows.push(Map::new()));
    assert_eq!((nameless.verdict, nameless.nameless), (Verdict::Near, 1));
    // The first upload had no ids: its rows go by their clips.
    let clips = extra(&|rows| rows.iter_mut().for_each(|row| drop(row.remove("id"))));
    assert_eq!((clips.verdict, clips.contents.without_id, names(&clips)), (Verdict::Same, 7, vec!["of day 1"]));
    // What is not there is not compared, and said.
    let short = extra(&|rows| rows.iter_mut().for_each(|row| drop(row.remove("answer"))));
    assert_eq!((short.verdict, names(&short)), (Verdict::Part, vec!["of day 1", "of day 2"]));
    assert_eq!(short.lacking.into_iter().collect::<Vec<_>>(), [("answer".to_owned(), 7)]);
}

#[test]
fn people_are_told_what_it_is() {
    let mut predicted = first();
    predicted[..5].iter_mut().for_each(|row| drop(row.insert("model_prediction".into(), "cat".into())));
    let mut near = third();
    near.truncate(6);
    near[3].insert("answer".into(), "nothing of these".into());
    near[5].insert("id".into(), "theirs".into());
    let unknown = json!([{"id": "x", "audio_id": "x.wav", "question": "?", "choices": ["a", "b"], "answer": "a"}]);
    for (name, file) in [
        ("exact", bytes(&second())),
        ("same", dressed(&predicted, 4, true, true)),
        ("part", bytes(&first()[3..])),
        ("near", bytes(&near)),
        ("unknown", unknown.to_string().into()),
        ("test", bytes(&first()[..2])),
    ] {
        insta::assert_snapshot!(format!("identify-{name}"), found(&file).to_text());
    }
    insta::assert_snapshot!("identify-json", serde_json::to_string_pretty(&found(&bytes(&near))).unwrap());
}

#[test]
fn what_was_expected_is_held_against_what_was_found() {
    let (versions, rows) = world();
    let known = Knowledge { versions: &versions, rows: Rows::parse(&rows).unwrap() };
    let (exact, same) = (bytes(&first()), dressed(&first(), 3, false, false));
    let expect = |file: &[u8], prefix: &str| {
        identify(file, "FILE.json", &known).unwrap().expect(prefix, &known).map_err(|e| (e.exit_code(), e.to_string()))
    };
    let (day_1, day_2) = (commit("day 1"), commit("day 2"));
    let hash = Sha256::of(&exact);
    for prefix in [day_1.as_str(), day_1.short(), hash.as_str(), hash.short()] {
        assert_eq!(expect(&exact, prefix), Ok(()), "{prefix}");
    }
    assert_eq!(expect(&same, day_1.short()), Ok(()), "a commit stands for its rows");
    assert_eq!(expect(&same, Sha256::of(&same).short()), Ok(()), "a hash stands for the bytes");
    let mut all = String::new();
    for (file, prefix) in
        [(&exact, day_2.short()), (&same, hash.short()), (&bytes(&first()[1..]), day_1.short()), (&exact, "0000000")]
    {
        let (code, message) = expect(file, prefix).unwrap_err();
        assert_eq!((code, message.lines().count()), (4, 1), "{message}");
        all += &format!("{message}\n");
    }
    for prefix in ["", "abcdef", "main", "ABCDEF0", &"a".repeat(65)] {
        let (code, message) = expect(&exact, prefix).unwrap_err();
        assert_eq!(code, 2, "{message}");
        all += &format!("{message}\n");
    }
    insta::assert_snapshot!("identify-expect", all);
}

#[test]
fn what_is_no_file_of_mmau_is_refused_in_one_line() {
    let dir = tempdir().unwrap();
    let at = |name: &str| dir.path().join(name).to_str().unwrap().to_owned();
    for (name, content) in [
        ("empty.json", &b"[]"[..]),
        ("lines.json", b"{\"id\": 1}\n{\"id\": 2}\n"),
        ("avqa.json", b"[{\"id\": 1, \"video_name\": \"v\", \"question_text\": \"?\", \"multi_choice\": [\"a\"]}]"),
        ("utf16.json", b"\xff\xfe[\0]\0"),
    ] {
        fs::write(at(name), content).unwrap();
    }
    let mut all = String::new();
    for (name, code) in
        [("empty.json", 2), ("lines.json", 2), ("avqa.json", 2), ("utf16.json", 2), ("absent.json", 4), ("", 4)]
    {
        let error = aqa(["identify", &at(name)]).fails(code);
        assert_eq!(error.lines().count(), 1, "{error}");
        all += &redact(&error, dir.path());
    }
    insta::assert_snapshot!("identify-refused", all);
}

#[test]
fn the_shipped_tables_belong_together() {
    let known = Knowledge::shipped().unwrap();
    let unknown = br#"[{"id": "x", "question": "?", "choices": []}]"#;
    let identity = identify(unknown, "x", &known).unwrap();
    assert_eq!((identity.verdict, identity.compared_with.len(), identity.not_compared), (Verdict::Unknown, 3, 17));
    let dates: Vec<&str> = identity
        .compared_with
        .iter()
        .filter_map(|commit| known.versions.versions.iter().find(|v| v.commit == *commit))
        .map(|version| version.date.as_str())
        .collect();
    assert_eq!(dates, ["2025-01-28", "2025-03-25", "2025-08-09"]);
    let size = fs::metadata("recipes/data/mmau-rows.tsv").unwrap().len();
    assert!(size < 200_000, "{size}");
}

#[test]
fn the_real_files_are_what_the_shipped_tables_say() {
    let Some(folder) = shared("the_real_files_are_what_the_shipped_tables_say") else { return };
    let mmau = folder.join("data/mmau");
    let known = Knowledge::shipped().unwrap();
    let mut read = Vec::new();
    for date in ["2025-01-28", "2025-03-25", "2025-08-09"] {
        let bytes = fs::read(mmau.join(format!("mmau-test-mini.{date}.json"))).unwrap();
        let identity = identify(&bytes, date, &known).unwrap();
        assert_eq!((identity.verdict, identity.compare.len()), (Verdict::Exact, 1));
        let version = known.versions.versions.iter().find(|v| v.date == date).unwrap();
        assert_eq!((&identity.versions[0].name, identity.bytes), (&version.name, version.bytes));
        let counts = |counts: &indexmap::IndexMap<String, u64>| counts.clone().into_iter().collect::<BTreeMap<_, _>>();
        assert_eq!(counts(&identity.contents.difficulty), counts(&version.difficulty));
        assert_eq!(identity.contents.answers_outside, version.answers_not_in_choices);
        assert_eq!(identity.contents.category_lists, 13);
        let rows: Rowed = serde_json::from_slice(&bytes).unwrap();
        read.push((version.commit.clone(), rows));
    }
    let shipped = fs::read_to_string("recipes/data/mmau-rows.tsv").unwrap();
    let shipped: String = shipped.split_inclusive('\n').filter(|line| !line.starts_with('#')).collect();
    // Versions come first in the shipped table; here each stands before its rows.
    assert!(sorted(&table(&read)) == sorted(&shipped), "run scripts/mmau-versions.py on {}", mmau.display());
}

fn sorted(text: &str) -> Vec<&str> {
    let mut lines: Vec<&str> = text.lines().collect();
    lines.sort_unstable();
    lines
}

#[test]
fn real_predictions_and_a_real_part_are_recognised() {
    let Some(folder) = shared("real_predictions_and_a_real_part_are_recognised") else { return };
    let mmau = folder.join("data/mmau");
    let at = |name: &str| mmau.join(name).to_str().unwrap().to_owned();
    for name in ["predictions/r1-aqa.json", "predictions/qwen2-audio-7b-instruct.json"] {
        let text = aqa(["identify", &at(name), "--expect", "1f675a9"]).succeeds();
        let headline =
            "MMAU test-mini of 2025-03-25 (commit 1f675a9) with predictions of 1000 rows under `model_prediction`";
        assert_eq!(text.lines().next().unwrap(), format!("{}: {headline}", at(name)));
        aqa(["identify", &at(name), "--expect", "a5cd89a"]).fails(4);
    }
    let json = aqa(["identify", &at("mmau-test-mini.with-audio.json"), "--format", "json"]).succeeds();
    let json: Value = serde_json::from_str(&json).unwrap();
    assert_eq!((&json["verdict"], &json["versions"][0]["date"]), (&json!("part"), &json!("2025-08-09")));
    assert_eq!(json["difference"]["in_common"], 73);
    insta::assert_snapshot!(
        "identify-real",
        redact(&aqa(["identify", &at("mmau-test-mini.2025-01-28.json")]).succeeds(), &mmau)
    );

    // One answer changed in today's file is found by its row.
    let rows: Rowed = serde_json::from_slice(&fs::read(at("mmau-test-mini.2025-08-09.json")).unwrap()).unwrap();
    let dir = tempdir().unwrap();
    let file = dir.path().join("edited.json");
    let mut edited = rows.clone();
    edited[7].insert("answer".into(), "another".into());
    fs::write(&file, bytes(&edited)).unwrap();
    let text = aqa(["identify", file.to_str().unwrap()]).succeeds();
    assert!(text.contains("nearest is MMAU test-mini of 2025-08-09") && text.contains("answer in 1 row\n"), "{text}");
    assert!(text.contains(rows[7]["id"].as_str().unwrap()), "{text}");
}
