//! The key hierarchy: a sealed root, purpose keys under it, bucket keys under those, and what is
//! derived from them.
//!
//! Invariants: a key leaves this crate only as a [`Key`], which is wiped when dropped and never
//! prints itself. Rotating the root rewrites no data. A destroyed key stays destroyed and leaves
//! a tombstone. This crate does not decide who may have a key; policy does.

mod cipher;
mod local;
mod seal;
mod token;

pub use cipher::{Key, fill_random, open, seal};
pub use local::LocalStore;
pub use seal::Unlock;
pub use token::{MacChain, Pseudonymizer, Tokenizer};

use lockgate_core::{Result, Timestamp};

/// Names a key: a purpose such as `lake.income`, or a key below it such as `lake.income/b03.g1`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct KeyId {
    purpose: String,
    name: Option<String>,
}

impl KeyId {
    pub fn purpose(purpose: impl Into<String>) -> Self {
        Self { purpose: purpose.into(), name: None }
    }

    /// The key `name` below this purpose.
    pub fn child(&self, name: impl Into<String>) -> Self {
        Self { purpose: self.purpose.clone(), name: Some(name.into()) }
    }

    /// Reads `purpose` or `purpose/name`.
    pub fn parse(text: &str) -> Self {
        match text.split_once('/') {
            Some((purpose, name)) => Self::purpose(purpose).child(name),
            None => Self::purpose(text),
        }
    }
}

impl std::fmt::Display for KeyId {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match &self.name {
            Some(name) => write!(f, "{}/{name}", self.purpose),
            None => f.write_str(&self.purpose),
        }
    }
}

/// What became of a key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum KeyState {
    Absent,
    Active,
    Destroyed { at: Timestamp, reason: String },
}

/// Where keys live. One operation yields key material: [`KeyStore::derive`] is HKDF-Expand
/// (RFC 5869) of one block, which is `HMAC-SHA256(key, label || 0x01)`, so that a KMS or an HSM
/// can do it without letting the key out.
pub trait KeyStore: Send + Sync + std::fmt::Debug {
    /// Creates the key if it is absent. A destroyed key cannot be created again.
    fn create(&self, id: &KeyId) -> Result<()>;

    /// The 256-bit key derived from `id` for `label`.
    fn derive(&self, id: &KeyId, label: &str) -> Result<Key>;

    fn state(&self, id: &KeyId) -> Result<KeyState>;

    /// Destroys the key for good. Doing it again changes nothing.
    fn destroy(&self, id: &KeyId, reason: &str) -> Result<()>;

    /// Every key, destroyed ones included, sorted.
    fn list(&self) -> Result<Vec<(KeyId, KeyState)>>;
}
