//! From a question to token ids: the user turn's text, the chat template, the tokenizer, the places of the audio.

pub mod chat;
pub mod python;
pub mod repr;
pub mod text;
pub mod tokens;

pub use chat::ChatTemplate;
pub use text::text;
pub use tokens::TextTokenizer;
