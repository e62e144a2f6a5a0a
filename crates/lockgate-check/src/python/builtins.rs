//! Functions from outside of the tree whose result is known when their arguments are.

use std::{cell::RefCell, rc::Rc, sync::Arc};

use base64::{
    Engine as _, alphabet,
    engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig},
};

use super::{Interpreter, ROUNDS_MAX, syntax::Span};
use crate::value::{Args, CHOICES_MAX, Dict, How, Kind, Object, Piece, TEXT_BYTES_MAX, Text, Val, Why, joined};

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

/// Base64 as Python reads it: padding that is missing or too much is not our business.
fn base64(url: bool) -> GeneralPurpose {
    let alphabet = if url { &alphabet::URL_SAFE } else { &alphabet::STANDARD };
    let config = GeneralPurposeConfig::new()
        .with_decode_padding_mode(DecodePaddingMode::Indifferent)
        .with_decode_allow_trailing_bits(true);
    GeneralPurpose::new(alphabet, config)
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
                i64::from_str_radix(digits, radix)
                    .map_or_else(|_| self.unknown(Why::Expression, at), |n| Val::new(Kind::Int(n)))
            }
            ("int" | "float" | "bool" | "round" | "abs", Some(Kind::Int(_))) => first?.clone(),
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

    /// Lists, mappings and iterations.
    fn container(&mut self, name: &str, args: &Args, at: Span) -> Option<Val> {
        let first = args.positional.first();
        Some(match name {
            "list" | "set" | "frozenset" | "sorted" | "iter" | "tuple" | "collections.deque" => match first {
                None => Val::list(Vec::new()),
                Some(val) => match self.items(val) {
                    Some(mut items) => {
                        if name == "sorted" {
                            items.sort_by(|a, b| a.as_str().cmp(&b.as_str()).then(a.as_int().cmp(&b.as_int())));
                            if args.keyword("reverse").and_then(Val::truth) == Some(true) {
                                items.reverse();
                            }
                        }
                        if name == "tuple" { Val::tuple(items) } else { Val::list(items) }
                    }
                    None => val.clone(),
                },
            },
            "reversed" => {
                let mut items = self.items(first?)?;
                items.reverse();
                Val::list(items)
            }
            "dict"
            | "collections.OrderedDict"
            | "collections.ChainMap"
            | "types.MappingProxyType"
            | "collections.defaultdict" => {
                let mut dict = Dict { open: args.open, ..Dict::default() };
                for source in &args.positional {
                    match &source.kind {
                        Kind::Dict(from) => {
                            let from = from.borrow();
                            dict.open |= from.open;
                            for (k, v) in &from.entries {
                                // In a chain of mappings, the first one wins.
                                if name != "collections.ChainMap" || dict.get_val(k).is_none() {
                                    dict.set(k.clone(), v.clone());
                                }
                            }
                        }
                        Kind::External(_) | Kind::Function(_) if name == "collections.defaultdict" => {}
                        _ => match self.items(source) {
                            Some(pairs) => {
                                for pair in pairs {
                                    if let Some([k, v]) = self.items(&pair).as_deref() {
                                        dict.set(k.clone(), v.clone());
                                    }
                                }
                            }
                            None => dict.open = true,
                        },
                    }
                }
                let place = self.place(at);
                for (k, v) in &args.keywords {
                    self.collector.entry(k, v, place);
                    dict.set(Val::str(Arc::clone(k)), v.clone());
                }
                Val::new(Kind::Dict(Rc::new(RefCell::new(dict))))
            }
            "dict.fromkeys" => {
                let keys = self.items(first?)?;
                let val = args.positional.get(1).cloned().unwrap_or_else(Val::none);
                Val::dict(keys.into_iter().map(|k| (k, val.clone())).collect(), false)
            }
            "zip" | "itertools.zip_longest" => {
                let lists: Option<Vec<Vec<Val>>> = args.positional.iter().map(|v| self.items(v)).collect();
                let lists = lists?;
                let shortest = lists.iter().map(Vec::len).min().unwrap_or(0);
                Val::list(
                    (0..shortest)
                        .map(|i| Val::tuple(lists.iter().filter_map(|list| list.get(i).cloned()).collect()))
                        .collect(),
                )
            }
            "enumerate" => {
                let start = args.get(1, "start").and_then(Val::as_int).unwrap_or(0);
                let items = self.items(first?)?;
                Val::list(
                    items
                        .into_iter()
                        .enumerate()
                        .map(|(i, item)| Val::tuple(vec![Val::new(Kind::Int(start + i as i64)), item]))
                        .collect(),
                )
            }
            "range" => {
                let numbers: Option<Vec<i64>> = args.positional.iter().map(Val::as_int).collect();
                let (from, to, step) = match numbers?.as_slice() {
                    [to] => (0, *to, 1),
                    [from, to] => (*from, *to, 1),
                    [from, to, step] if *step != 0 => (*from, *to, *step),
                    _ => return None,
                };
                let mut items = Vec::new();
                let mut n = from;
                while (step > 0 && n < to || step < 0 && n > to) && items.len() < ROUNDS_MAX {
                    items.push(Val::new(Kind::Int(n)));
                    n = n.saturating_add(step);
                }
                Val::list(items)
            }
            "map" | "filter" => {
                let function = first?.clone();
                let mut lists = Vec::new();
                for list in args.positional.get(1..)? {
                    lists.push(self.items(list)?);
                }
                let shortest = lists.iter().map(Vec::len).min().unwrap_or(0).min(ROUNDS_MAX * 4);
                let mut out = Vec::new();
                for i in 0..shortest {
                    let args: Vec<Val> = lists.iter().filter_map(|list| list.get(i).cloned()).collect();
                    if name == "map" {
                        out.push(self.call_values(&function, args, at));
                        continue;
                    }
                    let item = args.first().cloned()?;
                    let keep = if matches!(function.kind, Kind::None) {
                        item.truth()
                    } else {
                        self.call_values(&function, args, at).truth()
                    };
                    if keep != Some(false) {
                        out.push(item);
                    }
                }
                Val::list(out)
            }
            "min" | "max" => {
                let items = if args.positional.len() == 1 { self.items(first?)? } else { args.positional.clone() };
                Val::choice(items)
            }
            "sum" => {
                let items = self.items(first?)?;
                let mut total = args.get(1, "start").cloned().unwrap_or_else(|| Val::new(Kind::Int(0)));
                for item in items {
                    total = self.binary(&total, super::syntax::Op::Add, &item, at);
                }
                total
            }
            "next" => {
                let items = self.items(first?)?;
                items.into_iter().next().or_else(|| args.positional.get(1).cloned()).unwrap_or_else(Val::none)
            }
            "itertools.chain" => {
                let lists: Option<Vec<Vec<Val>>> = args.positional.iter().map(|v| self.items(v)).collect();
                Val::list(lists?.concat())
            }
            "itertools.chain.from_iterable" => {
                let mut all = Vec::new();
                for list in self.items(first?)? {
                    all.extend(self.items(&list)?);
                }
                Val::list(all)
            }
            "itertools.product" => {
                let mut rows: Vec<Vec<Val>> = vec![Vec::new()];
                for list in &args.positional {
                    let items = self.items(list)?;
                    rows = rows
                        .iter()
                        .flat_map(|row| {
                            items.iter().map(move |item| [row.as_slice(), std::slice::from_ref(item)].concat())
                        })
                        .take(1024)
                        .collect();
                }
                Val::list(rows.into_iter().map(Val::tuple).collect())
            }
            "itertools.islice" => {
                let items = self.items(first?)?;
                let most = args.positional.get(1).and_then(Val::as_int).unwrap_or(0).clamp(0, 4096) as usize;
                Val::list(items.into_iter().take(most).collect())
            }
            "functools.reduce" => {
                let mut items = self.items(args.positional.get(1)?)?.into_iter();
                let function = first?.clone();
                let mut so_far = match args.positional.get(2) {
                    Some(start) => start.clone(),
                    None => items.next()?,
                };
                for item in items.take(ROUNDS_MAX * 4) {
                    so_far = self.call_values(&function, vec![so_far, item], at);
                }
                so_far
            }
            "operator.add" | "operator.concat" | "operator.mod" | "operator.truediv" => {
                let op = match name {
                    "operator.mod" => super::syntax::Op::Modulo,
                    "operator.truediv" => super::syntax::Op::Divide,
                    _ => super::syntax::Op::Add,
                };
                self.binary(first?, op, args.positional.get(1)?, at)
            }
            "operator.getitem" => self.index(first?, args.positional.get(1)?, at),
            _ => return None,
        })
    }

    /// Names at run time.
    fn reflection(&mut self, name: &str, args: &Args, at: Span) -> Option<Val> {
        let first = args.positional.first();
        Some(match name {
            "getattr" => {
                let attribute = args.positional.get(1)?.as_str()?.to_owned();
                let val = self.attribute(first?, &attribute, at);
                match (val.is_unknown(), args.positional.get(2)) {
                    (true, Some(default)) => Val::choice(vec![default.clone(), val]),
                    _ => val,
                }
            }
            "setattr" | "object.__setattr__" => {
                let attribute = args.positional.get(1)?.as_str()?.to_owned();
                let val = args.positional.get(2)?.clone();
                let place = self.place(at);
                let val = val.step(place, How::Assigned(attribute.as_str().into()));
                self.collector.assigned(&attribute, &val, place);
                self.set_attribute_of(first?, &attribute, val, place);
                Val::none()
            }
            "vars" => match first {
                Some(object) => self.attribute(object, "__dict__", at),
                None => self.names(false),
            },
            "globals" => self.names(true),
            "locals" => self.names(false),
            "eval" | "ast.literal_eval" => {
                use super::syntax::{Parser as _, StmtNode};
                let text = first?.as_str()?.to_owned();
                if text.len() > 64 << 10 {
                    return None;
                }
                let module = super::ruff::Ruff { notebook: false }.parse(text.trim()).ok()?;
                let [stmt] = module.body.as_slice() else { return None };
                let StmtNode::Expr(expr) = &stmt.node else { return None };
                let val = self.eval(expr);
                // Its places are within the text; what is shown is the text itself.
                retraced(&val, &first?.trace, 0)
            }
            "exec" => {
                use super::syntax::Parser as _;
                let text = first?.as_str()?.to_owned();
                if text.len() > 64 << 10 {
                    return None;
                }
                let module = super::ruff::Ruff { notebook: false }.parse(&text).ok()?;
                self.collector.quiet += 1;
                self.block(&module.body);
                self.collector.quiet -= 1;
                let trace = first?.trace.clone();
                let scope = Rc::clone(&self.frames.last()?.scope);
                for stmt in &module.body {
                    if let super::syntax::StmtNode::Assign(targets, _) = &stmt.node {
                        for target in targets {
                            if let super::syntax::Node::Name(name) = &target.node {
                                let val = scope.vars.borrow().get(name).cloned();
                                if let Some(val) = val {
                                    self.bind(&scope, Arc::clone(name), retraced(&val, &trace, 0));
                                }
                            }
                        }
                    }
                }
                Val::none()
            }
            "__import__" | "importlib.import_module" => {
                let module: Arc<str> = first?.as_str()?.into();
                self.import(&[(Arc::clone(&module), Some("\u{1}import".into()))]);
                let scope = Rc::clone(&self.frames.last()?.scope);
                scope.vars.borrow_mut().remove("\u{1}import").unwrap_or_else(Val::none)
            }
            "copy.copy" | "copy.deepcopy" | "typing.cast" | "dataclasses.replace" | "weakref.ref" => {
                let val = if name == "typing.cast" { args.positional.get(1)? } else { first? };
                match &val.kind {
                    Kind::Dict(dict) => {
                        let dict = dict.borrow();
                        Val::dict(dict.entries.clone(), dict.open)
                    }
                    Kind::List(items) => Val::list(items.borrow().clone()),
                    _ => val.clone(),
                }
            }
            "dataclasses.asdict" => self.attribute(first?, "__dict__", at),
            "types.SimpleNamespace" | "argparse.Namespace" | "munch.Munch" | "box.Box" | "easydict.EasyDict" => {
                let object = self.made(name, args.clone());
                if let Kind::Object(made) = &object.kind {
                    let from_dict = first.map(super::calls::entries).unwrap_or_default();
                    for (k, v) in from_dict.into_iter().chain(args.keywords.iter().cloned()) {
                        made.attrs.borrow_mut().insert(format!("[{k}]").into(), v.clone());
                        made.attrs.borrow_mut().insert(k, v);
                    }
                }
                object
            }
            "collections.namedtuple" | "typing.NamedTuple" | "dataclasses.make_dataclass" => {
                self.made("\u{1}record", args.clone())
            }
            "str.__new__" | "int.__new__" | "bytes.__new__" => args.positional.get(1)?.clone(),
            "\u{1}record" => return None,
            "print" | "setattr_" | "isinstance" | "issubclass" | "hasattr" | "callable" | "any" | "all" => {
                self.unknown(Why::Expression, at)
            }
            _ => return None,
        })
    }

    /// The names of the running function or module as a mapping.
    fn names(&self, global: bool) -> Val {
        let Some(frame) = self.frames.last() else { return Val::none() };
        let scope = if global { &frame.globals } else { &frame.scope };
        let entries = scope.vars.borrow().iter().map(|(k, v)| (Val::str(Arc::clone(k)), v.clone())).collect();
        Val::dict(entries, false)
    }

    /// Encodings.
    fn decoding(&mut self, name: &str, args: &Args, at: Span) -> Option<Val> {
        let first = args.positional.first()?;
        let place = self.place(at);
        let raw: Option<Vec<u8>> = match &first.kind {
            Kind::Str(Text::Known(text)) => Some(text.as_bytes().to_vec()),
            Kind::Bytes(bytes) => Some(bytes.to_vec()),
            _ => None,
        };
        let bytes = |bytes: Vec<u8>, how| {
            Val { kind: Kind::Bytes(bytes.into()), trace: first.trace.clone() }.step(place, How::Decoded(how))
        };
        let text =
            |text: String, how| Val::text(Text::Known(text.into()), first.trace.clone()).step(place, How::Changed(how));
        let is_encoding = name.starts_with("base64.")
            || name.starts_with("binascii.")
            || name.starts_with("codecs.")
            || name.starts_with("urllib.parse.")
            || name.starts_with("html.")
            || matches!(name, "bytes.fromhex" | "bytearray.fromhex" | "textwrap.dedent" | "inspect.cleandoc");
        if !is_encoding {
            return None;
        }
        let Some(raw) = raw else {
            return match (&first.kind, name) {
                (Kind::Reference(_), _) => Some(first.clone()),
                (_, "textwrap.dedent" | "inspect.cleandoc") => Some(first.clone()),
                (_, "urllib.parse.urlunparse" | "urllib.parse.urlunsplit") => self.url_unparse(first, at),
                (
                    _,
                    "urllib.parse.urljoin" | "urllib.parse.quote" | "urllib.parse.quote_plus" | "urllib.parse.unquote",
                ) => Some(first.clone()),
                (_, "urllib.parse.urlencode" | "urllib.parse.urlparse" | "urllib.parse.urlsplit") => None,
                _ => Some(self.unknown(Why::Expression, at)),
            };
        };
        let clean: Vec<u8> = raw.iter().copied().filter(|b| !b.is_ascii_whitespace()).collect();
        let decoded = match name {
            "base64.b64decode" | "base64.standard_b64decode" | "base64.decodebytes" | "binascii.a2b_base64" => {
                base64(false).decode(&clean).ok().map(|b| bytes(b, "Base64"))
            }
            "base64.urlsafe_b64decode" => base64(true).decode(&clean).ok().map(|b| bytes(b, "Base64")),
            "base64.b16decode" | "binascii.unhexlify" | "binascii.a2b_hex" | "bytes.fromhex" | "bytearray.fromhex" => {
                hex::decode(&clean).ok().map(|b| bytes(b, "hexadecimal"))
            }
            "base64.b32decode" => base32(&clean).map(|b| bytes(b, "Base32")),
            "base64.b85decode" => base85(&clean).map(|b| bytes(b, "Base85")),
            "base64.b64encode" | "base64.standard_b64encode" | "base64.encodebytes" => {
                Some(bytes(base64(false).encode(&raw).into_bytes(), "text to Base64"))
            }
            "base64.urlsafe_b64encode" => Some(bytes(base64(true).encode(&raw).into_bytes(), "text to Base64")),
            "codecs.decode" | "codecs.encode" => match args.get(1, "encoding").and_then(Val::as_str).unwrap_or("utf-8")
            {
                "rot13" | "rot_13" | "rot-13" => {
                    let turned: String = raw.iter().map(|b| rot13(*b) as char).collect();
                    Some(text(turned, "rot13"))
                }
                "hex" | "hex_codec" if name == "codecs.decode" => {
                    hex::decode(&clean).ok().map(|b| bytes(b, "hexadecimal"))
                }
                "base64" | "base64_codec" if name == "codecs.decode" => {
                    base64(false).decode(&clean).ok().map(|b| bytes(b, "Base64"))
                }
                _ => String::from_utf8(raw).ok().map(|t| text(t, "decode")),
            },
            "urllib.parse.unquote" | "urllib.parse.unquote_plus" => Some(text(unquote(&raw), "unquote")),
            "urllib.parse.quote" | "urllib.parse.quote_plus" => {
                let quoted: String = raw
                    .iter()
                    .map(|b| {
                        let plain = b.is_ascii_alphanumeric() || b"_.-~/".contains(b);
                        if plain { (*b as char).to_string() } else { format!("%{b:02X}") }
                    })
                    .collect();
                Some(text(quoted, "quote"))
            }
            "urllib.parse.urljoin" => {
                let base = String::from_utf8_lossy(&raw).into_owned();
                let more = args.positional.get(1)?;
                let base = if base.ends_with('/') {
                    base
                } else {
                    base.rsplit_once('/').map_or(String::new(), |(b, _)| format!("{b}/"))
                };
                let pieces = [vec![Piece::Known(base.into())], more.pieces()].concat();
                Some(self.text(pieces, joined(place, How::Joined, [first.trace.clone(), more.trace.clone()]), at))
            }
            "urllib.parse.urlparse" | "urllib.parse.urlsplit" => return self.url_parse(first, at),
            "html.unescape" => {
                let t = String::from_utf8_lossy(&raw).replace("&#45;", "-").replace("&amp;", "&").replace("&#47;", "/");
                Some(text(t, "unescape"))
            }
            "textwrap.dedent" | "inspect.cleandoc" => Some(first.clone()),
            _ => return None,
        };
        Some(decoded.unwrap_or_else(|| self.unknown(Why::Expression, at)))
    }

    fn url_unparse(&mut self, parts: &Val, at: Span) -> Option<Val> {
        let parts = self.items(parts)?;
        let mut pieces = Vec::new();
        let known = |i: usize| parts.get(i).map(Val::pieces).unwrap_or_default();
        pieces.extend(known(0));
        pieces.push(Piece::Known("://".into()));
        pieces.extend(known(1));
        let path = known(2);
        if let Some(Piece::Known(first)) = path.first()
            && !first.starts_with('/')
            && !first.is_empty()
        {
            pieces.push(Piece::Known("/".into()));
        }
        pieces.extend(path);
        let traces = parts.iter().map(|p| p.trace.clone());
        Some(self.text(pieces, joined(self.place(at), How::Joined, traces), at))
    }

    fn url_parse(&mut self, url: &Val, _at: Span) -> Option<Val> {
        let text = url.as_str()?.to_owned();
        let (scheme, rest) = text.split_once("://")?;
        let (host, path) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
        let object = self.made("urllib.parse.ParseResult", Args::default());
        let Kind::Object(made) = &object.kind else { return None };
        let part = |text: &str| Val::text(Text::Known(text.into()), url.trace.clone());
        let mut attrs = made.attrs.borrow_mut();
        let (user, bare) = host.rsplit_once('@').map_or(("", host), |(user, bare)| (user, bare));
        attrs.insert("scheme".into(), part(scheme));
        attrs.insert("netloc".into(), part(host));
        attrs.insert("hostname".into(), part(bare.split(':').next().unwrap_or(bare)));
        attrs.insert("path".into(), part(path.split(['?', '#']).next().unwrap_or(path)));
        attrs.insert("password".into(), user.split_once(':').map_or_else(Val::none, |(_, p)| part(p)));
        attrs.insert("username".into(), part(user.split(':').next().unwrap_or_default()));
        drop(attrs);
        Some(object)
    }

    /// Paths, templates and other things of the standard library.
    fn library(&mut self, name: &str, args: &Args, at: Span) -> Option<Val> {
        let first = args.positional.first();
        Some(match name {
            "os.path.join" | "posixpath.join" | "ntpath.join" | "fsspec.utils.join" => {
                let joined = self.path_join(&args.positional.clone(), at);
                // A path as text.
                Val::choice(
                    joined
                        .options()
                        .into_iter()
                        .map(|v| match v.kind {
                            Kind::Path(text) => Val { kind: Kind::Str(text), trace: v.trace },
                            _ => v,
                        })
                        .collect(),
                )
            }
            "os.path.dirname" | "posixpath.dirname" | "os.path.basename" | "posixpath.basename" => {
                let text = first?.as_str()?.to_owned();
                let (folder, file) = text.rsplit_once('/').unwrap_or(("", &text));
                let cut = if name.ends_with("dirname") { folder } else { file };
                Val::text(Text::Known(cut.into()), first?.trace.clone())
            }
            "os.path.abspath" | "os.path.realpath" | "os.path.expanduser" | "os.path.normpath"
            | "os.path.expandvars" => match &first?.kind {
                Kind::Path(text) => Val::text(text.clone(), first?.trace.clone()),
                _ => first?.clone(),
            },
            "os.path.splitext" => {
                let text = first?.as_str()?.to_owned();
                let (stem, ending) =
                    text.rsplit_once('.').map_or((text.as_str(), String::new()), |(s, e)| (s, format!(".{e}")));
                Val::tuple(vec![Val::text(Text::Known(stem.into()), first?.trace.clone()), Val::str(ending)])
            }
            "pathlib.Path"
            | "pathlib.PurePath"
            | "pathlib.PurePosixPath"
            | "pathlib.PosixPath"
            | "upath.UPath"
            | "cloudpathlib.CloudPath"
            | "cloudpathlib.S3Path"
            | "cloudpathlib.AnyPath"
            | "cloudpathlib.GSPath"
            | "cloudpathlib.AzureBlobPath"
            | "s3path.S3Path"
            | "s3path.PureS3Path"
            | "airflow.io.path.ObjectStoragePath"
            | "airflow.sdk.ObjectStoragePath" => {
                let path = match args.positional.as_slice() {
                    [] => Val::str("."),
                    [one] => one.clone(),
                    many => self.path_join(many, at),
                };
                if !name.starts_with("pathlib.") {
                    self.outside(name, None, args, at);
                }
                Val::choice(
                    path.options()
                        .into_iter()
                        .map(|v| match v.kind {
                            Kind::Str(text) => Val { kind: Kind::Path(text), trace: v.trace },
                            _ => v,
                        })
                        .collect(),
                )
            }
            "string.Template" => match &first?.kind {
                Kind::Str(_) => {
                    let object = self.made(name, args.clone());
                    if let Kind::Object(made) = &object.kind {
                        made.attrs.borrow_mut().insert("template".into(), first?.clone());
                    }
                    object
                }
                _ => return None,
            },
            "string.Template.substitute" | "string.Template.safe_substitute" => return None,
            "re.sub" => {
                let pattern = args.get(0, "pattern").and_then(Val::as_str)?;
                let (to, text) = (args.get(1, "repl")?.as_str()?, args.get(2, "string")?);
                // Python's pattern is read as ours; where it is not one, the result is not known.
                let regex = regex::RegexBuilder::new(pattern).size_limit(1 << 20).build().ok()?;
                let to = to.replace('$', "$$");
                let changed = regex.replace_all(text.as_str()?, to.as_str()).into_owned();
                if changed.len() > TEXT_BYTES_MAX {
                    return None;
                }
                Val::text(Text::Known(changed.into()), text.trace.clone()).step(self.place(at), How::Changed("re.sub"))
            }
            // A secret's wrapper is not a secret's safe.
            "pydantic.SecretStr"
            | "pydantic.types.SecretStr"
            | "pydantic.SecretBytes"
            | "jinja2.Markup"
            | "markupsafe.Markup"
            | "sqlalchemy.text"
            | "sqlalchemy.sql.text"
            | "sqlalchemy.sql.expression.text"
            | "django.conf.settings"
                if args.positional.len() == 1 =>
            {
                if name.contains("Secret") {
                    self.outside(name, None, args, at);
                }
                first?.clone()
            }
            _ => return None,
        })
    }

    /// Settings that the program gets when it starts: a reference, and its default.
    fn setting(&mut self, name: &str, args: &Args, at: Span) -> Option<Val> {
        let place = self.place(at);
        let (reference, default) = match name {
            "os.getenv"
            | "os.environ.get"
            | "os.environ.setdefault"
            | "os.environ.pop"
            | "environ.get"
            | "getenv"
            | "os.environb.get" => (args.get(0, "key")?, args.get(1, "default")),
            "decouple.config"
            | "starlette.config.Config"
            | "environs.Env.str"
            | "environs.Env"
            | "environ.Env.str"
            | "environ.Env"
            | "environs.env.str"
            | "prefect.variables.Variable.get"
            | "dagster.EnvVar"
            | "dagster.EnvVar.int"
            | "st.secrets.get"
            | "streamlit.secrets.get"
            | "airflow.configuration.conf.get"
            | "google.colab.userdata.get" => {
                let default = args.get(1, "default").or_else(|| args.keyword("fallback"));
                (args.positional.first().or_else(|| args.keyword("name"))?, default)
            }
            _ if name.ends_with("Variable.get") => {
                let default = args.keyword("default").or_else(|| args.get(1, "default_var"));
                (args.get(0, "key")?, default)
            }
            _ if name.ends_with("xcom_push") => {
                let key: Arc<str> = args.get(0, "key")?.as_str()?.into();
                let val = args.get(1, "value")?.clone();
                self.collector.entry(&key, &val, place);
                self.environment.insert(format!("XCom[{key}]").into(), val);
                return Some(Val::none());
            }
            _ if name.ends_with("xcom_pull") => {
                let key = args.keyword("key").and_then(Val::as_str).map(|k| format!("XCom[{k}]"));
                let task = args.get(0, "task_ids").and_then(Val::as_str).map(|t| format!("XCom[task:{t}]"));
                return key.into_iter().chain(task).find_map(|name| self.environment.get(name.as_str()).cloned());
            }
            _ if name.ends_with("Variable.setdefault") => (args.get(0, "key")?, args.get(1, "default")),
            _ if name.ends_with("Variable.set") || name == "os.putenv" => {
                let key: Arc<str> = args.get(0, "key")?.as_str()?.into();
                let val = args.get(1, "value")?.clone();
                self.collector.entry(&key, &val, place);
                let owner = if name == "os.putenv" { "os.environ" } else { "Variable" };
                self.environment.insert(format!("{owner}[{key}]").into(), val);
                return Some(Val::none());
            }
            "os.environ.update" => {
                for (key, val) in args
                    .positional
                    .first()
                    .map(super::calls::entries)
                    .unwrap_or_default()
                    .into_iter()
                    .chain(args.keywords.clone())
                {
                    self.collector.environment_set("os.environ", &key, &val, place);
                    self.environment.insert(format!("os.environ[{key}]").into(), val);
                }
                return Some(Val::none());
            }
            _ => return None,
        };
        let key: Arc<str> = match reference.as_text() {
            Some(text) => text.flat(),
            None => "?".into(),
        };
        let owner = if name.contains("Variable") { "Variable" } else { "os.environ" };
        let mut options = Vec::new();
        options.extend(self.environment.get(format!("{owner}[{key}]").as_str()).cloned());
        if let Some(default) = default {
            let default = default.clone().step(place, How::Default(Arc::clone(&key)));
            self.collector.assigned(&key, &default, place);
            if !matches!(default.kind, Kind::None) {
                options.push(default);
            }
        }
        options.push(Val::reference(key));
        Some(Val::choice(options))
    }

    pub(super) fn external_item(&mut self, name: &Arc<str>, index: &Val, _at: Span) -> Val {
        match &**name {
            "os.environ" | "environ" | "os.environb" | "streamlit.secrets" => {
                let key = index.as_str().unwrap_or("?").to_owned();
                let set = self.environment.get(format!("{name}[{key}]").as_str()).cloned();
                Val::choice(set.into_iter().chain([Val::reference(key)]).collect())
            }
            // A generic type.
            _ if name.rsplit('.').next().is_some_and(|last| last.starts_with(char::is_uppercase)) => {
                Val::new(Kind::External(Arc::clone(name)))
            }
            _ => {
                if let Some(key) = index.as_str()
                    && let Some(val) = self.environment.get(format!("{name}[{key}]").as_str())
                {
                    return val.clone();
                }
                self.object(&format!("{name}[]"))
            }
        }
    }

    pub(super) fn external_attribute(&mut self, base: &Arc<str>, name: &str, _at: Span) -> Val {
        match (&**base, name) {
            ("string", "ascii_lowercase") => Val::str("abcdefghijklmnopqrstuvwxyz"),
            ("string", "ascii_uppercase") => Val::str("ABCDEFGHIJKLMNOPQRSTUVWXYZ"),
            ("string", "ascii_letters") => Val::str("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"),
            ("string", "digits") => Val::str("0123456789"),
            ("os" | "os.path", "sep") => Val::str("/"),
            _ => Val::new(Kind::External(super::calls::chained(base, name).into())),
        }
    }

    pub(super) fn object_item(&mut self, object: &Rc<Object>, index: &Val, _at: Span) -> Val {
        // A frame, a bucket, a configuration section: named by its key when that is known.
        if let Some(key) = index.as_str()
            && let Some(Kind::Object(section)) = object.attrs.borrow().get(&*format!("[{key}]")).map(|v| &v.kind)
        {
            return Val::new(Kind::Object(Rc::clone(section)));
        }
        self.object(&object.callee)
    }

    pub(super) fn list_method(
        &mut self,
        items: &Rc<RefCell<Vec<Val>>>,
        receiver: &Val,
        name: &str,
        args: &Args,
        at: Span,
    ) -> Val {
        let first = args.positional.first().cloned();
        match (name, first) {
            ("append" | "add" | "appendleft", Some(val)) => {
                if items.borrow().len() < 4096 {
                    items.borrow_mut().push(val);
                }
                Val::none()
            }
            ("extend" | "update", Some(val)) => {
                if let Some(more) = self.items(&val)
                    && items.borrow().len() < 4096
                {
                    items.borrow_mut().extend(more.into_iter().take(4096));
                }
                Val::none()
            }
            ("insert", Some(i)) => {
                let len = items.borrow().len();
                if let (Some(val), Some(i)) = (args.positional.get(1), i.as_int())
                    && len < 4096
                {
                    items.borrow_mut().insert(i.clamp(0, len as i64) as usize, val.clone());
                }
                Val::none()
            }
            ("reverse", _) => {
                items.borrow_mut().reverse();
                Val::none()
            }
            ("sort", _) => {
                items.borrow_mut().sort_by(|a, b| a.as_str().cmp(&b.as_str()).then(a.as_int().cmp(&b.as_int())));
                Val::none()
            }
            ("pop", i) => {
                let mut items = items.borrow_mut();
                let len = items.len();
                match i.map_or(len.checked_sub(1), |i| i.as_int().and_then(|i| super::containers::position(i, len))) {
                    Some(i) if i < len => items.remove(i),
                    _ => self.unknown(Why::Expression, at),
                }
            }
            ("copy" | "union" | "difference" | "intersection", _) => Val::list(items.borrow().clone()),
            ("index", Some(item)) => match items.borrow().iter().position(|i| crate::value::same(i, &item)) {
                Some(i) => Val::new(Kind::Int(i as i64)),
                None => self.unknown(Why::Expression, at),
            },
            ("_asdict", _) => receiver.clone(),
            _ => self.unknown(Why::Expression, at),
        }
    }

    pub(super) fn dict_method(
        &mut self,
        dict: &Rc<RefCell<Dict>>,
        receiver: &Val,
        name: &str,
        args: &Args,
        at: Span,
    ) -> Val {
        let place = self.place(at);
        match name {
            "get" | "pop" | "setdefault" => {
                let Some(key) = args.positional.first() else { return Val::none() };
                let found = if key.as_str().is_some() || key.as_int().is_some() {
                    dict.borrow().get_val(key).cloned()
                } else {
                    Some(self.index(receiver, key, at))
                };
                let default = args.get(1, "default").cloned();
                if let (Some(default), Some(name)) = (&default, key.as_str()) {
                    self.collector.assigned(name, default, place);
                }
                match (found, default) {
                    (Some(found), _) => found,
                    (None, default) if dict.borrow().open => {
                        let unknown = self.unknown(Why::Expression, at);
                        Val::choice(default.into_iter().chain([unknown]).collect())
                    }
                    (None, Some(default)) => {
                        if name == "setdefault" {
                            dict.borrow_mut().set(key.clone(), default.clone());
                        }
                        default
                    }
                    (None, None) => Val::none(),
                }
            }
            "items" if !dict.borrow().entries.is_empty() || !dict.borrow().open => {
                let dict = dict.borrow();
                Val::list(dict.entries.iter().map(|(k, v)| Val::tuple(vec![k.clone(), v.clone()])).collect())
            }
            "values" if !dict.borrow().entries.is_empty() || !dict.borrow().open => {
                Val::list(dict.borrow().entries.iter().map(|(_, v)| v.clone()).collect())
            }
            "keys" if !dict.borrow().entries.is_empty() || !dict.borrow().open => {
                Val::list(dict.borrow().entries.iter().map(|(k, _)| k.clone()).collect())
            }
            "copy" | "__copy__" => {
                let dict = dict.borrow();
                Val::dict(dict.entries.clone(), dict.open)
            }
            "update" => {
                let mut more: Vec<(Val, Val)> = Vec::new();
                for source in &args.positional {
                    match &source.kind {
                        Kind::Dict(from) if !Rc::ptr_eq(from, dict) => {
                            more.extend(from.borrow().entries.iter().cloned());
                        }
                        _ => dict.borrow_mut().open = true,
                    }
                }
                for (k, v) in &args.keywords {
                    self.collector.entry(k, v, place);
                    more.push((Val::str(Arc::clone(k)), v.clone()));
                }
                for (k, v) in more {
                    dict.borrow_mut().set(k, v);
                }
                Val::none()
            }
            _ => self.unknown(Why::Expression, at),
        }
    }

    pub(super) fn path_join(&mut self, parts: &[Val], at: Span) -> Val {
        let mut pieces: Vec<Piece> = Vec::new();
        let mut traces = Vec::new();
        for part in parts {
            let options = part.options();
            // One of several in the middle of a path: each of them once.
            if options.len() > 1 {
                let results = options
                    .into_iter()
                    .map(|option| {
                        let parts: Vec<Val> = parts
                            .iter()
                            .map(|p| if std::ptr::eq(p, part) { option.clone() } else { p.clone() })
                            .collect();
                        self.path_join(&parts, at)
                    })
                    .collect();
                return Val::choice(results);
            }
            let next = part.pieces();
            let absolute =
                matches!(next.first(), Some(Piece::Known(text)) if text.starts_with('/') || text.contains("://"));
            if absolute {
                pieces.clear();
            } else if let Some(last) = pieces.last() {
                let ends = matches!(last, Piece::Known(text) if text.ends_with('/') || text.is_empty());
                if !ends {
                    pieces.push(Piece::Known("/".into()));
                }
            }
            pieces.extend(next);
            traces.push(part.trace.clone());
        }
        let trace = joined(self.place(at), How::Joined, traces);
        Val { kind: Kind::Path(Text::of(pieces)), trace }
    }

    /// `bucket_path / "key"` of a library's own path.
    pub(super) fn object_join(&mut self, left: &Val, right: &Val, at: Span) -> Val {
        if let Kind::Object(object) = &left.kind
            && let Some(first) = object.args.positional.first().filter(|v| v.as_text().is_some())
        {
            let joined = self.path_join(&[first.clone(), right.clone()], at);
            let args = Args { positional: vec![joined], ..Args::default() };
            self.outside(&object.callee, None, &args, at);
            return self.made(&object.callee, args);
        }
        self.unknown(Why::Expression, at)
    }

    pub(super) fn path_attribute(&mut self, path: &Text, object: &Val, name: &str) -> Val {
        let as_path = |text: &str| Val { kind: Kind::Path(Text::Known(text.into())), trace: object.trace.clone() };
        let as_text = |text: &str| Val { kind: Kind::Str(Text::Known(text.into())), trace: object.trace.clone() };
        let Some(known) = path.known() else {
            return match name {
                "parent" | "name" | "stem" => object.clone(),
                _ => self.bound(object, name),
            };
        };
        let trimmed = known.trim_end_matches('/');
        let file = trimmed.rsplit('/').next().unwrap_or(trimmed);
        match name {
            "parent" => as_path(trimmed.rsplit_once('/').map_or(".", |(folder, _)| folder)),
            "name" => as_text(file),
            "stem" => as_text(file.rsplit_once('.').map_or(file, |(stem, _)| stem)),
            "suffix" => as_text(file.rsplit_once('.').map_or("", |(_, ending)| ending)),
            "parts" => Val::list(trimmed.split('/').map(as_text).collect()),
            "parents" => {
                let mut folders = Vec::new();
                let mut rest = trimmed;
                while let Some((folder, _)) = rest.rsplit_once('/')
                    && folders.len() < 32
                {
                    folders.push(as_path(folder));
                    rest = folder;
                }
                Val::list(folders)
            }
            _ => self.bound(object, name),
        }
    }

    pub(super) fn path_method(&mut self, path: &Text, receiver: &Val, name: &str, args: &Args, at: Span) -> Val {
        match name {
            "joinpath" | "with_name" => {
                let mut parts = vec![receiver.clone()];
                parts.extend(args.positional.iter().cloned());
                self.path_join(&parts, at)
            }
            "resolve" | "absolute" | "expanduser" | "with_suffix" => receiver.clone(),
            "as_posix" | "as_uri" | "__str__" | "__fspath__" => Val::text(path.clone(), receiver.trace.clone()),
            "open" | "read_text" | "read_bytes" => {
                let mut positional = vec![receiver.clone()];
                positional.extend(args.positional.iter().cloned());
                let args = Args { positional, ..args.clone() };
                let opened = self.external("open", None, args, at);
                if name == "open" { opened } else { self.method_of_object(&opened, "read", at) }
            }
            _ => {
                let mut positional = vec![receiver.clone()];
                positional.extend(args.positional.iter().cloned());
                self.external(&format!("pathlib.Path.{name}"), None, Args { positional, ..args.clone() }, at)
            }
        }
    }

    fn method_of_object(&mut self, object: &Val, name: &str, at: Span) -> Val {
        let method = self.attribute(object, name, at);
        self.call(&method, Args::default(), at)
    }

    pub(super) fn instance_method(
        &mut self,
        instance: &Rc<crate::value::Instance>,
        receiver: &Val,
        name: &str,
        args: &Args,
        at: Span,
    ) -> Val {
        match name {
            "dict" | "model_dump" | "_asdict" | "to_dict" | "asdict" => self.attribute(receiver, "__dict__", at),
            "copy" | "model_copy" | "_replace" => receiver.clone(),
            "get" => match args.positional.first().and_then(Val::as_str) {
                Some(key) => {
                    instance.attrs.borrow().get(key).cloned().unwrap_or_else(|| self.unknown(Why::Expression, at))
                }
                None => self.unknown(Why::Expression, at),
            },
            _ => self.external(&format!("{}.{name}", instance.class.def.name), Some(receiver), args.clone(), at),
        }
    }
}

