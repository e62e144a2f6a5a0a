//! `lockgate datasets`, `lineage` and `catalog rebuild`.

use lockgate_catalog::{Catalog as _, SqliteCatalog};
use lockgate_core::{Failure, Result};
use lockgate_pipeline::{reindex, workspace};

use crate::{
    cli::{Global, LineageArgs},
    environment, output,
};

pub fn datasets(global: &Global) -> Result<()> {
    let (_setup, workspace) = super::open(global, None)?;
    let header = ["dataset", "version", "rows", "subjects", "classification", "owner", "purpose", "created"];
    output::rows(global, &header, &workspace.catalog.snapshots()?, |s| {
        vec![
            s.dataset.clone(),
            s.version.to_string(),
            s.rows.to_string(),
            s.subjects.to_string(),
            s.classification.clone(),
            s.owner.clone(),
            s.purpose.clone(),
            s.created.clone(),
        ]
    })
}

pub fn lineage(global: &Global, args: &LineageArgs) -> Result<()> {
    let (_setup, workspace) = super::open(global, None)?;
    // A dataset may have a dot in its name, so the longest one that exists wins.
    let (dataset, column) = match args.name.rsplit_once('.') {
        Some((dataset, column)) if !workspace.lake.datasets()?.iter().any(|d| d.as_str() == args.name) => {
            (dataset, Some(column))
        }
        _ => (args.name.as_str(), None),
    };
    let edges = workspace.catalog.lineage(dataset, column)?;
    if edges.is_empty() {
        return Err(Failure::input(format!("nothing is known about {}", args.name))
            .hint("`lockgate datasets` lists what there is"));
    }
    output::rows(global, &["from", "through", "to"], &edges, |e| {
        vec![
            format!("{}.{}", e.from_dataset, e.from_column),
            e.transformation.clone(),
            format!("{}@{}.{}", e.to_dataset, e.to_version, e.to_column),
        ]
    })
}

pub fn rebuild(global: &Global) -> Result<()> {
    let root = super::find_root(global, None)?;
    let setup = environment::setup()?;
    let (config, _, lake, _) = workspace::open_public(&root, &setup.environment)?;
    let state = root.join(&config.state);
    for name in ["catalog.db", "catalog.db-wal", "catalog.db-shm"] {
        let path = state.join(name);
        match std::fs::remove_file(&path) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                return Err(Failure::io("remove", &path, &error));
            }
            _ => {}
        }
    }
    let catalog = SqliteCatalog::open(&state.join("catalog.db"), setup.environment.runtime.clone())?;
    let snapshots = reindex::reindex(&lake, &catalog)?;
    output::say(global, &format!("the catalog lists {snapshots} snapshots again"));
    Ok(())
}
