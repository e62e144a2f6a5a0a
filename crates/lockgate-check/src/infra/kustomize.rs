//! Kustomize: what an overlay makes of the manifests that it names, so that they are judged as
//! they are deployed and not as they are written.
//!
//! Rendered are resources, bases and components of the tree, `namespace`, `images`, strategic
//! merge patches and those of RFC 6902. Name prefixes, generators, replacements and what lies
//! outside of the tree are not.
//! <https://kubectl.docs.kubernetes.io/references/kustomize/kustomization/>

use std::rc::Rc;

use hashbrown::{HashMap, HashSet};

use super::terraform::resolve;
use crate::{
    collect::Collector,
    source::Tree,
    yaml::{self, Data, Node, Style},
};

/// Deepest overlays of overlays.
const DEPTH_MAX: usize = 8;
/// Most manifests of one overlay.
const MANIFESTS_MAX: usize = 2_000;
/// Most overlays that are looked into for one, each time that they are named.
const VISITS_MAX: usize = 1_000;
/// Most bytes of manifests and patches that one overlay is made of, each time that they are named.
const BYTES_MAX: usize = 8 << 20;
/// Most patches and images of an overlay, and most operations of a patch.
const CHANGES_MAX: usize = 200;
/// Most kustomizations of a tree that are rendered.
const OVERLAYS_MAX: usize = 500;

/// The kustomizations of a tree.
#[derive(Debug, Default)]
pub struct Layers {
    /// By the folder that they are for.
    files: HashMap<String, u32>,
    /// Those that no other one names.
    roots: HashSet<u32>,
    /// Manifests that are judged as a part of one.
    covered: HashSet<u32>,
}

impl Layers {
    pub fn new(tree: &Tree) -> Self {
        let mut layers = Self::default();
        for (id, file) in (0u32..).zip(&tree.files) {
            let (folder, name) = file.path.rsplit_once('/').unwrap_or(("", &file.path));
            if matches!(name, "kustomization.yaml" | "kustomization.yml") && layers.files.len() < OVERLAYS_MAX {
                layers.files.insert(folder.to_owned(), id);
            }
        }
        let mut named = HashSet::new();
        let mut members: HashMap<u32, Vec<u32>> = HashMap::new();
        for (folder, id) in &layers.files {
            let (below, manifests) = layers.parts(tree, folder, *id);
            named.extend(below.iter().filter_map(|folder| layers.files.get(folder)).copied());
            let below = below.iter().filter_map(|folder| layers.files.get(folder).copied());
            members.insert(*id, manifests.into_iter().chain(below).collect());
        }
        layers.roots = layers.files.values().copied().filter(|id| !named.contains(id)).collect();
        let asked = |id: &u32| tree.asked.get(*id as usize) == Some(&true);
        let mut waiting: Vec<u32> = layers.roots.iter().copied().filter(asked).collect();
        while let Some(id) = waiting.pop() {
            if layers.covered.insert(id) {
                waiting.extend(members.get(&id).into_iter().flatten().copied());
            }
        }
        layers
    }

    /// Whether a manifest is judged with the overlay that names it.
    pub fn covers(&self, file: u32) -> bool {
        self.covered.contains(&file)
    }

    /// The folders and the manifests that a kustomization names.
    fn parts(&self, tree: &Tree, folder: &str, file: u32) -> (Vec<String>, Vec<u32>) {
        let (mut folders, mut manifests) = (Vec::new(), Vec::new());
        for document in documents(tree, file) {
            for name in ["resources", "bases", "components"].iter().flat_map(|key| texts(&document, key)) {
                let path = resolve(folder, name);
                if self.files.contains_key(&path) {
                    folders.push(path);
                } else {
                    manifests.extend(tree.find(&path));
                }
            }
        }
        (folders, manifests)
    }

