//! Curves: lines over a number, with faint raw values, bands or whiskers.

use super::axis::Axis;
use super::style::{Style, Swatch, legend};
use super::svg::{Anchor, Svg, width};

/// A picture of curves.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Lines {
    /// What stands along x.
    pub x: String,
    /// What stands along y, with its unit.
    pub y: String,
    /// In the order of the legend.
    pub series: Vec<Series>,
}

/// One curve. What is not finite is a gap.
#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct Series {
    /// In the legend.
    pub label: String,
    /// `[x, y]`, drawn strongly.
    pub line: Vec<[f64; 2]>,
    /// `[x, y]`, drawn faintly behind it.
    pub faint: Vec<[f64; 2]>,
    /// `[x, low, high]`, shaded.
    pub band: Vec<[f64; 3]>,
    /// `[x, low, high]`, an interval at each mark of the line.
    pub whiskers: Vec<[f64; 3]>,
}

const WIDTH: f64 = 460.0;
const HEIGHT: f64 = 270.0;

/// Draws it.
pub(super) fn draw(plot: &Lines, name: &str, title: &str, description: &str) -> String {
    let mut svg = Svg::new(WIDTH, HEIGHT);
    svg.text([8.0, 18.0], Anchor::Start, "font-weight=\"bold\"", &plot.y);
    let labels: Vec<&str> = plot.series.iter().map(|s| s.label.as_str()).collect();
    let marked = plot.series.iter().any(|s| !s.whiskers.is_empty());
    let swatch = if marked { Swatch::Marked } else { Swatch::Line };
    let top = if labels.len() > 1 { 36.0 + legend(&mut svg, [8.0, 37.0], WIDTH - 16.0, swatch, &labels) } else { 34.0 };
    let bottom = HEIGHT - 38.0;
    let y = Axis::around(plot.series.iter().flat_map(Series::heights), 4, bottom, top);
    let left = 14.0 + y.ticks().iter().map(|(_, text)| width(text, 11.0)).fold(16.0, f64::max);
    let x = Axis::around(plot.series.iter().flat_map(Series::places), 5, left, WIDTH - 18.0);
    grid(&mut svg, &x, &y, [left, WIDTH - 18.0, bottom]);
    svg.text([WIDTH - 18.0, HEIGHT - 6.0], Anchor::End, "font-size=\"11\"", &plot.x);
    if plot.series.iter().all(|s| !s.heights().any(f64::is_finite)) {
        svg.text([(left + WIDTH) / 2.0, (top + bottom) / 2.0], Anchor::Middle, "", "no finite value");
    }
    let place = |[px, py]: [f64; 2]| [x.at(px), y.at(py)];
    for (i, series) in plot.series.iter().enumerate() {
        for run in runs(&series.band) {
            let low = run.iter().map(|[x, low, _]| place([*x, *low]));
            let high = run.iter().rev().map(|[x, _, high]| place([*x, *high]));
            svg.area(&low.chain(high).collect::<Vec<_>>(), &Style(i).fill(0.16));
        }
    }
    for (i, series) in plot.series.iter().enumerate() {
        let style = Style(i);
        for (points, stroke) in [(&series.faint, style.stroke(1.0, 0.35)), (&series.line, style.stroke(2.0, 1.0))] {
            let placed: Vec<Vec<[f64; 2]>> =
                runs(points).into_iter().map(|run| run.into_iter().map(place).collect()).collect();
            svg.lines(&placed, &stroke);
            // A point between two gaps has no line.
            placed.iter().filter(|run| run.len() == 1).for_each(|run| style.mark(&mut svg, run[0]));
        }
        for [at, low, high] in series.whiskers.iter().copied().filter(|w| w.iter().all(|v| v.is_finite())) {
            let (px, low, high) = (x.at(at), y.at(low), y.at(high));
            let stroke = Style(i).stroke(1.2, 0.99);
            svg.line([px, low], [px, high], &stroke);
            for end in [low, high] {
                svg.line([px - 4.0, end], [px + 4.0, end], &stroke);
            }
        }
        if !series.whiskers.is_empty() {
            series
                .line
                .iter()
                .filter(|p| p.iter().all(|v| v.is_finite()))
                .for_each(|p| style.mark(&mut svg, place(*p)));
        }
    }
    svg.finish(name, title, description)
}

