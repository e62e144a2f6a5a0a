//! The functions of Go's templates, Sprig and Helm that make texts and choices.
//!
//! What depends on chance, time, the cluster or on a function that is not here is unknown.

use std::rc::Rc;

use base64::Engine as _;
use hashbrown::HashMap;

use super::{
    is_true,
    print::{json, yaml},
    unknown,
};
use crate::{
    source::Place,
    value::{How, Kind, Piece, Text, Trace, Val, joined, same},
};

const ITEMS_MAX: usize = 2_048;
/// Most values that are copied.
const COPIED_MAX: usize = 50_000;
pub(super) const DEPTH_MAX: usize = 32;
pub(super) const BYTES_MAX: usize = 256 << 10;

/// What a value prints as.
pub fn printed(value: &Val) -> Text {
    match &value.kind {
        Kind::None => Text::Known("".into()),
        Kind::Str(text) | Kind::Path(text) => text.clone(),
        Kind::Bool(b) => Text::Known(b.to_string().into()),
        Kind::List(_) | Kind::Dict(_) => Text::Known(yaml(value).into()),
        _ => Text::of(vec![value.piece()]),
    }
}

/// The ways of all texts in a value, at most 256.
pub fn traces(value: &Val) -> Vec<Trace> {
    fn walk(value: &Val, out: &mut Vec<Trace>, depth: usize, looked: &mut usize) {
        *looked += 1;
        if out.len() >= 256 || depth > DEPTH_MAX || *looked > 2 * ITEMS_MAX {
            return;
        }
        out.extend(value.trace.is_some().then(|| value.trace.clone()));
        match &value.kind {
            Kind::List(items) => items.borrow().iter().for_each(|item| walk(item, out, depth + 1, looked)),
            Kind::Dict(dict) => dict.borrow().entries.iter().for_each(|(_, item)| walk(item, out, depth + 1, looked)),
            _ => {}
        }
    }
    let mut out = Vec::new();
    walk(value, &mut out, 0, &mut 0);
    out
}

