//! What can be done to a value.

use lockgate_core::Classification;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// An operator as a pipeline writes it: `tokenize`, or `mask: {keepLast: 2}`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum Operator {
    /// Leave the value as it is.
    Keep,
    /// Remove the column.
    Drop,
    /// Replace each finding in the text by `<ENTITY>`.
    Redact,
    /// Replace all but the first and last characters by `*`.
    Mask(Mask),
    /// Replace the value by a keyed hash, which cannot be reversed.
    Hash,
    /// Replace the value by a token that joins and that policy can let somebody reverse.
    Tokenize,
    /// Make the value coarser.
    Generalize(Generalize),
}

/// How much of a masked value stays readable.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct Mask {
    /// Characters kept at the start.
    pub keep_first: usize,
    /// Characters kept at the end.
    pub keep_last: usize,
}

/// A coarser form.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum Generalize {
    /// A date or time becomes the first day of its month.
    Month,
    /// A date or time becomes the first day of its year.
    Year,
    /// A number becomes the lower end of its bucket of this width.
    Bucket(u32),
    /// An IP address becomes its network of this prefix length; IPv6 takes twice the length.
    Prefix(u8),
}

impl Operator {
    /// What a classification asks for when neither contract nor pipeline says more.
    pub fn default_for(classification: Classification) -> Self {
        match classification {
            Classification::Public => Self::Keep,
            Classification::Internal | Classification::Confidential => Self::Redact,
            Classification::Restricted => Self::Tokenize,
        }
    }

    /// The word in events and reports.
    pub fn as_str(&self) -> &'static str {
        match self {
            Self::Keep => "keep",
            Self::Drop => "drop",
            Self::Redact => "redact",
            Self::Mask(_) => "mask",
            Self::Hash => "hash",
            Self::Tokenize => "tokenize",
            Self::Generalize(_) => "generalize",
        }
    }
}
