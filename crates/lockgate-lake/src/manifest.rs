//! What a snapshot is: the document that is signed.

use lockgate_core::{Classification, Digest, Name, RunId, Timestamp};
use serde::{Deserialize, Serialize};

/// The DSSE payload type of manifests.
pub(crate) const PAYLOAD_TYPE: &str = "application/vnd.lockgate.snapshot.v1+json";

/// One immutable version of a dataset.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Manifest {
    pub dataset: Name,
    /// 1 for the first.
    pub version: u64,
    pub parent: Option<Digest>,
    pub created: Timestamp,
    pub run: RunId,
    pub columns: Vec<Column>,
    pub rows: u64,
    pub files: Vec<FileRecord>,
    pub subjects: Subjects,
    pub governance: Governance,
    pub contract: Option<ContractRecord>,
    /// The sources, as the source crate recorded them.
    pub sources: Vec<serde_json::Value>,
    /// The snapshots that this one was derived from.
    pub inputs: Vec<SnapshotRef>,
    /// What made it: counts of rows, findings, gate results, the query of a feature set.
    pub recipe: serde_json::Value,
}

/// A column as it is stored, after protection.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Column {
    pub name: String,
    /// The contract's logical type of the stored values.
    pub logical_type: String,
    pub classification: Classification,
    /// What protection did to it: an operator's name.
    pub protection: String,
    /// Columns of the inputs that it depends on, as `dataset.column`.
    pub derived_from: Vec<String>,
}

/// What a file is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Role {
    Data,
    Ledger,
}

/// One file of a snapshot.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FileRecord {
    pub digest: Digest,
    pub size_bytes: u64,
    pub rows: u64,
    pub role: Role,
    pub bucket: u16,
    /// The wrapping key of the bucket's generation, in the key store.
    pub key: String,
}

/// Whom the rows are about, without saying who.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Subjects {
    pub buckets: u16,
    pub count: u64,
    /// The Merkle root (RFC 6962) over the sorted keyed commitments of all subjects.
    pub root: Digest,
}

/// Who answers for the data and what it may be used for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Governance {
    pub owner: String,
    pub purpose: String,
    pub lawful_basis: String,
    pub retention_days: u32,
    pub classification: Classification,
}

/// The contract that the rows satisfied.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ContractRecord {
    pub version: String,
    pub digest: Digest,
    pub text: String,
}

/// Names one snapshot for good.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SnapshotRef {
    pub dataset: Name,
    pub version: u64,
    pub manifest: Digest,
}

impl std::fmt::Display for SnapshotRef {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}@{}", self.dataset, self.version)
    }
}

impl Manifest {
    /// The files with this role.
    pub fn files_with(&self, role: Role) -> impl Iterator<Item = &FileRecord> {
        self.files.iter().filter(move |file| file.role == role)
    }

    /// The column `name`.
    pub fn column(&self, name: &str) -> Option<&Column> {
        self.columns.iter().find(|column| column.name == name)
    }
}
