//! Measured rows held against claims: inside, outside, or a claim that cannot be.

use super::claims::number::Reading;
use super::claims::{Claim, Claims, lint};
use super::table::Entry;
use crate::artifact::Expectation;
use crate::recipe::Rule;
use crate::score::stats;
use serde::Serialize;

/// How a measured row stands to a claim.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Place {
    /// The interval of the difference holds 0.
    Inside,
    /// It does not.
    Outside,
    /// No count of the questions gives the claimed number.
    Impossible,
    /// The row cannot be held against it.
    NotHeld,
}

/// A measured row held against a claim.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Held {
    /// What the table calls the row.
    pub row: String,
    /// Name of the evaluation in the recipe.
    pub eval: String,
    /// Id of the claim.
    pub claim: String,
    /// `MODEL, METHOD` of the claim.
    pub label: String,
    /// The claimed average, as printed.
    pub claimed: String,
    /// The verdict.
    pub place: Place,
    /// What the verdict is made of; `None` where the row is not held against it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub against: Option<Against>,
    /// Why the row is not held against it; empty where it is.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub why_not: String,
    /// What is wrong with the claim's own arithmetic, a finding each.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub flags: Vec<String>,
    /// Whether the recipe says that it must be inside.
    pub must_be_inside: bool,
}

/// The two numbers, micro accuracies (shares of all questions), and their difference.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Against {
    /// Correct and total of the measured row; questions without a prediction count as not correct.
    pub measured: [u64; 2],
    /// Of `measured`, without a prediction.
    pub missing: u64,
    /// Correct and total of the claim: the count that was printed, else the nearest one.
    pub claimed_counts: [u64; 2],
    /// Measured less claimed, in points.
    pub difference: f64,
    /// Its 95 % interval: both numbers have a sampling error.
    pub interval: [f64; 2],
}

/// Every row of a table that its recipe holds against a claim, in the order of the rows.
pub(super) fn held(entries: &[Entry<'_>]) -> Vec<Held> {
    let mut all = Vec::new();
    for entry in entries {
        for expected in entry.run.expect.iter().filter(|x| x.eval == entry.eval.record.name) {
            let claims = entry.run.claims.iter().flat_map(|(_, file)| file.claims.iter().map(move |c| (file, c)));
            all.extend(
                claims.filter(|(_, c)| c.id == expected.claim).map(|(file, claim)| one(entry, expected, file, claim)),
            );
        }
    }
    all
}

fn one(entry: &Entry<'_>, expected: &Expectation, file: &Claims, claim: &Claim) -> Held {
    let findings = lint::of_claim(file, claim);
    let cannot_be = findings.iter().any(|f| f.column == "average" && f.kind == lint::Kind::Impossible);
    let against = against(entry, file, claim);
    let place = match &against {
        Err(_) => Place::NotHeld,
        Ok(_) if cannot_be => Place::Impossible,
        Ok(Against { interval: [low, high], .. }) if *low <= 0.0 && 0.0 <= *high => Place::Inside,
        Ok(_) => Place::Outside,
    };
    let is_flag = |f: &lint::Finding| {
        f.kind.contradicts() || (f.column == "average" && matches!(f.kind, lint::Kind::MacroMean | lint::Kind::NoCount))
    };
    let flag = |f: lint::Finding| {
        let number = if f.printed.is_empty() { String::new() } else { format!(" {}", f.printed) };
        format!("{}{number}: {}", f.column, f.says)
    };
    Held {
        row: entry.label.clone(),
        eval: expected.eval.clone(),
        claim: claim.id.clone(),
        label: claim.label(),
        claimed: claim.average.clone(),
        place,
        why_not: against.as_ref().err().cloned().unwrap_or_default(),
        against: against.ok(),
        flags: findings.into_iter().filter(is_flag).map(flag).collect(),
        must_be_inside: expected.expect.is_some(),
    }
}

/// The two numbers and their difference, or why they cannot be held against each other.
fn against(entry: &Entry<'_>, file: &Claims, claim: &Claim) -> Result<Against, String> {
    let record = &entry.eval.record;
    let Some(score) = &entry.eval.score else { return Err("the answers are withheld".into()) };
    if record.rule != Rule::Official.name() {
        return Err(format!("published numbers are by MMAU's script, this one by the rule {}", record.rule));
    }
    if !file.versions.get(&claim.split).is_some_and(|versions| versions.contains(&record.dataset_sha256)) {
        return Err("it was measured on another version of the questions".into());
    }
    if record.asked < record.questions || score.total == 0 {
        return Err(format!("only {} of {} questions were asked", record.asked, record.questions));
    }
    let printed = claim.printed("average").ok_or("no average was printed")?;
    let total = file.total(claim, "average").unwrap_or(record.questions);
    let exact = printed.count(total).filter(|count| count.reading != Reading::FewerDigits);
    let nearest = (printed.value() / 100.0 * total as f64).round() as u64;
    let claimed_counts = [exact.map_or(nearest, |count| count.correct), total];
    let missing = score.ledger.missing;
    let measured = [score.correct, score.total + missing];
    let (difference, interval) = stats::difference(measured, claimed_counts);
    // What is no count is taken as the number that was printed, with the sampling error of the nearest count.
    let apart = if exact.is_some() { 0.0 } else { 100.0 * nearest as f64 / total as f64 - printed.value() };
    let (difference, interval) = (difference + apart, interval.map(|bound| bound + apart));
    Ok(Against { measured, missing, claimed_counts, difference, interval })
}

impl Held {
    /// The verdict in a line: `ROW against the claim 64.50 (MODEL): inside: …`.
    pub fn in_words(&self) -> String {
        let Self { row, claimed, label, .. } = self;
        let flags = if self.flags.is_empty() {
            String::new()
        } else {
            format!(" The claim's own arithmetic: {}.", self.flags.join("; "))
        };
        format!("{row} against the claim {claimed} ({label}): {}{flags}", self.verdict())
    }

    /// The verdict without the row and the claim: `inside: measured 64.50 less claimed 64.50 is +0.00 [-4.2, 4.2].`
    pub fn verdict(&self) -> String {
        let Some(Against { measured: [correct, total], missing, claimed_counts, difference, interval: [low, high] }) =
            self.against
        else {
            return format!("not held against it: {}.", self.why_not);
        };
        let measured = 100.0 * correct as f64 / total as f64;
        let missing = match missing {
            0 => String::new(),
            n => format!(" ({n} without a prediction count as not correct)"),
        };
        let less = format!(
            "measured {measured:.2}{missing} less claimed {} is {difference:+.2}, 95 % interval {low:+.1} to {high:+.1}",
            self.claimed
        );
        match self.place {
            Place::Inside => format!("inside: {less}."),
            Place::Outside => format!("outside: {less}."),
            Place::Impossible | Place::NotHeld => {
                format!("impossible: no count of {} questions gives {} %; {less}.", claimed_counts[1], self.claimed)
            }
        }
    }
}
