//! What a `kustomization.yaml` says by itself.

use super::super::val;
use crate::{
    collect::{Collector, Sink},
    facts,
    source::Place,
    value::literal,
    yaml::{self, Node},
};

/// `kustomization.yaml`: its images, its secrets, and its patches where the manifests that they
/// are for are not of the tree.
pub fn kustomization(collector: &mut Collector<'_>, file: u32, document: &Node, is_rendered: bool) {
    for image in document.get("images").map(Node::items).unwrap_or_default() {
        let name = image.get("newName").or_else(|| image.get("name")).and_then(Node::str).unwrap_or_default();
        let Some(tag) = image.get("newTag") else { continue };
        if image.get("digest").is_some() {
            continue;
        }
        let place = tag.place(file);
        collector.image(
            &format!("{name}:{}", tag.str().unwrap_or_default()),
            &literal(place),
            Sink { what: "images", place, access: "" },
        );
    }
    for key in ["patches", "patchesJson6902", "patchesStrategicMerge"] {
        for patch in document.get(key).filter(|_| !is_rendered).map(Node::items).unwrap_or_default() {
            let Some(text) = patch.get("patch").or(Some(patch)).and_then(Node::str) else { continue };
            let place = patch.get("patch").unwrap_or(patch).place(file);
            if let Ok(documents) = yaml::parse(text) {
                for inner in &documents {
                    patched(collector, inner, place, text);
                }
            }
        }
    }
    // Secrets that are made of literals.
    for generator in document.get("secretGenerator").map(Node::items).unwrap_or_default() {
        for literal in generator.get("literals").map(Node::items).unwrap_or_default() {
            if let Some((name, value)) = literal.str().and_then(|t| t.split_once('=')) {
                let place = literal.place(file);
                let sink = Sink { what: "secretGenerator", place, access: "" };
                collector.secret_value(name, &val(value, place), sink);
            }
        }
    }
}

/// A patch is text within the file: what it sets is shown on its own line where that is found.
fn patched(collector: &mut Collector<'_>, patch: &Node, place: Place, text: &str) {
    let source = collector.tree.file(place.file).and_then(|f| f.text().ok()).cloned();
    let shown = |node: &Node| {
        let line = text.get(node.start..).and_then(|t| t.lines().next()).unwrap_or_default();
        let region = source.as_ref().and_then(|t| t.get(place.start as usize..));
        let before = text.get(..node.start).unwrap_or_default();
        let start = before.rfind('\n').map_or(0, |i| i + 1);
        let whole = text.get(start..).and_then(|t| t.lines().next()).unwrap_or(line).trim();
        match region.and_then(|r| r.find(whole)) {
            Some(at) if !whole.is_empty() => {
                Place::new(place.file, place.start as usize + at, place.start as usize + at + whole.len())
            }
            _ => place,
        }
    };
    let mut found: Vec<(Place, facts::Workload)> = Vec::new();
    let empty = || facts::Workload {
        kind: "patch".to_owned(),
        root: facts::Switch::Unset,
        escalation: facts::Switch::Unset,
        ..facts::Workload::default()
    };
    patch.walk(&mut Vec::new(), &mut |path, node| {
        let mut check = |key: &str, value: &Node| match key {
            "privileged" if value.bool() == Some(true) => {
                found.push((shown(value), facts::Workload { privileged: true, ..empty() }));
            }
            "allowPrivilegeEscalation" if value.bool() == Some(true) => {
                found.push((shown(value), facts::Workload { escalation: facts::Switch::Yes, ..empty() }));
            }
            "runAsUser" if value.str() == Some("0") => {
                found.push((shown(value), facts::Workload { root: facts::Switch::Yes, ..empty() }));
            }
            "runAsNonRoot" if value.bool() == Some(false) => {
                found.push((shown(value), facts::Workload { root: facts::Switch::Yes, ..empty() }));
            }
            "hostNetwork" if value.bool() == Some(true) => {
                found.push((shown(value), facts::Workload { host_namespaces: vec!["network".to_owned()], ..empty() }));
            }
            _ => {}
        };
        if let (Some(target), Some(value)) = (node.get("path").and_then(Node::str), node.get("value")) {
            check(target.rsplit('/').next().unwrap_or_default(), value);
        } else if let Some(key) = path.last() {
            check(key, node);
        }
        if let Some(host) = node.get("hostPath") {
            found.push((
                shown(host),
                facts::Workload {
                    host_mounts: vec![host.get("path").and_then(Node::str).unwrap_or("…").to_owned()],
                    ..empty()
                },
            ));
        }
    });
    for (place, workload) in found {
        let raw = collector.raw(place, &None, workload);
        collector.found.workloads.push(raw);
    }
}
