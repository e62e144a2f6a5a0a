//! Merkle trees over a list that is at hand: roots and inclusion proofs (RFC 6962, section 2.1).

use lockgate_core::{Digest, Failure, Result};
use serde::{Deserialize, Serialize};
use tlog_tiles::tlog::{EMPTY_HASH, Hash, check_record, node_hash, record_hash};

/// The root over `leaves` in their given order.
pub fn root<T: AsRef<[u8]>>(leaves: impl IntoIterator<Item = T>) -> Digest {
    let mut builder = RootBuilder::default();
    for leaf in leaves {
        builder.push(leaf.as_ref());
    }
    builder.finish()
}

/// Builds a root leaf by leaf, in memory logarithmic in their number.
#[derive(Debug, Default)]
pub struct RootBuilder {
    /// Complete subtrees with their sizes: a new leaf merges with every subtree of its own size.
    stack: Vec<(u64, Hash)>,
}

impl RootBuilder {
    pub fn push(&mut self, leaf: &[u8]) {
        let mut node = (1u64, record_hash(leaf));
        while let Some(&(size, left)) = self.stack.last() {
            if size != node.0 {
                break;
            }
            self.stack.pop();
            node = (size * 2, node_hash(left, node.1));
        }
        self.stack.push(node);
    }

    pub fn finish(self) -> Digest {
        let top = self.stack.into_iter().rev().map(|(_, hash)| hash).reduce(|right, left| node_hash(left, right));
        Digest::from_bytes(top.unwrap_or(EMPTY_HASH).0)
    }
}

/// Proof that a leaf stands at `index` in the tree of `tree_size` leaves with root `root`.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Proof {
    pub index: u64,
    pub tree_size: u64,
    /// Base64, the order of RFC 6962's audit path.
    pub path: Vec<String>,
}

impl Proof {
    pub(crate) fn new(index: u64, tree_size: u64, path: &[Hash]) -> Self {
        Self { index, tree_size, path: path.iter().map(ToString::to_string).collect() }
    }

    /// Checks the proof for `leaf` against `root`.
    pub fn verify(&self, leaf: &[u8], root: Hash) -> Result<()> {
        let broken = || Failure::integrity("the inclusion proof does not lead to the root");
        let path =
            self.path.iter().map(|hash| Hash::parse_hash(hash)).collect::<Result<Vec<_>, _>>().map_err(|_| broken())?;
        check_record(&path, self.tree_size, root, self.index, record_hash(leaf)).map_err(|_| broken())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn naive(leaves: &[Vec<u8>]) -> Hash {
        match leaves.len() {
            0 => EMPTY_HASH,
            1 => record_hash(&leaves[0]),
            n => {
                let split = n.next_power_of_two() / 2;
                node_hash(naive(&leaves[..split]), naive(&leaves[split..]))
            }
        }
    }

    #[test]
    fn the_root_is_rfc_6962s() {
        for n in 0..70u8 {
            let leaves: Vec<Vec<u8>> = (0..n).map(|i| vec![i; 3]).collect();
            assert_eq!(root(&leaves), Digest::from_bytes(naive(&leaves).0), "{n} leaves");
        }
    }
}
