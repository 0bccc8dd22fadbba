//! `compare`: two runs or predictions files, question by question; or two locks.

use super::score::{self, RuleArg};
use super::{Format, fetch, pretty, print};
use crate::error::{Error, Result};
use crate::report::paired::{self, Request};
use clap::Args;
use std::path::PathBuf;

/// What `compare` takes.
#[derive(Debug, Clone, Args)]
#[command(
    override_usage = "aqa-bench compare [OPTIONS] <A> <B>\n       aqa-bench compare --locks <A> <B> [--format <FORMAT>]"
)]
pub(super) struct CompareArgs {
    /// Two run folders or predictions files: before and after
    #[arg(num_args = 2, value_names = ["A", "B"], required_unless_present = "locks", conflicts_with = "locks")]
    sides: Vec<PathBuf>,
    /// Two locks, pin by pin, and nothing else
    #[arg(long, num_args = 2, value_names = ["A", "B"])]
    locks: Vec<PathBuf>,
    /// The evaluation to compare, where a run has several; twice: one of A and one of B
    #[arg(long = "eval", value_name = "NAME", conflicts_with = "locks")]
    evals: Vec<String>,
    /// The questions, when predictions files do not carry them
    #[arg(long, value_name = "FILE", conflicts_with = "locks")]
    dataset: Option<PathBuf>,
    /// How answers are judged (default: official; runs that were scored by another rule want it said)
    #[arg(long, value_enum, conflicts_with = "locks")]
    rule: Option<RuleArg>,
    /// Leave out questions that differ between A and B (two versions of a data set), and say how many
    #[arg(long, conflicts_with = "locks")]
    identical: bool,
    /// Seed of the bootstrap (default: follows from what is compared; printed either way)
    #[arg(long, value_name = "N", conflicts_with = "locks")]
    seed: Option<u64>,
    /// How often the questions are drawn anew for the intervals
    #[arg(long, value_name = "N", default_value_t = 10_000, value_parser = clap::value_parser!(u64).range(100..=1_000_000))]
    resamples: u64,
    /// How many flips to print by id
    #[arg(long, value_name = "N", default_value_t = 20)]
    flips: usize,
    /// How to print it
    #[arg(long, value_enum, default_value_t = Format::Text)]
    format: Format,
}

pub(super) fn run(args: CompareArgs) -> Result<()> {
    if let [a, b] = &args.locks[..] {
        return fetch::compare(a, b, args.format);
    }
    let one = |rule| score::one(rule).ok_or_else(|| Error::request("--rule all: expected one rule to compare by"));
    let rule = args.rule.map(one).transpose()?;
    let [a, b] = <[PathBuf; 2]>::try_from(args.sides).expect("clap takes two sides where there are no locks");
    let request = Request {
        a,
        b,
        evals: args.evals,
        dataset: args.dataset,
        rule,
        identical: args.identical,
        seed: args.seed,
        resamples: args.resamples,
    };
    let comparison = paired::compare(&request)?;
    match args.format {
        Format::Text => print(&comparison.to_text(args.flips)),
        Format::Json => print(&pretty(&comparison)?),
    }
}
