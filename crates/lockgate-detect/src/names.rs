//! The second tier: people, organizations, places and addresses. This crate only says what it
//! needs of it; what finds them has word lists and a network, and is given to the engine.

use std::{collections::HashSet, fmt, sync::Arc};

use crate::{Context, Entity, Finding, Known, Options};

/// What a column holds of names, places and the like.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub enum Holds {
    /// Text in which there may be some.
    #[default]
    Text,
    /// Categories, codes, numbers: none but what is plainly a person or a sentence.
    Categories,
    /// Nothing is looked for.
    Nothing,
    /// Values that are one each.
    Each(Entity, f32),
}

/// Finds people, organizations, places and addresses.
pub trait Names: fmt::Debug + Send + Sync {
    /// Appends what is found in `text`, in order and without overlap.
    fn find(&self, text: &str, holds: Holds, out: &mut Vec<Finding>);

    /// Tells of texts that will be asked for, so that they are worked on together.
    fn prepare(&self, texts: &[&str]);

    /// What a column holds, by its name and some of its values.
    fn column(&self, name: &str, values: &[&str]) -> Holds;

    /// How findings of [`Self::find`] come to be.
    fn about(&self) -> &'static str;

    /// A text could not be read as it should have been: what was found since is not all.
    fn failed(&self) -> bool;
}

impl Entity {
    pub const PERSON: Self = Self::known("PERSON");
    pub const ORGANIZATION: Self = Self::known("ORGANIZATION");
    pub const LOCATION: Self = Self::known("LOCATION");
    pub const ADDRESS: Self = Self::known("ADDRESS");
    /// Nationalities, religious and political groups.
    pub const NRP: Self = Self::known("NRP");
}

/// What the second tier finds.
pub(crate) const KNOWN: [Known; 5] = [
    known("person", Entity::PERSON, "people's names"),
    known("organization", Entity::ORGANIZATION, "companies and institutions"),
    known("location", Entity::LOCATION, "cities, regions and countries"),
    known("address", Entity::ADDRESS, "postal addresses: streets with numbers, boxes, units, codes"),
    known("people", Entity::NRP, "nationalities, religious and political groups"),
];

const fn known(name: &'static str, entity: Entity, about: &'static str) -> Known {
    Known { name, entity, country: None, about, needs_context: false, second_tier: true, secret: false }
}

/// The second tier within an engine: of what it finds, only what was asked for.
#[derive(Clone, Debug)]
pub(crate) struct Tier {
    names: Arc<dyn Names>,
    /// The least score of each entity that is looked for.
    wanted: Vec<(Entity, f32)>,
    allow: HashSet<String>,
}

impl Tier {
    /// Something of the second tier is asked for.
    pub(crate) fn is_wanted(options: &Options) -> bool {
        options.entities.is_empty() || KNOWN.iter().any(|known| options.entities.contains(&known.entity))
    }

    /// `None` when nothing of it is asked for.
    pub(crate) fn new(names: Arc<dyn Names>, options: &Options) -> Option<Self> {
        let own = |entity: &str| options.thresholds.iter().find(|(e, _)| e == entity).map(|(_, threshold)| *threshold);
        let wanted: Vec<(Entity, f32)> = KNOWN
            .iter()
            .map(|known| known.entity)
            .filter(|entity| options.entities.is_empty() || options.entities.contains(entity))
            .map(|entity| (entity, own(entity.as_str()).unwrap_or(options.threshold)))
            .collect();
        (!wanted.is_empty()).then(|| Self { names, wanted, allow: options.allow.iter().cloned().collect() })
    }

    pub(crate) fn looks_for(&self, name: &str) -> bool {
        self.wanted.iter().any(|(entity, _)| entity.as_str() == name)
    }

    pub(crate) fn names(&self) -> &dyn Names {
        self.names.as_ref()
    }

    /// Adds what is found in `text` to `out`, which holds from `first` on what the first tier found
    /// there. Both are in order, so each is walked once.
    pub(crate) fn add(&self, text: &str, context: Context, first: usize, out: &mut Vec<Finding>) {
        let mut found = Vec::new();
        self.names.find(text, context.holds, &mut found);
        found.retain(|finding| {
            let enough = self.wanted.iter().any(|(entity, least)| *entity == finding.entity && finding.score >= *least);
            enough && text.get(finding.start..finding.end).is_some_and(|value| !self.allow.contains(value))
        });
        if found.is_empty() {
            return;
        }
        let mut known: Vec<(Finding, bool)> = out.drain(first..).map(|finding| (finding, true)).collect();
        let mut next = 0;
        for finding in found {
            while known.get(next).is_some_and(|(other, _)| other.end <= finding.start) {
                next += 1;
            }
            let mut start = finding.start;
            for (other, stays) in known.iter_mut().skip(next).take_while(|(other, _)| other.start < finding.end) {
                if belongs(other, &finding) {
                    *stays = false;
                } else {
                    // What the first tier found keeps its place; the rest is cut around it.
                    out.extend(part(text, &finding, start, other.start));
                    start = other.end;
                }
            }
            out.extend(part(text, &finding, start, finding.end));
        }
        out.extend(known.into_iter().filter(|(_, stays)| *stays).map(|(finding, _)| finding));
        if let Some(new) = out.get_mut(first..) {
            new.sort_unstable_by_key(|finding| finding.start);
        }
    }
}

