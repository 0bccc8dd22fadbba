//! Our side of `make bench-peers`, `make bench-growth` and the GPU check: a worker that does what it is asked on standard input and answers with the seconds.
//!
//! Ways to start it: `inputs FOLDER` makes the checkpoint, clips and question that both sides work on, `inputs FOLDER SHAPE` those of another shape without the
//! weights; `serve FOLDER THREADS [DEVICE DTYPE]` (else the CPU, float32) answers one JSON object a line, `{"work": NAME, ...}`, with one line,
//! `{"seconds": ..., "same": ...}`; `first-token FOLDER THREADS` is a whole process from start to first token. What stands under `same` must be equal on both
//! sides (`benches/peers/peers.py` is the other), else they did not do the same work.

mod forecast;
mod inputs;
mod machine;
mod place;
mod shapes;
mod step;
mod work;

use aqa_bench::error::{Context, Error, Result};
use aqa_bench::model::guard;
use aqa_bench::native::{keep_memory, leave};
use place::Place;
use serde_json::{Value, json};
use std::io::{BufRead, Write};
use std::path::Path;

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    // As `aqa-bench-engine` begins and ends.
    keep_memory();
    leave(match run(&arguments) {
        Ok(()) => 0,
        Err(e) => {
            eprintln!("error: {e}");
            e.exit_code()
        }
    })
}

fn run(arguments: &[String]) -> Result<()> {
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match words[..] {
        ["inputs", folder] => inputs::write(Path::new(folder)),
        ["inputs", folder, shape] => inputs::write_without_weights(Path::new(folder), shape),
        ["serve", folder, threads] => {
            machine::use_threads(threads)?;
            serve(Path::new(folder), Place::CPU)
        }
        ["serve", folder, threads, device, dtype] => {
            machine::use_threads(threads)?;
            serve(Path::new(folder), Place::of(device, dtype)?)
        }
        ["first-token", folder, threads] => {
            machine::use_threads(threads)?;
            let answer = guard(|| work::first_token(Path::new(folder)))?;
            put(&answer)
        }
        _ => Err(Error::request(
            "expected inputs FOLDER [SHAPE], serve FOLDER THREADS [DEVICE DTYPE] or first-token FOLDER THREADS: `make bench-peers` starts this program",
        )),
    }
}

/// Answers requests until the input ends. A request that fails is answered with `error`.
fn serve(folder: &Path, place: Place) -> Result<()> {
    let mut worker = work::Worker::new(folder, place)?;
    for line in std::io::stdin().lock().lines() {
        let line = line.internal(|| "cannot read a request".into())?;
        let request: Value = serde_json::from_str(&line).internal(|| format!("expected a request, found {line:?}"))?;
        let answer = guard(|| worker.answer(&request));
        put(&answer.unwrap_or_else(|e| json!({"error": e.to_string()})))?;
    }
    Ok(())
}

fn put(answer: &Value) -> Result<()> {
    let mut out = std::io::stdout().lock();
    writeln!(out, "{answer}").and_then(|()| out.flush()).internal(|| "cannot answer".into())
}
