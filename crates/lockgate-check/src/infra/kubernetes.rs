//! Kubernetes manifests and Kustomize: pods wherever they stand, secrets, roles, network
//! policies.

mod kustomization;
mod terraform;

use base64::Engine as _;

pub use kustomization::kustomization;
pub use terraform::terraform;

use super::{cloud, scalar, val};
use crate::{
    collect::{Collector, Member, Pod, Policy, Sink},
    credentials, facts,
    source::Place,
    value::{HOLE, REFERENCE, Val, literal},
    yaml::{Data, Node},
};

/// A manifest, or a list of them.
pub fn manifest(collector: &mut Collector<'_>, file: u32, document: &Node) {
    let kind = document.get("kind").and_then(Node::str).unwrap_or_default().to_owned();
    if kind == "List" {
        for item in document.get("items").map(Node::items).unwrap_or_default() {
            manifest(collector, file, item);
        }
        return;
    }
    let name = document.at("metadata.name").and_then(Node::str).unwrap_or_default().to_owned();
    let namespace = document.at("metadata.namespace").and_then(Node::str).unwrap_or_default();
    let namespace = namespace.replace([HOLE, REFERENCE], "…");
    match kind.as_str() {
        "Secret" => secret(collector, file, document, &name),
        "Namespace" => {
            let place = document.place(file);
            collector.found.pods.push(Pod {
                place: Place { end: place.start, ..place },
                namespace: name.clone(),
                labels: Vec::new(),
                member: Member::Declaration,
            });
        }
        "ClusterRoleBinding" | "RoleBinding" => {
            if let Some(role) = document.at("roleRef.name")
                && matches!(role.str(), Some("cluster-admin"))
                && document.get("subjects").is_some()
            {
                let broad = ["cluster-admin"];
                super::cloud::permission(collector, &name, &kind, &broad, role.place(file));
            }
        }
        "StorageClass" => {
            let setting = document.at("parameters.encrypted");
            if let Some(setting) = setting.filter(|s| s.bool() == Some(false)) {
                let provisioner = document.get("provisioner").and_then(Node::str).unwrap_or_default();
                let provider = crate::storage::provider_of(provisioner).unwrap_or("any");
                let address = format!("StorageClass {name}");
                let resource = cloud::Resource { address: &address, provider, place: setting.place(file) };
                cloud::bucket(collector, &resource, |b| b.encrypted = facts::Switch::No, "encrypted is false");
            }
        }
        "ClusterRole" | "Role" => {
            for rule in document.get("rules").map(Node::items).unwrap_or_default() {
                let has_all = |key: &str| rule.get(key).is_some_and(|n| n.items().iter().any(|i| i.str() == Some("*")));
                if has_all("verbs") && has_all("resources") {
                    super::cloud::permission(
                        collector,
                        &name,
                        &kind,
                        &["all actions on all resources"],
                        rule.place(file),
                    );
                }
            }
        }
        _ => {}
    }
    let labels = |node: Option<&Node>| -> Vec<(String, String)> {
        node.map(Node::entries)
            .unwrap_or_default()
            .iter()
            .filter_map(|(k, v)| Some((k.str()?.to_owned(), v.str()?.to_owned())))
            .collect()
    };
    if kind == "NetworkPolicy" || kind == "CiliumNetworkPolicy" {
        let selector = document.at("spec.podSelector").or_else(|| document.at("spec.endpointSelector"));
        // `ingress: [{}]` lets everybody in.
        let opens = |key: &str| {
            let rules = document.at("spec").and_then(|spec| spec.get(key)).map(Node::items).unwrap_or_default();
            rules.iter().any(|rule| matches!(rule.data, Data::Map(_)) && rule.entries().is_empty())
        };
        let says = |key: &str| document.at("spec").is_some_and(|spec| spec.get(key).is_some());
        let types = document.at("spec.policyTypes").map(Node::items).unwrap_or_default();
        let named = |name: &str| types.iter().any(|t| t.str() == Some(name));
        let egress = named("Egress") || types.is_empty() && says("egress");
        let ingress = named("Ingress") || types.is_empty();
        let restricts = kind == "CiliumNetworkPolicy" || ingress && !opens("ingress") || egress && !opens("egress");
        let selector = labels(selector.and_then(|s| s.get("matchLabels")));
        collector.found.policies.push(Policy { namespace, selector, restricts });
        return;
    }
    // Pods, wherever the kind keeps its template.
    let mut pods: Vec<(Vec<(String, String)>, Node)> = Vec::new();
    let mut templates: Vec<(usize, Vec<(String, String)>)> = Vec::new();
    let mut workflows: Vec<Node> = Vec::new();
    document.walk(&mut Vec::new(), &mut |path, node| {
        if let Some(meta) = node.at("metadata.labels") {
            templates.push((path.len(), labels(Some(meta))));
        }
        let is_workflow =
            node.get("templates").is_some_and(|t| !t.items().is_empty()) && node.get("entrypoint").is_some();
        // Operators take volumes beside the pods that they make.
        let has_volumes =
            node.get("volumes").is_some_and(|v| !v.items().is_empty()) && node.get("containers").is_none();
        // What an operator makes pods of, such as Spark's `driver` and `executor`.
        let within = |key: &str| path.contains(&key);
        let has_context = node.get("securityContext").is_some()
            && node.get("containers").is_none()
            && !["containers", "initContainers", "ephemeralContainers", "container"].iter().any(|key| within(key));
        if is_workflow || has_volumes || has_context {
            workflows.push(node.clone());
        }
        let is_pod = node.get("containers").is_some_and(|c| !c.items().is_empty())
            || (path.last() == Some(&"templates") || path.contains(&"templates")) && node.get("container").is_some();
        if is_pod && pods.len() < 1_000 {
            let own = templates
                .iter()
                .rev()
                .find(|(depth, _)| *depth < path.len() || path.is_empty())
                .map(|(_, l)| l.clone())
                .unwrap_or_default();
            pods.push((own, node.clone()));
        }
    });
    let of_training =
        matches!(kind.as_str(), "PyTorchJob" | "TFJob" | "MPIJob" | "XGBoostJob" | "PaddleJob" | "TrainJob" | "RayJob");
    for workflow in &workflows {
        of_workflow(collector, file, workflow, &kind, &name, &namespace);
    }
    for (labels, spec) in &pods {
        pod(collector, file, spec, &Owner { kind: &kind, name: &name, namespace: &namespace, labels, of_training });
    }
}

