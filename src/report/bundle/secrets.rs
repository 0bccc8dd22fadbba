//! Nothing that opens a door may leave with a bundle.

use super::contents::Contents;
use crate::error::{Error, Result};

/// Letters and digits of an access token behind its beginning, at least: a word of prose has fewer.
const LEAST: usize = 30;

/// What access tokens begin with: the hub's, GitHub's, and those of two services that answer for a model.
const BEGINNINGS: [&str; 6] = ["hf_", "ghp_", "gho_", "github_pat_", "sk-", "AIza"];

/// Refuses contents in which a line looks like an access token, or an address has a password in it.
///
/// # Errors
/// Exit code 4; the message names file and line and not the token.
pub(super) fn refuse(contents: &Contents) -> Result<()> {
    for (name, bytes) in contents {
        for (at, line) in String::from_utf8_lossy(bytes).lines().enumerate() {
            let what = if has_token(line) {
                "an access token"
            } else if has_password(line) {
                "an address with a password in it"
            } else {
                continue;
            };
            let way_out = "take it out of the run folder, or of the recipe, and bundle again";
            let line = at + 1;
            return Err(Error::inputs(format!("{name}:{line}: found what looks like {what} ({way_out})")));
        }
    }
    Ok(())
}

fn has_token(line: &str) -> bool {
    let is_word = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '-';
    BEGINNINGS.iter().any(|beginning| {
        line.match_indices(beginning).any(|(at, _)| {
            let apart = !line[..at].ends_with(is_word) || behind_escape(&line[..at]);
            let rest = &line[at + beginning.len()..];
            apart && rest.chars().take_while(|c| is_word(*c)).count() >= LEAST
        })
    })
}

/// Whether a text ends in an escape, whose last letter is none of the word that follows: `\n`, `\u003d`, `\x3d`.
fn behind_escape(text: &str) -> bool {
    let Some((_, behind)) = text.rsplit_once('\\') else { return false };
    let hex = |digits: &str| digits.chars().all(|c| c.is_ascii_hexdigit());
    match behind.split_at_checked(1) {
        Some((letter, "")) => letter.chars().all(|c| c.is_ascii_alphanumeric()),
        Some(("u", digits)) => digits.len() == 4 && hex(digits),
        Some(("x", digits)) => digits.len() == 2 && hex(digits),
        Some(("U", digits)) => digits.len() == 8 && hex(digits),
        _ => false,
    }
}

/// `https://NAME:PASSWORD@HOST`.
fn has_password(line: &str) -> bool {
    line.match_indices("://").any(|(at, found)| {
        let rest = &line[at + found.len()..];
        let authority = rest.split(['/', ' ', '"', '\\', '?', '#']).next().unwrap_or_default();
        authority.split_once('@').is_some_and(|(user, _)| user.contains(':'))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tokens_and_passwords_are_seen_and_ordinary_texts_are_not() {
        let token = format!("hf_{}", "aB3".repeat(12));
        for bad in [format!("token: {token}"), format!("\"{token}\""), "https://me:secret@host/a".into()] {
            assert!(has_token(&bad) || has_password(&bad), "{bad}");
        }
        for escape in ["\\n", "\\t", "\\r", "\\u003d", "\\x3d", "\\\\n", "a\\n"] {
            let bad = format!("\"{escape}{token}\"");
            assert!(has_token(&bad), "{bad}");
        }
        for word in ["n", "u003d", "\\no", "\\u03d"] {
            let good = format!("\"{word}{token}\"");
            assert!(!has_token(&good), "{good}");
        }
        let sha256 = "a".repeat(64);
        for good in
            ["hf_hub_download", "hf://models/a/b@main", "https://a.org/b@c:d", &sha256, "at 12:30 me@host", "risk-free"]
        {
            assert!(!has_token(good) && !has_password(good), "{good}");
        }
    }

    #[test]
    fn the_message_names_the_line_and_not_the_token() {
        let token = format!("hf_{}", "x".repeat(34));
        let contents =
            Contents::from([("run/a.json".to_owned(), format!("{{\n  \"t\": \"{token}\"\n}}").into_bytes())]);
        let error = refuse(&contents).unwrap_err();
        assert_eq!(error.exit_code(), 4);
        assert!(error.to_string().starts_with("run/a.json:2: ") && !error.to_string().contains(&token), "{error}");
    }
}
