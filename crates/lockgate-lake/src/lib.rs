//! Snapshots: signed manifests over encrypted Parquet on an object store.
