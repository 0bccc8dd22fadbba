//! An identification for people.

use super::{Difference, Dress, Identity, Verdict, Which};
use crate::pins::Revision;
use crate::text;
use indexmap::IndexMap;
use std::fmt::{Display, Write};

/// Ids shown of each list; the JSON has all.
const SHOWN: usize = 20;

impl Identity {
    /// What the file is, in a sentence.
    pub fn headline(&self) -> String {
        let all = self.versions.iter().map(Which::title).collect::<Vec<_>>().join(" and of ");
        match (self.verdict, &self.difference) {
            (Verdict::Exact, _) => format!("{all}, byte for byte"),
            (Verdict::Same, _) => match self.dress.iter().find(|d| matches!(d, Dress::Predictions { .. })) {
                Some(predictions) => format!("{all} with {predictions}"),
                None => format!("{all} in another dress"),
            },
            (Verdict::Part, Some(Difference { in_common, only_there, .. })) => {
                let keys = if self.lacking.is_empty() { "" } else { ", not with every key," };
                format!("{in_common} of the {} rows{keys} of {all}", *in_common + only_there.len() as u64)
            }
            (Verdict::Part, None) => format!("a part of {all}"),
            (Verdict::Near, _) => {
                format!("no known version of MMAU; nearest is {}", all.replace(" and of ", " and, as near, "))
            }
            (Verdict::Unknown, _) => "rows like MMAU's, of which none is known".to_owned(),
        }
    }

    /// The headline, then a line for each thing to know; ids last.
    pub fn to_text(&self) -> String {
        let mut out = format!("{}: {}\n\n", self.file, self.headline());
        for dress in &self.dress {
            put(&mut out, "dress", dress);
        }
        self.versions.iter().for_each(|which| version(&mut out, which));
        let size = format!("{} bytes, {}", self.bytes, text::count(self.contents.rows, "row"));
        if self.versions.iter().any(|which| which.sha256.as_ref() == Some(&self.sha256)) {
            put(&mut out, "this file", size);
        } else {
            put(&mut out, "this file", format_args!("sha256 {}", self.sha256));
            put(&mut out, "", size);
        }
        self.holds(&mut out);
        self.comparison(&mut out);
        match &self.difference {
            Some(difference) => self.held(&mut out, difference),
            None if self.verdict == Verdict::Unknown => self.note(&mut out),
            None => {}
        }
        out
    }

    /// What its rows are, and what is odd about them.
    fn holds(&self, out: &mut String) {
        for (what, counts) in [("task", &self.contents.task), ("difficulty", &self.contents.difficulty)] {
            let counts: Vec<String> = counts.iter().map(|(name, count)| format!("{count} {name}")).collect();
            if !counts.is_empty() {
                put(out, what, counts.join(", "));
            }
        }
        for odd in &self.odd {
            put(out, "odd", odd);
        }
        for (count, keys) in &by_count(&self.lacking) {
            put(out, "lacking", format_args!("{} in {}", keys.join(", "), text::count(*count, "row")));
        }
        if self.nameless > 0 {
            put(out, "nameless", format_args!("{} that cannot be compared", text::count(self.nameless, "row")));
        }
        if !self.repeated.is_empty() {
            put(out, "repeated", format_args!("{} with the id of another", rows(&self.repeated)));
        }
    }

    /// Which published numbers it may be compared with, or why none.
    fn comparison(&self, out: &mut String) {
        for compare in &self.compare {
            put(out, "compare", &compare.numbers);
            put(out, "", format_args!("with a reservation: {}", compare.reservation));
        }
        if self.compare.is_empty() {
            let why = match self.verdict {
                Verdict::Exact | Verdict::Same => "no published number is known to be on this file",
                Verdict::Part => "no published number is on a part of the rows",
                Verdict::Near | Verdict::Unknown => "no published number is on this file",
            };
            put(out, "compare", format_args!("with nothing: {why}"));
        }
    }

    /// What could not be compared.
    fn note(&self, out: &mut String) {
        let known = self.compared_with.iter().map(Revision::short).collect::<Vec<_>>().join(", ");
        let others = match self.verdict {
            Verdict::Near => "may be nearer",
            _ => "may have these rows",
        };
        put(
            out,
            "note",
            format_args!("only the rows of {known} are known: {} other versions {others}", self.not_compared),
        );
    }

    /// Its rows held against the version's.
    fn held(&self, out: &mut String, difference: &Difference) {
        let Some(which) = self.versions.first() else { return };
        let Difference { in_common, alike, only_here, only_there, fields } = difference;
        let _ = writeln!(out, "\nrow by row, against {}", which.title());
        let in_common = text::count(*in_common, "id");
        put(out, "in common", format_args!("{in_common}, {} alike in all that is there", text::count(*alike, "row")));
        put(out, "only here", text::count(only_here.len() as u64, "id"));
        put(out, "only there", text::count(only_there.len() as u64, "id"));
        for (field, ids) in fields {
            put(out, "differs", format_args!("{field} in {}", rows(ids)));
        }
        self.note(out);
        list(out, "only here", only_here);
        // Of a part, what is not there is no news.
        if self.verdict == Verdict::Near {
            list(out, "only there", only_there);
        }
        list(out, "repeated", &self.repeated);
        fields.iter().for_each(|(field, ids)| list(out, &format!("{field} differs"), ids));
    }
}

fn put(out: &mut String, what: &str, text: impl Display) {
    let _ = writeln!(out, "{what:<11} {text}");
}

fn version(out: &mut String, which: &Which) {
    let label = which.label.as_ref().map(|label| match which.same_label {
        0 | 1 => format!(", label {label}"),
        files => format!(", label {label} ({files} different files have it)"),
    });
    let label = label.unwrap_or_default();
    put(out, "version", format_args!("{}{label}", which.name));
    let date = which.date.as_ref().map(|date| format!(" of {date}")).unwrap_or_default();
    put(out, "commit", format_args!("{}{date}", which.commit));
    if let Some(sha256) = &which.sha256 {
        put(out, "sha256", sha256);
    }
    if let Some(blob) = &which.git_blob {
        put(out, "git blob", blob);
    }
    put(out, "changed", &which.changed);
    if let Some([commit, date]) = &which.before {
        put(out, "", format_args!("the version before is {} of {date}", commit.get(..7).unwrap_or(commit)));
    }
}

/// Keys by the number of rows that lack them.
fn by_count(keys: &IndexMap<String, u64>) -> IndexMap<u64, Vec<&str>> {
    let mut out: IndexMap<u64, Vec<&str>> = IndexMap::new();
    for (key, count) in keys {
        out.entry(*count).or_default().push(key);
    }
    out
}

fn rows(ids: &[String]) -> String {
    text::count(ids.len() as u64, "row")
}

fn list(out: &mut String, what: &str, ids: &[String]) {
    if ids.is_empty() {
        return;
    }
    let _ = writeln!(out, "\n{what}: {}", text::count(ids.len() as u64, "id"));
    for id in ids.iter().take(SHOWN) {
        let _ = writeln!(out, "  {id}");
    }
    if ids.len() > SHOWN {
        let _ = writeln!(out, "  and {} more (all of them with --format json)", ids.len() - SHOWN);
    }
}
