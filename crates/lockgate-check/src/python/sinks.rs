//! What outside callables do with what they are given.
//!
//! A call is judged by its name and by the names of its parameters. A location that is given to
//! anything outside of the tree counts as used, unless the callee only talks about it: logs,
//! exceptions, assertions, texts for people.

use std::{rc::Rc, sync::Arc};

use super::{Interpreter, calls::entries, syntax::Span, unsafe_calls::UNSAFE};
use crate::{
    collect::Sink,
    credentials, facts, jinja,
    source::Place,
    storage,
    value::{Args, Dict, Kind, Object, Text, Val},
};

/// Deepest containers that are looked into.
const DEPTH_MAX: usize = 8;

/// Parameters that hold texts for people.
const PROSE: [&str; 30] = [
    "description",
    "doc",
    "doc_md",
    "doc_rst",
    "doc_json",
    "doc_yaml",
    "help",
    "message",
    "msg",
    "comment",
    "tooltip",
    "title",
    "label",
    "reason",
    "note",
    "notes",
    "summary",
    "subject",
    "html_content",
    "task_id",
    "dag_id",
    "name",
    "task_display_name",
    "dag_display_name",
    "tags",
    "epilog",
    "prog",
    "match",
    "metavar",
    "run_name",
];

/// Callees that only talk about what they are given, by how their name starts.
const TALK: [&str; 22] = [
    "logging.",
    "logger.",
    "log.",
    "warnings.",
    "structlog.",
    "loguru.",
    "pytest.",
    "unittest.",
    "re.",
    "typing.",
    "abc.",
    "enum.",
    "traceback.",
    "pprint.",
    "rich.print",
    "rich.console",
    "click.echo",
    "click.secho",
    "typer.echo",
    "print",
    "dataclasses.",
    "mock.",
];
/// The same by how it ends.
const TALK_METHODS: [&str; 34] = [
    "debug",
    "info",
    "warning",
    "warn",
    "error",
    "exception",
    "critical",
    "fatal",
    "startswith",
    "endswith",
    "print",
    "echo",
    "secho",
    "assertEqual",
    "assertIn",
    "assertNotIn",
    "assertRaises",
    "assertRaisesRegex",
    "assertTrue",
    "assertFalse",
    "assertNotEqual",
    "assertRegex",
    "raises",
    "parametrize",
    "isinstance",
    "len",
    "assert_called_with",
    "assert_called_once_with",
    "sorted",
    "set",
    "frozenset",
    "hasattr",
    "add_argument_group",
    "fail",
];

