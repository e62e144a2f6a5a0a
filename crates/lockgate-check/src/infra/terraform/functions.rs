//! Functions and operators of the language.

use std::sync::Arc;

use hcl_edit::expr::{ForExpr, FuncCall};

use super::{
    Module,
    names::{item, resolve},
};
use crate::{
    source::Place,
    value::{How, Kind, Piece, Text, Val, Why, joined},
};

/// Most items of a list that are looked at.
const ITEMS_MAX: usize = 256;

impl Module<'_> {
    pub(super) fn call(&mut self, file: u32, call: &FuncCall, at: Place, depth: usize) -> Val {
        let args: Vec<Val> = call.args.iter().map(|arg| self.eval(file, arg, depth + 1)).collect();
        let first = args.first();
        let list = |val: Option<&Val>| match val.map(|v| &v.kind) {
            Some(Kind::List(items)) => Some(items.borrow().clone()),
            _ => None,
        };
        let traces = || joined(at, How::Changed("function"), args.iter().map(|a| a.trace.clone()));
        let text = |text: String| Val::text(Text::Known(text.into()), traces());
        let known = first.and_then(Val::as_str).map(str::to_owned);
        let name = call.name.name.as_str();
        let result = match name {
            "join" => list(args.get(1)).and_then(|items| {
                let separator = known.clone()?;
                let mut pieces = Vec::new();
                for (i, item) in items.iter().enumerate() {
                    if i > 0 {
                        pieces.push(Piece::Known(separator.as_str().into()));
                    }
                    pieces.extend(item.options().first().map(Val::pieces).unwrap_or_default());
                }
                let traces = joined(at, How::Joined, items.iter().map(|i| i.trace.clone()));
                Some(Val::text(Text::of(pieces), traces))
            }),
            "format" => {
                known.clone().map(|format| Val::text(formatted(&format, args.get(1..).unwrap_or_default()), traces()))
            }
            "formatlist" => known.clone().map(|format| {
                let rows = args.iter().filter_map(|arg| list(Some(arg))).map(|items| items.len()).max().unwrap_or(1);
                let of_row = |row: usize| -> Vec<Val> {
                    let rest = args.iter().skip(1);
                    rest.map(|arg| {
                        list(Some(arg)).and_then(|items| items.get(row).cloned()).unwrap_or_else(|| arg.clone())
                    })
                    .collect()
                };
                let rows = 0..rows.min(ITEMS_MAX);
                Val::list(rows.map(|row| Val::text(formatted(&format, &of_row(row)), traces())).collect())
            }),
            "yamldecode" | "jsondecode" => known.and_then(|text| {
                let documents = crate::yaml::parse(&text).ok()?;
                let trace = first.map(|val| val.trace.clone()).unwrap_or_default();
                Some(crate::python::retraced(&crate::yaml::value(documents.first()?, file, 0), &trace, 0))
            }),
            // The first that can be had, which may be one that is not known here.
            "try" => {
                let known = args.iter().position(|arg| !arg.is_unknown()).unwrap_or(0);
                Some(Val::choice(args.get(..=known).unwrap_or_default().to_vec()))
            }
            "contains" => list(first).zip(args.get(1)).and_then(|(items, wanted)| {
                let is_known = wanted.as_str().is_some() && items.iter().all(|item| item.as_str().is_some());
                is_known.then(|| Val::new(Kind::Bool(items.iter().any(|item| item.as_str() == wanted.as_str()))))
            }),
            "templatefile" => known.and_then(|path| self.template_file(&path, args.get(1), at)),
            "file" => known.and_then(|path| self.template_file(&path, None, at)),
            "lower" => known.map(|t| text(t.to_lowercase())),
            "upper" => known.map(|t| text(t.to_uppercase())),
            "trimspace" => known.map(|t| text(t.trim().to_owned())),
            "title" | "trim" | "nonsensitive" | "sensitive" | "tostring" | "tolist" | "toset" | "distinct"
            | "flatten" | "sort" | "tomap" | "compact" | "jsonencode" | "yamlencode" | "base64encode"
            | "base64gzip" => first.cloned(),
            "replace" => match (known, args.get(1).and_then(Val::as_str), args.get(2).and_then(Val::as_str)) {
                (Some(t), Some(from), Some(to)) if !from.is_empty() => Some(text(t.replace(from, to))),
                _ => None,
            },
            "substr" => match (known, args.get(1).and_then(Val::as_int), args.get(2).and_then(Val::as_int)) {
                (Some(t), Some(from), Some(length)) => {
                    let length = if length < 0 { usize::MAX } else { length as usize };
                    Some(text(t.chars().skip(from.max(0) as usize).take(length).collect()))
                }
                _ => None,
            },
            "strrev" => known.map(|t| text(t.chars().rev().collect())),
            "split" => match (known, args.get(1).and_then(Val::as_str)) {
                (Some(separator), Some(t)) if !separator.is_empty() => {
                    Some(Val::list(t.split(separator.as_str()).map(|part| text(part.to_owned())).collect()))
                }
                _ => None,
            },
            "base64decode" => known.and_then(|t| {
                use base64::Engine as _;
                let bytes = base64::engine::general_purpose::STANDARD.decode(t).ok()?;
                Some(text(String::from_utf8(bytes).ok()?).step(at, How::Decoded("Base64")))
            }),
            "coalesce" => Some(Val::choice(args.iter().filter(|a| !matches!(a.kind, Kind::None)).cloned().collect())),
            "concat" => Some(Val::list(args.iter().flat_map(|a| list(Some(a)).unwrap_or_default()).collect())),
            "merge" => {
                let mut dict = crate::value::Dict::default();
                for arg in &args {
                    match &arg.kind {
                        Kind::Dict(more) => {
                            more.borrow().entries.iter().for_each(|(k, v)| dict.set(k.clone(), v.clone()));
                        }
                        _ => dict.open = true,
                    }
                }
                Some(Val::dict(dict.entries, dict.open))
            }
            "lookup" => match (args.first(), args.get(1)) {
                (Some(of), Some(key)) => {
                    let found = item(of, key, at);
                    Some(if found.is_unknown() { args.get(2).cloned().unwrap_or(found) } else { found })
                }
                _ => None,
            },
            "element" => match (args.first(), args.get(1)) {
                (Some(of), Some(index)) => Some(item(of, index, at)),
                _ => None,
            },
            "keys" => match first.map(|v| &v.kind) {
                Some(Kind::Dict(dict)) => {
                    Some(Val::list(dict.borrow().entries.iter().map(|(k, _)| k.clone()).collect()))
                }
                _ => None,
            },
            "values" => match first.map(|v| &v.kind) {
                Some(Kind::Dict(dict)) => {
                    Some(Val::list(dict.borrow().entries.iter().map(|(_, v)| v.clone()).collect()))
                }
                _ => None,
            },
            _ => None,
        };
        result.unwrap_or_else(|| Val::unknown(Why::Call(Arc::from(name)), Some(at)))
    }

    /// A file of the module, with what it is given put in.
    fn template_file(&self, path: &str, names: Option<&Val>, at: Place) -> Option<Val> {
        let id = self.tree.find(&resolve(&self.folder, path))?;
        let text = self.tree.file(id)?.text().ok()?;
        let Some(Kind::Dict(names)) = names.map(|n| &n.kind) else {
            let whole = crate::value::literal(Place::new(id, 0, text.len()));
            return Some(Val::text(Text::Known(std::sync::Arc::clone(text)), whole));
        };
        let names = names.borrow();
        let mut traces = Vec::new();
        let rendered = crate::interpolate::substitute(text, "${", "}", |name| {
            let val = names.get(name.trim())?;
            traces.push(val.trace.clone());
            Some(val.options().first().map(|v| Text::of(v.pieces()).flat().to_string()).unwrap_or_default())
        });
        Some(Val::text(Text::from_flat(&rendered, &[]), joined(at, How::Rendered, traces)))
    }

    pub(super) fn for_each(&mut self, file: u32, each: &ForExpr, depth: usize) -> Val {
        let over = self.eval(file, &each.intro.collection_expr, depth + 1);
        let pairs: Vec<(Val, Val)> = match &over.kind {
            Kind::Dict(dict) => dict.borrow().entries.clone(),
            Kind::List(items) => {
                items.borrow().iter().enumerate().map(|(i, v)| (Val::new(Kind::Int(i as i64)), v.clone())).collect()
            }
            _ => return Val::unknown(Why::Expression, None),
        };
        let mut keys = Vec::new();
        let mut out = Vec::new();
        for (key, value) in pairs.into_iter().take(ITEMS_MAX) {
            let before = self.names.len();
            self.names.push((each.intro.value_var.as_str().to_owned(), value));
            if let Some(name) = &each.intro.key_var {
                self.names.push((name.as_str().to_owned(), key));
            }
            let kept = each.cond.as_ref().map(|cond| self.eval(file, &cond.expr, depth + 1));
            if matches!(kept, Some(Val { kind: Kind::Bool(false), .. })) {
                self.names.truncate(before);
                continue;
            }
            if let Some(expression) = &each.key_expr {
                keys.push(self.eval(file, expression, depth + 1));
            }
            out.push(self.eval(file, &each.value_expr, depth + 1));
            self.names.truncate(before);
        }
        if each.key_expr.is_some() { Val::dict(keys.into_iter().zip(out).collect(), false) } else { Val::list(out) }
    }
}

/// A format of Go with its values put in.
fn formatted(format: &str, args: &[Val]) -> Text {
    let mut rest = args.iter();
    let mut parts = format.split('%');
    let mut pieces = vec![Piece::Known(parts.next().unwrap_or_default().into())];
    for part in parts {
        let tail = part.trim_start_matches(|c: char| c.is_ascii_digit() || c == '-' || c == '.');
        if let Some(tail) = tail.strip_prefix(['s', 'd', 'v', 'q']) {
            pieces.extend(rest.next().and_then(|v| v.options().first().map(Val::pieces)).unwrap_or_default());
            pieces.push(Piece::Known(tail.into()));
        } else {
            pieces.push(Piece::Known(format!("%{part}").into()));
        }
    }
    Text::of(pieces)
}
