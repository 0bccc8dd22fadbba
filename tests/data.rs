//! Questions as they are in the wild, and what is said about those that cannot be read.

use aqa_bench::data::{Clips, Notes, avqa, mmau, notes};
use serde_json::{Value, json};
use std::path::{Path, PathBuf};

fn row(id: &str) -> Value {
    json!({
        "id": id, "audio_id": format!("./test-mini-audios/{id}.wav"), "question": "What?", "choices": ["a", "b"], "answer": "a",
        "dataset": "d", "task": "sound", "split": "test-mini", "category": "Reasoning", "sub-category": "s", "difficulty": "easy",
    })
}

fn with(mut row: Value, key: &str, value: Value) -> Value {
    row[key] = value;
    row
}

fn without(mut row: Value, key: &str) -> Value {
    row.as_object_mut().unwrap().remove(key);
    row
}

fn mmau_of(rows: Value) -> Result<Vec<aqa_bench::data::Example>, String> {
    let read = mmau::from_slice(rows.to_string().as_bytes(), "q.json", Path::new("clips"));
    read.map_err(|e| {
        assert_eq!(e.exit_code(), 2);
        e.to_string()
    })
}

#[test]
fn the_shapes_of_the_wild_are_read() {
    let many: Vec<String> = (0..8).map(|i| format!("option {i}")).collect();
    let rows = json!([
        with(row("a"), "category", json!(["Reasoning"])),
        with(with(row("b"), "choices", json!(many)), "answer", json!("none of them")),
        with(row("c"), "choices", json!(["a", "b", "a"])),
        with(row("d"), "answer", json!("")),
        without(row("e"), "answer"),
        with(row("f"), "answer", json!(null)),
        without(without(row("g"), "category"), "sub-category"),
    ]);
    let examples = mmau_of(rows.clone()).unwrap();
    assert_eq!(notes(&examples), Notes { duplicate_choices: 1, answers_outside: 1, withheld: 3 });
    assert_eq!(examples[0].audio, PathBuf::from("clips/a.wav"));
    assert_eq!(examples[1].choices.len(), 8);
    assert_eq!(examples[3].answer, None);
    assert_eq!(examples[6].sub_category, "");
    let kept: Vec<Value> = examples.into_iter().map(|e| Value::Object(e.row)).collect();
    assert_eq!(json!(kept).to_string(), rows.to_string(), "rows are kept with their keys in order");
}

#[test]
fn every_problem_is_named_by_row_and_key() {
    let rows = json!([
        row("a"),
        row("a"),
        without(row("b"), "id"),
        with(with(row("c"), "choices", json!(["one"])), "answer", json!(3)),
        with(row("d"), "choices", json!("['x', 'y']")),
        with(row("e"), "category", json!(["x", "y"])),
        with(row("f"), "audio_id", json!("clips/")),
        with(row("g"), "audio_id", json!("..")),
        without(row("h"), "task"),
        with(row("i"), "question", json!("")),
    ]);
    let error = mmau_of(rows).unwrap_err();
    let expected = "\
q.json: row 1 (a): id: \"a\" is already that of row 0 (a)
q.json: row 2: id: expected a text, found none
q.json: row 3 (c): choices: expected a list of at least 2 texts, found 1
q.json: row 3 (c): answer: expected a text, found the number 3
q.json: row 4 (d): choices: expected a list of at least 2 texts, found the text \"['x', 'y']\"
q.json: row 5 (e): category: expected a text or a list of one, found a list of 2
q.json: row 6 (f): audio_id: expected the path of a clip, found \"clips/\"
q.json: row 7 (g): audio_id: expected the path of a clip, found \"..\"
q.json: row 8 (h): task: expected a text, found none
q.json: row 9 (i): question: expected a text, found an empty one";
    assert_eq!(error, expected);

    let rows: Vec<Value> = (0..25).map(|i| without(row(&i.to_string()), "question")).collect();
    let error = mmau_of(json!(rows)).unwrap_err();
    assert_eq!(error.lines().count(), 21);
    assert!(error.ends_with("\nand 5 more"), "{error}");
}

