//! Google Drive. A small file is served at once; for one that is too large to be scanned for viruses Drive first shows a page with a form,
//! and serves the file to whom sends the form. When nobody may have the file just now, there is a page, too.

use super::client::{Ask, Client, Reply};
use super::retry::Failure;
use crate::error::Error;
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use std::io::Read;

/// Bytes of a page that are looked at.
const PAGE: u64 = 1 << 20;

/// Asks for a file's bytes from an offset on, through the form if there is one.
pub(super) fn open(
    client: &Client,
    base: &str,
    id: &str,
    what: &str,
    offset: u64,
    if_range: Option<&str>,
) -> Result<Reply, Failure> {
    let get = |url: &str| client.get(&Ask { url, what, hub: None, offset, if_range });
    let reply = get(&format!("{base}/download?id={id}&export=download&confirm=t"))?;
    if !is_page(&reply) {
        return Ok(reply);
    }
    let page = read(reply)?;
    let fields = hidden_fields(&page);
    if fields.iter().all(|(name, _)| name != "id") {
        return Err(no_file(what, &page).into());
    }
    // The form's own address is not followed: the file is asked of the host that was asked before.
    let encoded = |text: &str| utf8_percent_encode(text, NON_ALPHANUMERIC).to_string();
    let query: Vec<String> =
        fields.iter().map(|(name, value)| format!("{}={}", encoded(name), encoded(value))).collect();
    let reply = get(&format!("{base}/download?{}", query.join("&")))?;
    if is_page(&reply) {
        return Err(no_file(what, &read(reply)?).into());
    }
    Ok(reply)
}

fn is_page(reply: &Reply) -> bool {
    reply.header("content-type").is_some_and(|kind| kind.trim_start().to_ascii_lowercase().starts_with("text/html"))
}

fn read(reply: Reply) -> Result<String, Failure> {
    let mut bytes = Vec::new();
    let read = reply.body.into_reader().take(PAGE).read_to_end(&mut bytes);
    read.map_err(|e| Failure::again(format!("Google Drive's page was cut off ({e})")))?;
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

/// Names and values of the hidden fields of the page's form.
fn hidden_fields(page: &str) -> Vec<(String, String)> {
    let inputs = page.split("<input").skip(1).filter_map(|rest| rest.split('>').next());
    let hidden = inputs.filter(|tag| attribute(tag, "type").as_deref() == Some("hidden"));
    hidden.filter_map(|tag| Some((attribute(tag, "name")?, attribute(tag, "value")?))).collect()
}

fn attribute(tag: &str, name: &str) -> Option<String> {
    let value = tag.split_once(&format!(" {name}=\""))?.1.split('"').next()?;
    Some(
        value
            .replace("&quot;", "\"")
            .replace("&#39;", "'")
            .replace("&lt;", "<")
            .replace("&gt;", ">")
            .replace("&amp;", "&"),
    )
}

/// A page in place of the file: the reason, as far as it is known.
fn no_file(what: &str, page: &str) -> Error {
    let by_hand = "download it in a browser and give its path instead";
    let title = page.split_once("<title>").and_then(|(_, rest)| rest.split("</title>").next()).unwrap_or("").trim();
    let title: String = title.chars().filter(|c| !c.is_control()).take(80).collect();
    let lower = page.to_lowercase();
    let reason = if lower.contains("quota exceeded") || lower.contains("too many users") {
        format!("too many people downloaded it lately: try again in a day, or {by_hand}")
    } else if lower.contains("sign in") || lower.contains("servicelogin") {
        format!("its owner lets only some accounts have it: {by_hand}")
    } else {
        by_hand.to_owned()
    };
    Error::inputs(format!("{what}: expected a file, Google Drive shows a page with the title {title:?} ({reason})"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_form_of_the_page_gives_its_hidden_fields() {
        let page = r#"<form id="download-form" action="https://x/download" method="get"><input type="submit" id="uc" value="Download anyway"/>
            <input type="hidden" name="id" value="1fER"><input type="hidden" name="confirm" value="t"><input type="hidden" name="uuid" value="a&amp;b"></form>"#;
        let expected = [("id", "1fER"), ("confirm", "t"), ("uuid", "a&b")];
        assert_eq!(hidden_fields(page), expected.map(|(n, v)| (n.to_owned(), v.to_owned())));
        assert!(hidden_fields("<html><input type=\"text\" name=\"id\" value=\"x\"></html>").is_empty());
    }

    #[test]
    fn pages_without_a_file_say_why() {
        let words = |page: &str| no_file("drive://x", page).to_string();
        let quota =
            words("<title>Google Drive - Quota exceeded</title><p>Too many users have viewed or downloaded this file");
        assert!(quota.contains("try again in a day") && quota.contains("\"Google Drive - Quota exceeded\""), "{quota}");
        assert!(words("<title>Google Drive: Sign in</title>").contains("only some accounts"));
        assert!(words("").contains("give its path instead"));
    }
}
