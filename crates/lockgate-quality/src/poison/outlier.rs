//! Rows with a value, or a pair of values, that the baseline hardly has.

use hashbrown::HashMap;

use super::encode::{Block, CODES, Encoder, Role};

/// Columns whose pairs are counted.
const PAIR_COLUMNS_MAX: usize = 40;

/// How the numbers of a column lie in the baseline.
#[derive(Clone, Debug)]
struct Spread {
    feature: usize,
    mean: f32,
    deviation: f32,
    median: f32,
    /// The median absolute deviation; where it is 0, the mean one.
    mad: f32,
    /// What few of the baseline are beyond, on either side: what none is beyond would be chance.
    low: f32,
    high: f32,
    /// What 1 in 1,000 of the baseline exceeds, by either measure, so that columns with long tails
    /// do not drown the others.
    usual_z: f32,
    usual_mad: f32,
    /// From one end to the other, and no less than the deviation.
    width: f32,
}

/// Numbers that are far out.
#[derive(Clone, Debug)]
pub(crate) struct Numbers(Vec<Spread>);

impl Numbers {
    pub(crate) fn fit(encoder: &Encoder, baseline: &Block) -> Self {
        let numbers = encoder.features.iter().enumerate().filter(|(_, feature)| feature.role == Role::Number);
        Self(
            numbers
                .filter_map(|(feature, _)| {
                    let mut values: Vec<f32> =
                        baseline.numbers.get(feature)?.iter().copied().filter(|v| v.is_finite()).collect();
                    spread(feature, &mut values)
                })
                .collect(),
        )
    }

    /// Distances from the mean in standard deviations, beside what is usual, in logarithms.
    pub(crate) fn z(&self, block: &Block) -> Vec<f32> {
        self.worst(block, |spread, x| ln((x - spread.mean).abs() / spread.deviation / spread.usual_z))
    }

    /// Distances from the median in median absolute deviations (Iglewicz and Hoaglin, 1993).
    pub(crate) fn mad(&self, block: &Block) -> Vec<f32> {
        self.worst(block, |spread, x| ln((x - spread.median).abs() / spread.mad / spread.usual_mad))
    }

    /// How far outside of what all but very few of the baseline have, in widths of it.
    pub(crate) fn range(&self, block: &Block) -> Vec<f32> {
        self.worst(block, |spread, x| ((spread.low - x).max(x - spread.high).max(0.0) / spread.width).ln_1p())
    }

    fn worst(&self, block: &Block, score: impl Fn(&Spread, f32) -> f32) -> Vec<f32> {
        let mut out = vec![0.0f32; block.rows];
        for spread in &self.0 {
            for (out, x) in out.iter_mut().zip(block.numbers.get(spread.feature).into_iter().flatten()) {
                // An infinite number is beyond everything; a missing one is none.
                let own = if x.is_infinite() { 100.0 } else { score(spread, *x) };
                if own > *out {
                    *out = own;
                }
            }
        }
        out
    }

    /// The columns in which the rows are furthest out.
    pub(crate) fn columns(&self, block: &Block, rows: &[usize]) -> Vec<usize> {
        let worst = |row: &usize| {
            self.0
                .iter()
                .filter_map(|spread| {
                    let x = *block.numbers.get(spread.feature)?.get(*row)?;
                    Some((spread.feature, (x - spread.median).abs() / spread.mad / spread.usual_mad))
                })
                .max_by(|a, b| a.1.total_cmp(&b.1))
                .map(|(feature, _)| feature)
        };
        most_frequent(rows.iter().filter_map(worst))
    }
}

