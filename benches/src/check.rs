//! `check`: the corpus of `lockgate-check` beside other tools, and the time that a folder of DAGs
//! takes.
//!
//! A tool sees a planted case when it reports anything of the rule's kind in it, whatever line and
//! words it chooses; it raises a false alarm when it reports anything of any of these kinds in a
//! clean case. Rules of other kinds, such as style, are not counted for or against anybody.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::{Path, PathBuf},
    process::Command,
    time::Instant,
};

use anyhow::{Context as _, Result, bail};
use serde_json::Value;

use crate::process;

const CORPUS: &str = "crates/lockgate-check/corpus";
/// What the rules of the other tools are about, by how their names start. Everything else counts
/// as `other` and is left out.
const KINDS: [(&str, &str); 40] = [
    ("B105", "credential"),
    ("B106", "credential"),
    ("B107", "credential"),
    ("S105", "credential"),
    ("S106", "credential"),
    ("S107", "credential"),
    ("B301", "deserialization"),
    ("B302", "deserialization"),
    ("B403", "other"),
    ("B506", "deserialization"),
    ("B614", "deserialization"),
    ("S301", "deserialization"),
    ("S302", "deserialization"),
    ("S506", "deserialization"),
    ("S614", "deserialization"),
    ("B501", "tls"),
    ("B502", "tls"),
    ("B503", "tls"),
    ("B504", "tls"),
    ("B507", "tls"),
    ("B323", "tls"),
    ("S501", "tls"),
    ("S502", "tls"),
    ("S503", "tls"),
    ("S507", "tls"),
    ("S323", "tls"),
    ("secret:", "credential"),
    ("CKV_SECRET", "credential"),
    ("CKV", "infrastructure"),
    ("semgrep:secrets", "credential"),
    ("semgrep:hardcoded", "credential"),
    ("semgrep:password", "credential"),
    ("semgrep:pickle", "deserialization"),
    ("semgrep:deserialization", "deserialization"),
    ("semgrep:yaml", "deserialization"),
    ("semgrep:marshal", "deserialization"),
    ("semgrep:ssl", "tls"),
    ("semgrep:verify", "tls"),
    ("semgrep:disabled-cert", "tls"),
    ("semgrep:host-key", "tls"),
];
/// The kinds that are compared, each with our rules of that kind.
const OURS: [(&str, &str, &[&str]); 5] = [
    ("credential", "credentials", &["hardcoded-credential", "secret-in-image"]),
    ("storage", "prohibited storage", &["prohibited-storage"]),
    ("tls", "TLS", &["tls-verification", "unencrypted-transport"]),
    ("deserialization", "deserialization", &["unsafe-deserialization"]),
    ("infrastructure", "infrastructure and the rest", &[]),
];

/// Which cases a tool reported on, with the kinds.
type Seen = BTreeMap<String, BTreeSet<&'static str>>;

pub fn bench(dags: Option<PathBuf>, semgrep_rules: Option<PathBuf>) -> Result<()> {
    let folder = tempfile::tempdir()?;
    let cases = unpack(folder.path())?;
    let venv = peers()?;
    let mut tools: Vec<(&str, Seen)> = vec![("lockgate", lockgate(folder.path())?)];
    tools.push(("bandit", bandit(&venv, folder.path())?));
    tools.push(("ruff `S`", ruff(&venv, folder.path())?));
    tools.push(("detect-secrets", detect_secrets(&venv, folder.path())?));
    tools.push(("checkov", checkov(&venv, folder.path())?));
    if let Some(rules) = &semgrep_rules {
        tools.push(("semgrep", semgrep(&venv, rules, folder.path())?));
    }
    table(&cases, &tools);
    if let Some(dags) = dags {
        speed(&venv, &dags, semgrep_rules.as_deref())?;
    }
    Ok(())
}

