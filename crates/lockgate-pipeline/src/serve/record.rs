//! The gateway's own log. Requests wait for a short write to a note of what is to be appended;
//! about once a second the notes become leaves of the log, all at once.
//!
//! The note begins with the size that the log had: after a crash, a larger log holds the notes
//! already. A last line that was not finished was never waited for, and counts for nothing.

use std::{
    fs::{self, File, OpenOptions},
    io::Write as _,
    path::{Path, PathBuf},
};

use lockgate_core::{
    Clock, Failure, Result, Timestamp,
    durable::{self, Readers},
};
use lockgate_gateway::{Entry, Sink};
use lockgate_keys::KeyId;
use lockgate_proof::{Log, LogReader, SigningKey, VerifyingKey};
use serde::{Deserialize, Serialize};
use serde_json::{json, value::RawValue};

use super::folder;
use crate::{Workspace, audit, audit::Event};

const NOTE: &str = "note.jsonl";
/// Notes become leaves early once there are so many.
const NOTES_MAX: usize = 16_384;

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Header {
    log_size: u64,
}

/// An [`Event`] whose detail is JSON already.
#[derive(Serialize)]
struct Leaf<'e> {
    id: &'e str,
    time: Timestamp,
    kind: &'e str,
    actor: &'e str,
    about: &'e str,
    detail: &'e RawValue,
}

impl<'e> From<&'e Entry> for Leaf<'e> {
    fn from(entry: &'e Entry) -> Self {
        let Entry { id, time, kind, actor, about, detail } = entry;
        Self { id, time: *time, kind, actor, about, detail }
    }
}

/// The gateway's log with its notes. There is one writer.
pub(super) struct Record {
    folder: PathBuf,
    log: Log,
    note: File,
    noted: Vec<Vec<u8>>,
    _lock: File,
}

/// Makes the log on first use and says so on the workspace's log, so that it cannot be replaced
/// unseen. Returns the key that signs it.
pub(super) fn prepare(workspace: &mut Workspace) -> Result<SigningKey> {
    let id = KeyId::purpose("workspace.gateway");
    workspace.keys.create(&id)?;
    let seed = workspace.keys.derive(&id, "lockgate/v1/ed25519")?;
    let signer = SigningKey::from_seed(&format!("lockgate.local/{}/gateway", workspace.config.name), seed.expose())?;
    let home = folder(&workspace.state());
    let key = signer.verifying_key().to_string();
    let told = created(workspace.journal.log().reader())?;
    if told.as_ref().is_some_and(|told| *told != key) {
        return Err(Failure::integrity("the gateway's log was made with another key"));
    }
    if !home.join("audit").exists() {
        if told.is_some() {
            return Err(Failure::integrity("the gateway's log is gone").hint("restore it from a copy"));
        }
        Log::create(&home.join("audit"), signer.clone())?;
    }
    if told.is_none() {
        let event =
            Event::new("gateway.created", &workspace.principal.id, "gateway", Clock.now()).detail(json!({"key": key}));
        workspace.journal.append(vec![event])?;
    }
    Ok(signer)
}

/// The gateway's verifier key, as the workspace's log tells it.
fn created(log: &LogReader) -> Result<Option<String>> {
    for leaf in log.leaves(0) {
        let event = audit::parse(&leaf?.1)?;
        if event.kind == "gateway.created" {
            return Ok(event.detail.get("key").and_then(|key| key.as_str()).map(str::to_owned));
        }
    }
    Ok(None)
}

/// The gateway's log for a reader; the gateway appends nothing while the returned lock lives, and
/// goes on answering. `None` when this workspace never served.
pub fn open_log(state: &Path, log: &LogReader) -> Result<Option<(LogReader, VerifyingKey, File)>> {
    let Some(key) = created(log)? else { return Ok(None) };
    let key = VerifyingKey::parse(&key)?;
    let path = folder(state).join("append.lock");
    let lock = open_lock(&path)?;
    lock.lock_shared().map_err(|e| Failure::io("lock", &path, &e))?;
    Ok(Some((LogReader::open(&folder(state).join("audit"), &key)?, key, lock)))
}

/// How many events wait to become leaves of a log of `log_size`.
pub(crate) fn waiting(state: &Path, log_size: u64) -> Result<usize> {
    Ok(notes(&folder(state).join(NOTE), log_size)?.len())
}

