//! MMAU as one Parquet file: the same questions and clips as from MMAU's JSON and its folder, and what is said about files that are no such thing.

mod parquet_file;
mod program;

use aqa_bench::data::identify::{Dress, Knowledge, Verdict, counted, identify, identify_parquet};
use aqa_bench::data::{Example, mmau, mmau_parquet};
use aqa_bench::fetch::{Fetcher, Settings};
use aqa_bench::pins::Sha256;
use aqa_bench::{plan, recipe};
use parquet::basic::Compression;
use parquet_file::{LAYOUT, Row, empty, row, text, write};
use program::{aqa, real_data};
use serde_json::{Map, Value, json};
use std::fs;
use std::path::Path;
use tempfile::{TempDir, tempdir};

const FIXTURE: &str = "tests/fixtures/parquet/tiny.parquet";

/// A cache below a folder.
fn fetcher(dir: &Path) -> Fetcher {
    let variables = |name: &str| (name == "HOME").then(|| dir.to_str().unwrap().to_owned());
    Fetcher::new(Settings::from_variables(&variables).unwrap())
}

/// A row of MMAU's JSON in the other layout.
fn packed(row: &Map<String, Value>, clip: Vec<u8>) -> Row {
    let text = |key: &str| row[key].as_str().unwrap().to_owned();
    let options = row["choices"].as_array().unwrap().iter().map(|choice| choice.as_str().unwrap());
    let lettered: Vec<String> = ('A'..).zip(options).map(|(letter, choice)| format!("({letter}) {choice}")).collect();
    let answer = lettered.iter().find(|choice| choice[4..] == text("answer")).unwrap().clone();
    let mut attributes = row.clone();
    ["audio_id", "question", "choices", "answer"].iter().for_each(|key| drop(attributes.remove(*key)));
    Row {
        clip: Some(clip),
        instruction: Some(text("question")),
        choices: Some(lettered.into_iter().map(Some).collect()),
        answer: Some(answer),
        attributes: Some(Value::Object(attributes).to_string()),
    }
}

#[test]
fn real_questions_and_clips_are_those_of_the_json_layout() {
    let Some(folder) = real_data::mmau("real_questions_and_clips_are_those_of_the_json_layout") else { return };
    let (json, audio) = (folder.join("mmau-test-mini.with-audio.json"), folder.join("test-mini-audios"));
    let plain = mmau::load(&json, &audio).unwrap();
    assert_eq!(plain.len(), 73);
    let rows: Vec<Row> = plain.iter().map(|e| packed(&e.row, fs::read(&e.audio).unwrap())).collect();
    let dir = tempdir().unwrap();
    let file = dir.path().join("test_mini.parquet");
    write(&file, LAYOUT, &rows, 30, Compression::SNAPPY);

    let clips = fetcher(dir.path()).clips(&file).unwrap();
    assert_eq!(clips.files.len(), 73);
    let found = mmau_parquet::load(&file, &clips.dir).unwrap();
    assert_eq!(found, mmau::load(&json, &clips.dir).unwrap());
    for (found, plain) in found.iter().zip(&plain) {
        assert!(fs::read(&found.audio).unwrap() == fs::read(&plain.audio).unwrap(), "{}", found.id);
    }

    // The rows are known as what they are: those of the two versions of early 2025 that they were taken from.
    let known = Knowledge::shipped().unwrap();
    let of = |bytes: &[u8]| identify(bytes, "q.json", &known).unwrap();
    let (found, plain) = (of(&as_json(&found)), of(&fs::read(&json).unwrap()));
    assert_eq!((found.verdict, &found.versions), (plain.verdict, &plain.versions));
    assert!(!found.versions.is_empty());
    assert_eq!((found.difference, found.lacking), (plain.difference, plain.lacking));
}

fn as_json(examples: &[Example]) -> Vec<u8> {
    serde_json::to_vec(&examples.iter().map(|e| &e.row).collect::<Vec<_>>()).unwrap()
}

