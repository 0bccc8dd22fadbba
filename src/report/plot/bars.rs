//! Shares of correct answers by category: horizontal bars with their intervals, a bar for each evaluation.

use super::axis::Axis;
use super::style::{Style, Swatch, legend};
use super::svg::{Anchor, Svg, width};
use crate::score::stats;

/// A picture of bars.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Bars {
    /// What each bar of a category is of.
    pub labels: Vec<String>,
    /// From the top; for each label correct and total, `None` where there is nothing.
    pub categories: Vec<(String, Vec<Option<[u64; 2]>>)>,
}

const WIDTH: f64 = 720.0;
const BAR: f64 = 11.0;

/// Draws it.
pub(super) fn draw(plot: &Bars, name: &str, title: &str, description: &str) -> String {
    let left = 16.0 + plot.categories.iter().map(|(label, _)| width(label, 12.0)).fold(40.0, f64::max);
    let right = WIDTH - 66.0;
    let group = plot.labels.len().max(1) as f64 * BAR + 9.0;
    let mut head = Svg::new(WIDTH, 0.0);
    let labels: Vec<&str> = plot.labels.iter().map(String::as_str).collect();
    let top = 14.0 + legend(&mut head, [8.0, 16.0], WIDTH - 16.0, Swatch::Bar, &labels);
    let bottom = top + group * plot.categories.len() as f64;
    let mut svg = Svg::new(WIDTH, bottom + 38.0);
    legend(&mut svg, [8.0, 16.0], WIDTH - 16.0, Swatch::Bar, &labels);
    let x = Axis::fixed(0.0, 100.0, 20.0, left, right);
    percents(&mut svg, &x, [top, bottom], "percent correct, 95 % Wilson interval");
    for (row, (category, cells)) in plot.categories.iter().enumerate() {
        let y = top + group * row as f64 + 4.5;
        svg.text([left - 8.0, y + (group - 9.0) / 2.0 + 4.0], Anchor::End, "", category);
        for (i, cell) in cells.iter().enumerate() {
            let y = y + BAR * i as f64;
            let Some([correct, total]) = cell.filter(|[_, total]| *total > 0) else { continue };
            let share = x.at(100.0 * correct as f64 / total as f64);
            svg.rect([left, y + 1.0], [share - left, BAR - 2.0], &Style(i).fill(0.75));
            let [low, high] = stats::wilson(correct, total).map(|v| x.at(v));
            whisker(&mut svg, [low, high], y + BAR / 2.0);
            svg.text([right + 10.0, y + BAR - 2.0], Anchor::Start, "font-size=\"10\"", &format!("{correct}/{total}"));
        }
    }
    svg.finish(name, title, description)
}

/// An interval: a line with an upright end on each side.
fn whisker(svg: &mut Svg, [low, high]: [f64; 2], y: f64) {
    let stroke = "stroke=\"currentColor\" stroke-width=\"1.2\"";
    svg.line([low, y], [high, y], stroke);
    for end in [low, high] {
        svg.line([end, y - 3.0], [end, y + 3.0], stroke);
    }
}

/// Upright lines at the marked percentages, numbers below, and what they count.
pub(super) fn percents(svg: &mut Svg, x: &Axis, [top, bottom]: [f64; 2], what: &str) {
    for (value, text) in x.ticks() {
        let at = x.at(value);
        let strong = if value == 0.0 { "0.6" } else { "0.14" };
        svg.line([at, top], [at, bottom], &format!("stroke=\"currentColor\" stroke-opacity=\"{strong}\""));
        svg.text([at, bottom + 16.0], Anchor::Middle, "font-size=\"11\"", &text);
    }
    svg.text([x.at(100.0), bottom + 32.0], Anchor::End, "font-size=\"11\"", what);
}
