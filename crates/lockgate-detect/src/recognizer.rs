//! What a recognizer is, and the table of all that are built in.

mod americas;
mod asia;
mod europe;
mod global;
mod secrets;

use std::borrow::Cow;

use crate::{
    Custom, Entity,
    check::{self, Hit, Verdict},
    custom,
};

/// How a match ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Tail {
    /// In a letter or a digit, and before anything else.
    Word,
    /// In any sign, and before anything but a letter or a digit.
    Sign,
    /// Anywhere.
    Any,
}

/// Finds one kind of value.
#[derive(Clone, Debug)]
pub(crate) struct Recognizer {
    pub name: &'static str,
    pub entity: Entity,
    /// What it is and where that is laid down.
    pub about: Cow<'static, str>,
    /// ISO 3166-1 alpha-2, lower case; `None` is everywhere.
    pub country: Option<&'static str>,
    /// Bytes-oriented regular expressions of bounded length, from the first byte of the value on.
    pub patterns: Vec<Cow<'static, str>>,
    /// Words that a value can begin with when it begins with no digit.
    pub anchors: Vec<Cow<'static, str>>,
    pub check: fn(&Hit<'_>) -> Verdict,
    /// The score of the shape alone; 0 when it says nothing.
    pub shape: f32,
    /// The score of what a check confirms.
    pub valid: f32,
    pub context: Vec<Cow<'static, str>>,
    pub tail: Tail,
    /// Digits and separators only: part of a decimal number is none.
    pub is_number: bool,
    /// A key, token or password.
    pub is_secret: bool,
    /// The least score that is reported, where it is not the engine's.
    pub threshold: Option<f32>,
}

impl Recognizer {
    /// One of a team's own; its patterns are searched for apart.
    pub(crate) fn custom(custom: &Custom) -> Self {
        Self {
            name: custom::keep(&custom.name),
            entity: custom::entity(&custom.entity),
            about: Cow::Borrowed("a recognizer of your own"),
            country: None,
            patterns: Vec::new(),
            anchors: Vec::new(),
            check: check::shape,
            shape: custom.patterns.iter().map(|(_, score)| *score).fold(0.0, f32::max),
            valid: 1.0,
            context: custom.context.iter().map(|word| Cow::Owned(word.to_lowercase())).collect(),
            tail: Tail::Any,
            is_number: false,
            is_secret: false,
            threshold: None,
        }
    }
}

/// One row of a table.
pub(crate) struct Row {
    pub name: &'static str,
    pub entity: &'static str,
    pub country: &'static str,
    pub about: &'static str,
    pub patterns: &'static [&'static str],
    pub anchors: &'static [&'static str],
    pub check: fn(&Hit<'_>) -> Verdict,
    pub shape: f32,
    pub valid: f32,
    pub context: &'static [&'static str],
    pub tail: Tail,
}

impl Row {
    /// The same row with matches that end in another way.
    const fn ending(self, tail: Tail) -> Self {
        Self { tail, ..self }
    }

    fn recognizer(&self, is_secret: bool) -> Recognizer {
        let own = |texts: &'static [&'static str]| texts.iter().map(|text| Cow::Borrowed(*text)).collect::<Vec<_>>();
        // Of patterns without letters, groups and classes among them, only digits and signs match.
        let letters = |pattern: &&str| pattern.bytes().any(|b| b.is_ascii_alphabetic());
        Recognizer {
            name: self.name,
            entity: Entity::known(self.entity),
            about: Cow::Borrowed(self.about),
            country: Some(self.country).filter(|country| !country.is_empty()),
            patterns: own(self.patterns),
            anchors: own(self.anchors),
            check: self.check,
            shape: self.shape,
            valid: self.valid,
            context: own(self.context),
            tail: self.tail,
            is_number: !self.patterns.is_empty() && !self.patterns.iter().any(letters),
            is_secret,
            threshold: None,
        }
    }
}

/// A row that begins with a digit, or with the `anchors` given last.
macro_rules! row {
    ($name:literal, $entity:literal, $country:literal, $about:literal, [$($pattern:literal),* $(,)?], $check:expr, $shape:literal, $valid:literal, [$($word:literal),* $(,)?] $(, [$($anchor:literal),* $(,)?])?) => {
        $crate::recognizer::Row {
            name: $name,
            entity: $entity,
            country: $country,
            about: $about,
            patterns: &[$($pattern),*],
            anchors: &[$($($anchor),*)?],
            check: $check,
            shape: $shape,
            valid: $valid,
            context: &[$($word),*],
            tail: $crate::recognizer::Tail::Word,
        }
    };
}
use row;

/// All rows, the secrets first.
pub(crate) fn rows() -> impl Iterator<Item = &'static Row> {
    [secrets::ROWS, global::ROWS, americas::ROWS, europe::ROWS, asia::ROWS].into_iter().flatten()
}

/// All rows, and of each whether it is of a secret.
pub(crate) fn rows_with_secrets() -> impl Iterator<Item = (&'static Row, bool)> {
    let secrets = secrets::ROWS.len();
    rows().enumerate().map(move |(place, row)| (row, place < secrets))
}

pub(crate) fn built_in() -> Vec<Recognizer> {
    rows_with_secrets().map(|(row, secret)| row.recognizer(secret)).collect()
}
