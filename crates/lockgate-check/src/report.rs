//! Reports: for people, for programs and for what CI shows beside the code.
//!
//! Every format says the same findings. Source lines are shown with everything masked that is a
//! credential or a part of one.

mod annotations;
mod junit;
mod sarif;
mod text;

pub use annotations::{github, gitlab};
pub use junit::junit;
pub use sarif::sarif;
pub use text::{Colours, text};

use crate::{
    accept::Notice,
    facts::Problem,
    finding::Finding,
    read::Masks,
    rules::{Answer, Bundle, Rule},
    source::Tree,
};

/// What a report is made of.
#[derive(Debug)]
pub struct Report<'r> {
    pub tree: &'r Tree,
    pub bundle: &'r Bundle,
    pub masks: &'r Masks,
    pub findings: &'r [Finding],
    pub problems: &'r [Problem],
    pub notices: &'r [Notice],
    pub files: usize,
    pub strict: bool,
    /// Where the root lies in the repository, with a `/` at its end, for those who show files by it.
    pub prefix: String,
}

impl Report<'_> {
    pub fn rule(&self, id: &str) -> Option<&Rule> {
        self.bundle.rules.iter().find(|rule| rule.id == id)
    }

    /// Violations that nobody accepted.
    pub fn violations(&self) -> usize {
        self.findings.iter().filter(|f| f.answer == Answer::Violation && f.accepted.is_none()).count()
    }

    pub fn unresolved(&self) -> usize {
        self.findings.iter().filter(|f| f.answer == Answer::Unresolved && f.accepted.is_none()).count()
    }

    pub fn accepted(&self) -> usize {
        self.findings.iter().filter(|f| f.accepted.is_some()).count()
    }

    /// Whether the check fails.
    pub fn fails(&self) -> bool {
        self.violations() > 0 || self.strict && (self.unresolved() > 0 || !self.problems.is_empty())
    }

    /// A line of a file with what must not be shown masked.
    pub fn excerpt(&self, path: &str, line: u32) -> Option<String> {
        let id = self.tree.find(path)?;
        let file = self.tree.file(id)?;
        let (text, start) = file.line(line)?;
        let mut hidden = vec![false; text.len()];
        let mut hide = |from: usize, to: usize| {
            if let Some(range) = hidden.get_mut(from.min(text.len())..to.min(text.len())) {
                range.fill(true);
            }
        };
        let start = start as usize;
        let whole = file.text().ok()?;
        for (from, to, value) in self.masks.places.get(&id).map(Vec::as_slice).unwrap_or_default() {
            let (from, to) = (*from as usize, *to as usize);
            if from >= start + text.len() || to <= start {
                continue;
            }
            // Where the value stands as it is, it alone is hidden; where it was put together, escaped or
            // encoded, all of the literal is.
            let literal = whole.get(from..to.min(whole.len())).unwrap_or_default();
            let verbatim = value.chars().count() >= 3 && literal.contains(&**value);
            if verbatim {
                continue;
            }
            let (first, last) = (from.max(start) - start, to.min(start + text.len()) - start);
            let part = text.get(first..last).unwrap_or_default();
            let quotes = |c: char| matches!(c, '"' | '\'');
            let head = if from >= start { part.find(quotes).filter(|at| *at < 4).map_or(0, |at| at + 1) } else { 0 };
            let tail = usize::from(to <= start + text.len() && part.ends_with(quotes) && part.len() > head);
            hide(first + head, last - tail);
        }
        for value in &self.masks.values {
            let mut from = 0;
            while let Some(at) = text.get(from..).and_then(|rest| rest.find(&**value)) {
                hide(from + at, from + at + value.len());
                from += at + value.len();
            }
        }
        if self.masks.lines.contains(&(id, line)) {
            numbers(text).for_each(|range| hide(range.start, range.end));
        }
        let mut out = String::new();
        for (at, c) in text.char_indices() {
            if hidden.get(at) == Some(&true) {
                out.push('•');
            } else if c == '\t' {
                out.push(' ');
            } else if !crate::facts::is_unseen(c) {
                out.push(c);
            }
        }
        let short: String = out.chars().take(160).collect();
        Some(short)
    }
}

/// Numbers of a line that are no part of a name.
fn numbers(text: &str) -> impl Iterator<Item = std::ops::Range<usize>> {
    let mut from = 0;
    std::iter::from_fn(move || {
        loop {
            let start = from + text.get(from..)?.find(|c: char| c.is_ascii_digit())?;
            let rest = text.get(start..)?;
            let end = start + rest.find(|c: char| !c.is_ascii_alphanumeric() && c != '_').unwrap_or(rest.len());
            from = end;
            let before = text.get(..start)?.chars().next_back();
            if !before.is_some_and(|c| c.is_alphanumeric() || c == '_') {
                return Some(start..end);
            }
        }
    })
}

/// The level of a finding where three of them are known.
fn level(finding: &Finding) -> &'static str {
    use crate::config::RuleSetting as S;
    match (finding.answer, finding.severity) {
        (Answer::Unresolved, _) => "note",
        (_, S::Critical | S::High) => "error",
        (_, S::Medium) => "warning",
        _ => "note",
    }
}
