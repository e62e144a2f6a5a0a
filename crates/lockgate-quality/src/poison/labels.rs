//! Labels that do not fit their rows: a model of the baseline, and the neighbours in it.

#![expect(clippy::indexing_slicing, reason = "vectors whose lengths are fixed when they are made")]

use lockgate_core::SplitMix64;

use super::encode::{Block, CODES, NO_CLASS};

/// Words share so many weights.
const TOKEN_WEIGHTS: u64 = 4_096;
const EPOCHS: usize = 8;
const RATE: f32 = 0.3;
const PENALTY: f32 = 1e-5;
/// The score of a label that the baseline does not have, or that is missing: more than any other.
const NEW_CLASS: f32 = 20.0;
/// Rows of the baseline that neighbours are looked for among.
const NEIGHBOURS_AMONG: usize = 4_096;
const NEIGHBOURS: usize = 16;

/// Multinomial logistic regression over codes and words, fitted by AdaGrad (Duchi, Hazan and
/// Singer, 2011).
#[derive(Clone, Debug)]
pub(crate) struct Classifier {
    classes: usize,
    features: usize,
    /// By input, by class.
    weights: Vec<f32>,
    /// By class: how sure the model is of rows of that class, on average (Northcutt, Jiang and
    /// Chuang, "Confident learning", 2021).
    sure: Vec<f32>,
}

impl Classifier {
    pub(crate) fn fit(baseline: &Block, classes: usize, seed: u64) -> Self {
        let features = baseline.coarse.len();
        let inputs = 1 + features * CODES + TOKEN_WEIGHTS as usize;
        let mut model = Self { classes, features, weights: vec![0.0; inputs * classes], sure: vec![0.5; classes] };
        let mut squares = vec![1e-6f32; inputs * classes];
        let mut random = SplitMix64::new(seed ^ 0x006c_6162_656c);
        let mut order: Vec<usize> = (0..baseline.rows).filter(|row| baseline.labels[*row] != NO_CLASS).collect();
        let mut active = Vec::new();
        for _ in 0..EPOCHS {
            for last in (1..order.len()).rev() {
                order.swap(last, random.below(last as u64 + 1) as usize);
            }
            for row in &order {
                model.active(baseline, *row, &mut active);
                let shares = model.shares(&active);
                let label = usize::from(baseline.labels[*row]);
                for (class, share) in shares.iter().enumerate() {
                    let error = share - if class == label { 1.0 } else { 0.0 };
                    for input in &active {
                        let place = input * classes + class;
                        let gradient = error + PENALTY * model.weights[place];
                        squares[place] += gradient * gradient;
                        model.weights[place] -= RATE * gradient / squares[place].sqrt();
                    }
                }
            }
        }
        model
    }

    /// Learns on rows that it was not fitted on how sure it is of each class.
    pub(crate) fn calibrate(&mut self, held_out: &Block) {
        let mut sums = vec![(0.0f32, 0u32); self.classes];
        for (row, shares) in self.predict(held_out).chunks(self.classes).enumerate() {
            let label = held_out.labels[row];
            if label != NO_CLASS {
                let (sum, count) = &mut sums[usize::from(label)];
                *sum += shares[usize::from(label)];
                *count += 1;
            }
        }
        for (sure, (sum, count)) in self.sure.iter_mut().zip(sums) {
            if count > 0 {
                *sure = sum / count as f32;
            }
        }
    }

    /// The probability of each class, row by row.
    pub(crate) fn predict(&self, block: &Block) -> Vec<f32> {
        let mut active = Vec::new();
        let mut out = Vec::with_capacity(block.rows * self.classes);
        for row in 0..block.rows {
            self.active(block, row, &mut active);
            out.extend(self.shares(&active));
        }
        out
    }

    /// How much more another class is than the one given, where the model is as sure of that other
    /// class as it is of rows that have it.
    pub(crate) fn score(&self, block: &Block, predicted: &[f32]) -> Vec<f32> {
        predicted
            .chunks(self.classes)
            .zip(&block.labels)
            .map(|(shares, label)| {
                if *label == NO_CLASS {
                    return NEW_CLASS;
                }
                let own = shares[usize::from(*label)].max(1e-6);
                let other = shares
                    .iter()
                    .enumerate()
                    .filter(|(class, share)| *class != usize::from(*label) && **share >= self.sure[*class])
                    .map(|(_, share)| *share)
                    .fold(0.0, f32::max);
                if other > own { (other / own).ln() } else { 0.0 }
            })
            .collect()
    }

    fn active(&self, block: &Block, row: usize, active: &mut Vec<usize>) {
        active.clear();
        active.push(0);
        for (feature, codes) in block.coarse.iter().enumerate().take(self.features) {
            active.push(1 + feature * CODES + usize::from(codes[row]));
        }
        let base = 1 + self.features * CODES;
        active.extend(block.tokens[row].iter().map(|token| base + (token % TOKEN_WEIGHTS) as usize));
    }

