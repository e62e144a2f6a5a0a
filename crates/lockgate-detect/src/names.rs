//! The second tier: people, organizations, places and addresses. This crate only says what it
//! needs of it; what finds them has word lists and a network, and is given to the engine.

use std::{fmt, sync::Arc};

use crate::{Context, Entity, Finding, Known, Options};

/// What a column holds of names, places and the like.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub enum Holds {
    /// Text in which there may be some.
    #[default]
    Text,
    /// None: categories, codes, numbers.
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

    /// How a finding of [`Self::find`] came to be.
    fn about(&self, finding: &Finding) -> &'static str;
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
    Known { name, entity, country: None, about, needs_context: false, second_tier: true }
}

/// The second tier within an engine: of what it finds, only what was asked for.
#[derive(Clone, Debug)]
pub(crate) struct Tier {
    names: Arc<dyn Names>,
    /// The least score of each entity that is looked for.
    wanted: Vec<(Entity, f32)>,
    allow: Vec<String>,
}

impl Tier {
    /// `None` when nothing of it is asked for.
    pub(crate) fn new(names: Arc<dyn Names>, options: &Options) -> Option<Self> {
        let own = |entity: &str| options.thresholds.iter().find(|(e, _)| e == entity).map(|(_, threshold)| *threshold);
        let wanted: Vec<(Entity, f32)> = KNOWN
            .iter()
            .map(|known| known.entity)
            .filter(|entity| options.entities.is_empty() || options.entities.contains(entity))
            .map(|entity| (entity, own(entity.as_str()).unwrap_or(options.threshold)))
            .collect();
        (!wanted.is_empty()).then(|| Self { names, wanted, allow: options.allow.clone() })
    }

    pub(crate) fn names(&self) -> &dyn Names {
        self.names.as_ref()
    }

    /// Adds what is found in `text` to `out`, which holds from `first` on what the first tier found there.
    pub(crate) fn add(&self, text: &str, context: Context, first: usize, out: &mut Vec<Finding>) {
        let mut found = Vec::new();
        self.names.find(text, context.holds, &mut found);
        found.retain(|finding| {
            let enough = self.wanted.iter().any(|(entity, least)| *entity == finding.entity && finding.score >= *least);
            enough && text.get(finding.start..finding.end).is_some_and(|value| !self.allow.iter().any(|a| a == value))
        });
        if found.is_empty() {
            return;
        }
        let mut first_tier = out.split_off(first);
        for mut finding in found {
            let address = finding.entity == Entity::ADDRESS;
            let (start, end) = (finding.start, finding.end);
            // Part of an address looks like many things; a title belongs to its name.
            let belongs = |other: &Finding| {
                let name = other.entity.as_str();
                let code = ["UK_POSTCODE", "CA_POSTAL_CODE", "ZIP_CODE"].contains(&name);
                (address && (code || (name != "PHONE_NUMBER" && !other.confirmed)))
                    || (finding.entity == Entity::PERSON && name == "TITLE")
            };
            let within = |other: &Finding| start <= other.start && other.end <= end && belongs(other);
            // Of an address with a telephone number at its end, what is before it.
            if address && let Some(other) = first_tier.iter().find(|o| start < o.start && o.start < end && !within(o)) {
                let kept = text.get(start..other.start).unwrap_or_default();
                finding.end = start + kept.trim_end_matches(|c: char| !c.is_alphanumeric()).len();
            }
            let apart = |other: &Finding| other.end <= finding.start || finding.end <= other.start;
            if finding.start < finding.end && first_tier.iter().all(|other| apart(other) || within(other)) {
                first_tier.retain(apart);
                first_tier.push(finding);
            }
        }
        first_tier.sort_unstable_by_key(|finding| finding.start);
        out.append(&mut first_tier);
    }
}
