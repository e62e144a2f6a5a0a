//! Robust Mahalanobis distances: location and scatter from the half of the rows that lie closest
//! together (FastMCD: Rousseeuw and Van Driessen, 1999), with a little regularization.

#![expect(clippy::indexing_slicing, reason = "square matrices whose size is fixed when they are made")]

use lockgate_core::SplitMix64;

use super::encode::{Block, Encoder, Role};

const INPUTS_MAX: usize = 64;
/// Rows that location and scatter are estimated on.
const ROWS_MAX: usize = 4_000;
const STARTS: usize = 20;
/// The share of the rows that must agree.
const AGREE: f64 = 0.75;
/// What is added to the diagonal, of a variance of 1.
const RIDGE: f64 = 1e-3;

/// A number that takes part.
#[derive(Clone, Debug)]
struct Input {
    feature: usize,
    median: f64,
    scale: f64,
}

/// Location, and the lower triangle that stands for scatter.
#[derive(Clone, Debug, Default)]
pub(crate) struct Scatter {
    inputs: Vec<Input>,
    center: Vec<f64>,
    triangle: Vec<Vec<f64>>,
}

impl Scatter {
    /// `None` with fewer than two numbers that vary, since one is what its own spread tells of.
    pub(crate) fn fit(encoder: &Encoder, baseline: &Block, seed: u64) -> Option<Self> {
        let inputs: Vec<Input> = encoder
            .features
            .iter()
            .enumerate()
            .filter(|(_, feature)| feature.role == Role::Number)
            .filter_map(|(feature, _)| input(feature, baseline.numbers.get(feature)?))
            .take(INPUTS_MAX)
            .collect();
        if inputs.len() < 2 {
            return None;
        }
        let mut scatter = Self { inputs, ..Self::default() };
        let step = baseline.rows.div_ceil(ROWS_MAX).max(1);
        let rows: Vec<Vec<f64>> = (0..baseline.rows).step_by(step).map(|row| scatter.row(baseline, row)).collect();
        let mut random = SplitMix64::new(seed ^ 0x006d_6364);
        let agree = ((rows.len() as f64 * AGREE) as usize).max(scatter.inputs.len() + 1).min(rows.len());
        let mut best: Option<(f64, Vec<f64>, Vec<Vec<f64>>)> = None;
        for _ in 0..STARTS {
            let start: Vec<&Vec<f64>> =
                (0..=scatter.inputs.len()).map(|_| &rows[random.below(rows.len() as u64) as usize]).collect();
            let (mut center, mut triangle) = estimate(&start)?;
            // Each step lowers the determinant, or ends.
            let mut last = f64::INFINITY;
            for _ in 0..20 {
                let mut order: Vec<(f64, usize)> =
                    rows.iter().enumerate().map(|(index, row)| (distance(&center, &triangle, row), index)).collect();
                order.select_nth_unstable_by(agree - 1, |a, b| a.0.total_cmp(&b.0));
                let closest: Vec<&Vec<f64>> = order.iter().take(agree).map(|(_, index)| &rows[*index]).collect();
                (center, triangle) = estimate(&closest)?;
                let determinant: f64 = (0..triangle.len()).map(|i| triangle[i][i].ln()).sum();
                if determinant >= last - 1e-9 {
                    break;
                }
                last = determinant;
            }
            if best.as_ref().is_none_or(|(determinant, ..)| last < *determinant) {
                best = Some((last, center, triangle));
            }
        }
        (_, scatter.center, scatter.triangle) = best?;
        Some(scatter)
    }

    fn row(&self, block: &Block, row: usize) -> Vec<f64> {
        self.inputs
            .iter()
            .map(|input| {
                let value = block.numbers.get(input.feature).and_then(|column| column.get(row)).copied();
                let value = value.map_or(f64::NAN, f64::from);
                // A missing number says nothing here; the far end of all is far enough.
                if value.is_nan() { 0.0 } else { ((value - input.median) / input.scale).clamp(-1e6, 1e6) }
            })
            .collect()
    }

    /// Logarithms of one plus the squared distance.
    pub(crate) fn score(&self, block: &Block) -> Vec<f32> {
        (0..block.rows)
            .map(|row| distance(&self.center, &self.triangle, &self.row(block, row)).ln_1p() as f32)
            .collect()
    }

    pub(crate) fn features(&self) -> impl Iterator<Item = usize> {
        self.inputs.iter().map(|input| input.feature)
    }
}

