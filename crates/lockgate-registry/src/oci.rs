//! A package as an OCI artifact: an image layout on disk
//! (<https://github.com/opencontainers/image-spec>, v1.1) and a push to a registry.

use std::{collections::BTreeMap, fs, path::Path};

use lockgate_core::{Digest, Failure, Result};
use oci_client::{
    Client, Reference,
    client::{ClientConfig, ClientProtocol, Config, ImageLayer},
    manifest::{OciDescriptor, OciImageManifest},
    secrets::RegistryAuth,
};
use serde_json::json;

use crate::package::Package;

const ARTIFACT_TYPE: &str = "application/vnd.lockgate.model.v1";
const FILE_TYPE: &str = "application/vnd.lockgate.model.file.v1";
const SIGNATURE_TYPE: &str = "application/vnd.dev.sigstore.bundle.v0.3+json";
const EMPTY_TYPE: &str = "application/vnd.oci.empty.v1+json";
const MANIFEST_TYPE: &str = "application/vnd.oci.image.manifest.v1+json";
const TITLE: &str = "org.opencontainers.image.title";

/// The files of the artifact: media type, name and content, in a fixed order.
fn parts(package: &Package) -> Result<Vec<(&'static str, String, Vec<u8>)>> {
    let mut names: Vec<String> = fs::read_dir(package.folder())
        .map_err(|e| Failure::io("read", &package.folder(), &e))?
        .filter_map(|entry| entry.ok().map(|entry| entry.file_name().to_string_lossy().into_owned()))
        .collect();
    names.sort();
    let mut parts = Vec::new();
    for name in names {
        let bytes = package.read(&name)?;
        parts.push((FILE_TYPE, format!("package/{name}"), bytes));
    }
    for (kind, name) in [(SIGNATURE_TYPE, "model.sig"), ("application/x-pem-file", "model.pem")] {
        let path = package.root.join(name);
        parts.push((kind, name.to_owned(), fs::read(&path).map_err(|e| Failure::io("read", &path, &e))?));
    }
    Ok(parts)
}

