//! Prompts are those of CPython 3.11 and transformers 4.49, letter by letter and id by id. The fixtures and the scripts that made
//! them are in `tests/parity/prompt`.

use aqa_bench::data::Example;
use aqa_bench::prompt::{ChatTemplate, TextTokenizer, python, repr, text};
use aqa_bench::recipe::PromptStyle;
use serde_json::{Value, json};
use std::path::{Path, PathBuf};

mod measured;

fn parity() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/parity/prompt")
}

fn fixture(name: &str) -> Value {
    serde_json::from_slice(&std::fs::read(parity().join(name)).unwrap()).unwrap()
}

fn texts(value: &Value) -> Vec<&str> {
    value.as_array().unwrap().iter().map(|v| v.as_str().unwrap()).collect()
}

fn numbers(value: &Value) -> Vec<usize> {
    value.as_array().unwrap().iter().map(|v| v.as_u64().unwrap() as usize).collect()
}

/// Every code point against alternating runs that start with "does not hold".
fn hold_runs(class: &str, runs: &[usize], holds: fn(char) -> bool) {
    assert_eq!(runs.iter().sum::<usize>(), 0x11_0000, "the fixture covers every code point");
    let theirs = runs.iter().enumerate().flat_map(|(i, &length)| std::iter::repeat_n(i % 2 == 1, length));
    let pairs = theirs.enumerate().filter_map(|(p, theirs)| char::from_u32(p as u32).map(|c| (c, theirs)));
    let different: Vec<char> = pairs.filter(|&(c, theirs)| holds(c) != theirs).map(|(c, _)| c).collect();
    let what = format!("{class}: {:?}", &different[..different.len().min(5)]);
    measured::within("prompt/characters", &what, 0x11_0000 - 0x800, different.len() as f64);
}

#[test]
fn characters_are_classed_as_python_classes_them() {
    let python = fixture("python_text.json");
    assert_eq!(python["unicode"], "14.0.0");
    hold_runs("printable", &numbers(&python["printable_runs"]), python::is_printable);
    hold_runs("word", &numbers(&python["word_runs"]), python::is_word);
    let space: Vec<usize> = ('\0'..=char::MAX).filter(|&c| python::is_space(c)).map(|c| c as usize).collect();
    let theirs = numbers(&python["space"]);
    measured::within("prompt/characters", "space", theirs.len(), measured::differing(&space, &theirs));
}

#[test]
fn lower_case_is_python_s_for_every_character_it_knows() {
    let python = fixture("python_text.json");
    let mut lowered = std::collections::HashMap::new();
    for line in python["lower"].as_str().unwrap().lines() {
        let mut chars = line.chars();
        lowered.insert(chars.next().unwrap(), chars.collect::<String>());
    }
    assert!(lowered.len() > 1300);
    for c in ('\0'..=char::MAX).filter(|&c| python::is_word(c)) {
        let ours = c.to_lowercase().to_string();
        match lowered.get(&c) {
            Some(theirs) => assert_eq!(&ours, theirs, "U+{:04X}", u32::from(c)),
            // Letters that later got a lower-case partner, which Python 3.11 does not know.
            None if ours != c.to_string() => assert!(!ours.chars().any(python::is_word), "U+{:04X}", u32::from(c)),
            None => {}
        }
    }
    for (text, lower) in python["lower_in_context"].as_object().unwrap() {
        assert_eq!(text.to_lowercase(), lower.as_str().unwrap());
    }
}

#[test]
fn reprs_are_python_s() {
    let python = fixture("python_text.json");
    let strings = python["repr"].as_object().unwrap();
    assert!(strings.len() > 300);
    for (text, expected) in strings {
        let differs = f64::from(repr::string(text) != expected.as_str().unwrap());
        measured::within("prompt/repr", &format!("{text:?} as {expected}"), 1, differs);
    }
    for case in python["list_repr"].as_array().unwrap() {
        let differs = f64::from(repr::list(&texts(&case["items"])) != case["repr"].as_str().unwrap());
        measured::within("prompt/repr", &case.to_string(), 1, differs);
    }
}

