//! Lines of `name = value`: environment files, INI, properties and what is flat in TOML.

use std::sync::Arc;

use hashbrown::HashMap;

use crate::{
    source::Place,
    value::{Text, Trace, Val, literal},
};

/// Names with their values, in order.
pub type Named = Vec<(Arc<str>, Val)>;

/// Deepest values that name each other.
const NAMES_DEEP_MAX: usize = 8;
/// Most names that are put into one value.
const NAMES_MAX: usize = 64;

/// A line with its value's place.
#[derive(Clone, Debug)]
pub struct Entry<'t> {
    pub section: &'t str,
    pub name: &'t str,
    pub value: &'t str,
    /// Bytes of the value in the text.
    pub start: usize,
}

/// How a line gives a name its value.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Style {
    /// `name = value`.
    Pairs,
    /// `name value` too, as nginx, Fluent Bit and Redis write it.
    Directives,
}

/// Most entries of a text.
pub const ENTRIES_MAX: usize = 50_000;

/// All entries of a text; lines that are none are passed over.
pub fn entries(text: &str) -> Vec<Entry<'_>> {
    lines(text, Style::Pairs)
}

/// All entries of a text whose lines may be `name value`.
pub fn directives(text: &str) -> Vec<Entry<'_>> {
    lines(text, Style::Directives)
}

fn lines(text: &str, style: Style) -> Vec<Entry<'_>> {
    let mut out = Vec::new();
    let mut section = "";
    let mut offset = 0;
    let mut is_continued = false;
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
        let body = body.strip_prefix("export ").or_else(|| body.strip_prefix("@SET ")).unwrap_or(body);
        // `spark.x.y   value`, as Spark and Hadoop write it.
        let spaced = body
            .split_once(char::is_whitespace)
            .filter(|(name, _)| name.contains('.') && !name.contains('=') && !name.ends_with(':'));
        let directive = || match style {
            Style::Pairs => None,
            // `set $name value;` gives a name its value as any other line does.
            Style::Directives => body.strip_prefix("set $").unwrap_or(body).split_once(char::is_whitespace),
        };
        // Logstash writes `name => value`.
        let arrow = || body.split_once("=>").filter(|(name, _)| !name.contains('='));
        let equals = || body.split_once('=').filter(|(name, _)| style == Style::Pairs || !name.trim().contains(' '));
        let pair = || arrow().or_else(equals);
        let Some((name, value)) = spaced.or_else(pair).or_else(|| body.split_once(": ")).or_else(directive) else {
            // A value that goes on below its name, further in.
            if let Some(last) = out.last().filter(|last: &&Entry<'_>| last.section == section)
                && line.starts_with([' ', '\t'])
                && (last.value.is_empty() || is_continued)
            {
                let value = unquoted(body);
                let at = value.as_ptr() as usize - text.as_ptr() as usize;
                out.push(Entry { section, name: last.name, value, start: at });
                is_continued = true;
            }
            continue;
        };
        is_continued = false;
        let value = if style == Style::Directives { value.trim_end().trim_end_matches(';') } else { value };
        let name = name.trim().trim_matches('"');
        if name.is_empty() || name.len() > 200 || name.contains(char::is_whitespace) && !name.starts_with("export") {
            continue;
        }
        let value = unquoted(value.trim());
        let at = value.as_ptr() as usize - text.as_ptr() as usize;
        debug_assert!(at >= start);
        out.push(Entry { section, name, value, start: at });
        if out.len() >= ENTRIES_MAX {
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

/// What entries say of each other: `%(name)s` and `${section:name}` of INI, `${name}` and
/// `${name:default}` of properties, `$name` of nginx.
pub struct Known<'e, 't> {
    entries: &'e [Entry<'t>],
    by_name: HashMap<String, Vec<usize>>,
}

impl<'e, 't> Known<'e, 't> {
    pub fn new(entries: &'e [Entry<'t>]) -> Self {
        let mut by_name: HashMap<String, Vec<usize>> = HashMap::new();
        for (i, entry) in entries.iter().enumerate() {
            by_name.entry(entry.name.to_lowercase()).or_default().push(i);
        }
        Self { entries, by_name }
    }

    /// The value of an entry with the others put in, and which those were.
    pub fn value(&self, entry: &Entry<'t>) -> (String, Vec<usize>) {
        let mut used = Vec::new();
        let text = self.expanded(entry.value, entry.section, &mut used, 0);
        (text, used)
    }

    fn expanded(&self, text: &str, section: &str, used: &mut Vec<usize>, depth: usize) -> String {
        if depth > NAMES_DEEP_MAX || !text.contains(['$', '%']) {
            return text.to_owned();
        }
        let mut value = |name: &str| {
            // Of all levels together, so that values which name each other do not double for ever.
            if used.len() >= NAMES_MAX {
                return None;
            }
            let (plain, default) = name.split_once(":-").or_else(|| name.split_once(':')).unwrap_or((name, ""));
            let index =
                self.find(name, section).or_else(|| self.find_in(default, plain)).or_else(|| self.find(plain, section));
            match index.and_then(|i| Some((i, self.entries.get(i)?))) {
                Some((i, entry)) => {
                    used.push(i);
                    Some(self.expanded(entry.value, entry.section, used, depth + 1))
                }
                // What is asked of the environment has no default.
                None => (!default.is_empty() && !matches!(plain, "ENV" | "env" | "secrets" | "file" | "vault" | "sys"))
                    .then(|| default.to_owned()),
            }
        };
        let text = crate::interpolate::substitute(text, "%(", ")s", &mut value);
        let text = crate::interpolate::substitute(&text, "${", "}", &mut value);
        let bare = names(&text);
        bare.into_iter().rev().fold(text, |text, (start, end)| {
            let name = text.get(start + 1..end).unwrap_or_default().to_owned();
            match value(&name).filter(|known| text.len() + known.len() < crate::interpolate::BYTES_MAX) {
                Some(known) => {
                    let mut text = text;
                    text.replace_range(start..end, &known);
                    text
                }
                None => text,
            }
        })
    }

    /// A name as a section sees it: its own, that of all sections, that of one other.
    fn find(&self, name: &str, section: &str) -> Option<usize> {
        let found = self.by_name.get(&name.to_lowercase())?;
        let of = |wanted: &str| {
            found.iter().rev().copied().find(|i| self.entries.get(*i).is_some_and(|e| e.section == wanted))
        };
        of(section).or_else(|| of("DEFAULT")).or_else(|| of("")).or(match found.as_slice() {
            [one] => Some(*one),
            _ => None,
        })
    }

    /// `${section:name}`.
    fn find_in(&self, name: &str, section: &str) -> Option<usize> {
        let found = self.by_name.get(&name.to_lowercase())?;
        found.iter().rev().copied().find(|i| self.entries.get(*i).is_some_and(|e| e.section == section))
    }
}

/// Where `$name` stands without braces.
fn names(text: &str) -> Vec<(usize, usize)> {
    let mut out = Vec::new();
    for (at, _) in text.match_indices('$') {
        let rest = text.get(at + 1..).unwrap_or_default();
        let end = rest.find(|c: char| !c.is_alphanumeric() && c != '_').unwrap_or(rest.len());
        if end > 0 && out.len() < NAMES_MAX {
            out.push((at, at + 1 + end));
        }
    }
    out
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
