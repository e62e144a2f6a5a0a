//! `lockgate check`: reports that other programs read, what is accepted, what changed, lineage,
//! rules of a team's own, and files that nobody should have sent.

use std::{fmt::Write as _, fs, process::Command};

use serde_json::{Value, json};

use crate::world::{Done, World, judge, root, run};

/// The example repository with the change that must not land, as a repository of Git.
fn repository() -> World {
    let world = World::example("ci");
    git(&world, &["init", "-q", "."]);
    git(&world, &["add", "-A"]);
    git(&world, &["-c", "user.name=a", "-c", "user.email=a@example.com", "commit", "-qm", "first"]);
    world
}

fn git(world: &World, args: &[&str]) {
    run(Command::new("git").args(args).current_dir(world.path(""))).ok();
}

fn report(done: &Done) -> Value {
    serde_json::from_str(&done.out).unwrap()
}

fn rules(report: &Value) -> Vec<String> {
    report["findings"].as_array().unwrap().iter().map(|f| f["rule"].as_str().unwrap().to_owned()).collect()
}

#[test]
fn a_change_is_blocked_and_every_report_says_so() {
    let world = repository();
    world.lockgate(&["check"]).ok();
    git(&world, &["apply", "blocked.patch"]);
    let table = world.lockgate(&["check"]).fails(1, "2 violations");
    for words in ["dags/daily.py:17", "joined with other text", "postgres_conn_id", "s3://legacy-raw"] {
        assert!(table.out.contains(words), "{words}\n{}", table.out);
    }
    // The parts of the password are nowhere in what is shown, whatever the form.
    for form in ["table", "json", "sarif", "github", "gitlab", "junit"] {
        let done = world.lockgate(&["check", "--format", form]).fails(1, "2 violations");
        for secret in ["Orange", "Crate"] {
            assert!(!done.out.contains(secret) && !done.err.contains(secret), "{form} shows {secret}");
        }
        world.write(&format!("report.{form}.txt"), done.out.as_bytes());
    }
    let facts = world.lockgate(&["check", "--facts"]).ok();
    assert!(!facts.out.contains("Orange") && !facts.out.contains("Crate"));
    let script = "\
import json, xml.etree.ElementTree as et
from sarif_pydantic import Sarif
s = Sarif.model_validate_json(open('report.sarif.txt').read())
r = s.runs[0].results
assert [x.rule_id for x in r] == ['hardcoded-credential', 'prohibited-storage'], r
assert r[0].code_flows[0].thread_flows[0].locations, r[0]
x = et.parse('report.junit.txt').getroot()
assert int(x.get('failures')) == 2, x.attrib
g = json.load(open('report.gitlab.txt'))
assert {i['severity'] for i in g} == {'critical'} and len({i['fingerprint'] for i in g}) == 2
lines = open('report.github.txt').read().splitlines()
assert len(lines) == 2 and all(l.startswith('::error file=dags/daily.py,line=') for l in lines), lines
";
    run(Command::new(judge("python")).args(["-c", script]).current_dir(world.path(""))).ok();
    let facts = world.lockgate(&["schema", "facts", "--format", "json"]).ok().json();
    assert_eq!(facts["title"], "Facts");
}

#[test]
fn what_is_accepted_needs_a_reason_and_a_day() {
    let world = repository();
    git(&world, &["apply", "blocked.patch"]);
    let write = |until: &str| {
        world.lockgate(&["check", "--write-baseline", "accepted.json", "--reason", "moves in spring", "--until", until])
    };
    write("soon").fails(2, "--until is not a day");
    assert!(!world.path("accepted.json").exists());
    write("2099-01-31").ok();
    let done = world.lockgate(&["check", "--baseline", "accepted.json", "--format", "json"]).ok();
    assert_eq!(report(&done)["accepted"], 2);
    // Lines move; what was accepted stays.
    world.edit(
        "dags/daily.py",
        "from datetime import datetime\n",
        "import os  # one line more\nfrom datetime import datetime\n",
    );
    world.lockgate(&["check", "--baseline", "accepted.json"]).ok();
    world.edit("accepted.json", "2099-01-31", "2001-01-31");
    let over = world.lockgate(&["check", "--baseline", "accepted.json"]).fails(1, "2 violations");
    assert!(over.out.contains("accepted until 2001-01-31; that day is over"), "{}", over.out);
    world.edit("accepted.json", "moves in spring", "");
    world.lockgate(&["check", "--baseline", "accepted.json"]).fails(3, "has no reason");
    // A comment without a reason does not count.
    world.write(
        "a.py",
        b"import requests\nrequests.get('https://a.example', verify=False)  # lockgate: allow tls-verification\n",
    );
    let bare = world.lockgate(&["check", "a.py"]).fails(1, "1 violation");
    assert!(bare.out.contains("gives no reason"), "{}", bare.out);
    world.write("a.py", b"import requests\n# lockgate: allow tls-verification: a device without a certificate\nrequests.get('https://a.example', verify=False)\n");
    world.lockgate(&["check", "a.py"]).ok();
}

