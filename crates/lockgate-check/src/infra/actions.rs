//! GitHub Actions and GitLab CI: scripts, images, environment, permissions.

use super::{config_value, scalar};
use crate::{
    collect::{Collector, Sink},
    facts,
    source::Place,
    value::{HOLE, REFERENCE, Text, Val, literal},
    yaml::Node,
};

/// Most workflows that are looked through for calls of another.
const CALLERS_MAX: usize = 200;
/// Most values of a matrix.
const ROUNDS_MAX: usize = 32;
/// Most names of a matrix.
const NAMES_MAX: usize = 256;

/// GitHub's workflows and composite actions.
pub fn github(collector: &mut Collector<'_>, file: u32, document: &Node) {
    let around: Vec<(String, String)> = environment(collector, file, document.get("env"), "env", &[]);
    permissions(collector, file, document.get("permissions"));
    let inputs = inputs(collector, file, document);
    let jobs = document.get("jobs").map(Node::entries).unwrap_or_default();
    for (name, job) in jobs {
        let what = format!("job {}", name.str().unwrap_or("?"));
        permissions(collector, file, job.get("permissions"));
        let matrix = [inputs.clone(), matrix(job)].concat();
        if let Some(container) = job.get("container") {
            image(collector, file, container, &what);
            options(collector, file, container, &what);
        }
        for (_, service) in job.get("services").map(Node::entries).unwrap_or_default() {
            image(collector, file, service, &what);
            options(collector, file, service, &what);
            environment(collector, file, service.get("env"), &what, &matrix);
        }
        for matrix in rounds(job, &matrix) {
            let mut own = around.clone();
            own.extend(environment(collector, file, job.get("env"), &what, &matrix));
            steps(collector, file, job.get("steps"), &what, &own, &matrix);
        }
    }
    if let Some(runs) = document.get("runs") {
        steps(collector, file, runs.get("steps"), "action", &around, &inputs);
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
            untrusted(collector, script, place, what);
            let script = expanded(script, around, matrix);
            // What an action is given by those that use it.
            untrusted(collector, &script, place, what);
            collector.script_at(&script, place, what, &mut environment_of_step);
        }
        for (name, value) in step.get("with").map(Node::entries).unwrap_or_default() {
            let (Some(name), Some(val)) = (name.str(), scalar(value, file)) else { continue };
            let place = value.place(file);
            let sink = Sink { what: step.get("uses").and_then(Node::str).unwrap_or(what), place, access: "any" };
            config_value(collector, name, &val, sink);
            if name == "script" {
                untrusted(collector, val.as_str().unwrap_or_default(), place, what);
            }
            let text = expanded(val.as_str().unwrap_or_default(), around, matrix);
            for location in crate::storage::find(&text) {
                collector.storage(&location, &val.trace, sink);
            }
            collector.credentials_in("", &text, &val.trace, sink);
        }
        if let Some(with) = step.get("with") {
            super::bucket_of(collector, file, &["with"], with, &super::names::Names::default());
        }
    }
}

/// What a workflow or an action is given: its defaults, and what the workflows of the tree say.
fn inputs(collector: &mut Collector<'_>, file: u32, document: &Node) -> Vec<(String, String)> {
    let mut out = Vec::new();
    let declared = ["on.workflow_call.inputs", "on.workflow_dispatch.inputs", "inputs"];
    for (name, input) in declared.iter().filter_map(|path| document.at(path)).flat_map(Node::entries) {
        let (Some(name), Some(default)) = (name.str(), input.get("default")) else { continue };
        let Some(val) = scalar(default, file) else { continue };
        config_value(collector, name, &val, Sink { what: "inputs", place: default.place(file), access: "" });
        out.push((format!("inputs.{name}"), val.as_str().unwrap_or_default().to_owned()));
    }
    let Some(path) = collector.tree.file(file).map(|f| f.path.clone()) else { return out };
    let callers = collector.tree.files.iter().filter(|f| f.path.contains(".github/workflows/") && f.path != path);
    for text in callers.take(CALLERS_MAX).filter_map(|caller| caller.text().ok()) {
        if !text.contains(path.trim_end_matches("/action.yml").trim_end_matches("/action.yaml")) {
            continue;
        }
        for caller in crate::yaml::parse(text).unwrap_or_default() {
            for (_, job) in caller.get("jobs").map(Node::entries).unwrap_or_default() {
                let calls =
                    job.get("uses").and_then(Node::str).is_some_and(|uses| uses.trim_start_matches("./") == &*path);
                let steps = job.get("steps").map(Node::items).unwrap_or_default().iter().filter(|step| {
                    let uses = step.get("uses").and_then(Node::str).unwrap_or_default().trim_start_matches("./");
                    path.strip_prefix(uses).is_some_and(|rest| matches!(rest, "/action.yml" | "/action.yaml"))
                });
                let given = steps.filter_map(|step| step.get("with")).chain(job.get("with").filter(|_| calls));
                for (name, value) in given.flat_map(Node::entries) {
                    if let (Some(name), Some(value)) = (name.str(), value.str()) {
                        let made = value.trim().strip_prefix("${{").and_then(|v| v.strip_suffix("}}"));
                        let made = made.and_then(|expression| formatted(expression.trim()));
                        out.push((format!("inputs.{name}"), made.unwrap_or_else(|| value.to_owned())));
                    }
                }
            }
        }
    }
    out
}

