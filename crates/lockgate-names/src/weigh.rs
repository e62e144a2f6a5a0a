//! Weighs what the network says of a word with how the word is written and the lists it stands in:
//! the network was taught without capitals, and lists know no sentence.
//!
//! The weights were set by hand on presidio-research's texts, with 3,000 reviews and 16,000 lines of
//! programs held against them.

use crate::{
    judge::{Judged, Tag},
    lexicon::{Lexicon, List},
    network::{CODE, Likely, NOTHING, PERSON, PLACE, STREET},
    words::{Form, Style, Word},
};

/// What the network says of a word, weighed.
pub(crate) fn weigh(word: &Word<'_>, likely: &Likely, style: Style) -> Judged {
    let name = word.lists.name();
    let mut scales = Scales {
        likely: *likely,
        name,
        common: word.lists.common(),
        listed: name || Lexicon::get().place(&word.plain).is_some(),
    };
    scales.by_style(word, style);
    if word.is_number() {
        scales.less(0.1, 1.0);
    } else if word.plain.chars().count() == 1 {
        // `J.`, but not the `a` of a sentence.
        if !(style.tells && word.has_capital()) {
            scales.less(0.3, 1.0);
        }
    } else if style.tells {
        scales.by_capital(word);
    } else {
        scales.by_lists();
    }
    scales.judged()
}

struct Scales {
    likely: Likely,
    /// The word stands in a list of names, of common words, of names or places.
    name: bool,
    common: bool,
    listed: bool,
}

impl Scales {
    /// Makes a person and a place less likely.
    fn less(&mut self, person: f32, place: f32) {
        self.likely[PERSON] *= person;
        self.likely[PLACE] *= place;
    }

    /// Makes nothing more likely.
    fn doubt(&mut self, by: f32) {
        self.likely[NOTHING] = self.likely[NOTHING] * 2.0 + by;
    }

    /// What is known from outside the sentence: brands, programs, texts that are none.
    fn by_style(&mut self, word: &Word<'_>, style: Style) {
        if word.lists.has(List::Company) || word.lists.has(List::Thing) {
            self.less(0.2, 0.2);
        }
        // German is a given name, too.
        if word.lists.people() {
            self.less(0.3, 0.5);
        }
        if style.code && !(self.listed && word.has_capital()) {
            self.less(0.1, 0.1);
        } else if !style.prose && !style.tells && !self.listed {
            self.less(0.4, 0.4);
        }
    }

    /// Where capitals tell names from other words.
    fn by_capital(&mut self, word: &Word<'_>) {
        if word.form == Form::Lower {
            // What has none is hardly a name.
            self.less(if self.name && !self.common { 0.7 } else { 0.2 }, 0.5);
            self.doubt(0.1);
            return;
        }
        if !self.common {
            self.likely[NOTHING] *= if word.first { 0.3 } else { 0.15 };
        } else if word.form == Form::Upper || (word.first && !self.name) {
            self.doubt(0.5);
        }
        // `PEM` and `EOF`.
        if word.form == Form::Upper && !self.listed {
            self.less(0.3, 1.0);
        }
        if self.name {
            self.likely[PERSON] = self.likely[PERSON] * 2.0 + if self.common { 0.0 } else { 0.05 };
        }
    }

    /// Where they do not, the lists are all there is beside the network.
    fn by_lists(&mut self) {
        if self.common && !self.name {
            self.doubt(0.1);
            self.less(0.4, 1.0);
        } else if self.name && !self.common {
            self.likely[NOTHING] *= 0.3;
            self.likely[PERSON] = self.likely[PERSON] * 2.0 + 0.03;
        }
    }

    fn judged(&self) -> Judged {
        let all: f32 = self.likely.iter().sum();
        let best = self.likely.iter().enumerate().max_by(|(_, a), (_, b)| a.total_cmp(b));
        let (tag, likely) = match best {
            Some((PERSON, likely)) => (Tag::Person, *likely),
            Some((PLACE, likely)) => (Tag::Place, *likely),
            Some((STREET, likely)) => (Tag::Street, *likely),
            Some((CODE, likely)) => (Tag::Code, *likely),
            _ => (Tag::Nothing, self.likely[NOTHING]),
        };
        Judged { tag, score: likely / all }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::words::words;

    /// What comes of a word of a text about which the network is undecided between nothing and a person.
    #[track_caller]
    fn check(text: &str, at: usize, expected: Tag) {
        let words = words(text);
        let undecided = [0.5, 0.45, 0.05, 0.0, 0.0, 0.0];
        let judged = weigh(&words[at], &undecided, Style::of(text, &words));
        assert_eq!(judged.tag, expected, "{text}");
    }

    #[test]
    fn the_way_a_word_is_written_and_its_lists_decide() {
        check("we met Vrobel there", 2, Tag::Person);
        check("We met vrobel there", 2, Tag::Nothing);
        check("we met ingrid there", 2, Tag::Person);
        check("Then the Redis was read", 2, Tag::Nothing);
        check("Lovely people came to us", 0, Tag::Nothing);
        check("let id = Vrobel::new(x[1]);", 2, Tag::Nothing);
    }
}