#[test]
fn files_that_are_no_questions_are_refused() {
    let refused = |text: &str| mmau::from_slice(text.as_bytes(), "q.json", Path::new("")).unwrap_err().to_string();
    assert!(refused("").contains("q.json: expected a JSON array of questions, found an empty file"));
    assert!(refused("[\n{\"id\": }]").contains("q.json:2:8: expected a JSON array"));
    assert!(refused("{}").contains("found an object"));
    assert!(refused("[]").contains("found an empty one"));
    assert!(refused("[1, {}]").contains("q.json: row 0: expected an object, found the number 1"));
    let absent = mmau::load(Path::new("no/such.json"), Path::new("")).unwrap_err();
    assert_eq!(absent.exit_code(), 4);
    assert!(absent.to_string().contains("no/such.json"));
}

const LINE: &str = r#"{"id": 183, "video_name": "-HG3Omg_89c_000030", "video_id": 341, "question_text": "Video: what is in the videos of the video?", "multi_choice": ["motorcycle", "video", "2", "Four"], "answer": 1, "question_relation": "View", "question_type": "Which", "dataset_name": "AVQA", "audio_path": "AVQA/audios/-HG3Omg_89c_30.wav"}"#;

#[test]
fn avqa_lines_are_read_as_r1_aqa_reads_them() {
    let dir = tempfile::tempdir().unwrap();
    let clips = dir.path().join("clips");
    std::fs::create_dir(&clips).unwrap();
    let file = dir.path().join("train.jsonl");
    std::fs::write(&file, format!("{LINE}\n\n{}\r\n", LINE.replace("183", "\"x\""))).unwrap();
    let read = || avqa::load(&file, &clips).unwrap();
    let examples = read();
    assert_eq!(examples.len(), 2);
    assert_eq!((examples[0].id.as_str(), examples[1].id.as_str()), ("183", "x"));
    assert_eq!(examples[0].question, "Video: what is in the audios of the audio?");
    assert_eq!(examples[0].answer.as_deref(), Some("video"), "options are left as they are");
    assert_eq!(examples[0].audio, clips.join("-HG3Omg_89c_30.wav"));
    std::fs::write(clips.join("-HG3Omg_89c_000030.wav"), "").unwrap();
    assert_eq!(read()[0].audio, clips.join("-HG3Omg_89c_000030.wav"));
    std::fs::write(clips.join("-HG3Omg_89c_30.wav"), "").unwrap();
    assert_eq!(read()[0].audio, clips.join("-HG3Omg_89c_30.wav"));
}

#[test]
fn avqa_problems_are_named_by_line() {
    let lines = [
        LINE.to_owned(),
        LINE.to_owned(),
        LINE.replace("183", "1").replace("\"answer\": 1", "\"answer\": 4"),
        LINE.replace("183", "2").replace("\"answer\": 1", "\"answer\": -1"),
        "{\"id\": 3".to_owned(),
        "[]".to_owned(),
    ];
    let error = avqa::from_slice(lines.join("\n").as_bytes(), "t.jsonl", &Clips::unread(Path::new(""))).unwrap_err();
    assert_eq!(error.exit_code(), 2);
    let error = error.to_string();
    let found: Vec<&str> = error.lines().collect();
    assert_eq!(found[0], "t.jsonl: line 2: id: \"183\" is already that of line 1");
    assert_eq!(found[1], "t.jsonl: line 3: answer: expected an index into multi_choice, found 4 for 4 options");
    assert_eq!(found[2], "t.jsonl: line 4: answer: expected an index into multi_choice, found the number -1");
    assert!(found[3].starts_with("t.jsonl: line 5: expected a JSON object, found no JSON"));
    assert_eq!(found[4], "t.jsonl: line 6: expected a JSON object, found a list of 0");
    assert_eq!(found.len(), 5);
    assert!(
        avqa::from_slice(b"\n", "t.jsonl", &Clips::unread(Path::new("")))
            .unwrap_err()
            .to_string()
            .contains("found none")
    );
}
