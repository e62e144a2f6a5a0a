//! How often each value occurs, exactly and in bounded memory: recent values in a table, older
//! ones in sorted runs, in memory and then in files, that are merged at the end.
//!
//! Only keyed 128-bit hashes are kept (SipHash-1-3; Aumasson and Bernstein, "SipHash: a fast
//! short-input PRF"), and their key lives in memory, so that the files say nothing about values.

use std::{
    cmp::Reverse,
    collections::{BinaryHeap, binary_heap::PeekMut},
    fs::File,
    hash::{BuildHasher as _, Hasher as _},
    io::BufWriter,
    os::unix::fs::FileExt as _,
    path::PathBuf,
    sync::Arc,
};

use hashbrown::{DefaultHashBuilder, HashMap};
use lockgate_core::{Failure, Result};
use siphasher::sip128::{Hasher128 as _, SipHasher13};

use crate::column::Scalar;

/// Values in the table before it becomes a run: as many as fill it without growing, 8 MiB.
const RECENT_MAX: usize = (1 << 18) / 8 * 7;
/// Values of runs in memory: 12 MiB. Further runs are files.
const MEMORY_MAX: usize = 3 << 17;
/// Runs that are read at once; more are merged into one first.
const RUNS_MAX: usize = 128;
/// A table with fewer values stays one when its part of the data has been read.
const SEALED_MIN: usize = 1 << 14;
const RECORD_BYTES: usize = 32;

/// Hashes values; states whose hashes come from one of these can be merged.
#[derive(Clone, Debug)]
pub struct Hashes(Arc<(u64, u64)>);

impl Hashes {
    pub fn random() -> Self {
        let draw = || DefaultHashBuilder::default().hash_one(0u8) ^ std::hash::RandomState::new().hash_one(1u8);
        Self(Arc::new((draw(), draw())))
    }

    pub(crate) fn of(&self, value: Scalar<'_>) -> u128 {
        let mut hasher = self.hasher();
        feed(&mut hasher, value);
        hasher.finish128().as_u128()
    }

    /// The hash of several values in their order.
    pub(crate) fn of_all<'a>(&self, values: impl Iterator<Item = Scalar<'a>>) -> u128 {
        let mut hasher = self.hasher();
        for value in values {
            feed(&mut hasher, value);
        }
        hasher.finish128().as_u128()
    }

    fn hasher(&self) -> SipHasher13 {
        SipHasher13::new_with_keys(self.0.0, self.0.1)
    }

    fn same_as(&self, other: &Self) -> bool {
        self.0 == other.0
    }
}

fn feed(hasher: &mut SipHasher13, value: Scalar<'_>) {
    match value {
        Scalar::Missing => hasher.write(&[0]),
        // 1, 1.0 and true are one value, as in Python.
        Scalar::Bool(value) => number(hasher, f64::from(u8::from(value))),
        Scalar::Int(value) if value.unsigned_abs() <= 1 << 53 => number(hasher, value as f64),
        Scalar::Int(value) => {
            hasher.write(&[2]);
            hasher.write(&value.to_le_bytes());
        }
        Scalar::Float(value) => number(hasher, value),
        Scalar::Text(value) => {
            hasher.write(&[3]);
            hasher.write(&(value.len() as u64).to_le_bytes());
            hasher.write(value.as_bytes());
        }
        Scalar::Time(value) | Scalar::Day(value) => {
            hasher.write(&[4]);
            hasher.write(&value.to_le_bytes());
        }
    }
}

fn number(hasher: &mut SipHasher13, value: f64) {
    let value = if value == 0.0 { 0.0 } else { value };
    let mut bytes = [1; 9];
    if let Some(rest) = bytes.get_mut(1..) {
        rest.copy_from_slice(&value.to_bits().to_le_bytes());
    }
    hasher.write(&bytes);
}

/// Values in the order of their hashes, each once.
#[derive(Debug)]
enum Run {
    Memory(Vec<(u128, Entry)>),
    File(File),
}

#[derive(Clone, Copy, Debug)]
struct Entry {
    count: u64,
    first: u64,
}

