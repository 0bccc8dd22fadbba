//! The chat template: from a user turn to the text that is tokenized.

use super::tokens::{AUDIO, special_tokens};
use crate::error::{Context, Error, Result};
use minijinja::syntax::SyntaxConfig;
use minijinja::value::{Kwargs, Serde};
use minijinja::{Environment, UndefinedBehavior, context};
use serde::Serialize;
use serde_json::{Value, json};
use std::path::Path;

/// Qwen2-Audio's template, for checkpoints that bring none: a default system turn, then each turn between `<|im_start|>` and
/// `<|im_end|>`; clips are numbered over the whole conversation.
pub const QWEN2_AUDIO: &str = "\
{%- set clips = namespace(n=0) -%}
{%- if messages[0].role != 'system' -%}
{{ '<|im_start|>system\\nYou are a helpful assistant.<|im_end|>\\n' }}
{%- endif -%}
{%- for message in messages -%}
{{ '<|im_start|>' ~ message.role ~ '\\n' }}
{%- if message.content is string -%}
{{ message.content }}
{%- else -%}
{%- for part in message.content -%}
{%- if 'audio' in part or 'audio_url' in part -%}
{%- set clips.n = clips.n + 1 -%}
{{ 'Audio ' ~ clips.n ~ ': <|audio_bos|><|AUDIO|><|audio_eos|>\\n' }}
{%- elif 'text' in part -%}
{{ part.text }}
{%- endif -%}
{%- endfor -%}
{%- endif -%}
{{ '<|im_end|>\\n' }}
{%- endfor -%}
{%- if add_generation_prompt -%}
{{ '<|im_start|>assistant\\n' }}
{%- endif -%}";

/// A compiled chat template and where it came from.
pub struct ChatTemplate {
    environment: Environment<'static>,
    source: String,
    specials: serde_json::Map<String, Value>,
    system: Option<String>,
}

impl ChatTemplate {
    /// The template of a checkpoint: `chat_template.jinja`, else `chat_template.json`, else `chat_template` of
    /// `tokenizer_config.json` (a text, or a list of named ones, of which `default` is taken), else Qwen2-Audio's.
    ///
    /// # Errors
    /// A file that is there and cannot be read, has another shape or does not compile.
    pub fn load(dir: &Path) -> Result<Self> {
        let mut template = Self::find(dir)?;
        template.specials = special_tokens(dir)?;
        Ok(template)
    }

    fn find(dir: &Path) -> Result<Self> {
        let jinja = dir.join("chat_template.jinja");
        if jinja.is_file() {
            let text = std::fs::read_to_string(&jinja).inputs(|| format!("cannot read {}", jinja.display()))?;
            return Self::compile(jinja.display().to_string(), text);
        }
        for name in ["chat_template.json", "tokenizer_config.json"] {
            let path = dir.join(name);
            let Some(config) = super::tokens::read_object(&path)? else { continue };
            let place = format!("{}: chat_template", path.display());
            match config.get("chat_template") {
                None | Some(Value::Null) if name == "chat_template.json" => {
                    return Err(Error::inputs(format!("{place}: expected the template's text, found nothing")));
                }
                None | Some(Value::Null) => {}
                Some(found) => {
                    let text = default_of(found).map_err(|e| e.within(&place))?;
                    return Self::compile(place, text);
                }
            }
        }
        Self::qwen2_audio()
    }

    /// Qwen2-Audio's own template.
    ///
    /// # Errors
    /// None that can happen: the text is a constant.
    pub fn qwen2_audio() -> Result<Self> {
        Self::compile("Qwen2-Audio's own template".into(), QWEN2_AUDIO.into())
    }

    /// Compiles a template in the environment that transformers 4.49 gives it (`trim_blocks`, `lstrip_blocks`, Python's string
    /// methods, `raise_exception`, `tojson` without HTML escapes). `source` names it in messages.
    ///
    /// # Errors
    /// A text that is no template (exit code 4).
    pub fn compile(source: String, text: String) -> Result<Self> {
        let mut environment = Environment::new();
        let syntax = SyntaxConfig::builder().trim_blocks(true).lstrip_blocks(true).build();
        environment.set_syntax(syntax.internal(|| "the syntax of chat templates".into())?);
        environment.set_undefined_behavior(UndefinedBehavior::Lenient);
        environment.set_auto_escape_callback(|_| minijinja::AutoEscape::None);
        environment.set_unknown_method_callback(minijinja_contrib::pycompat::unknown_method_callback);
        environment.add_function("raise_exception", |message: String| -> Result<String, minijinja::Error> {
            Err(minijinja::Error::new(minijinja::ErrorKind::InvalidOperation, message))
        });
        environment.add_filter("tojson", tojson);
        environment
            .add_template_owned("chat", text)
            .inputs(|| format!("{source}: expected a Jinja template that minijinja compiles"))?;
        Ok(Self { environment, source, specials: serde_json::Map::new(), system: None })
    }

