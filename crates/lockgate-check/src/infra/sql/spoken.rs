//! What procedural SQL says: variables with their texts, texts that are put together, the bucket
//! that a function is given.

use std::{borrow::Cow, sync::LazyLock};

use regex::{Captures, Regex};

use crate::{
    collect::{Collector, Sink},
    infra::{config_value, val},
    source::Place,
    storage,
    value::literal,
};

/// `pw text := '...'`, `DECLARE bucket STRING DEFAULT '...'`.
static VARIABLE: LazyLock<Option<Regex>> = LazyLock::new(|| {
    Regex::new(
        r"(?i)\b([a-z_]\w*)\s+(?:constant\s+)?(?:text|string|n?varchar2?(?:\([^)]*\))?|char(?:\([^)]*\))?)\s*(?::=|=|\bdefault\b)\s*'([^'\n]{1,500})'",
    )
    .ok()
});
/// `aws_commons.create_s3_uri('bucket', 'key', 'region')` of PostgreSQL on AWS.
static S3_URI: LazyLock<Option<Regex>> =
    LazyLock::new(|| Regex::new(r"(?i)\bcreate_s3_uri\s*\(\s*'([^']{1,100})'\s*,\s*'([^']{0,500})'").ok());
static CONCAT: LazyLock<Option<Regex>> =
    LazyLock::new(|| Regex::new(r"(?i)\bconcat\s*\(\s*('[^']*'(?:\s*,\s*'[^']*'){1,50})\s*\)").ok());
/// A block of Jinja that is kept in a name, which what runs it prints.
static BLOCK: LazyLock<Option<Regex>> =
    LazyLock::new(|| Regex::new(r"\{%-?\s*(?:set\s+\w+|endset|do\s+run_query\([^%]*\))\s*-?%\}").ok());

/// A template in which a block that is set stands where it is set.
pub(super) fn printed(text: &str) -> Cow<'_, str> {
    if !text.contains("endset") {
        return Cow::Borrowed(text);
    }
    BLOCK.as_ref().map_or(Cow::Borrowed(text), |block| block.replace_all(text, ""))
}

/// `CONCAT('a', 'b')` as the one text that it is.
pub(super) fn folded(text: &str) -> Cow<'_, str> {
    let Some(concat) = CONCAT.as_ref() else { return Cow::Borrowed(text) };
    concat.replace_all(text, |found: &Captures<'_>| {
        let parts = found.get(1).map_or("", |parts| parts.as_str());
        format!("'{}'", parts.split('\'').skip(1).step_by(2).collect::<String>())
    })
}

/// `find` tells where a text stands in the file.
pub(super) fn variables(
    collector: &mut Collector<'_>,
    body: &str,
    find: &impl Fn(&str) -> Option<Place>,
    start: Place,
) {
    for found in VARIABLE.iter().flat_map(|rule| rule.captures_iter(body)) {
        let (Some(name), Some(value)) = (found.get(1), found.get(2)) else { continue };
        let place = find(value.as_str()).or_else(|| find(name.as_str())).unwrap_or(start);
        config_value(collector, name.as_str(), &val(value.as_str(), place), Sink { what: "SQL", place, access: "any" });
    }
    for found in S3_URI.iter().flat_map(|rule| rule.captures_iter(body)) {
        let (Some(bucket), Some(key)) = (found.get(1), found.get(2)) else { continue };
        let place = find(bucket.as_str()).unwrap_or(start);
        let location = storage::bucket("s3", bucket.as_str(), "", key.as_str());
        collector.storage(&location, &literal(place), Sink { what: "SQL", place, access: "any" });
    }
}
