//! Where readers put what they find.
//!
//! A reader says what a value is called, what it is given to and where; what that makes of it is
//! decided here, the same for every language.

mod packages;
mod secrets;
mod within;

use std::sync::Arc;

use aws_lc_rs::hmac;

use crate::{
    credentials::{self, Strength, Wanted},
    facts,
    source::{Place, Tree},
    storage::{self, Location},
    switches::{self, Weakness},
    value::{Dict, HOLE, How, Kind, REFERENCE, Text, Trace, Val, literals, steps},
};

use within::authority;
pub use within::pairs;

/// A fact before its places have lines.
#[derive(Debug)]
pub struct Raw<T> {
    pub place: Place,
    pub way: Vec<(Place, How)>,
    pub literals: Vec<Place>,
    pub task: Option<Arc<str>>,
    /// The function that nobody calls in which it was found.
    pub entered: Option<(u32, u32)>,
    pub unresolved: Option<(String, String)>,
    pub what: T,
}

/// Everything that was found.
#[derive(Debug, Default)]
pub struct Found {
    pub credentials: Vec<Raw<facts::Credential>>,
    pub storage: Vec<Raw<facts::Storage>>,
    pub commands: Vec<Raw<facts::Command>>,
    pub network: Vec<Raw<facts::Network>>,
    pub images: Vec<Raw<facts::Image>>,
    pub packages: Vec<Raw<facts::Package>>,
    pub workloads: Vec<Raw<facts::Workload>>,
    pub namespaces: Vec<Raw<facts::Namespace>>,
    pub permissions: Vec<Raw<facts::Permission>>,
    pub buckets: Vec<Raw<facts::Bucket>>,
    pub deserialization: Vec<Raw<facts::Deserialization>>,
    pub datasets: Vec<Raw<facts::Dataset>>,
    pub audit: Vec<Raw<facts::Audit>>,
    pub tasks: Vec<Raw<facts::Task>>,
    pub problems: Vec<(u32, u32, String)>,
    /// Values that no report may show, with the literals that they were made of.
    pub secrets: Vec<(Arc<str>, Vec<Place>)>,
    /// Tasks with those that are given their results.
    pub flows: Vec<(Arc<str>, Arc<str>)>,
    /// Network policies and the pods that train, to be held against each other.
    pub policies: Vec<Policy>,
    pub pods: Vec<Pod>,
}

/// What a network policy selects.
#[derive(Clone, Debug)]
pub struct Policy {
    pub namespace: String,
    /// No labels select every pod.
    pub selector: Vec<(String, String)>,
    /// Whether it refuses anything; one that allows everything isolates nothing.
    pub restricts: bool,
}

/// What stands in a namespace of Kubernetes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Member {
    /// A pod that trains.
    Training,
    Pod,
    /// The namespace itself.
    Declaration,
}

/// A pod, or the declaration of a namespace.
#[derive(Clone, Debug)]
pub struct Pod {
    pub place: Place,
    pub namespace: String,
    pub labels: Vec<(String, String)>,
    pub member: Member,
}

/// The task that was entered before.
#[derive(Debug)]
pub struct Before(Option<Arc<str>>);

/// Collects for one thread.
pub struct Collector<'a> {
    pub tree: &'a Tree,
    pub found: Found,
    /// Nothing is noted while this is not zero: in assertions, exceptions, logs.
    pub quiet: u32,
    /// What stands under a name is shown to people: only a credential's form tells one.
    pub captions: bool,
    pub entered: Option<(u32, u32)>,
    task: Option<Arc<str>>,
    key: &'a hmac::Key,
    /// Names of buckets that the team's policy names.
    watch: &'a [String],
    /// Where the functions were called that are being followed.
    pub calls: Vec<(Place, Arc<str>)>,
    /// Evaluation steps of the file that is being read, where its reader counts them here.
    pub steps: u64,
    /// The storage account that a call names beside its locations.
    pub account: Option<String>,
    pub charts: crate::infra::helm::Charts,
    pub modules: Option<std::rc::Rc<crate::infra::terraform::Folders>>,
    /// Folders of Terraform that other folders call.
    pub called_modules: Option<std::rc::Rc<hashbrown::HashSet<String>>>,
    /// Overlays of Kustomize that were rendered.
    pub rendered: hashbrown::HashSet<u32>,
    pub kustomize: Option<std::rc::Rc<crate::infra::kustomize::Layers>>,
}

