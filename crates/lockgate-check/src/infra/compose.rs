//! Compose files (<https://github.com/compose-spec/compose-spec>).

use std::collections::{BTreeMap, BTreeSet};

use super::{config_value, scalar, val};
use crate::{
    collect::{Collector, Sink},
    facts, shell,
    value::literal,
    yaml::Node,
};

pub fn read(collector: &mut Collector<'_>, file: u32, document: &Node) {
    for (name, node) in document.get("services").map(Node::entries).unwrap_or_default() {
        let name = name.str().unwrap_or("?");
        service(collector, file, name, node);
    }
    extended(collector, file, document);
}

/// Most files that services are taken over from.
const FILES_MAX: usize = 64;

/// What services take over from files that are no Compose files by their names, each once.
fn extended(collector: &mut Collector<'_>, file: u32, document: &Node) {
    let tree = collector.tree;
    let folder = tree.file(file).and_then(|f| f.path.rsplit_once('/').map(|(folder, _)| folder.to_owned()));
    let mut wanted: BTreeMap<u32, BTreeSet<String>> = BTreeMap::new();
    for (name, node) in document.get("services").map(Node::entries).unwrap_or_default() {
        let Some(path) = node.at("extends.file").and_then(Node::str) else { continue };
        let of = node.at("extends.service").and_then(Node::str).or(name.str()).unwrap_or_default();
        let path = path.trim_start_matches("./");
        let path = folder.as_ref().map_or_else(|| path.to_owned(), |folder| format!("{folder}/{path}"));
        if let Some(id) = tree.find(&path).filter(|id| *id != file && !path.contains("compose"))
            && (wanted.len() < FILES_MAX || wanted.contains_key(&id))
        {
            wanted.entry(id).or_default().insert(of.to_owned());
        }
    }
    for (id, names) in wanted {
        let Some(text) = tree.file(id).and_then(|f| f.text().ok()) else { continue };
        for document in crate::yaml::parse(text).unwrap_or_default() {
            for name in &names {
                if let Some(base) = document.get("services").and_then(|services| services.get(name)) {
                    service(collector, id, name, base);
                }
            }
        }
    }
}

fn service(collector: &mut Collector<'_>, file: u32, name: &str, service: &Node) {
    let what = format!("service {name}");
    if let Some(image) = service.get("image")
        && let Some(text) = image.str()
    {
        let place = image.place(file);
        collector.image(&shell::expand_plain(text, &[]), &literal(place), Sink { what: &what, place, access: "" });
    }
    for key in ["command", "entrypoint"] {
        let Some(command) = service.get(key) else { continue };
        let place = command.place(file);
        if let Some(script) = command.str() {
            collector.script(script, &literal(place), place, &what, &mut Vec::new());
        } else {
            // A script in the list is read for itself.
            let is_script = |word: &&Node| word.str().is_some_and(|w| w.trim().contains(char::is_whitespace));
            let mut scripts = command.items().iter().filter(is_script).peekable();
            if scripts.peek().is_none() {
                let words: Vec<_> = command.items().iter().filter_map(|w| scalar(w, file)).collect();
                collector.words(&words, place, &what);
            }
            for script in scripts {
                // `$$` is the shell's own dollar.
                let text = script.str().unwrap_or_default().replace("$$", "$");
                collector.script_at(&text, script.place(file), &what, &mut Vec::new());
            }
        }
    }
    for item in service.get("environment").map(Node::items).unwrap_or_default() {
        if let Some((name, value)) = item.str().and_then(|t| t.split_once('=')) {
            let place = item.place(file);
            config_value(collector, name, &val(value, place), Sink { what: &what, place, access: "" });
        }
    }
    let mut place = service.place(file);
    let mut workload = facts::Workload {
        kind: "service".to_owned(),
        name: name.to_owned(),
        root: facts::Switch::Unset,
        escalation: facts::Switch::Unset,
        ..facts::Workload::default()
    };
    if let Some(privileged) = service.get("privileged")
        && privileged.bool() == Some(true)
    {
        workload.privileged = true;
        place = privileged.place(file);
    }
    for capability in service.get("cap_add").map(Node::items).unwrap_or_default() {
        workload.capabilities.extend(capability.str().map(str::to_owned));
    }
    for volume in service.get("volumes").map(Node::items).unwrap_or_default() {
        let source = volume.str().or_else(|| volume.get("source").and_then(Node::str)).unwrap_or_default();
        let source = shell::expand_plain(source, &[]);
        let source = source.split(':').next().unwrap_or(&source);
        if source.ends_with("docker.sock") || matches!(source, "/" | "/etc" | "/proc" | "/sys" | "/root" | "/var/run") {
            workload.host_mounts.push(source.to_owned());
            place = volume.place(file);
        }
    }
    for (key, namespace) in [("network_mode", "network"), ("pid", "pid"), ("ipc", "ipc")] {
        if let Some(node) = service.get(key)
            && node.str() == Some("host")
        {
            workload.host_namespaces.push(namespace.to_owned());
            place = node.place(file);
        }
    }
    if let Some(user) = service.get("user")
        && matches!(user.str().and_then(|u| u.split(':').next()), Some("root" | "0"))
    {
        workload.root = facts::Switch::Yes;
        place = user.place(file);
    }
    let bad = workload.privileged
        || workload.root == facts::Switch::Yes
        || !workload.host_mounts.is_empty()
        || !workload.host_namespaces.is_empty()
        || !workload.capabilities.is_empty();
    if bad {
        let raw = collector.raw(place, &None, workload);
        collector.found.workloads.push(raw);
    }
}
