//! The gates on held-out rows: the model is run as it will be served.

use std::sync::Arc;

use arrow::{
    array::{Array as _, AsArray as _, RecordBatch, StringArray},
    compute::{cast, concat_batches, filter_record_batch},
    datatypes::{DataType, Float64Type},
};
use lockgate_core::{Failure, Result};
use lockgate_infer::{FeatureKind, Model, Tensor};
use lockgate_lake::{Manifest, ReadOptions, Role, SUBJECT_COLUMN, StoreKeyring};
use lockgate_registry::gates::{self, Disturbance, Group, Report, Verdict};
use lockgate_train::{Part, part_of};

use crate::{
    Workspace,
    config::{FairnessGates, Gates, RobustnessGates, Training},
};

/// Judges the model's bytes against every gate of the pipeline.
pub(crate) fn judge(
    workspace: &Workspace,
    manifest: &Manifest,
    columns: &[String],
    training: &Training,
    gates: &Gates,
    bytes: &[u8],
) -> Result<Report> {
    let (artifact, model) = gates::artifact(bytes, gates.artifact.max_size_mib);
    let mut report = Report { verdicts: vec![artifact], ..Report::default() };
    let Ok(model) = model else { return Ok(report) };
    let held = held_rows(workspace, manifest, columns, training)?;
    let labels: Vec<bool> =
        text(&held, &training.label)?.iter().map(|value| value == Some(training.positive.as_str())).collect();
    if labels.len() < 2 || labels.iter().all(|l| *l) || !labels.iter().any(|l| *l) {
        return Err(Failure::input("the held-out rows do not have both labels")
            .hint("raise training.holdout, or bring more rows"));
    }
    let inputs = inputs(&model, &held)?;
    let probabilities = model.run(inputs.clone())?.positive()?;
    let metrics = gates::metrics(&probabilities, &labels);
    report.rows = labels.len() as u64;
    report.metrics = Some(metrics);
    let wanted = &gates.metrics;
    report.verdicts.extend(wanted.min_roc_auc.map(|min| Verdict::at_least("metrics.rocAuc", metrics.roc_auc, min)));
    report.verdicts.extend(wanted.min_accuracy.map(|min| Verdict::at_least("metrics.accuracy", metrics.accuracy, min)));
    report.verdicts.extend(wanted.max_log_loss.map(|max| Verdict::at_most("metrics.logLoss", metrics.log_loss, max)));
    report.verdicts.extend(
        wanted
            .max_calibration_error
            .map(|max| Verdict::at_most("metrics.calibrationError", metrics.calibration_error, max)),
    );
    if let Some(fairness) = &gates.fairness {
        judge_fairness(&mut report, fairness, &held, &probabilities, &labels)?;
    }
    if let Some(robustness) = &gates.robustness {
        report.verdicts.push(judge_robustness(&model, &inputs, robustness, &labels, metrics.accuracy, training.seed)?);
    }
    Ok(report)
}

/// The rows that training did not see, split as the trainer split them.
fn held_rows(
    workspace: &Workspace,
    manifest: &Manifest,
    columns: &[String],
    training: &Training,
) -> Result<RecordBatch> {
    let mut columns = columns.to_vec();
    columns.push(SUBJECT_COLUMN.to_owned());
    let options = ReadOptions {
        keyring: Arc::new(StoreKeyring::all(Arc::clone(&workspace.keys))),
        columns: Some(columns),
        role: Role::Data,
        spool: workspace.spool(),
    };
    let mut row = 0u64;
    let mut batches = Vec::new();
    for batch in workspace.lake.read(manifest, options) {
        let batch = batch?;
        let subjects = batch.column(batch.num_columns() - 1).as_fixed_size_binary();
        let mask = (0..batch.num_rows())
            .map(|at| {
                Some(
                    part_of(
                        subjects.is_valid(at).then(|| subjects.value(at)),
                        row + at as u64,
                        training.seed,
                        training.holdout,
                    ) == Part::Held,
                )
            })
            .collect();
        row += batch.num_rows() as u64;
        batches.push(filter_record_batch(&batch, &mask).map_err(|_| Failure::bug("rows could not be split"))?);
    }
    let first = batches.first().ok_or_else(|| Failure::input("the feature set has no row"))?;
    concat_batches(&first.schema(), &batches).map_err(|_| Failure::bug("rows do not form a table"))
}

fn text(table: &RecordBatch, name: &str) -> Result<StringArray> {
    let column =
        table.column_by_name(name).ok_or_else(|| Failure::input(format!("the feature set has no column {name:?}")))?;
    let texts = cast(column, &DataType::Utf8).map_err(|_| Failure::input(format!("column {name:?} is not text")))?;
    Ok(texts.as_string::<i32>().clone())
}

