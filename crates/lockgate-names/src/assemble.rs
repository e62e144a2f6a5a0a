//! Puts judged words together to names, places, organizations and addresses.

use lockgate_detect::{Entity, Finding};

use crate::{
    judge::{Judged, Tag},
    lexicon::List,
    street,
    words::{Form, Style, Word, gap},
};

/// They stand inside of names.
const PARTICLES: [&str; 26] = [
    "van", "von", "der", "den", "de", "del", "della", "di", "da", "das", "do", "dos", "du", "la", "le", "bin", "ibn",
    "al", "el", "ter", "ten", "zu", "zum", "af", "y", "e",
];

/// A text on the way to its findings.
pub(crate) struct Text<'t> {
    pub text: &'t str,
    pub words: &'t [Word<'t>],
    pub judged: Vec<Judged>,
    pub style: Style,
}

/// The findings in a text, in order and without overlap.
pub(crate) fn assemble(text: &str, words: &[Word<'_>], style: Style, judged: Vec<Judged>, out: &mut Vec<Finding>) {
    let mut text = Text { text, words, judged, style };
    let first = out.len();
    text.organizations(out);
    let mut at = 0;
    while at < words.len() {
        at = match text.tag(at) {
            Tag::Nothing => {
                text.people(at, out);
                at + 1
            }
            Tag::Organization => at + 1,
            Tag::Person => text.person(at, out),
            Tag::Place | Tag::Country | Tag::Street | Tag::Code => text.address(at, out),
        };
    }
    if let Some(new) = out.get_mut(first..) {
        new.sort_unstable_by_key(|finding| finding.start);
    }
    between(text.text, words, first, out);
}

/// A line of letters alone, between a line of an address and one of a place, is a place.
fn between(text: &str, words: &[Word<'_>], first: usize, out: &mut Vec<Finding>) {
    let mut found = Vec::new();
    for (from, to) in lines(text, words) {
        let Some(line) = words.get(from..to) else { continue };
        let (Some(head), Some(tail)) = (line.first(), line.last()) else { continue };
        let letters = line.len() <= 5 && line.iter().all(|w| !w.is_number() && w.plain.chars().count() > 1);
        let of = |at: Option<&Word<'_>>| {
            let word = at?;
            out.iter().skip(first).find(|f| f.start <= word.start && word.end <= f.end).map(|f| f.entity)
        };
        let before = of(from.checked_sub(1).and_then(|at| words.get(at)));
        let after = of(words.get(to));
        let free = out.iter().skip(first).all(|f| f.end <= head.start || tail.end <= f.start);
        if letters
            && free
            && before == Some(Entity::ADDRESS)
            && matches!(after, Some(Entity::LOCATION | Entity::ADDRESS))
            && !line.iter().all(|w| w.lists.common())
        {
            found.push(finding(Entity::LOCATION, head.start, tail.end, 0.6));
        }
    }
    if !found.is_empty() {
        out.append(&mut found);
        if let Some(new) = out.get_mut(first..) {
            new.sort_unstable_by_key(|finding| finding.start);
        }
    }
}

/// The words of each line.
fn lines(text: &str, words: &[Word<'_>]) -> Vec<(usize, usize)> {
    let mut lines = Vec::new();
    let mut from = 0;
    for at in 1..=words.len() {
        if gap(text, words, at).contains('\n') {
            lines.push((from, at));
            from = at;
        }
    }
    lines
}

impl Text<'_> {
    pub(crate) fn tag(&self, at: usize) -> Tag {
        self.judged.get(at).map_or(Tag::Nothing, |judged| judged.tag)
    }

    pub(crate) fn has(&self, at: usize, list: List) -> bool {
        self.words.get(at).is_some_and(|word| word.lists.has(list))
    }

    pub(crate) fn plain(&self, at: usize) -> &str {
        self.words.get(at).map_or("", |word| word.plain.as_ref())
    }

    /// What stands between a word and the one before it.
    pub(crate) fn gap(&self, at: usize) -> &str {
        gap(self.text, self.words, at)
    }

    /// The words from `from` up to `to` as a finding.
    fn push(&self, entity: Entity, from: usize, to: usize, out: &mut Vec<Finding>) {
        let (Some(first), Some(last)) = (self.words.get(from), to.checked_sub(1).and_then(|to| self.words.get(to)))
        else {
            return;
        };
        let scores = self.judged.get(from..to).unwrap_or_default().iter().filter(|j| j.tag != Tag::Nothing);
        let score = scores.map(|j| j.score).fold(0.0, f32::max).max(0.5);
        out.push(finding(entity, first.start, last.end, score));
    }

    /// A nationality or a group.
    fn people(&self, at: usize, out: &mut Vec<Finding>) {
        let Some(word) = self.words.get(at).filter(|w| w.lists.people() && !w.tied) else { return };
        let word_of_its_own = !word.lists.common() && !word.lists.name();
        if word.form == Form::Capital || (!self.style.tells && word_of_its_own) {
            out.push(finding(Entity::NRP, word.start, word.end, 0.6));
        }
    }

    /// A person's name from a word on; returns where to go on.
    fn person(&self, from: usize, out: &mut Vec<Finding>) -> usize {
        let mut to = from + 1;
        loop {
            let gap = self.gap(to);
            // After an initial there is a full stop.
            let initial = self.plain(to - 1).chars().count() <= 2;
            let joined = matches!(gap, " " | "-" | "'" | "’" | " \u{feff}" | "\u{feff}")
                || (initial && matches!(gap, ". " | "."));
            if !joined {
                break;
            }
            let hyphenated =
                gap == "-" && self.style.tells && self.words.get(to).is_some_and(|w| w.form == Form::Capital);
            if self.tag(to) == Tag::Person || (hyphenated && self.tag(to) == Tag::Nothing) {
                to += 1;
            } else if self.particle(to) {
                to += 2;
            } else if PARTICLES.contains(&self.plain(to)) && self.gap(to + 1) == " " && self.particle(to + 1) {
                to += 3;
            } else {
                break;
            }
        }
        // One letter is no name; in a program, one word is hardly one.
        let letters = self.words.get(from..to).unwrap_or_default().iter().map(|w| w.plain.chars().count());
        let unlikely = self.style.code || (!self.style.prose && self.is_unlisted(from));
        if letters.max().unwrap_or_default() > 1 && (!unlikely || to > from + 1) {
            self.push(Entity::PERSON, from, to, out);
        }
        to
    }

    /// In no list of names, and not written as one.
    fn is_unlisted(&self, at: usize) -> bool {
        self.words.get(at).is_some_and(|word| word.form != Form::Capital && !word.lists.name())
    }

    /// A particle with a name after it, which begins with a capital where capitals tell.
    fn particle(&self, at: usize) -> bool {
        PARTICLES.contains(&self.plain(at))
            && self.gap(at + 1) == " "
            && (self.tag(at + 1) == Tag::Person
                || self.tag(at + 1) == Tag::Nothing
                    && self.style.tells
                    && self.words.get(at + 1).is_some_and(|w| w.form == Form::Capital && !w.lists.common()))
    }

    /// An address or places from a word on, to the end of the line at most; returns where to go on.
    fn address(&self, from: usize, out: &mut Vec<Finding>) -> usize {
        let mut to = from + 1;
        while to < self.words.len() {
            if !self.goes_on(to) {
                break;
            }
            let part = |at: usize| matches!(self.tag(at), Tag::Place | Tag::Country | Tag::Street | Tag::Code);
            if part(to) {
                to += 1;
            } else if matches!(self.tag(to - 1), Tag::Street) && part(to + 1) && self.goes_on(to + 1) && self.fits(to) {
                to += 2;
            } else {
                break;
            }
        }
        if self.is_street(from, to) {
            // The house number may stand before all that tells.
            let numbered = from > 0
                && self.words.get(from - 1).is_some_and(|w| w.is_number() && w.plain.len() <= 6)
                && self.tag(from - 1) == Tag::Nothing
                && matches!(self.gap(from), " " | ", ");
            self.push(Entity::ADDRESS, if numbered { from - 1 } else { from }, to, out);
            return to;
        }
        // No street: each place by itself.
        let mut at = from;
        while at < to {
            let tag = self.tag(at);
            let mut end = at + 1;
            while end < to && self.tag(end) == tag && matches!(self.gap(end), " " | "-" | "'" | "’" | ". ") {
                end += 1;
            }
            match tag {
                Tag::Place | Tag::Country => self.push(Entity::LOCATION, at, end, out),
                // A code beside a place, or on a line of its own.
                Tag::Code if to > from + 1 || self.is_line(at) => self.push(Entity::ADDRESS, at, end, out),
                _ => {}
            }
            at = end;
        }
        to
    }

    /// The word may belong to the same address as the one before it.
    fn goes_on(&self, at: usize) -> bool {
        let gap = self.gap(at);
        let inner = gap.trim_matches([' ', '.', ',', '#', '/', '-', '\'', '’']);
        inner.is_empty()
            && gap.len() <= 4
            && (!gap.starts_with(". ")
                || self.plain(at - 1).chars().count() <= 4
                || (self.tag(at - 1) == Tag::Street && self.tag(at) == Tag::Street))
    }

    /// A word that the network did not place, between parts of an address.
    fn fits(&self, at: usize) -> bool {
        self.tag(at) != Tag::Organization
            && self.words.get(at).is_some_and(|w| w.is_number() || w.has_capital() || !self.style.tells)
    }

    fn is_line(&self, at: usize) -> bool {
        self.gap(at).contains('\n') && self.words.get(at + 1).is_none_or(|_| self.gap(at + 1).contains('\n'))
    }

    /// The run has a street, a box or a unit: words that say so, or a number and what the network
    /// takes for a street.
    fn is_street(&self, from: usize, to: usize) -> bool {
        let run = || (from..to).filter(|at| self.tag(*at) == Tag::Street);
        let words = run().filter_map(|at| self.words.get(at));
        let (numbers, others): (Vec<&Word<'_>>, Vec<&Word<'_>>) = words.partition(|w| w.is_number());
        let before = from > 0 && self.words.get(from - 1).is_some_and(|w| w.is_digits() && self.gap(from) == " ");
        let scores: Vec<f32> = run().filter_map(|at| self.judged.get(at)).map(|j| j.score).collect();
        let sure = scores.iter().sum::<f32>() / scores.len().max(1) as f32;
        let told = street::tells_of_street(self.words.get(from..to).unwrap_or_default());
        let long = others.iter().any(|w| w.plain.chars().count() > 2);
        (told && long && (sure > 0.5))
            || (!self.style.code && long && (before || numbers.iter().any(|n| n.is_digits())) && sure > 0.6)
    }
}

pub(crate) fn finding(entity: Entity, start: usize, end: usize, score: f32) -> Finding {
    let recognizer = match entity {
        Entity::PERSON => "person",
        Entity::ORGANIZATION => "organization",
        Entity::LOCATION => "location",
        Entity::ADDRESS => "address",
        _ => "people",
    };
    // Nothing confirms a name.
    let score = score.min(0.95);
    Finding { entity, start, end, score, base: score, confirmed: false, recognizer }
}
