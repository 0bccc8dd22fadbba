//! The layering that `src/lib.rs` states: a module uses only modules that are declared above it, libtorch stays behind its
//! feature, and no file grows beyond what can be read at once.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

/// Lines that a source file may have at most, less one.
const LINES: usize = 400;
/// Modules that stand beside the declared ones: names that `crate::` may be followed by anywhere.
const ROOT_NAMES: [&str; 2] = ["Error", "Result"];

/// A piece of Rust that the checks look at. Comments and whitespace are gone.
#[derive(Debug, Clone, PartialEq)]
enum Token {
    Word(String),
    Text(String),
    Mark(char),
}

/// Enough of Rust's lexical structure to tell code from comments, strings, characters and lifetimes.
fn tokens(source: &str) -> Vec<(Token, usize)> {
    let chars: Vec<char> = source.chars().collect();
    let (mut out, mut at, mut line) = (Vec::new(), 0, 1);
    while at < chars.len() {
        let (c, next) = (chars[at], chars.get(at + 1).copied());
        let start = (at, line);
        if c == '/' && next == Some('/') {
            while at < chars.len() && chars[at] != '\n' {
                at += 1;
            }
        } else if c == '/' && next == Some('*') {
            let mut depth = 0;
            loop {
                match (chars.get(at), chars.get(at + 1)) {
                    (Some('/'), Some('*')) => (depth, at) = (depth + 1, at + 2),
                    (Some('*'), Some('/')) => (depth, at) = (depth - 1, at + 2),
                    (None, _) => break,
                    _ => at += 1,
                }
                if depth == 0 {
                    break;
                }
            }
        } else if let Some((text, end)) = string_at(&chars, at) {
            out.push((Token::Text(text), line));
            at = end;
        } else if c == '\'' {
            // A character ends with a quote after one (escaped) character; anything else is a lifetime.
            if next == Some('\\') {
                at += 3;
                while chars.get(at).is_some_and(|c| *c != '\'') {
                    at += 1;
                }
                at += 1;
            } else {
                at += if chars.get(at + 2) == Some(&'\'') { 3 } else { 1 };
            }
        } else if c.is_alphanumeric() || c == '_' {
            let word: String = chars[at..].iter().take_while(|c| c.is_alphanumeric() || **c == '_').collect();
            at += word.chars().count();
            out.push((Token::Word(word), line));
        } else {
            if !c.is_whitespace() {
                out.push((Token::Mark(c), line));
            }
            at += 1;
        }
        line = start.1 + chars[start.0..at.min(chars.len())].iter().filter(|c| **c == '\n').count();
    }
    out
}

/// The content of a string that starts here (plain, byte, C or raw), and where it ends.
fn string_at(chars: &[char], at: usize) -> Option<(String, usize)> {
    let mut open = at;
    while open < at + 2 && matches!(chars.get(open), Some('b' | 'c' | 'r')) {
        open += 1;
    }
    let raw = open > at && chars[open - 1] == 'r';
    let hashes = if raw { chars[open..].iter().take_while(|c| **c == '#').count() } else { 0 };
    let quote = open + hashes;
    if chars.get(quote) != Some(&'"') || (at > 0 && (chars[at - 1].is_alphanumeric() || chars[at - 1] == '_')) {
        return None;
    }
    let mut end = quote + 1;
    while end < chars.len() {
        match chars[end] {
            '\\' if !raw => end += 1,
            '"' if chars[end + 1..].iter().take_while(|c| **c == '#').take(hashes).count() == hashes => break,
            _ => {}
        }
        end += 1;
    }
    Some((chars[quote + 1..end.min(chars.len())].iter().collect(), end + 1 + hashes))
}

fn is_mark(tokens: &[(Token, usize)], at: usize, mark: char) -> bool {
    tokens.get(at).is_some_and(|(t, _)| *t == Token::Mark(mark))
}

fn word(tokens: &[(Token, usize)], at: usize) -> Option<&str> {
    match tokens.get(at) {
        Some((Token::Word(word), _)) => Some(word),
        _ => None,
    }
}

/// Whether `::` stands here.
fn path_sep(tokens: &[(Token, usize)], at: usize) -> bool {
    is_mark(tokens, at, ':') && is_mark(tokens, at + 1, ':')
}

