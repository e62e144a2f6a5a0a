//! Rules: Rego over facts (<https://www.openpolicyagent.org/docs/policy-language>).
//!
//! A rule is a package `lockgate.check.<name>` with a `# METADATA` comment and a set `deny`, and
//! perhaps a set `unresolved`, of objects `{"fact": id, "message": text}`. The built-in ones
//! lie in `rules/`, a team's own in folders of its choice.
//!
//! Invariants: evaluation does no I/O, has a deadline, and a panic of the engine is an error, not
//! a pass; a rule that names a fact that is not there is an error.

mod recursion;

use std::{
    num::NonZeroU32,
    panic::{AssertUnwindSafe, catch_unwind},
    path::Path,
    thread,
    time::Duration,
};

use lockgate_core::{Failure, Result, yaml as config_yaml};
use regorus::{Engine, Value};
use serde::{Deserialize, Serialize};

use crate::{
    config::{Config, RuleSetting},
    facts::Facts,
    python::STACK_BYTES,
};

/// Longest evaluation of a rule.
const DEADLINE: Duration = Duration::from_secs(10);
const FOLDERS_DEEP_MAX: usize = 8;
const FILES_MAX: usize = 256;
/// Deepest brackets of a rule: its parser recurses.
const NESTED_MAX: usize = 200;

/// The built-in bundle: name and text of each file.
pub const BUILT_IN: [(&str, &str); 22] = [
    ("audit_disabled.rego", include_str!("../rules/audit_disabled.rego")),
    ("broad_permissions.rego", include_str!("../rules/broad_permissions.rego")),
    ("hardcoded_credential.rego", include_str!("../rules/hardcoded_credential.rego")),
    ("host_access.rego", include_str!("../rules/host_access.rego")),
    ("lib.rego", include_str!("../rules/lib.rego")),
    ("missing_network_policy.rego", include_str!("../rules/missing_network_policy.rego")),
    ("personal_data_sink.rego", include_str!("../rules/personal_data_sink.rego")),
    ("privileged_workload.rego", include_str!("../rules/privileged_workload.rego")),
    ("prohibited_storage.rego", include_str!("../rules/prohibited_storage.rego")),
    ("public_storage.rego", include_str!("../rules/public_storage.rego")),
    ("root_workload.rego", include_str!("../rules/root_workload.rego")),
    ("secret_in_image.rego", include_str!("../rules/secret_in_image.rego")),
    ("storage_not_allowed.rego", include_str!("../rules/storage_not_allowed.rego")),
    ("tls_verification.rego", include_str!("../rules/tls_verification.rego")),
    ("training_not_isolated.rego", include_str!("../rules/training_not_isolated.rego")),
    ("undocumented_dataset.rego", include_str!("../rules/undocumented_dataset.rego")),
    ("unencrypted_storage.rego", include_str!("../rules/unencrypted_storage.rego")),
    ("unencrypted_transport.rego", include_str!("../rules/unencrypted_transport.rego")),
    ("unpinned_image.rego", include_str!("../rules/unpinned_image.rego")),
    ("unpinned_package.rego", include_str!("../rules/unpinned_package.rego")),
    ("unsafe_command.rego", include_str!("../rules/unsafe_command.rego")),
    ("unsafe_deserialization.rego", include_str!("../rules/unsafe_deserialization.rego")),
];

/// A rule and what it says of itself.
#[derive(Clone, Debug, Serialize)]
pub struct Rule {
    /// `hardcoded-credential`.
    pub id: String,
    pub title: String,
    pub severity: RuleSetting,
    /// Why it matters.
    pub why: String,
    pub fix: String,
    pub references: Vec<String>,
    /// Whether it is of the built-in bundle.
    pub built_in: bool,
    #[serde(skip)]
    package: String,
    #[serde(skip)]
    pub text: String,
}

/// What a rule says of a fact.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Verdict {
    pub rule: usize,
    pub fact: String,
    pub message: String,
    pub answer: Answer,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Answer {
    Violation,
    Unresolved,
}

/// Rules, ready to judge.
pub struct Bundle {
    pub rules: Vec<Rule>,
    files: Vec<(String, String)>,
}

#[derive(Deserialize)]
struct Metadata {
    #[serde(default)]
    title: String,
    #[serde(default)]
    description: String,
    #[serde(default)]
    custom: Custom,
}

