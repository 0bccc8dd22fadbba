//! Bundles: the same bytes for the same run, checked by whoever gets one, refused when they are not what they say.

mod program;
mod report_runs;

use aqa_bench::pins::Sha256;
use aqa_bench::report::bundle::{self, bundle};
use flate2::read::GzDecoder;
use flate2::write::GzEncoder;
use program::{aqa, command, redact, said};
use report_runs::{edit, on_mmau, quickstart, write};
use std::collections::BTreeMap;
use std::fs;
use std::io::Read;
use std::path::{Path, PathBuf};
use tempfile::{TempDir, tempdir};

/// Names in the archive, below its folder, and bytes.
type Files = BTreeMap<String, Vec<u8>>;

/// A finished run that keeps its recipe, in `runs/quickstart`, with everything in it that must not leave.
fn world() -> (TempDir, PathBuf) {
    let dir = tempdir().unwrap();
    let run = write(dir.path().join("runs/quickstart"), &quickstart());
    // The hand-made manifest's recipe is a file of this content.
    fs::create_dir(run.join("recipe")).unwrap();
    fs::write(run.join("recipe/quickstart.yaml"), "quickstart").unwrap();
    let training = fs::read_dir(&run).unwrap().map(|e| e.unwrap().path());
    let training = training.filter(|p| p.file_name().unwrap().to_str().unwrap().starts_with("sft-")).min().unwrap();
    fs::write(training.join("metrics.jsonl"), "{\"step\": 1, \"loss\": 2.5}\n").unwrap();
    fs::create_dir_all(training.join("checkpoint-1")).unwrap();
    fs::write(training.join("checkpoint-1/model-00001-of-00001.safetensors"), "weights").unwrap();
    fs::write(training.join("clip.wav"), "RIFF").unwrap();
    fs::create_dir_all(run.join("report/plots")).unwrap();
    fs::write(run.join("report/plots/reward.svg"), "<svg xmlns=\"http://www.w3.org/2000/svg\"/>\n").unwrap();
    fs::write(run.join("report/leaderboard.md"), "of another day\n").unwrap();
    (dir, run)
}

fn unpack(bytes: &[u8]) -> Files {
    let mut files = Files::new();
    for entry in tar::Archive::new(GzDecoder::new(bytes)).entries().unwrap() {
        let mut entry = entry.unwrap();
        let header = entry.header();
        assert_eq!((header.mtime().unwrap(), header.uid().unwrap(), header.mode().unwrap()), (0, 0, 0o644));
        let name = entry.path().unwrap().to_str().unwrap().to_owned();
        let mut bytes = Vec::new();
        entry.read_to_end(&mut bytes).unwrap();
        files.insert(name.split_once('/').unwrap().1.to_owned(), bytes);
    }
    files
}

fn pack(files: &Files) -> Vec<u8> {
    let mut tar = tar::Builder::new(GzEncoder::new(Vec::new(), flate2::Compression::fast()));
    for (name, bytes) in files {
        let mut header = tar::Header::new_gnu();
        header.set_size(bytes.len() as u64);
        header.set_mode(0o644);
        tar.append_data(&mut header, format!("quickstart-bundle/{name}"), bytes.as_slice()).unwrap();
    }
    tar.into_inner().unwrap().finish().unwrap()
}

/// A text with every SHA-256 in it as `HASH`.
fn without_hashes(text: &str) -> String {
    let words = text.split_inclusive(|c: char| !c.is_ascii_alphanumeric());
    let hidden = words.map(|word| match word.trim_end_matches(|c: char| !c.is_ascii_alphanumeric()) {
        hash if hash.len() == 64 => word.replace(hash, "HASH"),
        _ => word.to_owned(),
    });
    hidden.collect()
}

/// With checksums of what is there now: what somebody does who means to deceive.
fn with_sums(mut files: Files) -> Files {
    files.remove("SHA256SUMS");
    let sums = files.iter().map(|(name, bytes)| format!("{}  {name}\n", Sha256::of(bytes))).collect::<String>();
    files.insert("SHA256SUMS".into(), sums.into_bytes());
    files
}

fn text(files: &Files, name: &str) -> String {
    String::from_utf8(files[name].clone()).unwrap()
}

