//! People, organizations, places and addresses in text: word lists, an address assembler and a
//! small network that reads what stands around.
//!
//! Invariants: the lists and the assembler need no file; the network is read from a folder and only
//! when its files have the digests that are written here; what the network cannot read is said.
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
mod weigh;
mod window;
mod words;

use std::{
    collections::HashSet,
    fmt,
    hash::{BuildHasher as _, RandomState},
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
};

pub use bundle::{Bundle, NETWORK, NOTICES};
use lockgate_core::Result;
use lockgate_detect::{Entity, Finding, Holds, Names};
use network::{Likely, Network};
use window::windows;
use words::{Style, Word, words};

/// Texts, and findings in them, that are remembered.
const REMEMBERED: usize = 262_144;
/// Windows that go to the network together.
const TOGETHER: usize = 512;

/// Finds people, organizations, places and addresses.
pub struct Finder {
    network: Option<Network>,
    /// What was found in texts that come again, by the hash of the text.
    known: quick_cache::sync::Cache<(u64, u64), Arc<[Finding]>, Weight>,
    hashers: [RandomState; 2],
    /// The network could not read a text.
    failed: AtomicBool,
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
        let known = quick_cache::sync::Cache::with_weighter(REMEMBERED, REMEMBERED as u64, Weight);
        let hashers = [RandomState::new(), RandomState::new()];
        Self { network, known, hashers, failed: AtomicBool::new(false) }
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
        // The network knows few names outside of English; the lists know some. A given name with a
        // surname is one in any case, and so is one in letters that the network does not read.
        if likely.is_some() {
            let mut listed = Vec::new();
            assemble::assemble(text, words, style, judge::judge(text, words, style, None), &mut listed);
            listed.retain(|new| {
                let sure = text.get(new.start..new.end).is_some_and(|value| value.contains(' ') || !value.is_ascii());
                sure && found.iter().all(|known| new.end <= known.start || known.end <= new.start)
            });
            found.extend(listed);
            found.sort_unstable_by_key(|finding| finding.start);
        }
        found.into()
    }

    fn window(&self, text: &str) -> Arc<[Finding]> {
        // Lists are asked faster than what is remembered.
        let Some(network) = &self.network else { return Self::found(text, &words(text), None) };
        let key = self.key(text);
        if let Some(found) = self.known.get(&key) {
            return found;
        }
        let words = words(text);
        if !window::may_hold(&words) {
            return Self::found(text, &words, None);
        }
        let likely = network.read(&[(text, &words)]).pop().flatten();
        self.remember(key, text, &words, likely)
    }

    /// What the words of a text come to, remembered. What the network could not read is judged by
    /// the lists, which [`Names::failed`] tells of.
    fn remember(&self, key: (u64, u64), text: &str, words: &[Word<'_>], likely: Option<Vec<Likely>>) -> Arc<[Finding]> {
        let found = Self::found(text, words, likely.as_deref());
        if likely.is_some() {
            self.known.insert(key, Arc::clone(&found));
        } else {
            self.failed.store(true, Ordering::Relaxed);
        }
        found
    }

    /// Addresses and what is plainly a person among categories.
    fn plainly(&self, text: &str, out: &mut Vec<Finding>) {
        let plain = |finding: &&Finding| {
            let value = text.get(finding.start..finding.end).unwrap_or_default();
            let given =
                words(value).iter().any(|word| word.lists.given() && !word.lists.common() && word.has_capital());
            finding.entity == Entity::ADDRESS || (finding.entity == Entity::PERSON && given)
        };
        for (start, window) in windows(text) {
            let found = self.window(window);
            out.extend(found.iter().filter(plain).map(|f| Finding {
                start: f.start + start,
                end: f.end + start,
                ..*f
            }));
        }
    }
}

/// Findings weigh what is remembered.
#[derive(Clone)]
struct Weight;

impl quick_cache::Weighter<(u64, u64), Arc<[Finding]>> for Weight {
    fn weight(&self, _: &(u64, u64), found: &Arc<[Finding]>) -> u64 {
        1 + found.len() as u64
    }
}

impl Names for Finder {
    fn find(&self, text: &str, holds: Holds, out: &mut Vec<Finding>) {
        match holds {
            Holds::Nothing => return,
            Holds::Categories if !column::is_sentence(text) => return self.plainly(text, out),
            Holds::Each(entity, score) => {
                let value = text.trim();
                if column::fits(entity, value) {
                    let start = text.len() - text.trim_start().len();
                    out.push(assemble::finding(entity, start, start + value.len(), score));
                    return;
                }
            }
            Holds::Categories | Holds::Text => {}
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
        let work = |wanted: &mut Vec<((u64, u64), &str, Vec<Word<'_>>)>| {
            let inputs: Vec<(&str, &[Word<'_>])> =
                wanted.iter().map(|(_, text, words)| (*text, words.as_slice())).collect();
            for ((key, text, words), likely) in wanted.iter().zip(network.read(&inputs)) {
                self.remember(*key, text, words, likely);
            }
            wanted.clear();
        };
        for (_, window) in texts.iter().flat_map(|text| windows(text)) {
            let key = self.key(window);
            if !seen.insert(key) || self.known.get(&key).is_some() {
                continue;
            }
            let words = words(window);
            if window::may_hold(&words) {
                wanted.push((key, window, words));
            }
            if wanted.len() >= TOGETHER {
                work(&mut wanted);
            }
        }
        work(&mut wanted);
    }

    fn column(&self, name: &str, values: &[&str]) -> Holds {
        column::column(name, values)
    }

    fn about(&self) -> &'static str {
        if self.network.is_some() {
            "by its column, or by the network Rampart, word lists and the words beside it"
        } else {
            "by its column, or by word lists and the words beside it"
        }
    }

    fn failed(&self) -> bool {
        self.failed.load(Ordering::Relaxed)
    }
}

#[cfg(test)]
mod tests;