#[derive(Default, Deserialize)]
struct Custom {
    severity: Option<RuleSetting>,
    #[serde(default)]
    fix: String,
    #[serde(default)]
    references: Vec<String>,
}

#[derive(Deserialize)]
struct Hit {
    fact: String,
    message: String,
}

impl Bundle {
    /// The built-in rules and those of these folders, without those that are switched off.
    pub fn new(folders: &[impl AsRef<Path>], config: &Config) -> Result<Self> {
        let mut files: Vec<(String, String, bool)> =
            BUILT_IN.iter().map(|(name, text)| ((*name).to_owned(), (*text).to_owned(), true)).collect();
        for folder in folders {
            let own = rego_files(folder.as_ref(), false)?;
            if !own.iter().any(|(_, text)| text.lines().any(|line| line.starts_with("package lockgate.check."))) {
                return Err(Failure::input(format!("{} holds no rule", folder.as_ref().display()))
                    .hint("a rule is a file with `package lockgate.check.<name>` and a set `deny`"));
            }
            files.extend(own.into_iter().map(|(name, text)| (name, text, false)));
        }
        let mut rules = Vec::new();
        for (name, text, built_in) in &files {
            if let Some(rule) = rule(name, text, *built_in)? {
                rules.push(rule);
            }
        }
        let names: Vec<String> = rules.iter().map(|rule| rule.id.clone()).collect();
        if let Some((_, twice)) = names.iter().enumerate().find(|(i, name)| names.iter().take(*i).any(|n| n == *name)) {
            let package = format!("package lockgate.check.{}", twice.replace('-', "_"));
            let of_rule = |(_, text, _): &&(String, String, bool)| text.lines().any(|line| line.trim() == package);
            let places: Vec<&str> = files.iter().filter(of_rule).map(|(name, ..)| name.as_str()).collect();
            return Err(Failure::input(format!("two rules are called {twice}: {}", places.join(" and ")))
                .hint("give one of them another package"));
        }
        config.check(&names.iter().map(String::as_str).collect::<Vec<_>>())?;
        for rule in &mut rules {
            if let Some(setting) = config.rules.get(&rule.id) {
                rule.severity = *setting;
            }
        }
        rules.retain(|rule| rule.severity != RuleSetting::Off);
        rules.sort_by(|a, b| a.id.cmp(&b.id));
        let files = files.into_iter().map(|(name, text, _)| (name, text)).collect();
        let bundle = Self { rules, files };
        bundle.engine().map(|_| bundle)
    }

    fn engine(&self) -> Result<Engine> {
        if let Some(name) = recursion::find(&self.files) {
            return Err(Failure::input(format!("the function {name} calls itself, which Rego does not allow"))
                .hint("write what it does without recursion, with a comprehension or `walk`"));
        }
        catch_unwind(AssertUnwindSafe(|| {
            let mut engine = Engine::new();
            engine.set_strict_builtin_errors(false);
            for (name, text) in &self.files {
                engine
                    .add_policy(name.clone(), text.clone())
                    .map_err(|e| Failure::input(format!("rule {name} is not valid Rego: {e}")))?;
            }
            Ok(engine)
        }))
        .unwrap_or_else(|_| Err(Failure::input("the rules cannot be compiled")))
    }

