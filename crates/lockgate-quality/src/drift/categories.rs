//! Two samples of categories, compared by their counts.

use statrs::{
    distribution::{ChiSquared, ContinuousCDF as _},
    function::factorial::ln_binomial,
};

use super::ranks::{Measured, two_sided};

/// Up to so many rows Fisher's test is exact for a table of two by two.
pub(crate) const FISHER_ROWS_MAX: f64 = 20_000.0;
/// Shares of nothing count as this much where a logarithm is taken, as Evidently does.
const SHARE_MIN: f64 = 0.0001;

/// Counts of each category in both samples.
#[derive(Clone, Copy, Debug)]
pub struct Counts<'c>(pub &'c [(f64, f64)]);

impl Counts<'_> {
    fn totals(&self) -> (f64, f64) {
        self.0.iter().fold((0.0, 0.0), |sum, count| (sum.0 + count.0, sum.1 + count.1))
    }

    fn shares(&self) -> impl Iterator<Item = (f64, f64)> + '_ {
        // Of nothing every share is nothing.
        let share = |part: f64, whole: f64| if whole > 0.0 { part / whole } else { 0.0 };
        let (x, y) = self.totals();
        self.0.iter().map(move |(a, b)| (share(*a, x), share(*b, y)))
    }

    /// Pearson's chi-square test that both samples have one distribution.
    pub fn chi_square(&self) -> Option<Measured> {
        self.against_expected(|observed, expected| (observed - expected).powi(2) / expected)
    }

    /// The G-test: twice the log-likelihood ratio.
    pub fn g_test(&self) -> Option<Measured> {
        self.against_expected(
            |observed, expected| {
                if observed == 0.0 { 0.0 } else { 2.0 * observed * (observed / expected).ln() }
            },
        )
    }

    fn against_expected(&self, part: impl Fn(f64, f64) -> f64) -> Option<Measured> {
        let (x, y) = self.totals();
        let all = x + y;
        let used: Vec<&(f64, f64)> = self.0.iter().filter(|(a, b)| a + b > 0.0).collect();
        if used.len() < 2 || x == 0.0 || y == 0.0 {
            return None;
        }
        let statistic: f64 = used.iter().map(|(a, b)| part(*a, (a + b) * x / all) + part(*b, (a + b) * y / all)).sum();
        let freedom = (used.len() - 1) as f64;
        Some(Measured::test(statistic, ChiSquared::new(freedom).ok()?.sf(statistic)))
    }

    /// Fisher's exact test of two by two, two-sided: the tables that are no more likely.
    pub fn fisher(&self) -> Option<Measured> {
        let [(a, b), (c, d)] = self.0 else { return None };
        let (rows, first, column) = (a + b + c + d, a + b, a + c);
        if rows == 0.0 || rows > FISHER_ROWS_MAX {
            return None;
        }
        let odds = a * d / (b * c);
        let whole = |value: f64| value as u64;
        let ln = |k: f64| {
            ln_binomial(whole(first), whole(k)) + ln_binomial(whole(rows - first), whole(column - k))
                - ln_binomial(whole(rows), whole(column))
        };
        let observed = ln(*a);
        let (low, high) = ((column - (rows - first)).max(0.0), first.min(column));
        let mut p = 0.0;
        let mut k = low;
        while k <= high {
            let probability = ln(k);
            if probability <= observed + 1e-7 {
                p += probability.exp();
            }
            k += 1.0;
        }
        Some(Measured::test(odds, p))
    }

    /// The z-test of two proportions, for two categories.
    pub fn z_of_proportions(&self) -> Option<Measured> {
        let [(a, b), _] = self.0 else { return None };
        let (x, y) = self.totals();
        let pooled = (a + b) / (x + y);
        let z = (a / x - b / y) / (pooled * (1.0 - pooled) * (1.0 / x + 1.0 / y)).sqrt();
        z.is_finite().then(|| Measured::test(z, two_sided(z)))
    }

    /// The population stability index; an empty share counts as a ten-thousandth.
    pub fn population_stability(&self) -> Measured {
        let sum = self.shares().map(|(p, q)| {
            let (p, q) = (p.max(SHARE_MIN), q.max(SHARE_MIN));
            (q - p) * (q / p).ln()
        });
        Measured::distance(sum.sum())
    }

    /// The Jensen-Shannon distance with logarithms to base two: 0 for equal, 1 for disjoint (Lin,
    /// "Divergence measures based on the Shannon entropy").
    pub fn jensen_shannon(&self) -> Measured {
        let divergence: f64 = self
            .shares()
            .map(|(p, q)| {
                let middle = f64::midpoint(p, q);
                let part = |share: f64| if share > 0.0 { share * (share / middle).log2() } else { 0.0 };
                f64::midpoint(part(p), part(q))
            })
            .sum();
        Measured::distance(divergence.max(0.0).sqrt())
    }

    /// The relative entropy of the second sample from the first, in nats; infinite when the
    /// second has what the first never has.
    pub fn kullback_leibler(&self) -> Measured {
        let sum = self.shares().map(|(p, q)| match () {
            () if q == 0.0 => 0.0,
            () if p == 0.0 => f64::INFINITY,
            () => q * (q / p).ln(),
        });
        Measured::distance(sum.sum())
    }

    /// Hellinger's distance: 0 for equal, 1 for disjoint.
    pub fn hellinger(&self) -> Measured {
        let sum: f64 = self.shares().map(|(p, q)| (p.sqrt() - q.sqrt()).powi(2)).sum();
        Measured::distance((sum / 2.0).sqrt())
    }

    /// The total variation distance: half the sum of the differences of the shares.
    pub fn total_variation(&self) -> Measured {
        Measured::distance(self.shares().map(|(p, q)| (p - q).abs()).sum::<f64>() / 2.0)
    }
}
