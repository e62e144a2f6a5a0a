//! The package folder and its signature: OpenSSF Model Signing v1.0
//! (<https://github.com/ossf/model-signing-spec>), a Sigstore bundle with a DSSE envelope around
//! an in-toto statement, ECDSA P-256 with SHA-256.

use std::{
    fs,
    path::{Path, PathBuf},
};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use lockgate_core::{Digest, Failure, Result};
use lockgate_proof::dsse::pre_authentication_encoding;
use p256::{
    ecdsa::{
        Signature, SigningKey, VerifyingKey,
        signature::{Signer as _, Verifier as _},
    },
    pkcs8::{DecodePublicKey as _, EncodePublicKey as _, LineEnding},
};
use serde_json::{Value, json};

const PAYLOAD_TYPE: &str = "application/vnd.in-toto+json";
const FILES_MAX: usize = 10_000;

/// The key that signs packages.
pub struct ModelKey(SigningKey);

impl ModelKey {
    /// From 32 secret bytes.
    pub fn from_seed(seed: &[u8; 32]) -> Result<Self> {
        SigningKey::from_slice(seed).map(Self).map_err(|_| Failure::bug("the model key is out of range"))
    }

    /// The public half as PEM with a final newline.
    pub fn public_pem(&self) -> Result<String> {
        self.0
            .verifying_key()
            .to_public_key_pem(LineEnding::LF)
            .map_err(|_| Failure::bug("the public key could not be written"))
    }
}

impl std::fmt::Debug for ModelKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("ModelKey")
    }
}

/// A package: `<root>/package/` with the files, `<root>/model.sig` and `<root>/model.pem`.
#[derive(Clone, Debug)]
pub struct Package {
    pub root: PathBuf,
    /// The digest over all file digests in name order, as the signature states it.
    pub digest: Digest,
}

impl Package {
    /// Signs the files and moves everything to `<home>/<digest>` in one step. A package with the
    /// same content is kept as it is.
    pub fn create(home: &Path, files: &[(&str, Vec<u8>)], key: &ModelKey) -> Result<Self> {
        let fail = |path: &Path| {
            let path = path.to_owned();
            move |e: std::io::Error| Failure::io("write", &path, &e)
        };
        fs::create_dir_all(home).map_err(fail(home))?;
        let staging = home.join(".new");
        let _ = fs::remove_dir_all(&staging);
        let folder = staging.join("package");
        fs::create_dir_all(&folder).map_err(fail(&folder))?;
        for (name, bytes) in files {
            write(&folder.join(name), bytes)?;
        }
        let (digest, resources) = digests(&folder)?;
        write(&staging.join("model.sig"), &bundle(&digest, &resources, key)?)?;
        write(&staging.join("model.pem"), key.public_pem()?.as_bytes())?;
        let root = home.join(digest.hex());
        if root.exists() {
            let _ = fs::remove_dir_all(&staging);
        } else {
            fs::rename(&staging, &root).map_err(fail(&root))?;
            fs::File::open(home).and_then(|f| f.sync_all()).map_err(fail(home))?;
        }
        Ok(Self { root, digest })
    }

    /// The folder that is signed.
    pub fn folder(&self) -> PathBuf {
        self.root.join("package")
    }

    /// One file of the package.
    pub fn read(&self, name: &str) -> Result<Vec<u8>> {
        let path = self.folder().join(name);
        fs::read(&path).map_err(|e| Failure::io("read", &path, &e))
    }
}

fn write(path: &Path, bytes: &[u8]) -> Result<()> {
    use std::io::Write as _;
    let mut file = fs::File::create(path).map_err(|e| Failure::io("create", path, &e))?;
    file.write_all(bytes).and_then(|()| file.sync_all()).map_err(|e| Failure::io("write", path, &e))
}

/// The digest of the whole and of each file, in name order.
fn digests(folder: &Path) -> Result<(Digest, Vec<(String, Digest)>)> {
    let fail = |e: &std::io::Error| Failure::io("read", folder, e);
    let mut resources = Vec::new();
    for entry in fs::read_dir(folder).map_err(|e| fail(&e))? {
        let entry = entry.map_err(|e| fail(&e))?;
        if !entry.file_type().is_ok_and(|kind| kind.is_file()) || resources.len() > FILES_MAX {
            return Err(Failure::integrity(format!("{} is not a plain file of a package", entry.path().display())));
        }
        let file = fs::File::open(entry.path()).map_err(|e| Failure::io("open", &entry.path(), &e))?;
        let (digest, _) = Digest::of_reader(file).map_err(|e| Failure::io("read", &entry.path(), &e))?;
        resources.push((entry.file_name().to_string_lossy().into_owned(), digest));
    }
    resources.sort();
    let all: Vec<u8> = resources.iter().flat_map(|(_, digest)| *digest.as_bytes()).collect();
    Ok((Digest::of(&all), resources))
}