#[test]
fn only_what_changed_is_reported_when_asked() {
    let world = repository();
    world.write("old.py", b"import pickle\npickle.load(open('a', 'rb'))\n");
    git(&world, &["add", "-A"]);
    git(&world, &["-c", "user.name=a", "-c", "user.email=a@example.com", "commit", "-qm", "old"]);
    world.write("new.py", b"import requests\nrequests.get('https://a.example', verify=False)\n");
    let all = world.lockgate(&["check", "--format", "json"]).fails(1, "2 violations");
    assert_eq!(rules(&report(&all)), ["tls-verification", "unsafe-deserialization"]);
    let changed = world.lockgate(&["check", "--changed-since", "HEAD", "--format", "json"]).fails(1, "1 violation");
    assert_eq!(rules(&report(&changed)), ["tls-verification"]);
    world.lockgate(&["check", "--changed-since", "nowhere"]).fails(2, "git does not know what changed");
    world.lockgate(&["check", "--changed-since=--output=x"]).fails(2, "is no revision");
}

#[test]
fn lineage_is_held_against_the_code() {
    let world = repository();
    let event = |inputs: &str, outputs: &str| {
        format!(
            "{{\"eventType\":\"COMPLETE\",\"job\":{{\"namespace\":\"a\",\"name\":\"daily.copy\"}},\"inputs\":[{inputs}],\"outputs\":[{outputs}]}}\n"
        )
    };
    let seen = event("", "{\"namespace\":\"s3://acme-landing\",\"name\":\"applications\"}");
    world.write("lineage.jsonl", seen.as_bytes());
    let rows = world.lockgate(&["check", "--observed", "lineage.jsonl", "--format", "json"]).ok().json();
    assert_eq!(rows[0]["verdict"], "both", "{rows}");
    let more = seen + &event("{\"namespace\":\"s3://legacy-raw\",\"name\":\"a\"}", "");
    world.write("lineage.jsonl", more.as_bytes());
    let done = world.lockgate(&["check", "--observed", "lineage.jsonl"]).fails(1, "that the code does not name");
    assert!(done.out.contains("s3://legacy-raw") && done.out.contains("not in the code"), "{}", done.out);
    world.write("lineage.jsonl", b"no event\n");
    world.lockgate(&["check", "--observed", "lineage.jsonl"]).fails(3, "lineage.jsonl:1");
}

#[test]
fn a_team_brings_its_own_rules_and_tests_them() {
    let world = repository();
    world.lockgate(&["policy", "test"]).ok();
    world.edit("rules/dag_folder_test.rego", "count(dag_folder.deny) == 1", "count(dag_folder.deny) == 7");
    let done = world.lockgate(&["policy", "test"]).fails(1, "1 of 2 tests failed");
    assert!(done.out.contains("test_a_dag_elsewhere_is_denied"), "{}", done.out);
    fs::create_dir(world.path("scripts")).unwrap();
    fs::rename(world.path("dags/daily.py"), world.path("scripts/daily.py")).unwrap();
    let done = world.lockgate(&["check", "--format", "json"]).fails(1, "1 violation");
    assert_eq!(rules(&report(&done)), ["dag-folder"]);
    let explained = world.lockgate(&["check", "--explain", "dag-folder"]).ok();
    assert!(explained.out.contains("Move it to dags/"), "{}", explained.out);
    world.lockgate(&["check", "--explain", "dag-foldr"]).fails(2, "did you mean \"dag-folder\"?");
    world.edit("lockgate.yaml", "unpinned-package: medium", "dag-folder: off");
    world.lockgate(&["check"]).ok();
    world.edit("lockgate.yaml", "dag-folder: off", "dag-foldr: off");
    world.lockgate(&["check"]).fails(3, "there is no such rule");
    world.edit("lockgate.yaml", "dag-foldr: off", "dag-folder: low");
    world.edit("rules/dag_folder.rego", "\"fact\": t.id", "\"fact\": \"made-up\"");
    world.lockgate(&["check"]).fails(3, "names a fact that is not there");
    world.edit("rules/dag_folder.rego", "deny contains", "deny contains (");
    world.lockgate(&["check"]).fails(3, "is not valid Rego");
}

