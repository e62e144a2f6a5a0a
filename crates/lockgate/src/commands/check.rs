//! `lockgate check`: policy as code; and `lockgate policy test`.

use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use lockgate_check::{
    Options,
    accept::{About, Baseline, Notice, comments},
    config::{CheckFile, Config},
    facts::Facts,
    finding::{Finding, findings},
    observed::{self, Observed},
    read,
    related::with_related,
    report::{self, Colours, Report},
    rules::{self, Bundle},
    source::Tree,
};
use lockgate_core::{Clock, Failure, Result, nearest};
use serde_json::json;

use crate::{
    cli::{CheckArgs, Format, Global, PolicyTestArgs},
    environment, output,
};

pub fn check(global: &Global, args: &CheckArgs) -> Result<()> {
    let paths = paths(&args.paths)?;
    let root = root(args.root.as_deref(), &paths)?;
    let config = config(&root)?;
    let folders: Vec<PathBuf> = config.policies.iter().map(|folder| root.join(folder)).collect();
    let bundle = Bundle::new(&folders, &config)?;
    if args.rules {
        return list(global, &bundle);
    }
    if let Some(name) = &args.explain {
        return explain(global, &bundle, name);
    }
    let threads = args.threads.unwrap_or_else(environment::threads).max(1);
    let changed = args.changed_since.as_deref().map(|revision| changed_since(&root, revision)).transpose()?;
    let mut exclude = config.exclude.clone();
    // The events of what ran are no part of the code.
    let observed = args.observed.as_ref().and_then(|path| path.canonicalize().ok());
    if let Some(path) = observed.as_ref().and_then(|path| path.strip_prefix(&root).ok()) {
        exclude.push(glob::Pattern::escape(&path.to_string_lossy()));
    }
    let tree = Tree::walk(&root, &paths, &exclude)?;
    let key = args.fingerprint_key.as_deref().map(fingerprint_key).transpose()?;
    let read = read(&tree, &Options { threads, key, watch: config.watched()? })?;
    if read.facts.files.is_empty() && tree.passed_over.is_empty() {
        return Err(Failure::input(format!(
            "there is nothing to check in {}",
            paths.iter().map(|p| p.display().to_string()).collect::<Vec<_>>().join(", ")
        ))
        .hint("name files of a kind that is read, or look at `check.exclude` of lockgate.yaml"));
    }
    if args.facts {
        return match &args.output {
            Some(path) => {
                let text =
                    serde_json::to_string_pretty(&read.facts).map_err(|_| Failure::bug("the facts are no JSON"))?;
                write(path, &(text + "\n"))
            }
            None => output::json(global, &read.facts),
        };
    }
    if let Some(path) = &args.observed {
        if !matches!(global.format, Format::Table | Format::Json | Format::Jsonl) {
            return Err(
                Failure::usage("--observed is shown as a table, as json or as jsonl").hint("leave --format out")
            );
        }
        return compare(global, &read.facts, path);
    }
    let verdicts = bundle.judge(&read.facts, &config, threads)?;
    let mut found = findings(&read.facts, &bundle, &verdicts)?;
    if let Some(changed) = &changed {
        // A changed policy is a change to everything that it judges.
        let of_policy = |path: &String| {
            path == "lockgate.yaml"
                || config
                    .policies
                    .iter()
                    .any(|folder| Path::new(path).starts_with(folder.strip_prefix(".").unwrap_or(folder)))
        };
        // What is deployed together changes together.
        let changed = &with_related(&tree, changed);
        if !changed.iter().any(of_policy) {
            let is_gone = |path: &&String| !root.join(path).exists();
            // What a manifest that is gone allowed is missed by those beside it.
            let gone: Vec<&str> = changed
                .iter()
                .filter(is_gone)
                .map(|path| path.rsplit_once('/').map_or("", |(folder, _)| folder))
                .collect();
            let beside =
                |file: &str| gone.iter().any(|folder| file.rsplit_once('/').map_or("", |(own, _)| own) == *folder);
            found.retain(|f| {
                changed.contains(&f.file) || f.files.iter().any(|file| changed.contains(file)) || beside(&f.file)
            });
        }
    }
    let names: Vec<&str> = bundle.rules.iter().map(|rule| rule.id.as_str()).collect();
    let mut notices = comments(&tree, &names, &mut found);
    notices.extend(tree.passed_over.iter().map(|(name, why)| Notice {
        place: name.clone(),
        what: (*why).to_owned(),
        about: About::PassedOver,
    }));
    if let Some(path) = &args.write_baseline {
        return write_baseline(global, args, &found, path);
    }
    let baseline = args.baseline.clone().or_else(|| config.baseline.as_ref().map(|path| root.join(path)));
    if let Some(path) = baseline {
        let today = Clock.now().to_string();
        let mut outdated = Baseline::read(&path)?.apply(&mut found, today.get(..10).unwrap_or_default());
        if changed.is_some() {
            // What was not looked at is not gone.
            outdated.retain(|notice| notice.about != About::Gone);
        }
        notices.append(&mut outdated);
    }
    let report = Report {
        tree: &tree,
        bundle: &bundle,
        masks: &read.masks,
        findings: &found,
        problems: &read.facts.problems,
        notices: &notices,
        files: read.facts.files.len(),
        strict: args.strict,
        prefix: prefix(&root),
    };
    show(global, args, &report)?;
    if report.fails() {
        return Err(verdict(&report));
    }
    Ok(())
}

