//! The use cases: ingest a source, run a pipeline, verify the chain.
//!
//! Invariants: a state change and its audit events happen together or not at all; what failed
//! leaves the state as it was; every gate's verdict is recorded. This crate does not parse the
//! command line and prints nothing: it tells a [`Progress`].

pub mod audit;
pub mod config;
pub mod contract;
pub mod deploy;
pub mod derive;
pub mod drift;
pub mod ingest;
mod json_text;
mod kind;
pub mod model;
pub mod names;
mod parallel;
mod pieces;
mod progress;
pub mod quality;
pub mod recognizers;
pub mod redact;
pub mod reindex;
pub mod release;
pub mod screen;
pub mod serve;
mod stopwatch;
pub mod survey;
pub mod verify;
pub mod workspace;

pub use config::Pipeline;
pub use progress::{Progress, Silent};
pub use workspace::{Environment, Workspace};
