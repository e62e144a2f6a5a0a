//! Holds the crate map in ARCHITECTURE.md against what Cargo says.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::Path,
};

use anyhow::{Context as _, Result, bail};
use serde_json::Value;

use crate::output;

/// Each row of the table is `| crate | duty | may depend on |`; the map must name every crate and
/// exactly its dependencies.
pub fn check(root: &Path) -> Result<()> {
    let text = output(root, Path::new("cargo"), &["metadata", "--format-version", "1", "--no-deps"])?;
    let metadata: Value = serde_json::from_str(&text)?;
    let mut real: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for package in metadata["packages"].as_array().context("metadata has packages")? {
        let name = package["name"].as_str().unwrap_or_default();
        let manifest = package["manifest_path"].as_str().unwrap_or_default();
        if !manifest.contains("/crates/") {
            continue;
        }
        let dependencies = package["dependencies"].as_array().into_iter().flatten();
        let own = dependencies
            .filter(|d| d["kind"].is_null())
            .filter_map(|d| d["name"].as_str())
            .filter_map(|d| d.strip_prefix("lockgate-"))
            .map(str::to_owned);
        real.insert(name.trim_start_matches("lockgate-").to_owned(), own.collect());
    }
    let document = fs::read_to_string(root.join("ARCHITECTURE.md"))?;
    let mut drawn: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for line in document.lines() {
        let cells: Vec<&str> = line.split('|').map(str::trim).collect();
        if let [_, name, _, dependencies, _] = cells.as_slice()
            && let Some(name) = name.strip_prefix('`').and_then(|n| n.strip_suffix('`'))
        {
            let names = dependencies.split(',').map(str::trim).filter(|n| !n.is_empty() && *n != "—");
            drawn.insert(name.trim_start_matches("lockgate-").to_owned(), names.map(str::to_owned).collect());
        }
    }
    for (name, dependencies) in &real {
        match drawn.get(name) {
            None => bail!("ARCHITECTURE.md does not have crate {name}"),
            Some(named) if named != dependencies => {
                bail!("ARCHITECTURE.md says {name} depends on {named:?}; Cargo says {dependencies:?}")
            }
            Some(_) => {}
        }
    }
    if let Some(name) = drawn.keys().find(|name| !real.contains_key(*name)) {
        bail!("ARCHITECTURE.md has crate {name}, which does not exist");
    }
    Ok(())
}
