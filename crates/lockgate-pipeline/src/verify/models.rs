//! Model packages: signature, making, OCI layout, and their place on the audit log.

use std::path::{Path, PathBuf};

use lockgate_core::{Digest, Failure, Result};
use lockgate_lake::Lake;
use lockgate_proof::VerifyingKey;

use super::Node;
use crate::{
    audit,
    model::{self, TrainingManifest},
};

pub(super) fn verify(state: &Path, lake: &Lake, key: &VerifyingKey, events: &[audit::Event]) -> Vec<Node> {
    let mut nodes: Vec<Node> = packages(&state.join("models"))
        .into_iter()
        .map(|(model, package)| verify_package(&model, &package, lake, key, events))
        .collect();
    nodes.push(Node::check("every model on record", models_on_record(state, events)));
    nodes
}

/// The folders of all packages, by model.
fn packages(home: &Path) -> Vec<(String, PathBuf)> {
    let folders = |path: &Path| -> Vec<PathBuf> {
        let mut paths: Vec<PathBuf> =
            std::fs::read_dir(path).into_iter().flatten().flatten().map(|e| e.path()).collect();
        paths.sort();
        paths
    };
    let name = |path: &Path| path.file_name().map(|n| n.to_string_lossy().into_owned()).unwrap_or_default();
    folders(home)
        .iter()
        .flat_map(|model| folders(model).into_iter().map(|package| (name(model), package)).collect::<Vec<_>>())
        // A package that was never finished counts for nothing; the next one takes its place.
        .filter(|(_, package)| name(package) != ".new")
        .collect()
}

/// The package's signature, what it says about its making, and its place on the audit log.
fn verify_package(model: &str, root: &Path, lake: &Lake, key: &VerifyingKey, events: &[audit::Event]) -> Node {
    let text = |event: &audit::Event, name: &str| event.detail.get(name).and_then(|v| v.as_str()).map(str::to_owned);
    let digest = format!("sha256:{}", root.file_name().map(|n| n.to_string_lossy().into_owned()).unwrap_or_default());
    let name = format!("model {model} {}", digest.get(..19).unwrap_or(&digest));
    let published = events
        .iter()
        .find(|e| e.kind == "model.published" && e.about == model && text(e, "package").as_deref() == Some(&digest));
    let Some(event) = published else {
        return Node::check(name, Err(Failure::integrity("the audit log does not tell of it")));
    };
    let package = match lockgate_registry::verify(root, &text(event, "publicKey").unwrap_or_default()) {
        Ok(package) => package,
        Err(failure) => return Node::check(name, Err(failure)),
    };
    let mut node = Node::new(name, "signature, every file and audit event");
    let training = package.read("training.json").and_then(|bytes| {
        serde_json::from_slice::<TrainingManifest>(&bytes).map_err(|_| Failure::integrity("training.json is malformed"))
    });
    let training = match training {
        Ok(training) => training,
        Err(failure) => {
            node.children.push(Node::check("training", Err(failure)));
            return node;
        }
    };
    let trained = lake.is_published(&training.features).and_then(|published| {
        let model = Digest::of(&package.read("model.onnx")?);
        if !published {
            return Err(Failure::integrity(format!("its feature set {} is not in the lake", training.features)));
        }
        if model != training.artifact || text(event, "artifact") != Some(model.to_string()) {
            return Err(Failure::integrity("model.onnx is not the artifact that was trained"));
        }
        Ok(format!("on {}, {} rows, artifact {}", training.features, training.rows, model.short()))
    });
    node.children.push(Node::check("training", trained));
    let provenance = model::check_provenance(&package, training.artifact, key);
    let provenance = provenance.map(|()| "SLSA v1, signed".to_owned());
    node.children.push(Node::check("provenance", provenance));
    let layout = lockgate_registry::verify_layout(&package, &root.join("oci")).and_then(|digest| {
        let recorded = text(event, "oci") == Some(digest.to_string());
        recorded.then(|| digest.to_string()).ok_or_else(|| Failure::integrity("the audit log has another digest"))
    });
    node.children.push(Node::check("OCI layout", layout));
    node
}

fn models_on_record(state: &Path, events: &[audit::Event]) -> Result<String> {
    let mut models = 0;
    for event in events.iter().filter(|event| event.kind == "model.published") {
        let digest = event.detail.get("package").and_then(|v| v.as_str()).unwrap_or_default();
        let place = state.join("models").join(&event.about).join(digest.trim_start_matches("sha256:"));
        if !place.is_dir() {
            return Err(Failure::integrity(format!("the audit log tells of package {digest}, which is not there")));
        }
        models += 1;
    }
    Ok(format!("{models} publications"))
}
