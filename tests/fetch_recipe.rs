//! A recipe whose inputs are elsewhere, from the first plan to the lock, by the program itself against the stand-in.

mod hub;
mod program;

use aqa_bench::fetch::RepoKind;
use aqa_bench::pins::Sha256;
use flate2::Compression;
use flate2::write::GzEncoder;
use hub::{REVISION, Stand, git_blob, noise};
use program::{Said, command, said};
use serde_json::{Value, json};
use std::fs;
use std::path::{Path, PathBuf};
use tempfile::TempDir;

const WEIGHTS: usize = 50_000;

/// The stand-in, a home with empty caches, and a recipe of one evaluation.
struct Case {
    stand: Stand,
    home: TempDir,
    questions: Vec<u8>,
}

fn archive(members: &[(&str, &[u8])]) -> Vec<u8> {
    let mut tar = tar::Builder::new(GzEncoder::new(Vec::new(), Compression::fast()));
    for (name, bytes) in members {
        let mut header = tar::Header::new_gnu();
        header.set_size(bytes.len() as u64);
        header.set_mode(0o644);
        tar.append_data(&mut header, name, *bytes).unwrap();
    }
    tar.into_inner().unwrap().finish().unwrap()
}

impl Case {
    fn new() -> Self {
        let stand = Stand::start();
        let config = fs::read("recipes/data/qwen2-audio-7b-instruct/config.json").unwrap();
        let files: [(&str, &[u8], bool); 5] = [
            ("config.json", &config, false),
            (
                "generation_config.json",
                br#"{"do_sample": true, "temperature": 0.7, "top_k": 20, "top_p": 0.5, "repetition_penalty": 1.1}"#,
                false,
            ),
            ("tokenizer.json", b"{}", false),
            ("model.safetensors", &noise(WEIGHTS), true),
            ("README.md", b"not read", false),
        ];
        stand.repo(RepoKind::Model, "owner/model", &files);
        let info = json!({"sha": REVISION}).to_string();
        stand.page(&format!("/api/models/owner/model/revision/{}", &REVISION[..7]), info.as_bytes(), &[]);
        let row = |id: &str| {
            json!({"id": id, "audio_id": format!("./test-mini-audios/{id}.wav"), "question": "?", "choices": ["a", "b"],
                                    "answer": "a", "task": "sound", "difficulty": "easy", "sub-category": "s"})
        };
        let questions = json!([row("one"), row("two"), row("gone")]).to_string().into_bytes();
        stand.page("/q/mini.json", &questions, &[("ETag", "\"q\"")]);
        let clips =
            archive(&[("clips/one.wav", &noise(900)), ("clips/two.wav", &noise(700)), ("clips/other.txt", b"?")]);
        stand.page("/q/clips.tar.gz", &clips, &[("ETag", "\"c\"")]);
        let case = Self { stand, home: tempfile::tempdir().unwrap(), questions };
        case.write(&REVISION[..7], "");
        case
    }

    /// The recipe with this commit and more of the data set.
    fn write(&self, commit: &str, more: &str) {
        let (at, blob) = (self.stand.endpoint(), git_blob(&self.questions));
        let recipe = format!(
            "name: away\ntitle: Away\nseed: 1\nmodel: {{source: hf://models/owner/model, revision: {commit}, dtype: bfloat16}}\n\
             data:\n  sets:\n    mini: {{format: mmau, file: \"{at}/q/mini.json\", git_blob: {}, audio: \"{at}/q/clips.tar.gz\", audio_folder: clips{more}}}\n\
             eval:\n  - {{name: base, label: Base, from: model, data: mini, prompt: r1-aqa-2, decoding: {{do_sample: true, max_new_tokens: 8}}, batch_size: 2, extract: answer-tag, rule: official}}\n",
            blob.as_str(),
        );
        fs::write(self.recipe(), recipe).unwrap();
    }

    fn recipe(&self) -> PathBuf {
        self.home.path().join("away.yaml")
    }

    fn lock(&self) -> PathBuf {
        self.home.path().join("away.lock")
    }

    fn run(&self, args: &[&str], variables: &[(&str, &str)]) -> Said {
        let mut command = command(args);
        command.arg(self.recipe());
        for name in ["HF_HOME", "HF_HUB_CACHE", "AQA_CACHE", "HF_TOKEN", "HF_HUB_OFFLINE", "XDG_CACHE_HOME"] {
            command.env_remove(name);
        }
        command.env("HOME", self.home.path()).env("HF_ENDPOINT", self.stand.endpoint());
        said(&command.envs(variables.iter().copied()).output().unwrap())
    }

