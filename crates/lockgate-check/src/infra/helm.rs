//! Helm charts: each template is rendered with the chart's values, once for every file of values,
//! and what comes out is judged as the manifest that it is.

use std::rc::Rc;

use hashbrown::HashMap;

use crate::{
    collect::Collector,
    gotemplate::{self, Context, Rendered, Side, copied, merged},
    source::{Place, Tree},
    value::{How, Kind, Val, joined, literals},
    yaml::{self, Data, Node},
};

/// Most files of values beside `values.yaml` that a chart is rendered with.
const OVERLAYS_MAX: usize = 8;
/// Most templates of a chart that are looked through for what they define.
const TEMPLATES_MAX: usize = 500;

/// Charts that were read, by their folder.
pub type Charts = HashMap<String, Rc<Chart>>;

/// What the templates of a chart share.
pub struct Chart {
    /// The folder with a `/` at its end, or nothing at the root.
    folder: String,
    /// `Chart.yaml`, its keys as templates name them.
    about: Val,
    /// `values.yaml`, then that under each of the other files.
    values: Vec<Val>,
    named: HashMap<String, (u32, Rc<Vec<gotemplate::Node>>)>,
}

/// The folder of the chart that a file is a template of.
pub fn folder<'p>(tree: &Tree, path: &'p str) -> Option<&'p str> {
    let at = if path.starts_with("templates/") { 0 } else { path.find("/templates/")? + 1 };
    let folder = path.get(..at)?;
    let is_there = |name: &str| tree.find(&format!("{folder}{name}")).is_some();
    (is_there("Chart.yaml") || is_there("values.yaml")).then_some(folder)
}

