//! What a document's texts may ask for: the environment of a container, the file beside a Compose
//! file, the variables of a playbook.

use std::cell::Cell;

use crate::{
    collect::Collector,
    interpolate, jinja, settings, shell,
    yaml::{Data, Node},
};

/// Most names of a document.
const NAMES_MAX: usize = 500;
/// Most values whose templates are rendered in turn.
const ROUNDS: usize = 4;

#[derive(Default)]
pub struct Names {
    /// `${NAME}`, as Compose takes it from `.env`.
    environment: Vec<(String, String)>,
    /// `$(NAME)`, as Kubernetes takes it from the container's environment.
    container: Vec<(String, String)>,
    /// `{{ name }}` of Ansible.
    variables: jinja::Context,
}

impl Names {
    pub fn of(collector: &Collector<'_>, path: &str, document: &Node) -> Self {
        let mut names = Self::default();
        let folder = path.rsplit_once('/').map_or("", |(folder, _)| folder);
        let beside = |name: &str| {
            let path = if folder.is_empty() { name.to_owned() } else { format!("{folder}/{name}") };
            let text = collector.tree.file(collector.tree.find(&path)?)?.text().ok()?.to_string();
            Some(text)
        };
        if document.get("services").is_some()
            && let Some(text) = beside(".env")
        {
            let entries = settings::entries(&text);
            names.environment =
                entries.iter().take(NAMES_MAX).map(|e| (e.name.to_owned(), e.value.to_owned())).collect();
        }
        if document.get("apiVersion").is_some() {
            document.walk(&mut Vec::new(), &mut |_, node| {
                if let (Some(name), Some(value)) =
                    (node.get("name").and_then(Node::str), node.get("value").and_then(Node::str))
                    && names.container.len() < NAMES_MAX
                {
                    names.container.push((name.to_owned(), value.to_owned()));
                }
            });
        }
        names.variables.names = variables(collector, path, document);
        names
    }

    /// A text with what is known put in; none where there is nothing to put in.
    pub fn rendered(&self, text: &str) -> Option<String> {
        if !self.container.is_empty() && text.contains("$(") {
            return Some(self.of_container(text, 0, &Cell::new(NAMES_MAX)));
        }
        if jinja::is_template(text) && !text.contains("${{") {
            return jinja::render(text, &self.variables).map(|t| t.flat().to_string());
        }
        (text.contains('$') && !text.contains("${{")).then(|| shell::expand_plain(text, &self.environment))
    }

    fn of_container(&self, text: &str, depth: usize, left: &Cell<usize>) -> String {
        interpolate::substitute(text, "$(", ")", |name| {
            left.set(left.get().checked_sub(1)?);
            let (_, value) = self.container.iter().rev().find(|(known, _)| depth < 6 && known == name)?;
            Some(self.of_container(value, depth + 1, left))
        })
    }
}

/// The variables of a playbook, a role and its groups.
fn variables(collector: &Collector<'_>, path: &str, document: &Node) -> Vec<(std::sync::Arc<str>, jinja::Known)> {
    let mut found: Vec<(String, Node)> = Vec::new();
    let mut add = |node: &Node| {
        for (key, value) in node.entries() {
            if let Some(key) = key.str()
                && found.len() < NAMES_MAX
            {
                found.push((key.to_owned(), value.clone()));
            }
        }
    };
    // A role's own, weakest first.
    let role =
        ["/tasks/", "/handlers/", "/templates/"].iter().find_map(|part| path.find(part).map(|at| path.get(..at)));
    let role = role.flatten().or_else(|| path.starts_with("tasks/").then_some(""));
    let mut files: Vec<String> = Vec::new();
    if let Some(role) = role {
        let role = if role.is_empty() { String::new() } else { format!("{role}/") };
        files.extend(
            ["defaults/main.yml", "defaults/main.yaml", "vars/main.yml", "vars/main.yaml"]
                .map(|f| format!("{role}{f}")),
        );
    }
    files.extend(["group_vars/all.yml", "group_vars/all.yaml"].map(str::to_owned));
    let is_playbook = !document.items().is_empty();
    for file in files.iter().filter(|_| is_playbook) {
        let Some(Ok(text)) = collector.tree.find(file).and_then(|id| collector.tree.file(id)).map(|f| f.text()) else {
            continue;
        };
        crate::yaml::parse(text).unwrap_or_default().iter().for_each(&mut add);
    }
    document.walk(&mut Vec::new(), &mut |path, node| {
        if path.last() == Some(&"vars")
            || path.last() == Some(&"set_fact")
            || path.last().is_some_and(|l| l.ends_with(".set_fact"))
        {
            add(node);
        }
    });
    let mut names: Vec<(std::sync::Arc<str>, jinja::Known)> =
        found.iter().map(|(name, value)| (name.as_str().into(), known(value, 0))).collect();
    for _ in 0..ROUNDS {
        let context = jinja::Context { names: names.clone(), ..jinja::Context::default() };
        let mut changed = false;
        for (_, value) in &mut names {
            if let jinja::Known::Text(text) = value
                && let Some(template) = text.known().filter(|t| jinja::is_template(t))
                && let Some(text) = jinja::render(template, &context)
            {
                changed = true;
                *value = jinja::Known::Text(text);
            }
        }
        if !changed {
            break;
        }
    }
    names
}

pub(super) fn known(node: &Node, depth: usize) -> jinja::Known {
    match &node.data {
        Data::List(items) if depth < 8 => {
            jinja::Known::List(items.iter().take(NAMES_MAX).map(|item| known(item, depth + 1)).collect())
        }
        Data::Map(entries) if depth < 8 => jinja::Known::Map(
            entries
                .iter()
                .take(NAMES_MAX)
                .filter_map(|(key, value)| Some((key.str()?.into(), known(value, depth + 1))))
                .collect(),
        ),
        _ => jinja::Known::Text(crate::value::Text::Known(node.str().unwrap_or_default().into())),
    }
}
