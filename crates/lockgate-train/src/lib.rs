//! Training in an isolated process: no network, no file but its inputs, no key but those released
//! to this run. Built-in trainers are bit-deterministic, so that anyone can train again and get
//! the same digest.
//!
//! Invariants: the trainer sees training rows only; plaintext stays in memory; a layer of
//! isolation that the machine lacks stops the run unless the pipeline names it. This crate does
//! not judge models and does not publish them.

mod export;
mod features;
mod isolate;
mod logistic;
mod trees;
mod watch;
mod worker;

pub use features::{Encoding, Matrix, Part, Roles, part_of};
pub use isolate::{Layer, Limits};
pub use watch::Attempt;
pub use worker::{Job, Outcome, Ran, TrainerSpec, WORKER_FLAG, read_model, run, worker};
