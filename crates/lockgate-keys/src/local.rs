//! The local key store: one small file a key, each wrapped by its parent.
//!
//! `root.json` holds the root, sealed; `purpose/<p>.json` are wrapped by the root and
//! `below/<p>/<n>.json` by their purpose. Every field of a file is authenticated, and a file must
//! be spelled exactly as this store spells it.

use std::{
    collections::HashMap,
    fs,
    io::{Seek as _, Write as _},
    path::{Path, PathBuf},
    sync::Mutex,
};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use lockgate_core::{
    Clock, Failure, Result, Sensitive, Timestamp,
    durable::{self, Readers},
};
use serde::{Deserialize, Serialize, de::DeserializeOwned};

use crate::{
    KeyId, KeyState, KeyStore,
    cipher::{self, Key},
    seal::{Method, Unlock},
};

/// Keys in a folder, unlocked for the life of this value.
pub struct LocalStore {
    root: PathBuf,
    roots: Roots,
    cache: Mutex<HashMap<KeyId, Key>>,
}

/// During a rotation there are two roots; otherwise one.
struct Roots {
    current: (u32, Key),
    previous: Option<(u32, Key)>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct RootFile {
    version: u32,
    method: Method,
    sealed: String,
}

#[derive(Serialize, Deserialize)]
#[serde(tag = "state", rename_all = "lowercase", deny_unknown_fields)]
enum KeyFile {
    Active {
        id: String,
        created: Timestamp,
        /// Which root wraps a purpose key; 0 below a purpose.
        root: u32,
        wrapped: String,
    },
    Destroyed {
        id: String,
        at: Timestamp,
        reason: String,
    },
}

impl LocalStore {
    /// Creates the store in an empty or absent folder.
    pub fn create(root: &Path, unlock: &Unlock) -> Result<Self> {
        if root.join("root.json").exists() {
            return Err(Failure::usage("the workspace already has a key store"));
        }
        let store = Self {
            root: root.to_owned(),
            roots: Roots { current: (1, cipher::random_key()?), previous: None },
            cache: Mutex::default(),
        };
        store.write_roots(&store.roots, unlock)?;
        Ok(store)
    }

    /// Opens the store; finishes a rotation that was interrupted.
    pub fn open(root: &Path, unlock: &Unlock) -> Result<Self> {
        let place = root.join("root.json");
        let bytes = fs::read(&place).map_err(|error| {
            Failure::integrity(format!("the key store's root cannot be read: {error}"))
                .hint("restore the keys folder from your backup")
        })?;
        let file: RootFile = parse_exactly(&bytes, "the key store's root")?;
        let key = file.method.key(unlock)?;
        let sealed = decode(&file.sealed)?;
        let plain = cipher::open(&key, &file.context(), &sealed).map_err(|_| {
            Failure::integrity("the key store cannot be unlocked")
                .hint("the passphrase or key file is another one, or root.json was changed")
        })?;
        let mut store = Self { root: root.to_owned(), roots: Roots::decode(plain.expose())?, cache: Mutex::default() };
        if store.roots.previous.is_some() {
            store.finish_rotation(unlock)?;
        }
        Ok(store)
    }

    /// Replaces the root and, with it, the seal. Data and bucket keys stay as they are. It can be
    /// interrupted at any point: the next [`Self::open`] with the new secret finishes it.
    pub fn rotate_root(&mut self, new_unlock: &Unlock) -> Result<u32> {
        let (number, old) = (self.roots.current.0, self.roots.current.1.clone());
        let roots = Roots { current: (number + 1, cipher::random_key()?), previous: Some((number, old)) };
        self.write_roots(&roots, new_unlock)?;
        self.roots = roots;
        self.finish_rotation(new_unlock)?;
        Ok(number + 1)
    }

    fn finish_rotation(&mut self, unlock: &Unlock) -> Result<()> {
        for (id, state) in self.list()? {
            if id.name.is_none() && state == KeyState::Active {
                let key = self.load(&id)?;
                self.write_key(&id, &key)?;
            }
        }
        let roots = Roots { current: (self.roots.current.0, self.roots.current.1.clone()), previous: None };
        self.write_roots(&roots, unlock)?;
        self.roots = roots;
        Ok(())
    }

    fn write_roots(&self, roots: &Roots, unlock: &Unlock) -> Result<()> {
        let mut file = RootFile { version: 1, method: Method::for_unlock(unlock)?, sealed: String::new() };
        let key = file.method.key(unlock)?;
        let sealed = cipher::seal(&key, &file.context(), roots.encode().expose())?;
        file.sealed = STANDARD.encode(sealed);
        durable::write(&self.root.join("root.json"), &to_json(&file)?, Readers::Owner)
    }

