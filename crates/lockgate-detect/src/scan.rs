//! The scan: a table tells the places where a value may begin, one pass of an automaton
//! gives every pattern that matches there, checks and context judge, and overlaps are resolved.
//!
//! Each place is looked at once, for a bounded number of bytes, so time is linear in the text.

mod anchors;
pub(crate) mod beginnings;
mod pass;

use std::{collections::HashSet, fmt};

use regex_automata::{
    MatchKind,
    hybrid::dfa::{Cache, DFA},
    nfa::thompson,
    util::{pool::Pool, syntax},
};

use self::{anchors::Anchors, pass::Pass};
use crate::{
    Entity, Finding, Options,
    context::{Context, Word, Words},
    custom::Patterns,
    recognizer::{Recognizer, Tail},
};

/// What the presence of a telling word adds to a score.
const CONTEXT_BOOST: f32 = 0.35;
const STATES_BYTES_MAX: usize = 16 << 20;

/// A possible finding.
#[derive(Clone, Copy, Debug)]
struct Candidate {
    recognizer: usize,
    start: usize,
    end: usize,
    score: f32,
    /// The score before words around were heard.
    base: f32,
    valid: bool,
    /// A key, token or password: it stays before whatever it stands in.
    secret: bool,
}

impl Candidate {
    /// How much of the text it explains, and how well.
    fn weight(&self) -> f32 {
        self.score * (self.end - self.start) as f32
    }
}

/// The compiled recognizers.
pub(crate) struct Scanner {
    recognizers: Vec<Recognizer>,
    anchors: Anchors,
    dfa: DFA,
    /// For each pattern of the automaton, its recognizer.
    patterns: Vec<(usize, Tail)>,
    words: Option<Words>,
    email: Option<usize>,
    url: Option<usize>,
    credentials: Option<usize>,
    threshold: f32,
    custom: Option<Patterns>,
    allow: HashSet<String>,
    scratch: Pool<Scratch, Box<dyn Fn() -> Scratch + Send + Sync + std::panic::UnwindSafe + std::panic::RefUnwindSafe>>,
}

/// What one scan works with; it is kept for the next.
struct Scratch {
    cache: Cache,
    matches: Vec<(usize, usize)>,
    candidates: Vec<Candidate>,
    /// The words heard around the last places.
    words: Vec<Word>,
}

impl fmt::Debug for Scanner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Scanner({} recognizers)", self.recognizers.len())
    }
}

impl Scanner {
    /// Fails with the text of the regex library when a pattern does not compile.
    pub(crate) fn new(
        recognizers: Vec<Recognizer>,
        custom: Option<Patterns>,
        options: &Options,
    ) -> Result<Self, String> {
        let anchors = Anchors::new(recognizers.iter().flat_map(|r| r.anchors.iter().map(AsRef::as_ref)))?;
        let (mut patterns, mut texts) = (Vec::new(), Vec::new());
        for (index, recognizer) in recognizers.iter().enumerate() {
            for pattern in recognizer.patterns.iter().filter(|pattern| !pattern.is_empty()) {
                patterns.push((index, recognizer.tail));
                // The next byte is looked at anyway; this spares most of those looks.
                let end = if recognizer.tail == Tail::Word { r"\b" } else { "" };
                texts.push(format!("(?:{pattern}){end}"));
            }
        }
        let dfa = DFA::builder()
            .syntax(syntax::Config::new().unicode(false).utf8(false))
            .thompson(thompson::Config::new().utf8(false).nfa_size_limit(Some(64 << 20)))
            .configure(
                DFA::config()
                    .match_kind(MatchKind::All)
                    .cache_capacity(STATES_BYTES_MAX)
                    .skip_cache_capacity_check(true),
            )
            .build_many(&texts)
            .map_err(|e| e.to_string())?;
        let words = Words::new(
            recognizers
                .iter()
                .enumerate()
                .flat_map(|(index, r)| r.context.iter().map(move |word| (index, word.as_ref()))),
        );
        let find = |name: &str| recognizers.iter().position(|r| r.name == name);
        let (email, url, credentials) = (find("email"), find("url"), find("credentials-in-url"));
        let for_scratch = dfa.clone();
        let make: Box<dyn Fn() -> Scratch + Send + Sync + std::panic::UnwindSafe + std::panic::RefUnwindSafe> =
            Box::new(move || Scratch {
                cache: for_scratch.create_cache(),
                matches: Vec::new(),
                candidates: Vec::new(),
                words: Vec::new(),
            });
        Ok(Self {
            recognizers,
            anchors,
            dfa,
            patterns,
            words,
            email,
            url,
            credentials,
            threshold: options.threshold,
            custom,
            allow: options.allow.iter().cloned().collect(),
            scratch: Pool::new(make),
        })
    }

