//! The gateway's own log. Requests wait for a short write to a note of what is to be appended;
//! about once a second the notes become leaves of the log, all at once.
//!
//! The note begins with the size that the log had: after a crash, a larger log holds as many of
//! its lines already. A last line that was not finished was never waited for, and counts for
//! nothing. Each line carries a code that only the holder of the key store can make, over itself and
//! the lines before it, so that nobody else can have an event signed. A note that could not be
//! written is not written to again: the next one begins with
//! what of it was waited for.

use std::{
    fs::{self, File, OpenOptions},
    io::Write as _,
    os::unix::fs::MetadataExt as _,
    path::{Path, PathBuf},
};

use lockgate_core::{
    Clock, Failure, Result, Timestamp,
    durable::{self, Readers},
    limits, same_secret,
};
use lockgate_gateway::{Entry, Sink};
use lockgate_keys::{KeyId, MacChain};
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
    /// The chain of a note before its first line.
    begin: MacChain,
    chain: MacChain,
    /// Why leaves could not be made the last time.
    unsettled: bool,
    /// `None` after a write to it failed.
    note: Option<File>,
    /// What is in the note and not in the log.
    noted: Vec<Vec<u8>>,
    append: File,
    _lock: File,
}

/// What signs the gateway's log and seals its notes.
pub(super) struct Keys {
    pub signer: SigningKey,
    pub notes: MacChain,
}

