//! Training curves: what `metrics.jsonl` says of each training stage, and how its checkpoints scored.

use super::lines::{self, Series, smooth};
use super::{About, Figure, file_name, run_name};
use crate::artifact::jsonl::{self, Lines};
use crate::artifact::{EvalRecord, RunFolder, StageState, Step, read};
use crate::error::{Error, Result};
use crate::report::load::{Evaluation, Run};
use crate::score::stats;
use crate::text::count;
use indexmap::IndexMap;
use std::path::PathBuf;

/// Curves of fewer steps are drawn as they are; longer ones as a mean over a twentieth of them.
const SMOOTH_FROM: usize = 40;

/// A value of a step, where the method has it.
type Value = fn(&Step) -> Option<f64>;
/// One curve of a panel: its name in the legend, and what it is of.
type Curve = (&'static str, Value);
/// Checkpoints that may share a curve: their stage, their questions' hash and number.
type Measured<'a> = ((&'a str, &'a str, u64), String);

/// A panel of curves: its file's name, title, y axis, curves.
struct Panel {
    name: &'static str,
    title: &'static str,
    y: &'static str,
    curves: &'static [Curve],
    band: Option<[Value; 2]>,
}

const PANELS: [Panel; 6] = [
    Panel {
        name: "reward",
        title: "Reward by part",
        y: "Mean reward",
        curves: &[
            ("sum", |s| s.reward),
            ("accuracy", |s| s.reward_accuracy),
            ("accuracy (string)", |s| s.reward_accuracy_string),
            ("format", |s| s.reward_format),
            ("format (think)", |s| s.reward_format_think),
        ],
        band: None,
    },
    Panel {
        name: "kl",
        title: "KL to the reference",
        y: "Mean KL (nats a token)",
        curves: &[("KL", |s| s.kl)],
        band: None,
    },
    Panel {
        name: "length",
        title: "Completion length",
        y: "Completion length (tokens)",
        curves: &[("mean", |s| s.completion_length)],
        band: Some([|s| s.completion_length_min.map(|n| n as f64), |s| s.completion_length_max.map(|n| n as f64)]),
    },
    Panel { name: "loss", title: "Loss", y: "Loss", curves: &[("loss", |s| Some(s.loss))], band: None },
    Panel {
        name: "grad-norm",
        title: "Gradient norm",
        y: "Gradient norm before clipping",
        curves: &[("norm", |s| Some(s.grad_norm))],
        band: None,
    },
    Panel {
        name: "entropy",
        title: "Entropy",
        y: "Entropy (nats)",
        curves: &[("entropy", |s| Some(s.entropy))],
        band: None,
    },
];

/// The curves of every training stage, run by run, and of accuracy by checkpoint; and a line for each stage whose log is not there.
///
/// # Errors
/// Exit code 4: a line of a log is bad, or the last one is cut off.
pub(super) fn figures(runs: &[Run]) -> Result<(Vec<Figure>, Vec<String>)> {
    let (mut all, mut notes) = (Vec::new(), Vec::new());
    for run in runs {
        let manifest = read::manifest(&RunFolder::new(&run.from))?;
        let name = run_name(runs, run);
        for stage in manifest.stages.iter().filter(|s| s.kind == "sft" || s.kind == "grpo") {
            match log(run, stage) {
                Some(path) => {
                    let Lines { rows: steps, dropped } = jsonl::read::<Step>(&path)?;
                    if dropped > 0 {
                        let way_out = "the stage is done, so nothing may be missing: take the file from a copy of the run";
                        return Err(Error::inputs(format!("{}: its last line is cut off ({way_out})", path.display())));
                    }
                    all.extend(PANELS.iter().filter_map(|panel| draw(panel, &name, &stage.name, &steps)));
                }
                None => notes.push(format!(
                    "{} ({name}): no curves, since {}/metrics.jsonl is neither in this run's folder nor in one beside it.",
                    stage.name, stage.folder
                )),
            }
        }
        all.extend(checkpoints(&name, run));
    }
    Ok((all, notes))
}

/// The log of a training stage, where it was kept.
fn log(run: &Run, stage: &StageState) -> Option<PathBuf> {
    let path = RunFolder::new(&run.from).find(&stage.folder)?.metrics();
    path.is_file().then_some(path)
}

fn draw(panel: &Panel, run: &str, stage: &str, steps: &[Step]) -> Option<Figure> {
    let window = if steps.len() < SMOOTH_FROM { 1 } else { (steps.len() / 20) | 1 };
    let mut gaps = 0;
    let mut series = Vec::new();
    for (label, value) in panel.curves {
        let points: Vec<[f64; 2]> = steps.iter().filter_map(|s| Some([s.step as f64, value(s)?])).collect();
        if points.is_empty() {
            continue;
        }
        gaps += points.iter().filter(|p| !p[1].is_finite()).count();
        let faint = if window > 1 { points.clone() } else { Vec::new() };
        series.push(Series { label: (*label).into(), line: smooth(&points, window), faint, ..Series::default() });
    }
    let [first, ..] = &mut series[..] else { return None };
    if let Some([low, high]) = panel.band {
        first.band = steps.iter().filter_map(|s| Some([s.step as f64, low(s)?, high(s)?])).collect();
    }
    // A single reward is its own sum.
    if panel.name == "reward" && series.len() == 2 {
        series.remove(0);
    }
    let how =
        if window > 1 { format!(" Faint: each step; strong: the mean of {window} steps.") } else { String::new() };
    let band = if panel.band.is_some() { " Shaded: from the shortest to the longest." } else { "" };
    let left_out = match gaps {
        0 => String::new(),
        1 => " 1 value is not finite and is a gap.".into(),
        n => format!(" {n} values are not finite and are gaps."),
    };
    let title = format!("{}: {stage} ({run})", panel.title);
    let caption = format!(
        "{} over the {} of {stage} ({run}).{how}{band}{left_out}",
        panel.title,
        count(steps.len() as u64, "step")
    );
    let plot = lines::Lines { x: "optimizer step".into(), y: panel.y.into(), series };
    let name = file_name(&[run, stage, panel.name]);
    let svg = lines::draw(&plot, &name, &title, &caption);
    Some(Figure { name, about: About::Training, part: format!("{stage} ({run})"), title, caption, svg })
}

/// Accuracy of the checkpoints of a stage, where the run evaluates more than one on the same questions.
fn checkpoints(run_name: &str, run: &Run) -> Option<Figure> {
    let mut curves: IndexMap<Measured<'_>, Vec<(u64, &Evaluation)>> = IndexMap::new();
    for eval in &run.evals {
        if let (Some(policy), true) = (&eval.record.policy, eval.score.as_ref().is_some_and(|s| s.total > 0)) {
            let EvalRecord { rule, prompt, decoding, extract, system, .. } = &eval.record;
            let system = system.as_ref().map_or_else(String::new, |system| format!(", behind {system:?}"));
            let how = format!("by {rule}, prompt {prompt}{system}, {decoding}, answers taken by {extract}");
            let key = ((policy.stage.as_str(), eval.record.dataset_sha256.as_str(), eval.record.asked), how);
            curves.entry(key).or_default().push((policy.step, eval));
        }
    }
    let mut series = Vec::new();
    let mut several: IndexMap<_, usize> = IndexMap::new();
    curves.keys().for_each(|(what, _)| *several.entry(*what).or_default() += 1);
    for ((what, how), mut evals) in curves {
        let (stage, _, asked) = what;
        // Where one checkpoint was measured in several ways, each has its curve.
        let how = if several[&what] > 1 { format!(", {how}") } else { String::new() };
        evals.sort_by_key(|(step, _)| *step);
        if evals.first().map(|e| e.0) == evals.last().map(|e| e.0) {
            continue;
        }
        let mut one = Series {
            label: format!("{stage} on {} ({asked} questions){how}", evals[0].1.record.dataset),
            ..Series::default()
        };
        for (step, score) in evals.iter().filter_map(|(step, eval)| Some((*step as f64, eval.score.as_ref()?))) {
            let [low, high] = stats::wilson(score.correct, score.total);
            one.line.push([step, 100.0 * score.correct as f64 / score.total as f64]);
            one.whiskers.push([step, low, high]);
        }
        series.push(one);
    }
    if series.is_empty() {
        return None;
    }
    let title = format!("Accuracy by checkpoint ({run_name})");
    let caption = format!(
        "Accuracy by checkpoint ({run_name}), with 95 % Wilson intervals. Checkpoints were scored on the same questions."
    );
    let name = file_name(&[run_name, "accuracy-by-checkpoint"]);
    let plot = lines::Lines { x: "optimizer step".into(), y: "Accuracy (percent correct)".into(), series };
    let svg = lines::draw(&plot, &name, &title, &caption);
    Some(Figure { name, about: About::Training, part: format!("checkpoints ({run_name})"), title, caption, svg })
}
