//! Word lists: given names, surnames, places, peoples and common words. `lexicon/README.md` says
//! where they come from.

use std::{borrow::Cow, sync::OnceLock};

use hashbrown::{HashMap, HashSet};
use unicode_normalization::{UnicodeNormalization as _, char::is_combining_mark};

use crate::{judge, organization, street};

/// What a list says of its words.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub(crate) enum List {
    Given,
    Surname,
    Common,
    /// A nationality, a religious or a political group.
    People,
    /// A company that many people know.
    Company,
    /// A program, a format, a month, a feast: written with a capital and nobody's name.
    Thing,
    /// Names follow it.
    Title,
    /// The form of a company, which ends its name.
    CompanyForm,
    /// An institution begins with it.
    Body,
    /// Kinds of streets, after the name and before it.
    StreetAfter,
    StreetBefore,
    /// Part of a building.
    Unit,
    /// A place may begin with it.
    PlaceStart,
}

/// Which lists a word stands in.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Lists(u16);

impl Lists {
    pub(crate) fn has(self, list: List) -> bool {
        self.0 & (1 << list as u8) != 0
    }

    pub(crate) fn given(self) -> bool {
        self.has(List::Given)
    }

    pub(crate) fn name(self) -> bool {
        self.has(List::Given) || self.has(List::Surname)
    }

    pub(crate) fn common(self) -> bool {
        self.has(List::Common)
    }

    pub(crate) fn people(self) -> bool {
        self.has(List::People)
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
            let mut words: HashMap<&'static str, Lists> = HashMap::with_capacity(110_000);
            let mut add = |word: &'static str, list: List| words.entry(word).or_default().0 |= 1 << list as u8;
            let files = [
                (include_str!("../lexicon/given.txt"), List::Given),
                (include_str!("../lexicon/surnames.txt"), List::Surname),
                (include_str!("../lexicon/common.txt"), List::Common),
                (include_str!("../lexicon/things.txt"), List::Common),
                (include_str!("../lexicon/things.txt"), List::Thing),
                (include_str!("../lexicon/peoples.txt"), List::People),
                (include_str!("../lexicon/companies.txt"), List::Company),
            ];
            for (file, list) in files {
                file.lines().for_each(|word| add(word, list));
            }
            let own: [(&[&'static str], List); 6] = [
                (&judge::TITLES, List::Title),
                (&organization::FORMS, List::CompanyForm),
                (&organization::BODIES, List::Body),
                (&street::AFTER, List::StreetAfter),
                (&street::BEFORE, List::StreetBefore),
                (&street::UNITS, List::Unit),
            ];
            for (list, kind) in own {
                list.iter().for_each(|word| add(word, kind));
            }
            let countries = include_str!("../lexicon/countries.txt");
            let regions = include_str!("../lexicon/regions.txt");
            let cities = include_str!("../lexicon/cities.txt");
            for place in [countries, regions, cities].into_iter().flat_map(str::lines) {
                // Words are without a genitive.
                if let Some(first) = place.split([' ', '-', '.']).next() {
                    add(first.strip_suffix("'s").unwrap_or(first), List::PlaceStart);
                }
            }
            Self {
                words,
                countries: countries.lines().collect(),
                regions: regions.lines().collect(),
                cities: cities.lines().collect(),
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
pub(crate) fn plain(text: &str) -> Cow<'_, str> {
    if text.bytes().all(|b| b.is_ascii() && !b.is_ascii_uppercase()) {
        return Cow::Borrowed(text);
    }
    if text.is_ascii() {
        return Cow::Owned(text.to_ascii_lowercase());
    }
    let curly = |c: char| if c == '’' { '\'' } else { c };
    Cow::Owned(text.nfd().filter(|c| !is_combining_mark(*c)).flat_map(char::to_lowercase).map(curly).collect())
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
        assert!(lexicon.lists("street").has(List::StreetAfter) && lexicon.lists("new").has(List::PlaceStart));
        assert_eq!(lexicon.place("germany"), Some(Place::Country));
        assert_eq!(lexicon.place("new south wales"), Some(Place::Region));
        assert_eq!(lexicon.place("zurich"), Some(Place::City));
        assert_eq!(plain("ZÜRICH"), "zurich");
        assert_eq!(plain("D’Angelo"), "d'angelo");
    }
}
