//! Run folders → pictures and a page.

mod page_runs;
mod program;
mod report_runs;

use aqa_bench::artifact::RunFolder;
use aqa_bench::report::page::{self, Clips, Made, Request};
use aqa_bench::report::plot::{self, About, Figures};
use aqa_bench::report::{load, page::of_run};
use page_runs::{HOSTILE, other, run};
use program::{aqa, redact};
use report_runs::{MARCH, edit, on_mmau, quickstart, write};
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};
use tempfile::{TempDir, tempdir};

/// Writes the runs that `scripts/test-browser.sh` makes a page of; does nothing without `AQA_BROWSER_RUNS`, the folder to write them into.
#[test]
#[ignore = "writes runs for the browser test"]
fn runs_for_the_browser() {
    let Ok(folder) = std::env::var("AQA_BROWSER_RUNS") else { return };
    let folder = PathBuf::from(folder);
    run(folder.join("quickstart"), 1000);
    other(folder.join("elsewhere"), 1000);
}

fn figures(runs: &[PathBuf]) -> Figures {
    let runs: Vec<load::Run> = runs.iter().map(|r| load::run(r).unwrap()).collect();
    plot::figures(&runs).unwrap()
}

fn page(runs: &[PathBuf], out: &Path) -> Made {
    page::write(&Request { runs, out, audio: &[], clips: Clips::Copy }).unwrap()
}

/// The data that the page's script reads.
fn data(out: &Path) -> Value {
    let text = fs::read_to_string(out.join("assets/data.js")).unwrap();
    assert!(!text.contains('<'), "data cannot end a script wherever it is put");
    let json = text.strip_prefix("window.AQA = ").unwrap().strip_suffix(";\n").unwrap();
    serde_json::from_str(json).unwrap()
}

/// Every file below a folder, by its path there.
fn files(root: &Path) -> BTreeMap<String, Vec<u8>> {
    fn walk(root: &Path, at: &Path, out: &mut BTreeMap<String, Vec<u8>>) {
        for entry in fs::read_dir(at).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                walk(root, &path, out);
            } else {
                let name = path.strip_prefix(root).unwrap().to_str().unwrap().to_owned();
                out.insert(name, fs::read(&path).unwrap());
            }
        }
    }
    let mut out = BTreeMap::new();
    walk(root, root, &mut out);
    out
}

fn sixty() -> (TempDir, PathBuf) {
    let dir = tempdir().unwrap();
    let run = run(dir.path().join("runs/quickstart"), 60);
    (dir, run)
}

#[test]
fn every_kind_of_picture_looks_as_it_did() {
    let (_dir, run) = sixty();
    let all = figures(&[run]).all;
    let names: Vec<&str> = all.iter().map(|f| f.name.as_str()).collect();
    insta::assert_snapshot!("picture-names", names.join("\n"));
    for name in [
        "quickstart-sft-loss",
        "quickstart-grpo-training-reward",
        "quickstart-accuracy-by-checkpoint",
        "quickstart-held-out-by-sub-category",
        "quickstart-sft-against-4-grpo",
    ] {
        insta::assert_snapshot!(name, all.iter().find(|f| f.name == name).unwrap_or_else(|| panic!("{names:?}")).svg);
    }
}

