//! The address assembler: what the words of an address say of each other.

use crate::{
    judge::{Judged, Tag},
    lexicon::List,
    words::{Form, Word, gap},
};

/// They stand after the street's name.
pub(crate) const AFTER: [&str; 44] = [
    "street",
    "st",
    "road",
    "rd",
    "avenue",
    "ave",
    "boulevard",
    "blvd",
    "lane",
    "ln",
    "drive",
    "dr",
    "court",
    "ct",
    "circle",
    "cir",
    "square",
    "sq",
    "highway",
    "hwy",
    "parkway",
    "pkwy",
    "terrace",
    "ter",
    "way",
    "close",
    "crescent",
    "cres",
    "alley",
    "plaza",
    "place",
    "pl",
    "row",
    "trail",
    "trl",
    "turnpike",
    "walk",
    "mews",
    "grove",
    "gardens",
    "strasse",
    "utca",
    "ulica",
    "caddesi",
];

/// They stand before it.
pub(crate) const BEFORE: [&str; 42] = [
    "rue",
    "avenue",
    "boulevard",
    "impasse",
    "chemin",
    "allee",
    "quai",
    "via",
    "viale",
    "piazza",
    "corso",
    "vicolo",
    "largo",
    "calle",
    "avenida",
    "avda",
    "plaza",
    "paseo",
    "camino",
    "carrera",
    "carretera",
    "rua",
    "travessa",
    "praca",
    "estrada",
    "ul",
    "ulica",
    "aleja",
    "al",
    "os",
    "trg",
    "strada",
    "bulevardul",
    "calea",
    "ulitsa",
    "cesta",
    "namesti",
    "nam",
    "odos",
    "jalan",
    "straat",
    "jl",
];

/// The street's name ends in them, as `Hauptstrasse` does.
const ENDINGS: [&str; 36] = [
    "strasse", "straße", "str", "gasse", "weg", "platz", "allee", "ring", "damm", "ufer", "steig", "straat", "laan",
    "plein", "dreef", "kade", "gracht", "singel", "steenweg", "gatan", "gata", "gade", "vagen", "vegen", "veien",
    "vej", "alle", "katu", "tie", "kuja", "polku", "gaten", "bakken", "stien", "utca", "stræde",
];

/// What is before a number within a building.
pub(crate) const UNITS: [&str; 16] = [
    "suite",
    "apt",
    "apartment",
    "unit",
    "ste",
    "flat",
    "room",
    "floor",
    "appt",
    "appartement",
    "wohnung",
    "piso",
    "bus",
    "building",
    "bldg",
    "lot",
];

/// Ships and posts of the United States' forces: `USS Name`, `APO AA 12345`.
const SHIPS: [&str; 4] = ["uss", "usns", "uscgc", "usnv"];
const POSTS: [&str; 3] = ["apo", "fpo", "dpo"];
const FORCES: [&str; 3] = ["aa", "ae", "ap"];

fn ends_as_street(plain: &str) -> bool {
    ENDINGS.iter().any(|ending| plain.len() >= ending.len() + 3 && plain.ends_with(ending))
}

/// Marks the words of addresses that their words give away. `network` says whether there is one to
/// find the others.
pub(crate) fn mark(text: &str, words: &[Word<'_>], judged: &mut [Judged], tells: bool, network: bool) {
    let parts = Parts { text, words, tells, network };
    let found: Vec<(usize, usize)> = (0..words.len())
        .filter_map(|at| {
            parts
                .unit(at)
                .or_else(|| parts.named_before(at))
                .or_else(|| parts.named_after(at))
                .or_else(|| parts.named_whole(at))
                .or_else(|| parts.boxed(at))
                .or_else(|| parts.of_forces(at))
        })
        .collect();
    for (from, to) in found {
        for judged in judged.iter_mut().take(to).skip(from) {
            *judged = Judged { tag: Tag::Street, score: 0.85 };
        }
        for (at, tag) in parts.town(to) {
            if let Some(judged) = judged.get_mut(at).filter(|j| matches!(j.tag, Tag::Nothing | Tag::Person)) {
                *judged = Judged { tag, score: 0.7 };
            }
        }
    }
}

/// The words of a text as parts of addresses. Each method gives the words from a first up to a last.
struct Parts<'p> {
    text: &'p str,
    words: &'p [Word<'p>],
    tells: bool,
    network: bool,
}

