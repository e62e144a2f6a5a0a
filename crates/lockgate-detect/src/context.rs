//! The words around a value that tell what it is.

use aho_corasick::{AhoCorasick, Anchored, Input, MatchKind, StartKind, automaton::OverlappingState};

use crate::{Holds, scan::beginnings::Beginnings};

/// How far words before and after a value are heard, in bytes.
pub(crate) const BEFORE: usize = 72;
pub(crate) const AFTER: usize = 32;
/// No word is longer, in bytes.
pub(crate) const WORD_BYTES_MAX: usize = 64;

/// A word in a text.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Word {
    pub start: usize,
    pub end: usize,
    pub tells: Context,
}

/// What is known of a text before it is read: the recognizers that its column's name tells of, and
/// what the column holds.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Context {
    told: [u64; 4],
    pub(crate) holds: Holds,
}

impl Context {
    pub(crate) const RECOGNIZERS_MAX: usize = 256;

    pub(crate) fn with(mut self, recognizer: usize) -> Self {
        if let Some(word) = self.told.get_mut(recognizer / 64) {
            *word |= 1 << (recognizer % 64);
        }
        self
    }

    pub(crate) fn tells_of(self, recognizer: usize) -> bool {
        self.told.get(recognizer / 64).is_some_and(|word| word & (1 << (recognizer % 64)) != 0)
    }

    /// The same, where no people, places and the like are looked for.
    #[must_use]
    pub fn without_names(self) -> Self {
        self.holding(Holds::Nothing)
    }

    /// People, places and the like are looked for in texts as they are.
    pub fn reads_names(self) -> bool {
        self.holds == Holds::Text
    }

    pub(crate) fn holding(self, holds: Holds) -> Self {
        Self { holds, ..self }
    }

    /// What either tells of; what the column holds is the other's.
    #[must_use]
    pub fn and(self, other: Self) -> Self {
        let mut all = other;
        for (mine, theirs) in all.told.iter_mut().zip(self.told) {
            *mine |= theirs;
        }
        all
    }
}

/// All context words of all recognizers in one automaton.
#[derive(Clone, Debug)]
pub(crate) struct Words {
    automaton: AhoCorasick,
    beginnings: Beginnings,
    words: Vec<(String, Context)>,
}

impl Words {
    pub(crate) fn new<'w>(all: impl Iterator<Item = (usize, &'w str)>) -> Option<Self> {
        let mut words: Vec<(String, Context)> = Vec::new();
        for (recognizer, word) in all {
            match words.iter_mut().find(|(known, _)| known == word) {
                Some((_, set)) => *set = set.with(recognizer),
                None => words.push((word.to_owned(), Context::default().with(recognizer))),
            }
        }
        let automaton = AhoCorasick::builder()
            .ascii_case_insensitive(true)
            .match_kind(MatchKind::Standard)
            .kind(Some(aho_corasick::AhoCorasickKind::DFA))
            .start_kind(StartKind::Anchored)
            .build(words.iter().map(|(word, _)| word))
            .ok()?;
        let beginnings = Beginnings::of(words.iter().map(|(word, _)| word.as_bytes()));
        Some(Self { automaton, beginnings, words })
    }

    /// Appends the words in a part of a text: where each stands and what it tells of.
    pub(crate) fn hear(&self, text: &str, from: usize, to: usize, out: &mut Vec<Word>) {
        self.each(text, from, to, |start, end, (_, tells)| out.push(Word { start, end, tells: *tells }));
    }

    /// Gives the words in a part of a text with their places.
    fn each<'s>(
        &'s self,
        text: &str,
        from: usize,
        to: usize,
        mut each: impl FnMut(usize, usize, &'s (String, Context)),
    ) {
        let part = text.as_bytes().get(..to).unwrap_or_default();
        self.beginnings.find(part, from, |start| {
            let input = Input::new(text).range(start..to).anchored(Anchored::Yes);
            let mut state = OverlappingState::start();
            while self.automaton.try_find_overlapping(input.clone(), &mut state).is_ok()
                && let Some(hit) = state.get_match()
            {
                if let Some(word) = self.words.get(hit.pattern().as_usize())
                    && stands_alone(text, &word.0, hit.start(), hit.end())
                {
                    each(hit.start(), hit.end(), word);
                }
            }
            None::<()>
        });
    }

    /// What the words of a text, such as a column's name, tell of.
    pub(crate) fn of(&self, text: &str) -> Context {
        let mut words = Vec::new();
        self.hear(text, 0, text.len(), &mut words);
        words.iter().fold(Context::default(), |all, word| all.and(word.tells))
    }

    /// The first word for a recognizer around a value.
    pub(crate) fn telling(&self, text: &str, start: usize, end: usize, recognizer: usize) -> Option<&str> {
        let near = |from: usize, to: usize| {
            let mut first: Option<(usize, &str)> = None;
            self.each(text, from, to, |_, end, (word, tells)| {
                if tells.tells_of(recognizer) && first.is_none_or(|(known, _)| end < known) {
                    first = Some((end, word));
                }
            });
            first.map(|(_, word)| word)
        };
        near(start.saturating_sub(BEFORE), start).or_else(|| near(end, (end + AFTER).min(text.len())))
    }
}

/// Short words must stand alone; long ones may be part of a compound, as in German.
pub(crate) fn stands_alone(text: &str, word: &str, start: usize, end: usize) -> bool {
    let bytes = text.as_bytes();
    let letter = |at: Option<&u8>| at.is_some_and(u8::is_ascii_alphabetic);
    let open = !word.is_ascii() || !letter(start.checked_sub(1).and_then(|at| bytes.get(at)));
    let closed = !word.is_ascii() || !letter(bytes.get(end));
    match word.len() {
        0..5 => open && closed,
        5..8 => open,
        _ => true,
    }
}