    fn does(&self, args: &[&str]) -> String {
        let Said { code, out, err } = self.run(args, &[]);
        assert_eq!(code, 0, "{args:?}: {err}");
        out
    }

    #[track_caller]
    fn fails(&self, args: &[&str], code: i32, parts: &[&str]) {
        let said = self.run(args, &[]);
        assert_eq!(said.code, code, "{args:?}: {}", said.err);
        for part in parts {
            assert!(said.err.contains(part), "{args:?}: {part:?} is not in: {}", said.err);
        }
    }
}

#[test]
fn a_recipe_goes_from_what_it_knows_to_a_lock_that_holds_every_file() {
    let case = Case::new();
    // Nothing is known yet, and planning asks nobody.
    let plan = case.does(&["plan"]);
    for part in
        [&REVISION[..7], "is the beginning of a commit", "no hash pins it", "aqa-bench lock RECIPE", "to download: "]
    {
        assert!(plan.contains(part), "{part:?} is not in: {plan}");
    }
    assert!(case.stand.asked().is_empty());
    case.fails(&["fetch"], 4, &["model: hf://models/owner/model", "beginning of a commit", "aqa-bench lock"]);
    case.fails(&["verify"], 4, &["beginning of a commit", "no hash pins it", "data set mini"]);

    // The lock completes it, without the weights.
    case.does(&["lock"]);
    let asked = case.stand.asked();
    assert!(asked.iter().all(|a| !a.path.contains("model.safetensors")), "weights are locked by the hub's list");
    let lock: Value = serde_json::from_slice(&fs::read(case.lock()).unwrap()).unwrap();
    let inputs = &lock["inputs"];
    assert_eq!(inputs["model"]["revision"], REVISION);
    assert_eq!(inputs["model"]["files"]["model.safetensors"], format!("sha256 {}", Sha256::of(&noise(WEIGHTS))));
    assert!(inputs["model"]["files"].get("README.md").is_none());
    let clips = &inputs["audio of data set mini"];
    assert_eq!((clips["missing"].clone(), clips["files"].as_object().unwrap().len()), (json!(1), 2));
    assert_eq!(lock["decoding"]["base"]["top_k"], 20, "the checkpoint's own setting");
    assert!(lock["prompts"]["r1-aqa-2"].is_string());
    assert!(case.does(&["lock"]).contains("unchanged"));

    // Now the size is known, and a fetch brings the rest.
    let plan = case.does(&["plan"]);
    assert!(
        plan.contains(&format!("revision {REVISION}"))
            && plan.contains(&format!(
                "({} bytes)",
                WEIGHTS + 2 + fs::metadata("recipes/data/qwen2-audio-7b-instruct/config.json").unwrap().len() as usize
            )),
        "{plan}"
    );
    case.does(&["fetch"]);
    case.stand.asked();
    case.does(&["fetch"]);
    assert!(case.stand.asked().is_empty(), "everything was there");
    let offline = case.run(&["verify"], &[("HF_HUB_OFFLINE", "1")]);
    assert_eq!(offline.code, 0, "{}", offline.err);
    assert!(offline.err.contains("every file is the one in"), "{}", offline.err);
    let plan = case.does(&["plan", "--format", "json"]);
    let plan: Value = serde_json::from_str(&plan).unwrap();
    assert!(
        plan["inputs"].as_array().unwrap().iter().all(|i| i["problem"].is_null() && i["to_fetch"].is_null()),
        "{plan:#}"
    );
    assert!(plan["stages"][0]["memory"].to_string().contains("device"), "its config.json is here: {plan:#}");
}

