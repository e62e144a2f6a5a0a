//! The record: what was asked and decided is durable before an answer leaves. Requests that wait
//! at the same time share one write.

use std::{
    collections::BTreeMap,
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, AtomicUsize, Ordering},
        mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel},
    },
    thread::JoinHandle,
    time::Duration,
};

use lockgate_core::{Clock, Failure, Result, Timestamp};
use serde_json::value::RawValue;
use tokio::sync::oneshot;

const QUEUE_MAX: usize = 4_096;
const BATCH_MAX: usize = 1_024;
/// Principals that refusals are counted for apart, within one period.
const ACTORS_MAX: usize = 256;
const PERIOD: Duration = Duration::from_secs(1);
/// An entry waits so long, and so often, for those of other requests that are worked on: a write
/// that many share costs as much as one.
const COMPANY: Duration = Duration::from_micros(250);
const COMPANY_ROUNDS: usize = 6;

/// One thing that happened. It holds no feature value.
#[derive(Clone, Debug)]
pub struct Entry {
    pub id: String,
    pub time: Timestamp,
    pub kind: &'static str,
    pub actor: String,
    pub about: Arc<str>,
    /// A JSON object.
    pub detail: Box<RawValue>,
}

/// A JSON object from its members, which are JSON already.
pub(crate) fn object(members: &str) -> Box<RawValue> {
    // What cannot be read as JSON is a mistake of ours; the entry then says nothing rather than
    // something false.
    RawValue::from_string(format!("{{{members}}}")).unwrap_or_default()
}

/// Where the record is kept.
pub trait Sink: Send + 'static {
    /// All entries are durable afterwards, or it fails.
    fn record(&mut self, entries: Vec<Entry>) -> Result<()>;

    /// Called about once a second and at the end.
    fn settle(&mut self) -> Result<()>;
}

/// The way to the sink, for many requests at once.
#[derive(Debug)]
pub(crate) struct Recorder {
    queue: SyncSender<Work>,
    /// Requests that will want an entry.
    expected: Arc<AtomicUsize>,
    /// Entries that were handed over and not taken up yet.
    queued: Arc<AtomicUsize>,
    counts: Arc<Mutex<BTreeMap<(&'static str, String), u64>>>,
    failing: Arc<AtomicBool>,
}

struct Work {
    entry: Entry,
    done: oneshot::Sender<bool>,
}

impl Recorder {
    pub(crate) fn start(sink: impl Sink) -> Result<(Self, JoinHandle<()>)> {
        let (queue, work) = sync_channel(QUEUE_MAX);
        let counts = Arc::new(Mutex::default());
        let failing = Arc::new(AtomicBool::new(false));
        let expected = Arc::new(AtomicUsize::new(0));
        let queued = Arc::new(AtomicUsize::new(0));
        let writer = Writer {
            sink,
            expected: Arc::clone(&expected),
            queued: Arc::clone(&queued),
            counts: Arc::clone(&counts),
            failing: Arc::clone(&failing),
        };
        let thread = std::thread::Builder::new()
            .name("record".into())
            .spawn(move || writer.run(&work))
            .map_err(|e| Failure::unreachable(format!("a thread cannot be started: {e}")))?;
        Ok((Self { queue, expected, queued, counts, failing }, thread))
    }

    /// Returns when the entry is durable. A full queue and a failing disk are a no.
    pub(crate) async fn record(&self, entry: Entry) -> Result<()> {
        let unrecorded = || Failure::unreachable("the record cannot be kept");
        let (done, durable) = oneshot::channel();
        self.queued.fetch_add(1, Ordering::Relaxed);
        if self.queue.try_send(Work { entry, done }).is_err() {
            self.queued.fetch_sub(1, Ordering::Relaxed);
            return Err(unrecorded());
        }
        if durable.await.unwrap_or(false) { Ok(()) } else { Err(unrecorded()) }
    }

    /// Announces an entry; the announcement ends with the value.
    pub(crate) fn expect(&self) -> Expected<'_> {
        self.expected.fetch_add(1, Ordering::Relaxed);
        Expected(self)
    }

    /// Counts what happens too often, or too early, for an entry of its own; one entry tells the
    /// sum for each period.
    pub(crate) fn count(&self, kind: &'static str, actor: &str) {
        if let Ok(mut counts) = self.counts.lock() {
            let full = counts.len() >= ACTORS_MAX;
            let key = (kind, actor.to_owned());
            let key = if full && !counts.contains_key(&key) { (kind, "others".to_owned()) } else { key };
            *counts.entry(key).or_default() += 1;
        }
    }

    pub(crate) fn failing(&self) -> bool {
        self.failing.load(Ordering::Relaxed)
    }
}