fn spread(feature: usize, values: &mut [f32]) -> Option<Spread> {
    let n = values.len();
    if n < 10 {
        return None;
    }
    values.sort_unstable_by(f32::total_cmp);
    let (low, high, median) = (*values.first()?, *values.last()?, *values.get(n / 2)?);
    if low == high {
        // A constant: whatever else comes is far out.
        let width = low.abs().max(1.0) * 1e-3;
        return Some(Spread {
            feature,
            mean: low,
            deviation: width,
            median,
            mad: width,
            low,
            high: low + width,
            usual_z: 1.0,
            usual_mad: 1.0,
            width,
        });
    }
    let few = (n / 2_000).max(10).min(n / 4);
    let (low, high) = (values.get(few).copied().unwrap_or(low), values.get(n - 1 - few).copied().unwrap_or(high));
    let mean = values.iter().map(|v| f64::from(*v)).sum::<f64>() / n as f64;
    let variance = values.iter().map(|v| (f64::from(*v) - mean).powi(2)).sum::<f64>() / n as f64;
    let (mean, deviation) = (mean as f32, variance.sqrt().max(f64::MIN_POSITIVE) as f32);
    let mut distances: Vec<f32> = values.iter().map(|v| (v - median).abs()).collect();
    distances.sort_unstable_by(f32::total_cmp);
    let mut mad = distances.get(n / 2).copied().unwrap_or(0.0);
    if mad == 0.0 {
        mad = distances.iter().sum::<f32>() / n as f32;
    }
    let usual = |mut all: Vec<f32>| {
        all.sort_unstable_by(f32::total_cmp);
        all.get((n as f64 * 0.999) as usize).copied().unwrap_or(1.0).max(1.0)
    };
    let usual_z = usual(values.iter().map(|v| (v - mean).abs() / deviation).collect());
    let usual_mad = usual(distances.iter().map(|d| d / mad).collect());
    let width = (high - low).max(deviation);
    Some(Spread { feature, mean, deviation, median, mad, low, high, usual_z, usual_mad, width })
}

fn ln(ratio: f32) -> f32 {
    // Nothing below what is usual counts.
    ratio.max(0.01).ln() + 5.0
}

/// Values that the baseline hardly has.
#[derive(Clone, Debug)]
pub(crate) struct Values {
    /// By feature: how often each value comes, by its hash; `None` for numbers and text.
    counts: Vec<Option<HashMap<u64, u32>>>,
    rows: usize,
}

impl Values {
    pub(crate) fn fit(encoder: &Encoder, baseline: &Block) -> Self {
        let counts = encoder
            .features
            .iter()
            .zip(&baseline.fine)
            .map(|(feature, fine)| {
                (feature.role == Role::Category).then(|| {
                    let mut counts = HashMap::new();
                    for hash in fine {
                        *counts.entry(*hash).or_insert(0u32) += 1;
                    }
                    counts
                })
            })
            .collect();
        Self { counts, rows: baseline.rows }
    }

    /// The rarity of each row's rarest value: the logarithm of one in so many.
    pub(crate) fn score(&self, block: &Block) -> Vec<f32> {
        let mut out = vec![0.0f32; block.rows];
        for (counts, fine) in self.counts.iter().zip(&block.fine) {
            let Some(counts) = counts else { continue };
            for (out, hash) in out.iter_mut().zip(fine) {
                *out = out.max(self.rarity(counts.get(hash).copied()));
            }
        }
        out
    }

    fn rarity(&self, count: Option<u32>) -> f32 {
        // A new value is told apart from one that came once.
        let seen = count.map_or(0.1, |count| count as f32);
        (self.rows as f32 / seen).max(1.0).log10()
    }

    pub(crate) fn columns(&self, block: &Block, rows: &[usize]) -> Vec<usize> {
        let rarest = |row: &usize| {
            self.counts
                .iter()
                .zip(&block.fine)
                .enumerate()
                .filter_map(|(feature, (counts, fine))| {
                    Some((feature, self.rarity(counts.as_ref()?.get(fine.get(*row)?).copied())))
                })
                .max_by(|a, b| a.1.total_cmp(&b.1))
                .map(|(feature, _)| feature)
        };
        most_frequent(rows.iter().filter_map(rarest))
    }
}

/// Pairs of values that each are usual and together are not.
#[derive(Clone, Debug)]
pub(crate) struct Pairs {
    columns: Vec<usize>,
    /// By pair of columns, by pair of codes: how unlikely the pair is beside its two values.
    surprise: Vec<(usize, usize, Vec<f32>)>,
}