/// Parameters by position, of callables whose name ends so.
const POSITIONAL: [(&str, &[&str]); 66] = [
    ("check_for_bucket", &["bucket_name"]),
    ("get_bucket", &["bucket_name"]),
    ("create_bucket", &["bucket_name"]),
    ("delete_bucket", &["bucket_name"]),
    ("lookup_bucket", &["bucket_name"]),
    ("bucket", &["bucket_name"]),
    ("Bucket", &["bucket_name"]),
    ("Object", &["bucket_name", "key"]),
    ("ObjectSummary", &["bucket_name", "key"]),
    ("list_prefixes", &["bucket_name", "prefix"]),
    ("list_keys", &["bucket_name", "prefix"]),
    ("check_for_prefix", &["prefix", "", "bucket_name"]),
    ("check_for_wildcard_key", &["key", "bucket_name"]),
    ("get_wildcard_key", &["key", "bucket_name"]),
    ("check_for_key", &["key", "bucket_name"]),
    ("get_key", &["key", "bucket_name"]),
    ("read_key", &["key", "bucket_name"]),
    ("select_key", &["key", "bucket_name"]),
    ("load_file_obj", &["", "key", "bucket_name"]),
    ("load_bytes", &["", "key", "bucket_name"]),
    ("delete_objects", &["bucket_name", "key"]),
    ("copy_object", &["source_key", "dest_key", "source_bucket_name", "dest_bucket_name"]),
    ("upload_fileobj", &["", "bucket_name", "key"]),
    ("download_fileobj", &["bucket_name", "key"]),
    ("list_blobs", &["bucket_name"]),
    ("get_container_client", &["container"]),
    ("create_container", &["container"]),
    ("delete_container", &["container"]),
    ("get_blob_client", &["container", "blob"]),
    ("get_file_system_client", &["container"]),
    ("create_file_system", &["container"]),
    ("check_for_blob", &["container", "blob"]),
    ("get_file", &["", "container", "blob"]),
    ("read_file", &["container", "blob"]),
    ("delete_file", &["container", "blob"]),
    ("check_for_prefix_blob", &["container", "prefix"]),
    ("fget_object", &["bucket_name", "key"]),
    ("fput_object", &["bucket_name", "key"]),
    ("stat_object", &["bucket_name", "key"]),
    ("remove_object", &["bucket_name", "key"]),
    ("list_objects", &["bucket_name", "prefix"]),
    ("bucket_exists", &["bucket_name"]),
    ("make_bucket", &["bucket_name"]),
    ("put_object", &["bucket_name", "key"]),
    ("get_object", &["bucket_name", "key"]),
    ("get_records", &["sql"]),
    // Credentials.
    ("HTTPBasicAuth", &["", "password"]),
    ("HTTPDigestAuth", &["", "password"]),
    ("BasicAuth", &["", "password"]),
    ("AWS4Auth", &["access_key", "secret_key"]),
    ("Minio", &["endpoint", "access_key", "secret_key"]),
    ("ClientSecretCredential", &["", "", "client_secret"]),
    ("AzureKeyCredential", &["api_key"]),
    ("AzureNamedKeyCredential", &["", "account_key"]),
    ("AzureSasCredential", &["sas_token"]),
    ("UsernamePasswordCredential", &["", "", "password"]),
    ("PlainTextAuthProvider", &["", "password"]),
    ("PasswordAuthenticator", &["", "password"]),
    ("Fernet", &["fernet_key"]),
    ("login", &["", "password"]),
    ("set_password", &["", "", "password"]),
    ("Redis", &["", "", "", "password"]),
    ("StrictRedis", &["", "", "", "password"]),
    ("SecretStr", &["secret"]),
    ("SecretBytes", &["secret"]),
    ("Connection", &["", "", "", "", "", "password"]),
];

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
        let args = self.with_templates(args, at);
        let keywords = named(last, &args);
        let access = access_of(last, &args);
        let sink = Sink { what: name, place, access };
        for (parameter, val) in &keywords {
            self.parameter(name, parameter, val, sink);
        }
        // What a database is asked with is data, not a place.
        let is_query = matches!(last, "execute" | "executemany" | "fetch" | "fetchrow" | "fetchval");
        for val in args.positional.iter().take(if is_query { 1 } else { usize::MAX }) {
            self.given(val, sink, 0);
        }
        self.name_and_value(last, &args, sink);
        self.template_files(&args, sink, at);
        self.buckets(name, receiver, &keywords, sink);
        self.file_system(name, receiver, &args, sink);
        self.special(name, last, &args, &keywords, sink);
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
        self.collector.named(name, val, sink, "name");
        self.switch(callee, name, val, sink.place);
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
                if flat.starts_with("http") && speaks_http(sink.what) {
                    self.collector.network(&flat, &val.trace, "unknown", sink);
                }
                if let Some(settings) = flat.strip_prefix('?').or_else(|| flat.split_once('?').map(|(_, q)| q))
                    && flat.contains("://")
                    && settings.contains("sslmode=disable")
                {
                    self.collector.unencrypted("sslmode=disable", sink.place);
                }
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

    /// Parameters that name a bucket or a container.
    fn buckets(&mut self, callee: &str, receiver: Option<&Val>, keywords: &[(Arc<str>, Val)], sink: Sink<'_>) {
        let mut account = String::new();
        for (name, val) in keywords {
            let Some((provider, words)) = names_bucket(callee, name) else { continue };
            if account.is_empty() {
                account = self.account(receiver, keywords);
            }
            let key = keywords
                .iter()
                .find(|(k, _)| {
                    names_key(k)
                        && (words.is_empty()
                            || k.starts_with(words.as_str())
                            || !keywords.iter().any(|(o, _)| o.starts_with(words.as_str()) && names_key(o)))
                })
                .and_then(|(_, v)| v.as_text().map(Text::flat))
                .unwrap_or_else(|| "".into());
            for option in val.options() {
                match &option.kind {
                    Kind::Str(text) | Kind::Path(text) => {
                        let flat = text.flat();
                        if flat.is_empty() || flat.contains(char::is_whitespace) {
                            continue;
                        }
                        let location = storage::bucket(provider, &flat, &account, &key);
                        self.collector.storage(&location, &option.trace, sink);
                    }
                    Kind::Unknown(why) => self.collector.storage_unknown(why, sink, provider),
                    // A default stands beside it: that is what is known.
                    Kind::Reference(_) if val.options().iter().any(|o| o.as_text().is_some()) => {}
                    Kind::Reference(name) => {
                        let why =
                            crate::value::Unknown { why: crate::value::Why::Runtime(Arc::clone(name)), place: None };
                        self.collector.storage_unknown(&why, sink, provider);
                    }
                    _ => {}
                }
            }
        }
    }

    /// The storage account that a client, or what it came from, was made with.
    fn account(&self, receiver: Option<&Val>, keywords: &[(Arc<str>, Val)]) -> String {
        if let Some((_, val)) =
            keywords.iter().find(|(k, _)| matches!(&**k, "account_name" | "storage_account" | "storage_account_name"))
            && let Some(name) = val.as_str()
        {
            return name.to_owned();
        }
        let mut current = receiver.cloned();
        for _ in 0..6 {
            let Some(Val { kind: Kind::Object(object), .. }) = current else { break };
            let texts = object.args.positional.iter().chain(object.args.keywords.iter().map(|(_, v)| v));
            for text in texts.filter_map(|v| v.as_text().map(Text::flat)) {
                for end in [".blob.core.windows.net", ".dfs.core.windows.net"] {
                    if let Some((before, _)) = text.split_once(end) {
                        return before.rsplit(['/', '@']).next().unwrap_or(before).to_owned();
                    }
                }
                if let Some((_, after)) = text.split_once("AccountName=") {
                    return after.split(';').next().unwrap_or(after).to_owned();
                }
            }
            if let Some(name) = object.args.keyword("account_name").and_then(Val::as_str) {
                return name.to_owned();
            }
            current = object.attrs.borrow().get("\u{1}from").cloned();
        }
        String::new()
    }

    /// Paths without a scheme, as file systems of one provider take them.
    fn file_system(&mut self, name: &str, receiver: Option<&Val>, args: &Args, sink: Sink<'_>) {
        let of = |val: &Val| match &val.kind {
            Kind::Object(object) => system_of(object),
            _ => None,
        };
        let last = name.rsplit('.').next().unwrap_or(name);
        let (provider, paths): (_, Vec<Val>) = match receiver.and_then(of) {
            Some(provider) => {
                let both = matches!(last, "copy" | "mv" | "move" | "cp" | "rename" | "copy_file");
                let skip = usize::from(matches!(last, "put" | "put_file" | "upload"));
                let take = if both { 2 } else { 1 };
                let named = args.keyword("path").or_else(|| args.keyword("rpath")).cloned();
                (provider, named.into_iter().chain(args.positional.iter().skip(skip).take(take).cloned()).collect())
            }
            None if last == "SubTreeFileSystem" => match args.positional.get(1).and_then(of) {
                Some(provider) => (provider, args.positional.iter().take(1).cloned().collect()),
                None => return,
            },
            None => match args.keyword("filesystem").or_else(|| args.keyword("fs")).and_then(of) {
                Some(provider) => (provider, args.positional.iter().take(2).cloned().collect()),
                None => return,
            },
        };
        let account = self.account(receiver, &args.keywords);
        for path in paths {
            let all = self.items(&path).filter(|_| path.as_text().is_none()).unwrap_or_else(|| path.options());
            for option in all {
                if let Some(text) = option.as_text().map(Text::flat)
                    && !text.contains("://")
                    && let Some(mut location) = storage::path(provider, &text)
                {
                    location.account.clone_from(&account);
                    self.collector.storage(&location, &option.trace, sink);
                } else if let Kind::Unknown(why) = &option.kind {
                    self.collector.storage_unknown(why, sink, provider);
                }
            }
        }
    }

    pub(super) fn open_storage(&mut self, callee: &str, because: &str, place: Place) {
        if self.collector.quiet > 0 {
            return;
        }
        let resource =
            crate::infra::Resource { address: callee, provider: storage::provider_of(callee).unwrap_or("any"), place };
        crate::infra::bucket(&mut self.collector, &resource, |b| b.public = facts::Switch::Yes, because);
    }

    /// Calls that are known by name.
    fn special(&mut self, name: &str, last: &str, args: &Args, keywords: &[(Arc<str>, Val)], sink: Sink<'_>) {
        let place = sink.place;
        self.deserializes(name, last, args, place);
        if name.ends_with("_create_unverified_context") || last == "disable_ssl_verification" {
            self.collector.verification_off(name, place, "");
        }
        if last == "set_missing_host_key_policy" {
            let policy = args.positional.first().map(|v| match &v.kind {
                Kind::Object(object) => object.callee.to_string(),
                Kind::External(name) => name.to_string(),
                _ => String::new(),
            });
            if policy.is_some_and(|p| p.ends_with("AutoAddPolicy") || p.ends_with("WarningPolicy")) {
                self.collector.verification_off(name, place, "");
            }
        }
        if matches!(name, "ftplib.FTP" | "telnetlib.Telnet" | "imaplib.IMAP4" | "poplib.POP3") {
            self.collector.unencrypted(name, place);
        }
        if last == "make_public" {
            self.open_storage(name, "it is made public", place);
        }
        self.connects(name, last, args, sink);
        let keyword = |names: &[&str]| keywords.iter().find(|(k, _)| names.contains(&&**k)).map(|(_, v)| v.clone());
        // Commands.
        let is_shell = matches!(
            name,
            "os.system" | "os.popen" | "subprocess.getoutput" | "subprocess.getstatusoutput" | "commands.getoutput"
        ) || name.starts_with("subprocess.")
            || name.starts_with("sh.")
            || matches!(
                last,
                "create_subprocess_shell"
                    | "exec_command"
                    | "ShellOperation"
                    | "shell_run_command"
                    | "execute_shell_command"
                    | "run_bash_command"
            );
        let command = keyword(&["bash_command", "command", "cmd", "commands", "script", "user_data", "startup_script"])
            .or_else(|| is_shell.then(|| args.positional.first().or_else(|| args.keyword("args")).cloned()).flatten());
        let mut environment = self.environment_words();
        let env = keyword(&["env", "env_vars", "environment"]);
        if let Some(env) = &env {
            let more = self.collector.environment_of(&entries(env));
            environment.extend(more);
        }
        if let Some(command) = command
            && (is_shell
                || last.contains("Operator")
                || last.contains("task")
                || last.contains("run")
                || name.starts_with("prefect")
                || last == "bash")
        {
            self.commands(&command, name, place, &mut environment);
        }
        if let (Some(cmds), Some(arguments)) = (keyword(&["cmds"]), keyword(&["arguments"])) {
            let words: Vec<Val> = [cmds, arguments].iter().filter_map(|v| self.items(v)).flatten().collect();
            self.collector.words(&words, place, name);
        }
        // Containers.
        let is_container = [
            "KubernetesPodOperator",
            "DockerOperator",
            "V1Container",
            "V1PodSpec",
            "kubernetes",
            "docker",
            "KubernetesJobOperator",
            "DockerSwarmOperator",
            "GKEStartPodOperator",
            "EksPodOperator",
            "K8sRunLauncher",
            "DockerContainer",
            "KubernetesJob",
        ]
        .iter()
        .any(|word| last.contains(word));
        if is_container || name.contains("docker") && matches!(last, "run" | "create" | "pull") {
            let image = keyword(&["image"])
                .or_else(|| (name.contains("docker")).then(|| args.positional.first().cloned()).flatten());
            for image in image.iter().flat_map(Val::options) {
                if let Some(text) = image.as_text().map(Text::flat) {
                    self.collector.image(&text, &image.trace, sink);
                }
            }
        }
        if is_container
            || last.ends_with("SecurityContext")
            || last.contains("HostPath")
            || last == "Mount"
            || last == "run"
        {
            self.workload(name, last, keywords, sink);
        }
        // Packages that a task installs.
        if let Some(requirements) = keyword(&["requirements"])
            && let Some(items) = self.items(&requirements)
        {
            for item in items.iter().filter_map(Val::as_str) {
                self.collector.package("pip", item, place, name);
            }
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

/// Whether a parameter names a bucket: of which provider, and what its name starts with.
fn names_bucket(callee: &str, name: &str) -> Option<(&'static str, String)> {
    let words = credentials::words(name);
    let mut all = words.as_slice();
    if let [rest @ .., last] = all
        && matches!(last.as_str(), "name" | "names" | "id" | "uri" | "url")
    {
        all = rest;
    }
    let (last, before) = all.split_last()?;
    let provider = storage::provider_of(name).or_else(|| storage::provider_of(callee));
    let before = before.join("_");
    match last.as_str() {
        "bucket" | "buckets" => Some((provider.unwrap_or("any"), before)),
        "container" | "filesystem" | "share" if provider == Some("abfs") && words.last().is_none_or(|w| w != "id") => {
            Some(("abfs", before))
        }
        _ => None,
    }
}

fn names_key(name: &str) -> bool {
    let words = credentials::words(name);
    let last = words.iter().rev().find(|w| *w != "name").map_or("", String::as_str);
    matches!(last, "key" | "keys" | "object" | "objects" | "prefix" | "blob" | "path")
}

/// The provider of a file system object.
fn system_of(object: &Rc<Object>) -> Option<&'static str> {
    let last = object.callee.rsplit('.').next().unwrap_or_default();
    match last {
        "S3FileSystem" | "S3Fs" => Some("s3"),
        "GCSFileSystem" | "GcsFileSystem" => Some("gs"),
        "AzureBlobFileSystem" | "AzureDatalakeFileSystem" | "AzureFileSystem" => Some("abfs"),
        "HadoopFileSystem" => Some("hdfs"),
        "filesystem" => match object.args.get(0, "protocol").and_then(Val::as_str)? {
            "s3" | "s3a" => Some("s3"),
            "gs" | "gcs" => Some("gs"),
            "abfs" | "az" | "abfss" | "adl" => Some("abfs"),
            "hdfs" => Some("hdfs"),
            _ => None,
        },
        _ => None,
    }
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
        || TALK_METHODS.contains(&last) && !name.starts_with("airflow.")
        || name.contains("getLogger")
        || name.contains("get_logger")
        || name.contains(".log.")
        || name.contains(".logger.")
}

/// Whether a callable sends requests, as far as its name tells.
fn speaks_http(name: &str) -> bool {
    let lower = name.to_ascii_lowercase();
    ["http", "request", "urllib", "urlopen", "session", "webhook", ".post", ".put", ".get", "api_client"]
        .iter()
        .any(|word| lower.contains(word))
        && !lower.starts_with("json.")
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