    /// The key itself; its parent is unwrapped on the way.
    fn load(&self, id: &KeyId) -> Result<Key> {
        if let Ok(cache) = self.cache.lock()
            && let Some(key) = cache.get(id)
        {
            return Ok(key.clone());
        }
        let (created, root, wrapped) = match self.read_file(id)? {
            None => {
                return Err(Failure::input(format!("there is no key {id}"))
                    .hint("it was never created here, or the keys folder is incomplete"));
            }
            Some(KeyFile::Destroyed { at, .. }) => {
                return Err(Failure::denied(format!("key {id} was destroyed at {at}"))
                    .hint("what it protected is gone for good; that is what destruction means"));
            }
            Some(KeyFile::Active { created, root, wrapped, .. }) => (created, root, wrapped),
        };
        let parent = self.parent(id, root)?;
        let plain = cipher::open(&parent, &context(id, created, root), &decode(&wrapped)?)
            .map_err(|f| f.at(format!("key {id}")))?;
        let bytes: [u8; 32] = plain
            .expose()
            .as_slice()
            .try_into()
            .map_err(|_| Failure::integrity(format!("key {id} has the wrong length")))?;
        let key = Key::new(bytes);
        if let Ok(mut cache) = self.cache.lock() {
            cache.insert(id.clone(), key.clone());
        }
        Ok(key)
    }

    fn parent(&self, id: &KeyId, root: u32) -> Result<Key> {
        if id.name.is_some() {
            return self.load(&KeyId::purpose(id.purpose.clone()));
        }
        [Some(&self.roots.current), self.roots.previous.as_ref()]
            .into_iter()
            .flatten()
            .find(|(number, _)| *number == root)
            .map(|(_, key)| key.clone())
            .ok_or_else(|| Failure::integrity(format!("key {id} is wrapped by an unknown root")))
    }

    fn write_key(&self, id: &KeyId, key: &Key) -> Result<()> {
        let created = Clock.now();
        let root = if id.name.is_some() { 0 } else { self.roots.current.0 };
        let parent = self.parent(id, root)?;
        let wrapped = cipher::seal(&parent, &context(id, created, root), key.expose())?;
        let file = KeyFile::Active { id: id.to_string(), created, root, wrapped: STANDARD.encode(wrapped) };
        durable::write(&self.place(id), &to_json(&file)?, Readers::Owner)
    }

    fn read_file(&self, id: &KeyId) -> Result<Option<KeyFile>> {
        let place = self.place(id);
        let bytes = match fs::read(&place) {
            Ok(bytes) => bytes,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(Failure::io("read", &place, &error)),
        };
        let file: KeyFile = parse_exactly(&bytes, &format!("key {id}"))?;
        let (KeyFile::Active { id: named, .. } | KeyFile::Destroyed { id: named, .. }) = &file;
        if *named != id.to_string() {
            return Err(Failure::integrity(format!("the file of key {id} holds another key")));
        }
        Ok(Some(file))
    }

    fn place(&self, id: &KeyId) -> PathBuf {
        match &id.name {
            None => self.root.join("purpose").join(format!("{}.json", id.purpose)),
            Some(name) => self.root.join("below").join(&id.purpose).join(format!("{name}.json")),
        }
    }
}

impl KeyStore for LocalStore {
    fn create(&self, id: &KeyId) -> Result<()> {
        for part in [Some(&id.purpose), id.name.as_ref()].into_iter().flatten() {
            let plain = part.chars().all(|c| c.is_ascii_alphanumeric() || "_.-".contains(c));
            if !plain || part.is_empty() || part.starts_with('.') || part.len() > 128 {
                return Err(Failure::bug("a key's name is not plain"));
            }
        }
        match self.state(id)? {
            KeyState::Active => Ok(()),
            KeyState::Absent => self.write_key(id, &cipher::random_key()?),
            KeyState::Destroyed { .. } => Err(Failure::denied(format!("key {id} was destroyed and cannot come back"))),
        }
    }

    fn derive(&self, id: &KeyId, label: &str) -> Result<Key> {
        Ok(cipher::expand(&self.load(id)?, label))
    }

    fn state(&self, id: &KeyId) -> Result<KeyState> {
        Ok(match self.read_file(id)? {
            None => KeyState::Absent,
            Some(KeyFile::Active { .. }) => KeyState::Active,
            Some(KeyFile::Destroyed { at, reason, .. }) => KeyState::Destroyed { at, reason },
        })
    }

