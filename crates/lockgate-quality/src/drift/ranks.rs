//! Two samples of numbers, compared by rank and by distance.
//!
//! Each function names the paper; all agree with SciPy 1.17 where SciPy has the test.

use statrs::{
    distribution::{ContinuousCDF as _, Normal, StudentsT},
    function::erf::erfc,
};

use super::special::{cramer_von_mises_cdf, kolmogorov_sf};
use crate::Moments;

/// A statistic and, for a test, the probability of one at least as extreme without drift.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Measured {
    pub statistic: f64,
    pub p_value: Option<f64>,
}

impl Measured {
    pub(crate) fn test(statistic: f64, p_value: f64) -> Self {
        Self { statistic, p_value: Some(p_value.clamp(0.0, 1.0)) }
    }

    pub(crate) fn distance(statistic: f64) -> Self {
        Self { statistic, p_value: None }
    }
}

/// Two sorted samples without NaN, neither empty.
#[derive(Clone, Copy, Debug)]
pub struct Samples<'s> {
    x: &'s [f64],
    y: &'s [f64],
}

/// Up to this size, as SciPy, the two-sample Kolmogorov-Smirnov test is exact.
const KOLMOGOROV_EXACT_MAX: usize = 10_000;
/// The same for Cramér-von Mises.
const CRAMER_EXACT_MAX: usize = 20;
/// The same for Mann-Whitney, for the smaller sample.
const MANN_WHITNEY_EXACT_MAX: usize = 8;

/// A value that occurs: how often in each sample, and how many are smaller.
struct Step {
    value: f64,
    in_x: f64,
    in_y: f64,
    below_x: f64,
    below_y: f64,
}

impl<'s> Samples<'s> {
    /// `None` when a sample is empty or not sorted.
    pub fn new(x: &'s [f64], y: &'s [f64]) -> Option<Self> {
        let sorted = |s: &[f64]| s.windows(2).all(|pair| matches!(pair, [a, b] if a <= b));
        (!x.is_empty() && !y.is_empty() && sorted(x) && sorted(y)).then_some(Self { x, y })
    }

    fn sizes(&self) -> (f64, f64) {
        (self.x.len() as f64, self.y.len() as f64)
    }

    /// Calls `each` for every different value, in order.
    fn steps(&self, mut each: impl FnMut(&Step)) {
        let (mut i, mut j) = (0, 0);
        loop {
            let value = match (self.x.get(i), self.y.get(j)) {
                (Some(a), Some(b)) => a.min(*b),
                (Some(a), None) => *a,
                (None, Some(b)) => *b,
                (None, None) => return,
            };
            let run = |sample: &[f64], at: usize| sample.iter().skip(at).take_while(|v| **v == value).count();
            let (in_x, in_y) = (run(self.x, i), run(self.y, j));
            each(&Step { value, in_x: in_x as f64, in_y: in_y as f64, below_x: i as f64, below_y: j as f64 });
            i += in_x;
            j += in_y;
        }
    }

    /// Kolmogorov-Smirnov, two-sided (Hodges, "The significance probability of the Smirnov
    /// two-sample test", for the exact distribution).
    pub fn kolmogorov_smirnov(&self) -> Measured {
        let (m, n) = self.sizes();
        let mut most = 0.0f64;
        self.steps(|s| most = most.max(((s.below_x + s.in_x) / m - (s.below_y + s.in_y) / n).abs()));
        Measured::test(most, kolmogorov_p(most, self.x.len() as u64, self.y.len() as u64))
    }

    /// Cramér-von Mises (Anderson, "On the distribution of the two-sample Cramér-von Mises
    /// criterion"; Xiao, Gordon and Yakovlev for the exact distribution).
    pub fn cramer_von_mises(&self) -> Measured {
        let (m, n) = self.sizes();
        let (mut sx, mut sy) = (0.0, 0.0);
        self.steps(|s| {
            let rank = s.below_x + s.below_y + (s.in_x + s.in_y + 1.0) / 2.0;
            for k in 0..s.in_x as usize {
                sx += (rank - (s.below_x + k as f64 + 1.0)).powi(2);
            }
            for k in 0..s.in_y as usize {
                sy += (rank - (s.below_y + k as f64 + 1.0)).powi(2);
            }
        });
        let u = m * sx + n * sy;
        let (k, all) = (m * n, m + n);
        let t = u / (k * all) - (4.0 * k - 1.0) / (6.0 * all);
        let p = if self.x.len().max(self.y.len()) <= CRAMER_EXACT_MAX {
            cramer_exact(u, self.x.len() as i64, self.y.len() as i64)
        } else {
            let expected = (1.0 + 1.0 / all) / 6.0;
            let variance =
                (all + 1.0) * (4.0 * k * all - 3.0 * (m * m + n * n) - 2.0 * k) / (45.0 * all * all * 4.0 * k);
            let scaled = 1.0 / 6.0 + (t - expected) / (45.0 * variance).sqrt();
            if scaled < 0.003 { 1.0 } else { 1.0 - cramer_von_mises_cdf(scaled) }
        };
        Measured::test(t, p)
    }

