//! `prepare avqa-arrow`: the layout of gijs/avqa-processed as `datasets` writes it, and what is not that.

mod program;

use aqa_bench::data::avqa_arrow::{self, Split, Taken};
use aqa_bench::data::{Clips, avqa};
use aqa_bench::error::Result;
use arrow_array::builder::{BinaryBuilder, LargeBinaryBuilder, LargeStringBuilder, StringBuilder};
use arrow_array::{ArrayRef, Int64Array, RecordBatch, StructArray};
use arrow_ipc::writer::{FileWriter, StreamWriter};
use arrow_schema::{DataType, Field};
use program::{aqa, redact};
use serde_json::Value;
use std::collections::BTreeMap;
use std::fs::{self, File};
use std::path::Path;
use std::sync::Arc;
use tempfile::tempdir;

const TRAIN: &str = "tests/parity/arrow/processed/train";

/// What a split gives: the lines, and each clip by name.
fn taken(folder: &Path) -> Result<(Taken, BTreeMap<String, Vec<u8>>)> {
    let mut clips = BTreeMap::new();
    let taken = avqa_arrow::take(&Split::of(folder)?, &mut |name, bytes| {
        clips.insert(name.to_owned(), bytes.to_owned());
        Ok(())
    })?;
    Ok((taken, clips))
}

#[test]
fn what_datasets_saved_becomes_lines_and_clips() {
    let (found, clips) = taken(Path::new(TRAIN)).unwrap();
    assert_eq!((found.rows, found.kept, found.clips), (6, 3, 2));
    let dropped: Vec<_> = found.dropped.iter().map(|(column, rows)| (column.as_str(), rows.len())).collect();
    assert_eq!(dropped, [("audio", 1), ("question", 1), ("answer", 1)]);
    assert_eq!(
        found.dropped["answer"],
        ["row 4: answer: expected one of the choices with its letter, found \"E. Five\""]
    );
    let expected: [(&str, &[u8]); 2] = [("-HG3Omg_89c_000030.wav", b"RIFF one"), ("b_000000.flac", b"fLaC two")];
    assert!(clips.iter().map(|(name, bytes)| (name.as_str(), bytes.as_slice())).eq(expected));

    let examples = avqa::from_slice(found.lines.as_bytes(), "lines", &Clips::unread(Path::new("clips"))).unwrap();
    let of =
        |i: usize| (examples[i].id.as_str(), examples[i].question.as_str(), examples[i].answer.as_deref().unwrap());
    assert_eq!(of(0), ("0", "How many animals are there in the audio?", "One"));
    assert_eq!(of(1), ("1", "What happened?", "A. I."), "an option may look lettered itself");
    assert_eq!(
        of(2),
        ("5", "Whose voice is in the audio?", "a man's"),
        "a row keeps its number where others are dropped"
    );
    assert_eq!(examples[0].choices, ["3", "One", "4", "2"]);
    assert_eq!(examples[1].audio, Path::new("clips/b_000000.flac"));
}