#[test]
fn a_bundle_has_what_a_reader_needs_and_nothing_that_must_not_leave() {
    let (dir, run) = world();
    let out = dir.path().join("a.tar.gz");
    let bundled = bundle(&run, None, Some(&out)).unwrap();
    let files = unpack(&fs::read(&out).unwrap());
    assert_eq!(bundled.files, files.len());
    let names: String = files.keys().map(|name| format!("{name}\n")).collect();
    insta::assert_snapshot!("names", names);
    for (name, bytes) in &files {
        let text = String::from_utf8_lossy(bytes);
        assert!(!text.contains("/srv/") && !text.contains("/opt/") && !text.contains("weights\n"), "{name}: {text}");
        assert!(!text.contains(dir.path().to_str().unwrap()), "{name} has a path of this machine");
    }
    assert_eq!(text(&files, "command.txt"), "aqa-bench reproduce 'recipes/a b.yaml'\n");
    let manifest: serde_json::Value = serde_json::from_slice(&files["run/manifest.json"]).unwrap();
    assert_eq!(manifest["recipe_sha256"], Sha256::of(&files["run/recipe/quickstart.yaml"]).as_str());
    assert_eq!(manifest["recipe_file"], "quickstart.yaml", "its name, and not where it lay");
    for key in ["2503.11197", "2410.19168", "2407.10759", "{aqa-bench}"] {
        assert!(text(&files, "citation.bib").contains(key), "{key}");
    }
    insta::assert_snapshot!("readme", text(&files, "README.md"));

    // The same run gives the same bytes, wherever it lies and whenever its files were written.
    let elsewhere = dir.path().join("other/place");
    copy(&run, &elsewhere);
    let again = dir.path().join("b.tar.gz");
    bundle(&elsewhere, None, Some(&again)).unwrap();
    assert_eq!(fs::read(&out).unwrap(), fs::read(&again).unwrap());
    bundle(&run, None, Some(&out)).unwrap();
    assert_eq!(bundled.sha256, Sha256::of_file(&out).unwrap());
}

fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap().map(Result::unwrap) {
        if entry.path().is_dir() {
            copy(&entry.path(), &to.join(entry.file_name()));
        } else {
            fs::write(to.join(entry.file_name()), fs::read(entry.path()).unwrap()).unwrap();
        }
    }
}

#[test]
fn a_bundle_verifies_and_sha256sum_takes_its_list() {
    let (dir, run) = world();
    let call = |args: &[&str]| said(&command(args).current_dir(dir.path()).output().unwrap());
    let line = call(&["bundle", run.to_str().unwrap()]).succeeds();
    let file = "quickstart-bundle.tar.gz";
    assert!(line.starts_with(&format!("{file}: ")) && line.contains("verified, sha256 "), "{line}");
    insta::assert_snapshot!("verify", call(&["verify", file]).succeeds());
    let json: serde_json::Value =
        serde_json::from_str(&call(&["verify", file, "--format", "json"]).succeeds()).unwrap();
    assert!(json["checks"].as_array().unwrap().iter().all(|check| check["same"] == true), "{json}");
    assert_eq!(json["differences"], 0);

    // By its bytes, whatever it is called; and `run/` is a run folder like any other.
    fs::rename(dir.path().join(file), dir.path().join("evidence.bin")).unwrap();
    call(&["verify", "evidence.bin"]).succeeds();
    let status = std::process::Command::new("tar").args(["-xzf", "evidence.bin"]).current_dir(dir.path()).status();
    assert!(status.unwrap().success());
    let place = dir.path().join("quickstart-bundle");
    let sums =
        std::process::Command::new("sha256sum").args(["-c", "--quiet", "SHA256SUMS"]).current_dir(&place).output();
    assert!(sums.unwrap().status.success());
    let table = aqa(["report", place.join("run").to_str().unwrap()]).succeeds();
    assert_eq!(table, fs::read_to_string(place.join("tables/leaderboard.md")).unwrap());
}