    /// Anderson-Darling for two samples with ties (Scholz and Stephens, "K-sample Anderson-Darling
    /// tests", equation 7). The p-value is interpolated and stays between 0.001 and 0.25.
    pub fn anderson_darling(&self) -> Measured {
        let (m, n) = self.sizes();
        let all = m + n;
        if all < 4.0 {
            return Measured::test(f64::NAN, 0.25);
        }
        let (mut ax, mut ay, mut values) = (0.0, 0.0, 0u64);
        self.steps(|s| {
            values += 1;
            let ties = s.in_x + s.in_y;
            let before = s.below_x + s.below_y + ties / 2.0;
            let below = all * (s.below_x + s.in_x / 2.0) - before * m;
            let other = all * (s.below_y + s.in_y / 2.0) - before * n;
            let under = before * (all - before) - all * ties / 4.0;
            ax += ties / all * below * below / under;
            ay += ties / all * other * other / under;
        });
        if values < 2 {
            return Measured::test(f64::NAN, 0.25);
        }
        let a2 = (ax / m + ay / n) * (all - 1.0) / all;
        let k = 2.0;
        let inverse = 1.0 / m + 1.0 / n;
        let (mut h, mut g, mut sum) = (0.0, 0.0, 0.0);
        let count = all as u64;
        for i in (2..count).rev() {
            sum += 1.0 / i as f64;
            g += sum / (count - i + 1) as f64;
            h = sum;
        }
        h += 1.0;
        let a = (4.0 * g - 6.0) * (k - 1.0) + (10.0 - 6.0 * g) * inverse;
        let b = (2.0 * g - 4.0) * k * k + 8.0 * h * k + (2.0 * g - 14.0 * h - 4.0) * inverse - 8.0 * h + 4.0 * g - 6.0;
        let c = (6.0 * h + 2.0 * g - 2.0) * k * k + (4.0 * h - 4.0 * g + 6.0) * k + (2.0 * h - 6.0) * inverse + 4.0 * h;
        let d = (2.0 * h + 6.0) * k * k - 4.0 * h * k;
        let variance = (a * all.powi(3) + b * all.powi(2) + c * all + d) / ((all - 1.0) * (all - 2.0) * (all - 3.0));
        let statistic = (a2 - (k - 1.0)) / variance.sqrt();
        Measured::test(statistic, anderson_p(statistic))
    }

    /// Mann-Whitney's U of the first sample, two-sided, with correction for ties and continuity;
    /// exact when a sample is small and nothing is tied (Mann and Whitney, 1947).
    pub fn mann_whitney(&self) -> Measured {
        let (m, n) = self.sizes();
        let (mut u, mut tied) = (0.0, 0.0);
        self.steps(|s| {
            u += s.in_x * (s.below_y + s.in_y / 2.0);
            let t = s.in_x + s.in_y;
            tied += t * t * t - t;
        });
        let most = u.max(m * n - u);
        let small = self.x.len().min(self.y.len()) <= MANN_WHITNEY_EXACT_MAX;
        let p = if small && tied == 0.0 {
            2.0 * mann_whitney_sf(most as usize, self.x.len(), self.y.len())
        } else {
            let all = m + n;
            let deviation = (m * n / 12.0 * ((all + 1.0) - tied / (all * (all - 1.0)))).sqrt();
            let z = (most - m * n / 2.0 - 0.5) / deviation;
            erfc(z / std::f64::consts::SQRT_2)
        };
        Measured::test(u, if p.is_nan() { 1.0 } else { p })
    }

    /// The area between the cumulative distributions: Wasserstein's distance of order one, in
    /// units of the column.
    pub fn wasserstein(&self) -> Measured {
        Measured::distance(self.area(f64::abs))
    }

    /// Székely's energy distance (Rizzo and Székely, "Energy distance").
    pub fn energy(&self) -> Measured {
        Measured::distance((2.0 * self.area(|difference| difference * difference)).sqrt())
    }

    fn area(&self, weigh: impl Fn(f64) -> f64) -> f64 {
        let (m, n) = self.sizes();
        let (mut area, mut before) = (0.0, None::<(f64, f64)>);
        self.steps(|s| {
            if let Some((value, difference)) = before {
                area += weigh(difference) * (s.value - value);
            }
            before = Some((s.value, (s.below_x + s.in_x) / m - (s.below_y + s.in_y) / n));
        });
        area
    }