/// An archive that nobody pinned is fetched once; that its address may have another one by now is asked only for `--again`.
#[test]
fn what_a_lock_fetched_is_not_fetched_for_the_next_one() {
    let case = Case::new();
    let archives = |case: &Case| case.stand.asked().iter().filter(|a| a.path.ends_with("clips.tar.gz")).count();
    let locked = || -> Value {
        let lock: Value = serde_json::from_slice(&fs::read(case.lock()).unwrap()).unwrap();
        lock["inputs"]["audio of data set mini"]["archive"].clone()
    };
    case.does(&["lock"]);
    let first = locked();
    assert_eq!(archives(&case), 1);
    let said = case.run(&["lock"], &[]);
    assert!(said.out.contains("unchanged") && said.err.contains("taken from the cache"), "{}", said.err);
    // Nothing is asked for it, offline either, once the commit is whole.
    case.write(REVISION, "");
    let offline = case.run(&["lock"], &[("HF_HUB_OFFLINE", "1")]);
    assert!(offline.code == 0, "{}", offline.err);
    assert_eq!(archives(&case), 0);

    // The address has another archive now.
    let other = archive(&[("clips/one.wav", &noise(901)), ("clips/two.wav", &noise(700))]);
    case.stand.page("/q/clips.tar.gz", &other, &[("ETag", "\"d\"")]);
    assert!(case.does(&["lock"]).contains("unchanged"));
    let said = case.run(&["lock", "--again"], &[]);
    assert!(said.code == 0 && said.err.contains("pins differ from the lock"), "{}", said.err);
    assert_eq!(locked(), json!(Sha256::of(&other)));
    assert_ne!(locked(), first);
    assert_eq!(archives(&case), 1);
    assert!(case.does(&["lock"]).contains("unchanged"), "the newer one is the one that is kept in mind");

    // A copy that was changed or removed is none: it is fetched.
    let kept = case.home.path().join(".cache/aqa-bench/files").join(Sha256::of(&other).as_str());
    for spoil in [|at: &Path| fs::write(at, b"cut").unwrap(), |at: &Path| fs::remove_file(at).unwrap()] {
        spoil(&kept);
        case.does(&["lock"]);
        assert_eq!((archives(&case), fs::read(&kept).unwrap() == other), (1, true));
    }
}

#[test]
fn what_is_not_what_was_locked_is_named_with_both_hashes() {
    let case = Case::new();
    case.does(&["lock"]);
    case.does(&["fetch"]);
    // A clip is changed behind the program's back.
    let find = |name: &str| -> PathBuf {
        let mut stack = vec![case.home.path().join(".cache")];
        while let Some(dir) = stack.pop() {
            for entry in fs::read_dir(dir).unwrap().flatten() {
                if entry.path().is_dir() {
                    stack.push(entry.path());
                } else if entry.file_name() == name {
                    return entry.path();
                }
            }
        }
        panic!("{name} is nowhere")
    };
    let clip = find("two.wav");
    let before = fs::read(&clip).unwrap();
    fs::write(&clip, noise(701)).unwrap();
    let (was, is) = (Sha256::of(&before).to_string(), Sha256::of(&noise(701)).to_string());
    case.fails(&["verify"], 4, &["two.wav", &was, &is]);
    fs::write(&clip, before).unwrap();
    case.does(&["verify"]);

    // Weights of the cache, cut: found, and fetched again on request only.
    let weights = fs::canonicalize(find("model.safetensors")).unwrap();
    fs::write(&weights, noise(WEIGHTS - 1)).unwrap();
    case.fails(&["verify"], 4, &["model: hf://models/owner/model", "model.safetensors"]);
    case.does(&["fetch", "--again"]);
    case.does(&["verify"]);

    // A recipe that pins another commit, and a lock of another recipe.
    let kept = fs::read_to_string(case.lock()).unwrap();
    case.write(&"b".repeat(40), "");
    case.fails(&["plan"], 4, &["model", &"b".repeat(40), REVISION, "make the lock anew"]);
    case.write(REVISION, &format!(", audio_sha256: {}", "c".repeat(64)));
    case.fails(&["verify"], 4, &["audio of data set mini", &"c".repeat(64), "its lock"]);
    case.write(REVISION, "");
    fs::write(case.lock(), kept.replace("\"recipe\": \"away\"", "\"recipe\": \"other\"")).unwrap();
    case.fails(&["plan"], 2, &["expected the lock of recipe away, found that of other", "aqa-bench lock"]);
    fs::write(case.lock(), "{").unwrap();
    case.fails(&["verify"], 2, &["away.lock:1:1", "expected a lock of aqa-bench"]);
    fs::write(case.lock(), kept.replace("\"schema\": 1", "\"schema\": 9")).unwrap();
    case.fails(&["verify"], 2, &["expected a lock of version 1, found version 9"]);
}

