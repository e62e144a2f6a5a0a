//! `infer`: one row through our evaluator and through onnxruntime's C library, called from Rust.

use std::{fs, hint::black_box, path::Path, process::Command, time::Instant};

use anyhow::{Context as _, Result, bail};
use lockgate_infer::{Model, Tensor};
use ort::{environment::Environment, session::Session, value::TensorRef};

use crate::process;

const CALLS: u32 = 20_000;
const ROUNDS: usize = 5;

const MODELS: &str = r#"
import sys, numpy as np, lightgbm, xgboost, warnings
from sklearn.ensemble import RandomForestClassifier, GradientBoostingClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from skl2onnx import to_onnx
from onnxmltools import convert_lightgbm, convert_xgboost
from onnxmltools.convert.common.data_types import FloatTensorType
warnings.filterwarnings("ignore")
rng = np.random.default_rng(7)
x = rng.normal(size=(4000, 12)).astype(np.float32)
y = (x[:, 0] + x[:, 1] * x[:, 2] > 0).astype(np.int64)
kinds = [("X", FloatTensorType([None, 12]))]
plain = dict(options={"zipmap": False}, target_opset={"": 15, "ai.onnx.ml": 3})
models = {
    "logistic": to_onnx(make_pipeline(StandardScaler(), LogisticRegression()).fit(x, y), x[:1], **plain),
    "forest-100": to_onnx(RandomForestClassifier(100, random_state=1).fit(x, y), x[:1], **plain),
    "boosted-100": to_onnx(GradientBoostingClassifier(n_estimators=100, random_state=1).fit(x, y), x[:1], **plain),
    "lightgbm-100": convert_lightgbm(lightgbm.LGBMClassifier(n_estimators=100, verbose=-1).fit(x, y), initial_types=kinds, zipmap=False, target_opset=15),
    "xgboost-100": convert_xgboost(xgboost.XGBClassifier(n_estimators=100).fit(x, y), initial_types=kinds, target_opset=15),
}
for name, model in models.items():
    open(f"{sys.argv[1]}/{name}.onnx", "wb").write(model.SerializeToString())
"#;

pub fn bench() -> Result<()> {
    let python = process::root().join("target/judges/bin/python");
    if !python.exists() {
        bail!("the judges are missing; run `cargo xtask setup`");
    }
    let dir = tempfile::tempdir()?;
    process::run(Command::new(&python).args(["-c", MODELS]).arg(dir.path()))?;
    let library = "import glob, os, onnxruntime; print(glob.glob(os.path.dirname(onnxruntime.__file__) + '/capi/libonnxruntime.so*')[0])";
    let (library, _) = process::run(Command::new(&python).args(["-c", library]))?;
    let environment = ort::init_from(library.trim())?.build()?;
    println!("{:<14} {:>12} {:>14} {:>7}", "model", "lockgate us", "onnxruntime us", "ratio");
    for name in ["logistic", "boosted-100", "lightgbm-100", "xgboost-100", "forest-100"] {
        let (ours, theirs) = compare(&environment, &dir.path().join(format!("{name}.onnx")))?;
        println!("{name:<14} {ours:>12.2} {theirs:>14.2} {:>7.2}", ours / theirs);
    }
    Ok(())
}

/// The best of several rounds each, in turn, so that both see the same machine.
fn compare(environment: &Environment, path: &Path) -> Result<(f64, f64)> {
    let model = Model::load(&fs::read(path)?)?;
    let width = model.features().first().context("the model has an input")?.width;
    let mut session = Session::builder(environment)?
        .with_intra_threads(1)
        .map_err(|e| anyhow::anyhow!("{e}"))?
        .commit_from_file(path)?;
    let input = session.inputs()[0].name().to_owned();
    let row: Vec<f32> = (0..width).map(|i| (i as f32 * 0.37).sin()).collect();
    let (mut ours, mut theirs) = (f64::MAX, f64::MAX);
    for _ in 0..ROUNDS {
        let begun = Instant::now();
        for _ in 0..CALLS {
            black_box(model.run(vec![Tensor::floats(vec![1, width], row.clone())])?);
        }
        ours = ours.min(begun.elapsed().as_secs_f64());
        let begun = Instant::now();
        for _ in 0..CALLS {
            let tensor = TensorRef::from_array_view(([1usize, width], row.as_slice()))?;
            black_box(session.run(ort::inputs![input.as_str() => tensor])?);
        }
        theirs = theirs.min(begun.elapsed().as_secs_f64());
    }
    Ok((ours * 1e6 / f64::from(CALLS), theirs * 1e6 / f64::from(CALLS)))
}