/// What a value is given to.
#[derive(Clone, Copy, Debug)]
pub struct Sink<'s> {
    pub what: &'s str,
    pub place: Place,
    pub access: &'s str,
}

impl<'a> Collector<'a> {
    pub fn new(tree: &'a Tree, key: &'a hmac::Key, watch: &'a [String]) -> Self {
        Self {
            tree,
            found: Found::default(),
            quiet: 0,
            captions: false,
            entered: None,
            task: None,
            key,
            watch,
            calls: Vec::new(),
            steps: 0,
            account: None,
            charts: crate::infra::helm::Charts::default(),
            modules: None,
            called_modules: None,
            rendered: hashbrown::HashSet::new(),
            kustomize: None,
        }
    }

    pub fn raw<T>(&self, place: Place, trace: &Trace, what: T) -> Raw<T> {
        // What has no way of its own came by the calls that led here.
        let mut way = steps(trace);
        if way.is_empty() {
            way = self
                .calls
                .iter()
                .rev()
                .take(8)
                .rev()
                .map(|(place, name)| (*place, How::Called(Arc::clone(name))))
                .collect();
        }
        Raw {
            place,
            way,
            literals: literals(trace),
            task: self.task.clone(),
            entered: self.entered,
            unresolved: None,
            what,
        }
    }

    pub fn problem(&mut self, file: u32, offset: u32, what: &str) {
        self.found.problems.push((file, offset, what.to_owned()));
    }

    pub fn set_task(&mut self, task: Option<String>) -> Option<Arc<str>> {
        std::mem::replace(&mut self.task, task.map(Into::into))
    }

    pub fn restore_task(&mut self, task: Option<Arc<str>>) {
        self.task = task;
    }

    /// A function that an outside decorator makes a task; inside of a task it is part of that one.
    pub fn enter_task(&mut self, closure: &crate::python::Closure) -> Option<Before> {
        // A DAG's function holds tasks and is none.
        let is_dag = closure.decorators.iter().filter_map(crate::python::dotted).any(|d| d.ends_with(".dag"));
        if self.task.is_some() || closure.function.value.is_some() || is_dag {
            return None;
        }
        let name = self.task_of(closure.file, &closure.function.name);
        Some(Before(self.task.replace(name)))
    }

    pub fn task_of(&self, file: u32, function: &str) -> Arc<str> {
        format!("{}:{function}", self.tree.file(file).map_or("", |f| &f.path)).into()
    }

    /// Whether a function that is called now is a task of its own.
    pub fn is_outside(&self) -> bool {
        self.task.is_none()
    }

    pub fn leave_task(&mut self, entered: Option<Before>) {
        if let Some(Before(before)) = entered {
            self.task = before;
        }
    }

    /// A value that got a name or stands under a key.
    pub fn assigned(&mut self, name: &str, val: &Val, place: Place) {
        if self.quiet == 0 {
            self.named(name, val, Sink { what: "", place, access: "" }, "name");
        }
    }

    pub fn environment_set(&mut self, callee: &str, name: &str, val: &Val, place: Place) {
        if self.quiet == 0 {
            self.named(name, val, Sink { what: callee, place, access: "" }, "name");
            if !crate::infra::is_aside(&[name]) {
                self.locations(val, Sink { what: callee, place, access: "any" });
            }
            self.switch(name, val.as_str().unwrap_or_default(), place);
        }
    }

