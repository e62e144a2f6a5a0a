//! Train, judge, sign and publish: from a feature set to a model package.

mod judge;

use std::{collections::BTreeSet, fs, path::PathBuf};

use lockgate_catalog::{Catalog as _, Gate};
use lockgate_core::{Classification, Clock, Digest, Failure, Name, Result, RunId};
use lockgate_keys::KeyId;
use lockgate_lake::{Manifest, Role, SnapshotRef};
use lockgate_policy::Resource;
use lockgate_proof::{VerifyingKey, dsse};
use lockgate_registry::{ModelKey, Package, gates::Report};
use lockgate_train::{Job, Layer, Limits, TrainerSpec};
use serde::{Deserialize, Serialize};
use serde_json::json;

use crate::{
    Pipeline, Progress, Workspace,
    audit::Event,
    config::{self, Trainer},
    release,
};

const PROVENANCE: &str = "application/vnd.in-toto+json";

/// Everything that decided what the model is: train from it again and get the same digest.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct TrainingManifest {
    pub model: Name,
    pub features: SnapshotRef,
    pub columns: Vec<String>,
    pub label: String,
    pub positive: String,
    pub exclude: Vec<String>,
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub text: Vec<String>,
    pub holdout: f64,
    pub seed: u64,
    pub trainer: TrainerSpec,
    pub layers: Vec<Layer>,
    pub rows: u64,
    pub artifact: Digest,
    pub run: RunId,
    pub purpose: String,
}

/// What came of a training.
#[derive(Clone, Debug, Serialize)]
pub struct Published {
    pub model: Name,
    pub package: Digest,
    pub artifact: Digest,
    pub path: PathBuf,
    pub rows: u64,
    pub layers: Vec<Layer>,
    pub report: Report,
    pub registry: Option<String>,
}

/// Trains, judges and, when every gate is passed, signs and publishes.
pub fn train(
    workspace: &mut Workspace,
    pipeline: &Pipeline,
    run: &RunId,
    progress: &dyn Progress,
    credentials: Option<(String, String)>,
) -> Result<Option<Published>> {
    let Some(training) = &pipeline.file.training else { return Ok(None) };
    let model = pipeline.file.publishing.as_ref().map_or_else(|| training.features.clone(), |p| p.model.clone());
    let features = workspace
        .lake
        .head(&training.features)?
        .ok_or_else(|| Failure::input(format!("feature set {} was not derived yet", training.features)))?;
    let manifest = workspace.lake.manifest(&features)?;
    let columns = demand(workspace, &manifest, &pipeline.file.purpose)?;
    progress.stage("train", &format!("{model} on {features}, isolated"));
    let spec = trainer(&training.trainer);
    let isolation = &training.isolation;
    let job = JobSpec {
        columns,
        label: &training.label,
        positive: &training.positive,
        exclude: &training.exclude,
        text: &training.text,
        holdout: training.holdout,
        seed: training.seed,
        trainer: &spec,
        limits: Limits {
            memory_mib: isolation.memory_mib.unwrap_or(4096),
            cpu_secs: isolation.cpu_secs.unwrap_or(3600),
        },
        accept_missing: isolation.accept_missing.iter().map(layer).collect(),
        readable: isolation
            .readable
            .iter()
            .map(|path| {
                let path = pipeline.base.join(path);
                path.canonicalize()
                    .map_err(|e| Failure::io("find", &path, &e).hint("training.isolation.readable names it"))
            })
            .collect::<Result<_>>()?,
    };
    let trained = isolated(workspace, &manifest, &features, &job, run)?;
    let training_manifest = TrainingManifest {
        model: model.clone(),
        features: features.clone(),
        columns: job.columns.clone(),
        label: training.label.clone(),
        positive: training.positive.clone(),
        exclude: training.exclude.clone(),
        text: training.text.clone(),
        holdout: training.holdout,
        seed: training.seed,
        trainer: spec.clone(),
        layers: trained.layers.clone(),
        rows: trained.rows,
        artifact: trained.digest,
        run: run.clone(),
        purpose: pipeline.file.purpose.clone(),
    };
    progress.stage("judge", &format!("{model} on held-out rows"));
    let report = judge::judge(workspace, &manifest, &job.columns, training, &pipeline.file.gates, &trained.bytes)?;
    record(workspace, &model, &report, run, &trained.digest)?;
    if !report.passed() {
        let failed: Vec<String> = report
            .verdicts
            .iter()
            .filter(|v| !v.passed)
            .map(|v| {
                format!(
                    "{} is {:.4}, must be {}{}",
                    v.gate,
                    v.measured,
                    v.threshold,
                    if v.note.is_empty() { String::new() } else { format!(" ({})", v.note) }
                )
            })
            .collect();
        return Err(Failure::findings(format!("model {model} is not published: {}", failed.join("; ")))
            .hint("the whole report is in the audit log (`lockgate audit tail --format json`); change the features, the trainer or, with a reason, the gate"));
    }
    progress.stage("sign and publish", model.as_str());
    publish(workspace, pipeline, &manifest, training_manifest, &trained.bytes, report, credentials).map(Some)
}