    /// Counts of both samples over bins of equal count of the first, for distances that need
    /// categories.
    pub fn binned(&self, bins: usize) -> Vec<(f64, f64)> {
        let mut edges: Vec<f64> = (1..bins)
            .filter_map(|bin| self.x.get((self.x.len() * bin / bins).min(self.x.len() - 1)).copied())
            .collect();
        edges.dedup();
        let mut counts = vec![(0.0, 0.0); edges.len() + 1];
        let place = |value: f64| edges.partition_point(|edge| *edge <= value);
        for value in self.x {
            if let Some(count) = counts.get_mut(place(*value)) {
                count.0 += 1.0;
            }
        }
        for value in self.y {
            if let Some(count) = counts.get_mut(place(*value)) {
                count.1 += 1.0;
            }
        }
        counts
    }
}

/// The p-value of a two-sample Kolmogorov-Smirnov statistic.
pub(crate) fn kolmogorov_p(statistic: f64, m: u64, n: u64) -> f64 {
    if m.max(n) <= KOLMOGOROV_EXACT_MAX as u64 {
        return kolmogorov_exact(statistic, m, n);
    }
    let (a, b) = (m.max(n) as f64, m.min(n) as f64);
    kolmogorov_sf((a * b / (a + b)).round(), statistic)
}

/// Welch's t-test (Welch, "The generalization of 'Student's' problem").
pub fn welch(x: &Moments, y: &Moments) -> Option<Measured> {
    let (a, b) = (x.variance() / x.count as f64, y.variance() / y.count as f64);
    let deviation = (a + b).sqrt();
    if !deviation.is_finite() || deviation == 0.0 {
        return None;
    }
    let t = (x.mean - y.mean) / deviation;
    let freedom = (a + b).powi(2) / (a * a / (x.count - 1) as f64 + b * b / (y.count - 1) as f64);
    let p = 2.0 * StudentsT::new(0.0, 1.0, freedom).ok()?.sf(t.abs());
    Some(Measured::test(t, p))
}

/// The z-test of two means, for large samples.
pub fn z_of_means(x: &Moments, y: &Moments) -> Option<Measured> {
    let deviation = (x.variance() / x.count as f64 + y.variance() / y.count as f64).sqrt();
    let z = (x.mean - y.mean) / deviation;
    z.is_finite().then(|| Measured::test(z, two_sided(z)))
}

pub(crate) fn two_sided(z: f64) -> f64 {
    Normal::standard().sf(z.abs()) * 2.0
}

/// The share of lattice paths that leave the band, by Hodges' recursion; `O(m n)`.
fn kolmogorov_exact(statistic: f64, m: u64, n: u64) -> f64 {
    let (m, n) = (m.max(n) as i64, m.min(n) as i64);
    let gcd = gcd(m, n);
    let (mg, ng) = (m / gcd, n / gcd);
    let h = (statistic * (m * ng) as f64).round() as i64;
    if h == 0 {
        return 1.0;
    }
    let ceil = |a: i64, b: i64| a.div_euclid(b) + i64::from(a.rem_euclid(b) != 0);
    let (mut least, mut most) = (0, ceil(h, mg).min(n + 1));
    let mut length = most - least;
    let room = (2 * most + 2).min(n + 1).max(1) as usize;
    let mut outside = vec![1.0f64; room];
    for place in outside.iter_mut().take(most as usize) {
        *place = 0.0;
    }
    for i in 1..=m {
        let (last_least, last_length) = (least, length);
        least = ((ng * i - h).div_euclid(mg) + 1).max(0).min(n);
        most = ceil(ng * i + h, mg).min(n + 1);
        if most <= least {
            return 1.0;
        }
        let mut value = if least == 0 { 0.0 } else { 1.0 };
        for offset in 0..(most - least) {
            let j = offset + least;
            let before = outside.get((offset + least - last_least) as usize).copied().unwrap_or(1.0);
            value = (before * i as f64 + value * j as f64) / (i + j) as f64;
            if let Some(place) = outside.get_mut(offset as usize) {
                *place = value;
            }
        }
        length = most - least;
        for offset in length..last_length.max(length) {
            if let Some(place) = outside.get_mut(offset as usize) {
                *place = 1.0;
            }
        }
    }
    outside.get((most - least - 1) as usize).copied().unwrap_or(1.0)
}

fn gcd(a: i64, b: i64) -> i64 {
    if b == 0 { a } else { gcd(b, a % b) }
}

