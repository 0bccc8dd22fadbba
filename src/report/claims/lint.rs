//! What cannot be in a file of claims, and what was printed in another way than it seems. Findings follow from the file alone.

use super::mean::{self, Mean, Sum, TASKS, exact, neighbours};
use super::number::{Printed, Reading};
use super::{COLUMNS, Claim, Claims};
use serde::Serialize;

/// What a finding is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// No count of the questions gives it, however it was rounded.
    Impossible,
    /// The columns give another average, as a share of all questions and as their mean.
    Mean,
    /// The columns give it only if they are of different numbers of questions, and these are not known.
    UnequalCounts,
    /// All four numbers are those of a row of another model: one of the two is misprinted.
    SameRow,
    /// No count of the questions gives the average, and the counts of the columns, whose mean it may be, are not known.
    NoCount,
    /// The average is the mean of the columns and not the share of all questions.
    MacroMean,
    /// Digits were dropped where they should have been rounded.
    CutOff,
    /// Rounded to fewer decimals and filled up with zeros.
    FewerDigits,
    /// It lies half way, and was rounded up to an odd digit.
    HalfUp,
    /// It lies half way, and was rounded down to an even digit.
    HalfEven,
}

impl Kind {
    /// Whether the number cannot be right as it stands, and not only printed in another way.
    pub fn contradicts(self) -> bool {
        matches!(self, Self::Impossible | Self::Mean | Self::UnequalCounts | Self::SameRow)
    }

    /// For people.
    pub fn in_words(self) -> &'static str {
        match self {
            Self::Impossible => "impossible",
            Self::Mean => "mean differs",
            Self::UnequalCounts => "unequal counts",
            Self::SameRow => "same row",
            Self::NoCount => "no count",
            Self::MacroMean => "macro mean",
            Self::CutOff => "cut off",
            Self::FewerDigits => "fewer digits",
            Self::HalfUp => "half up",
            Self::HalfEven => "half even",
        }
    }
}

/// One thing about one number.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Finding {
    /// Id of the claim.
    pub claim: String,
    /// `sound`, `music`, `speech`, `average`; `row` for all of them.
    pub column: &'static str,
    /// As printed; empty for a row.
    pub printed: String,
    /// What it is about.
    pub kind: Kind,
    /// The arithmetic.
    pub says: String,
    /// A likely cause.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub perhaps: Option<String>,
}

/// All findings, in the order of the file.
pub fn lint(file: &Claims) -> Vec<Finding> {
    file.claims.iter().flat_map(|claim| of_claim(file, claim)).collect()
}

/// The findings about one claim of a file.
pub fn of_claim(file: &Claims, claim: &Claim) -> Vec<Finding> {
    let mean = mean::judge(file, claim);
    let is_macro = matches!(mean, Some(Mean::Macro(_)));
    let mut findings: Vec<Finding> = COLUMNS
        .into_iter()
        // A macro mean need not be a count.
        .filter(|column| !(is_macro && *column == "average"))
        .filter_map(|column| of_number(file, claim, column))
        .collect();
    findings.extend(mean.and_then(|mean| of_mean(file, claim, &mean)));
    findings.extend(same_row(file, claim));
    findings
}

fn finding(claim: &Claim, column: &'static str, kind: Kind, says: String, perhaps: Option<String>) -> Finding {
    let printed = claim.cell(column).unwrap_or_default().to_owned();
    Finding { claim: claim.id.clone(), column, printed, kind, says, perhaps }
}

fn of_number(file: &Claims, claim: &Claim, column: &'static str) -> Option<Finding> {
    let (printed, total) = (claim.printed(column)?, file.total(claim, column)?);
    let share = |correct: u64| printed.like(100.0 * correct as f64 / total as f64);
    let Some(count) = printed.count(total) else {
        let (low, high) = neighbours(printed, total);
        let near = if low == high {
            format!("{low} is {}", share(low))
        } else {
            format!("{low} is {}, {high} is {}", share(low), share(high))
        };
        let says = format!("no count of {total} gives it: {near}");
        if column == "average" && TASKS.iter().any(|c| claim.printed(c).is_none() || file.total(claim, c).is_none()) {
            let says = format!("{says}; it may be the mean of columns whose counts are not known");
            return Some(finding(claim, column, Kind::NoCount, says, None));
        }
        let perhaps = slip(file, claim, column).or_else(|| copied_number(file, claim, column));
        return Some(finding(claim, column, Kind::Impossible, says, perhaps));
    };
    let correct = count.correct;
    let (kind, says) = match count.reading {
        Reading::Rounded => return None,
        Reading::CutOff => (Kind::CutOff, format!("{correct} of {total} cut off; rounded it is {}", share(correct))),
        Reading::HalfUp => (Kind::HalfUp, format!("{correct} of {total}, half way, rounded up")),
        Reading::HalfEven => (Kind::HalfEven, format!("{correct} of {total}, half way, rounded to even")),
        Reading::FewerDigits => {
            let shorter = claim.cell(column).unwrap_or_default().trim_end_matches('0').trim_end_matches('.');
            let says = format!("no count of {total} gives it; {shorter} is {correct} of {total} ({})", share(correct));
            (Kind::FewerDigits, says)
        }
    };
    Some(finding(claim, column, kind, says, None))
}