    /// Judges the facts, on as many threads as asked for.
    pub fn judge(&self, facts: &Facts, config: &Config, threads: usize) -> Result<Vec<Verdict>> {
        let mut input = serde_json::to_value(facts).map_err(|_| Failure::bug("the facts are no JSON"))?;
        if let Some(object) = input.as_object_mut() {
            let parameters =
                serde_json::to_value(config.parameters()?).map_err(|_| Failure::bug("the parameters are no JSON"))?;
            object.insert("parameters".to_owned(), parameters);
        }
        let input = Value::from_json_str(&input.to_string()).map_err(|_| Failure::bug("the facts are no input"))?;
        regorus::utils::limits::set_fallback_execution_timer_config(Some(
            regorus::utils::limits::ExecutionTimerConfig {
                limit: DEADLINE,
                check_interval: NonZeroU32::MIN.saturating_add(1023),
            },
        ));
        let threads = threads.clamp(1, 8);
        let results: Vec<Result<Vec<Verdict>>> = thread::scope(|scope| {
            let workers: Vec<_> = (0..threads)
                .map(|worker| {
                    let input = input.clone();
                    thread::Builder::new().stack_size(STACK_BYTES / 4).spawn_scoped(scope, move || {
                        let mut engine = self.engine()?;
                        engine.set_input(input);
                        let mut verdicts = Vec::new();
                        for (index, rule) in self.rules.iter().enumerate().filter(|(i, _)| i % threads == worker) {
                            verdicts.extend(evaluate(&mut engine, index, rule)?);
                        }
                        Ok(verdicts)
                    })
                })
                .collect();
            workers
                .into_iter()
                .map(|worker| match worker.map(thread::ScopedJoinHandle::join) {
                    Ok(Ok(result)) => result,
                    _ => Err(Failure::bug("the rule engine failed")),
                })
                .collect()
        });
        let mut verdicts = Vec::new();
        for result in results {
            verdicts.extend(result?);
        }
        verdicts.sort();
        verdicts.dedup();
        Ok(verdicts)
    }
}

fn evaluate(engine: &mut Engine, index: usize, rule: &Rule) -> Result<Vec<Verdict>> {
    let failed = |what: &str| Failure::input(format!("rule {} {what}", rule.id));
    let mut verdicts = Vec::new();
    for (set, answer) in [("deny", Answer::Violation), ("unresolved", Answer::Unresolved)] {
        if !rule.text.contains(set) {
            continue;
        }
        let path = format!("data.{}.{set}", rule.package);
        let value = catch_unwind(AssertUnwindSafe(|| engine.eval_rule(path)))
            .map_err(|_| failed("made the rule engine fail"))?
            .map_err(|e| {
                let what = e.to_string();
                if what.contains("time limit") {
                    return failed(&format!("takes longer than {} s", DEADLINE.as_secs()))
                        .hint("let it go through the facts, not through numbers or products of sets");
                }
                Failure::input(format!("a rule cannot be evaluated: {what}"))
                    .hint("the place is that of the error, whichever rule was asked")
            })?;
        if matches!(value, Value::Undefined) {
            continue;
        }
        let json = value.to_json_str().map_err(|_| failed("gives no JSON"))?;
        let hits: Vec<Hit> = serde_json::from_str(&json).map_err(|_| {
            failed(&format!("gives `{set}` that is not a set of objects with `fact` and `message`"))
                .hint("`lockgate check --explain hardcoded-credential` shows one")
        })?;
        verdicts.extend(hits.into_iter().map(|hit| Verdict {
            rule: index,
            fact: hit.fact,
            message: hit.message,
            answer,
        }));
    }
    Ok(verdicts)
}

/// The Rego files of a folder and those below it, in order; those of tests when asked for.
pub fn rego_files(folder: &Path, tests: bool) -> Result<Vec<(String, String)>> {
    let mut files = Vec::new();
    rego_below(folder, tests, &mut files, 0)?;
    if files.len() > FILES_MAX {
        return Err(Failure::input(format!("{} holds more than 256 files of rules", folder.display())));
    }
    files.sort();
    Ok(files)
}

fn rego_below(folder: &Path, tests: bool, files: &mut Vec<(String, String)>, depth: usize) -> Result<()> {
    for entry in std::fs::read_dir(folder).map_err(|e| Failure::io("read the rules in", folder, &e))? {
        let entry = entry.map_err(|e| Failure::io("read", folder, &e))?;
        let path = entry.path();
        // Links are not followed.
        if entry.file_type().is_ok_and(|kind| kind.is_dir()) && depth < FOLDERS_DEEP_MAX {
            rego_below(&path, tests, files, depth + 1)?;
        }
        let name = path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
        if name.ends_with(".rego") && (tests || !name.ends_with("_test.rego")) {
            let text = config_yaml::read_text(&path)?;
            if deepest(&text) > NESTED_MAX {
                return Err(Failure::input(format!("{}: brackets are nested deeper than 200", path.display()))
                    .hint("split the rule"));
            }
            files.push((path.display().to_string(), text));
        }
        if files.len() > FILES_MAX {
            break;
        }
    }
    Ok(())
}

