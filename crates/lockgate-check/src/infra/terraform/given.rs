//! What resources are given: names, locations, scripts, policies.

use super::{DEPTH_MAX, cloud};
use crate::{
    collect::{Collector, Sink},
    source::Place,
    value::{Kind, Text, Val},
};

pub(super) fn given_to(collector: &mut Collector<'_>, address: &str, kind: &str, val: &Val, at: Place, depth: usize) {
    if depth > DEPTH_MAX {
        return;
    }
    let place_of = |v: &Val| crate::value::literals(&v.trace).into_iter().find(|p| p.file == at.file).unwrap_or(at);
    match &val.kind {
        Kind::Dict(dict) => {
            let entries = dict.borrow().entries.clone();
            let denies = entries
                .iter()
                .any(|(k, v)| matches!(k.as_str(), Some("Effect" | "effect")) && v.as_str() == Some("Deny"));
            if denies {
                return;
            }
            for (key, value) in &entries {
                let Some(name) = key.as_str() else { continue };
                if crate::infra::is_aside(&[name]) || matches!(name, "tags" | "labels" | "depends_on") {
                    continue;
                }
                let sink = Sink { what: address, place: place_of(value), access: "any" };
                // Databricks names a secret by its scope and its key there.
                let has_scope = |(k, _): &(Val, Val)| k.as_str().is_some_and(|k| k.ends_with("secret_scope"));
                if !(name.ends_with("secret_key") && entries.iter().any(has_scope)) {
                    collector.named(name, value, sink, "name");
                }
                let text = match value.kind {
                    Kind::Bool(on) => on.to_string(),
                    _ => value.as_str().unwrap_or_default().to_owned(),
                };
                collector.switch(name, &text, sink.place);
                if address == "provider" && name == "insecure" && text == "true" {
                    collector.verification_off(name, sink.place, "");
                }
                let words = crate::credentials::words(name);
                let last = words.iter().rev().find(|w| *w != "name" && *w != "id").map_or("", String::as_str);
                let is_bucket = last == "bucket"
                    || name == "name" && kind.ends_with("_bucket")
                    || (name == "name" && kind.contains("storage_container"))
                    || name == "storage_container_name"
                    || name == "container_name"
                        && (kind.contains("azure")
                            || entries.iter().any(|(k, _)| k.as_str() == Some("storage_account_name")));
                if name == "provisioner" {
                    for command in ["inline", "command"].iter().flat_map(|key| cloud::each_at(value, key)) {
                        provisioned(collector, &command, sink);
                    }
                }
                if is_bucket {
                    let provider = crate::storage::provider_of(kind).unwrap_or("any");
                    let account = entries.iter().find_map(|(k, v)| {
                        match k.as_str() {
                            Some("storage_account_name") => v.as_str().map(str::to_owned),
                            // The end of an identifier is the account's name.
                            Some("storage_account_id") => {
                                v.as_str().and_then(|id| id.rsplit('/').next()).map(str::to_owned)
                            }
                            _ => None,
                        }
                    });
                    for option in value.options() {
                        if let Some(text) = option.as_text().map(Text::flat)
                            && !text.is_empty()
                            && !text.contains("://")
                            && !text.starts_with("arn:")
                        {
                            let location =
                                crate::storage::bucket(provider, &text, account.as_deref().unwrap_or_default(), "");
                            collector.storage(&location, &option.trace, sink);
                        }
                    }
                }
                given_to(collector, address, kind, value, at, depth + 1);
            }
            let dict = dict.borrow();
            collector.dictionary(&dict, at);
        }
        Kind::List(items) => {
            for item in items.borrow().iter() {
                given_to(collector, address, kind, item, at, depth + 1);
            }
        }
        Kind::Str(text) => {
            let sink = Sink { what: address, place: place_of(val), access: "any" };
            let flat = text.flat();
            let is_json = flat.trim_start().starts_with('{') && flat.len() < 64 << 10;
            let documents = if is_json { crate::yaml::parse(&flat).unwrap_or_default() } else { Vec::new() };
            let statements = documents.first().and_then(|d| d.get("Statement")).map(crate::yaml::Node::items);
            let denies = |node: &crate::yaml::Node| node.get("Effect").and_then(|e| e.str()) == Some("Deny");
            // What a policy denies is named in its text, and not used.
            if !statements.unwrap_or_default().iter().any(denies) {
                crate::infra::text_given(collector, text, val, sink);
            }
            if let Some(document) = documents.first() {
                let inner = crate::python::retraced(&crate::yaml::value(document, 0, 0), &val.trace, 0);
                given_to(collector, address, kind, &inner, at, depth + 1);
                cloud::policy(collector, address, &inner, sink.place);
            }
        }
        Kind::Choice(options) => {
            options.iter().for_each(|option| given_to(collector, address, kind, option, at, depth + 1));
        }
        _ => {}
    }
}

/// Commands of a provisioner.
fn provisioned(collector: &mut Collector<'_>, val: &Val, sink: Sink<'_>) {
    let lines: Vec<Val> = match &val.kind {
        Kind::List(items) => items.borrow().clone(),
        _ => val.options(),
    };
    for line in lines {
        if let Some(text) = line.as_text().map(Text::flat) {
            collector.script(&text, &line.trace, sink.place, sink.what, &mut Vec::new());
        }
    }
}

/// Names of nested mappings of a local.
pub(super) fn nested(collector: &mut Collector<'_>, val: &Val, at: Place, depth: usize) {
    if depth > DEPTH_MAX {
        return;
    }
    match &val.kind {
        Kind::Dict(dict) => {
            for (key, value) in &dict.borrow().entries {
                if let Some(name) = key.as_str() {
                    collector.assigned(name, value, at);
                }
                nested(collector, value, at, depth + 1);
            }
        }
        Kind::List(items) => items.borrow().iter().for_each(|item| nested(collector, item, at, depth + 1)),
        Kind::Str(text) => {
            collector.credentials_in("", &text.flat(), &val.trace, Sink { what: "locals", place: at, access: "" });
        }
        _ => {}
    }
}
