//! What makes claims checkable: a transparency log in C2SP formats, Merkle roots over keyed
//! commitments, and signed envelopes.
//!
//! Invariants: verification needs only this crate and `lockgate-core`, no key store and no
//! server. A reader sees the log as of its last signed checkpoint or the one before, never
//! between the two. This crate does not know what an event means.

pub mod dsse;
mod log;
mod note;
mod tiles;
mod tree;

pub use log::{Log, LogReader};
pub use note::{SigningKey, VerifyingKey};
pub use tlog_tiles::tlog::Hash as NodeHash;
pub use tree::{Proof, RootBuilder, root};
