//! Drives the real program, with real data, and lets outside programs judge what it writes.
#![expect(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, reason = "tests")]

mod faults;
mod ingest;
mod judges;
mod world;