/// Writes every case into a folder of its own and returns its rule.
fn unpack(folder: &Path) -> Result<BTreeMap<String, String>> {
    let mut cases = BTreeMap::new();
    let mut texts: BTreeMap<PathBuf, String> = BTreeMap::new();
    for file in ["python_credentials", "python_storage", "other", "clean"] {
        let text = fs::read_to_string(format!("{CORPUS}/{file}.txt")).context(CORPUS)?;
        let (mut case, mut path) = (String::new(), PathBuf::new());
        for line in text.split_inclusive('\n') {
            if let Some(head) = line.strip_prefix("### ") {
                let parts: Vec<&str> = head.trim().split(" | ").collect();
                let [name, rule, first] = parts.as_slice() else { bail!("{head}") };
                case = format!("{file}-{name}");
                cases.insert(case.clone(), (*rule).to_owned());
                path = folder.join(&case).join(first);
                texts.insert(path.clone(), String::new());
            } else if let Some(next) = line.strip_prefix("--- ") {
                path = folder.join(&case).join(next.trim());
                texts.insert(path.clone(), String::new());
            } else if let Some(text) = texts.get_mut(&path) {
                text.push_str(line);
            }
        }
    }
    for (path, text) in texts {
        fs::create_dir_all(path.parent().context("a case has a folder")?)?;
        fs::write(path, text)?;
    }
    Ok(cases)
}

fn peers() -> Result<PathBuf> {
    let venv = std::env::current_dir()?.join("target/peers-check");
    let stamp = venv.join("installed.txt");
    let wanted = fs::read_to_string("benches/peers-check.txt")?;
    if fs::read_to_string(&stamp).is_ok_and(|installed| installed == wanted) {
        return Ok(venv.join("bin"));
    }
    process::run(Command::new("python3").args(["-m", "venv"]).arg(&venv))?;
    process::run(Command::new(venv.join("bin/pip")).args([
        "install",
        "--quiet",
        "--requirement",
        "benches/peers-check.txt",
    ]))?;
    fs::write(stamp, wanted)?;
    Ok(venv.join("bin"))
}

/// What a tool prints as JSON; that it found something is no failure.
fn json(command: &mut Command) -> Result<Value> {
    let out = command.output().with_context(|| format!("{command:?}"))?;
    serde_json::from_slice(&out.stdout)
        .with_context(|| format!("{command:?}: {}", String::from_utf8_lossy(&out.stderr)))
}

fn note(seen: &mut Seen, folder: &Path, path: &str, rule: &str) {
    let kind = KINDS.iter().find(|(start, _)| rule.starts_with(start)).map_or("other", |(_, kind)| kind);
    if kind == "other" {
        return;
    }
    let path = Path::new(path);
    let relative = path.strip_prefix(folder).unwrap_or(path);
    if let Some(case) = relative.components().find(|c| matches!(c, std::path::Component::Normal(_))) {
        seen.entry(case.as_os_str().to_string_lossy().into_owned()).or_default().insert(kind);
    }
}

fn lockgate(folder: &Path) -> Result<Seen> {
    let program = std::env::current_dir()?.join("target/release/lockgate");
    let policy = "apiVersion: lockgate/v1\nkind: Check\ncheck:\n  storage:\n    prohibited: [s3://restricted-raw, gs://hr-exports, abfs://dump@oldstore]\n  personal:\n    locations: [s3://people]\n    approvedSinks: [s3://masked]\n";
    let mut seen = Seen::new();
    for entry in fs::read_dir(folder)? {
        // A case is a repository of its own.
        let path = entry?.path();
        let config = path.join("lockgate.yaml");
        fs::write(&config, policy)?;
        let found = json(Command::new(&program).args(["check", "--format", "json", "--root"]).arg(&path).arg(&path))?;
        fs::remove_file(config)?;
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        for finding in found["findings"].as_array().into_iter().flatten() {
            if finding["answer"] != "violation" || !finding["accepted"].is_null() {
                continue;
            }
            let rule = finding["rule"].as_str().unwrap_or_default();
            let kind =
                OURS.iter().find(|(.., rules)| rules.contains(&rule)).map_or("infrastructure", |(kind, ..)| kind);
            seen.entry(name.clone()).or_default().insert(kind);
        }
    }
    Ok(seen)
}