/// The built-in rules over facts of every kind, here and in OPA.
#[test]
fn opa_judges_as_we_do() {
    let world = World { dir: tempfile::tempdir().unwrap() };
    let corpus = root().join("crates/lockgate-check/corpus");
    for name in ["python_credentials", "python_storage", "other", "clean"] {
        let text = fs::read_to_string(corpus.join(format!("{name}.txt"))).unwrap();
        let mut path = String::new();
        let mut folder = String::new();
        let mut body = String::new();
        for (i, line) in text.lines().chain(["### end | clean | end"]).enumerate() {
            let next = line.strip_prefix("### ").map(|head| {
                folder = format!("{name}{i}");
                head.rsplit('|').next().unwrap().trim().to_owned()
            });
            let next = next.or_else(|| line.strip_prefix("--- ").map(|p| p.trim().to_owned()));
            if let Some(next) = next {
                if !path.is_empty() {
                    world.write(&path, body.as_bytes());
                }
                path = format!("{folder}/{next}");
                body.clear();
            } else {
                let _ = writeln!(body, "{line}");
            }
        }
    }
    let prohibited = ["s3://restricted-raw", "gs://hr-exports", "abfs://dump@oldstore"];
    let patterns = prohibited.map(|p| format!("\"{p}\"")).join(", ");
    let config = format!(
        "apiVersion: lockgate/v1\nkind: Check\ncheck:\n  storage:\n    prohibited: [{patterns}]\n  personal:\n    locations: [\"s3://curated\"]\n"
    );
    world.write("lockgate.yaml", config.as_bytes());
    let facts = world.lockgate(&["check", "--facts"]).ok();
    let done = run(&mut world.command(&["check", "--format", "json"]));
    let ours = report(&done);
    let mut ours: Vec<String> = ours["findings"]
        .as_array()
        .unwrap()
        .iter()
        .map(|f| {
            let text = |key: &str| f[key].as_str().unwrap_or_default().to_owned();
            let place = format!("{}:{}:{}", text("file"), f["line"], f["column"]);
            format!("{} {} {place} {}", text("rule"), text("answer"), text("message"))
        })
        .collect();
    ours.sort();
    ours.dedup();
    assert!(ours.len() > 200, "{}", ours.len());
    let mut input: Value = serde_json::from_str(&facts.out).unwrap();
    let pattern = |text: &str, provider: &str, bucket: &str, account: &str| json!({"pattern": text, "provider": provider, "bucket": bucket, "account": account, "key": ""});
    input["parameters"] = json!({
        "prohibited": [pattern("s3://restricted-raw", "s3", "restricted-raw", ""), pattern("gs://hr-exports", "gs", "hr-exports", ""), pattern("abfs://dump@oldstore", "abfs", "dump", "oldstore")],
        "allowed": [], "personal": [pattern("s3://curated", "s3", "curated", "")], "approved": [], "approved_hosts": [], "own": {},
    });
    world.write("input.json", input.to_string().as_bytes());
    let script = "\
import json, os, sys
from opa_bindings import OpaEngine
engine = OpaEngine()
folder = sys.argv[1]
names = sorted(n for n in os.listdir(folder) if n.endswith('.rego'))
for n in names: engine.add_policy(n, open(os.path.join(folder, n)).read())
document = json.load(open('input.json'))
facts = {f['id']: f for v in document.values() if isinstance(v, list) for f in v if 'id' in f}
for n in names:
    rule = n[:-5]
    if rule == 'lib': continue
    found = engine.eval_document('lockgate.check.' + rule, document) or {}
    for key, answer in (('deny', 'violation'), ('unresolved', 'unresolved')):
        for hit in found.get(key, []):
            f = facts[hit['fact']]
            print(rule.replace('_', '-'), answer, '%s:%d:%d' % (f['file'], f['line'], f['column']), hit['message'])
";
    let folder = root().join("crates/lockgate-check/rules");
    let opa = run(Command::new(judge("python")).args(["-c", script]).arg(folder).current_dir(world.path(""))).ok();
    let mut theirs: Vec<String> = opa.out.lines().map(str::to_owned).collect();
    theirs.sort();
    theirs.dedup();
    assert_eq!(ours, theirs);
}

