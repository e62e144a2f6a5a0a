//! Derive: a feature set by SQL over snapshots, under policy. The result is a snapshot like any
//! other, with the classification of what it came from.

use std::{collections::BTreeMap, sync::Arc};

use arrow::{
    array::AsArray as _,
    compute::cast,
    datatypes::{DataType, Field, Schema},
};
use lockgate_core::{Classification, Clock, Digest, Failure, Name, Result, RunId};
use lockgate_keys::{KeyId, Pseudonymizer};
use lockgate_lake::{
    Column, Governance, Layout, Manifest, QueryEngine, QueryResult, QueryTable, SnapshotRef, SnapshotWriter,
    StoreKeyring,
};
use serde::Serialize;
use serde_json::json;

use crate::{
    Pipeline, Progress, Workspace,
    audit::{Event, keys_created},
    reindex, release,
};

/// Buckets of a feature set.
const BUCKETS: u16 = 8;

/// What came of a feature set.
#[derive(Clone, Debug, Serialize)]
pub struct Derived {
    pub snapshot: SnapshotRef,
    pub unchanged: bool,
    pub rows: u64,
    pub inputs: Vec<SnapshotRef>,
}

/// A table of a query, with the snapshot it stands for and what policy said.
pub struct Resolved {
    pub snapshot: SnapshotRef,
    pub table: QueryTable,
    pub reasons: Vec<String>,
}

/// Finds the snapshots that a query names and asks policy about each.
pub fn resolve(
    workspace: &mut Workspace,
    engine: &dyn QueryEngine,
    sql: &str,
    action: &str,
    purpose: &str,
) -> Result<Vec<Resolved>> {
    let mut resolved = Vec::new();
    for name in engine.tables(sql)? {
        let (dataset, at) = name.split_once('@').map_or((name.as_str(), None), |(dataset, at)| (dataset, Some(at)));
        let dataset: Name = dataset.parse()?;
        let snapshot = match at.map(str::parse::<u64>) {
            None => workspace.lake.head(&dataset)?,
            Some(Ok(version)) => Some(workspace.lake.at_version(&dataset, version)?),
            Some(Err(_)) => workspace.lake.at_time(&dataset, at.unwrap_or_default().parse()?)?,
        };
        let snapshot = snapshot.ok_or_else(|| {
            Failure::input(format!("the query names {name}, which is not in the lake"))
                .hint("`lockgate datasets` lists what there is")
        })?;
        let manifest = workspace.lake.manifest(&snapshot)?;
        let decision = workspace.demand(action, release::resource(&manifest), purpose)?;
        let obligations = decision.obligations;
        // A class whose columns are all hidden gives no key at all.
        let classes: Vec<Classification> = manifest
            .columns
            .iter()
            .filter(|column| !obligations.hidden_columns.contains(&column.name))
            .map(|column| column.classification)
            .collect();
        resolved.push(Resolved {
            snapshot,
            reasons: decision.reasons,
            table: QueryTable {
                name,
                manifest,
                keyring: Arc::new(StoreKeyring::new(Arc::clone(&workspace.keys), &classes)),
                row_filters: obligations.row_filters,
                column_masks: obligations.column_masks,
                hidden_columns: obligations.hidden_columns,
            },
        });
    }
    Ok(resolved)
}

