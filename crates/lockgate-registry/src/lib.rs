//! Model packages: gates that judge a model, a signature that outside tools verify, provenance,
//! and an OCI artifact to carry it all.
//!
//! Invariants: only a model that loads, with every operator known, becomes a package; every byte
//! of a package is covered by its signature; a package is there whole or not at all. This crate
//! does not train and does not serve.

pub mod gates;
mod oci;
mod package;

pub use oci::{push, verify_layout, write_layout};
pub use package::{ModelKey, Package, verify};
