//! People, organizations, places and addresses in text: word lists, an address assembler and a
//! small network that reads what stands around.
//!
//! Invariants: the lists and the assembler need no file; the network is read from a folder and only
//! when its files have the digests that are written here; the same text gives the same findings.
//! This crate does not fetch anything.

mod assemble;
mod bundle;
mod column;
mod judge;
mod lexicon;
mod network;
mod organization;
mod pieces;
mod street;
mod window;
mod words;

use std::{
    collections::HashSet,
    fmt,
    hash::{BuildHasher as _, RandomState},
    path::Path,
    sync::Arc,
};

pub use bundle::{Bundle, NETWORK};
use lockgate_core::Result;
use lockgate_detect::{Finding, Holds, Names};
use network::{Likely, Network};
use window::windows;
use words::{Style, Word, words};

/// Texts whose findings are remembered.
const REMEMBERED: usize = 32_768;

/// Finds people, organizations, places and addresses.
pub struct Finder {
    network: Option<Network>,
    /// What was found in texts that come again, by the hash of the text.
    known: quick_cache::sync::Cache<(u64, u64), Arc<[Finding]>>,
    hashers: [RandomState; 2],
}

impl fmt::Debug for Finder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Finder").field("network", &self.network).finish_non_exhaustive()
    }
}

impl Finder {
    /// With the lists and the assembler alone.
    pub fn lists() -> Self {
        Self::with(None)
    }

    /// With the network in a folder. Fails when a file is missing or is not what it should be.
    pub fn open(folder: &Path) -> Result<Self> {
        Network::open(folder).map(|network| Self::with(Some(network)))
    }

    fn with(network: Option<Network>) -> Self {
        let known = quick_cache::sync::Cache::new(REMEMBERED);
        Self { network, known, hashers: [RandomState::new(), RandomState::new()] }
    }

    fn key(&self, text: &str) -> (u64, u64) {
        let [first, second] = &self.hashers;
        (first.hash_one(text), second.hash_one(text))
    }

    /// What the words of a text come to.
    fn found(text: &str, words: &[Word<'_>], likely: Option<&[Likely]>) -> Arc<[Finding]> {
        let mut found = Vec::new();
        let style = Style::of(text, words);
        assemble::assemble(text, words, style, judge::judge(text, words, style, likely), &mut found);
        found.into()
    }

    fn window(&self, text: &str) -> Arc<[Finding]> {
        // Lists are asked faster than what is remembered.
        if self.network.is_none() {
            return Self::found(text, &words(text), None);
        }
        let key = self.key(text);
        if let Some(found) = self.known.get(&key) {
            return found;
        }
        let words = words(text);
        let found = match &self.network {
            Some(network) if window::may_hold(&words) => {
                let likely = network.read(&[(text, &words)]).pop().unwrap_or_default();
                Self::found(text, &words, Some(&likely))
            }
            _ => Arc::default(),
        };
        self.known.insert(key, Arc::clone(&found));
        found
    }
}

impl Names for Finder {
    fn find(&self, text: &str, holds: Holds, out: &mut Vec<Finding>) {
        match holds {
            Holds::Nothing => return,
            Holds::Each(entity, score) => {
                let value = text.trim();
                if column::fits(entity, value, &words(value)) {
                    let start = text.len() - text.trim_start().len();
                    out.push(assemble::finding(entity, start, start + value.len(), score));
                    return;
                }
            }
            Holds::Text => {}
        }
        for (start, window) in windows(text) {
            out.extend(self.window(window).iter().map(|finding| Finding {
                start: finding.start + start,
                end: finding.end + start,
                ..*finding
            }));
        }
    }

    fn prepare(&self, texts: &[&str]) {
        let Some(network) = &self.network else { return };
        let mut seen = HashSet::new();
        let mut wanted: Vec<((u64, u64), &str, Vec<Word<'_>>)> = Vec::new();
        for (_, window) in texts.iter().flat_map(|text| windows(text)) {
            let key = self.key(window);
            if !seen.insert(key) || self.known.get(&key).is_some() {
                continue;
            }
            let words = words(window);
            if window::may_hold(&words) {
                wanted.push((key, window, words));
            }
        }
        let inputs: Vec<(&str, &[Word<'_>])> =
            wanted.iter().map(|(_, text, words)| (*text, words.as_slice())).collect();
        for ((key, text, words), likely) in wanted.iter().zip(network.read(&inputs)) {
            self.known.insert(*key, Self::found(text, words, Some(&likely)));
        }
    }

    fn column(&self, name: &str, values: &[&str]) -> Holds {
        column::column(name, values)
    }

    fn about(&self, _finding: &Finding) -> &'static str {
        if self.network.is_some() {
            "by the network Rampart, word lists and the words beside it"
        } else {
            "by word lists and the words beside it"
        }
    }
}

#[cfg(test)]
mod tests;