#[test]
fn the_command_writes_lines_and_clips_once() {
    let dir = tempdir().unwrap();
    let at = |name: &str| dir.path().join(name).to_str().unwrap().to_owned();
    let run = |from: &str, more: &[&str]| {
        let (audio, out) = (at("clips"), at("train.jsonl"));
        let args = ["prepare", "avqa-arrow", "--from", from, "--audio", &audio, "--out", &out];
        aqa(args.iter().chain(more))
    };
    let said = run(TRAIN, &[]).succeeds();
    insta::assert_snapshot!("avqa-arrow-text", redact(&said, dir.path()));
    let lines = fs::read_to_string(at("train.jsonl")).unwrap();
    assert_eq!(fs::read(at("clips/-HG3Omg_89c_000030.wav")).unwrap(), b"RIFF one");
    // What is there is kept, what is missing comes back.
    fs::remove_file(at("clips/b_000000.flac")).unwrap();
    let json: Value = serde_json::from_str(&run(TRAIN, &["--format", "json"]).succeeds()).unwrap();
    assert_eq!((json["kept"].clone(), json["clips"].clone()), (3.into(), 2.into()));
    assert_eq!(fs::read(at("clips/b_000000.flac")).unwrap(), b"fLaC two");
    assert_eq!(fs::read_to_string(at("train.jsonl")).unwrap(), lines);

    let mut all = String::new();
    let mut fails = |said: program::Said, code| {
        let error = said.fails(code);
        assert_eq!(error.lines().count(), 1, "{error}");
        all += &redact(&error, dir.path());
    };
    fails(run("tests/parity/arrow/processed", &[]), 4);
    fs::create_dir(at("empty")).unwrap();
    fails(run(&at("empty"), &[]), 4);
    fs::create_dir(at("some")).unwrap();
    fs::copy(format!("{TRAIN}/data-00001-of-00002.arrow"), at("some/data-00001-of-00002.arrow")).unwrap();
    fails(run(&at("some"), &[]), 4);
    fs::copy(format!("{TRAIN}/data-00000-of-00002.arrow"), at("some/data-00000-of-00001.arrow")).unwrap();
    fails(run(&at("some"), &[]), 4);
    fs::write(at("some/state.json"), "{}").unwrap();
    fails(run(&at("some"), &[]), 4);
    fs::write(at("clips/b_000000.flac"), "another").unwrap();
    fails(run(TRAIN, &[]), 2);
    assert_eq!(fs::read(at("clips/b_000000.flac")).unwrap(), b"another");
    insta::assert_snapshot!("avqa-arrow-refused", all);
}

fn batch(columns: Vec<(&str, ArrayRef)>) -> RecordBatch {
    RecordBatch::try_from_iter(columns).unwrap()
}

fn texts(texts: &[&str]) -> ArrayRef {
    let mut builder = LargeStringBuilder::new();
    texts.iter().for_each(|text| builder.append_value(text));
    Arc::new(builder.finish())
}

/// Rows of wide columns, as a later `datasets` may write them: names, and what the clips hold.
fn wide(rows: &[(&str, &str)]) -> RecordBatch {
    let mut bytes = LargeBinaryBuilder::new();
    rows.iter().for_each(|(_, clip)| bytes.append_value(clip));
    let n = rows.len();
    let bytes: ArrayRef = Arc::new(bytes.finish());
    let audio = StructArray::from(vec![(Arc::new(Field::new("bytes", DataType::LargeBinary, true)), bytes)]);
    batch(vec![
        ("file_name", texts(&rows.iter().map(|(name, _)| *name).collect::<Vec<_>>())),
        ("question", texts(&vec!["?\nChoices:\nA. x\nB. y\n"; n])),
        ("answer", texts(&vec!["B. y"; n])),
        ("audio", Arc::new(audio)),
        ("more", Arc::new(Int64Array::from(vec![7; n]))),
    ])
}

#[test]
fn wide_columns_and_arrows_own_file_are_read_too() {
    let dir = tempdir().unwrap();
    let batch = wide(&[("a_000001.wav", "RIFF")]);
    let mut writer =
        FileWriter::try_new(File::create(dir.path().join("data-00000-of-00001.arrow")).unwrap(), &batch.schema())
            .unwrap();
    writer.write(&batch).unwrap();
    writer.finish().unwrap();
    let (found, clips) = taken(dir.path()).unwrap();
    assert_eq!((found.kept, clips["a_000001.wav"].as_slice()), (1, b"RIFF".as_slice()));
}

