//! A check as JUnit XML: a suite for each golden (and each run held against one), a case for each evaluation and kind of check.

use super::finding::{CheckReport, Finding, Kind, Outcome, Suite};
use crate::error::{Context, Error, Result};
use indexmap::IndexMap;
use quick_xml::Writer;
use quick_xml::events::{BytesDecl, BytesText, Event};
use std::io;

/// A case: what is told of one evaluation and one kind of check.
type Cases<'a> = IndexMap<(Option<&'a str>, Kind), Vec<&'a Finding>>;

impl CheckReport {
    /// The report as JUnit XML.
    ///
    /// # Errors
    /// Internal: it cannot be written.
    pub fn to_junit(&self) -> Result<String> {
        let suites: Vec<(String, Cases<'_>)> = self.suites.iter().map(|suite| (name(suite), cases(suite))).collect();
        let count = |f: fn(&[&Finding]) -> bool, cases: &Cases<'_>| cases.values().filter(|c| f(c)).count();
        let all = |f: fn(&[&Finding]) -> bool| suites.iter().map(|(_, cases)| count(f, cases)).sum::<usize>();
        document(|writer| {
            let tests = suites.iter().map(|(_, cases)| cases.len()).sum::<usize>();
            let head = counts(tests, all(differs), 0, all(absent));
            let head = [("name", "aqa-bench check".to_owned())].into_iter().chain(head);
            element(writer, "testsuites", head, |writer| {
                for (name, cases) in &suites {
                    let head = counts(cases.len(), count(differs, cases), 0, count(absent, cases));
                    let head = [("name", name.clone())].into_iter().chain(head);
                    element(writer, "testsuite", head, |writer| {
                        cases.iter().try_for_each(|((eval, kind), found)| case(writer, name, *eval, *kind, found))
                    })?;
                }
                Ok(())
            })
        })
    }
}

/// A check that ended with an error, as JUnit XML: a reader must not take the file of an earlier check for this one's.
///
/// # Errors
/// Internal: it cannot be written.
pub fn junit_of(error: &Error) -> Result<String> {
    document(|writer| {
        let head = |name: &str| [("name", name.to_owned())].into_iter().chain(counts(1, 0, 1, 0));
        element(writer, "testsuites", head("aqa-bench check"), |writer| {
            element(writer, "testsuite", head("golden"), |writer| {
                let head = [("classname", "golden".to_owned()), ("name", "check".to_owned())];
                element(writer, "testcase", head, |writer| message(writer, "error", &error.to_string(), ""))
            })
        })
    })
}

fn name(suite: &Suite) -> String {
    let golden = suite.golden.display();
    suite.run.as_ref().map_or_else(|| golden.to_string(), |run| format!("{golden} and run {}", run.display()))
}

fn cases(suite: &Suite) -> Cases<'_> {
    let mut cases = Cases::new();
    for finding in &suite.findings {
        cases.entry((finding.eval.as_deref(), finding.kind)).or_default().push(finding);
    }
    cases
}

fn differs(found: &[&Finding]) -> bool {
    found.iter().any(|f| f.outcome == Outcome::Different)
}

/// Whether there was nothing to check.
fn absent(found: &[&Finding]) -> bool {
    found.iter().all(|f| f.outcome == Outcome::NotRecorded)
}

fn counts(tests: usize, failures: usize, errors: usize, skipped: usize) -> [(&'static str, String); 4] {
    let number = |n: usize| n.to_string();
    [("tests", number(tests)), ("failures", number(failures)), ("errors", number(errors)), ("skipped", number(skipped))]
}

type Xml = Writer<Vec<u8>>;

fn case(writer: &mut Xml, suite: &str, eval: Option<&str>, kind: Kind, found: &[&Finding]) -> io::Result<()> {
    let class = eval.map_or_else(|| suite.to_owned(), |eval| format!("{suite}/{eval}"));
    element(writer, "testcase", [("classname", class), ("name", kind.name().to_owned())], |writer| {
        for finding in found {
            let more = finding.more().join("\n");
            match finding.outcome {
                Outcome::Same => {}
                Outcome::Different => message(writer, "failure", &finding.line(), &more)?,
                Outcome::NotRecorded if absent(found) => message(writer, "skipped", &finding.line(), "")?,
                Outcome::Noted | Outcome::NotRecorded => {
                    let text = [finding.line(), more].join("\n");
                    element(writer, "system-out", [], |writer| self::text(writer, text.trim_end()))?;
                }
            }
        }
        Ok(())
    })
}

fn message(writer: &mut Xml, tag: &str, line: &str, more: &str) -> io::Result<()> {
    element(writer, tag, [("message", line.to_owned())], |writer| text(writer, more))
}

fn document(body: impl FnOnce(&mut Xml) -> io::Result<()>) -> Result<String> {
    let mut writer = Writer::new_with_indent(Vec::new(), b' ', 2);
    let written =
        writer.write_event(Event::Decl(BytesDecl::new("1.0", Some("UTF-8"), None))).and_then(|()| body(&mut writer));
    written.internal(|| "cannot write JUnit XML".into())?;
    let text = String::from_utf8(writer.into_inner()).internal(|| "cannot write JUnit XML".into())?;
    Ok(text + "\n")
}

fn element(
    writer: &mut Xml,
    tag: &str,
    attributes: impl IntoIterator<Item = (&'static str, String)>,
    body: impl FnOnce(&mut Xml) -> io::Result<()>,
) -> io::Result<()> {
    let attributes: Vec<(&str, String)> = attributes.into_iter().map(|(key, value)| (key, allowed(&value))).collect();
    let attributes = attributes.iter().map(|(key, value)| (*key, value.as_str()));
    writer.create_element(tag).with_attributes(attributes).write_inner_content(body)?;
    Ok(())
}

fn text(writer: &mut Xml, text: &str) -> io::Result<()> {
    if text.is_empty() { Ok(()) } else { writer.write_event(Event::Text(BytesText::new(&allowed(text)))) }
}

/// The text with a replacement character for each that XML 1.0 cannot hold, not even escaped.
fn allowed(text: &str) -> String {
    let is_allowed =
        |c: char| matches!(c, '\t' | '\n' | '\r' | ' '..='\u{d7ff}' | '\u{e000}'..='\u{fffd}' | '\u{10000}'..);
    text.chars().map(|c| if is_allowed(c) { c } else { '\u{fffd}' }).collect()
}