/// How deep brackets are nested, those of texts included.
fn deepest(text: &str) -> usize {
    let mut depth = 0usize;
    let mut most = 0;
    for c in text.chars() {
        match c {
            '[' | '(' | '{' => depth += 1,
            ']' | ')' | '}' => depth = depth.saturating_sub(1),
            _ => {}
        }
        most = most.max(depth);
    }
    most
}

/// The rule of a file, if it is one.
fn rule(name: &str, text: &str, built_in: bool) -> Result<Option<Rule>> {
    let package = text.lines().find_map(|line| line.strip_prefix("package ")).map(str::trim).unwrap_or_default();
    let Some(id) = package.strip_prefix("lockgate.check.") else { return Ok(None) };
    let mut comment = String::new();
    let mut inside = false;
    for line in text.lines() {
        if line.trim() == "# METADATA" {
            inside = true;
        } else if inside {
            let Some(rest) = line.strip_prefix('#') else { break };
            comment.push_str(rest.strip_prefix(' ').unwrap_or(rest));
            comment.push('\n');
        }
    }
    if comment.is_empty() {
        return Err(Failure::input(format!("{name}: the rule has no `# METADATA` comment"))
            .hint("write title, description, custom.severity and custom.fix above `package`"));
    }
    let metadata: Metadata = config_yaml::parse(&comment, name)?;
    if !text.lines().any(|line| line.starts_with("deny") || line.starts_with("unresolved")) {
        return Err(Failure::input(format!("{name}: the rule defines neither `deny` nor `unresolved`"))
            .hint("write `deny contains {\"fact\": ..., \"message\": ...} if { ... }`"));
    }
    Ok(Some(Rule {
        id: id.replace('_', "-"),
        title: metadata.title,
        severity: metadata.custom.severity.unwrap_or(RuleSetting::Medium),
        why: metadata.description,
        fix: metadata.custom.fix,
        references: metadata.custom.references,
        built_in,
        package: package.to_owned(),
        text: text.to_owned(),
    }))
}

/// A unit test of a rule and how it went.
#[derive(Debug, Serialize)]
pub struct Test {
    pub name: String,
    pub passed: bool,
    pub why: String,
}

/// Runs the tests of these folders: every rule `test_...` must be true, as for `opa test`. The
/// built-in rules are there too, so that a test may name them.
pub fn test(folders: &[impl AsRef<Path>]) -> Result<Vec<Test>> {
    let mut files: Vec<(String, String)> =
        BUILT_IN.iter().map(|(name, text)| ((*name).to_owned(), (*text).to_owned())).collect();
    let mut own = Vec::new();
    for folder in folders {
        own.extend(rego_files(folder.as_ref(), true)?);
    }
    let mut tests: Vec<(String, String)> = Vec::new();
    for (name, text) in &own {
        let package = text.lines().find_map(|line| line.strip_prefix("package ")).map(str::trim).unwrap_or_default();
        for line in text.lines().filter(|line| line.starts_with("test_")) {
            let rule: String = line.chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect();
            if !tests.iter().any(|(_, path)| *path == format!("data.{package}.{rule}")) {
                tests.push((name.clone(), format!("data.{package}.{rule}")));
            }
        }
    }
    files.extend(own);
    regorus::utils::limits::set_fallback_execution_timer_config(Some(regorus::utils::limits::ExecutionTimerConfig {
        limit: DEADLINE,
        check_interval: NonZeroU32::MIN.saturating_add(1023),
    }));
    let bundle = Bundle { rules: Vec::new(), files };
    let mut engine = bundle.engine()?;
    Ok(tests
        .into_iter()
        .map(|(_, path)| {
            let name = path.trim_start_matches("data.").to_owned();
            let result = catch_unwind(AssertUnwindSafe(|| engine.eval_rule(path)));
            let (passed, why) = match result {
                Ok(Ok(Value::Bool(true))) => (true, String::new()),
                Ok(Ok(Value::Undefined)) => (false, "it is undefined: a condition does not hold".to_owned()),
                Ok(Ok(_)) => (false, "it is not true".to_owned()),
                Ok(Err(error)) => (false, error.to_string().lines().last().unwrap_or_default().to_owned()),
                Err(_) => (false, "the rule engine failed".to_owned()),
            };
            Test { name, passed, why }
        })
        .collect())
}

impl std::fmt::Debug for Bundle {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Bundle({} rules)", self.rules.len())
    }
}