    /// Each kustomization with each file that it names.
    pub fn pairs(&self, tree: &Tree) -> Vec<(String, String)> {
        let path = |id: u32| tree.file(id).map_or_else(String::new, |file| file.path.to_string());
        let mut out = Vec::new();
        for (folder, id) in &self.files {
            let (below, manifests) = self.parts(tree, folder, *id);
            let below = below.iter().filter_map(|folder| self.files.get(folder).copied());
            out.extend(manifests.into_iter().chain(below).map(|member| (path(*id), path(member))));
            for document in documents(tree, *id) {
                let patches =
                    ["patches", "patchesStrategicMerge", "patchesJson6902"].iter().filter_map(|key| document.get(key));
                for entry in patches.flat_map(Node::items) {
                    if let Some(name) = entry.get("path").unwrap_or(entry).str().filter(|name| !name.contains('\n')) {
                        out.push((path(*id), resolve(folder, name)));
                    }
                }
            }
        }
        out
    }
}

/// The rendering of one overlay, with what it may still take.
struct Rendering<'r> {
    layers: &'r Layers,
    tree: &'r Tree,
    visits: usize,
    bytes: usize,
    /// Whether a limit left something out.
    cut: bool,
}

impl<'r> Rendering<'r> {
    fn new(layers: &'r Layers, tree: &'r Tree) -> Self {
        Self { layers, tree, visits: 0, bytes: 0, cut: false }
    }

    /// The documents of a file, while there is room for them.
    fn documents(&mut self, file: u32) -> Vec<Node> {
        self.bytes += self.tree.file(file).and_then(|file| file.text().ok()).map_or(0, |text| text.len());
        if self.bytes > BYTES_MAX {
            self.cut = true;
            return Vec::new();
        }
        documents(self.tree, file)
    }

    /// What the overlay of a folder deploys.
    fn render(&mut self, folder: &str, under: Vec<Node>, depth: usize) -> Vec<Node> {
        let Some(file) = self.layers.files.get(folder).copied() else { return under };
        self.visits += 1;
        if depth >= DEPTH_MAX || self.visits > VISITS_MAX {
            self.cut = true;
            return under;
        }
        let mut all = under;
        for overlay in self.documents(file) {
            // Kustomize refuses one that is named twice.
            let mut seen = HashSet::new();
            for name in ["resources", "bases"].iter().flat_map(|key| texts(&overlay, key)) {
                let path = resolve(folder, name);
                if !seen.insert(path.clone()) {
                    continue;
                }
                if self.layers.files.contains_key(&path) {
                    all.extend(self.render(&path, Vec::new(), depth + 1));
                } else if let Some(id) = self.tree.find(&path) {
                    all.extend(self.documents(id).into_iter().filter(|d| d.get("kind").is_some()));
                }
                self.cut |= all.len() > MANIFESTS_MAX;
                all.truncate(MANIFESTS_MAX);
            }
            for name in texts(&overlay, "components") {
                let path = resolve(folder, name);
                if seen.insert(path.clone()) {
                    all = self.render(&path, all, depth + 1);
                }
            }
            for patch in self.patches(folder, &overlay) {
                for manifest in all.iter_mut().filter(|manifest| patch.is_for(manifest)) {
                    *manifest = patch.applied(manifest);
                }
            }
            all.retain(|manifest| !manifest.is_null());
            if let Some(namespace) = overlay.get("namespace") {
                all = all.iter().map(|manifest| moved(manifest, namespace)).collect();
            }
            for image in overlay.get("images").map(Node::items).unwrap_or_default().iter().take(CHANGES_MAX) {
                all = all.iter().map(|manifest| with_image(manifest, image)).collect();
            }
        }
        all
    }

    /// The documents of a file that a patch names.
    fn named(&mut self, folder: &str, path: &str) -> Option<Vec<Node>> {
        let id = self.tree.find(&resolve(folder, path))?;
        Some(self.documents(id))
    }

