//! The places where a value may begin: a digit, `@`, `://`, `www.`, or a word that values begin with.
//!
//! [`Beginnings`] tells where one may be, an automaton which one it is.

use aho_corasick::{AhoCorasick, AhoCorasickKind, Anchored, Input, MatchKind, StartKind};

use super::beginnings::Beginnings;

/// What an anchor is. The digits come first in the automaton.
pub(super) const DIGITS: usize = 10;
pub(super) const AT: usize = 10;
pub(super) const SCHEME: usize = 11;
pub(super) const WWW: usize = 12;
pub(super) const FIRST_WORD: usize = 13;

/// A place where a value may begin.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Anchor {
    pub kind: usize,
    pub start: usize,
    pub end: usize,
}

#[derive(Clone, Debug)]
pub(super) struct Anchors {
    automaton: AhoCorasick,
    beginnings: Beginnings,
}

impl Anchors {
    pub(super) fn new<'w>(words: impl Iterator<Item = &'w str>) -> Result<Self, String> {
        let mut anchors: Vec<String> = (0..DIGITS).map(|digit| digit.to_string()).collect();
        anchors.extend(["@", "://", "www."].map(str::to_owned));
        anchors.extend(words.map(str::to_owned));
        let automaton = AhoCorasick::builder()
            .ascii_case_insensitive(true)
            .match_kind(MatchKind::LeftmostFirst)
            .start_kind(StartKind::Anchored)
            .kind(Some(AhoCorasickKind::DFA))
            .build(&anchors)
            .map_err(|e| e.to_string())?;
        let beginnings = Beginnings::of(anchors.iter().map(String::as_bytes));
        Ok(Self { automaton, beginnings })
    }

    /// The first anchor from a place on.
    pub(super) fn find(&self, text: &str, from: usize) -> Option<Anchor> {
        self.beginnings.find(text.as_bytes(), from, |start| self.at(text, start))
    }

    /// The anchor that begins at a place.
    fn at(&self, text: &str, start: usize) -> Option<Anchor> {
        match text.as_bytes().get(start)? {
            digit @ b'0'..=b'9' => Some(Anchor { kind: usize::from(digit - b'0'), start, end: start + 1 }),
            b'@' => Some(Anchor { kind: AT, start, end: start + 1 }),
            _ => {
                let input = Input::new(text).range(start..).anchored(Anchored::Yes);
                let hit = self.automaton.find(input)?;
                Some(Anchor { kind: hit.pattern().as_usize(), start, end: hit.end() })
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        /// The table loses no place that the automaton alone finds.
        #[test]
        fn the_table_finds_what_the_automaton_finds(text in "[a-cA-C0-2@:/w.é ]{0,60}", from in 0usize..4) {
            let words = ["ab", "abc", "c", "bb", "é", "cab-"];
            let anchors = Anchors::new(words.into_iter()).expect("anchors");
            let all = (0..10).map(|d: u8| d.to_string()).chain(["@", "://", "www."].map(str::to_owned));
            let plain = AhoCorasick::builder()
                .ascii_case_insensitive(true)
                .match_kind(MatchKind::LeftmostFirst)
                .build(all.chain(words.map(str::to_owned)))
                .expect("an automaton");
            let from = text.char_indices().map(|(at, _)| at).nth(from).unwrap_or(0);
            let expected = plain.find(Input::new(&text).range(from..)).map(|hit| (hit.pattern().as_usize(), hit.start(), hit.end()));
            prop_assert_eq!(anchors.find(&text, from).map(|a| (a.kind, a.start, a.end)), expected);
        }
    }

    #[test]
    fn anchors_are_found_where_they_begin() {
        let anchors = Anchors::new(["ghp_", "Bearer", "ab", "é"].into_iter()).expect("anchors");
        let all = |text: &str| {
            let (mut found, mut from) = (Vec::new(), 0);
            while let Some(anchor) = anchors.find(text, from) {
                found.push((anchor.kind, anchor.start));
                from = anchor.end;
            }
            found
        };
        assert_eq!(all("x 7, a@b, http://w and www.y"), [(7, 2), (AT, 6), (SCHEME, 14), (WWW, 23)]);
        assert_eq!(all("GHP_ bearer xab"), [(FIRST_WORD, 0), (FIRST_WORD + 1, 5), (FIRST_WORD + 2, 13)]);
        assert_eq!(all("née 1"), [(FIRST_WORD + 3, 1), (1, 5)]);
        for nothing in ["", "a", "gh", "xyz ghp", "ww.", ":/ /"] {
            assert_eq!(all(nothing), []);
        }
        assert_eq!(all("9"), [(9, 0)]);
        assert_eq!(all("ab"), [(FIRST_WORD + 2, 0)]);
    }
}
