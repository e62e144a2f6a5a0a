//! The corpus, and what the parts promise.

use std::fmt::Write as _;

use crate::{
    Options,
    accept::comments,
    config::{Config, PersonalConfig, StorageConfig},
    finding::{Finding, findings},
    read,
    rules::{Answer, Bundle},
    source::Tree,
};

const CORPUS: [&str; 4] = [
    include_str!("../corpus/python_credentials.txt"),
    include_str!("../corpus/python_storage.txt"),
    include_str!("../corpus/other.txt"),
    include_str!("../corpus/clean.txt"),
];

struct Case {
    name: String,
    rule: String,
    files: Vec<(String, String)>,
}

fn corpus() -> Vec<Case> {
    let mut cases: Vec<Case> = Vec::new();
    for line in CORPUS.iter().flat_map(|text| text.split_inclusive('\n')) {
        if let Some(head) = line.strip_prefix("### ") {
            let parts: Vec<&str> = head.split('|').map(str::trim).collect();
            let [name, rule, path] = parts.as_slice() else { panic!("{head}") };
            let files = vec![((*path).to_owned(), String::new())];
            cases.push(Case { name: (*name).to_owned(), rule: (*rule).to_owned(), files });
        } else if let (Some(path), Some(case)) = (line.strip_prefix("--- "), cases.last_mut()) {
            case.files.push((path.trim().to_owned(), String::new()));
        } else if let Some((_, text)) = cases.last_mut().and_then(|case| case.files.last_mut()) {
            text.push_str(line);
        }
    }
    cases
}

fn policy() -> Config {
    let prohibited = ["s3://restricted-raw", "gs://hr-exports", "abfs://dump@oldstore"];
    Config {
        storage: StorageConfig { prohibited: prohibited.map(str::to_owned).to_vec(), allowed: Vec::new() },
        personal: PersonalConfig {
            locations: vec!["s3://people".to_owned()],
            approved_sinks: vec!["s3://masked".to_owned()],
        },
        ..Config::default()
    }
}

fn check(files: &[(&str, &str)], config: &Config) -> Vec<Finding> {
    let tree = Tree::of(files);
    let bundle = Bundle::new(&[] as &[&str], config).unwrap();
    let read = read(&tree, &Options { threads: 1, key: None, watch: config.watched().unwrap() }).unwrap();
    let verdicts = bundle.judge(&read.facts, config, 1).unwrap();
    let mut found = findings(&read.facts, &bundle, &verdicts).unwrap();
    let rules: Vec<&str> = bundle.rules.iter().map(|rule| rule.id.as_str()).collect();
    comments(&tree, &rules, &mut found);
    found.retain(|f| f.answer == Answer::Violation && f.accepted.is_none());
    found
}

#[test]
fn the_corpus_is_judged_as_it_says() {
    let config = policy();
    let schema = jsonschema::validator_for(&crate::facts::schema()).unwrap();
    let (mut planted, mut missed, mut clean, mut alarms) = (0, String::new(), 0, String::new());
    let mut misses = 0;
    for case in corpus() {
        let files: Vec<(&str, &str)> = case.files.iter().map(|(p, t)| (p.as_str(), t.as_str())).collect();
        let found = check(&files, &config);
        let facts = read(&Tree::of(&files), &Options { threads: 1, key: None, watch: Vec::new() }).unwrap().facts;
        let facts = serde_json::to_value(&facts).unwrap();
        if let Err(error) = schema.validate(&facts) {
            panic!("{}: {} at {}", case.name, error, error.instance_path());
        }
        if case.rule == "clean" {
            clean += 1;
            for f in &found {
                let _ = writeln!(alarms, "{}: {} {}:{} {}", case.name, f.rule, f.file, f.line, f.message);
            }
        } else {
            planted += 1;
            if !found.iter().any(|f| f.rule == case.rule) {
                misses += 1;
                let _ = writeln!(
                    missed,
                    "{} ({}): {:?}",
                    case.name,
                    case.rule,
                    found.iter().map(|f| &f.rule).collect::<Vec<_>>()
                );
            }
        }
    }
    // A case that vanished would never be missed.
    assert_eq!((planted, clean), (433, 157), "planted and clean cases; say how many there are now");
    assert!(alarms.is_empty(), "false alarms:\n{alarms}");
    assert!(misses == 0, "missed {misses} of {planted}:\n{missed}");
}