fn open_lock(path: &Path) -> Result<File> {
    let open = OpenOptions::new().read(true).write(true).create(true).truncate(false).open(path);
    open.map_err(|e| Failure::io("open", path, &e))
}

impl Record {
    /// Opens the log and appends what a crash left in the notes.
    pub(super) fn open(state: &Path, signer: SigningKey) -> Result<Self> {
        let folder = folder(state);
        let path = folder.join("lock");
        let lock = open_lock(&path)?;
        lock.try_lock().map_err(|_| {
            Failure::unreachable("a gateway serves this workspace already").hint("stop it, or use another workspace")
        })?;
        let mut log = {
            let path = folder.join("append.lock");
            let append = open_lock(&path)?;
            append.lock().map_err(|e| Failure::io("lock", &path, &e))?;
            Log::open(&folder.join("audit"), signer)?
        };
        let place = folder.join(NOTE);
        let left = notes(&place, log.reader().size())?;
        if !left.is_empty() {
            let path = folder.join("append.lock");
            let append = open_lock(&path)?;
            append.lock().map_err(|e| Failure::io("lock", &path, &e))?;
            log.append(&left)?;
        }
        let note = begin_note(&place, log.reader().size())?;
        Ok(Self { folder, log, note, noted: Vec::new(), _lock: lock })
    }

    /// Turns the notes into leaves. While somebody reads the log, it waits for the next time.
    fn append(&mut self) -> Result<()> {
        if self.noted.is_empty() {
            return Ok(());
        }
        let path = self.folder.join("append.lock");
        let append = open_lock(&path)?;
        match append.try_lock() {
            Ok(()) => {}
            Err(fs::TryLockError::WouldBlock) => return Ok(()),
            Err(fs::TryLockError::Error(error)) => return Err(Failure::io("lock", &path, &error)),
        }
        self.log.append(&self.noted)?;
        self.noted.clear();
        self.note = begin_note(&self.folder.join(NOTE), self.log.reader().size())?;
        Ok(())
    }
}

impl Sink for Record {
    fn record(&mut self, entries: Vec<Entry>) -> Result<()> {
        let path = self.folder.join(NOTE);
        let mut lines = Vec::new();
        let mut leaves = Vec::with_capacity(entries.len());
        for entry in entries {
            let leaf =
                serde_json::to_vec(&Leaf::from(&entry)).map_err(|_| Failure::bug("an event could not be written"))?;
            lines.extend_from_slice(&leaf);
            lines.push(b'\n');
            leaves.push(leaf);
        }
        self.note
            .write_all(&lines)
            .and_then(|()| self.note.sync_data())
            .map_err(|e| Failure::io("write", &path, &e))?;
        self.noted.append(&mut leaves);
        if self.noted.len() >= NOTES_MAX {
            self.append()?;
        }
        Ok(())
    }

    fn settle(&mut self) -> Result<()> {
        self.append()
    }
}

/// An empty note for a log of this size, in place of the one before.
fn begin_note(place: &Path, log_size: u64) -> Result<File> {
    let header =
        serde_json::to_string(&Header { log_size }).map_err(|_| Failure::bug("a note could not be written"))?;
    durable::write(place, format!("{header}\n").as_bytes(), Readers::Anyone)?;
    OpenOptions::new().append(true).open(place).map_err(|e| Failure::io("open", place, &e))
}

/// The notes that are not leaves yet.
fn notes(place: &Path, log_size: u64) -> Result<Vec<Vec<u8>>> {
    let bytes = match fs::read(place) {
        Ok(bytes) => bytes,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(Failure::io("read", place, &error)),
    };
    let broken = || {
        Failure::integrity(format!("{} was changed", place.display())).hint("restore the gateway folder from a copy")
    };
    let whole = bytes.iter().rposition(|byte| *byte == b'\n').map_or(0, |last| last + 1);
    let mut lines = bytes.get(..whole).unwrap_or_default().split_inclusive(|byte| *byte == b'\n');
    let header: Header = serde_json::from_slice(lines.next().ok_or_else(broken)?).map_err(|_| broken())?;
    if header.log_size != log_size {
        // The append that these notes were for has happened.
        return if header.log_size < log_size { Ok(Vec::new()) } else { Err(broken()) };
    }
    lines
        .map(|line| {
            let leaf = line.strip_suffix(b"\n").unwrap_or(line);
            audit::parse(leaf).map_err(|_| broken())?;
            Ok(leaf.to_vec())
        })
        .collect()
}
