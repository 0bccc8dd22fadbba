//! `check`: golden results against what this program makes of them, or against a fresh run.

use super::{pretty, print};
use crate::artifact::write;
use crate::error::{Context, Error, Result};
use crate::report::golden::{self, CheckReport, Roots};
use clap::{Args, ValueEnum};
use std::fs::File;
use std::io::Write;
use std::path::{Path, PathBuf};

/// What `check` takes.
#[derive(Debug, Clone, Args)]
pub(super) struct CheckArgs {
    /// Golden folders (default: every folder in golden/)
    golden: Vec<PathBuf>,
    /// A run to hold against the golden
    #[arg(long)]
    run: Option<PathBuf>,
    /// Write the golden anew from the run
    #[arg(long, requires_all = ["run", "reason"], conflicts_with_all = ["format", "junit", "summary"])]
    update: bool,
    /// Why it changes; kept in the golden
    #[arg(long, requires = "update")]
    reason: Option<String>,
    /// How to print it; github: annotations for a workflow, and a summary of the job
    #[arg(long, value_enum, default_value_t = CheckFormat::Text)]
    format: CheckFormat,
    /// Write JUnit XML too: a suite for each golden, a case for each evaluation and kind of check
    #[arg(long, value_name = "FILE")]
    junit: Option<PathBuf>,
    /// Write a summary in Markdown too (with --format github it goes to $GITHUB_STEP_SUMMARY as well)
    #[arg(long, value_name = "FILE")]
    summary: Option<PathBuf>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum CheckFormat {
    Text,
    Github,
    Json,
}

pub(super) fn run(args: &CheckArgs) -> Result<()> {
    if let (true, Some(run), Some(reason)) = (args.update, &args.run, &args.reason) {
        let [folder] = args.golden.as_slice() else {
            let example = "check --update --run runs/quickstart --reason \"why\" golden/quickstart";
            return Err(Error::request(format!("--update writes one golden folder: name it, as in `{example}`")));
        };
        golden::update(run, folder, reason)?;
        return print(&format!("{}: written from {}\n", folder.display(), run.display()));
    }
    let report = match golden::check(&args.golden, args.run.as_deref()) {
        Ok(report) => report,
        Err(error) => return Err(broken(args, error)),
    };
    match args.format {
        CheckFormat::Text => print(&report.to_text())?,
        CheckFormat::Json => print(&pretty(&report)?)?,
        CheckFormat::Github => github(&report)?,
    }
    if let Some(path) = &args.junit {
        write::replace(path, report.to_junit()?.as_bytes())?;
    }
    if let Some(path) = &args.summary {
        write::replace(path, report.to_summary().as_bytes())?;
    }
    match report.differences {
        0 => Ok(()),
        _ => {
            let way_out = "aqa-bench check --update --run RUN --reason TEXT GOLDEN";
            Err(Error::difference(format!("{} (a change that is meant is written with `{way_out}`)", report.count())))
        }
    }
}

/// Annotations, then the report for people, in the log; the summary and the count where the workflow asks for them.
fn github(report: &CheckReport) -> Result<()> {
    let here = std::env::current_dir().internal(|| "the current folder is not known".into())?;
    let workspace = variable("GITHUB_WORKSPACE").unwrap_or_else(|| here.clone());
    let annotations = report.to_annotations(&Roots { here, workspace });
    print(&(annotations + &golden::harmless(&report.to_text())))?;
    if let Some(path) = variable("GITHUB_STEP_SUMMARY") {
        append(&path, &report.to_summary())?;
    }
    if let Some(path) = variable("GITHUB_OUTPUT") {
        append(&path, &format!("differences={}\ngoldens={}\n", report.differences, report.goldens))?;
    }
    Ok(())
}

/// A path that a workflow gives by a variable.
fn variable(name: &str) -> Option<PathBuf> {
    std::env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from)
}

/// A workflow's own files are added to: other steps wrote there before.
fn append(path: &Path, text: &str) -> Result<()> {
    let open = File::options().create(true).append(true).open(path);
    open.and_then(|mut file| file.write_all(text.as_bytes())).map_err(|e| Error::io("write", path, &e))
}

/// A check that could not be made, told in every format that was asked for. The error itself is what is reported.
fn broken(args: &CheckArgs, error: Error) -> Error {
    let github = || {
        print(&golden::annotation_of(&error))?;
        match variable("GITHUB_STEP_SUMMARY") {
            Some(path) => append(&path, &golden::summary_of(&error)),
            None => Ok(()),
        }
    };
    let junit = |path: &PathBuf| write::replace(path, golden::junit_of(&error)?.as_bytes());
    let summary = |path: &PathBuf| write::replace(path, golden::summary_of(&error).as_bytes());
    // Each is tried whatever becomes of the others: a report of an earlier check would look like one of this.
    let told = [
        if args.format == CheckFormat::Github { github() } else { Ok(()) },
        args.junit.as_ref().map_or(Ok(()), junit),
        args.summary.as_ref().map_or(Ok(()), summary),
    ];
    let further: String = told.into_iter().filter_map(Result::err).map(|second| format!("\n{second}")).collect();
    if further.is_empty() { error } else { Error::new(error.kind(), format!("{error}{further}")) }
}
