//! Judges each word: what the network says, weighed with how the word is written, the lists it
//! stands in, and the words beside it.

use crate::{
    lexicon::{Lexicon, List, PLACE_WORDS_MAX, Place, plain},
    network::{Likely, PERSON, PLACE},
    street,
    weigh::weigh,
    words::{Form, Style, Word, gap},
};

/// What a word is part of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Tag {
    Nothing,
    Person,
    Place,
    /// A country or a part of one, by its list.
    Country,
    Street,
    /// A postal code.
    Code,
    Organization,
}

#[derive(Clone, Copy, Debug)]
pub(crate) struct Judged {
    pub tag: Tag,
    pub score: f32,
}

/// Names follow these.
pub(crate) const TITLES: [&str; 34] = [
    "mr",
    "mrs",
    "ms",
    "miss",
    "mx",
    "dr",
    "prof",
    "professor",
    "sir",
    "madam",
    "dame",
    "lady",
    "lord",
    "rev",
    "judge",
    "senator",
    "captain",
    "herr",
    "frau",
    "monsieur",
    "mme",
    "madame",
    "mlle",
    "senor",
    "senora",
    "sr",
    "sra",
    "signor",
    "signora",
    "sig",
    "dhr",
    "mevrouw",
    "mevr",
    "dott",
];