    pub(crate) fn recognizers(&self) -> &[Recognizer] {
        &self.recognizers
    }

    /// What a column's name tells of.
    pub(crate) fn context(&self, name: &str) -> Context {
        self.words.as_ref().map(|words| words.of(&spaced(name))).unwrap_or_default()
    }

    pub(crate) fn telling(&self, text: &str, start: usize, end: usize, recognizer: usize) -> Option<&str> {
        self.words.as_ref()?.telling(text, start, end, recognizer)
    }

    /// Appends the findings in a text that hides nothing, in order and without overlap.
    pub(crate) fn scan(&self, text: &str, context: Context, out: &mut Vec<Finding>) {
        let first = self.anchors.find(text, 0);
        if first.is_none() && self.custom.is_none() {
            return;
        }
        let mut scratch = self.scratch.get();
        let scratch = &mut *scratch;
        scratch.candidates.clear();
        scratch.words.clear();
        let mut pass = Pass {
            scanner: self,
            text,
            column: context,
            heard_to: 0,
            covered: 0,
            url_end: 0,
            scratch,
            token_end: 0,
            address_end: 0,
        };
        let mut hit = first;
        while let Some(anchor) = hit {
            let next = pass.look(anchor.kind, anchor.start, anchor.end);
            hit = self.anchors.find(text, next);
        }
        pass.custom();
        self.resolve(text, &mut scratch.candidates, out);
    }

    /// Of what overlaps, the confirmed stays before the unconfirmed, then the surer and longer.
    fn resolve(&self, text: &str, candidates: &mut [Candidate], out: &mut Vec<Finding>) {
        candidates.sort_unstable_by(|a, b| {
            (b.secret, b.valid, b.weight())
                .partial_cmp(&(a.secret, a.valid, a.weight()))
                .unwrap_or(std::cmp::Ordering::Equal)
                .then(a.start.cmp(&b.start))
                .then(a.recognizer.cmp(&b.recognizer))
        });
        let first = out.len();
        let mut taken: std::collections::BTreeMap<usize, usize> = std::collections::BTreeMap::new();
        let single = candidates.len() == 1;
        for candidate in candidates.iter() {
            if !single {
                let before = taken.range(..candidate.end).next_back().map_or(0, |(_, end)| *end);
                if before > candidate.start {
                    continue;
                }
                taken.insert(candidate.start, candidate.end);
            }
            let Some(recognizer) = self.recognizers.get(candidate.recognizer) else { continue };
            let allowed = text.get(candidate.start..candidate.end).is_some_and(|value| self.allow.contains(value));
            // Some things are known only so that nothing else is seen in them.
            if recognizer.entity != Entity::NONE && !allowed {
                out.push(Finding {
                    entity: recognizer.entity,
                    start: candidate.start,
                    end: candidate.end,
                    score: candidate.score,
                    base: candidate.base,
                    confirmed: candidate.valid,
                    recognizer: recognizer.name,
                });
            }
        }
        if let Some(new) = out.get_mut(first..) {
            new.sort_unstable_by_key(|finding| finding.start);
        }
    }
}

/// The words of a column's name: `homePhone` and `home_phone` are "home phone".
pub fn spaced(name: &str) -> String {
    let mut out = String::with_capacity(name.len() + 8);
    let mut lower = false;
    for c in name.chars().take(256) {
        if c.is_uppercase() && lower {
            out.push(' ');
        }
        lower = c.is_lowercase();
        out.push(if c.is_alphanumeric() { c } else { ' ' });
    }
    out
}
