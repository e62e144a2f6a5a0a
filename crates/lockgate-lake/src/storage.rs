//! Where snapshots lie: an object store, a local folder or S3.
//!
//! `<dataset>/versions/<n>` names the manifest of version n and is created once, which is the
//! compare-and-swap on the dataset's head; `<dataset>/manifests/<sha256>.json` and
//! `<dataset>/data/<sha256>.parquet` never change.

use std::{path::PathBuf, sync::Arc};

use bytes::Bytes;
use futures::StreamExt as _;
use lockgate_core::{Digest, Failure, Name, Result, Timestamp, limits};
use lockgate_proof::{SigningKey, VerifyingKey, dsse};
use object_store::{
    ObjectStore, ObjectStoreExt as _, PutMode, PutOptions, PutPayload, WriteMultipart, local::LocalFileSystem,
    path::Path,
};
use tokio::runtime::Handle;

use crate::manifest::{Manifest, PAYLOAD_TYPE, SnapshotRef};

/// The store and, when it is a local folder, where that folder is.
#[derive(Clone, Debug)]
pub struct Storage {
    pub(crate) store: Arc<dyn ObjectStore>,
    pub(crate) prefix: Path,
    pub(crate) local: Option<PathBuf>,
    pub(crate) runtime: Handle,
}

impl Storage {
    /// A folder on this machine; it is created.
    pub fn local(root: PathBuf, runtime: Handle) -> Result<Self> {
        std::fs::create_dir_all(&root).map_err(|e| Failure::io("create", &root, &e))?;
        let store = LocalFileSystem::new_with_prefix(&root)
            .map_err(|e| Failure::unreachable(format!("{} cannot be used: {e}", root.display())))?;
        Ok(Self { store: Arc::new(store), prefix: Path::default(), local: Some(root), runtime })
    }

    /// Any object store, below `prefix`.
    pub fn remote(store: Arc<dyn ObjectStore>, prefix: &str, runtime: Handle) -> Self {
        Self { store, prefix: Path::from(prefix), local: None, runtime }
    }

    fn place(&self, relative: &str) -> Path {
        Path::from(format!("{}/{relative}", self.prefix))
    }

    pub(crate) fn get(&self, relative: &str, size_max: u64) -> Result<Option<Bytes>> {
        let place = self.place(relative);
        self.runtime.block_on(async {
            match self.store.get(&place).await {
                Ok(object) if object.meta.size > size_max => {
                    Err(Failure::integrity(format!("{relative} is larger than it can be")))
                }
                Ok(object) => object.bytes().await.map(Some).map_err(|e| unreachable(relative, &e)),
                Err(object_store::Error::NotFound { .. }) => Ok(None),
                Err(error) => Err(unreachable(relative, &error)),
            }
        })
    }

    /// Creates the object; false when it is there already.
    fn create(&self, relative: &str, bytes: Vec<u8>) -> Result<bool> {
        if let Some(root) = &self.local {
            return create_durably(&root.join(relative), &bytes);
        }
        let place = self.place(relative);
        let options = PutOptions::from(PutMode::Create);
        let payload = PutPayload::from(bytes);
        self.runtime.block_on(async {
            match self.store.put_opts(&place, payload, options).await {
                Ok(_) => Ok(true),
                Err(object_store::Error::AlreadyExists { .. } | object_store::Error::Precondition { .. }) => Ok(false),
                Err(error) => Err(unreachable(relative, &error)),
            }
        })
    }