/// A number of which more than half of the rows have the same value has no scatter to speak of.
fn input(feature: usize, values: &[f32]) -> Option<Input> {
    let mut values: Vec<f32> = values.iter().copied().filter(|value| value.is_finite()).collect();
    if values.len() < 20 {
        return None;
    }
    values.sort_unstable_by(f32::total_cmp);
    let median = values[values.len() / 2];
    let mut distances: Vec<f32> = values.iter().map(|value| (value - median).abs()).collect();
    distances.sort_unstable_by(f32::total_cmp);
    let quartiles = values[values.len() * 3 / 4] - values[values.len() / 4];
    let mad = distances[distances.len() / 2];
    let scale = if mad > 0.0 { f64::from(mad) * 1.4826 } else { f64::from(quartiles) / 1.349 };
    (scale > 0.0).then_some(Input { feature, median: f64::from(median), scale })
}

/// Mean and the Cholesky factor of the covariance.
fn estimate(rows: &[&Vec<f64>]) -> Option<(Vec<f64>, Vec<Vec<f64>>)> {
    let size = rows.first()?.len();
    let n = rows.len() as f64;
    let mut center = vec![0.0; size];
    for row in rows {
        for (sum, value) in center.iter_mut().zip(row.iter()) {
            *sum += value / n;
        }
    }
    let mut matrix = vec![vec![0.0; size]; size];
    let mut centered = vec![0.0; size];
    for row in rows {
        for (own, (value, center)) in centered.iter_mut().zip(row.iter().zip(&center)) {
            *own = value - center;
        }
        for i in 0..size {
            for j in 0..=i {
                matrix[i][j] += centered[i] * centered[j] / n;
            }
        }
    }
    for (i, row) in matrix.iter_mut().enumerate() {
        row[i] += RIDGE;
    }
    Some((center, cholesky(matrix)?))
}

fn cholesky(mut matrix: Vec<Vec<f64>>) -> Option<Vec<Vec<f64>>> {
    for i in 0..matrix.len() {
        for j in 0..=i {
            let sum: f64 = matrix[i][j] - (0..j).map(|k| matrix[i][k] * matrix[j][k]).sum::<f64>();
            if i == j {
                if sum.is_nan() || sum <= 0.0 {
                    return None;
                }
                matrix[i][i] = sum.sqrt();
            } else {
                matrix[i][j] = sum / matrix[j][j];
            }
        }
    }
    Some(matrix)
}

fn distance(center: &[f64], triangle: &[Vec<f64>], row: &[f64]) -> f64 {
    let mut solved = vec![0.0; row.len()];
    for i in 0..row.len() {
        let sum: f64 = (0..i).map(|j| triangle[i][j] * solved[j]).sum();
        solved[i] = (row[i] - center[i] - sum) / triangle[i][i];
    }
    solved.iter().map(|value| value * value).sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn distances_are_those_of_the_definition() {
        // Covariance [[4, 2], [2, 3]], whose inverse is [[3, -2], [-2, 4]] / 8.
        let triangle = cholesky(vec![vec![4.0, 0.0], vec![2.0, 3.0]]).unwrap();
        assert!((distance(&[1.0, 1.0], &triangle, &[3.0, 2.0]) - (12.0 - 8.0 + 4.0) / 8.0).abs() < 1e-12);
        assert!(cholesky(vec![vec![0.0]]).is_none());
    }

    #[test]
    fn a_quarter_of_outliers_does_not_move_it() {
        let mut random = SplitMix64::new(7);
        let mut normal = || {
            let (a, b) = (1.0 - random.unit(), random.unit());
            (-2.0 * a.ln()).sqrt() * (std::f64::consts::TAU * b).cos()
        };
        let rows: Vec<Vec<f32>> = (0..1_000)
            .map(|row| {
                let (a, b) = (normal(), normal());
                let shift = if row % 5 == 0 { 40.0 } else { 0.0 };
                vec![(a + shift) as f32, (a + 0.3 * b - shift) as f32]
            })
            .collect();
        let column = |index: usize| rows.iter().map(|row| row[index]).collect::<Vec<f32>>();
        let block = Block { rows: 1_000, numbers: vec![column(0), column(1)], ..Block::default() };
        let inputs: Vec<Input> = (0..2).filter_map(|index| input(index, &column(index))).collect();
        let all: Vec<Vec<f64>> = {
            let scatter = Scatter { inputs: inputs.clone(), ..Scatter::default() };
            (0..1_000).map(|row| scatter.row(&block, row)).collect()
        };
        assert_eq!(all.len(), 1_000);
        let scatter = Scatter::fit(&Encoder::of_numbers(2), &block, 1).unwrap();
        let score = scatter.score(&block);
        let clean = score.iter().enumerate().filter(|(row, _)| row % 5 != 0).map(|(_, s)| *s).fold(0.0, f32::max);
        let planted = score.iter().step_by(5).copied().fold(f32::INFINITY, f32::min);
        assert!(planted > clean, "{planted} {clean}");
    }
}