/// The words of a text with what each is part of. `likely` is what the network says, if there is one.
pub(crate) fn judge(text: &str, words: &[Word<'_>], style: Style, likely: Option<&[Likely]>) -> Vec<Judged> {
    let tells = style.tells;
    let mut judged: Vec<Judged> = match likely {
        Some(likely) => words.iter().zip(likely).map(|(word, likely)| weigh(word, likely, style)).collect(),
        None => (0..words.len()).map(|at| listed(words, at, tells)).collect(),
    };
    surnames(text, words, &mut judged, tells);
    titled(text, words, &mut judged, tells);
    places(text, words, likely, &mut judged, tells);
    street::mark(text, words, &mut judged, tells, likely.is_some());
    for (word, judged) in words.iter().zip(&mut judged) {
        if word.tied {
            *judged = Judged { tag: Tag::Nothing, score: 1.0 };
        }
    }
    judged
}

/// What the lists alone say of a word: only a given name that is nothing else is one for sure.
fn listed(words: &[Word<'_>], at: usize, tells: bool) -> Judged {
    let name = |word: &Word<'_>| tells && word.form == Form::Capital && word.lists.name();
    let sure = words.get(at).is_some_and(|word| {
        let next = words.get(at + 1).filter(|next| name(next));
        // Mark is a word unless a surname follows that is none, and Florence a city behind `in`.
        let leads = at.checked_sub(1).and_then(|before| words.get(before));
        let leads = leads.is_some_and(|before| ["in", "near", "from", "to"].contains(&before.plain.as_ref()));
        let place = leads && Lexicon::get().place(&word.plain).is_some();
        let country = Lexicon::get().place(&word.plain) == Some(Place::Country);
        let plainly = !word.lists.common() && !word.lists.people() && !place && !country;
        let followed = next.is_some_and(|next| !(word.lists.common() && next.lists.common()));
        name(word) && word.lists.given() && (plainly || followed)
    });
    if sure { Judged { tag: Tag::Person, score: 0.6 } } else { Judged { tag: Tag::Nothing, score: 1.0 } }
}

/// What follows a given name is a surname, unless it is a word or a place that is known.
fn surnames(text: &str, words: &[Word<'_>], judged: &mut [Judged], tells: bool) {
    for at in 1..words.len() {
        let (Some(before), Some(word)) = (words.get(at - 1), words.get(at)) else { continue };
        let follows = judged.get(at - 1).is_some_and(|j| j.tag == Tag::Person)
            && gap(text, words, at) == " "
            && before.lists.given();
        let unknown = !word.lists.common() && !word.lists.people() && !word.is_number();
        let fits = if tells {
            word.has_capital() && (unknown || word.lists.name())
        } else {
            unknown && word.plain.chars().count() > 2
        };
        let place = Lexicon::get().place(&word.plain).is_some();
        if let Some(judged) = judged.get_mut(at)
            && follows
            && fits
            && (judged.tag == Tag::Nothing || (judged.tag == Tag::Place && !place))
        {
            *judged = Judged { tag: Tag::Person, score: 0.6 };
        }
    }
}

/// What follows `Mr.` is a name.
fn titled(text: &str, words: &[Word<'_>], judged: &mut [Judged], tells: bool) {
    for at in 1..words.len() {
        let (Some(title), Some(word)) = (words.get(at - 1), words.get(at)) else { continue };
        if title.lists.has(List::Title)
            && matches!(gap(text, words, at), " " | ". " | ".")
            && !word.is_number()
            && (word.has_capital() || (!tells && !word.lists.common()))
            && let Some(judged) = judged.get_mut(at)
            && judged.tag != Tag::Person
        {
            *judged = Judged { tag: Tag::Person, score: 0.85 };
        }
        if title.lists.has(List::Title)
            && let Some(judged) = judged.get_mut(at - 1)
        {
            *judged = Judged { tag: Tag::Nothing, score: 1.0 };
        }
    }
}

/// Countries, regions and cities by their lists, the longest first.
fn places(text: &str, words: &[Word<'_>], likely: Option<&[Likely]>, judged: &mut [Judged], tells: bool) {
    let lexicon = Lexicon::get();
    let mut at = 0;
    while let Some(word) = words.get(at) {
        let written = (word.has_capital() || !tells) && word.lists.has(List::PlaceStart);
        let longest = (at + 1..=(at + PLACE_WORDS_MAX).min(words.len())).rev().find_map(|to| {
            let last = words.get(to - 1)?;
            let phrase = text.get(word.start..last.end).filter(|phrase| written && !phrase.contains('\n'))?;
            let phrase = plain(phrase).split_whitespace().collect::<Vec<_>>().join(" ");
            lexicon.place(&phrase).map(|place| (place, to))
        });
        let Some((place, to)) = longest else {
            at += 1;
            continue;
        };
        let alone = to == at + 1;
        let said = |kind: usize| likely.and_then(|l| l.get(at)).and_then(|l| l.get(kind)).copied();
        let leads = at > 0 && ["in", "near", "from"].contains(&words.get(at - 1).map_or("", |w| w.plain.as_ref()));
        let country_follows = text.get(words.get(to - 1).map_or(0, |w| w.end)..).is_some_and(|rest| {
            let next = words.get(to).map_or("", |w| w.plain.as_ref());
            rest.starts_with(", ") && lexicon.place(next).is_some_and(|place| place != Place::City)
        });
        // Jordan, Chad and Georgia are people, too; `turkey` and `china` are things.
        let person =
            alone && word.lists.name() && said(PERSON).map_or(!leads && !country_follows, |person| person > 0.6);
        let thing = alone && word.lists.common() && !word.has_capital() && said(PLACE).is_none_or(|place| place < 0.3);
        // `Rue de France`; but a country that begins a line is one.
        let begins = gap(text, words, at).contains('\n');
        let street = judged.get(at).is_some_and(|j| j.tag == Tag::Street) && !(begins && place == Place::Country);
        // Linda England is a person.
        let surname = alone
            && at > 0
            && gap(text, words, at) == " "
            && judged.get(at - 1).is_some_and(|j| j.tag == Tag::Person)
            && words.get(at - 1).is_some_and(|before| before.lists.given())
            && said(PLACE).is_none_or(|place| place < 0.5);
        let sure = match place {
            _ if surname => false,
            Place::Country => true,
            // Virginia is a person, too.
            Place::Region if !(alone && word.lists.given()) => true,
            _ if word.has_capital() && country_follows => true,
            _ if tells && word.has_capital() && leads && !word.lists.common() => said(PERSON).is_none_or(|p| p < 0.5),
            // Many a city has the name of a person or of a thing.
            Place::Region | Place::City => {
                (!alone && !word.lists.name()) || said(PLACE).is_some_and(|place| place > 0.2)
            }
        };
        if sure && !person && !thing && !street {
            let tag = if place == Place::City { Tag::Place } else { Tag::Country };
            for judged in judged.iter_mut().take(to).skip(at) {
                *judged = Judged { tag, score: 0.85 };
            }
        }
        at = to;
    }
}
