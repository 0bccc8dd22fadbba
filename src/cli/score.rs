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
