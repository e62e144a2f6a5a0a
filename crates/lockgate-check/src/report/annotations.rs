//! What CI shows beside the code: GitHub's workflow commands and GitLab's code quality report.

use std::fmt::Write as _;

use serde_json::{Value, json};

use super::{Report, level};
use crate::{finding::Finding, rules::Answer};

/// GitHub's workflow commands, one a line:
/// <https://docs.github.com/actions/reference/workflow-commands-for-github-actions>.
pub fn github(report: &Report<'_>) -> String {
    let mut out = String::new();
    for finding in report.findings.iter().filter(|f| f.accepted.is_none()) {
        let command = match level(finding) {
            "error" => "error",
            "warning" => "warning",
            _ => "notice",
        };
        let _ = writeln!(
            out,
            "::{command} file={},line={},col={},title={}::{}",
            property(&format!("{}{}", report.prefix, finding.file)),
            finding.line,
            finding.column,
            property(&format!("lockgate: {}", finding.rule)),
            data(&message(report, finding)),
        );
    }
    for problem in report.problems {
        let file = property(&format!("{}{}", report.prefix, problem.file));
        let _ = writeln!(
            out,
            "::warning file={file},line={}::{}",
            problem.line.max(1),
            data(&format!("not read: {}", problem.what))
        );
    }
    out
}

/// GitLab's code quality report:
/// <https://docs.gitlab.com/ci/testing/code_quality/#code-quality-report-format>.
pub fn gitlab(report: &Report<'_>) -> Value {
    use crate::config::RuleSetting as S;
    report
        .findings
        .iter()
        .filter(|f| f.accepted.is_none())
        .map(|finding| {
            let severity = match (finding.answer, finding.severity) {
                (Answer::Unresolved, _) => "info",
                (_, S::Critical) => "blocker",
                (_, S::High) => "critical",
                (_, S::Medium) => "major",
                _ => "minor",
            };
            json!({
                "description": message(report, finding),
                "check_name": finding.rule,
                "fingerprint": lockgate_core::Digest::of(format!("{}:{}", finding.fingerprint, finding.message).as_bytes()).to_string(),
                "severity": severity,
                "location": {"path": format!("{}{}", report.prefix, finding.file), "lines": {"begin": finding.line}},
            })
        })
        .collect()
}

fn message(report: &Report<'_>, finding: &Finding) -> String {
    let fix = report.rule(&finding.rule).map_or("", |rule| &rule.fix);
    let instead =
        if finding.instead.is_empty() { String::new() } else { format!(" Write {} instead.", finding.instead) };
    format!("{}.{instead} {fix}", finding.message)
}

fn data(text: &str) -> String {
    text.replace('%', "%25").replace('\r', "%0D").replace('\n', "%0A")
}

fn property(text: &str) -> String {
    data(text).replace(':', "%3A").replace(',', "%2C")
}
