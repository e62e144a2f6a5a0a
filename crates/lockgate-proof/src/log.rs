//! The append-only log: leaves and hash tiles in a folder, and the signed checkpoint that makes
//! them count. The checkpoint is written last; whatever lies beyond it does not exist.

use std::{
    cell::RefCell,
    collections::{BTreeSet, HashMap},
    fs,
    path::{Path, PathBuf},
};

use lockgate_core::{
    Failure, Result,
    durable::{self, Readers},
    limits,
};
use tlog_tiles::{
    tile::{Tile, TileHashReader},
    tlog::{
        self, EMPTY_HASH, Hash, HashReader, check_tree, prove_record, prove_tree, record_hash, stored_hash_index,
        stored_hashes, tree_hash,
    },
};

use crate::{
    note::{SigningKey, VerifyingKey},
    tiles::{self, Disk, HEIGHT, WIDTH},
    tree::Proof,
};

const CHECKPOINT: &str = "checkpoint";

/// Reads and verifies a log.
#[derive(Debug)]
pub struct LogReader {
    root: PathBuf,
    size: u64,
    hash: Hash,
}

impl LogReader {
    /// Opens the log in `root`; its checkpoint must be signed by `key`.
    pub fn open(root: &Path, key: &VerifyingKey) -> Result<Self> {
        let place = root.join(CHECKPOINT);
        let bytes = fs::read(&place).map_err(|error| {
            Failure::integrity(format!("the audit checkpoint cannot be read: {error}"))
                .hint("every workspace has one; restore the audit log from a copy")
        })?;
        let (size, hash) = key.open_checkpoint(&bytes)?;
        Ok(Self { root: root.to_owned(), size, hash })
    }

    /// The number of leaves.
    pub fn size(&self) -> u64 {
        self.size
    }

    /// The root hash, base64 in `Display`.
    pub fn root_hash(&self) -> Hash {
        self.hash
    }

    /// The signed checkpoint as it lies on disk.
    pub fn checkpoint(&self) -> Result<String> {
        let place = self.root.join(CHECKPOINT);
        fs::read_to_string(&place).map_err(|e| Failure::io("read", &place, &e))
    }

    /// Leaves from `first` on, oldest first, read bundle by bundle. They are not verified one by
    /// one: [`Self::verify`] covers all, [`Self::prove`] one.
    pub fn leaves(&self, first: u64) -> impl Iterator<Item = Result<(u64, Vec<u8>)>> + '_ {
        let disk = Disk::new(&self.root);
        (first / WIDTH..self.size.div_ceil(WIDTH)).flat_map(move |n| {
            let width = WIDTH.min(self.size - n * WIDTH) as u32;
            let tile = Tile::new(HEIGHT, 0, n, width, true);
            let bundle = disk.read(&tile).and_then(|bytes| tiles::unpack(&bytes, width, &tiles::path(&tile)));
            let leaves: Vec<Result<(u64, Vec<u8>)>> = match bundle {
                Ok(leaves) => (n * WIDTH..).zip(leaves).map(Ok).collect(),
                Err(failure) => vec![Err(failure)],
            };
            leaves.into_iter().filter(move |leaf| leaf.as_ref().map_or(true, |(index, _)| *index >= first))
        })
    }

    /// Proof that leaf `index` is in the tree of the checkpoint.
    pub fn prove(&self, index: u64) -> Result<Proof> {
        if index >= self.size {
            return Err(Failure::input(format!("the log has {} events; there is none at {index}", self.size)));
        }
        let disk = Disk::new(&self.root);
        let reader = TileHashReader::new(self.size, self.hash, &disk);
        let path = prove_record(self.size, index, &reader).map_err(damaged)?;
        Ok(Proof::new(index, self.size, &path))
    }

    /// Proof that the log of this checkpoint extends the log as it was at `old_size` leaves;
    /// base64, the order of RFC 6962.
    pub fn prove_consistency(&self, old_size: u64) -> Result<Vec<String>> {
        if old_size == 0 || old_size > self.size {
            return Err(Failure::input(format!(
                "the log has {} events; it cannot extend one of {old_size}",
                self.size
            )));
        }
        let disk = Disk::new(&self.root);
        let reader = TileHashReader::new(self.size, self.hash, &disk);
        let proof = prove_tree(self.size, old_size, &reader).map_err(damaged)?;
        let old = tree_hash(old_size, &reader).map_err(damaged)?;
        check_tree(&proof, self.size, self.hash, old_size, old).map_err(damaged)?;
        Ok(proof.iter().map(ToString::to_string).collect())
    }

    /// Rebuilds every tile from the leaves and demands that each byte on disk is the one it must
    /// be, that the root is the signed one, and that the folder holds nothing else.
    pub fn verify(&self) -> Result<()> {
        let memory = Memory::default();
        for leaf in self.leaves(0) {
            let (index, leaf) = leaf?;
            memory.push(index, &leaf)?;
        }
        let computed = tree_hash(self.size, &memory).map_err(damaged)?;
        if computed != self.hash {
            return Err(Failure::integrity("the audit log's leaves do not lead to the signed root")
                .hint("an event was changed, removed or added; compare with an exported copy"));
        }
        let disk = Disk::new(&self.root);
        let mut known: BTreeSet<PathBuf> = [self.root.join(CHECKPOINT)].into();
        for tile in tiles::all(self.size) {
            let place = tiles::path(&tile);
            if !tile.is_data() && disk.read(&tile)? != tile.read_data(&memory).map_err(damaged)? {
                return Err(Failure::integrity(format!("audit tile {place} was changed")));
            }
            known.insert(self.root.join(place));
        }
        for file in files_below(&self.root)? {
            if !known.contains(&file) {
                return Err(Failure::integrity(format!("{} does not belong to the audit log", file.display()))
                    .hint("an interrupted append leaves such files; the next command that writes removes them"));
            }
        }
        Ok(())
    }
}

