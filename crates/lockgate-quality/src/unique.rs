//! Which keys were seen, in bounded memory: recent ones in a table, older ones in sorted files
//! behind a Bloom filter. Only keyed 128-bit hashes are kept, and their key lives in memory.

use std::{
    collections::hash_map::RandomState,
    fs::File,
    hash::BuildHasher as _,
    io::{BufWriter, Write as _},
    os::unix::fs::FileExt as _,
    path::PathBuf,
};

use hashbrown::HashSet;
use lockgate_core::{Failure, Result};

/// Keys in the table before it becomes a file: at most 72 MiB.
const RECENT_KEYS_MAX: usize = 3_600_000;

#[derive(Debug)]
pub(crate) struct UniqueKeys {
    recent: HashSet<u128>,
    runs: Vec<Run>,
    hashers: (RandomState, RandomState),
    recent_max: usize,
    folder: PathBuf,
}

#[derive(Debug)]
struct Run {
    file: File,
    keys: u64,
    bloom: Vec<u64>,
}

impl UniqueKeys {
    pub(crate) fn new(folder: PathBuf) -> Self {
        Self {
            recent: HashSet::new(),
            runs: Vec::new(),
            hashers: (RandomState::new(), RandomState::new()),
            recent_max: RECENT_KEYS_MAX,
            folder,
        }
    }

    /// Remembers `key`; false when it was there before.
    pub(crate) fn insert(&mut self, key: &[&str]) -> Result<bool> {
        let hash = (u128::from(self.hashers.0.hash_one(key)) << 64) | u128::from(self.hashers.1.hash_one(key));
        if self.recent.contains(&hash) {
            return Ok(false);
        }
        for run in &self.runs {
            if run.contains(hash).map_err(|e| self.failed(&e))? {
                return Ok(false);
            }
        }
        self.recent.insert(hash);
        if self.recent.len() >= self.recent_max {
            self.spill().map_err(|e| self.failed(&e))?;
        }
        Ok(true)
    }

    fn failed(&self, error: &std::io::Error) -> Failure {
        Failure::io("keep unique keys in", &self.folder, error)
    }

    fn spill(&mut self) -> std::io::Result<()> {
        let mut keys: Vec<u128> = self.recent.drain().collect();
        keys.sort_unstable();
        std::fs::create_dir_all(&self.folder)?;
        let mut writer = BufWriter::new(tempfile::tempfile_in(&self.folder)?);
        // Ten bits a key and four probes: about one false probe in a hundred.
        let mut bloom = vec![0u64; (keys.len() * 10).div_ceil(64).max(1)];
        for key in &keys {
            writer.write_all(&key.to_be_bytes())?;
            for (word, bit) in probes(*key, bloom.len()) {
                if let Some(word) = bloom.get_mut(word) {
                    *word |= bit;
                }
            }
        }
        let file = writer.into_inner().map_err(std::io::IntoInnerError::into_error)?;
        self.runs.push(Run { file, keys: keys.len() as u64, bloom });
        Ok(())
    }
}

impl Run {
    fn contains(&self, key: u128) -> std::io::Result<bool> {
        let maybe =
            probes(key, self.bloom.len()).all(|(word, bit)| self.bloom.get(word).is_some_and(|word| word & bit != 0));
        if !maybe {
            return Ok(false);
        }
        let (mut low, mut high) = (0, self.keys);
        while low < high {
            let middle = u64::midpoint(low, high);
            let mut bytes = [0u8; 16];
            self.file.read_exact_at(&mut bytes, middle * 16)?;
            match u128::from_be_bytes(bytes).cmp(&key) {
                std::cmp::Ordering::Equal => return Ok(true),
                std::cmp::Ordering::Less => low = middle + 1,
                std::cmp::Ordering::Greater => high = middle,
            }
        }
        Ok(false)
    }
}

/// Four bit positions from independent parts of the hash.
fn probes(key: u128, words: usize) -> impl Iterator<Item = (usize, u64)> {
    (0..4).map(move |probe| {
        let bit = ((key >> (probe * 32)) as u32 as usize) % (words * 64);
        (bit / 64, 1u64 << (bit % 64))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn remembers_across_spills() {
        let mut keys = UniqueKeys::new(std::env::temp_dir());
        keys.recent_max = 100;
        for round in 0..2 {
            for i in 0..1_050u32 {
                let text = i.to_string();
                assert_eq!(keys.insert(&[&text, "x"]).unwrap(), round == 0, "{round} {i}");
            }
        }
        assert_eq!(keys.runs.len(), 10);
        assert!(keys.insert(&["1", "y"]).unwrap());
    }
}
