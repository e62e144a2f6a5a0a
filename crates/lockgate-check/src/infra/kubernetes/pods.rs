//! Pods, wherever a kind keeps its template, and what operators make pods of.

use super::labels;
use crate::{
    collect::{Collector, Member, Pod, Sink},
    facts,
    infra::scalar,
    source::Place,
    value::Val,
    yaml::Node,
};

/// Templates of pods that are read in one document.
const PODS_MAX: usize = 1_000;

/// The document that pods are made from.
#[derive(Clone, Copy)]
pub(super) struct Owner<'o> {
    pub kind: &'o str,
    pub name: &'o str,
    pub namespace: &'o str,
}

impl Owner<'_> {
    fn workload(&self) -> facts::Workload {
        facts::Workload {
            kind: self.kind.to_owned(),
            name: self.name.to_owned(),
            namespace: self.namespace.to_owned(),
            root: facts::Switch::Unset,
            escalation: facts::Switch::Unset,
            ..facts::Workload::default()
        }
    }

    /// Whether the kind is for training alone.
    fn is_of_training(&self) -> bool {
        matches!(self.kind, "PyTorchJob" | "TFJob" | "MPIJob" | "XGBoostJob" | "PaddleJob" | "TrainJob" | "RayJob")
    }
}

/// Judges all pods of a document.
pub(super) fn all(collector: &mut Collector<'_>, file: u32, document: &Node, owner: Owner<'_>) {
    let mut pods: Vec<(Vec<(String, String)>, Node)> = Vec::new();
    let mut templates: Vec<(usize, Vec<(String, String)>)> = Vec::new();
    let mut operators: Vec<Node> = Vec::new();
    let mut patches: Vec<Node> = Vec::new();
    document.walk(&mut Vec::new(), &mut |path, node| {
        if let Some(meta) = node.at("metadata.labels") {
            templates.push((path.len(), labels(Some(meta))));
        }
        if is_of_operator(path, node) {
            operators.push(node.clone());
        }
        if let Some(patch) = node.get("podSpecPatch") {
            patches.push(patch.clone());
        }
        let is_pod = node.get("containers").is_some_and(|c| !c.items().is_empty())
            || path.contains(&"templates") && (node.get("container").is_some() || node.get("script").is_some());
        if is_pod && pods.len() < PODS_MAX {
            let own = templates.iter().rev().find(|(depth, _)| *depth < path.len() || path.is_empty());
            pods.push((own.map(|(_, labels)| labels.clone()).unwrap_or_default(), node.clone()));
        }
    });
    for spec in &operators {
        of_operator(collector, file, spec, owner);
    }
    for (labels, spec) in pods {
        pod(collector, file, &spec, owner, labels);
    }
    for patch in patches {
        patched(collector, file, &patch, owner);
    }
}

/// Argo's `podSpecPatch`, a text that is laid over every pod; its findings are at the text.
fn patched(collector: &mut Collector<'_>, file: u32, patch: &Node, owner: Owner<'_>) {
    for spec in patch.str().and_then(|text| crate::yaml::parse(text).ok()).unwrap_or_default() {
        let mut pod_root = root(spec.get("securityContext"), file);
        for node in spec.get("containers").map(Node::items).unwrap_or_default() {
            if let Some((_, workload)) = container(node, file, owner, &mut pod_root) {
                push(collector, patch.place(file), workload);
            }
        }
        if let Some((_, workload)) = host_access(&spec, file, &owner.workload()) {
            push(collector, patch.place(file), workload);
        }
    }
}

/// Whether an operator makes pods of what is said here: a workflow of Argo, volumes beside the
/// pods, Spark's `driver` and `executor`.
fn is_of_operator(path: &[&str], node: &Node) -> bool {
    let has_items = |key: &str| node.get(key).is_some_and(|n| !n.items().is_empty());
    let is_workflow = has_items("templates") && node.get("entrypoint").is_some();
    let has_no_containers = node.get("containers").is_none();
    let has_volumes = has_items("volumes") && has_no_containers;
    let has_context = node.get("securityContext").is_some()
        && has_no_containers
        && !["containers", "initContainers", "ephemeralContainers", "container"].iter().any(|key| path.contains(key));
    is_workflow || has_volumes || has_context
}