fn manifest(parts: &[(&'static str, String, Vec<u8>)]) -> Result<Vec<u8>> {
    let layers: Vec<_> = parts
        .iter()
        .map(|(kind, name, bytes)| json!({"mediaType": kind, "digest": Digest::of(bytes), "size": bytes.len(), "annotations": {TITLE: name}}))
        .collect();
    let manifest = json!({
        "schemaVersion": 2,
        "mediaType": MANIFEST_TYPE,
        "artifactType": ARTIFACT_TYPE,
        "config": {"mediaType": EMPTY_TYPE, "digest": Digest::of(b"{}"), "size": 2},
        "layers": layers,
    });
    serde_json::to_vec(&manifest).map_err(|_| Failure::bug("a manifest could not be written"))
}

/// Every file of the image layout, and the manifest's digest.
fn layout(package: &Package) -> Result<(BTreeMap<String, Vec<u8>>, Digest)> {
    let parts = parts(package)?;
    let manifest = manifest(&parts)?;
    let digest = Digest::of(&manifest);
    let index = json!({
        "schemaVersion": 2,
        "mediaType": "application/vnd.oci.image.index.v1+json",
        "manifests": [{
            "mediaType": MANIFEST_TYPE,
            "artifactType": ARTIFACT_TYPE,
            "digest": digest,
            "size": manifest.len(),
            "annotations": {"org.opencontainers.image.ref.name": "latest"},
        }],
    });
    let mut files = BTreeMap::from([
        ("index.json".to_owned(), index.to_string().into_bytes()),
        ("oci-layout".to_owned(), br#"{"imageLayoutVersion":"1.0.0"}"#.to_vec()),
    ]);
    let blobs = parts.into_iter().map(|(_, _, bytes)| bytes).chain([b"{}".to_vec(), manifest]);
    files.extend(blobs.map(|bytes| (format!("blobs/sha256/{}", Digest::of(&bytes).hex()), bytes)));
    Ok((files, digest))
}

/// Writes the image layout to `folder` and returns the manifest's digest.
pub fn write_layout(package: &Package, folder: &Path) -> Result<Digest> {
    let (files, digest) = layout(package)?;
    for (name, bytes) in files {
        let path = folder.join(name);
        let parent = path.parent().unwrap_or(folder);
        fs::create_dir_all(parent).map_err(|e| Failure::io("create", parent, &e))?;
        fs::write(&path, bytes).map_err(|e| Failure::io("write", &path, &e))?;
    }
    Ok(digest)
}

/// Demands that `folder` holds exactly the image layout of the package.
pub fn verify_layout(package: &Package, folder: &Path) -> Result<Digest> {
    let (files, digest) = layout(package)?;
    for (name, bytes) in &files {
        let path = folder.join(name);
        if fs::read(&path).ok().as_ref() != Some(bytes) {
            return Err(Failure::integrity(format!("{} was changed", path.display())));
        }
    }
    for place in ["", "blobs", "blobs/sha256"] {
        let path = folder.join(place);
        for entry in fs::read_dir(&path).map_err(|e| Failure::io("read", &path, &e))?.flatten() {
            let name = entry.file_name().to_string_lossy().into_owned();
            let name = if place.is_empty() { name } else { format!("{place}/{name}") };
            let is_folder = entry.file_type().is_ok_and(|kind| kind.is_dir());
            if !is_folder && !files.contains_key(&name) {
                return Err(Failure::integrity(format!("{} does not belong there", entry.path().display())));
            }
        }
    }
    Ok(digest)
}

/// Pushes the package as `<reference>:<first twelve digits of its digest>` and `:latest`; the
/// digest under which the registry has it. Plain HTTP goes to this machine only.
pub async fn push(package: &Package, reference: &str, credentials: Option<(String, String)>) -> Result<String> {
    let parts = parts(package)?;
    let local = ["127.0.0.1", "localhost", "[::1]"].iter().any(|host| reference.starts_with(host));
    let protocol = if local { ClientProtocol::Http } else { ClientProtocol::Https };
    let client = Client::new(ClientConfig { protocol, ..ClientConfig::default() });
    let auth = credentials.map_or(RegistryAuth::Anonymous, |(user, secret)| RegistryAuth::Basic(user, secret));
    let layers: Vec<ImageLayer> = parts
        .iter()
        .map(|(kind, name, bytes)| {
            ImageLayer::new(bytes.clone(), (*kind).to_owned(), Some(BTreeMap::from([(TITLE.to_owned(), name.clone())])))
        })
        .collect();
    let config = Config::new(b"{}".to_vec(), EMPTY_TYPE.to_owned(), None);
    let descriptor = |kind: &str, bytes: &[u8], name: Option<&String>| OciDescriptor {
        media_type: kind.to_owned(),
        digest: Digest::of(bytes).to_string(),
        size: bytes.len() as i64,
        annotations: name.map(|name| BTreeMap::from([(TITLE.to_owned(), name.clone())])),
        ..OciDescriptor::default()
    };
    let manifest = OciImageManifest {
        schema_version: 2,
        media_type: Some(MANIFEST_TYPE.to_owned()),
        artifact_type: Some(ARTIFACT_TYPE.to_owned()),
        config: descriptor(EMPTY_TYPE, b"{}", None),
        layers: parts.iter().map(|(kind, name, bytes)| descriptor(kind, bytes, Some(name))).collect(),
        ..OciImageManifest::default()
    };
    let mut answer = String::new();
    for tag in [package.digest.short(), "latest".to_owned()] {
        let target: Reference = format!("{reference}:{tag}")
            .parse()
            .map_err(|_| Failure::input(format!("{reference:?} is not an OCI reference")))?;
        let pushed =
            client.push(&target, &layers, config.clone(), &auth, Some(manifest.clone())).await.map_err(|error| {
                Failure::unreachable(format!("the registry does not take {target}: {error}"))
                    .hint("is the registry up, and may you push there?")
            })?;
        answer = pushed.manifest_url;
    }
    Ok(answer)
}