/// The rows of a whole version, through the other layout and back, are that version and no other.
#[test]
fn a_whole_version_is_known_again() {
    let Some(folder) = real_data::mmau("a_whole_version_is_known_again") else { return };
    let known = Knowledge::shipped().unwrap();
    let dir = tempdir().unwrap();
    for (date, commit) in [("2025-01-28", "a5cd89af"), ("2025-08-09", "f0a4a97d")] {
        let plain = mmau::load(&folder.join(format!("mmau-test-mini.{date}.json")), Path::new("")).unwrap();
        let file = dir.path().join(format!("{date}.parquet"));
        let rows: Vec<Row> = plain.iter().map(|e| packed(&e.row, b"a clip".to_vec())).collect();
        write(&file, LAYOUT, &rows, 1000, Compression::UNCOMPRESSED);
        let found = mmau_parquet::load(&file, Path::new("")).unwrap();
        assert_eq!(found, plain);
        let identity = identify(&as_json(&found), "q.json", &known).unwrap();
        identity.expect(commit, &known).unwrap();

        // And so it is known without that way round.
        let identity = identify_parquet(&file, &known).unwrap();
        identity.expect(commit, &known).unwrap();
        assert_eq!((identity.verdict, identity.dress), (Verdict::Same, vec![Dress::Parquet]));
        assert_eq!((identity.compare.len(), identity.contents.rows), (1, 1000));
        let own = Sha256::of_file(&file).unwrap();
        assert_eq!(identity.sha256, own);
        let version = known.versions.versions.iter().find(|v| v.commit.as_str().starts_with(commit)).unwrap();
        let found = counted(&file, own.clone()).unwrap();
        assert_eq!((found.format, &found.sha256, found.packed), ("mmau", &version.sha256, Some(own)));
        let name = file.to_str().unwrap();
        let text = aqa(["identify", name, "--expect", commit]).succeeds();
        assert!(text.starts_with(&format!("{name}: MMAU test-mini of {date} (commit {}) in", &commit[..7])), "{text}");

        // Another order is the same version; a part, or one other answer, is not.
        let turned: Vec<Row> = rows.iter().rev().cloned().collect();
        write(&file, LAYOUT, &turned, 100, Compression::SNAPPY);
        let identity = identify_parquet(&file, &known).unwrap();
        assert_eq!((identity.verdict, identity.dress), (Verdict::Same, vec![Dress::Parquet, Dress::Reordered]));
        write(&file, LAYOUT, &turned[..999], 100, Compression::SNAPPY);
        assert_eq!(identify_parquet(&file, &known).unwrap().verdict, Verdict::Part);
        let own = Sha256::of_file(&file).unwrap();
        assert_eq!(counted(&file, own.clone()).unwrap().sha256, own, "a part of a version is no version");
        let mut other = rows.clone();
        let choices = other[7].choices.clone().unwrap();
        other[7].answer = choices.into_iter().find(|choice| *choice != other[7].answer).unwrap();
        write(&file, LAYOUT, &other, 1000, Compression::SNAPPY);
        let identity = identify_parquet(&file, &known).unwrap();
        assert_eq!((identity.verdict, identity.difference.unwrap().fields["answer"].len()), (Verdict::Near, 1));
        assert!(counted(&file, Sha256::of_file(&file).unwrap()).unwrap().packed.is_none());
    }
}