#[test]
fn pictures_are_whole_xml_that_needs_and_does_nothing_and_says_what_it_is() {
    let dir = tempdir().unwrap();
    let mut odd = quickstart();
    odd.evals[0].label = "a <b> & \"c\" \u{1} ]]>";
    let runs = [run(dir.path().join("a"), 60), other(dir.path().join("b"), 60), write(dir.path().join("c"), &odd)];
    let found = figures(&runs);
    assert!(found.all.len() > 15, "{}", found.all.len());
    let mut ids = BTreeSet::new();
    for figure in &found.all {
        let xml = roxmltree::Document::parse(&figure.svg).unwrap_or_else(|e| panic!("{}: {e}", figure.name));
        let root = xml.root_element();
        assert_eq!(root.attribute("role"), Some("img"));
        for node in xml.descendants().filter(|n| n.is_element()) {
            let name = node.tag_name().name();
            let known = ["svg", "title", "desc", "text", "line", "rect", "circle", "path", "polygon"];
            assert!(known.contains(&name), "{}: {name}", figure.name);
            for attribute in node.attributes() {
                assert!(!attribute.name().starts_with("on") && !attribute.name().contains("href"), "{attribute:?}");
                assert!(!attribute.value().contains("NaN") && !attribute.value().contains("inf"), "{attribute:?}");
            }
            if let Some(id) = node.attribute("id") {
                assert!(ids.insert(id.to_owned()), "{id} stands twice: one page holds all pictures");
            }
        }
        for id in root.attribute("aria-labelledby").unwrap().split(' ') {
            assert!(xml.descendants().any(|n| n.attribute("id") == Some(id) && !n.text().unwrap().is_empty()), "{id}");
        }
        assert!(figure.svg.contains("currentColor") && !figure.svg.contains("style="));
    }
    let label = "a <b> & \"c\" \u{fffd} ]]>";
    let texts = found.all.iter().map(|f| f.svg.clone()).collect::<String>();
    assert!(texts.contains("a &lt;b&gt; &amp; &quot;c&quot; \u{fffd} ]]&gt;"), "{label} is drawn as text");
}

#[test]
fn the_curves_are_those_of_the_log_and_gaps_are_counted() {
    let (_dir, run) = sixty();
    let found = figures(std::slice::from_ref(&run));
    let caption = |name: &str| found.all.iter().find(|f| f.name == name).unwrap().caption.clone();
    assert!(
        caption("quickstart-sft-loss").ends_with("30 steps of sft (quickstart). 1 value is not finite and is a gap.")
    );
    assert!(caption("quickstart-grpo-training-reward").contains("the mean of 13 steps"), "240 / 20, odd");
    assert!(!caption("quickstart-grpo-training-reward").contains("finite"));
    let training: Vec<&str> =
        found.all.iter().filter(|f| f.about == About::Training).map(|f| f.name.as_str()).collect();
    assert!(!training.contains(&"quickstart-sft-kl"), "SFT has no KL: {training:?}");

    let checkpoints = found.all.iter().find(|f| f.name == "quickstart-accuracy-by-checkpoint").unwrap();
    assert_eq!(checkpoints.svg.matches("<circle").count(), 3, "a mark for each checkpoint");

    // A log that was cut off is no curve.
    let folder = RunFolder::new(&run).stage("sft", &aqa_bench::pins::Sha256::of(b"sft"));
    let whole = fs::read(folder.metrics()).unwrap();
    fs::write(folder.metrics(), &whole[..whole.len() - 9]).unwrap();
    let error = plot::figures(&[load::run(&run).unwrap()]).unwrap_err();
    assert!(error.exit_code() == 4 && error.to_string().contains("metrics.jsonl: its last line is cut off"), "{error}");
    fs::write(folder.metrics(), &whole).unwrap();

    // A log that was not kept is named.
    let folder = RunFolder::new(&run).stage("sft", &aqa_bench::pins::Sha256::of(b"sft"));
    fs::remove_file(folder.metrics()).unwrap();
    let without = figures(&[run]);
    assert_eq!(without.notes.len(), 1);
    assert!(without.notes[0].contains("metrics.jsonl is neither in this run's folder"), "{:?}", without.notes);
    assert!(without.all.len() < found.all.len());
}

#[test]
fn a_stage_that_another_recipe_left_is_found_in_the_run_beside_this_one() {
    let (dir, run) = sixty();
    let before = figures(std::slice::from_ref(&run));
    let folder = fs::read_dir(&run).unwrap().map(|e| e.unwrap().file_name().into_string().unwrap());
    let folder = folder.into_iter().find(|name| name.starts_with("grpo-training-")).unwrap();
    let beside = dir.path().join("runs/start");
    fs::create_dir_all(&beside).unwrap();
    fs::rename(run.join(&folder), beside.join(&folder)).unwrap();
    assert_eq!(figures(std::slice::from_ref(&run)), before);
    fs::rename(beside.join(&folder), dir.path().join("elsewhere")).unwrap();
    let without = figures(&[run]);
    assert!(without.all.len() < before.all.len() && without.notes.len() == 1, "{:?}", without.notes);
}