const ROUNDS: usize = 1_000;

/// Cases cut, doubled and mixed: whatever comes of it, a reader ends and says what it did.
#[test]
fn mutilated_files_are_read_to_an_end() {
    use lockgate_core::SplitMix64;
    let cases = corpus();
    let mut random = SplitMix64::new(7);
    let mut below = |n: usize| (random.next_u64() % n.max(1) as u64) as usize;
    for round in 0..ROUNDS {
        let case = &cases[below(cases.len())];
        let other = &cases[below(cases.len())];
        let which = below(case.files.len());
        let (path, text) = &case.files[which];
        let mut bytes: Vec<u8> = text.as_bytes().to_vec();
        for _ in 0..=below(4) {
            let (from, to) = (below(bytes.len()), below(bytes.len()));
            let piece: Vec<u8> = bytes[from.min(to)..from.max(to)].to_vec();
            match below(4) {
                0 => drop(bytes.splice(from.min(to)..from.max(to), [])),
                1 => drop(bytes.splice(from..from, piece)),
                2 => drop(bytes.splice(from..from, other.files[0].1.bytes())),
                _ => {
                    if let Some(byte) = bytes.get_mut(from) {
                        *byte = b"(){}[]'\"\\\n$%#:|&\0\t"[below(18)];
                    }
                }
            }
        }
        let text = String::from_utf8_lossy(&bytes).into_owned();
        // The other files of the case stay as they are: what names a broken one is read too.
        let files: Vec<(&str, &str)> = case
            .files
            .iter()
            .enumerate()
            .map(|(i, (path, own))| (path.as_str(), if i == which { text.as_str() } else { own.as_str() }))
            .collect();
        let tree = Tree::of(&files);
        let read = read(&tree, &Options { threads: 1, key: None, watch: Vec::new() }).unwrap();
        let failed = read.facts.problems.iter().find(|p| p.what.contains("a bug of Lockgate"));
        assert!(failed.is_none(), "round {round}, {path}: {failed:?}\n{text}");
    }
}

/// A function of another file that an uncalled one calls: the same facts, whoever reads which file.
#[test]
fn threads_find_the_same() {
    let mut files: Vec<(String, String)> = Vec::new();
    for n in 0..40 {
        // Those behind are called by those in front; none in a circle.
        let other = if n < 20 { format!("m{}", 39 - n) } else { "elsewhere".to_owned() };
        let text = format!(
            "import boto3\nfrom {other} import put as other\n\ndef put(bucket):\n    boto3.client('s3').put_object(Bucket=bucket, Key='a')\n\ndef run(day):\n    other('b{n}')\n"
        );
        files.push((format!("m{n}.py"), text));
    }
    let files: Vec<(&str, &str)> = files.iter().map(|(p, t)| (p.as_str(), t.as_str())).collect();
    let tree = Tree::of(&files);
    let facts = |threads| {
        let options = Options { threads, key: Some(vec![7; 32]), watch: Vec::new() };
        serde_json::to_string(&read(&tree, &options).unwrap().facts.storage).unwrap()
    };
    let alone = facts(1);
    assert!(alone.contains("b19"));
    for threads in [2, 3, 5] {
        assert_eq!(facts(threads), alone);
    }
}

#[test]
fn the_hook_names_the_kinds_that_are_checked() {
    let hook = include_str!("../../../.pre-commit-hooks.yaml");
    let documents = crate::yaml::parse(hook).unwrap();
    let files = documents[0].items()[0].get("files").and_then(crate::yaml::Node::str).unwrap();
    let hook = regex::Regex::new(files).unwrap();
    for path in [
        "dags/a.py",
        "a.ipynb",
        "infra/main.tf",
        "prod.tfvars",
        "env/prod.s3.tfbackend",
        "values.yaml",
        "c.yml",
        "p.json",
        "run.sh",
        "q.sql",
        "core-site.xml",
        "a.ini",
        "pip.conf",
        ".env",
        ".env.prod",
        ".env.example",
        "a.properties",
        "pyproject.toml",
        "key.pem",
        "id_rsa",
        "t.tpl",
        "x.yaml.j2",
        "Makefile",
        "rules.mk",
        "Dockerfile",
        "Dockerfile.train",
        "train.dockerfile",
        ".netrc",
        ".pgpass",
        "requirements.txt",
        "dev-requirements.in",
        "requirements/base.txt",
        ".aws/config",
        ".dvc/config",
        "credentials",
        "README.md",
        "data.csv",
        "a.parquet",
        "notes.txt",
        "main.rs",
        "LICENSE",
        "logo.png",
        "monkey",
        "environment",
    ] {
        assert_eq!(hook.is_match(path), Tree::of(&[(path, "")]).find(path).is_some(), "{path}");
    }
}