#[test]
fn styles_ask_as_r1_aqa_asks() {
    let example = Example {
        id: "1".into(),
        audio: "1.wav".into(),
        question: "What is in the video?".into(),
        choices: vec!["a dog".into(), "a bird's song".into()],
        answer: None,
        task: String::new(),
        difficulty: String::new(),
        sub_category: String::new(),
        row: serde_json::Map::new(),
    };
    let asked =
        "What is in the video? Please choose the answer from the following options: ['a dog', \"a bird's song\"].";
    assert_eq!(text(PromptStyle::R1Aqa1, &example), asked);
    let tags = format!("{asked} Output the final answer in <answer> </answer>.");
    assert_eq!(text(PromptStyle::R1Aqa2, &example), tags);
    let think =
        format!("{asked} Output the thinking process in <think> </think> and final answer in <answer> </answer>.");
    assert_eq!(text(PromptStyle::R1Aqa3, &example), think);
    let listed = repr::list(&example.choices);
    let mmau = format!("{} Select one option from the provided choices.\n{listed}.", example.question);
    assert_eq!(text(PromptStyle::Mmau, &example), mmau);
}

/// Letter by letter; `what` is what the text was made of.
fn hold_text(row: &str, what: &str, ours: &str, theirs: &Value) {
    let letters = |text: &str| text.chars().collect::<Vec<_>>();
    let theirs = theirs.as_str().unwrap();
    // A text may be empty, and that is compared too.
    let compared = theirs.chars().count().max(1);
    let what = format!("{what:?}: {ours:?} for {theirs:?}");
    measured::within(row, &what, compared, measured::differing(&letters(ours), &letters(theirs)));
}

#[test]
fn rendering_and_ids_are_those_of_transformers() {
    let theirs = fixture("chat.json");
    assert_eq!(theirs["transformers"], "4.49.0");
    let tokenizer = TextTokenizer::load(&parity().join("tokenizer")).unwrap();
    let template = ChatTemplate::load(&parity().join("tokenizer")).unwrap();
    assert_eq!(template.source(), "Qwen2-Audio's own template");
    assert_eq!(json!(tokenizer.eos_id()), theirs["eos"]);
    assert_eq!(json!(tokenizer.pad_id()), theirs["pad"]);
    assert_eq!(json!(tokenizer.len()), theirs["size"]);
    assert_eq!(json!(tokenizer.audio_id()), theirs["tokens"]["<|AUDIO|>"]);
    for (token, id) in theirs["tokens"].as_object().unwrap() {
        assert_eq!(&json!(tokenizer.token_id(token)), id);
    }
    let cases = theirs["cases"].as_array().unwrap();
    assert!(cases.len() >= 18);
    for case in cases {
        let counts = numbers(&case["counts"]);
        let text = case["text"].as_str().unwrap();
        let rendered = template.render(text, counts.len()).unwrap();
        hold_text("prompt/chat-text", text, &rendered, &case["rendered"]);
        let runs = case["id_runs"].as_array().unwrap().iter().map(numbers);
        let ids: Vec<u32> = runs.flat_map(|run| vec![run[0] as u32; run[1]]).collect();
        let ours = tokenizer.expand_audio(&rendered, &counts).unwrap();
        measured::within("prompt/chat-ids", text, ids.len(), measured::differing(&ours, &ids));
    }
    for case in theirs["bare"].as_array().unwrap() {
        let text = case["text"].as_str().unwrap();
        let ours = tokenizer.expand_audio(text, &numbers(&case["counts"])).unwrap();
        let ids: Vec<u32> = numbers(&case["ids"]).into_iter().map(|id| id as u32).collect();
        measured::within("prompt/chat-ids", text, ids.len(), measured::differing(&ours, &ids));
    }
    for case in theirs["decode"].as_array().unwrap() {
        let ids: Vec<u32> = numbers(&case["ids"]).into_iter().map(|id| id as u32).collect();
        hold_text("prompt/decode", &format!("{ids:?}"), &tokenizer.decode(&ids).unwrap(), &case["text"]);
    }
}