#[test]
fn pairs_count_what_turned() {
    let (_dir, run) = sixty();
    let loaded = load::run(&run).unwrap();
    let figure = figures(&[run]).all.into_iter().find(|f| f.name == "quickstart-sft-against-4-grpo").unwrap();
    // The slow way: from the predictions and the official rule, question by question.
    let verdict = |eval: usize| -> Vec<bool> {
        let right = |row: &aqa_bench::data::Example| {
            let said = row.row["model_prediction"].as_str().unwrap();
            said == row.answer.as_deref().unwrap()
        };
        loaded.evals[eval].predictions.iter().map(right).collect()
    };
    let (before, after) = (verdict(0), verdict(3));
    let count = |was: bool, is: bool| before.iter().zip(&after).filter(|p| *p == (&was, &is)).count();
    let all = format!("+{}  −{}  of 60", count(false, true), count(true, false));
    assert!(figure.svg.contains(&format!(">{all}<")), "{all}");
    assert!(figure.caption.contains(&format!(
        "{} turned correct, {} turned from correct",
        count(false, true),
        count(true, false)
    )));
}

#[test]
fn a_page_is_one_folder_whose_parts_are_all_in_it() {
    let dir = tempdir().unwrap();
    let runs = [run(dir.path().join("a"), 60), other(dir.path().join("b"), 60)];
    let out = dir.path().join("page");
    let made = page(&runs, &out);
    assert_eq!((made.evals, made.questions, made.clips), (5, 60, 59));
    assert_eq!(made.missing.len(), 1);
    assert_eq!(made.missing[0].what, "1 clip of 60 of held-out not there, the first is held-out-0002.wav");
    assert!(
        redact(&made.in_words(), dir.path())
            .starts_with("DIR/page/index.html: 5 evaluations, 60 questions, 59 clips copied\n1 clip of")
    );

    let index = fs::read_to_string(out.join("index.html")).unwrap();
    for reference in
        index.match_indices("src=\"").chain(index.match_indices("href=\"")).map(|(at, key)| &index[at + key.len()..])
    {
        let target = reference.split('"').next().unwrap();
        assert!(!target.contains("://"), "{target} is elsewhere");
        match target.strip_prefix('#') {
            Some(id) => assert!(index.contains(&format!("id=\"{id}\"")), "{id}"),
            None => assert!(target == "data:," || out.join(target).is_file(), "{target}"),
        }
    }
    assert!(index.contains(&made.missing[0].what), "the page says what is not on it");
    for (name, bytes) in files(&out) {
        let has = |text: &str| bytes.windows(text.len()).any(|part| part == text.as_bytes());
        assert!(!has(dir.path().to_str().unwrap()), "{name} names a folder of this machine");
    }
    let data = data(&out);
    let clips: Vec<&str> =
        data["sets"][0]["questions"].as_array().unwrap().iter().filter_map(|q| q["clip"].as_str()).collect();
    assert_eq!(clips.len(), 59);
    assert!(clips.iter().all(|clip| out.join(clip).is_file()));
    let again = dir.path().join("again");
    page(&runs, &again);
    assert_eq!(files(&out), files(&again), "the same runs give the same bytes");
}