impl Parts<'_> {
    fn plain(&self, at: usize) -> &str {
        self.words.get(at).map_or("", |word| word.plain.as_ref())
    }

    fn has(&self, at: usize, list: List) -> bool {
        self.words.get(at).is_some_and(|word| word.lists.has(list))
    }

    fn is(&self, at: usize, list: &[&str]) -> bool {
        list.contains(&self.plain(at))
    }

    /// What stands between a word and the one before it.
    fn gap(&self, at: usize) -> &str {
        gap(self.text, self.words, at)
    }

    fn close(&self, at: usize) -> bool {
        matches!(self.gap(at), " " | ". " | "." | ", " | "-" | " #")
    }

    /// `12` and `12b`, but not the `34th` of a street's name.
    fn number(&self, at: usize) -> bool {
        self.words.get(at).is_some_and(|word| {
            let ordinal = ["st", "nd", "rd", "th"].iter().any(|ending| word.plain.ends_with(ending));
            word.is_number() && word.plain.len() <= 6 && !ordinal
        })
    }

    /// Names of streets are of capital words, numbers and articles.
    fn part(&self, at: usize) -> bool {
        let articles = ["de", "la", "le", "du", "des", "del", "der", "den", "von", "van"];
        self.words.get(at).is_some_and(|word| word.has_capital() || word.is_number()) || self.is(at, &articles)
    }

    /// The town behind a street: `, Springfield, IL 62704` and `, 80331 München`.
    fn town(&self, from: usize) -> Vec<(usize, Tag)> {
        let code = |at: usize| self.words.get(at).is_some_and(|w| w.is_digits() && (4..=6).contains(&w.plain.len()));
        let mut found = Vec::new();
        let mut at = from;
        if self.gap(at) != ", " {
            return found;
        }
        if code(at) {
            found.push((at, Tag::Code));
            at += 1;
        }
        let first = at;
        while at < first + 3
            && self.tells
            && matches!(self.gap(at), " " | ", " | "-")
            && (at == first || self.gap(at) != ", ")
            && self.words.get(at).is_some_and(|w| w.form == Form::Capital)
        {
            found.push((at, Tag::Place));
            at += 1;
        }
        let named = at > first;
        // The part of the country, and the code behind.
        if named
            && self.gap(at) == ", "
            && self.words.get(at).is_some_and(|w| w.form == Form::Upper && w.plain.len() == 2)
        {
            found.push((at, Tag::Place));
            at += 1;
        }
        if named && self.gap(at) == " " && code(at) {
            found.push((at, Tag::Code));
        }
        if named { found } else { Vec::new() }
    }

    /// `Suite 12`.
    fn unit(&self, at: usize) -> Option<(usize, usize)> {
        (self.has(at, List::Unit) && self.close(at + 1) && self.number(at + 1)).then_some((at, at + 2))
    }

    /// `12 Elm Street`.
    fn named_before(&self, at: usize) -> Option<(usize, usize)> {
        let word = self.words.get(at)?;
        if !self.has(at, List::StreetAfter)
            || self.gap(at) != " "
            || (self.tells && !word.has_capital() && self.network)
        {
            return None;
        }
        let mut from = at;
        while from > 0
            && at - from < 4
            && self.gap(from) == " "
            && (self.part(from - 1) || (!self.tells && !self.number(from)))
        {
            from -= 1;
            if self.number(from) {
                break;
            }
        }
        let named = self.words.get(from..at)?.iter().any(|word| !word.is_digits());
        let numbered = self.number(from) || (from > 0 && self.number(from - 1) && self.gap(from) == " ");
        // `St. Mary` and `Dr. Smith` are no streets.
        let title = self.gap(at + 1) == ". " && self.part(at + 1) && !self.number(at + 1);
        (named && numbered && !title).then_some((from, at + 1))
    }

    /// `rue de la Paix 12` and `12 rue de la Paix`.
    fn named_after(&self, at: usize) -> Option<(usize, usize)> {
        if !self.has(at, List::StreetBefore) || !self.close(at + 1) || !self.part(at + 1) {
            return None;
        }
        let goes_on = |to: &usize| self.part(*to) && matches!(self.gap(*to), " " | ". " | ", ") && !self.number(*to);
        let most = (at + 6).min(self.words.len());
        let to = (at + 1..most).find(|to| !goes_on(to)).unwrap_or(most);
        let leads = at > 0 && self.number(at - 1) && matches!(self.gap(at), " " | ", ");
        let follows = self.number(to) && matches!(self.gap(to), " " | ", ");
        (to > at + 1 && (leads || follows)).then_some((at, if follows { to + 1 } else { to }))
    }

    /// `Hauptstrasse 12`.
    fn named_whole(&self, at: usize) -> Option<(usize, usize)> {
        let word = self.words.get(at)?;
        let numbered = self.gap(at + 1).trim_matches('.') == " " && self.number(at + 1);
        let street = !word.lists.common() && ends_as_street(&word.plain);
        (numbered && (word.has_capital() || !self.tells) && street).then_some((at, at + 2))
    }

    /// `P.O. Box 12`, `PSC 12, Box 34`, `Postfach 12`.
    fn boxed(&self, at: usize) -> Option<(usize, usize)> {
        if !self.number(at + 1) || !self.close(at + 1) {
            return None;
        }
        if self.is(at, &["postfach", "postbus", "postboks", "postbox", "apartado"]) {
            return Some((at, at + 2));
        }
        if self.plain(at) != "box" {
            return None;
        }
        let initials = at >= 2 && self.plain(at - 1) == "o" && self.plain(at - 2) == "p";
        let post = at >= 2 && self.number(at - 1) && self.is(at - 2, &["psc", "unit", "cmr"]);
        if at >= 1 && self.plain(at - 1) == "po" {
            Some((at - 1, at + 2))
        } else {
            (initials || post).then(|| (at - 2, at + 2))
        }
    }

    /// `APO AA 12345`, `USS Name`.
    fn of_forces(&self, at: usize) -> Option<(usize, usize)> {
        if self.is(at, &POSTS) && self.is(at + 1, &FORCES) && self.number(at + 2) {
            return Some((at, at + 3));
        }
        (self.is(at, &SHIPS) && self.part(at + 1) && self.gap(at + 1) == " ").then_some((at, at + 2))
    }
}

/// Whether the words tell of a street by themselves.
pub(crate) fn tells_of_street(words: &[Word<'_>]) -> bool {
    words.iter().any(|word| {
        let plain = word.plain.as_ref();
        [List::StreetAfter, List::StreetBefore, List::Unit].iter().any(|list| word.lists.has(*list))
            || SHIPS.contains(&plain)
            || POSTS.contains(&plain)
            || plain == "box"
            || (!word.lists.common() && ends_as_street(plain))
    })
}
