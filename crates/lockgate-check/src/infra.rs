//! Everything beside Python: configuration, manifests, images, scripts.
//!
//! Every YAML and JSON file is read twice: for what names and texts tell by themselves, and for
//! what its kind says of it.

mod actions;
mod cloud;
mod cloudformation;
mod compose;
mod data;
mod docker;
pub mod helm;
mod kubernetes;
pub mod kustomize;
mod names;
mod plain;
mod sql;
pub mod terraform;
mod xml;

pub use plain::lines;

pub use cloud::{Resource, audit, bucket, policy};

use std::cell::Cell;

use crate::{
    collect::{Collector, Sink},
    credentials, facts, interpolate,
    source::{Language, Place},
    storage,
    value::{Text, Val, literal},
    yaml::{self, Data, Node},
};

/// Most names that are put into one text of a document.
const INTERPOLATIONS_MAX: u32 = 500;
/// Most values of a document that are looked at.
const VALUES_MAX: usize = 50_000;
/// Largest JSON file that is read.
const JSON_BYTES_MAX: usize = 1 << 20;

/// Reads a file that is not Python.
pub fn read(collector: &mut Collector<'_>, file: u32) {
    collector.steps = 0;
    let Some(source) = collector.tree.file(file) else { return };
    let text = match source.text() {
        Ok(text) => std::sync::Arc::clone(text),
        Err(what) => {
            let what = what.to_owned();
            collector.problem(file, 0, &what);
            return;
        }
    };
    if let Some(doubt) = source.doubt() {
        collector.problem(file, 0, doubt);
    }
    collector.comments(file, &text);
    match source.language {
        Language::Yaml | Language::Json => documents(collector, file, &text),
        Language::Terraform => terraform::read(collector, file),
        Language::Docker => docker::read(collector, file, &text),
        Language::Shell => plain::shell(collector, file, &text),
        Language::Sql => sql::sql(collector, file, &text),
        Language::Settings => plain::settings(collector, file, &text),
        Language::Requirements => plain::requirements(collector, file, &text),
        Language::Xml => xml::read(collector, file, &text),
        Language::Template => plain::lines(collector, file, &text),
        Language::Key => plain::key(collector, file, &text),
        Language::Makefile => plain::makefile(collector, file, &text),
        Language::Python | Language::Notebook | Language::Rego => {}
    }
}

fn documents(collector: &mut Collector<'_>, file: u32, text: &str) {
    let Some(source) = collector.tree.file(file) else { return };
    let path = std::sync::Arc::clone(&source.path);
    let name = path.rsplit('/').next().unwrap_or(&path).to_ascii_lowercase();
    // Lock files are made by, and for, other programs.
    if matches!(
        name.as_str(),
        "package-lock.json" | "npm-shrinkwrap.json" | "pnpm-lock.yaml" | "flake.lock" | "composer.lock"
    ) || name.ends_with(".lock.json")
        // Hooks look for what must not be there.
        || matches!(name.as_str(), ".pre-commit-config.yaml" | ".pre-commit-config.yml")
    {
        return;
    }
    if source.language == Language::Json && text.len() > JSON_BYTES_MAX {
        collector.problem(file, 0, "it is JSON of more than 1 MiB, which is taken for data and not looked at");
        return;
    }
    if text.contains("{{")
        && let Some(chart) = helm::folder(collector.tree, &path)
        && helm::read(collector, file, text, chart, |collector, manifest| document(collector, file, manifest))
    {
        return;
    }
    let documents = match yaml::parse(text) {
        Ok(documents) => documents,
        Err(error) => {
            // `${{ }}` of a workflow breaks nothing.
            let is_template = text.replace("${{", "").contains("{{") || text.contains("{%");
            plain::lines(collector, file, text);
            let kind = if source.language == Language::Json { "JSON" } else { "YAML" };
            let what = if is_template {
                "it is a template, and was read line by line".to_owned()
            } else {
                format!("it is not {kind}, and was read line by line: {}", error.what)
            };
            collector.problem(file, u32::try_from(error.offset).unwrap_or(0), &what);
            return;
        }
    };
    for one in &documents {
        document(collector, file, one);
    }
    kubernetes::values(collector, file, &documents);
}