/// A tensor for each input of the model, by the name of its column.
fn inputs(model: &Model, table: &RecordBatch) -> Result<Vec<Tensor>> {
    let rows = table.num_rows();
    model
        .features()
        .iter()
        .map(|feature| {
            let column = table.column_by_name(&feature.name).filter(|_| feature.width == 1).ok_or_else(|| {
                Failure::findings(format!(
                    "the model wants input {:?}, which is no column of the feature set",
                    feature.name
                ))
                .hint("name the inputs of the ONNX graph after the columns, one value each")
            })?;
            let unfit =
                |_| Failure::findings(format!("column {:?} is not of the type that the model wants", feature.name));
            Ok(match feature.kind {
                FeatureKind::Text => Tensor::texts(
                    vec![rows, 1],
                    text(table, &feature.name)?.iter().map(|t| t.unwrap_or_default().to_owned()).collect(),
                ),
                FeatureKind::Float => {
                    let values = cast(column, &DataType::Float64).map_err(unfit)?;
                    Tensor::floats(
                        vec![rows, 1],
                        values.as_primitive::<Float64Type>().iter().map(|v| v.map_or(f32::NAN, |v| v as f32)).collect(),
                    )
                }
                FeatureKind::Int => {
                    let values = cast(column, &DataType::Int64).map_err(unfit)?;
                    Tensor::ints(
                        vec![rows, 1],
                        values
                            .as_primitive::<arrow::datatypes::Int64Type>()
                            .iter()
                            .map(Option::unwrap_or_default)
                            .collect(),
                    )
                }
            })
        })
        .collect()
}

fn judge_fairness(
    report: &mut Report,
    gates: &FairnessGates,
    held: &RecordBatch,
    probabilities: &[f32],
    labels: &[bool],
) -> Result<()> {
    for attribute in &gates.attributes {
        let values: Vec<String> = text(held, attribute)?.iter().map(|v| v.unwrap_or("(missing)").to_owned()).collect();
        let groups = gates::groups(attribute, &values, probabilities, labels, gates.min_group_rows);
        if groups.iter().filter(|g| !g.small).count() < 2 {
            // A gate that could not look at anything has not been passed.
            let mut verdict = Verdict::at_most(&format!("fairness.{attribute}"), f64::NAN, 0.0);
            verdict.threshold = format!("judged on two groups of {} rows or more", gates.min_group_rows);
            verdict.note = "fewer than two groups are large enough".into();
            report.verdicts.push(verdict);
            report.groups.extend(groups);
            continue;
        }
        let mut difference = |name: &str, max: Option<f64>, rate: fn(&Group) -> f64| {
            if let (Some(max), Some((measured, interval, pair))) = (max, gates::worst_difference(&groups, rate)) {
                report.verdicts.push(
                    Verdict::at_most(&format!("fairness.{name}.{attribute}"), measured, max).with(interval, pair),
                );
            }
        };
        difference("demographicParity", gates.max_demographic_parity_difference, |g| g.selection_rate);
        difference("equalizedOdds.truePositives", gates.max_equalized_odds_difference, |g| g.true_positive_rate);
        difference("equalizedOdds.falsePositives", gates.max_equalized_odds_difference, |g| g.false_positive_rate);
        if let (Some(min), Some((measured, interval, pair))) =
            (gates.min_disparate_impact, gates::disparate_impact(&groups))
        {
            report.verdicts.push(
                Verdict::at_least(&format!("fairness.disparateImpact.{attribute}"), measured, min).with(interval, pair),
            );
        }
        report.groups.extend(groups);
    }
    Ok(())
}

fn judge_robustness(
    model: &Model,
    inputs: &[Tensor],
    gates: &RobustnessGates,
    labels: &[bool],
    accuracy: f64,
    seed: u64,
) -> Result<Verdict> {
    let mut random = Disturbance::new(seed ^ 0x0b57_ac1e);
    let disturbed = inputs
        .iter()
        .map(|tensor| {
            let mut tensor = tensor.clone();
            match &mut tensor.data {
                lockgate_infer::Data::Float(values) => {
                    let known: Vec<f64> = values.iter().filter(|v| !v.is_nan()).map(|v| f64::from(*v)).collect();
                    let mean = known.iter().sum::<f64>() / known.len().max(1) as f64;
                    let deviation =
                        (known.iter().map(|v| (v - mean).powi(2)).sum::<f64>() / known.len().max(1) as f64).sqrt();
                    for value in values {
                        *value += (random.normal() * deviation * gates.numeric_noise) as f32;
                    }
                }
                lockgate_infer::Data::Text(values) => {
                    let mut known = values.clone();
                    known.sort();
                    known.dedup();
                    for value in values {
                        if random.uniform() < gates.category_flips
                            && let Some(other) = known.get((random.uniform() * known.len() as f64) as usize)
                        {
                            value.clone_from(other);
                        }
                    }
                }
                lockgate_infer::Data::Int(_) => {}
            }
            tensor
        })
        .collect();
    let after = gates::metrics(&model.run(disturbed)?.positive()?, labels).accuracy;
    let mut verdict = Verdict::at_most("robustness.accuracyDrop", accuracy - after, gates.max_accuracy_drop);
    verdict.note = format!("accuracy {accuracy:.4} falls to {after:.4}");
    Ok(verdict)
}