#[test]
fn hostile_files_end_in_a_clear_word() {
    let world = World { dir: tempfile::tempdir().unwrap() };
    let deep = |open: &str, close: &str, n: usize| format!("x = {}1{}\n", open.repeat(n), close.repeat(n));
    let files: Vec<(&str, Vec<u8>)> = vec![
        ("brackets.py", deep("(", ")", 100_000).into_bytes()),
        ("lists.py", deep("[", "]", 100_000).into_bytes()),
        ("not.py", format!("x = {} 1\n", "not ".repeat(200_000)).into_bytes()),
        ("minus.py", format!("x = {}1\n", "-".repeat(500_000)).into_bytes()),
        ("plus.py", format!("x = {}1\n", "1 + ".repeat(200_000)).into_bytes()),
        ("lambda.py", format!("x = {}1\n", "lambda: ".repeat(100_000)).into_bytes()),
        ("attributes.py", format!("x = a{}\n", ".b".repeat(200_000)).into_bytes()),
        ("calls.py", format!("x = a{}\n", "()".repeat(100_000)).into_bytes()),
        ("literal.py", format!("x = '{}'\n", "a".repeat(1_900_000)).into_bytes()),
        ("doubling.py", b"x = 'a'\nfor i in range(60):\n    x = x + x\nopen(x)\n".to_vec()),
        ("loops.py", b"for a in range(60):\n for b in range(60):\n  for c in range(60):\n   for d in range(60):\n    open(str(a))\n".to_vec()),
        ("recursion.py", b"def f(x):\n    return f(f(x + 'a'))\nf('b')\n".to_vec()),
        ("choices.py", format!("import os\nx = ''\n{}open(x)\n", "x = x + ('a' if os.getenv('A') else 'b')\n".repeat(200)).into_bytes()),
        ("cycle_a.py", b"from cycle_b import y\nx = y\n".to_vec()),
        ("cycle_b.py", b"from cycle_a import x\ny = x\n".to_vec()),
        ("latin.py", b"x = '\xe9'\n".to_vec()),
        ("broken.py", b"def f(:\n    password = 'OrangeCrate9'\n".to_vec()),
        ("large.py", vec![b'#'; 3 << 20]),
        ("deep.yaml", format!("a: {}1{}\n", "[".repeat(50_000), "]".repeat(50_000)).into_bytes()),
        ("byte.yaml", b"# caf\xe9\ndb: {password: Orange7Crate}\n".to_vec()),
        ("bomb.yaml", (0..40).fold("a0: &a0 [x]\n".to_owned(), |mut s, i| { let _ = writeln!(s, "a{}: &a{} [*a{i}, *a{i}, *a{i}, *a{i}]", i + 1, i + 1); s }).into_bytes()),
        ("deep.json", format!("{}1{}", "[".repeat(50_000), "]".repeat(50_000)).into_bytes()),
        ("deep.tf", format!("locals {{\n  a = {}1{}\n}}\n", "[".repeat(20_000), "]".repeat(20_000)).into_bytes()),
        ("cycle.tf", b"locals {\n  a = local.b\n  b = local.a\n}\n".to_vec()),
        ("module/main.tf", b"module \"m\" {\n  source = \"./\"\n}\n".to_vec()),
        ("deep.sh", format!("{}echo a{}\n", "$(".repeat(20_000), ")".repeat(20_000)).into_bytes()),
        ("loop.sql", b"{% for a in range(1000000) %}{% for b in range(1000000) %}x{% endfor %}{% endfor %}\n".to_vec()),
        ("Dockerfile", format!("FROM a\nRUN {}\n", "\\\n".repeat(100_000)).into_bytes()),
    ];
    for (name, bytes) in &files {
        world.write(name, bytes);
    }
    std::os::unix::fs::symlink("/etc", world.path("link")).unwrap();
    std::os::unix::fs::symlink("/etc/passwd", world.path("link.py")).unwrap();
    let done = run(&mut world.command(&["check", "--format", "json"]));
    assert!(matches!(done.code, 0 | 1), "{} {}", done.code, done.err);
    let report = report(&done);
    let problems: Vec<String> = report["problems"]
        .as_array()
        .unwrap()
        .iter()
        .map(|p| format!("{}: {}", p["file"].as_str().unwrap(), p["what"].as_str().unwrap()))
        .collect();
    let said = |file: &str, words: &str| {
        assert!(problems.iter().any(|p| p.starts_with(file) && p.contains(words)), "{file}: {words}\n{problems:#?}");
    };
    said("brackets.py", "deeper than 200");
    said("not.py", "more than 4,000 operators");
    said("minus.py", "more than 4,000 operators");
    said("plus.py", "more than 4,000 operators");
    said("attributes.py", "more than 4,000 operators");
    said("calls.py", "more than 4,000 operators");
    said("latin.py", "is not UTF-8");
    said("broken.py", "it is not all Python");
    said("large.py", "larger than 2 MiB");
    said("deep.yaml", "it is not YAML");
    said("bomb.yaml", "500,000 values");
    said("deep.tf", "it is not HCL");
    said("link.py", "links are not followed");
    // What could be read of a broken file is judged.
    for file in ["broken.py", "byte.yaml"] {
        assert!(report["findings"].as_array().unwrap().iter().any(|f| f["file"] == file), "{file}: {report}");
    }
    world.lockgate(&["check", "cycle_a.py", "cycle_b.py", "--strict"]).ok();
    world.lockgate(&["check", "latin.py", "--strict"]).fails(1, "1 not read");
    world.lockgate(&["check", "nowhere"]).fails(3, "cannot open");
    world.write("plain.txt", b"nothing");
    assert!(world.lockgate(&["check", "plain.txt"]).ok().out.contains("not of a kind that is checked"));
}

