//! Functions of Rego that call themselves. Rego forbids it, the engine does not look for it, and
//! its stack is what such a rule would end.
//!
//! Read are the heads of functions and the calls in their bodies; who calls whom is all that
//! matters, so a call that only stands in a comprehension or behind `not` counts too.

use hashbrown::{HashMap, HashSet};

/// A function by its package and name.
type Name = (String, String);

/// The first function of these files that calls itself, over any number of others.
pub fn find(files: &[(String, String)]) -> Option<String> {
    let mut calls: HashMap<Name, Vec<Name>> = HashMap::new();
    for (_, text) in files {
        read(text, &mut calls);
    }
    let mut names: Vec<&Name> = calls.keys().collect();
    names.sort();
    names.into_iter().find(|name| reaches(name, name, &calls)).map(|(package, name)| format!("{package}.{name}"))
}

fn reaches(from: &Name, to: &Name, calls: &HashMap<Name, Vec<Name>>) -> bool {
    let mut waiting = vec![from];
    let mut seen = HashSet::new();
    while let Some(name) = waiting.pop() {
        for called in calls.get(name).into_iter().flatten() {
            if called == to {
                return true;
            }
            if seen.insert(called) {
                waiting.push(called);
            }
        }
    }
    false
}

/// Notes who calls whom in a file. A head stands outside of all brackets at the start of a line.
fn read(text: &str, calls: &mut HashMap<Name, Vec<Name>>) {
    let text = code(text);
    let mut package = String::new();
    let mut imports: HashMap<String, String> = HashMap::new();
    let mut head: Option<Name> = None;
    let mut depth = 0usize;
    for line in text.lines() {
        let body = line.trim_start();
        if let Some(name) = body.strip_prefix("package ").filter(|_| depth == 0) {
            name.trim().clone_into(&mut package);
            continue;
        }
        if let Some(import) = body.strip_prefix("import ").filter(|_| depth == 0) {
            let mut words = import.split_whitespace();
            let path = words.next().unwrap_or_default();
            let alias = words.nth(1).unwrap_or_else(|| path.rsplit('.').next().unwrap_or(path));
            if let Some(path) = path.strip_prefix("data.") {
                imports.insert(alias.to_owned(), path.to_owned());
            }
            continue;
        }
        let mut rest = body;
        if depth == 0 && body.starts_with(|c: char| c.is_alphabetic() || c == '_') && !body.starts_with("else") {
            let body = body.strip_prefix("default ").unwrap_or(body);
            let end = body.find(|c: char| !c.is_alphanumeric() && c != '_').unwrap_or(body.len());
            let (name, tail) = body.split_at(end);
            // A rule that asks for itself is refused by the engine; a function is not.
            head = tail.trim_start().starts_with('(').then(|| (package.clone(), name.to_owned()));
            rest = tail;
        }
        if let Some(head) = &head {
            let own = calls.entry(head.clone()).or_default();
            own.extend(rest.match_indices('(').filter_map(|(at, _)| called(rest.get(..at)?, &package, &imports)));
        }
        for c in body.chars() {
            match c {
                '{' | '[' | '(' => depth += 1,
                '}' | ']' | ')' => depth = depth.saturating_sub(1),
                _ => {}
            }
        }
    }
}

/// The function that is called where this ends.
fn called(before: &str, package: &str, imports: &HashMap<String, String>) -> Option<Name> {
    let before = before.trim_end();
    let start = before.rfind(|c: char| !c.is_alphanumeric() && !matches!(c, '_' | '.' | '[' | ']' | '"'));
    let path = before.get(start.map_or(0, |at| at + 1)..)?.replace("[\"", ".").replace("\"]", "");
    let (place, name) = path.rsplit_once('.').unwrap_or(("", &path));
    let (first, tail) = place.split_once('.').map_or((place, String::new()), |(a, b)| (a, format!(".{b}")));
    let place = match first {
        "" => package.to_owned(),
        "data" => tail.trim_start_matches('.').to_owned(),
        alias => format!("{}{tail}", imports.get(alias)?),
    };
    (!name.is_empty()).then(|| (place, name.to_owned()))
}

/// The text without what stands in quotes and comments.
fn code(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut quote = None;
    let mut chars = text.chars();
    while let Some(c) = chars.next() {
        match (quote, c) {
            // `data["a"]` is a path as `data.a` is.
            (None, '"') if out.ends_with('[') => {
                let path: String = chars.by_ref().take_while(|c| *c != '"').collect();
                out.push_str(&format!("\"{path}\""));
            }
            (None, '"' | '`') => quote = Some(c),
            (None, '#') => {
                if chars.by_ref().any(|c| c == '\n') {
                    out.push('\n');
                }
            }
            (None, c) => out.push(c),
            (Some('"'), '\\') => drop(chars.next()),
            (Some(open), c) if c == open => quote = None,
            (Some(_), '\n') => out.push('\n'),
            (Some(_), _) => {}
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, expect: Option<&str>) {
        assert_eq!(find(&[("a.rego".to_owned(), text.to_owned())]).as_deref(), expect, "{text}");
    }

    #[test]
    fn functions_that_call_themselves_are_found() {
        check("package a\nf(x) := f(x)\n", Some("a.f"));
        check("package a\nf(x) := g(x)\ng(x) if {\n\ty := data.a.f(x)\n}\n", Some("a.f"));
        check("package a\nimport data.b as c\nf(x) := c.g(x)\n", None);
        check("package a\n  f (x) := f(x)\n", Some("a.f"));
        check("package a\nf(x) := 1 if {\nx > 2\ny := f(x)\n}\n", Some("a.f"));
        check("package a\nf(x) := 1 if x > 2\nelse := f(x)\n", Some("a.f"));
        check("package a.b\nimport data.a\nf(x) := a.b.f(x)\n", Some("a.b.f"));
        check("package a\nf(x) := data[\"a\"].f(x)\n", Some("a.f"));
        check("package a\n# f(x) := f(x)\nf(x) := sprintf(\"f(%v)\", [x])\n", None);
        check("package a\nf(1) := 2\nf(x) := g(x)\ng(x) := count(x)\ndeny contains f(1)\n", None);
        let built_in: Vec<(String, String)> =
            super::super::BUILT_IN.iter().map(|(name, text)| ((*name).to_owned(), (*text).to_owned())).collect();
        assert_eq!(find(&built_in), None);
    }
}