#[test]
fn settings_of_one_file_are_not_those_of_another() {
    let config = policy();
    let other: Vec<(String, String)> = (0..40)
        .map(|i| (format!("a{i}.py"), "import os\nos.environ[\"B\"] = \"restricted-raw\"\n".to_owned()))
        .collect();
    let mut files: Vec<(&str, &str)> = other.iter().map(|(p, t)| (p.as_str(), t.as_str())).collect();
    files.push(("z.py", "import os, boto3\nboto3.client(\"s3\").get_object(Bucket=os.environ[\"B\"], Key=\"k\")\n"));
    assert!(!check(&files, &config).iter().any(|f| f.file == "z.py"));
    let files = [
        ("settings.py", "import os\nos.environ[\"B\"] = \"restricted-raw\"\n"),
        ("z.py", "import os, boto3, settings\nboto3.client(\"s3\").get_object(Bucket=os.environ[\"B\"], Key=\"k\")\n"),
    ];
    assert!(check(&files, &config).iter().any(|f| f.file == "z.py" && f.rule == "prohibited-storage"));
}

/// Each of these doubles or nests what it names; reading it ends, with what stands beside it seen.
#[test]
fn what_multiplies_ends() {
    let sql: String = (1..60).map(|i| format!("\\set v{i} :v{} :v{}\n", i - 1, i - 1)).collect();
    let sql = format!("\\set v0 xxxxxxxx\n{sql}COPY t FROM 's3://restricted-raw/x';\n");
    let eight: String = (0..8).map(|_| "{1}").collect();
    let workflow = format!(
        "on: push\njobs:\n  a:\n    runs-on: x\n    steps:\n      - run: aws s3 ls s3://restricted-raw ${{{{ format('{}', '{eight}', '{eight}') }}}}\n",
        "{0}".repeat(8)
    );
    let variables: String = (0..500)
        .map(|i| {
            format!(
                "variable \"v{i}\" {{\n  type = object({{ x = optional(string, var.v{}.x) }})\n  default = {{}}\n}}\n",
                i + 1
            )
        })
        .collect();
    let terraform = format!(
        "{variables}output \"o\" {{\n  value = var.v0.x\n}}\nresource \"aws_s3_object\" \"a\" {{\n  bucket = \"restricted-raw\"\n}}\n"
    );
    let mut classes = String::from("import pandas as pd\n");
    for level in 0..9 {
        for class in 0..10 {
            let bases: Vec<String> = (0..10).filter(|_| level > 0).map(|b| format!("C{}_{b}", level - 1)).collect();
            classes
                .push_str(&format!("class C{level}_{class}({}):\n    x = {level}\n    y: int = 1\n", bases.join(", ")));
        }
    }
    classes.push_str("pd.read_csv('s3://restricted-raw/a.csv')\n");
    let services: String =
        (0..5_000).map(|i| format!("  s{i}: {{extends: {{file: base.yml, service: a}}}}\n")).collect();
    let compose = format!("services:\n{services}  z: {{image: 'a:1', environment: ['URL=s3://restricted-raw/x']}}\n");
    let loops = "{% for k, v in var('x').items() %}{{ k }}{% endfor %} copy into t from 's3://restricted-raw/x'";
    let cases: [(&str, &str); 6] = [
        ("load.sql", &sql),
        (".github/workflows/a.yml", &workflow),
        ("main.tf", &terraform),
        ("a.py", &classes),
        ("compose.yml", &compose),
        ("m.sql", loops),
    ];
    for (path, text) in cases {
        let found = check(&[(path, text), ("base.yml", "services: {a: {image: 'a:1'}}")], &policy());
        assert!(found.iter().any(|f| f.rule == "prohibited-storage"), "{path}: {found:?}");
    }
}
