//! The commitments of a snapshot, sorted and counted in bounded memory: new ones in a list, older
//! ones in sorted runs on disk. A commitment is a keyed hash and names nobody.

use std::{
    cmp::Reverse,
    collections::BinaryHeap,
    fs::File,
    io::{self, BufReader, BufWriter, Read as _, Seek as _, Write as _},
    path::PathBuf,
};

use lockgate_core::{Failure, Result};
use lockgate_proof::RootBuilder;

use crate::manifest::Subjects;

type Commitment = [u8; 16];

/// Commitments in memory before they become a run: 16 MiB.
const RECENT_MAX: usize = 1 << 20;
/// Runs before they become one; each is an open file.
const RUNS_MAX: usize = 64;

pub(crate) struct SubjectSet {
    recent: Vec<Commitment>,
    recent_max: usize,
    runs: Vec<File>,
    folder: PathBuf,
}

impl SubjectSet {
    pub(crate) fn new(folder: PathBuf) -> Self {
        Self { recent: Vec::new(), recent_max: RECENT_MAX, runs: Vec::new(), folder }
    }

    pub(crate) fn extend(&mut self, subjects: impl Iterator<Item = Commitment>) -> Result<()> {
        self.recent.extend(subjects);
        if self.recent.len() < self.recent_max {
            return Ok(());
        }
        self.tidy();
        // What repeats itself fits for ever.
        if self.recent.len() > self.recent_max / 2 {
            self.spill().map_err(|e| Failure::io("keep subjects in", &self.folder, &e))?;
        }
        Ok(())
    }

    /// The count of different commitments and the Merkle root over them, sorted.
    pub(crate) fn finish(mut self, buckets: u16) -> Result<Subjects> {
        self.tidy();
        let mut tree = RootBuilder::default();
        let mut count = 0;
        let recent = std::mem::take(&mut self.recent);
        merge(std::mem::take(&mut self.runs), recent, |commitment| {
            count += 1;
            tree.push(commitment);
            Ok(())
        })
        .map_err(|e| Failure::io("read subjects in", &self.folder, &e))?;
        Ok(Subjects { buckets, count, root: tree.finish() })
    }

    fn tidy(&mut self) {
        self.recent.sort_unstable();
        self.recent.dedup();
    }

    fn spill(&mut self) -> io::Result<()> {
        std::fs::create_dir_all(&self.folder)?;
        let recent = std::mem::take(&mut self.recent);
        let merged = if self.runs.len() + 1 < RUNS_MAX { Vec::new() } else { std::mem::take(&mut self.runs) };
        // Nameless, so that a killed process leaves nothing behind.
        let mut writer = BufWriter::new(tempfile::tempfile_in(&self.folder)?);
        merge(merged, recent, |commitment| writer.write_all(commitment))?;
        self.runs.push(writer.into_inner().map_err(io::IntoInnerError::into_error)?);
        Ok(())
    }
}

/// Gives the commitments of sorted runs in order, each once.
fn merge(
    runs: Vec<File>,
    recent: Vec<Commitment>,
    mut each: impl FnMut(&Commitment) -> io::Result<()>,
) -> io::Result<()> {
    let mut runs = runs
        .into_iter()
        .map(|mut file| file.rewind().map(|()| BufReader::with_capacity(64 << 10, file)))
        .collect::<io::Result<Vec<_>>>()?;
    let mut recent = recent.into_iter();
    let memory = runs.len();
    let mut next = |source: usize| match runs.get_mut(source) {
        Some(run) => read(run),
        None => Ok(recent.next()),
    };
    let mut heads = BinaryHeap::new();
    for source in 0..=memory {
        heads.extend(next(source)?.map(|commitment| Reverse((commitment, source))));
    }
    let mut last = None;
    while let Some(Reverse((commitment, source))) = heads.pop() {
        if last != Some(commitment) {
            each(&commitment)?;
            last = Some(commitment);
        }
        heads.extend(next(source)?.map(|commitment| Reverse((commitment, source))));
    }
    Ok(())
}

fn read(run: &mut BufReader<File>) -> io::Result<Option<Commitment>> {
    let mut commitment = [0; 16];
    match run.read_exact(&mut commitment) {
        Ok(()) => Ok(Some(commitment)),
        Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => Ok(None),
        Err(error) => Err(error),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_root_is_the_same_however_often_it_was_spilled() {
        let commitment = |i: u64| u128::from(i.wrapping_mul(0x9e37_79b9_7f4a_7c15) % 9_973).to_be_bytes();
        let all = || (0..40_000).map(commitment);
        let mut sorted: Vec<Commitment> = all().collect();
        sorted.sort_unstable();
        sorted.dedup();
        for recent_max in [100, 7_000, 1 << 20] {
            let mut set = SubjectSet::new(std::env::temp_dir());
            set.recent_max = recent_max;
            for subject in all() {
                set.extend(std::iter::once(subject)).unwrap();
            }
            assert!(set.runs.len() < RUNS_MAX && set.recent.len() < recent_max);
            let subjects = set.finish(64).unwrap();
            assert_eq!(subjects.count, sorted.len() as u64);
            assert_eq!(subjects.root, lockgate_proof::root(&sorted));
        }
    }
}
