//! Rows that a person has released from quarantine, with a reason.
//!
//! The audit log is the only place where a release stands: without its leaf nothing is let through.
//! It is bound to the ingestion that put the rows aside: its files, contract, gates and baseline.
//! Whatever of these changes, the rows are judged anew.

use lockgate_core::{Clock, Failure, Name, Result};
use lockgate_lake::SnapshotRef;
use lockgate_policy::Resource;
use serde::{Deserialize, Serialize};

use crate::{
    Workspace,
    audit::{self, Event},
};

/// The event's kind.
const KIND: &str = "quarantine.released";
/// The least that a reason says.
const REASON_MIN: usize = 10;

/// The rows of an ingestion that are free.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Releases {
    all: bool,
    rows: Vec<(u64, u64)>,
    /// How often something was released: part of the ingestion's fingerprint.
    pub(crate) count: usize,
    /// Who released.
    pub(crate) by: Vec<String>,
}

impl Releases {
    pub(crate) fn free(&self, row: u64) -> bool {
        self.all || self.rows.iter().any(|(first, last)| (*first..=*last).contains(&row))
    }
}

/// What a release's leaf says.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Detail {
    quarantine: SnapshotRef,
    /// The ingestion's fingerprint.
    ingestion: String,
    /// First and last of each run of rows; all of them when absent.
    rows: Option<Vec<(u64, u64)>>,
    reason: String,
}

/// What was released.
#[derive(Clone, Debug, Serialize)]
pub struct Released {
    pub quarantine: SnapshotRef,
    pub rows: Option<Vec<(u64, u64)>>,
}

/// Lets rows of a dataset's quarantine through when their sources are ingested again: all that a
/// quality gate put aside, or those with these numbers. What breaks the contract stays out.
pub fn release(
    workspace: &mut Workspace,
    dataset: &Name,
    rows: Option<Vec<(u64, u64)>>,
    reason: &str,
) -> Result<Released> {
    if reason.trim().chars().count() < REASON_MIN {
        return Err(Failure::usage(format!("a reason has {REASON_MIN} characters or more"))
            .hint("say why the rows are good; it stays on the audit log, so name nobody in it"));
    }
    let head = workspace.lake.head(dataset)?.ok_or_else(|| {
        Failure::input(format!("there is no dataset {dataset}")).hint("`lockgate datasets` lists what there is")
    })?;
    let manifest = workspace.lake.manifest(&head)?;
    let nothing = || Failure::input(format!("nothing of {head} is in quarantine"));
    let quarantine = manifest.recipe.get("quarantine").filter(|value| !value.is_null()).ok_or_else(nothing)?;
    let quarantine: SnapshotRef = serde_json::from_value(quarantine.clone())
        .map_err(|_| Failure::integrity("the manifest names no quarantine that can be read"))?;
    let resource = Resource {
        kind: "dataset".into(),
        name: quarantine.dataset.to_string(),
        classification: Some(lockgate_core::Classification::Restricted),
        purpose: Some(manifest.governance.purpose.clone()),
        ..Resource::default()
    };
    workspace.demand("release", resource, &manifest.governance.purpose)?;
    let text = |key: &str| manifest.recipe.get(key).and_then(serde_json::Value::as_str).map(str::to_owned);
    let ingestion = text("ingestion").ok_or_else(|| {
        Failure::input(format!("{head} was made before rows could be released")).hint("ingest it again first")
    })?;
    let all = manifest.recipe.get("rowsRead").and_then(serde_json::Value::as_u64).unwrap_or(0);
    if let Some((_, last)) = rows.iter().flatten().find(|(_, last)| *last >= all) {
        return Err(Failure::usage(format!("there is no row {last}: {head} was made of {all} rows, from 0"))
            .hint("the quarantine's column `row` numbers them over all files"));
    }
    let detail =
        Detail { quarantine: quarantine.clone(), ingestion, rows: rows.clone(), reason: reason.trim().to_owned() };
    let detail = serde_json::to_value(&detail).map_err(|_| Failure::bug("a release could not be written"))?;
    let event = Event::new(KIND, &workspace.principal.id, dataset.as_str(), Clock.now()).detail(detail);
    workspace.journal.append(vec![event])?;
    Ok(Released { quarantine, rows })
}

/// What is released of the ingestion with this fingerprint, by the log.
pub(crate) fn of(workspace: &Workspace, dataset: &Name, ingestion: &str) -> Result<Releases> {
    let mut releases = Releases::default();
    // The log is read only when there is a snapshot that something can have been released of.
    let mut known = false;
    for version in workspace.lake.versions(dataset)? {
        let manifest = workspace.lake.manifest(&workspace.lake.at_version(dataset, version)?)?;
        known |= manifest.recipe.get("ingestion").and_then(serde_json::Value::as_str) == Some(ingestion);
    }
    if !known {
        return Ok(releases);
    }
    for leaf in workspace.journal.log().reader().leaves(0) {
        let (_, bytes) = leaf?;
        let event = audit::parse(&bytes)?;
        if event.kind != KIND || event.about != dataset.as_str() {
            continue;
        }
        let detail: Detail = serde_json::from_value(event.detail)
            .map_err(|_| Failure::integrity("a release on the audit log cannot be read"))?;
        if detail.ingestion == ingestion {
            releases.count += 1;
            releases.by.push(event.actor);
            match detail.rows {
                None => releases.all = true,
                Some(rows) => releases.rows.extend(rows),
            }
        }
    }
    releases.by.sort();
    releases.by.dedup();
    Ok(releases)
}