#[test]
fn a_page_has_the_rows_of_the_table_and_every_sample() {
    let (dir, run) = sixty();
    let out = dir.path().join("page");
    page(std::slice::from_ref(&run), &out);
    let index = fs::read_to_string(out.join("index.html")).unwrap();
    let loaded = load::run(&run).unwrap();
    let table = aqa_bench::report::table::tables(std::slice::from_ref(&loaded)).unwrap().remove(0);
    let escape = |text: &str| text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;");
    for row in &table.rows {
        let at =
            index.find(&format!("<th scope=\"row\">{}", escape(&row.label))).unwrap_or_else(|| panic!("{}", row.label));
        let line = index[at..].split("</tr>").next().unwrap();
        for cell in row.cells.iter().flatten() {
            assert!(line.contains(&cell.text), "{}: {}", row.label, cell.text);
            if let Some([correct, total]) = cell.counts {
                assert!(line.contains(&format!("{correct}/{total}")));
            }
        }
    }
    let data = data(&out);
    for (eval, shown) in loaded.evals.iter().zip(data["evals"].as_array().unwrap()) {
        let answers = shown["answers"].as_array().unwrap();
        let count = |outcome: &str| answers.iter().filter(|a| a[1]["outcome"] == outcome).count() as u64;
        let score = eval.score.as_ref().unwrap();
        assert_eq!(
            (count("correct"), count("wrong"), count("no_answer"), count("failed")),
            (score.correct, score.ledger.wrong, score.ledger.no_answer, score.ledger.failed),
            "{}",
            eval.record.name
        );
    }
    let sft = &data["evals"][0]["answers"];
    assert_eq!(sft[7][1]["said"]["output"], HOSTILE);
    assert_eq!(sft[8][1]["said"]["error"], "no such clip");
    assert!(!index.contains("onerror"), "no sample is in the page itself");
    let script = fs::read_to_string(out.join("assets/page.js")).unwrap();
    for word in
        ["innerHTML", "outerHTML", "insertAdjacent", "document.write", "eval(", "fetch(", "XMLHttp", "DOMParser"]
    {
        assert!(!script.contains(word), "{word}");
    }
}

#[test]
fn only_a_folder_that_was_made_so_is_replaced() {
    let (dir, run) = sixty();
    let out = dir.path().join("page");
    let request =
        |out: &Path| page::write(&Request { runs: std::slice::from_ref(&run), out, audio: &[], clips: Clips::Copy });
    request(&out).unwrap();
    fs::write(out.join("plots/old.svg"), "x").unwrap();
    // What a kill leaves is no obstacle.
    fs::create_dir_all(dir.path().join(".page.partial/assets")).unwrap();
    fs::copy(out.join("made-by-aqa-bench.txt"), dir.path().join(".page.partial/made-by-aqa-bench.txt")).unwrap();
    request(&out).unwrap();
    assert!(!out.join("plots/old.svg").exists(), "replaced whole");
    let names: BTreeSet<String> =
        fs::read_dir(dir.path()).unwrap().map(|e| e.unwrap().file_name().into_string().unwrap()).collect();
    assert_eq!(names, ["page", "runs"].map(str::to_owned).into(), "nothing temporary stays");

    fs::create_dir(dir.path().join("empty")).unwrap();
    request(&dir.path().join("empty")).unwrap();
    let mine = dir.path().join("mine");
    fs::create_dir(&mine).unwrap();
    fs::write(mine.join("thesis.tex"), "years").unwrap();
    for foreign in [&mine, &mine.join("thesis.tex")] {
        let error = request(foreign).unwrap_err();
        assert_eq!(error.exit_code(), 2);
        assert!(error.to_string().contains("would be lost (name a folder that is not there"), "{error}");
    }
    assert_eq!(files(&mine).len(), 1);

    // An error leaves the old page, and nothing half made.
    let before = files(&out);
    edit(&run.join(load::run(&run).unwrap().evals[0].folder.clone()).join("score.json"), |s| {
        s["ledger"]["wrong"] = 0.into();
    });
    let error = request(&out).unwrap_err();
    assert_eq!(error.exit_code(), 4);
    assert!(error.to_string().contains("score.json counts 0 wrong, its samples"), "{error}");
    assert_eq!(files(&out), before);
}

#[test]
fn samples_that_are_not_those_of_the_predictions_are_refused() {
    let (dir, run) = sixty();
    let at = run.join(load::run(&run).unwrap().evals[1].folder.clone()).join("samples.jsonl");
    let text = fs::read_to_string(&at).unwrap();
    let lines: Vec<&str> = text.lines().collect();
    let error = |content: String| {
        fs::write(&at, content).unwrap();
        let error = page::write(&Request {
            runs: std::slice::from_ref(&run),
            out: &dir.path().join("p"),
            audio: &[],
            clips: Clips::Copy,
        })
        .unwrap_err();
        assert_eq!(error.exit_code(), 4, "{error}");
        assert!(!dir.path().join("p").exists());
        error.to_string()
    };
    let first = "no sample of 1 question that have a prediction, the first is held-out-0000";
    assert!(error(lines[1..].join("\n") + "\n").contains(first));
    let other = lines[0].replace("held-out-0000", "other") + "\n";
    assert!(error(text.clone() + &other).contains("1 sample of questions without a prediction, the first is other"));
    assert!(error(text.clone() + "{\"id\": \"he").contains("samples.jsonl: its last line is cut off"));
    fs::remove_file(&at).unwrap();
    assert!(error(text.replace("\"verdict\":\"correct\"", "\"verdict\":\"wrong\"")).contains("score.json counts"));
}

