//! Tables inside pages.

mod program;
mod report_runs;

use aqa_bench::report::splice::splice;
use aqa_bench::report::{Format, render};
use program::aqa;
use report_runs::{edit, quickstart, write};
use std::fs;
use std::path::{Path, PathBuf};
use tempfile::{TempDir, tempdir};

const PAGE: &str = "# Title\n\nText.\n\n<!-- aqa-bench report runs/r -->\nold\n<!-- /aqa-bench -->\n\nMore | text.\n";

/// A folder with a page and a run beside it.
fn folder(page: &str) -> (TempDir, PathBuf) {
    let dir = tempdir().unwrap();
    write(dir.path().join("runs/r"), &quickstart());
    let path = dir.path().join("page.md");
    fs::write(&path, page).unwrap();
    (dir, path)
}

fn run(page: &Path, more: &[&str]) -> program::Said {
    let all = ["splice", page.to_str().unwrap()];
    aqa(all.into_iter().chain(more.iter().copied()).map(str::to_owned).collect::<Vec<_>>())
}

#[test]
fn a_block_is_renewed_and_the_rest_of_the_page_stays() {
    let (dir, page) = folder(PAGE);
    let told = run(&page, &["--check"]).fails(3);
    assert!(told.contains("page.md:5: not what its runs give"), "{told}");
    assert_eq!(fs::read_to_string(&page).unwrap(), PAGE, "--check writes nothing");

    assert!(run(&page, &[]).succeeds().contains("1 block: 1 renewed"));
    let text = fs::read_to_string(&page).unwrap();
    let (before, rest) = text.split_once("<!-- aqa-bench report runs/r -->\n").unwrap();
    let (block, after) = rest.split_once("<!-- /aqa-bench -->\n").unwrap();
    assert_eq!((before, after), ("# Title\n\nText.\n\n", "\nMore | text.\n"));
    insta::assert_snapshot!("block.md", block);
    // The rows are those of the report.
    let report = render(&[dir.path().join("runs/r")], Format::Markdown).unwrap();
    let rows = |text: &str| text.lines().filter(|l| l.starts_with('|')).map(str::to_owned).collect::<Vec<_>>();
    assert_eq!(rows(block), rows(&report));

    assert!(run(&page, &["--check"]).succeeds().contains("1 block: up to date"));
    run(&page, &[]).succeeds();
    assert_eq!(fs::read_to_string(&page).unwrap(), text, "once more changes nothing");

    // Another result makes it stale.
    let run_dir = dir.path().join("runs/r");
    edit(&run_dir.join("manifest.json"), |m| m["provenance"]["device"] = "cuda:0".into());
    assert!(run(&page, &["--check"]).fails(3).contains("page.md:5"));
}

#[test]
fn windows_lines_stay_windows_lines_and_breakdowns_can_be_asked_for() {
    let (_dir, page) = folder(&PAGE.replace("runs/r -->", "runs/r --breakdowns -->").replace('\n', "\r\n"));
    let spliced = splice(&page).unwrap();
    assert!(spliced.text.contains("by difficulty**") || spliced.text.contains("| Difficulty"), "{}", spliced.text);
    assert_eq!(spliced.text.matches('\n').count(), spliced.text.matches("\r\n").count());
}

#[test]
fn a_page_that_cannot_be_spliced_is_refused_with_its_line_and_left_alone() {
    let cases = [
        (
            "<!-- aqa-bench report runs/r -->\n<!-- /aqa-bench -->\n  <!-- aqa-bench report runs/r -->\n",
            2,
            "page.md:3: expected",
        ),
        (
            "<!-- aqa-bench reports runs/r -->\n<!-- /aqa-bench -->\n",
            2,
            "page.md:1: expected <!-- aqa-bench report RUN",
        ),
        ("```\n<!-- aqa-bench report runs/r -->\n<!-- /aqa-bench -->\n```\n", 2, "page.md: expected lines such as"),
        ("no block\n", 2, "page.md: expected lines such as <!-- aqa-bench report runs/quickstart -->"),
        ("a\n<!-- aqa-bench report runs/r -->\nold\n", 2, "page.md:2: expected <!-- /aqa-bench -->"),
        ("<!-- aqa-bench report runs/r\nold\n<!-- /aqa-bench -->\n", 2, "page.md:1: expected --> at the end"),
        ("<!-- aqa-bench report runs/r --html -->\n<!-- /aqa-bench -->\n", 2, "page.md:1: expected folders of runs"),
        ("<!-- aqa-bench report  -->\n<!-- /aqa-bench -->\n", 2, "page.md:1: report: expected at least one run"),
        ("<!-- aqa-bench report runs/none -->\n<!-- /aqa-bench -->\n", 4, "runs/none: no manifest.json there"),
        (
            "<!-- aqa-bench report runs/r -->\n<!-- aqa-bench report runs/r -->\n<!-- /aqa-bench -->\n",
            2,
            "page.md:1: expected <!-- /aqa-bench -->",
        ),
    ];
    for (text, code, message) in cases {
        let (_dir, page) = folder(text);
        let told = run(&page, &[]).fails(code);
        assert!(told.contains(message), "{told}");
        assert_eq!(fs::read_to_string(&page).unwrap(), text);
    }
}
