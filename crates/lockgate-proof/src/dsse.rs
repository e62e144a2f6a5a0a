//! DSSE envelopes (<https://github.com/secure-systems-lab/dsse>, v1) with one Ed25519 signature.

use base64::{Engine as _, engine::general_purpose::STANDARD};
use lockgate_core::{Failure, Result};
use serde::{Deserialize, Serialize, de::DeserializeOwned};

use crate::note::{SigningKey, VerifyingKey};

/// The JSON envelope.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Envelope {
    payload: String,
    #[serde(rename = "payloadType")]
    payload_type: String,
    signatures: Vec<Signature>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Signature {
    keyid: String,
    sig: String,
}

/// The pre-authentication encoding that is signed.
pub fn pre_authentication_encoding(payload_type: &str, payload: &[u8]) -> Vec<u8> {
    let mut out = format!("DSSEv1 {} {payload_type} {} ", payload_type.len(), payload.len()).into_bytes();
    out.extend_from_slice(payload);
    out
}

/// Serializes `value` to JSON and signs it; the result is the envelope's bytes.
pub fn sign<T: Serialize>(key: &SigningKey, payload_type: &str, value: &T) -> Result<Vec<u8>> {
    let payload = serde_json::to_vec(value).map_err(|_| Failure::bug("a document could not be serialized"))?;
    let sig = key.sign(&pre_authentication_encoding(payload_type, &payload));
    serde_json::to_vec(&Envelope {
        payload: STANDARD.encode(&payload),
        payload_type: payload_type.to_owned(),
        signatures: vec![Signature { keyid: key.name().to_owned(), sig: STANDARD.encode(sig) }],
    })
    .map_err(|_| Failure::bug("an envelope could not be serialized"))
}

/// Verifies an envelope made by [`sign`] and reads its payload. `what` names it in errors.
pub fn open<T: DeserializeOwned>(key: &VerifyingKey, payload_type: &str, envelope: &[u8], what: &str) -> Result<T> {
    let payload = open_bytes(key, payload_type, envelope, what)?;
    serde_json::from_slice(&payload).map_err(|error| {
        Failure::integrity(format!("{what} is signed but cannot be read: {error}"))
            .hint("it may come from a newer Lockgate")
    })
}

/// Like [`open`], but returns the payload's bytes.
pub fn open_bytes(key: &VerifyingKey, payload_type: &str, envelope: &[u8], what: &str) -> Result<Vec<u8>> {
    let broken = |why: &str| {
        Failure::integrity(format!("{what} {why}")).hint("somebody changed it, or it belongs to another workspace")
    };
    let parsed: Envelope = serde_json::from_slice(envelope).map_err(|_| broken("is not a signed document"))?;
    if parsed.payload_type != payload_type {
        return Err(broken("is a document of another kind"));
    }
    let payload = from_base64(&parsed.payload).ok_or_else(|| broken("has a malformed payload"))?;
    let [signature] = parsed.signatures.as_slice() else {
        return Err(broken("does not have exactly one signature"));
    };
    let sig = from_base64(&signature.sig).ok_or_else(|| broken("has a malformed signature"))?;
    let message = pre_authentication_encoding(payload_type, &payload);
    if signature.keyid != key.name() || !key.verify(&message, &sig) {
        return Err(broken("has no valid signature of this workspace"));
    }
    Ok(payload)
}

pub(crate) fn from_base64(text: &str) -> Option<Vec<u8>> {
    STANDARD.decode(text).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_flipped_bit_of_an_envelope_is_refused_or_changes_nothing() {
        let key = SigningKey::from_seed("test.example/w", &[7; 32]).unwrap();
        let public = key.verifying_key();
        let envelope = sign(&key, "application/x", &serde_json::json!({"a": 1})).unwrap();
        open::<serde_json::Value>(&public, "application/x", &envelope, "it").unwrap();
        for at in 0..envelope.len() {
            for bit in 0..8 {
                let mut changed = envelope.clone();
                changed[at] ^= 1 << bit;
                assert!(open_bytes(&public, "application/x", &changed, "it").is_err(), "bit {bit} of byte {at}");
            }
        }
    }

    #[test]
    fn the_encoding_is_the_one_of_the_specification() {
        assert_eq!(
            pre_authentication_encoding("http://example.com/HelloWorld", b"hello world"),
            b"DSSEv1 29 http://example.com/HelloWorld 11 hello world"
        );
    }
}