/// Derives the feature set `name` of `pipeline`.
pub fn derive(
    workspace: &mut Workspace,
    engine: &dyn QueryEngine,
    pipeline: &Pipeline,
    name: &Name,
    run: &RunId,
    progress: &dyn Progress,
) -> Result<Derived> {
    let spec = pipeline
        .file
        .features
        .get(name)
        .ok_or_else(|| Failure::usage(format!("the pipeline has no feature set {name}")))?;
    progress.stage("derive", name.as_str());
    let resolved = resolve(workspace, engine, &spec.sql, "derive", &pipeline.file.purpose)?;
    let inputs: Vec<SnapshotRef> = resolved.iter().map(|r| r.snapshot.clone()).collect();
    // What somebody else was allowed to see is not what this principal may have.
    let obligations: Vec<_> =
        resolved.iter().map(|r| (&r.table.row_filters, &r.table.column_masks, &r.table.hidden_columns)).collect();
    let text = format!(
        "{}\n{}\n{inputs:?}\n{}\n{obligations:?}\n{}\n{:?}",
        spec.sql,
        spec.subject,
        workspace.policy.digest(),
        pipeline.file.purpose,
        pipeline.file.lawful_basis
    );
    let fingerprint = Digest::of(text.as_bytes()).to_string();
    if let Some(head) = workspace.lake.head(name)? {
        let manifest = workspace.lake.manifest(&head)?;
        if manifest.recipe.get("fingerprint").and_then(|f| f.as_str()) == Some(&fingerprint) {
            return Ok(Derived { snapshot: head, unchanged: true, rows: manifest.rows, inputs });
        }
    }
    let reasons: Vec<serde_json::Value> = resolved
        .iter()
        .map(|r| json!({"input": r.snapshot.to_string(), "reasons": r.reasons, "hidden": r.table.hidden_columns, "masked": r.table.column_masks.keys().collect::<Vec<_>>(), "rowFilters": r.table.row_filters.len()}))
        .collect();
    let manifests: BTreeMap<String, Manifest> =
        resolved.iter().map(|r| (r.table.name.clone(), r.table.manifest.clone())).collect();
    let tables = resolved.into_iter().map(|r| r.table).collect();
    let result = engine.run(&spec.sql, &workspace.lake, tables, workspace.spool())?;
    let manifest = write(
        workspace,
        result,
        &manifests,
        Target {
            name,
            subject: &spec.subject,
            inputs: &inputs,
            run,
            fingerprint: &fingerprint,
            sql: &spec.sql,
            pipeline,
        },
    )?;
    let snapshot = workspace.lake.stage(&workspace.signer, &manifest)?;
    let event = |kind: &str| Event::new(kind, &workspace.principal.id, &snapshot.to_string(), Clock.now()).run(run);
    let keys: Vec<&str> = manifest.files.iter().map(|f| f.key.as_str()).collect();
    let mut events = vec![
        event("policy.decided")
            .detail(json!({"action": "derive", "allow": true, "policy": workspace.policy.digest(), "inputs": reasons})),
        event("snapshot.committed")
            .detail(json!({"manifest": snapshot.manifest, "rows": manifest.rows, "inputs": inputs})),
    ];
    events.extend(keys_created(&event("key.created"), &keys));
    let Workspace { journal, lake, .. } = &mut *workspace;
    journal.commit(lake, std::slice::from_ref(&snapshot), events)?;
    reindex::put_snapshot(&workspace.catalog, &snapshot, &manifest)?;
    Ok(Derived { snapshot, unchanged: false, rows: manifest.rows, inputs })
}

struct Target<'t> {
    name: &'t Name,
    subject: &'t str,
    inputs: &'t [SnapshotRef],
    run: &'t RunId,
    fingerprint: &'t str,
    sql: &'t str,
    pipeline: &'t Pipeline,
}

