//! Deploy: puts a signed package behind an endpoint. A deployment is a signed record with a
//! number; the highest number answers. Rolling back is deploying an older package again.

use std::{
    fs,
    path::{Path, PathBuf},
};

use lockgate_core::{
    Classification, Clock, Digest, Failure, Name, Result, RunId, Timestamp,
    durable::{self, Readers},
};
use lockgate_infer::Model;
use lockgate_lake::SnapshotRef;
use lockgate_policy::Resource;
use lockgate_proof::{VerifyingKey, dsse};
use lockgate_registry::Package;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::{Workspace, audit::Event, model::TrainingManifest};

const DEPLOYMENT: &str = "application/vnd.lockgate.deployment.v1+json";
const RECORD_BYTES_MAX: u64 = 1 << 20;

/// What answers behind an endpoint, and why it may.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Deployment {
    pub endpoint: Name,
    pub version: u64,
    pub model: Name,
    pub package: Digest,
    pub artifact: Digest,
    pub features: SnapshotRef,
    /// The highest class among the columns that the model was trained on.
    pub classification: Classification,
    pub purpose: String,
    pub deployed: Timestamp,
    pub by: String,
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub run: Option<RunId>,
    /// The digest of the record before this one.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub parent: Option<Digest>,
}

impl Deployment {
    /// What policy is asked about.
    pub fn resource(&self) -> Resource {
        Resource {
            kind: "endpoint".into(),
            name: self.endpoint.to_string(),
            classification: Some(self.classification),
            purpose: Some(self.purpose.clone()),
            ..Resource::default()
        }
    }
}

/// A record that was read and whose signature is good.
#[derive(Clone, Debug, PartialEq)]
pub struct Recorded {
    pub deployment: Deployment,
    /// Of the signed record.
    pub digest: Digest,
}

/// What came of a deployment.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Deployed {
    pub endpoint: Name,
    pub version: u64,
    pub package: Digest,
    pub artifact: Digest,
    /// The endpoint had this package already.
    pub unchanged: bool,
}

/// Puts the package in `root` behind `endpoint`, when its signature and policy allow it. It can be
/// interrupted at any point and done again.
pub fn deploy(workspace: &mut Workspace, endpoint: &Name, root: &Path, run: Option<&RunId>) -> Result<Deployed> {
    let model_key = crate::model::model_key(workspace)?.public_pem()?;
    if !root.join("package").is_dir() {
        return Err(Failure::input(format!("{} holds no package", root.display()))
            .hint("name a folder below .lockgate/models, as `lockgate run` prints it"));
    }
    let package = lockgate_registry::verify(root, &model_key)?;
    let training = training(&package)?;
    let key = workspace.signer.verifying_key();
    let head = head(&workspace.state(), endpoint, &key)?;
    let deployment = Deployment {
        endpoint: endpoint.clone(),
        version: head.as_ref().map_or(0, |head| head.deployment.version) + 1,
        package: package.digest,
        classification: classification(&package, &training)?,
        model: training.model,
        artifact: training.artifact,
        features: training.features,
        purpose: training.purpose,
        deployed: Clock.now(),
        by: workspace.principal.id.clone(),
        run: run.cloned(),
        parent: head.as_ref().map(|head| head.digest),
    };
    workspace.demand("deploy", deployment.resource(), &deployment.purpose)?;
    // An interrupted deployment left its record without the event.
    if let Some(head) = &head
        && !on_record(workspace, |event| tells_of(event, head))?
    {
        workspace.journal.append(vec![event(head)])?;
    }
    if let Some(head) = head.as_ref().filter(|head| head.deployment.package == package.digest) {
        return Ok(deployed(&head.deployment, true));
    }
    // What could not be served is not deployed.
    check(&deployment, &workspace.state(), &key, &model_key)?;
    let digest = package.digest.to_string();
    let published = |event: &Event| {
        event.kind == "model.published" && event.detail.get("package").and_then(Value::as_str) == Some(&digest)
    };
    if !on_record(workspace, published)? {
        return Err(Failure::integrity(format!("the audit log does not tell of package {digest}"))
            .hint("run the pipeline again; it publishes the same package with its event"));
    }
    let recorded = write(workspace, deployment)?;
    workspace.journal.append(vec![event(&recorded)])?;
    Ok(deployed(&recorded.deployment, false))
}

/// Loads the model of a deployment when its package, provenance and artifact are what they must be.
pub(crate) fn check(deployment: &Deployment, state: &Path, key: &VerifyingKey, model_key: &str) -> Result<Model> {
    let root = package_root(state, &deployment.model, &deployment.package);
    if !root.is_dir() {
        return Err(Failure::integrity(format!("{} is not there", root.display()))
            .hint("a package is served from the workspace that made it"));
    }
    let package = lockgate_registry::verify(&root, model_key)?;
    let bytes = package.read("model.onnx")?;
    if Digest::of(&bytes) != deployment.artifact {
        return Err(Failure::integrity("model.onnx is not the artifact that was deployed"));
    }
    crate::model::check_provenance(&package, deployment.artifact, key)?;
    Model::load(&bytes)
}

fn deployed(deployment: &Deployment, unchanged: bool) -> Deployed {
    let Deployment { endpoint, version, package, artifact, .. } = deployment.clone();
    Deployed { endpoint, version, package, artifact, unchanged }
}

/// The newest deployment of each endpoint.
pub fn heads(state: &Path, key: &VerifyingKey) -> Result<Vec<Recorded>> {
    let mut all = Vec::new();
    for endpoint in endpoints(state)? {
        all.extend(head(state, &endpoint, key)?);
    }
    Ok(all)
}

