//! Whole prompts, from a question and its options to ids, as R1-AQA's code, CPython 3.11 and transformers 4.49.0 make them. Fixtures
//! and how they were made: `tests/parity/prompt`.

use aqa_bench::data::{Clips, Example, avqa, mmau};
use aqa_bench::pins::Sha256;
use aqa_bench::prompt::{ChatTemplate, TextTokenizer, text};
use aqa_bench::recipe::PromptStyle;
use serde_json::{Value, json};
use std::path::{Path, PathBuf};

mod measured;
mod real_data;

const STYLES: [PromptStyle; 3] = [PromptStyle::R1Aqa1, PromptStyle::R1Aqa2, PromptStyle::R1Aqa3];

fn parity() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/parity/prompt")
}

fn fixture(name: &str) -> Value {
    serde_json::from_slice(&std::fs::read(parity().join(name)).unwrap()).unwrap()
}

/// What turns the text of a user turn into ids.
struct Encoder {
    template: ChatTemplate,
    tokenizer: TextTokenizer,
    audio_tokens: usize,
}

impl Encoder {
    /// The fixtures' tokenizer, and as many audio tokens as they have.
    fn of(fixture: &Value) -> Self {
        let tokenizer = TextTokenizer::load(&parity().join("tokenizer")).unwrap();
        let audio_tokens = fixture["audio_tokens"].as_u64().unwrap() as usize;
        Self { template: ChatTemplate::qwen2_audio().unwrap(), tokenizer, audio_tokens }
    }

    /// The rendered prompt and its ids.
    fn encode(&self, text: &str) -> (String, Vec<u32>) {
        let rendered = self.template.render(text, 1).unwrap();
        let ids = self.tokenizer.expand_audio(&rendered, &[self.audio_tokens]).unwrap();
        (rendered, ids)
    }
}

/// Holds an example's three prompts against a case's, letter by letter and id by id.
fn hold(row: &str, encoder: &Encoder, example: &Example, case: &Value) {
    let prompts = case["prompts"].as_array().unwrap();
    assert_eq!(prompts.len(), STYLES.len());
    for (style, prompt) in STYLES.into_iter().zip(prompts) {
        let what = format!("{style:?}: {case}");
        let ours = text(style, example);
        let theirs = prompt["text"].as_str().unwrap();
        let (rendered, ids) = encoder.encode(&ours);
        let around = &prompt["around"];
        let wanted = [around[0].as_str().unwrap(), theirs, around[1].as_str().unwrap()].concat();
        let letters = |text: &str| text.chars().collect::<Vec<_>>();
        let (ours, theirs) = (letters(&rendered), letters(&wanted));
        measured::within(&format!("{row}-text"), &what, theirs.len(), measured::differing(&ours, &theirs));
        let run = |r: &Value| vec![r[0].as_u64().unwrap() as u32; r[1].as_u64().unwrap() as usize];
        let theirs: Vec<u32> = prompt["id_runs"].as_array().unwrap().iter().flat_map(run).collect();
        measured::within(&format!("{row}-ids"), &what, theirs.len(), measured::differing(&ids, &theirs));
    }
}

#[test]
fn options_of_every_kind_are_asked_as_python_asks_them() {
    let fixture = fixture("quoting.json");
    assert_eq!((&fixture["python"], &fixture["transformers"]), (&json!("3.11"), &json!("4.49.0")));
    let encoder = Encoder::of(&fixture);
    let cases = fixture["mmau"].as_array().unwrap();
    // The special characters that the fixture is there for, by what they are.
    let all: String = cases.iter().flat_map(|c| c["choices"].as_array().unwrap()).filter_map(Value::as_str).collect();
    for c in
        "'\"\\\n\r\t\0\u{7f}\u{a0}\u{ad}\u{301}\u{200b}\u{2028}\u{feff}\u{e000}\u{1f3bb}\u{e0001}\u{10ffff}".chars()
    {
        assert!(all.contains(c), "no option with U+{:04X}", u32::from(c));
    }
    assert!(cases.iter().any(|c| c["choices"][0] == ""), "no empty option");
    let row = |(id, case): (usize, &Value)| {
        json!({"id": id, "audio_id": "clip.wav", "question": case["question"], "choices": case["choices"], "task": "sound",
            "difficulty": "easy"})
    };
    let rows: Vec<Value> = cases.iter().enumerate().map(row).collect();
    let examples = mmau::from_slice(json!(rows).to_string().as_bytes(), "quoting", Path::new("")).unwrap();
    assert_eq!(examples.len(), cases.len());
    for (example, case) in examples.iter().zip(cases) {
        hold("prompt/quoting", &encoder, example, case);
    }
}

#[test]
fn training_asks_about_the_audio_where_avqa_asks_about_the_video() {
    let fixture = fixture("quoting.json");
    let encoder = Encoder::of(&fixture);
    let cases = fixture["avqa"].as_array().unwrap();
    assert!(cases.len() >= 4);
    for (id, case) in cases.iter().enumerate() {
        let line = json!({"id": id, "audio_path": "clip.wav", "question_text": case["question"], "multi_choice": case["choices"],
            "answer": 0});
        let examples =
            avqa::from_slice(line.to_string().as_bytes(), "training", &Clips::unread(Path::new(""))).unwrap();
        assert!(examples[0].choices[0].contains("video"), "options keep their words");
        hold("prompt/training", &encoder, &examples[0], case);
    }
}

#[test]
fn every_real_question_is_asked_as_the_reference_asks_it() {
    let Some(folder) = real_data::mmau("every_real_question_is_asked_as_the_reference_asks_it") else { return };
    let fixture = fixture("questions.json");
    let encoder = Encoder::of(&fixture);
    let digits = fixture["digits"].as_u64().unwrap() as usize;
    let files = fixture["files"].as_object().unwrap();
    assert_eq!(files.len(), 9, "three files of questions, three prompts");
    for (name, want) in files {
        let (file, style) = name.split_once(" prompt ").unwrap();
        let style = STYLES[style.parse::<usize>().unwrap() - 1];
        let examples = mmau::load(&folder.join(file), Path::new("")).unwrap();
        assert_eq!(examples.len() as u64, want["questions"], "{file}");
        let (mut whole, mut different) = (Vec::new(), Vec::new());
        let each = want["each"].as_str().unwrap().as_bytes().chunks_exact(digits);
        assert_eq!(each.len(), examples.len(), "{file}");
        for (example, theirs) in examples.iter().zip(each) {
            let (rendered, ids) = encoder.encode(&text(style, example));
            let mut content = rendered.into_bytes();
            content.push(0);
            content.extend(ids.iter().flat_map(|id| id.to_le_bytes()));
            if Sha256::of(&content).as_str().as_bytes()[..digits] != *theirs {
                different.push(&example.id);
            }
            whole.extend(content);
        }
        let what = format!("{name}: first differences in {:?}", &different[..different.len().min(3)]);
        measured::within("prompt/questions", &what, examples.len(), different.len() as f64);
        assert_eq!(Sha256::of(&whole).as_str(), want["whole"], "{name}: a difference that no short hash shows");
    }
}
