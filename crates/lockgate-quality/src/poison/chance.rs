//! What chance allows: scores of a clean sample, and how unlikely those of a batch are beside them.

use statrs::{
    distribution::{Binomial, DiscreteCDF as _},
    function::{erf::erfc, gamma::ln_gamma},
};

/// Shares of clean rows beyond the thresholds that are tried.
const TAILS: [f64; 5] = [0.1, 0.03, 0.01, 0.003, 0.001];
/// A row is held to be guilty where it is more likely guilty than not.
const FALSE_SHARE_MAX: f64 = 0.5;

/// The scores that clean rows have.
#[derive(Clone, Debug)]
pub(crate) struct Null {
    /// Ascending.
    scores: Vec<f32>,
    /// From here on the tail is taken to fall exponentially (Pickands, 1975: excesses over a high
    /// threshold), at `scale`.
    threshold: f32,
    beyond: f64,
    scale: f64,
    /// Mean and deviation, where a little more of the score in many rows tells something, too.
    summed: Option<(f64, f64)>,
}

/// How a batch's scores look beside those of clean rows.
#[derive(Clone, Debug)]
pub(crate) struct Verdict {
    pub(crate) p_value: f64,
    /// Rows (or groups) that are more likely guilty than not, the highest score first.
    pub(crate) guilty: Vec<usize>,
    /// How many clean ones would have such a score.
    pub(crate) expected: f64,
}

impl Default for Verdict {
    /// Nothing was found.
    fn default() -> Self {
        Self { p_value: 1.0, guilty: Vec::new(), expected: 0.0 }
    }
}

impl Null {
    /// `scale_min` is the least that a tail's scores are taken to spread by: a clean sample without
    /// any spread must not turn the first small score into a certainty.
    pub(crate) fn new(mut scores: Vec<f32>, tail: f64, scale_min: f64) -> Self {
        scores.sort_unstable_by(f32::total_cmp);
        let n = scores.len();
        let place = ((n as f64 * tail).ceil() as usize).clamp(10.min(n), n);
        let threshold = scores.get(n - place).copied().unwrap_or(0.0);
        // Scores that are no higher say nothing of how the tail falls, and few say it vaguely.
        let beyond = n - scores.partition_point(|score| *score <= threshold);
        let excess: f64 = scores.iter().rev().take(beyond).map(|score| f64::from(score - threshold)).sum();
        let excess = excess / beyond.max(1) as f64 * (1.0 + 1.0 / (beyond.max(1) as f64).sqrt());
        // Without any clean score nothing is known but the shape.
        let beyond = if n == 0 { 1.0 } else { beyond.max(1) as f64 / n as f64 };
        Self { scores, threshold, beyond, scale: excess.max(scale_min), summed: None }
    }

    /// The same, with the mean of all scores as a further test.
    pub(crate) fn summed(mut self) -> Self {
        let n = self.scores.len().max(2) as f64;
        let mean = self.scores.iter().map(|score| f64::from(*score)).sum::<f64>() / n;
        let variance = self.scores.iter().map(|score| (f64::from(*score) - mean).powi(2)).sum::<f64>() / (n - 1.0);
        self.summed = Some((mean, variance.sqrt()));
        self
    }

    /// How many clean scores are at least `score`.
    fn at_least(&self, score: f32) -> usize {
        self.scores.len() - self.scores.partition_point(|own| *own < score)
    }

    /// The share of clean ones that would reach `score`, from the tail's shape beyond what was seen.
    pub(crate) fn tail(&self, score: f32) -> f64 {
        let seen = self.at_least(score) as f64 / self.scores.len().max(1) as f64;
        if score <= self.threshold {
            return seen;
        }
        // Many may share one high score, which no smooth tail tells of.
        seen.max(self.beyond * (-f64::from(score - self.threshold) / self.scale).exp())
    }

    /// The verdict on rows: whether more of them are beyond some threshold than chance allows, or
    /// one is too far beyond all of them; at once, by Bonferroni's correction.
    pub(crate) fn judge(&self, scores: &[f32]) -> Verdict {
        let (n, m) = (scores.len(), self.scores.len());
        if n == 0 || m == 0 {
            return Verdict::default();
        }
        let mut order: Vec<usize> = (0..n).collect();
        let score = |row: usize| scores.get(row).copied().unwrap_or(0.0);
        order.sort_unstable_by(|a, b| score(*b).total_cmp(&score(*a)));
        let highest = order.first().map_or(0.0, |row| score(*row));
        let mut least = at_least_one(self.tail(highest), n);
        for tail in TAILS {
            let place = m - ((m as f64 * tail).ceil() as usize).clamp(1, m);
            let Some(threshold) = self.scores.get(place).copied() else { continue };
            let clean = m - self.scores.partition_point(|own| *own <= threshold);
            let beyond = order.partition_point(|row| score(*row) > threshold);
            least = least.min(more_than(beyond, n, clean, m));
        }
        let mut tests = TAILS.len() + 1;
        if let Some((mean, deviation)) = self.summed.filter(|(_, deviation)| *deviation > 0.0) {
            let own = scores.iter().map(|score| f64::from(*score)).sum::<f64>() / n as f64;
            let z = (own - mean) / (deviation * (1.0 / n as f64 + 1.0 / m as f64).sqrt());
            least = least.min(erfc(z / std::f64::consts::SQRT_2) / 2.0);
            tests += 1;
        }
        let p_value = (least * tests as f64).min(1.0);
        let (count, expected) = self.cut(&order, score);
        order.truncate(count);
        Verdict { p_value, guilty: order, expected }
    }

