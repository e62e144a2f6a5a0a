//! What unlocks the root: a passphrase through Argon2id (RFC 9106) or a key file.

use std::{fs, io::Write as _, os::unix::fs::OpenOptionsExt as _, path::Path};

use argon2::{Algorithm, Argon2, Params, Version};
use lockgate_core::{Failure, Result, Sensitive};
use serde::{Deserialize, Serialize};

use crate::cipher::{self, Key};

/// The secret that opens the key store.
#[derive(Debug)]
pub enum Unlock {
    Passphrase(Sensitive<String>),
    /// The content of a key file: 64 hexadecimal digits.
    KeyFile(Key),
}

const PASSPHRASE_CHARS_MIN: usize = 12;

impl Unlock {
    /// A passphrase of at least twelve characters.
    pub fn passphrase(text: String) -> Result<Self> {
        if text.chars().count() < PASSPHRASE_CHARS_MIN {
            return Err(
                Failure::usage("the passphrase is shorter than 12 characters").hint("take four or more random words")
            );
        }
        Ok(Self::Passphrase(Sensitive::new(text)))
    }

    /// Reads a key file. It must not be readable by others.
    pub fn key_file(path: &Path) -> Result<Self> {
        use std::os::unix::fs::MetadataExt as _;
        let text = fs::read_to_string(path).map(Sensitive::new).map_err(|error| {
            Failure::input(format!("the key file {} cannot be read: {error}", path.display()))
                .hint("restore it from your backup; without it nothing in the workspace can be decrypted")
        })?;
        let mode = fs::metadata(path).map_err(|e| Failure::io("read", path, &e))?.mode();
        if mode & 0o077 != 0 {
            return Err(Failure::input(format!("the key file {} can be read by other users", path.display()))
                .hint(format!("chmod 600 {}", path.display())));
        }
        let mut bytes = [0u8; 32];
        hex::decode_to_slice(text.expose().trim(), &mut bytes).map_err(|_| {
            Failure::input(format!("{} is not a key file", path.display()))
                .hint("a key file holds 64 hexadecimal digits")
        })?;
        Ok(Self::KeyFile(Key::new(bytes)))
    }

    /// Creates a key file that only its owner can read.
    pub fn create_key_file(path: &Path) -> Result<Self> {
        let key = cipher::random_key()?;
        let fail = |e: &std::io::Error| Failure::io("create", path, e);
        let mut file =
            fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(path).map_err(|e| fail(&e))?;
        let text = Sensitive::new(format!("{}\n", hex::encode(key.expose())));
        file.write_all(text.expose().as_bytes()).map_err(|e| fail(&e))?;
        file.sync_all().map_err(|e| fail(&e))?;
        Ok(Self::KeyFile(key))
    }
}

/// How the key that seals the root is made, stored beside the sealed root.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "kebab-case", deny_unknown_fields)]
pub(crate) enum Method {
    KeyFile,
    Argon2id { salt: String, memory_kib: u32, passes: u32, lanes: u32 },
}

impl Method {
    pub(crate) fn for_unlock(unlock: &Unlock) -> Result<Self> {
        Ok(match unlock {
            Unlock::KeyFile(_) => Self::KeyFile,
            Unlock::Passphrase(_) => {
                let mut salt = [0u8; 16];
                cipher::fill_random(&mut salt)?;
                // The second recommended option of RFC 9106, section 4.
                Self::Argon2id { salt: hex::encode(salt), memory_kib: 64 * 1024, passes: 3, lanes: 4 }
            }
        })
    }

    /// The key that seals the root.
    pub(crate) fn key(&self, unlock: &Unlock) -> Result<Key> {
        match (self, unlock) {
            (Self::KeyFile, Unlock::KeyFile(key)) => Ok(cipher::expand(key, "lockgate/v1/seal")),
            (Self::Argon2id { salt, memory_kib, passes, lanes }, Unlock::Passphrase(text)) => {
                let damaged = || Failure::integrity("the key store's seal is malformed");
                // Bounds against a changed file that would make opening take for ever.
                if *memory_kib > 1 << 20 || *passes > 16 || *lanes > 16 {
                    return Err(damaged());
                }
                let salt = hex::decode(salt).map_err(|_| damaged())?;
                let params = Params::new(*memory_kib, *passes, *lanes, Some(32)).map_err(|_| damaged())?;
                let mut out = [0u8; 32];
                Argon2::new(Algorithm::Argon2id, Version::V0x13, params)
                    .hash_password_into(text.expose().as_bytes(), &salt, &mut out)
                    .map_err(|_| damaged())?;
                Ok(Key::new(out))
            }
            (Self::KeyFile, Unlock::Passphrase(_)) => {
                Err(Failure::usage("the key store is sealed with a key file, not with a passphrase")
                    .hint("set keys.keyFile in lockgate.yaml"))
            }
            (Self::Argon2id { .. }, Unlock::KeyFile(_)) => {
                Err(Failure::usage("the key store is sealed with a passphrase, not with a key file")
                    .hint("set keys.passphraseEnv in lockgate.yaml and that variable"))
            }
        }
    }
}
