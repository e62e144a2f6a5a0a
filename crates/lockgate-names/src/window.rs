//! Cuts texts into windows that the network reads at once, and tells which are worth it.

use crate::{
    street,
    words::{Form, Word, capitals_tell},
};

/// The network reads best what is no longer than this, in bytes.
const BYTES_MAX: usize = 440;
/// A cut is looked for so far back.
const BACK: usize = 240;

/// The windows of a text with their places: whole lines or sentences where that can be.
pub(crate) fn windows(text: &str) -> impl Iterator<Item = (usize, &str)> {
    let mut start = 0;
    std::iter::from_fn(move || {
        let rest = text.get(start..).filter(|rest| !rest.is_empty())?;
        let end = start + cut(rest);
        let window = (start, text.get(start..end)?);
        start = end;
        Some(window)
    })
}

/// Where to cut: after a line, else after a sentence, a part of one or a word, where no name goes on.
fn cut(text: &str) -> usize {
    if text.len() <= BYTES_MAX {
        return text.len();
    }
    let most = text.floor_char_boundary(BYTES_MAX);
    let least = text.floor_char_boundary(BYTES_MAX - BACK);
    let tail = text.get(least..most).unwrap_or_default();
    let last = |sign: &str, fits: &dyn Fn(&str, &str) -> bool| {
        let fits =
            |at: &usize| fits(tail.get(..*at).unwrap_or_default(), tail.get(at + sign.len()..).unwrap_or_default());
        tail.rmatch_indices(sign).map(|(at, _)| at).find(fits).map(|at| least + at + sign.len())
    };
    // `Mr. ` and `J. ` end no sentence, and what follows a small letter is no surname.
    let sentence = |head: &str, _: &str| {
        head.chars().rev().take_while(|c| c.is_alphabetic()).count() > 4 || head.ends_with(|c: char| c.is_numeric())
    };
    let small = |_: &str, rest: &str| rest.starts_with(char::is_lowercase);
    let any = |_: &str, _: &str| true;
    last("\n", &any)
        .or_else(|| last(". ", &sentence))
        .or_else(|| last("; ", &any))
        .or_else(|| last(", ", &any))
        .or_else(|| last(" ", &small))
        .or_else(|| last(" ", &any))
        .unwrap_or(most)
}

/// Whether there may be anything in a text with these words: the network is slow.
pub(crate) fn may_hold(words: &[Word<'_>]) -> bool {
    let tells = capitals_tell(words);
    let numbered = words.iter().any(Word::is_number);
    if numbered && street::tells_of_street(words) {
        return true;
    }
    words.iter().any(|word| {
        let long = word.plain.chars().count() > 1 && word.form != Form::Number;
        long && if tells && word.form != Form::Lower {
            !word.lists.common() || (word.lists.name() && !word.first)
        } else {
            !word.lists.common() && (word.lists.name() || !tells)
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::words::words;

    #[test]
    fn windows_cover_the_text_and_cut_at_ends() {
        let sentence = "This is a sentence of some length that goes on for a while. ";
        let text = sentence.repeat(20);
        let cuts: Vec<(usize, &str)> = windows(&text).collect();
        assert!(cuts.len() > 2);
        assert_eq!(cuts.iter().map(|(_, w)| *w).collect::<String>(), text);
        assert!(cuts.iter().all(|(_, w)| w.len() <= BYTES_MAX && w.ends_with(". ")));
        let endless = "é".repeat(2_000);
        assert_eq!(windows(&endless).map(|(_, w)| w).collect::<String>(), endless);
    }

    #[test]
    fn plain_sentences_are_not_read() {
        assert!(!may_hold(&words("The food was good and the service was quick.")));
        assert!(!may_hold(&words("12.5 100 9")));
        assert!(may_hold(&words("The food that Ingrid made was good.")));
        assert!(may_hold(&words("call maria tomorrow")));
        assert!(may_hold(&words("send it to 12 main street")));
    }
}