fn bandit(bin: &Path, folder: &Path) -> Result<Seen> {
    let found = json(Command::new(bin.join("bandit")).args(["-q", "-r", "-f", "json"]).arg(folder))?;
    let mut seen = Seen::new();
    for r in found["results"].as_array().into_iter().flatten() {
        note(&mut seen, folder, r["filename"].as_str().unwrap_or_default(), r["test_id"].as_str().unwrap_or_default());
    }
    Ok(seen)
}

fn ruff(bin: &Path, folder: &Path) -> Result<Seen> {
    let args = ["check", "--isolated", "--no-cache", "--select", "S", "--preview", "--output-format", "json"];
    let found = json(Command::new(bin.join("ruff")).args(args).arg(folder))?;
    let mut seen = Seen::new();
    for r in found.as_array().into_iter().flatten() {
        note(&mut seen, folder, r["filename"].as_str().unwrap_or_default(), r["code"].as_str().unwrap_or_default());
    }
    Ok(seen)
}

fn detect_secrets(bin: &Path, folder: &Path) -> Result<Seen> {
    let found = json(
        Command::new(bin.join("detect-secrets")).args(["scan", "--all-files", "--no-verify", "."]).current_dir(folder),
    )?;
    let mut seen = Seen::new();
    for (path, secrets) in found["results"].as_object().into_iter().flatten() {
        if secrets.as_array().is_some_and(|s| !s.is_empty()) {
            note(&mut seen, folder, path, "secret:");
        }
    }
    Ok(seen)
}

fn checkov(bin: &Path, folder: &Path) -> Result<Seen> {
    let out = tempfile::tempdir()?;
    let args = ["--quiet", "--compact", "--skip-download", "-o", "json", "--output-file-path"];
    Command::new(bin.join("checkov"))
        .arg("-d")
        .arg(folder)
        .args(args)
        .arg(out.path())
        .env("LOG_LEVEL", "ERROR")
        .env("PATH", format!("{}:/usr/local/bin:/usr/bin:/bin", bin.display()))
        .output()?;
    let text = fs::read_to_string(out.path().join("results_json.json")).context("checkov wrote nothing")?;
    let found: Value = serde_json::from_str(&text)?;
    let all = found.as_array().cloned().unwrap_or_else(|| vec![found]);
    let mut seen = Seen::new();
    for r in all.iter().flat_map(|part| part["results"]["failed_checks"].as_array().into_iter().flatten()) {
        let path = r["file_path"].as_str().unwrap_or_default().trim_start_matches('/');
        note(&mut seen, folder, path, r["check_id"].as_str().unwrap_or_default());
    }
    Ok(seen)
}

fn semgrep_command(bin: &Path, rules: &Path, folder: &Path) -> Command {
    let mut command = Command::new(bin.join("semgrep"));
    command
        .args([
            "scan",
            "--x-ignore-semgrepignore-files",
            "--metrics",
            "off",
            "--disable-version-check",
            "--no-git-ignore",
            "--json",
            "--quiet",
        ])
        .arg("--config")
        .arg(rules)
        .arg(folder)
        .env("SEMGREP_SEND_METRICS", "off")
        .env("PATH", format!("{}:/usr/local/bin:/usr/bin:/bin", bin.display()));
    command
}

