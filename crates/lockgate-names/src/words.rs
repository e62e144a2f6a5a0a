//! A text as words.

use std::borrow::Cow;

use crate::lexicon::{Lexicon, List, Lists, plain};

/// How a word is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Form {
    Lower,
    Capital,
    /// All capitals, two or more.
    Upper,
    /// With a digit.
    Number,
}

#[derive(Clone, Debug)]
pub(crate) struct Word<'t> {
    pub start: usize,
    pub end: usize,
    /// Lower case without accents and without a genitive.
    pub plain: Cow<'t, str>,
    pub form: Form,
    pub lists: Lists,
    /// A sentence, a line or a quotation begins with it.
    pub first: bool,
    /// Signs of code hold it: `snake_case`, `path::part`, `call(`, `$name`, `CamelCase`.
    pub tied: bool,
}

impl Word<'_> {
    pub(crate) fn is_number(&self) -> bool {
        self.form == Form::Number
    }

    pub(crate) fn has_capital(&self) -> bool {
        matches!(self.form, Form::Capital | Form::Upper)
    }

    /// Only digits.
    pub(crate) fn is_digits(&self) -> bool {
        self.plain.bytes().all(|b| b.is_ascii_digit())
    }
}

/// The words of a text: letters and digits, with apostrophes inside.
pub(crate) fn words(text: &str) -> Vec<Word<'_>> {
    let lexicon = Lexicon::get();
    let mut words: Vec<Word<'_>> = Vec::with_capacity(text.len() / 6);
    let mut chars = text.char_indices().peekable();
    while let Some((start, c)) = chars.next() {
        if !c.is_alphanumeric() {
            continue;
        }
        let mut end = start + c.len_utf8();
        while let Some((at, c)) = chars.peek().copied() {
            let inside = c.is_alphanumeric() || is_mark(c);
            let apostrophe = matches!(c, '\'' | '’')
                && text.get(at + c.len_utf8()..).and_then(|rest| rest.chars().next()).is_some_and(char::is_alphabetic);
            if !inside && !apostrophe {
                break;
            }
            end = at + c.len_utf8();
            chars.next();
        }
        let whole = text.get(start..end).unwrap_or_default();
        let written = ["'s", "’s", "'S", "’S"].iter().find_map(|tail| whole.strip_suffix(tail)).unwrap_or(whole);
        let plain = plain(written);
        let lists = lexicon.lists(&plain);
        let before = words.last().map_or(0, |word| word.end);
        let gap = text.get(before..start).unwrap_or_default();
        words.push(Word {
            start,
            end: start + written.len(),
            form: form(written),
            lists,
            plain,
            tied: (is_tied(text, start, end) && !(lists.name() && !lists.common() && form(written) == Form::Capital))
                || (is_camel(written) && !lists.has(List::CompanyForm)),
            first: before == 0 || gap.contains(['.', '!', '?', ':', '\n', '"', '“', '>']),
        });
    }
    words
}

/// Accents that stand as characters of their own.
fn is_mark(c: char) -> bool {
    matches!(c, '\u{300}'..='\u{36f}')
}

fn form(word: &str) -> Form {
    let letters = || word.chars().filter(|c| c.is_alphabetic());
    if word.chars().any(char::is_numeric) {
        Form::Number
    } else if letters().count() > 1 && letters().all(char::is_uppercase) {
        Form::Upper
    } else if word.chars().next().is_some_and(char::is_uppercase) {
        Form::Capital
    } else {
        Form::Lower
    }
}