#[test]
fn two_locks_differ_by_the_pins_that_differ() {
    let case = Case::new();
    case.does(&["lock"]);
    let (one, other) = (case.lock(), case.home.path().join("other.lock"));
    let kept = fs::read_to_string(&one).unwrap();
    fs::write(&other, kept.replace("\"top_k\": 20", "\"top_k\": 21")).unwrap();
    let compare = |a: &Path, b: &Path| {
        let mut command = command(["compare", "--locks"]);
        said(&command.arg(a).arg(b).output().unwrap())
    };
    let Said { code, out, err } = compare(&one, &other);
    assert_eq!((code, out.as_str()), (3, "decoding of base: top_k: 20 → 21\n"), "{err}");
    let same = compare(&one, &one);
    assert_eq!((same.code, same.out.as_str()), (0, "the same pins\n"));
}

/// Of AVQA's own file the questions count whose clips are there: another clip is another data set.
#[test]
fn a_lock_holds_which_questions_of_avqa_are_kept() {
    let case = Case::new();
    let clips = case.home.path().join("clips");
    fs::create_dir(&clips).unwrap();
    let row = |id: u64, video: &str| json!({"id": id, "video_name": video, "question_text": "What is in the video?", "multi_choice": ["a", "b"], "answer": 1});
    let questions = json!([row(1, "x_000030"), row(2, "y_000007")]).to_string().into_bytes();
    fs::write(case.home.path().join("q.json"), &questions).unwrap();
    fs::write(clips.join("x_30.wav"), noise(50)).unwrap();
    let mini = fs::read_to_string(case.recipe()).unwrap();
    let set = mini.lines().find(|line| line.trim_start().starts_with("mini:")).unwrap();
    let blob = git_blob(&questions);
    let avqa = format!("    mini: {{format: avqa, file: q.json, git_blob: {}, audio: clips}}", blob.as_str());
    fs::write(case.recipe(), mini.replace(set, &avqa)).unwrap();
    let fingerprint = || -> String {
        let plan: Value = serde_json::from_str(&case.does(&["plan", "--format", "json"])).unwrap();
        plan["stages"][0]["fingerprint"].as_str().unwrap().to_owned()
    };
    let said = case.run(&["lock"], &[]);
    assert!(said.code == 0 && said.err.contains("1 of 2 questions kept: 1 clips missing"), "{}", said.err);
    let lock: Value = serde_json::from_slice(&fs::read(case.lock()).unwrap()).unwrap();
    let clips_of = &lock["inputs"]["audio of data set mini"];
    assert_eq!((clips_of["kept_ids"].clone(), clips_of["missing"].clone()), (json!(Sha256::of(b"1\n")), json!(1)));
    case.does(&["fetch"]);
    case.does(&["verify"]);
    let before = fingerprint();
    fs::write(clips.join("y_7.wav"), noise(60)).unwrap();
    assert_ne!(fingerprint(), before, "other questions, another stage");
    case.fails(
        &["verify"],
        4,
        &["audio of data set mini", Sha256::of(b"1\n").as_str(), Sha256::of(b"1\n2\n").as_str()],
    );
}

/// A clip that the questions take in place of a locked one is another input, though the locked one is still there.
#[test]
fn a_lock_holds_which_clip_of_a_name_is_taken() {
    let case = Case::new();
    let clips = case.home.path().join("clips");
    fs::create_dir_all(clips.join("VGG10000")).unwrap();
    fs::write(clips.join("VGG10000/x_30.wav"), noise(50)).unwrap();
    let line =
        json!({"id": 1, "question_text": "?", "multi_choice": ["a", "b"], "answer": 1, "audio_path": "x_30.wav"})
            .to_string();
    fs::write(case.home.path().join("q.json"), &line).unwrap();
    let mini = fs::read_to_string(case.recipe()).unwrap();
    let set = mini.lines().find(|line| line.trim_start().starts_with("mini:")).unwrap();
    let avqa =
        format!("    mini: {{format: avqa, file: q.json, sha256: {}, audio: clips}}", Sha256::of(line.as_bytes()));
    fs::write(case.recipe(), mini.replace(set, &avqa)).unwrap();
    case.does(&["lock"]);
    case.does(&["fetch"]);
    case.does(&["verify"]);
    fs::write(clips.join("x_30.wav"), noise(60)).unwrap();
    case.fails(&["verify"], 4, &["audio of data set mini", "take 1 clip that the lock has not, the first is x_30.wav"]);
}

