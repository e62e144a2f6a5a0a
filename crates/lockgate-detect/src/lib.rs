//! Finds sensitive values in text. Pure: no I/O, no clock, no global state.
//!
//! Invariants: offsets are byte offsets on character boundaries of the text that was given; no
//! input makes the scan quadratic, since every pattern has a bounded length. This crate does not
//! decide what happens to a finding.

mod recognizers;
mod validate;

use regex_automata::{Anchored, Input, PatternID, meta::Regex, util::syntax};

use recognizers::RECOGNIZERS;

/// A kind of sensitive value, under Presidio's name where Presidio has it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Entity(&'static str);

impl Entity {
    pub const fn as_str(self) -> &'static str {
        self.0
    }

    /// Every entity that the engine can find, sorted.
    pub fn all() -> Vec<Self> {
        let mut all: Vec<Self> = RECOGNIZERS.iter().map(|r| r.entity).collect();
        all.sort();
        all.dedup();
        all
    }

    /// The entity with this name.
    pub fn parse(name: &str) -> Option<Self> {
        Self::all().into_iter().find(|entity| entity.0 == name)
    }
}

impl std::fmt::Display for Entity {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.0)
    }
}

/// One sensitive value: where it stands, what it is and how sure that is (0 to 1).
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Finding {
    pub entity: Entity,
    pub start: usize,
    pub end: usize,
    pub score: f32,
    pub recognizer: &'static str,
}

/// The compiled recognizers. Build it once; scanning needs no lock.
#[derive(Clone, Debug)]
pub struct Engine {
    regex: Regex,
}

impl Engine {
    /// Compiles every recognizer into one automaton.
    ///
    /// # Panics
    /// Never: the patterns are constants, and a test builds them.
    #[expect(clippy::expect_used, reason = "the patterns are constants that a test compiles")]
    pub fn new() -> Self {
        let patterns: Vec<&str> = RECOGNIZERS.iter().map(|r| r.pattern).collect();
        let regex = Regex::builder()
            .syntax(syntax::Config::new().unicode(false).utf8(false))
            .build_many(&patterns)
            .expect("the built-in patterns compile");
        Self { regex }
    }

    /// Appends the findings in `text` to `out`, in order and without overlap.
    pub fn scan(&self, text: &str, out: &mut Vec<Finding>) {
        if !worth_scanning(text.as_bytes()) {
            return;
        }
        let mut at = 0;
        while let Some(hit) = self.regex.search(&Input::new(text).range(at..)) {
            match self.accept(text, hit.start(), hit.pattern(), hit.end()) {
                Some(finding) => {
                    at = finding.end;
                    out.push(finding);
                }
                None => at = next_character(text, hit.start()),
            }
        }
    }

    /// The first recognizer, from `pattern` on, whose validator accepts a match at `start`.
    fn accept(&self, text: &str, start: usize, first: PatternID, end: usize) -> Option<Finding> {
        let mut end = Some(end);
        for (index, recognizer) in RECOGNIZERS.iter().enumerate().skip(first.as_usize()) {
            let stop = end.take().or_else(|| {
                let id = PatternID::new(index).ok()?;
                let input = Input::new(text).range(start..).anchored(Anchored::Pattern(id));
                self.regex.search(&input).map(|hit| hit.end())
            });
            let Some(stop) = stop else { continue };
            let Some(value) = text.get(start..stop) else {
                continue;
            };
            let before = text.get(..start).unwrap_or_default();
            if let Some((score, kept)) = (recognizer.validate)(value, before) {
                return Some(Finding {
                    entity: recognizer.entity,
                    start,
                    end: start + kept,
                    score,
                    recognizer: recognizer.name,
                });
            }
        }
        None
    }
}

impl Default for Engine {
    fn default() -> Self {
        Self::new()
    }
}

/// Every recognizer needs a digit, an at sign or a scheme; most text has none of them.
fn worth_scanning(text: &[u8]) -> bool {
    // Without an early exit the compiler looks at many bytes at once.
    let (mut telling, mut colon) = (false, false);
    for byte in text {
        telling |= byte.is_ascii_digit();
        telling |= *byte == b'@';
        colon |= *byte == b':';
    }
    telling || (colon && memchr::memmem::find(text, b"://").is_some())
}

fn next_character(text: &str, at: usize) -> usize {
    text.get(at..).and_then(|rest| rest.chars().next()).map_or(at + 1, |c| at + c.len_utf8())
}

#[cfg(test)]
mod tests;
