//! Ed25519 keys in the encodings of C2SP signed-note, and checkpoints signed with them.
//! Spec: <https://c2sp.org/signed-note>, <https://c2sp.org/tlog-checkpoint>.

use std::fmt;

use ed25519_dalek::Signer as _;
use lockgate_core::{Failure, Result};
use signed_note::{Note, StandardVerifier, VerifierList};
use tlog_tiles::{checkpoint::Checkpoint, tlog::Hash};

/// A named Ed25519 key that signs checkpoints and envelopes. `Debug` prints the name alone.
#[derive(Clone)]
pub struct SigningKey {
    name: String,
    key: ed25519_dalek::SigningKey,
}

impl SigningKey {
    /// Builds the key from its 32-byte seed (RFC 8032). `name` must have no space and no plus.
    pub fn from_seed(name: &str, seed: &[u8; 32]) -> Result<Self> {
        if !signed_note::is_key_name_valid(name) {
            return Err(Failure::input(format!("{name:?} cannot name a signing key"))
                .hint("use a host-like name without spaces or '+', for example example.com/audit"));
        }
        Ok(Self { name: name.to_owned(), key: ed25519_dalek::SigningKey::from_bytes(seed) })
    }

    pub fn name(&self) -> &str {
        &self.name
    }

    /// The public half.
    pub fn verifying_key(&self) -> VerifyingKey {
        VerifyingKey { name: self.name.clone(), key: self.key.verifying_key() }
    }

    pub(crate) fn sign(&self, message: &[u8]) -> [u8; 64] {
        self.key.sign(message).to_bytes()
    }

    /// A signed checkpoint for a tree of `size` leaves with root `hash`.
    pub(crate) fn checkpoint(&self, size: u64, hash: Hash) -> Result<Vec<u8>> {
        let text = Checkpoint::new(&self.name, size, hash, "")
            .map_err(|_| Failure::bug("a checkpoint could not be formed"))?
            .to_bytes();
        let mut note = Note::new(&text, &[]).map_err(|_| Failure::bug("a checkpoint is not a note"))?;
        note.add_sigs(&[self]).map_err(|_| Failure::bug("a checkpoint could not be signed"))?;
        Ok(note.to_bytes())
    }
}

impl signed_note::Signer for SigningKey {
    fn name(&self) -> &str {
        &self.name
    }

    fn key_id(&self) -> u32 {
        let mut encoded = vec![1u8];
        encoded.extend_from_slice(self.key.verifying_key().as_bytes());
        signed_note::key_id(&self.name, &encoded)
    }

    fn sign(&self, msg: &[u8]) -> Result<Vec<u8>, ed25519_dalek::ed25519::Error> {
        Ok(self.key.try_sign(msg)?.to_vec())
    }
}

impl fmt::Debug for SigningKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SigningKey({})", self.name)
    }
}

/// The public half of a [`SigningKey`]; its text form is a C2SP verifier key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct VerifyingKey {
    name: String,
    key: ed25519_dalek::VerifyingKey,
}

impl VerifyingKey {
    /// Reads `<name>+<hash>+<base64>`.
    pub fn parse(text: &str) -> Result<Self> {
        let wrong = || {
            Failure::integrity("the verifier key is malformed")
                .hint("expected one line <name>+<8 hex>+<base64>, as `lockgate init` wrote it")
        };
        let text = text.trim_end_matches('\n');
        StandardVerifier::new(text).map_err(|_| wrong())?;
        let (name, rest) = text.split_once('+').ok_or_else(wrong)?;
        let (_, encoded) = rest.split_once('+').ok_or_else(wrong)?;
        let bytes = crate::dsse::from_base64(encoded).ok_or_else(wrong)?;
        let key: [u8; 32] = bytes.get(1..).and_then(|key| key.try_into().ok()).ok_or_else(wrong)?;
        let key = ed25519_dalek::VerifyingKey::from_bytes(&key).map_err(|_| wrong())?;
        let parsed = Self { name: name.to_owned(), key };
        // One key, one spelling: a changed byte that decodes to the same key is still a change.
        (parsed.to_string() == text).then_some(parsed).ok_or_else(wrong)
    }

    pub fn name(&self) -> &str {
        &self.name
    }

    pub(crate) fn verify(&self, message: &[u8], signature: &[u8]) -> bool {
        ed25519_dalek::Signature::from_slice(signature)
            .is_ok_and(|signature| self.key.verify_strict(message, &signature).is_ok())
    }

    /// Checks a signed checkpoint and returns its size and root.
    pub(crate) fn open_checkpoint(&self, bytes: &[u8]) -> Result<(u64, Hash)> {
        let broken = |why: &str| {
            Failure::integrity(format!("the audit checkpoint {why}"))
                .hint("restore the audit log from a copy; do not continue on a changed log")
        };
        let note = Note::from_bytes(bytes).map_err(|_| broken("is malformed"))?;
        let verifier = StandardVerifier::new(&self.to_string()).map_err(|_| broken("names an unknown key"))?;
        let (verified, unverified) = note
            .verify(&VerifierList::new(vec![Box::new(verifier)]))
            .map_err(|_| broken("has no valid signature of this workspace"))?;
        let checkpoint = Checkpoint::from_bytes(note.text()).map_err(|_| broken("is malformed"))?;
        let canonical = note.to_bytes() == bytes && unverified.is_empty() && verified.len() == 1;
        if checkpoint.origin() != self.name || !canonical {
            return Err(broken("is not the one this workspace signed"));
        }
        Ok((checkpoint.size(), *checkpoint.hash()))
    }
}

impl fmt::Display for VerifyingKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&signed_note::new_ed25519_verifier_key(&self.name, &self.key))
    }
}
