//! The findings of claim files, for people.

use super::Claims;
use super::lint::Finding;
use crate::text::count;
use indexmap::IndexMap;
use std::fmt::Write;

/// The findings of one file: what was looked at, then row by row.
pub fn text(name: &str, file: &Claims, findings: &[Finding]) -> String {
    let mut out = String::new();
    let mut put = |line: std::fmt::Arguments| writeln!(out, "{line}").expect("writing to a String cannot fail");
    let numbers: usize =
        file.claims.iter().map(|c| super::COLUMNS.iter().filter(|x| c.cell(x).is_some()).count()).sum();
    let contradictions = findings.iter().filter(|f| f.kind.contradicts()).count();
    put(format_args!(
        "{name}: {}, {}: {}, {} about how numbers were printed",
        count(file.claims.len() as u64, "row"),
        count(numbers as u64, "number"),
        count(contradictions as u64, "contradiction"),
        count((findings.len() - contradictions) as u64, "finding")
    ));
    for split in file.versions.keys() {
        let rows = file.claims.iter().filter(|c| c.split == *split).count();
        let of = match file.questions.get(split) {
            Some(columns) => columns.iter().map(|(c, n)| format!("{c} {n}")).collect::<Vec<_>>().join(", "),
            None => "not known, so only averages are held against their columns".to_owned(),
        };
        put(format_args!("  {split}: {}, questions: {of}", count(rows as u64, "row")));
    }
    for claim in file.claims.iter().filter(|c| c.uncounted.is_some()) {
        put(format_args!("  {}: no counts asked for: {}", claim.id, claim.uncounted.as_deref().unwrap_or_default()));
    }
    let mut rows: IndexMap<&str, Vec<&Finding>> = IndexMap::new();
    for finding in findings {
        rows.entry(&finding.claim).or_default().push(finding);
    }
    for (id, findings) in rows {
        let claim = file.claims.iter().find(|c| c.id == id);
        let about = claim.map(|c| format!("  {} ({}, {})", c.label(), c.table, c.split)).unwrap_or_default();
        put(format_args!("\n{id}{about}"));
        for finding in findings {
            let Finding { column, printed, kind, says, perhaps, .. } = finding;
            let kind = kind.in_words();
            put(format_args!("  {column:<8}{printed:>6}  {kind:<14}  {says}"));
            if let Some(perhaps) = perhaps {
                put(format_args!("  {:<8}{:>6}  {:<14}  perhaps {perhaps}", "", "", ""));
            }
        }
    }
    out
}
