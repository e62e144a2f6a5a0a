//! Recognizers of a team's own, read from YAML. The files of Presidio's no-code recognizers are
//! read as they are (<https://microsoft.github.io/presidio/tutorial/08_no_code/>).

use std::{collections::BTreeMap, path::Path};

use lockgate_core::{Failure, Result, yaml};
use lockgate_detect::{Custom, Engine, Entity, Options};
use serde::Deserialize;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    #[serde(default)]
    recognizers: Vec<Entry>,
    /// Values that are never reported.
    #[serde(default)]
    allow_list: Vec<String>,
    /// The least score that is reported, by entity.
    #[serde(default)]
    thresholds: BTreeMap<String, f32>,
    #[serde(default)]
    #[expect(dead_code, reason = "every language is looked for")]
    supported_languages: Vec<String>,
    #[serde(default)]
    global_regex_flags: Option<u32>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Entry {
    name: String,
    supported_entity: Option<String>,
    #[serde(default)]
    supported_entities: Vec<String>,
    #[serde(default)]
    #[expect(dead_code, reason = "every language is looked for")]
    supported_language: Option<String>,
    #[serde(default)]
    supported_languages: Vec<Language>,
    #[serde(default)]
    patterns: Vec<Pattern>,
    #[serde(default)]
    deny_list: Vec<String>,
    #[serde(default)]
    #[expect(dead_code, reason = "a listed word is always reported")]
    deny_list_score: Option<f32>,
    #[serde(default)]
    context: Vec<String>,
    #[serde(rename = "type", default)]
    kind: Kind,
    #[serde(default)]
    #[expect(dead_code, reason = "Presidio's name of a class; what is built in is on in any case")]
    class_name: Option<String>,
    #[serde(default)]
    #[expect(dead_code, reason = "the pattern is what counts")]
    country_code: Option<String>,
    enabled: Option<bool>,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Language {
    Code(#[expect(dead_code, reason = "every language is looked for")] String),
    Context {
        #[expect(dead_code, reason = "every language is looked for")]
        language: String,
        #[serde(default)]
        context: Vec<String>,
    },
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Pattern {
    #[expect(dead_code, reason = "for people")]
    name: String,
    regex: String,
    score: f32,
}

#[derive(Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Kind {
    #[default]
    Custom,
    /// Built in, here as there.
    Predefined,
}

/// Python's `re.IGNORECASE | re.MULTILINE | re.DOTALL`, which Presidio's patterns have by default.
const PRESIDIO_FLAGS: u32 = 2 | 8 | 16;

/// An engine with what the file at `path` adds to `options`.
pub fn engine(path: Option<&Path>, options: Options) -> Result<Engine> {
    let Some(path) = path else { return Engine::with(&options).map_err(Failure::bug) };
    parse(&yaml::read_text(path)?, &path.display().to_string(), options)
}

/// An engine with what the text of a file adds to `options`; `place` is the file's name in messages.
pub fn parse(text: &str, place: &str, options: Options) -> Result<Engine> {
    let mut options = options;
    let file: File = yaml::parse(text, place)?;
    let flags = flags(file.global_regex_flags.unwrap_or(PRESIDIO_FLAGS));
    for entry in file.recognizers.into_iter().filter(|e| e.kind == Kind::Custom && e.enabled != Some(false)) {
        let line = line_of(text, &entry.name);
        let entities = entry.supported_entity.iter().chain(&entry.supported_entities);
        let [entity] = entities.collect::<Vec<_>>()[..] else {
            return Err(Failure::input(format!(
                "{place}:{line}: recognizer {:?} needs one supported_entity",
                entry.name
            )));
        };
        if !entity.bytes().all(|b| b.is_ascii_uppercase() || b.is_ascii_digit() || b == b'_') || entity.is_empty() {
            return Err(Failure::input(format!("{place}:{line}: {entity:?} is no entity"))
                .hint("write it in capitals, digits and underscores, as EMPLOYEE_ID"));
        }
        let mut context = entry.context;
        for language in entry.supported_languages {
            if let Language::Context { context: more, .. } = language {
                context.extend(more);
            }
        }
        let custom = Custom {
            name: entry.name,
            entity: entity.clone(),
            patterns: entry.patterns.into_iter().map(|p| (format!("(?{flags}:{})", p.regex), p.score)).collect(),
            words: entry.deny_list,
            context,
        };
        // One by one first, so that an error names its line.
        custom.check().map_err(|why| {
            let failure = Failure::input(format!("{place}:{line}: {why}"));
            if why.contains("look") {
                failure.hint("look-around has no place in linear time; name the words around under `context`")
            } else {
                failure
            }
        })?;
        options.custom.push(custom);
    }
    options.allow.extend(file.allow_list);
    for (name, threshold) in file.thresholds {
        let line = line_of(text, &name);
        let known = Entity::parse(&name).is_some() || options.custom.iter().any(|custom| custom.entity == name);
        if !known {
            return Err(Failure::input(format!("{place}:{line}: unknown entity {name:?}")));
        }
        if !(0.0..=1.0).contains(&threshold) {
            return Err(Failure::input(format!(
                "{place}:{line}: the threshold of {name} does not lie between 0 and 1"
            )));
        }
        options.thresholds.push((name, threshold));
    }
    Engine::with(&options).map_err(|why| Failure::input(format!("{place}: {why}")))
}

fn flags(python: u32) -> String {
    [(2, 'i'), (8, 'm'), (16, 's')].iter().filter(|(bit, _)| python & bit != 0).map(|(_, flag)| *flag).collect()
}

/// The line that names something, from 1.
fn line_of(text: &str, name: &str) -> usize {
    text.lines().position(|line| line.contains(name)).map_or(1, |at| at + 1)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Of the built-in ones a single entity: compiling all of them is not what is looked at here.
    fn options() -> Options {
        Options { entities: Entity::parse("IMEI").into_iter().collect(), ..Options::default() }
    }

    #[test]
    fn a_file_is_read_or_refused_with_its_line() {
        let good = "recognizers:\n  - {name: Team, supported_entity: TEAM, deny_list: [Blue Heron]}\n";
        let engine = parse(good, "own.yaml", options()).expect("an engine");
        let mut findings = Vec::new();
        engine.scan("the Blue Heron", &mut findings);
        assert_eq!(findings.len(), 1);
        let bad = good.replace("deny_list: [Blue Heron]", "patterns: [{name: x, regex: '(', score: 1}]");
        let failure = parse(&bad, "own.yaml", options()).expect_err("an open group");
        assert!(failure.to_string().starts_with("own.yaml:2:"), "{failure}");
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]
        #[test]
        fn any_text_is_an_engine_or_an_error(
            text in "[a-z_:\\-\\[\\]{} \\n'\"0-9]{0,200}",
            regex in "[a-z0-9()\\[\\]{}|*+?.\\\\^$-]{0,24}",
            score in -1.0f32..2.0,
            word in ".{0,16}",
        ) {
            let _ = parse(&text, "own.yaml", options());
            let word = serde_json::Value::String(word).to_string();
            let own = format!("recognizers:\n  - name: r\n    supported_entity: R\n    patterns: [{{name: p, regex: '{regex}', score: {score}}}]\n    deny_list: [{word}]\n");
            if let Ok(engine) = parse(&own, "own.yaml", options()) {
                engine.scan("some text with a few words, 12 numbers and (signs)", &mut Vec::new());
            }
        }
    }
}