#[test]
fn a_scored_file_has_verdicts_without_outputs_and_withheld_answers_have_outputs_without_verdicts() {
    let dir = tempdir().unwrap();
    let run = write(dir.path().join("r"), &on_mmau("r", "GRPO", MARCH, &[0, 1, 2, 3, 4, 5, 6]));
    let at = run.join(&load::run(&run).unwrap().evals[0].folder);
    let out = dir.path().join("page");
    let samples = fs::read_to_string(at.join("samples.jsonl")).unwrap();
    fs::remove_file(at.join("samples.jsonl")).unwrap();
    edit(&at.join("eval.json"), |e| e["file"] = json!({"name": "p.json", "sha256": MARCH}));
    page(std::slice::from_ref(&run), &out);
    let answers = data(&out)["evals"][0]["answers"].clone();
    let outcomes = |answers: &Value| -> Vec<String> {
        let outcome = |a: &Value| a[1]["outcome"].as_str().unwrap().to_owned();
        answers.as_array().unwrap().iter().map(outcome).collect()
    };
    assert_eq!(outcomes(&answers), [vec!["correct"; 7], vec!["wrong"; 5]].concat());
    assert!(
        answers
            .as_array()
            .unwrap()
            .iter()
            .all(|a| a[1]["said"].is_null() && a[1]["given"].as_array().unwrap().len() == 1)
    );

    edit(&at.join("eval.json"), |e| {
        e["file"] = Value::Null;
        e["withheld"] = json!({"no_answer": 1, "failed": 0});
    });
    edit(&at.join("predictions.json"), |rows| {
        rows.as_array_mut().unwrap().iter_mut().for_each(|row| row["answer"] = "".into());
    });
    fs::remove_file(at.join("score.json")).unwrap();
    let lines = samples.lines().enumerate().map(|(i, line)| {
        let mut sample: Value = serde_json::from_str(line).unwrap();
        match i {
            3 => sample["verdict"] = "no_answer".into(),
            _ => drop(sample.as_object_mut().unwrap().remove("verdict")),
        }
        sample.to_string() + "\n"
    });
    fs::write(at.join("samples.jsonl"), lines.collect::<String>()).unwrap();
    page(std::slice::from_ref(&run), &out);
    let data = data(&out);
    let found = outcomes(&data["evals"][0]["answers"]);
    assert_eq!(found.iter().filter(|o| *o == "withheld").count(), 11);
    assert_eq!(found[3], "no_answer");
    assert!(data["sets"][0]["questions"].as_array().unwrap().iter().all(|q| q["gold"].is_null()));
    assert!(figures(&[run]).all.is_empty(), "nothing is known that could be drawn");
}

