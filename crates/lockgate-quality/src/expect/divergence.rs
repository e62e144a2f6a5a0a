//! The Kullback-Leibler divergence of a column from an expected partition, with the hold-outs of
//! Great Expectations for what was not expected.

use hashbrown::HashMap;
use serde_json::{Value, json};

use super::kwargs::{Item, Kwargs};
use crate::{
    column::{Scalar, number_json},
    distinct::Distinct,
};

/// What is expected of the column's distribution.
#[derive(Clone, Debug)]
pub(crate) struct Divergence {
    pub(crate) partition: Partition,
    threshold: Option<f64>,
    tail_holdout: f64,
    internal_holdout: f64,
}

#[derive(Clone, Debug)]
pub(crate) enum Partition {
    Values { values: Vec<Item>, weights: Vec<f64> },
    Bins { bins: Vec<f64>, weights: Vec<f64>, tails: Option<(f64, f64)> },
}

/// Counts over bins.
#[derive(Clone, Debug, Default)]
pub(crate) struct Histogram {
    pub(crate) below: u64,
    pub(crate) counts: Vec<u64>,
    pub(crate) above: u64,
}

impl Histogram {
    /// Adds a number, as `numpy.histogram`: bins are half open, the last one is closed.
    pub(crate) fn add(&mut self, bins: &[f64], value: f64) {
        self.counts.resize(bins.len().saturating_sub(1), 0);
        let place = bins.partition_point(|edge| *edge <= value);
        if place == 0 {
            self.below += 1;
        } else if let Some(count) = self.counts.get_mut(place - 1) {
            *count += 1;
        } else if bins.last() == Some(&value) {
            if let Some(count) = self.counts.last_mut() {
                *count += 1;
            }
        } else {
            self.above += 1;
        }
    }

    pub(crate) fn merge(&mut self, other: &Self) {
        self.below += other.below;
        self.above += other.above;
        self.counts.resize(self.counts.len().max(other.counts.len()), 0);
        for (own, other) in self.counts.iter_mut().zip(&other.counts) {
            *own += other;
        }
    }
}

impl Divergence {
    pub(crate) fn parse(kwargs: &Kwargs<'_>) -> Result<Self, String> {
        let object = kwargs
            .object("partition_object")?
            .ok_or("partition_object is missing; an expectation against the data itself says nothing")?;
        let inner = Kwargs(object);
        let weights = numbers(&inner.list("weights")?)?;
        let sum: f64 = weights.iter().sum::<f64>();
        let partition = if object.contains_key("values") {
            let values = inner.list("values")?;
            if values.len() != weights.len() {
                return Err("partition_object: values and weights differ in length".into());
            }
            if (sum - 1.0).abs() > 1e-5 {
                return Err("partition_object: the weights must add up to 1".into());
            }
            Partition::Values { values, weights }
        } else {
            let bins = numbers(&inner.list("bins")?)?;
            let tails = match inner.0.get("tail_weights") {
                None => None,
                Some(_) => match numbers(&inner.list("tail_weights")?)?.as_slice() {
                    [low, high] => Some((*low, *high)),
                    _ => return Err("partition_object: tail_weights are two".into()),
                },
            };
            let whole = sum + tails.map_or(0.0, |(low, high)| low + high);
            let rising = bins.windows(2).all(|pair| matches!(pair, [a, b] if a < b));
            if bins.len() != weights.len() + 1 || !rising || (whole - 1.0).abs() > 1e-5 {
                return Err("partition_object: bins must rise, one more than weights, which add up to 1".into());
            }
            let open = bins.first() == Some(&f64::NEG_INFINITY) || bins.last() == Some(&f64::INFINITY);
            if open && tails.is_some() {
                return Err("partition_object: there are no tail weights beyond infinity".into());
            }
            Partition::Bins { bins, weights, tails }
        };
        let share = |key: &str| match kwargs.number(key)?.unwrap_or(0.0) {
            share if (0.0..=1.0).contains(&share) => Ok(share),
            _ => Err(format!("{key} must be between 0 and 1")),
        };
        let own = Self {
            threshold: kwargs.number("threshold")?,
            tail_holdout: share("tail_weight_holdout")?,
            internal_holdout: share("internal_weight_holdout")?,
            partition,
        };
        match &own.partition {
            Partition::Values { .. } if own.internal_holdout > 0.0 => {
                Err("internal_weight_holdout cannot be used for values".into())
            }
            Partition::Bins { tails: Some(_), .. } if own.tail_holdout > 0.0 => {
                Err("tail_weight_holdout must be 0 beside tail_weights".into())
            }
            Partition::Bins { bins, .. }
                if own.tail_holdout > 0.0
                    && bins.first() == Some(&f64::NEG_INFINITY)
                    && bins.last() == Some(&f64::INFINITY) =>
            {
                Err("tail_weight_holdout cannot be used for bins without ends".into())
            }
            _ => Ok(own),
        }
    }