/// Counts of values.
#[derive(Debug)]
pub(crate) struct Distinct {
    pub(crate) hashes: Hashes,
    recent: HashMap<u128, Entry>,
    runs: Vec<Run>,
    recent_max: usize,
    memory_max: usize,
    folder: PathBuf,
}

/// What the counts say.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Tally {
    pub(crate) rows: u64,
    pub(crate) distinct: u64,
    /// Values that occur once.
    pub(crate) single: u64,
    /// Rows whose value occurs more than once.
    pub(crate) repeated_rows: u64,
    /// The first rows of the values that occur more than once, in order; a few of them.
    pub(crate) repeated_first: Vec<u64>,
}

impl Distinct {
    pub(crate) fn new(hashes: Hashes, folder: PathBuf) -> Self {
        Self {
            hashes,
            recent: HashMap::new(),
            runs: Vec::new(),
            recent_max: RECENT_MAX,
            memory_max: MEMORY_MAX,
            folder,
        }
    }

    pub(crate) fn add(&mut self, hash: u128, row: u64) -> Result<()> {
        self.add_many(hash, 1, row)
    }

    /// Adds `count` rows with one value, of which `row` is the first.
    pub(crate) fn add_many(&mut self, hash: u128, count: u64, row: u64) -> Result<()> {
        self.recent
            .entry(hash)
            .and_modify(|entry| {
                entry.count += count;
                entry.first = entry.first.min(row);
            })
            .or_insert(Entry { count, first: row });
        if self.recent.len() >= self.recent_max {
            self.spill().map_err(|e| self.failed(&e))?;
        }
        Ok(())
    }

    /// Prepares for a merge, by whoever counted: what costs time is done here.
    pub(crate) fn seal(&mut self) -> Result<()> {
        if self.recent.len() < SEALED_MIN && self.runs.is_empty() {
            return Ok(());
        }
        self.spill().map_err(|e| self.failed(&e))
    }

    /// Takes over what `other` counted.
    pub(crate) fn merge(&mut self, other: Self) -> Result<()> {
        if !self.hashes.same_as(&other.hashes) {
            return Err(Failure::bug("counts under different hash keys cannot be merged"));
        }
        self.take(other.runs).map_err(|e| self.failed(&e))?;
        for (hash, entry) in other.recent {
            self.add_many(hash, entry.count, entry.first)?;
        }
        Ok(())
    }

    /// How many different values there are, if they are all in memory.
    pub(crate) fn in_memory(&self) -> Option<usize> {
        self.runs.is_empty().then_some(self.recent.len())
    }

    /// Calls `each` once for every value, with its hash, its count and its first row.
    pub(crate) fn visit(&mut self, mut each: impl FnMut(u128, u64, u64)) -> Result<()> {
        if self.runs.is_empty() {
            for (hash, entry) in &self.recent {
                each(*hash, entry.count, entry.first);
            }
            return Ok(());
        }
        self.spill().map_err(|e| self.failed(&e))?;
        self.merged(|hash, entry| {
            each(hash, entry.count, entry.first);
            Ok(())
        })
        .map_err(|e| self.failed(&e))
    }

    pub(crate) fn tally(&mut self, examples: usize) -> Result<Tally> {
        if !self.runs.is_empty() {
            self.spill().map_err(|e| self.failed(&e))?;
            let parts = self.split().map_err(|e| self.failed(&e))?;
            return side_by_side(parts, examples).map_err(|e| self.failed(&e));
        }
        let mut tally = Tallying::new(examples);
        self.visit(|_, count, row| tally.add(count, row))?;
        Ok(tally.finish())
    }

