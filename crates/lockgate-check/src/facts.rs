//! What was read, as a versioned document: the input of every rule.
//!
//! No secret stands in it: a credential is its name, its form, a keyed fingerprint and a hint.

use schemars::JsonSchema;
use serde::Serialize;

use crate::{
    credentials::Strength,
    source::Role,
    value::{HOLE, REFERENCE},
};

/// The version of the document; it changes when a field changes its meaning or goes.
pub const VERSION: &str = "lockgate.check/v1";

/// All facts of one check.
#[derive(Debug, Default, Serialize, JsonSchema)]
pub struct Facts {
    /// `lockgate.check/v1`.
    pub version: String,
    pub files: Vec<FileFact>,
    pub credentials: Vec<Fact<Credential>>,
    pub storage: Vec<Fact<Storage>>,
    pub commands: Vec<Fact<Command>>,
    pub network: Vec<Fact<Network>>,
    pub images: Vec<Fact<Image>>,
    pub packages: Vec<Fact<Package>>,
    pub workloads: Vec<Fact<Workload>>,
    pub namespaces: Vec<Fact<Namespace>>,
    pub permissions: Vec<Fact<Permission>>,
    pub buckets: Vec<Fact<Bucket>>,
    pub deserialization: Vec<Fact<Deserialization>>,
    pub datasets: Vec<Fact<Dataset>>,
    pub audit: Vec<Fact<Audit>>,
    pub tasks: Vec<Fact<Task>>,
    /// What could not be read.
    pub problems: Vec<Problem>,
}

#[derive(Debug, Serialize, JsonSchema)]
pub struct FileFact {
    pub path: String,
    pub language: String,
    pub role: Role,
}

/// Something that was read, where, and how its value came there.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct Fact<T> {
    /// Unique within the document; the same for the same place and content in every run.
    pub id: String,
    pub file: String,
    pub line: u32,
    pub column: u32,
    pub end_line: u32,
    pub end_column: u32,
    /// `source`, `test` or `template`.
    pub role: Role,
    /// Files that it comes through, for `--changed-since`.
    #[serde(skip)]
    pub files: Vec<String>,
    /// The task or function that it belongs to.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub task: Option<String>,
    /// Tasks whose results this one is given, over any number of steps.
    pub after: Vec<String>,
    /// The steps of its value from the literals on.
    pub way: Vec<Step>,
    /// Why the value is not known, where it is not.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub unresolved: Option<Unresolved>,
    #[serde(flatten)]
    pub what: T,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Step {
    pub file: String,
    pub line: u32,
    pub column: u32,
    /// What happened there, in words.
    pub what: String,
}

/// What could not be followed, and what would make it clear.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Unresolved {
    pub why: String,
    pub resolve: String,
}

#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct Credential {
    /// What it is called there: a parameter, a key, a variable.
    pub name: String,
    /// `name`, `url`, `form`, `command`, `header`, `comparison`, `image` or `manifest`.
    pub how: String,
    /// What it is given to.
    pub sink: String,
    pub strength: Strength,
    /// The kind, where its form tells.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub entity: Option<String>,
    /// HMAC-SHA-256 of the value under the key of this check, shortened to 16 hex digits: the same for the
    /// same value in one run.
    pub fingerprint: String,
    /// Its length, and how a long one begins.
    pub hint: String,
    /// What to write instead.
    pub instead: String,
}

#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct Storage {
    /// `s3://bucket/key`, `gs://...`, `abfs://container@account/path`; `…` for what is not known.
    pub uri: String,
    pub provider: String,
    pub bucket: String,
    pub account: String,
    pub key: String,
    /// What is known of the beginning of `uri`.
    pub prefix: String,
    /// Whether bucket and account are known whole.
    pub complete: bool,
    /// `read`, `write`, `delete` or `any`.
    pub access: String,
    pub sink: String,
}

#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct Command {
    pub program: String,
    pub sink: String,
    /// What it does that a rule asks about: `download-and-run`, `world-writable`,
    /// `outside-input` (what whoever starts it types in becomes a part of it).
    pub does: Vec<String>,
}

#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct Network {
    pub scheme: String,
    /// The host, `…` for what is not known.
    pub host: String,
    /// Whether what goes there is encrypted.
    pub encrypted: bool,
    /// `on`, `off` or `unknown`: whether the peer's certificate is verified.
    pub verification: String,
    /// `send` where data goes there, `fetch` where it comes from there, `named` where the address is
    /// given to something that may do either.
    pub access: String,
    pub sink: String,
}

#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct Image {
    pub name: String,
    pub tag: String,
    pub digest: String,
    pub sink: String,
}

#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct Package {
    pub manager: String,
    pub name: String,
    pub version: String,
    /// Whether one version is named, or a hash or a lock file is.
    pub pinned: bool,
    pub sink: String,
}

/// What is said of a switch.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Switch {
    Yes,
    No,
    #[default]
    Unset,
}

#[derive(Clone, Debug, Default, Serialize, JsonSchema)]
pub struct Workload {
    /// `Pod`, `Deployment`, `compose`, `KubernetesPodOperator`, `job`...
    pub kind: String,
    pub name: String,
    pub namespace: String,
    pub container: String,
    pub image: String,
    pub privileged: bool,
    pub root: Switch,
    pub escalation: Switch,
    pub capabilities: Vec<String>,
    pub host_mounts: Vec<String>,
    /// Which of the host's namespaces it shares: `network`, `pid`, `ipc`.
    pub host_namespaces: Vec<String>,
    pub service_account: String,
    /// Whether it trains a model, by its name, labels, image or command.
    pub training: bool,
}