    /// Uploads a local file that holds ciphertext, unless the object is there already.
    pub(crate) fn upload(&self, relative: &str, file: &std::path::Path) -> Result<()> {
        if let Some(root) = &self.local {
            let target = root.join(relative);
            let folder = target.parent().unwrap_or(root);
            std::fs::create_dir_all(folder).map_err(|e| Failure::io("create", folder, &e))?;
            std::fs::rename(file, &target).map_err(|e| Failure::io("write", &target, &e))?;
            return std::fs::File::open(folder)
                .and_then(|folder| folder.sync_all())
                .map_err(|e| Failure::io("write", folder, &e));
        }
        let place = self.place(relative);
        self.runtime.block_on(async {
            let failed = |e: object_store::Error| unreachable(relative, &e);
            if self.store.head(&place).await.is_ok() {
                return Ok(());
            }
            let mut reader = tokio::fs::File::open(file).await.map_err(|e| Failure::io("read", file, &e))?;
            let upload = self.store.put_multipart(&place).await.map_err(failed)?;
            let mut writer = WriteMultipart::new(upload);
            let mut buffer = vec![0u8; 1 << 20];
            loop {
                let read = tokio::io::AsyncReadExt::read(&mut reader, &mut buffer)
                    .await
                    .map_err(|e| Failure::io("read", file, &e))?;
                if read == 0 {
                    break;
                }
                writer.wait_for_capacity(4).await.map_err(failed)?;
                writer.write(buffer.get(..read).unwrap_or_default());
            }
            writer.finish().await.map_err(failed)?;
            Ok(())
        })
    }

    fn names(&self, relative: &str) -> Result<Vec<String>> {
        let place = self.place(relative);
        self.runtime.block_on(async {
            let mut names = Vec::new();
            let mut listing = self.store.list(Some(&place));
            while let Some(entry) = listing.next().await {
                let entry = entry.map_err(|e| unreachable(relative, &e))?;
                names.extend(entry.location.filename().map(str::to_owned));
            }
            names.sort();
            Ok(names)
        })
    }

    /// Every object below `relative`, as places in the lake.
    fn all(&self, relative: &str) -> Result<Vec<String>> {
        if let Some(root) = &self.local {
            // The object store's client hides the names of unfinished writes; they count here.
            return files_below(root, relative);
        }
        let place = self.place(relative);
        let prefix = if self.prefix.as_ref().is_empty() { String::new() } else { format!("{}/", self.prefix) };
        self.runtime.block_on(async {
            let mut places = Vec::new();
            let mut listing = self.store.list(Some(&place));
            while let Some(entry) = listing.next().await {
                let entry = entry.map_err(|e| unreachable(relative, &e))?;
                places.extend(entry.location.as_ref().strip_prefix(&prefix).map(str::to_owned));
            }
            Ok(places)
        })
    }

    fn folders(&self) -> Result<Vec<String>> {
        self.runtime.block_on(async {
            let listing =
                self.store.list_with_delimiter(Some(&self.prefix)).await.map_err(|e| unreachable("the lake", &e))?;
            Ok(listing.common_prefixes.iter().filter_map(|path| path.filename().map(str::to_owned)).collect())
        })
    }
}

fn files_below(root: &std::path::Path, relative: &str) -> Result<Vec<String>> {
    let mut places = Vec::new();
    let mut folders = vec![relative.to_owned()];
    while let Some(folder) = folders.pop() {
        let path = root.join(&folder);
        for entry in std::fs::read_dir(&path).map_err(|e| Failure::io("read", &path, &e))? {
            let entry = entry.map_err(|e| Failure::io("read", &path, &e))?;
            let place = format!("{folder}/{}", entry.file_name().to_string_lossy());
            if entry.file_type().is_ok_and(|kind| kind.is_dir()) {
                folders.push(place);
            } else {
                places.push(place);
            }
        }
    }
    Ok(places)
}

/// Creates a file whole or not at all and waits for the disk; false when it is there already.
/// The object store's own client for local folders does not wait.
fn create_durably(target: &std::path::Path, bytes: &[u8]) -> Result<bool> {
    use std::io::{ErrorKind, Write as _};
    let fail = |e: &std::io::Error| Failure::io("write", target, e);
    let folder = target.parent().unwrap_or(target);
    std::fs::create_dir_all(folder).map_err(|e| fail(&e))?;
    let staging = folder.parent().unwrap_or(folder);
    let mut file = tempfile::Builder::new().prefix(".new-").tempfile_in(staging).map_err(|e| fail(&e))?;
    file.write_all(bytes).map_err(|e| fail(&e))?;
    file.as_file().sync_all().map_err(|e| fail(&e))?;
    match std::fs::hard_link(file.path(), target) {
        Ok(()) => {}
        Err(error) if error.kind() == ErrorKind::AlreadyExists => return Ok(false),
        Err(error) => return Err(fail(&error)),
    }
    std::fs::File::open(folder).and_then(|folder| folder.sync_all()).map_err(|e| fail(&e))?;
    Ok(true)
}