fn damaged(error: tlog::Error) -> Failure {
    Failure::integrity(format!("the audit log's tiles do not fit its checkpoint: {error}"))
        .hint("restore the audit log from a copy; do not continue on a damaged log")
}

/// Appends to a log. The workspace lock must be held: there is one writer.
#[derive(Debug)]
pub struct Log {
    key: SigningKey,
    reader: LogReader,
}

impl Log {
    /// Creates an empty log in `root`, which must not hold one.
    pub fn create(root: &Path, key: SigningKey) -> Result<Self> {
        let place = root.join(CHECKPOINT);
        if place.exists() || root.join("tile").exists() {
            return Err(Failure::integrity("there is an audit log already"));
        }
        durable::write(&place, &key.checkpoint(0, EMPTY_HASH)?, Readers::Anyone)?;
        Self::open(root, key)
    }

    /// Opens the log in `root` and removes what an interrupted append left beyond the checkpoint.
    /// A log that is gone is not begun anew: its history would vanish without a trace.
    pub fn open(root: &Path, key: SigningKey) -> Result<Self> {
        let reader = LogReader::open(root, &key.verifying_key())?;
        let log = Self { key, reader };
        log.remove_strays()?;
        Ok(log)
    }

    /// The reading side at the current checkpoint.
    pub fn reader(&self) -> &LogReader {
        &self.reader
    }

    /// Appends `leaves` as one batch: all of them are in the log afterwards, or none is.
    /// Returns the index of the first.
    pub fn append(&mut self, leaves: &[Vec<u8>]) -> Result<u64> {
        let old = self.reader.size;
        if leaves.is_empty() {
            return Ok(old);
        }
        if leaves.iter().any(|leaf| leaf.len() > limits::LEAF_BYTES_MAX) {
            return Err(Failure::bug("an audit event is larger than 65,535 bytes"));
        }
        let disk = Disk::new(&self.reader.root);
        let memory = Memory { below: (old > 0).then_some((old, self.reader.hash, &disk)), ..Memory::default() };
        for (index, leaf) in (old..).zip(leaves) {
            memory.push(index, leaf)?;
        }
        let size = old + leaves.len() as u64;
        let hash = tree_hash(size, &memory).map_err(damaged)?;
        for tile in Tile::new_tiles(HEIGHT, old, size) {
            let bytes = tile.read_data(&memory).map_err(damaged)?;
            durable::write(&self.reader.root.join(tiles::path(&tile)), &bytes, Readers::Anyone)?;
            if tile.level() == 0 {
                self.write_entries(&disk, &tile, leaves)?;
            }
        }
        durable::write(&self.reader.root.join(CHECKPOINT), &self.key.checkpoint(size, hash)?, Readers::Anyone)?;
        self.remove_partials(old, size);
        self.reader.size = size;
        self.reader.hash = hash;
        Ok(old)
    }