/// Reads a document by its kind, and for what names and texts tell by themselves.
fn document(collector: &mut Collector<'_>, file: u32, document: &Node) {
    let Some(path) = collector.tree.file(file).map(|source| std::sync::Arc::clone(&source.path)) else { return };
    let name = path.rsplit('/').next().unwrap_or(&path).to_ascii_lowercase();
    let has = |key: &str| document.get(key).is_some();
    let kind = document.get("kind").and_then(Node::str).unwrap_or_default();
    if path.contains(".github/") || name == "action.yml" || name == "action.yaml" {
        actions::github(collector, file, document);
    } else if name.contains("gitlab-ci") {
        actions::gitlab(collector, file, document);
    } else if has("AWSTemplateFormatVersion")
        || document.get("Resources").is_some_and(|r| r.entries().iter().any(|(_, v)| v.get("Type").is_some()))
    {
        cloudformation::read(collector, file, document);
        return;
    } else if name.contains("kustomization") || kind == "Kustomization" {
        let is_rendered = kustomize::read(collector, file, |collector, manifest| {
            kubernetes::manifest(collector, file, manifest);
            stores(collector, file, manifest);
        });
        kubernetes::kustomization(collector, file, document, is_rendered);
    } else if document.get("apiVersion").and_then(Node::str).is_some_and(|v| v.starts_with("lockgate/"))
        || kind == "DataContract"
    {
        data::lockgate(collector, file, document);
        if kind == "Check" || kind == "Workspace" || kind == "CheckBaseline" {
            return;
        }
    } else if has("eventType") && has("run") && has("job") {
        // An event of OpenLineage tells what ran.
        return;
    } else if has("Statement") && has("Version") {
        let place = Place { end: u32::try_from(document.start).unwrap_or(0), ..document.place(file) };
        cloud::policy(collector, &path, &yaml::value(document, file, 0), place);
    } else if has("dependencies") && (has("channels") || name.starts_with("environment") || name.starts_with("conda")) {
        data::conda(collector, file, document);
    } else if has("apiVersion") && has("kind") {
        // As a part of an overlay it is judged as that makes it.
        if !kustomize::layers(collector).covers(file) {
            kubernetes::manifest(collector, file, document);
        }
    } else if name.contains("compose")
        || document
            .get("services")
            .is_some_and(|s| s.entries().iter().any(|(_, v)| v.get("image").is_some() || v.get("build").is_some()))
    {
        compose::read(collector, file, document);
    } else if has("sources") || has("models") || name == "dbt_project.yml" || name == "profiles.yml" {
        data::dbt(collector, file, document);
    }
    // Texts for people, and secrets that are encrypted or kept elsewhere.
    let talks = ["i18n", "locale", "locales", "translations"];
    if path.split(['/', '.']).any(|part| talks.contains(&part))
        || matches!(kind, "ExternalSecret" | "SealedSecret" | "SecretProviderClass" | "ClusterExternalSecret")
    {
        return;
    }
    if kind != "Secret" && !path.contains(".github/") {
        let names = names::Names::of(collector, &path, document);
        generic(collector, file, document, &names);
    }
}

/// A scalar as a value whose way starts at its place.
pub(crate) fn scalar(node: &Node, file: u32) -> Option<Val> {
    let text = node.str()?;
    Some(Val::text(Text::Known(text.into()), node.way(file)))
}

pub(crate) fn val(text: &str, place: Place) -> Val {
    Val::text(Text::Known(text.into()), literal(place))
}

