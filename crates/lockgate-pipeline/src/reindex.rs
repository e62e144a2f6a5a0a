//! The catalog from the lake: what a snapshot's manifest says, as rows that people search.

use lockgate_catalog::{Catalog, Edge, Run, Snapshot};
use lockgate_core::Result;
use lockgate_lake::{Lake, Manifest, SnapshotRef};

/// Puts every snapshot of the lake into the catalog. What is there already stays.
pub fn reindex(lake: &Lake, catalog: &dyn Catalog) -> Result<u64> {
    let mut snapshots = 0;
    for dataset in lake.datasets()? {
        for version in lake.versions(&dataset)? {
            let snapshot = lake.at_version(&dataset, version)?;
            let manifest = lake.manifest(&snapshot)?;
            put_snapshot(catalog, &snapshot, &manifest)?;
            if let Some(pipeline) = manifest.recipe.get("pipeline").and_then(|name| name.as_str()) {
                catalog.put_run(&Run {
                    id: manifest.run.clone(),
                    pipeline: pipeline.parse()?,
                    pipeline_digest: text(&manifest, "pipelineDigest"),
                    purpose: manifest.governance.purpose.clone(),
                    started: manifest.created,
                    finished: Some(manifest.created),
                    outcome: "done".into(),
                })?;
            }
            snapshots += 1;
        }
    }
    Ok(snapshots)
}

fn text(manifest: &Manifest, key: &str) -> String {
    manifest.recipe.get(key).and_then(|value| value.as_str()).unwrap_or_default().to_owned()
}

/// Puts one snapshot with its lineage into the catalog.
pub fn put_snapshot(catalog: &dyn Catalog, snapshot: &SnapshotRef, manifest: &Manifest) -> Result<()> {
    let row = Snapshot {
        manifest: snapshot.manifest.to_string(),
        dataset: snapshot.dataset.to_string(),
        version: snapshot.version,
        run: manifest.run.to_string(),
        created: manifest.created.to_string(),
        rows: manifest.rows,
        subjects: manifest.subjects.count,
        classification: manifest.governance.classification.to_string(),
        owner: manifest.governance.owner.clone(),
        purpose: manifest.governance.purpose.clone(),
    };
    let mut edges = Vec::new();
    for column in &manifest.columns {
        for origin in &column.derived_from {
            let (dataset, from) = origin.rsplit_once('/').unwrap_or((origin.as_str(), "*"));
            edges.push(Edge {
                from_dataset: dataset.to_owned(),
                from_column: from.to_owned(),
                to_dataset: row.dataset.clone(),
                to_version: row.version,
                to_column: column.name.clone(),
                transformation: column.protection.clone(),
            });
        }
    }
    catalog.put_snapshot(&row, &edges)
}