#[test]
fn hostile_rules_end_in_a_clear_word() {
    let world = World { dir: tempfile::tempdir().unwrap() };
    world.write("lockgate.yaml", b"apiVersion: lockgate/v1\nkind: Check\ncheck:\n  policies: [rules]\n");
    world.write("a.py", b"x = 1\n");
    let head = "# METADATA\n# title: t\n# description: d\n# custom:\n#   severity: low\n#   fix: f\n";
    for (package, body, expect) in [
        ("evil", "f(x) := f(x)\ndeny contains {\"fact\": \"x\", \"message\": \"y\"} if f(1)\n", "calls itself"),
        (
            "evil",
            "deny contains {\"fact\": \"x\", \"message\": \"y\"} if {\n\tsome a in numbers.range(1, 3000)\n\tsome b in numbers.range(1, 3000)\n\tsome c in numbers.range(1, 3000)\n\ta * b * c == 7\n}\n",
            "rule evil takes longer than 10 s",
        ),
        ("evil", "deny contains x if http.send({\"method\": \"get\", \"url\": \"http://localhost\"})\n", "http.send"),
        (
            "tls_verification",
            "deny contains {\"fact\": \"x\", \"message\": \"y\"} if false\n",
            "two rules are called tls-verification",
        ),
    ] {
        world.write(
            "rules/evil.rego",
            format!("{head}package lockgate.check.{package}\n\nimport rego.v1\n\n{body}").as_bytes(),
        );
        world.lockgate(&["check"]).fails(3, expect);
    }
}

#[test]
fn a_report_is_written_to_what_is_named() {
    let world = World { dir: tempfile::tempdir().unwrap() };
    world.write("a.py", b"import redis\nredis.Redis(host='h', password=''.join(['Lagoon-', str(990017)]))\n");
    world.write("reports/a.txt", b"old");
    std::os::unix::fs::symlink("reports/a.txt", world.path("link.txt")).unwrap();
    world.lockgate(&["check", "a.py", "--output", "link.txt"]).fails(1, "1 violation");
    assert!(std::fs::symlink_metadata(world.path("link.txt")).unwrap().is_symlink());
    let text = std::fs::read_to_string(world.path("reports/a.txt")).unwrap();
    assert!(text.contains("hardcoded-credential") && !text.contains("990017"), "{text}");
    world.lockgate(&["check", "a.py", "--output", "/dev/full"]).fails(6, "No space left");
    let lines = run(&mut world.command(&["check", "a.py", "--format", "jsonl"])).out;
    let kinds: Vec<String> = lines
        .lines()
        .map(|line| serde_json::from_str::<serde_json::Value>(line).unwrap())
        .flat_map(|line| line.as_object().unwrap().keys().cloned().collect::<Vec<_>>())
        .collect();
    assert_eq!(kinds, ["finding", "summary"]);
}