/// The end of the item that follows an attribute: behind its closing brace or its semicolon.
fn item_end(tokens: &[(Token, usize)], mut at: usize) -> usize {
    let mut depth = 0usize;
    while at < tokens.len() {
        match tokens[at].0 {
            Token::Mark('{' | '(' | '[') => depth += 1,
            Token::Mark('}') if depth <= 1 => return at + depth,
            Token::Mark('}' | ')' | ']') => depth = depth.saturating_sub(1),
            Token::Mark(';' | ',') if depth == 0 => return at + 1,
            _ => {}
        }
        at += 1;
    }
    at
}

/// The token ranges of items behind `#[cfg(feature = "torch")]`, and of everything after `#![cfg(feature = "torch")]`.
fn behind_torch(tokens: &[(Token, usize)]) -> Vec<std::ops::Range<usize>> {
    let mut out = Vec::new();
    for at in 0..tokens.len() {
        if !is_mark(tokens, at, '#') {
            continue;
        }
        let inner = is_mark(tokens, at + 1, '!');
        let open = at + 1 + usize::from(inner);
        let parts = [
            is_mark(tokens, open, '['),
            word(tokens, open + 1) == Some("cfg"),
            is_mark(tokens, open + 2, '('),
            word(tokens, open + 3) == Some("feature"),
            is_mark(tokens, open + 4, '='),
            tokens.get(open + 5).is_some_and(|(t, _)| *t == Token::Text("torch".into())),
            is_mark(tokens, open + 6, ')'),
            is_mark(tokens, open + 7, ']'),
        ];
        if parts.iter().all(|p| *p) {
            // Further attributes may stand between this one and its item.
            let mut start = open + 8;
            while !inner && is_mark(tokens, start, '#') {
                start = 1 + (start..tokens.len()).find(|i| is_mark(tokens, *i, ']')).unwrap_or(tokens.len());
            }
            out.push(at..if inner { tokens.len() } else { item_end(tokens, start) });
        }
    }
    out
}

/// `mod x;` declarations, with whether they are behind the torch feature.
fn declared(source: &str) -> Vec<(String, bool)> {
    let tokens = tokens(source);
    let gated = behind_torch(&tokens);
    let declaration = |at: usize| {
        let name =
            word(&tokens, at + 1).filter(|_| word(&tokens, at) == Some("mod") && is_mark(&tokens, at + 2, ';'))?;
        Some((name.to_owned(), gated.iter().any(|range| range.contains(&at))))
    };
    (0..tokens.len()).filter_map(declaration).collect()
}

/// First names after `crate::` (or after as many `super::` as lead there), with their lines. `depth` is that of the file's
/// module: 1 for `src/seeds.rs` and `src/recipe/mod.rs`, 2 for `src/recipe/tree.rs`.
fn used(source: &str, depth: usize) -> Vec<(String, usize)> {
    let tokens = tokens(source);
    let mut out = Vec::new();
    // Inline modules that are open here: the brace depth at which each began.
    let (mut braces, mut inline) = (0usize, Vec::new());
    let mut at = 0;
    while at < tokens.len() {
        match &tokens[at].0 {
            Token::Mark('{') => braces += 1,
            Token::Mark('}') => {
                braces = braces.saturating_sub(1);
                if inline.last() == Some(&braces) {
                    inline.pop();
                }
            }
            Token::Word(w) if w == "mod" && word(&tokens, at + 1).is_some() && is_mark(&tokens, at + 2, '{') => {
                inline.push(braces);
            }
            Token::Word(w) if w == "crate" && path_sep(&tokens, at + 1) => names(&tokens, at + 3, &mut out),
            Token::Word(w) if w == "super" && path_sep(&tokens, at + 1) => {
                let mut ups = 1;
                let mut end = at + 3;
                while word(&tokens, end) == Some("super") && path_sep(&tokens, end + 1) {
                    (ups, end) = (ups + 1, end + 3);
                }
                if ups == depth + inline.len() {
                    names(&tokens, end, &mut out);
                }
                assert!(ups <= depth + inline.len(), "line {}: `super::` above the crate", tokens[at].1);
                at = end - 1;
            }
            _ => {}
        }
        at += 1;
    }
    out
}