fn of_mean(file: &Claims, claim: &Claim, mean: &Mean) -> Option<Finding> {
    let columns = columns(claim)?;
    let average = claim.printed("average")?;
    let plain = average.like(mean::plain_mean(columns));
    let gives = |sum: &Sum| {
        let share = |count: u64| average.like(100.0 * count as f64 / sum.total as f64);
        match (sum.low, sum.high) {
            (low, high) if low == high => format!("{} ({low} of {})", share(low), sum.total),
            (low, high) => format!("{} to {} ({low} to {high} of {})", share(low), share(high), sum.total),
        }
    };
    let (kind, says) = match mean {
        Mean::Fits => return None,
        Mean::Macro(sum) => {
            (Kind::MacroMean, format!("the mean of the columns; the share of all questions is {}", gives(sum)))
        }
        Mean::Differs(sum) => (Kind::Mean, format!("the columns give {}, their mean is {plain}", gives(sum))),
        Mean::Outside => (Kind::Mean, format!("it lies outside its columns, their mean is {plain}")),
        Mean::Unequal => {
            let others =
                file.claims.iter().filter(|c| c.table == claim.table && c.split == claim.split && c.id != claim.id);
            let rows = others.filter_map(|c| self::columns(c).zip(c.printed("average")));
            let plainly: Vec<bool> = rows.map(|(columns, average)| mean::is_plain_mean(columns, average)).collect();
            let (are, of) = (plainly.iter().filter(|is| **is).count(), plainly.len());
            let says = format!(
                "the mean of the columns is {plain}; {} needs columns of unequal numbers of questions, and these are not known \
                 (of the {of} other rows of this table and split {are} print the plain mean)",
                claim.average
            );
            (Kind::UnequalCounts, says)
        }
    };
    let perhaps = if kind.contradicts() { doubled(claim) } else { None };
    Some(finding(claim, "average", kind, says, perhaps))
}

fn columns(claim: &Claim) -> Option<[Printed; 3]> {
    let [Some(sound), Some(music), Some(speech)] = TASKS.map(|c| claim.printed(c)) else { return None };
    Some([sound, music, speech])
}

/// What the one column that is no count would have to be for the average, where it was misprinted by a digit or two.
fn slip(file: &Claims, claim: &Claim, column: &str) -> Option<String> {
    let mut needed = exact(claim.printed("average")?, file.total(claim, "average")?)?;
    for other in TASKS.into_iter().filter(|c| *c != column) {
        needed = needed.checked_sub(exact(claim.printed(other)?, file.total(claim, other)?)?)?;
    }
    let total = file.total(claim, column).filter(|total| column != "average" && needed <= *total)?;
    let text = claim.printed(column)?.like(100.0 * needed as f64 / total as f64);
    let how = slipped(claim.cell(column)?, &text)?;
    Some(format!("{text} with {how}: that is {needed} of {total}, and fits the average"))
}

/// How one text becomes another, if by a slip: neighbouring digits swapped, or one digit exchanged.
fn slipped(found: &str, meant: &str) -> Option<&'static str> {
    let (found, meant): (Vec<char>, Vec<char>) = (found.chars().collect(), meant.chars().collect());
    if found.len() != meant.len() {
        return None;
    }
    let places: Vec<usize> = (0..found.len()).filter(|&i| found[i] != meant[i]).collect();
    match places[..] {
        [_] => Some("one digit exchanged"),
        [a, b] if b == a + 1 && found[a] == meant[b] && found[b] == meant[a] => Some("two digits swapped"),
        _ => None,
    }
}

/// Where else the same text stands for the same model in the same table.
fn copied_number(file: &Claims, claim: &Claim, column: &str) -> Option<String> {
    let text = claim.cell(column)?;
    let others = file.claims.iter().filter(|c| c.table == claim.table && c.id != claim.id);
    let mut same_model = others.filter(|c| c.model == claim.model && c.method == claim.method);
    same_model.find_map(|other| {
        let at = COLUMNS.into_iter().find(|c| other.cell(c) == Some(text))?;
        Some(format!("a copy: {text} stands under {at} of {} too", other.id))
    })
}

/// Columns of one row that print the same.
fn doubled(claim: &Claim) -> Option<String> {
    let pairs = [("sound", "music"), ("sound", "speech"), ("music", "speech")];
    let (a, b) = pairs.into_iter().find(|(a, b)| claim.cell(a).is_some() && claim.cell(a) == claim.cell(b))?;
    Some(format!("a copy: {a} and {b} print the same, {}", claim.cell(a)?))
}