/// Keys that hold texts for people, and keys that forbid what they name.
pub fn is_aside(path: &[&str]) -> bool {
    path.iter().any(|key| {
        let lower = key.to_ascii_lowercase();
        matches!(
            lower.as_str(),
            "description"
                | "comment"
                | "doc"
                | "docs"
                | "help"
                | "title"
                | "summary"
                | "notes"
                | "note"
                | "message"
                | "example"
                | "examples"
                | "usage"
                | "info"
                | "label"
                | "labels"
                | "metadata"
                | "annotations"
        ) || [
            "deny",
            "denied",
            "denylist",
            "prohibited",
            "forbidden",
            "blocked",
            "blocklist",
            "blacklist",
            "disallowed",
            "banned",
            "excluded",
        ]
        .iter()
        .any(|word| lower.contains(word))
    })
}

/// What names and texts tell by themselves.
fn generic(collector: &mut Collector<'_>, file: u32, document: &Node, names: &names::Names) {
    let mut found: Vec<(Vec<String>, Node)> = Vec::new();
    // What a statement denies is not used.
    let mut denied: Vec<std::ops::Range<usize>> = Vec::new();
    document.walk(&mut Vec::new(), &mut |path, node| {
        if node.get("Effect").and_then(Node::str) == Some("Deny") {
            denied.push(node.start..node.end);
        }
        if denied.last().is_some_and(|within| within.contains(&node.start)) {
            return;
        }
        if found.len() < VALUES_MAX {
            found.push((path.iter().map(|p| (*p).to_owned()).collect(), node.clone()));
        }
    });
    if found.len() == VALUES_MAX {
        collector.problem(file, 0, "of its values the first 50,000 were looked at");
    }
    for (path, node) in &found {
        let keys: Vec<&str> = path.iter().map(String::as_str).collect();
        match &node.data {
            Data::Scalar(..) => one_scalar(collector, file, (document, names), &keys, node),
            Data::Map(_) => {
                // A volume of rclone by the settings of its remote.
                if let (Some("driver_opts"), Some(kind), Some(path)) =
                    (keys.last().copied(), node.get("type").and_then(Node::str), node.get("path"))
                    && let Some(provider) = crate::storage::provider_of(kind)
                    && let Some(mut location) = path.str().and_then(|path| crate::storage::path(provider, path))
                {
                    let place = path.place(file);
                    let account = node.entries().iter().find(|(k, _)| k.str().is_some_and(|k| k.ends_with("account")));
                    account.and_then(|(_, v)| v.str()).unwrap_or_default().clone_into(&mut location.account);
                    let sink = Sink { what: "driver_opts", place, access: "any" };
                    collector.storage(&location, &crate::value::literal(place), sink);
                }
                let name =
                    ["name", "Name", "key", "Key", "ParameterKey"].iter().find_map(|k| node.get(k)).and_then(Node::str);
                let value = ["value", "Value", "ParameterValue"].iter().find_map(|k| node.get(k));
                if let (Some(name), Some(value)) = (name, value.and_then(|v| scalar(v, file))) {
                    let place = node.place(file);
                    config_value(
                        collector,
                        name,
                        &value,
                        Sink { what: keys.last().copied().unwrap_or(""), place, access: "" },
                    );
                }
                bucket_of(collector, file, &keys, node, names);
            }
            // `auth: [user, password]`.
            Data::List(items) if keys.last() == Some(&"auth") => {
                if let [user, password] = &items[..]
                    && let (Some(_), Some(val)) = (user.str(), scalar(password, file))
                {
                    let place = password.place(file);
                    collector.secret_value("password", &val, Sink { what: "auth", place, access: "" });
                }
            }
            // `- ["NAME", "value"]` of MLflow's environments.
            Data::List(items) => {
                if let [name, value] = &items[..]
                    && let Some(name) = name.str().filter(|name| {
                        name.contains('_')
                            && name.chars().all(|c| c.is_ascii_uppercase() || c == '_' || c.is_ascii_digit())
                    })
                    && let Some(value) = scalar(value, file)
                {
                    config_value(
                        collector,
                        name,
                        &value,
                        Sink { what: "environment", place: node.place(file), access: "" },
                    );
                }
            }
        }
    }
}