/// The failure of a check that found something.
fn verdict(report: &Report<'_>) -> Failure {
    let (violations, unresolved, problems) = (report.violations(), report.unresolved(), report.problems.len());
    if violations > 0 {
        let word = if violations == 1 { "violation" } else { "violations" };
        return Failure::findings(format!("{violations} {word}"))
            .hint("`lockgate check --explain RULE` tells more; a comment `lockgate: allow RULE: reason` accepts one");
    }
    Failure::findings(format!("{unresolved} unresolved and {problems} not read, and --strict asks for an answer"))
        .hint("each of them says what would resolve it")
}

fn show(global: &Global, args: &CheckArgs, report: &Report<'_>) -> Result<()> {
    let pretty = |value: &serde_json::Value| {
        serde_json::to_string_pretty(value).map_err(|_| Failure::bug("a report could not be written as JSON"))
    };
    let text = match global.format {
        Format::Table => {
            let colours = if args.output.is_none() && output::to_terminal() { Colours::On } else { Colours::Off };
            report::text(report, colours)
        }
        Format::Json => pretty(&as_json(report))?,
        Format::Jsonl => lines(report)?,
        Format::Sarif => pretty(&report::sarif(report))?,
        Format::Github => report::github(report),
        Format::Gitlab => pretty(&report::gitlab(report))?,
        Format::Junit => report::junit(report)?,
    };
    match &args.output {
        Some(path) => {
            write(path, &(text + "\n"))?;
            output::say(global, &format!("the report is in {}", path.display()));
        }
        None => output::line(text.trim_end()),
    }
    Ok(())
}

/// A line for each finding, problem and notice, then one with the counts.
fn lines(report: &Report<'_>) -> Result<String> {
    let mut summary = as_json(report);
    let mut out = String::new();
    for (key, kind) in [("findings", "finding"), ("problems", "problem"), ("notices", "notice")] {
        let all = summary.as_object_mut().and_then(|object| object.remove(key));
        for one in all.as_ref().and_then(serde_json::Value::as_array).into_iter().flatten() {
            out.push_str(
                &serde_json::to_string(&json!({ kind: one })).map_err(|_| Failure::bug("a finding is no JSON"))?,
            );
            out.push('\n');
        }
    }
    Ok(out + &json!({ "summary": summary }).to_string())
}

fn as_json(report: &Report<'_>) -> serde_json::Value {
    json!({
        "version": lockgate_check::facts::VERSION,
        "files": report.files,
        "rules": report.bundle.rules.len(),
        "violations": report.violations(),
        "unresolved": report.unresolved(),
        "accepted": report.accepted(),
        "findings": report.findings,
        "problems": report.problems,
        "notices": report.notices.iter().map(|n| json!({"place": n.place, "what": n.what})).collect::<Vec<_>>(),
    })
}

fn list(global: &Global, bundle: &Bundle) -> Result<()> {
    output::rows(global, &["rule", "severity", "what it looks for"], &bundle.rules, |rule| {
        vec![rule.id.clone(), format!("{:?}", rule.severity).to_lowercase(), rule.title.clone()]
    })
}

