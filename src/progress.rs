//! Progress of long work on standard error: a bar with an ETA on a terminal, a line now and then elsewhere.

use indicatif::{DecimalBytes, ProgressBar, ProgressDrawTarget, ProgressStyle};
use std::fmt::Display;
use std::io::{IsTerminal, Write};
use std::time::{Duration, Instant};

/// A line is printed at most this often where standard error is no terminal.
const QUIET: Duration = Duration::from_secs(10);

/// Says a line on standard error. Nobody may be listening any more (`2>&1 | head`): that must not end the work, as `eprintln!`
/// would.
pub fn say(line: impl Display) {
    let _ = writeln!(std::io::stderr().lock(), "{line}");
}

/// One piece of long work with a known number of parts.
pub struct Progress {
    bar: ProgressBar,
    label: String,
    total: u64,
    started: Instant,
    printed: Option<Instant>,
    resumed_at: u64,
    at: u64,
    terminal: bool,
    bytes: bool,
}

impl Progress {
    /// Starts at `done` of `total` parts (a resumed stage does not start at 0).
    pub fn start(label: &str, done: u64, total: u64) -> Self {
        let template = "{prefix:>20} {bar:30} {pos}/{len} {elapsed} eta {eta} {msg}";
        Self::begin(label, done, total, template, false)
    }

    /// As [`Progress::start`], where the parts are bytes: they are shown as `1.50 GB`, with their speed.
    pub fn bytes(label: &str, done: u64, total: u64) -> Self {
        let template =
            "{prefix:>20} {bar:30} {decimal_bytes}/{decimal_total_bytes} {decimal_bytes_per_sec} eta {eta} {msg}";
        Self::begin(label, done, total, template, true)
    }

    fn begin(label: &str, done: u64, total: u64, template: &str, bytes: bool) -> Self {
        let terminal = std::io::stderr().is_terminal();
        let target = if terminal { ProgressDrawTarget::stderr() } else { ProgressDrawTarget::hidden() };
        let bar = ProgressBar::with_draw_target(Some(total), target);
        if let Ok(style) = ProgressStyle::with_template(template) {
            bar.set_style(style);
        }
        bar.set_prefix(label.to_owned());
        bar.set_position(done);
        bar.reset_eta();
        let (now, label) = (Instant::now(), label.to_owned());
        Self { bar, label, total, started: now, printed: None, resumed_at: done, at: done, terminal, bytes }
    }

    /// Moves to `done` parts; `message` is a short state of the work (`reward 1.2`).
    pub fn at(&mut self, done: u64, message: &str) {
        self.at = done;
        self.bar.set_position(done);
        self.bar.set_message(message.to_owned());
        let due = self.printed.unwrap_or(self.started).elapsed() >= QUIET;
        if !self.terminal && due && done < self.total {
            self.printed = Some(Instant::now());
            // A download that had to begin again stands below where it resumed.
            let per_part = self.started.elapsed().as_secs_f64() / done.saturating_sub(self.resumed_at).max(1) as f64;
            let eta = per_part * (self.total - done) as f64;
            say(format!("{}: {}, eta {eta:.0} s {message}", self.label, self.parts()).trim_end());
        }
    }

    /// Ends it and says how long it took.
    pub fn finish(self, message: &str) {
        self.bar.finish_and_clear();
        let seconds = self.started.elapsed().as_secs_f64();
        say(format!("{}: {} in {seconds:.1} s {message}", self.label, self.parts()).trim_end());
    }

    /// Ends it without a word: it was too short to speak of, or an error will say more.
    pub fn clear(self) {
        self.bar.finish_and_clear();
    }

    fn parts(&self) -> String {
        if self.bytes {
            format!("{}/{}", DecimalBytes(self.at), DecimalBytes(self.total))
        } else {
            format!("{}/{}", self.at, self.total)
        }
    }
}