    /// The runs cut at hashes into parts that have no value in common, one for each core.
    fn split(&self) -> std::io::Result<Vec<Vec<Slice<'_>>>> {
        let cores = std::thread::available_parallelism().map_or(1, usize::from).min(8);
        let mut parts: Vec<Vec<Slice<'_>>> = vec![Vec::new(); cores];
        for run in &self.runs {
            let mut rest = Slice::of(run)?;
            for (index, part) in parts.iter_mut().enumerate() {
                if index + 1 == cores {
                    part.push(rest);
                    break;
                }
                // Hashes are spread evenly.
                let end = (u128::MAX / cores as u128).saturating_mul(index as u128 + 1);
                let (own, others) = rest.cut(end)?;
                part.push(own);
                rest = others;
            }
        }
        Ok(parts)
    }

    fn failed(&self, error: &std::io::Error) -> Failure {
        Failure::io("count values in", &self.folder, error)
    }

    fn spill(&mut self) -> std::io::Result<()> {
        if self.recent.is_empty() {
            return Ok(());
        }
        let mut entries: Vec<(u128, Entry)> = self.recent.drain().collect();
        entries.sort_unstable_by_key(|(hash, _)| *hash);
        let in_memory = self.in_memory_values();
        if in_memory + entries.len() <= self.memory_max {
            self.runs.push(Run::Memory(entries));
        } else {
            let mut writer = self.temporary()?;
            entries.into_iter().try_for_each(|(hash, entry)| write(&mut writer, hash, entry))?;
            self.runs.push(Run::File(finish(writer)?));
        }
        self.compact()
    }

    /// Takes over runs. What does not fit into memory beside the others becomes a file of its own,
    /// which costs less than making one of all.
    fn take(&mut self, runs: Vec<Run>) -> std::io::Result<()> {
        for run in runs {
            let run = match run {
                Run::Memory(entries) if self.in_memory_values() + entries.len() > self.memory_max => {
                    let mut writer = self.temporary()?;
                    entries.into_iter().try_for_each(|(hash, entry)| write(&mut writer, hash, entry))?;
                    Run::File(finish(writer)?)
                }
                run => run,
            };
            self.runs.push(run);
        }
        self.compact()
    }

    /// Makes one run of all when there are many, or when those in memory are large together.
    fn compact(&mut self) -> std::io::Result<()> {
        if self.runs.len() < RUNS_MAX && self.in_memory_values() <= self.memory_max {
            return Ok(());
        }
        let mut writer = self.temporary()?;
        self.merged(|hash, entry| write(&mut writer, hash, entry))?;
        self.runs = vec![Run::File(finish(writer)?)];
        Ok(())
    }

    fn in_memory_values(&self) -> usize {
        self.runs
            .iter()
            .map(|run| match run {
                Run::Memory(entries) => entries.len(),
                Run::File(_) => 0,
            })
            .sum()
    }

    fn temporary(&self) -> std::io::Result<BufWriter<File>> {
        std::fs::create_dir_all(&self.folder)?;
        Ok(BufWriter::with_capacity(1 << 18, tempfile::tempfile_in(&self.folder)?))
    }

    /// Every value of the runs, in the order of the hashes.
    fn merged(&self, each: impl FnMut(u128, Entry) -> std::io::Result<()>) -> std::io::Result<()> {
        let slices = self.runs.iter().map(Slice::of).collect::<std::io::Result<Vec<_>>>()?;
        merge(slices.into_iter().map(Reader::of).collect(), each)
    }
}

/// Every value of sorted runs, in the order of the hashes.
fn merge(
    mut readers: Vec<Reader<'_>>,
    mut each: impl FnMut(u128, Entry) -> std::io::Result<()>,
) -> std::io::Result<()> {
    let mut heap = BinaryHeap::new();
    for (index, reader) in readers.iter_mut().enumerate() {
        if let Some((hash, entry)) = reader.next()? {
            heap.push(Reverse((hash, index, entry.count, entry.first)));
        }
    }
    let mut current: Option<(u128, Entry)> = None;
    while let Some(mut top) = heap.peek_mut() {
        let Reverse((hash, index, count, first)) = *top;
        // The run's next value takes the place of this one, so that the heap is mended once.
        match readers.get_mut(index).map(Reader::next).transpose()?.flatten() {
            Some((next, entry)) => *top = Reverse((next, index, entry.count, entry.first)),
            None => {
                PeekMut::pop(top);
            }
        }
        match &mut current {
            Some((of, entry)) if *of == hash => {
                entry.count += count;
                entry.first = entry.first.min(first);
            }
            _ => {
                if let Some((hash, entry)) = current.replace((hash, Entry { count, first })) {
                    each(hash, entry)?;
                }
            }
        }
    }
    current.map_or(Ok(()), |(hash, entry)| each(hash, entry))
}