/// The names of all endpoints, sorted.
pub(crate) fn endpoints(state: &Path) -> Result<Vec<Name>> {
    let mut names =
        children(&state.join("endpoints"))?.iter().map(|name| name.parse()).collect::<Result<Vec<Name>>>()?;
    names.sort();
    Ok(names)
}

/// The versions of an endpoint, sorted.
pub(crate) fn versions(state: &Path, endpoint: &Name) -> Result<Vec<u64>> {
    let folder = folder(state, endpoint);
    let mut versions = Vec::new();
    for name in children(&folder)?.into_iter().filter(|name| !name.ends_with(".new")) {
        let version = name
            .strip_suffix(".json")
            .and_then(|n| n.parse().ok())
            .ok_or_else(|| Failure::integrity(format!("{} is no deployment", folder.join(&name).display())))?;
        versions.push(version);
    }
    versions.sort_unstable();
    Ok(versions)
}

pub(crate) fn read(state: &Path, endpoint: &Name, version: u64, key: &VerifyingKey) -> Result<Recorded> {
    let path = place(state, endpoint, version);
    let size = fs::metadata(&path).map_err(|e| Failure::io("read", &path, &e))?.len();
    if size > RECORD_BYTES_MAX {
        return Err(Failure::integrity(format!("{} is too large for a deployment", path.display())));
    }
    let bytes = fs::read(&path).map_err(|e| Failure::io("read", &path, &e))?;
    let deployment: Deployment = dsse::open(key, DEPLOYMENT, &bytes, &format!("deployment {endpoint}@{version}"))?;
    if deployment.endpoint != *endpoint || deployment.version != version {
        return Err(Failure::integrity(format!("{} is another deployment", path.display())));
    }
    Ok(Recorded { deployment, digest: Digest::of(&bytes) })
}

/// The endpoint and version that an event of a deployment is about.
pub(crate) fn told(event: &Event) -> Option<(Name, u64)> {
    let (endpoint, version) = event.about.strip_prefix("endpoint ")?.split_once('@')?;
    (event.kind == "endpoint.deployed").then_some(())?;
    Some((endpoint.parse().ok()?, version.parse().ok()?))
}

/// Whether an event tells of this record.
pub(crate) fn tells_of(event: &Event, recorded: &Recorded) -> bool {
    event.kind == "endpoint.deployed"
        && event.about == about(&recorded.deployment)
        && event.detail.get("record").and_then(Value::as_str) == Some(&recorded.digest.to_string())
}

/// Where a package lies.
pub(crate) fn package_root(state: &Path, model: &Name, package: &Digest) -> PathBuf {
    state.join("models").join(model.as_str()).join(package.hex())
}

pub(crate) fn head(state: &Path, endpoint: &Name, key: &VerifyingKey) -> Result<Option<Recorded>> {
    versions(state, endpoint)?.last().map(|version| read(state, endpoint, *version, key)).transpose()
}

fn training(package: &Package) -> Result<TrainingManifest> {
    serde_json::from_slice(&package.read("training.json")?)
        .map_err(|_| Failure::integrity("the package's training.json is malformed"))
}

/// Of what the model can tell: the columns that it was trained on, the label among them.
fn classification(package: &Package, training: &TrainingManifest) -> Result<Classification> {
    #[derive(Deserialize)]
    struct Lineage {
        columns: Vec<lockgate_lake::Column>,
    }
    let lineage: Lineage = serde_json::from_slice(&package.read("lineage.json")?)
        .map_err(|_| Failure::integrity("the package's lineage.json is malformed"))?;
    let used = |name: &String| training.columns.contains(name) && !training.exclude.contains(name);
    Ok(lineage
        .columns
        .iter()
        .filter(|c| used(&c.name))
        .map(|c| c.classification)
        .max()
        .unwrap_or(Classification::Restricted))
}

fn write(workspace: &Workspace, deployment: Deployment) -> Result<Recorded> {
    let state = workspace.state();
    let path = place(&state, &deployment.endpoint, deployment.version);
    let bytes = dsse::sign(&workspace.signer, DEPLOYMENT, &deployment)?;
    durable::write(&path, &bytes, Readers::Anyone)?;
    Ok(Recorded { deployment, digest: Digest::of(&bytes) })
}

fn on_record(workspace: &Workspace, tells: impl Fn(&Event) -> bool) -> Result<bool> {
    for leaf in workspace.journal.log().reader().leaves(0) {
        if tells(&crate::audit::parse(&leaf?.1)?) {
            return Ok(true);
        }
    }
    Ok(false)
}

fn event(recorded: &Recorded) -> Event {
    let Deployment { model, package, artifact, run, by, deployed, .. } = &recorded.deployment;
    let mut event = Event::new("endpoint.deployed", by, &about(&recorded.deployment), *deployed)
        .detail(json!({"record": recorded.digest, "model": model, "package": package, "artifact": artifact}));
    event.run = run.as_ref().map(ToString::to_string);
    event
}

fn about(deployment: &Deployment) -> String {
    format!("endpoint {}@{}", deployment.endpoint, deployment.version)
}

fn folder(state: &Path, endpoint: &Name) -> PathBuf {
    state.join("endpoints").join(endpoint.as_str())
}

fn place(state: &Path, endpoint: &Name, version: u64) -> PathBuf {
    folder(state, endpoint).join(format!("{version:08}.json"))
}

/// Names in a folder; none when it is absent.
fn children(folder: &Path) -> Result<Vec<String>> {
    let fail = |e: &std::io::Error| Failure::io("read", folder, e);
    match fs::read_dir(folder) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(Vec::new()),
        Err(error) => Err(fail(&error)),
        Ok(entries) => {
            entries.map(|entry| Ok(entry.map_err(|e| fail(&e))?.file_name().to_string_lossy().into_owned())).collect()
        }
    }
}
