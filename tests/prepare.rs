//! `prepare avqa`: every row of AVQA's file is kept, missing or dropped, and what is kept is read as R1-AQA reads it.

mod program;

use aqa_bench::data::{Clips, avqa, prepare};
use program::{aqa, redact};
use proptest::prelude::*;
use serde_json::{Value, json};
use std::collections::HashSet;
use std::fs;
use std::path::Path;
use tempfile::{TempDir, tempdir};

fn row(id: u64, video: &str) -> Value {
    json!({"id": id, "video_name": video, "video_id": 341, "question_text": "What happened in the video?",
           "multi_choice": ["motorboat", "Yacht", "3", "Three"], "answer": 1, "question_relation": "View",
           "question_type": "Happening"})
}

fn prepared(rows: &[Value], clips: &[&str]) -> prepare::Prepared {
    prepare::avqa(&serde_json::to_vec(rows).unwrap(), "q.json", &Clips::of(folder(clips).path()).unwrap()).unwrap()
}

/// A folder of files, `FOLDER/NAME` where there is one.
fn folder(clips: &[&str]) -> TempDir {
    let dir = tempdir().unwrap();
    for clip in clips {
        let place = dir.path().join(clip);
        fs::create_dir_all(place.parent().unwrap()).unwrap();
        fs::write(place, clip).unwrap();
    }
    dir
}

#[test]
fn lines_keep_every_field_and_name_the_clip_that_is_there() {
    let rows = [row(1, "-HG3Omg_89c_000030"), row(2, "a_b_000000"), row(3, "gone_000001")];
    let found = prepared(&rows, &["-HG3Omg_89c_30.wav", "-HG3Omg_89c_000030.wav", "a_b_000000.wav", "gone_000001.mp3"]);
    assert_eq!((found.kept, found.short_names, found.long_names), (2, 1, 1));
    assert_eq!(found.missing, ["gone_000001"]);
    let lines: Vec<Value> = found.lines.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    for (line, (row, clip)) in lines.iter().zip(rows.iter().zip(["-HG3Omg_89c_30.wav", "a_b_000000.wav"])) {
        let mut expected = row.clone();
        expected["dataset_name"] = "AVQA".into();
        expected["audio_path"] = clip.into();
        assert_eq!(line, &expected);
    }
    let examples = avqa::from_slice(found.lines.as_bytes(), "lines", &Clips::unread(Path::new("clips"))).unwrap();
    assert_eq!(examples.len(), 2);
    assert_eq!(examples[0].question, "What happened in the audio?");
    assert_eq!(examples[1].audio, Path::new("clips/a_b_000000.wav"));
}

proptest! {
    /// No row vanishes, and the hash over the ids is that of the kept questions and of nothing else.
    #[test]
    fn every_row_is_kept_missing_or_dropped(mut fates in prop::collection::vec(0u8..4, 0..11), kept in 0usize..11, other_name: bool) {
        fates.insert(kept.min(fates.len()), 0);
        let mut rows = Vec::new();
        let mut clips = vec!["unasked_1.wav".to_owned()];
        for (i, fate) in fates.iter().enumerate() {
            let mut row = row(i as u64, &format!("v{i}_{:06}", 10 + i));
            match fate {
                0 if other_name => clips.push(format!("v{i}_{:06}.wav", 10 + i)),
                0 => clips.push(format!("v{i}_{}.wav", 10 + i)),
                1 => {}
                2 => row["answer"] = json!(4),
                _ => row["multi_choice"] = json!(["one"]),
            }
            rows.push(row);
        }
        let names: Vec<&str> = clips.iter().map(String::as_str).collect();
        let found = prepared(&rows, &names);
        let of = |fate: u8| fates.iter().filter(|f| **f == fate).count();
        prop_assert_eq!((found.kept as usize, found.missing.len()), (of(0), of(1)));
        let dropped = |key: &str| found.dropped.get(key).map_or(0, Vec::len);
        prop_assert_eq!((dropped("answer"), dropped("multi_choice"), found.dropped.len()), (of(2), of(3), usize::from(of(2) > 0) + usize::from(of(3) > 0)));
        let alone: Vec<Value> = rows.iter().zip(&fates).filter(|(_, f)| **f == 0).map(|(row, _)| row.clone()).collect();
        let alone = prepared(&alone, &names);
        prop_assert_eq!((&alone.kept_ids, &alone.lines), (&found.kept_ids, &found.lines));
        let short: HashSet<String> = clips.into_iter().map(|c| c.replace("_0000", "_")).collect();
        let short: Vec<&str> = short.iter().map(String::as_str).collect();
        let renamed = prepared(&rows, &short);
        prop_assert_eq!(renamed.kept_ids, found.kept_ids, "the ids do not depend on how clips are named");
    }
}

