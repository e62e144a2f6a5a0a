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
    train(collector, kind, val, at);
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

/// A job or a pod that trains a model.
fn train(collector: &mut Collector<'_>, kind: &str, val: &Val, at: Place) {
    let is_pod = ["kubernetes_job", "kubernetes_cron_job", "kubernetes_pod", "kubernetes_deployment"]
        .contains(&kind.trim_end_matches("_v1"));
    let spec = ["spec.job_template.spec.template.spec", "spec.template.spec", "spec"]
        .iter()
        .find_map(|path| cloud::at(val, &format!("{path}.container")).and_then(|_| cloud::at(val, path)));
    let Some(spec) = spec.filter(|_| is_pod) else { return };
    let text = |of: &Val, path: &str| cloud::at(of, path).as_ref().and_then(Val::as_str).unwrap_or_default().to_owned();
    let (name, image) = (text(val, "metadata.name"), text(&spec, "container.image"));
    let namespace = Some(text(val, "metadata.namespace")).filter(|n| !n.is_empty()).unwrap_or_else(|| "default".into());
    let words = cloud::all_texts(cloud::at(&spec, "container.command").as_ref());
    let runs = words.iter().any(|word| word.split([' ', '/', '.']).any(|w| matches!(w, "train" | "finetune")));
    if !runs && !facts::is_training(&[&name, &image, &namespace]) {
        return;
    }
    let contexts = ["container.security_context", "security_context"].map(|path| cloud::at(&spec, path));
    let named = contexts.iter().flatten().any(|context| {
        cloud::is(cloud::at(context, "run_as_non_root").as_ref(), true)
            || cloud::at(context, "run_as_user").is_some_and(|user| user.as_int().is_some_and(|user| user > 0))
    });
    let workload = facts::Workload {
        kind: kind.to_owned(),
        name,
        namespace: namespace.clone(),
        training: true,
        root: if named { facts::Switch::No } else { facts::Switch::Unset },
        escalation: facts::Switch::Unset,
        service_account: text(&spec, "service_account_name"),
        ..facts::Workload::default()
    };
    let raw = collector.raw(at, &None, workload);
    collector.found.workloads.push(raw);
    collector.found.pods.push(Pod { place: at, namespace, labels: Vec::new(), member: Member::Training });
}