    /// A setting that may weaken a connection, by its name and value; `name` may be a path.
    pub fn switch(&mut self, name: &str, value: &str, place: Place) {
        if self.quiet == 0 && switches::unaudited(name, value) {
            crate::infra::audit(self, "a setting", name, place);
        }
        if switches::pickles(name, value) {
            let because = "whoever can write to the database of Airflow runs code in the tasks";
            self.deserialization(name, "no", because, place);
        }
        if value.eq_ignore_ascii_case("pickle") && switches::serializes(name) {
            let because = "whoever can write to the queue runs code in the workers";
            self.deserialization(name, "no", because, place);
        }
        match switches::weakens(name, value) {
            Some(Weakness::Unverified) => self.verification_off(name, place, ""),
            Some(Weakness::Plain) => self.unencrypted(name, place),
            None => {}
        }
        for (name, weakness) in switches::in_url(value) {
            match weakness {
                Weakness::Unverified => self.verification_off(name, place, ""),
                Weakness::Plain => self.unencrypted(name, place),
            }
        }
    }

    /// `{"name": "DB_PASSWORD", "value": "..."}`.
    pub fn dictionary(&mut self, dict: &Dict, place: Place) {
        let name = ["name", "Name", "key", "Key"].iter().find_map(|k| dict.get(k)).and_then(Val::as_str);
        let value = ["value", "Value"].iter().find_map(|k| dict.get(k));
        if let (Some(name), Some(value), 0) = (name, value, self.quiet) {
            self.named(name, value, Sink { what: "", place, access: "" }, "name");
        }
    }

    /// `if password == "..."`.
    pub fn compared(&mut self, left: Option<&str>, left_val: &Val, right: Option<&str>, right_val: &Val, place: Place) {
        if self.quiet > 0 {
            return;
        }
        for (name, other, own) in [(left, right_val, left_val), (right, left_val, right_val)] {
            let Some(name) = name else { continue };
            let is_password = credentials::wanted(name) == Some(Wanted::Password);
            if is_password && own.as_str().is_none() && matches!(other.kind, Kind::Str(_)) {
                self.named(name, other, Sink { what: "a comparison", place, access: "" }, "comparison");
            }
        }
    }

    /// A value that is called `name`, which may ask for a credential.
    pub fn named(&mut self, name: &str, val: &Val, sink: Sink<'_>, how: &str) {
        if self.quiet > 0 {
            return;
        }
        let wanted = credentials::wanted(name).filter(|_| !self.captions);
        for option in val.options() {
            let text = match &option.kind {
                Kind::Str(text) | Kind::Path(text) => text.flat(),
                Kind::Bytes(bytes) => match std::str::from_utf8(bytes) {
                    Ok(text) => text.into(),
                    Err(_) => continue,
                },
                // `auth=("user", "password")`, `api_key=("id", "key")`.
                Kind::List(items) if matches!(wanted, Some(Wanted::Authorization | Wanted::Token)) => {
                    let items = items.borrow().clone();
                    // `"gcp-credentials": ["project", "service_account_file"]` lists names.
                    let is_word = |text: &str| text.chars().all(|c| c.is_ascii_lowercase() || c == '_');
                    let are_names = wanted == Some(Wanted::Token)
                        && items.iter().all(|item| item.as_str().is_some_and(is_word))
                        && items.last().and_then(Val::as_str).is_some_and(credentials::is_identifier);
                    if !are_names {
                        self.pair(&items, sink);
                    }
                    continue;
                }
                Kind::Tuple(items) if matches!(wanted, Some(Wanted::Authorization | Wanted::Token)) => {
                    let items = items.to_vec();
                    self.pair(&items, sink);
                    continue;
                }
                // A number that somebody types in; fewer digits are a count or a port.
                Kind::Int(n) if wanted == Some(Wanted::Password) && n.unsigned_abs() >= 100_000 => n.to_string().into(),
                _ => continue,
            };
            // `{"password": "password"}` that nothing is done with maps a name to itself.
            let is_own_name = credentials::words(name).last().is_some_and(|last| text.eq_ignore_ascii_case(last));
            if is_own_name && sink.what.is_empty() {
                continue;
            }
            match wanted.and_then(|wanted| credentials::judge(wanted, name, &text)) {
                Some(strength) => self.credential(name, &text, strength, &option.trace, sink, how),
                None if credentials::has_shape(&text) || credentials::is_key(name, &text) && !self.captions => {
                    self.credential(name, &text, Strength::Format, &option.trace, sink, "form");
                }
                None => self.credentials_in(name, &text, &option.trace, sink),
            }
        }
    }