    /// The verdict over values, from how often each occurs.
    pub(crate) fn over_values(
        &self,
        counts: &mut Distinct,
        hash: &dyn Fn(&Value) -> u128,
    ) -> lockgate_core::Result<(bool, Value)> {
        let Partition::Values { values, weights } = &self.partition else {
            return Ok((false, Value::Null));
        };
        let places: HashMap<u128, usize> =
            values.iter().enumerate().map(|(place, item)| (hash(&item.0), place)).collect();
        let mut observed = vec![0u64; values.len()];
        let (mut unexpected, mut rows) = (Vec::new(), 0);
        counts.visit(|hash, count, _| {
            rows += count;
            match places.get(&hash).and_then(|place| observed.get_mut(*place)) {
                Some(own) => *own = count,
                None => unexpected.push(count),
            }
        })?;
        let total = rows as f64;
        let scale = if unexpected.is_empty() { 1.0 } else { 1.0 - self.tail_holdout };
        let held = self.tail_holdout / unexpected.len().max(1) as f64;
        let pairs = observed
            .iter()
            .zip(weights)
            .map(|(count, weight)| (*count as f64 / total, weight * scale))
            .chain(unexpected.iter().map(|count| (*count as f64 / total, held)));
        let details = json!({
            "observed_weights": observed.iter().map(|count| number_json(*count as f64 / total)).collect::<Vec<_>>(),
            "expected_weights": weights,
            "unexpected_values": unexpected.len(),
        });
        Ok(self.verdict(entropy(pairs), details))
    }

    /// The verdict over bins.
    pub(crate) fn over_bins(&self, histogram: &Histogram) -> (bool, Value) {
        let Partition::Bins { bins, weights, tails } = &self.partition else {
            return (false, Value::Null);
        };
        let rows = histogram.below + histogram.above + histogram.counts.iter().sum::<u64>();
        let share = |count: u64| count as f64 / rows as f64;
        let empty = weights.iter().filter(|weight| **weight == 0.0).count();
        let kept = 1.0 - self.tail_holdout - self.internal_holdout;
        let expected = weights.iter().map(|weight| {
            if *weight == 0.0 && self.internal_holdout > 0.0 {
                self.internal_holdout / empty as f64
            } else {
                weight * kept
            }
        });
        let none = vec![0; weights.len()];
        let counts = if histogram.counts.is_empty() { &none } else { &histogram.counts };
        let mut pairs: Vec<(f64, f64)> = counts.iter().map(|count| share(*count)).zip(expected).collect();
        let (low, high) = (bins.first() == Some(&f64::NEG_INFINITY), bins.last() == Some(&f64::INFINITY));
        let holdout = if low || high { self.tail_holdout } else { self.tail_holdout / 2.0 };
        let (left, right) = tails.unwrap_or((holdout, holdout));
        if !low {
            pairs.insert(0, (share(histogram.below), left));
        }
        if !high {
            pairs.push((share(histogram.above), right));
        }
        let details = json!({
            "observed_weights": pairs.iter().map(|(p, _)| number_json(*p)).collect::<Vec<_>>(),
            "expected_weights": pairs.iter().map(|(_, q)| number_json(*q)).collect::<Vec<_>>(),
        });
        self.verdict(entropy(pairs.into_iter()), details)
    }

    fn verdict(&self, divergence: f64, details: Value) -> (bool, Value) {
        let observed = if divergence.is_finite() { number_json(divergence) } else { Value::Null };
        let success = self.threshold.is_none_or(|threshold| divergence <= threshold);
        (success, json!({"observed_value": observed, "details": details}))
    }
}

/// The relative entropy of the first distribution from the second, each scaled to 1, in nats.
fn entropy(pairs: impl Iterator<Item = (f64, f64)>) -> f64 {
    let pairs: Vec<(f64, f64)> = pairs.collect();
    let (p_sum, q_sum) = pairs.iter().fold((0.0, 0.0), |(p, q), pair| (p + pair.0, q + pair.1));
    pairs
        .iter()
        .map(|(p, q)| {
            let (p, q) = (p / p_sum, q / q_sum);
            match () {
                () if p.is_nan() || q.is_nan() => f64::NAN,
                () if p == 0.0 => 0.0,
                () if q == 0.0 => f64::INFINITY,
                () => p * (p / q).ln(),
            }
        })
        .sum()
}

fn numbers(items: &[Item]) -> Result<Vec<f64>, String> {
    items
        .iter()
        .map(|item| match &item.0 {
            // JSON has no infinity; both spellings occur.
            Value::String(text) => match text.as_str() {
                "Infinity" | "inf" => Some(f64::INFINITY),
                "-Infinity" | "-inf" => Some(f64::NEG_INFINITY),
                _ => None,
            },
            _ => item.number(),
        })
        .collect::<Option<_>>()
        .ok_or_else(|| "partition_object holds numbers".to_owned())
}

/// A value of the suite as a value of a column.
pub(crate) fn scalar(value: &Value) -> Scalar<'_> {
    match value {
        Value::Bool(value) => Scalar::Bool(*value),
        Value::Number(number) => {
            number.as_i64().map_or_else(|| number.as_f64().map_or(Scalar::Missing, Scalar::Float), Scalar::Int)
        }
        Value::String(text) => Scalar::Text(text),
        _ => Scalar::Missing,
    }
}
