//! Finds sensitive values in text: personal data and secrets. Pure: no I/O, no clock, no global
//! state that changes.
//!
//! Invariants: offsets are byte offsets on character boundaries of the text that was given;
//! findings do not overlap; time is linear in the text. This crate does not decide what happens to
//! a finding.

mod address;
mod check;
mod context;
mod custom;
mod names;
mod normalize;
mod recognizer;
mod scan;

use std::{collections::BTreeSet, sync::Arc};

pub use context::Context;
pub use custom::Custom;
use custom::Patterns;
use names::Tier;
pub use names::{Holds, Names};
use normalize::Plain;
use recognizer::Recognizer;
use scan::Scanner;
pub use scan::spaced;

/// A kind of sensitive value, under Presidio's name where Presidio has it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Entity(&'static str);

impl Entity {
    /// What is known only so that nothing else is seen in it.
    pub(crate) const NONE: Self = Self("");

    pub(crate) const fn known(name: &'static str) -> Self {
        Self(name)
    }

    pub const fn as_str(self) -> &'static str {
        self.0
    }

    /// Every entity that is built in, sorted.
    pub fn all() -> Vec<Self> {
        let names = names::KNOWN.iter().map(|known| known.entity);
        let all: BTreeSet<Self> = recognizer::rows().map(|row| Self(row.entity)).chain(names).collect();
        all.into_iter().filter(|entity| *entity != Self::NONE).collect()
    }

    /// The entity with this name.
    pub fn parse(name: &str) -> Option<Self> {
        Self::all().into_iter().find(|entity| entity.0 == name)
    }
}

impl std::fmt::Display for Entity {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.0)
    }
}

/// One sensitive value: where it stands, what it is and how sure that is (0 to 1).
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Finding {
    pub entity: Entity,
    pub start: usize,
    pub end: usize,
    pub score: f32,
    /// The score before words around it were heard.
    pub base: f32,
    /// A check digit, a numbering plan or a structure confirmed it.
    pub confirmed: bool,
    pub recognizer: &'static str,
}

/// Values of a column that tell what it holds.
pub const SAMPLE_VALUES: usize = 400;

/// What the engine looks for.
#[derive(Clone, Debug)]
pub struct Options {
    /// Only these entities; all when empty.
    pub entities: Vec<Entity>,
    /// ISO 3166-1 alpha-2, lower case: of what belongs to a country, only that of these; all when empty.
    pub countries: Vec<String>,
    /// The least score that is reported.
    pub threshold: f32,
    /// Other thresholds for some entities, by name.
    pub thresholds: Vec<(String, f32)>,
    /// Recognizers beside those that are built in.
    pub custom: Vec<Custom>,
    /// Values that are never reported, whatever they look like.
    pub allow: Vec<String>,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            entities: Vec::new(),
            countries: Vec::new(),
            threshold: 0.5,
            thresholds: Vec::new(),
            custom: Vec::new(),
            allow: Vec::new(),
        }
    }
}

/// Why a finding is one.
#[derive(Clone, Debug, PartialEq)]
pub struct Explanation {
    pub recognizer: &'static str,
    /// What the recognizer finds, and where that is laid down.
    pub about: String,
    pub patterns: Vec<String>,
    /// A check digit, a numbering plan or a structure confirmed it.
    pub confirmed: bool,
    /// The score before words around it were heard.
    pub base: f32,
    /// The word that told what it is, and what it added.
    pub context: Option<(String, f32)>,
    pub score: f32,
}

/// What one recognizer finds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Known {
    pub name: &'static str,
    pub entity: Entity,
    /// ISO 3166-1 alpha-2, lower case; `None` is everywhere.
    pub country: Option<&'static str>,
    /// What it is and where that is laid down.
    pub about: &'static str,
    /// It is reported only where words around it, or the column's name, tell what it is.
    pub needs_context: bool,
    /// It needs [`Names`].
    pub second_tier: bool,
    /// A key, token or password.
    pub secret: bool,
}

/// The text with `<ENTITY>` in place of every finding; they stand in order and apart.
pub fn redact(text: &str, findings: &[Finding]) -> String {
    let (mut out, mut copied) = (String::with_capacity(text.len()), 0);
    for finding in findings {
        out.push_str(text.get(copied..finding.start).unwrap_or_default());
        out.push('<');
        out.push_str(finding.entity.as_str());
        out.push('>');
        copied = finding.end;
    }
    out.push_str(text.get(copied..).unwrap_or_default());
    out
}