fn explain(global: &Global, bundle: &Bundle, name: &str) -> Result<()> {
    let Some(rule) = bundle.rules.iter().find(|rule| rule.id == name) else {
        let failure = Failure::usage(format!("there is no rule {name:?}, or it is switched off"));
        return Err(match nearest(name, bundle.rules.iter().map(|rule| rule.id.as_str())) {
            Some(near) => failure.hint(format!("did you mean {near:?}?")),
            None => failure.hint("`lockgate check --rules` lists them"),
        });
    };
    if global.format != Format::Table {
        return output::json(global, rule);
    }
    output::line(&format!("{}  ({}, {:?})", output::strong(&rule.title), rule.id, rule.severity));
    output::line(&format!("\nWhy     {}\nFix     {}", rule.why, rule.fix));
    output::line(&format!("See     {}", rule.references.join("; ")));
    output::line(&format!("Accept  a comment `lockgate: allow {}: reason` on the line or above it", rule.id));
    output::line(&format!("\n{}", rule.text.trim_end()));
    Ok(())
}

fn write_baseline(global: &Global, args: &CheckArgs, found: &[Finding], path: &Path) -> Result<()> {
    let open: Vec<Finding> =
        found.iter().filter(|f| f.accepted.is_none() && f.answer == rules::Answer::Violation).cloned().collect();
    let (reason, until) = (args.reason.as_deref().unwrap_or_default(), args.until.as_deref().unwrap_or_default());
    let today = Clock.now().to_string();
    if until < today.get(..10).unwrap_or_default() {
        return Err(
            Failure::usage(format!("--until {until:?} is over, or is not a day")).hint("write it as 2026-12-31")
        );
    }
    let baseline = Baseline::of(&open, reason, until);
    let text = serde_json::to_string_pretty(&baseline).map_err(|_| Failure::bug("the baseline is no JSON"))?;
    // What could not be read again is not written.
    Baseline::parse(&text, path).map_err(|_| {
        Failure::usage(if reason.trim().is_empty() { "--reason is empty" } else { "--until is not a day" })
            .hint("--reason \"why\" --until 2026-12-31")
    })?;
    write(path, &(text + "\n"))?;
    let count = if open.len() == 1 { "1 finding".to_owned() } else { format!("{} findings", open.len()) };
    output::say(global, &format!("{count} accepted until {until} in {}", path.display()));
    Ok(())
}

fn compare(global: &Global, facts: &Facts, path: &Path) -> Result<()> {
    let events = observed::read(path)?;
    let rows = observed::compare(facts, &events);
    let unexpected = rows.iter().filter(|row| row.verdict == Observed::NotInCode).count();
    output::rows(global, &["location", "access", "code", "observed", "verdict"], &rows, |row| {
        vec![
            row.location.clone(),
            row.access.clone(),
            row.code.join(" "),
            row.jobs.join(" "),
            row.verdict.words().to_owned(),
        ]
    })?;
    if unexpected > 0 {
        return Err(Failure::findings(format!("{unexpected} locations were touched that the code does not name"))
            .hint("find the job that did it, or name the location in the code so that policy can judge it"));
    }
    Ok(())
}

/// The paths as they are on disk; links in what was named are followed, once.
fn paths(named: &[PathBuf]) -> Result<Vec<PathBuf>> {
    let here = [PathBuf::from(".")];
    let named = if named.is_empty() { &here[..] } else { named };
    named.iter().map(|path| path.canonicalize().map_err(|e| Failure::io("open", path, &e))).collect()
}

/// The folder that everything is relative to.
fn root(named: Option<&Path>, paths: &[PathBuf]) -> Result<PathBuf> {
    if let Some(root) = named {
        let root = root.canonicalize().map_err(|e| Failure::io("open", root, &e))?;
        return match paths.iter().find(|path| !path.starts_with(&root)) {
            Some(path) => Err(Failure::usage(format!("{} lies outside of --root {}", path.display(), root.display()))),
            None => Ok(root),
        };
    }
    let marked = |path: &Path| {
        path.ancestors()
            .find(|folder| folder.join(".git").exists() || folder.join("lockgate.yaml").is_file())
            .map(Path::to_path_buf)
    };
    let mut roots: Vec<Option<PathBuf>> = paths.iter().map(|path| marked(path)).collect();
    roots.dedup();
    if roots.len() > 1 {
        return Err(Failure::usage("the paths belong to different repositories, each with a policy of its own")
            .hint("check them one after the other, or name what is above them with --root"));
    }
    let mut common = paths.first().cloned().unwrap_or_default();
    while !paths.iter().all(|path| path.starts_with(&common)) {
        if !common.pop() {
            break;
        }
    }
    if common.is_file() {
        common.pop();
    }
    // The nearest of them: a repository within another folder's is its own.
    Ok(marked(&common).unwrap_or(common))
}