fn of_operator(collector: &mut Collector<'_>, file: u32, spec: &Node, owner: Owner<'_>) {
    let mut found = Vec::new();
    if let Some(place) = root(spec.get("securityContext"), file) {
        found.push((place, facts::Workload { root: facts::Switch::Yes, ..owner.workload() }));
    }
    for (place, path) in host_paths(spec, file) {
        found.push((place, facts::Workload { host_mounts: vec![path], ..owner.workload() }));
    }
    if let Some(network) = flag(Some(spec), "hostNetwork", true, file) {
        found.push((network, facts::Workload { host_namespaces: vec!["network".to_owned()], ..owner.workload() }));
    }
    for (place, workload) in found {
        push(collector, place, workload);
    }
}

fn pod(collector: &mut Collector<'_>, file: u32, spec: &Node, owner: Owner<'_>, labels: Vec<(String, String)>) {
    let context = spec.get("securityContext");
    let lists = ["initContainers", "containers", "ephemeralContainers"];
    let mut containers: Vec<&Node> = lists.iter().filter_map(|key| spec.get(key)).flat_map(Node::items).collect();
    containers.extend(spec.get("container"));
    // A step of Argo that is a script.
    containers.extend(spec.get("script").filter(|script| script.get("image").is_some()));
    let mut training = owner.is_of_training() || facts::is_training(&[owner.name, owner.namespace]);
    // What the pod says of its user is told once, at its first container.
    let mut pod_root = root(context, file);
    for node in &containers {
        training |= commands(collector, file, node, owner);
        if let Some((place, workload)) = container(node, file, owner, &mut pod_root) {
            push(collector, place, workload);
        }
    }
    let host = facts::Workload { service_account: text(spec, "serviceAccountName"), ..owner.workload() };
    if let Some((place, workload)) = host_access(spec, file, &host) {
        push(collector, place, workload);
    }
    if owner.kind == "NetworkPolicy" {
        return;
    }
    let place = spec.place(file);
    let place = Place { end: place.start, ..place };
    collector.found.pods.push(Pod {
        place,
        namespace: owner.namespace.to_owned(),
        labels,
        member: if training { Member::Training } else { Member::Pod },
    });
    if training {
        // Of a pod that says nothing of its user, the image decides.
        let all_named = names_user(context, file)
            || !containers.is_empty() && containers.iter().all(|c| names_user(c.get("securityContext"), file));
        let root = if all_named { facts::Switch::No } else { facts::Switch::Unset };
        push(collector, place, facts::Workload { training: true, root, ..host });
    }
}

/// A volume that is a path of the machine it is mounted on.
pub(super) fn volume(collector: &mut Collector<'_>, file: u32, document: &Node, owner: Owner<'_>) {
    if let Some(path) = document.at("spec.hostPath.path") {
        let mounts = vec![path.str().unwrap_or("…").to_owned()];
        push(collector, path.place(file), facts::Workload { host_mounts: mounts, ..owner.workload() });
    }
}

/// Host namespaces and paths of a pod, at the last that is named.
fn host_access(spec: &Node, file: u32, host: &facts::Workload) -> Option<(Place, facts::Workload)> {
    let mut host = host.clone();
    let mut at = None;
    for (key, what) in [("hostNetwork", "network"), ("hostPID", "pid"), ("hostIPC", "ipc")] {
        if let Some(place) = flag(Some(spec), key, true, file) {
            host.host_namespaces.push(what.to_owned());
            at = Some(place);
        }
    }
    for (place, path) in host_paths(spec, file) {
        host.host_mounts.push(path);
        at = Some(place);
    }
    at.map(|place| (place, host))
}