    fn write_entries(&self, disk: &Disk, tile: &Tile, leaves: &[Vec<u8>]) -> Result<()> {
        let old = self.reader.size;
        let start = tile.level_index() * WIDTH;
        let mut bundle = Vec::new();
        if start < old {
            let width = (old - start) as u32;
            let partial = Tile::new(HEIGHT, 0, tile.level_index(), width, true);
            bundle = tiles::unpack(&disk.read(&partial)?, width, &tiles::path(&partial))?;
        }
        let first = (start.max(old) - old) as usize;
        let count = tile.width() as usize - bundle.len();
        bundle.extend(leaves.iter().skip(first).take(count).cloned());
        let place = self.reader.root.join(tiles::path(&tiles::entries(tile)));
        durable::write(&place, &tiles::pack(&bundle), Readers::Anyone)
    }

    /// Removes the partial tiles that the new checkpoint no longer needs. Failing to do so is
    /// mended by the next open.
    fn remove_partials(&self, old: u64, size: u64) {
        let current: BTreeSet<String> = tiles::all(size).iter().map(tiles::path).collect();
        let mut level_size = old;
        for level in 0.. {
            let width = (level_size % WIDTH) as u32;
            for is_data in [false, level == 0] {
                if width > 0 {
                    let tile = Tile::new(HEIGHT, level, level_size / WIDTH, width, is_data);
                    let place = tiles::path(&tile);
                    if !current.contains(&place) {
                        let place = self.reader.root.join(place);
                        let _ = fs::remove_file(&place);
                        let _ = place.parent().map(fs::remove_dir);
                    }
                }
            }
            level_size /= WIDTH;
            if level_size == 0 {
                break;
            }
        }
    }

    fn remove_strays(&self) -> Result<()> {
        let root = &self.reader.root;
        let known: BTreeSet<PathBuf> = tiles::all(self.reader.size)
            .iter()
            .map(|tile| root.join(tiles::path(tile)))
            .chain([root.join(CHECKPOINT)])
            .collect();
        for file in files_below(root)? {
            if !known.contains(&file) {
                fs::remove_file(&file).map_err(|e| Failure::io("remove", &file, &e))?;
                let _ = file.parent().map(fs::remove_dir);
            }
        }
        Ok(())
    }
}

fn files_below(root: &Path) -> Result<Vec<PathBuf>> {
    let mut files = Vec::new();
    let mut folders = vec![root.to_owned()];
    while let Some(folder) = folders.pop() {
        let fail = |e: &std::io::Error| Failure::io("read", &folder, e);
        for entry in fs::read_dir(&folder).map_err(|e| fail(&e))? {
            let entry = entry.map_err(|e| fail(&e))?;
            let kind = entry.file_type().map_err(|e| fail(&e))?;
            if kind.is_dir() {
                folders.push(entry.path());
            } else {
                files.push(entry.path());
            }
        }
    }
    Ok(files)
}

/// Stored hashes of a growing tree: new ones in memory, older ones from authenticated tiles.
#[derive(Default)]
struct Memory<'a> {
    new: RefCell<HashMap<u64, Hash>>,
    below: Option<(u64, Hash, &'a Disk)>,
}

impl Memory<'_> {
    fn push(&self, index: u64, leaf: &[u8]) -> Result<()> {
        let hashes = if index.trailing_ones() == 0 {
            vec![record_hash(leaf)]
        } else {
            stored_hashes(index, leaf, self).map_err(damaged)?
        };
        let first = stored_hash_index(0, index);
        self.new.borrow_mut().extend((first..).zip(hashes));
        Ok(())
    }
}

impl HashReader for Memory<'_> {
    fn read_hashes(&self, indexes: &[u64]) -> Result<Vec<Hash>, tlog::Error> {
        let new = self.new.borrow();
        let missing: Vec<u64> = indexes.iter().copied().filter(|index| !new.contains_key(index)).collect();
        let mut older = Vec::new();
        if !missing.is_empty() {
            let (size, hash, disk) = self.below.ok_or(tlog::Error::IndexesNotInTree)?;
            older = TileHashReader::new(size, hash, disk).read_hashes(&missing)?;
        }
        let mut older = older.into_iter();
        indexes
            .iter()
            .map(|index| new.get(index).copied().or_else(|| older.next()).ok_or(tlog::Error::IndexesNotInTree))
            .collect()
    }
}

#[cfg(test)]
mod tests;