#[test]
fn a_bundle_on_mmau_keeps_the_claims_that_its_table_quotes() {
    let dir = tempdir().unwrap();
    let run = write(dir.path().join("run"), &on_mmau("r1", "GRPO", report_runs::JANUARY, &[0, 1, 2]));
    fs::write(dir.path().join("r1.yaml"), "r1").unwrap();
    let out = dir.path().join("a.tar.gz");
    let bundled = bundle(&run, Some(&dir.path().join("r1.yaml")), Some(&out)).unwrap();
    assert!(bundled.notes.iter().any(|note| note.starts_with("stage sft: no metrics.jsonl")), "{:?}", bundled.notes);
    let files = unpack(&fs::read(&out).unwrap());
    assert!(files.contains_key("run/claims/r1-aqa-claims.json"));
    assert_eq!(bundle::verify(&out).unwrap().differences, 0);
}

#[test]
fn the_steps_of_a_stage_that_another_run_left_are_found_whatever_its_folder_is_called() {
    let (dir, run) = world();
    edit(&run.join("manifest.json"), |m| m["stages"][0]["folder"] = "sft-0123456789ab".into());
    let left = dir.path().join("runs/of another day/sft-0123456789ab");
    fs::create_dir_all(&left).unwrap();
    let out = dir.path().join("a.tar.gz");
    let note = "stage sft: no metrics.jsonl of it in the run folder or in one beside it";
    let notes = bundle(&run, None, Some(&out)).unwrap().notes;
    assert!(notes.iter().any(|n| n.starts_with(note)), "{notes:?}");
    fs::remove_file(&out).unwrap();

    let steps = "{\"step\": 1, \"loss\": 1.5}\n";
    fs::write(left.join("metrics.jsonl"), steps).unwrap();
    let notes = bundle(&run, None, Some(&out)).unwrap().notes;
    assert!(notes.iter().all(|n| !n.contains("metrics.jsonl")), "{notes:?}");
    let files = unpack(&fs::read(&out).unwrap());
    assert_eq!(text(&files, "run/sft-0123456789ab/metrics.jsonl"), steps);
}

#[test]
fn what_was_changed_and_given_new_checksums_is_found_by_its_scores_and_tables() {
    let (dir, run) = world();
    let out = dir.path().join("a.tar.gz");
    bundle(&run, None, Some(&out)).unwrap();
    let files = unpack(&fs::read(&out).unwrap());
    let grpo = files.keys().find(|n| n.starts_with("run/grpo-") && n.ends_with("predictions.json")).unwrap().clone();
    let score = grpo.replace("predictions", "score");
    let mut told = String::new();
    let mut differs = |what: &str, change: &dyn Fn(&mut Files)| {
        let mut files = files.clone();
        change(&mut files);
        let path = dir.path().join("tampered.tar.gz");
        fs::write(&path, pack(&with_sums(files))).unwrap();
        let out = aqa(["verify", path.to_str().unwrap()]);
        assert_eq!(out.code, 3, "{what}: {}{}", out.out, out.err);
        // What a table says is for other tests to hold.
        let line =
            |l: &str| if l.contains("tables/") { l.split(": line ").next().unwrap().to_owned() } else { l.to_owned() };
        let lines = out.out.lines().filter(|l| l.ends_with("DIFFERENT"));
        let lines: String = lines.map(|l| format!("{}\n", line(l))).collect();
        let end = redact(&out.err, dir.path()).split(" (this is").next().unwrap().to_owned();
        told.push_str(&format!("{what}\n{lines}{end}\n\n"));
    };
    differs("an answer", &|files| {
        let mut rows: serde_json::Value = serde_json::from_slice(&files[&grpo]).unwrap();
        rows[5]["model_prediction"] = rows[5]["answer"].clone();
        files.insert(grpo.clone(), serde_json::to_vec(&rows).unwrap());
    });
    let samples = grpo.replace("predictions.json", "samples.jsonl");
    differs("an output", &|files| {
        let (first, rest) = text(files, &samples).split_once('\n').map(|(a, b)| (a.to_owned(), b.to_owned())).unwrap();
        let mut sample: serde_json::Value = serde_json::from_str(&first).unwrap();
        sample["output"] = "<answer>a cat, I think</answer>".into();
        files.insert(samples.clone(), format!("{sample}\n{rest}").into_bytes());
    });
    differs("a breakdown", &|files| {
        let text = text(files, &score).replacen("\"wrong\": 3", "\"wrong\": 2", 1);
        files.insert(score.clone(), text.into_bytes());
    });
    differs("a table", &|files| {
        let text = text(files, "tables/leaderboard.tex").replace("75.00", "85.00");
        files.insert("tables/leaderboard.tex".into(), text.into_bytes());
    });
    differs("the recipe", &|files| drop(files.insert("run/recipe/quickstart.yaml".into(), b"another".to_vec())));
    insta::assert_snapshot!("differences", told);
}