/// A tally in the making.
struct Tallying {
    tally: Tally,
    first: BinaryHeap<u64>,
    examples: usize,
}

impl Tallying {
    fn new(examples: usize) -> Self {
        Self { tally: Tally::default(), first: BinaryHeap::new(), examples }
    }

    fn add(&mut self, count: u64, row: u64) {
        let tally = &mut self.tally;
        tally.rows += count;
        tally.distinct += 1;
        if count == 1 {
            tally.single += 1;
            return;
        }
        tally.repeated_rows += count;
        self.first.push(row);
        if self.first.len() > self.examples {
            self.first.pop();
        }
    }

    fn finish(self) -> Tally {
        Tally { repeated_first: self.first.into_sorted_vec(), ..self.tally }
    }
}

/// A part of a run, in the order of the hashes.
#[derive(Clone, Copy)]
enum Slice<'r> {
    Memory(&'r [(u128, Entry)]),
    /// Records of a file from the first up to the second.
    File(&'r File, u64, u64),
}

impl<'r> Slice<'r> {
    fn of(run: &'r Run) -> std::io::Result<Self> {
        Ok(match run {
            Run::Memory(entries) => Self::Memory(entries),
            Run::File(file) => Self::File(file, 0, file.metadata()?.len() / RECORD_BYTES as u64),
        })
    }

    /// What lies below `end`, and the rest.
    fn cut(self, end: u128) -> std::io::Result<(Self, Self)> {
        Ok(match self {
            Self::Memory(entries) => {
                let (own, rest) = entries.split_at(entries.partition_point(|(hash, _)| *hash < end));
                (Self::Memory(own), Self::Memory(rest))
            }
            Self::File(file, first, last) => {
                let (mut low, mut high) = (first, last);
                while low < high {
                    let middle = low + (high - low) / 2;
                    let mut hash = [0u8; 16];
                    file.read_exact_at(&mut hash, middle * RECORD_BYTES as u64)?;
                    if u128::from_be_bytes(hash) < end {
                        low = middle + 1;
                    } else {
                        high = middle;
                    }
                }
                (Self::File(file, first, low), Self::File(file, low, last))
            }
        })
    }
}

fn side_by_side(parts: Vec<Vec<Slice<'_>>>, examples: usize) -> std::io::Result<Tally> {
    let count = |part: Vec<Slice<'_>>| {
        let mut tally = Tallying::new(examples);
        merge(part.into_iter().map(Reader::of).collect(), |_, entry| {
            tally.add(entry.count, entry.first);
            Ok(())
        })?;
        Ok(tally.finish())
    };
    std::thread::scope(|scope| {
        let running: Vec<_> = parts.into_iter().map(|part| scope.spawn(move || count(part))).collect();
        let mut all = Tally::default();
        for part in running {
            let part: std::io::Result<Tally> = part.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic));
            let part = part?;
            all.rows += part.rows;
            all.distinct += part.distinct;
            all.single += part.single;
            all.repeated_rows += part.repeated_rows;
            all.repeated_first.extend(part.repeated_first);
        }
        all.repeated_first.sort_unstable();
        all.repeated_first.truncate(examples);
        Ok(all)
    })
}

