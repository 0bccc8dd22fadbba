//! `score`: a predictions file, judged.

use super::{Format, RuleArg, pretty, print};
use crate::error::Result;
use crate::recipe::Rule;
use crate::score;
use std::path::{Path, PathBuf};

/// One score; a matrix where there is more than one rule or data set.
pub(super) fn run(file: &Path, rules: &[RuleArg], datasets: &[PathBuf], format: Format) -> Result<()> {
    let rules = named(rules);
    if let ([rule], [] | [_]) = (rules.as_slice(), datasets) {
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
        let these = match rule {
            RuleArg::Official => &[Rule::Official][..],
            RuleArg::Parsed => &[Rule::Parsed],
            RuleArg::Exact => &[Rule::Exact],
            RuleArg::AnswerTag => &[Rule::AnswerTag],
            RuleArg::All => &Rule::ALL,
        };
        for rule in these {
            if !out.contains(rule) {
                out.push(*rule);
            }
        }
    }
    out
}
