//! Contracts and the checks that decide whether a row may enter (`check`, `contract`); suites of
//! expectations (`expect`), profiles (`profile`) and drift (`drift`) of whole tables.
//!
//! Invariants: a row is accepted or refused, never changed except for its type; a violation names
//! row, column and rule and never the value; what is kept while rows pass merges and does not grow
//! with them, but for `drift::Gathered`, whose caller bounds the rows. This crate opens no file but
//! profiles, contracts, suites and its own spill, and finds no personal values: it is given what does.

mod check;
mod codec;
mod column;
mod contract;
mod distinct;
pub mod drift;
pub mod expect;
mod moments;
mod numbers;
mod odcs;
pub mod poison;
pub mod profile;
mod sample;
mod unique;

pub use check::{Checked, Checker, Violation};
pub use column::same_columns;
pub use contract::{
    Change, ChangeKind, Column, Contract, DateFormat, Demand, Draft, End, Keys, LogicalType, Measures, Metric,
    QualityRule, Reference, ReferenceKeys, RuleOutcome, Rules, Severity, Shape, Subject, Unit, diff, infer,
};
pub use distinct::Hashes;
pub use moments::Moments;
pub use numbers::EXACT_MAX;
pub use sample::Sample;
