//! Metadata that people search: runs, snapshots, gate results and column-level lineage.
//!
//! Invariants: the catalog is an index; the lake and the audit log are the truth, and the catalog
//! can be rebuilt from them at any time. It holds no value of a row; names of categories of public and
//! internal columns stand in what gates saw.

mod sqlite;

pub use sqlite::SqliteCatalog;

use lockgate_core::{Name, Result, RunId, Timestamp};
use serde::Serialize;

/// A pipeline run.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Run {
    pub id: RunId,
    pub pipeline: Name,
    pub pipeline_digest: String,
    pub purpose: String,
    pub started: Timestamp,
    pub finished: Option<Timestamp>,
    /// `running`, `done`, `failed` or `interrupted`.
    pub outcome: String,
}

/// A snapshot as the catalog lists it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Snapshot {
    pub manifest: String,
    pub dataset: String,
    pub version: u64,
    pub run: String,
    pub created: String,
    pub rows: u64,
    pub subjects: u64,
    pub classification: String,
    pub owner: String,
    pub purpose: String,
}

/// A column that flows into a column.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Edge {
    pub from_dataset: String,
    pub from_column: String,
    pub to_dataset: String,
    pub to_version: u64,
    pub to_column: String,
    /// An operator's name, or `sql`.
    pub transformation: String,
}

/// A gate's verdict.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Gate {
    pub run: String,
    pub gate: String,
    pub passed: bool,
    pub detail: String,
    /// What it saw, for pictures: counts, shares and shapes, and names of categories that many rows
    /// share; null when there is nothing to show.
    pub evidence: serde_json::Value,
}

/// What every catalog backend does. Each call is one transaction; repeating it changes nothing.
pub trait Catalog: Send + Sync {
    /// Adds a run or updates it.
    fn put_run(&self, run: &Run) -> Result<()>;
    /// Marks runs that never finished as interrupted; returns how many there were.
    fn close_open_runs(&self) -> Result<u64>;
    /// Adds a snapshot with its lineage.
    fn put_snapshot(&self, snapshot: &Snapshot, edges: &[Edge]) -> Result<()>;
    /// Adds or replaces a gate's verdict.
    fn put_gate(&self, gate: &Gate) -> Result<()>;
    /// The newest runs first.
    fn runs(&self, limit: u32) -> Result<Vec<Run>>;
    /// By dataset and version.
    fn snapshots(&self) -> Result<Vec<Snapshot>>;
    /// The gates of a run.
    fn gates(&self, run: &str) -> Result<Vec<Gate>>;
    /// Edges that touch `dataset`, and `column` of it when given; the newest version only.
    fn lineage(&self, dataset: &str, column: Option<&str>) -> Result<Vec<Edge>>;
}