/// Calls a function; the last argument is the piped one.
pub fn call(name: &str, args: &[Val], file: u32) -> Val {
    let of = |text: Text| {
        if text.flat().len() > BYTES_MAX {
            return unknown("a long text");
        }
        let ways: Vec<Trace> = args.iter().flat_map(traces).collect();
        Val::text(text, joined(Place::new(file, 0, 0), How::Rendered, ways))
    };
    let text = |i: usize| args.get(i).map_or(Text::Known("".into()), printed);
    let flat = |i: usize| text(i).flat();
    let last = || args.last().cloned().unwrap_or_else(Val::none);
    let last_text = || printed(&last());
    let int = |i: usize| args.get(i).and_then(Val::as_int);
    // What is unknown stays so, whatever is done with it; a few functions choose instead.
    let chooses = matches!(
        name,
        "default"
            | "coalesce"
            | "and"
            | "or"
            | "not"
            | "ternary"
            | "eq"
            | "ne"
            | "printf"
            | "print"
            | "list"
            | "dict"
            | "quote"
            | "squote"
            | "empty"
            | "required"
            | "toYaml"
            | "merge"
            | "mergeOverwrite"
            | "get"
            | "dig"
            | "hasKey"
            | "index"
            | "concat"
            | "append"
            | "prepend"
            | "cat"
            | "join"
            | "set"
    );
    if !chooses && let Some(first) = args.iter().find(|arg| arg.is_unknown()) {
        return first.clone();
    }
    match name {
        "default" => match args {
            [_, value] if is_true(value) && !value.is_unknown() => value.clone(),
            // Nobody knows whether there is a value; the default is the one that stands here.
            [other, _] => other.clone(),
            _ => last(),
        },
        "coalesce" => args.iter().find(|v| is_true(v)).cloned().unwrap_or_else(Val::none),
        "required" | "toString" | "mustToYaml" | "tpl" => last(),
        "deepCopy" | "mustDeepCopy" => copied(&last(), &mut 0),
        "fromYaml" | "fromJson" | "fromYamlArray" | "fromJsonArray" => {
            match last_text().known().map(crate::yaml::parse) {
                Some(Ok(documents)) => {
                    let way = last().trace;
                    documents.first().map_or_else(Val::none, |document| {
                        crate::python::retraced(&crate::yaml::value(document, file, 0), &way, 0)
                    })
                }
                _ => unknown("a document"),
            }
        }
        "ternary" => match args {
            [yes, no, test] => {
                if is_true(test) {
                    yes.clone()
                } else {
                    no.clone()
                }
            }
            _ => Val::none(),
        },
        "and" => args.iter().find(|v| !is_true(v)).cloned().unwrap_or_else(last),
        "or" => args.iter().find(|v| is_true(v)).cloned().unwrap_or_else(last),
        "not" => match args.first() {
            Some(value) if value.is_unknown() => value.clone(),
            Some(value) => Val::new(Kind::Bool(!is_true(value))),
            None => Val::new(Kind::Bool(true)),
        },
        "empty" => Val::new(Kind::Bool(!is_true(&last()))),
        "eq" | "ne" => {
            if args.iter().any(Val::is_unknown) {
                return unknown("a comparison");
            }
            let equal = args.split_first().is_some_and(|(a, rest)| rest.iter().any(|b| same(a, b)));
            Val::new(Kind::Bool(equal == (name == "eq")))
        }
        "lt" | "le" | "gt" | "ge" => match (int(0), int(1)) {
            (Some(a), Some(b)) => Val::new(Kind::Bool(match name {
                "lt" => a < b,
                "le" => a <= b,
                "gt" => a > b,
                _ => a >= b,
            })),
            _ => unknown("a comparison"),
        },
        "kindIs" | "typeIs" => {
            let kind = match last().kind {
                Kind::Dict(_) => "map",
                Kind::List(_) => "slice",
                Kind::Bool(_) => "bool",
                Kind::Int(_) => "int",
                Kind::Float(_) => "float64",
                Kind::None => "invalid",
                _ => "string",
            };
            let wanted = flat(0);
            Val::new(Kind::Bool(*wanted == *kind || &*wanted == "float64" && kind == "int"))
        }
        "printf" => args.split_first().map_or_else(Val::none, |(format, rest)| {
            formatted(&printed(format).flat(), rest).map_or_else(|| unknown("a long text"), of)
        }),
        "print" | "cat" | "println" => {
            joined_text(args, if name == "print" { "" } else { " " }).map_or_else(|| unknown("a long text"), of)
        }
        "quote" | "squote" => {
            let mark = if name == "quote" { "\"" } else { "'" };
            let mut pieces = vec![Piece::Known(mark.into())];
            let inner = last_text();
            let escaped = if name == "quote" {
                inner.map(|t| t.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n"))
            } else {
                inner.map(|t| t.replace('\'', "''"))
            };
            pieces.extend(escaped.pieces());
            pieces.push(Piece::Known(mark.into()));
            of(Text::of(pieces))
        }
        "indent" | "nindent" => {
            let width = usize::try_from(int(0).unwrap_or(0).clamp(0, 80)).unwrap_or(0);
            let pad = " ".repeat(width);
            let flat = last_text();
            let names = flat.holes();
            let text = flat.flat().split('\n').map(|line| format!("{pad}{line}")).collect::<Vec<_>>().join("\n");
            let text = if name == "nindent" { format!("\n{text}") } else { text };
            of(Text::from_flat(&text, &names))
        }
        "toYaml" | "toYamlPretty" => of(Text::Known(yaml(&last()).into())),
        "toJson" | "toPrettyJson" | "toRawJson" | "mustToJson" => of(Text::Known(json(&last()).into())),
        "upper" => of(last_text().map(str::to_uppercase)),
        "lower" => of(last_text().map(str::to_lowercase)),
        "title" => of(last_text().map(|t| {
            let mut chars = t.chars();
            chars.next().map(|c| c.to_uppercase().chain(chars).collect()).unwrap_or_default()
        })),
        "trim" => change(&last(), args, file, |t| t.trim().to_owned()),
        "trimAll" | "trimSuffix" | "trimPrefix" => {
            let cut = flat(0);
            change(&last(), args, file, |t| match name {
                "trimSuffix" => t.strip_suffix(&*cut).unwrap_or(t).to_owned(),
                "trimPrefix" => t.strip_prefix(&*cut).unwrap_or(t).to_owned(),
                _ => t.trim_matches(|c| cut.contains(c)).to_owned(),
            })
        }
        "trunc" => {
            let n = int(0).unwrap_or(0);
            change(&last(), args, file, |t| {
                let count = t.chars().count();
                let keep = usize::try_from(n.unsigned_abs()).unwrap_or(usize::MAX);
                if n >= 0 {
                    t.chars().take(keep).collect()
                } else {
                    t.chars().skip(count.saturating_sub(keep)).collect()
                }
            })
        }
        "substr" => {
            let (from, to) = (int(0).unwrap_or(0), int(1).unwrap_or(0));
            change(&last(), args, file, |t| {
                let from = usize::try_from(from).unwrap_or(0);
                let to = usize::try_from(to).unwrap_or(usize::MAX);
                t.chars().take(to).skip(from).collect()
            })
        }
        "replace" => {
            let (old, new) = (flat(0), flat(1));
            let grown = last_text().flat().matches(&*old).count().saturating_mul(new.len());
            if old.is_empty() {
                last()
            } else if grown > BYTES_MAX {
                unknown("a long text")
            } else {
                change(&last(), args, file, |t| t.replace(&*old, &new))
            }
        }
        "nospace" => change(&last(), args, file, |t| t.split_whitespace().collect()),
        "snakecase" => change(&last(), args, file, |t| t.replace(['-', ' '], "_").to_lowercase()),
        "kebabcase" => change(&last(), args, file, |t| t.replace(['_', ' '], "-").to_lowercase()),
        "repeat" => {
            let n = usize::try_from(int(0).unwrap_or(0)).unwrap_or(0);
            let flat = last_text().flat();
            if flat.len().saturating_mul(n) > BYTES_MAX {
                unknown("a long text")
            } else {
                of(Text::Known(flat.repeat(n).into()))
            }
        }
        "contains" => Val::new(Kind::Bool(last_text().flat().contains(&*flat(0)))),
        "hasPrefix" => Val::new(Kind::Bool(last_text().flat().starts_with(&*flat(0)))),
        "hasSuffix" => Val::new(Kind::Bool(last_text().flat().ends_with(&*flat(0)))),
        "b64enc" => match last_text().known() {
            Some(text) => of(Text::Known(base64::engine::general_purpose::STANDARD.encode(text).into())),
            None => unknown("an encoded text"),
        },
        "b64dec" => {
            let bytes = base64::engine::general_purpose::STANDARD.decode(last_text().flat().as_bytes()).ok();
            match bytes.and_then(|bytes| String::from_utf8(bytes).ok()) {
                Some(text) => of(Text::Known(text.into())),
                None => unknown("a decoded text"),
            }
        }
        "join" => joined_text(&items(&last()), &flat(0)).map_or_else(|| unknown("a long text"), of),
        "splitList" | "split" | "regexSplit" => {
            let (by, whole) = (flat(0), last());
            let text = printed(&whole);
            let Some(known) = text.known().filter(|_| !by.is_empty() && name != "regexSplit") else {
                return unknown("a part of a text");
            };
            let parts =
                known.split(&*by).take(ITEMS_MAX).map(|part| Val::text(Text::Known(part.into()), whole.trace.clone()));
            if name == "splitList" {
                Val::list(parts.collect())
            } else {
                Val::dict(parts.enumerate().map(|(i, part)| (Val::str(format!("_{i}")), part)).collect(), false)
            }
        }
        "list" | "tuple" => Val::list(args.to_vec()),
        "concat" => Val::list(args.iter().flat_map(items).take(ITEMS_MAX).collect()),
        "append" | "mustAppend" => {
            let all = args.first().map(items).unwrap_or_default().into_iter().chain(args.get(1).cloned());
            Val::list(all.take(ITEMS_MAX).collect())
        }
        "prepend" => {
            let all = args.get(1).cloned().into_iter().chain(args.first().map(items).unwrap_or_default());
            Val::list(all.take(ITEMS_MAX).collect())
        }
        "first" => items(&last()).into_iter().next().unwrap_or_else(Val::none),
        "last" => items(&last()).into_iter().next_back().unwrap_or_else(Val::none),
        "rest" => Val::list(items(&last()).into_iter().skip(1).collect()),
        "compact" => Val::list(items(&last()).into_iter().filter(is_true).collect()),
        "uniq" | "sortAlpha" => Val::list(items(&last())),
        "has" => Val::new(Kind::Bool(args.first().is_some_and(|item| items(&last()).iter().any(|i| same(i, item))))),
        "until" => Val::list((0..int(0).unwrap_or(0).clamp(0, 256)).map(|i| Val::new(Kind::Int(i))).collect()),
        "len" => match &last().kind {
            Kind::List(items) => count(items.borrow().len()),
            Kind::Dict(dict) => count(dict.borrow().entries.len()),
            Kind::Str(text) => text.known().map_or_else(|| unknown("a length"), |text| count(text.len())),
            _ => count(0),
        },
        "dict" => Val::dict(
            args.chunks(2)
                .take(ITEMS_MAX)
                .filter_map(|pair| Some((pair.first()?.clone(), pair.get(1)?.clone())))
                .collect(),
            false,
        ),
        "get" => args.first().map_or_else(Val::none, |map| entry(map, &flat(1))),
        "set" => {
            let (key, value) = (flat(1), args.get(2).map(|value| copied(value, &mut 0)));
            if let (Some(Kind::Dict(dict)), Some(value)) = (args.first().map(|m| &m.kind), value)
                && let Ok(mut dict) = dict.try_borrow_mut()
            {
                // A copy, so that no map ever holds itself.
                dict.set(Val::str(key), value);
            }
            args.first().cloned().unwrap_or_else(Val::none)
        }
        "hasKey" => match args.first().map(|m| &m.kind) {
            Some(Kind::Dict(dict)) => Val::new(Kind::Bool(dict.borrow().get(&flat(1)).is_some())),
            Some(Kind::Unknown(_)) => unknown("a key"),
            _ => Val::new(Kind::Bool(false)),
        },
        "dig" => match args {
            [path @ .., other, map] => {
                let found = path.iter().fold(map.clone(), |value, key| entry(&value, &printed(key).flat()));
                if matches!(found.kind, Kind::None) { other.clone() } else { found }
            }
            _ => Val::none(),
        },
        "index" => args.split_first().map_or_else(Val::none, |(from, path)| {
            path.iter().fold(from.clone(), |value, key| match key.as_int() {
                Some(n) => {
                    usize::try_from(n).ok().and_then(|n| items(&value).get(n).cloned()).unwrap_or_else(Val::none)
                }
                None => entry(&value, &printed(key).flat()),
            })
        }),
        "keys" | "values" => match &last().kind {
            Kind::Dict(dict) => Val::list(
                dict.borrow().entries.iter().map(|(k, v)| if name == "keys" { k } else { v }.clone()).collect(),
            ),
            _ => Val::list(Vec::new()),
        },
        // The first map wins in `merge`, the last in `mergeOverwrite`.
        "merge" | "mustMerge" => args.iter().rev().cloned().reduce(|a, b| merged(&a, &b)).unwrap_or_else(Val::none),
        "mergeOverwrite" | "mustMergeOverwrite" => {
            args.iter().cloned().reduce(|a, b| merged(&a, &b)).unwrap_or_else(Val::none)
        }
        "omit" | "pick" => match args.first().map(|m| &m.kind) {
            Some(Kind::Dict(dict)) => {
                let named = |k: &Val| args.iter().skip(1).any(|n| same(n, k));
                let kept =
                    dict.borrow().entries.iter().filter(|(k, _)| named(k) == (name == "pick")).cloned().collect();
                Val::dict(kept, false)
            }
            _ => Val::none(),
        },
        "int" | "int64" | "float64" => match &last().kind {
            Kind::Str(text) => {
                text.known().and_then(|t| t.parse().ok()).map_or_else(Val::none, |n| Val::new(Kind::Int(n)))
            }
            _ => last(),
        },
        "add" | "sub" | "mul" | "add1" => {
            let numbers: Option<Vec<i64>> = args.iter().map(Val::as_int).collect();
            let Some(numbers) = numbers else { return unknown("a number") };
            let result = match name {
                "add" => numbers.iter().try_fold(0i64, |a, b| a.checked_add(*b)),
                "mul" => numbers.iter().try_fold(1i64, |a, b| a.checked_mul(*b)),
                "add1" => numbers.first().and_then(|a| a.checked_add(1)),
                _ => numbers.iter().copied().reduce(i64::saturating_sub),
            };
            result.map_or_else(|| unknown("a number"), |n| Val::new(Kind::Int(n)))
        }
        // Made when it is installed, and nowhere written.
        "randAlphaNum" | "randAlpha" | "randNumeric" | "randAscii" | "genPrivateKey" | "uuidv4" | "derivePassword" => {
            Val::reference("what the chart makes up")
        }
        "fail" => Val::none(),
        _ => unknown(&format!("`{name}`")),
    }
}

fn count(n: usize) -> Val {
    Val::new(Kind::Int(i64::try_from(n).unwrap_or(i64::MAX)))
}

/// Changes a text piece by piece.
fn change(value: &Val, args: &[Val], file: u32, how: impl Fn(&str) -> String) -> Val {
    let ways: Vec<Trace> = args.iter().flat_map(traces).collect();
    Val::text(printed(value).map(how), joined(Place::new(file, 0, 0), How::Rendered, ways))
}

fn items(value: &Val) -> Vec<Val> {
    match &value.kind {
        Kind::List(items) => items.borrow().clone(),
        _ => Vec::new(),
    }
}

fn entry(value: &Val, key: &str) -> Val {
    match &value.kind {
        Kind::Dict(dict) => match dict.borrow().get(key) {
            Some(value) => value.clone(),
            None if dict.borrow().open => unknown(&format!("`.{key}`")),
            None => Val::none(),
        },
        Kind::Unknown(_) => value.clone(),
        _ => Val::none(),
    }
}

/// A copy that shares nothing; what is larger than [`COPIED_MAX`] values is unknown.
pub fn copied(value: &Val, looked: &mut usize) -> Val {
    *looked += 1;
    if *looked > COPIED_MAX {
        return unknown("a large value");
    }
    match &value.kind {
        Kind::List(items) => Val::list(items.borrow().iter().map(|item| copied(item, looked)).collect()),
        Kind::Dict(dict) => {
            let dict = dict.borrow();
            Val::dict(dict.entries.iter().map(|(k, v)| (k.clone(), copied(v, looked))).collect(), dict.open)
        }
        _ => value.clone(),
    }
}

/// Two maps, the second over the first.
pub fn merged(under: &Val, over: &Val) -> Val {
    fn merge(under: &Val, over: &Val, looked: &mut usize) -> Val {
        let (Kind::Dict(a), Kind::Dict(b)) = (&under.kind, &over.kind) else { return over.clone() };
        *looked += 1;
        if *looked > ITEMS_MAX || Rc::ptr_eq(a, b) {
            return over.clone();
        }
        let mut entries = a.borrow().entries.clone();
        let open = a.borrow().open || b.borrow().open;
        let mut places: HashMap<String, usize> =
            entries.iter().enumerate().filter_map(|(i, (key, _))| Some((key.as_str()?.to_owned(), i))).collect();
        for (key, value) in &b.borrow().entries {
            let Some(name) = key.as_str() else { continue };
            if let Some((_, known)) = places.get(name).and_then(|i| entries.get_mut(*i)) {
                *known = merge(known, value, looked);
            } else {
                places.insert(name.to_owned(), entries.len());
                entries.push((key.clone(), value.clone()));
            }
        }
        Val::dict(entries, open)
    }
    merge(under, over, &mut 0)
}

/// Values one after the other, unless that is too long.
fn joined_text(values: &[Val], between: &str) -> Option<Text> {
    let mut pieces = Vec::new();
    let mut bytes = 0;
    for (i, value) in values.iter().enumerate() {
        if i > 0 {
            pieces.push(Piece::Known(between.into()));
        }
        let text = printed(value);
        bytes += text.flat().len() + between.len();
        if bytes > BYTES_MAX {
            return None;
        }
        pieces.extend(text.pieces());
    }
    Some(Text::of(pieces))
}

/// Go's `%s`, `%d`, `%v`, `%q`, `%%`, with widths; nothing where it is too long.
fn formatted(format: &str, args: &[Val]) -> Option<Text> {
    let mut values = Vec::new();
    let mut args = args.iter();
    let mut rest = format;
    let known = |text: &str| Val::str(text);
    while let Some((before, after)) = rest.split_once('%') {
        values.push(known(before));
        let end = after.find(|c: char| !matches!(c, '0'..='9' | '.' | '-' | '+' | '#' | ' ')).unwrap_or(0);
        let mut tail = after.get(end..).unwrap_or_default().chars();
        match tail.next() {
            Some('%') => values.push(known("%")),
            Some('q') => {
                values.push(known("\""));
                values.extend(args.next().cloned());
                values.push(known("\""));
            }
            Some(_) => values.extend(args.next().cloned()),
            None => {}
        }
        rest = tail.as_str();
    }
    values.push(known(rest));
    joined_text(&values, "")
}
