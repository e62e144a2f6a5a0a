//! `lockgate train` and `lockgate model`.

use std::{fs, io::BufRead as _, path::Path};

use lockgate_core::{Failure, Result, RunId, limits};
use lockgate_infer::{Data, FeatureKind, Model, Tensor};
use lockgate_pipeline::{
    Pipeline,
    model::{self, Published},
};
use serde_json::{Map, Value, json};

use crate::{
    cli::{Format, Global, ModelCommand, TrainArgs},
    environment,
    output::{self, Terminal},
};

pub fn train(global: &Global, args: &TrainArgs) -> Result<()> {
    if let Some(package) = &args.re_execute {
        return re_execute(global, package);
    }
    let path = args.pipeline.as_ref().ok_or_else(|| Failure::usage("name a pipeline"))?;
    let pipeline = Pipeline::read(path)?;
    let (_setup, mut workspace) = super::open(global, Some(path))?;
    let progress = Terminal::new(global);
    let published =
        model::train(&mut workspace, &pipeline, &RunId::generate(), &progress, environment::registry_credentials())?;
    progress.finish();
    let published = published.ok_or_else(|| Failure::usage("the pipeline has no `training`"))?;
    match global.format {
        Format::Table => print(&published),
        _ => output::json(global, &published)?,
    }
    Ok(())
}

fn re_execute(global: &Global, root: &Path) -> Result<()> {
    let (_setup, mut workspace) = super::open(global, Some(root))?;
    let package = lockgate_registry::verify(root, &model::model_key(&workspace)?.public_pem()?)?;
    let (recorded, again) = model::re_execute(&mut workspace, &package)?;
    if global.format != Format::Table {
        output::json(global, &json!({"recorded": recorded, "again": again, "same": recorded == again}))?;
    }
    if recorded != again {
        return Err(Failure::integrity(format!("training again gives {again}, the package records {recorded}"))
            .hint("a command trainer may not be deterministic; the built-in trainers are"));
    }
    if global.format == Format::Table {
        output::line(&format!("{} training again gives {again}", output::verdict(true, "the same:")));
    }
    Ok(())
}

/// The package and the report of its gates.
pub fn print(published: &Published) {
    let layers: Vec<String> = published.layers.iter().map(|l| format!("{l:?}").to_lowercase()).collect();
    output::line(&format!("model {}  package {}", published.model, published.package));
    output::line(&format!(
        "  trained on {} rows, isolated by {}; artifact {}",
        published.rows,
        layers.join(", "),
        published.artifact
    ));
    if let Some(m) = published.report.metrics {
        output::line(&format!(
            "  on {} held-out rows: ROC AUC {:.4}, accuracy {:.4}, log loss {:.4}, calibration error {:.4}",
            published.report.rows, m.roc_auc, m.accuracy, m.log_loss, m.calibration_error
        ));
    }
    for v in &published.report.verdicts {
        let interval = v.interval.map_or_else(String::new, |(low, high)| format!(" [{low:.3}, {high:.3}]"));
        output::line(&format!(
            "  {} {:<44} {:>8.4}{interval}  {}  {}",
            output::verdict(v.passed, if v.passed { "✓" } else { "✗" }),
            v.gate,
            v.measured,
            v.threshold,
            v.note
        ));
    }
    if let Some(registry) = &published.registry {
        output::line(&format!("  pushed to {registry}"));
    }
    output::line(&format!("  {}", published.path.display()));
}

pub fn model(global: &Global, command: &ModelCommand) -> Result<()> {
    match command {
        ModelCommand::Inspect { file } => {
            let model = load(file)?;
            let features: Vec<_> = model
                .features()
                .iter()
                .map(|f| json!({"name": f.name, "kind": f.kind.as_str(), "width": f.width}))
                .collect();
            let text = |v: &Value, key: &str| {
                v.get(key).map_or_else(String::new, |v| v.as_str().map_or_else(|| v.to_string(), str::to_owned))
            };
            output::rows(global, &["input", "kind", "width"], &features, |f| {
                ["name", "kind", "width"].map(|k| text(f, k)).to_vec()
            })
        }
        ModelCommand::Predict { file, rows } => predict(global, &load(file)?, rows),
        ModelCommand::Verify { package } => {
            let (_setup, workspace) = super::open(global, Some(package))?;
            let verified = lockgate_registry::verify(package, &model::model_key(&workspace)?.public_pem()?)?;
            output::line(&format!("{} package {}", output::verdict(true, "whole:"), verified.digest));
            Ok(())
        }
    }
}

fn load(file: &Path) -> Result<Model> {
    let size = fs::metadata(file).map_err(|e| Failure::io("read", file, &e))?.len();
    if size > limits::MODEL_BYTES_MAX {
        return Err(Failure::input(format!("{} is larger than 512 MiB", file.display())));
    }
    Model::load(&fs::read(file).map_err(|e| Failure::io("read", file, &e))?).map_err(|f| f.at(file.display()))
}

fn predict(global: &Global, model: &Model, rows: &Path) -> Result<()> {
    let file = fs::File::open(rows).map_err(|e| Failure::io("open", rows, &e))?;
    let mut objects: Vec<Map<String, Value>> = Vec::new();
    for (number, line) in (1..).zip(std::io::BufReader::new(file).lines()) {
        let line = line.map_err(|e| Failure::io("read", rows, &e))?;
        objects.push(
            serde_json::from_str(&line)
                .map_err(|_| Failure::input(format!("{}:{number}: not a JSON object", rows.display())))?,
        );
    }
    let inputs = model.features().iter().map(|feature| tensor(feature, &objects)).collect::<Result<Vec<_>>>()?;
    let prediction = model.run(inputs)?;
    let outputs: Map<String, Value> = prediction
        .outputs
        .iter()
        .map(|(name, tensor)| {
            let data = match &tensor.data {
                Data::Float(v) => json!(v),
                Data::Int(v) => json!(v),
                Data::Text(v) => json!(v),
            };
            (name.clone(), json!({"shape": tensor.shape, "data": data}))
        })
        .collect();
    output::json(global, &outputs)
}

/// One input over all rows; a value may be a number, a text or a list of numbers.
fn tensor(feature: &lockgate_infer::Feature, rows: &[Map<String, Value>]) -> Result<Tensor> {
    let wrong = || {
        Failure::input(format!(
            "input {:?} must hold {} values of kind {:?} in every row",
            feature.name, feature.width, feature.kind
        ))
    };
    let shape = vec![rows.len(), feature.width];
    let mut values: Vec<&Value> = Vec::with_capacity(rows.len() * feature.width);
    for row in rows {
        match row.get(&feature.name).ok_or_else(wrong)? {
            Value::Array(list) if list.len() == feature.width => values.extend(list),
            value if feature.width == 1 => values.push(value),
            _ => return Err(wrong()),
        }
    }
    Ok(match feature.kind {
        FeatureKind::Float => Tensor::floats(
            shape,
            values
                .iter()
                .map(|v| if v.is_null() { Some(f32::NAN) } else { v.as_f64().map(|f| f as f32) })
                .collect::<Option<_>>()
                .ok_or_else(wrong)?,
        ),
        FeatureKind::Int => {
            Tensor::ints(shape, values.iter().map(|v| v.as_i64()).collect::<Option<_>>().ok_or_else(wrong)?)
        }
        FeatureKind::Text => Tensor::texts(
            shape,
            values.iter().map(|v| v.as_str().map(str::to_owned)).collect::<Option<_>>().ok_or_else(wrong)?,
        ),
    })
}
