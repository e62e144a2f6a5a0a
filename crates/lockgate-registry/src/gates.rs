//! The judgement of a model on held-out rows: metrics, fairness between groups, robustness.

use std::collections::BTreeMap;

use lockgate_core::{Result, SplitMix64};
use serde::{Deserialize, Serialize};

/// One threshold and what was measured against it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Verdict {
    pub gate: String,
    pub measured: f64,
    /// The threshold in words, such as `at least 0.85`.
    pub threshold: String,
    pub passed: bool,
    /// A 95 % confidence interval, where there is one.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub interval: Option<(f64, f64)>,
    #[serde(skip_serializing_if = "String::is_empty", default)]
    pub note: String,
}

impl Verdict {
    /// At least `min`.
    pub fn at_least(gate: &str, measured: f64, min: f64) -> Self {
        // NaN passes nothing.
        Self {
            gate: gate.into(),
            measured,
            threshold: format!("at least {min}"),
            passed: measured >= min,
            interval: None,
            note: String::new(),
        }
    }

    /// At most `max`.
    pub fn at_most(gate: &str, measured: f64, max: f64) -> Self {
        Self {
            gate: gate.into(),
            measured,
            threshold: format!("at most {max}"),
            passed: measured <= max,
            interval: None,
            note: String::new(),
        }
    }

    pub fn with(mut self, interval: (f64, f64), note: String) -> Self {
        self.interval = Some(interval);
        self.note = note;
        self
    }
}

/// Everything that was measured.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Report {
    pub rows: u64,
    pub metrics: Option<Metrics>,
    pub groups: Vec<Group>,
    pub verdicts: Vec<Verdict>,
}

impl Report {
    pub fn passed(&self) -> bool {
        self.verdicts.iter().all(|verdict| verdict.passed)
    }
}

/// How well probabilities fit labels.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Metrics {
    pub roc_auc: f64,
    pub accuracy: f64,
    pub log_loss: f64,
    /// Expected calibration error over ten equal bins.
    pub calibration_error: f64,
}

/// How a model treats one group of an attribute.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Group {
    pub attribute: String,
    pub value: String,
    pub rows: u64,
    pub selection_rate: f64,
    pub true_positive_rate: f64,
    pub false_positive_rate: f64,
    /// Wilson's 95 % interval of the selection rate.
    pub selection_interval: (f64, f64),
    /// Too few rows to be judged.
    pub small: bool,
}

/// A probability counts as positive from here on.
const CUT: f32 = 0.5;
/// The normal quantile of 95 %.
const Z: f64 = 1.959_963_984_540_054;

pub fn metrics(probabilities: &[f32], labels: &[bool]) -> Metrics {
    let n = labels.len().max(1) as f64;
    let pairs = || probabilities.iter().copied().zip(labels.iter().copied());
    let correct = pairs().filter(|(p, l)| (*p >= CUT) == *l).count() as f64;
    let loss: f64 = pairs()
        .map(|(p, l)| {
            let p = f64::from(p).clamp(1e-15, 1.0 - 1e-15);
            -if l { p.ln() } else { (1.0 - p).ln() }
        })
        .sum();
    let mut bins = [(0.0f64, 0.0f64, 0.0f64); 10];
    for (p, l) in pairs() {
        let place = ((f64::from(p) * 10.0) as usize).min(9);
        if let Some(bin) = bins.get_mut(place) {
            bin.0 += 1.0;
            bin.1 += f64::from(p);
            bin.2 += f64::from(u8::from(l));
        }
    }
    let calibration_error = bins.iter().map(|(_, p, l)| (p - l).abs() / n).sum();
    Metrics { roc_auc: roc_auc(probabilities, labels), accuracy: correct / n, log_loss: loss / n, calibration_error }
}

/// The Mann-Whitney form of the area under the ROC curve, ties counted half.
pub fn roc_auc(probabilities: &[f32], labels: &[bool]) -> f64 {
    let mut order: Vec<(f32, bool)> = probabilities.iter().copied().zip(labels.iter().copied()).collect();
    order.sort_by(|a, b| a.0.total_cmp(&b.0));
    let positives = labels.iter().filter(|l| **l).count() as f64;
    let negatives = labels.len() as f64 - positives;
    let mut ranks = 0.0;
    let mut seen = 0usize;
    for ties in order.chunk_by(|a, b| a.0 == b.0) {
        let middle = seen as f64 + f64::midpoint(ties.len() as f64, 1.0);
        ranks += middle * ties.iter().filter(|(_, l)| *l).count() as f64;
        seen += ties.len();
    }
    (ranks - positives * (positives + 1.0) / 2.0) / (positives * negatives)
}

/// Rates of each group of an attribute.
pub fn groups(attribute: &str, values: &[String], probabilities: &[f32], labels: &[bool], min_rows: u64) -> Vec<Group> {
    #[derive(Default)]
    struct Counts {
        rows: f64,
        selected: f64,
        positives: f64,
        hits: f64,
        false_alarms: f64,
    }
    let mut counts: BTreeMap<&str, Counts> = BTreeMap::new();
    for ((value, p), label) in values.iter().zip(probabilities).zip(labels) {
        let count = counts.entry(value).or_default();
        let selected = f64::from(u8::from(*p >= CUT));
        count.rows += 1.0;
        count.selected += selected;
        if *label {
            count.positives += 1.0;
            count.hits += selected;
        } else {
            count.false_alarms += selected;
        }
    }
    counts
        .into_iter()
        .map(|(value, c)| Group {
            attribute: attribute.to_owned(),
            value: value.to_owned(),
            rows: c.rows as u64,
            selection_rate: c.selected / c.rows,
            true_positive_rate: c.hits / c.positives.max(1.0),
            false_positive_rate: c.false_alarms / (c.rows - c.positives).max(1.0),
            selection_interval: wilson(c.selected, c.rows),
            small: (c.rows as u64) < min_rows,
        })
        .collect()
}

