//! What outside callables do with what they are given.
//!
//! A call is judged by its name and by the names of its parameters. A location that is given to
//! anything outside of the tree counts as used, unless the callee only talks about it: logs,
//! exceptions, assertions, texts for people.

mod injection;
mod policies;
mod special;
mod stores;
mod tables;

use std::{rc::Rc, sync::Arc};

use tables::{POSITIONAL, PROSE, TALK, TALK_METHODS};

use super::{Interpreter, calls::entries, syntax::Span, unsafe_calls::UNSAFE};
use crate::{
    collect::Sink,
    credentials, jinja,
    source::Place,
    storage,
    value::{Args, Dict, Kind, Object, Val},
};

/// Deepest containers that are looked into.
const DEPTH_MAX: usize = 8;

impl Interpreter<'_> {
    /// Shows a call to the rules; some calls have a result of their own.
    pub(super) fn outside(&mut self, name: &str, receiver: Option<&Val>, args: &Args, at: Span) -> Option<Val> {
        if let Some(Val { kind: Kind::Object(object), .. }) = receiver {
            let last = name.rsplit('.').next().unwrap_or(name);
            let receiver = Val::new(Kind::Object(Rc::clone(object)));
            if let Some(val) = self.reading_method(&receiver, last, args, at) {
                return Some(val);
            }
        }
        let place = self.place(at);
        let last = name.rsplit('.').next().unwrap_or(name);
        if self.collector.quiet > 0 || talks(name, last) {
            return None;
        }
        self.task_of(name, args, at);
        let raw = args;
        let args = self.with_templates(args, at);
        let keywords = named(last, &args);
        // A password that goes along is sent, whatever is fetched.
        let has_password = args.keyword("auth").is_some() && speaks_http(name);
        let access = if has_password { "write" } else { access_of(last, &args) };
        let sink = Sink { what: name, place, access };
        let options = args.keyword("storage_options").map(entries).unwrap_or_default();
        let account = options.iter().find(|(name, _)| matches!(&**name, "account_name" | "account"));
        let around =
            std::mem::replace(&mut self.collector.account, account.and_then(|(_, v)| v.as_str()).map(str::to_owned));
        for (parameter, val) in &keywords {
            let captions = self.collector.captions;
            self.collector.captions |= matches!(&**parameter, "examples" | "example");
            self.parameter(name, parameter, val, sink);
            self.collector.captions = captions;
        }
        // What a database is asked with is data, not a place.
        let is_query = matches!(last, "execute" | "executemany" | "fetch" | "fetchrow" | "fetchval");
        let statement = args.positional.first().and_then(Val::as_str).unwrap_or_default().to_ascii_lowercase();
        let reads = ["read_", "_scan", "copy ", "from ?"].iter().any(|word| statement.contains(word));
        // A DAG may be called as a bucket is.
        let skip = usize::from(matches!(last, "DAG" | "Dag" | "TaskGroup"));
        for val in args.positional.iter().skip(skip).take(if is_query && !reads { 1 } else { usize::MAX }) {
            // What is parsed is used where it goes to.
            let is_parsed =
                matches!(last, "safe_load" | "load" | "loads" | "safe_load_all" | "read_string" | "full_load")
                    && val.as_str().is_some_and(|text| text.contains('\n'));
            if !is_parsed {
                self.given(val, sink, 0);
            }
        }
        self.name_and_value(last, &args, sink);
        self.template_files(&args, sink, at);
        self.buckets(name, receiver, &keywords, sink);
        self.file_system(name, receiver, &args, sink);
        self.special(name, last, &args, &keywords, sink);
        self.injected(name, last, raw, &args, sink);
        if last == "PolicyStatement" {
            self.statement_made(&args, sink);
        }
        self.collector.account = around;
        None
    }

    /// Texts of the arguments with their templates rendered.
    fn with_templates(&mut self, args: &Args, at: Span) -> Args {
        let has = |val: &Val| has_template(val, 0);
        if !args.positional.iter().any(has) && !args.keywords.iter().any(|(_, v)| has(v)) {
            return args.clone();
        }
        let keywords = args.keywords.clone();
        let mut out = args.clone();
        for val in &mut out.positional {
            *val = self.render_all(val, &keywords, at, 0);
        }
        for (name, val) in &mut out.keywords {
            if !PROSE.contains(&&**name) {
                *val = self.render_all(val, &keywords, at, 0);
            }
        }
        out
    }

    fn render_all(&mut self, val: &Val, keywords: &[(Arc<str>, Val)], at: Span, depth: usize) -> Val {
        if depth > DEPTH_MAX || !has_template(val, depth) {
            return val.clone();
        }
        match &val.kind {
            Kind::Str(text) => self.rendered(&text.flat(), val, keywords, at),
            Kind::Choice(options) => {
                Val::choice(options.iter().map(|v| self.render_all(v, keywords, at, depth + 1)).collect())
            }
            Kind::List(items) => {
                let items = items.borrow().clone();
                Val::list(items.iter().map(|v| self.render_all(v, keywords, at, depth + 1)).collect())
            }
            Kind::Tuple(items) => {
                Val::tuple(items.iter().map(|v| self.render_all(v, keywords, at, depth + 1)).collect())
            }
            Kind::Dict(dict) => {
                let dict = Dict { entries: dict.borrow().entries.clone(), open: dict.borrow().open };
                let entries = dict
                    .entries
                    .iter()
                    .map(|(k, v)| (k.clone(), self.render_all(v, keywords, at, depth + 1)))
                    .collect();
                Val::dict(entries, dict.open)
            }
            _ => val.clone(),
        }
    }

    /// `V1EnvVar(name="X", value="...")`, `.config("spark.x", "...")`, `set("key", "...")`.
    fn name_and_value(&mut self, last: &str, args: &Args, sink: Sink<'_>) {
        let pairs = matches!(
            last,
            "config"
                | "set"
                | "setenv"
                | "add"
                | "put"
                | "add_header"
                | "V1EnvVar"
                | "EnvVar"
                | "option"
                | "set_option"
                | "setConf"
                | "setProperty"
                | "property"
                | "header"
                | "with_env_variable"
                | "Variable"
                | "create_secret"
                | "put_parameter"
                | "set_conf"
                | "update_config"
                | "add_secret"
                | "set_secret"
                | "setSystemProperty"
                | "KeyValuePair"
        );
        // `connection.set_password("...")`.
        if let (Some(name), [value]) = (last.strip_prefix("set_"), args.positional.as_slice())
            && credentials::wanted(name).is_some()
        {
            self.collector.named(name, value, sink, "name");
        }
        if matches!(last, "Secret" | "SecretDict")
            && let Some(value) = args.keyword("value")
        {
            self.collector.secret_value("secret", value, sink);
        }
        // A key for a service, whatever the parameter is called.
        if matches!(last, "login" | "authenticate" | "auth" | "set_api_key" | "Client" | "init" | "configure") {
            for val in args.keyword("key").into_iter().chain(args.keyword("api")).chain(args.positional.first()) {
                if val.as_str().is_some_and(credentials::is_random) {
                    self.collector.secret_value("key", val, sink);
                }
            }
        }
        let name =
            args.keyword("name").or_else(|| args.keyword("key")).or_else(|| args.positional.first().filter(|_| pairs));
        let value = args.keyword("value").or_else(|| args.positional.get(1).filter(|_| pairs));
        if let (Some(name), Some(value)) = (name.and_then(Val::as_str), value) {
            let name = name.to_owned();
            self.collector.named(&name, value, sink, "name");
            self.collector.environment_value(&name, value, sink);
        }
    }

    /// `sql="queries/x.sql"`: the file of the tree, rendered with the parameters of the call.
    fn template_files(&mut self, args: &Args, sink: Sink<'_>, at: Span) {
        for (name, val) in &args.keywords {
            if !matches!(&**name, "sql" | "bash_command" | "hql" | "query" | "configuration" | "body") {
                continue;
            }
            for option in val.options() {
                let Some(path) = option.as_str().filter(|p| p.len() < 300 && !p.contains(char::is_whitespace)) else {
                    continue;
                };
                if ![".sql", ".hql", ".sh", ".j2", ".json", ".jinja"].iter().any(|end| path.ends_with(end)) {
                    continue;
                }
                let Some(text) = self.template_file(path, at) else { continue };
                let rendered = self.rendered(text.as_str().unwrap_or_default(), &text, &args.keywords, at);
                self.given(&rendered, sink, 0);
            }
        }
    }

    fn template_file(&self, path: &str, at: Span) -> Option<Val> {
        if let Some(file) = self.tree_file(path) {
            return self.whole_file(file, at);
        }
        for dag in &self.dags {
            let Kind::Object(object) = &dag.kind else { continue };
            let Some(search) = object.args.keyword("template_searchpath") else { continue };
            for folder in
                self.items(search).filter(|_| search.as_str().is_none()).unwrap_or_else(|| vec![search.clone()])
            {
                let path = format!("{}/{path}", folder.as_str().unwrap_or_default());
                if let Some(file) = self.tree_file(&path) {
                    return self.whole_file(file, at);
                }
            }
        }
        None
    }

    /// What is set on an object of a library, or on it under a key.
    pub(super) fn set_on(&mut self, object: &Rc<Object>, name: &str, val: &Val, place: Place) {
        let callee = Arc::clone(&object.callee);
        if self.collector.quiet > 0 || talks(&callee, name) {
            return;
        }
        let sink = Sink { what: &callee, place, access: "any" };
        self.parameter(&callee, name, val, sink);
        self.buckets(&callee, None, &[(name.into(), val.clone())], sink);
    }

    /// A value given to a parameter.
    fn parameter(&mut self, callee: &str, name: &str, val: &Val, sink: Sink<'_>) {
        // `bucket/key` of what is copied.
        if name == "CopySource" {
            for option in val.options() {
                if let Some(location) = option.as_text().and_then(|text| storage::path("s3", &text.flat())) {
                    self.collector.storage(&location, &option.trace, sink);
                }
            }
        }
        // A text for people may explain a password; only what looks like one is one there.
        let is_prose = PROSE.contains(&name) && name != "name";
        if !is_prose || val.options().iter().any(|v| v.as_str().is_some_and(|t| !credentials::forms(t).is_empty())) {
            self.collector.named(name, val, sink, "name");
        }
        self.policy_given(name, val, sink);
        self.switch(callee, name, val, sink.place);
        if name == "runtime_env"
            && let Kind::Dict(dict) = &val.kind
            && let Some(packages) = dict.borrow().get("pip").and_then(|packages| self.items(packages))
            && self.collector.quiet == 0
        {
            for package in packages.iter().filter_map(Val::as_str) {
                self.collector.package("pip", package, sink.place, callee);
            }
        }
        if !PROSE.contains(&name) {
            self.given(val, sink, 0);
        }
    }

    /// Everything that a value holds, shown to the rules.
    fn given(&mut self, val: &Val, sink: Sink<'_>, depth: usize) {
        if depth > DEPTH_MAX {
            return;
        }
        match &val.kind {
            Kind::Str(text) | Kind::Path(text) => {
                self.collector.locations(val, sink);
                let flat = text.flat();
                // A topic or a queue may be called as a bucket is.
                let lower = sink.what.to_ascii_lowercase();
                if !["kafka", "pubsub", "queue", "sns", "sqs", "topic", "redis", "celery", "slack"]
                    .iter()
                    .any(|w| lower.contains(w))
                {
                    self.collector.watched(&flat, &val.trace, sink);
                }
                self.collector.credentials_in("", &flat, &val.trace, sink);
                if flat.starts_with("http") && (speaks_http(sink.what) || reads_url(sink.what)) {
                    // A mapping has a `get` too.
                    let is_client = reads_url(sink.what) || is_of_http(&lower) || sink.access == "write";
                    let access = if is_client { sink.access } else { "named" };
                    self.collector.network(&flat, &val.trace, "unknown", Sink { access, ..sink });
                }
                self.collector.switch("", &flat, sink.place);
            }
            Kind::Bytes(bytes) => {
                if let Ok(text) = std::str::from_utf8(bytes) {
                    self.collector.credentials_in("", text, &val.trace, sink);
                }
            }
            // A reader of pickles that is handed on to be called.
            Kind::External(name) => {
                if let Some((_, because)) =
                    UNSAFE.iter().find(|(known, because)| **known == **name && !because.is_empty())
                {
                    self.collector.deserialization(name, "no", because, sink.place);
                }
            }
            Kind::Choice(options) => options.iter().for_each(|v| self.given(v, sink, depth + 1)),
            Kind::List(items) => {
                let items = items.borrow().clone();
                items.iter().take(512).for_each(|v| self.given(v, sink, depth + 1));
            }
            Kind::Tuple(items) => items.iter().take(512).for_each(|v| self.given(v, sink, depth + 1)),
            Kind::Dict(dict) => {
                let pairs: Vec<(Val, Val)> = dict.borrow().entries.iter().take(512).cloned().collect();
                // What a statement of a policy denies is not used.
                if dict.borrow().get("Effect").and_then(Val::as_str) == Some("Deny") {
                    return;
                }
                for (key, val) in &pairs {
                    if let Some(name) = key.as_str() {
                        self.collector.named(name, val, sink, "name");
                        self.switch(sink.what, name, val, sink.place);
                        if PROSE.contains(&name) && name != "name" {
                            continue;
                        }
                    }
                    self.given(val, sink, depth + 1);
                }
                let names: Vec<(Arc<str>, Val)> = entries(val);
                self.buckets(sink.what, None, &names, sink);
            }
            _ => {}
        }
    }

    pub(super) fn object_set(&mut self, object: &Rc<Object>, index: &Val, val: &Val, place: Place) {
        // `session.headers["Authorization"] = "..."`, `conf["spark.x"] = "..."`.
        if let Some(name) = index.as_str() {
            let callee = Arc::clone(&object.callee);
            let sink = Sink { what: &callee, place, access: "" };
            self.collector.named(name, val, sink, "name");
        }
    }
}