#[test]
fn a_bundle_that_is_broken_or_no_bundle_is_refused_and_nothing_is_left() {
    let (dir, run) = world();
    let out = dir.path().join("a.tar.gz");
    bundle(&run, None, Some(&out)).unwrap();
    let whole = fs::read(&out).unwrap();
    let files = unpack(&whole);
    let temporary = dir.path().join("tmp");
    fs::create_dir(&temporary).unwrap();
    let mut told = String::new();
    let mut refused = |what: &str, name: &str, bytes: &[u8], code: i32| {
        let path = dir.path().join(name);
        fs::write(&path, bytes).unwrap();
        let ended = said(&command(["verify", path.to_str().unwrap()]).env("TMPDIR", &temporary).output().unwrap());
        assert_eq!((ended.code, ended.out.as_str()), (code, ""), "{what}: {}", ended.err);
        assert_eq!(fs::read_dir(&temporary).unwrap().count(), 0, "{what}: nothing is left");
        let mut line = redact(&ended.err, dir.path());
        // What a broken archive says depends on its bytes, and hashes on what tables say.
        if let Some((start, _)) = line.split_once("is not a whole .tar.gz archive: ") {
            line = format!("{start}is not a whole .tar.gz archive: …\n");
        }
        told.push_str(&format!("{what}\n{}\n", without_hashes(&line)));
    };
    refused("cut off", "cut.tar.gz", &whole[..whole.len() / 2], 4);
    let mut flipped = whole.clone();
    flipped[whole.len() / 2] ^= 0x10;
    refused("a bit flipped", "flipped.tar.gz", &flipped, 4);
    refused("empty", "empty.tar.gz", b"", 4);
    refused("a text called an archive", "text.tar.gz", b"hello", 4);
    refused("neither", "predictions.json", b"[]", 2);
    let changed = |change: &dyn Fn(&mut Files)| {
        let mut files = files.clone();
        change(&mut files);
        pack(&files)
    };
    let table = "tables/leaderboard.md";
    refused("a file changed", "b.tar.gz", &changed(&|f| f.get_mut(table).unwrap().push(b' ')), 4);
    refused("a file added", "b.tar.gz", &changed(&|f| drop(f.insert("run/x.txt".into(), vec![]))), 4);
    refused("a file gone", "b.tar.gz", &changed(&|f| drop(f.remove(table))), 4);
    refused(
        "a list that is none",
        "b.tar.gz",
        &changed(&|f| drop(f.insert("SHA256SUMS".into(), b"hello\n".to_vec()))),
        4,
    );
    refused("no list", "b.tar.gz", &changed(&|f| drop(f.remove("SHA256SUMS"))), 4);
    let without = |name: &str| {
        let mut files = files.clone();
        files.remove(name);
        pack(&with_sums(files))
    };
    refused("no manifest", "b.tar.gz", &without("run/manifest.json"), 4);
    refused("no table", "b.tar.gz", &without("tables/leaderboard.csv"), 4);
    let unfinished = text(&files, "run/manifest.json").replacen("\"done\": true", "\"done\": false", 1);
    let mut half = files.clone();
    half.insert("run/manifest.json".into(), unfinished.into_bytes());
    refused("an unfinished run", "b.tar.gz", &pack(&with_sums(half)), 2);
    let mut outside = files.clone();
    let manifest = text(&files, "run/manifest.json").replacen("\"folder\": \"start-", "\"folder\": \"../../start-", 1);
    outside.insert("run/manifest.json".into(), manifest.into_bytes());
    refused("a name that leads out", "b.tar.gz", &pack(&with_sums(outside)), 4);
    // What would leave the folder, and what would fill the disk.
    let member = |name: &str, kind: tar::EntryType, body: &[u8]| {
        let mut tar = tar::Builder::new(GzEncoder::new(Vec::new(), flate2::Compression::best()));
        let mut header = tar::Header::new_ustar();
        header.as_old_mut().name[..name.len()].copy_from_slice(name.as_bytes());
        header.set_entry_type(kind);
        header.set_size(body.len() as u64);
        header.as_old_mut().linkname[..11].copy_from_slice(b"/etc/passwd");
        header.set_cksum();
        tar.append(&header, body).unwrap();
        tar.into_inner().unwrap().finish().unwrap()
    };
    refused("a way out", "b.tar.gz", &member("x/../../../escaped", tar::EntryType::Regular, b"hello"), 4);
    refused("a link", "b.tar.gz", &member("x/link", tar::EntryType::Symlink, b""), 4);
    refused("a bomb", "b.tar.gz", &member("x/zeros", tar::EntryType::Regular, &vec![0; 4 << 20]), 4);
    insta::assert_snapshot!("broken", told);

    let none = aqa(["verify", "no-such-bundle.tar.gz"]).fails(4);
    assert!(none.contains("cannot open no-such-bundle.tar.gz"), "{none}");
    let none = aqa(["verify", "recipes/quickstrat.yaml"]).fails(2);
    assert!(none.contains("did you mean recipes/quickstart.yaml?"), "{none}");
    let with_sets = aqa(["verify", out.to_str().unwrap(), "--set", "seed=2"]).fails(2);
    assert!(with_sets.contains("are for recipes"), "{with_sets}");
}

