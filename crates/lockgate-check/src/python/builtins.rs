//! Functions from outside of the tree whose result is known when their arguments are.

mod containers;
mod library;
mod reflection;

use std::sync::Arc;

pub use reflection::retraced;

use super::{Interpreter, syntax::Span};
use crate::value::{Args, CHOICES_MAX, How, Kind, Text, Val, Why, joined};

const BUILTINS: [&str; 72] = [
    "ArithmeticError",
    "AssertionError",
    "AttributeError",
    "BaseException",
    "ConnectionError",
    "EOFError",
    "Exception",
    "FileNotFoundError",
    "IOError",
    "ImportError",
    "IndexError",
    "KeyError",
    "LookupError",
    "NotImplementedError",
    "OSError",
    "PermissionError",
    "RuntimeError",
    "StopIteration",
    "SystemExit",
    "TimeoutError",
    "TypeError",
    "ValueError",
    "__import__",
    "abs",
    "all",
    "any",
    "bool",
    "bytearray",
    "bytes",
    "callable",
    "chr",
    "classmethod",
    "compile",
    "dict",
    "dir",
    "divmod",
    "enumerate",
    "eval",
    "exec",
    "filter",
    "float",
    "format",
    "frozenset",
    "getattr",
    "globals",
    "hasattr",
    "hash",
    "hex",
    "id",
    "input",
    "int",
    "isinstance",
    "issubclass",
    "iter",
    "len",
    "list",
    "locals",
    "map",
    "max",
    "memoryview",
    "min",
    "next",
    "object",
    "open",
    "ord",
    "print",
    "property",
    "range",
    "repr",
    "reversed",
    "round",
    "set",
];
const MORE_BUILTINS: [&str; 9] = ["setattr", "slice", "sorted", "staticmethod", "str", "sum", "super", "tuple", "zip"];

pub(super) fn is_builtin(name: &str) -> bool {
    BUILTINS.binary_search(&name).is_ok() || matches!(name, "type" | "vars") || MORE_BUILTINS.contains(&name)
}

