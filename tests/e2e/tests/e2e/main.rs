//! Drives the real program, with real data, and lets outside programs judge what it writes.
#![expect(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "tests")]

mod check;
mod demo;
mod faults;
mod gates;
mod https;
mod identity;
mod ingest;
mod judges;
mod models;
mod names;
mod policy;
mod quality;
mod s3;
mod scan;
mod serve;
mod world;
