//! WordPiece: a text as the tokens of a BERT (Devlin et al. 2018, section 3; greedy longest match
//! first as in Wu et al. 2016). The tokenizers that are published cannot be shared between threads
//! or come with a C library.

use std::collections::HashMap;

use unicode_normalization::{UnicodeNormalization as _, char::is_combining_mark};

/// A longer word is unknown to a BERT, in characters.
const WORD_CHARS_MAX: usize = 100;

#[derive(Debug)]
pub(crate) struct Pieces {
    /// Those that begin a word, and those that go on.
    heads: HashMap<String, i32>,
    tails: HashMap<String, i32>,
    unknown: i32,
    begin: i32,
    end: i32,
}

/// A text as the network reads it.
#[derive(Debug, Default)]
pub(crate) struct Tokens {
    pub ids: Vec<i32>,
    /// Where each token begins in the text; the first and the last stand for no text.
    pub starts: Vec<usize>,
}

impl Pieces {
    /// From a vocabulary, a piece a line. `None` when it lacks what every one has.
    pub(crate) fn new(vocabulary: &str) -> Option<Self> {
        let (mut heads, mut tails) = (HashMap::new(), HashMap::new());
        for (id, line) in (0..).zip(vocabulary.lines()) {
            match line.strip_prefix("##") {
                Some(tail) if !tail.is_empty() => tails.insert(tail.to_owned(), id),
                _ => heads.insert(line.to_owned(), id),
            };
        }
        let known = |name: &str| heads.get(name).copied();
        let (unknown, begin, end) = (known("[UNK]")?, known("[CLS]")?, known("[SEP]")?);
        Some(Self { heads, tails, unknown, begin, end })
    }

    /// At most `most` tokens of a text.
    pub(crate) fn tokens(&self, text: &str, most: usize) -> Tokens {
        let mut tokens = Tokens { ids: vec![self.begin], starts: vec![0] };
        let mut word: Vec<(char, usize)> = Vec::new();
        for (at, c) in text.char_indices() {
            // Lower case without accents, as the vocabulary is.
            let plain =
                |c: char| std::iter::once(c).nfd().filter(|c| !is_combining_mark(*c)).flat_map(char::to_lowercase);
            if is_combining_mark(c) {
                continue;
            }
            if c.is_alphanumeric() && !is_ideograph(c) {
                word.extend(plain(c).map(|c| (c, at)));
                continue;
            }
            self.word(&word, &mut tokens);
            word.clear();
            if !c.is_whitespace() && !c.is_control() && c != '\u{feff}' {
                self.word(&plain(c).map(|c| (c, at)).collect::<Vec<_>>(), &mut tokens);
            }
        }
        self.word(&word, &mut tokens);
        tokens.ids.truncate(most - 1);
        tokens.starts.truncate(most - 1);
        tokens.ids.push(self.end);
        tokens.starts.push(text.len());
        tokens
    }

    fn word(&self, word: &[(char, usize)], tokens: &mut Tokens) {
        let Some((_, start)) = word.first() else { return };
        let before = tokens.ids.len();
        let text: String = word.iter().map(|(c, _)| c).collect();
        let places: Vec<usize> = text.char_indices().map(|(at, _)| at).chain([text.len()]).collect();
        let mut from = 0;
        while from < word.len() && word.len() <= WORD_CHARS_MAX {
            let list = if from == 0 { &self.heads } else { &self.tails };
            let longest = (from + 1..=word.len()).rev().find_map(|to| {
                let piece = text.get(*places.get(from)?..*places.get(to)?)?;
                list.get(piece).map(|id| (*id, to))
            });
            let (Some((id, to)), Some((_, at))) = (longest, word.get(from)) else { break };
            tokens.ids.push(id);
            tokens.starts.push(*at);
            from = to;
        }
        if from < word.len() {
            tokens.ids.truncate(before);
            tokens.starts.truncate(before);
            tokens.ids.push(self.unknown);
            tokens.starts.push(*start);
        }
    }
}

/// Each is a word of its own.
fn is_ideograph(c: char) -> bool {
    matches!(u32::from(c), 0x3400..=0x4dbf | 0x4e00..=0x9fff | 0xf900..=0xfaff | 0x20000..=0x2fa1f)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_come_apart_into_the_longest_pieces() {
        let pieces = Pieces::new("[UNK]\n[CLS]\n[SEP]\nun\n##aff\n##able\nemile\n,\n王").expect("a vocabulary");
        let tokens = pieces.tokens("Unaffable, ÉMILE 王王 xyz", 64);
        assert_eq!(tokens.ids, [1, 3, 4, 5, 7, 6, 8, 8, 0, 2]);
        assert_eq!(tokens.starts, [0, 0, 2, 5, 9, 11, 18, 21, 25, 28]);
        assert_eq!(pieces.tokens("Unaffable, emile", 4).ids, [1, 3, 4, 2]);
    }
}
