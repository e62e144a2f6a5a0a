//! Authentication of a source: before one row is read, over every byte.

use std::collections::BTreeMap;

use lockgate_core::{Digest, Failure, Name, Result, nearest};
use minisign::{PublicKey, SignatureBox};
use serde::{Deserialize, Serialize};

use crate::{
    Content, Fetcher, SourceSpec, Trust,
    fetch::{public_uri, signature_uri},
};

/// The publishers that the workspace lists: their minisign public keys.
pub type Publishers = BTreeMap<Name, String>;

/// What is on record about an authenticated source.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Authenticated {
    pub uri: String,
    pub digest: Digest,
    pub size_bytes: u64,
    /// `unauthenticated`, `sha256` or `publisher:<name>`.
    pub trust: String,
    /// The public key and the signature, so that anyone can check it again.
    pub publisher_key: Option<String>,
    pub signature: Option<String>,
}

impl Authenticated {
    /// Whether the recorded signature is one of the recorded key over `content`.
    pub fn verify(&self, content: &Content) -> Result<()> {
        if content.digest()? != self.digest {
            return Err(Failure::integrity(format!("source {} has changed", self.uri)));
        }
        match (&self.publisher_key, &self.signature) {
            (Some(key), Some(signature)) => verify_signature(content, key, signature, &self.uri),
            _ => Ok(()),
        }
    }
}

/// Demands that `content` is what `spec` trusts.
pub fn authenticate(
    content: &Content,
    uri: &str,
    spec: &SourceSpec,
    publishers: &Publishers,
    fetcher: &Fetcher,
) -> Result<Authenticated> {
    let mut record = Authenticated {
        uri: public_uri(uri),
        digest: content.digest()?,
        size_bytes: content.size_bytes(),
        trust: "unauthenticated".into(),
        publisher_key: None,
        signature: None,
    };
    match &spec.trust {
        Trust::Unauthenticated => {}
        Trust::Sha256(expected) => {
            if record.digest != *expected {
                return Err(Failure::integrity(format!(
                    "source {} is not the expected one: its digest is {}, the pipeline expects {expected}",
                    record.uri, record.digest
                ))
                .hint(
                    "if the new content is right, put its digest under trust.sha256; otherwise find out who changed it",
                ));
            }
            record.trust = "sha256".into();
        }
        Trust::Publisher(name) => {
            let key = publishers.get(name).ok_or_else(|| {
                let near = nearest(name.as_str(), publishers.keys().map(Name::as_str));
                let failure = Failure::input(format!("publisher {name} is not listed in the workspace"));
                match near {
                    Some(near) => failure.hint(format!("did you mean {near:?}?")),
                    None => failure.hint("list it with its minisign public key under publishers in lockgate.yaml"),
                }
            })?;
            let place = signature_uri(uri);
            let signature = read_signature(fetcher, &place, spec)?;
            verify_signature(content, key, &signature, &record.uri)?;
            record.trust = format!("publisher:{name}");
            record.publisher_key = Some(key.clone());
            record.signature = Some(signature);
        }
    }
    Ok(record)
}

const SIGNATURE_BYTES_MAX: u64 = 64 << 10;

fn read_signature(fetcher: &Fetcher, place: &str, spec: &SourceSpec) -> Result<String> {
    use std::io::Read as _;
    let missing = |why: String| {
        Failure::integrity(format!("the signature {} cannot be read: {why}", public_uri(place)))
            .hint("sign the file with `minisign -Sm FILE`, or write `trust: unauthenticated` if nobody vouches for it")
    };
    let content = fetcher.open(place, spec.tls.as_ref()).map_err(|failure| missing(failure.to_string()))?;
    let mut text = String::new();
    content.reader().take(SIGNATURE_BYTES_MAX).read_to_string(&mut text).map_err(|error| missing(error.to_string()))?;
    Ok(text)
}

fn verify_signature(content: &Content, key: &str, signature: &str, uri: &str) -> Result<()> {
    let key = PublicKey::from_base64(key.trim()).map_err(|_| {
        Failure::input("a publisher's key is not a minisign public key").hint("it is the second line of the .pub file")
    })?;
    let broken = || {
        Failure::integrity(format!("the signature of source {uri} is wrong; nothing was read from it"))
            .hint("the file or its signature was changed, or another key signed it")
    };
    let signature = SignatureBox::from_string(signature).map_err(|_| broken())?;
    minisign::verify(&key, &signature, content.reader(), true, false, false).map_err(|_| broken())
}