/// Reads a part of a run. Files are read by position, so that several readers share one.
enum Reader<'r> {
    Memory(std::slice::Iter<'r, (u128, Entry)>),
    File { file: &'r File, at: u64, end: u64, buffer: Vec<u8>, place: usize },
}

impl<'r> Reader<'r> {
    /// Records of a file that are read at once.
    const RECORDS: u64 = 1_024;

    fn of(slice: Slice<'r>) -> Self {
        match slice {
            Slice::Memory(entries) => Self::Memory(entries.iter()),
            Slice::File(file, at, end) => Self::File { file, at, end, buffer: Vec::new(), place: 0 },
        }
    }

    fn next(&mut self) -> std::io::Result<Option<(u128, Entry)>> {
        match self {
            Self::Memory(entries) => Ok(entries.next().copied()),
            Self::File { file, at, end, buffer, place } => {
                if *place == buffer.len() {
                    let records = (*end - *at).min(Self::RECORDS);
                    if records == 0 {
                        return Ok(None);
                    }
                    buffer.resize(records as usize * RECORD_BYTES, 0);
                    file.read_exact_at(buffer, *at * RECORD_BYTES as u64)?;
                    *at += records;
                    *place = 0;
                }
                let record = buffer.get(*place..).and_then(|rest| rest.first_chunk::<RECORD_BYTES>());
                *place += RECORD_BYTES;
                Ok(record.map(read))
            }
        }
    }
}

fn write(writer: &mut impl std::io::Write, hash: u128, entry: Entry) -> std::io::Result<()> {
    writer.write_all(&hash.to_be_bytes())?;
    writer.write_all(&entry.count.to_be_bytes())?;
    writer.write_all(&entry.first.to_be_bytes())
}

fn read(record: &[u8; RECORD_BYTES]) -> (u128, Entry) {
    let (hash, rest) = record.split_at(16);
    let (count, first) = rest.split_at(8);
    let word = |bytes: &[u8]| bytes.iter().fold(0u64, |word, byte| word << 8 | u64::from(*byte));
    let hash = hash.iter().fold(0u128, |word, byte| word << 8 | u128::from(*byte));
    (hash, Entry { count: word(count), first: word(first) })
}

fn finish(writer: BufWriter<File>) -> std::io::Result<File> {
    writer.into_inner().map_err(std::io::IntoInnerError::into_error)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn counted(hashes: &Hashes, values: &[(usize, u8)], recent_max: usize) -> Distinct {
        let mut distinct = Distinct::new(hashes.clone(), std::env::temp_dir());
        distinct.recent_max = recent_max;
        distinct.memory_max = recent_max * 3;
        for (row, value) in values {
            distinct.add(hashes.of(Scalar::Int(i64::from(*value))), *row as u64).unwrap();
        }
        distinct
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]
        #[test]
        fn spilling_and_merging_change_nothing(values in prop::collection::vec(0u8..40, 0..400), cut in 0usize..400) {
            let hashes = Hashes::random();
            let rows: Vec<(usize, u8)> = values.iter().copied().enumerate().collect();
            let whole = counted(&hashes, &rows, 1 << 20).tally(10).unwrap();
            let cut = cut.min(rows.len());
            let mut left = counted(&hashes, &rows[..cut], 3);
            left.seal().unwrap();
            left.merge(counted(&hashes, &rows[cut..], 5)).unwrap();
            prop_assert_eq!(left.tally(10).unwrap(), whole.clone());
            let mut right = counted(&hashes, &rows[cut..], 1 << 20);
            right.merge(counted(&hashes, &rows[..cut], 2)).unwrap();
            prop_assert_eq!(right.tally(10).unwrap(), whole);
        }
    }

    #[test]
    fn equal_numbers_are_one_value_whatever_their_type() {
        let hashes = Hashes::random();
        let one = hashes.of(Scalar::Int(1));
        assert_eq!(one, hashes.of(Scalar::Float(1.0)));
        assert_eq!(one, hashes.of(Scalar::Bool(true)));
        assert_ne!(one, hashes.of(Scalar::Text("1")));
        assert_eq!(hashes.of(Scalar::Float(0.0)), hashes.of(Scalar::Float(-0.0)));
        let both = [Scalar::Text("a"), Scalar::Text("bc")];
        let other = [Scalar::Text("ab"), Scalar::Text("c")];
        assert_ne!(hashes.of_all(both.into_iter()), hashes.of_all(other.into_iter()));
    }
}
