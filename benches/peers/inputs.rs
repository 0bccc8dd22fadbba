//! What both sides work on: a checkpoint, clips, one question. Everything comes from fixed keys: the same bytes every time.

use super::shapes::{self, MINI};
use aqa_bench::architecture::expected;
use aqa_bench::audio::wav;
use aqa_bench::data::Example;
use aqa_bench::error::{Context, Error, Result};
use aqa_bench::model::checkpoint::{write_bare, write_init};
use aqa_bench::prompt;
use aqa_bench::recipe::PromptStyle;
use aqa_bench::seeds::Key;
use aqa_bench::synth::tokenizer::{self, TokenizerFiles};
use serde_json::{Value, json};
use std::path::{Path, PathBuf};

/// The seed of weights and clips.
const SEED: u64 = 1;
/// Clips of 10 s: what an evaluation runs over.
pub const CLIPS: usize = 50;
/// Tokens that are learnt from the tokenizer's corpus, which has no more.
const TOKENS: usize = 511;
/// Lengths of the further clips, in seconds.
const LENGTHS: [u32; 3] = [5, 20, 30];

/// The question that every clip is asked about.
pub fn question(audio: PathBuf, id: String) -> Example {
    let choices = ["rain", "a dog", "a tone", "speech"];
    Example {
        id,
        audio,
        question: "What is heard?".into(),
        choices: choices.map(str::to_owned).to_vec(),
        answer: Some(choices[0].to_owned()),
        task: "sound".into(),
        difficulty: "easy".into(),
        sub_category: String::new(),
        row: serde_json::Map::new(),
    }
}

/// The text of the user turn.
pub fn text() -> String {
    prompt::text(PromptStyle::R1Aqa2, &question(PathBuf::new(), String::new()))
}

/// A clip of 10 s, by its number.
pub fn clip(folder: &Path, number: usize) -> PathBuf {
    folder.join(format!("clips/10s-{number:02}.wav"))
}

/// The first clip of a length in seconds.
pub fn clip_of(folder: &Path, seconds: u64) -> PathBuf {
    if seconds == 10 { clip(folder, 0) } else { folder.join(format!("clips/{seconds}s.wav")) }
}

/// The 30 s of 44.1 kHz stereo.
pub fn stereo(folder: &Path) -> PathBuf {
    folder.join("clips/stereo.wav")
}

/// The checkpoint's folder.
pub fn model(folder: &Path) -> PathBuf {
    folder.join("model")
}

/// Writes everything into a folder: the `mini` model.
pub fn write(folder: &Path) -> Result<()> {
    std::fs::create_dir_all(model(folder)).map_err(|e| Error::io("make the folder", folder, &e))?;
    write_init(&model(folder), &MINI, SEED, &every_id_has_a_text(tokenizer::build(TOKENS)?, MINI.vocab_size)?)?;
    write_shared(folder)
}

/// Writes everything but the weights, for a model of a named shape. `weights.json` in its folder lists the names and shapes of what is lacking: drawing
/// eight thousand million numbers is left to a GPU.
pub fn write_without_weights(folder: &Path, shape: &str) -> Result<()> {
    let shape = shapes::of(shape)?;
    std::fs::create_dir_all(model(folder)).map_err(|e| Error::io("make the folder", folder, &e))?;
    let files = every_id_has_a_text(tokenizer::build(TOKENS)?, shape.vocab_size)?;
    let config = write_bare(&model(folder), shape, &files)?;
    put(&model(folder).join("weights.json"), json!(expected(&config)).to_string().as_bytes())?;
    write_shared(folder)
}

