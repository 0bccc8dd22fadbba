//! A check as GitHub Actions shows it: annotations on the golden's files, and a summary of the job.

use super::finding::{CheckReport, Finding, Outcome, Suite, plain};
use crate::error::Error;
use std::fmt::Write;
use std::path::{Component, Path, PathBuf};

/// Where the commands of a workflow find files: annotations want paths below the workspace.
#[derive(Debug, Clone)]
pub struct Roots {
    /// The folder that relative paths start at.
    pub here: PathBuf,
    /// The checkout (`GITHUB_WORKSPACE`).
    pub workspace: PathBuf,
}

impl Roots {
    /// A file's path below the workspace; as it is where it lies elsewhere.
    fn below(&self, file: &Path) -> String {
        let mut whole = PathBuf::new();
        for part in self.here.join(file).components() {
            match part {
                Component::CurDir => {}
                Component::ParentDir => drop(whole.pop()),
                part => whole.push(part),
            }
        }
        let below = whole.strip_prefix(&self.workspace).map_or_else(|_| file.to_owned(), Path::to_owned);
        below.display().to_string()
    }
}

impl CheckReport {
    /// Workflow commands: an error for each difference, a warning for each note, on the line of the golden's file that shows it.
    pub fn to_annotations(&self, roots: &Roots) -> String {
        let mut text = String::new();
        for suite in &self.suites {
            for finding in &suite.findings {
                let level = match finding.outcome {
                    Outcome::Different => "error",
                    Outcome::Noted => "warning",
                    Outcome::Same | Outcome::NotRecorded => continue,
                };
                let place = finding.place.as_ref();
                let at = place.map(|p| format!("file={},line={},", property(&roots.below(&p.file)), p.line));
                let name = suite.golden.file_name().unwrap_or_default().to_string_lossy();
                let title = property(&format!("golden {name}: {}", finding.kind.name()));
                let words: Vec<String> = [finding.line()].into_iter().chain(finding.more()).collect();
                let at = at.unwrap_or_default();
                let _ = writeln!(text, "::{level} {at}title={title}::{}", message(&words.join("\n")));
            }
        }
        text
    }

    /// The summary of the job, in Markdown.
    pub fn to_summary(&self) -> String {
        let goldens = if self.goldens == 1 { "1 golden".to_owned() } else { format!("{} goldens", self.goldens) };
        let verdict = if self.differences == 0 { "no difference".to_owned() } else { self.count() };
        let mut text = format!("## aqa-bench check: {verdict} in {goldens}\n");
        for suite in &self.suites {
            summary(suite, &mut text);
        }
        text
    }
}

/// What an error that ends the check says, as an annotation.
pub fn annotation_of(error: &Error) -> String {
    format!("::error title=aqa-bench check::{}\n", message(&error.to_string()))
}

/// What an error that ends the check says, in the summary of the job.
pub fn summary_of(error: &Error) -> String {
    let lines: Vec<String> = error.to_string().lines().map(cell).collect();
    format!("## aqa-bench check: could not be made\n\n{}\n", lines.join("<br>\n"))
}

/// A report for people in a log whose reader takes lines that begin with `::` for commands: such a line gets a bar in front.
pub fn harmless(text: &str) -> String {
    let guard = |line: &str| match line.trim_start().starts_with("::") || line.contains("##[") {
        true => format!("| {}\n", line.replace("##[", "## [")),
        false => format!("{line}\n"),
    };
    text.lines().map(guard).collect()
}

fn summary(suite: &Suite, text: &mut String) {
    let _ = write!(text, "\n### {}\n\n| | what | found |\n| --- | --- | --- |\n", cell(&suite.heading()));
    for finding in &suite.findings {
        let mark = match finding.outcome {
            Outcome::Same => "same",
            Outcome::Noted => "note",
            Outcome::NotRecorded => "not recorded",
            Outcome::Different => "**different**",
        };
        let mut found = cell(&finding.line());
        finding.details.iter().for_each(|line| found.push_str(&format!("<br>{}", cell(line))));
        let _ = writeln!(text, "| {mark} | {} | {found} |", finding.kind.name());
    }
    for finding in suite.findings.iter().filter(|f| !f.flips.is_empty()) {
        flips(finding, text);
    }
}

/// Flips as far as they are shown: a summary has at most a megabyte.
fn flips(finding: &Finding, text: &mut String) {
    let eval = finding.eval.as_deref().unwrap_or_default();
    let _ = writeln!(text, "\n<details><summary>{}: verdicts that changed</summary>\n", cell(eval));
    for line in finding.more() {
        let _ = writeln!(text, "- {}", cell(&line));
    }
    text.push_str("\n</details>\n");
}

/// A text in a cell of a Markdown table, nothing of it taken for Markdown or HTML.
fn cell(text: &str) -> String {
    let mut out = String::new();
    for c in plain(text).chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '|' | '*' | '_' | '`' | '[' | ']' | '\\' | '#' | '@' | '~' | '!' => {
                out.push('\\');
                out.push(c);
            }
            c => out.push(c),
        }
    }
    out
}

/// The text of a workflow command.
fn message(text: &str) -> String {
    text.replace('%', "%25").replace('\r', "%0D").replace('\n', "%0A")
}

/// A property of a workflow command.
fn property(text: &str) -> String {
    message(text).replace(':', "%3A").replace(',', "%2C")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_would_end_a_command_or_a_property_is_escaped() {
        assert_eq!(message("100 %\r\nnext: a, b"), "100 %25%0D%0Anext: a, b");
        assert_eq!(property("a,b:c%\n"), "a%2Cb%3Ac%25%0A");
    }

    #[test]
    fn paths_are_told_from_the_workspace() {
        let roots = Roots { here: "/w/repo/paper".into(), workspace: "/w/repo".into() };
        assert_eq!(roots.below(Path::new("golden/a.json")), "paper/golden/a.json");
        assert_eq!(roots.below(Path::new("../golden/./a.json")), "golden/a.json");
        assert_eq!(roots.below(Path::new("/w/repo/golden/a.json")), "golden/a.json");
        assert_eq!(roots.below(Path::new("/elsewhere/a.json")), "/elsewhere/a.json");
    }

    #[test]
    fn no_line_of_a_report_is_taken_for_a_command() {
        let text = harmless("golden x\n    ::error::boo (sound): correct → wrong\n  ##[group]\n");
        assert_eq!(text, "golden x\n|     ::error::boo (sound): correct → wrong\n|   ## [group]\n");
    }
}