/// Writes a file whole or not at all.
fn write(path: &Path, text: &str) -> Result<()> {
    lockgate_core::durable::write_to(path, text.as_bytes())
}

/// Where a folder lies in its repository, for those who show files by the repository's paths.
fn prefix(root: &Path) -> String {
    let top = root.ancestors().find(|folder| folder.join(".git").exists());
    let relative = top.and_then(|top| root.strip_prefix(top).ok()).map(|path| path.to_string_lossy().into_owned());
    relative.filter(|path| !path.is_empty()).map_or_else(String::new, |path| format!("{path}/"))
}

fn config(root: &Path) -> Result<Config> {
    let path = root.join("lockgate.yaml");
    if !path.is_file() {
        return Ok(Config::default());
    }
    CheckFile::read(&path)
}

fn fingerprint_key(path: &Path) -> Result<Vec<u8>> {
    let key = fs::read(path).map_err(|e| Failure::io("read", path, &e))?;
    if key.len() < 32 {
        return Err(Failure::input(format!("{} is shorter than 32 bytes", path.display()))
            .hint("`head -c 32 /dev/urandom > FILE` makes one"));
    }
    Ok(key)
}

/// Files that changed since a revision, with those that Git does not know yet, relative to `root`.
fn changed_since(root: &Path, revision: &str) -> Result<BTreeSet<String>> {
    if revision.starts_with('-') || revision.is_empty() {
        return Err(Failure::usage(format!("{revision:?} is no revision")));
    }
    let git = |args: &[&str]| -> Result<Vec<String>> {
        let done = Command::new("git").arg("-C").arg(root).args(args).output().map_err(|e| {
            Failure::unreachable(format!("git cannot be run: {e}")).hint("--changed-since needs git on the path")
        })?;
        if !done.status.success() {
            let why = String::from_utf8_lossy(&done.stderr);
            if why.contains("not a git repository") {
                return Err(Failure::usage(format!("{} is not in a Git repository", root.display()))
                    .hint("--changed-since needs one; leave it out to check everything"));
            }
            return Err(Failure::usage(format!(
                "git does not know what changed since {revision:?}: {}",
                why.lines().next().unwrap_or_default()
            ))
            .hint("in CI, fetch the revision first: `git fetch origin main`"));
        }
        Ok(String::from_utf8_lossy(&done.stdout).split('\0').filter(|p| !p.is_empty()).map(str::to_owned).collect())
    };
    // What others changed since the branch began is not this change.
    let base = git(&["merge-base", revision, "HEAD"])
        .ok()
        .and_then(|lines| lines.first().map(|line| line.trim().to_owned()))
        .unwrap_or_else(|| revision.to_owned());
    let mut changed: BTreeSet<String> =
        git(&["diff", "--name-only", "-z", "--relative", base.as_str(), "--"])?.into_iter().collect();
    changed.extend(git(&["ls-files", "--others", "--exclude-standard", "-z"])?);
    Ok(changed)
}

pub fn policy_test(global: &Global, args: &PolicyTestArgs) -> Result<()> {
    let folders = if args.folders.is_empty() {
        let root = root(None, &paths(&[])?)?;
        let mut folders: Vec<PathBuf> = config(&root)?.policies.iter().map(|folder| root.join(folder)).collect();
        folders.extend(Some(root.join("policies")).filter(|folder| folder.is_dir() && !folders.contains(folder)));
        folders
    } else {
        args.folders.clone()
    };
    if folders.is_empty() {
        return Err(Failure::usage("no folder with rules is named, and lockgate.yaml names none")
            .hint("`lockgate policy test FOLDER`"));
    }
    let results = rules::test(&folders)?;
    output::rows(global, &["test", "result", "why"], &results, |test| {
        vec![
            test.name.clone(),
            output::verdict(test.passed, if test.passed { "passed" } else { "failed" }),
            test.why.clone(),
        ]
    })?;
    let failed = results.iter().filter(|test| !test.passed).count();
    if results.is_empty() {
        return Err(Failure::input("there is no test")
            .hint("write rules whose names start with `test_` in files `*_test.rego`"));
    }
    if failed > 0 {
        return Err(Failure::findings(format!("{failed} of {} tests failed", results.len())));
    }
    Ok(())
}
