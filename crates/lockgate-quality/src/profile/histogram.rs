//! Histograms for people to look at and for drift to be measured on.

use serde::{Deserialize, Serialize};

/// Counts of numbers in bins; bin `i` reaches from edge `i` to edge `i + 1`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Histogram {
    pub edges: Vec<f64>,
    pub counts: Vec<u64>,
}

/// Bins of a column that is withheld hold at least so many rows.
pub(crate) const BIN_ROWS_MIN: u64 = 10;

impl Histogram {
    /// Bins of equal width over `low` to `high`, filled from a cumulative distribution.
    pub(crate) fn of(low: f64, high: f64, bins: usize, rows: u64, cdf: impl Fn(f64) -> f64) -> Self {
        if rows == 0 || !(high - low).is_finite() {
            return Self::default();
        }
        if low == high {
            return Self { edges: vec![low, high], counts: vec![rows] };
        }
        let width = (high - low) / bins as f64;
        let edges: Vec<f64> = (0..=bins).map(|bin| if bin == bins { high } else { low + width * bin as f64 }).collect();
        Self::at(edges, rows, cdf)
    }

    /// Bins between `edges`, whatever lies outside counted to the outermost.
    pub(crate) fn at(edges: Vec<f64>, rows: u64, cdf: impl Fn(f64) -> f64) -> Self {
        let bins = edges.len().saturating_sub(1);
        let mut done = 0;
        let counts = edges
            .iter()
            .skip(1)
            .enumerate()
            .map(|(bin, edge)| {
                let below = if bin + 1 == bins { rows } else { (cdf(*edge) * rows as f64).round() as u64 };
                let count = below.saturating_sub(done);
                done = done.max(below);
                count
            })
            .collect();
        Self { edges, counts }
    }

    /// The same over wide bins with round edges, none with fewer rows than [`BIN_ROWS_MIN`], so
    /// that neither an edge nor a bin tells of somebody.
    pub(crate) fn coarse(low: f64, high: f64, rows: u64, cdf: impl Fn(f64) -> f64) -> Self {
        if rows < BIN_ROWS_MIN || !(high - low).is_finite() || low == high {
            return Self::default();
        }
        let step = round_step((high - low) / 12.0);
        let first = (low / step).floor() * step;
        let bins = ((high - first) / step).floor() as usize + 1;
        let edges: Vec<f64> = (0..=bins.min(64)).map(|bin| first + step * bin as f64).collect();
        let fine = Self::at(edges, rows, cdf);
        let mut merged = Self { edges: fine.edges.first().copied().into_iter().collect(), counts: Vec::new() };
        let mut held = 0;
        for (edge, count) in fine.edges.iter().skip(1).zip(&fine.counts) {
            held += count;
            if held >= BIN_ROWS_MIN {
                merged.edges.push(*edge);
                merged.counts.push(held);
                held = 0;
            }
        }
        if held > 0
            && let (Some(last), Some(edge), Some(end)) =
                (merged.counts.last_mut(), merged.edges.last_mut(), fine.edges.last())
        {
            *last += held;
            *edge = *end;
        }
        merged
    }
}

/// One, two or five times a power of ten, at least `width`.
fn round_step(width: f64) -> f64 {
    let power = 10f64.powf(width.log10().floor());
    [1.0, 2.0, 5.0, 10.0].into_iter().map(|step| step * power).find(|step| *step >= width).unwrap_or(width)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn coarse_bins_hold_many_and_have_round_edges() {
        let values: Vec<f64> = (0..1000).map(|i| f64::from(i) * 0.137 + 3.3).chain([9_999.25]).collect();
        let cdf = |x: f64| values.iter().filter(|v| **v <= x).count() as f64 / values.len() as f64;
        let coarse = Histogram::coarse(3.3, 9_999.25, values.len() as u64, cdf);
        assert_eq!(coarse.counts.iter().sum::<u64>(), values.len() as u64);
        assert!(coarse.counts.iter().all(|count| *count >= BIN_ROWS_MIN), "{coarse:?}");
        assert!(coarse.edges.iter().all(|edge| edge % 1000.0 == 0.0), "{coarse:?}");
        assert_eq!(Histogram::coarse(1.0, 2.0, 9, |_| 0.5), Histogram::default());
    }
}
