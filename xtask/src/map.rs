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
    let printed = output(root, Path::new("cargo"), &["metadata", "--format-version", "1", "--no-deps"])?;
    let metadata: Value = serde_json::from_str(&printed)?;
    let mut real: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for package in metadata.get("packages").and_then(Value::as_array).context("metadata has packages")? {
        let name = text(package, "name");
        let manifest = text(package, "manifest_path");
        if !manifest.contains("/crates/") {
            continue;
        }
        let dependencies = package.get("dependencies").and_then(Value::as_array).into_iter().flatten();
        let own = dependencies
            .filter(|d| d.get("kind").is_some_and(Value::is_null))
            .map(|d| text(d, "name"))
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

fn text<'v>(value: &'v Value, key: &str) -> &'v str {
    value.get(key).and_then(Value::as_str).unwrap_or_default()
}
