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

fn read(text: &str, calls: &mut HashMap<Name, Vec<Name>>) {
    let mut package = String::new();
    let mut imports: HashMap<String, String> = HashMap::new();
    let mut head: Option<Name> = None;
    for line in code(text).lines() {
        if let Some(name) = line.strip_prefix("package ") {
            name.trim().clone_into(&mut package);
            continue;
        }
        if let Some(import) = line.strip_prefix("import ") {
            let mut words = import.split_whitespace();
            let path = words.next().unwrap_or_default();
            let alias = words.nth(1).unwrap_or_else(|| path.rsplit('.').next().unwrap_or(path));
            if let Some(path) = path.strip_prefix("data.") {
                imports.insert(alias.to_owned(), path.to_owned());
            }
            continue;
        }
        let mut body = line;
        if line.starts_with(|c: char| c.is_alphabetic() || c == '_') {
            let line = line.strip_prefix("default ").unwrap_or(line);
            let end = line.find(|c: char| !c.is_alphanumeric() && c != '_').unwrap_or(line.len());
            let (name, rest) = line.split_at(end);
            head = rest.starts_with('(').then(|| (package.clone(), name.to_owned()));
            body = rest;
        }
        let Some(head) = &head else { continue };
        let own = calls.entry(head.clone()).or_default();
        for (at, _) in body.match_indices('(') {
            let before = body.get(..at).unwrap_or_default();
            let start = before.rfind(|c: char| !c.is_alphanumeric() && !matches!(c, '_' | '.')).map_or(0, |i| i + 1);
            let called = before.get(start..).unwrap_or_default();
            let (place, name) = called.rsplit_once('.').unwrap_or(("", called));
            let place = match place {
                "" => Some(package.clone()),
                _ => place.strip_prefix("data.").map(str::to_owned).or_else(|| imports.get(place).cloned()),
            };
            if let Some(place) = place.filter(|_| !name.is_empty()) {
                own.push((place, name.to_owned()));
            }
        }
    }
}

/// The text without what stands in quotes and comments.
fn code(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut quote = None;
    let mut chars = text.chars();
    while let Some(c) = chars.next() {
        match (quote, c) {
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
        check("package a\n# f(x) := f(x)\nf(x) := sprintf(\"f(%v)\", [x])\n", None);
        check("package a\nf(1) := 2\nf(x) := g(x)\ng(x) := count(x)\ndeny contains f(1)\n", None);
        let built_in: Vec<(String, String)> =
            super::super::BUILT_IN.iter().map(|(name, text)| ((*name).to_owned(), (*text).to_owned())).collect();
        assert_eq!(find(&built_in), None);
    }
}
