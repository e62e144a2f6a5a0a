//! Whom SQL lets do everything, and what it no longer writes down.

use std::sync::LazyLock;

use regex::Regex;

use crate::{collect::Collector, infra::cloud, source::Place};

/// What a statement that matches grants.
const BROAD: [(&str, &str); 5] = [
    (r"(?is)\bgrant\s+all(?:\s+privileges)?\s+on\s[^;]{1,400}?\sto\s+public\b", "all privileges to everybody"),
    (r"(?is)\bgrant\s+all(?:\s+privileges)?\s+on\s+\*\.\*\s+to\b", "all privileges on everything"),
    (r"(?is)\b(?:create|alter)\s+(?:role|user)\s+[^\s;]+\s(?:[^;']|'[^']*'){0,300}?\bsuperuser\b", "superuser"),
    (r"(?is)\bgrant\s+role\s+accountadmin\s+to\s+(?:role|user)\b", "accountadmin"),
    (r"(?is)\bgrant\s+(?:rds_superuser|azure_pg_admin|cloudsqlsuperuser)\s+to\b", "superuser"),
];

/// `find` tells where a text of the statement stands in the file.
pub(super) fn grants(collector: &mut Collector<'_>, body: &str, find: &impl Fn(&str) -> Option<Place>, start: Place) {
    static RULES: LazyLock<Vec<(Regex, &str)>> =
        LazyLock::new(|| BROAD.iter().filter_map(|(rule, what)| Some((Regex::new(rule).ok()?, *what))).collect());
    static SETTING: LazyLock<Option<Regex>> = LazyLock::new(|| {
        Regex::new(
            r"(?i)\b(?:alter\s+(?:system|(?:database|role|user)\s+\S+)\s+set|set\s+global)\s+([a-z_.]+)\s*(?:=|\sto\s)\s*'?([a-z0-9_]+)",
        )
        .ok()
    });
    for (rule, what) in RULES.iter() {
        for found in rule.find_iter(body) {
            let place = find(found.as_str()).unwrap_or(start);
            cloud::permission(collector, "SQL", "statement", &[what], place);
        }
    }
    for found in SETTING.iter().flat_map(|rule| rule.captures_iter(body)) {
        let (Some(all), Some(name), Some(value)) = (found.get(0), found.get(1), found.get(2)) else { continue };
        if let Some(name) = cloud::unlogged(name.as_str(), value.as_str()) {
            cloud::audit(collector, "SQL", name, find(all.as_str()).unwrap_or(start));
        }
    }
}