fn decoded(text: &str) -> Option<String> {
    use base64::Engine as _;
    String::from_utf8(base64::engine::general_purpose::STANDARD.decode(text.trim()).ok()?).ok()
}

/// `${a.b}` of the document itself, as OmegaConf and Hydra resolve it.
fn interpolated(document: &Node, text: &str, depth: usize, left: &Cell<u32>) -> String {
    interpolate::substitute(text, "${", "}", |name| {
        left.set(left.get().checked_sub(1)?);
        // `${.a.b}` counts from where it stands, which here is the top.
        let name = name.trim_start_matches('.');
        let is_name = depth < 6 && !name.contains([':', '-', ' ']);
        let value = is_name.then(|| document.at(name).and_then(Node::str)).flatten()?;
        Some(interpolated(document, value, depth + 1, left))
    })
}

fn one_scalar(
    collector: &mut Collector<'_>,
    file: u32,
    (document, names): (&Node, &names::Names),
    keys: &[&str],
    node: &Node,
) {
    let (Some(text), Some(val)) = (node.str(), scalar(node, file)) else { return };
    let is_script = keys.iter().any(|key| matches!(*key, "script" | "before_script" | "after_script"));
    let is_gitlab = |path: &str| path.rsplit('/').next().is_some_and(|name| name.contains("gitlab-ci"));
    if is_script && collector.tree.file(file).is_some_and(|f| is_gitlab(&f.path)) {
        return;
    }
    if text.is_empty() {
        collector.switch(&keys.join("."), text, node.place(file));
    }
    // SOPS encrypts values in place.
    if text.is_empty()
        || text.starts_with("ENC[")
        || node.tag.as_deref().is_some_and(|tag| tag.contains("vault") || tag.contains("secret") || tag.contains("env"))
    {
        return;
    }
    let what = keys.join(".");
    let sink = Sink { what: &what, place: node.place(file), access: "any" };
    // A file for people within a map of files.
    let last = keys.last().map(|key| key.to_ascii_lowercase()).unwrap_or_default();
    let prose = ["notice", "readme", "license", "changelog", "motd", "usage", "about", "banner", "notes"];
    let is_prose = last.strip_suffix(".txt").is_some_and(|stem| prose.contains(&stem)) || last.ends_with(".md");
    let is_for_people = is_prose || {
        let words = ["labels.", "translations.", "messages.", "i18n.", "locale."];
        words.iter().any(|word| last.starts_with(word)) && last.ends_with(".json")
    };
    if is_for_people {
        collector.form_in(text, &val.trace, sink);
        return;
    }
    // A manual with code in it shows how, with values of nobody's.
    if text.contains("```") {
        collector.form_in(text, &val.trace, sink);
        return;
    }
    let key = keys.last().copied().unwrap_or_default();
    let aside = is_aside(keys);
    // `passwordSecret: {secretName: x, password: password}` says under which key it is kept.
    let is_within_reference = keys.iter().rev().skip(1).take(2).any(|key| {
        let words = credentials::words(key);
        words.len() > 1 && words.last().is_some_and(|word| matches!(word.as_str(), "secret" | "ref" | "selector"))
    });
    let names_key = is_within_reference && text.chars().all(|c| c.is_ascii_lowercase() || matches!(c, '-' | '_' | '.'));
    if names_key {
        return;
    }
    if !aside || credentials::wanted(key).is_some() {
        config_value(collector, key, &val, sink);
    }
    // `- NAME=value` and files within files.
    if text.contains('\n') {
        for entry in crate::settings::entries(text) {
            let inner = crate::infra::val(entry.value, node.place(file));
            config_value(collector, entry.name, &inner, sink);
        }
    } else if let Some((name, value)) = text.split_once('=')
        && !name.contains(char::is_whitespace)
    {
        let inner = crate::infra::val(value, node.place(file));
        config_value(collector, name.trim_start_matches('-'), &inner, sink);
        collector.switch(name, value, node.place(file));
    }
    collector.switch(&what, default_of(text).as_deref().unwrap_or(text), node.place(file));
    if matches!(key, "acl" | "canned_acl" | "predefined_acl" | "predefinedAcl" | "x-amz-acl")
        && (text.starts_with("public-read") || text.starts_with("publicRead"))
    {
        let provider = if text.contains('-') { "s3" } else { "gs" };
        let resource = Resource { address: &what, provider, place: node.place(file) };
        bucket(collector, &resource, |b| b.public = facts::Switch::Yes, &format!("its ACL is {text}"));
    }
    // `auths: {registry: {auth: <user and password in Base64>}}` of Docker.
    if key == "auth"
        && keys.contains(&"auths")
        && let Some((_, password)) = decoded(text).as_deref().and_then(|pair| pair.split_once(':'))
    {
        let inner =
            crate::value::Val { kind: crate::value::Kind::Str(Text::Known(password.into())), trace: val.trace.clone() };
        collector.secret_value("password", &inner, sink);
    }
    if key == "remote"
        && let Some((remote, path)) = text.split_once(':')
        && let Some(provider) = crate::storage::provider_of(remote).filter(|_| !path.starts_with('/'))
        && let Some(location) = crate::storage::path(provider, path)
    {
        collector.storage(&location, &val.trace, sink);
    }
    if keys.iter().any(|key| key.ends_with("hook")) {
        sql::grants(collector, text, node.place(file));
    }
    // JSON that is packed so that it is one word.
    if let Some(inner) =
        Some(text).filter(|t| t.len() >= 24).and_then(decoded).filter(|t| t.trim_start().starts_with('{'))
    {
        collector.credentials_in(key, &inner, &val.trace, sink);
    }
    // What must not match names what is not used.
    if aside || text.starts_with('^') {
        return;
    }
    // What has templates in it is rendered with nothing known.
    let inner = interpolated(document, text, 0, &Cell::new(INTERPOLATIONS_MAX));
    let rendered = names.rendered(&inner).or((inner != text).then_some(inner));
    for location in storage::find(rendered.as_deref().unwrap_or(text)) {
        collector.storage(&location, &val.trace, sink);
    }
    if let Some(text) = rendered.filter(|t| t.contains("://") || t.contains('=')) {
        collector.credentials_in("", &text, &val.trace, sink);
    }
}