/// A postal code or a number in an address, and a title or a name in a name, are part of it.
fn belongs(other: &Finding, finding: &Finding) -> bool {
    const CODES: [&str; 3] = ["ZIP_CODE", "UK_POSTCODE", "CA_POSTAL_CODE"];
    const NUMBERS: [&str; 2] = ["DATE_TIME", "US_DRIVER_LICENSE"];
    let name = other.entity.as_str();
    let kind = match finding.entity {
        Entity::ADDRESS => CODES.contains(&name) || (!other.confirmed && NUMBERS.contains(&name)),
        Entity::PERSON => name == "TITLE",
        _ => false,
    };
    let within = finding.start <= other.start && other.end <= finding.end;
    within && (kind || other.entity == finding.entity)
}

/// A part of a finding, without the signs at its ends; `None` when nothing is left of it.
fn part(text: &str, finding: &Finding, start: usize, end: usize) -> Option<Finding> {
    if (start, end) == (finding.start, finding.end) {
        return Some(*finding);
    }
    let kept = text.get(start..end)?;
    let sign = |c: char| !c.is_alphanumeric();
    let head = kept.len() - kept.trim_start_matches(sign).len();
    let kept = kept.trim_matches(sign);
    let start = start + head;
    (kept.chars().count() > 1).then_some(Finding { start, end: start + kept.len(), ..*finding })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Engine, redact};

    /// Finds the texts that it is given, wherever they stand.
    #[derive(Debug)]
    struct Fixed(Vec<(Entity, &'static str)>);

    impl Names for Fixed {
        fn find(&self, text: &str, _: Holds, out: &mut Vec<Finding>) {
            for (entity, value) in &self.0 {
                out.extend(text.match_indices(value).map(|(start, value)| Finding {
                    entity: *entity,
                    start,
                    end: start + value.len(),
                    score: 0.9,
                    base: 0.9,
                    confirmed: false,
                    recognizer: "person",
                }));
            }
            out.sort_unstable_by_key(|finding| finding.start);
        }

        fn prepare(&self, _: &[&str]) {}

        fn column(&self, _: &str, _: &[&str]) -> Holds {
            Holds::Text
        }

        fn about(&self) -> &'static str {
            "fixed"
        }

        fn failed(&self) -> bool {
            false
        }
    }

    #[track_caller]
    fn check(names: Vec<(Entity, &'static str)>, text: &str, expected: &str) {
        let engine = Engine::new().with_names(Arc::new(Fixed(names)));
        let mut findings = Vec::new();
        engine.scan(text, &mut findings);
        assert_eq!(redact(text, &findings), expected);
    }

    #[test]
    fn the_first_tier_keeps_its_place_and_the_rest_is_cut_around_it() {
        let address = "+49 30 901820, Hauptstraße 12";
        check(vec![(Entity::ADDRESS, address)], address, "<PHONE_NUMBER>, <ADDRESS>");
        let middle = "12 Elm Street, tel +49 30 901820, Berlin";
        check(vec![(Entity::ADDRESS, middle)], middle, "<ADDRESS> <PHONE_NUMBER>, <ADDRESS>");
        let company = "Acme Inc, ana@mail.example";
        check(vec![(Entity::ORGANIZATION, company)], company, "<ORGANIZATION>, <EMAIL_ADDRESS>");
    }

    #[test]
    fn codes_belong_to_addresses_and_titles_to_names() {
        let address = "1 High Street, Leeds LS6 2AB";
        check(vec![(Entity::ADDRESS, address)], address, "<ADDRESS>");
        check(vec![(Entity::PERSON, "Dr. Ana Ruiz")], "ask Dr. Ana Ruiz", "ask <PERSON>");
    }

    #[test]
    fn many_findings_are_walked_once() {
        let text = "Ingrid, ".repeat(60_000);
        // Each looked at against each would take minutes.
        check(vec![(Entity::PERSON, "Ingrid")], &text, &"<PERSON>, ".repeat(60_000));
    }

    #[test]
    fn what_is_hidden_is_read_as_what_it_stands_for() {
        check(vec![(Entity::PERSON, "Ingrid")], "ask Ing\u{200b}rid now", "ask <PERSON> now");
    }
}