impl Pairs {
    pub(crate) fn fit(encoder: &Encoder, baseline: &Block) -> Self {
        let columns: Vec<usize> = encoder
            .features
            .iter()
            .enumerate()
            .filter(|(_, feature)| feature.role != Role::Text)
            .map(|(index, _)| index)
            .take(PAIR_COLUMNS_MAX)
            .collect();
        let mut surprise = Vec::new();
        for (place, left) in columns.iter().enumerate() {
            for right in columns.iter().skip(place + 1) {
                if let (Some(a), Some(b)) = (baseline.coarse.get(*left), baseline.coarse.get(*right)) {
                    surprise.push((*left, *right, table(a, b)));
                }
            }
        }
        Self { columns, surprise }
    }

    /// The surprise of each row's most surprising pair.
    pub(crate) fn score(&self, block: &Block) -> Vec<f32> {
        let mut out = vec![0.0f32; block.rows];
        for (left, right, table) in &self.surprise {
            let (Some(a), Some(b)) = (block.coarse.get(*left), block.coarse.get(*right)) else { continue };
            for (out, (a, b)) in out.iter_mut().zip(a.iter().zip(b)) {
                let own = table.get(usize::from(*a) * CODES + usize::from(*b)).copied().unwrap_or(0.0);
                *out = out.max(own);
            }
        }
        out
    }

    pub(crate) fn columns(&self, block: &Block, rows: &[usize]) -> Vec<usize> {
        let code = |feature: usize, row: usize| block.coarse.get(feature).and_then(|c| c.get(row)).copied();
        let worst = |row: &usize| {
            self.surprise
                .iter()
                .filter_map(|(left, right, table)| {
                    let place = usize::from(code(*left, *row)?) * CODES + usize::from(code(*right, *row)?);
                    Some(((*left, *right), *table.get(place)?))
                })
                .max_by(|a, b| a.1.total_cmp(&b.1))
                .map(|(pair, _)| pair)
        };
        let pairs = most_frequent(rows.iter().filter_map(worst).map(|(a, b)| a * self.columns.len().max(1_000) + b));
        let width = self.columns.len().max(1_000);
        pairs.first().map(|pair| vec![pair / width, pair % width]).unwrap_or_default()
    }
}

/// For each pair of codes the logarithm of how many rows would have it if the two columns had
/// nothing to do with each other, over how many have it.
fn table(left: &[u8], right: &[u8]) -> Vec<f32> {
    let mut counts = vec![0u32; CODES * CODES];
    let (mut lefts, mut rights) = (vec![0u32; CODES], vec![0u32; CODES]);
    for (a, b) in left.iter().zip(right) {
        let (a, b) = (usize::from(*a), usize::from(*b));
        for (counts, place) in [(&mut counts, a * CODES + b), (&mut lefts, a), (&mut rights, b)] {
            if let Some(count) = counts.get_mut(place) {
                *count += 1;
            }
        }
    }
    let n = left.len().max(1) as f32;
    counts
        .iter()
        .enumerate()
        .map(|(place, count)| {
            let of = |side: &[u32], code: usize| side.get(code).copied().unwrap_or(0) as f32;
            let expected = of(&lefts, place / CODES) * of(&rights, place % CODES) / n;
            ((expected + 0.1) / (*count as f32 + 0.1)).ln().max(0.0)
        })
        .collect()
}

/// The items that come most often, at most three, those of a tenth of the rows at least.
fn most_frequent(items: impl Iterator<Item = usize>) -> Vec<usize> {
    let mut counts: HashMap<usize, usize> = HashMap::new();
    let mut all = 0;
    for item in items {
        *counts.entry(item).or_default() += 1;
        all += 1;
    }
    let mut order: Vec<(usize, usize)> = counts.into_iter().filter(|(_, count)| count * 10 >= all).collect();
    order.sort_unstable_by_key(|(item, count)| (std::cmp::Reverse(*count), *item));
    order.into_iter().take(3).map(|(item, _)| item).collect()
}