#[test]
fn what_cannot_be_bundled_is_refused_with_the_way_out_and_nothing_is_written() {
    let mut told = String::new();
    let mut refused = |what: &str, code: i32, change: &dyn Fn(&Path, &Path)| {
        let (dir, run) = world();
        change(dir.path(), &run);
        let ended = said(&command(["bundle", "runs/quickstart"]).current_dir(dir.path()).output().unwrap());
        assert_eq!(ended.code, code, "{what}: {}{}", ended.out, ended.err);
        let hash = |w: &str| if w.contains("sft-") { "sft-STAGE".to_owned() } else { w.to_owned() };
        let said = redact(&ended.err, dir.path()).split('/').map(hash).collect::<Vec<_>>().join("/");
        told.push_str(&format!("{what}\n{said}\n"));
        let written = dir.path().join("quickstart-bundle.tar.gz");
        assert!(fs::read(&written).is_ok_and(|b| b == b"mine") || !written.exists(), "{what}");
    };
    refused("an unfinished run", 2, &|_, run| {
        edit(&run.join("manifest.json"), |m| m["stages"][1]["done"] = false.into());
    });
    refused("no recipe", 4, &|_, run| fs::remove_dir_all(run.join("recipe")).unwrap());
    refused("another recipe", 4, &|_, run| fs::write(run.join("recipe/quickstart.yaml"), "another").unwrap());
    refused("another file there", 2, &|dir, _| fs::write(dir.join("quickstart-bundle.tar.gz"), "mine").unwrap());
    refused("samples cut off", 4, &|_, run| {
        let all = fs::read_dir(run).unwrap().map(|e| e.unwrap().path().join("samples.jsonl"));
        let path = all.filter(|p| p.to_str().unwrap().contains("/sft-")).find(|p| p.exists()).unwrap();
        let whole = fs::read_to_string(&path).unwrap();
        fs::write(&path, format!("{whole}{{\"id\": \"q")).unwrap();
    });
    refused("a token", 4, &|_, run| {
        edit(&run.join("manifest.json"), |m| m["title"] = format!("see hf_{}", "a1B2".repeat(9)).into());
    });
    refused("a token behind a line's end", 4, &|_, run| {
        edit(&run.join("manifest.json"), |m| m["title"] = format!("see\nhf_{}", "a1B2".repeat(9)).into());
    });
    refused("a score that is not its predictions'", 3, &|_, run| {
        let score = fs::read_dir(run).unwrap().map(|e| e.unwrap().path().join("score.json"));
        let score = score.filter(|p| p.to_str().unwrap().contains("/grpo-")).find(|p| p.exists()).unwrap();
        edit(&score, |s| s["ledger"]["wrong"] = 7.into());
    });
    insta::assert_snapshot!("refused", told);
}