/// A text with templates or `${...}` as far as it is known without a document around it.
pub(crate) fn rendered(text: &str) -> Option<String> {
    names::Names::default().rendered(text)
}

/// A text that a resource is given: locations, credentials, a script of its own.
fn text_given(collector: &mut Collector<'_>, text: &Text, val: &Val, sink: Sink<'_>) {
    let flat = text.flat();
    collector.locations(val, sink);
    collector.credentials_in("", &flat, &val.trace, sink);
    if flat.starts_with("#!") {
        collector.script(&flat, &val.trace, sink.place, sink.what, &mut Vec::new());
    }
}

/// A named value of a configuration: texts for people are none.
pub(crate) fn config_value(collector: &mut Collector<'_>, name: &str, val: &Val, sink: Sink<'_>) {
    let Some(text) = val.as_str() else { return };
    collector.environment_value(name, val, sink);
    collector.watched(text, &val.trace, sink);
    if let Some(default) = default_of(text) {
        let inner =
            crate::value::Val { kind: crate::value::Kind::Str(Text::Known(default.into())), trace: val.trace.clone() };
        collector.named(name, &inner, sink, "name");
        return;
    }
    if text.trim().contains(char::is_whitespace)
        && !text.contains("-----BEGIN")
        && !text.contains("://")
        && !text.contains('=')
    {
        collector.credentials_in(name, text, &val.trace, sink);
        return;
    }
    // A single word beside a key in a file of settings is most often no secret.
    let is_word = text.len() < 20 && text.chars().all(char::is_alphabetic);
    if is_word && credentials::wanted(name) == Some(credentials::Wanted::Token) {
        return;
    }
    collector.named(name, val, sink, "name");
}

