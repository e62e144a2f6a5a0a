//! Findings that somebody accepted: in a comment beside the code, or in a baseline with a date.
//!
//! Invariants: nothing is accepted without a reason, and nothing for ever by accident: a comment
//! without a reason, an entry without a date and an entry past it do not count, and are said to
//! be there.

use std::path::Path;

use lockgate_core::{Failure, Result, yaml};
use serde::{Deserialize, Serialize};

use crate::{
    finding::{Accepted, Finding},
    source::Tree,
};

/// What a comment starts with: `lockgate: allow RULE: reason`.
const MARK: &str = "lockgate: allow ";

/// A baseline file: findings that are accepted until a day.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Baseline {
    /// `lockgate/v1`.
    pub api_version: String,
    /// `CheckBaseline`.
    pub kind: String,
    pub accepted: Vec<Entry>,
}

#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Entry {
    /// As a finding has it; it does not move with the lines.
    pub fingerprint: String,
    /// For people who read the file.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub file: String,
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub message: String,
    pub reason: String,
    /// The last day, `2026-12-31`.
    pub until: String,
}

/// What is wrong with what was accepted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Notice {
    pub place: String,
    pub what: String,
}

impl Baseline {
    pub fn read(path: &Path) -> Result<Self> {
        let baseline: Self = yaml::read(path)?;
        if baseline.api_version != "lockgate/v1" || baseline.kind != "CheckBaseline" {
            return Err(Failure::input(format!("{} is not a `lockgate/v1` of kind CheckBaseline", path.display()))
                .hint("`lockgate check --write-baseline FILE` writes one"));
        }
        for entry in &baseline.accepted {
            if chrono::NaiveDate::parse_from_str(&entry.until, "%Y-%m-%d").is_err() {
                return Err(Failure::input(format!("{}: `until: {:?}` is not a day", path.display(), entry.until))
                    .hint("write it as 2026-12-31"));
            }
            if entry.reason.trim().is_empty() {
                return Err(Failure::input(format!(
                    "{}: the entry for {} has no reason",
                    path.display(),
                    entry.fingerprint
                ))
                .hint("say why it is accepted, and by whom"));
            }
        }
        Ok(baseline)
    }

    /// A baseline of these findings.
    pub fn of(findings: &[Finding], reason: &str, until: &str) -> Self {
        Self {
            api_version: "lockgate/v1".to_owned(),
            kind: "CheckBaseline".to_owned(),
            accepted: findings
                .iter()
                .map(|f| Entry {
                    fingerprint: f.fingerprint.clone(),
                    file: f.file.clone(),
                    message: f.message.clone(),
                    reason: reason.to_owned(),
                    until: until.to_owned(),
                })
                .collect(),
        }
    }

    /// Marks what is accepted on this day; says what has run out or is no longer found.
    pub fn apply(&self, findings: &mut [Finding], today: &str) -> Vec<Notice> {
        let mut notices = Vec::new();
        for entry in &self.accepted {
            let mut found = false;
            for finding in findings.iter_mut().filter(|f| f.fingerprint == entry.fingerprint) {
                found = true;
                if entry.until.as_str() >= today {
                    finding.accepted.get_or_insert(Accepted {
                        by: "baseline",
                        reason: entry.reason.clone(),
                        until: Some(entry.until.clone()),
                    });
                } else {
                    notices.push(Notice {
                        place: format!("{}:{}", finding.file, finding.line),
                        what: format!("was accepted until {}; that day is over", entry.until),
                    });
                }
            }
            if !found {
                notices.push(Notice {
                    place: entry.file.clone(),
                    what: format!("{} is no longer found; take it out of the baseline", entry.fingerprint),
                });
            }
        }
        notices
    }
}

/// Marks what comments accept: on the finding's line, or alone on the line above it.
pub fn comments(tree: &Tree, findings: &mut [Finding]) -> Vec<Notice> {
    let mut notices = Vec::new();
    for finding in findings {
        let Some(file) = tree.find(&finding.file).and_then(|id| tree.file(id)) else { continue };
        let own = file.line(finding.line).map(|(text, _)| text);
        let last = file.line(finding.end_line).map(|(text, _)| text);
        let above = finding.line.checked_sub(1).and_then(|n| file.line(n)).map(|(text, _)| text);
        let above = above.filter(|text| text.trim_start().starts_with(['#', '/', '-', ';', '*']));
        for text in [own, last, above].into_iter().flatten() {
            let Some((_, rest)) = text.split_once(MARK) else { continue };
            let (rule, reason) = rest.split_once(':').unwrap_or((rest, ""));
            if rule.trim() != finding.rule {
                continue;
            }
            let reason = reason.trim().trim_end_matches("*/").trim_end_matches("-->").trim();
            if reason.is_empty() {
                let notice = Notice {
                    place: format!("{}:{}", finding.file, finding.line),
                    what: format!(
                        "`{MARK}{}` gives no reason and does not count; write `{MARK}{}: why`",
                        finding.rule, finding.rule
                    ),
                };
                if !notices.contains(&notice) {
                    notices.push(notice);
                }
            } else {
                finding.accepted.get_or_insert(Accepted { by: "comment", reason: reason.to_owned(), until: None });
            }
        }
    }
    notices
}