/// The same value with another way: what was read from a text came that text's way.
pub fn retraced(val: &Val, trace: &crate::value::Trace, depth: usize) -> Val {
    if depth > 16 {
        return val.clone();
    }
    let again = |val: &Val| retraced(val, trace, depth + 1);
    match &val.kind {
        Kind::List(items) => Val::list(items.borrow().iter().map(again).collect()),
        Kind::Tuple(items) => Val::tuple(items.iter().map(again).collect()),
        Kind::Dict(dict) => {
            let dict = dict.borrow();
            Val::dict(dict.entries.iter().map(|(k, v)| (again(k), again(v))).collect(), dict.open)
        }
        _ => Val { kind: val.kind.clone(), trace: trace.clone() },
    }
}

fn rot13(b: u8) -> u8 {
    match b {
        b'a'..=b'z' => (b - b'a' + 13) % 26 + b'a',
        b'A'..=b'Z' => (b - b'A' + 13) % 26 + b'A',
        _ => b,
    }
}

fn unquote(raw: &[u8]) -> String {
    let mut out = Vec::with_capacity(raw.len());
    let mut i = 0;
    while let Some(b) = raw.get(i) {
        let code = raw
            .get(i + 1..i + 3)
            .and_then(|d| std::str::from_utf8(d).ok())
            .and_then(|d| u8::from_str_radix(d, 16).ok());
        if let (b'%', Some(code)) = (b, code) {
            out.push(code);
            i += 3;
        } else {
            out.push(*b);
            i += 1;
        }
    }
    String::from_utf8_lossy(&out).into_owned()
}

