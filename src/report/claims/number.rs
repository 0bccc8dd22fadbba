//! What a printed percentage can stand for.

use serde::Serialize;

/// A percentage as it was printed, kept exactly: `units / 10^decimals` percent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Printed {
    /// All its digits.
    pub units: u64,
    /// How many of them stand behind the point.
    pub decimals: u32,
}

/// How a share became the text.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Reading {
    /// To the nearest; where two are as near, whichever rule is taken.
    Rounded,
    /// It lies half way, and went up to an odd digit.
    HalfUp,
    /// It lies half way, and went down to an even digit.
    HalfEven,
    /// Digits were dropped.
    CutOff,
    /// Rounded to fewer decimals, then filled up with zeros.
    FewerDigits,
}

/// A count that a text can stand for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Count {
    /// Correct answers.
    pub correct: u64,
    /// How their share became the text.
    pub reading: Reading,
}

impl Printed {
    /// Reads digits with a point among them or none: at most 100, at most nine decimals.
    pub fn parse(text: &str) -> Option<Self> {
        let (whole, decimals) = text.split_once('.').unwrap_or((text, ""));
        let digits = |part: &str| part.chars().all(|c| c.is_ascii_digit());
        let point_ends_it = text.ends_with('.');
        if whole.is_empty()
            || whole.len() > 3
            || decimals.len() > 9
            || point_ends_it
            || !digits(whole)
            || !digits(decimals)
        {
            return None;
        }
        let printed = Self { units: format!("{whole}{decimals}").parse().ok()?, decimals: decimals.len() as u32 };
        (printed.units <= 100 * printed.scale()).then_some(printed)
    }

    /// In percent.
    pub fn value(self) -> f64 {
        self.units as f64 / self.scale() as f64
    }

    /// The last decimal place, in percent.
    pub fn unit(self) -> f64 {
        1.0 / self.scale() as f64
    }

    fn scale(self) -> u64 {
        10u64.pow(self.decimals)
    }

    /// The count of `total` that it stands for: that of the plainest reading, the nearest where it has several. `None` where no count
    /// gives such a text, or `total` is 0.
    pub fn count(self, total: u64) -> Option<Count> {
        let exact = |correct: u64| self.reads(correct, total).map(|reading| Count { correct, reading });
        let found = self.near(total).filter_map(exact).min_by_key(|count| count.reading as u8);
        found.or_else(|| {
            let shorter = (0..self.decimals).rev().map_while(|decimals| {
                let cut = 10u64.pow(self.decimals - decimals);
                self.units.is_multiple_of(cut).then_some(Self { units: self.units / cut, decimals })
            });
            let is_rounding = |reading| matches!(reading, Reading::Rounded | Reading::HalfUp | Reading::HalfEven);
            let rounded = |p: Self| p.near(total).find(|&c| p.reads(c, total).is_some_and(is_rounding));
            let correct = { shorter }.find_map(rounded)?;
            Some(Count { correct, reading: Reading::FewerDigits })
        })
    }

    /// The counts whose share is nearest, the nearest first.
    fn near(self, total: u64) -> impl Iterator<Item = u64> {
        let middle = self.value() / 100.0 * total as f64;
        let mut counts: Vec<u64> =
            (-1..=2).filter_map(|step| (middle.floor() as u64).checked_add_signed(step)).collect();
        counts.sort_by(|a, b| (*a as f64 - middle).abs().total_cmp(&(*b as f64 - middle).abs()));
        counts.into_iter().filter(move |count| *count <= total)
    }

    /// How the share of a count becomes this text, if it does.
    fn reads(self, correct: u64, total: u64) -> Option<Reading> {
        let total = u128::from(total);
        let share = u128::from(correct) * 100 * u128::from(self.scale());
        let (down, rest) = (share.checked_div(total)?, share % total);
        let (up, units) = (down + 1, u128::from(self.units));
        match (2 * rest).cmp(&total) {
            std::cmp::Ordering::Less => (units == down).then_some(Reading::Rounded),
            std::cmp::Ordering::Greater if units == up => Some(Reading::Rounded),
            std::cmp::Ordering::Greater => (units == down).then_some(Reading::CutOff),
            std::cmp::Ordering::Equal if units == up => {
                Some(if up.is_multiple_of(2) { Reading::Rounded } else { Reading::HalfUp })
            }
            std::cmp::Ordering::Equal if units == down => {
                Some(if down.is_multiple_of(2) { Reading::HalfEven } else { Reading::CutOff })
            }
            std::cmp::Ordering::Equal => None,
        }
    }

