//! Recognizers of a team's own: patterns and lists of words. They may match anywhere, so they are
//! searched for apart from what is built in.

use regex_automata::{Input, meta::Regex};

use crate::{Entity, context::stands_alone};

/// Custom recognizers and their patterns have these limits.
const RECOGNIZERS_MAX: usize = 64;
const PATTERNS_MAX: usize = 512;
const NFA_BYTES_MAX: usize = 16 << 20;

/// A recognizer as a team writes it.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Custom {
    pub name: String,
    pub entity: String,
    /// Regular expressions without look-around, with the score of each.
    pub patterns: Vec<(String, f32)>,
    /// Words and phrases that are always found, whole.
    pub words: Vec<String>,
    /// Words that raise the score of a weak pattern.
    pub context: Vec<String>,
}

impl Custom {
    /// Fails when it is empty, a pattern does not compile, or a score is none.
    pub fn check(&self) -> Result<(), String> {
        Patterns::new(std::slice::from_ref(self), 0).map(drop)
    }
}

/// One compiled pattern.
#[derive(Debug)]
pub(crate) struct Pattern {
    regex: Regex,
    /// The place of its recognizer among those of the engine.
    pub recognizer: usize,
    pub score: f32,
    is_word: bool,
}

/// What a list of words scores.
const WORD_SCORE: f32 = 1.0;

#[derive(Debug)]
pub(crate) struct Patterns {
    /// Says at once that none of them matches, as is most often so.
    any: Regex,
    each: Vec<Pattern>,
}

impl Patterns {
    /// `first` is the place of the first custom recognizer among those of the engine.
    pub(crate) fn new(all: &[Custom], first: usize) -> Result<Option<Self>, String> {
        if all.len() > RECOGNIZERS_MAX {
            return Err(format!("{} recognizers; {RECOGNIZERS_MAX} are allowed", all.len()));
        }
        let mut sources = Vec::new();
        for (place, custom) in all.iter().enumerate() {
            if custom.patterns.is_empty() && custom.words.is_empty() {
                return Err(format!("recognizer {:?} has neither patterns nor words", custom.name));
            }
            for (pattern, score) in &custom.patterns {
                if !(0.0..=1.0).contains(score) {
                    return Err(format!("a score of recognizer {:?} does not lie between 0 and 1", custom.name));
                }
                sources.push((pattern.clone(), first + place, *score, false, &custom.name));
            }
            for word in custom.words.iter().filter(|word| !word.is_empty()) {
                sources.push((format!("(?i:{})", escape(word)), first + place, WORD_SCORE, true, &custom.name));
            }
        }
        if sources.is_empty() {
            return Ok(None);
        }
        if sources.len() > PATTERNS_MAX {
            return Err(format!("{} patterns and words; {PATTERNS_MAX} are allowed", sources.len()));
        }
        let config = || regex_automata::meta::Config::new().nfa_size_limit(Some(NFA_BYTES_MAX));
        let mut each = Vec::new();
        for (source, recognizer, score, is_word, name) in &sources {
            let regex = Regex::builder()
                .configure(config())
                .build(source)
                .map_err(|error| format!("recognizer {name:?}: {}", reason(&error)))?;
            each.push(Pattern { regex, recognizer: *recognizer, score: *score, is_word: *is_word });
        }
        let texts: Vec<&str> = sources.iter().map(|(source, ..)| source.as_str()).collect();
        let any = Regex::builder()
            .configure(config().nfa_size_limit(Some(NFA_BYTES_MAX * 8)))
            .build_many(&texts)
            .map_err(|error| format!("the patterns together are too large: {}", reason(&error)))?;
        Ok(Some(Self { any, each }))
    }

    /// Gives every match: its pattern and where it stands.
    pub(crate) fn find<'p>(&'p self, text: &str, mut found: impl FnMut(&'p Pattern, usize, usize)) {
        if !self.any.is_match(text) {
            return;
        }
        for pattern in &self.each {
            for hit in pattern.regex.find_iter(Input::new(text)).filter(|hit| !hit.is_empty()) {
                let whole = !pattern.is_word || stands_alone(text, "", hit.start(), hit.end());
                if whole {
                    found(pattern, hit.start(), hit.end());
                }
            }
        }
    }
}

/// The regex library's own words, which name the place in the pattern.
fn reason(error: &regex_automata::meta::BuildError) -> String {
    use std::error::Error as _;
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(inner) = source {
        text = inner.to_string();
        source = inner.source();
    }
    let last = text.lines().last().unwrap_or_default().trim_start_matches("error: ");
    last.to_owned()
}

fn escape(word: &str) -> String {
    const SPECIAL: &str = "\\.+*?()|[]{}^$#&-~";
    let mut out = String::with_capacity(word.len() + 8);
    for c in word.chars() {
        if SPECIAL.contains(c) {
            out.push('\\');
        }
        out.push(c);
    }
    out
}

/// A name that lives as long as the program: configurations are few, and their size has a limit.
pub(crate) fn keep(name: &str) -> &'static str {
    Box::leak(name.to_owned().into_boxed_str())
}

/// The entity of a custom recognizer; one that is built in keeps its own.
pub(crate) fn entity(name: &str) -> Entity {
    Entity::parse(name).unwrap_or_else(|| Entity::known(keep(name)))
}