/// Wilson's score interval (1927).
fn wilson(hits: f64, n: f64) -> (f64, f64) {
    let p = hits / n;
    let middle = (p + Z * Z / (2.0 * n)) / (1.0 + Z * Z / n);
    let half = Z / (1.0 + Z * Z / n) * (p * (1.0 - p) / n + Z * Z / (4.0 * n * n)).sqrt();
    (middle - half, middle + half)
}

/// The worst pair of groups: the two values, their difference and its Wald interval.
pub fn worst_difference(groups: &[Group], rate: impl Fn(&Group) -> f64) -> Option<(f64, (f64, f64), String)> {
    let judged = || groups.iter().filter(|g| !g.small);
    let low = judged().min_by(|a, b| rate(a).total_cmp(&rate(b)))?;
    let high = judged().max_by(|a, b| rate(a).total_cmp(&rate(b)))?;
    let difference = rate(high) - rate(low);
    let variance = |g: &Group| rate(g) * (1.0 - rate(g)) / g.rows.max(1) as f64;
    let half = Z * (variance(high) + variance(low)).sqrt();
    Some((
        difference,
        (difference - half, difference + half),
        format!("{}: {} against {}", high.attribute, high.value, low.value),
    ))
}

/// The least ratio of selection rates, with the interval of Katz et al. (1978).
pub fn disparate_impact(groups: &[Group]) -> Option<(f64, (f64, f64), String)> {
    let judged = || groups.iter().filter(|g| !g.small);
    let low = judged().min_by(|a, b| a.selection_rate.total_cmp(&b.selection_rate))?;
    let high = judged().max_by(|a, b| a.selection_rate.total_cmp(&b.selection_rate))?;
    if high.selection_rate == 0.0 {
        return Some((1.0, (1.0, 1.0), "nobody is selected".into()));
    }
    let ratio = low.selection_rate / high.selection_rate;
    let part = |g: &Group| (1.0 - g.selection_rate) / (g.selection_rate * g.rows as f64);
    let half = Z * (part(low) + part(high)).sqrt();
    let interval = if low.selection_rate == 0.0 { (0.0, 1.0) } else { (ratio * (-half).exp(), ratio * half.exp()) };
    Some((ratio, interval, format!("{}: {} against {}", high.attribute, low.value, high.value)))
}

/// A reproducible source of disturbance: SplitMix64 and the Box-Muller transform.
pub struct Disturbance(SplitMix64);

impl Disturbance {
    pub fn new(seed: u64) -> Self {
        Self(SplitMix64::new(seed))
    }

    /// Uniform in [0, 1).
    pub fn uniform(&mut self) -> f64 {
        self.0.unit()
    }

    /// Normal with mean 0 and deviation 1, cut at three deviations so that it is bounded.
    pub fn normal(&mut self) -> f64 {
        let (a, b) = (self.uniform().max(f64::MIN_POSITIVE), self.uniform());
        ((-2.0 * a.ln()).sqrt() * (std::f64::consts::TAU * b).cos()).clamp(-3.0, 3.0)
    }
}

/// The artifact itself: it must load, and be no larger than allowed.
pub fn artifact(bytes: &[u8], max_mib: u64) -> (Verdict, Result<lockgate_infer::Model>) {
    let size = bytes.len() as f64 / f64::from(1 << 20);
    let model = lockgate_infer::Model::load(bytes);
    let mut verdict = Verdict::at_most("artifact", size, max_mib as f64);
    verdict.threshold = format!("ONNX of known operators, at most {max_mib} MiB");
    match &model {
        Ok(model) => verdict.note = format!("{} inputs", model.features().len()),
        Err(failure) => {
            verdict.passed = false;
            verdict.note = failure.to_string();
        }
    }
    (verdict, model)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn metrics_are_those_of_scikit_learn() {
        // sklearn.metrics on the same eight rows: roc_auc_score, accuracy_score, log_loss.
        let p = [0.1, 0.4, 0.35, 0.8, 0.8, 0.2, 0.6, 0.55];
        let y = [false, false, true, true, false, false, true, true];
        let m = metrics(&p, &y);
        assert!((m.roc_auc - 0.718_75).abs() < 1e-12, "{m:?}");
        assert!((m.accuracy - 0.75).abs() < 1e-12);
        assert!((m.log_loss - 0.603_799_487_9).abs() < 1e-6, "{m:?}");
        assert!((roc_auc(&[0.5; 4], &[true, false, true, false]) - 0.5).abs() < 1e-12);
    }

    #[test]
    fn groups_are_compared_pairwise_and_small_ones_left_out() {
        let values: Vec<String> =
            (0..300).map(|i| ["a", "b", "c"][usize::from(i >= 140) + usize::from(i >= 290)].into()).collect();
        let p: Vec<f32> = (0..300).map(|i| if i % 140 < 70 { 0.9 } else { 0.1 }).collect();
        let y: Vec<bool> = (0..300).map(|i| i % 2 == 0).collect();
        let all = groups("sex", &values, &p, &y, 100);
        assert_eq!(all.iter().map(|g| g.small).collect::<Vec<_>>(), [false, false, true]);
        let (difference, interval, pair) = worst_difference(&all, |g| g.selection_rate).unwrap();
        assert!(
            (difference - (80.0 / 150.0 - 0.5)).abs() < 1e-9 && interval.0 < difference && pair.contains("b against a")
        );
        assert!((disparate_impact(&all).unwrap().0 - 0.5 / (80.0 / 150.0)).abs() < 1e-9);
    }
}
