//! `score`: a predictions file, judged.

use super::{Format, pretty, print};
use crate::error::Result;
use crate::recipe::Rule;
use crate::score;
use clap::ValueEnum;
use std::path::PathBuf;

/// What `score` takes.
#[derive(Debug, Clone, clap::Args)]
pub(super) struct Args {
    /// The predictions
    file: PathBuf,
    /// How an answer is judged; several, or `all`, make a matrix
    #[arg(long, value_enum, default_value = "official")]
    rule: Vec<RuleArg>,
    /// The questions, when the predictions do not carry them, and to count rows that are missing. Several, which may be other versions, make a
    /// matrix over the questions that they share with the predictions
    #[arg(long, value_name = "FILE")]
    dataset: Vec<PathBuf>,
    /// How to print it
    #[arg(long, value_enum, default_value_t = Format::Text)]
    format: Format,
}

/// The rules by the names that users give them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum RuleArg {
    /// MMAU's script: token sets
    Official,
    /// The option that the text names, by letter or text; nothing is guessed
    Parsed,
    /// The answer's text, byte for byte but for white space around it
    Exact,
    /// An option's text or letter in `<answer>…</answer>`
    AnswerTag,
    /// All of them
    All,
}

/// One score; a matrix where there is more than one rule or data set.
pub(super) fn run(Args { file, rule, dataset: datasets, format }: &Args) -> Result<()> {
    let rules = named(rule);
    if let ([rule], [] | [_]) = (rules.as_slice(), datasets.as_slice()) {
        let score = score::score_file(file, *rule, datasets.first().map(PathBuf::as_path))?;
        return match format {
            Format::Text => print(&score.to_text()),
            Format::Json => print(&pretty(&score.bounded())?),
        };
    }
    let matrix = score::matrix(file, &rules, datasets)?;
    match format {
        Format::Text => print(&matrix.to_text()),
        Format::Json => print(&pretty(&matrix)?),
    }
}

/// The rules that were asked for, each once, in the order of the request.
fn named(rules: &[RuleArg]) -> Vec<Rule> {
    let mut out = Vec::new();
    for rule in rules {
        let these = one(*rule).map_or_else(|| Rule::ALL.to_vec(), |rule| vec![rule]);
        for rule in these {
            if !out.contains(&rule) {
                out.push(rule);
            }
        }
    }
    out
}

/// The rule that an argument names; `None` for all of them.
pub(super) fn one(rule: RuleArg) -> Option<Rule> {
    match rule {
        RuleArg::Official => Some(Rule::Official),
        RuleArg::Parsed => Some(Rule::Parsed),
        RuleArg::Exact => Some(Rule::Exact),
        RuleArg::AnswerTag => Some(Rule::AnswerTag),
        RuleArg::All => None,
    }
}