    /// How many of the highest scores are more likely guilty than not, and how many of those chance
    /// would put there: where the rows least the clean ones, counted so that one more guilty row
    /// weighs as much as one more clean one, are most.
    fn cut(&self, order: &[usize], score: impl Fn(usize) -> f32) -> (usize, f64) {
        let (n, m) = (order.len() as f64, self.scores.len() as f64);
        let (mut best, mut gain) = ((0, 0.0), 0.0);
        for (index, row) in order.iter().enumerate() {
            let own = score(*row);
            // Rows of one score stand or fall together.
            if order.get(index + 1).is_some_and(|next| score(*next) == own) {
                continue;
            }
            let seen = self.at_least(own) as f64;
            // Where no clean one was seen, one more would have been at most.
            let clean = (self.tail(own) * m).min(seen + 1.0);
            let expected = n * clean / m;
            let here = (index + 1) as f64 - expected / FALSE_SHARE_MAX;
            if here > gain {
                (best, gain) = ((index + 1, expected), here);
            }
            if expected > n * 0.2 {
                break;
            }
        }
        best
    }

    /// The verdict on groups of rows, each of which is a hypothesis of its own.
    pub(crate) fn judge_groups(&self, scores: &[f32], alpha: f64) -> Verdict {
        let all = scores.len();
        let highest = scores.iter().copied().fold(0.0, f32::max);
        let mut guilty: Vec<usize> = (0..all)
            .filter(|group| scores.get(*group).is_some_and(|s| at_least_one(self.tail(*s), all) < alpha))
            .collect();
        guilty.sort_by(|a, b| {
            let score = |group: &usize| scores.get(*group).copied().unwrap_or(0.0);
            score(b).total_cmp(&score(a))
        });
        let p_value = if all == 0 { 1.0 } else { at_least_one(self.tail(highest), all) };
        Verdict { p_value, guilty, expected: alpha }
    }
}

/// The probability that at least one of `n` is as unlikely as `p`.
fn at_least_one(p: f64, n: usize) -> f64 {
    -(n as f64 * (-p.min(1.0)).ln_1p()).exp_m1()
}

/// The probability of `k` of `n` or more where `clean` of `m` clean ones were seen: given both
/// together, how they divide (Przyborowski and Wilenski, 1940).
pub(crate) fn more_than(k: usize, n: usize, clean: usize, m: usize) -> f64 {
    if k == 0 {
        return 1.0;
    }
    let share = n as f64 / (n + m) as f64;
    Binomial::new(share, (k + clean) as u64).map_or(1.0, |chance| chance.sf(k as u64 - 1))
}

/// The common logarithm of the probability of `count` or more where `mean` are expected, negated;
/// 0 where no more than that came.
pub(crate) fn surprise_of_count(count: u64, mean: f64) -> f64 {
    let k = count as f64;
    if k <= mean || mean <= 0.0 {
        return 0.0;
    }
    let (mut sum, mut term) = (1.0, 1.0);
    for step in 1..200 {
        term *= mean / (k + f64::from(step));
        sum += term;
        if term < 1e-12 * sum {
            break;
        }
    }
    (mean - k * mean.ln() + ln_gamma(k + 1.0) - f64::ln(sum)) / std::f64::consts::LN_10
}

/// The same for `hits` of `n` where a share `mean` of them is expected, from Hoeffding's bound
/// (1963), which never says too much.
pub(crate) fn surprise_of_share(hits: f64, n: f64, mean: f64) -> f64 {
    let (share, mean) = (hits / n, mean.clamp(1e-6, 1.0 - 1e-6));
    if share <= mean {
        return 0.0;
    }
    let part = |x: f64, y: f64| if x <= 0.0 { 0.0 } else { x * (x / y).ln() };
    n * (part(share, mean) + part(1.0 - share, 1.0 - mean)) / std::f64::consts::LN_10
}

#[cfg(test)]
mod tests {
    use lockgate_core::SplitMix64;

    use super::*;

    #[test]
    fn counts_and_shares_surprise_as_tables_say() {
        // P(X >= 5 | 1) = 0.003660, P(X >= 10 | 0.1) = 2.51e-17.
        assert!((surprise_of_count(5, 1.0) - 2.4365).abs() < 1e-3);
        assert!((surprise_of_count(10, 0.1) - 16.60).abs() < 0.01);
        assert_eq!(surprise_of_count(2, 3.0), 0.0);
        // 0.2 to the tenth.
        assert!((surprise_of_share(10.0, 10.0, 0.2) - 6.9897).abs() < 1e-3);
        assert_eq!(surprise_of_share(1.0, 10.0, 0.2), 0.0);
    }

    #[test]
    fn clean_rows_are_rarely_refused_and_planted_ones_always() {
        let mut random = SplitMix64::new(1);
        let mut exponential = |n: usize| -> Vec<f32> { (0..n).map(|_| -(1.0 - random.unit()).ln() as f32).collect() };
        let null = Null::new(exponential(5_000), 0.01, 0.01);
        let alarms = (0..400).filter(|_| null.judge(&exponential(1_000)).p_value < 0.01).count();
        assert!(alarms <= 8, "{alarms} of 400 at 1 %");
        let mut planted = exponential(1_000);
        for row in planted.iter_mut().take(10) {
            *row += 12.0;
        }
        let verdict = null.judge(&planted);
        assert!(verdict.p_value < 1e-4);
        let right = verdict.guilty.iter().filter(|row| **row < 10).count();
        assert!(right == 10 && verdict.guilty.len() <= 20, "{right} of {}", verdict.guilty.len());
    }
}