/// An announced entry.
pub(crate) struct Expected<'r>(&'r Recorder);

impl Drop for Expected<'_> {
    fn drop(&mut self) {
        self.0.expected.fetch_sub(1, Ordering::Relaxed);
    }
}

struct Writer<S> {
    sink: S,
    expected: Arc<AtomicUsize>,
    /// Entries that were handed over and not taken up yet.
    queued: Arc<AtomicUsize>,
    counts: Arc<Mutex<BTreeMap<(&'static str, String), u64>>>,
    failing: Arc<AtomicBool>,
}

impl<S: Sink> Writer<S> {
    fn run(mut self, work: &Receiver<Work>) {
        let mut settled = std::time::Instant::now();
        loop {
            let first = work.recv_timeout(PERIOD.saturating_sub(settled.elapsed()));
            let ended = matches!(first, Err(RecvTimeoutError::Disconnected));
            for _ in 0..COMPANY_ROUNDS {
                if first.is_err() || self.queued.load(Ordering::Relaxed) >= self.expected.load(Ordering::Relaxed) {
                    break;
                }
                std::thread::sleep(COMPANY);
            }
            let batch: Vec<Work> = first.into_iter().chain(work.try_iter().take(BATCH_MAX)).collect();
            self.queued.fetch_sub(batch.len(), Ordering::Relaxed);
            let (mut entries, waiting): (Vec<Entry>, Vec<_>) = batch.into_iter().map(|w| (w.entry, w.done)).unzip();
            let due = ended || settled.elapsed() >= PERIOD;
            if due {
                entries.extend(self.counted());
            }
            let kept = entries.is_empty() || self.keep(entries);
            for done in waiting {
                let _ = done.send(kept);
            }
            if due {
                // Settling tells of troubles that last, and of their end, when nobody asks anything.
                match self.sink.settle() {
                    Ok(()) => self.failing.store(false, Ordering::Relaxed),
                    Err(failure) => self.fail(&failure),
                }
                settled = std::time::Instant::now();
            }
            if ended {
                return;
            }
        }
    }

    fn keep(&mut self, entries: Vec<Entry>) -> bool {
        match self.sink.record(entries) {
            Ok(()) => true,
            Err(failure) => {
                self.fail(&failure);
                false
            }
        }
    }

    fn fail(&self, failure: &Failure) {
        if !self.failing.swap(true, Ordering::Relaxed) {
            tracing::error!("the record cannot be kept, so nothing is answered: {failure}");
        }
    }

    fn counted(&self) -> Vec<Entry> {
        let counts = self.counts.lock().map(|mut counts| std::mem::take(&mut *counts)).unwrap_or_default();
        counts
            .into_iter()
            .map(|((kind, actor), count)| Entry {
                id: uuid::Uuid::now_v7().to_string(),
                time: Clock.now(),
                kind,
                actor,
                about: "gateway".into(),
                detail: object(&format!("\"count\":{count}")),
            })
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Full(Arc<AtomicBool>);

    impl Sink for Full {
        fn record(&mut self, _: Vec<Entry>) -> Result<()> {
            if self.0.load(Ordering::Relaxed) { Err(Failure::unreachable("no space left")) } else { Ok(()) }
        }

        fn settle(&mut self) -> Result<()> {
            Ok(())
        }
    }

    fn entry() -> Entry {
        let (id, actor) = (String::new(), String::new());
        Entry { id, time: Clock.now(), kind: "inference", actor, about: "endpoint x".into(), detail: object("") }
    }

    #[tokio::test]
    async fn nothing_is_answered_while_the_record_cannot_be_kept() {
        let full = Arc::new(AtomicBool::new(true));
        let (recorder, thread) = Recorder::start(Full(Arc::clone(&full))).unwrap();
        assert!(recorder.record(entry()).await.is_err());
        assert!(recorder.failing());
        full.store(false, Ordering::Relaxed);
        assert!(recorder.record(entry()).await.is_ok());
        // It is ready again by itself, once it has settled.
        tokio::time::timeout(PERIOD * 5, async {
            while recorder.failing() {
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        })
        .await
        .unwrap();
        drop(recorder);
        thread.join().unwrap();
    }

    #[test]
    fn refusals_are_counted_for_few_actors_apart() {
        let (recorder, thread) = Recorder::start(Full(Arc::default())).unwrap();
        for number in 0..ACTORS_MAX * 2 {
            recorder.count("request.limited", &number.to_string());
        }
        assert!(recorder.counts.lock().unwrap().len() <= ACTORS_MAX + 1);
        drop(recorder);
        thread.join().unwrap();
    }
}