    fn patches(&mut self, folder: &str, overlay: &Node) -> Vec<Patch> {
        let mut out = Vec::new();
        for key in ["patches", "patchesStrategicMerge", "patchesJson6902"] {
            for entry in overlay.get(key).map(Node::items).unwrap_or_default().iter().take(CHANGES_MAX) {
                let bodies = match (entry.get("path").and_then(Node::str), entry.get("patch"), entry.str()) {
                    (Some(path), ..) => self.named(folder, path).unwrap_or_default(),
                    (_, Some(patch), _) => inline(self.tree, patch),
                    (.., Some(text)) => self.named(folder, text).unwrap_or_else(|| inline(self.tree, entry)),
                    _ => Vec::new(),
                };
                for body in bodies {
                    let of = |path: &str| entry.at(path).and_then(Node::str).map(str::to_owned);
                    let has_target = entry.get("target").is_some();
                    let own = |path: &str| body.at(path).and_then(Node::str).map(str::to_owned).filter(|_| !has_target);
                    let kind = of("target.kind").or_else(|| own("kind"));
                    let name = of("target.name").or_else(|| own("metadata.name"));
                    let change = match &body.data {
                        Data::List(items) => Change::Operations(items.to_vec()),
                        _ => Change::Merge(body),
                    };
                    out.push(Patch { kind, name, change });
                }
            }
        }
        out
    }
}

/// Renders the overlay that a file is, where no other one is made of it, and reads what it deploys;
/// false where nothing of the tree is.
pub fn read(collector: &mut Collector<'_>, file: u32, judge: impl Fn(&mut Collector<'_>, &Node)) -> bool {
    let layers = layers(collector);
    // Once for a file, however many documents it has.
    if !layers.roots.contains(&file) || !collector.rendered.insert(file) {
        return layers.covers(file);
    }
    let tree = collector.tree;
    let folder = tree.file(file).and_then(|f| f.path.rsplit_once('/')).map_or("", |(folder, _)| folder);
    let mut rendering = Rendering::new(&layers, tree);
    let manifests = rendering.render(folder, Vec::new(), 0);
    if rendering.cut {
        collector.problem(file, 0, "it is made of more than is looked at of one overlay");
    }
    for manifest in &manifests {
        judge(collector, manifest);
    }
    !manifests.is_empty()
}

/// The kustomizations of the tree, looked for when they are first asked for.
pub fn layers(collector: &mut Collector<'_>) -> Rc<Layers> {
    if let Some(layers) = &collector.kustomize {
        return Rc::clone(layers);
    }
    let layers = Rc::new(Layers::new(collector.tree));
    collector.kustomize = Some(Rc::clone(&layers));
    layers
}

/// The documents of a file, each value with the file that it is of.
fn documents(tree: &Tree, file: u32) -> Vec<Node> {
    let text = tree.file(file).and_then(|file| file.text().ok());
    let documents = text.and_then(|text| yaml::parse(text).ok()).unwrap_or_default();
    documents.iter().map(|document| document.of_file(file, &|node| (node.start, node.end))).collect()
}

fn texts<'n>(node: &'n Node, key: &str) -> impl Iterator<Item = &'n str> {
    node.get(key).map(Node::items).unwrap_or_default().iter().filter_map(Node::str)
}

/// A change to the manifests of a kind and name.
struct Patch {
    kind: Option<String>,
    name: Option<String>,
    change: Change,
}

enum Change {
    Merge(Node),
    /// Operations of RFC 6902.
    Operations(Vec<Node>),
}

impl Patch {
    fn is_for(&self, manifest: &Node) -> bool {
        let is = |wanted: &Option<String>, path: &str| match wanted {
            Some(wanted) => {
                let own = manifest.at(path).and_then(Node::str).unwrap_or_default();
                wanted == own || glob::Pattern::new(&wanted.replace(".*", "*")).is_ok_and(|p| p.matches(own))
            }
            None => true,
        };
        is(&self.kind, "kind") && is(&self.name, "metadata.name")
    }

    fn applied(&self, manifest: &Node) -> Node {
        match &self.change {
            Change::Merge(patch) => merged(manifest, patch, 0),
            Change::Operations(operations) => {
                operations.iter().take(CHANGES_MAX).fold(manifest.clone(), |manifest, operation| {
                    let text = |key: &str| operation.get(key).and_then(Node::str).unwrap_or_default();
                    let path: Vec<String> =
                        text("path").split('/').skip(1).map(|key| key.replace("~1", "/").replace("~0", "~")).collect();
                    match (text("op"), operation.get("value")) {
                        ("remove", _) => changed(&manifest, &path, None),
                        ("add" | "replace", Some(value)) => changed(&manifest, &path, Some(value)),
                        _ => manifest,
                    }
                })
            }
        }
    }
}

