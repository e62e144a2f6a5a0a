//! Names and ids. Parsed once at the edge, so that no path or key is built from raw text.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Deserializer, Serialize, de};

use crate::{Failure, Result};

/// A name of a dataset, pipeline, publisher or model: `[a-z][a-z0-9_.-]{0,52}`, no `..`. The
/// quarantine of a dataset has its name with `.quarantine` appended.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(transparent)]
pub struct Name(String);

impl Name {
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether this names the quarantine of another dataset.
    pub fn is_quarantine(&self) -> bool {
        self.0.ends_with(QUARANTINE)
    }

    /// The dataset that holds what this dataset's gates refused.
    pub fn quarantine(&self) -> Self {
        Self(format!("{}{QUARANTINE}", self.0))
    }
}

const QUARANTINE: &str = ".quarantine";

impl FromStr for Name {
    type Err = Failure;

    fn from_str(text: &str) -> Result<Self> {
        let own = text.strip_suffix(QUARANTINE).unwrap_or(text);
        let mut chars = own.chars();
        let first = chars.next().is_some_and(|c| c.is_ascii_lowercase());
        let rest = chars.all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || "_.-".contains(c));
        if first && rest && own.len() <= 53 && !text.contains("..") {
            Ok(Self(text.to_owned()))
        } else {
            Err(Failure::input(format!("{text:?} is not a name"))
                .hint("start with a lowercase letter; then a-z, 0-9, '_', '-' or '.'; at most 53"))
        }
    }
}

impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl<'de> Deserialize<'de> for Name {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(de::Error::custom)
    }
}

/// One execution of a pipeline: a UUID version 7 (RFC 9562), so that ids sort by time.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct RunId(String);

impl RunId {
    pub fn generate() -> Self {
        Self(uuid::Uuid::now_v7().to_string())
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for RunId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Who acts: an id (a SPIFFE id, a user name) and the roles that policy decides on.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Principal {
    pub id: String,
    pub roles: Vec<String>,
}