/// The name at a place of a path, or the first names of the group there: `{a, b::c, d::{e, f}}`.
fn names(tokens: &[(Token, usize)], at: usize, out: &mut Vec<(String, usize)>) {
    if let Some(name) = word(tokens, at) {
        out.push((name.to_owned(), tokens[at].1));
    } else if is_mark(tokens, at, '*') {
        out.push(("*".to_owned(), tokens[at].1));
    } else if is_mark(tokens, at, '{') {
        let (mut depth, mut first, mut i) = (1, true, at + 1);
        while depth > 0 && i < tokens.len() {
            match &tokens[i].0 {
                Token::Mark('{') => depth += 1,
                Token::Mark('}') => depth -= 1,
                Token::Mark(',') if depth == 1 => first = true,
                Token::Word(name) if depth == 1 && first => {
                    out.push((name.clone(), tokens[i].1));
                    first = false;
                }
                _ => {}
            }
            i += 1;
        }
    }
}

/// Lines that name `tch` outside items behind the torch feature.
fn bare_tch(source: &str) -> Vec<usize> {
    let tokens = tokens(source);
    let gated = behind_torch(&tokens);
    let bare = |at: &usize| word(&tokens, *at) == Some("tch") && !gated.iter().any(|range| range.contains(at));
    (0..tokens.len()).filter(bare).map(|at| tokens[at].1).collect()
}

/// What a file of module `own` uses that is declared after it, as `line: …`.
fn upward(source: &str, depth: usize, own: &str, order: &[String]) -> Vec<String> {
    let place = |name: &str| order.iter().position(|m| m == name);
    let here = place(own).unwrap_or_else(|| panic!("module {own} is not declared in src/lib.rs"));
    let judge = |(name, line): (String, usize)| match place(&name) {
        Some(there) if there <= here => None,
        Some(_) => Some(format!("{line}: {own} uses {name}, which is declared after it")),
        None if ROOT_NAMES.contains(&name.as_str()) => None,
        None => Some(format!("{line}: {own} uses crate::{name}, which is no declared module")),
    };
    used(source, depth).into_iter().filter_map(judge).collect()
}

/// Every source file of the library by its path below `src`, `lib.rs` and the programs apart.
fn files() -> BTreeMap<PathBuf, String> {
    fn walk(dir: &Path, out: &mut BTreeMap<PathBuf, String>) {
        for entry in fs::read_dir(dir).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                walk(&path, out);
            } else if path.extension().is_some_and(|e| e == "rs") {
                out.insert(path.strip_prefix("src").unwrap().to_owned(), fs::read_to_string(&path).unwrap());
            }
        }
    }
    let mut out = BTreeMap::new();
    walk(Path::new("src"), &mut out);
    out
}

/// The path of a file's module: `recipe/check/mod.rs` is `[recipe, check]`.
fn module(path: &Path) -> Vec<String> {
    let mut parts: Vec<String> =
        path.with_extension("").iter().map(|p| p.to_str().expect("module names are ASCII").to_owned()).collect();
    if parts.last().is_some_and(|last| last == "mod") {
        parts.pop();
    }
    parts
}

fn of_modules(files: &BTreeMap<PathBuf, String>) -> impl Iterator<Item = (&PathBuf, &String)> {
    files.iter().filter(|(path, _)| !matches!(path.to_str(), Some("lib.rs" | "main.rs" | "engine.rs")))
}

