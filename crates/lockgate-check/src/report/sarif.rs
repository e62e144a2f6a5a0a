//! SARIF 2.1.0 (OASIS, <https://docs.oasis-open.org/sarif/sarif/v2.1.0/>).

use serde_json::{Value, json};

use super::{Report, level};
use crate::{finding::Finding, rules::Answer};

pub fn sarif(report: &Report<'_>) -> Value {
    let rules: Vec<Value> = report
        .bundle
        .rules
        .iter()
        .map(|rule| {
            json!({
                "id": rule.id,
                "name": rule.title,
                "shortDescription": {"text": rule.title},
                "fullDescription": {"text": rule.why},
                "help": {"text": rule.fix},
                "properties": {"tags": rule.references, "security-severity": score(rule.severity)},
            })
        })
        .collect();
    let results: Vec<Value> = report.findings.iter().map(|finding| result(report, finding)).collect();
    let notices: Vec<Value> = report
        .problems
        .iter()
        .map(|problem| {
            let mut location = json!({"artifactLocation": {"uri": uri(&report.prefix, &problem.file)}});
            if let (Some(object), true) = (location.as_object_mut(), problem.line > 0) {
                object.insert(
                    "region".to_owned(),
                    json!({"startLine": problem.line, "startColumn": problem.column.max(1)}),
                );
            }
            json!({
                "level": "warning",
                "message": {"text": problem.what},
                "locations": [{"physicalLocation": location}],
            })
        })
        .collect();
    json!({
        "$schema": "https://json.schemastore.org/sarif-2.1.0.json",
        "version": "2.1.0",
        "runs": [{
            "tool": {"driver": {
                "name": "lockgate check",
                "version": env!("CARGO_PKG_VERSION"),
                "informationUri": "https://github.com/lockgate/lockgate",
                "rules": rules,
            }},
            "columnKind": "unicodeCodePoints",
            "invocations": [{"executionSuccessful": true, "toolExecutionNotifications": notices}],
            "results": results,
        }],
    })
}

fn result(report: &Report<'_>, finding: &Finding) -> Value {
    let index = report.bundle.rules.iter().position(|rule| rule.id == finding.rule);
    let mut result = json!({
        "ruleId": finding.rule,
        "level": level(finding),
        "kind": if finding.answer == Answer::Unresolved { "open" } else { "fail" },
        "message": {"text": finding.message},
        "locations": [{"physicalLocation": {
            "artifactLocation": {"uri": uri(&report.prefix, &finding.file)},
            "region": {
                "startLine": finding.line, "startColumn": finding.column,
                "endLine": finding.end_line.max(finding.line), "endColumn": finding.end_column.max(1),
            },
        }}],
        "partialFingerprints": {"lockgate/v1": finding.fingerprint},
    });
    let Some(object) = result.as_object_mut() else { return result };
    if finding.answer == Answer::Unresolved {
        // Anything else than `fail` has no level of its own.
        object.insert("level".to_owned(), json!("none"));
    }
    if let Some(index) = index {
        object.insert("ruleIndex".to_owned(), json!(index));
    }
    if !finding.way.is_empty() {
        let steps: Vec<Value> = finding
            .way
            .iter()
            .map(|step| {
                json!({"location": {
                    "physicalLocation": {
                        "artifactLocation": {"uri": uri(&report.prefix, &step.file)},
                        "region": {"startLine": step.line, "startColumn": step.column.max(1)},
                    },
                    "message": {"text": step.what},
                }})
            })
            .collect();
        object.insert("codeFlows".to_owned(), json!([{"threadFlows": [{"locations": steps}]}]));
    }
    if let Some(accepted) = &finding.accepted {
        let kind = if accepted.by == "comment" { "inSource" } else { "external" };
        object.insert(
            "suppressions".to_owned(),
            json!([{"kind": kind, "status": "accepted", "justification": accepted.reason}]),
        );
    }
    result
}

/// A path as a relative URI (RFC 3986).
fn uri(prefix: &str, path: &str) -> String {
    prefix
        .bytes()
        .chain(path.bytes())
        .map(|b| match b {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'/' | b'.' | b'-' | b'_' | b'~' => (b as char).to_string(),
            b => format!("%{b:02X}"),
        })
        .collect()
}

/// GitHub sorts by this.
fn score(severity: crate::config::RuleSetting) -> &'static str {
    use crate::config::RuleSetting as S;
    match severity {
        S::Critical => "9.5",
        S::High => "8.0",
        S::Medium => "5.5",
        S::Low | S::Off => "2.0",
    }
}