/// Clips and the question.
fn write_shared(folder: &Path) -> Result<()> {
    let clips = folder.join("clips");
    std::fs::create_dir_all(&clips).map_err(|e| Error::io("make the folder", &clips, &e))?;
    for number in 0..CLIPS {
        wav::write_pcm16(&clip(folder, number), &signal(&format!("10s-{number}"), 16_000, 10), 16_000)?;
    }
    for seconds in LENGTHS {
        wav::write_pcm16(
            &clip_of(folder, u64::from(seconds)),
            &signal(&format!("{seconds}s"), 16_000, seconds),
            16_000,
        )?;
    }
    put(&stereo(folder), &two_channels(&signal("left", 44_100, 30), &signal("right", 44_100, 30)))?;
    let shared = json!({"text": text(), "clips": CLIPS});
    put(&folder.join("inputs.json"), shared.to_string().as_bytes())
}

/// The tokenizer with a word for each further row of the model. No merge makes them, so prompts have the ids that they had; random weights say
/// them, and a completion has a text.
fn every_id_has_a_text(mut files: TokenizerFiles, rows: usize) -> Result<TokenizerFiles> {
    let mut json: Value = serde_json::from_str(&files.tokenizer_json).internal(|| "the tokenizer's own JSON".into())?;
    let special = json["added_tokens"].as_array().into_iter().flatten();
    let special = special.map(|token| (token["content"].as_str().unwrap_or_default().to_owned(), token["id"].clone()));
    let words = (TOKENS..rows).map(|id| (format!("\u{120}word{id}"), json!(id)));
    let more: Vec<(String, Value)> = special.chain(words).collect();
    let vocabulary = json["model"]["vocab"].as_object_mut();
    vocabulary.ok_or_else(|| Error::internal("the tokenizer has no vocabulary"))?.extend(more);
    files.tokenizer_json = json.to_string();
    Ok(files)
}

/// Noise with a tone in it that rises.
fn signal(name: &str, rate: u32, seconds: u32) -> Vec<f32> {
    let mut noise = Key::derive(SEED, "bench.clip", &[name]).stream();
    let low = noise.range(100.0, 400.0);
    let second = |i: u32| f64::from(i) / f64::from(rate);
    let tone = |t: f64| 0.4 * libm::sin(std::f64::consts::TAU * (low * t + 40.0 * t * t));
    (0..rate * seconds).map(|i| (tone(second(i)) + noise.range(-0.2, 0.2)) as f32).collect()
}

/// A 16-bit WAV file of two channels at 44.1 kHz: the header of a mono file with what differs put right.
fn two_channels(left: &[f32], right: &[f32]) -> Vec<u8> {
    let both: Vec<f32> = left.iter().zip(right).flat_map(|(l, r)| [*l, *r]).collect();
    let mut bytes = wav::pcm16(&both, 44_100).expect("a minute fits a WAV file");
    bytes[22..24].copy_from_slice(&2u16.to_le_bytes()); // channels
    bytes[28..32].copy_from_slice(&(44_100u32 * 4).to_le_bytes()); // bytes a second
    bytes[32..34].copy_from_slice(&4u16.to_le_bytes()); // bytes a frame
    bytes
}

fn put(path: &Path, bytes: &[u8]) -> Result<()> {
    std::fs::write(path, bytes).map_err(|e| Error::io("write", path, &e))
}

/// A number of a request.
pub fn number(request: &Value, key: &str) -> Result<u64> {
    let found = request.get(key).and_then(Value::as_u64);
    found.ok_or_else(|| Error::request(format!("{key}: expected a number in the request {request}")))
}

/// A folder that another version made is refused.
pub fn check(folder: &Path) -> Result<()> {
    let file = folder.join("inputs.json");
    let text =
        std::fs::read_to_string(&file).inputs(|| format!("cannot read {}: make it with inputs", file.display()))?;
    let found: Value = serde_json::from_str(&text).inputs(|| format!("{}: expected JSON", file.display()))?;
    if found == json!({"text": self::text(), "clips": CLIPS}) {
        return Ok(());
    }
    Err(Error::inputs(format!("{}: made by another version of this program: remove the folder", folder.display())))
}
