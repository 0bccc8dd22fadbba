//! A small world to learn: sounds made from a seed in three families (sound, music, speech) and questions about them in
//! MMAU's format, for recipes that must run anywhere without a download.
//!
//! The same recipe gives the same bytes on every machine. Clip `i` is a function of (seed, split, `i`) and of the task that
//! question `i` belongs to, not of the clips around it.

mod clip;
mod dsp;
mod question;
mod sounds;
mod tasks;
pub mod tokenizer;
mod wav;

pub use clip::{Clearness, MAX_SAMPLES, clip};
pub use question::{Question, questions};
pub use sounds::{Range, Sound, Vowel};
pub use tasks::{Class, TaskInfo, find, tasks};

use crate::error::{Context, Error, Result};
use crate::pins::Sha256;
use crate::recipe::Synthetic;
use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::mpsc;

/// Writes `questions.json` and `audios/ID.wav` (16-bit PCM, one channel, 16 kHz) into `dir`, which is made when it is not there,
/// and returns the SHA-256 of `questions.json`. Since each row names its clip's SHA-256, that one hash pins the whole data set;
/// whether it is the pinned one is for the caller to say.
///
/// Works on all cores; neither their number nor their order changes a byte. `progress` is called on this thread with
/// (clips done, clips in all). `questions.json` is written last.
///
/// # Errors
/// Request errors of [`questions`]; internal errors (exit code 1) when the folder cannot be written, naming the file.
pub fn generate(spec: &Synthetic, dir: &Path, progress: &mut dyn FnMut(usize, usize)) -> Result<Sha256> {
    let questions = questions(spec)?;
    let audios = dir.join("audios");
    std::fs::create_dir_all(&audios).map_err(|e| Error::io("make the folder", &audios, &e))?;
    let hashes = write_clips(spec, &questions, &audios, progress)?;
    let rows: Vec<_> = questions.iter().zip(&hashes).map(|(q, hash)| q.row(&spec.split, hash)).collect();
    let mut json = serde_json::to_string_pretty(&rows).internal(|| "cannot write questions.json".into())?;
    json.push('\n');
    write(&dir.join("questions.json"), json.as_bytes())?;
    Ok(Sha256::of(json.as_bytes()))
}

/// Makes and writes the clips; their hashes, in the order of the questions. The first error, by question, stops all.
fn write_clips(
    spec: &Synthetic,
    questions: &[Question],
    audios: &Path,
    progress: &mut dyn FnMut(usize, usize),
) -> Result<Vec<Sha256>> {
    let total = questions.len();
    let threads = std::thread::available_parallelism().map_or(1, usize::from).min(total);
    let (next, stop) = (AtomicUsize::new(0), AtomicBool::new(false));
    let (sender, receiver) = mpsc::channel();
    let mut results: Vec<Option<Result<Sha256>>> = std::iter::repeat_with(|| None).take(total).collect();
    std::thread::scope(|scope| {
        for _ in 0..threads {
            let (sender, next, stop) = (sender.clone(), &next, &stop);
            scope.spawn(move || {
                while !stop.load(Ordering::Relaxed) {
                    let index = next.fetch_add(1, Ordering::Relaxed);
                    let Some(question) = questions.get(index) else { break };
                    let file = clip::clip(spec.seed, &spec.split, index, question.sound);
                    let result = write(&audios.join(format!("{}.wav", question.id)), &file).map(|()| Sha256::of(&file));
                    if result.is_err() {
                        stop.store(true, Ordering::Relaxed);
                    }
                    if sender.send((index, result)).is_err() {
                        break;
                    }
                }
            });
        }
        drop(sender);
        for (done, (index, result)) in receiver.iter().enumerate() {
            results[index] = Some(result);
            progress(done + 1, total);
        }
    });
    results.into_iter().map(|r| r.unwrap_or_else(|| Err(Error::internal("clips were left out")))).collect()
}

fn write(path: &Path, bytes: &[u8]) -> Result<()> {
    std::fs::write(path, bytes).map_err(|e| Error::io("write", path, &e))
}