/// The arguments with names: positional ones by what is known of the callee.
fn named(last: &str, args: &Args) -> Vec<(Arc<str>, Val)> {
    let mut out = args.keywords.clone();
    if let Some((_, parameters)) = POSITIONAL.iter().find(|(known, _)| *known == last) {
        for (parameter, val) in parameters.iter().zip(&args.positional) {
            if !parameter.is_empty() && !out.iter().any(|(k, _)| &**k == *parameter) {
                out.push(((*parameter).into(), val.clone()));
            }
        }
    }
    // Two callables of one name: boto3's and Airflow's.
    if matches!(
        last,
        "upload_file"
            | "download_file"
            | "load_file"
            | "load_string"
            | "download"
            | "upload"
            | "list"
            | "exists"
            | "delete"
    ) {
        let order: &[&str] = match last {
            "upload_file" => &["", "bucket_name", "key"],
            "load_file" | "load_string" => &["", "key", "bucket_name"],
            "download_file" => &["bucket_name", "key"],
            _ => &["bucket_name", "key"],
        };
        let is_location = args.positional.len() >= 2 || matches!(last, "list");
        if is_location {
            for (parameter, val) in order.iter().zip(&args.positional) {
                let is_name = val.as_text().is_some_and(|t| t.flat().len() < 200);
                if !parameter.is_empty() && is_name && !out.iter().any(|(k, _)| &**k == *parameter) {
                    out.push(((*parameter).into(), val.clone()));
                }
            }
        }
    }
    out
}