/// A row of another model with the same four numbers. One that prints what another table prints for its model is not the copy.
fn same_row(file: &Claims, claim: &Claim) -> Option<Finding> {
    columns(claim)?;
    let same =
        |c: &&Claim| c.id != claim.id && c.split == claim.split && COLUMNS.iter().all(|x| c.cell(x) == claim.cell(x));
    let linked = |c: &&Claim| {
        c.model == claim.model || c.same_as.as_ref() == Some(&claim.id) || claim.same_as.as_ref() == Some(&c.id)
    };
    if file.claims.iter().filter(same).any(|c| linked(&c)) {
        return None;
    }
    let other = file.claims.iter().find(|c| same(c))?;
    let says = format!("all four numbers are those of {} ({})", other.id, other.label());
    Some(finding(claim, "row", Kind::SameRow, says, None))
}

#[cfg(test)]
mod tests {
    use super::super::load;
    use super::*;

    fn found(name: &str) -> Vec<String> {
        let file = load(name, None).unwrap();
        lint(&file).iter().map(|f| format!("{} {} {} {}", f.claim, f.column, f.printed, f.kind.in_words())).collect()
    }

    #[test]
    fn the_known_cases_are_found_each_by_its_kind() {
        let found = found("r1-aqa-claims.json");
        // From the arithmetic check of the tables that the reference notes list.
        for known in [
            "readme-llama3-strong-cap music 48.93 impossible",
            "readme-llama3-strong-cap average 52.10 mean differs",
            "readme-llama3-strong-cap speech 55.25 cut off",
            "paper-qwen2-audio music 50.98 impossible",
            "paper-qwen2-audio average 49.20 mean differs",
            "readme-qwen2-audio music 50.98 impossible",
            "readme-salamonn sound 41.00 fewer digits",
            "readme-salamonn speech 25.50 fewer digits",
            "readme-salamonn music 34.80 impossible",
            "paper-audio-flamingo-2 average 55.48 macro mean",
            "readme-qwen2-audio-test average 52.50 unequal counts",
            "readme-grpo-2-test average 64.36 unequal counts",
            "paper-gpt4o-strong-cap sound 57.35 cut off",
            "paper-audio-reasoner average 61.71 impossible",
            "paper-zero-shot-cot sound 61.68 impossible",
            "paper-sft-full music 49.19 impossible",
            "paper-sft-lora speech 52.58 impossible",
            "paper-gemini-1.5-pro row  same row",
            "paper-llama3-strong-cap row  same row",
        ] {
            assert!(found.iter().any(|f| f == known), "{known} in\n{}", found.join("\n"));
        }
        for clean in [
            "paper-grpo-2 ",
            "paper-grpo-3 ",
            "readme-grpo-1 ",
            "readme-grpo-2 ",
            "readme-zero-shot-cot ",
            "paper-human ",
        ] {
            assert!(!found.iter().any(|f| f.starts_with(clean)), "{clean} in\n{}", found.join("\n"));
        }
        assert!(!found.iter().any(|f| f.starts_with("paper-qwen2-audio row")), "the README corroborates it");
    }

    #[test]
    fn likely_slips_and_copies_are_named() {
        let file = load("r1-aqa-claims.json", None).unwrap();
        let perhaps = |id: &str, column: &str| {
            let all = lint(&file);
            let found = all.iter().find(|f| f.claim == id && f.column == column).unwrap();
            found.perhaps.clone().unwrap_or_default()
        };
        assert_eq!(
            perhaps("paper-zero-shot-cot", "sound"),
            "61.86 with two digits swapped: that is 206 of 333, and fits the average"
        );
        assert!(perhaps("paper-sft-lora", "speech").starts_with("52.85 with two digits swapped"));
        assert!(perhaps("paper-sft-full", "music").starts_with("49.10 with one digit exchanged: that is 164 of 334"));
        assert_eq!(
            perhaps("readme-llama3-strong-cap", "music"),
            "a copy: 48.93 stands under music of readme-llama3-strong-cap-test too"
        );
        assert_eq!(perhaps("readme-qwen2-audio-test", "average"), "a copy: sound and speech print the same, 45.90");
        assert_eq!(perhaps("paper-qwen2-audio", "music"), "", "169 of 334 is 50.60: nothing near 50.98");
    }

    #[test]
    fn every_contradiction_of_the_shipped_claims_of_a_paper_has_a_note_for_tables() {
        let file = load("r1-aqa-claims.json", None).unwrap();
        for finding in lint(&file).iter().filter(|f| f.kind.contradicts()) {
            let claim = file.claims.iter().find(|c| c.id == finding.claim).unwrap();
            assert!(claim.note.is_some(), "{}: {}", finding.claim, finding.says);
        }
    }
}
