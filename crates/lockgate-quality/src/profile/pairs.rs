//! What columns have to do with each other: correlations and what is missing together.

use hashbrown::HashMap;
use serde::{Deserialize, Serialize};

use crate::column::Column;

/// Numeric columns whose pairs are measured.
const COLUMNS_MAX: usize = 32;
/// Patterns of missing values that are told apart.
const PATTERNS_MAX: usize = 1_000;
/// Columns that a pattern tells of.
const PATTERN_COLUMNS_MAX: usize = 128;

/// Pearson's correlation of two columns, over the rows that have both.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Correlation {
    pub left: usize,
    pub right: usize,
    pub rows: u64,
    pub pearson: f64,
}

/// Centred sums of two columns; merged after Chan, Golub and LeVeque.
#[derive(Clone, Copy, Debug, Default)]
struct Sums {
    n: f64,
    x: f64,
    y: f64,
    xx: f64,
    yy: f64,
    xy: f64,
}

impl Sums {
    fn of(xs: &[f64], ys: &[f64]) -> Self {
        // One pass over values shifted by the first: no cancellation to speak of in a block.
        let (Some(x0), Some(y0)) = (xs.first(), ys.first()) else { return Self::default() };
        let n = xs.len() as f64;
        let (mut x, mut y, mut xx, mut yy, mut xy) = ([0.0f64; 4], [0.0f64; 4], [0.0f64; 4], [0.0f64; 4], [0.0f64; 4]);
        for (four_x, four_y) in xs.chunks(4).zip(ys.chunks(4)) {
            let sums = x.iter_mut().zip(&mut y).zip(xx.iter_mut().zip(&mut yy)).zip(&mut xy);
            for ((((x, y), (xx, yy)), xy), (a, b)) in sums.zip(four_x.iter().zip(four_y)) {
                let (a, b) = (a - x0, b - y0);
                *x += a;
                *y += b;
                *xx += a * a;
                *yy += b * b;
                *xy += a * b;
            }
        }
        let sum = |lanes: [f64; 4]| lanes.iter().sum::<f64>();
        let (x, y, xx, yy, xy) = (sum(x), sum(y), sum(xx), sum(yy), sum(xy));
        Self { n, x: x0 + x / n, y: y0 + y / n, xx: xx - x * x / n, yy: yy - y * y / n, xy: xy - x * y / n }
    }

    fn merge(&mut self, other: &Self) {
        if other.n == 0.0 {
            return;
        }
        if self.n == 0.0 {
            *self = *other;
            return;
        }
        let n = self.n + other.n;
        let (dx, dy) = (other.x - self.x, other.y - self.y);
        let weight = self.n * other.n / n;
        *self = Self {
            n,
            x: self.x + dx * other.n / n,
            y: self.y + dy * other.n / n,
            xx: self.xx + other.xx + dx * dx * weight,
            yy: self.yy + other.yy + dy * dy * weight,
            xy: self.xy + other.xy + dx * dy * weight,
        };
    }
}

/// The numbers of a batch: each row has one, missing ones are NaN.
pub(crate) struct Block {
    pub(crate) place: usize,
    pub(crate) values: Vec<f64>,
    pub(crate) has_missing: bool,
}

/// Sums over all pairs of numeric columns.
#[derive(Clone, Debug, Default)]
pub(crate) struct Pairs {
    sums: Vec<((usize, usize), Sums)>,
}

impl Pairs {
    pub(crate) fn update(&mut self, blocks: &[Block]) {
        const ROWS: usize = 2_048;
        let blocks = blocks.get(..COLUMNS_MAX.min(blocks.len())).unwrap_or_default();
        let mut at = 0;
        let rows = blocks.first().map_or(0, |block| block.values.len());
        // Blocks of rows that fit the cache for all columns together.
        while at < rows {
            let end = (at + ROWS).min(rows);
            let mut index = 0;
            for (i, left) in blocks.iter().enumerate() {
                for right in blocks.iter().skip(i + 1) {
                    let (xs, ys) = (left.values.get(at..end), right.values.get(at..end));
                    let (Some(xs), Some(ys)) = (xs, ys) else { continue };
                    let sums = if left.has_missing || right.has_missing {
                        let (xs, ys): (Vec<f64>, Vec<f64>) =
                            xs.iter().zip(ys).filter(|(x, y)| !x.is_nan() && !y.is_nan()).unzip();
                        Sums::of(&xs, &ys)
                    } else {
                        Sums::of(xs, ys)
                    };
                    match self.sums.get_mut(index) {
                        Some((_, own)) => own.merge(&sums),
                        None => self.sums.push(((left.place, right.place), sums)),
                    }
                    index += 1;
                }
            }
            at = end;
        }
    }

    pub(crate) fn merge(&mut self, other: Self) {
        for (index, (places, sums)) in other.sums.into_iter().enumerate() {
            match self.sums.get_mut(index) {
                Some((_, own)) => own.merge(&sums),
                None => self.sums.push((places, sums)),
            }
        }
    }

    pub(crate) fn finish(self) -> Vec<Correlation> {
        let mut all: Vec<Correlation> = self
            .sums
            .into_iter()
            .map(|((left, right), s)| Correlation {
                left,
                right,
                rows: s.n as u64,
                pearson: s.xy / (s.xx * s.yy).sqrt(),
            })
            .filter(|correlation| correlation.pearson.is_finite())
            .collect();
        all.sort_by(|a, b| b.pearson.abs().total_cmp(&a.pearson.abs()));
        all
    }
}

/// Which columns are missing together.
#[derive(Clone, Debug, Default)]
pub(crate) struct Patterns {
    counts: HashMap<u128, u64>,
    /// Rows whose pattern came when there were too many.
    other: u64,
}

impl Patterns {
    pub(crate) fn update(&mut self, columns: &[Column], rows: usize) {
        let partial: Vec<(usize, &Column)> =
            columns.iter().take(PATTERN_COLUMNS_MAX).enumerate().filter(|(_, column)| column.missing() > 0).collect();
        if partial.is_empty() {
            self.add(0, rows as u64);
            return;
        }
        let mut masks = vec![0u128; rows];
        for (place, column) in partial {
            for (row, mask) in masks.iter_mut().enumerate() {
                if column.is_missing(row) {
                    *mask |= 1 << place;
                }
            }
        }
        // Equal neighbours are counted together.
        let mut run = (0u128, 0u64);
        for mask in masks {
            if mask == run.0 {
                run.1 += 1;
            } else {
                self.add(run.0, run.1);
                run = (mask, 1);
            }
        }
        self.add(run.0, run.1);
    }

    fn add(&mut self, mask: u128, rows: u64) {
        if rows == 0 {
            return;
        }
        let known = self.counts.len();
        match self.counts.get_mut(&mask) {
            Some(count) => *count += rows,
            None if known < PATTERNS_MAX => {
                self.counts.insert(mask, rows);
            }
            None => self.other += rows,
        }
    }

    pub(crate) fn merge(&mut self, other: Self) {
        self.other += other.other;
        for (mask, rows) in other.counts {
            self.add(mask, rows);
        }
    }

    pub(crate) fn finish(self) -> Vec<(Vec<usize>, u64)> {
        let mut all: Vec<(Vec<usize>, u64)> = self
            .counts
            .into_iter()
            .map(|(mask, rows)| ((0..PATTERN_COLUMNS_MAX).filter(|place| mask >> place & 1 == 1).collect(), rows))
            .collect();
        all.sort_by(|a, b| b.1.cmp(&a.1).then_with(|| a.0.cmp(&b.0)));
        all
    }
}
