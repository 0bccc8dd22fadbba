//! The tokenizer of a policy made from a seed: of Qwen2's kind (NFC, Qwen2's split, byte-level BPE), learnt from the synthetic
//! world's own words, so that an ordinary word is one token and any other text still has a spelling in bytes.

mod corpus;
mod train;

use crate::error::{Context, Error, Result};
use serde_json::{Map, Value, json};
use std::collections::BTreeMap;
use tokenizers::models::bpe::BPE;
use tokenizers::normalizers::unicode::NFC;
use tokenizers::pre_tokenizers::PreTokenizerWrapper;
use tokenizers::pre_tokenizers::byte_level::ByteLevel;
use tokenizers::pre_tokenizers::sequence::Sequence;
use tokenizers::pre_tokenizers::split::{Split, SplitPattern};
use tokenizers::{
    AddedToken, OffsetReferential, OffsetType, PreTokenizedString, PreTokenizer, SplitDelimiterBehavior, Tokenizer,
};

/// Qwen2's split (transformers v4.49.0, models/qwen2/tokenization_qwen2.py, PRETOKENIZE_REGEX).
const SPLIT: &str =
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+";

/// The special tokens of Qwen2-Audio that a prompt needs, in the order of their ids.
const SPECIAL: [&str; 6] =
    ["<|endoftext|>", "<|im_start|>", "<|im_end|>", "<|AUDIO|>", "<|audio_bos|>", "<|audio_eos|>"];

/// The files of a tokenizer folder as transformers 4.49 reads them, and the ids that a model's config needs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TokenizerFiles {
    /// `tokenizer.json`, for the fast tokenizer and the `tokenizers` crate.
    pub tokenizer_json: String,
    /// `tokenizer_config.json`.
    pub tokenizer_config_json: String,
    /// `special_tokens_map.json`.
    pub special_tokens_map_json: String,
    /// `vocab.json`, for the slow tokenizer; without the special tokens.
    pub vocab_json: String,
    /// `merges.txt`, for the slow tokenizer.
    pub merges_txt: String,
    /// Ids of the special tokens.
    pub special: SpecialIds,
}

/// Ids of the special tokens: the last six of the vocabulary.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SpecialIds {
    /// `<|endoftext|>`, which pads.
    pub endoftext: u32,
    /// `<|im_start|>`, which opens a turn.
    pub im_start: u32,
    /// `<|im_end|>`, which ends a turn and an answer.
    pub im_end: u32,
    /// `<|AUDIO|>`, one for each audio embedding.
    pub audio: u32,
    /// `<|audio_bos|>`.
    pub audio_bos: u32,
    /// `<|audio_eos|>`.
    pub audio_eos: u32,
}