fn bundle(digest: &Digest, resources: &[(String, Digest)], key: &ModelKey) -> Result<Vec<u8>> {
    let resources: Vec<Value> = resources
        .iter()
        .map(|(name, digest)| json!({"name": name, "digest": digest.hex(), "algorithm": "sha256"}))
        .collect();
    let statement = json!({
        "_type": "https://in-toto.io/Statement/v1",
        "subject": [{"name": "package", "digest": {"sha256": digest.hex()}}],
        "predicateType": "https://model_signing/signature/v1.0",
        "predicate": {
            "resources": resources,
            "serialization": {"method": "files", "hash_type": "sha256", "allow_symlinks": false, "ignore_paths": []},
        },
    });
    let payload = statement.to_string().into_bytes();
    let signature: Signature = key.0.sign(&pre_authentication_encoding(PAYLOAD_TYPE, &payload));
    let pem = key.public_pem()?;
    envelope(&STANDARD.encode(&payload), &STANDARD.encode(signature.to_der().as_bytes()), &pem)
}

/// The bundle around a payload and its signature; there is one spelling of it.
fn envelope(payload: &str, sig: &str, pem: &str) -> Result<Vec<u8>> {
    let bundle = json!({
        "mediaType": "application/vnd.dev.sigstore.bundle.v0.3+json",
        "verificationMaterial": {"publicKey": {"hint": Digest::of(pem.as_bytes()).hex()}, "tlogEntries": []},
        "dsseEnvelope": {
            "payload": payload,
            "payloadType": PAYLOAD_TYPE,
            "signatures": [{"sig": sig, "keyid": ""}],
        },
    });
    serde_json::to_vec(&bundle).map_err(|_| Failure::bug("a bundle could not be written"))
}

/// Demands that every byte of the package in `root` is signed by the holder of `public_pem`.
pub fn verify(root: &Path, public_pem: &str) -> Result<Package> {
    let broken = |why: &str| {
        Failure::integrity(format!("model package {}: {why}", root.display()))
            .hint("do not use it; restore it from a copy or publish again")
    };
    let stored = fs::read_to_string(root.join("model.pem")).map_err(|_| broken("its public key is missing"))?;
    if stored != public_pem {
        return Err(broken("model.pem is not the key of this workspace"));
    }
    let bytes = fs::read(root.join("model.sig")).map_err(|_| broken("its signature is missing"))?;
    let bundle: Value = serde_json::from_slice(&bytes).map_err(|_| broken("its signature is malformed"))?;
    let text = |path: &str| bundle.pointer(path).and_then(Value::as_str).unwrap_or_default();
    let payload = STANDARD.decode(text("/dsseEnvelope/payload")).map_err(|_| broken("its signature is malformed"))?;
    let sig =
        STANDARD.decode(text("/dsseEnvelope/signatures/0/sig")).map_err(|_| broken("its signature is malformed"))?;
    let key = VerifyingKey::from_public_key_pem(public_pem).map_err(|_| broken("its public key is malformed"))?;
    let fixed = envelope(text("/dsseEnvelope/payload"), text("/dsseEnvelope/signatures/0/sig"), public_pem)? == bytes;
    let signed = Signature::from_der(&sig)
        .is_ok_and(|sig| key.verify(&pre_authentication_encoding(PAYLOAD_TYPE, &payload), &sig).is_ok());
    if !signed || !fixed {
        return Err(broken("its signature is wrong"));
    }
    let statement: Value = serde_json::from_slice(&payload).map_err(|_| broken("its statement is malformed"))?;
    let (digest, resources) = digests(&root.join("package"))?;
    let stated: Vec<(&str, &str)> = statement
        .pointer("/predicate/resources")
        .and_then(Value::as_array)
        .into_iter()
        .flatten()
        .filter_map(|r| Some((r.get("name")?.as_str()?, r.get("digest")?.as_str()?)))
        .collect();
    for (name, actual) in &resources {
        if !stated.iter().any(|(n, d)| n == name && *d == actual.hex()) {
            return Err(broken(&format!("{name} is not the file that was signed")));
        }
    }
    let same = stated.len() == resources.len()
        && statement.pointer("/subject/0/digest/sha256").and_then(Value::as_str) == Some(&digest.hex());
    let in_place = root.file_name().is_some_and(|name| name.to_string_lossy() == digest.hex());
    if !same || !in_place {
        return Err(broken("a signed file is missing"));
    }
    Ok(Package { root: root.to_owned(), digest })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_flipped_byte_is_found() {
        let dir = tempfile::tempdir().unwrap();
        let key = ModelKey::from_seed(&[9; 32]).unwrap();
        let files = [("model.onnx", b"model".to_vec()), ("gates.json", b"{}".to_vec())];
        let package = Package::create(dir.path(), &files, &key).unwrap();
        let pem = key.public_pem().unwrap();
        verify(&package.root, &pem).unwrap();
        for file in ["package/model.onnx", "package/gates.json", "model.sig", "model.pem"] {
            let path = package.root.join(file);
            let original = fs::read(&path).unwrap();
            for at in 0..original.len() {
                let mut changed = original.clone();
                changed[at] ^= 1;
                fs::write(&path, &changed).unwrap();
                let failure = verify(&package.root, &pem).expect_err("a flipped byte must be found");
                assert_eq!(failure.fault(), lockgate_core::Fault::Integrity, "{file} {at}");
            }
            fs::write(&path, &original).unwrap();
        }
        fs::write(package.folder().join("extra"), b"x").unwrap();
        assert!(verify(&package.root, &pem).is_err());
    }
}
