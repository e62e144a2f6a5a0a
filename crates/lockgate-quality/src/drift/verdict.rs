//! From statistics to a verdict on each column and on the data as a whole.

use serde::{Deserialize, Serialize};

use super::ranks::Measured;
use crate::profile::Histogram;

/// A test or distance with its name.
#[derive(Clone, Debug, Serialize)]
pub struct Named {
    pub name: &'static str,
    #[serde(with = "crate::codec::float")]
    pub statistic: f64,
    pub p_value: Option<f64>,
    /// How far the statistic may be off, when it comes from a profile.
    pub error: Option<f64>,
}

impl Named {
    pub(crate) fn of(name: &'static str, measured: Measured) -> Self {
        Self { name, statistic: measured.statistic, p_value: measured.p_value, error: None }
    }

    pub(crate) fn within(mut self, error: f64) -> Self {
        self.error = (error > 0.0).then_some(error);
        self
    }
}

/// How p-values are corrected for many columns.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Correction {
    None,
    Bonferroni,
    Holm,
    /// The false discovery rate (Benjamini and Hochberg, 1995).
    #[default]
    BenjaminiHochberg,
}

impl Correction {
    /// Adjusted p-values, in the order they came.
    pub fn adjust(self, p_values: &[f64]) -> Vec<f64> {
        let n = p_values.len();
        let mut order: Vec<usize> = (0..n).collect();
        let p = |index: usize| p_values.get(index).copied().unwrap_or(1.0);
        order.sort_by(|a, b| p(*a).total_cmp(&p(*b)));
        let mut out = vec![1.0; n];
        let mut put = |index: usize, value: f64| {
            if let Some(place) = out.get_mut(index) {
                *place = value.min(1.0);
            }
        };
        match self {
            Self::None => p_values.iter().enumerate().for_each(|(index, p)| put(index, *p)),
            Self::Bonferroni => p_values.iter().enumerate().for_each(|(index, p)| put(index, p * n as f64)),
            Self::Holm => {
                let mut most = 0.0f64;
                for (rank, index) in order.iter().enumerate() {
                    most = most.max(p(*index) * (n - rank) as f64);
                    put(*index, most);
                }
            }
            Self::BenjaminiHochberg => {
                let mut least = 1.0f64;
                for (rank, index) in order.iter().enumerate().rev() {
                    least = least.min(p(*index) * n as f64 / (rank + 1) as f64);
                    put(*index, least);
                }
            }
        }
        out
    }
}

/// When a column and the data have drifted.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Limits {
    /// The adjusted p-value from which on a difference is no chance.
    pub alpha: f64,
    /// The distance from which on a difference matters: Kolmogorov-Smirnov's for numbers, total
    /// variation for categories. Both are shares of the rows.
    pub distance: f64,
    /// The share of columns with drift from which on the data has drifted; at 0, any column.
    pub share: f64,
    pub correction: Correction,
}

impl Default for Limits {
    fn default() -> Self {
        Self { alpha: 0.05, distance: 0.1, share: 0.0, correction: Correction::default() }
    }
}

/// What was measured of one column.
#[derive(Clone, Debug, Serialize)]
pub struct ColumnDrift {
    pub column: String,
    /// `numbers`, `categories` or `text`.
    pub kind: &'static str,
    pub reference_rows: u64,
    pub current_rows: u64,
    /// Missing values, as shares.
    pub reference_missing: f64,
    pub current_missing: f64,
    /// The distance that decides, with its test.
    pub decisive: Named,
    pub p_adjusted: f64,
    pub drifted: bool,
    /// The bound on the error allows no verdict.
    pub undecided: bool,
    pub tests: Vec<Named>,
    /// Both distributions over the same bins, as shares: for pictures.
    #[serde(skip)]
    pub reference_histogram: Histogram,
    #[serde(skip)]
    pub current_histogram: Histogram,
    /// Both distributions over categories, the most frequent first, as shares.
    #[serde(skip)]
    pub categories: Vec<(String, f64, f64)>,
}

/// The verdict on the data.
#[derive(Clone, Debug, Serialize)]
pub struct DriftReport {
    pub drifted: bool,
    pub drifted_columns: usize,
    pub tested_columns: usize,
    /// Columns whose drift the error of a profile leaves open.
    pub undecided_columns: usize,
    /// Columns that are gone, empty on one side, or of another kind, and why: drift by itself.
    pub changed: Vec<(String, String)>,
    pub columns: Vec<ColumnDrift>,
    /// Columns that were not compared, and why.
    pub skipped: Vec<(String, String)>,
}

/// Corrects, decides and sorts: what drifted most stands first.
pub fn judge(
    mut columns: Vec<ColumnDrift>,
    changed: Vec<(String, String)>,
    skipped: Vec<(String, String)>,
    limits: &Limits,
) -> DriftReport {
    let p_values: Vec<f64> = columns.iter().map(|column| column.decisive.p_value.unwrap_or(1.0)).collect();
    let adjusted = limits.correction.adjust(&p_values);
    for (column, p) in columns.iter_mut().zip(adjusted) {
        let error = column.decisive.error.unwrap_or(0.0);
        let distance = column.decisive.statistic;
        column.p_adjusted = p;
        column.undecided = error > 0.0 && (distance - limits.distance).abs() < error;
        column.drifted = p < limits.alpha && distance >= limits.distance && !column.undecided;
    }
    columns.sort_by(|a, b| {
        let key = |c: &ColumnDrift| (c.drifted, c.decisive.statistic);
        let (a, b) = (key(a), key(b));
        b.0.cmp(&a.0).then_with(|| b.1.total_cmp(&a.1))
    });
    let drifted_columns = columns.iter().filter(|column| column.drifted).count();
    let tested_columns = columns.len();
    let undecided_columns = columns.iter().filter(|column| column.undecided).count();
    let many = drifted_columns > 0 && drifted_columns as f64 >= limits.share * tested_columns as f64;
    DriftReport {
        drifted: many || !changed.is_empty(),
        drifted_columns,
        tested_columns,
        undecided_columns,
        changed,
        columns,
        skipped,
    }
}