#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct Namespace {
    pub name: String,
    /// Whether a network policy in the files selects all of its pods.
    pub isolated: bool,
    pub training: bool,
    /// Whether the files declare it or say anything of its network.
    pub known: bool,
}

#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct Permission {
    /// The role, policy or binding.
    pub name: String,
    pub kind: String,
    pub actions: Vec<String>,
    pub resources: Vec<String>,
    pub subjects: Vec<String>,
    /// What is broad about it: `all-actions`, `all-resources`, `cluster-admin`, `public`, `owner`.
    pub broad: Vec<String>,
}

#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct Bucket {
    pub provider: String,
    pub name: String,
    pub address: String,
    pub public: Switch,
    pub encrypted: Switch,
    pub encrypted_transport: Switch,
    pub logging: Switch,
    /// What says so.
    pub because: Vec<String>,
}

#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct Deserialization {
    pub function: String,
    /// `no` where it runs code of what it reads, `unknown` where an argument decides.
    pub safe: String,
    pub because: String,
}

#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct Dataset {
    pub name: String,
    /// `contract`, `dbt-source`, `dbt-model` or `pipeline`.
    pub kind: String,
    pub owner: bool,
    pub classification: String,
    pub retention: bool,
    /// Columns that are said to be personal.
    pub personal: Vec<String>,
}

#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct Audit {
    pub component: String,
    pub setting: String,
    pub enabled: bool,
}

#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct Task {
    pub dag: String,
    pub name: String,
    pub operator: String,
    pub upstream: Vec<String>,
}

/// A file or a part of it that could not be read.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, JsonSchema)]
pub struct Problem {
    pub file: String,
    pub line: u32,
    pub column: u32,
    pub what: String,
}

/// Whether a workload trains a model, as far as its names tell.
pub fn is_training(names: &[&str]) -> bool {
    names.iter().any(|name| {
        crate::credentials::words(name).iter().any(|word| {
            matches!(
                word.as_str(),
                "train"
                    | "trainer"
                    | "training"
                    | "finetune"
                    | "finetuning"
                    | "retrain"
                    | "hpo"
                    | "pytorchjob"
                    | "tfjob"
            )
        })
    })
}

/// The JSON Schema of the document.
pub fn schema() -> serde_json::Value {
    schemars::schema_for!(Facts).to_value()
}

/// The texts of a fact that came from what was read.
pub trait Texts {
    fn texts(&mut self) -> Vec<&mut String>;
}

macro_rules! texts {
    ($($kind:ty { $($field:ident),* } lists { $($list:ident),* })*) => {$(
        impl Texts for $kind {
            fn texts(&mut self) -> Vec<&mut String> {
                #[allow(unused_mut, reason = "not every kind has lists")]
                let mut all = vec![$(&mut self.$field),*];
                $(all.extend(self.$list.iter_mut());)*
                all
            }
        }
    )*};
}

texts! {
    Credential { name, sink, instead } lists {}
    Storage { uri, bucket, account, key, prefix, sink } lists {}
    Command { program, sink } lists {}
    Network { scheme, host, sink } lists {}
    Image { name, tag, digest, sink } lists {}
    Package { name, version, sink } lists {}
    Workload { kind, name, namespace, container, image, service_account } lists { capabilities, host_mounts, host_namespaces }
    Namespace { name } lists {}
    Permission { name, kind } lists { actions, resources, subjects, broad }
    Bucket { provider, name, address } lists { because }
    Deserialization { function, because } lists {}
    Dataset { name, kind, classification } lists { personal }
    Audit { component, setting } lists {}
    Task { dag, name, operator } lists { upstream }
}

/// Takes every secret out of what was read, and what would move a terminal's cursor.
pub fn scrub<T: Texts>(facts: &mut [Fact<T>], secrets: &aho_corasick::AhoCorasick) {
    let clean = |text: &mut String| {
        if secrets.is_match(text.as_str()) {
            let mut out = String::new();
            secrets.replace_all_with(text, &mut out, |_, _, out| {
                out.push_str("•••");
                true
            });
            *text = out;
        }
        if text.contains([HOLE, REFERENCE]) {
            *text = text.replace([HOLE, REFERENCE], "…");
        }
        if text.contains(is_unseen) {
            *text = text.replace(is_unseen, "\u{FFFD}");
        }
    };
    for fact in facts {
        fact.what.texts().into_iter().for_each(clean);
        if let Some(unresolved) = &mut fact.unresolved {
            clean(&mut unresolved.why);
        }
        fact.task.iter_mut().for_each(clean);
        fact.way.iter_mut().for_each(|step| clean(&mut step.what));
    }
}

/// Control characters, and those that turn the direction of text.
pub fn is_unseen(c: char) -> bool {
    c.is_control()
        || matches!(c, '\u{200E}' | '\u{200F}' | '\u{061C}' | '\u{202A}'..='\u{202E}' | '\u{2066}'..='\u{2069}')
}
