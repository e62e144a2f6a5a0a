//! Parquet Modular Encryption with `PKMT1` key material, as Parquet's own key tools write it.
//!
//! Each column of each file has a data key of its own, wrapped by the master key of its
//! classification in its bucket's generation. Master keys are derived from the bucket's key, so
//! that destroying that one key makes every class of the bucket unreadable.

use std::{collections::BTreeMap, sync::Arc};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use lockgate_core::{Classification, Failure, Result};
use lockgate_keys::{Key, KeyId, KeyStore, fill_random, open, seal};
use parquet::{
    encryption::{
        decrypt::{FileDecryptionProperties, KeyRetriever},
        encrypt::FileEncryptionProperties,
    },
    errors::ParquetError,
};
use serde::{Deserialize, Serialize};

/// What a master key opens.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Scope {
    /// The footers: schema, sizes and statistics.
    Footer,
    /// The commitments to the data subjects.
    Subject,
    /// The columns of a class.
    Class(Classification),
}

impl Scope {
    fn as_str(self) -> &'static str {
        match self {
            Self::Footer => "footer",
            Self::Subject => "subject",
            Self::Class(class) => class.as_str(),
        }
    }

    /// The scope of a column.
    pub(crate) fn of(column: &str, class: Classification) -> Self {
        if column == crate::SUBJECT_COLUMN { Self::Subject } else { Self::Class(class) }
    }
}

/// The identity of a master key: `<key in the store>#<scope>`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct MasterKeyId {
    pub key: KeyId,
    pub scope: Scope,
}

impl MasterKeyId {
    pub fn new(key: KeyId, scope: Scope) -> Self {
        Self { key, scope }
    }

    /// Reads its `Display` form back.
    pub fn parse(text: &str) -> Option<Self> {
        let (key, scope) = text.rsplit_once('#')?;
        let scope = match scope {
            "footer" => Scope::Footer,
            "subject" => Scope::Subject,
            word => Scope::Class(Classification::parse(word)?),
        };
        Some(Self::new(KeyId::parse(key), scope))
    }

    fn label(&self) -> String {
        format!("lockgate/v1/column/{}", self.scope.as_str())
    }
}

impl std::fmt::Display for MasterKeyId {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}#{}", self.key, self.scope.as_str())
    }
}

/// Gives out master keys. What it does not give stays unreadable.
pub trait Keyring: Send + Sync {
    fn master_key(&self, id: &MasterKeyId) -> Result<Key>;
}

/// Master keys straight from the key store, as far as was granted.
#[derive(Clone, Debug)]
pub struct StoreKeyring {
    store: Arc<dyn KeyStore>,
    /// `None` grants everything.
    granted: Option<Vec<Classification>>,
}

impl StoreKeyring {
    /// The footers and the columns of these classes.
    pub fn new(store: Arc<dyn KeyStore>, granted: &[Classification]) -> Self {
        Self { store, granted: Some(granted.to_vec()) }
    }

    /// Everything, the commitments to the data subjects included.
    pub fn all(store: Arc<dyn KeyStore>) -> Self {
        Self { store, granted: None }
    }
}

impl Keyring for StoreKeyring {
    fn master_key(&self, id: &MasterKeyId) -> Result<Key> {
        let granted = match (&self.granted, id.scope) {
            (None, _) | (_, Scope::Footer) => true,
            (Some(classes), Scope::Class(class)) => classes.contains(&class),
            (Some(_), Scope::Subject) => false,
        };
        if !granted {
            return Err(Failure::denied(format!("the keys of {} columns were not granted", id.scope.as_str())));
        }
        self.store.derive(&id.key, &id.label())
    }
}

/// Master keys that were released to a run or to a program outside.
#[derive(Clone, Debug, Default)]
pub struct MapKeyring(pub BTreeMap<String, Key>);

