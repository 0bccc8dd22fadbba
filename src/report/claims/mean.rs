//! Whether the columns of a row give its average.

use super::number::{Printed, Reading};
use super::{Claim, Claims};

/// The columns that an average is made of.
pub(super) const TASKS: [&str; 3] = ["sound", "music", "speech"];

/// How a row's average stands to its columns.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Mean {
    /// It is the share of all questions; or, where nobody says how many each column has, the plain mean.
    Fits,
    /// It is the plain mean of the columns, and not the share of all questions: what that would be.
    Macro(Sum),
    /// Neither.
    Differs(Sum),
    /// How many questions a column has is not known, and the average is their mean only if they have not equally many.
    Unequal,
    /// Likewise, and it lies outside its columns: no numbers of questions give it.
    Outside,
}

/// What columns add up to: one count, or several where a column is no count itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Sum {
    pub low: u64,
    pub high: u64,
    pub total: u64,
}

/// `None` where not all columns were printed.
pub(super) fn judge(file: &Claims, claim: &Claim) -> Option<Mean> {
    let columns = TASKS.map(|c| claim.printed(c));
    let [Some(sound), Some(music), Some(speech)] = columns else { return None };
    let average = claim.printed("average")?;
    let is_plain = is_plain_mean([sound, music, speech], average);
    let Some(sum) = sum(file, claim) else {
        let values = [sound, music, speech].map(Printed::value);
        let (low, high) = values.iter().fold((f64::MAX, f64::MIN), |(low, high), &v| (low.min(v), high.max(v)));
        return Some(match average.value() {
            _ if is_plain => Mean::Fits,
            v if (low..=high).contains(&v) => Mean::Unequal,
            _ => Mean::Outside,
        });
    };
    let is_sum = average.count(sum.total).is_some_and(|count| (sum.low..=sum.high).contains(&count.correct));
    Some(match (is_sum, is_plain) {
        (true, _) => Mean::Fits,
        (false, true) => Mean::Macro(sum),
        (false, false) => Mean::Differs(sum),
    })
}

/// The mean of the columns, to the last place that was printed, rounded or cut off.
pub(super) fn is_plain_mean(columns: [Printed; 3], average: Printed) -> bool {
    let unit = columns.iter().fold(average.unit(), |unit, c| unit.max(c.unit()));
    (plain_mean(columns) - average.value()).abs() <= unit + 1e-9
}

pub(super) fn plain_mean(columns: [Printed; 3]) -> f64 {
    columns.iter().map(|c| c.value()).sum::<f64>() / 3.0
}

/// The counts of the columns added up. A column that is no count may be either of its neighbours. `None` where the numbers of questions are
/// not known.
fn sum(file: &Claims, claim: &Claim) -> Option<Sum> {
    let mut sum = Sum { low: 0, high: 0, total: 0 };
    for column in TASKS {
        let (printed, total) = (claim.printed(column)?, file.total(claim, column)?);
        let (low, high) = match exact(printed, total) {
            Some(correct) => (correct, correct),
            None => neighbours(printed, total),
        };
        sum = Sum { low: sum.low + low, high: sum.high + high, total: sum.total + total };
    }
    Some(sum)
}

/// The count that a text stands for with all its digits.
pub(super) fn exact(printed: Printed, total: u64) -> Option<u64> {
    printed.count(total).filter(|count| count.reading != Reading::FewerDigits).map(|count| count.correct)
}

/// The counts below and above.
pub(super) fn neighbours(printed: Printed, total: u64) -> (u64, u64) {
    let share = printed.value() / 100.0 * total as f64;
    (share.floor() as u64, (share.ceil() as u64).min(total))
}