#[test]
fn placeholders_and_clips_must_agree() {
    let tokenizer = TextTokenizer::load(&parity().join("tokenizer")).unwrap();
    let template = ChatTemplate::qwen2_audio().unwrap();
    let error = template.render("what is <|AUDIO|>?", 1).unwrap_err();
    assert!(error.to_string().contains("what is <|AUDIO|>?"), "{error}");
    let rendered = template.render("what?", 2).unwrap();
    for counts in [&[3][..], &[1, 2, 3]] {
        let error = tokenizer.expand_audio(&rendered, counts).unwrap_err().to_string();
        assert!(error.contains("found 2") && error.contains(&format!("for {}", counts.len())), "{error}");
    }
    let deaf = ChatTemplate::compile("deaf".into(), "{{ messages[0].content[1].text }}".into()).unwrap();
    let error = deaf.render("what?", 1).unwrap_err().to_string();
    assert!(error.contains("deaf") && error.contains("expected 1") && error.contains("found 0"), "{error}");
}

#[test]
fn a_system_turn_stands_where_the_template_s_own_would() {
    let plain = ChatTemplate::qwen2_audio().unwrap().render("what?", 1).unwrap();
    let own = "<|im_start|>system\nYou are a helpful assistant.<|im_end|>\n";
    let rest = plain.strip_prefix(own).unwrap();
    let text = "Respond in <THINK> & <RESPONSE>: \"it's\" {{ 1 }} {% raw %}.";
    let many =
        || ChatTemplate::compile("many".into(), std::fs::read_to_string(parity().join("many_lines.jinja")).unwrap());
    let named = ChatTemplate::qwen2_audio().unwrap().with_system(Some(text)).render("what?", 1).unwrap();
    assert_eq!(named, format!("<|im_start|>system\n{text}<|im_end|>\n{rest}"), "as it is written, and rendered once");
    assert_eq!(ChatTemplate::qwen2_audio().unwrap().with_system(None).render("what?", 1).unwrap(), plain);
    let theirs = ChatTemplate::load(&parity().join("tokenizer")).unwrap();
    let theirs = theirs.with_system(Some("You are a helpful assistant."));
    assert_eq!(theirs.render("what?", 1).unwrap(), plain, "the published template's own words, given");
    assert!(many().unwrap().with_system(Some("Be brief.")).render("what?", 1).unwrap().contains("Be brief."));

    let error = ChatTemplate::qwen2_audio().unwrap().with_system(Some("a <|AUDIO|> b")).render("what?", 1).unwrap_err();
    assert!(error.to_string().contains("system turn") && error.to_string().contains("a <|AUDIO|> b"), "{error}");
    let dropped = "{% for m in messages if m.role == 'user' %}<|AUDIO|>{% endfor %}";
    let dropped = ChatTemplate::compile("drops.jinja".into(), dropped.into()).unwrap().with_system(Some("Be brief."));
    let error = dropped.render("what?", 1).unwrap_err();
    assert_eq!(error.exit_code(), 4);
    assert!(error.to_string().contains("drops.jinja") && error.to_string().contains("Be brief."), "{error}");
}

/// Qwen2-Audio's published template is written on one line; `many_lines.jinja` has its idioms on many, as newer checkpoints do.
#[test]
fn a_template_of_many_lines_reads_as_in_transformers() {
    let source = std::fs::read_to_string(parity().join("many_lines.jinja")).unwrap();
    let template = ChatTemplate::compile("many_lines.jinja".into(), source).unwrap();
    for case in fixture("chat.json")["cases"].as_array().unwrap() {
        let clips = case["counts"].as_array().unwrap().len();
        let text = case["text"].as_str().unwrap();
        let rendered = template.render(text, clips).unwrap();
        hold_text("prompt/chat-text", text, &rendered, &case["many_lines"]);
    }
}

fn rendered_with(files: &[(&str, String)]) -> Result<String, String> {
    let dir = tempfile::tempdir().unwrap();
    for (name, content) in files {
        std::fs::write(dir.path().join(name), content).unwrap();
    }
    let template = ChatTemplate::load(dir.path()).map_err(|e| e.to_string())?;
    template.render("x", 0).map_err(|e| e.to_string())
}