fn unreachable(what: &str, error: &object_store::Error) -> Failure {
    let mut cause: &dyn std::error::Error = error;
    while let Some(source) = cause.source() {
        cause = source;
    }
    if let Some(io) = cause.downcast_ref::<std::io::Error>() {
        return Failure::io("use", std::path::Path::new(what), io);
    }
    Failure::unreachable(format!("the lake's {what} cannot be used: {error}"))
        .hint("check that the store answers, then run the same command again")
}

/// The datasets of a workspace.
#[derive(Clone, Debug)]
pub struct Lake {
    storage: Storage,
    key: VerifyingKey,
}

impl Lake {
    /// Manifests must be signed by `key`.
    pub fn new(storage: Storage, key: VerifyingKey) -> Self {
        Self { storage, key }
    }

    pub fn storage(&self) -> &Storage {
        &self.storage
    }

    /// Every dataset with at least one version, sorted.
    pub fn datasets(&self) -> Result<Vec<Name>> {
        let mut names = Vec::new();
        for folder in self.storage.folders()? {
            if let Ok(name) = folder.parse::<Name>()
                && self.head(&name)?.is_some()
            {
                names.push(name);
            }
        }
        names.sort();
        Ok(names)
    }

    /// The newest snapshot.
    pub fn head(&self, dataset: &Name) -> Result<Option<SnapshotRef>> {
        self.versions(dataset)?.last().map(|version| self.at_version(dataset, *version)).transpose()
    }

    /// The numbers of all versions, oldest first. They have no gap.
    pub fn versions(&self, dataset: &Name) -> Result<Vec<u64>> {
        let names = self.storage.names(&format!("{dataset}/versions"))?;
        let versions: Vec<u64> = names.iter().filter_map(|name| name.parse().ok()).collect();
        if versions.len() != names.len() || !versions.iter().copied().eq(1..=versions.len() as u64) {
            return Err(Failure::integrity(format!("the versions of {dataset} have a gap or hold another file"))
                .hint("restore the lake from a copy"));
        }
        Ok(versions)
    }

    /// The snapshot with this version.
    pub fn at_version(&self, dataset: &Name, version: u64) -> Result<SnapshotRef> {
        let entry = version_entry(dataset, version);
        let bytes = self
            .storage
            .get(&entry, 128)?
            .ok_or_else(|| Failure::input(format!("{dataset} has no version {version}")))?;
        let manifest = std::str::from_utf8(&bytes)
            .ok()
            .and_then(|text| text.strip_suffix('\n'))
            .and_then(|text| text.parse::<Digest>().ok().filter(|d| d.to_string() == text))
            .ok_or_else(|| Failure::integrity(format!("{entry} was changed")))?;
        Ok(SnapshotRef { dataset: dataset.clone(), version, manifest })
    }

    /// The newest snapshot that existed at `time`.
    pub fn at_time(&self, dataset: &Name, time: Timestamp) -> Result<Option<SnapshotRef>> {
        for version in self.versions(dataset)?.into_iter().rev() {
            let snapshot = self.at_version(dataset, version)?;
            if self.manifest(&snapshot)?.created <= time {
                return Ok(Some(snapshot));
            }
        }
        Ok(None)
    }