/// What a workflow of Argo says for the pods of all its steps.
fn of_workflow(collector: &mut Collector<'_>, file: u32, spec: &Node, kind: &str, name: &str, namespace: &str) {
    let empty = || facts::Workload {
        kind: kind.to_owned(),
        name: name.to_owned(),
        namespace: namespace.to_owned(),
        root: facts::Switch::Unset,
        escalation: facts::Switch::Unset,
        ..facts::Workload::default()
    };
    let mut found = Vec::new();
    let context = spec.get("securityContext");
    let user = context.and_then(|c| c.get("runAsUser")).filter(|u| u.str() == Some("0"));
    let root = context.and_then(|c| c.get("runAsNonRoot")).filter(|r| r.bool() == Some(false));
    if let Some(at) = user.or(root) {
        found.push((at.place(file), facts::Workload { root: facts::Switch::Yes, ..empty() }));
    }
    for volume in spec.get("volumes").map(Node::items).unwrap_or_default() {
        if let Some(path) = volume.at("hostPath.path") {
            let mounts = vec![path.str().unwrap_or("…").to_owned()];
            found.push((path.place(file), facts::Workload { host_mounts: mounts, ..empty() }));
        }
    }
    if let Some(network) = spec.get("hostNetwork").filter(|n| n.bool() == Some(true)) {
        let namespaces = vec!["network".to_owned()];
        found.push((network.place(file), facts::Workload { host_namespaces: namespaces, ..empty() }));
    }
    for (place, workload) in found {
        let raw = collector.raw(place, &None, workload);
        collector.found.workloads.push(raw);
    }
}

struct Owner<'o> {
    kind: &'o str,
    name: &'o str,
    namespace: &'o str,
    labels: &'o [(String, String)],
    of_training: bool,
}

