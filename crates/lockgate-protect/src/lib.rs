//! Turns checked batches into protected ones: scans every text value, applies the operator of
//! each column, and reports every transformation as an event.
//!
//! Invariants: an event says where and what, never the value; a column that the contract calls
//! public leaves with no finding in it or not at all. This crate does not read or write files.

mod event;
mod operator;
mod protector;

pub use event::{Event, Events};
pub use operator::{Generalize, Mask, Operator};
pub use protector::{Allowance, FindingCount, Protected, Protector, Rules};