/// The patterns of all recognizers, as `regex-automata` reads them on bytes.
pub fn patterns() -> Vec<&'static str> {
    recognizer::rows().flat_map(|row| row.patterns).copied().collect()
}

/// Every recognizer that is built in, by entity.
pub fn known() -> Vec<Known> {
    let threshold = Options::default().threshold;
    let mut known: Vec<Known> = recognizer::rows_with_secrets()
        .filter(|(row, _)| !row.entity.is_empty())
        .map(|(row, secret)| Known {
            name: row.name,
            entity: Entity(row.entity),
            country: Some(row.country).filter(|country| !country.is_empty()),
            about: row.about,
            needs_context: row.shape.max(row.valid) < threshold,
            second_tier: false,
            secret,
        })
        .chain(names::KNOWN)
        .collect();
    known.sort_by_key(|k| (k.entity, k.name));
    known
}

/// The compiled recognizers. Build it once; scanning needs no lock.
#[derive(Debug)]
pub struct Engine {
    scanner: Scanner,
    options: Options,
    tier: Option<Tier>,
}

impl Engine {
    /// Everything that is built in.
    #[expect(clippy::expect_used, reason = "the patterns are constants that a test compiles")]
    pub fn new() -> Self {
        Self::with(&Options::default()).expect("the built-in patterns compile")
    }

    /// What the options name. Fails with the text of the regex library, or with the name of an entity
    /// that is unknown.
    pub fn with(options: &Options) -> Result<Self, String> {
        let mut recognizers = recognizer::built_in();
        recognizers.retain(|r| {
            let wanted =
                options.entities.is_empty() || r.entity == Entity::NONE || options.entities.contains(&r.entity);
            let here = r
                .country
                .is_none_or(|c| options.countries.is_empty() || options.countries.iter().any(|known| known == c));
            wanted && here
        });
        let first = recognizers.len();
        recognizers.extend(options.custom.iter().map(Recognizer::custom));
        if recognizers.len() > Context::RECOGNIZERS_MAX {
            return Err(format!("{} recognizers; {} are allowed", recognizers.len(), Context::RECOGNIZERS_MAX));
        }
        let known =
            |name: &str| Entity::parse(name).is_some() || options.custom.iter().any(|custom| custom.entity == name);
        if let Some((name, _)) = options.thresholds.iter().find(|(name, _)| !known(name)) {
            return Err(format!("unknown entity {name:?}"));
        }
        for recognizer in &mut recognizers {
            let own = options.thresholds.iter().find(|(entity, _)| entity == recognizer.entity.as_str());
            recognizer.threshold = own.map(|(_, threshold)| *threshold);
        }
        let custom = Patterns::new(&options.custom, first)?;
        Scanner::new(recognizers, custom, options).map(|scanner| Self { scanner, options: options.clone(), tier: None })
    }

    /// The same engine, which also looks for people, organizations, places and addresses.
    #[must_use]
    pub fn with_names(mut self, names: Arc<dyn Names>) -> Self {
        self.tier = Tier::new(names, &self.options);
        self
    }

    /// The entity with this name, custom ones among them.
    pub fn entity(&self, name: &str) -> Option<Entity> {
        let own = self.scanner.recognizers().iter().map(|r| r.entity).find(|entity| entity.as_str() == name);
        own.or_else(|| Entity::parse(name))
    }

    /// What the name of a column, a field or a path tells of.
    pub fn context(&self, name: &str) -> Context {
        self.scanner.context(name)
    }

    /// What a column's name and some of its values, at most [`SAMPLE_VALUES`], tell of.
    pub fn column(&self, name: &str, values: &[&str]) -> Context {
        let holds = self.tier.as_ref().map(|tier| tier.names().column(name, values)).unwrap_or_default();
        self.context(name).holding(holds)
    }

    /// Tells of texts that will be scanned, so that the second tier works on them together.
    pub fn prepare(&self, context: Context, texts: &[&str]) {
        if let Some(tier) = &self.tier
            && context.reads_names()
        {
            let plain: Vec<_> = texts.iter().map(|text| normalize::plain(text)).collect();
            tier.names().prepare(&plain.iter().map(Plain::text).collect::<Vec<_>>());
        }
    }