    fn destroy(&self, id: &KeyId, reason: &str) -> Result<()> {
        match self.state(id)? {
            KeyState::Absent => return Err(Failure::input(format!("there is no key {id}"))),
            KeyState::Destroyed { .. } => return Ok(()),
            KeyState::Active => {}
        }
        if let Ok(mut cache) = self.cache.lock() {
            // What was derived from a purpose key goes with it.
            cache.retain(|cached, _| cached != id && (id.name.is_some() || cached.purpose != id.purpose));
        }
        let place = self.place(id);
        // The tombstone takes the file's name first; then the old blocks are overwritten through
        // the handle. A crash in between leaves the key destroyed, never damaged.
        let old = fs::OpenOptions::new().write(true).open(&place).map_err(|e| Failure::io("overwrite", &place, &e))?;
        let tombstone = KeyFile::Destroyed { id: id.to_string(), at: Clock.now(), reason: reason.to_owned() };
        durable::write(&place, &to_json(&tombstone)?, Readers::Owner)?;
        overwrite(old, &place)
    }

    fn list(&self) -> Result<Vec<(KeyId, KeyState)>> {
        let mut ids = Vec::new();
        for name in names_in(&self.root.join("purpose"))? {
            ids.push(KeyId::purpose(name));
        }
        for purpose in names_in(&self.root.join("below"))? {
            for name in names_in(&self.root.join("below").join(&purpose))? {
                ids.push(KeyId::purpose(purpose.clone()).child(name));
            }
        }
        ids.sort();
        ids.into_iter().map(|id| self.state(&id).map(|state| (id, state))).collect()
    }
}

impl std::fmt::Debug for LocalStore {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "LocalStore({})", self.root.display())
    }
}

impl Roots {
    /// Number and key of the current root, then of the previous one.
    fn encode(&self) -> Sensitive<Vec<u8>> {
        let mut out = Vec::new();
        for (number, key) in std::iter::once(&self.current).chain(&self.previous) {
            out.extend_from_slice(&number.to_be_bytes());
            out.extend_from_slice(key.expose());
        }
        Sensitive::new(out)
    }

    fn decode(bytes: &[u8]) -> Result<Self> {
        let mut roots = bytes.chunks(36).map(|chunk| {
            let (number, key) = chunk.split_first_chunk::<4>()?;
            Some((u32::from_be_bytes(*number), Key::new(key.try_into().ok()?)))
        });
        let damaged = || Failure::integrity("the key store's root is malformed");
        Ok(Self { current: roots.next().flatten().ok_or_else(damaged)?, previous: roots.next().flatten() })
    }
}

impl RootFile {
    fn context(&self) -> Vec<u8> {
        format!("lockgate/v1/root {} {:?}", self.version, self.method).into_bytes()
    }
}

fn context(id: &KeyId, created: Timestamp, root: u32) -> Vec<u8> {
    format!("lockgate/v1/key {id} {created} {root}").into_bytes()
}

fn decode(text: &str) -> Result<Vec<u8>> {
    STANDARD.decode(text).map_err(|_| Failure::integrity("a wrapped key is malformed"))
}

fn to_json<T: Serialize>(value: &T) -> Result<Vec<u8>> {
    serde_json::to_vec(value).map_err(|_| Failure::bug("a key file could not be written"))
}

/// Parses and demands that writing the value again yields the same bytes.
fn parse_exactly<T: Serialize + DeserializeOwned>(bytes: &[u8], what: &str) -> Result<T> {
    let damaged = || Failure::integrity(format!("{what} is damaged")).hint("restore the keys folder from your backup");
    let value: T = serde_json::from_slice(bytes).map_err(|_| damaged())?;
    (to_json(&value)? == bytes).then_some(value).ok_or_else(damaged)
}

fn names_in(folder: &Path) -> Result<Vec<String>> {
    let entries = match fs::read_dir(folder) {
        Ok(entries) => entries,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(Failure::io("read", folder, &error)),
    };
    let mut names = Vec::new();
    for entry in entries {
        let entry = entry.map_err(|e| Failure::io("read", folder, &e))?;
        let name = entry.file_name().to_string_lossy().into_owned();
        // A ".new" file is a write that was interrupted; it never counted.
        if !name.ends_with(".new") {
            names.push(name.trim_end_matches(".json").to_owned());
        }
    }
    Ok(names)
}

fn overwrite(mut file: fs::File, place: &Path) -> Result<()> {
    let fail = |e: &std::io::Error| Failure::io("overwrite", place, e);
    let size = file.metadata().map_err(|e| fail(&e))?.len() as usize;
    let mut noise = vec![0u8; size];
    cipher::fill_random(&mut noise)?;
    file.rewind().map_err(|e| fail(&e))?;
    file.write_all(&noise).map_err(|e| fail(&e))?;
    file.sync_all().map_err(|e| fail(&e))
}

#[cfg(test)]
mod tests;
