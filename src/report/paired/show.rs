//! A comparison as text.

use super::{Accuracy, ByTask, Comparison, Flip};
use std::fmt::Write;

impl Comparison {
    /// The comparison for a person, with at most so many flips by id.
    pub fn to_text(&self, shown: usize) -> String {
        let mut out = String::new();
        let mut put = |line: std::fmt::Arguments| writeln!(out, "{line}").expect("writing to a String cannot fail");
        let Self { a, b, difference: d, pairs, bootstrap, .. } = self;
        put(format_args!("A         {}", a.name));
        put(format_args!("B         {}", b.name));
        put(format_args!("compared  {} questions, both judged by the {} rule", self.questions.compared, self.rule));
        for left_out in self.questions.left_out() {
            put(format_args!("left out  {left_out}"));
        }
        put(format_args!(""));
        put(format_args!("               A       B    B - A  95 % interval of B - A"));
        for (name, a, b, difference, [low, high]) in [
            ("micro", a.micro, b.micro, d.micro, d.micro_interval),
            ("macro", a.macro_mean, b.macro_mean, d.macro_mean, d.macro_interval),
        ] {
            put(format_args!("{name:<8}  {a:>6.2}  {b:>6.2}  {difference:>+7.2}  {low:+.1} to {high:+.1}"));
        }
        put(format_args!(
            "micro is the share of all questions, macro the mean of the tasks' shares; intervals by paired bootstrap, {} resamples, seed {}",
            bootstrap.resamples, bootstrap.seed
        ));
        let [low, high] = d.micro_interval_analytic;
        put(format_args!(
            "by arithmetic, for few questions the safer one: micro {low:+.1} to {high:+.1} (Newcombe, paired)"
        ));
        let alone = |name: &str, side: &Accuracy| {
            format!("{name} {}/{} [{:.1}, {:.1}]", side.correct, pairs.total(), side.interval[0], side.interval[1])
        };
        put(format_args!("each alone (micro, 95 % Wilson interval): {}, {}", alone("A", a), alone("B", b)));
        put(format_args!(""));
        put(format_args!(
            "flips     {}: {} gained, {} lost; {} correct in both, {} in neither",
            pairs.only_a + pairs.only_b,
            pairs.only_b,
            pairs.only_a,
            pairs.both,
            pairs.neither
        ));
        put(format_args!("McNemar   p = {} (exact, two-sided)", p(self.mcnemar)));
        put(format_args!(""));
        let width = self.task.keys().map(|name| name.chars().count()).max().unwrap_or(0).max("task".len());
        put(format_args!("{:<width$}  questions       A       B    B - A  gained  lost  McNemar p", "task"));
        for (name, ByTask { pairs, difference, mcnemar }) in &self.task {
            let share = |[correct, total]: [u64; 2]| 100.0 * correct as f64 / total as f64;
            put(format_args!(
                "{name:<width$}  {:>9}  {:>6.2}  {:>6.2}  {difference:>+7.2}  {:>6}  {:>4}  {}",
                pairs.total(),
                share(pairs.a()),
                share(pairs.b()),
                pairs.only_b,
                pairs.only_a,
                p(*mcnemar)
            ));
        }
        if self.flips.is_empty() || shown == 0 {
            return out;
        }
        put(format_args!(""));
        for Flip { id, task, before, after, .. } in self.flips.iter().take(shown) {
            put(format_args!("{id} ({task}): {} → {}", before.in_words(), after.in_words()));
        }
        if self.flips.len() > shown {
            put(format_args!("and {} more (--flips N shows N, --format json all)", self.flips.len() - shown));
        }
        out
    }
}

/// A p-value with the digits that it needs.
fn p(value: f64) -> String {
    if value < 0.001 { format!("{value:.1e}") } else { format!("{value:.3}") }
}