/// Trains again from the record in a package and returns the recorded digest and the new one.
pub fn re_execute(workspace: &mut Workspace, package: &Package) -> Result<(Digest, Digest)> {
    let recorded: TrainingManifest = serde_json::from_slice(&package.read("training.json")?)
        .map_err(|_| Failure::integrity("the package's training.json is malformed"))?;
    let manifest = workspace.lake.manifest(&recorded.features)?;
    let visible = demand(workspace, &manifest, &recorded.purpose)?;
    if let Some(hidden) = recorded.columns.iter().find(|column| !visible.contains(column)) {
        return Err(Failure::denied(format!("policy hides column {hidden:?}, which the model was trained on")));
    }
    let job = JobSpec {
        columns: recorded.columns.clone(),
        label: &recorded.label,
        positive: &recorded.positive,
        exclude: &recorded.exclude,
        text: &recorded.text,
        holdout: recorded.holdout,
        seed: recorded.seed,
        trainer: &recorded.trainer,
        limits: Limits { memory_mib: 4096, cpu_secs: 3600 },
        accept_missing: [Layer::Namespaces, Layer::Landlock, Layer::Seccomp]
            .into_iter()
            .filter(|l| !recorded.layers.contains(l))
            .collect(),
        readable: Vec::new(),
    };
    let run = RunId::generate();
    let trained = isolated(workspace, &manifest, &recorded.features, &job, &run)?;
    let event = Event::new("model.re-executed", &workspace.principal.id, recorded.model.as_str(), Clock.now())
        .run(&run)
        .detail(json!({"package": package.digest, "recorded": recorded.artifact, "again": trained.digest}));
    workspace.journal.append(vec![event])?;
    Ok((recorded.artifact, trained.digest))
}

/// The key that signs packages.
pub fn model_key(workspace: &Workspace) -> Result<ModelKey> {
    let id = KeyId::purpose("workspace.models");
    workspace.keys.create(&id)?;
    ModelKey::from_seed(workspace.keys.derive(&id, "lockgate/v1/ecdsa-p256")?.expose())
}

struct JobSpec<'j> {
    columns: Vec<String>,
    label: &'j str,
    positive: &'j str,
    exclude: &'j [String],
    text: &'j [String],
    holdout: f64,
    seed: u64,
    trainer: &'j TrainerSpec,
    limits: Limits,
    accept_missing: Vec<Layer>,
    readable: Vec<PathBuf>,
}

struct Trained {
    bytes: Vec<u8>,
    digest: Digest,
    rows: u64,
    layers: Vec<Layer>,
}