/// Rows on a Parquet file stand beside rows on the JSON file whose rows it has, with the same claims and floors; and the table says what was read.
#[test]
fn rows_on_a_packed_version_stand_in_its_table() {
    let Some(folder) = real_data::mmau("rows_on_a_packed_version_stand_in_its_table") else { return };
    let json = fs::canonicalize(folder.join("mmau-test-mini.2025-03-25.json")).unwrap();
    let predictions = fs::canonicalize(folder.join("predictions/r1-aqa.json")).unwrap();
    let plain = mmau::load(&json, Path::new("")).unwrap();
    let dir = tempdir().unwrap();
    let rows: Vec<Row> = plain.iter().map(|e| packed(&e.row, b"a clip".to_vec())).collect();
    let file = dir.path().join("q.parquet");
    write(&file, LAYOUT, &rows, 1000, Compression::SNAPPY);
    let (json, predictions, pins) =
        (json.display(), predictions.display(), [&json, &file].map(|path| Sha256::of_file(path).unwrap().to_string()));
    let recipe = format!(
        r#"name: both
title: "Both"
seed: 1
data:
  sets:
    plain: {{format: mmau, file: {json}, sha256: {}, audio: nowhere}}
    packed: {{format: mmau-parquet, file: q.parquet, sha256: {}}}
scores:
  - {{name: one, label: "On JSON", file: {predictions}, data: plain, rule: official}}
  - {{name: two, label: "On Parquet", file: {predictions}, data: packed, rule: official}}
"#,
        pins[0], pins[1]
    );
    let path = dir.path().join("both.yaml");
    fs::write(&path, recipe).unwrap();
    let run = dir.path().join("run");
    let table = aqa(["reproduce", path.to_str().unwrap(), "--run-dir", run.to_str().unwrap()]).succeeds();
    assert_eq!(table.lines().filter(|line| line.starts_with("## ")).count(), 1, "one table: {table}");
    let cells = |label: &str| -> Vec<String> {
        let line =
            table.lines().find(|line| line.starts_with(&format!("| {label} "))).unwrap_or_else(|| panic!("{table}"));
        line.split(" | ").skip(1).map(str::to_owned).collect()
    };
    assert_eq!(cells("On JSON"), cells("On Parquet"));
    assert!(table.contains("64.50"), "as published: {table}");
    let says = format!("On Parquet: read from a Parquet file with these rows, sha256 `{}`.", pins[1]);
    assert!(table.contains(&says) && !table.contains("On JSON: read from a Parquet"), "{table}");
}

#[test]
fn what_pyarrow_writes_is_read() {
    let dir = tempdir().unwrap();
    let clips = fetcher(dir.path()).clips(Path::new(FIXTURE)).unwrap();
    let found = mmau_parquet::load(Path::new(FIXTURE), &clips.dir).unwrap();
    let labels = |id: &str| json!({"id": id, "audio_id": format!("./test-mini-audios/{id}.wav"), "dataset": "made", "task": "sound", "split": "test-mini", "sub-category": "Made", "difficulty": "easy"});
    let mut rows = [labels("made-1"), labels("made-2"), labels("made-3")];
    for (row, (question, choices, answer, category)) in rows.iter_mut().zip([
        ("What is this?", json!(["Silence", "A dog"]), "Silence", json!("Reasoning")),
        ("Who’s there?", json!([" Nobody", "A", "A"]), "A", json!(["Reasoning"])),
        ("Why?", json!(["Yes", "No"]), "", json!("Reasoning")),
    ]) {
        (row["question"], row["choices"], row["answer"], row["category"]) =
            (question.into(), choices, answer.into(), category);
    }
    let kept: Vec<Value> = found.iter().map(|e| Value::Object(e.row.clone())).collect();
    assert_eq!(kept, rows);
    assert_eq!(found[2].answer, None, "a blank answer is withheld");
    let lengths: Vec<u64> = found.iter().map(|e| fs::metadata(&e.audio).unwrap().len()).collect();
    assert_eq!(lengths, [44 + 32, 9, 44 + 6]);
    assert_eq!(fs::read(clips.dir.join("made-2.wav")).unwrap(), b"\x00no sound");
}

