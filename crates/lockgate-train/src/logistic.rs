//! Logistic regression: standardized numbers, one-hot categories, L2 penalty; fitted by linfa.

use linfa::{Dataset, prelude::Fit as _};
use linfa_logistic::LogisticRegression;
use lockgate_core::{Failure, Result};
use ndarray::{Array1, Array2, ShapeBuilder as _};

use crate::{
    export::{self, Graph},
    features::Matrix,
};

/// Trains and returns the model as ONNX.
pub(crate) fn train(matrix: &Matrix, penalty: f64, iterations: u64) -> Result<Vec<u8>> {
    let numbers = matrix.numbers();
    let (means, deviations) = moments(matrix, numbers);
    // Column-major: the gradient walks along columns.
    let mut inputs = Array2::<f64>::zeros((matrix.rows, matrix.width).f());
    for (row, values) in matrix.values.chunks(matrix.width).enumerate() {
        for (column, value) in values.iter().enumerate() {
            let scaled = match (means.get(column), deviations.get(column)) {
                (Some(_), Some(_)) if value.is_nan() => 0.0,
                (Some(mean), Some(deviation)) => (f64::from(*value) - mean) / deviation,
                _ => f64::from(*value),
            };
            if let Some(slot) = inputs.get_mut((row, column)) {
                *slot = scaled;
            }
        }
    }
    let targets: Array1<bool> = matrix.labels.iter().copied().collect();
    let model = LogisticRegression::default()
        .alpha(penalty)
        .max_iterations(iterations)
        // On the mean loss, as scikit-learn has it; linfa sums over the rows.
        .gradient_tolerance(1e-5 * matrix.rows as f64)
        .fit(&Dataset::new(inputs, targets))
        .map_err(|error| {
            Failure::input(format!("the logistic regression did not fit: {error}"))
                .hint("more iterations or a larger penalty help")
        })?;
    // linfa orders its two classes itself; the sign tells which one the weights speak for.
    let sign = if model.labels().pos.class { 1.0 } else { -1.0 };
    let weights: Vec<f32> = model.params().iter().map(|w| (w * sign) as f32).collect();
    let intercept = (model.intercept() * sign) as f32;

    let mut graph = Graph::new(&matrix.encodings);
    graph.scale(&means, &deviations);
    let features = graph.features();
    let negative: Vec<f32> = weights.iter().map(|w| -w).collect();
    graph.node(
        "LinearClassifier",
        export::ML,
        &[&features],
        &["label", "probabilities"],
        vec![
            export::floats("coefficients", [negative, weights].concat()),
            export::floats("intercepts", vec![-intercept, intercept]),
            export::ints("classlabels_ints", vec![0, 1]),
            export::int("multi_class", 0),
            export::text("post_transform", "LOGISTIC"),
        ],
    );
    Ok(graph.finish())
}

/// Mean and standard deviation of each numeric column, missing values left out.
fn moments(matrix: &Matrix, numbers: usize) -> (Vec<f64>, Vec<f64>) {
    let mut means = vec![0.0; numbers];
    let mut deviations = vec![1.0; numbers];
    for (column, (mean, deviation)) in means.iter_mut().zip(&mut deviations).enumerate() {
        let values =
            || matrix.values.iter().skip(column).step_by(matrix.width).copied().filter(|v| !v.is_nan()).map(f64::from);
        let count = values().count().max(1) as f64;
        *mean = values().sum::<f64>() / count;
        let variance = values().map(|v| (v - *mean).powi(2)).sum::<f64>() / count;
        if variance > 0.0 {
            *deviation = variance.sqrt();
        }
    }
    (means, deviations)
}