    /// The manifest, with its digest, signature and identity checked.
    pub fn manifest(&self, snapshot: &SnapshotRef) -> Result<Manifest> {
        let place = manifest_place(&snapshot.dataset, &snapshot.manifest);
        let bytes = self
            .storage
            .get(&place, limits::DOCUMENT_BYTES_MAX)?
            .ok_or_else(|| Failure::integrity(format!("the manifest of {snapshot} is missing")))?;
        if Digest::of(&bytes) != snapshot.manifest {
            return Err(Failure::integrity(format!("the manifest of {snapshot} was changed")));
        }
        let manifest: Manifest = dsse::open(&self.key, PAYLOAD_TYPE, &bytes, &format!("the manifest of {snapshot}"))?;
        if manifest.dataset != snapshot.dataset || manifest.version != snapshot.version {
            return Err(Failure::integrity(format!("the manifest of {snapshot} is that of another snapshot")));
        }
        Ok(manifest)
    }

    /// Signs and stores a manifest. It does not count before [`Self::publish`].
    pub fn stage(&self, signer: &SigningKey, manifest: &Manifest) -> Result<SnapshotRef> {
        let envelope = dsse::sign(signer, PAYLOAD_TYPE, manifest)?;
        let digest = Digest::of(&envelope);
        self.storage.create(&manifest_place(&manifest.dataset, &digest), envelope)?;
        Ok(SnapshotRef { dataset: manifest.dataset.clone(), version: manifest.version, manifest: digest })
    }

    /// Makes a staged snapshot the head. Fails when another writer was first.
    pub fn publish(&self, snapshot: &SnapshotRef) -> Result<()> {
        let entry = version_entry(&snapshot.dataset, snapshot.version);
        let created = self.storage.create(&entry, format!("{}\n", snapshot.manifest).into_bytes())?;
        if created || self.at_version(&snapshot.dataset, snapshot.version)?.manifest == snapshot.manifest {
            return Ok(());
        }
        Err(Failure::unreachable(format!("another run committed {snapshot} first"))
            .hint("run again; the new run starts from that version"))
    }

    /// Removes what interrupted runs left in a local lake: files and manifests that no version
    /// names. The workspace lock must be held.
    pub fn sweep(&self) -> Result<u64> {
        let Some(root) = &self.storage.local else {
            return Ok(0);
        };
        let mut removed = 0;
        for stray in self.strays()? {
            let path = root.join(&stray);
            std::fs::remove_file(&path).map_err(|e| Failure::io("remove", &path, &e))?;
            removed += 1;
        }
        Ok(removed)
    }

    /// Files of the lake that belong to no version.
    pub fn strays(&self) -> Result<Vec<String>> {
        let mut strays = Vec::new();
        for folder in self.storage.folders()? {
            let mut known = std::collections::BTreeSet::new();
            // What nobody can name is not removed: it may be somebody's.
            let dataset: Name = folder.parse().map_err(|_| {
                Failure::integrity(format!("the lake holds a folder {folder:?} that is no dataset"))
                    .hint("move it elsewhere")
            })?;
            for version in self.versions(&dataset)? {
                let snapshot = self.at_version(&dataset, version)?;
                known.insert(version_entry(&dataset, version));
                known.insert(manifest_place(&dataset, &snapshot.manifest));
                for file in self.manifest(&snapshot)?.files {
                    known.insert(data_place(&dataset, &file.digest));
                }
            }
            strays.extend(self.storage.all(&folder)?.into_iter().filter(|place| !known.contains(place)));
        }
        Ok(strays)
    }

    /// Whether `snapshot` is part of the dataset's history.
    pub fn is_published(&self, snapshot: &SnapshotRef) -> Result<bool> {
        let versions = self.versions(&snapshot.dataset)?;
        Ok(versions.contains(&snapshot.version)
            && self.at_version(&snapshot.dataset, snapshot.version)?.manifest == snapshot.manifest)
    }
}

fn version_entry(dataset: &Name, version: u64) -> String {
    format!("{dataset}/versions/{version:010}")
}

fn manifest_place(dataset: &Name, digest: &Digest) -> String {
    format!("{dataset}/manifests/{}.json", digest.hex())
}

pub(crate) fn data_place(dataset: &Name, digest: &Digest) -> String {
    format!("{dataset}/data/{}.parquet", digest.hex())
}
