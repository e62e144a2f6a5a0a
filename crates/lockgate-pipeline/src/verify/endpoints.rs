//! Deployments and what the gateway recorded.

use std::path::Path;

use lockgate_core::{Digest, Failure, Name, Result};
use lockgate_proof::{LogReader, VerifyingKey};

use super::{Node, verify_log};
use crate::{audit, deploy, serve};

pub(super) fn verify(state: &Path, key: &VerifyingKey, events: &[audit::Event]) -> Vec<Node> {
    let endpoints = match deploy::endpoints(state) {
        Ok(endpoints) => endpoints,
        Err(failure) => return vec![Node::check("endpoints", Err(failure))],
    };
    let mut nodes: Vec<Node> = endpoints.iter().map(|endpoint| verify_endpoint(state, endpoint, key, events)).collect();
    nodes.push(Node::check("every deployment on record", deployments_on_record(state, events)));
    nodes
}

fn verify_endpoint(state: &Path, endpoint: &Name, key: &VerifyingKey, events: &[audit::Event]) -> Node {
    let name = format!("endpoint {endpoint}");
    let versions = match deploy::versions(state, endpoint) {
        Ok(versions) => versions,
        Err(failure) => return Node::check(name, Err(failure)),
    };
    let mut node = Node::new(name, "");
    let mut parent = None;
    for version in versions {
        let checked = verify_deployment(state, endpoint, version, parent, key, events);
        parent = checked.as_ref().ok().map(|(digest, _)| *digest);
        node.children.push(Node::check(format!("{endpoint}@{version}"), checked.map(|(_, detail)| detail)));
    }
    node
}

fn verify_deployment(
    state: &Path,
    endpoint: &Name,
    version: u64,
    parent: Option<Digest>,
    key: &VerifyingKey,
    events: &[audit::Event],
) -> Result<(Digest, String)> {
    let recorded = deploy::read(state, endpoint, version, key)?;
    let deployment = &recorded.deployment;
    if deployment.parent != parent {
        return Err(Failure::integrity("its record names another deployment before it"));
    }
    // The package itself is verified among the models.
    if !deploy::package_root(state, &deployment.model, &deployment.package).is_dir() {
        return Err(Failure::integrity(format!("its package {} is not there", deployment.package)));
    }
    let told = events.iter().filter(|event| deploy::tells_of(event, &recorded)).count();
    if told != 1 {
        return Err(Failure::integrity(format!("the audit log tells of it {told} times")));
    }
    Ok((recorded.digest, format!("model {} {}, by {}", deployment.model, deployment.package.short(), deployment.by)))
}

fn deployments_on_record(state: &Path, events: &[audit::Event]) -> Result<String> {
    let mut count = 0;
    for event in events.iter().filter(|event| event.kind == "endpoint.deployed") {
        let broken = || Failure::integrity(format!("the audit log tells of {}, which is not there", event.about));
        let about = event.about.strip_prefix("endpoint ").and_then(|a| a.split_once('@')).ok_or_else(broken)?;
        let versions = deploy::versions(state, &about.0.parse()?)?;
        if !about.1.parse().is_ok_and(|version| versions.contains(&version)) {
            return Err(broken());
        }
        count += 1;
    }
    Ok(format!("{count} deployments"))
}

/// The gateway's own log: every byte of it, and that each inference was made by a deployment.
pub(super) fn verify_record(state: &Path, log: &LogReader, events: &[audit::Event]) -> Option<Node> {
    const NAME: &str = "gateway log";
    let (record, _, _lock) = match serve::open_log(state, log) {
        Ok(found) => found?,
        Err(failure) => return Some(Node::check(NAME, Err(failure))),
    };
    let mut served = Vec::new();
    let mut node = verify_log(NAME, &record, &mut served);
    if node.broken.is_none() {
        let outcome = known_artifacts(&served, events);
        node.children.push(Node::check("every inference by a deployment on record", outcome));
    }
    match serve::waiting(state, record.size()) {
        Ok(0) => {}
        Ok(count) => node.children.push(Node::new("notes", format!("{count} events wait to become leaves"))),
        Err(failure) => node.children.push(Node::check("notes", Err(failure))),
    }
    Some(node)
}

fn known_artifacts(served: &[audit::Event], events: &[audit::Event]) -> Result<String> {
    let text = |event: &audit::Event, name: &str| event.detail.get(name).and_then(|v| v.as_str()).map(str::to_owned);
    let known: std::collections::BTreeSet<(String, Option<String>, Option<String>)> = events
        .iter()
        .filter(|event| event.kind == "endpoint.deployed")
        .map(|event| (event.about.clone(), text(event, "package"), text(event, "artifact")))
        .collect();
    let mut inferences = 0u64;
    for event in served.iter().filter(|event| event.kind == "inference") {
        let version = event.detail.get("version").and_then(serde_json::Value::as_u64).unwrap_or_default();
        let about = format!("{}@{version}", event.about);
        if !known.contains(&(about, text(event, "package"), text(event, "artifact"))) {
            return Err(Failure::integrity(format!(
                "request {} was answered by a model that was never deployed",
                event.id
            )));
        }
        inferences += 1;
    }
    Ok(format!("{inferences} inferences"))
}