/// Light lines at the marked heights, marks below.
fn grid(svg: &mut Svg, x: &Axis, y: &Axis, [left, right, bottom]: [f64; 3]) {
    for (value, text) in y.ticks() {
        let at = y.at(value);
        svg.line([left, at], [right, at], "stroke=\"currentColor\" stroke-opacity=\"0.14\"");
        svg.text([left - 6.0, at + 4.0], Anchor::End, "font-size=\"11\"", &text);
    }
    svg.line([left, bottom], [right, bottom], "stroke=\"currentColor\" stroke-opacity=\"0.6\"");
    for (value, text) in x.ticks() {
        let at = x.at(value);
        svg.line([at, bottom], [at, bottom + 4.0], "stroke=\"currentColor\" stroke-opacity=\"0.6\"");
        svg.text([at, bottom + 16.0], Anchor::Middle, "font-size=\"11\"", &text);
    }
}

impl Series {
    /// Everything that the y axis must hold.
    fn heights(&self) -> impl Iterator<Item = f64> {
        let points = self.line.iter().chain(&self.faint).map(|[_, y]| *y);
        points.chain(self.band.iter().chain(&self.whiskers).flat_map(|[_, low, high]| [*low, *high]))
    }

    /// Everything that the x axis must hold.
    fn places(&self) -> impl Iterator<Item = f64> {
        self.line.iter().chain(&self.faint).map(|[x, _]| *x).chain(self.band.iter().map(|[x, _, _]| *x))
    }
}

/// Runs of points that are finite throughout.
fn runs<const N: usize>(points: &[[f64; N]]) -> Vec<Vec<[f64; N]>> {
    let parts = points.split(|p| p.iter().any(|v| !v.is_finite()));
    parts.filter(|run| !run.is_empty()).map(<[_]>::to_vec).collect()
}

/// The mean of the finite values among the `window` around each value (odd; fewer at the ends). A gap stays a gap.
pub(super) fn smooth(points: &[[f64; 2]], window: usize) -> Vec<[f64; 2]> {
    let half = window / 2;
    let mean = |i: usize| {
        let near = &points[i.saturating_sub(half)..(i + half + 1).min(points.len())];
        let finite: Vec<f64> = near.iter().map(|p| p[1]).filter(|v| v.is_finite()).collect();
        finite.iter().sum::<f64>() / finite.len() as f64
    };
    let one = |(i, [x, y]): (usize, &[f64; 2])| [*x, if y.is_finite() { mean(i) } else { f64::NAN }];
    points.iter().enumerate().map(one).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn smoothing_is_a_mean_of_neighbours_that_passes_over_gaps() {
        let points = [[1.0, 1.0], [2.0, f64::NAN], [3.0, 5.0], [4.0, 3.0]];
        let smoothed: Vec<f64> = smooth(&points, 3).iter().map(|p| p[1]).collect();
        assert_eq!((smoothed[0], smoothed[2], smoothed[3]), (1.0, 4.0, 4.0));
        assert!(smoothed[1].is_nan());
        assert_eq!(smooth(&points[2..], 1), points[2..], "a window of one changes nothing");
    }

    #[test]
    fn a_gap_parts_the_line_and_nothing_that_is_not_finite_is_drawn() {
        let line = vec![
            [1.0, 1.0],
            [2.0, 2.0],
            [3.0, f64::NAN],
            [4.0, f64::INFINITY],
            [5.0, 2.0],
            [6.0, f64::NAN],
            [7.0, 1.0],
            [8.0, 0.0],
        ];
        let series = Series { label: "a".into(), line, ..Series::default() };
        assert_eq!(runs(&series.line).iter().map(Vec::len).collect::<Vec<_>>(), [2, 1, 2]);
        let text = draw(&Lines { x: "step".into(), y: "v".into(), series: vec![series] }, "n", "t", "d");
        assert_eq!(text.matches('M').count(), 3, "{text}");
        assert_eq!(text.matches("<circle").count(), 1, "the point alone is a mark: {text}");
        assert!(!text.contains("NaN") && !text.contains("inf"), "{text}");
        let nothing = Lines { x: "step".into(), y: "v".into(), series: vec![] };
        assert!(draw(&nothing, "n", "t", "d").contains("no finite value"));
    }
}