fn cramer_exact(u: f64, m: i64, n: i64) -> f64 {
    use std::collections::BTreeMap;
    let lcm = m / gcd(m, n) * n;
    let (a, b) = (lcm / m, lcm / n);
    let mn = i128::from(m * n);
    let twice = (u * 2.0).round() as i128;
    let wide = i128::from(lcm) * i128::from(lcm) * i128::from(m + n);
    let zeta = (wide * (3 * twice - mn * (4 * mn - 1))).div_euclid(6 * mn * mn);
    let mut rows: Vec<BTreeMap<i64, f64>> = vec![BTreeMap::new(); m as usize + 1];
    if let Some(first) = rows.first_mut() {
        first.insert(0, 1.0);
    }
    for step in 0..=n {
        let mut carried: BTreeMap<i64, f64> = BTreeMap::new();
        for (v, row) in rows.iter_mut().enumerate() {
            for (value, count) in std::mem::take(row) {
                *carried.entry(value).or_default() += count;
            }
            let shift = (a * v as i64 - b * step).pow(2);
            carried = carried.into_iter().map(|(value, count)| (value + shift, count)).collect();
            row.clone_from(&carried);
        }
    }
    let last = rows.pop().unwrap_or_default();
    let all: f64 = last.values().sum();
    last.iter().filter(|(value, _)| i128::from(**value) >= zeta).map(|(_, count)| count).sum::<f64>() / all
}

fn anderson_p(statistic: f64) -> f64 {
    const LEVELS: [f64; 7] = [0.25, 0.1, 0.05, 0.025, 0.01, 0.005, 0.001];
    const B0: [f64; 7] = [0.675, 1.281, 1.645, 1.96, 2.326, 2.573, 3.085];
    const B1: [f64; 7] = [-0.245, 0.25, 0.678, 1.149, 1.822, 2.364, 3.615];
    const B2: [f64; 7] = [-0.105, -0.305, -0.362, -0.391, -0.396, -0.345, -0.154];
    let critical: Vec<f64> = B0.iter().zip(B1).zip(B2).map(|((b0, b1), b2)| b0 + b1 + b2).collect();
    if critical.first().is_none_or(|least| statistic < *least) {
        return 0.25;
    }
    if critical.last().is_some_and(|most| statistic > *most) {
        return 0.001;
    }
    let logs: Vec<f64> = LEVELS.iter().map(|level| level.ln()).collect();
    let [c0, c1, c2] = parabola(&critical, &logs);
    (c0 + statistic * (c1 + statistic * c2)).exp()
}

/// The least-squares parabola through points: constant, linear and quadratic coefficient.
fn parabola(xs: &[f64], ys: &[f64]) -> [f64; 3] {
    // Centred, so that the normal equations stay well conditioned.
    let centre = xs.iter().sum::<f64>() / xs.len() as f64;
    let mut s = [0.0; 5];
    let mut t = [0.0; 3];
    for (x, y) in xs.iter().zip(ys) {
        let x = x - centre;
        for (power, sum) in s.iter_mut().enumerate() {
            *sum += x.powi(power as i32);
        }
        for (power, sum) in t.iter_mut().enumerate() {
            *sum += y * x.powi(power as i32);
        }
    }
    let [s0, s1, s2, s3, s4] = s;
    let [t0, t1, t2] = t;
    let det = s0 * (s2 * s4 - s3 * s3) - s1 * (s1 * s4 - s2 * s3) + s2 * (s1 * s3 - s2 * s2);
    let a = (t0 * (s2 * s4 - s3 * s3) - s1 * (t1 * s4 - t2 * s3) + s2 * (t1 * s3 - t2 * s2)) / det;
    let b = (s0 * (t1 * s4 - t2 * s3) - t0 * (s1 * s4 - s2 * s3) + s2 * (s1 * t2 - s2 * t1)) / det;
    let c = (s0 * (s2 * t2 - s3 * t1) - s1 * (s1 * t2 - s2 * t1) + t0 * (s1 * s3 - s2 * s2)) / det;
    [a - b * centre + c * centre * centre, b - 2.0 * c * centre, c]
}

/// The probability that U is at least `u`, all orders being equally likely.
fn mann_whitney_sf(u: usize, m: usize, n: usize) -> f64 {
    let (small, large) = (m.min(n), m.max(n));
    let size = small * large + 1;
    // Partitions into at most `small` parts of at most `large`, as Gaussian binomials: the
    // product of (1 - q^(large + i)) / (1 - q^i).
    let mut counts = vec![0.0f64; size];
    if let Some(first) = counts.first_mut() {
        *first = 1.0;
    }
    for i in 1..=small {
        let up = large + i;
        for place in (up..size).rev() {
            let before = counts.get(place - up).copied().unwrap_or(0.0);
            if let Some(count) = counts.get_mut(place) {
                *count -= before;
            }
        }
        for place in i..size {
            let before = counts.get(place - i).copied().unwrap_or(0.0);
            if let Some(count) = counts.get_mut(place) {
                *count += before;
            }
        }
    }
    let all: f64 = counts.iter().sum();
    counts.iter().skip(u).sum::<f64>() / all
}
