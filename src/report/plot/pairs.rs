//! One evaluation against another on the same questions: by category where each stands, and how many answers turned.

use super::axis::Axis;
use super::bars::percents;
use super::style::Style;
use super::svg::{Anchor, Svg, width};
use std::cmp::Ordering;

/// A picture of pairs.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Pairs {
    /// The evaluation that stands first, an open ring.
    pub before: String,
    /// The one that is held against it, a disc.
    pub after: String,
    /// From the top; a heading begins a new part.
    pub rows: Vec<Pair>,
}

/// Both evaluations on the questions of one category that both answered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Pair {
    /// The category.
    pub label: String,
    /// Whether it begins a new part.
    pub begins: bool,
    /// Questions of both.
    pub total: u64,
    /// Correct in both.
    pub both: u64,
    /// Correct in the second alone.
    pub gained: u64,
    /// Correct in the first alone.
    pub lost: u64,
}

const WIDTH: f64 = 720.0;
const ROW: f64 = 20.0;

/// Draws it.
pub(super) fn draw(plot: &Pairs, name: &str, title: &str, description: &str) -> String {
    let left = 16.0 + plot.rows.iter().map(|r| width(&r.label, 12.0)).fold(40.0, f64::max);
    let right = WIDTH - 116.0;
    let (top, gap) = (34.0, 8.0);
    let gaps = plot.rows.iter().skip(1).filter(|r| r.begins).count() as f64;
    let bottom = top + ROW * plot.rows.len() as f64 + gap * gaps;
    let mut svg = Svg::new(WIDTH, bottom + 38.0);
    key(&mut svg, plot);
    svg.text([WIDTH - 8.0, 18.0], Anchor::End, "font-size=\"11\"", "gained, lost, of");
    let x = Axis::fixed(0.0, 100.0, 20.0, left, right);
    percents(&mut svg, &x, [top, bottom], "percent correct");
    let mut y = top + ROW / 2.0;
    for (i, row) in plot.rows.iter().enumerate() {
        if i > 0 && row.begins {
            y += gap;
        }
        let weight = if i == 0 { "font-weight=\"bold\"" } else { "" };
        svg.text([left - 8.0, y + 4.0], Anchor::End, weight, &row.label);
        if row.total > 0 {
            let share = |correct: u64| x.at(100.0 * correct as f64 / row.total as f64);
            let (before, after) = (share(row.both + row.lost), share(row.both + row.gained));
            // Upwards in one colour, downwards in another and dashed: told apart without colour too.
            let (line, fill) = match row.gained.cmp(&row.lost) {
                Ordering::Greater => (Style(0).stroke(3.0, 0.55), Style(0).fill(1.0)),
                Ordering::Equal => (String::new(), "fill-opacity=\"0.5\"".into()),
                Ordering::Less => (Style(1).stroke(3.0, 1.0), Style(1).fill(1.0)),
            };
            svg.line([before, y], [after, y], &line);
            svg.circle([after, y], 4.6, &fill);
            svg.circle([before, y], 4.6, "fill=\"none\" stroke=\"currentColor\" stroke-width=\"1.6\"");
        }
        let text = format!("+{}  −{}  of {}", row.gained, row.lost, row.total);
        svg.text([WIDTH - 8.0, y + 4.0], Anchor::End, "font-size=\"11\"", &text);
        y += ROW;
    }
    svg.finish(name, title, description)
}

fn key(svg: &mut Svg, plot: &Pairs) {
    svg.circle([14.0, 14.0], 4.6, "fill=\"none\" stroke=\"currentColor\" stroke-width=\"1.6\"");
    svg.text([26.0, 18.0], Anchor::Start, "font-size=\"11.5\"", &plot.before);
    let x = 26.0 + width(&plot.before, 11.5) + 22.0;
    svg.circle([x, 14.0], 4.6, &Style(0).fill(1.0));
    svg.circle([x + 12.0, 14.0], 4.6, &Style(1).fill(1.0));
    svg.text([x + 24.0, 18.0], Anchor::Start, "font-size=\"11.5\"", &format!("{} (higher, lower)", plot.after));
}