#[test]
fn the_checkpoint_s_template_is_found_where_it_is() {
    let jinja = ("chat_template.jinja", "J".to_owned());
    let json_file = ("chat_template.json", json!({"chat_template": "S"}).to_string());
    let named = json!({"chat_template": [{"name": "tool_use", "template": "T"}, {"name": "default", "template": "D"}]});
    let config = ("tokenizer_config.json", named.to_string());
    assert_eq!(rendered_with(&[jinja, json_file.clone(), config.clone()]).unwrap(), "J");
    assert_eq!(rendered_with(&[json_file, config.clone()]).unwrap(), "S");
    assert_eq!(rendered_with(&[config]).unwrap(), "D");
    let specials = json!({"chat_template": "{{ eos_token }}{{ bos_token }}{{ messages | tojson }}", "eos_token": {"content": "<e>"}});
    let shown = r#"<e>[{"role": "user", "content": [{"type": "text", "text": "x"}]}]"#;
    assert_eq!(rendered_with(&[("tokenizer_config.json", specials.to_string())]).unwrap(), shown);
    assert!(rendered_with(&[]).unwrap().starts_with("<|im_start|>system\nYou are"));

    for (file, content, expected) in [
        ("chat_template.jinja", "{% if %}".to_owned(), "chat_template.jinja: expected a Jinja template"),
        ("chat_template.json", "{".to_owned(), "chat_template.json: expected JSON"),
        ("chat_template.json", "{}".to_owned(), "found nothing"),
        ("tokenizer_config.json", json!({"chat_template": [{"name": "a"}]}).to_string(), "one named \"default\""),
        ("chat_template.jinja", "{{ raise_exception('no clips') }}".to_owned(), "no clips"),
        ("chat_template.jinja", "{{ strftime_now('%Y') }}".to_owned(), "strftime_now"),
    ] {
        let error = rendered_with(&[(file, content)]).unwrap_err();
        assert!(error.contains(expected), "{error}");
    }
}

#[test]
fn special_tokens_are_what_the_files_say() {
    let made = tempfile::tempdir().unwrap();
    let source = parity().join("tokenizer");
    let write = |name: &str, value: Value| std::fs::write(made.path().join(name), value.to_string()).unwrap();
    let load = || TextTokenizer::load(made.path()).map(|t| (t.eos_id(), t.pad_id())).map_err(|e| e.to_string());
    assert!(load().unwrap_err().contains("tokenizer.json"));
    std::fs::copy(source.join("tokenizer.json"), made.path().join("tokenizer.json")).unwrap();
    write("special_tokens_map.json", json!({"pad_token": "<|im_end|>"}));
    assert!(load().unwrap_err().contains("expected eos_token"), "not assumed where a file could say it");
    write("special_tokens_map.json", json!({"eos_token": "<|endoftext|>", "pad_token": {"content": "<|im_end|>"}}));
    assert_eq!(load().unwrap(), (380, 382), "whatever the files say");
    write("tokenizer_config.json", json!({"eos_token": "<|im_end|>", "add_bos_token": false, "bos_token": null}));
    let error = load().unwrap_err();
    assert!(error.contains("<|im_end|>") && error.contains("<|endoftext|>"), "{error}");
    write("special_tokens_map.json", json!({"pad_token": "<pad>"}));
    assert!(load().unwrap_err().contains("expected the token <pad>"));
}

/// A folder with the parity tokenizer, and these files of it.
fn tokenizer_with(files: &[&str]) -> tempfile::TempDir {
    let dir = tempfile::tempdir().unwrap();
    for file in files {
        std::fs::copy(parity().join("tokenizer").join(file), dir.path().join(file)).unwrap();
    }
    dir
}

/// zhifeixie/Audio-Reasoner has `tokenizer.json` and neither file that names its special tokens.
#[test]
fn a_checkpoint_without_the_files_that_name_ends_has_qwen2_s() {
    let dir = tokenizer_with(&["tokenizer.json"]);
    let bare = TextTokenizer::load(dir.path()).unwrap();
    let id = |token: &str| bare.token_id(token).unwrap();
    assert_eq!((bare.eos_id(), bare.pad_id()), (id("<|endoftext|>"), id("<|endoftext|>")));
    assert_eq!(bare.ends(), [id("<|im_end|>"), id("<|endoftext|>")], "a turn ends, too");

    let named = TextTokenizer::load(&parity().join("tokenizer")).unwrap();
    assert_eq!(named.ends(), [named.eos_id()], "where a file names the end, that one alone");

    // A file that is there and does not say is not made up for.
    std::fs::write(dir.path().join("tokenizer_config.json"), "{}").unwrap();
    let error = TextTokenizer::load(dir.path()).err().unwrap();
    assert!(error.to_string().contains("expected eos_token"), "{error}");
}
