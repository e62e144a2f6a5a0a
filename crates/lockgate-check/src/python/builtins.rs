//! Functions from outside of the tree whose result is known when their arguments are.

use std::{cell::RefCell, rc::Rc, sync::Arc};

use super::{Interpreter, ROUNDS_MAX, syntax::Span};
use crate::value::{Args, CHOICES_MAX, Dict, How, Kind, Object, TEXT_BYTES_MAX, Text, Val, Why, joined};

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
                    self.collector.assigned(k, v, place);
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

    pub(super) fn object_item(&mut self, object: &Rc<Object>, index: &Val, _at: Span) -> Val {
        // A frame, a bucket, a configuration section: named by its key when that is known.
        if let Some(key) = index.as_str()
            && let Some(Kind::Object(section)) = object.attrs.borrow().get(&*format!("[{key}]")).map(|v| &v.kind)
        {
            return Val::new(Kind::Object(Rc::clone(section)));
        }
        self.object(&object.callee)
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