/// As Joysw909/AVQA: R1-AQA's lines and the clips in folders beside them, one repository of the hub for both.
#[test]
fn lines_and_folders_of_clips_come_from_one_repository() {
    let case = Case::new();
    let (one, two) = (noise(900), noise(700));
    let line = |id: u64, clip: &str| json!({"id": id, "question_text": "What is in the video?", "multi_choice": ["a", "b"], "answer": 1, "audio_path": format!("./owner/avqa/{clip}")});
    let lines = format!("{}\n{}\n", line(1, "VGG10000/x_30.wav"), line(2, "VGG20000/y_7.wav")).into_bytes();
    let files: [(&str, &[u8], bool); 3] =
        [("lines.json", &lines, false), ("VGG10000/x_30.wav", &one, true), ("VGG20000/y_7.wav", &two, true)];
    case.stand.repo(RepoKind::Dataset, "owner/avqa", &files);
    let mini = fs::read_to_string(case.recipe()).unwrap();
    let set = mini.lines().find(|line| line.trim_start().starts_with("mini:")).unwrap();
    let at = "hf://datasets/owner/avqa";
    let avqa = format!("    mini: {{format: avqa, file: {at}/lines.json, revision: {REVISION}, audio: {at}}}");
    fs::write(case.recipe(), mini.replace(set, &avqa)).unwrap();
    case.does(&["lock"]);
    let lock: Value = serde_json::from_slice(&fs::read(case.lock()).unwrap()).unwrap();
    let hashes = json!({"VGG10000/x_30.wav": format!("sha256 {}", Sha256::of(&one)), "VGG20000/y_7.wav": format!("sha256 {}", Sha256::of(&two))});
    assert_eq!(lock["inputs"]["audio of data set mini"]["files"], hashes);
    case.does(&["fetch"]);
    case.does(&["verify"]);
    let snapshots = case.home.path().join(".cache/huggingface/hub/datasets--owner--avqa/snapshots");
    let clip = snapshots.join(REVISION).join("VGG20000/y_7.wav");
    fs::write(fs::canonicalize(&clip).unwrap(), noise(701)).unwrap();
    case.fails(&["verify"], 4, &["VGG20000/y_7.wav"]);
}

/// A revision pins a file of the hub; a hash that the recipe gives beside it is held to as well.
#[test]
fn a_hash_beside_a_revision_is_not_left_unread() {
    let case = Case::new();
    let clips = archive(&[("one.wav", &noise(900)), ("two.wav", &noise(700))]);
    let files: [(&str, &[u8], bool); 2] = [("q.json", &case.questions, false), ("clips.tar.gz", &clips, true)];
    case.stand.repo(RepoKind::Dataset, "owner/set", &files);
    let recipe = fs::read_to_string(case.recipe()).unwrap().replace(&REVISION[..7], REVISION);
    let set = recipe.lines().find(|line| line.trim_start().starts_with("mini:")).unwrap().to_owned();
    let write = |questions: &str, audio: &str| {
        let at = "hf://datasets/owner/set";
        let hub = format!(
            "    mini: {{format: mmau, file: {at}/q.json, sha256: {questions}, revision: {REVISION}, audio: {at}/clips.tar.gz, audio_sha256: {audio}}}"
        );
        fs::write(case.recipe(), recipe.replace(&set, &hub)).unwrap();
    };
    let (own, packed) = (Sha256::of(&case.questions).to_string(), Sha256::of(&clips).to_string());
    let other = "c".repeat(64);
    write(&other, &packed);
    case.fails(&["fetch"], 4, &["data set mini", &other, &own]);
    case.fails(&["lock"], 4, &["data set mini", &other, &own]);
    write(&own, &other);
    case.fails(&["fetch"], 4, &["audio of data set mini", &other, &packed]);
    write(&own, &packed);
    case.does(&["fetch"]);
    case.does(&["verify"]);
    case.does(&["lock"]);
    case.does(&["verify"]);
    // All of it is here now, and another hash is no less wrong for it.
    fs::remove_file(case.lock()).unwrap();
    write(&other, &packed);
    case.fails(&["verify"], 4, &["data set mini", &other, &own]);
    write(&own, &other);
    case.fails(&["verify"], 4, &["audio of data set mini", &other, &packed]);
}