    /// Texts that stand in for a secret that is only named: `os.getenv("TOKEN") or "..."`.
    pub fn stands_in(&mut self, val: &Val, place: Place) {
        let Kind::Choice(options) = &val.kind else { return };
        for option in options.iter() {
            let Kind::Reference(name) = &option.kind else { continue };
            if credentials::wanted(name).is_none() {
                continue;
            }
            for text in options.iter().filter(|o| o.as_text().is_some()) {
                self.assigned(name, text, place);
            }
        }
    }

    /// A name of the environment with its value: a credential, a bucket, a switch.
    pub fn environment_value(&mut self, name: &str, val: &Val, sink: Sink<'_>) {
        if storage::names_bucket(name) {
            for option in val.options() {
                if let Some(text) = option.as_text().map(Text::flat)
                    && !text.is_empty()
                    && !text.contains("://")
                    && !text.contains(char::is_whitespace)
                {
                    let provider = storage::provider_of(name).unwrap_or("any");
                    self.storage(&storage::bucket(provider, &text, "", ""), &option.trace, sink);
                }
            }
        }
        self.switch(name, val.as_str().unwrap_or_default(), sink.place);
    }

    /// A text that is just the name of a bucket that the team watches.
    pub fn watched(&mut self, text: &str, trace: &Trace, sink: Sink<'_>) {
        if self.watch.iter().any(|name| name == text) {
            self.storage(&storage::bucket("any", text, "", ""), trace, sink);
        }
    }

    /// A location that code touches.
    pub fn storage(&mut self, location: &Location, trace: &Trace, sink: Sink<'_>) {
        if self.quiet > 0 {
            return;
        }
        let owned;
        let location = match &self.account {
            Some(account) if location.provider == "abfs" && location.account.is_empty() => {
                owned = Location { account: account.clone(), ..location.clone() };
                &owned
            }
            _ => location,
        };
        let mut raw = self.raw(sink.place, trace, storage_fact(location, sink));
        if !location.complete {
            raw.unresolved = Some((
                format!("of `{}` only a part is known before it runs", location.uri()),
                "name the bucket in the code, or give its variable a default".to_owned(),
            ));
        }
        self.found.storage.push(raw);
    }

    /// A place for a location whose value is not known at all.
    pub fn storage_unknown(&mut self, why: &crate::value::Unknown, sink: Sink<'_>, provider: &'static str) {
        if self.quiet > 0 {
            return;
        }
        let location = Location {
            provider,
            bucket: HOLE.to_string(),
            account: String::new(),
            key: String::new(),
            complete: false,
        };
        let mut raw = self.raw(sink.place, &None, storage_fact(&location, sink));
        let (why, resolve) = why.why.words();
        raw.unresolved = Some((why, resolve.to_owned()));
        self.found.storage.push(raw);
    }

    /// All locations that a value names.
    pub fn locations(&mut self, val: &Val, sink: Sink<'_>) {
        for option in val.options() {
            if let Some(text) = option.as_text() {
                for location in storage::find(&text.flat()) {
                    self.storage(&location, &option.trace, sink);
                }
            }
        }
    }

