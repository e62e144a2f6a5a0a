//! Names of companies and institutions, by their form and by the words before them.

use lockgate_detect::{Entity, Finding};

use crate::{
    assemble::{Text, finding},
    judge::{Judged, Tag},
    lexicon::List,
    words::{Form, Word},
};

/// An organization ends in them.
pub(crate) const FORMS: [&str; 57] = [
    "inc",
    "incorporated",
    "llc",
    "llp",
    "ltd",
    "limited",
    "corp",
    "corporation",
    "company",
    "co",
    "plc",
    "gmbh",
    "ag",
    "kg",
    "kgaa",
    "ohg",
    "ltda",
    "slu",
    "sa",
    "sas",
    "sarl",
    "srl",
    "spa",
    "bv",
    "nv",
    "oy",
    "aps",
    "pty",
    "group",
    "holdings",
    "industries",
    "technologies",
    "technology",
    "solutions",
    "systems",
    "services",
    "associates",
    "partners",
    "enterprises",
    "labs",
    "laboratories",
    "institute",
    "university",
    "college",
    "hospital",
    "clinic",
    "foundation",
    "association",
    "bank",
    "insurance",
    "ministry",
    "agency",
    "consulting",
    "ventures",
    "airlines",
    "software",
    "pharmaceuticals",
];
/// These end one only right after its name: they are words, too.
const SHORT: [&str; 8] = ["co", "ag", "sa", "sas", "spa", "kg", "oy", "nv"];
/// An organization begins with them, and `of` follows.
pub(crate) const BODIES: [&str; 12] = [
    "university",
    "department",
    "ministry",
    "bank",
    "institute",
    "church",
    "college",
    "bureau",
    "office",
    "board",
    "council",
    "academy",
];
const ORGANIZATION_WORDS_MAX: usize = 7;
/// Organizations follow these and `at`, `for`, `by` or `with`.
const WORKING: [&str; 12] = [
    "work",
    "works",
    "worked",
    "working",
    "employed",
    "hired",
    "interned",
    "consultant",
    "engineer",
    "manager",
    "director",
    "employee",
];

impl Text<'_> {
    /// Names that end in the form of a company or begin with that of an institution.
    pub(crate) fn organizations(&mut self, out: &mut Vec<Finding>) {
        let mut taken = 0;
        for at in 0..self.words.len() {
            let Some(word) = self.words.get(at).filter(|word| !word.tied || self.dotted(at).is_some()) else {
                continue;
            };
            let capital = word.has_capital() || !self.style.tells;
            let begins = word.lists.has(List::Body) && ["of", "for"].contains(&self.plain(at + 1));
            let works = at >= 2
                && WORKING.contains(&self.plain(at - 2))
                && ["at", "for", "by", "with"].contains(&self.plain(at - 1))
                && !word.lists.given()
                && !matches!(self.tag(at), Tag::Street | Tag::Country);
            let span = if begins && word.has_capital() {
                let to = self.name_from(at + 2);
                (to > at + 2).then_some((at, to))
            } else if let Some(to) = self.dotted(at) {
                self.company(at, taken).map(|(from, _)| (from, to))
            } else if word.lists.has(List::CompanyForm) && capital {
                self.company(at, taken)
            } else if word.lists.has(List::Company) && word.has_capital() {
                Some((at, at + 1))
            } else if works && self.style.tells && word.has_capital() {
                Some((at, self.name_from(at + 1)))
            } else {
                None
            };
            if let Some((from, to)) = span.filter(|(from, _)| *from >= taken) {
                for judged in self.judged.iter_mut().take(to).skip(from) {
                    *judged = Judged { tag: Tag::Organization, score: 0.75 };
                }
                let (Some(first), Some(last)) = (self.words.get(from), self.words.get(to - 1)) else { continue };
                out.push(finding(Entity::ORGANIZATION, first.start, last.end, 0.75));
                taken = to;
            }
        }
    }

    /// The name that ends in the form of a company at `at`.
    fn company(&self, at: usize, taken: usize) -> Option<(usize, usize)> {
        let mut from = at;
        while from > taken && at - from < ORGANIZATION_WORDS_MAX && self.is_part(from) {
            from -= 1;
        }
        let word = self.words.get(at)?;
        let too_short = SHORT.contains(&word.plain.as_ref()) && (!self.style.tells || word.form == Form::Lower);
        // `Bank Street` is a street.
        let street = self.has(at + 1, List::StreetAfter) && self.gap(at + 1) == " ";
        // `GmbH & Co. KG` and `Pvt. Ltd`.
        let mut to = at + 1;
        while self.has(to, List::CompanyForm) && matches!(self.gap(to), " & " | " " | ". ") {
            to += 1;
        }
        (from < at && !too_short && !street).then_some((from, to))
    }

    /// Where a form that is written with full stops ends: `S.r.l.`, `B.V.`, `S. A.`.
    fn dotted(&self, at: usize) -> Option<usize> {
        const DOTTED: [&str; 9] = ["srl", "spa", "sa", "bv", "nv", "sl", "ek", "as", "slu"];
        let letter = |at: usize| self.words.get(at).filter(|word| word.plain.len() == 1);
        let mut joined = letter(at).filter(|_| self.gap(at) == " ")?.plain.clone().into_owned();
        let mut to = at + 1;
        while let Some(word) = letter(to).filter(|_| matches!(self.gap(to), "." | ". ")) {
            joined.push_str(&word.plain);
            to += 1;
        }
        DOTTED.contains(&joined.as_str()).then_some(to)
    }

    /// Where a name that goes on from `at` ends.
    fn name_from(&self, at: usize) -> usize {
        let most = (at + ORGANIZATION_WORDS_MAX).min(self.words.len());
        (at..most).find(|at| !self.names_part(*at)).unwrap_or(most)
    }

    /// The word before `at` is part of the same organization.
    fn is_part(&self, at: usize) -> bool {
        let Some(before) = self.words.get(at - 1) else { return false };
        let suffix = self.has(at, List::CompanyForm) || self.dotted(at).is_some();
        // `Acme, Inc` is one; `Acme, Best and More Inc` is a list.
        let person = !self.style.tells && self.tag(at - 1) == Tag::Person && self.gap(at) != "'s ";
        let near = !person && !before.tied && matches!(self.gap(at), " " | " & " | "-" | "." | ". " | "'s ")
            || (suffix && self.gap(at) == ", ");
        let link = match self.plain(at - 1) {
            "and" | "und" | "et" => ["company", "co", "partners", "associates", "sons"].contains(&self.plain(at)),
            "of" => at >= 2 && self.has(at - 2, List::Body),
            _ => false,
        };
        let named = if self.style.tells {
            before.has_capital() || (before.is_number() && !before.is_digits())
        } else {
            before.plain.len() > 1 && (!before.lists.common() || before.lists.name())
        };
        // `In` and `The` begin a sentence, not a name.
        let begins = before.first && before.lists.common() && before.plain.len() <= 4;
        near && (named || link) && !begins
    }

    fn names_part(&self, at: usize) -> bool {
        let capital = self.words.get(at).is_some_and(Word::has_capital);
        let link =
            ["of", "the", "and"].contains(&self.plain(at)) && self.words.get(at + 1).is_some_and(Word::has_capital);
        self.gap(at) == " " && (capital || link)
    }
}