/// A patch that is a text within its kustomization: its values are shown on their own lines.
fn inline(tree: &Tree, patch: &Node) -> Vec<Node> {
    let (Some(text), Some(file)) = (patch.str(), patch.file) else { return Vec::new() };
    let source = tree.file(file).and_then(|f| f.text().ok());
    let region = source.and_then(|source| source.get(patch.start..)).unwrap_or_default();
    // Lines of the text follow each other in the file, only further in.
    let mut lines: Vec<(usize, usize)> = Vec::new();
    let (mut at, mut offset) = (0, 0);
    for line in text.split_inclusive('\n') {
        let body = line.trim();
        let found = region.get(at..).and_then(|rest| rest.find(body)).map_or(at, |i| at + i);
        lines.push((offset, patch.start + found));
        at = found + body.len();
        offset += line.len();
    }
    let shown = |node: &Node| {
        let index = lines.partition_point(|(start, _)| *start <= node.start).saturating_sub(1);
        let start = lines.get(index).map_or(patch.start, |(_, place)| *place);
        let length = source
            .and_then(|source| source.get(start..))
            .and_then(|rest| rest.lines().next())
            .map_or(0, |line| line.trim_end().len());
        (start, start + length)
    };
    yaml::parse(text).unwrap_or_default().iter().map(|node| node.of_file(file, &shown)).collect()
}

fn map(like: &Node, entries: Vec<(Node, Node)>) -> Node {
    Node { data: Data::Map(entries.into()), ..like.clone() }
}

fn list(like: &Node, items: Vec<Node>) -> Node {
    Node { data: Data::List(items.into()), ..like.clone() }
}

fn null(like: &Node) -> Node {
    Node { data: Data::Scalar("null".into(), Style::Plain), ..like.clone() }
}

/// A strategic merge: mappings key by key, lists by what names their items.
fn merged(base: &Node, patch: &Node, depth: usize) -> Node {
    if depth > 32 {
        return base.clone();
    }
    match (&base.data, &patch.data) {
        (Data::Map(entries), Data::Map(changes)) => {
            match patch.get("$patch").and_then(Node::str) {
                Some("delete") => return null(patch),
                Some("replace") => return patch.clone(),
                _ => {}
            }
            let mut out: Vec<(Node, Node)> = entries.to_vec();
            for (key, change) in changes.iter() {
                let known = out.iter().position(|(own, _)| own.str() == key.str());
                match known {
                    Some(i) if change.is_null() => drop(out.remove(i)),
                    Some(i) => {
                        if let Some((_, value)) = out.get_mut(i) {
                            *value = merged(value, change, depth + 1);
                        }
                    }
                    None if change.is_null() => {}
                    None => out.push((key.clone(), change.clone())),
                }
            }
            map(base, out)
        }
        (Data::List(items), Data::List(changes)) => {
            let keys = ["name", "mountPath", "containerPort", "key", "ip"];
            let Some(by) = keys.iter().find(|key| changes.iter().all(|change| change.get(key).is_some())) else {
                return patch.clone();
            };
            let mut out = items.to_vec();
            for change in changes.iter() {
                let own = |item: &Node| item.get(by).and_then(Node::str).map(str::to_owned);
                match out.iter_mut().find(|item| own(item) == own(change)) {
                    Some(item) => *item = merged(item, change, depth + 1),
                    None => out.push(change.clone()),
                }
            }
            out.retain(|item| !item.is_null());
            list(base, out)
        }
        _ => patch.clone(),
    }
}

