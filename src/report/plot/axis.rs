//! Axes: which numbers get a tick, how they are printed, where a value lies.

/// Values to pixels, with round numbers to mark.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Axis {
    low: f64,
    high: f64,
    from: f64,
    to: f64,
    step: f64,
}

impl Axis {
    /// An axis from pixel `from` to pixel `to` that holds all finite values, widened to whole steps of 1, 2 or 5 times a power of ten, about
    /// `wanted` of them. Without a finite value: 0 to 1.
    pub(super) fn around(values: impl Iterator<Item = f64>, wanted: usize, from: f64, to: f64) -> Self {
        let (mut low, mut high) = (f64::INFINITY, f64::NEG_INFINITY);
        for value in values.filter(|v| v.is_finite()) {
            (low, high) = (low.min(value), high.max(value));
        }
        if low > high {
            (low, high) = (0.0, 1.0);
        }
        if low == high {
            let room = if low == 0.0 { 1.0 } else { low.abs() / 2.0 };
            (low, high) = (low - room, high + room);
        }
        // An axis that starts near zero starts at zero.
        if low > 0.0 && low < 0.35 * high {
            low = 0.0;
        }
        let step = nice_step((high - low) / wanted.max(1) as f64);
        Self { low: (low / step + 1e-9).floor() * step, high: (high / step - 1e-9).ceil() * step, from, to, step }
    }

    /// An axis of exactly this range.
    pub(super) fn fixed(low: f64, high: f64, step: f64, from: f64, to: f64) -> Self {
        Self { low, high, from, to, step }
    }

    /// The pixel of a finite value.
    pub(super) fn at(&self, value: f64) -> f64 {
        self.from + (value - self.low) / (self.high - self.low) * (self.to - self.from)
    }

    /// The marked values and how they are printed.
    pub(super) fn ticks(&self) -> Vec<(f64, String)> {
        let count = ((self.high - self.low) / self.step + 1e-6).floor().max(0.0) as usize;
        let value = |i: usize| self.low + i as f64 * self.step;
        (0..=count)
            .map(value)
            .map(|v| if v.abs() < self.step * 1e-6 { 0.0 } else { v })
            .map(|v| (v, self.print(v)))
            .collect()
    }

    /// With the decimals that tell neighbours apart; very small and very large ones with a power of ten.
    fn print(&self, value: f64) -> String {
        if value == 0.0 {
            return "0".into();
        }
        let magnitude = self.high.abs().max(self.low.abs());
        if self.step < 1e-4 || magnitude >= 1e6 {
            let text = format!("{value:.2e}");
            let (digits, power) = text.split_once('e').unwrap_or((&text, "0"));
            let digits = digits.trim_end_matches('0').trim_end_matches('.');
            return format!("{digits}e{power}");
        }
        let decimals = (-(self.step + self.step * 1e-9).log10().floor()).max(0.0) as usize;
        format!("{value:.decimals$}")
    }
}

/// The smallest of 1, 2, 5 times a power of ten that is at least this.
fn nice_step(least: f64) -> f64 {
    let power = 10f64.powf(least.log10().floor());
    let digit = [1.0, 2.0, 5.0, 10.0].into_iter().find(|d| d * power >= least * (1.0 - 1e-9)).unwrap_or(10.0);
    digit * power
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn ticks_are_the_numbers_that_a_person_would_choose() {
        let labels = |values: &[f64]| {
            let ticks = Axis::around(values.iter().copied(), 5, 0.0, 1.0).ticks();
            ticks.into_iter().map(|(_, text)| text).collect::<Vec<_>>().join(" ")
        };
        assert_eq!(labels(&[1.0, 250.0]), "0 50 100 150 200 250");
        assert_eq!(labels(&[0.02, 1.9]), "0 0.5 1.0 1.5 2.0");
        assert_eq!(labels(&[-0.3, 0.1]), "-0.3 -0.2 -0.1 0 0.1");
        assert_eq!(labels(&[1e-6, 9e-6]), "0 2e-6 4e-6 6e-6 8e-6 1e-5");
        assert_eq!(labels(&[3e7, 9e7]), "0 2e7 4e7 6e7 8e7 1e8");
        assert_eq!(labels(&[4.0, 4.0]), "0 2 4 6");
        assert_eq!(labels(&[f64::NAN, f64::INFINITY]), "0 0.2 0.4 0.6 0.8 1.0");
    }

    proptest! {
        #[test]
        fn an_axis_holds_its_values_and_its_ticks_are_even(a in -1e5f64..1e5, b in -1e5f64..1e5, wanted in 2usize..9) {
            let axis = Axis::around([a, b].into_iter(), wanted, 10.0, 110.0);
            for value in [a, b] {
                prop_assert!((10.0 - 1e-6..=110.0 + 1e-6).contains(&axis.at(value)));
            }
            let ticks = axis.ticks();
            prop_assert!((2..=wanted + 4).contains(&ticks.len()), "{ticks:?}");
            let places: Vec<f64> = ticks.iter().map(|(v, _)| axis.at(*v)).collect();
            prop_assert!((places[0] - 10.0).abs() < 1e-6 && (places[places.len() - 1] - 110.0).abs() < 1e-6);
            let texts: std::collections::BTreeSet<&String> = ticks.iter().map(|(_, t)| t).collect();
            prop_assert_eq!(texts.len(), ticks.len(), "no label stands twice");
        }
    }
}