    pub fn network(&mut self, url: &str, trace: &Trace, verification: &str, sink: Sink<'_>) {
        if self.quiet > 0 {
            return;
        }
        let Some((scheme, rest)) = url.split_once("://") else { return };
        let scheme = scheme.to_ascii_lowercase();
        if !scheme.chars().all(|c| c.is_ascii_alphanumeric() || c == '+') || scheme.is_empty() || scheme.len() > 20 {
            return;
        }
        let host = rest.get(authority(rest)..).unwrap_or_default();
        let host = host.split(['/', '?', '#', ' ', '"', '\'']).next().unwrap_or_default();
        // `session.mount("http://", ...)` sends nothing.
        if host.is_empty() {
            return;
        }
        let encrypted =
            !matches!(scheme.as_str(), "http" | "ftp" | "telnet" | "ws" | "ldap" | "smtp" | "amqp" | "mqtt");
        let what = facts::Network {
            scheme,
            host: host.replace([HOLE, REFERENCE], "…").chars().take(253).collect(),
            encrypted,
            verification: verification.to_owned(),
            access: match sink.access {
                "write" => "send",
                "named" => "named",
                _ => "fetch",
            }
            .to_owned(),
            sink: sink.what.to_owned(),
        };
        let raw = self.raw(sink.place, trace, what);
        self.found.network.push(raw);
    }

    /// A switch that turns the verification of certificates off.
    pub fn verification_off(&mut self, what: &str, place: Place, host: &str) {
        if self.quiet > 0 {
            return;
        }
        let what = facts::Network {
            scheme: String::new(),
            host: host.to_owned(),
            encrypted: true,
            verification: "off".to_owned(),
            access: "fetch".to_owned(),
            sink: what.to_owned(),
        };
        let raw = self.raw(place, &None, what);
        self.found.network.push(raw);
    }

    /// A connection that is not encrypted.
    pub fn unencrypted(&mut self, what: &str, place: Place) {
        if self.quiet > 0 {
            return;
        }
        let what = facts::Network {
            scheme: "plain".to_owned(),
            host: String::new(),
            encrypted: false,
            verification: "unknown".to_owned(),
            access: "send".to_owned(),
            sink: what.to_owned(),
        };
        let raw = self.raw(place, &None, what);
        self.found.network.push(raw);
    }

    pub fn image(&mut self, image: &str, trace: &Trace, sink: Sink<'_>) {
        let image = image.trim();
        if self.quiet > 0 || image.is_empty() || image.contains(char::is_whitespace) || image.len() > 500 {
            return;
        }
        let (rest, digest) = image.split_once('@').unwrap_or((image, ""));
        let slash = rest.rfind('/').map_or(0, |i| i + 1);
        let (name, tag) = match rest.get(slash..).and_then(|last| last.find(':')) {
            Some(colon) => rest.split_at(slash + colon),
            None => (rest, ""),
        };
        let clean = |text: &str| text.trim_start_matches(':').replace([HOLE, REFERENCE], "…");
        let what =
            facts::Image { name: clean(name), tag: clean(tag), digest: clean(digest), sink: sink.what.to_owned() };
        let mut raw = self.raw(sink.place, trace, what);
        if image.contains([HOLE, REFERENCE]) && digest.is_empty() {
            raw.unresolved = Some((
                "a part of the image's name is known only when it runs".to_owned(),
                "write the digest beside the name".to_owned(),
            ));
        }
        self.found.images.push(raw);
    }

    pub fn deserialization(&mut self, function: &str, safe: &str, because: &str, place: Place) {
        if self.quiet > 0 {
            return;
        }
        let what = facts::Deserialization {
            function: function.to_owned(),
            safe: safe.to_owned(),
            because: because.to_owned(),
        };
        let raw = self.raw(place, &None, what);
        self.found.deserialization.push(raw);
    }
}

fn storage_fact(location: &Location, sink: Sink<'_>) -> facts::Storage {
    facts::Storage {
        uri: location.uri(),
        provider: location.provider.to_owned(),
        bucket: location.bucket.replace([HOLE, REFERENCE], "…"),
        account: location.account.replace([HOLE, REFERENCE], "…"),
        key: location.key.replace([HOLE, REFERENCE], "…"),
        prefix: location.prefix(),
        complete: location.complete,
        access: if sink.access.is_empty() { "any" } else { sink.access }.to_owned(),
        sink: sink.what.to_owned(),
    }
}
