//! What a query engine does for the use cases. The lake owns the trait so that only the binary
//! and the engine's own crate link a SQL engine.

use std::{collections::BTreeMap, path::PathBuf, sync::Arc};

use arrow::{array::RecordBatch, datatypes::SchemaRef};
use lockgate_core::Result;

use crate::{encryption::Keyring, manifest::Manifest, storage::Lake};

/// A snapshot that a query may use, under the obligations that policy attached.
pub struct QueryTable {
    /// The name in the query.
    pub name: String,
    pub manifest: Manifest,
    pub keyring: Arc<dyn Keyring>,
    /// SQL predicates that rows must satisfy to be seen.
    pub row_filters: Vec<String>,
    /// SQL expressions that stand in for columns.
    pub column_masks: BTreeMap<String, String>,
    /// Columns that do not exist for this query.
    pub hidden_columns: Vec<String>,
}

/// A column of the result.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct QueryColumn {
    pub name: String,
    /// `table/column` of everything its values depend on.
    pub derived_from: Vec<String>,
}

/// A result, batch by batch.
pub struct QueryResult {
    pub schema: SchemaRef,
    pub columns: Vec<QueryColumn>,
    /// What decided which rows there are, without being in them: filters and join keys.
    pub indirect: Vec<String>,
    pub batches: Box<dyn Iterator<Item = Result<RecordBatch>>>,
}

/// Runs SQL over snapshots.
pub trait QueryEngine {
    /// The tables that a query names.
    fn tables(&self, sql: &str) -> Result<Vec<String>>;

    /// Runs one query that only reads; `spool` is for files of a remote lake.
    fn run(&self, sql: &str, lake: &Lake, tables: Vec<QueryTable>, spool: PathBuf) -> Result<QueryResult>;
}
