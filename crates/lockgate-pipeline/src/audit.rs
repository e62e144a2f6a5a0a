//! What happened, as leaves of the transparency log, and the outbox that ties a state change and
//! its leaves together: after a crash both happened or neither did.

use std::{
    fs,
    path::{Path, PathBuf},
};

use lockgate_core::{
    Failure, Result, Timestamp,
    durable::{self, Readers},
    limits,
};
use lockgate_lake::{Lake, SnapshotRef};
use lockgate_proof::{Log, SigningKey};
use serde::{Deserialize, Serialize};

/// One leaf. It holds no personal value.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Event {
    /// The batch it was appended in and its place there; unique.
    pub id: String,
    pub time: Timestamp,
    /// For example `snapshot.committed`.
    pub kind: String,
    /// Who caused it.
    pub actor: String,
    /// What it is about: a snapshot, a key, an endpoint.
    pub about: String,
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub run: Option<String>,
    #[serde(skip_serializing_if = "serde_json::Value::is_null", default)]
    pub detail: serde_json::Value,
}

impl Event {
    pub fn new(kind: &str, actor: &str, about: &str, time: Timestamp) -> Self {
        Self {
            id: String::new(),
            time,
            kind: kind.to_owned(),
            actor: actor.to_owned(),
            about: about.to_owned(),
            run: None,
            detail: serde_json::Value::Null,
        }
    }

    pub fn run(mut self, run: &lockgate_core::RunId) -> Self {
        self.run = Some(run.to_string());
        self
    }

    pub fn detail(mut self, detail: serde_json::Value) -> Self {
        self.detail = detail;
        self
    }
}

/// The log and its outbox.
#[derive(Debug)]
pub struct Journal {
    log: Log,
    pending: PathBuf,
}

/// A batch that must be appended if, and only if, its snapshots were published.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Pending {
    batch: String,
    /// The size of the log when the batch was written down.
    log_size: u64,
    snapshots: Vec<SnapshotRef>,
    events: Vec<Event>,
}

impl Journal {
    /// The journal of a new workspace, with an empty log.
    pub fn create(state: &Path, signer: SigningKey) -> Result<Self> {
        let log = Log::create(&state.join("audit"), signer)?;
        Ok(Self { log, pending: state.join("pending") })
    }

    pub fn open(state: &Path, signer: SigningKey) -> Result<Self> {
        Ok(Self { log: Log::open(&state.join("audit"), signer)?, pending: state.join("pending") })
    }

    pub fn log(&self) -> &Log {
        &self.log
    }

    /// Appends events that stand for themselves. All of them are in the log afterwards, or none.
    pub fn append(&mut self, events: Vec<Event>) -> Result<()> {
        let batch = uuid::Uuid::now_v7().to_string();
        self.append_as(&batch, events)
    }

    /// Publishes staged snapshots together with the events that tell of them.
    pub fn commit(&mut self, lake: &Lake, snapshots: &[SnapshotRef], events: Vec<Event>) -> Result<()> {
        let pending = Pending {
            batch: uuid::Uuid::now_v7().to_string(),
            log_size: self.log.reader().size(),
            snapshots: snapshots.to_vec(),
            events,
        };
        // What cannot be appended must not be published.
        leaves(&pending.batch, &pending.events)?;
        let place = self.write(&pending)?;
        for (index, snapshot) in snapshots.iter().enumerate() {
            if let Err(failure) = lake.publish(snapshot) {
                // A publication that failed may have happened all the same; then the note stays for
                // the next open, which finishes it.
                if index == 0 && lake.is_published(snapshot).is_ok_and(|published| !published) {
                    let _ = fs::remove_file(&place);
                }
                return Err(failure);
            }
        }
        self.append_as(&pending.batch, pending.events)?;
        fs::remove_file(&place).map_err(|e| Failure::io("remove", &place, &e))
    }

    /// Finishes what an interrupted [`Self::commit`] began.
    pub fn recover(&mut self, lake: &Lake, actor: &str) -> Result<()> {
        let entries = match fs::read_dir(&self.pending) {
            Ok(entries) => entries,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(()),
            Err(error) => return Err(Failure::io("read", &self.pending, &error)),
        };
        for entry in entries {
            let path = entry.map_err(|e| Failure::io("read", &self.pending, &e))?.path();
            if path.extension().is_some_and(|extension| extension == "json") {
                self.recover_one(lake, &path, actor)?;
            }
            fs::remove_file(&path).map_err(|e| Failure::io("remove", &path, &e))?;
        }
        Ok(())
    }

    fn recover_one(&mut self, lake: &Lake, path: &Path, actor: &str) -> Result<()> {
        let bytes = fs::read(path).map_err(|e| Failure::io("read", path, &e))?;
        let pending: Pending = serde_json::from_slice(&bytes).map_err(|_| {
            Failure::integrity(format!("{} was changed", path.display()))
                .hint("it was written whole or not at all; restore it from a copy")
        })?;
        if self.contains_batch(&pending)? {
            return Ok(());
        }
        // The first snapshot decides: once it is published, the others follow.
        let Some(first) = pending.snapshots.first() else {
            return Ok(());
        };
        if lake.is_published(first)? {
            for snapshot in pending.snapshots.iter().skip(1) {
                lake.publish(snapshot)?;
            }
            return self.append_as(&pending.batch, pending.events);
        }
        let time = lockgate_core::Clock.now();
        let run = pending.events.iter().find_map(|event| event.run.clone());
        let mut event = Event::new("run.interrupted", actor, &first.to_string(), time);
        event.run = run;
        self.append(vec![event])
    }

    fn contains_batch(&self, pending: &Pending) -> Result<bool> {
        for leaf in self.log.reader().leaves(pending.log_size) {
            let (_, bytes) = leaf?;
            if parse(&bytes)?.id.starts_with(&pending.batch) {
                return Ok(true);
            }
        }
        Ok(false)
    }

    fn append_as(&mut self, batch: &str, events: Vec<Event>) -> Result<()> {
        self.log.append(&leaves(batch, &events)?).map(|_| ())
    }

    fn write(&self, pending: &Pending) -> Result<PathBuf> {
        let bytes = serde_json::to_vec(pending).map_err(|_| Failure::bug("a batch could not be written"))?;
        let place = self.pending.join(format!("{}.json", pending.batch));
        durable::write(&place, &bytes, Readers::Anyone)?;
        Ok(place)
    }
}

/// The events as leaves, each with its id and within the limit of the log.
fn leaves(batch: &str, events: &[Event]) -> Result<Vec<Vec<u8>>> {
    events
        .iter()
        .enumerate()
        .map(|(place, event)| {
            let event = Event { id: format!("{batch}/{place}"), ..event.clone() };
            let leaf = serde_json::to_vec(&event).map_err(|_| Failure::bug("an event could not be written"))?;
            if leaf.len() > limits::LEAF_BYTES_MAX {
                return Err(Failure::input(format!("the event {} is larger than 65,535 bytes", event.kind))
                    .hint("fewer buckets, allowances or columns make it smaller; nothing was committed"));
            }
            Ok(leaf)
        })
        .collect()
}

/// Events that tell of created keys, few enough in each to fit a leaf.
pub(crate) fn keys_created(event: &Event, keys: &[&str]) -> Vec<Event> {
    keys.chunks(256).map(|keys| event.clone().detail(serde_json::json!({"keys": keys}))).collect()
}

/// Reads a leaf back.
pub fn parse(leaf: &[u8]) -> Result<Event> {
    serde_json::from_slice(leaf)
        .map_err(|_| Failure::integrity("an audit event cannot be read").hint("it may come from a newer Lockgate"))
}
