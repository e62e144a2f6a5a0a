//! dbt's projects, and Lockgate's own pipelines, contracts and workspaces.

use crate::{
    collect::{Collector, Sink},
    facts, storage,
    value::literal,
    yaml::Node,
};

/// `sources:`, `models:`, `dbt_project.yml`, `profiles.yml`.
pub fn dbt(collector: &mut Collector<'_>, file: u32, document: &Node) {
    for source in document.get("sources").map(Node::items).unwrap_or_default() {
        let name = source.get("name").and_then(Node::str).unwrap_or_default();
        let owned = owner(source) || source.get("tables").map(Node::items).unwrap_or_default().iter().all(owner);
        dataset(collector, file, source, name, "dbt-source", owned);
    }
    for model in document.get("models").map(Node::items).unwrap_or_default() {
        let name = model.get("name").and_then(Node::str).unwrap_or_default();
        let owned = owner(model);
        dataset(collector, file, model, name, "dbt-model", owned);
    }
    // A variable of the project that names a bucket is used by its models.
    for (key, value) in document.get("vars").map(Node::entries).unwrap_or_default() {
        let nested: Vec<(&Node, &Node)> = if value.entries().is_empty() {
            vec![(key, value)]
        } else {
            value.entries().iter().map(|(k, v)| (k, v)).collect()
        };
        for (key, value) in nested {
            let (Some(name), Some(text)) = (key.str(), value.str()) else { continue };
            if crate::credentials::words(name).iter().any(|w| w == "bucket")
                && !text.contains("://")
                && !text.is_empty()
            {
                let place = value.place(file);
                let location = storage::bucket(storage::provider_of(name).unwrap_or("any"), text, "", "");
                collector.storage(&location, &literal(place), Sink { what: "vars", place, access: "any" });
            }
        }
    }
}

fn owner(node: &Node) -> bool {
    ["meta.owner", "config.meta.owner", "group", "owner", "config.group", "loader"]
        .iter()
        .any(|path| node.at(path).is_some_and(is_said))
}

/// Whether a value says something: blank, `TBD` and their kin do not.
fn is_said(node: &Node) -> bool {
    match node.str() {
        Some(text) => {
            let text = text.trim().to_ascii_lowercase();
            !node.is_null()
                && !matches!(text.as_str(), "" | "tbd" | "todo" | "n/a" | "na" | "none" | "unknown" | "?" | "-")
        }
        None => !node.entries().is_empty() || !node.items().is_empty(),
    }
}

fn dataset(collector: &mut Collector<'_>, file: u32, node: &Node, name: &str, kind: &str, owned: bool) {
    let classification = ["meta.classification", "config.meta.classification"]
        .iter()
        .find_map(|p| node.at(p).filter(|node| is_said(node)))
        .and_then(Node::str);
    let fact = facts::Dataset {
        name: name.to_owned(),
        kind: kind.to_owned(),
        owner: owned,
        classification: classification.unwrap_or_default().to_owned(),
        retention: node.at("meta.retention").is_some_and(is_said),
        personal: personal(node.get("columns")),
    };
    let place = node.place(file);
    let raw = collector.raw(crate::source::Place { end: place.start, ..place }, &None, fact);
    collector.found.datasets.push(raw);
}

fn personal(columns: Option<&Node>) -> Vec<String> {
    columns
        .map(Node::items)
        .unwrap_or_default()
        .iter()
        .filter(|c| {
            let tags = c.get("tags").map(Node::items).unwrap_or_default();
            tags.iter().any(|t| matches!(t.str(), Some("pii" | "personal")))
                || matches!(c.get("classification").and_then(Node::str), Some("restricted" | "confidential"))
                || c.at("meta.contains_pii").and_then(Node::bool) == Some(true)
        })
        .filter_map(|c| c.get("name").and_then(Node::str).map(str::to_owned))
        .collect()
}

/// Conda's `environment.yml`: its own packages, and those of pip.
pub fn conda(collector: &mut Collector<'_>, file: u32, document: &Node) {
    for dependency in document.get("dependencies").map(Node::items).unwrap_or_default() {
        if let Some(text) = dependency.str() {
            let text = text.rsplit("::").next().unwrap_or(text);
            // The tools that install are what they are.
            if !matches!(text, "pip" | "setuptools" | "wheel") {
                collector.package("conda", text, dependency.place(file), "environment");
            }
        }
        for package in dependency.get("pip").map(Node::items).unwrap_or_default() {
            if let Some(text) = package.str().filter(|t| !t.starts_with('-')) {
                collector.package("pip", text, package.place(file), "environment");
            }
        }
    }
}

/// Pipelines, contracts (ODCS v3) and workspaces.
pub fn lockgate(collector: &mut Collector<'_>, file: u32, document: &Node) {
    let kind = document.get("kind").and_then(Node::str).unwrap_or_default();
    match kind {
        "DataContract" => {
            let team = document.get("team");
            let owned = team
                .is_some_and(|t| !t.items().is_empty() || t.get("members").is_some() || t.get("name").is_some())
                || document.get("owner").is_some();
            let retention = document
                .get("slaProperties")
                .map(Node::items)
                .unwrap_or_default()
                .iter()
                .any(|p| p.get("property").and_then(Node::str) == Some("retention"));
            for schema in document.get("schema").map(Node::items).unwrap_or_default() {
                let name = schema.get("name").and_then(Node::str).unwrap_or_default().to_owned();
                let properties = schema.get("properties").map(Node::items).unwrap_or_default();
                let classified = properties.iter().filter_map(|p| p.get("classification").and_then(Node::str));
                let classification =
                    schema.get("classification").and_then(Node::str).map(str::to_owned).or_else(|| {
                        let order = ["public", "internal", "confidential", "restricted"];
                        classified.max_by_key(|c| order.iter().position(|o| o == c)).map(str::to_owned)
                    });
                let fact = facts::Dataset {
                    name,
                    kind: "contract".to_owned(),
                    owner: owned,
                    classification: classification.unwrap_or_default(),
                    retention,
                    personal: personal(schema.get("properties")),
                };
                let place = schema.place(file);
                let raw = collector.raw(crate::source::Place { end: place.start, ..place }, &None, fact);
                collector.found.datasets.push(raw);
            }
        }
        "Workspace" => {
            if let Some(tls) = document.at("gateway.tls")
                && tls.get("clientAuthentication").and_then(Node::bool) == Some(false)
            {
                collector.verification_off("gateway.tls", tls.place(file), "");
            }
        }
        _ => {}
    }
}
