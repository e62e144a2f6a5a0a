//! How far each source is from the others. Sources differ by nature; one is guilty when it differs
//! from the others by more than they do among themselves.

use serde::Serialize;
use statrs::distribution::{ChiSquared, ContinuousCDF as _};

use super::encode::{Block, CODES};

/// Fewer sources cannot outvote one.
pub(crate) const SOURCES_MIN: usize = 3;
/// Fewer rows say too little.
const ROWS_MIN: u64 = 20;
/// The least total variation distance that matters.
const DISTANCE_MIN: f64 = 0.1;

/// What one source counts for.
#[derive(Clone, Debug, Serialize)]
pub struct SourceWeight {
    pub source: String,
    pub rows: u64,
    /// 1 where it is like the others, towards 0 the less it is.
    pub weight: f64,
    /// The column in which it differs most, when it is known.
    pub column: Option<String>,
    /// The total variation distance there.
    pub distance: f64,
    pub p_value: f64,
}

/// Counts of codes by source, by column.
#[derive(Clone, Debug, Default)]
pub(crate) struct Sources {
    /// Source, then column, then code.
    counts: Vec<Vec<[u64; CODES]>>,
    rows: Vec<u64>,
}

/// How one source departs.
#[derive(Clone, Debug)]
pub(crate) struct Departure {
    pub(crate) rows: u64,
    pub(crate) weight: f64,
    pub(crate) column: usize,
    pub(crate) distance: f64,
    pub(crate) p_value: f64,
    pub(crate) guilty: bool,
}

impl Sources {
    /// Counts a block; `labels` is a further column of codes, of how well labels fit.
    pub(crate) fn update(&mut self, block: &Block, labels: Option<&[u8]>) {
        let columns: Vec<&[u8]> = block.coarse.iter().map(Vec::as_slice).chain(labels).collect();
        for (row, (source, _)) in block.places.iter().enumerate() {
            let source = *source as usize;
            if self.counts.len() <= source {
                self.counts.resize(source + 1, Vec::new());
                self.rows.resize(source + 1, 0);
            }
            if let (Some(counts), Some(rows)) = (self.counts.get_mut(source), self.rows.get_mut(source)) {
                counts.resize(columns.len(), [0; CODES]);
                *rows += 1;
                for (counts, column) in counts.iter_mut().zip(&columns) {
                    if let Some(count) = column.get(row).and_then(|code| counts.get_mut(usize::from(*code))) {
                        *count += 1;
                    }
                }
            }
        }
    }

    /// Judges every source; empty when there are too few. The worst is set aside and the others are
    /// judged again, so that it does not speak for them.
    pub(crate) fn judge(&self, alpha: f64) -> Vec<Departure> {
        if self.rows.iter().filter(|rows| **rows >= ROWS_MIN).count() < SOURCES_MIN {
            return Vec::new();
        }
        let mut aside = vec![false; self.rows.len()];
        loop {
            let mut all = self.round(&aside, alpha);
            let worst = all
                .iter()
                .enumerate()
                .filter(|(source, own)| own.guilty && !aside.get(*source).copied().unwrap_or(true))
                .min_by(|a, b| a.1.p_value.total_cmp(&b.1.p_value).then(b.1.distance.total_cmp(&a.1.distance)))
                .map(|(source, _)| source);
            let left = aside.iter().filter(|aside| !**aside).count();
            match worst {
                // Two sources can no longer say which of them is the other one.
                Some(source) if left > SOURCES_MIN - 1 => {
                    if let Some(aside) = aside.get_mut(source) {
                        *aside = true;
                    }
                }
                _ => {
                    for (own, aside) in all.iter_mut().zip(&aside) {
                        own.guilty = own.guilty && *aside;
                    }
                    return all;
                }
            }
        }
    }

    fn round(&self, aside: &[bool], alpha: f64) -> Vec<Departure> {
        let columns = self.counts.iter().map(Vec::len).max().unwrap_or(0);
        let kept = |source: usize| !aside.get(source).copied().unwrap_or(true);
        let mut out: Vec<Departure> = self
            .rows
            .iter()
            .map(|rows| Departure { rows: *rows, weight: 1.0, column: 0, distance: 0.0, p_value: 1.0, guilty: false })
            .collect();
        for column in 0..columns {
            let mut all = [0u64; CODES];
            for (_, counts) in self.counts.iter().enumerate().filter(|(source, _)| kept(*source)) {
                for (sum, count) in all.iter_mut().zip(counts.get(column).into_iter().flatten()) {
                    *sum += count;
                }
            }
            let measured: Vec<Option<(f64, f64, f64)>> =
                (0..self.rows.len()).map(|source| self.departure(source, column, &all, kept(source))).collect();
            // How much more than chance the sources differ anyway (genomic control: Devlin and
            // Roeder, 1999).
            let mut ratios: Vec<f64> = measured
                .iter()
                .enumerate()
                .filter(|(source, _)| kept(*source))
                .filter_map(|(_, own)| own.map(|(chi, freedom, _)| chi / freedom))
                .collect();
            ratios.sort_by(f64::total_cmp);
            let usual = ratios.get(ratios.len() / 2).copied().unwrap_or(1.0).max(1.0);
            let tests = (columns * self.rows.len()) as f64;
            for (out, own) in out.iter_mut().zip(measured) {
                let Some((chi, freedom, distance)) = own else { continue };
                let chi = chi / usual;
                let p = ChiSquared::new(freedom).map_or(1.0, |chance| chance.sf(chi));
                let p = (p * tests).min(1.0);
                if p < out.p_value || (p == out.p_value && distance > out.distance) {
                    let limit = ChiSquared::new(freedom).map_or(chi, |chance| chance.inverse_cdf(1.0 - alpha / tests));
                    out.p_value = p;
                    out.column = column;
                    out.distance = distance;
                    out.weight = if chi > limit { limit / chi } else { 1.0 };
                    out.guilty = p < alpha && distance >= DISTANCE_MIN;
                }
            }
        }
        out
    }

    /// Chi-square, its degrees of freedom and the total variation distance between a source and the
    /// others. `all` are the counts of those that are kept, and `among` says whether it is one.
    fn departure(&self, source: usize, column: usize, all: &[u64; CODES], among: bool) -> Option<(f64, f64, f64)> {
        let own = self.counts.get(source)?.get(column)?;
        let mut others = *all;
        if among {
            for (sum, count) in others.iter_mut().zip(own) {
                *sum = sum.saturating_sub(*count);
            }
        }
        let (n, m) = (own.iter().sum::<u64>(), others.iter().sum::<u64>());
        if n < ROWS_MIN || m < ROWS_MIN {
            return None;
        }
        let (n, m) = (n as f64, m as f64);
        // Codes of which fewer than five are expected stand together.
        let (mut chi, mut groups, mut rest) = (0.0, 0u32, (0.0, 0.0));
        let mut distance = 0.0;
        let mut add = |x: f64, y: f64| {
            let (ex, ey) = ((x + y) * n / (n + m), (x + y) * m / (n + m));
            if ex > 0.0 && ey > 0.0 {
                chi += (x - ex).powi(2) / ex + (y - ey).powi(2) / ey;
                groups += 1;
            }
        };
        for (x, y) in own.iter().zip(others) {
            let (x, y) = (*x as f64, y as f64);
            distance += (x / n - y / m).abs() / 2.0;
            if (x + y) * n.min(m) / (n + m) < 5.0 {
                rest = (rest.0 + x, rest.1 + y);
            } else {
                add(x, y);
            }
        }
        add(rest.0, rest.1);
        (groups > 1).then(|| (chi, f64::from(groups - 1), distance))
    }
}
