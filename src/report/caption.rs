//! What stands around a table: its heading, how its numbers came to be, and rows held against claims.

use super::claims::Claim;
use super::group::{self, Summary};
use super::load::Run;
use super::table::{Entry, Kind, Row};
use crate::artifact::{EvalRecord, Hearing};
use crate::data::versions;
use crate::error::Result;
use crate::pins::Sha256;
use crate::recipe::Rule;
use crate::score::Bounds;
use indexmap::{IndexMap, IndexSet};

/// A rule in a few words. MMAU's evaluation.py is as it has been since commit 7468292 of 2025-01-29.
fn rule(name: &str) -> Result<&'static str> {
    Ok(match super::judge::rule(name)? {
        Rule::Official => {
            "MMAU's `evaluation.py`, sha256 `85480e1c0dfe8ee1406e9c6e598eff0dca9e0216701f076faf69081c6aab1558`"
        }
        Rule::Parsed => "the option that an answer names, by letter or text; nothing is guessed",
        Rule::Exact => "the right option's text and nothing else, byte for byte but for white space around it",
        Rule::AnswerTag => "the right option's text or letter in `<answer>`; without a tag there is no answer",
    })
}

/// The data set of a table: the names of its known versions, or its hash; and the rule, where it is not MMAU's.
pub(super) fn heading(entries: &[Entry<'_>]) -> Result<String> {
    let mut names = IndexSet::new();
    for entry in entries {
        let record = &entry.eval.record;
        names.insert(match versions::find(&record.dataset_sha256)? {
            Some(version) => version.name.clone(),
            None if record.dataset_format == "synthetic" => format!("Synthetic questions: {}", record.dataset),
            None => format!("{} (no known version of MMAU, sha256 {})", record.dataset, record.dataset_sha256.short()),
        });
    }
    // The names differ in their dates only: `MMAU test-mini of 2025-01-28 and 2025-03-25`.
    let first = names[0].clone();
    let stem = first.rsplit_once(" of ").map_or("", |(stem, _)| stem);
    let rest = names.iter().skip(1).map(|n| n.strip_prefix(stem).and_then(|n| n.strip_prefix(" of ")).unwrap_or(n));
    let by = match entries[0].eval.record.rule.as_str() {
        rule if rule == Rule::Official.name() => String::new(),
        rule => format!(", rule {rule}"),
    };
    Ok(rest.fold(first.clone(), |all, name| format!("{all} and {name}")) + &by)
}

/// A version in a word or two: its date, or the start of its hash.
pub(super) fn short(sha256: &str) -> Result<String> {
    let version = versions::shipped()?.versions.iter().find(|v| v.sha256.as_str() == sha256);
    Ok(version.map_or_else(|| sha256[..12].to_owned(), |v| v.date.clone()))
}

/// How the numbers of a table came to be, a line each. Back-ticks mark code; each format shows them its own way.
pub(super) fn caption(entries: &[Entry<'_>], rows: &[Row], groups: &[Summary]) -> Result<Vec<String>> {
    let bold = format!(
        "Average is the share of all questions, not the mean of the columns. Bold: the best measured value of a column{}.",
        alone(rows)
    );
    let mut lines = shared(entries, &bold)?;
    lines.push(
        "Of the questions asked, every one is correct, wrong, without an answer, or failed (no usable clip, engine error); \
         missing are questions that the predictions lack. Cropped: clips cut at 30 s. Truncated: completions that stopped \
         for length."
            .into(),
    );
    lines.extend(groups.iter().map(Summary::in_words));
    lines.extend(group::lacking(entries));
    if rows.iter().filter(|r| r.kind == Kind::Computed).count() > 4 * groups.len() {
        let others = if groups.is_empty() { "Computed rows" } else { "The other computed rows" };
        lines
            .push(format!("{others} follow from the questions alone, by the same rule; random is the expected value."));
    }
    lines.extend(sources(entries));
    Ok(lines)
}

/// How the numbers of a table's breakdowns came to be.
pub(super) fn of_breakdowns(entries: &[Entry<'_>], rows: &[Row]) -> Result<Vec<String>> {
    let mut lines = shared(entries, &format!("Bold: the best of a line{}.", alone(rows)))?;
    lines.extend(group::lacking(entries));
    Ok(lines)
}

/// What is said of rows that stand out of the competition, where there are any.
fn alone(rows: &[Row]) -> &'static str {
    let some = rows.iter().any(|r| r.kind == Kind::Measured && r.partial.is_some());
    if some { "; rows on part of the questions do not compete" } else { "" }
}

/// What a table and its breakdowns share: rule, questions, settings, origin. `bold` says what stands bold.
fn shared(entries: &[Entry<'_>], bold: &str) -> Result<Vec<String>> {
    let is_scored = entries.iter().any(|e| e.eval.score.is_some());
    let mut lines = Vec::new();
    let name = entries[0].eval.record.rule.as_str();
    let rule = rule(name)?;
    let scored =
        format!("Scored by the {name} rule ({rule}). Percent of questions, with the 95 % Wilson interval. {bold}");
    lines.extend(is_scored.then_some(scored));
    lines.extend(data(entries)?);
    lines.extend(by_rows(entries, |e| settings(&e.eval.record)));
    lines.extend(by_rows(entries, |e| hearing(&e.eval.record)));
    lines.extend(by_rows(entries, |e| origin(e.run)));
    lines.extend(entries.iter().filter_map(withheld));
    lines.extend(entries.iter().filter_map(bounds));
    Ok(lines)
}

fn data(entries: &[Entry<'_>]) -> Result<Vec<String>> {
    let mut lines = IndexSet::new();
    let hashes: IndexSet<&Sha256> = entries.iter().map(|e| &e.eval.record.dataset_sha256).collect();
    for entry in entries {
        let record = &entry.eval.record;
        let what = match versions::find(&record.dataset_sha256)? {
            Some(v) => format!("{}, commit `{}` of {}", v.name, &v.commit.as_str()[..7], versions::repository()?),
            None => format!("`{}` ({})", record.dataset, record.dataset_format),
        };
        let which = entries.iter().filter(|e| e.eval.record.dataset_sha256 == record.dataset_sha256);
        let rows = if hashes.len() == 1 { String::new() } else { format!(" for {}", labels(which)) };
        let (sha256, questions) = (&record.dataset_sha256, record.questions);
        lines.insert(format!("Questions{rows}: {what}, {questions} questions, sha256 `{sha256}`."));
    }
    for entry in entries {
        let packed = entry.eval.record.packed.as_ref();
        lines
            .extend(packed.map(|sha256| {
                format!("{}: read from a Parquet file with these rows, sha256 `{sha256}`.", entry.label)
            }));
    }
    if hashes.len() > 1 {
        let reason = versions::declared(&versions::group(hashes[0])?)?;
        lines.insert(format!("These versions are declared comparable. {reason}"));
    }
    Ok(lines.into_iter().collect())
}

fn settings(record: &EvalRecord) -> String {
    let asked = if record.asked == record.questions {
        format!("all {} questions asked", record.questions)
    } else {
        format!("partial, {} of {} questions asked", record.asked, record.questions)
    };
    if let Some(file) = &record.file {
        let asked = asked.replace("asked", "of the data set");
        return format!(
            "{asked}; predictions of the file `{}` (sha256 `{}`), which no stage of this run made; answers taken by `{}`",
            file.name, file.sha256, record.extract
        );
    }
    let extract =
        if record.extract.is_empty() { String::new() } else { format!("; answers taken by `{}`", record.extract) };
    let system = record.system.as_ref().map_or_else(String::new, |text| format!(" behind the system turn `{text}`"));
    format!("{asked}; prompt `{}`{system}; {}{extract}", record.prompt, record.decoding)
}

fn hearing(record: &EvalRecord) -> String {
    record.hearing.as_ref().map_or_else(|| "whether the audio was heard is not known".to_owned(), Hearing::in_words)
}

fn origin(run: &Run) -> String {
    let p = &run.provenance;
    let overrides = if run.overrides.is_empty() { String::new() } else { format!(" with {}", run.overrides.join(" ")) };
    let threads = if p.threads == 1 { "1 thread".to_owned() } else { format!("{} threads", p.threads) };
    let engine = if p.libtorch.is_empty() { String::new() } else { format!(", libtorch {}", p.libtorch) };
    format!(
        "recipe `{}` (sha256 `{}`){overrides}; `{}`; aqa-bench {} at commit `{}`{engine}, {}, {threads}",
        run.recipe,
        run.recipe_sha256.short(),
        command(&p.argv),
        p.version,
        p.commit,
        p.device,
    )
}

/// What became of an evaluation whose answers are withheld.
fn withheld(entry: &Entry<'_>) -> Option<String> {
    let (record, known) = (&entry.eval.record, entry.eval.record.withheld?);
    let whole = if record.asked == record.questions {
        "whole, to be handed in where the answers are (MMAU: the Hugging Face Space sonalkum/MMAU-Eval)"
    } else {
        "a part of the questions, and so nothing to hand in"
    };
    Some(format!(
        "{}: the answers are withheld, so nothing is scored here. `{}/predictions.json` has {} of {} predictions, {} of them no answer and {} failed: {whole}.",
        entry.label, entry.eval.folder, record.asked, record.questions, known.no_answer, known.failed
    ))
}

/// What the accuracy would be with the questions that have no usable prediction, where there are such.
fn bounds(entry: &Entry<'_>) -> Option<String> {
    let score = entry.eval.score.as_ref()?;
    let Bounds { strict, best, .. } = score.bounds()?;
    Some(format!(
        "{}: {} missing and {} failed. With the missing ones as not correct {:.2} ({}/{}), with all of these as correct {:.2} ({}/{}).",
        entry.label,
        score.ledger.missing,
        score.ledger.failed,
        strict.accuracy,
        strict.correct,
        strict.total,
        best.accuracy,
        best.correct,
        best.total,
    ))
}

/// The command line as a shell would take it, without the folder that the program lies in.
pub(super) fn command(argv: &[String]) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_./:=,+@%".contains(c);
    let quoted = argv.iter().enumerate().map(|(i, word)| {
        let word = if i == 0 { word.rsplit('/').next().unwrap_or(word) } else { word };
        if !word.is_empty() && word.chars().all(plain) {
            word.to_owned()
        } else {
            format!("'{}'", word.replace('\'', "'\\''"))
        }
    });
    quoted.collect::<Vec<_>>().join(" ")
}

/// One line for each different text, led by the rows it is about.
fn by_rows(entries: &[Entry<'_>], text: impl Fn(&Entry<'_>) -> String) -> Vec<String> {
    let mut lines: IndexMap<String, Vec<&Entry<'_>>> = IndexMap::new();
    for entry in entries {
        lines.entry(text(entry)).or_default().push(entry);
    }
    lines.iter().map(|(text, which)| format!("{}: {text}.", labels(which.iter().copied()))).collect()
}

fn labels<'a>(entries: impl Iterator<Item = &'a Entry<'a>>) -> String {
    entries.map(|e| e.label.as_str()).collect::<IndexSet<_>>().into_iter().collect::<Vec<_>>().join(", ")
}

fn sources(entries: &[Entry<'_>]) -> Vec<String> {
    let mut lines = IndexSet::new();
    for entry in entries {
        for (name, file) in &entry.run.claims {
            let official = entry.eval.record.rule == Rule::Official.name();
            let on = |c: &&Claim| official && file.versions[&c.split].contains(&entry.eval.record.dataset_sha256);
            let tables: IndexSet<&str> = file.claims.iter().filter(on).map(|c| c.table.as_str()).collect();
            if tables.is_empty() {
                continue;
            }
            let list: Vec<String> = tables.iter().map(|t| format!("{t}: {}", file.sources[*t])).collect();
            lines.insert(format!("Quoted rows are verbatim from `{name}` and were not run here. {}.", list.join("; ")));
        }
    }
    lines.into_iter().collect()
}
