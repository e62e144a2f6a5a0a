//! Profiles: what a table looks like, measured in one pass, small enough to keep.
//!
//! A profile stands in for its data: it shows it, and later data can be held against it. It
//! therefore holds no value of a column that is confidential, or in which personal values were
//! found: of such a column it keeps counts and a histogram whose bins are wide and hold many
//! rows. What was measured of parts merges before it becomes a profile.

mod file;
mod histogram;
mod measure;
mod pairs;

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::Moments;
pub use histogram::Histogram;
pub use measure::{Inspection, Inspector, Options, Profiler};
pub use pairs::Correlation;

/// What a table looks like.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Profile {
    pub rows: u64,
    pub columns: Vec<ColumnProfile>,
    /// Pearson's correlation of numeric columns, the strongest first.
    pub correlations: Vec<Correlation>,
    /// Which columns are missing together, by their places, and in how many rows; the most
    /// frequent first. Rows with nothing missing are the empty pattern.
    pub missing_patterns: Vec<(Vec<usize>, u64)>,
}

/// What one column looks like.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct ColumnProfile {
    pub name: String,
    /// `integers`, `numbers`, `text`, `booleans`, `timestamps`, `dates` or `nested`.
    pub kind: String,
    pub missing: u64,
    /// How many different values, about: a HyperLogLog of 4,096 registers, 1.6 % off as a rule.
    pub distinct: f64,
    /// Of numbers, and of times in microseconds since 1970; not of a column that is withheld
    /// and has few rows.
    pub moments: Option<Moments>,
    /// Quantiles at [`RANKS`], each rank off by at most `rank_error`.
    #[serde(with = "crate::codec::floats")]
    pub quantiles: Vec<f64>,
    pub rank_error: f64,
    pub histogram: Histogram,
    /// The most frequent values that may be shown, each with its count, which is at most
    /// `top_error` too small.
    pub top: Vec<(String, u64)>,
    pub top_error: u64,
    /// Of text: how long it is, in characters.
    pub lengths: Option<Moments>,
    /// Of text: what its values look like, by how many.
    pub types: BTreeMap<String, u64>,
    /// Entities by how many of the sampled values hold them.
    pub entities: BTreeMap<String, u64>,
    pub sampled: u64,
    /// Why values are withheld, if they are.
    pub withheld: Option<String>,
    /// The sketch of the numbers (Apache DataSketches' KLL of doubles); empty when withheld.
    #[serde(skip)]
    pub sketch: Vec<u8>,
}

/// The ranks of the quantiles that a profile keeps.
pub const RANKS: [f64; 9] = [0.0, 0.01, 0.05, 0.25, 0.5, 0.75, 0.95, 0.99, 1.0];

impl Profile {
    pub fn column(&self, name: &str) -> Option<&ColumnProfile> {
        self.columns.iter().find(|column| column.name == name)
    }
}

impl ColumnProfile {
    /// The values that are there.
    pub fn present(&self, rows: u64) -> u64 {
        rows.saturating_sub(self.missing)
    }

    /// The quantile at a rank of [`RANKS`].
    pub fn quantile(&self, rank: f64) -> Option<f64> {
        RANKS.iter().position(|known| *known == rank).and_then(|index| self.quantiles.get(index)).copied()
    }
}

#[cfg(test)]
mod tests;