/// RFC 4648, section 6.
fn base32(raw: &[u8]) -> Option<Vec<u8>> {
    let mut out = Vec::new();
    let (mut bits, mut count) = (0u32, 0u32);
    for b in raw.iter().filter(|b| **b != b'=') {
        let digit = match b {
            b'A'..=b'Z' => b - b'A',
            b'2'..=b'7' => b - b'2' + 26,
            _ => return None,
        };
        bits = bits << 5 | u32::from(digit);
        count += 5;
        if count >= 8 {
            count -= 8;
            out.push((bits >> count) as u8);
            bits &= (1 << count) - 1;
        }
    }
    Some(out)
}

/// RFC 1924's alphabet, as Python's `b85decode` reads it.
fn base85(raw: &[u8]) -> Option<Vec<u8>> {
    const DIGITS: &[u8] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz!#$%&()*+-;<=>?@^_`{|}~";
    let mut out = Vec::new();
    for chunk in raw.chunks(5) {
        let mut n = 0u64;
        for i in 0..5 {
            let b = chunk.get(i).copied().unwrap_or(b'~');
            n = n * 85 + DIGITS.iter().position(|d| *d == b)? as u64;
        }
        let bytes = u32::try_from(n).ok()?.to_be_bytes();
        out.extend_from_slice(bytes.get(..chunk.len().saturating_sub(1))?);
    }
    Some(out)
}