    /// The text of another value with as many decimals.
    pub fn like(self, value: f64) -> String {
        format!("{value:.*}", self.decimals as usize)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn count(text: &str, total: u64) -> Option<(u64, Reading)> {
        Printed::parse(text).unwrap().count(total).map(|c| (c.correct, c.reading))
    }

    #[test]
    fn numbers_are_digits_up_to_a_hundred_and_nothing_else() {
        for bad in
            ["", "-", "-1.00", "+5", "1e1", "NaN", "inf", "100.01", "5.", ".5", "1 000", "64,50", "64.5 ", "1000", "٣"]
        {
            assert_eq!(Printed::parse(bad), None, "{bad:?}");
        }
        for (text, value) in [("0", 0.0), ("64.50", 64.5), ("100.00", 100.0), ("65.1", 65.1), ("7", 7.0)] {
            assert_eq!(Printed::parse(text).unwrap().value(), value);
        }
    }

    #[test]
    fn readings_are_told_apart() {
        assert_eq!(count("69.37", 333), Some((231, Reading::Rounded)));
        assert_eq!(count("57.35", 333), Some((191, Reading::CutOff)));
        assert_eq!(count("25.50", 333), Some((85, Reading::FewerDigits)));
        assert_eq!(count("41.90", 334), Some((140, Reading::FewerDigits)));
        assert_eq!(count("50.98", 334), None);
        assert_eq!(count("61.71", 1000), None);
        assert_eq!(count("0.00", 333), Some((0, Reading::Rounded)));
        assert_eq!(count("100.00", 333), Some((333, Reading::Rounded)));
        assert_eq!(count("50.00", 0), None);
        // 1/8 is 12.5 %, 3/8 is 37.5 %: half way between whole numbers.
        assert_eq!(count("12", 8), Some((1, Reading::HalfEven)));
        assert_eq!(count("13", 8), Some((1, Reading::HalfUp)));
        assert_eq!(count("38", 8), Some((3, Reading::Rounded)), "both rules");
        assert_eq!(count("37", 8), Some((3, Reading::CutOff)));
        // MMAU's script rounds 1/16 = 6.25 % to one decimal as Python does.
        assert_eq!(count("6.2", 16), Some((1, Reading::HalfEven)));
        // 53/80 is 66.25 %: half way between the two texts of one decimal, filled up.
        assert_eq!(count("66.20", 80), Some((53, Reading::FewerDigits)));
        assert_eq!(count("66.30", 80), Some((53, Reading::FewerDigits)));
    }

    proptest! {
        #[test]
        fn what_is_printed_is_read_back(total in 1u64..3000, share in 0.0f64..=1.0, decimals in 0usize..4) {
            let correct = (share * total as f64) as u64;
            // Texts by integer arithmetic: to the nearest (half up), and cut off.
            let scaled = correct * 100 * 10u64.pow(decimals as u32);
            for (units, cut) in [((2 * scaled + total) / (2 * total), false), (scaled / total, true)] {
                let text = if decimals == 0 {
                    units.to_string()
                } else {
                    let scale = 10u64.pow(decimals as u32);
                    format!("{}.{:0decimals$}", units / scale, units % scale)
                };
                let found = Printed::parse(&text).unwrap().count(total);
                prop_assert!(found.is_some(), "{correct}/{total} as {text}");
                // Where shares lie further apart than the last place there is one count, and it is found.
                if total < 10u64.pow(decimals as u32 + 1) * 5 {
                    prop_assert_eq!(found.unwrap().correct, correct, "{} of {}, cut off: {}", &text, total, cut);
                }
            }
        }

        #[test]
        fn no_count_is_found_for_what_no_count_gives(units in 0u64..=10_000, total in 1u64..400) {
            let text = format!("{}.{:02}", units / 100, units % 100);
            // Every count by the definition: rounded (ties either way) or cut off at two decimals, rounded (ties up, or to even) at one or none.
            let some = (0..=total).any(|k| {
                let shorter = |power: u64| {
                    let (share, text, half) = (2 * k * 10_000, 2 * units * total, power * total);
                    let tie = share < text || (units / power).is_multiple_of(2);
                    units.is_multiple_of(power) && (share.abs_diff(text) < half || (share.abs_diff(text) == half && tie))
                };
                let (down, rest) = (k * 10_000 / total, k * 10_000 % total);
                units == down || (2 * rest >= total && units == down + 1) || shorter(10) || shorter(100)
            });
            let found = Printed::parse(&text).unwrap().count(total);
            prop_assert_eq!(found.is_some(), some, "{}", text);
            // Its share is as near as the last digit that may count.
            let near = if units % 100 == 0 { 50 } else if units % 10 == 0 { 5 } else { 1 };
            if let Some(Count { correct, .. }) = found {
                prop_assert!((correct * 10_000).abs_diff(units * total) <= near * total, "{} of {}: {}", text, total, correct);
            }
        }
    }
}
