//! Which measured numbers are the best of their column, and which come next.

use super::table::Row;

/// Marks the best measured numbers of each column, and those next to them. Rows on part of the questions do not compete, and where all that
/// compete are equal, or there is one, there is no second.
pub(super) fn mark(rows: &mut [Row], columns: usize) {
    for column in 0..columns {
        let competes = |row: &Row| match &row.cells[column] {
            Some(cell) if row.partial.is_none() => cell.counts,
            _ => None,
        };
        let all: Vec<[u64; 2]> = rows.iter().filter_map(competes).collect();
        let below_best: Vec<[u64; 2]> =
            all.iter().copied().filter(|own| all.iter().any(|other| above(*other, *own))).collect();
        for row in rows.iter_mut() {
            if let Some(own) = competes(row)
                && let Some(cell) = &mut row.cells[column]
            {
                let beaten = |by: &[[u64; 2]]| by.iter().any(|other| above(*other, own));
                cell.best = !beaten(&all);
                cell.second = beaten(&all) && !beaten(&below_best);
            }
        }
    }
}

/// a/b > c/d as a·d > c·b: compared as fractions, so that rounding makes no ties.
fn above(a: [u64; 2], b: [u64; 2]) -> bool {
    u128::from(a[0]) * u128::from(b[1]) > u128::from(b[0]) * u128::from(a[1])
}

#[cfg(test)]
mod tests {
    use super::super::table::{Cell, Kind};
    use super::*;
    use proptest::prelude::*;

    fn row(counts: Option<[u64; 2]>, partial: bool) -> Row {
        Row {
            label: String::new(),
            kind: Kind::Measured,
            source: String::new(),
            cells: vec![counts.map(|counts| Cell { counts: Some(counts), ..Cell::default() })],
            ledger: None,
            partial: partial.then_some([1, 2]),
            note: None,
        }
    }

    proptest! {
        #[test]
        fn marks_follow_the_sorted_values(values in prop::collection::vec((0u64..=6, prop::bool::weighted(0.2)), 0..7)) {
            let mut rows: Vec<Row> = values.iter().map(|&(v, partial)| row(Some([v, 6]), partial)).collect();
            rows.push(row(None, false));
            mark(&mut rows, 1);
            let mut sorted: Vec<u64> = values.iter().filter(|v| !v.1).map(|v| v.0).collect();
            sorted.sort_unstable();
            sorted.dedup();
            sorted.reverse();
            for (row, (value, partial)) in rows.iter().zip(&values) {
                let cell = row.cells[0].as_ref().unwrap();
                prop_assert_eq!(cell.best, !partial && sorted.first() == Some(value));
                prop_assert_eq!(cell.second, !partial && sorted.get(1) == Some(value));
            }
        }
    }

    #[test]
    fn fractions_are_compared_and_not_their_print() {
        let mut rows = [row(Some([1_000_000, 3_000_000]), false), row(Some([1_000_001, 3_000_000]), false)];
        mark(&mut rows, 1);
        assert_eq!([0, 1].map(|i| rows[i].cells[0].as_ref().unwrap().best), [false, true]);
        assert!(rows[0].cells[0].as_ref().unwrap().second);
    }
}