impl Interpreter<'_> {
    /// The result of a known function; none when it is not one.
    pub(super) fn builtin(&mut self, name: &str, args: &Args, at: Span) -> Option<Val> {
        // One that takes one of several gives one of several.
        if let Some(Kind::Choice(options)) = args.positional.first().map(|v| &v.kind)
            && !matches!(name, "isinstance" | "getattr" | "setattr" | "print" | "open" | "map" | "filter" | "zip")
            && !name.contains("path")
        {
            let options = options.to_vec();
            let mut results = Vec::new();
            for option in options.into_iter().take(CHOICES_MAX) {
                let mut args = args.clone();
                if let Some(first) = args.positional.first_mut() {
                    *first = option;
                }
                results.push(self.builtin(name, &args, at)?);
            }
            return Some(Val::choice(results));
        }
        self.conversion(name, args, at)
            .or_else(|| self.container(name, args, at))
            .or_else(|| self.reflection(name, args, at))
            .or_else(|| self.decoding(name, args, at))
            .or_else(|| self.library(name, args, at))
            .or_else(|| self.setting(name, args, at))
            .or_else(|| self.reading(name, args, at))
    }

    /// Numbers and texts.
    fn conversion(&mut self, name: &str, args: &Args, at: Span) -> Option<Val> {
        let first = args.positional.first();
        let kind = first.map(|v| &v.kind);
        Some(match (name, kind) {
            ("str", Some(Kind::Bytes(bytes))) => {
                let bytes = Arc::clone(bytes);
                self.bytes_method(&bytes, first?, "decode", &Args::default(), at)
            }
            ("str" | "format" | "repr", Some(Kind::Reference(_) | Kind::Unknown(_))) => first?.clone(),
            ("str" | "os.fspath" | "typing.cast" | "sys.intern", Some(Kind::Str(text) | Kind::Path(text)))
                if name != "typing.cast" =>
            {
                Val::text(text.clone(), first?.trace.clone())
            }
            ("str" | "repr", Some(Kind::Object(object))) => match object.attrs.borrow().get("__text__") {
                Some(val) => val.clone(),
                None => first?.clone(),
            },
            ("str" | "repr", Some(_)) => Val::text(Text::of(first?.pieces()), first?.trace.clone()),
            ("str", None) => Val::str(""),
            ("format", Some(_)) => {
                let spec = args.positional.get(1).and_then(Val::as_str).unwrap_or_default();
                Val::text(Text::of(super::strings::formatted(first?, None, spec)), first?.trace.clone())
            }
            ("int", Some(Kind::Str(Text::Known(text)))) => {
                let radix = args.get(1, "base").and_then(Val::as_int).unwrap_or(10);
                let digits = text.trim().trim_start_matches("0x").trim_start_matches("0b").trim_start_matches("0o");
                let radix = u32::try_from(radix).ok().filter(|r| (2..=36).contains(r))?;
                let digits = digits.to_owned();
                i64::from_str_radix(&digits, radix)
                    .map_or_else(|_| self.large(&digits, radix, at), |n| Val::new(Kind::Int(n)))
            }
            ("int" | "float" | "round" | "abs", Some(Kind::Int(_))) => first?.clone(),
            ("int", Some(Kind::Bool(b))) => Val::new(Kind::Int(i64::from(*b))),
            ("bool", Some(_)) => {
                first?.truth().map_or_else(|| self.unknown(Why::Expression, at), |b| Val::new(Kind::Bool(b)))
            }
            ("chr", Some(Kind::Int(n))) => match u32::try_from(*n).ok().and_then(char::from_u32) {
                Some(c) => Val::text(
                    Text::Known(c.to_string().into()),
                    first?.trace.clone().or(crate::value::literal(self.place(at))),
                ),
                None => self.unknown(Why::Expression, at),
            },
            ("ord", Some(Kind::Str(Text::Known(text)))) => {
                let c = text.chars().next()?;
                Val { kind: Kind::Int(i64::from(u32::from(c))), trace: first?.trace.clone() }
            }
            ("hex", Some(Kind::Int(n))) => Val::str(format!("{n:#x}")),
            ("bytes" | "bytearray" | "memoryview", Some(Kind::Bytes(_))) => first?.clone(),
            ("bytes" | "bytearray", Some(Kind::Str(Text::Known(text)))) => {
                Val { kind: Kind::Bytes(text.as_bytes().into()), trace: first?.trace.clone() }
            }
            ("bytes" | "bytearray", Some(_)) => {
                let items = self.items(first?)?;
                let mut bytes = Vec::with_capacity(items.len());
                for item in &items {
                    bytes.push(u8::try_from(item.as_int()?).ok()?);
                }
                let traces = items.iter().take(32).map(|item| item.trace.clone());
                let trace = joined(self.place(at), How::Decoded("numbers"), traces);
                Val { kind: Kind::Bytes(bytes.into()), trace: trace.or(crate::value::literal(self.place(at))) }
            }
            ("len", Some(_)) => match self.items(first?) {
                Some(items) => Val::new(Kind::Int(items.len() as i64)),
                None => self.unknown(Why::Expression, at),
            },
            ("str.join", Some(Kind::Str(text))) => {
                let text = text.clone();
                let rest = Args { positional: args.positional.get(1..)?.to_vec(), ..Args::default() };
                self.text_method(&text, first?, "join", &rest, at)
            }
            ("str.maketrans", _) => {
                let from = args.positional.first();
                if let Some(Kind::Dict(_)) = from.map(|v| &v.kind) {
                    return Some(from?.clone());
                }
                let (from, to) = (from?.as_str()?.to_owned(), args.positional.get(1)?.as_str()?.to_owned());
                let pairs = from
                    .chars()
                    .zip(to.chars())
                    .take(4096)
                    .map(|(a, b)| (Val::new(Kind::Int(i64::from(u32::from(a)))), Val::str(b.to_string())))
                    .collect();
                Val::dict(pairs, false)
            }
            // `str.upper(x)` is `x.upper()`.
            (name, Some(Kind::Str(text))) if name.starts_with("str.") => {
                let text = text.clone();
                let rest = Args {
                    positional: args.positional.get(1..)?.to_vec(),
                    keywords: args.keywords.clone(),
                    open: args.open,
                };
                self.text_method(&text, first?, name.strip_prefix("str.")?, &rest, at)
            }
            _ => return None,
        })
    }
}
