//! Metadata, runs and lineage.