/// Renders a template of a chart and reads what comes out; false where that cannot be done.
pub fn read(
    collector: &mut Collector<'_>,
    file: u32,
    text: &str,
    folder: &str,
    judge: impl Fn(&mut Collector<'_>, &Node),
) -> bool {
    let chart = if let Some(chart) = collector.charts.get(folder) {
        Rc::clone(chart)
    } else {
        let chart = Rc::new(chart(collector.tree, folder));
        collector.charts.insert(folder.to_owned(), Rc::clone(&chart));
        chart
    };
    let Ok(template) = gotemplate::parse(text) else { return false };
    let tree = collector.tree;
    let files = |name: &str| -> Option<String> {
        let file = tree.file(tree.find(&format!("{}{name}", chart.folder))?)?;
        file.text().ok().map(std::string::ToString::to_string)
    };
    let mut was_read = false;
    let mut sides = chart.values.iter().map(|values| (values, Side::First)).collect::<Vec<_>>();
    while let Some((values, side)) = sides.pop() {
        let open = || Val::dict(Vec::new(), true);
        let root = Val::dict(
            vec![
                // A copy: what one template sets is no business of the others.
                (Val::str("Values"), copied(values, &mut 0)),
                (Val::str("Chart"), chart.about.clone()),
                (Val::str("Release"), open()),
                (Val::str("Capabilities"), open()),
                (Val::str("Template"), open()),
                (Val::str("Files"), open()),
            ],
            false,
        );
        let context = Context { root, named: &chart.named, file: &files, unknown: side };
        let rendered = match gotemplate::render(&template, file, &context) {
            Ok(rendered) => rendered,
            Err(stopped) => {
                collector.problem(file, 0, &format!("it was not rendered: {}", stopped.0));
                if side == Side::First {
                    sides.push((values, Side::Second));
                }
                continue;
            }
        };
        if rendered.was_open && side == Side::First {
            sides.push((values, Side::Second));
        }
        if rendered.is_cut {
            collector.problem(file, 0, "of a list that it ranges over the first 256 items were looked at");
        }
        let Ok(documents) = yaml::parse(&rendered.text) else {
            collector.problem(file, 0, "what it renders to is not YAML");
            continue;
        };
        was_read = true;
        for document in &documents {
            let document = in_release(traced(document, &rendered, collector.tree, file), &chart.folder);
            let before = collector.found.storage.len();
            judge(collector, &document);
            // A location that stands whole in the values is a finding there already.
            let tree = collector.tree;
            let mut added = collector.found.storage.split_off(before);
            added.retain(|raw| {
                !matches!(raw.literals.as_slice(), [place] if place.file != file
                    && tree.asked.get(place.file as usize) == Some(&true)
                    && crate::storage::find(written(tree, *place)).iter().any(|l| l.bucket == raw.what.bucket))
            });
            collector.found.storage.append(&mut added);
        }
    }
    was_read
}

/// A manifest without a namespace goes to that of its release, which nobody knows.
fn in_release(manifest: Node, chart: &str) -> Node {
    let Some(metadata) = manifest.get("metadata").filter(|m| m.get("namespace").is_none()) else { return manifest };
    let scalar = |text: &str| Node { data: Data::Scalar(text.into(), yaml::Style::Quoted), ..metadata.clone() };
    let mut inner = metadata.entries().to_vec();
    inner.push((scalar("namespace"), scalar(&format!("{} of {}", crate::value::HOLE, chart.trim_end_matches('/')))));
    let metadata = Node { data: Data::Map(inner.into()), ..metadata.clone() };
    let entries = manifest.entries().iter().map(|(key, value)| {
        let is_metadata = key.str() == Some("metadata");
        (key.clone(), if is_metadata { metadata.clone() } else { value.clone() })
    });
    let data = Data::Map(entries.collect());
    Node { data, ..manifest }
}

fn written(tree: &Tree, place: Place) -> &str {
    let text = tree.file(place.file).and_then(|file| file.text().ok());
    text.and_then(|text| text.get(place.start as usize..place.end as usize)).unwrap_or_default()
}

/// A node of the rendered text at its places in the template, its texts with the way that led
/// from the values to them.
fn traced(node: &Node, rendered: &Rendered, tree: &Tree, file: u32) -> Node {
    let start = rendered.source_of(node.start);
    let end = rendered.source_of(node.end.saturating_sub(1).max(node.start)) + 1;
    let (data, from) = match &node.data {
        Data::Scalar(text, style) => {
            // Of a block that an action printed, only what is in this text led here.
            let printed = rendered.within(node.start..node.end).filter_map(|piece| piece.printed.clone());
            let mut ways = Vec::new();
            for place in printed.flat_map(|trace| literals(&trace)) {
                let part = written(tree, place).trim_matches(['"', '\'']);
                if !part.is_empty() && (text.contains(part) || part.contains(&**text)) {
                    ways.push(crate::value::literal(place));
                }
            }
            let place = Place::new(file, start, end.max(start));
            (Data::Scalar(Rc::clone(text), *style), joined(place, How::Rendered, ways))
        }
        Data::List(items) => (Data::List(items.iter().map(|item| traced(item, rendered, tree, file)).collect()), None),
        Data::Map(entries) => {
            let entries =
                entries.iter().map(|(k, v)| (traced(k, rendered, tree, file), traced(v, rendered, tree, file)));
            (Data::Map(entries.collect()), None)
        }
    };
    Node { start, end: end.max(start), tag: node.tag.clone(), data, from, file: None }
}

fn chart(tree: &Tree, folder: &str) -> Chart {
    let about = document(tree, &format!("{folder}Chart.yaml"));
    let about = match &about.kind {
        Kind::Dict(dict) => Val::dict(
            dict.borrow()
                .entries
                .iter()
                .map(|(key, value)| {
                    let mut name = key.as_str().unwrap_or_default().to_owned();
                    if let Some(first) = name.get_mut(..1) {
                        first.make_ascii_uppercase();
                    }
                    (Val::str(name), value.clone())
                })
                .collect(),
            false,
        ),
        _ => Val::dict(Vec::new(), true),
    };
    let base = document(tree, &format!("{folder}values.yaml"));
    let base = if matches!(base.kind, Kind::Dict(_)) { base } else { Val::dict(Vec::new(), false) };
    // A chart within a chart gets what the outer one says under its name.
    let outer = folder.trim_end_matches('/').rsplit_once("/charts/").or_else(|| {
        folder
            .trim_end_matches('/')
            .strip_prefix("charts/")
            .filter(|_| tree.find("Chart.yaml").is_some())
            .map(|n| ("", n))
    });
    let top = match outer {
        Some(("", _)) => String::new(),
        Some((top, _)) => format!("{top}/"),
        None => folder.to_owned(),
    };
    let mut values = vec![base.clone()];
    for path in overlays(tree, &top) {
        let over = document(tree, &path);
        values.push(match outer {
            Some((_, name)) => merged(&base, &inner(&over, name)),
            None => merged(&base, &over),
        });
    }
    if let Some((_, name)) = outer {
        let over = document(tree, &format!("{top}values.yaml"));
        values.push(merged(&base, &inner(&over, name)));
    }
    let mut named = HashMap::new();
    let sources = tree.files.iter().enumerate().filter(|(_, file)| {
        file.path.starts_with(&top) && (file.path.contains("/templates/") || file.path.starts_with("templates/"))
    });
    for (i, source) in sources.take(TEMPLATES_MAX) {
        let Ok(text) = source.text() else { continue };
        if !text.contains("define") && !text.contains("block") {
            continue;
        }
        if let Ok(template) = gotemplate::parse(text) {
            let id = u32::try_from(i).unwrap_or(u32::MAX);
            named.extend(template.defined.into_iter().map(|(name, nodes)| (name, (id, nodes))));
        }
    }
    Chart { folder: folder.to_owned(), about, values, named }
}

/// What an outer chart's values say for the chart of a name, with what is global.
fn inner(over: &Val, name: &str) -> Val {
    let Kind::Dict(dict) = &over.kind else { return Val::dict(Vec::new(), false) };
    let dict = dict.borrow();
    let own = dict.get(name).cloned().unwrap_or_else(|| Val::dict(Vec::new(), false));
    match dict.get("global") {
        Some(global) => merged(&own, &Val::dict(vec![(Val::str("global"), global.clone())], false)),
        None => own,
    }
}

/// Files of values beside `values.yaml`: `values-prod.yaml`, `prod.values.yaml`, `env/prod.yaml`.
fn overlays(tree: &Tree, folder: &str) -> Vec<String> {
    let is_values = |path: &str| {
        let Some(rest) = path.strip_prefix(folder) else { return false };
        let Some(name) = rest.strip_suffix(".yaml").or_else(|| rest.strip_suffix(".yml")) else { return false };
        match name.split_once('/') {
            None => name != "values" && (name.starts_with("values") || name.ends_with("values")),
            Some((place, name)) => {
                !name.contains('/') && matches!(place, "values" | "env" | "envs" | "environments" | "overlays" | "ci")
            }
        }
    };
    tree.files
        .iter()
        .map(|f| &f.path)
        .filter(|path| is_values(path))
        .take(OVERLAYS_MAX)
        .map(std::string::ToString::to_string)
        .collect()
}

fn document(tree: &Tree, path: &str) -> Val {
    let Some(id) = tree.find(path) else { return Val::none() };
    let Some(Ok(text)) = tree.file(id).map(|file| file.text()) else { return Val::none() };
    let documents = yaml::parse(text).unwrap_or_default();
    documents.first().map_or_else(Val::none, |document| yaml::value(document, id, 0))
}