#[test]
fn modules_use_only_what_is_declared_above_them() {
    let files = files();
    let order: Vec<String> = declared(&files[Path::new("lib.rs")]).into_iter().map(|(name, _)| name).collect();
    assert_eq!(order.iter().collect::<BTreeSet<_>>().len(), order.len(), "a module is declared twice");
    let (mut wrong, mut looked_at, mut uses) = (Vec::new(), 0, 0);
    let mut seen = BTreeSet::new();
    for (path, source) in of_modules(&files) {
        let module = module(path);
        looked_at += 1;
        uses += used(source, module.len()).len();
        seen.insert(module[0].clone());
        let found = upward(source, module.len(), &module[0], &order);
        wrong.extend(found.into_iter().map(|what| format!("src/{}:{what}", path.display())));
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert_eq!(
        seen,
        order.iter().cloned().collect(),
        "every declared module has files, every file is of a declared one"
    );
    assert!(looked_at >= 50, "only {looked_at} files looked at");
    assert!(uses >= 100, "only {uses} uses of other modules found: the reader of sources is broken");
}

#[test]
fn libtorch_is_named_only_behind_its_feature() {
    let files = files();
    // A file is behind the feature when a `mod` line on its way down from lib.rs is.
    let mut gated: BTreeSet<Vec<String>> = BTreeSet::new();
    for (path, source) in files.iter().filter(|(path, _)| !matches!(path.to_str(), Some("main.rs" | "engine.rs"))) {
        let parent = if path.to_str() == Some("lib.rs") { Vec::new() } else { module(path) };
        let children = declared(source).into_iter().filter(|(_, torch)| *torch);
        gated.extend(children.map(|(name, _)| parent.iter().cloned().chain([name]).collect()));
    }
    let (mut wrong, mut behind) = (Vec::new(), 0);
    for (path, source) in &files {
        let module = module(path);
        if (1..=module.len()).any(|n| gated.contains(&module[..n])) {
            behind += usize::from(tokens(source).iter().any(|(t, _)| *t == Token::Word("tch".into())));
            continue;
        }
        wrong.extend(bare_tch(source).into_iter().map(|line| format!("src/{}:{line}: names tch", path.display())));
    }
    assert!(wrong.is_empty(), "outside the torch feature:\n{}", wrong.join("\n"));
    assert!(behind >= 10, "only {behind} files behind the feature name tch: the check looks at the wrong ones");
    for name in ["model", "generate", "train", "stage"] {
        assert!(gated.contains(&vec![name.to_owned()]), "{name} is not behind the torch feature");
    }
}

#[test]
fn no_file_is_longer_than_can_be_read_at_once() {
    let files = files();
    assert!(files.len() >= 50, "only {} files", files.len());
    let long: Vec<String> = files
        .iter()
        .map(|(path, source)| (path, source.lines().count()))
        .filter(|(_, lines)| *lines >= LINES)
        .map(|(path, lines)| format!("src/{}: {lines} lines", path.display()))
        .collect();
    assert!(long.is_empty(), "{}", long.join("\n"));
}

#[test]
fn the_checks_see_what_they_must_and_nothing_else() {
    let order: Vec<String> = ["error", "recipe", "plan", "cli"].map(str::to_owned).into();
    let found = |source: &str, depth| upward(source, depth, "recipe", &order);
    for bad in [
        "use crate::plan::Plan;",
        "use crate::{error::Result, plan};",
        "use crate::{error::{Error, Result}, plan::{self, Plan}};",
        "fn f() -> crate::cli::X { todo() }",
        "fn f(c: char) { if c == '\"' { crate::plan::f() } }",
        "fn f<'a>(x: &'a str) { let _ = r#\"crate::error\"#; super::plan::f(x) }",
        "mod tests { use super::super::plan::f; }",
        "use crate::nothing;",
        "use crate::*;",
        "/* a /* nested */ comment */ use crate :: plan;",
    ] {
        assert_eq!(found(bad, 1).len(), 1, "{bad}");
    }
    assert_eq!(found("// one\nuse super::super::plan::f;", 2), ["2: recipe uses plan, which is declared after it"]);
    for good in [
        "use crate::error::{Error, plan};",
        "// use crate::plan;\n/* crate::plan */ const A: &str = \"use crate::plan\";",
        "use super::plan;",
        "mod tests { use super::plan; }",
        "use crate::{Error, Result, recipe::plan};",
        "const Q: char = '\\''; const S: &str = \"\\\" crate::plan \\\\\"; const R: &str = br##\"\"# crate::plan\"##;",
    ] {
        assert_eq!(found(good, 2), [""; 0], "{good}");
    }

    let torch = "#[cfg(feature = \"torch\")]";
    assert_eq!(bare_tch("use tch::Tensor;\nfn f() { tch::no_grad(g) }"), [1, 2]);
    assert_eq!(bare_tch(&format!("{torch}\nfn f() {{ {{ tch::x() }} }}\nfn g() {{ tch::y() }}")), [3]);
    assert_eq!(bare_tch(&format!("{torch} #[inline] use tch::x;\nuse tch::y;")), [2]);
    assert_eq!(bare_tch(&format!("{}\nuse tch::y;", torch.replace("#[", "#!["))), [0; 0]);
    assert_eq!(bare_tch("#[cfg(not(feature = \"torch\"))]\nuse tch::y;\n// tch\n"), [2]);
    let mods = declared(&format!("pub mod a;\n{torch}\npub mod b;\nmod c {{ mod d; }} // mod e;"));
    assert_eq!(mods, [("a".into(), false), ("b".into(), true), ("d".into(), false)]);
}