/// A value of a path replaced, added or, without a new one, taken out.
fn changed(node: &Node, path: &[String], value: Option<&Node>) -> Node {
    let Some((key, rest)) = path.split_first() else { return value.cloned().unwrap_or_else(|| null(node)) };
    match &node.data {
        Data::Map(entries) => {
            let mut out = entries.to_vec();
            match (out.iter().position(|(own, _)| own.str() == Some(key)), value) {
                (Some(i), None) if rest.is_empty() => drop(out.remove(i)),
                (Some(i), _) => {
                    if let Some((_, inner)) = out.get_mut(i) {
                        *inner = changed(inner, rest, value);
                    }
                }
                (None, Some(value)) if rest.is_empty() => {
                    let name = Node { data: Data::Scalar(key.as_str().into(), Style::Plain), ..value.clone() };
                    out.push((name, value.clone()));
                }
                _ => {}
            }
            map(node, out)
        }
        Data::List(items) => {
            let mut out = items.to_vec();
            match (key.parse::<usize>(), value) {
                (Ok(i), None) if rest.is_empty() && i < out.len() => drop(out.remove(i)),
                (Ok(i), _) => {
                    if let Some(inner) = out.get_mut(i) {
                        *inner = changed(inner, rest, value);
                    }
                }
                (Err(_), Some(value)) if key == "-" => out.push(value.clone()),
                _ => {}
            }
            list(node, out)
        }
        Data::Scalar(..) => node.clone(),
    }
}

/// A manifest in another namespace; what belongs to the cluster stays.
fn moved(manifest: &Node, namespace: &Node) -> Node {
    let kind = manifest.get("kind").and_then(Node::str).unwrap_or_default();
    let of_cluster = kind.starts_with("Cluster") && kind != "ClusterWorkflowTemplate"
        || matches!(
            kind,
            "CustomResourceDefinition" | "PersistentVolume" | "StorageClass" | "PriorityClass" | "IngressClass"
        );
    let own = if kind == "Namespace" { "name" } else { "namespace" };
    if of_cluster || manifest.get("metadata").is_none() {
        return manifest.clone();
    }
    changed(manifest, &["metadata".to_owned(), own.to_owned()], Some(namespace))
}

/// A manifest with an image of another name, tag or digest.
fn with_image(manifest: &Node, image: &Node) -> Node {
    let text = |key: &str| image.get(key).and_then(Node::str);
    let Some(name) = text("name") else { return manifest.clone() };
    walked(manifest, "", 0, &|key, node| {
        let own = node.str().filter(|_| key == "image")?;
        let (path, digest) = own.split_once('@').map_or((own, None), |(path, digest)| (path, Some(digest)));
        let colon = path.rfind(':').filter(|at| path.get(*at..).is_some_and(|tail| !tail.contains('/')));
        let (bare, tag) = colon.map_or((path, None), |at| (path.get(..at).unwrap_or(path), path.get(at + 1..)));
        if bare != name {
            return None;
        }
        let mut new = text("newName").unwrap_or(bare).to_owned();
        match (text("digest"), text("newTag"), tag, digest) {
            (Some(digest), ..) => new.push_str(&format!("@{digest}")),
            (_, Some(tag), ..) => new.push_str(&format!(":{tag}")),
            (.., Some(digest)) => new.push_str(&format!("@{digest}")),
            (_, _, Some(tag), _) => new.push_str(&format!(":{tag}")),
            _ => {}
        }
        let said = image.get("digest").or_else(|| image.get("newTag")).or_else(|| image.get("newName"));
        let at = said.unwrap_or(image);
        Some(Node { data: Data::Scalar(new.into(), Style::Plain), from: None, ..at.clone() })
    })
}