#[test]
fn a_run_keeps_its_recipe_and_those_that_it_builds_on() {
    let dir = tempdir().unwrap();
    let at = |name: &str| dir.path().join(name);
    let rows = report_runs::questions();
    let mut said_rows = rows.clone();
    said_rows.iter_mut().for_each(|row| row["model_output"] = row["answer"].clone());
    fs::write(at("questions.json"), serde_json::to_string(&rows).unwrap()).unwrap();
    fs::write(at("ours.json"), serde_json::to_string(&said_rows).unwrap()).unwrap();
    let pin = Sha256::of_file(&at("questions.json")).unwrap();
    let recipe = |title: &str| {
        format!(
            "name: files\ntitle: \"{title}\"\nseed: 1\ndata:\n  dir: {}\n  sets:\n    made: {{format: mmau, file: questions.json, sha256: {pin}, audio: nowhere}}\nscores:\n  - {{name: ours, label: \"Ours\", file: ours.json, data: made, rule: official}}\n",
            dir.path().display()
        )
    };
    let call = |args: &[&str]| said(&command(args).current_dir(dir.path()).output().unwrap());
    fs::write(at("files.yaml"), recipe("first")).unwrap();
    call(&["reproduce", "files.yaml"]).succeeds();
    let kept = at("runs/files/recipe/files.yaml");
    assert_eq!(fs::read(&kept).unwrap(), fs::read(at("files.yaml")).unwrap());
    let told = call(&["bundle", "runs/files"]);
    assert!(
        told.err.contains("note: files.yaml:5: the bundle's copy of it names a folder of this machine: "),
        "{}",
        told.err
    );
    told.succeeds();
    call(&["verify", "files-bundle.tar.gz"]).succeeds();

    // What is kept is what the manifest says, also after a change that computes nothing.
    fs::write(at("files.yaml"), recipe("second")).unwrap();
    call(&["reproduce", "files.yaml"]).succeeds();
    assert_eq!(fs::read(&kept).unwrap(), fs::read(at("files.yaml")).unwrap());
    let error = call(&["bundle", "runs/files"]).fails(2);
    assert!(error.contains("another file is already there"), "{error}");
    call(&["bundle", "runs/files", "--out", "second.tar.gz"]).succeeds();
}

#[test]
fn withheld_answers_and_messages_with_folders_are_bundled_as_they_must_be() {
    let (dir, run) = world();
    let stage = |name: &str| {
        let all = fs::read_dir(&run).unwrap().map(|e| e.unwrap().path());
        let mut all = all.filter(|p| p.file_name().unwrap().to_str().unwrap().starts_with(&format!("{name}-")));
        all.find(|p| p.join("eval.json").exists()).unwrap()
    };
    let (start, sft) = (stage("start"), stage("sft"));
    edit(&start.join("eval.json"), |e| {
        e["withheld"] = serde_json::json!({"no_answer": 0, "failed": 0});
        e["extract"] = "answer-tag".into();
    });
    edit(&start.join("predictions.json"), |rows| {
        rows.as_array_mut().unwrap().iter_mut().for_each(|row| row["answer"] = "".into());
    });
    fs::remove_file(start.join("score.json")).unwrap();
    let samples = fs::read_to_string(sft.join("samples.jsonl")).unwrap();
    let clip = dir.path().join("clips/q02.wav");
    let message = format!("cannot open {}: no such file", clip.display());
    fs::write(sft.join("samples.jsonl"), samples.replace("no such clip", &message)).unwrap();
    let out = dir.path().join("a.tar.gz");
    bundle(&run, None, Some(&out)).unwrap();
    let files = unpack(&fs::read(&out).unwrap());
    let name = files.keys().find(|n| n.starts_with("run/sft-") && n.ends_with("samples.jsonl")).unwrap();
    let kept = text(&files, name);
    assert_eq!(kept, samples.replace("no such clip", "cannot open …/q02.wav: no such file"), "nothing else changes");
    assert!(!files.keys().any(|n| n.starts_with("run/start-") && n.ends_with("score.json")));
    let verification = bundle::verify(&out).unwrap();
    assert!(verification.to_text().contains("start: predictions: 12 predictions, the answers are withheld"));
    assert!(verification.to_text().contains("start: samples: 12 answers: same\n"), "{}", verification.to_text());
    assert_eq!(verification.differences, 0);
}
