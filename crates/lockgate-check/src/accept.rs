//! Findings that somebody accepted: in a comment beside the code, or in a baseline with a date.
//!
//! Invariants: nothing is accepted without a reason, and nothing for ever by accident: a comment
//! without a reason, an entry without a date and an entry past it do not count, and are said to
//! be there.

use std::path::Path;

use lockgate_core::{Failure, Result, nearest, yaml};
use serde::{Deserialize, Serialize};

use crate::{
    finding::{Accepted, Finding},
    source::{Tree, printable},
};

/// What a comment starts with: `lockgate: allow RULE: reason`.
const MARK: &str = "lockgate: allow ";
/// Most lines of one expression that a comment may stand on.
const LINES_MAX: u32 = 60;

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
    pub about: About,
}

/// What a notice is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum About {
    /// An acceptance that does not hold.
    Acceptance,
    /// A file that was named and is not checked.
    PassedOver,
    /// An entry of a baseline that no finding is for.
    Gone,
}

impl Baseline {
    pub fn read(path: &Path) -> Result<Self> {
        Self::parse(&yaml::read_text(path)?, path)
    }

    /// Reads what `path` holds.
    pub fn parse(text: &str, path: &Path) -> Result<Self> {
        let baseline: Self = yaml::parse(text, &path.display().to_string())?;
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
                        about: About::Acceptance,
                    });
                }
            }
            if !found {
                notices.push(Notice {
                    place: entry.file.clone(),
                    what: format!("{} is no longer found; take it out of the baseline", entry.fingerprint),
                    about: About::Gone,
                });
            }
        }
        notices
    }
}

/// Marks what comments accept: on the finding's lines, or alone on the line above them. Says which
/// comments name no rule, give no reason or accept nothing.
pub fn comments(tree: &Tree, rules: &[&str], findings: &mut [Finding]) -> Vec<Notice> {
    let mut notices = Vec::new();
    for (id, file) in tree.files.iter().enumerate() {
        if tree.asked.get(id) != Some(&true) || !file.text().is_ok_and(|text| text.contains(MARK)) {
            continue;
        }
        let Ok(text) = file.text() else { continue };
        for (number, line) in (1u32..).zip(text.lines()) {
            let Some((before, rest)) = line.split_once(MARK) else { continue };
            // A comment, not a text that talks of one.
            let head = before.trim_end();
            if !["#", "//", "--", ";", "/*", "<!--"].iter().any(|start| head.ends_with(start)) {
                continue;
            }
            let (rule, reason) = rest.split_once(':').unwrap_or((rest, ""));
            let rule = rule.trim();
            let reason = reason.trim().trim_end_matches("*/").trim_end_matches("-->").trim();
            let alone = before.trim_start().trim_matches(['#', '/', '-', ';', '*', ' ']).is_empty();
            let what = if !rules.contains(&rule) {
                let near = nearest(rule, rules.iter().copied()).map(|near| format!("; did you mean {near:?}?"));
                format!("`{MARK}{}` names no rule{}", printable(rule), near.unwrap_or_default())
            } else if reason.is_empty() {
                format!("`{MARK}{rule}` gives no reason and does not count; write `{MARK}{rule}: why`")
            } else {
                let mut used = false;
                for finding in findings.iter_mut().filter(|f| f.rule == rule && *f.file == *file.path) {
                    let last = finding.end_line.clamp(finding.line, finding.line + LINES_MAX);
                    if (finding.line..=last).contains(&number) || alone && number + 1 == finding.line {
                        used = true;
                        finding.accepted.get_or_insert(Accepted {
                            by: "comment",
                            reason: reason.to_owned(),
                            until: None,
                        });
                    }
                }
                if used {
                    continue;
                }
                format!("`{MARK}{rule}` accepts nothing; take it out")
            };
            notices.push(Notice { place: format!("{}:{number}", file.path), what, about: About::Acceptance });
        }
    }
    notices
}
