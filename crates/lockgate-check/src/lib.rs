//! Policy as code: what pipelines, models and infrastructure would do, read from their files
//! without running them, and judged by rules.
//!
//! Readers turn files into [`facts::Facts`]; rules in Rego turn facts into findings; reports
//! show findings. Readers know nothing of rules, rules see nothing but facts.
//!
//! Invariants: nothing that is read is executed, imported or fetched; no secret value leaves a
//! reader but as a keyed fingerprint and a hint; every file, evaluation and document has a limit,
//! and what is beyond it is named, not passed over.

#![expect(clippy::unused_self, reason = "what an evaluator does reads alike, whether or not a step needs its state")]

pub mod accept;
mod collect;
mod commands;
pub mod config;
mod credentials;
pub mod facts;
pub mod finding;
mod gotemplate;
mod infra;
mod interpolate;
mod jinja;
mod notebook;
pub mod observed;
mod python;
mod read;
pub mod related;
pub mod report;
pub mod rules;
mod settings;
mod shell;
pub mod source;
mod storage;
mod switches;
mod value;
mod yaml;

pub use read::{Masks, Options, Read, read};

#[cfg(test)]
mod tests;