fn pod(collector: &mut Collector<'_>, file: u32, spec: &Node, owner: &Owner<'_>) {
    let context = spec.get("securityContext");
    let flag = |node: Option<&Node>, key: &str, truth: bool| -> Option<Place> {
        node.and_then(|n| n.get(key)).filter(|v| v.bool() == Some(truth)).map(|v| v.place(file))
    };
    let mut training = owner.of_training || facts::is_training(&[owner.name, owner.namespace]);
    let text = |node: &Node, key: &str| node.get(key).and_then(Node::str).unwrap_or_default().to_owned();
    let mut host = facts::Workload {
        kind: owner.kind.to_owned(),
        name: owner.name.to_owned(),
        namespace: owner.namespace.to_owned(),
        root: facts::Switch::Unset,
        escalation: facts::Switch::Unset,
        service_account: text(spec, "serviceAccountName"),
        ..facts::Workload::default()
    };
    let mut host_place = None;
    for (key, what) in [("hostNetwork", "network"), ("hostPID", "pid"), ("hostIPC", "ipc")] {
        if let Some(place) = flag(Some(spec), key, true) {
            host.host_namespaces.push(what.to_owned());
            host_place = Some(place);
        }
    }
    for volume in spec.get("volumes").map(Node::items).unwrap_or_default() {
        if let Some(path) = volume.at("hostPath.path") {
            host.host_mounts.push(path.str().unwrap_or("…").to_owned());
            host_place = Some(path.place(file));
        }
    }
    let lists = ["initContainers", "containers", "ephemeralContainers"];
    let mut containers: Vec<&Node> = lists.iter().filter_map(|key| spec.get(key)).flat_map(Node::items).collect();
    containers.extend(spec.get("container"));
    let mut pod_root_said = false;
    // Of a pod that says nothing of its user, the image decides.
    let names_user = |node: Option<&Node>| {
        node.is_some_and(|n| {
            n.get("runAsUser").is_some_and(|u| u.str() != Some("0")) || flag(Some(n), "runAsNonRoot", true).is_some()
        })
    };
    let all_named = names_user(context)
        || !containers.is_empty() && containers.iter().all(|container| names_user(container.get("securityContext")));
    for container in containers {
        let name = text(container, "name");
        let what = format!("{} {}", owner.kind, owner.name);
        let image = text(container, "image");
        if let Some(node) = container.get("image") {
            let place = node.place(file);
            collector.image(&image, &node.way(file), Sink { what: &what, place, access: "" });
        }
        let mut all = Vec::new();
        let mut last = None;
        for key in ["command", "args"] {
            let Some(node) = container.get(key) else { continue };
            for word in node.items() {
                let Some(val) = scalar(word, file) else { continue };
                // A script in the list is read for itself.
                if word.str().is_some_and(|w| w.contains(char::is_whitespace)) {
                    collector.script_at(word.str().unwrap_or_default(), word.place(file), &what, &mut Vec::new());
                }
                last = Some(word.place(file));
                all.push(val);
            }
        }
        let script = all.iter().filter_map(Val::as_str).collect::<Vec<_>>().join(" ");
        let is_script = all.iter().any(|w| w.as_str().is_some_and(|w| w.contains(char::is_whitespace)));
        if let (Some(place), false) = (last, is_script) {
            collector.words(&all, place, &what);
        }
        training |= facts::is_training(&[&name, &image])
            || script.split([' ', '/', '.']).any(|w| matches!(w, "train" | "finetune"));
        let own = container.get("securityContext");
        let mut workload = facts::Workload {
            kind: owner.kind.to_owned(),
            name: owner.name.to_owned(),
            namespace: owner.namespace.to_owned(),
            container: name,
            image,
            root: facts::Switch::Unset,
            escalation: facts::Switch::Unset,
            ..facts::Workload::default()
        };
        let mut place = container.place(file);
        if let Some(at) = flag(own, "privileged", true) {
            workload.privileged = true;
            place = at;
        }
        if let Some(at) = flag(own, "allowPrivilegeEscalation", true) {
            workload.escalation = facts::Switch::Yes;
            place = at;
        }
        for capability in own.and_then(|o| o.at("capabilities.add")).map(Node::items).unwrap_or_default() {
            workload.capabilities.extend(capability.str().map(str::to_owned));
            place = capability.place(file);
        }
        let user = |node: Option<&Node>| {
            node.and_then(|n| n.get("runAsUser"))
                .filter(|u| u.str() == Some("0"))
                .map(|u| u.place(file))
                .or_else(|| flag(node, "runAsNonRoot", false))
        };
        let said = own.is_some_and(|o| o.get("runAsUser").is_some() || o.get("runAsNonRoot").is_some());
        if let Some(at) = user(own) {
            workload.root = facts::Switch::Yes;
            place = at;
        } else if !said
            && let Some(at) = user(context)
            && !pod_root_said
        {
            workload.root = facts::Switch::Yes;
            pod_root_said = true;
            place = at;
        }
        if workload.privileged
            || workload.escalation == facts::Switch::Yes
            || workload.root == facts::Switch::Yes
            || !workload.capabilities.is_empty()
        {
            let raw = collector.raw(place, &None, workload);
            collector.found.workloads.push(raw);
        }
    }
    if let Some(place) = host_place {
        let raw = collector.raw(place, &None, host.clone());
        collector.found.workloads.push(raw);
    }
    let place = spec.place(file);
    if owner.kind != "NetworkPolicy" {
        collector.found.pods.push(Pod {
            place: Place { end: place.start, ..place },
            namespace: owner.namespace.to_owned(),
            labels: owner.labels.to_vec(),
            member: if training { Member::Training } else { Member::Pod },
        });
    }
    if training && owner.kind != "NetworkPolicy" {
        host.training = true;
        host.root = if all_named { facts::Switch::No } else { facts::Switch::Unset };
        host.host_mounts.clear();
        host.host_namespaces.clear();
        let raw = collector.raw(Place { end: place.start, ..place }, &None, host);
        collector.found.workloads.push(raw);
    }
}

