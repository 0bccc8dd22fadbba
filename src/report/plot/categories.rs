//! Accuracy by sub-category, all evaluations of a table side by side.

use super::bars::{self, Bars};
use super::{About, Figure, file_name};
use crate::report::table::Entry;
use crate::score::{Cell, Score};
use indexmap::IndexSet;

/// Evaluations in one picture: more bars in a row are not told apart.
const AT_ONCE: usize = 4;

/// A picture for each table, several where it has many evaluations. None where questions have no sub-categories.
pub(super) fn figures(groups: &[Vec<Entry<'_>>]) -> Vec<Figure> {
    let mut all = Vec::new();
    for (table, entries) in groups.iter().enumerate() {
        let scored: Vec<(&Entry<'_>, &Score)> =
            entries.iter().filter_map(|e| Some((e, e.eval.score.as_ref()?))).collect();
        let parts = scored.chunks(AT_ONCE).enumerate();
        all.extend(parts.filter_map(|(part, scored)| figure(scored, groups.len(), table, part)));
    }
    all
}

fn figure(scored: &[(&Entry<'_>, &Score)], tables: usize, table: usize, part: usize) -> Option<Figure> {
    let names: IndexSet<&String> = scored.iter().flat_map(|(_, score)| score.sub_category.keys()).collect();
    let counts = |cell: &Cell| [cell.correct, cell.total];
    let row = |name: &String| {
        let cells: Vec<Option<[u64; 2]>> = scored.iter().map(|(_, s)| s.sub_category.get(name).map(counts)).collect();
        (name.clone(), cells)
    };
    let mut categories: Vec<(String, Vec<Option<[u64; 2]>>)> = names.into_iter().map(row).collect();
    if categories.is_empty() {
        return None;
    }
    // Compared as fractions, so that the order is the same everywhere.
    let pooled = |cells: &[Option<[u64; 2]>]| {
        cells
            .iter()
            .flatten()
            .fold([0u128, 0], |[c, t], [correct, total]| [c + u128::from(*correct), t + u128::from(*total)])
    };
    categories.sort_by(|a, b| {
        let ([ac, at], [bc, bt]) = (pooled(&a.1), pooled(&b.1));
        (bc * at).cmp(&(ac * bt)).then_with(|| a.0.cmp(&b.0))
    });
    let labels: Vec<String> = scored.iter().map(|(e, _)| e.label.clone()).collect();
    let data = &scored[0].0.eval.record.dataset;
    let mut name = vec![scored[0].0.run.recipe.clone(), data.clone(), "by-sub-category".into()];
    name.extend((tables > 1).then(|| format!("table-{}", table + 1)));
    name.extend((part > 0).then(|| (part + 1).to_string()));
    let name = file_name(&name.iter().map(String::as_str).collect::<Vec<_>>());
    let title = format!("Accuracy by sub-category on {data}");
    let caption = format!(
        "Accuracy by sub-category on {data}: {}, with 95 % Wilson intervals, ordered by the share of all answers here that are correct. \
         On the right correct/total.",
        labels.join(", ")
    );
    let svg = bars::draw(&Bars { labels, categories }, &name, &title, &caption);
    Some(Figure { name, about: About::Categories, part: data.clone(), title, caption, svg })
}