/// The default of `${NAME:-default}` and of `{{ env_var('NAME', 'default') }}`.
fn default_of(text: &str) -> Option<String> {
    let text = text.trim();
    if let Some(inner) = text.strip_prefix("${").and_then(|t| t.strip_suffix('}'))
        && let Some((name, default)) = inner.split_once(":-").or_else(|| inner.split_once('-'))
        && name.chars().all(|c| c.is_alphanumeric() || c == '_')
    {
        return Some(default.to_owned());
    }
    // OmegaConf's `${oc.env:NAME,default}`.
    if let Some(inner) = text.strip_prefix("${oc.env:").and_then(|t| t.strip_suffix('}'))
        && let Some((_, default)) = inner.split_once(',')
    {
        return Some(default.trim().trim_matches(['"', '\'']).to_owned());
    }
    if text.starts_with("{{") {
        let rendered = crate::jinja::render(text, &crate::jinja::Context::default())?;
        return rendered.known().map(str::to_owned);
    }
    None
}

/// The stores that a manifest names once its overlay is laid over it.
fn stores(collector: &mut Collector<'_>, file: u32, manifest: &Node) {
    let mut found = Vec::new();
    manifest.walk(&mut Vec::new(), &mut |path, node| {
        if matches!(node.data, Data::Map(_)) && found.len() < VALUES_MAX {
            found.push((path.iter().map(|p| (*p).to_owned()).collect::<Vec<_>>(), node.clone()));
        }
    });
    for (path, node) in found {
        let keys: Vec<&str> = path.iter().map(String::as_str).collect();
        bucket_of(collector, file, &keys, &node, &names::Names::default());
    }
}

/// `bucket: name` with what stands beside it.
fn bucket_of(collector: &mut Collector<'_>, file: u32, keys: &[&str], node: &Node, names: &names::Names) {
    if is_aside(keys) {
        return;
    }
    let around = keys.join(".");
    // What stands beside them says whose they are.
    let beside = std::cell::OnceCell::new();
    let beside = || {
        *beside.get_or_init(|| {
            node.entries().iter().find_map(|(k, v)| match (k.str(), v.str()) {
                (Some("type" | "provider" | "class" | "connector.class" | "kind"), Some(v)) => storage::provider_of(v),
                _ => None,
            })
        })
    };
    let own_account = std::cell::OnceCell::new();
    let own_account = || {
        own_account
            .get_or_init(|| node.entries().iter().find_map(|(k, v)| storage::account(k.str()?, v.str()?)))
            .clone()
    };
    for (key, value) in node.entries() {
        let (Some(name), Some(text)) = (key.str(), value.str()) else { continue };
        let is_template = crate::jinja::is_template(text);
        if is_aside(&[name]) || text.contains(char::is_whitespace) && !is_template || text.is_empty() {
            continue;
        }
        let is_container = storage::noun(name) == "container";
        if !storage::names_bucket(name) && !is_container || text.contains("://") {
            continue;
        }
        let account = own_account();
        let provider = storage::provider_of(name).or_else(|| storage::provider_of(&around)).or_else(beside);
        let provider = provider.or_else(|| (is_container && account.is_some()).then_some("abfs"));
        if is_container && provider != Some("abfs") {
            continue;
        }
        let text = names.rendered(text).unwrap_or_else(|| text.to_owned());
        let location = storage::bucket(provider.unwrap_or("any"), &text, &account.unwrap_or_default(), "");
        let place = value.place(file);
        collector.storage(&location, &value.way(file), Sink { what: &around, place, access: "any" });
    }
}
