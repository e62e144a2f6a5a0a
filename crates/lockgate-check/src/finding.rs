//! Findings: what rules said of facts, with what a person needs to act on it.

use hashbrown::HashMap;
use lockgate_core::{Failure, Result};
use serde::Serialize;

use crate::{
    config::RuleSetting,
    facts::{Fact, Facts, Step, Unresolved},
    rules::{Answer, Bundle, Verdict},
};

/// A violation, or something that could not be decided.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Finding {
    /// The same for the same thing in every run, wherever its lines move.
    pub fingerprint: String,
    pub rule: String,
    pub severity: RuleSetting,
    pub answer: Answer,
    pub message: String,
    pub file: String,
    pub line: u32,
    pub column: u32,
    pub end_line: u32,
    pub end_column: u32,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub task: Option<String>,
    /// What it is given to.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub sink: String,
    /// How the value came there, step by step.
    pub way: Vec<Step>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub unresolved: Option<Unresolved>,
    /// The replacement, in the user's own terms.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub instead: String,
    pub fact: String,
    /// Files that it comes through.
    #[serde(skip)]
    pub files: Vec<String>,
    /// Why it does not count, where it does not.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub accepted: Option<Accepted>,
}

/// A finding that somebody accepted.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Accepted {
    /// `comment` or `baseline`.
    pub by: &'static str,
    pub reason: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub until: Option<String>,
}

/// Where a fact is, whatever its kind.
struct Site<'f> {
    file: &'f str,
    at: [u32; 4],
    task: Option<&'f str>,
    sink: &'f str,
    way: &'f [Step],
    unresolved: Option<&'f Unresolved>,
    instead: &'f str,
    files: &'f [String],
}

fn site<'f, T>(fact: &'f Fact<T>, sink: &'f str, instead: &'f str) -> (&'f str, Site<'f>) {
    let site = Site {
        file: &fact.file,
        at: [fact.line, fact.column, fact.end_line, fact.end_column],
        task: fact.task.as_deref(),
        sink,
        way: &fact.way,
        unresolved: fact.unresolved.as_ref(),
        instead,
        files: &fact.files,
    };
    (&fact.id, site)
}

fn sites(facts: &Facts) -> HashMap<&str, Site<'_>> {
    let mut all = HashMap::new();
    all.extend(facts.credentials.iter().map(|f| site(f, &f.what.sink, &f.what.instead)));
    all.extend(facts.storage.iter().map(|f| site(f, &f.what.sink, "")));
    all.extend(facts.commands.iter().map(|f| site(f, &f.what.sink, "")));
    all.extend(facts.network.iter().map(|f| site(f, &f.what.sink, "")));
    all.extend(facts.images.iter().map(|f| site(f, &f.what.sink, "")));
    all.extend(facts.packages.iter().map(|f| site(f, &f.what.sink, "")));
    all.extend(facts.workloads.iter().map(|f| site(f, "", "")));
    all.extend(facts.namespaces.iter().map(|f| site(f, "", "")));
    all.extend(facts.permissions.iter().map(|f| site(f, "", "")));
    all.extend(facts.buckets.iter().map(|f| site(f, "", "")));
    all.extend(facts.deserialization.iter().map(|f| site(f, &f.what.function, "")));
    all.extend(facts.datasets.iter().map(|f| site(f, "", "")));
    all.extend(facts.audit.iter().map(|f| site(f, "", "")));
    all.extend(facts.tasks.iter().map(|f| site(f, &f.what.operator, "")));
    all
}

/// Findings in the order of files and lines.
pub fn findings(facts: &Facts, bundle: &Bundle, verdicts: &[Verdict]) -> Result<Vec<Finding>> {
    let sites = sites(facts);
    let mut out = Vec::with_capacity(verdicts.len());
    for verdict in verdicts {
        let Some(rule) = bundle.rules.get(verdict.rule) else { continue };
        let site = sites.get(verdict.fact.as_str()).ok_or_else(|| {
            let id: String = crate::source::printable(&verdict.fact).chars().take(60).collect();
            Failure::input(format!("rule {} names a fact that is not there: {id:?}", rule.id))
                .hint("`fact` is the `id` of something in the input")
        })?;
        let fingerprint = format!("{}/{}", rule.id, verdict.fact);
        let [line, column, end_line, end_column] = site.at;
        out.push(Finding {
            fingerprint,
            rule: rule.id.clone(),
            severity: rule.severity,
            answer: verdict.answer,
            message: verdict.message.clone(),
            file: site.file.to_owned(),
            line,
            column,
            end_line,
            end_column,
            task: site.task.map(str::to_owned),
            sink: site.sink.to_owned(),
            way: site.way.to_vec(),
            unresolved: site.unresolved.cloned(),
            instead: site.instead.to_owned(),
            fact: verdict.fact.clone(),
            files: site.files.to_vec(),
            accepted: None,
        });
    }
    out.sort_by(|a, b| {
        (&a.file, a.line, a.column, &a.rule, &a.message).cmp(&(&b.file, b.line, b.column, &b.rule, &b.message))
    });
    // One sentence a place: two ways to the same thing are one finding.
    out.dedup_by(|b, a| {
        a.file == b.file && a.line == b.line && a.column == b.column && a.rule == b.rule && a.message == b.message
    });
    Ok(out)
}