/// Names that a matrix gives one value after the other: each value is one of them.
fn matrix(job: &Node) -> Vec<(String, String)> {
    let mut out = Vec::new();
    for (name, values) in job.at("strategy.matrix").map(Node::entries).unwrap_or_default() {
        let Some(name) = name.str() else { continue };
        if name == "include" {
            for item in values.items().iter().take(ROUNDS_MAX) {
                for (k, v) in item.entries() {
                    if let (Some(k), Some(v)) = (k.str(), v.str()) {
                        out.push((k.to_owned(), v.to_owned()));
                    }
                }
            }
            continue;
        }
        for (key, value) in values.items().iter().take(ROUNDS_MAX).flat_map(Node::entries) {
            if let (Some(key), Some(value)) = (key.str(), value.str()) {
                out.push((format!("{name}.{key}"), value.to_owned()));
            }
        }
        for value in values.items().iter().filter_map(Node::str).take(ROUNDS_MAX) {
            out.push((name.to_owned(), value.to_owned()));
        }
    }
    out
}

/// A matrix whose values go into the environment is read once for each of them: there they are
/// one value, not a line each.
fn rounds(job: &Node, matrix: &[(String, String)]) -> Vec<Vec<(String, String)>> {
    let steps = job.get("steps").map(Node::items).unwrap_or_default();
    let environments = steps.iter().filter_map(|step| step.get("env")).chain(job.get("env"));
    let is_used = environments.flat_map(Node::entries).any(|(_, value)| {
        value.str().is_some_and(|text| text.contains("${{") && (text.contains("matrix.") || text.contains("inputs.")))
    });
    if !is_used {
        return vec![matrix.to_vec()];
    }
    let mut values: std::collections::BTreeMap<&String, Vec<&String>> = std::collections::BTreeMap::new();
    for (name, value) in matrix {
        values.entry(name).or_default().push(value);
    }
    let most = values.values().map(Vec::len).max().unwrap_or(1).clamp(1, ROUNDS_MAX);
    // A matrix of more names than rounds is no matrix.
    let names = values.iter().take(NAMES_MAX);
    (0..most)
        .map(|round| {
            let of_round = |(name, values): (&&String, &Vec<&String>)| {
                let value = values.get(round.min(values.len().saturating_sub(1)))?;
                Some(((*name).clone(), (*value).clone()))
            };
            names.clone().filter_map(of_round).collect()
        })
        .collect()
}

/// Whether an expression prints what anybody can write: the title of a pull request, the name of
/// its branch, a comment. The fields are those that GitHub's guide on untrusted input names.
fn is_untrusted(expression: &str) -> bool {
    let asks = ["==", "!=", "contains(", "startsWith(", "endsWith("].iter().any(|word| expression.contains(word));
    let fields = [
        ".title",
        ".body",
        ".head.ref",
        ".head.label",
        ".head.repo.default_branch",
        ".page_name",
        ".message",
        ".author.email",
        ".author.name",
        ".head_branch",
    ];
    !asks
        && expression.split(|c: char| !c.is_alphanumeric() && !matches!(c, '.' | '_' | '*' | '[' | ']')).any(|path| {
            path == "github.head_ref"
                || path.starts_with("github.event.") && fields.iter().any(|field| path.ends_with(field))
        })
}

/// Text from outside that GitHub puts into a script before a shell reads it.
fn untrusted(collector: &mut Collector<'_>, script: &str, place: Place, what: &str) {
    let prints = script.split("${{").skip(1).filter_map(|rest| rest.split_once("}}")).any(|(e, _)| is_untrusted(e));
    if prints {
        collector.runs_outside(what, &literal(place), Sink { what, place, access: "" });
    }
}

/// `${{ env.X }}` and `${{ matrix.x }}`; secrets are references. A matrix gives a line for each.
fn expanded(text: &str, environment: &[(String, String)], matrix: &[(String, String)]) -> String {
    let mut counts: hashbrown::HashMap<&str, usize> = hashbrown::HashMap::new();
    for (name, _) in matrix {
        *counts.entry(name).or_default() += 1;
    }
    let most = counts.values().copied().max().unwrap_or(1).min(ROUNDS_MAX);
    let mut all = Vec::new();
    for round in 0..if text.contains("matrix.") || text.contains("inputs.") { most } else { 1 } {
        let out = crate::interpolate::substitute(text, "${{", "}}", |expression| {
            let expression = expression.trim();
            // `a || 'default'`.
            let (expression, default) =
                expression.split_once("||").map_or((expression, None), |(a, b)| (a.trim(), Some(b.trim())));
            let found = if let Some(name) = expression.strip_prefix("env.") {
                environment.iter().rev().find(|(n, _)| n == name).map(|(_, v)| v.clone())
            } else if let Some(name) =
                expression.strip_prefix("matrix.").or_else(|| expression.starts_with("inputs.").then_some(expression))
            {
                let values: Vec<&String> = matrix.iter().filter(|(n, _)| n == name).map(|(_, v)| v).collect();
                values.get(round.min(values.len().saturating_sub(1))).map(|v| (*v).clone())
            } else {
                None
            };
            let found = found.or_else(|| formatted(expression));
            let literal = default.and_then(|d| d.strip_prefix('\'').and_then(|d| d.strip_suffix('\'')));
            Some(found.or_else(|| literal.map(str::to_owned)).unwrap_or_else(|| {
                let is_kept = expression.starts_with("secrets.") || expression.starts_with("vars.");
                if is_kept { REFERENCE } else { HOLE }.to_string()
            }))
        });
        all.push(out);
    }
    all.join("\n")
}

