//! Count, mean and the second to fourth central moments in one pass, mergeable.
//!
//! The update is Welford's, the merge that of Chan, Golub and LeVeque, for higher orders as in
//! Pébay, "Formulas for Robust, One-Pass Parallel Computation of Covariances and Arbitrary-Order
//! Statistical Moments", SAND2008-6212.

use serde::{Deserialize, Serialize};

/// Moments of the numbers that were seen.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Moments {
    pub count: u64,
    #[serde(with = "crate::codec::float")]
    pub mean: f64,
    #[serde(with = "crate::codec::float")]
    pub m2: f64,
    #[serde(with = "crate::codec::float")]
    pub m3: f64,
    #[serde(with = "crate::codec::float")]
    pub m4: f64,
    #[serde(with = "crate::codec::float")]
    pub min: f64,
    #[serde(with = "crate::codec::float")]
    pub max: f64,
    #[serde(with = "crate::codec::float")]
    pub sum: f64,
}

impl Default for Moments {
    fn default() -> Self {
        Self { count: 0, mean: 0.0, m2: 0.0, m3: 0.0, m4: 0.0, min: f64::INFINITY, max: f64::NEG_INFINITY, sum: 0.0 }
    }
}

impl Moments {
    pub fn add(&mut self, value: f64) {
        self.merge(&Self { count: 1, mean: value, min: value, max: value, sum: value, ..Self::default() });
    }

    /// Adds many values at once: a block's moments by two passes over it, then one merge.
    pub fn add_all(&mut self, values: &[f64]) {
        for block in values.chunks(1024) {
            let count = block.len() as f64;
            let mut own = Self { count: block.len() as u64, ..Self::default() };
            // Four lanes, so that additions need not wait for each other.
            let mut lanes = [0.0f64; 4];
            let mut chunks = block.chunks_exact(4);
            for four in &mut chunks {
                for (lane, value) in lanes.iter_mut().zip(four) {
                    *lane += value;
                }
            }
            own.sum = lanes.iter().sum::<f64>() + chunks.remainder().iter().sum::<f64>();
            own.mean = own.sum / count;
            let (mut m2, mut m3, mut m4) = ([0.0f64; 4], [0.0f64; 4], [0.0f64; 4]);
            let (mut least, mut most) = ([f64::INFINITY; 4], [f64::NEG_INFINITY; 4]);
            for four in block.chunks(4) {
                for (lane, value) in four.iter().enumerate() {
                    let delta = value - own.mean;
                    let square = delta * delta;
                    if let (Some(m2), Some(m3), Some(m4), Some(low), Some(high)) =
                        (m2.get_mut(lane), m3.get_mut(lane), m4.get_mut(lane), least.get_mut(lane), most.get_mut(lane))
                    {
                        *m2 += square;
                        *m3 += square * delta;
                        *m4 += square * square;
                        *low = low.min(*value);
                        *high = high.max(*value);
                    }
                }
            }
            own.m2 = m2.iter().sum();
            own.m3 = m3.iter().sum();
            own.m4 = m4.iter().sum();
            own.min = least.iter().copied().fold(f64::INFINITY, f64::min);
            own.max = most.iter().copied().fold(f64::NEG_INFINITY, f64::max);
            self.merge(&own);
        }
    }

    pub fn merge(&mut self, other: &Self) {
        if other.count == 0 {
            return;
        }
        if self.count == 0 {
            *self = *other;
            return;
        }
        let (a, b) = (self.count as f64, other.count as f64);
        let n = a + b;
        let delta = other.mean - self.mean;
        let by_n = delta / n;
        let m4 = self.m4
            + other.m4
            + delta * by_n * by_n * by_n * a * b * (a * a - a * b + b * b)
            + 6.0 * by_n * by_n * (a * a * other.m2 + b * b * self.m2)
            + 4.0 * by_n * (a * other.m3 - b * self.m3);
        let m3 = self.m3 + other.m3 + delta * by_n * by_n * a * b * (a - b) + 3.0 * by_n * (a * other.m2 - b * self.m2);
        *self = Self {
            count: self.count + other.count,
            mean: self.mean + by_n * b,
            m2: self.m2 + other.m2 + delta * by_n * a * b,
            m3,
            m4,
            min: self.min.min(other.min),
            max: self.max.max(other.max),
            sum: self.sum + other.sum,
        };
    }

    /// The sample's variance, with `n - 1` below; not a number for fewer than two values.
    pub fn variance(&self) -> f64 {
        if self.count < 2 { f64::NAN } else { self.m2 / (self.count - 1) as f64 }
    }

    pub fn deviation(&self) -> f64 {
        self.variance().sqrt()
    }

    /// The mean, or not a number when there is nothing.
    pub fn mean(&self) -> f64 {
        if self.count == 0 { f64::NAN } else { self.sum / self.count as f64 }
    }

    pub fn skewness(&self) -> f64 {
        let n = self.count as f64;
        if self.m2 > 0.0 { n.sqrt() * self.m3 / self.m2.powf(1.5) } else { f64::NAN }
    }

    /// Excess kurtosis: 0 for a normal distribution.
    pub fn kurtosis(&self) -> f64 {
        let n = self.count as f64;
        if self.m2 > 0.0 { n * self.m4 / (self.m2 * self.m2) - 3.0 } else { f64::NAN }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn close(a: f64, b: f64) -> bool {
        (a - b).abs() <= 1e-9 * (1.0 + a.abs().max(b.abs()))
    }

    proptest! {
        #[test]
        fn merging_is_associative_and_equals_one_pass(
            values in prop::collection::vec(-1e3f64..1e3, 0..300), cut in 0usize..300, second in 0usize..300
        ) {
            let (low, high) = (cut.min(second).min(values.len()), cut.max(second).min(values.len()));
            let part = |range: &[f64]| { let mut m = Moments::default(); m.add_all(range); m };
            let (a, b, c) = (part(&values[..low]), part(&values[low..high]), part(&values[high..]));
            let (mut left, mut right) = (a, b);
            left.merge(&b);
            left.merge(&c);
            right.merge(&c);
            let mut other = a;
            other.merge(&right);
            let mut one = Moments::default();
            values.iter().for_each(|v| one.add(*v));
            for merged in [left, other] {
                prop_assert_eq!(merged.count, one.count);
                prop_assert!(close(merged.mean, one.mean) && close(merged.m2, one.m2) && close(merged.sum, one.sum));
                prop_assert!((merged.m3 - one.m3).abs() <= 1e-9 * (1.0 + one.m2.powf(1.5)));
                prop_assert!((merged.m4 - one.m4).abs() <= 1e-9 * (1.0 + one.m2 * one.m2));
                prop_assert_eq!(merged.min.to_bits(), one.min.to_bits());
            }
        }
    }
}