fn semgrep(bin: &Path, rules: &Path, folder: &Path) -> Result<Seen> {
    let found = json(&mut semgrep_command(bin, rules, folder))?;
    let mut seen = Seen::new();
    for r in found["results"].as_array().into_iter().flatten() {
        let id = r["check_id"].as_str().unwrap_or_default();
        let kind = [
            "secrets",
            "hardcoded",
            "password",
            "pickle",
            "deserialization",
            "yaml",
            "marshal",
            "ssl",
            "verify",
            "disabled-cert",
            "host-key",
        ]
        .iter()
        .find(|word| id.contains(*word))
        .copied()
        .unwrap_or("other");
        note(&mut seen, folder, r["path"].as_str().unwrap_or_default(), &format!("semgrep:{kind}"));
    }
    Ok(seen)
}

fn kind_of(rule: &str) -> &'static str {
    OURS.iter().find(|(.., rules)| rules.contains(&rule)).map_or("infrastructure", |(kind, ..)| kind)
}

fn table(cases: &BTreeMap<String, String>, tools: &[(&str, Seen)]) {
    let head: Vec<&str> = tools.iter().map(|(name, _)| *name).collect();
    println!("| planted | cases | {} |", head.join(" | "));
    println!("| --- | --: | {} |", tools.iter().map(|_| "--:").collect::<Vec<_>>().join(" | "));
    for (kind, title, _) in OURS {
        let of_kind: Vec<&String> =
            cases.iter().filter(|(_, rule)| *rule != "clean" && kind_of(rule) == kind).map(|(name, _)| name).collect();
        let counts: Vec<String> = tools
            .iter()
            .map(|(_, seen)| {
                let found =
                    of_kind.iter().filter(|name| seen.get(**name).is_some_and(|kinds| kinds.contains(kind))).count();
                format!("{found}")
            })
            .collect();
        println!("| {title} | {} | {} |", of_kind.len(), counts.join(" | "));
    }
    let clean: Vec<&String> = cases.iter().filter(|(_, rule)| *rule == "clean").map(|(name, _)| name).collect();
    let alarms: Vec<String> = tools
        .iter()
        .map(|(_, seen)| clean.iter().filter(|name| seen.contains_key(**name)).count().to_string())
        .collect();
    println!("| **clean, with a false alarm** | {} | {} |", clean.len(), alarms.join(" | "));
}

/// Wall-clock and CPU seconds over a folder, the best of three.
fn speed(bin: &Path, dags: &Path, semgrep_rules: Option<&Path>) -> Result<()> {
    let program = std::env::current_dir()?.join("target/release/lockgate");
    let files = fs::read_dir(dags)?.count();
    let mut commands: Vec<(&str, Command)> = Vec::new();
    let mut ours = Command::new(program);
    ours.args(["check", "--format", "json", "--root"]).arg(dags).arg(dags);
    commands.push(("lockgate", ours));
    let mut bandit = Command::new(bin.join("bandit"));
    bandit.args(["-q", "-r", "-f", "json"]).arg(dags);
    commands.push(("bandit", bandit));
    let mut ruff = Command::new(bin.join("ruff"));
    ruff.args(["check", "--isolated", "--no-cache", "--select", "S", "--preview", "--output-format", "json"]).arg(dags);
    commands.push(("ruff `S`", ruff));
    let mut secrets = Command::new(bin.join("detect-secrets"));
    secrets.args(["scan", "--all-files", "--no-verify", "."]).current_dir(dags);
    commands.push(("detect-secrets", secrets));
    if let Some(rules) = semgrep_rules {
        commands.push(("semgrep", semgrep_command(bin, rules, dags)));
    }
    println!("\n{files} files\n\n| tool | seconds | of ours |\n| --- | --: | --: |");
    let mut first = 0.0;
    for (name, mut command) in commands {
        let rounds = if name == "semgrep" { 1 } else { 3 };
        let mut best = f64::INFINITY;
        for _ in 0..rounds {
            let start = Instant::now();
            command.output()?;
            best = best.min(start.elapsed().as_secs_f64());
        }
        if first == 0.0 {
            first = best;
        }
        println!("| {name} | {best:.2} | {:.1} |", best / first);
    }
    Ok(())
}