/// `format('{0}-{1}', 'a', 'b')` of texts.
fn formatted(expression: &str) -> Option<String> {
    let inner = expression.strip_prefix("format(")?.strip_suffix(')')?;
    let texts: Vec<&str> = inner.split('\'').skip(1).step_by(2).take(32).collect();
    let (format, texts) = texts.split_first()?;
    let out = crate::interpolate::substitute(format, "{", "}", |number| {
        texts.get(number.parse::<usize>().ok()?).map(|text| (*text).to_owned())
    });
    Some(out)
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
        collector.switch(name, &text, place);
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

/// What a job's container is started with.
fn options(collector: &mut Collector<'_>, file: u32, container: &Node, what: &str) {
    if let Some(node) = container.get("options")
        && let Some(text) = node.str()
    {
        let place = node.place(file);
        collector.container_options(text, &literal(place), Sink { what, place, access: "" });
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
        // What a job does not say is said by those that it extends.
        let bases = bases(document, job);
        for base in bases.iter().rev() {
            own.extend(variables(collector, file, base.get("variables")));
        }
        own.extend(variables(collector, file, job.get("variables")));
        if name == "image" || name == "default" {
            known_image(collector, file, job, "pipeline", &own);
        }
        if let Some(node) = job.get("image") {
            known_image(collector, file, node, name, &own);
        }
        for service in job.get("services").map(Node::items).unwrap_or_default() {
            image(collector, file, service, name);
        }
        for key in ["script", "before_script", "after_script"] {
            let inherited = || bases.iter().find_map(|base| base.get(key));
            let Some(node) = job.get(key).or_else(|| (name == key).then_some(job)).or_else(inherited) else { continue };
            let items = if node.items().is_empty() { std::slice::from_ref(node) } else { node.items() };
            evaluated(collector, file, items, name);
            for item in items {
                if let Some(script) = item.str() {
                    collector.script_at(script, item.place(file), name, &mut own);
                }
            }
        }
    }
}

/// Variables of GitLab that anybody who opens a merge request or writes a commit sets.
const WRITTEN_OUTSIDE: [&str; 5] = [
    "CI_MERGE_REQUEST_TITLE",
    "CI_MERGE_REQUEST_DESCRIPTION",
    "CI_COMMIT_MESSAGE",
    "CI_COMMIT_TITLE",
    "CI_COMMIT_DESCRIPTION",
];

/// A script that evaluates a text in which such a variable may be: in quotes it is safe elsewhere.
fn evaluated(collector: &mut Collector<'_>, file: u32, items: &[Node], what: &str) {
    let scripts = || items.iter().filter_map(Node::str);
    if !scripts().any(|script| WRITTEN_OUTSIDE.iter().any(|name| script.contains(name))) {
        return;
    }
    for item in items {
        let runs =
            ["eval ", "sh -c ", "bash -c "].iter().any(|word| item.str().is_some_and(|text| text.contains(word)));
        if runs {
            let place = item.place(file);
            collector.runs_outside(what, &literal(place), Sink { what, place, access: "" });
        }
    }
}

/// The jobs that a job extends, the nearest first.
fn bases<'n>(document: &'n Node, job: &'n Node) -> Vec<&'n Node> {
    let mut out: Vec<&Node> = Vec::new();
    let mut job = job;
    while out.len() < 8
        && let Some(extends) = job.get("extends")
    {
        let name = extends.str().or_else(|| extends.items().last().and_then(Node::str));
        let Some(base) = name.and_then(|name| document.get(name)) else { break };
        out.push(base);
        job = base;
    }
    out
}

fn known_image(collector: &mut Collector<'_>, file: u32, node: &Node, what: &str, names: &[(String, String)]) {
    let node = node.get("image").or_else(|| node.get("name")).unwrap_or(node);
    if let Some(text) = node.str() {
        let place = node.place(file);
        let text = crate::shell::expand_plain(text, names);
        collector.image(&text, &literal(place), Sink { what, place, access: "" });
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
        if val.as_str() != Some(&text) {
            // What variables make of each other.
            let made = Val::text(Text::from_flat(&text, &[]), val.trace.clone());
            config_value(collector, name, &made, Sink { what: "variables", place, access: "" });
            collector.credentials_in("", &text, &val.trace, Sink { what: "variables", place, access: "" });
        }
        collector.switch(name, &text, place);
        out.push((name.to_owned(), text));
    }
    out
}
