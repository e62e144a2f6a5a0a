//! Checks: what a pattern cannot say. Each is pure, total and linear in its match.

pub(crate) mod americas;
pub(crate) mod asia;
pub(crate) mod crypto;
pub(crate) mod digits;
pub(crate) mod europe;
pub(crate) mod global;
pub(crate) mod phone;
pub(crate) mod secrets;

use digits::{Digits, compact};

/// One match of a pattern in its text.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Hit<'t> {
    pub text: &'t str,
    pub start: usize,
    pub end: usize,
}

impl<'t> Hit<'t> {
    pub(crate) fn value(&self) -> &'t str {
        self.text.get(self.start..self.end).unwrap_or_default()
    }

    pub(crate) fn before(&self) -> &'t str {
        self.text.get(..self.start).unwrap_or_default()
    }

    pub(crate) fn after(&self) -> &'t str {
        self.text.get(self.end..).unwrap_or_default()
    }

    pub(crate) fn digits(&self) -> Digits {
        Digits::of(self.value())
    }

    pub(crate) fn compact(&self) -> String {
        compact(self.value())
    }
}

/// What a check says of a match.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// It cannot be one.
    No,
    /// It has the shape, and there is nothing more to check.
    Shape,
    /// A check digit, a numbering plan or a structure confirms it.
    Valid,
}

impl Verdict {
    /// Confirmed, or not one.
    pub(crate) fn confirmed(holds: bool) -> Self {
        if holds { Self::Valid } else { Self::No }
    }

    /// Of the shape, or not one.
    pub(crate) fn shaped(holds: bool) -> Self {
        if holds { Self::Shape } else { Self::No }
    }

    /// Confirmed, or at least of the shape.
    pub(crate) fn or_shape(holds: bool) -> Self {
        if holds { Self::Valid } else { Self::Shape }
    }
}

/// There is nothing to check.
pub(crate) fn shape(_: &Hit<'_>) -> Verdict {
    Verdict::Shape
}