/// Makes the log on first use and says so on the workspace's log.
pub(super) fn prepare(workspace: &mut Workspace) -> Result<Keys> {
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
    if !home.join("audit/checkpoint").exists() {
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
    let notes = MacChain::new(&workspace.keys.derive(&id, "lockgate/v1/notes")?);
    Ok(Keys { signer, notes })
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
    // A reader creates nothing: what it looks at may be a copy on a disk that it cannot write to.
    let lock = File::open(&path).map_err(|_| {
        Failure::integrity("the gateway's log is not whole").hint("restore the gateway folder from a copy")
    })?;
    lock.lock_shared().map_err(|e| Failure::io("lock", &path, &e))?;
    Ok(Some((LogReader::open(&folder(state).join("audit"), &key)?, key, lock)))
}

/// How many events wait to become leaves of a log of `log_size`. Without the key their codes cannot
/// be checked: they count only once they are leaves.
pub(crate) fn waiting(state: &Path, log_size: u64) -> Result<usize> {
    Ok(notes(&folder(state).join(NOTE), log_size, None)?.len())
}

fn open_lock(path: &Path) -> Result<File> {
    let open = OpenOptions::new().read(true).write(true).create(true).truncate(false).open(path);
    open.map_err(|e| Failure::io("open", path, &e))
}

impl Record {
    /// Opens the log and appends what a crash left in the notes.
    pub(super) fn open(state: &Path, keys: Keys) -> Result<Self> {
        let Keys { signer, notes: begin } = keys;
        let folder = folder(state);
        let path = folder.join("lock");
        let lock = open_lock(&path)?;
        lock.try_lock().map_err(|_| {
            Failure::unreachable("a gateway serves this workspace already").hint("stop it, or use another workspace")
        })?;
        let path = folder.join("append.lock");
        let append = open_lock(&path)?;
        append.try_lock().map_err(|_| {
            Failure::unreachable("somebody reads the gateway's log").hint("wait for it to end, then try again")
        })?;
        let mut log = Log::open(&folder.join("audit"), signer)?;
        let place = folder.join(NOTE);
        let left = notes(&place, log.reader().size(), Some(begin.clone()))?;
        log.append(&left)?;
        let (note, chain) = begin_note(&place, log.reader().size(), &[], begin.clone())?;
        append.unlock().map_err(|e| Failure::io("unlock", &path, &e))?;
        let noted = Vec::new();
        Ok(Self { folder, log, begin, chain, unsettled: false, note: Some(note), noted, append, _lock: lock })
    }

    /// The note; a new one with what was noted when the last could not be written.
    fn note(&mut self) -> Result<&mut File> {
        let place = self.folder.join(NOTE);
        let note = if let Some(note) = self.note.take() {
            note
        } else {
            let (note, chain) = begin_note(&place, self.log.reader().size(), &self.noted, self.begin.clone())?;
            self.chain = chain;
            note
        };
        Ok(self.note.insert(note))
    }

    /// Demands that the note is the file that lies in its place; one that was taken away is made anew.
    fn keep_note(&mut self) -> Result<()> {
        let place = self.folder.join(NOTE);
        let same = |note: &File| {
            let (open, there) = (note.metadata().ok(), fs::metadata(&place).ok());
            open.zip(there).is_some_and(|(a, b)| (a.dev(), a.ino()) == (b.dev(), b.ino()))
        };
        if !self.note.as_ref().is_some_and(same) {
            self.note = None;
        }
        self.note().map(|_| ())
    }

    /// Turns the notes into leaves. While somebody reads the log, it waits for the next time.
    fn append(&mut self) -> Result<()> {
        if self.noted.is_empty() {
            return Ok(());
        }
        let path = self.folder.join("append.lock");
        match self.append.try_lock() {
            Ok(()) => {}
            Err(fs::TryLockError::WouldBlock) => return Ok(()),
            Err(fs::TryLockError::Error(error)) => return Err(Failure::io("lock", &path, &error)),
        }
        let appended = self.log.append(&self.noted);
        let unlocked = self.append.unlock().map_err(|e| Failure::io("unlock", &path, &e));
        appended?;
        unlocked?;
        self.noted.clear();
        // Nothing is noted in a note that tells of a smaller log.
        self.note = None;
        self.note().map(|_| ())
    }
}

impl Sink for Record {
    fn record(&mut self, entries: Vec<Entry>) -> Result<()> {
        if self.noted.len() >= NOTES_MAX {
            self.append()?;
        }
        if self.noted.len() >= NOTES_MAX * 4 {
            return Err(Failure::unreachable("somebody has been reading the gateway's log for too long")
                .hint("end that reader; then events become leaves again"));
        }
        if self.unsettled {
            return Err(Failure::unreachable("events cannot become leaves of the gateway's log"));
        }
        let path = self.folder.join(NOTE);
        self.note()?;
        let mut chain = self.chain.clone();
        let mut lines = Vec::new();
        let mut leaves = Vec::with_capacity(entries.len());
        for entry in entries {
            let leaf =
                serde_json::to_vec(&Leaf::from(&entry)).map_err(|_| Failure::bug("an event could not be written"))?;
            if leaf.len() > limits::LEAF_BYTES_MAX {
                return Err(Failure::bug("an event is larger than a leaf may be"));
            }
            push_line(&mut lines, &leaf, &mut chain);
            leaves.push(leaf);
        }
        let note = self.note()?;
        if let Err(error) = note.write_all(&lines).and_then(|()| note.sync_data()) {
            self.note = None;
            return Err(Failure::io("write", &path, &error));
        }
        self.noted.append(&mut leaves);
        self.chain = chain;
        Ok(())
    }

    fn settle(&mut self) -> Result<()> {
        let settled = self.keep_note().and_then(|()| self.append());
        self.unsettled = settled.is_err();
        settled
    }
}

/// A note for a log of this size, in place of the one before.
fn begin_note(place: &Path, log_size: u64, noted: &[Vec<u8>], mut chain: MacChain) -> Result<(File, MacChain)> {
    let header = serde_json::to_vec(&Header { log_size }).map_err(|_| Failure::bug("a note could not be written"))?;
    let mut text = Vec::new();
    push_line(&mut text, &header, &mut chain);
    for leaf in noted {
        push_line(&mut text, leaf, &mut chain);
    }
    durable::write(place, &text, Readers::Anyone)?;
    let note = OpenOptions::new().append(true).open(place).map_err(|e| Failure::io("open", place, &e))?;
    Ok((note, chain))
}

/// The code in hexadecimal, a space, and what it is of.
fn push_line(text: &mut Vec<u8>, line: &[u8], chain: &mut MacChain) {
    text.extend_from_slice(hex::encode(chain.next(line)).as_bytes());
    text.push(b' ');
    text.extend_from_slice(line);
    text.push(b'\n');
}

/// The notes that are not leaves yet; with `chain`, each line must have its code.
fn notes(place: &Path, log_size: u64, mut chain: Option<MacChain>) -> Result<Vec<Vec<u8>>> {
    let bytes = match fs::read(place) {
        Ok(bytes) => bytes,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(Failure::io("read", place, &error)),
    };
    let broken = || {
        Failure::integrity(format!("{} was changed", place.display())).hint("restore the gateway folder from a copy")
    };
    let whole = bytes.iter().rposition(|byte| *byte == b'\n').map_or(0, |last| last + 1);
    let mut lines = bytes.get(..whole).unwrap_or_default().split_inclusive(|byte| *byte == b'\n').map(|line| {
        let (code, line) = line.strip_suffix(b"\n").unwrap_or(line).split_at_checked(64).ok_or_else(broken)?;
        let line = line.strip_prefix(b" ").ok_or_else(broken)?;
        let genuine = chain.as_mut().is_none_or(|chain| same_secret(hex::encode(chain.next(line)).as_bytes(), code));
        if genuine { Ok(line) } else { Err(broken()) }
    });
    let header: Header = serde_json::from_slice(lines.next().ok_or_else(broken)??).map_err(|_| broken())?;
    // So many of the lines are leaves already.
    let appended = log_size.checked_sub(header.log_size).and_then(|n| usize::try_from(n).ok()).ok_or_else(broken)?;
    let mut left = Vec::new();
    for (number, line) in lines.enumerate() {
        let line = line?;
        audit::parse(line).map_err(|_| broken())?;
        if number >= appended {
            left.push(line.to_vec());
        }
    }
    Ok(left)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(id: &str) -> Entry {
        let detail = RawValue::from_string("{\"rows\":1}".into()).unwrap();
        let (id, actor) = (id.to_owned(), "shop".to_owned());
        Entry { id, time: Clock.now(), kind: "inference", actor, about: "endpoint x".into(), detail }
    }

    fn ids(state: &Path, signer: &SigningKey) -> Vec<String> {
        let log = LogReader::open(&state.join("gateway/audit"), &signer.verifying_key()).unwrap();
        log.leaves(0).map(|leaf| audit::parse(&leaf.unwrap().1).unwrap().id).collect()
    }

    fn create(state: &Path) -> SigningKey {
        let signer = SigningKey::from_seed("test.example/gateway", &[7; 32]).unwrap();
        Log::create(&state.join("gateway/audit"), signer.clone()).unwrap();
        signer
    }

    fn open(state: &Path, signer: &SigningKey) -> Result<Record> {
        let notes = MacChain::new(&lockgate_keys::Key::new([9; 32]));
        Record::open(state, Keys { signer: signer.clone(), notes })
    }

    #[test]
    fn a_note_that_could_not_be_written_loses_nothing_that_was_waited_for() {
        let dir = tempfile::tempdir().unwrap();
        let signer = create(dir.path());
        let mut record = open(dir.path(), &signer).unwrap();
        record.record(vec![entry("a")]).unwrap();
        // The disk is full in the middle of the next line.
        let place = dir.path().join("gateway").join(NOTE);
        OpenOptions::new().append(true).open(&place).unwrap().write_all(b"{\"id\":\"b\",\"ti").unwrap();
        record.note = Some(OpenOptions::new().write(true).open("/dev/full").unwrap());
        assert!(record.record(vec![entry("b")]).is_err());
        record.record(vec![entry("c")]).unwrap();
        drop(record);
        drop(open(dir.path(), &signer).unwrap());
        assert_eq!(ids(dir.path(), &signer), ["a", "c"]);
    }

    #[test]
    fn a_crash_between_the_append_and_the_new_note_doubles_nothing() {
        let dir = tempfile::tempdir().unwrap();
        let signer = create(dir.path());
        let place = dir.path().join("gateway").join(NOTE);
        let mut record = open(dir.path(), &signer).unwrap();
        record.record(vec![entry("a"), entry("b")]).unwrap();
        let before = fs::read(&place).unwrap();
        record.settle().unwrap();
        drop(record);
        fs::write(&place, &before).unwrap();
        drop(open(dir.path(), &signer).unwrap());
        assert_eq!(ids(dir.path(), &signer), ["a", "b"]);
    }

    #[test]
    fn nobody_else_can_have_an_event_signed() {
        let dir = tempfile::tempdir().unwrap();
        let signer = create(dir.path());
        let place = dir.path().join("gateway").join(NOTE);
        let mut record = open(dir.path(), &signer).unwrap();
        record.record(vec![entry("a"), entry("b")]).unwrap();
        drop(record);
        let whole = fs::read_to_string(&place).unwrap();
        let lines: Vec<&str> = whole.lines().collect();
        let forged = [
            format!("{whole}{}\n", lines[1]),
            format!("{whole}{}\n", lines[2].replace("shop", "dpo")),
            format!("{}\n{}\n", lines[0], lines[2]),
            whole.replace("\"rows\":1", "\"rows\":9"),
            whole.replacen("\"logSize\":0", "\"logSize\":1", 1),
        ];
        for forged in forged {
            fs::write(&place, &forged).unwrap();
            let failure = open(dir.path(), &signer).err().expect("a forged note must be refused");
            assert_eq!(failure.fault(), lockgate_core::Fault::Integrity, "{forged}");
            assert!(ids(dir.path(), &signer).is_empty());
        }
        fs::write(&place, &whole).unwrap();
        drop(open(dir.path(), &signer).unwrap());
        assert_eq!(ids(dir.path(), &signer), ["a", "b"]);
    }

    #[test]
    fn a_note_that_is_taken_away_is_made_anew_and_a_log_that_is_gone_ends_answers() {
        let dir = tempfile::tempdir().unwrap();
        let signer = create(dir.path());
        let place = dir.path().join("gateway").join(NOTE);
        let mut record = open(dir.path(), &signer).unwrap();
        record.record(vec![entry("a")]).unwrap();
        fs::remove_file(&place).unwrap();
        record.settle().unwrap();
        assert!(place.exists());
        assert_eq!(ids(dir.path(), &signer), ["a"]);
        fs::remove_dir_all(dir.path().join("gateway/audit")).unwrap();
        record.record(vec![entry("b")]).unwrap();
        assert!(record.settle().is_err());
        assert!(record.record(vec![entry("c")]).is_err());
    }

    #[test]
    fn a_reader_holds_up_leaves_but_not_answers() {
        let dir = tempfile::tempdir().unwrap();
        let signer = create(dir.path());
        let mut record = open(dir.path(), &signer).unwrap();
        let reader = File::open(dir.path().join("gateway/append.lock")).unwrap();
        reader.lock_shared().unwrap();
        record.record(vec![entry("a")]).unwrap();
        record.settle().unwrap();
        assert!(ids(dir.path(), &signer).is_empty());
        reader.unlock().unwrap();
        record.settle().unwrap();
        assert_eq!(ids(dir.path(), &signer), ["a"]);
    }
}
