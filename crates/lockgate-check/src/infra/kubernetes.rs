//! Kubernetes manifests and Kustomize: pods wherever they stand, secrets, roles, network
//! policies.

mod kustomization;
mod pods;
mod terraform;

use base64::Engine as _;

pub use kustomization::kustomization;
pub use terraform::terraform;

use pods::Owner;

use super::{cloud, val};
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
    // Policies of admission name what they refuse.
    let group = document.get("apiVersion").and_then(Node::str).unwrap_or_default();
    if ["kyverno.io/", "constraints.gatekeeper.sh/", "templates.gatekeeper.sh/", "admissionregistration.k8s.io/"]
        .iter()
        .any(|start| group.starts_with(start))
    {
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
        "NetworkPolicy" | "CiliumNetworkPolicy" => return policy(collector, document, &kind, namespace),
        "ClusterRoleBinding" | "RoleBinding" | "ClusterRole" | "Role" => role(collector, file, document, &kind, &name),
        "StorageClass" => storage_class(collector, file, document, &name),
        "PersistentVolume" => {
            pods::volume(collector, file, document, Owner { kind: &kind, name: &name, namespace: "" });
        }
        _ => {}
    }
    pods::all(collector, file, document, Owner { kind: &kind, name: &name, namespace: &namespace });
}

/// Who may do everything.
fn role(collector: &mut Collector<'_>, file: u32, document: &Node, kind: &str, name: &str) {
    if let Some(role) = document.at("roleRef.name")
        && role.str() == Some("cluster-admin")
        && document.get("subjects").is_some()
    {
        cloud::permission(collector, name, kind, &["cluster-admin"], role.place(file));
    }
    for rule in document.get("rules").map(Node::items).unwrap_or_default() {
        let has_all = |key: &str| rule.get(key).is_some_and(|n| n.items().iter().any(|i| i.str() == Some("*")));
        if has_all("verbs") && has_all("resources") {
            cloud::permission(collector, name, kind, &["all actions on all resources"], rule.place(file));
        }
    }
}

fn storage_class(collector: &mut Collector<'_>, file: u32, document: &Node, name: &str) {
    let setting = document.at("parameters.encrypted");
    if let Some(setting) = setting.filter(|s| s.bool() == Some(false)) {
        let provisioner = document.get("provisioner").and_then(Node::str).unwrap_or_default();
        let provider = crate::storage::provider_of(provisioner).unwrap_or("any");
        let address = format!("StorageClass {name}");
        let resource = cloud::Resource { address: &address, provider, place: setting.place(file) };
        cloud::bucket(collector, &resource, |b| b.encrypted = facts::Switch::No, "encrypted is false");
    }
}

/// What a network policy selects, and whether it restricts anything.
fn policy(collector: &mut Collector<'_>, document: &Node, kind: &str, namespace: String) {
    let spec = document.get("spec");
    let selector = document.at("spec.podSelector").or_else(|| document.at("spec.endpointSelector"));
    // `ingress: [{}]` lets everybody in.
    let opens = |key: &str| {
        let rules = spec.and_then(|spec| spec.get(key)).map(Node::items).unwrap_or_default();
        rules.iter().any(|rule| matches!(rule.data, Data::Map(_)) && rule.entries().is_empty())
    };
    let types = document.at("spec.policyTypes").map(Node::items).unwrap_or_default();
    let named = |name: &str| types.iter().any(|t| t.str() == Some(name));
    let egress = named("Egress") || types.is_empty() && spec.is_some_and(|spec| spec.get("egress").is_some());
    let ingress = named("Ingress") || types.is_empty();
    let restricts = kind == "CiliumNetworkPolicy" || ingress && !opens("ingress") || egress && !opens("egress");
    let selector = labels(selector.and_then(|s| s.get("matchLabels")));
    collector.found.policies.push(Policy { namespace, selector, restricts });
}

fn labels(node: Option<&Node>) -> Vec<(String, String)> {
    node.map(Node::entries)
        .unwrap_or_default()
        .iter()
        .filter_map(|(k, v)| Some((k.str()?.to_owned(), v.str()?.to_owned())))
        .collect()
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
            let sink = Sink { what: &what, place, access: "any" };
            for location in crate::storage::find(&decoded) {
                collector.storage(&location, &value.trace, sink);
            }
            if credentials::wanted(key) == Some(credentials::Wanted::Authorization) {
                collector.secret_value(key, &value, sink);
            } else if credentials::wanted(key).is_some() {
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