#[test]
fn clips_are_unpacked_once_and_verified_from_then_on() {
    let dir = tempdir().unwrap();
    let file = dir.path().join("q.parquet");
    write(&file, LAYOUT, &[row("a"), row("b"), row("c")], 2, Compression::UNCOMPRESSED);
    let fetcher = fetcher(dir.path());
    let first = fetcher.clips(&file).unwrap();
    assert_eq!(fs::read(first.dir.join("b.wav")).unwrap(), b"clip of b");
    assert_eq!(first, fetcher.clips(&file).unwrap());
    let moved = dir.path().join("moved.parquet");
    fs::rename(&file, &moved).unwrap();
    assert_eq!(first, fetcher.clips(&moved).unwrap(), "the folder is that of the bytes, wherever they lie");

    fs::write(first.dir.join("b.wav"), b"clip of B").unwrap();
    let error = fetcher.clips(&moved).unwrap_err();
    assert!(error.exit_code() == 4 && error.to_string().contains("b.wav: expected sha256"), "{error}");
    assert!(error.to_string().contains("to unpack again"), "{error}");

    write(&moved, LAYOUT, &[row("a")], 1, Compression::UNCOMPRESSED);
    let other = fetcher.clips(&moved).unwrap();
    assert_eq!((other.files.len(), other.dir == first.dir), (1, false), "other bytes, another folder");

    let full = Settings { free_space: |_| Ok(3), ..fetcher.settings().clone() };
    write(&moved, LAYOUT, &[row("d")], 1, Compression::UNCOMPRESSED);
    let error = Fetcher::new(full).clips(&moved).unwrap_err();
    assert!(error.exit_code() == 4 && error.to_string().contains("AQA_CACHE"), "{error}");
}

#[test]
fn a_clip_that_is_not_there_leaves_nothing() {
    for (clip, says) in [(None, "found null"), (Some(Vec::new()), "found 0 bytes")] {
        let dir = tempdir().unwrap();
        let file = dir.path().join("q.parquet");
        write(&file, LAYOUT, &[row("a"), Row { clip, ..row("b") }], 2, Compression::UNCOMPRESSED);
        let fetcher = fetcher(dir.path());
        let error = fetcher.clips(&file).unwrap_err();
        assert_eq!(error.exit_code(), 2, "{error}");
        assert!(
            error.to_string().contains("row 1 (b): context.bytes: expected the clip, ")
                && error.to_string().contains(says),
            "{error}"
        );
        let folder = fetcher.clips_folder(&Sha256::of_file(&file).unwrap());
        let left: Vec<_> = fs::read_dir(folder.parent().unwrap()).unwrap().map(|e| e.unwrap().file_name()).collect();
        assert!(left.len() == 1 && left[0].to_str().unwrap().ends_with(".lock"), "{left:?}");
    }
}

/// What is said about a file of these rows, without its folder.
fn refused(rows: &[Row]) -> String {
    let dir = tempdir().unwrap();
    let file = dir.path().join("q.parquet");
    write(&file, LAYOUT, rows, 100, Compression::SNAPPY);
    said(&dir, &file, 2)
}

#[track_caller]
fn said(dir: &TempDir, file: &Path, code: u8) -> String {
    let error = mmau_parquet::load(file, Path::new("")).unwrap_err();
    assert_eq!(error.exit_code(), code, "{error}");
    error.to_string().replace(&format!("{}/", dir.path().display()), "")
}