    /// The same template, with this system turn before every user turn; `None` leaves that to the template.
    pub fn with_system(self, system: Option<&str>) -> Self {
        Self { system: system.map(str::to_owned), ..self }
    }

    /// Where the template came from: a file, or Qwen2-Audio's own.
    pub fn source(&self) -> &str {
        &self.source
    }

    /// Renders one user turn, `audios` clips followed by `text`, behind the system turn (of [`ChatTemplate::with_system`], else the template's own)
    /// and before the opening of the assistant's turn.
    ///
    /// # Errors
    /// A text that itself holds the placeholder `<|AUDIO|>`; a template that fails, that drops the system turn, or that leaves another number of
    /// placeholders than there are clips.
    pub fn render(&self, text: &str, audios: usize) -> Result<String> {
        for (what, text) in [("question", text), ("system turn", self.system.as_deref().unwrap_or_default())] {
            if text.contains(AUDIO) {
                return Err(Error::inputs(format!(
                    "the text of the {what} holds the placeholder {AUDIO}, which only the template may write: {text:?}"
                )));
            }
        }
        let clip = json!({"type": "audio", "audio_url": "clip"});
        let mut content = vec![clip; audios];
        content.push(json!({"type": "text", "text": text}));
        let system = self.system.iter().map(|text| json!({"role": "system", "content": text}));
        let messages: Vec<Value> = system.chain([json!({"role": "user", "content": content})]).collect();
        let template = self.environment.get_template("chat").internal(|| self.source.clone())?;
        let rendered = template
            .render(context! {
                messages => Serde(messages),
                add_generation_prompt => true,
                ..minijinja::Value::from(Serde(&self.specials))
            })
            .inputs(|| format!("{}: the chat template failed", self.source))?;
        let found = rendered.matches(AUDIO).count();
        if found != audios {
            return Err(Error::inputs(format!(
                "{}: expected {audios} {AUDIO} in the rendered prompt, one a clip, found {found}",
                self.source
            )));
        }
        if let Some(system) = self.system.as_deref().filter(|system| !rendered.contains(system.trim())) {
            return Err(Error::inputs(format!(
                "{}: the template does not write the system turn that the recipe asks for: {system:?}",
                self.source
            )));
        }
        Ok(rendered)
    }
}

/// A template's text, or of a list of named ones the text called `default`.
fn default_of(found: &Value) -> Result<String> {
    let named = |item: &Value| item.get("name").and_then(Value::as_str) == Some("default");
    let text = match found {
        Value::String(text) => Some(text.as_str()),
        Value::Array(items) => {
            items.iter().find(|item| named(item)).and_then(|item| item.get("template")).and_then(Value::as_str)
        }
        _ => None,
    };
    let expected = "expected a template, or a list of {name, template} with one named \"default\"";
    text.map(str::to_owned).ok_or_else(|| Error::inputs(expected))
}

/// Python's `json.dumps(value, ensure_ascii=False)`, which is what transformers gives templates as `tojson`.
fn tojson(value: minijinja::Value, options: Kwargs) -> Result<String, minijinja::Error> {
    options.assert_all_used()?;
    let mut out = Vec::new();
    let failed = |e: serde_json::Error| minijinja::Error::new(minijinja::ErrorKind::BadSerialization, e.to_string());
    value.serialize(&mut serde_json::Serializer::with_formatter(&mut out, Spaced)).map_err(failed)?;
    String::from_utf8(out).map_err(|e| minijinja::Error::new(minijinja::ErrorKind::BadSerialization, e.to_string()))
}

/// JSON with Python's separators: `, ` and `: `.
struct Spaced;

impl serde_json::ser::Formatter for Spaced {
    fn begin_array_value<W: ?Sized + std::io::Write>(&mut self, out: &mut W, first: bool) -> std::io::Result<()> {
        if first { Ok(()) } else { out.write_all(b", ") }
    }

    fn begin_object_key<W: ?Sized + std::io::Write>(&mut self, out: &mut W, first: bool) -> std::io::Result<()> {
        if first { Ok(()) } else { out.write_all(b", ") }
    }

    fn begin_object_value<W: ?Sized + std::io::Write>(&mut self, out: &mut W) -> std::io::Result<()> {
        out.write_all(b": ")
    }
}
