//! Verify: walks the whole chain without any key and demands that every byte is the one that was
//! signed for.

mod endpoints;
mod models;

use std::path::Path;

use lockgate_core::{Digest, Failure, Result};
use lockgate_lake::{Lake, Manifest, SnapshotRef};
use lockgate_proof::LogReader;
use lockgate_source::{Authenticated, Content};
use serde::Serialize;

use crate::{Environment, audit, workspace};

/// One artifact of the chain and what hangs below it.
#[derive(Clone, Debug, Serialize)]
pub struct Node {
    pub name: String,
    pub detail: String,
    /// Why it is broken; `None` when it is whole.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub broken: Option<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub children: Vec<Node>,
}

impl Node {
    pub(crate) fn new(name: impl Into<String>, detail: impl Into<String>) -> Self {
        Self { name: name.into(), detail: detail.into(), broken: None, children: Vec::new() }
    }

    pub(crate) fn check(name: impl Into<String>, outcome: Result<String>) -> Self {
        match outcome {
            Ok(detail) => Self::new(name, detail),
            Err(failure) => Self { broken: Some(failure.to_string()), ..Self::new(name, "") },
        }
    }

    /// The names of everything broken, with the reason.
    pub fn broken(&self) -> Vec<(String, String)> {
        let own = self.broken.iter().map(|why| (self.name.clone(), why.clone()));
        own.chain(self.children.iter().flat_map(Self::broken)).collect()
    }

    /// How many artifacts were looked at.
    pub fn count(&self) -> usize {
        1 + self.children.iter().map(Self::count).sum::<usize>()
    }
}

/// Verifies the workspace in `root`.
pub fn verify(root: &Path, environment: &Environment) -> Result<Node> {
    let (config, key, lake, log) = workspace::open_public(root, environment)?;
    let mut tree = Node::new(format!("workspace {}", config.name), key.to_string());
    let mut events = Vec::new();
    tree.children.push(verify_log("audit log", &log, &mut events));
    match lake.datasets() {
        Err(failure) => tree.children.push(Node::check("lake", Err(failure))),
        Ok(datasets) => {
            for dataset in datasets {
                let mut node = Node::new(format!("dataset {dataset}"), "");
                match lake.versions(&dataset) {
                    Err(failure) => node.broken = Some(failure.to_string()),
                    Ok(versions) => {
                        let mut parent = None;
                        for version in versions {
                            let (child, digest) = verify_snapshot(&lake, &dataset, version, parent, &events, root);
                            node.children.push(child);
                            parent = digest;
                        }
                    }
                }
                tree.children.push(node);
            }
        }
    }
    let state = root.join(&config.state);
    tree.children.extend(models::verify(&state, &lake, &key, &events));
    tree.children.extend(endpoints::verify(&state, &key, &events));
    tree.children.extend(endpoints::verify_record(&state, &log, &events));
    tree.children.push(Node::check("lake holds nothing else", strays(&lake)));
    tree.children.push(Node::check("every commit on record", commits_on_record(&lake, &events)));
    Ok(tree)
}

fn verify_log(name: &str, log: &LogReader, events: &mut Vec<audit::Event>) -> Node {
    let outcome = log.verify().and_then(|()| {
        for leaf in log.leaves(0) {
            events.push(audit::parse(&leaf?.1)?);
        }
        let mut ids: Vec<&str> = events.iter().map(|event| event.id.as_str()).collect();
        ids.sort_unstable();
        if ids.windows(2).any(|pair| pair.first() == pair.last()) {
            return Err(Failure::integrity("an event stands twice in the audit log"));
        }
        Ok(format!("{} events, root {}", log.size(), log.root_hash()))
    });
    Node::check(name, outcome)
}

fn verify_snapshot(
    lake: &Lake,
    dataset: &lockgate_core::Name,
    version: u64,
    parent: Option<Digest>,
    events: &[audit::Event],
    root: &Path,
) -> (Node, Option<Digest>) {
    let found = lake
        .at_version(dataset, version)
        .and_then(|snapshot| lake.manifest(&snapshot).map(|manifest| (snapshot, manifest)));
    let (snapshot, manifest) = match found {
        Ok(found) => found,
        Err(failure) => {
            return (Node::check(format!("{dataset}@{version}"), Err(failure)), None);
        }
    };
    let mut node =
        Node::new(snapshot.to_string(), format!("{} rows, manifest {}", manifest.rows, snapshot.manifest.short()));
    if version > 1 && manifest.parent != parent {
        node.broken = Some("its manifest names another parent".into());
    }
    for source in &manifest.sources {
        node.children.push(verify_source(source, root));
    }
    for input in &manifest.inputs {
        let outcome = lake.is_published(input).and_then(|published| {
            published
                .then(|| format!("manifest {}", input.manifest.short()))
                .ok_or_else(|| Failure::integrity("the input is not in the lake"))
        });
        node.children.push(Node::check(format!("input {input}"), outcome));
    }
    node.children.push(verify_files(lake, &manifest));
    node.children.push(Node::check("contract", contract(&manifest)));
    node.children.push(Node::check("audit event", on_record(&snapshot, events)));
    (node, Some(snapshot.manifest))
}

