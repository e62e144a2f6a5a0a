//! Parts of resources: parameters of databases, containers of tasks.

use super::{all_texts, at, audit, is, items, place_of};
use crate::{
    collect::Collector,
    facts,
    source::Place,
    value::{Kind, Val},
};

/// Parameters of databases that turn their log of statements or connections off.
const UNLOGGED: [(&str, &[&str]); 8] = [
    ("log_statement", &["none"]),
    ("pgaudit.log", &["none"]),
    ("log_connections", &["0", "off", "false"]),
    ("log_disconnections", &["0", "off", "false"]),
    ("server_audit_logging", &["0", "off", "false"]),
    ("audit_log_enabled", &["0", "off", "false"]),
    ("cloudsql.enable_pgaudit", &["off", "false"]),
    ("enable_user_activity_logging", &["0", "off", "false"]),
];

pub(super) fn parameters(collector: &mut Collector<'_>, address: &str, parameters: &[Val], place: Place) {
    let flat = parameters.iter().flat_map(|val| match &val.kind {
        Kind::List(items) => items.borrow().clone(),
        _ => vec![val.clone()],
    });
    for parameter in flat {
        let name = all_texts(at(&parameter, "name").as_ref());
        let value = at(&parameter, "value");
        let texts = match value.as_ref().map(|v| &v.kind) {
            Some(Kind::Int(n)) => vec![n.to_string()],
            Some(Kind::Bool(b)) => vec![b.to_string()],
            _ => all_texts(value.as_ref()),
        };
        let off = name.iter().flat_map(|name| texts.iter().map(move |text| unlogged(name, text))).find_map(|off| off);
        if let Some(known) = off {
            audit(collector, address, known, place_of(value.as_ref(), place));
        }
    }
}

/// The setting of a database that this value turns the log of off with.
pub fn unlogged(name: &str, value: &str) -> Option<&'static str> {
    let value = value.to_ascii_lowercase();
    UNLOGGED
        .iter()
        .find(|(known, off)| name.eq_ignore_ascii_case(known) && off.contains(&value.as_str()))
        .map(|(k, _)| *k)
}

/// Containers of a task of ECS, as a list or as the JSON of one.
pub(super) fn containers(collector: &mut Collector<'_>, address: &str, definitions: Option<&Val>, place: Place) {
    let Some(definitions) = definitions else { return };
    let parsed = definitions.as_str().and_then(|text| {
        let documents = crate::yaml::parse(text).ok()?;
        Some(crate::python::retraced(&crate::yaml::value(documents.first()?, 0, 0), &definitions.trace, 0))
    });
    for container in items(Some(parsed.unwrap_or_else(|| definitions.clone()))) {
        let get = |a: &str, b: &str| at(&container, a).or_else(|| at(&container, b));
        let image = get("image", "Image");
        if let Some(text) = image.as_ref().and_then(Val::as_str) {
            let place = place_of(image.as_ref(), place);
            collector.image(text, &None, crate::collect::Sink { what: address, place, access: "" });
        }
        let privileged = get("privileged", "Privileged");
        let user = get("user", "User");
        let is_root = all_texts(user.as_ref()).iter().any(|u| matches!(u.split(':').next(), Some("root" | "0")))
            || user.as_ref().and_then(Val::as_int) == Some(0);
        let is_privileged = is(privileged.as_ref(), true);
        if is_privileged || is_root {
            let setting = if is_privileged { privileged } else { user };
            let fact = facts::Workload {
                kind: "task".to_owned(),
                name: address.to_owned(),
                container: all_texts(get("name", "Name").as_ref()).concat(),
                privileged: is_privileged,
                root: if is_root { facts::Switch::Yes } else { facts::Switch::Unset },
                escalation: facts::Switch::Unset,
                ..facts::Workload::default()
            };
            let raw = collector.raw(place_of(setting.as_ref(), place), &None, fact);
            collector.found.workloads.push(raw);
        }
    }
}