fn isolated(
    workspace: &mut Workspace,
    manifest: &Manifest,
    features: &SnapshotRef,
    spec: &JobSpec<'_>,
    run: &RunId,
) -> Result<Trained> {
    let spool = workspace.spool();
    fs::create_dir_all(&spool).map_err(|e| Failure::io("create", &spool, &e))?;
    let folder = tempfile::Builder::new()
        .prefix("train-")
        .tempdir_in(&spool)
        .map_err(|e| Failure::io("create a folder in", &spool, &e))?;
    let base = folder.path().canonicalize().map_err(|e| Failure::io("find", folder.path(), &e))?;
    let (output, scratch) = (base.join("out"), base.join("scratch"));
    for path in [&output, &scratch] {
        fs::create_dir(path).map_err(|e| Failure::io("create", path, &e))?;
    }
    let files = manifest
        .files_with(Role::Data)
        .map(|record| workspace.lake.local_file(&manifest.dataset, record, &base))
        .collect::<Result<Vec<_>>>()?;
    let job = Job {
        files,
        columns: spec.columns.clone(),
        label: spec.label.to_owned(),
        positive: spec.positive.to_owned(),
        exclude: spec.exclude.to_vec(),
        text: spec.text.to_vec(),
        holdout: spec.holdout,
        seed: spec.seed,
        trainer: spec.trainer.clone(),
        limits: spec.limits,
        accept_missing: spec.accept_missing.clone(),
        readable: spec.readable.clone(),
        output: output.clone(),
        scratch,
    };
    let columns = spec.columns.iter().filter_map(|name| manifest.column(name));
    let classes: BTreeSet<Classification> = columns.map(|column| column.classification).collect();
    let keys = release::master_keys(workspace, manifest, &classes, release::Subject::Released)?;
    let event = Event::new("key.released", &workspace.principal.id, &features.to_string(), Clock.now())
        .run(run)
        .detail(json!({"to": "training run", "keys": keys.len()}));
    workspace.journal.append(vec![event])?;
    let ran = lockgate_train::run(&job, &keys)?;
    let tried = ran.attempts.iter().map(|attempt| {
        Event::new("training.attempt", "trainer", &features.to_string(), Clock.now())
            .run(run)
            .detail(json!({"call": attempt.call, "path": attempt.path}))
    });
    workspace.journal.append(tried.collect())?;
    let outcome = ran.outcome?;
    let bytes = lockgate_train::read_model(&output)?;
    if Digest::of(&bytes) != outcome.model {
        return Err(Failure::integrity("the model changed after it was trained"));
    }
    Ok(Trained { bytes, digest: outcome.model, rows: outcome.rows, layers: outcome.layers })
}

/// Asks whether whom acts may train on the snapshot, and with which columns. Filters and masks
/// cannot be kept by a trainer that reads the files, so they mean no.
fn demand(workspace: &mut Workspace, manifest: &Manifest, purpose: &str) -> Result<Vec<String>> {
    let obligations = workspace.demand("train", release::resource(manifest), purpose)?.obligations;
    if !obligations.row_filters.is_empty() || !obligations.column_masks.is_empty() {
        return Err(Failure::denied(format!(
            "policy attaches row filters or masks to training on {}",
            manifest.dataset
        ))
        .hint("derive a feature set under those obligations and train on that"));
    }
    let visible = |name: &&str| !obligations.hidden_columns.iter().any(|hidden| hidden == name);
    Ok(manifest.columns.iter().map(|c| c.name.as_str()).filter(visible).map(str::to_owned).collect())
}

fn record(workspace: &mut Workspace, model: &Name, report: &Report, run: &RunId, artifact: &Digest) -> Result<()> {
    for verdict in &report.verdicts {
        workspace.catalog.put_gate(&Gate {
            run: run.to_string(),
            gate: format!("{model}/{}", verdict.gate),
            passed: verdict.passed,
            detail: format!("{:.4}, must be {}", verdict.measured, verdict.threshold),
            evidence: serde_json::Value::Null,
        })?;
    }
    let kind = if report.passed() { "gate.passed" } else { "gate.failed" };
    let event = Event::new(kind, &workspace.principal.id, model.as_str(), Clock.now())
        .run(run)
        .detail(json!({"artifact": artifact, "verdicts": report.verdicts}));
    workspace.journal.append(vec![event])
}

