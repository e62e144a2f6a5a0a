//! Numbers whose order matters: all of them up to a limit, then a KLL sketch with a stated error
//! (Karnin, Lang and Liberty, "Optimal Quantile Approximation in Streams").

use datasketches::{
    common::SearchCriteria,
    kll::{KllFloat, KllSketch},
};
use lockgate_core::{Failure, Result};

/// Numbers kept whole: 16 MiB.
pub const EXACT_MAX: usize = 1 << 21;
/// A rank is then off by at most 0.2 % of the rows, with 99 % confidence.
const SKETCH_K: u16 = 1_500;

/// Numbers with their rows' order kept while they are exact.
#[derive(Clone, Debug)]
pub(crate) enum Numbers {
    Exact { values: Vec<f64>, max: usize, sorted: bool },
    Sketch(Box<KllSketch<KllFloat<f64>>>),
}

impl Default for Numbers {
    fn default() -> Self {
        Self::Exact { values: Vec::new(), max: EXACT_MAX, sorted: false }
    }
}

/// How a quantile between two values is made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Between {
    Linear,
    Lower,
    Higher,
    Midpoint,
    Nearest,
}

impl Numbers {
    /// Adds a number; NaN is none.
    pub(crate) fn add(&mut self, value: f64) -> Result<()> {
        match self {
            Self::Exact { values, max, sorted } if values.len() < *max => {
                values.push(value);
                *sorted = false;
            }
            Self::Exact { .. } => {
                self.approximate()?;
                return self.add(value);
            }
            Self::Sketch(sketch) => {
                if let Ok(value) = KllFloat::<f64>::new(value) {
                    sketch.update(value);
                }
            }
        }
        Ok(())
    }

    /// Sorts exact numbers, for those whose rows' order does not matter.
    pub(crate) fn sort(&mut self) {
        if let Self::Exact { values, sorted, .. } = self
            && !*sorted
        {
            *values = in_order(std::mem::take(values));
            *sorted = true;
        }
    }

    pub(crate) fn merge(&mut self, other: Self) -> Result<()> {
        if let (Self::Exact { values, max, sorted: true }, Self::Exact { values: theirs, sorted: true, .. }) =
            (&mut *self, &other)
            && values.len() + theirs.len() <= *max
        {
            *values = merged(values, theirs);
            return Ok(());
        }
        match other {
            Self::Exact { values, .. } => values.into_iter().try_for_each(|value| self.add(value)),
            Self::Sketch(theirs) => {
                self.approximate()?;
                let Self::Sketch(own) = self else { return Err(Failure::bug("a sketch is no sketch")) };
                own.merge(&theirs).map_err(|_| Failure::bug("sketches of one size cannot be merged"))
            }
        }
    }

    fn approximate(&mut self) -> Result<()> {
        let Self::Exact { values, .. } = self else { return Ok(()) };
        let mut sketch = KllSketch::new(SKETCH_K).map_err(|_| Failure::bug("no sketch could be made"))?;
        for value in values.iter().filter_map(|value| KllFloat::<f64>::new(*value).ok()) {
            sketch.update(value);
        }
        *self = Self::Sketch(Box::new(sketch));
        Ok(())
    }

    /// How far a rank may be off, as a share of all numbers; `None` when nothing is approximate.
    pub(crate) fn rank_error(&self) -> Option<f64> {
        match self {
            Self::Exact { .. } => None,
            Self::Sketch(sketch) => Some(sketch.normalized_rank_error()),
        }
    }

    /// The quantiles at `ranks` (0 to 1), as NumPy computes them; `None` when there is no number.
    pub(crate) fn quantiles(&self, ranks: &[f64], between: Between) -> Option<Vec<f64>> {
        match self {
            Self::Exact { values, sorted: true, .. } => {
                ranks.iter().map(|rank| quantile(values, *rank, between)).collect()
            }
            Self::Exact { values, .. } => {
                let sorted = in_order(values.clone());
                ranks.iter().map(|rank| quantile(&sorted, *rank, between)).collect()
            }
            Self::Sketch(sketch) => {
                let view = sketch.sorted_view();
                ranks.iter().map(|rank| view.quantile(*rank, SearchCriteria::Inclusive).ok()?.map(|v| *v)).collect()
            }
        }
    }

    /// How many numbers satisfy `holds`; approximate once there are many.
    pub(crate) fn count(&self, mut holds: impl FnMut(f64) -> bool) -> u64 {
        match self {
            Self::Exact { values, .. } => values.iter().filter(|value| holds(**value)).count() as u64,
            Self::Sketch(sketch) => {
                // The sketch's own sample, in equal steps of rank.
                let steps = 10_000u32;
                let view = sketch.sorted_view();
                let hits = (0..steps)
                    .filter_map(|i| {
                        let rank = (f64::from(i) + 0.5) / f64::from(steps);
                        view.quantile(rank, SearchCriteria::Inclusive).ok().flatten()
                    })
                    .filter(|value| holds(**value))
                    .count();
                (hits as f64 / f64::from(steps) * sketch.n() as f64).round() as u64
            }
        }
    }
}

