//! Snapshots: signed, content-addressed manifests over Parquet files with Modular Encryption.
//!
//! Invariants: plaintext never crosses this crate's write boundary, temporary files included; a
//! reader sees a snapshot whole or not at all; a snapshot never changes; every file's bytes are
//! covered by its manifest, and every manifest by its signature and its version entry. This crate
//! does not decide who may read: it is given a [`Keyring`].

mod encryption;
mod manifest;
mod query;
mod read;
mod storage;
mod subjects;
mod write;

pub use encryption::{Keyring, MapKeyring, MasterKeyId, Scope, StoreKeyring};
pub use manifest::{Column, ContractRecord, FileRecord, Governance, Manifest, Role, SnapshotRef, Subjects};
pub use query::{QueryColumn, QueryEngine, QueryResult, QueryTable};
pub use read::{Batches, ReadOptions, open_file};
pub use storage::{Lake, Storage};
pub use write::{Layout, SUBJECT_COLUMN, SnapshotWriter, Staged, TableWriter};
