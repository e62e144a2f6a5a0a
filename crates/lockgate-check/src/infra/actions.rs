//! GitHub Actions and GitLab CI: scripts, images, environment, permissions.

use super::{config_value, scalar};
use crate::{
    collect::{Collector, Sink},
    facts,
    source::Place,
    value::{HOLE, REFERENCE, Text, Val, literal},
    yaml::Node,
};

/// GitHub's workflows and composite actions.
pub fn github(collector: &mut Collector<'_>, file: u32, document: &Node) {
    let mut around: Vec<(String, String)> = environment(collector, file, document.get("env"), "env", &[]);
    permissions(collector, file, document.get("permissions"));
    let jobs = document.get("jobs").map(Node::entries).unwrap_or_default();
    for (name, job) in jobs {
        let what = format!("job {}", name.str().unwrap_or("?"));
        permissions(collector, file, job.get("permissions"));
        let matrix = matrix(job);
        let mut own = around.clone();
        own.extend(environment(collector, file, job.get("env"), &what, &matrix));
        if let Some(container) = job.get("container") {
            image(collector, file, container, &what);
        }
        for (_, service) in job.get("services").map(Node::entries).unwrap_or_default() {
            image(collector, file, service, &what);
            environment(collector, file, service.get("env"), &what, &matrix);
        }
        steps(collector, file, job.get("steps"), &what, &own, &matrix);
    }
    if let Some(runs) = document.get("runs") {
        steps(collector, file, runs.get("steps"), "action", &std::mem::take(&mut around), &[]);
    }
}

fn steps(
    collector: &mut Collector<'_>,
    file: u32,
    steps: Option<&Node>,
    what: &str,
    around: &[(String, String)],
    matrix: &[(String, String)],
) {
    for step in steps.map(Node::items).unwrap_or_default() {
        let mut environment_of_step: Vec<(String, String)> = around.to_vec();
        environment_of_step.extend(environment(collector, file, step.get("env"), what, matrix));
        if let Some(run) = step.get("run")
            && let Some(script) = run.str()
        {
            let place = run.place(file);
            let script = expanded(script, around, matrix);
            collector.script_at(&script, place, what, &mut environment_of_step);
        }
        for (name, value) in step.get("with").map(Node::entries).unwrap_or_default() {
            let (Some(name), Some(val)) = (name.str(), scalar(value, file)) else { continue };
            let place = value.place(file);
            let sink = Sink { what: step.get("uses").and_then(Node::str).unwrap_or(what), place, access: "any" };
            config_value(collector, name, &val, sink);
            let text = expanded(val.as_str().unwrap_or_default(), around, matrix);
            for location in crate::storage::find(&text) {
                collector.storage(&location, &val.trace, sink);
            }
            collector.credentials_in("", &text, &val.trace, sink);
        }
        if let Some(with) = step.get("with") {
            super::bucket_of(collector, file, &["with"], with);
        }
    }
}

/// Names that a matrix gives one value after the other: each value is one of them.
fn matrix(job: &Node) -> Vec<(String, String)> {
    let mut out = Vec::new();
    for (name, values) in job.at("strategy.matrix").map(Node::entries).unwrap_or_default() {
        let Some(name) = name.str() else { continue };
        if name == "include" {
            for item in values.items() {
                for (k, v) in item.entries() {
                    if let (Some(k), Some(v)) = (k.str(), v.str()) {
                        out.push((k.to_owned(), v.to_owned()));
                    }
                }
            }
            continue;
        }
        for value in values.items().iter().filter_map(Node::str).take(32) {
            out.push((name.to_owned(), value.to_owned()));
        }
    }
    out
}