/// What stands between a word and the one before it; a line's end where there is none.
pub(crate) fn gap<'t>(text: &'t str, words: &[Word<'_>], at: usize) -> &'t str {
    match (at.checked_sub(1).and_then(|before| words.get(before)), words.get(at)) {
        (Some(before), Some(word)) => match text.get(before.end..word.start).unwrap_or_default() {
            // Spaces of other widths, and a few of them, as in HTML and in tables.
            gap if !gap.is_empty() && gap.len() <= 8 && gap.chars().all(|c| c.is_whitespace() && c != '\n') => " ",
            gap => gap,
        },
        _ => "\n",
    }
}

/// What a text is like.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Style {
    /// Capitals tell names from other words.
    pub tells: bool,
    /// Much of it is signs, as in a program.
    pub code: bool,
    /// Sentences: many words are common ones.
    pub prose: bool,
}

impl Style {
    pub(crate) fn of(text: &str, words: &[Word<'_>]) -> Self {
        let sign = |b: &u8| b"{}()[];=<>_`".contains(b);
        let signs = text.bytes().filter(sign).count() + 2 * text.matches("::").count();
        let common = words.iter().filter(|word| word.lists.common()).count();
        Self {
            tells: capitals_tell(words),
            code: signs >= 3 && signs * 10 >= words.len() * 6,
            prose: words.len() >= 4 && common * 5 >= words.len() * 2,
        }
    }
}

fn is_tied(text: &str, start: usize, end: usize) -> bool {
    let head = text.get(..start).unwrap_or_default();
    let tail = text.get(end..).unwrap_or_default();
    let letter = |c: Option<char>| c.is_some_and(char::is_alphanumeric);
    let joined = |sign: Option<char>, beyond: Option<char>| sign == Some('_') && letter(beyond);
    let (mut back, mut ahead) = (head.chars().rev(), tail.chars());
    let before = joined(back.next(), back.next())
        || head.ends_with(['$', '@', '#', '&', '`'])
        || head.ends_with("::")
        || head.ends_with("->")
        || (head.ends_with('.') && letter(head.chars().rev().nth(1)));
    let after = joined(ahead.next(), ahead.next())
        || tail.starts_with(['(', '[', '`'])
        || tail.starts_with("::")
        || tail.starts_with("->")
        || (tail.starts_with('.') && tail.chars().nth(1).is_some_and(char::is_lowercase));
    before || after
}

/// `PathBuf`, but not `McDonald` or `DeVito`.
fn is_camel(word: &str) -> bool {
    let mut before = ' ';
    word.char_indices().any(|(at, c)| {
        let turns = c.is_uppercase() && before.is_lowercase();
        before = c;
        let head = word.get(..at).unwrap_or_default();
        turns && !["Mc", "Mac", "De", "Del", "Di", "Da", "Du", "La", "Le", "Van", "Von", "Fitz", "Ben"].contains(&head)
    })
}

/// Capitals tell names from other words: some words have one, and not most letters are capitals.
pub(crate) fn capitals_tell(words: &[Word<'_>]) -> bool {
    let count = |form: Form| words.iter().filter(|word| word.form == form).count();
    let capital = count(Form::Capital);
    capital > 0 && count(Form::Upper) <= capital + count(Form::Lower)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_know_their_place_and_form() {
        let text = "Hello, O’Brien's friend ÉMILE lives at 12b. Yes";
        let found = words(text);
        let shown: Vec<(&str, Form)> =
            found.iter().map(|w| (text.get(w.start..w.end).unwrap_or_default(), w.form)).collect();
        assert_eq!(
            shown,
            [
                ("Hello", Form::Capital),
                ("O’Brien", Form::Capital),
                ("friend", Form::Lower),
                ("ÉMILE", Form::Upper),
                ("lives", Form::Lower),
                ("at", Form::Lower),
                ("12b", Form::Number),
                ("Yes", Form::Capital),
            ]
        );
        let firsts: Vec<bool> = found.iter().map(|w| w.first).collect();
        assert_eq!(firsts, [true, false, false, false, false, false, false, true]);
        assert!(capitals_tell(&found));
        assert!(!capitals_tell(&words("my name is anna")));
        assert!(!capitals_tell(&words("DEAR JOHN, CALL ME")));
    }
}
