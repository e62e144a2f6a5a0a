//! Resources of Terraform's provider for Kubernetes.

use super::cloud;
use crate::{
    collect::{Collector, Member, Pod, Policy},
    facts,
    source::Place,
    value::{Kind, Val},
};

/// A resource of Terraform's provider for Kubernetes: what its pods may do, wherever they stand.
pub fn terraform(collector: &mut Collector<'_>, kind: &str, address: &str, val: &Val, at: Place) {
    let text = |path: &str| cloud::at(val, path).as_ref().and_then(Val::as_str).unwrap_or_default().to_owned();
    match kind.trim_end_matches("_v1") {
        "kubernetes_namespace" => collector.found.pods.push(Pod {
            place: at,
            namespace: text("metadata.name"),
            labels: Vec::new(),
            member: Member::Declaration,
        }),
        // One whose namespace is not known is taken for that of the resource that asks.
        "kubernetes_network_policy" => collector.found.policies.push(Policy {
            namespace: text("metadata.namespace"),
            selector: Vec::new(),
            restricts: true,
        }),
        _ => {}
    }
    let mut found: Vec<(Place, facts::Workload)> = Vec::new();
    settings(val, at, kind, address, &mut found, 0);
    for (place, workload) in found {
        let raw = collector.raw(place, &None, workload);
        collector.found.workloads.push(raw);
    }
}

fn settings(val: &Val, at: Place, kind: &str, name: &str, found: &mut Vec<(Place, facts::Workload)>, depth: usize) {
    match &val.kind {
        _ if depth > 16 => {}
        Kind::List(items) => {
            items.borrow().iter().for_each(|item| settings(item, at, kind, name, found, depth + 1));
        }
        Kind::Dict(dict) => {
            for (key, value) in &dict.borrow().entries {
                let empty = || facts::Workload {
                    kind: kind.to_owned(),
                    name: name.to_owned(),
                    root: facts::Switch::Unset,
                    escalation: facts::Switch::Unset,
                    ..facts::Workload::default()
                };
                let on = cloud::is(Some(value), true);
                let zero = value.as_int() == Some(0) || value.as_str() == Some("0");
                let workload = match key.as_str().unwrap_or_default() {
                    "privileged" if on => facts::Workload { privileged: true, ..empty() },
                    "allow_privilege_escalation" if on => facts::Workload { escalation: facts::Switch::Yes, ..empty() },
                    "run_as_user" if zero => facts::Workload { root: facts::Switch::Yes, ..empty() },
                    "run_as_non_root" if cloud::is(Some(value), false) => {
                        facts::Workload { root: facts::Switch::Yes, ..empty() }
                    }
                    "host_network" if on => facts::Workload { host_namespaces: vec!["network".to_owned()], ..empty() },
                    "host_pid" if on => facts::Workload { host_namespaces: vec!["pid".to_owned()], ..empty() },
                    "host_ipc" if on => facts::Workload { host_namespaces: vec!["ipc".to_owned()], ..empty() },
                    "host_path" => {
                        let path = cloud::at(value, "path");
                        let path = path.as_ref().and_then(Val::as_str).unwrap_or("…").to_owned();
                        facts::Workload { host_mounts: vec![path], ..empty() }
                    }
                    _ => {
                        settings(value, at, kind, name, found, depth + 1);
                        continue;
                    }
                };
                found.push((cloud::place_of(Some(value), at), workload));
            }
        }
        _ => {}
    }
}