fn secret(collector: &mut Collector<'_>, file: u32, document: &Node, name: &str) {
    let what = format!("Secret {name}");
    for (part, encoded) in [("data", true), ("stringData", false)] {
        for (key, value) in document.get(part).map(Node::entries).unwrap_or_default() {
            let (Some(key), Some(text)) = (key.str(), value.str()) else { continue };
            let place = value.place(file);
            let decoded = if encoded {
                let bytes =
                    base64::engine::general_purpose::STANDARD.decode(text.split_whitespace().collect::<String>()).ok();
                bytes.and_then(|b| String::from_utf8(b).ok())
            } else {
                Some(text.to_owned())
            };
            let Some(decoded) = decoded else { continue };
            let value = Val { trace: value.way(file), ..val(decoded.trim(), place) };
            let sink = Sink { what: &what, place, access: "" };
            if credentials::wanted(key).is_some() {
                collector.named(key, &value, sink, "manifest");
            } else {
                for entry in crate::settings::entries(&decoded) {
                    super::config_value(collector, entry.name, &val(entry.value, place), sink);
                }
                collector.credentials_in(key, &decoded, &value.trace, sink);
            }
        }
    }
}

/// Helm's values: an image is a repository and a tag.
pub fn values(collector: &mut Collector<'_>, file: u32, documents: &[Node]) {
    let path = collector.tree.file(file).map_or_else(|| "".into(), |f| f.path.clone());
    let name = path.rsplit('/').next().unwrap_or_default();
    if !name.starts_with("values") {
        return;
    }
    for document in documents {
        let mut found = Vec::new();
        document.walk(&mut Vec::new(), &mut |_, node| {
            if let (Some(repository), Some(tag)) = (node.get("repository").and_then(Node::str), node.get("tag")) {
                let digest = node.get("digest").and_then(Node::str).unwrap_or_default();
                if !tag.is_null() && !repository.is_empty() && digest.is_empty() && tag.str() != Some("") {
                    found.push((format!("{repository}:{}", tag.str().unwrap_or_default()), tag.place(file)));
                }
            }
        });
        for (image, place) in found {
            collector.image(&image, &literal(place), Sink { what: "values", place, access: "" });
        }
    }
}