impl TokenizerFiles {
    /// File name and content of each file.
    pub fn files(&self) -> [(&'static str, &str); 5] {
        [
            ("tokenizer.json", &self.tokenizer_json),
            ("tokenizer_config.json", &self.tokenizer_config_json),
            ("special_tokens_map.json", &self.special_tokens_map_json),
            ("vocab.json", &self.vocab_json),
            ("merges.txt", &self.merges_txt),
        ]
    }
}

/// The smallest vocabulary: 256 bytes and the special tokens.
pub const MIN_VOCAB_SIZE: usize = 256 + SPECIAL.len();

/// Builds the tokenizer with exactly `vocab_size` tokens, special tokens included: the same bytes for the same number.
///
/// Text comes back exactly as it was when it is NFC-normalised (what is not, comes back normalised, as with Qwen2's own).
///
/// # Errors
/// A request error when `vocab_size` is below [`MIN_VOCAB_SIZE`] or above what the corpus has merges for; it names both.
pub fn build(vocab_size: usize) -> Result<TokenizerFiles> {
    let chunks = chunks()?;
    let wanted = vocab_size.saturating_sub(SPECIAL.len());
    let bpe = train::train(&chunks, wanted);
    if bpe.tokens.len() != wanted {
        let most = train::train(&chunks, usize::MAX).tokens.len() + SPECIAL.len();
        return Err(Error::request(format!("vocab_size: expected {MIN_VOCAB_SIZE} to {most}, found {vocab_size}")));
    }
    let first = u32::try_from(bpe.tokens.len()).expect("the corpus is small");
    Ok(TokenizerFiles {
        tokenizer_json: tokenizer(&bpe)?.to_string(true).internal(|| "cannot write tokenizer.json".into())? + "\n",
        tokenizer_config_json: pretty(&config(first))?,
        special_tokens_map_json: pretty(&json!({
            "additional_special_tokens": SPECIAL[1..],
            "eos_token": "<|im_end|>",
            "pad_token": "<|endoftext|>",
        }))?,
        vocab_json: pretty(&bpe.tokens.iter().cloned().zip((0..).map(Value::from)).collect::<Map<_, _>>())?,
        merges_txt: bpe.merges.iter().fold("#version: 0.2\n".to_owned(), |text, (a, b)| text + a + " " + b + "\n"),
        special: SpecialIds {
            endoftext: first,
            im_start: first + 1,
            im_end: first + 2,
            audio: first + 3,
            audio_bos: first + 4,
            audio_eos: first + 5,
        },
    })
}

/// The corpus cut by Qwen2's split, spelt in byte symbols, with counts.
fn chunks() -> Result<BTreeMap<String, u64>> {
    let split = pre_tokenizer()?;
    let mut chunks = BTreeMap::new();
    for (text, count) in corpus::corpus() {
        let mut cut = PreTokenizedString::from(text.as_str());
        split.pre_tokenize(&mut cut).internal(|| format!("cannot split {text:?}"))?;
        for (chunk, _, _) in cut.get_splits(OffsetReferential::Normalized, OffsetType::Byte) {
            *chunks.entry(chunk.to_owned()).or_default() += count;
        }
    }
    Ok(chunks)
}

fn pre_tokenizer() -> Result<Sequence> {
    let split = Split::new(SplitPattern::Regex(SPLIT.into()), SplitDelimiterBehavior::Isolated, false)
        .internal(|| "cannot compile the split".into())?;
    Ok(Sequence::new(vec![PreTokenizerWrapper::Split(split), ByteLevel::new(false, true, false).into()]))
}

/// As Qwen2Converter makes it (transformers v4.49.0, convert_slow_tokenizer.py).
fn tokenizer(bpe: &train::Bpe) -> Result<Tokenizer> {
    let vocab: tokenizers::models::bpe::Vocab = bpe.tokens.iter().cloned().zip(0..).collect();
    let model = BPE::builder()
        .vocab_and_merges(vocab, bpe.merges.clone())
        .continuing_subword_prefix(String::new())
        .end_of_word_suffix(String::new())
        .build()
        .internal(|| "cannot build the BPE model".into())?;
    let mut tokenizer = Tokenizer::new(model);
    tokenizer.with_normalizer(Some(NFC)).internal(|| "cannot set the normaliser".into())?;
    tokenizer.with_pre_tokenizer(Some(pre_tokenizer()?));
    tokenizer.with_post_processor(Some(ByteLevel::new(true, false, true)));
    tokenizer.with_decoder(Some(ByteLevel::new(true, true, true)));
    let special: Vec<AddedToken> = SPECIAL.iter().map(|text| AddedToken::from(*text, true)).collect();
    tokenizer.add_special_tokens(special).internal(|| "cannot add the special tokens".into())?;
    Ok(tokenizer)
}

fn config(first: u32) -> Value {
    let added: Map<String, Value> = (first..)
        .zip(SPECIAL)
        .map(|(id, content)| {
            let flags = json!({"content": content, "lstrip": false, "normalized": false, "rstrip": false, "single_word": false, "special": true});
            (id.to_string(), flags)
        })
        .collect();
    json!({
        "add_prefix_space": false,
        "added_tokens_decoder": added,
        "additional_special_tokens": SPECIAL[1..],
        "bos_token": null,
        "clean_up_tokenization_spaces": false,
        "eos_token": "<|im_end|>",
        "errors": "replace",
        "model_max_length": 8192,
        "pad_token": "<|endoftext|>",
        "padding_side": "left",
        "split_special_tokens": false,
        "tokenizer_class": "Qwen2Tokenizer",
        "unk_token": null,
    })
}

fn pretty(value: &impl serde::Serialize) -> Result<String> {
    Ok(serde_json::to_string_pretty(value).internal(|| "cannot write a tokenizer file".into())? + "\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn load(size: usize) -> (Tokenizer, TokenizerFiles) {
        let files = build(size).unwrap();
        (Tokenizer::from_bytes(&files.tokenizer_json).unwrap(), files)
    }

    fn most() -> usize {
        train::train(&chunks().unwrap(), usize::MAX).tokens.len() + SPECIAL.len()
    }

    fn tokens(tokenizer: &Tokenizer, text: &str) -> Vec<String> {
        tokenizer.encode(text, false).unwrap().get_tokens().to_vec()
    }

    #[test]
    fn a_size_that_cannot_be_is_refused_with_the_range() {
        let most = most();
        for size in [0, 5, MIN_VOCAB_SIZE - 1, most + 1] {
            let error = build(size).unwrap_err();
            assert_eq!(error.exit_code(), 2);
            assert_eq!(error.to_string(), format!("vocab_size: expected {MIN_VOCAB_SIZE} to {most}, found {size}"));
        }
        for size in [MIN_VOCAB_SIZE, MIN_VOCAB_SIZE + 1, most] {
            assert_eq!(load(size).0.get_vocab_size(true), size);
        }
    }

    #[test]
    fn every_option_is_one_token_in_the_list_and_in_the_answer() {
        let (tokenizer, _) = load(most());
        for name in crate::synth::tasks().iter().flat_map(|t| t.classes).flat_map(|c| c.names) {
            assert_eq!(tokens(&tokenizer, &format!("['{name}', '{name}'].")), ["['", name, "',", "Ġ'", name, "'].",]);
            let answer = format!("<answer>{name}</answer><|im_end|>");
            assert_eq!(tokens(&tokenizer, &answer), ["<answer", ">", name, "</", "answer", ">", "<|im_end|>"]);
        }
    }

    #[test]
    fn ordinary_words_are_single_tokens() {
        let (tokenizer, _) = load(most());
        let text = "What sound is this? Please choose the answer from the following options: ['";
        let words = text.split_inclusive([' ', '?', ':', '[', '\'']).count();
        assert!(tokens(&tokenizer, text).len() <= words, "{:?}", tokens(&tokenizer, text));
    }

    #[test]
    fn any_nfc_text_comes_back_exactly_at_any_size() {
        let texts = [
            "",
            " ",
            "\n\n",
            "noise",
            "It's CAN'T we'LL",
            "日本語の音",
            "🎻🔔",
            "\u{e9}t\u{e9}",
            "a\tb\r\nc  d   ",
            "\0\u{7f}\u{feff}",
            "<answer>siren</answer>",
            "1234567890",
            "ʼ'’",
            "مرحبا",
            "\u{10ffff}",
        ];
        for size in [MIN_VOCAB_SIZE, 400, most()] {
            let (tokenizer, _) = load(size);
            for text in texts {
                let encoding = tokenizer.encode(text, false).unwrap();
                assert_eq!(tokenizer.decode(encoding.get_ids(), false).unwrap(), text);
            }
        }
    }

    #[test]
    fn special_tokens_are_the_last_ids_and_split_text() {
        let (tokenizer, files) = load(500);
        let ids = files.special;
        let expected = [ids.endoftext, ids.im_start, ids.im_end, ids.audio, ids.audio_bos, ids.audio_eos];
        assert_eq!(expected, std::array::from_fn(|i| 494 + u32::try_from(i).unwrap()));
        for (id, text) in expected.into_iter().zip(SPECIAL) {
            assert_eq!(tokenizer.token_to_id(text), Some(id));
        }
        assert_eq!(tokens(&tokenizer, "<|im_start|>user<|im_end|>").len(), 3);
        assert_eq!(tokenizer.decode(&[ids.im_start, ids.im_end], true).unwrap(), "");
    }
}