    /// Whether this entity is looked for, of the first tier or of the second.
    pub fn looks_for(&self, name: &str) -> bool {
        let first = self.scanner.recognizers().iter().any(|r| r.entity.as_str() == name);
        first || self.tier.as_ref().is_some_and(|tier| tier.looks_for(name))
    }

    /// Something of the second tier is asked for.
    pub fn wants_names(&self) -> bool {
        Tier::is_wanted(&self.options)
    }

    /// Fails when a text could not be read as it should have been: what was found is not all.
    pub fn check(&self) -> Result<(), String> {
        if self.tier.as_ref().is_some_and(|tier| tier.names().failed()) {
            return Err("the network that finds names failed on a text".to_owned());
        }
        Ok(())
    }

    /// The second tier is there, and something of it is looked for.
    pub fn finds_names(&self) -> bool {
        self.tier.is_some()
    }

    /// Appends the findings in `text` to `out`, in order and without overlap.
    pub fn scan(&self, text: &str, out: &mut Vec<Finding>) {
        self.scan_in(text, Context::default(), out);
    }

    /// Like [`Self::scan`], for a text of which the context is known.
    pub fn scan_in(&self, text: &str, context: Context, out: &mut Vec<Finding>) {
        let first = out.len();
        let plain = normalize::plain(text);
        self.scanner.scan(plain.text(), context, out);
        if let Some(tier) = &self.tier {
            tier.add(plain.text(), context, first, out);
        }
        if let Plain::Changed(normalized) = &plain {
            for finding in out.iter_mut().skip(first) {
                (finding.start, finding.end) = normalized.origin(finding.start, finding.end);
            }
        }
    }

    /// The text without what is found in it, and in what is left of it then; `None` when nothing is
    /// found. `findings` gets all.
    pub fn clean(&self, text: &str, context: Context, findings: &mut Vec<Finding>) -> Option<String> {
        // What a neighbour hid comes out when that is gone; the bound is for texts of nothing but digits.
        const ROUNDS_MAX: usize = 8;
        findings.clear();
        let mut clean: Option<String> = None;
        for _ in 0..ROUNDS_MAX {
            let text = clean.as_deref().unwrap_or(text);
            let before = findings.len();
            self.scan_in(text, context, findings);
            let new = findings.get(before..).filter(|new| !new.is_empty());
            let Some(new) = new else { break };
            clean = Some(redact(text, new));
        }
        clean
    }

    /// Why a finding of [`Self::scan`] in the same text is one.
    pub fn explain(&self, text: &str, finding: &Finding) -> Option<Explanation> {
        let mine = |r: &Recognizer| r.name == finding.recognizer && r.entity == finding.entity;
        let Some(place) = self.scanner.recognizers().iter().position(mine) else {
            return self.explain_name(finding);
        };
        let recognizer = self.scanner.recognizers().get(place)?;
        let word = self.scanner.telling(text, finding.start, finding.end, place);
        let added = finding.score - finding.base;
        Some(Explanation {
            recognizer: recognizer.name,
            about: recognizer.about.to_string(),
            patterns: recognizer.patterns.iter().map(ToString::to_string).collect(),
            confirmed: finding.confirmed,
            base: finding.base,
            context: (added > 0.0).then(|| (word.unwrap_or("the column's name").to_owned(), added)),
            score: finding.score,
        })
    }

    /// Why a finding of the second tier is one.
    fn explain_name(&self, finding: &Finding) -> Option<Explanation> {
        let tier = self.tier.as_ref()?;
        let known = names::KNOWN.iter().find(|known| known.name == finding.recognizer)?;
        Some(Explanation {
            recognizer: known.name,
            about: format!("{}: {}", known.about, tier.names().about()),
            patterns: Vec::new(),
            confirmed: finding.confirmed,
            base: finding.base,
            context: None,
            score: finding.score,
        })
    }
}

impl Default for Engine {
    fn default() -> Self {
        Self::new()
    }
}

/// Asks every check about a whole text, for tests: hostile texts make none of them panic.
#[cfg(any(test, fuzzing))]
pub fn ask_every_check(text: &str) {
    for row in recognizer::rows() {
        let _ = (row.check)(&check::Hit { text, start: 0, end: text.len() });
    }
}

#[cfg(test)]
mod tests;
