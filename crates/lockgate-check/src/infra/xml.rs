//! XML: Hadoop's and Hive's `<property>`, Maven's settings, and whatever names a value by its tag
//! or its attributes.

use quick_xml::{
    Reader,
    events::{BytesStart, Event},
};

use super::{config_value, val};
use crate::{
    collect::{Collector, Sink},
    interpolate,
    source::Place,
    storage,
    value::literal,
};

const DEPTH_MAX: usize = 64;
/// Most values of a document.
const VALUES_MAX: usize = 50_000;

/// A name with its value and the value's bytes.
struct Named {
    name: String,
    value: String,
    start: usize,
    end: usize,
}

#[derive(Default)]
struct Element {
    tag: String,
    text: String,
    start: usize,
    end: usize,
    /// Its attribute `name`, which names its text.
    called: Option<String>,
    /// The texts of its `name` and `value`.
    name: Option<String>,
    value: Option<(String, usize, usize)>,
    is_parent: bool,
}

pub fn read(collector: &mut Collector<'_>, file: u32, text: &str) {
    let found = match named(text) {
        Ok(found) => found,
        Err((what, at)) => {
            collector.problem(file, u32::try_from(at).unwrap_or(0), &format!("it is not XML: {what}"));
            return;
        }
    };
    let known: hashbrown::HashMap<&str, &str> =
        found.iter().map(|one| (one.name.as_str(), one.value.as_str())).collect();
    for one in &found {
        let place = Place::new(file, one.start, one.end);
        let sink = Sink { what: &one.name, place, access: "any" };
        config_value(collector, &one.name, &val(&one.value, place), sink);
        collector.switch(&one.name, &one.value, place);
        let lower = one.name.to_ascii_lowercase();
        if ["description", "comment", "deny", "prohibited", "blocked"].iter().any(|word| lower.contains(word)) {
            continue;
        }
        // `${fs.bucket}` of Hadoop is another property.
        let text =
            interpolate::substitute(&one.value, "${", "}", |name| known.get(name).map(|value| (*value).to_owned()));
        for location in storage::find(&text) {
            collector.storage(&location, &literal(place), sink);
        }
        if storage::names_bucket(&one.name) && !text.is_empty() && !text.contains("://") {
            let provider = storage::provider_of(&one.name).unwrap_or("any");
            collector.storage(&storage::bucket(provider, &text, "", ""), &literal(place), sink);
        }
    }
}

fn named(text: &str) -> Result<Vec<Named>, (String, usize)> {
    let mut reader = Reader::from_str(text);
    let mut out = Vec::new();
    let mut stack: Vec<Element> = Vec::new();
    let at = |reader: &Reader<&[u8]>| usize::try_from(reader.buffer_position()).unwrap_or(0);
    loop {
        let before = at(&reader);
        let event = reader.read_event().map_err(|e| (e.to_string(), before))?;
        let after = at(&reader);
        if out.len() > VALUES_MAX || stack.len() > DEPTH_MAX {
            return Err(("it has more than 50,000 values or is nested deeper than 64".to_owned(), before));
        }
        match event {
            Event::Eof => return Ok(out),
            Event::Start(tag) => {
                attributes(&tag, text, before, after, &mut out);
                if let Some(parent) = stack.last_mut() {
                    parent.is_parent = true;
                }
                let called = tag.attributes().flatten().take(100).find(|a| a.key.local_name().as_ref() == b"name");
                let called = called.map(|a| String::from_utf8_lossy(&a.value).into_owned());
                stack.push(Element { tag: local(&tag), called, start: after, end: after, ..Element::default() });
            }
            Event::Empty(tag) => attributes(&tag, text, before, after, &mut out),
            Event::Text(_) | Event::CData(_) => {
                if let Some(element) = stack.last_mut() {
                    let raw = text.get(before..after).unwrap_or_default();
                    let raw = raw.strip_prefix("<![CDATA[").and_then(|r| r.strip_suffix("]]>")).unwrap_or(raw);
                    if element.text.is_empty() {
                        element.start = before;
                    }
                    element.text.push_str(raw.trim());
                    element.end = after;
                }
            }
            Event::GeneralRef(_) => {
                if let Some(element) = stack.last_mut() {
                    element.text.push_str(unescaped(text.get(before..after).unwrap_or_default()));
                    element.end = after;
                }
            }
            Event::End(_) => {
                let Some(done) = stack.pop() else { continue };
                if let (Some(name), Some((value, start, end))) = (&done.name, &done.value) {
                    out.push(Named { name: name.clone(), value: value.clone(), start: *start, end: *end });
                } else if !done.is_parent && !done.text.is_empty() {
                    match (stack.last_mut(), done.tag.as_str()) {
                        (Some(parent), "name" | "key") => parent.name = Some(done.text),
                        (Some(parent), "value") => parent.value = Some((done.text, done.start, done.end)),
                        _ => out.push(Named {
                            name: done.called.unwrap_or(done.tag),
                            value: done.text,
                            start: done.start,
                            end: done.end,
                        }),
                    }
                }
            }
            _ => {}
        }
    }
}

/// `password="..."`, and `name="password" value="..."`.
fn attributes(tag: &BytesStart<'_>, text: &str, from: usize, to: usize, out: &mut Vec<Named>) {
    let whole = text.get(from..to).unwrap_or_default();
    let mut pairs: Vec<Named> = Vec::new();
    for attribute in tag.attributes().flatten().take(100) {
        let name = String::from_utf8_lossy(attribute.key.local_name().as_ref()).into_owned();
        let value = String::from_utf8_lossy(&attribute.value).into_owned();
        let at = whole.find(&value).filter(|_| !value.is_empty()).map_or(from, |i| from + i);
        pairs.push(Named { name, end: at + value.len(), start: at, value });
    }
    let get = |wanted: &[&str]| pairs.iter().find(|p| wanted.contains(&p.name.to_ascii_lowercase().as_str()));
    if let (Some(name), Some(value)) = (get(&["name", "key"]), get(&["value"])) {
        out.push(Named { name: name.value.clone(), value: value.value.clone(), start: value.start, end: value.end });
    }
    out.extend(pairs);
}

fn local(tag: &BytesStart<'_>) -> String {
    String::from_utf8_lossy(tag.local_name().as_ref()).into_owned()
}

fn unescaped(reference: &str) -> &str {
    match reference {
        "&amp;" => "&",
        "&lt;" => "<",
        "&gt;" => ">",
        "&quot;" => "\"",
        "&apos;" => "'",
        other => other,
    }
}
