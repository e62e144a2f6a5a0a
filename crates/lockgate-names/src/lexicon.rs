//! Word lists: given names, surnames, places, peoples and common words. `lexicon/README.md` says
//! where they come from.

use std::{
    collections::{HashMap, HashSet},
    sync::OnceLock,
};

use unicode_normalization::{UnicodeNormalization as _, char::is_combining_mark};

/// Which lists a word stands in.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Lists(u8);

impl Lists {
    const GIVEN: u8 = 1;
    const SURNAME: u8 = 2;
    const COMMON: u8 = 4;
    const PEOPLE: u8 = 8;
    const COMPANY: u8 = 16;
    const THING: u8 = 32;

    pub(crate) fn given(self) -> bool {
        self.0 & Self::GIVEN != 0
    }

    pub(crate) fn name(self) -> bool {
        self.0 & (Self::GIVEN | Self::SURNAME) != 0
    }

    pub(crate) fn common(self) -> bool {
        self.0 & Self::COMMON != 0
    }

    /// A nationality, a religious or a political group.
    pub(crate) fn people(self) -> bool {
        self.0 & Self::PEOPLE != 0
    }

    /// A program, a format, a month, a feast: written with a capital and nobody's name.
    pub(crate) fn thing(self) -> bool {
        self.0 & Self::THING != 0
    }

    /// A company that many people know.
    pub(crate) fn company(self) -> bool {
        self.0 & Self::COMPANY != 0
    }
}

/// A place of several words has at most so many.
pub(crate) const PLACE_WORDS_MAX: usize = 6;

#[derive(Debug)]
pub(crate) struct Lexicon {
    words: HashMap<&'static str, Lists>,
    countries: HashSet<&'static str>,
    regions: HashSet<&'static str>,
    cities: HashSet<&'static str>,
}

/// What a place is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Place {
    Country,
    Region,
    City,
}

impl Lexicon {
    /// The lists, read once.
    pub(crate) fn get() -> &'static Self {
        static LEXICON: OnceLock<Lexicon> = OnceLock::new();
        LEXICON.get_or_init(|| {
            let mut words: HashMap<&'static str, Lists> = HashMap::with_capacity(90_000);
            let mut add = |list: &'static str, bit: u8| {
                for word in list.lines() {
                    words.entry(word).or_default().0 |= bit;
                }
            };
            add(include_str!("../lexicon/given.txt"), Lists::GIVEN);
            add(include_str!("../lexicon/surnames.txt"), Lists::SURNAME);
            add(include_str!("../lexicon/common.txt"), Lists::COMMON);
            add(include_str!("../lexicon/things.txt"), Lists::COMMON | Lists::THING);
            add(include_str!("../lexicon/peoples.txt"), Lists::PEOPLE);
            add(include_str!("../lexicon/companies.txt"), Lists::COMPANY);
            Self {
                words,
                countries: include_str!("../lexicon/countries.txt").lines().collect(),
                regions: include_str!("../lexicon/regions.txt").lines().collect(),
                cities: include_str!("../lexicon/cities.txt").lines().collect(),
            }
        })
    }

    /// The lists of a word in its plain form.
    pub(crate) fn lists(&self, plain: &str) -> Lists {
        self.words.get(plain).copied().unwrap_or_default()
    }

    pub(crate) fn place(&self, plain: &str) -> Option<Place> {
        if self.countries.contains(plain) {
            Some(Place::Country)
        } else if self.regions.contains(plain) {
            Some(Place::Region)
        } else if self.cities.contains(plain) {
            Some(Place::City)
        } else {
            None
        }
    }
}

/// Lower case without accents, as the lists are written.
pub(crate) fn plain(text: &str) -> String {
    if text.is_ascii() {
        return text.to_ascii_lowercase();
    }
    let curly = |c: char| if c == '’' { '\'' } else { c };
    text.nfd().filter(|c| !is_combining_mark(*c)).flat_map(char::to_lowercase).map(curly).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_stand_in_their_lists() {
        let lexicon = Lexicon::get();
        assert!(lexicon.lists("maria").given());
        assert!(lexicon.lists("garcia").name());
        assert!(lexicon.lists("because").common());
        assert!(lexicon.lists("norwegian").people());
        assert!(!lexicon.lists("because").name());
        assert_eq!(lexicon.place("germany"), Some(Place::Country));
        assert_eq!(lexicon.place("new south wales"), Some(Place::Region));
        assert_eq!(lexicon.place("zurich"), Some(Place::City));
        assert_eq!(plain("ZÜRICH"), "zurich");
        assert_eq!(plain("D’Angelo"), "d'angelo");
    }
}
