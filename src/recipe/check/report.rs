//! What the report names: evaluations, claims, groups.

use super::super::problem::Problems;
use super::super::spot::Spot;
use super::super::tree::quote;
use super::hint_from;

/// What the report names: evaluations, claims, groups.
pub(super) fn report(root: &Spot<'_>, evals: &[Spot<'_>], scores: &[Spot<'_>], problems: &mut Problems) {
    let Some(report) = root.get("report") else { return };
    let names: Vec<&str> = evals.iter().chain(scores).filter_map(|e| e.text_at("name")).collect();
    let expects = report.list("expect");
    if let Some(first) = expects.first()
        && report.list("claims").is_empty()
    {
        let hint = "name the files that hold the claims in report.claims";
        first.problem(problems, "report.claims beside report.expect", "no claim files", hint);
    }
    for expect in expects {
        let Some((spot, text)) = expect.get("eval").and_then(|s| s.text().map(|t| (s, t))) else { continue };
        if !names.contains(&text) {
            spot.problem(problems, "the name of an eval", quote(text), &hint_from(text, &names, "evals"));
        }
    }
    let rows: Vec<&Spot<'_>> = evals.iter().chain(scores).collect();
    groups(&report.list("groups"), &rows, problems);
}

/// Groups have names of their own, and hold different evaluations on one data set, judged by one rule.
fn groups(groups: &[Spot<'_>], evals: &[&Spot<'_>], problems: &mut Problems) {
    let known: Vec<&str> = evals.iter().filter_map(|e| e.text_at("name")).collect();
    let of =
        |name: &str, key: &str| evals.iter().find(|e| e.text_at("name") == Some(name)).and_then(|e| e.text_at(key));
    let differ = |key: &str, first: &str, name: &str| of(first, key).is_some() && of(first, key) != of(name, key);
    let mut names: Vec<&str> = Vec::new();
    for group in groups {
        if let Some((spot, name)) = group.get("name").and_then(|s| s.text().map(|t| (s, t))) {
            if names.contains(&name) {
                spot.problem(problems, "a name that is free", quote(name), "names are unique among groups");
            }
            names.push(name);
        }
        let mut seen: Vec<&str> = Vec::new();
        for spot in group.list("evals") {
            let Some(name) = spot.text() else { continue };
            let other = |key: &str| seen.iter().find(|first| differ(key, first, name));
            if !known.contains(&name) {
                spot.problem(problems, "the name of an eval", quote(name), &hint_from(name, &known, "evals"));
            } else if seen.contains(&name) {
                spot.problem(problems, "each eval once", quote(name), "remove it: it is one measurement");
            } else if let Some(first) = other("data") {
                let hint =
                    format!("{first} is on {}: their mean would say nothing", of(first, "data").unwrap_or_default());
                spot.problem(problems, "evals on one data set", quote(name), &hint);
            } else if let Some(first) = other("rule") {
                let rule = of(first, "rule").unwrap_or_default();
                let hint = format!("{first} is judged by {rule}: their mean would say nothing");
                spot.problem(problems, "evals judged by one rule", quote(name), &hint);
            }
            seen.push(name);
        }
    }
}