/// A node with values replaced by what `change` makes of them, with the key that each stands at.
fn walked(node: &Node, key: &str, depth: usize, change: &impl Fn(&str, &Node) -> Option<Node>) -> Node {
    if let Some(new) = change(key, node) {
        return new;
    }
    match &node.data {
        _ if depth > 64 => node.clone(),
        Data::Map(entries) => {
            let entries = entries.iter().map(|(k, v)| {
                let value = walked(v, k.str().unwrap_or_default(), depth + 1, change);
                (k.clone(), value)
            });
            map(node, entries.collect())
        }
        Data::List(items) => list(node, items.iter().map(|item| walked(item, key, depth + 1, change)).collect()),
        Data::Scalar(..) => node.clone(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(files: &[(&str, &str)], folder: &str, expect: &[(&str, &str)]) {
        let tree = Tree::of(files);
        let layers = Layers::new(&tree);
        let manifests = Rendering::new(&layers, &tree).render(folder, Vec::new(), 0);
        for (path, value) in expect {
            let found: Vec<&str> = manifests.iter().filter_map(|m| m.at(path).and_then(Node::str)).collect();
            assert_eq!(found, [*value], "{path}");
        }
    }

    const BASE: [(&str, &str); 2] = [
        ("base/kustomization.yaml", "resources: [job.yaml]\n"),
        (
            "base/job.yaml",
            "apiVersion: v1\nkind: Pod\nmetadata: {name: train}\nspec:\n  user: 1\n  containers:\n  - {name: a, image: 'trainer:1'}\n",
        ),
    ];

    #[test]
    fn an_overlay_moves_patches_and_pins() {
        let overlay = "namespace: ml\nresources: [../base]\nimages: [{name: trainer, newName: r.io/t, newTag: '2'}]\npatches:\n- patch: |-\n    kind: Pod\n    metadata: {name: train}\n    spec: {user: 0}\n- target: {kind: Pod}\n  patch: |-\n    - {op: add, path: /spec/host, value: yes}\n";
        let files = [BASE[0], BASE[1], ("prod/kustomization.yaml", overlay)];
        check(&files, "prod", &[("metadata.namespace", "ml"), ("spec.user", "0"), ("spec.host", "yes")]);
        let tree = Tree::of(&files);
        let layers = Layers::new(&tree);
        let manifests = Rendering::new(&layers, &tree).render("prod", Vec::new(), 0);
        let container = manifests[0].at("spec.containers").unwrap().items()[0].get("image").unwrap();
        assert_eq!(container.str(), Some("r.io/t:2"));
        assert_eq!(container.file, tree.find("prod/kustomization.yaml"));
        assert!(layers.covers(tree.find("base/job.yaml").unwrap()));
    }

    #[test]
    fn overlays_that_name_each_other_end() {
        let files =
            [("a/kustomization.yaml", "resources: [../b]\n"), ("b/kustomization.yaml", "resources: [../a, ../b]\n")];
        let tree = Tree::of(&files);
        let layers = Layers::new(&tree);
        assert!(Rendering::new(&layers, &tree).render("a", Vec::new(), 0).is_empty());
    }

    #[test]
    fn overlays_that_multiply_are_cut() {
        // Each names the next a hundred times, under names that only look different.
        let names: Vec<String> = (0..100).map(|i| format!("{}../{{next}}", "./".repeat(i))).collect();
        let files: Vec<(String, String)> = (0..8)
            .map(|i| {
                let next = format!("k{}", i + 1);
                let all = names.iter().map(|n| n.replace("{next}", &next)).collect::<Vec<_>>().join(", ");
                let others: Vec<String> = (0..40).map(|j| format!("../k{}x{j}", i + 1)).collect();
                (format!("k{i}/kustomization.yaml"), format!("resources: [{all}, {}]\n", others.join(", ")))
            })
            .collect();
        let mut files: Vec<(&str, &str)> = files.iter().map(|(p, t)| (p.as_str(), t.as_str())).collect();
        let large = format!("kind: Pod\nmetadata: {{name: a}}\nx: {}\n", "y".repeat(1 << 20));
        files.push(("k8/kustomization.yaml", "resources: [a.yaml, ./a.yaml, ../k8/a.yaml]\n"));
        files.push(("k8/a.yaml", &large));
        let tree = Tree::of(&files);
        let layers = Layers::new(&tree);
        assert_eq!(Rendering::new(&layers, &tree).render("k8", Vec::new(), 0).len(), 1);
        assert!(Rendering::new(&layers, &tree).render("k0", Vec::new(), 0).len() <= MANIFESTS_MAX);
    }
}