#[test]
fn the_command_writes_the_lines_and_says_what_became_of_every_row() {
    let dir = tempdir().unwrap();
    let at = |name: &str| dir.path().join(name).to_str().unwrap().to_owned();
    let clips = dir.path().join("clips");
    fs::create_dir(&clips).unwrap();
    for name in ["-HG3Omg_89c_30.wav", "b_000007.wav"] {
        fs::write(clips.join(name), "").unwrap();
    }
    let mut rows = vec![row(1, "-HG3Omg_89c_000030"), row(2, "b_000007"), row(3, "c_000001"), row(1, "b_000007")];
    rows.push(row(5, "../b_000007"));
    rows.push(row(6, "b_000007"));
    rows[5]["question_text"] = "".into();
    fs::write(at("train_qa.json"), serde_json::to_vec(&rows).unwrap()).unwrap();
    let run = |questions: &str, audio: &str, more: &[&str]| {
        let args = ["prepare", "avqa", "--questions", questions, "--audio", audio, "--out", &at("train.jsonl")];
        aqa(args.iter().chain(more))
    };
    let (questions, audio) = (at("train_qa.json"), at("clips"));
    let text = run(&questions, &audio, &[]).succeeds();
    insta::assert_snapshot!("prepare-text", redact(&text, dir.path()));
    let lines = fs::read_to_string(at("train.jsonl")).unwrap();
    assert_eq!(avqa::from_slice(lines.as_bytes(), "lines", &Clips::of(&clips).unwrap()).unwrap().len(), 2);
    let json = run(&questions, &audio, &["--format", "json"]).succeeds();
    insta::assert_snapshot!("prepare-json", json);

    let mut all = String::new();
    let mut fails = |said: program::Said, code| {
        let error = said.fails(code);
        assert_eq!(error.lines().count(), 1, "{error}");
        all += &redact(&error, dir.path());
    };
    fs::write(at("cut.jsonl"), &lines[..lines.len() - 9]).unwrap();
    fails(run(&at("cut.jsonl"), &audio, &[]), 2);
    fails(run(&at("absent.json"), &audio, &[]), 4);
    fails(run(&questions, &at("absent"), &[]), 4);
    fs::create_dir(at("empty")).unwrap();
    fails(run(&questions, &at("empty"), &[]), 4);
    fs::write(at("other.json"), r#"[{"id": "x", "question": "?"}]"#).unwrap();
    fails(run(&at("other.json"), &audio, &[]), 2);
    // gijs/avqa-processed as `hf download` leaves it, and a split of it.
    fs::create_dir_all(at("processed/train")).unwrap();
    fs::write(at("processed/dataset_dict.json"), r#"{"splits": ["train", "val"]}"#).unwrap();
    fs::write(at("processed/train/data-00000-of-00110.arrow"), "").unwrap();
    fs::write(at("processed/train/state.json"), "{}").unwrap();
    fails(run(&questions, &at("processed"), &[]), 4);
    fails(run(&questions, &at("processed/train"), &[]), 4);
    // Another clip, other lines: the file that is there is not overwritten.
    fs::write(clips.join("c_1.wav"), "").unwrap();
    fails(run(&questions, &audio, &[]), 2);
    assert_eq!(fs::read_to_string(at("train.jsonl")).unwrap(), lines);
    insta::assert_snapshot!("prepare-refused", all);

    // A recipe may name AVQA's own file: the same questions, those whose clips are there.
    fs::remove_file(clips.join("c_1.wav")).unwrap();
    let loaded = avqa::load(Path::new(&questions), &clips).unwrap();
    assert_eq!(loaded, avqa::from_slice(lines.as_bytes(), "lines", &Clips::of(&clips).unwrap()).unwrap());
    let kept = avqa::kept(Path::new(&questions), &clips).unwrap().unwrap();
    assert!(
        kept.in_words().starts_with("2 of 6 questions kept: 1 clips missing, 3 rows dropped"),
        "{}",
        kept.in_words()
    );
    assert_eq!(avqa::kept(Path::new(&at("train.jsonl")), &clips).unwrap(), None);
    assert_eq!(avqa::load(Path::new(&questions), Path::new("no/such/folder")).unwrap_err().exit_code(), 4);
}

/// As Joysw909/AVQA on the hub has it: R1-AQA's lines beside four folders of clips, some of which cannot be had any more.
const LINES: [(u64, &str); 4] = [
    (184, "VGG10000/-HIPq7T3eFI_11.wav"),
    (185, "VGG20000/b_0.wav"),
    (186, "VGG40000/gone_5.wav"),
    (187, "VGG10000/-HIPq7T3eFI_11.wav"),
];

fn lines() -> String {
    let line = |(id, clip): &(u64, &str)| {
        json!({"id": id, "question_text": "What is in the video?", "multi_choice": ["Car", "siren"], "answer": 1, "dataset_name": "AVQA",
               "audio_path": format!("./Joysw909/AVQA/{clip}")})
    };
    LINES.iter().map(|l| format!("{}\n", line(l))).collect()
}

#[test]
fn clips_in_folders_are_found_and_lines_without_theirs_are_left_out() {
    let dir = folder(&["VGG10000/-HIPq7T3eFI_11.wav", "VGG20000/b_0.wav", "VGG30000/other_1.wav", ".cache/gone_5.wav"]);
    let clips = Clips::of(dir.path()).unwrap();
    let lines = lines();
    let found = prepare::avqa(lines.as_bytes(), "l", &clips).unwrap();
    assert_eq!((found.rows, found.kept, found.missing.as_slice()), (4, 3, &["gone_5".to_owned()][..]));
    let kept: String = lines.split_inclusive('\n').enumerate().filter(|(i, _)| *i != 2).map(|(_, line)| line).collect();
    assert_eq!(found.lines, kept, "a line that is kept is kept as it is");
    assert_eq!((found.short_names, found.long_names), (3, 0));
    let marked = [b"\xef\xbb\xbf", lines.replace('\n', "\r\n").as_bytes()].concat();
    assert_eq!(prepare::avqa(&marked, "l", &clips).unwrap().lines, kept, "as some programs write them");
    assert_eq!(avqa::from_slice(&marked, "l", &clips).unwrap().len(), 4);

    let examples = avqa::from_slice(lines.as_bytes(), "l", &clips).unwrap();
    let places: Vec<_> = examples.iter().map(|e| e.audio.strip_prefix(dir.path()).unwrap().to_str().unwrap()).collect();
    let at = ["VGG10000/-HIPq7T3eFI_11.wav", "VGG20000/b_0.wav", "gone_5.wav", "VGG10000/-HIPq7T3eFI_11.wav"];
    assert_eq!(places, at, "what is missing should be in the folder itself");

    // The same questions from AVQA's own file, and from the folders put into one.
    let rows =
        [row(184, "-HIPq7T3eFI_000011"), row(185, "b_000000"), row(186, "gone_000005"), row(187, "-HIPq7T3eFI_000011")];
    let array = [b"\xef\xbb\xbf".to_vec(), serde_json::to_vec(&rows).unwrap()].concat();
    let from_array = prepare::avqa(&array, "q", &clips).unwrap();
    assert_eq!((from_array.kept_ids, from_array.short_names), (found.kept_ids.clone(), 3));
    let flat = folder(&["-HIPq7T3eFI_11.wav", "b_0.wav", "other_1.wav"]);
    assert_eq!(prepare::avqa(lines.as_bytes(), "l", &Clips::of(flat.path()).unwrap()).unwrap().sha256, found.sha256);
}

#[test]
fn what_is_wrong_with_lines_is_counted_by_its_key_and_said_with_its_place() {
    let dir = folder(&["x_000007.flac"]);
    let clips = Clips::of(dir.path()).unwrap();
    let line =
        |more: &str| format!(r#"{{"id": 1, "question_text": "?", "multi_choice": ["a", "b"], "answer": 0, {more}}}"#);
    let whole = line(r#""audio_path": "x_000007.flac""#);
    let wrong = line(r#""audio_path": "x_000007.flac", "video_name": 5"#);
    let found = prepare::avqa(format!("{whole}\n{wrong}\n").as_bytes(), "l", &clips).unwrap();
    assert_eq!((found.kept, found.short_names, found.long_names), (1, 0, 1));
    assert_eq!(found.dropped["video_name"], ["line 2: video_name: expected a text, found the number 5"]);
    let error = |text: &str| prepare::avqa(text.as_bytes(), "l", &clips).unwrap_err().to_string();
    let gone = error(&line(r#""audio_path": "A/y.flac", "video_name": "y_000003""#));
    assert!(gone.ends_with("found none (the first would be y.flac or y_000003.wav)"), "{gone}");
    assert_eq!(
        error(&format!("{whole}\n{}", &whole[..40])),
        "l: line 2: expected a JSON object of a question: EOF while parsing a string at column 40 (the file ends early: was it copied in part?)"
    );
    assert!(error(" ").contains("found an empty file"));
}

#[test]
fn a_clip_in_two_folders_is_the_one_that_the_line_names_or_refused() {
    let twice = folder(&["VGG10000/-HIPq7T3eFI_11.wav", "VGG20000/-HIPq7T3eFI_11.wav", "VGG20000/b_0.wav"]);
    let clips = Clips::of(twice.path()).unwrap();
    let examples = avqa::from_slice(lines().as_bytes(), "l", &clips).unwrap();
    assert_eq!(examples[0].audio, twice.path().join("VGG10000/-HIPq7T3eFI_11.wav"));
    let elsewhere = lines().replace("VGG10000", "audios");
    let error = avqa::from_slice(elsewhere.as_bytes(), "l", &clips).unwrap_err();
    assert_eq!(error.exit_code(), 2);
    let said = "l: line 1: audio_path: the clip -HIPq7T3eFI_11.wav lies in VGG10000/ and VGG20000/ of";
    assert!(error.to_string().starts_with(said), "{error}");
    let rows = serde_json::to_vec(&[row(1, "-HIPq7T3eFI_000011")]).unwrap();
    for questions in [rows.as_slice(), elsewhere.as_bytes()] {
        let error = prepare::avqa(questions, "q", &clips).unwrap_err();
        assert!(error.exit_code() == 4 && error.to_string().contains("VGG10000/ and VGG20000/"), "{error}");
    }
    // The folder itself comes first: who copied all of them into one may leave the others there.
    fs::write(twice.path().join("-HIPq7T3eFI_11.wav"), "").unwrap();
    let examples = avqa::from_slice(elsewhere.as_bytes(), "l", &Clips::of(twice.path()).unwrap()).unwrap();
    assert_eq!(examples[0].audio, twice.path().join("-HIPq7T3eFI_11.wav"));
}