#[test]
fn clips_can_be_given_and_linked() {
    let dir = tempdir().unwrap();
    let run = run(dir.path().join("r"), 12);
    // No stage made them: the recipe named them, and the folder must be given.
    edit(&run.join("manifest.json"), |m| m["stages"].as_array_mut().unwrap().retain(|s| s["kind"] != "data"));
    let clips = fs::read_dir(&run).unwrap().map(|e| e.unwrap().path()).find(|p| p.join("audios").is_dir()).unwrap();
    let moved = dir.path().join("clips of mine #1");
    fs::rename(clips.join("audios"), &moved).unwrap();
    let out = dir.path().join("deep/er/page");
    let without = page(std::slice::from_ref(&run), &out);
    assert_eq!(without.clips, 0);
    assert!(
        without.in_words().ends_with(
            "12 clips of 12 of held-out not there, the first is held-out-0000.wav \
             (no run made them: give the folder where they lie with --audio)\n"
        ),
        "{without:?}"
    );
    let request = Request {
        runs: std::slice::from_ref(&run),
        out: &out,
        audio: std::slice::from_ref(&moved),
        clips: Clips::Link,
    };
    assert_eq!(page::write(&request).unwrap().clips, 11);
    assert_eq!(data(&out)["sets"][0]["questions"][0]["clip"], "../../../clips%20of%20mine%20%231/held-out-0000.wav");
    assert!(!out.join("clips").exists());
    // In a folder of the folder: AVQA's reader looks there, and no other.
    fs::create_dir(moved.join("VGG10000")).unwrap();
    fs::rename(moved.join("held-out-0000.wav"), moved.join("VGG10000/held-out-0000.wav")).unwrap();
    assert_eq!(page::write(&request).unwrap().clips, 10);
    for folder in fs::read_dir(&run).unwrap().map(|e| e.unwrap().path()).filter(|p| p.join("eval.json").exists()) {
        edit(&folder.join("eval.json"), |e| e["dataset_format"] = "avqa".into());
    }
    assert_eq!(page::write(&request).unwrap().clips, 11);
    let below = "../../../clips%20of%20mine%20%231/VGG10000/held-out-0000.wav";
    assert_eq!(data(&out)["sets"][0]["questions"][0]["clip"], below);
    fs::create_dir(moved.join("VGG20000")).unwrap();
    fs::copy(moved.join("VGG10000/held-out-0000.wav"), moved.join("VGG20000/held-out-0000.wav")).unwrap();
    let twice = page::write(&request).unwrap();
    assert!(twice.clips == 10 && twice.in_words().contains("lies in VGG10000/ and VGG20000/"), "{twice:?}");
    let error = page::write(&Request { audio: &[dir.path().join("none")], ..request }).unwrap_err();
    assert_eq!(error.exit_code(), 4);
    assert!(error.to_string().contains("expected a folder of clips, found none there"), "{error}");
}

#[test]
fn a_run_has_its_page_in_its_report_with_links_to_its_own_clips() {
    let (_dir, run) = sixty();
    let made = of_run(&RunFolder::new(&run), &[]).unwrap();
    assert_eq!(made.page, run.join("report/page/index.html"));
    let data = data(&run.join("report/page"));
    let clip = data["sets"][0]["questions"][0]["clip"].as_str().unwrap();
    assert!(clip.starts_with("../../data-held-out-") && run.join("report/page").join(clip).is_file(), "{clip}");
    of_run(&RunFolder::new(&run), &[]).unwrap();
}

#[test]
fn the_command_says_what_it_made_and_what_it_needs() {
    let (dir, run) = sixty();
    let (run, out) = (run.to_str().unwrap(), dir.path().join("out"));
    let out = out.to_str().unwrap();
    let report = |more: &[&str]| aqa(["report", run].iter().chain(more));
    assert_eq!(
        report(&["--format", "html"]).fails(2),
        "error: report: --format html makes a folder: say which with --out FOLDER\n"
    );
    assert_eq!(
        report(&["--format", "svg"]).fails(2),
        "error: report: --format svg makes a folder: say which with --out FOLDER\n"
    );
    assert!(report(&["--audio", "x"]).fails(2).contains("expected with --format html"));
    let said = redact(&report(&["--format", "html", "--out", out]).succeeds(), dir.path());
    assert!(said.starts_with("DIR/out/index.html: 4 evaluations, 60 questions, 59 clips copied\n"), "{said}");
    let plots = dir.path().join("plots");
    let table = report(&["--plots", plots.to_str().unwrap()]);
    assert!(redact(&table.err, dir.path()).contains("DIR/plots: "), "{}", table.err);
    assert!(table.succeeds().starts_with("# Quickstart"));
    let pictures: Vec<String> = files(&plots).into_keys().collect();
    assert_eq!(pictures, files(&Path::new(out).join("plots")).into_keys().collect::<Vec<_>>());
    let svg = dir.path().join("svg");
    let said = redact(&report(&["--format", "svg", "--out", svg.to_str().unwrap()]).succeeds(), dir.path());
    assert_eq!(said, format!("DIR/svg: {} pictures\n", pictures.len()));
    assert_eq!(files(&svg), files(&plots));
}
