//! Breakdowns of tables, and LaTeX that a TeX takes.

mod report_runs;

use aqa_bench::artifact::RunFolder;
use aqa_bench::pins::Sha256;
use aqa_bench::report::table::tables;
use aqa_bench::report::{Format, load, loaded, render, render_breakdowns};
use report_runs::{Eval, MARCH, edit, on_mmau, quickstart, write};
use serde_json::Value;
use std::path::{Path, PathBuf};
use std::process::Command;
use tempfile::tempdir;

/// Both real predictions files as one run, where the data is there.
fn real(at: PathBuf) -> Option<PathBuf> {
    let shared = PathBuf::from(std::env::var("AQA_SHARED").unwrap_or_else(|_| "../shared".into()));
    let eval = |name: &'static str, label: &'static str, file: &str| {
        let rows: Vec<Value> =
            serde_json::from_slice(&std::fs::read(shared.join("data/mmau/predictions").join(file)).ok()?).unwrap();
        let said = rows.iter().map(|r| Some(r["model_prediction"].as_str().unwrap().to_owned())).collect();
        let base = on_mmau("r1-aqa", label, MARCH, &[]).evals.pop()?;
        Some(Eval { name, rows, said, sha256: Sha256::parse(MARCH).unwrap(), questions: 1000, ..base })
    };
    let evals =
        vec![eval("base", "Qwen2-Audio", "qwen2-audio-7b-instruct.json")?, eval("grpo", "R1-AQA", "r1-aqa.json")?];
    let mut spec = on_mmau("r1-aqa", "", MARCH, &[]);
    spec.evals = evals;
    Some(write(at, &spec))
}

#[test]
fn breakdowns_of_real_predictions_add_up_to_the_table() {
    let dir = tempdir().unwrap();
    let Some(run) = real(dir.path().join("r")) else {
        eprintln!("skipped breakdowns_of_real_predictions_add_up_to_the_table: no real predictions");
        return;
    };
    let run = loaded(&[run]).unwrap();
    let [table] = &tables(&run).unwrap()[..] else { panic!("one table") };
    let [difficulty, sub_category] = &table.breakdowns[..] else { panic!("{:?}", table.breakdowns) };
    assert_eq!(difficulty.rows.iter().map(|l| l.name.as_str()).collect::<Vec<_>>(), ["easy", "medium", "hard"]);
    assert_eq!((sub_category.by.as_str(), sub_category.rows.len()), ("sub-category", 27));
    for (place, correct) in [529, 645].into_iter().enumerate() {
        for breakdown in &table.breakdowns {
            let counts = breakdown.rows.iter().map(|l| l.cells[place].as_ref().unwrap().counts.unwrap());
            let sum = counts.fold([0, 0], |a, b| [a[0] + b[0], a[1] + b[1]]);
            assert_eq!(sum, [correct, 1000], "{}", breakdown.by);
        }
        for (column, task) in ["sound", "music", "speech"].iter().enumerate() {
            let of = sub_category.rows.iter().filter(|l| l.task.as_deref() == Some(*task));
            let sum: u64 = of.map(|l| l.cells[place].as_ref().unwrap().counts.unwrap()[0]).sum();
            assert_eq!(sum, table.rows[place].cells[column].as_ref().unwrap().counts.unwrap()[0], "{task}");
        }
    }
    // Bold is the better one of each line, and the other is the second unless they are equal.
    for line in &sub_category.rows {
        let [a, b] = [0, 1].map(|i| line.cells[i].as_ref().unwrap());
        let (x, y) = (a.counts.unwrap()[0], b.counts.unwrap()[0]);
        assert_eq!([a.best, b.best, a.second, b.second], [x >= y, y >= x, x < y, y < x], "{}", line.name);
    }
}

#[test]
fn breakdowns_read_well_in_each_format() {
    let dir = tempdir().unwrap();
    let mut spec = quickstart();
    for eval in &mut spec.evals {
        for (i, row) in eval.rows.iter_mut().enumerate() {
            row["sub-category"] = ["Counting", "A & B_c", "Tone"][i % 3].into();
        }
    }
    let run = write(dir.path().join("r"), &spec);
    for (name, format) in
        [("breakdowns.md", Format::Markdown), ("breakdowns.tex", Format::Latex), ("breakdowns.csv", Format::Csv)]
    {
        insta::assert_snapshot!(name, render_breakdowns(std::slice::from_ref(&run), format).unwrap());
    }
    let json: Value = serde_json::from_str(&render_breakdowns(&[run], Format::Json).unwrap()).unwrap();
    assert_eq!(json["tables"][0]["breakdowns"][0]["rows"][0]["name"], "easy");
}

#[test]
fn where_nothing_is_scored_there_is_nothing_to_break_down() {
    let dir = tempdir().unwrap();
    let mut spec = quickstart();
    spec.evals.truncate(1);
    let run = write(dir.path().join("r"), &spec);
    let folder = load::run(&run).unwrap().evals[0].folder.clone();
    edit(&run.join(&folder).join("eval.json"), |e| e["withheld"] = serde_json::json!({"no_answer": 0, "failed": 0}));
    edit(&run.join(&folder).join("predictions.json"), |rows| {
        rows.as_array_mut().unwrap().iter_mut().for_each(|row| row["answer"] = "".into());
    });
    std::fs::remove_file(RunFolder::new(&run).folder(&folder).score()).unwrap();
    let error = render_breakdowns(&[run], Format::Markdown).unwrap_err();
    assert_eq!(error.exit_code(), 2);
    assert!(error.to_string().contains("nothing to break down"), "{error}");
}

/// Compiles a document around tables; `None` where no TeX is installed.
fn compiled(dir: &Path, tables: &[String]) -> Option<Result<u64, String>> {
    let tex = ["pdflatex", "tectonic"].into_iter().find(|t| Command::new(t).arg("--version").output().is_ok())?;
    let head = "\\documentclass{article}\n\\usepackage[T1]{fontenc}\\usepackage{textcomp}\\usepackage{booktabs}\\usepackage{graphicx}\n";
    let body = tables.join("\n\\clearpage\n");
    std::fs::write(dir.join("t.tex"), format!("{head}\\begin{{document}}\n{body}\n\\end{{document}}\n")).unwrap();
    let mut command = Command::new(tex);
    if tex == "pdflatex" {
        command.args(["-interaction=nonstopmode", "-halt-on-error"]);
    }
    let output = command.arg("t.tex").current_dir(dir).output().unwrap();
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    Some(if output.status.success() { Ok(std::fs::metadata(dir.join("t.pdf")).unwrap().len()) } else { Err(said) })
}

#[test]
fn a_tex_takes_the_tables() {
    let dir = tempdir().unwrap();
    let mut spec = quickstart();
    (spec.evals[1].label, spec.evals[2].label) = ("[ours] \\SFT{", "*GRPO* 50% #1 a_b^c ~ & --x");
    let mut runs = vec![write(dir.path().join("q"), &spec)];
    runs.extend(real(dir.path().join("r")));
    let tables = [render(&runs, Format::Latex).unwrap(), render_breakdowns(&runs, Format::Latex).unwrap()];
    match compiled(dir.path(), &tables) {
        None => eprintln!("skipped a_tex_takes_the_tables: no pdflatex and no tectonic"),
        Some(result) => assert!(result.is_ok_and(|size| size > 10_000), "TeX refused the tables"),
    }
}
