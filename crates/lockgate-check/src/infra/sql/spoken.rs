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
    LazyLock::new(|| Regex::new(r"(?s)\{%-?\s*set\s+(\w+)\s*-?%\}.*?\{%-?\s*endset\s*-?%\}").ok());
/// A call whose block its macro prints.
static CALL: LazyLock<Option<Regex>> = LazyLock::new(|| Regex::new(r"\{%-?\s*(?:call[\s(][^%]*|endcall)\s*-?%\}").ok());
/// `format('... password %L', name)`: a variable that becomes a password.
static PASSWORD: LazyLock<Option<Regex>> = LazyLock::new(|| {
    Regex::new(r"(?is)\bformat\s*\(\s*'[^']*\bpassword\s+%[lL][^']*'((?:\s*,\s*[\w']+){1,20})\s*\)").ok()
});

/// A template in which a block that is set is printed behind it as well.
pub(super) fn printed(text: &str) -> Cow<'_, str> {
    if !text.contains("endset") && !text.contains("endcall") {
        return Cow::Borrowed(text);
    }
    let (Some(block), Some(call)) = (BLOCK.as_ref(), CALL.as_ref()) else { return Cow::Borrowed(text) };
    let text = block.replace_all(text, "$0{{ $1 }}").into_owned();
    Cow::Owned(call.replace_all(&text, "").into_owned())
}

/// `CONCAT('a', 'b')` as the one text that it is.
pub(super) fn folded(text: &str) -> Cow<'_, str> {
    let Some(concat) = CONCAT.as_ref() else { return Cow::Borrowed(text) };
    concat.replace_all(text, |found: &Captures<'_>| {
        let parts = found.get(1).map_or("", |parts| parts.as_str());
        format!("'{}'", parts.split('\'').skip(1).step_by(2).collect::<String>())
    })
}

/// Places of a location that are looked at.
const OCCURRENCES_MAX: usize = 8;

/// Whether a statement reads a location or writes to it, by the word before it.
pub(super) fn access(body: &str, location: &storage::Location) -> &'static str {
    let whole =
        if location.key.is_empty() { location.bucket.clone() } else { format!("{}/{}", location.bucket, location.key) };
    let mut found = "any";
    for (at, _) in body.match_indices(&whole).take(OCCURRENCES_MAX) {
        let before = body.get(..at).unwrap_or_default();
        let before = before.rsplit_once("://").filter(|(_, rest)| rest.is_empty()).map_or(before, |(before, _)| before);
        let before = before.trim_end_matches(|c: char| c.is_ascii_alphanumeric());
        let before = before.trim_end_matches(['\'', '"', '(', '[', ' ', '\n']);
        let word = before.rsplit(|c: char| !c.is_alphanumeric() && c != '_').next().unwrap_or_default();
        match word.to_ascii_lowercase().as_str() {
            "to" => return "write",
            "from" => found = "read",
            word if word.starts_with("read_") || word.ends_with("_scan") => found = "read",
            _ => {}
        }
    }
    found
}

/// `find` tells where a text stands in the file.
pub(super) fn variables(
    collector: &mut Collector<'_>,
    body: &str,
    find: &impl Fn(&str) -> Option<Place>,
    start: Place,
) {
    let passwords: Vec<&str> = PASSWORD
        .iter()
        .flat_map(|rule| rule.captures_iter(body))
        .filter_map(|found| found.get(1).map(|args| args.as_str()))
        .collect();
    for found in VARIABLE.iter().flat_map(|rule| rule.captures_iter(body)) {
        let (Some(name), Some(value)) = (found.get(1), found.get(2)) else { continue };
        let is_password = passwords.iter().any(|args| args.split(',').any(|arg| arg.trim() == name.as_str()));
        let name = if is_password { "password" } else { name.as_str() };
        let place = find(value.as_str()).or_else(|| find(name)).unwrap_or(start);
        config_value(collector, name, &val(value.as_str(), place), Sink { what: "SQL", place, access: "any" });
    }
    for found in S3_URI.iter().flat_map(|rule| rule.captures_iter(body)) {
        let (Some(bucket), Some(key)) = (found.get(1), found.get(2)) else { continue };
        let place = find(bucket.as_str()).unwrap_or(start);
        let location = storage::bucket("s3", bucket.as_str(), "", key.as_str());
        collector.storage(&location, &literal(place), Sink { what: "SQL", place, access: "any" });
    }
}