#[test]
fn other_columns_and_damaged_files_are_refused() {
    let dir = tempdir().unwrap();
    let file = dir.path().join("data-00000-of-00001.arrow");
    let write = |batch: &RecordBatch| {
        let mut writer = StreamWriter::try_new(File::create(&file).unwrap(), &batch.schema()).unwrap();
        writer.write(batch).unwrap();
        writer.finish().unwrap();
    };
    let mut clip = BinaryBuilder::new();
    clip.append_value(b"RIFF");
    let mut name = StringBuilder::new();
    name.append_value("a.wav");
    write(&batch(vec![
        ("file_name", Arc::new(name.finish())),
        ("question", Arc::new(Int64Array::from(vec![7]))),
        ("audio", Arc::new(clip.finish())),
    ]));
    let error = taken(dir.path()).unwrap_err();
    assert_eq!(error.exit_code(), 2);
    let error = error.to_string();
    let parts: Vec<&str> = error.lines().map(|line| line.split_once(": ").unwrap().1).collect();
    let wanted = "(the layout of gijs/avqa-processed is wanted)";
    assert_eq!(
        parts,
        [
            format!("column question: expected a text, found Int64 {wanted}"),
            format!("column answer: expected a text, found no such column among file_name, question, audio {wanted}"),
            format!("column audio: expected a struct with the clip's bytes, found Binary {wanted}"),
        ]
    );

    let whole = fs::read(format!("{TRAIN}/data-00000-of-00002.arrow")).unwrap();
    for (bytes, says) in
        [(b"".to_vec(), "no end"), ([&b"not Arrow"[..], &whole[whole.len() - 8..]].concat(), "cannot read it")]
    {
        fs::write(&file, bytes).unwrap();
        let error = taken(dir.path()).unwrap_err();
        assert!(error.exit_code() == 4 && error.to_string().contains(says), "{error}");
    }
    // Cut wherever: an error; changed wherever: an error or other rows, never a panic.
    for at in 0..whole.len() {
        fs::write(&file, &whole[..at]).unwrap();
        assert_eq!(taken(dir.path()).unwrap_err().exit_code(), 4, "cut at {at}");
        let mut changed = whole.clone();
        changed[at] ^= 0x55;
        fs::write(&file, changed).unwrap();
        let _ = taken(dir.path());
    }
}

#[test]
fn rows_without_questions_are_no_data_set() {
    let dir = tempdir().unwrap();
    let empty = wide(&[]);
    let mut writer =
        StreamWriter::try_new(File::create(dir.path().join("data-00000-of-00001.arrow")).unwrap(), &empty.schema())
            .unwrap();
    writer.write(&empty).unwrap();
    writer.finish().unwrap();
    let error = taken(dir.path()).unwrap_err();
    assert!(error.exit_code() == 2 && error.to_string().contains("found 0 rows"), "{error}");
}

/// What `datasets` computed lies beside the split's own files, and is no part of it.
#[test]
fn only_the_files_of_the_split_are_read() {
    let dir = tempdir().unwrap();
    for name in ["data-00000-of-00002.arrow", "data-00001-of-00002.arrow", "state.json"] {
        fs::copy(format!("{TRAIN}/{name}"), dir.path().join(name)).unwrap();
    }
    let whole = taken(dir.path()).unwrap();
    fs::copy(format!("{TRAIN}/data-00000-of-00002.arrow"), dir.path().join("cache-0f.arrow")).unwrap();
    assert_eq!(taken(dir.path()).unwrap(), whole);
    fs::remove_file(dir.path().join("state.json")).unwrap();
    assert_eq!(taken(dir.path()).unwrap(), whole, "by their names");
}

#[test]
fn a_name_with_two_clips_is_the_first_and_the_other_row_is_dropped() {
    let dir = tempdir().unwrap();
    let batch = wide(&[("a/x.wav", "one"), ("b/x.wav", "two"), ("c/x.wav", "one")]);
    let file = File::create(dir.path().join("data-00000-of-00001.arrow")).unwrap();
    let mut writer = StreamWriter::try_new(file, &batch.schema()).unwrap();
    writer.write(&batch).unwrap();
    writer.finish().unwrap();
    let (found, clips) = taken(dir.path()).unwrap();
    assert_eq!((found.kept, found.clips, clips["x.wav"].as_slice()), (2, 1, b"one".as_slice()));
    assert_eq!(found.dropped["file_name"], ["row 1: file_name: \"x.wav\" is already that of another clip"]);
}