#[test]
fn every_problem_of_a_row_is_named_by_row_and_column() {
    let with = |change: &dyn Fn(&mut Row), id: &str| {
        let mut row = row(id);
        change(&mut row);
        row
    };
    let attributes = |text: &str| Some(text.to_owned());
    let rows = [
        row("a"),
        row("a"),
        with(&|r| r.instruction = None, "b"),
        with(&|r| r.choices = None, "c"),
        with(&|r| r.choices = Some(vec![]), "d"),
        with(&|r| r.choices = Some(vec![text("(A) one"), None]), "e"),
        with(&|r| r.choices = Some(vec![text("(A) one"), text("(C) two")]), "f"),
        with(&|r| r.choices = Some(vec![text("one"), text("two")]), "g"),
        with(&|r| r.answer = text("(A) two"), "h"),
        with(&|r| r.answer = text("two"), "i"),
        with(&|r| r.attributes = None, "j"),
        with(&|r| r.attributes = attributes("{"), "k"),
        with(&|r| r.attributes = attributes("[]"), "l"),
        with(&|r| r.attributes = attributes(r#"{"split": "x"}"#), "m"),
        row("../n"),
        with(&|r| r.attributes = r.attributes.as_ref().map(|a| a.replace("\"dataset\"", "\"answer\"")), "o"),
    ];
    insta::assert_snapshot!("mmau-parquet-rows", refused(&rows));
    // What MMAU's own reader asks for is asked for here too.
    let late = with(&|r| r.attributes = r.attributes.as_ref().map(|a| a.replace("\"task\"", "\"tusk\"")), "p");
    assert_eq!(refused(&[late]), "q.parquet: row 0 (p): task: expected a text, found none");
}

#[test]
fn a_null_answer_is_withheld_as_a_blank_one() {
    let dir = tempdir().unwrap();
    let file = dir.path().join("q.parquet");
    let blank = |answer| Row { answer, ..row("a") };
    for answer in [None, text("")] {
        write(&file, LAYOUT, &[blank(answer)], 1, Compression::SNAPPY);
        let found = mmau_parquet::load(&file, Path::new("clips")).unwrap();
        assert_eq!((found[0].answer.as_deref(), &found[0].row["answer"]), (None, &json!("")));
        assert_eq!(found[0].audio, Path::new("clips/a.wav"));
    }
}

#[test]
fn files_that_are_something_else_are_refused_by_what_they_are() {
    let dir = tempdir().unwrap();
    let file = dir.path().join("q.parquet");
    let mut all = String::new();
    let mut refuse = |what: &str, code: u8| all += &format!("{what}:\n{}\n", said(&dir, &file, code));
    fs::write(&file, "[]").unwrap();
    refuse("JSON", 2);
    fs::write(&file, "").unwrap();
    refuse("empty", 2);
    empty(&file, LAYOUT);
    refuse("no rows", 2);
    empty(
        &file,
        "message schema { required binary id (STRING); required int64 answer; optional group choices (LIST) { repeated group list { optional int32 element; } } }",
    );
    refuse("other columns", 2);
    empty(
        &file,
        &LAYOUT
            .replace("binary bytes", "binary bytes (STRING)")
            .replace("binary instruction (STRING)", "binary instruction"),
    );
    refuse("texts for bytes", 2);
    empty(
        &file,
        &LAYOUT.replace(
            "optional group choices (LIST) { repeated group list { optional binary element (STRING); } }",
            "optional binary choices (STRING);",
        ),
    );
    refuse("one text for a list", 2);
    fs::remove_file(&file).unwrap();
    refuse("absent", 4);
    insta::assert_snapshot!("mmau-parquet-files", all);
}

#[test]
fn gzip_is_read_and_what_the_layout_does_not_have_is_not() {
    let dir = tempdir().unwrap();
    let file = dir.path().join("q.parquet");
    write(&file, LAYOUT, &[row("a")], 1, Compression::GZIP(Default::default()));
    let plain = mmau_parquet::load(&file, Path::new("")).unwrap();
    assert_eq!(plain.len(), 1);
    let other = LAYOUT.replace("binary path (STRING)", "binary sampling_rate (STRING)");
    let other = other.replacen("\n}", "\noptional int64 index; }", 1);
    write(&file, &other, &[row("a")], 1, Compression::SNAPPY);
    assert_eq!(mmau_parquet::load(&file, Path::new("")).unwrap(), plain);
}

#[test]
fn a_compression_that_is_not_built_in_is_named() {
    let error = mmau_parquet::load(Path::new("tests/fixtures/parquet/zstd.parquet"), Path::new("")).unwrap_err();
    assert_eq!(error.exit_code(), 2);
    let error = error.to_string();
    let expected = "column answer: expected plain, snappy or gzip values, found ZSTD";
    assert!(error.contains(expected) && error.contains("write the file anew"), "{error}");
}

/// A recipe that evaluates a policy on this data set.
fn plan_of(dir: &Path, set: &str) -> aqa_bench::Result<plan::Plan> {
    let path = dir.join("packed.yaml");
    let text = format!(
        "name: packed
title: Packed
seed: 1
model:
  init: {{hidden_size: 32, layers: 1, heads: 2, kv_heads: 1, intermediate_size: 64, audio: {{d_model: 32, layers: 1, heads: 2, ffn_dim: 64}}, vocab_size: 300}}
  dtype: float32
data:
  sets:
    made: {{format: synthetic, seed: 1, split: train, tasks: [snd], count: 10, sha256: '{pin}'}}
    packed: {{format: mmau-parquet, {set}}}
eval:
  - {{name: e, label: E, from: model, data: packed, prompt: r1-aqa-2, decoding: {{do_sample: false, max_new_tokens: 8}}, batch_size: 2, extract: answer-tag, rule: official}}
",
        pin = "0".repeat(64)
    );
    fs::write(&path, text).unwrap();
    plan::build(&recipe::load(&path, &[])?, None)
}

#[test]
fn a_recipe_pins_the_file_and_needs_no_folder_of_clips() {
    let dir = tempdir().unwrap();
    let file = dir.path().join("q.parquet");
    write(&file, LAYOUT, &[row("a")], 1, Compression::SNAPPY);
    let sha256 = Sha256::of_file(&file).unwrap();
    let pinned = |sha256: &str| plan_of(dir.path(), &format!("file: q.parquet, sha256: '{sha256}'")).unwrap();
    let plan = pinned(sha256.as_str());
    plan::verify(&plan).unwrap();
    let other = pinned(&"1".repeat(64));
    let error = plan::verify(&other).unwrap_err();
    assert!(error.exit_code() == 4 && error.to_string().contains(&format!("found sha256 {sha256}")), "{error}");
    let fingerprint = |plan: &plan::Plan| plan.stage("e").unwrap().fingerprint.clone();
    assert_ne!(fingerprint(&plan), fingerprint(&other));
    // Pinned by a commit alone, the commit and the file's name decide.
    let hub = |commit: char, name: &str| {
        let revision = commit.to_string().repeat(40);
        fingerprint(&plan_of(dir.path(), &format!("file: 'hf://datasets/o/n/{name}', revision: '{revision}'")).unwrap())
    };
    assert_ne!(hub('a', "x.parquet"), hub('b', "x.parquet"));
    assert_ne!(hub('a', "x.parquet"), hub('a', "y.parquet"));
    for (set, says) in [
        ("file: q.parquet", "data.sets.packed.sha256: expected the SHA-256 of the file"),
        ("file: 'hf://datasets/o/n/x.parquet'", "data.sets.packed.revision: expected the commit"),
        (
            &format!("file: q.parquet, sha256: '{sha256}', audio: clips"),
            "data.sets.packed.audio: expected no such key here",
        ),
    ] {
        let error = plan_of(dir.path(), set).unwrap_err();
        assert!(error.exit_code() == 2 && error.to_string().contains(says), "{error}");
    }
}

/// A file that was cut or changed on its way is an error that says so, whatever the place, or it is read as something; it is never a panic.
#[test]
fn cut_and_changed_files_are_errors() {
    let dir = tempdir().unwrap();
    let file = dir.path().join("q.parquet");
    let whole = fs::read(FIXTURE).unwrap();
    for length in (4..whole.len()).step_by(7) {
        fs::write(&file, &whole[..length]).unwrap();
        let error = said(&dir, &file, 4);
        assert!(error.contains("cannot read it") && error.contains("get it again"), "{error}");
    }
    let (mut same, mut errors) = (0, 0);
    for place in (4..whole.len()).step_by(5) {
        let mut bytes = whole.clone();
        bytes[place] ^= 0x55;
        fs::write(&file, &bytes).unwrap();
        match mmau_parquet::clips(&file, &mut |_, _| Ok(())) {
            Ok(()) => same += 1,
            Err(_) => errors += 1,
        }
    }
    assert!(same > 0 && errors > 100, "{same} read, {errors} not");
}