impl Keyring for MapKeyring {
    fn master_key(&self, id: &MasterKeyId) -> Result<Key> {
        self.0.get(&id.to_string()).cloned().ok_or_else(|| Failure::denied(format!("the key {id} was not released")))
    }
}

/// The JSON of Parquet's key tools, single wrapping, internal storage.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct KeyMaterial {
    key_material_type: String,
    internal_storage: bool,
    is_footer_key: bool,
    #[serde(rename = "kmsInstanceID", skip_serializing_if = "Option::is_none")]
    kms_instance_id: Option<String>,
    #[serde(rename = "kmsInstanceURL", skip_serializing_if = "Option::is_none")]
    kms_instance_url: Option<String>,
    #[serde(rename = "masterKeyID")]
    master_key_id: String,
    #[serde(rename = "wrappedDEK")]
    wrapped_dek: String,
    double_wrapping: bool,
}

/// Encryption for a file in the bucket of `key`, with a key for every one of `columns`.
pub(crate) fn encrypt(
    keyring: &dyn Keyring,
    key: &KeyId,
    columns: &[(String, Classification)],
) -> Result<Arc<FileEncryptionProperties>> {
    let (footer, material) = data_key(keyring, &MasterKeyId::new(key.clone(), Scope::Footer))?;
    let mut builder = FileEncryptionProperties::builder(footer).with_footer_key_metadata(material);
    for (name, class) in columns {
        let (column, material) = data_key(keyring, &MasterKeyId::new(key.clone(), Scope::of(name, *class)))?;
        builder = builder.with_column_key_and_metadata(name, column, material);
    }
    builder.build().map_err(|_| Failure::bug("encryption could not be set up"))
}

fn data_key(keyring: &dyn Keyring, id: &MasterKeyId) -> Result<(Vec<u8>, Vec<u8>)> {
    let mut data_key = vec![0u8; 32];
    fill_random(&mut data_key)?;
    let name = id.to_string();
    let wrapped = seal(&keyring.master_key(id)?, name.as_bytes(), &data_key)?;
    let is_footer_key = id.scope == Scope::Footer;
    let material = KeyMaterial {
        key_material_type: "PKMT1".into(),
        internal_storage: true,
        is_footer_key,
        kms_instance_id: is_footer_key.then(|| "lockgate".into()),
        kms_instance_url: is_footer_key.then(|| "DEFAULT".into()),
        master_key_id: name,
        wrapped_dek: STANDARD.encode(wrapped),
        double_wrapping: false,
    };
    let material = serde_json::to_vec(&material).map_err(|_| Failure::bug("key material could not be written"))?;
    Ok((data_key, material))
}

/// Decryption with whatever `keyring` gives out.
pub(crate) fn decrypt(keyring: Arc<dyn Keyring>) -> Result<Arc<FileDecryptionProperties>> {
    FileDecryptionProperties::with_key_retriever(Arc::new(Retriever(keyring)))
        .build()
        .map_err(|_| Failure::bug("decryption could not be set up"))
}

struct Retriever(Arc<dyn Keyring>);

impl KeyRetriever for Retriever {
    fn retrieve_key(&self, key_metadata: &[u8]) -> Result<Vec<u8>, ParquetError> {
        let wrong = |why: &str| ParquetError::General(why.to_owned());
        let material: KeyMaterial =
            serde_json::from_slice(key_metadata).map_err(|_| wrong("the key material is malformed"))?;
        let id = MasterKeyId::parse(&material.master_key_id).ok_or_else(|| wrong("the master key has no name"))?;
        let master = self.0.master_key(&id).map_err(|failure| wrong(&failure.to_string()))?;
        let wrapped = STANDARD.decode(&material.wrapped_dek).map_err(|_| wrong("the wrapped key is malformed"))?;
        let key = open(&master, material.master_key_id.as_bytes(), &wrapped)
            .map_err(|_| wrong("the wrapped key cannot be opened"))?;
        Ok(key.expose().clone())
    }
}
