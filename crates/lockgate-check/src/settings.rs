//! Lines of `name = value`: environment files, INI, properties and what is flat in TOML.

use std::sync::Arc;

use crate::{
    source::Place,
    value::{Text, Trace, Val, literal},
};

/// Names with their values, in order.
pub type Named = Vec<(Arc<str>, Val)>;

/// A line with its value's place.
#[derive(Clone, Debug)]
pub struct Entry<'t> {
    pub section: &'t str,
    pub name: &'t str,
    pub value: &'t str,
    /// Bytes of the value in the text.
    pub start: usize,
}

/// All entries of a text; lines that are none are passed over.
pub fn entries(text: &str) -> Vec<Entry<'_>> {
    let mut out = Vec::new();
    let mut section = "";
    let mut offset = 0;
    for line in text.split_inclusive('\n') {
        let start = offset;
        offset += line.len();
        let body = line.trim();
        if body.is_empty() || body.starts_with(['#', ';', '!']) || body.starts_with("//") {
            continue;
        }
        if let Some(name) = body.strip_prefix('[').and_then(|b| b.split_once(']')) {
            section = name.0.trim_matches(['[', ']', '"']);
            continue;
        }
        let body = body.strip_prefix("export ").unwrap_or(body);
        // `spark.x.y   value`, as Spark and Hadoop write it.
        let spaced = body
            .split_once(char::is_whitespace)
            .filter(|(name, _)| name.contains('.') && !name.contains('=') && !name.ends_with(':'));
        let Some((name, value)) = spaced.or_else(|| body.split_once('=')).or_else(|| body.split_once(": ")) else {
            continue;
        };
        let name = name.trim().trim_matches('"');
        if name.is_empty() || name.len() > 200 || name.contains(char::is_whitespace) && !name.starts_with("export") {
            continue;
        }
        let value = unquoted(value.trim());
        let at = value.as_ptr() as usize - text.as_ptr() as usize;
        debug_assert!(at >= start);
        out.push(Entry { section, name, value, start: at });
        if out.len() >= 50_000 {
            break;
        }
    }
    out
}

fn unquoted(value: &str) -> &str {
    for quote in ['"', '\''] {
        if let Some(rest) = value.strip_prefix(quote) {
            return rest.split(quote).next().unwrap_or(rest);
        }
    }
    // A comment behind the value.
    value.split(" #").next().unwrap_or(value).split(" ;").next().unwrap_or(value).trim_end()
}

fn val(text: &str, entry: &Entry<'_>, trace: &Trace) -> Val {
    // Where the whole text is a file, the value has its own place there.
    let own = match crate::value::literals(trace).as_slice() {
        [place] if place.start == 0 && place.end as usize == text.len() => {
            literal(Place::new(place.file, entry.start, entry.start + entry.value.len()))
        }
        _ => trace.clone(),
    };
    Val::text(Text::Known(entry.value.into()), own)
}

/// Names with their values.
pub fn values(text: &str, trace: &Trace) -> Named {
    entries(text).iter().map(|entry| (entry.name.into(), val(text, entry, trace))).collect()
}

/// Sections with their names and values; INI's names are in lower case.
pub fn sections(text: &str, trace: &Trace) -> Vec<(Arc<str>, Named)> {
    let mut out: Vec<(Arc<str>, Named)> = Vec::new();
    for entry in entries(text) {
        let pair = (entry.name.to_lowercase().into(), val(text, &entry, trace));
        match out.iter_mut().find(|(name, _)| &**name == entry.section) {
            Some((_, pairs)) => pairs.push(pair),
            None => out.push((entry.section.into(), vec![pair])),
        }
    }
    out
}

/// TOML as nested mappings, as far as it is `name = "text"` in tables.
pub fn toml_value(text: &str, trace: &Trace) -> Option<Val> {
    let root = Val::dict(Vec::new(), true);
    for entry in entries(text) {
        let mut dict = root.clone();
        for part in entry.section.split('.').filter(|part| !part.is_empty()) {
            let crate::value::Kind::Dict(inner) = &dict.kind else { return None };
            let next = inner.borrow().get(part).cloned();
            let next = next.unwrap_or_else(|| {
                let made = Val::dict(Vec::new(), true);
                inner.borrow_mut().set(Val::str(part), made.clone());
                made
            });
            dict = next;
        }
        if let crate::value::Kind::Dict(inner) = &dict.kind {
            inner.borrow_mut().set(Val::str(entry.name), val(text, &entry, trace));
        }
    }
    Some(root)
}
