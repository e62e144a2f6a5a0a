//! Files that are deployed as one: the templates of a chart with its values, the modules of
//! Terraform with their callers, overlays with what they name. A change to one of them may be why
//! another is a finding.

use std::collections::BTreeSet;

use hashbrown::{HashMap, HashSet};

use crate::{
    infra::{kustomize::Layers, terraform},
    source::{Language, Tree},
};

/// The paths of `changed` and of all files that are deployed with one of them.
pub fn with_related(tree: &Tree, changed: &BTreeSet<String>) -> BTreeSet<String> {
    let mut groups = Groups { parents: HashMap::new() };
    let folder_of = |path: &str| path.rsplit_once('/').map_or("", |(folder, _)| folder).to_owned();
    // A chart is a folder with everything below it.
    let is_chart = |path: &str| path.rsplit('/').next() == Some("Chart.yaml");
    let mut charts: Vec<String> = tree.files.iter().filter(|f| is_chart(&f.path)).map(|f| folder_of(&f.path)).collect();
    charts.sort();
    for path in tree.files.iter().map(|f| &*f.path).chain(changed.iter().map(String::as_str)) {
        let within = |chart: &&String| chart.is_empty() || path.starts_with(&format!("{chart}/"));
        if let Some(chart) = charts.iter().find(within) {
            groups.join(path, &format!("chart {chart}"));
        }
        let is_module = [".tf", ".tofu", ".tfvars", ".tf.json"].iter().any(|end| path.ends_with(end));
        if is_module {
            groups.join(path, &format!("module {}", folder_of(path)));
        }
    }
    let is_code = |path: &str| !path.contains(".tfvars");
    let modules: HashSet<String> = tree
        .files
        .iter()
        .filter(|f| f.language == Language::Terraform && is_code(&f.path))
        .map(|f| folder_of(&f.path))
        .collect();
    for file in tree.files.iter().filter(|f| f.language == Language::Terraform) {
        let own = folder_of(&file.path);
        for called in file.text().ok().into_iter().flat_map(|text| terraform::sources(text, &own)) {
            groups.join(&format!("module {own}"), &format!("module {called}"));
        }
        // Values in a folder without a module are those of the nearest one above.
        if file.path.contains(".tfvars") && !modules.contains(&own) {
            let mut above = own.as_str();
            while !above.is_empty() {
                above = above.rsplit_once('/').map_or("", |(next, _)| next);
                if modules.contains(above) {
                    groups.join(&file.path, &format!("module {above}"));
                    break;
                }
            }
        }
    }
    for (overlay, member) in Layers::new(tree).pairs(tree) {
        groups.join(&overlay, &member);
    }
    let wanted: HashSet<String> = changed.iter().map(|path| groups.root(path)).collect();
    let mut out = changed.clone();
    for file in &tree.files {
        if wanted.contains(&groups.root(&file.path)) {
            out.insert(file.path.to_string());
        }
    }
    out
}

/// Sets that grow together.
struct Groups {
    parents: HashMap<String, String>,
}

impl Groups {
    fn root(&self, name: &str) -> String {
        let mut name = name;
        while let Some(parent) = self.parents.get(name) {
            name = parent;
        }
        name.to_owned()
    }

    fn join(&mut self, a: &str, b: &str) {
        let (a, b) = (self.root(a), self.root(b));
        if a != b {
            // What is joined to many stays the root.
            self.parents.insert(b, a);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_deployed_together_is_related() {
        let tree = Tree::of(&[
            ("main.tf", "module \"b\" {\n  source = \"./modules/b\"\n}\n"),
            ("modules/b/main.tf", ""),
            ("modules/c/main.tf", ""),
            ("charts/a/Chart.yaml", ""),
            ("charts/a/templates/d.yaml", ""),
            ("charts/a/values.yaml", ""),
            ("k/base/kustomization.yaml", "resources: [x.yaml]"),
            ("k/base/x.yaml", ""),
            ("k/prod/kustomization.yaml", "resources: [../base]"),
            ("other.yaml", ""),
            ("x/main.tf", ""),
            ("x/envs/prod.tfvars", ""),
            ("y/main.tf", ""),
            ("y/terraform.tfvars", ""),
        ]);
        for (changed, expect) in [
            ("main.tf", &["main.tf", "modules/b/main.tf"][..]),
            ("charts/a/values.yaml", &["charts/a/Chart.yaml", "charts/a/templates/d.yaml", "charts/a/values.yaml"]),
            ("k/prod/kustomization.yaml", &["k/base/kustomization.yaml", "k/base/x.yaml", "k/prod/kustomization.yaml"]),
            ("other.yaml", &["other.yaml"]),
            ("x/envs/prod.tfvars", &["x/envs/prod.tfvars", "x/main.tf"]),
            ("y/terraform.tfvars", &["y/main.tf", "y/terraform.tfvars"]),
        ] {
            let found: Vec<String> = with_related(&tree, &BTreeSet::from([changed.to_owned()])).into_iter().collect();
            assert_eq!(found, expect, "{changed}");
        }
    }
}
