//! The report for people.

use std::fmt::Write as _;

use super::Report;
use crate::{config::RuleSetting, finding::Finding, rules::Answer};

/// Whether colours are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Colours {
    On,
    Off,
}

impl Colours {
    fn paint(self, code: &str, text: &str) -> String {
        match self {
            Self::On => format!("\u{1b}[{code}m{text}\u{1b}[0m"),
            Self::Off => text.to_owned(),
        }
    }
}

/// Findings one after the other, each with its way, then the count.
pub fn text(report: &Report<'_>, colours: Colours) -> String {
    let mut out = String::new();
    let shown = |f: &&Finding| f.accepted.is_none() && (report.strict || f.answer == Answer::Violation);
    for finding in report.findings.iter().filter(shown) {
        one(&mut out, report, finding, colours);
    }
    for problem in report.problems {
        let place = if problem.line == 0 {
            printable(&problem.file)
        } else {
            format!("{}:{}:{}", printable(&problem.file), problem.line, problem.column)
        };
        let _ = writeln!(out, "{} {place}: {}", colours.paint("1;33", "not read"), problem.what);
    }
    for notice in report.notices {
        let _ = writeln!(out, "{} {}: {}", colours.paint("1;33", "notice"), notice.place, notice.what);
    }
    if !report.problems.is_empty() || !report.notices.is_empty() {
        out.push('\n');
    }
    out.push_str(&summary(report, colours));
    out
}

fn one(out: &mut String, report: &Report<'_>, finding: &Finding, colours: Colours) {
    let (code, word) = match (finding.answer, finding.severity) {
        (Answer::Unresolved, _) => ("1;36", "unresolved"),
        (_, RuleSetting::Critical) => ("1;31", "critical"),
        (_, RuleSetting::High) => ("1;31", "high"),
        (_, RuleSetting::Medium) => ("1;33", "medium"),
        (_, _) => ("1;34", "low"),
    };
    let _ = writeln!(
        out,
        "{} {}",
        colours.paint(code, &format!("{word} {}", finding.rule)),
        colours.paint("1", &finding.message)
    );
    let _ = writeln!(out, "  {}:{}:{}", printable(&finding.file), finding.line, finding.column);
    // The steps, each line of source once.
    let mut lines: Vec<(String, u32, String)> = Vec::new();
    for step in &finding.way {
        match lines.iter_mut().find(|(file, line, _)| *file == step.file && *line == step.line) {
            Some((.., what)) if !what.contains(&step.what) => {
                what.push_str(", ");
                what.push_str(&step.what);
            }
            Some(_) => {}
            None => lines.push((step.file.clone(), step.line, step.what.clone())),
        }
    }
    let given = if finding.sink.is_empty() { String::new() } else { format!("given to `{}`", finding.sink) };
    match lines.iter_mut().find(|(file, line, _)| *file == finding.file && *line == finding.line) {
        Some((.., what)) if !given.is_empty() && lines_end_here(finding) => {
            what.push_str(", ");
            what.push_str(&given);
        }
        Some(_) => {}
        None => lines.push((finding.file.clone(), finding.line, given)),
    }
    let width = lines.iter().map(|(_, line, _)| line.to_string().len()).max().unwrap_or(1);
    let mut last = finding.file.as_str();
    for (file, line, what) in &lines {
        if file != last {
            let _ = writeln!(out, "  {file}");
            last = file;
        }
        let source = report.excerpt(file, *line).unwrap_or_default();
        let note =
            if what.is_empty() { String::new() } else { format!("  {}", colours.paint("36", &format!("← {what}"))) };
        let _ = writeln!(out, "  {line:>width$} │ {}{note}", source.trim_end());
    }
    if let Some(unresolved) = &finding.unresolved {
        let _ = writeln!(out, "  {} {}; {}", colours.paint("1", "why:"), unresolved.why, unresolved.resolve);
    }
    if let Some(rule) = report.rule(&finding.rule) {
        let _ = writeln!(out, "  {} {}", colours.paint("1", "risk:"), rule.why);
        let fix = if finding.instead.is_empty() {
            rule.fix.clone()
        } else {
            format!("write {} instead. {}", finding.instead, rule.fix)
        };
        let _ = writeln!(out, "  {} {fix}", colours.paint("1", "fix:"));
    }
    out.push('\n');
}

/// Whether a way's last step is where the finding is.
fn lines_end_here(finding: &Finding) -> bool {
    finding.way.last().is_none_or(|step| step.file == finding.file && step.line == finding.line)
}

fn summary(report: &Report<'_>, colours: Colours) -> String {
    let count = |n: usize, one: &str, many: &str| format!("{n} {}", if n == 1 { one } else { many });
    let violations = report.violations();
    let mut parts = vec![
        colours.paint(if violations == 0 { "1;32" } else { "1;31" }, &count(violations, "violation", "violations")),
    ];
    let more = if report.unresolved() > 0 && !report.strict { " (--strict shows them)" } else { "" };
    parts.push(format!("{} unresolved{more}", report.unresolved()));
    if report.accepted() > 0 {
        parts.push(format!("{} accepted", report.accepted()));
    }
    if !report.problems.is_empty() {
        parts.push(count(report.problems.len(), "file or part not read", "files or parts not read"));
    }
    format!("{} in {}, {} rules\n", parts.join(", "), count(report.files, "file", "files"), report.bundle.rules.len())
}

/// A file's name on one line, whatever is in it.
pub(super) fn printable(name: &str) -> String {
    name.chars().map(|c| if c.is_control() { '\u{FFFD}' } else { c }).collect()
}