/// Reads the image and the commands of a container, and says whether they train a model.
fn commands(collector: &mut Collector<'_>, file: u32, container: &Node, owner: Owner<'_>) -> bool {
    let what = format!("{} {}", owner.kind, owner.name);
    let image = text(container, "image");
    if let Some(node) = container.get("image") {
        let place = node.place(file);
        collector.image(&image, &node.way(file), Sink { what: &what, place, access: "" });
    }
    if let Some(source) = container.get("source")
        && let Some(script) = source.str()
    {
        collector.script_at(script, source.place(file), &what, &mut Vec::new());
    }
    let mut all = Vec::new();
    let mut last = None;
    for key in ["command", "args"] {
        let Some(node) = container.get(key) else { continue };
        for word in node.items() {
            let Some(val) = scalar(word, file) else { continue };
            // `--header`, then `Authorization: Basic ...`.
            if let Some((name, value)) = word.str().and_then(|word| word.split_once(": "))
                && !name.contains(char::is_whitespace)
            {
                let place = word.place(file);
                collector.named(
                    name,
                    &crate::infra::val(value, place),
                    Sink { what: &what, place, access: "" },
                    "manifest",
                );
            }
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
    facts::is_training(&[&text(container, "name"), &image])
        || script.split([' ', '/', '.']).any(|w| matches!(w, "train" | "finetune"))
}

/// What a container may do that it should not. `pod_root` is where the pod says root, and is
/// taken by the first container that says nothing itself.
fn container(
    node: &Node,
    file: u32,
    owner: Owner<'_>,
    pod_root: &mut Option<Place>,
) -> Option<(Place, facts::Workload)> {
    let own = node.get("securityContext");
    let mut workload =
        facts::Workload { container: text(node, "name"), image: text(node, "image"), ..owner.workload() };
    let mut at = None;
    if let Some(place) = flag(own, "privileged", true, file) {
        workload.privileged = true;
        at = Some(place);
    }
    if let Some(place) = flag(own, "allowPrivilegeEscalation", true, file) {
        workload.escalation = facts::Switch::Yes;
        at = Some(place);
    }
    for capability in own.and_then(|o| o.at("capabilities.add")).map(Node::items).unwrap_or_default() {
        workload.capabilities.extend(capability.str().map(str::to_owned));
        at = Some(capability.place(file));
    }
    let says_user = own.is_some_and(|o| o.get("runAsUser").is_some() || o.get("runAsNonRoot").is_some());
    let is_root = if says_user { root(own, file) } else { pod_root.take() };
    if let Some(place) = is_root {
        workload.root = facts::Switch::Yes;
        at = Some(place);
    }
    at.map(|place| (place, workload))
}

fn push(collector: &mut Collector<'_>, place: Place, workload: facts::Workload) {
    let raw = collector.raw(place, &None, workload);
    collector.found.workloads.push(raw);
}

fn text(node: &Node, key: &str) -> String {
    node.get(key).and_then(Node::str).unwrap_or_default().to_owned()
}

fn flag(node: Option<&Node>, key: &str, truth: bool, file: u32) -> Option<Place> {
    node.and_then(|n| n.get(key)).filter(|v| v.bool() == Some(truth)).map(|v| v.place(file))
}

/// Where a security context says root.
fn root(context: Option<&Node>, file: u32) -> Option<Place> {
    context
        .and_then(|c| c.get("runAsUser"))
        .filter(|user| user.str() == Some("0"))
        .map(|user| user.place(file))
        .or_else(|| flag(context, "runAsNonRoot", false, file))
}

fn names_user(context: Option<&Node>, file: u32) -> bool {
    context.and_then(|c| c.get("runAsUser")).is_some_and(|user| user.str() != Some("0"))
        || flag(context, "runAsNonRoot", true, file).is_some()
}

fn host_paths(spec: &Node, file: u32) -> Vec<(Place, String)> {
    let volumes = spec.get("volumes").map(Node::items).unwrap_or_default();
    let paths = volumes.iter().filter_map(|volume| volume.at("hostPath.path"));
    paths.map(|path| (path.place(file), path.str().unwrap_or("…").to_owned())).collect()
}
