//! Tiles on disk: <https://c2sp.org/tlog-tiles>, height 8.
//!
//! Paths are `tile/<L>/<N>[.p/<W>]` for hashes and `tile/entries/<N>[.p/<W>]` for leaves.

use std::{
    cell::RefCell,
    collections::HashMap,
    fs,
    path::{Path, PathBuf},
};

use lockgate_core::{Failure, Result};
use tlog_tiles::{
    tile::{Tile, TileReader},
    tlog,
};

pub(crate) const HEIGHT: u8 = 8;
pub(crate) const WIDTH: u64 = 1 << HEIGHT;

/// Where a tile lies below the log's folder.
pub(crate) fn path(tile: &Tile) -> String {
    // The library writes Go's form, which names the height and calls leaves "data".
    let path = tile.path();
    match path.strip_prefix("tile/8/data/") {
        Some(rest) => format!("tile/entries/{rest}"),
        None => path.replacen("tile/8/", "tile/", 1),
    }
}

/// The tile of leaves that goes with a level-0 tile.
pub(crate) fn entries(tile: &Tile) -> Tile {
    let mut entries = *tile;
    entries.set_is_data();
    entries
}

/// Every tile, hashes and leaves, that a log of `size` leaves consists of.
pub(crate) fn all(size: u64) -> Vec<Tile> {
    let mut tiles = Tile::new_tiles(HEIGHT, 0, size);
    let leaves: Vec<Tile> = tiles.iter().filter(|t| t.level() == 0).map(entries).collect();
    tiles.extend(leaves);
    tiles
}

/// Reads tiles from a folder. The reader above it authenticates them.
pub(crate) struct Disk {
    root: PathBuf,
    cache: RefCell<HashMap<Tile, Vec<u8>>>,
}

/// How many tiles a reader keeps; 8 KiB each.
const CACHED_TILES_MAX: usize = 256;

impl Disk {
    pub(crate) fn new(root: &Path) -> Self {
        Self { root: root.to_owned(), cache: RefCell::default() }
    }

    pub(crate) fn read(&self, tile: &Tile) -> Result<Vec<u8>> {
        let place = self.root.join(path(tile));
        fs::read(&place).map_err(|error| {
            Failure::integrity(format!("audit tile {} cannot be read: {error}", path(tile)))
                .hint("restore the audit log from a copy; do not continue on a damaged log")
        })
    }
}

impl TileReader for Disk {
    fn height(&self) -> u8 {
        HEIGHT
    }

    fn read_tiles(&self, tiles: &[Tile]) -> Result<Vec<Vec<u8>>, tlog::Error> {
        let mut cache = self.cache.borrow_mut();
        if cache.len() > CACHED_TILES_MAX {
            cache.clear();
        }
        tiles
            .iter()
            .map(|tile| {
                if let Some(bytes) = cache.get(tile) {
                    return Ok(bytes.clone());
                }
                let bytes = self.read(tile).map_err(|_| tlog::Error::InconsistentTile)?;
                cache.insert(*tile, bytes.clone());
                Ok(bytes)
            })
            .collect()
    }

    fn save_tiles(&self, _: &[Tile], _: &[Vec<u8>]) {}
}

/// Packs leaves as an entry bundle: each a big-endian `u16` length, then the bytes.
pub(crate) fn pack(leaves: &[Vec<u8>]) -> Vec<u8> {
    let mut out = Vec::new();
    for leaf in leaves {
        out.extend_from_slice(&(leaf.len() as u16).to_be_bytes());
        out.extend_from_slice(leaf);
    }
    out
}

/// Unpacks an entry bundle that must hold exactly `width` leaves.
pub(crate) fn unpack(mut bundle: &[u8], width: u32, what: &str) -> Result<Vec<Vec<u8>>> {
    let broken = || Failure::integrity(format!("audit tile {what} is malformed"));
    let mut leaves = Vec::new();
    while let Some((length, rest)) = bundle.split_first_chunk::<2>() {
        let length = usize::from(u16::from_be_bytes(*length));
        let (leaf, rest) = rest.split_at_checked(length).ok_or_else(broken)?;
        leaves.push(leaf.to_vec());
        bundle = rest;
    }
    if bundle.is_empty() && leaves.len() == width as usize { Ok(leaves) } else { Err(broken()) }
}
