//! Configuration that code reads: JSON, YAML, INI and environment files, from texts and from
//! files of the tree.

use std::sync::Arc;

use super::{Interpreter, builtins::retraced, syntax::Span};
use crate::{
    collect::Sink,
    source::Place,
    value::{Args, How, Kind, Text, Val, Why, literal},
    yaml,
};

/// Largest file of the tree that code is followed into.
const READ_BYTES_MAX: usize = 256 << 10;

impl Interpreter<'_> {
    pub(super) fn reading(&mut self, name: &str, args: &Args, at: Span) -> Option<Val> {
        let first = args.positional.first();
        Some(match name {
            "open" | "io.open" | "codecs.open" => {
                let path = first.or_else(|| args.keyword("file"))?;
                let file = path.as_str().and_then(|path| self.tree_file(path));
                self.outside("open", None, args, at);
                let object = self.made("open", args.clone());
                if let (Kind::Object(made), Some(val)) = (&object.kind, file.and_then(|file| self.whole_file(file, at)))
                {
                    made.attrs.borrow_mut().insert("\u{1}text".into(), val);
                }
                object
            }
            "open.read" | "open.readlines" | "open.__enter__" => return None,
            "json.loads" | "orjson.loads" | "ujson.loads" | "simplejson.loads" => {
                let text = first?.as_str()?.to_owned();
                self.parsed(&text, first?)
            }
            "yaml.safe_load"
            | "yaml.load"
            | "yaml.full_load"
            | "yaml.unsafe_load"
            | "json.load"
            | "ruamel.yaml.safe_load"
            | "toml.load"
            | "tomllib.load"
            | "tomli.load"
            | "toml.loads"
            | "tomllib.loads"
            | "tomli.loads" => {
                // The call itself may be one that must not be.
                self.outside(name, None, args, at);
                let source = self.opened(first?);
                let text = source.as_str()?.to_owned();
                if name.starts_with("toml") {
                    crate::settings::toml_value(&text, &source.trace)?
                } else {
                    self.parsed(&text, &source)
                }
            }
            "configparser.ConfigParser" | "configparser.RawConfigParser" | "configparser.SafeConfigParser" => {
                self.made("configparser.ConfigParser", args.clone())
            }
            "dotenv.dotenv_values" | "dotenv.load_dotenv" => {
                let path = first.and_then(Val::as_str).unwrap_or(".env").to_owned();
                let file = self.tree_file(&path)?;
                let text = self.whole_file(file, at)?;
                let entries = crate::settings::values(text.as_str()?, &text.trace);
                if name.ends_with("load_dotenv") {
                    for (key, val) in &entries {
                        self.environment.insert(format!("os.environ[{key}]").into(), val.clone());
                    }
                    return Some(Val::none());
                }
                Val::dict(entries.into_iter().map(|(k, v)| (Val::str(k), v)).collect(), true)
            }
            _ => return None,
        })
    }

    /// The text of a file that was opened, or the text itself.
    fn opened(&self, val: &Val) -> Val {
        match &val.kind {
            Kind::Object(object) => object.attrs.borrow().get("\u{1}text").cloned().unwrap_or_else(|| val.clone()),
            _ => val.clone(),
        }
    }

    pub(super) fn whole_file(&self, file: u32, at: Span) -> Option<Val> {
        let source = self.world.tree.file(file)?;
        let text = source.text().ok().filter(|text| text.len() <= READ_BYTES_MAX)?;
        let place = Place::new(file, 0, text.len());
        Some(
            Val::text(Text::Known(Arc::clone(text)), literal(place))
                .step(self.place(at), How::Read(Arc::clone(&source.path))),
        )
    }

    /// JSON or YAML as a value that came its text's way. Where the text is a file of the tree,
    /// every value starts at its own place there.
    fn parsed(&mut self, text: &str, source: &Val) -> Val {
        let Ok(documents) = yaml::parse(text) else {
            return Val::unknown(Why::Expression, None);
        };
        let Some(node) = documents.first() else { return Val::none() };
        let file = match crate::value::literals(&source.trace).as_slice() {
            [place] if self.world.tree.file(place.file).and_then(|f| f.text().ok()).is_some_and(|t| &**t == text) => {
                Some(place.file)
            }
            _ => None,
        };
        match file {
            Some(file) => yaml::value(node, file, 0),
            None => retraced(&yaml::value(node, 0, 0), &source.trace, 0),
        }
    }

    pub(super) fn object_attribute(
        &mut self,
        receiver: &Val,
        object: &crate::value::Object,
        name: &str,
        at: Span,
    ) -> Val {
        match (&*object.callee, name) {
            ("super", _) => self.super_attribute(name, at),
            ("dag_run", "conf") => self.unknown(Why::Outside("dag_run.conf".into()), at),
            ("context", "params") => self.unknown(Why::Outside("params".into()), at),
            ("functools.partial", "func") => object.args.positional.first().cloned().unwrap_or_else(Val::none),
            (callee, "output" | "result") if callee.contains("Operator") || callee.contains("task") => {
                object.args.keyword("output").cloned().unwrap_or_else(|| self.bound(receiver, name))
            }
            (callee, _) if callee.ends_with("parse_args") || callee.ends_with("parse_known_args[]") => {
                let set = object.attrs.borrow().get(name).cloned();
                set.unwrap_or_else(|| self.unknown(Why::Runtime(name.into()), at))
            }
            (callee, "value" | "get_value") if callee.ends_with("EnvVar") => Val::reference(name),
            _ => match object.args.keyword(name) {
                // A constructor's keyword is most often an attribute of what it makes.
                Some(val)
                    if object.callee.rsplit('.').next().is_some_and(|last| last.starts_with(char::is_uppercase)) =>
                {
                    val.clone()
                }
                _ => self.bound(receiver, name),
            },
        }
    }

    /// Methods of objects that hold what was read.
    pub(super) fn reading_method(&mut self, receiver: &Val, name: &str, args: &Args, at: Span) -> Option<Val> {
        let Kind::Object(object) = &receiver.kind else { return None };
        match (&*object.callee, name) {
            ("open", "read" | "readline") => object.attrs.borrow().get("\u{1}text").cloned(),
            ("open", "readlines") => {
                let text = object.attrs.borrow().get("\u{1}text").cloned()?;
                let known = text.as_str()?.to_owned();
                Some(self.text_method(&Text::Known(known.into()), &text, "splitlines", &Args::default(), at))
            }
            ("open", "close" | "flush") => Some(Val::none()),
            ("jinja2.Template", "render") => {
                let template = object.args.positional.first()?.clone();
                let text = template.as_str()?.to_owned();
                let names =
                    Val::dict(args.keywords.iter().map(|(k, v)| (Val::str(Arc::clone(k)), v.clone())).collect(), true);
                let from = args.positional.first().cloned().unwrap_or(names);
                let rendered = self.rendered_with(&text, &template, &from, at);
                // A statement is rendered to be run, wherever that is.
                if rendered.as_text().is_some_and(|text| is_statement(&text.flat())) && self.collector.quiet == 0 {
                    let place = self.place(at);
                    self.collector.locations(&rendered, Sink { what: "jinja2.Template.render", place, access: "any" });
                }
                Some(rendered)
            }
            ("jinja2.Environment", "from_string") => Some(self.made("jinja2.Template", args.clone())),
            ("string.Template", "substitute" | "safe_substitute") => {
                let template = object.attrs.borrow().get("template").cloned()?;
                let text = template.as_text()?.clone();
                Some(self.substitute(&text, &template, args, at))
            }
            ("configparser.ConfigParser", "read" | "read_string" | "read_dict" | "read_file") => {
                let first = args.positional.first()?;
                let text = match name {
                    "read" => {
                        let path = match self.items(first) {
                            Some(items) if first.as_str().is_none() => items.first()?.as_str()?.to_owned(),
                            _ => first.as_str()?.to_owned(),
                        };
                        let file = self.tree_file(&path)?;
                        self.whole_file(file, at)?
                    }
                    _ => self.opened(first),
                };
                let sections = match name {
                    "read_dict" => super::calls::entries(first)
                        .iter()
                        .map(|(k, v)| (Arc::clone(k), super::calls::entries(v)))
                        .collect(),
                    _ => crate::settings::sections(text.as_str()?, &text.trace),
                };
                for (section, entries) in sections {
                    let dict = Val::dict(entries.into_iter().map(|(k, v)| (Val::str(k), v)).collect(), true);
                    object.attrs.borrow_mut().insert(format!("[{section}]").into(), dict);
                }
                Some(Val::none())
            }
            ("configparser.ConfigParser", "get" | "getint" | "getboolean") => {
                let (section, key) = (args.positional.first()?.as_str()?, args.positional.get(1)?.as_str()?);
                let section = object.attrs.borrow().get(&*format!("[{section}]")).cloned()?;
                let found = match &section.kind {
                    Kind::Dict(dict) => dict.borrow().get(&key.to_lowercase()).or(dict.borrow().get(key)).cloned(),
                    _ => None,
                };
                found.or_else(|| args.keyword("fallback").cloned())
            }
            ("argparse.ArgumentParser", "add_argument") => {
                let name = args
                    .keyword("dest")
                    .and_then(Val::as_str)
                    .or_else(|| args.positional.iter().filter_map(Val::as_str).find(|n| n.starts_with("--")))
                    .or_else(|| args.positional.first().and_then(Val::as_str))?
                    .trim_start_matches('-')
                    .replace('-', "_");
                let place = self.place(at);
                let unknown = self.unknown(Why::Runtime(format!("--{name}").into()), at);
                let default = args.keyword("default").filter(|v| !matches!(v.kind, Kind::None)).cloned();
                if let Some(default) = &default {
                    self.collector.assigned(&name, default, place);
                }
                let default = default.map(|v| v.step(place, How::Default(format!("--{name}").into())));
                let val = Val::choice(default.into_iter().chain([unknown]).collect());
                object.attrs.borrow_mut().insert(format!("--{name}").into(), val);
                Some(Val::none())
            }
            ("argparse.ArgumentParser", "parse_args" | "parse_known_args") => {
                let made = self.made("argparse.ArgumentParser.parse_args", Args::default());
                if let Kind::Object(namespace) = &made.kind {
                    for (name, val) in object.attrs.borrow().iter() {
                        if let Some(name) = name.strip_prefix("--") {
                            namespace.attrs.borrow_mut().insert(name.into(), val.clone());
                        }
                    }
                }
                Some(if name == "parse_args" { made } else { Val::tuple(vec![made, Val::none()]) })
            }
            _ => None,
        }
    }
}

/// Whether a text is a statement of SQL.
fn is_statement(text: &str) -> bool {
    let start: String = text.trim_start().chars().take(20).collect::<String>().to_ascii_lowercase();
    ["create ", "copy ", "unload ", "insert ", "select ", "load ", "export ", "merge ", "with "]
        .iter()
        .any(|word| start.starts_with(word))
}