fn publish(
    workspace: &mut Workspace,
    pipeline: &Pipeline,
    features: &Manifest,
    training: TrainingManifest,
    model: &[u8],
    report: Report,
    credentials: Option<(String, String)>,
) -> Result<Published> {
    let resource = Resource { kind: "model".into(), name: training.model.to_string(), ..Resource::default() };
    workspace.demand("publish", resource, &pipeline.file.purpose)?;
    let home = workspace.state().join("models").join(training.model.as_str());
    let parsed = lockgate_infer::Model::load(model)?;
    let signature = json!({
        "inputs": parsed.features().iter().map(|f| json!({"name": f.name, "kind": f.kind.as_str(), "width": f.width})).collect::<Vec<_>>(),
        "outputs": parsed.outputs().collect::<Vec<_>>(),
        "label": training.label, "positive": training.positive,
    });
    let lineage = json!({
        "features": training.features,
        "inputs": features.inputs,
        "columns": features.columns,
        "governance": features.governance,
    });
    let provenance = provenance(workspace, pipeline, &training);
    let pretty = |value: &serde_json::Value| {
        serde_json::to_vec_pretty(value).map_err(|_| Failure::bug("a document could not be written"))
    };
    let value = |value: serde_json::Result<serde_json::Value>| {
        value.map_err(|_| Failure::bug("a document could not be written"))
    };
    let files = [
        ("model.onnx", model.to_vec()),
        ("signature.json", pretty(&signature)?),
        ("gates.json", pretty(&value(serde_json::to_value(&report))?)?),
        ("lineage.json", pretty(&lineage)?),
        ("training.json", pretty(&value(serde_json::to_value(&training))?)?),
        ("provenance.dsse.json", dsse::sign(&workspace.signer, PROVENANCE, &provenance)?),
    ];
    let key = model_key(workspace)?;
    let package = Package::create(&home, &files, &key)?;
    let layout = package.root.join("oci");
    let oci = lockgate_registry::write_layout(&package, &layout)?;
    let mut pushed = None;
    if let Some(reference) = pipeline.file.publishing.as_ref().and_then(|p| p.registry.as_ref()) {
        pushed =
            Some(workspace.environment.runtime.block_on(lockgate_registry::push(&package, reference, credentials))?);
    }
    let event = Event::new("model.published", &workspace.principal.id, training.model.as_str(), Clock.now()).run(&training.run).detail(json!({
        "package": package.digest, "artifact": training.artifact, "oci": oci, "features": training.features, "registry": pushed,
        "publicKey": key.public_pem()?,
    }));
    workspace.journal.append(vec![event])?;
    Ok(Published {
        model: training.model,
        package: package.digest,
        artifact: training.artifact,
        path: package.root,
        rows: training.rows,
        layers: training.layers,
        report,
        registry: pushed,
    })
}

/// SLSA provenance v1 (<https://slsa.dev/spec/v1.0/provenance>).
fn provenance(workspace: &Workspace, pipeline: &Pipeline, training: &TrainingManifest) -> serde_json::Value {
    json!({
        "_type": "https://in-toto.io/Statement/v1",
        "subject": [{"name": "model.onnx", "digest": {"sha256": training.artifact.hex()}}],
        "predicateType": "https://slsa.dev/provenance/v1",
        "predicate": {
            "buildDefinition": {
                "buildType": "https://lockgate.dev/train/v1",
                "externalParameters": {"pipeline": pipeline.file.name, "label": training.label, "trainer": training.trainer, "seed": training.seed},
                "internalParameters": {"policy": workspace.policy.digest(), "layers": training.layers},
                "resolvedDependencies": [
                    {"uri": format!("lockgate:{}", training.features), "digest": {"sha256": training.features.manifest.hex()}},
                    {"uri": "lockgate:pipeline", "digest": {"sha256": pipeline.digest.hex()}},
                ],
            },
            "runDetails": {
                "builder": {"id": format!("https://lockgate.dev/builder/{}", workspace.signer.name()), "version": {"lockgate": env!("CARGO_PKG_VERSION")}},
                "metadata": {"invocationId": training.run},
            },
        },
    })
}

/// Demands that the package's provenance is signed by `key` and is about `artifact`.
pub(crate) fn check_provenance(package: &Package, artifact: Digest, key: &VerifyingKey) -> Result<()> {
    let envelope = package.read("provenance.dsse.json")?;
    let statement: serde_json::Value = dsse::open(key, PROVENANCE, &envelope, "the provenance")?;
    let subject = statement.pointer("/subject/0/digest/sha256").and_then(|v| v.as_str());
    if subject == Some(&artifact.hex()) {
        return Ok(());
    }
    Err(Failure::integrity("the provenance is about another model"))
}

fn trainer(trainer: &Trainer) -> TrainerSpec {
    match trainer {
        Trainer::LogisticRegression(t) => {
            TrainerSpec::LogisticRegression { penalty: t.penalty, iterations: t.iterations }
        }
        Trainer::GradientBoosting(t) => TrainerSpec::GradientBoosting { budget: t.budget },
        Trainer::Command(command) => TrainerSpec::Command(command.clone()),
    }
}

fn layer(layer: &config::Layer) -> Layer {
    match layer {
        config::Layer::Namespaces => Layer::Namespaces,
        config::Layer::Landlock => Layer::Landlock,
        config::Layer::Seccomp => Layer::Seccomp,
    }
}