/// Whether a callee only talks about its arguments.
fn talks(name: &str, last: &str) -> bool {
    // Exceptions are raised with texts for people.
    let raises = last.ends_with("Error")
        || last.ends_with("Exception")
        || last.ends_with("Warning")
        || last == "Exit"
        || last == "Skip";
    raises
        || TALK.iter().any(|start| name.starts_with(start))
        || TALK_METHODS.contains(&last) && !name.starts_with("airflow.") && !(last == "set" && name.contains('.'))
        || name.contains("getLogger")
        || name.contains("get_logger")
        || name.contains(".log.")
        || name.contains(".logger.")
}

/// Whether a callable sends requests, as far as its name tells.
fn speaks_http(name: &str) -> bool {
    let lower = name.to_ascii_lowercase();
    let is_verb = matches!(lower.rsplit('.').next(), Some("post" | "put" | "get" | "patch")) && lower.contains('.');
    (is_of_http(&lower) || is_verb) && !lower.starts_with("json.")
}

fn is_of_http(lower: &str) -> bool {
    ["http", "request", "urllib", "urlopen", "session", "webhook", "api_client"].iter().any(|word| lower.contains(word))
}

/// Readers of files that take a URL as well.
fn reads_url(name: &str) -> bool {
    matches!(
        name.rsplit('.').next(),
        Some("read_csv" | "read_json" | "read_parquet" | "read_excel" | "read_html" | "read_xml" | "read_table")
    )
}

