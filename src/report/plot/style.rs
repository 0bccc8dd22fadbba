//! Colours, dashes and marks of series. The colours are Okabe and Ito's, which people with any colour vision tell apart; dashes and marks tell
//! them apart on paper without colour. A page may replace a colour by its class, `s0` to `s5`.

use super::svg::{Anchor, Svg, width};

/// Okabe and Ito 2008, "Color Universal Design"; without the yellow, which white paper swallows.
const COLOURS: [&str; 6] = ["#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9"];
const DASHES: [&str; 6] = ["", "7 3", "2 2", "9 3 2 3", "12 3", "4 2 1 2 1 2"];

/// The look of the series at a place; they repeat after the sixth.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Style(pub usize);

impl Style {
    fn index(self) -> usize {
        self.0 % COLOURS.len()
    }

    /// `class` and `stroke` of a line, dashed as the series is.
    pub(super) fn stroke(self, width: f64, opacity: f64) -> String {
        let (i, dash) = (self.index(), DASHES[self.index()]);
        let dash =
            if dash.is_empty() || opacity < 1.0 { String::new() } else { format!(" stroke-dasharray=\"{dash}\"") };
        let opacity = if opacity < 1.0 { format!(" stroke-opacity=\"{opacity}\"") } else { String::new() };
        let join = "stroke-linejoin=\"round\" stroke-linecap=\"round\"";
        format!("class=\"s{i}\" stroke=\"{}\" stroke-width=\"{width}\"{dash}{opacity} {join}", COLOURS[i])
    }

    /// `class` and `fill` of an area.
    pub(super) fn fill(self, opacity: f64) -> String {
        let opacity = if opacity < 1.0 { format!(" fill-opacity=\"{opacity}\"") } else { String::new() };
        format!("class=\"f{0}\" fill=\"{1}\"{opacity}", self.index(), COLOURS[self.index()])
    }

    /// A mark of the series: disc, square, diamond, triangle and so on.
    pub(super) fn mark(self, svg: &mut Svg, [x, y]: [f64; 2]) {
        let fill = self.fill(1.0);
        match self.index() % 4 {
            0 => svg.circle([x, y], 3.2, &fill),
            1 => svg.rect([x - 2.8, y - 2.8], [5.6, 5.6], &fill),
            2 => svg.area(&[[x, y - 4.0], [x + 4.0, y], [x, y + 4.0], [x - 4.0, y]], &fill),
            _ => svg.area(&[[x, y - 4.0], [x + 3.8, y + 3.0], [x - 3.8, y + 3.0]], &fill),
        }
    }
}

/// How the legend shows a series.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Swatch {
    Line,
    Marked,
    Bar,
}

/// A legend from `at` rightwards, in as many lines as fit `room` pixels each; returns the height that it takes.
pub(super) fn legend(svg: &mut Svg, at: [f64; 2], room: f64, swatch: Swatch, labels: &[&str]) -> f64 {
    const LINE: f64 = 17.0;
    let [mut x, mut y] = at;
    for (i, label) in labels.iter().enumerate() {
        let wide = 30.0 + width(label, 11.5) + 14.0;
        if x > at[0] && x + wide > at[0] + room {
            (x, y) = (at[0], y + LINE);
        }
        let style = Style(i);
        match swatch {
            Swatch::Line | Swatch::Marked => {
                svg.line([x, y - 4.0], [x + 24.0, y - 4.0], &style.stroke(2.0, 1.0));
                if swatch == Swatch::Marked {
                    style.mark(svg, [x + 12.0, y - 4.0]);
                }
            }
            Swatch::Bar => svg.rect([x + 6.0, y - 9.0], [16.0, 10.0], &style.fill(1.0)),
        }
        svg.text([x + 30.0, y], Anchor::Start, "font-size=\"11.5\"", label);
        x += wide;
    }
    y - at[1] + LINE
}