/// Sorts by the bits, which is twice as fast as by comparison of floats. Zeros become one.
pub(crate) fn in_order(values: Vec<f64>) -> Vec<f64> {
    let mut keys: Vec<u64> = values
        .into_iter()
        .map(|value| {
            let bits = (value + 0.0).to_bits();
            if bits >> 63 == 1 { !bits } else { bits | 1 << 63 }
        })
        .collect();
    keys.sort_unstable();
    keys.into_iter().map(|key| f64::from_bits(if key >> 63 == 1 { key & !(1 << 63) } else { !key })).collect()
}

fn merged(left: &[f64], right: &[f64]) -> Vec<f64> {
    let mut out = Vec::with_capacity(left.len() + right.len());
    let (mut left, mut right) = (left.iter().peekable(), right.iter().peekable());
    while let (Some(a), Some(b)) = (left.peek(), right.peek()) {
        let next = if a <= b { left.next() } else { right.next() };
        out.extend(next);
    }
    out.extend(left);
    out.extend(right);
    out
}

/// A quantile of sorted numbers, as `numpy.quantile`.
pub(crate) fn quantile(sorted: &[f64], rank: f64, between: Between) -> Option<f64> {
    let last = sorted.len().checked_sub(1)?;
    let place = rank.clamp(0.0, 1.0) * last as f64;
    let (low, high) = (place.floor() as usize, place.ceil() as usize);
    let (below, above) = (*sorted.get(low)?, *sorted.get(high.min(last))?);
    let part = place - low as f64;
    if part == 0.0 {
        return Some(below);
    }
    // NumPy's own interpolation, which starts from the nearer end.
    let span = above - below;
    let along = |part: f64| if part >= 0.5 { above - span * (1.0 - part) } else { below + span * part };
    Some(match between {
        Between::Linear => along(part),
        Between::Lower => below,
        Between::Higher => above,
        Between::Midpoint => along(0.5),
        // Half goes to the even neighbour, as NumPy's rounding does.
        Between::Nearest => match part.total_cmp(&0.5) {
            std::cmp::Ordering::Less => below,
            std::cmp::Ordering::Greater => above,
            std::cmp::Ordering::Equal => {
                if low % 2 == 0 {
                    below
                } else {
                    above
                }
            }
        },
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantiles_as_numpy_gives_them() {
        let sorted = [1.0, 2.0, 4.0, 8.0];
        let at = |rank, between| quantile(&sorted, rank, between).unwrap();
        assert_eq!(at(0.5, Between::Linear), 3.0);
        assert_eq!(at(0.5, Between::Lower), 2.0);
        assert_eq!(at(0.5, Between::Higher), 4.0);
        assert_eq!(at(0.5, Between::Nearest), 4.0);
        assert_eq!(at(1.0, Between::Linear), 8.0);
        assert_eq!(quantile(&[], 0.5, Between::Linear), None);
    }

    #[test]
    fn numbers_are_sorted_whatever_their_sign() {
        let values = vec![3.0, -1.5, 0.0, -0.0, f64::INFINITY, -2e300, f64::NEG_INFINITY, 1e-300];
        let mut expected = values.clone();
        expected.sort_by(f64::total_cmp);
        assert_eq!(in_order(values), expected);
        assert_eq!(merged(&[1.0, 3.0], &[2.0, 4.0, 5.0]), [1.0, 2.0, 3.0, 4.0, 5.0]);
    }

    #[test]
    fn a_sketch_keeps_its_word() {
        let mut numbers = Numbers::Exact { values: Vec::new(), max: 1_000, sorted: false };
        let mut other = Numbers::Exact { values: Vec::new(), max: 1_000, sorted: false };
        for i in 0..100_000u32 {
            let half = if i % 2 == 0 { &mut numbers } else { &mut other };
            half.add(f64::from(i)).unwrap();
        }
        numbers.merge(other).unwrap();
        let error = numbers.rank_error().unwrap();
        assert!(error < 0.002, "{error}");
        let found = numbers.quantiles(&[0.1, 0.5, 0.9], Between::Nearest).unwrap();
        for (found, rank) in found.iter().zip([0.1, 0.5, 0.9]) {
            assert!((found / 100_000.0 - rank).abs() <= 2.0 * error, "{rank}: {found}");
        }
    }
}