/// What a callable does with a location.
fn access_of(last: &str, args: &Args) -> &'static str {
    let lower = last.to_ascii_lowercase();
    let has = |words: &[&str]| words.iter().any(|w| lower.contains(w));
    if last == "open" {
        let mode = args.get(1, "mode").and_then(Val::as_str).unwrap_or("r");
        return if mode.contains(['w', 'a', 'x', '+']) { "write" } else { "read" };
    }
    if has(&["delete", "remove", "rm", "unlink"]) && !has(&["format", "transform", "perform"]) {
        "delete"
    } else if has(&[
        "write",
        "upload",
        "put",
        "load_file",
        "load_string",
        "load_bytes",
        "save",
        "to_parquet",
        "to_csv",
        "to_json",
        "to_pickle",
        "sink_",
        "insert",
        "create",
        "post",
        "dump",
        "patch",
    ]) {
        "write"
    } else if has(&[
        "read", "get", "list", "download", "scan", "exists", "check", "sensor", "head", "ls", "load", "cat", "glob",
        "select",
    ]) {
        "read"
    } else {
        "any"
    }
}

fn has_template(val: &Val, depth: usize) -> bool {
    if depth > DEPTH_MAX {
        return false;
    }
    match &val.kind {
        Kind::Str(text) => {
            text.pieces().iter().any(|p| matches!(p, crate::value::Piece::Known(t) if jinja::is_template(t)))
        }
        Kind::List(items) => items.borrow().iter().any(|v| has_template(v, depth + 1)),
        Kind::Tuple(items) => items.iter().any(|v| has_template(v, depth + 1)),
        Kind::Dict(dict) => dict.borrow().entries.iter().any(|(_, v)| has_template(v, depth + 1)),
        Kind::Choice(options) => options.iter().any(|v| has_template(v, depth + 1)),
        _ => false,
    }
}
