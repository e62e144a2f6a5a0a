//! The maximum mean discrepancy of two samples of numbers under a Gaussian kernel (Gretton,
//! Borgwardt, Rasch, Schölkopf and Smola, "A kernel two-sample test"), on a sample of each, with a
//! permutation test.

use lockgate_core::SplitMix64;

use super::ranks::Measured;

/// Values of each sample that are compared.
const SAMPLE: usize = 100;
const PERMUTATIONS: u32 = 200;

/// The unbiased estimate of the squared discrepancy, and its p-value by permutation. The same
/// data gives the same answer.
pub fn maximum_mean_discrepancy(x: &[f64], y: &[f64]) -> Option<Measured> {
    let (x, y) = (evenly(x), evenly(y));
    let (m, n) = (x.len(), y.len());
    if m < 2 || n < 2 {
        return None;
    }
    let all: Vec<f64> = x.into_iter().chain(y).filter(|value| value.is_finite()).collect();
    if all.len() != m + n {
        return None;
    }
    let width = median_distance(&all)?;
    let kernel: Vec<f64> =
        all.iter().flat_map(|a| all.iter().map(move |b| (-(a - b).powi(2) / (2.0 * width * width)).exp())).collect();
    let size = all.len();
    let mut order: Vec<usize> = (0..size).collect();
    let statistic = discrepancy(&kernel, size, &order, m);
    let mut random = SplitMix64::new(0x6b65_726e_656c);
    let mut exceeding = 0u32;
    for _ in 0..PERMUTATIONS {
        for last in (1..size).rev() {
            order.swap(last, random.below(last as u64 + 1) as usize);
        }
        if discrepancy(&kernel, size, &order, m) >= statistic {
            exceeding += 1;
        }
    }
    Some(Measured::test(statistic, f64::from(exceeding + 1) / f64::from(PERMUTATIONS + 1)))
}

/// Values at equal steps of a sorted sample.
fn evenly(sample: &[f64]) -> Vec<f64> {
    if sample.len() <= SAMPLE {
        return sample.to_vec();
    }
    (0..SAMPLE).filter_map(|i| sample.get((i * 2 + 1) * sample.len() / (2 * SAMPLE)).copied()).collect()
}

/// The usual width of the kernel: the median distance of different values.
fn median_distance(all: &[f64]) -> Option<f64> {
    let mut distances: Vec<f64> = all
        .iter()
        .enumerate()
        .flat_map(|(i, a)| all.iter().skip(i + 1).map(move |b| (a - b).abs()))
        .filter(|distance| *distance > 0.0)
        .collect();
    let middle = distances.len() / 2;
    if distances.is_empty() {
        return None;
    }
    let (_, median, _) = distances.select_nth_unstable_by(middle, f64::total_cmp);
    Some(*median)
}

fn discrepancy(kernel: &[f64], size: usize, order: &[usize], m: usize) -> f64 {
    let (mut xx, mut yy, mut xy) = (0.0, 0.0, 0.0);
    for (place, i) in order.iter().enumerate() {
        let row = kernel.get(i * size..(i + 1) * size).unwrap_or_default();
        for (other, j) in order.iter().enumerate().skip(place + 1) {
            let value = row.get(*j).copied().unwrap_or(0.0);
            match (place < m, other < m) {
                (true, true) => xx += value,
                (false, false) => yy += value,
                _ => xy += value,
            }
        }
    }
    let (m, n) = (m as f64, (size - m) as f64);
    2.0 * xx / (m * (m - 1.0)) + 2.0 * yy / (n * (n - 1.0)) - 2.0 * xy / (m * n)
}