fn write(
    workspace: &mut Workspace,
    result: QueryResult,
    inputs: &BTreeMap<String, Manifest>,
    target: Target<'_>,
) -> Result<Manifest> {
    let class_of = |origin: &str| {
        let (table, column) = origin.split_once('/')?;
        inputs.get(table)?.column(column).map(|c| c.classification)
    };
    // A value is as sensitive as the most sensitive of what it depends on; a constant is internal.
    let columns: Vec<Column> = result
        .columns
        .iter()
        .zip(result.schema.fields())
        .map(|(column, field)| Column {
            name: column.name.clone(),
            logical_type: logical_type(field.data_type()).into(),
            classification: column
                .derived_from
                .iter()
                .map(|o| class_of(o).unwrap_or(Classification::Restricted))
                .max()
                .unwrap_or(Classification::Internal),
            protection: "sql".into(),
            derived_from: column.derived_from.clone(),
        })
        .collect();
    let subject = match target.subject {
        "none" => None,
        name => Some(result.schema.index_of(name).map_err(|_| {
            Failure::input(format!(
                "feature set {}: the result has no column {name:?} to identify the subject by",
                target.name
            ))
        })?),
    };
    let fields: Vec<Field> =
        result.schema.fields().iter().map(|f| Field::new(f.name(), stored_type(f.data_type()), true)).collect();
    let schema = Arc::new(Schema::new(fields));
    let id = KeyId::purpose(format!("subject.{}", target.name));
    workspace.keys.create(&id)?;
    let pseudonyms = Pseudonymizer::new(&workspace.keys.derive(&id, "lockgate/v1/subject")?);
    let version = workspace.lake.versions(target.name)?.len() as u64 + 1;
    let layout = Layout {
        dataset: target.name.clone(),
        columns: columns.iter().map(|c| (c.name.clone(), c.classification)).collect(),
        schema: Arc::clone(&schema),
        buckets: BUCKETS,
        generation: version,
    };
    let mut writer = SnapshotWriter::new(&workspace.lake, Arc::clone(&workspace.keys), layout, &workspace.spool())?;
    for batch in result.batches {
        let batch = batch?;
        let stored = batch
            .columns()
            .iter()
            .zip(schema.fields())
            .map(|(column, field)| cast(column, field.data_type()))
            .collect::<Result<Vec<_>, _>>()
            .and_then(|columns| arrow::array::RecordBatch::try_new(Arc::clone(&schema), columns))
            .map_err(|_| Failure::bug("a result cannot be stored"))?;
        let subjects = match subject {
            None => vec![None; stored.num_rows()],
            Some(index) => {
                let texts = cast(stored.column(index), &DataType::Utf8)
                    .map_err(|_| Failure::input("the subject column is not text"))?;
                let texts = texts.as_string::<i32>();
                if arrow::array::Array::null_count(texts) > 0 {
                    return Err(Failure::input(format!("feature set {}: the subject column holds nulls", target.name))
                        .hint("a row that is about somebody must say about whom"));
                }
                texts.iter().map(|t| t.map(|t| pseudonyms.pseudonym(t.as_bytes()))).collect()
            }
        };
        writer.write(&stored, &subjects)?;
    }
    let staged = writer.finish()?;
    if staged.rows == 0 {
        return Err(Failure::findings(format!("feature set {} has no row", target.name))
            .hint("do policy's row filters leave any?"));
    }
    let head = workspace.lake.head(target.name)?;
    let governed = || inputs.values().map(|m| &m.governance);
    let classification = columns.iter().map(|c| c.classification).max().unwrap_or(Classification::Restricted);
    Ok(Manifest {
        dataset: target.name.clone(),
        version,
        parent: head.map(|h| h.manifest),
        created: Clock.now(),
        run: target.run.clone(),
        columns,
        rows: staged.rows,
        files: staged.files,
        subjects: staged.subjects,
        governance: Governance {
            owner: governed().map(|g| g.owner.clone()).next().unwrap_or_default(),
            purpose: target.pipeline.file.purpose.clone(),
            lawful_basis: target.pipeline.file.lawful_basis.as_str().into(),
            // The shortest retention of any input holds for what came of it.
            retention_days: governed().map(|g| g.retention_days).min().unwrap_or(1),
            classification,
        },
        contract: None,
        sources: Vec::new(),
        inputs: target.inputs.to_vec(),
        recipe: json!({
            "fingerprint": target.fingerprint, "pipeline": target.pipeline.file.name, "pipelineDigest": target.pipeline.digest,
            "policyDigest": workspace.policy.digest(), "sql": target.sql, "indirect": result.indirect,
        }),
    })
}

fn stored_type(data_type: &DataType) -> DataType {
    match data_type {
        DataType::Utf8View | DataType::LargeUtf8 => DataType::Utf8,
        DataType::Int8
        | DataType::Int16
        | DataType::Int32
        | DataType::UInt8
        | DataType::UInt16
        | DataType::UInt32
        | DataType::UInt64 => DataType::Int64,
        DataType::Float32 | DataType::Decimal128(..) => DataType::Float64,
        other => other.clone(),
    }
}

fn logical_type(data_type: &DataType) -> &'static str {
    match stored_type(data_type) {
        DataType::Int64 => "integer",
        DataType::Float64 => "number",
        DataType::Boolean => "boolean",
        DataType::Date32 => "date",
        DataType::Timestamp(..) => "timestamp",
        _ => "string",
    }
}
