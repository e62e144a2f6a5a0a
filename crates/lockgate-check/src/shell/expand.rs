//! `$name`, `${name:-default}` and the other forms of a parameter, in words of scripts and in plain
//! texts. Quotes and commands are read in `shell.rs`.

use super::{DEPTH_MAX, SPLIT_TEXT, WORD_BYTES_MAX};
use crate::value::{HOLE, REFERENCE};

/// What stands between the first bracket and the one that closes it.
pub(super) fn balanced(text: &str, open: char, close: char) -> &str {
    let mut depth = 0usize;
    for (i, c) in text.char_indices() {
        if c == open {
            depth += 1;
        } else if c == close {
            depth -= 1;
            if depth == 0 {
                return text.get(open.len_utf8()..i).unwrap_or_default();
            }
        }
    }
    text.get(open.len_utf8()..).unwrap_or_default()
}

pub(super) fn value_of(name: &str, variables: &[(String, String)]) -> String {
    match variables.iter().rev().find(|(known, _)| known == name) {
        Some((_, value)) if value.len() > WORD_BYTES_MAX => HOLE.to_string(),
        Some((_, value)) => value.clone(),
        None => REFERENCE.to_string(),
    }
}

/// `name:-default` and its kin.
pub(super) fn parameter(inner: &str, variables: &[(String, String)], depth: usize) -> String {
    let end = inner.find(|c: char| !c.is_alphanumeric() && c != '_').unwrap_or(inner.len());
    let (name, operator) = inner.split_at(end);
    let known = variables.iter().rev().find(|(k, _)| k == name).map(|(_, v)| v.clone());
    for start in [":-", "-", ":=", "="] {
        if let Some(default) = operator.strip_prefix(start) {
            return known
                .filter(|v| !v.is_empty())
                .unwrap_or_else(|| expand_at(default.trim_matches('"'), variables, depth + 1));
        }
    }
    match (known, operator) {
        // `${NAME:?}` and `${NAME?what is missing}`.
        (Some(value), operator) if operator.is_empty() || operator.starts_with(":?") || operator.starts_with('?') => {
            value
        }
        (Some(value), "[@]" | "[*]") => value.replace(' ', SPLIT_TEXT),
        (Some(value), operator) => replaced(&value, operator),
        (None, _) => REFERENCE.to_string(),
    }
}

/// `${name/from/to}`, `${name#prefix}`, `${name%suffix}`, `${name,,}`, `${name^^}`.
fn replaced(value: &str, operator: &str) -> String {
    if operator == ",," {
        return value.to_lowercase();
    }
    if operator == "^^" {
        return value.to_uppercase();
    }
    if let Some(rule) = operator.strip_prefix('/') {
        let (rule, count) = rule.strip_prefix('/').map_or((rule, 1), |rule| (rule, usize::MAX));
        let (from, to) = rule.split_once('/').unwrap_or((rule, ""));
        let grown = if from.is_empty() { 0 } else { value.matches(from).count().saturating_mul(to.len()) };
        return match from {
            "" => value.to_owned(),
            _ if grown > WORD_BYTES_MAX => HOLE.to_string(),
            _ => value.replacen(from, to, count),
        };
    }
    for (mark, front) in [('#', true), ('%', false)] {
        if let Some(pattern) = operator.strip_prefix(mark) {
            let (pattern, longest) = pattern.strip_prefix(mark).map_or((pattern, false), |p| (p, true));
            return cut(value, pattern, front, longest).to_owned();
        }
    }
    HOLE.to_string()
}

/// A value without the part that matches a pattern at one of its ends.
fn cut<'v>(value: &'v str, pattern: &str, front: bool, longest: bool) -> &'v str {
    let Some(pattern) = glob::Pattern::new(pattern).ok().filter(|_| value.len() <= 1_024) else { return value };
    let ends = value.char_indices().map(|(i, _)| i).chain([value.len()]);
    let mut matched = ends.filter(|at| {
        let (head, tail) = value.split_at(*at);
        pattern.matches(if front { head } else { tail })
    });
    // Of what stands in front the longest match ends last, of what stands behind it starts first.
    let at = if front == longest { matched.next_back() } else { matched.next() };
    match (at, front) {
        (Some(at), true) => value.get(at..).unwrap_or(value),
        (Some(at), false) => value.get(..at).unwrap_or(value),
        (None, _) => value,
    }
}

/// `$name` and `${name}` in a text that is not a script, such as a here-document or a setting.
pub fn expand_plain(text: &str, variables: &[(String, String)]) -> String {
    expand_at(text, variables, 0)
}

fn expand_at(text: &str, variables: &[(String, String)], depth: usize) -> String {
    let mut out = String::new();
    let mut rest = text;
    while let Some((before, after)) = rest.split_once('$') {
        if out.len() > WORD_BYTES_MAX || depth > DEPTH_MAX {
            break;
        }
        out.push_str(before);
        if after.starts_with('{') && !after.starts_with("{{") {
            let inner = balanced(after, '{', '}');
            out.push_str(&parameter(inner, variables, depth + 1));
            rest = after.get(inner.len() + 2..).unwrap_or_default();
            continue;
        }
        let end = after.find(|c: char| !c.is_alphanumeric() && c != '_').unwrap_or(after.len());
        let (name, tail) = after.split_at(end);
        if name.is_empty() || name.starts_with(|c: char| c.is_ascii_digit()) {
            out.push('$');
            rest = after;
        } else {
            out.push_str(&value_of(name, variables));
            rest = tail;
        }
    }
    out.push_str(rest);
    out
}