    fn shares(&self, active: &[usize]) -> Vec<f32> {
        let mut sums = vec![0.0f32; self.classes];
        for input in active {
            for (class, sum) in sums.iter_mut().enumerate() {
                *sum += self.weights[input * self.classes + class];
            }
        }
        let most = sums.iter().copied().fold(f32::NEG_INFINITY, f32::max);
        for sum in &mut sums {
            *sum = (*sum - most).exp();
        }
        let all: f32 = sums.iter().sum();
        sums.iter().map(|sum| sum / all).collect()
    }
}

/// Rows of the baseline by their codes. The distance of two rows is the sum over columns of the
/// bins between them, or of one for another category; columns that tell the classes apart count
/// more.
#[derive(Clone, Debug)]
pub(crate) struct Neighbours {
    classes: usize,
    /// By feature: the codes of all rows.
    codes: Vec<Vec<u8>>,
    /// By feature, by pair of codes: the distance.
    distances: Vec<Vec<u8>>,
    labels: Vec<u16>,
}

impl Neighbours {
    pub(crate) fn fit(baseline: &Block, binned: &[bool], classes: usize) -> Self {
        let step = baseline.rows.div_ceil(NEIGHBOURS_AMONG).max(1);
        let keep: Vec<usize> =
            (0..baseline.rows).step_by(step).filter(|row| baseline.labels[*row] != NO_CLASS).collect();
        let distances = baseline
            .coarse
            .iter()
            .zip(binned)
            .map(|(codes, binned)| {
                let most = codes.iter().copied().max().unwrap_or(1);
                distances(information(codes, &baseline.labels, classes), binned.then_some(most))
            })
            .collect();
        let kept = baseline.select(&keep);
        Self { classes, codes: kept.coarse, distances, labels: kept.labels }
    }

    /// The share of the nearest rows that have another label.
    pub(crate) fn score(&self, block: &Block) -> Vec<f32> {
        let mut sums = vec![0u16; self.labels.len()];
        let mut histogram = Vec::new();
        (0..block.rows).map(|row| self.disagreement(block, row, &mut sums, &mut histogram)).collect()
    }

    fn disagreement(&self, block: &Block, row: usize, sums: &mut [u16], histogram: &mut Vec<u32>) -> f32 {
        let label = block.labels[row];
        if label == NO_CLASS || self.labels.is_empty() {
            return 0.0;
        }
        sums.fill(0);
        for ((codes, distances), own) in self.codes.iter().zip(&self.distances).zip(&block.coarse) {
            let own = usize::from(own[row]) * CODES;
            let Some(line) = distances[own..].first_chunk::<CODES>() else { continue };
            for (sum, code) in sums.iter_mut().zip(codes) {
                *sum = sum.saturating_add(u16::from(line[usize::from(*code) % CODES]));
            }
        }
        histogram.clear();
        histogram.resize(1_024, 0);
        for sum in sums.iter() {
            histogram[usize::from(*sum).min(1_023)] += 1;
        }
        let mut seen = 0;
        let limit = histogram.iter().position(|count| {
            seen += *count as usize;
            seen >= NEIGHBOURS
        });
        let limit = limit.unwrap_or(1_023) as u16;
        let (mut near, mut same) = (0u32, 0u32);
        for (sum, other) in sums.iter().zip(&self.labels) {
            if *sum <= limit {
                near += 1;
                same += u32::from(*other == label);
            }
        }
        // One more of each class, so that few neighbours say less than many.
        let share = (same as f32 + 1.0) / (near as f32 + self.classes as f32);
        -share.ln()
    }
}

/// The distance of each pair of codes: of bins, of which `bins` are there, by how far they are
/// apart, of categories all or nothing.
fn distances(weight: f32, bins: Option<u8>) -> Vec<u8> {
    let mut out = vec![0; CODES * CODES];
    for (place, distance) in out.iter_mut().enumerate() {
        let (a, b) = (place / CODES, place % CODES);
        let apart = match bins.filter(|_| a != 0 && b != 0) {
            _ if a == b => 0.0,
            Some(bins) => (a.abs_diff(b) as f32 * 2.0 / f32::from(bins.max(2))).min(1.0),
            None => 1.0,
        };
        *distance = (apart * weight * 60.0).round().min(60.0) as u8;
    }
    out
}

/// How much a column tells of the label, as the square root of the share of the label's entropy.
fn information(codes: &[u8], labels: &[u16], classes: usize) -> f32 {
    let mut counts = vec![0f32; CODES * classes];
    for (code, label) in codes.iter().zip(labels).filter(|(_, label)| **label != NO_CLASS) {
        counts[usize::from(*code) * classes + usize::from(*label)] += 1.0;
    }
    let all: f32 = counts.iter().sum::<f32>().max(1.0);
    let by_code: Vec<f32> = counts.chunks(classes).map(|line| line.iter().sum()).collect();
    let by_class: Vec<f32> = (0..classes).map(|class| counts.iter().skip(class).step_by(classes).sum()).collect();
    let entropy: f32 = by_class.iter().filter(|n| **n > 0.0).map(|n| -(n / all) * (n / all).ln()).sum();
    let mutual: f32 = counts
        .iter()
        .enumerate()
        .filter(|(_, n)| **n > 0.0)
        .map(|(place, n)| n / all * (n * all / (by_code[place / classes] * by_class[place % classes])).ln())
        .sum();
    (mutual / entropy.max(1e-6)).clamp(0.0, 1.0).sqrt().max(0.05)
}