/// `${{ env.X }}` and `${{ matrix.x }}`; secrets are references. A matrix gives a line for each.
fn expanded(text: &str, environment: &[(String, String)], matrix: &[(String, String)]) -> String {
    let most =
        matrix.iter().map(|(name, _)| matrix.iter().filter(|(n, _)| n == name).count()).max().unwrap_or(1).min(32);
    let mut all = Vec::new();
    for round in 0..if text.contains("matrix.") { most } else { 1 } {
        let mut out = String::new();
        let mut rest = text;
        while let Some((before, after)) = rest.split_once("${{") {
            if out.len() > super::EXPANDED_BYTES_MAX {
                break;
            }
            out.push_str(before);
            let Some((expression, tail)) = after.split_once("}}") else {
                out.push_str("${{");
                rest = after;
                continue;
            };
            let expression = expression.trim();
            // `a || 'default'`.
            let (expression, default) =
                expression.split_once("||").map_or((expression, None), |(a, b)| (a.trim(), Some(b.trim())));
            let found = if let Some(name) = expression.strip_prefix("env.") {
                environment.iter().rev().find(|(n, _)| n == name).map(|(_, v)| v.clone())
            } else if let Some(name) = expression.strip_prefix("matrix.") {
                let values: Vec<&String> = matrix.iter().filter(|(n, _)| n == name).map(|(_, v)| v).collect();
                values.get(round.min(values.len().saturating_sub(1))).map(|v| (*v).clone())
            } else {
                None
            };
            let literal = default.and_then(|d| d.strip_prefix('\'').and_then(|d| d.strip_suffix('\'')));
            match found.or_else(|| literal.map(str::to_owned)) {
                Some(value) => out.push_str(&value),
                None => out.push(if expression.starts_with("secrets.") || expression.starts_with("vars.") {
                    REFERENCE
                } else {
                    HOLE
                }),
            }
            rest = tail;
        }
        out.push_str(rest);
        all.push(out);
    }
    all.join("\n")
}

fn environment(
    collector: &mut Collector<'_>,
    file: u32,
    node: Option<&Node>,
    what: &str,
    matrix: &[(String, String)],
) -> Vec<(String, String)> {
    let mut out = Vec::new();
    for (name, value) in node.map(Node::entries).unwrap_or_default() {
        let (Some(name), Some(text)) = (name.str(), value.str()) else { continue };
        let place = value.place(file);
        let text = expanded(text, &out, matrix);
        let val = Val::text(Text::from_flat(&text, &[]), literal(place));
        let sink = Sink { what, place, access: "any" };
        config_value(collector, name, &val, sink);
        collector.environment_switch(name, &text, place);
        for location in crate::storage::find(&text) {
            collector.storage(&location, &val.trace, sink);
        }
        collector.credentials_in("", &text, &val.trace, sink);
        out.push((name.to_owned(), text));
    }
    out
}

fn image(collector: &mut Collector<'_>, file: u32, node: &Node, what: &str) {
    let node = node.get("image").or_else(|| node.get("name")).unwrap_or(node);
    if let Some(text) = node.str() {
        let place = node.place(file);
        collector.image(text, &literal(place), Sink { what, place, access: "" });
    }
}

fn permissions(collector: &mut Collector<'_>, file: u32, node: Option<&Node>) {
    if let Some(node) = node
        && node.str() == Some("write-all")
    {
        let fact = facts::Permission {
            name: "permissions".to_owned(),
            kind: "workflow".to_owned(),
            actions: vec!["write-all".to_owned()],
            resources: Vec::new(),
            subjects: Vec::new(),
            broad: vec!["all-actions".to_owned()],
        };
        let raw = collector.raw(node.place(file), &None, fact);
        collector.found.permissions.push(raw);
    }
}

/// GitLab's pipelines.
pub fn gitlab(collector: &mut Collector<'_>, file: u32, document: &Node) {
    let around = variables(collector, file, document.get("variables"));
    for (name, job) in document.entries() {
        let Some(name) = name.str() else { continue };
        let mut own = around.clone();
        own.extend(variables(collector, file, job.get("variables")));
        if name == "image" || name == "default" {
            image(collector, file, job, "pipeline");
        }
        if let Some(node) = job.get("image") {
            image(collector, file, node, name);
        }
        for service in job.get("services").map(Node::items).unwrap_or_default() {
            image(collector, file, service, name);
        }
        for key in ["script", "before_script", "after_script"] {
            let Some(node) = job.get(key).or_else(|| (name == key).then_some(job)) else { continue };
            let items = if node.items().is_empty() { std::slice::from_ref(node) } else { node.items() };
            for item in items {
                if let Some(script) = item.str() {
                    collector.script_at(script, item.place(file), name, &mut own);
                }
            }
        }
    }
}

fn variables(collector: &mut Collector<'_>, file: u32, node: Option<&Node>) -> Vec<(String, String)> {
    let mut out = Vec::new();
    for (name, value) in node.map(Node::entries).unwrap_or_default() {
        let value = value.get("value").unwrap_or(value);
        let (Some(name), Some(val)) = (name.str(), scalar(value, file)) else { continue };
        let place: Place = value.place(file);
        config_value(collector, name, &val, Sink { what: "variables", place, access: "" });
        let text = crate::shell::expand_plain(val.as_str().unwrap_or_default(), &out);
        collector.environment_switch(name, &text, place);
        out.push((name.to_owned(), text));
    }
    out
}