/// The signature as it was recorded; the source itself too, where it is still at hand.
fn verify_source(record: &serde_json::Value, root: &Path) -> Node {
    let record: Authenticated = match serde_json::from_value(record.clone()) {
        Ok(record) => record,
        Err(_) => {
            return Node::check("source", Err(Failure::integrity("a source record is malformed")));
        }
    };
    let name = format!("source {}", record.uri);
    let path = root.join(&record.uri);
    let signed = if record.signature.is_some() { "signature" } else { "digest" };
    match Content::file(&path) {
        Ok(content) if content.size_bytes() == record.size_bytes => {
            match record.verify(&content) {
                Ok(()) => {
                    Node::new(name, format!("{}, {signed} checked again, {}", record.trust, record.digest.short()))
                }
                // A source may move on; the snapshot still holds what was authenticated.
                Err(_) => Node::new(
                    name,
                    format!("{}, recorded {}; the file has changed since", record.trust, record.digest.short()),
                ),
            }
        }
        _ => Node::new(name, format!("{}, recorded {}; the file is not at hand", record.trust, record.digest.short())),
    }
}

fn verify_files(lake: &Lake, manifest: &Manifest) -> Node {
    let mut node = Node::new("files", format!("{} files, encrypted", manifest.files.len()));
    let spool = std::env::temp_dir();
    for record in &manifest.files {
        if let Err(failure) = lake.file(&manifest.dataset, record, &spool) {
            node.children.push(Node::check(format!("data/{}.parquet", record.digest.hex()), Err(failure)));
        }
    }
    let rows: u64 = manifest.files_with(lockgate_lake::Role::Data).map(|file| file.rows).sum();
    if rows != manifest.rows {
        node.broken = Some("the files' rows do not add up to the manifest's".into());
    }
    node
}

fn contract(manifest: &Manifest) -> Result<String> {
    match &manifest.contract {
        None => Ok("none: derived or quarantined data".into()),
        Some(contract) if Digest::of(contract.text.as_bytes()) == contract.digest => {
            Ok(format!("version {}, {}", contract.version, contract.digest.short()))
        }
        Some(_) => Err(Failure::integrity("the contract's text is not the one of its digest")),
    }
}

fn on_record(snapshot: &SnapshotRef, events: &[audit::Event]) -> Result<String> {
    let about = snapshot.to_string();
    let manifest = snapshot.manifest.to_string();
    let places: Vec<usize> = events
        .iter()
        .enumerate()
        .filter(|(_, event)| {
            event.kind == "snapshot.committed"
                && event.about == about
                && event.detail.get("manifest").and_then(|m| m.as_str()) == Some(&manifest)
        })
        .map(|(place, _)| place)
        .collect();
    match places.as_slice() {
        [place] => Ok(format!("event {place}")),
        [] => Err(Failure::integrity("the audit log does not tell of it")),
        _ => Err(Failure::integrity("the audit log tells of it more than once")),
    }
}

fn strays(lake: &Lake) -> Result<String> {
    match lake.strays()?.as_slice() {
        [] => Ok("no file that no manifest names".into()),
        [first, ..] => Err(Failure::integrity(format!("{first} belongs to no snapshot"))
            .hint("an interrupted run leaves such files; the next run removes them")),
    }
}

fn commits_on_record(lake: &Lake, events: &[audit::Event]) -> Result<String> {
    let mut commits = 0;
    for event in events.iter().filter(|event| event.kind == "snapshot.committed") {
        let (dataset, version) =
            event.about.split_once('@').ok_or_else(|| Failure::integrity("an event names no snapshot"))?;
        let version = version.parse().map_err(|_| Failure::integrity("an event names no version"))?;
        lake.at_version(&dataset.parse()?, version).map_err(|_| {
            Failure::integrity(format!("the audit log tells of {}, which the lake does not hold", event.about))
        })?;
        commits += 1;
    }
    Ok(format!("{commits} commits"))
}
