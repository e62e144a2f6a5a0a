//! The quality gates of a pipeline: what they stop, what they put aside, and who lets it through.

use std::{fmt::Write as _, fs, process::Command};

use serde_json::{Value, json};

use crate::world::{Done, World, judge, program, run};

/// A linear congruential generator, so that the data is always the same.
struct Seeded(u64);

impl Seeded {
    fn below(&mut self, limit: u64) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % limit
    }
}

const HEADER: &str = "id,age,city,job,income,when\n";

/// People whose income follows from age and job, mostly.
fn people(first: u64, count: u64, seed: u64) -> Vec<[String; 6]> {
    let mut random = Seeded(seed);
    let jobs = ["clerk", "engineer", "nurse", "farmer", "teacher"];
    (first..first + count)
        .map(|id| {
            let age = 20 + (random.below(25) + random.below(25)) as usize;
            let job = random.below(5) as usize;
            let rich = age + 12 * usize::from(job == 1) + random.below(20) as usize > 62;
            let city = ["Oslo", "Bern", "Rome", "Paris", "Graz", "Linz"][random.below(6) as usize];
            let income = if rich { "high" } else { "low" };
            [
                format!("P{id:06}"),
                age.to_string(),
                city.into(),
                jobs[job].into(),
                income.into(),
                format!("2026-0{}-11", 1 + random.below(9)),
            ]
        })
        .collect()
}

fn csv(rows: &[[String; 6]]) -> String {
    rows.iter().fold(HEADER.to_owned(), |mut text, row| {
        let _ = writeln!(text, "{}", row.join(","));
        text
    })
}

const CONTRACT: &str = r"
apiVersion: v3.1.0
kind: DataContract
id: people
version: 1.0.0
description: {purpose: testing}
team: {members: [{username: ana, role: owner}]}
slaProperties: [{property: retention, value: 2, unit: y}]
schema:
  - name: people
    customProperties: [{property: dataSubject, value: id}]
    properties:
      - {name: id, logicalType: string, primaryKey: true, classification: restricted}
      - {name: age, logicalType: integer, classification: internal}
      - {name: city, logicalType: string, classification: internal}
      - {name: job, logicalType: string, classification: internal}
      - {name: income, logicalType: string, classification: confidential}
      - {name: when, logicalType: date, classification: internal}
";

const WORKSPACE: &str = "
apiVersion: lockgate/v1
kind: Workspace
name: gates
keys: {keyFile: lockgate.key}
principals:
  - {id: ana, roles: [data-engineer]}
  - {id: steward, roles: [data-steward]}
  - {id: dpo, roles: [dpo]}
";

/// A workspace with a golden file and a pipeline whose `quality:` is `gates`.
fn world(gates: &str) -> World {
    let world = World::example("income");
    world.write("lockgate.yaml", WORKSPACE.as_bytes());
    world.write("contracts/people.yaml", CONTRACT.as_bytes());
    let golden = csv(&people(0, 4_000, 1));
    world.write("golden.csv", golden.as_bytes());
    let digest = run(Command::new("sha256sum").arg(world.path("golden.csv"))).ok().out;
    let digest = digest.split_whitespace().next().unwrap();
    let pipeline = format!(
        "apiVersion: lockgate/v1\nkind: Pipeline\nname: gates\npurpose: testing\nlawfulBasis: contract\nsources:\n  people:\n    source: {{uri: 'data/*.csv', trust: unauthenticated}}\n    contract: contracts/people.yaml\n    quality:\n      baseline: {{file: golden.csv, digest: 'sha256:{digest}'}}\n{gates}"
    );
    world.write("pipeline.yaml", pipeline.as_bytes());
    world
}

fn ingest(world: &World) -> Done {
    world.lockgate(&["ingest", "pipeline.yaml", "--format", "json"])
}

fn explained(world: &World) -> Value {
    world.lockgate(&["explain", "--format", "json"]).ok().json()
}

fn gate<'v>(explained: &'v Value, name: &str) -> &'v Value {
    let gates = explained["gates"].as_array().unwrap();
    gates.iter().find(|gate| gate["gate"] == json!(format!("people/{name}"))).unwrap_or_else(|| panic!("{explained}"))
}

/// Events of this kind on the log, whose `gate` is this.
fn events(world: &World, kind: &str, name: &str) -> usize {
    let log = world.lockgate(&["audit", "export"]).ok().out;
    log.lines()
        .map(|line| serde_json::from_str::<Value>(line).unwrap())
        .filter(|event| event["kind"] == json!(kind) && (name.is_empty() || event["detail"]["gate"] == json!(name)))
        .count()
}

const POISONING: &str = "      poisoning: {label: income}\n      maxQuarantinedPercent: 0\n";

/// Clean people but for 40 farmers from Rome who are said to be rich: a backdoor.
fn poisoned() -> Vec<[String; 6]> {
    let mut rows = people(10_000, 2_000, 2);
    for row in rows.iter_mut().filter(|row| row[4] == "low").step_by(20).take(40) {
        row[2] = "Vaduz".into();
        row[3] = "pilot".into();
        row[4] = "high".into();
    }
    rows
}

#[test]
fn poisoned_rows_are_put_aside_explained_and_released_by_a_person() {
    let world = world(POISONING);
    world.write("data/a.csv", csv(&people(10_000, 2_000, 3)).as_bytes());
    let clean = ingest(&world).ok().json();
    assert_eq!(clean[0]["rows_quarantined"], json!(0));
    assert_eq!((events(&world, "gate.passed", "poisoning"), events(&world, "gate.passed", "contract")), (1, 1));

    let rows = poisoned();
    let planted: Vec<usize> = rows.iter().enumerate().filter(|(_, row)| row[3] == "pilot").map(|(at, _)| at).collect();
    world.write("data/a.csv", csv(&rows).as_bytes());
    let outcome = ingest(&world).ok().json();
    let aside = outcome[0]["rows_quarantined"].as_u64().unwrap();
    assert!((40..60).contains(&aside), "{aside}");
    let explained = explained(&world);
    let poisoning = gate(&explained, "poisoning");
    assert_eq!(poisoning["passed"], json!(false));
    let reason = poisoning["evidence"]["segments"][0]["reason"].as_str().unwrap();
    assert!(reason.starts_with("40 rows "), "{reason}");
    assert!(!poisoning.to_string().contains("Vaduz") && !poisoning.to_string().contains("pilot"));
    assert_eq!(events(&world, "gate.quarantined", "poisoning"), 1);
    let picture = world.lockgate(&["explain"]).ok().out;
    assert!(picture.contains("✗ people/poisoning") && picture.contains('█'), "{picture}");

    // Who runs the pipeline may not release, and nobody without a reason.
    let release = ["quarantine", "release", "people", "--reason", "seen with the airline, they are real"];
    world.lockgate(&release).fails(4, "policy denies");
    world.lockgate(&["--as", "steward", "quarantine", "release", "people", "--reason", "ok"]).fails(2, "a reason has");
    world
        .lockgate(&[
            "--as",
            "steward",
            "quarantine",
            "release",
            "people",
            "--rows",
            "9-3",
            "--reason",
            "seen, real people",
        ])
        .fails(2, "no run of rows");
    let row = planted[0].to_string();
    let mut one = vec!["--as", "steward"];
    one.extend(release);
    one.extend(["--rows", &row]);
    world.lockgate(&one).ok();
    assert_eq!(ingest(&world).ok().json()[0]["rows_quarantined"], json!(aside - 1));
    let mut beyond = vec!["--as", "steward"];
    beyond.extend(release);
    beyond.extend(["--rows", "1,2000"]);
    world.lockgate(&beyond).fails(2, "there is no row 2000");
    let mut all = vec!["--as", "steward"];
    all.extend(release);
    world.lockgate(&all).ok();
    assert_eq!(ingest(&world).ok().json()[0]["rows_quarantined"], json!(0));
    let told = gate(&self::explained(&world), "released")["detail"].as_str().unwrap().to_owned();
    assert!(told.starts_with(&aside.to_string()) && told.contains("released by steward"), "{told}");
    assert_eq!(events(&world, "quarantine.released", ""), 2);
    world.lockgate(&["verify"]).ok();

    // A release is about what was judged: gates that are added later judge anew.
    world.edit("pipeline.yaml", "poisoning: {label: income}", "poisoning: {label: income, falseAlarms: 0.009}");
    assert!(ingest(&world).ok().json()[0]["rows_quarantined"].as_u64().unwrap() >= 40);

    // And so are other files.
    let mut others = poisoned();
    others[0][1] = "44".into();
    world.write("data/a.csv", csv(&others).as_bytes());
    assert!(ingest(&world).ok().json()[0]["rows_quarantined"].as_u64().unwrap() >= 40);
}

#[test]
fn rows_keep_their_numbers_through_empty_files_and_refused_rows() {
    let world = world(&POISONING.replace("Percent: 0", "Percent: 50"));
    let mut first = people(10_000, 700, 3);
    // Rows that break the contract come before the guilty ones.
    first.iter_mut().take(5).for_each(|row| row[1] = "old".into());
    let second = poisoned();
    world.write("data/0.csv", HEADER.as_bytes());
    world.write("data/1.csv", csv(&first).as_bytes());
    world.write("data/2.csv", HEADER.as_bytes());
    world.write(
        "data/3.csv",
        csv(&second
            .iter()
            .cloned()
            .map(|mut row| {
                row[0].replace_range(1..2, "7");
                row
            })
            .collect::<Vec<_>>())
        .as_bytes(),
    );
    let outcome = ingest(&world).ok().json();
    assert!(outcome[0]["rows_quarantined"].as_u64().unwrap() >= 45, "{outcome}");
    let sql = "select \"row\", rule from \"people.quarantine\" where rule like 'poisoning%'";
    let ids = ["--as", "dpo", "query", "--purpose", "testing", "--limit", "1000", "--format", "json", sql];
    let aside = world.lockgate(&ids).ok().json();
    let numbers: Vec<u64> =
        aside.as_array().unwrap().iter().map(|row| row["row"].as_str().unwrap().parse().unwrap()).collect();
    let planted = second.iter().enumerate().filter(|(_, row)| row[3] == "pilot").map(|(at, _)| 700 + at as u64);
    let found = planted.into_iter().filter(|row| numbers.contains(row)).count();
    assert_eq!(found, 40, "{numbers:?}");
}

#[test]
fn what_a_gate_cannot_judge_lets_nothing_through() {
    // A condition about a column that is not there.
    let world = world("      expectations: [{suite: suite.json, onFail: quarantine}]\n      drift: {columns: [age]}\n");
    let suite = json!({"name": "people", "expectations": [{"type": "expect_column_values_to_be_between",
        "kwargs": {"column": "age", "max_value": 1, "row_condition": "col(\"height\") > 1", "condition_parser": "great_expectations"}}]});
    world.write("suite.json", suite.to_string().as_bytes());
    world.write("data/a.csv", csv(&people(10_000, 500, 3)).as_bytes());
    ingest(&world).fails(1, "gate \\\"expectations people\\\" failed");
    // Two suites of one name would answer for each other.
    world.edit(
        "pipeline.yaml",
        "[{suite: suite.json, onFail: quarantine}]",
        "[{suite: suite.json}, {suite: suite.json}]",
    );
    ingest(&world).fails(3, "another suite is called");
    // Golden rows that break the contract are not golden.
    world.edit("pipeline.yaml", "[{suite: suite.json}, {suite: suite.json}]", "[]");
    let text = fs::read_to_string(world.path("golden.csv")).unwrap().replace(",3", ",x3");
    world.write("golden.csv", text.as_bytes());
    ingest(&world).fails(5, "the digest of the baseline");
    assert_eq!(events(&world, "baseline.refused", ""), 1);
    let digest = run(Command::new("sha256sum").arg(world.path("golden.csv"))).ok().out;
    let pipeline = fs::read_to_string(world.path("pipeline.yaml")).unwrap();
    let at = pipeline.find("sha256:").unwrap() + 7;
    world.edit("pipeline.yaml", &pipeline[at..at + 64], digest.split_whitespace().next().unwrap());
    ingest(&world).fails(3, "rows of the baseline break the contract");
}

#[test]
fn a_source_unlike_the_others_is_put_aside_whole() {
    let world = world(POISONING);
    for file in 0..4 {
        let mut rows = people(20_000 + file * 1_000, 600, 5 + file);
        if file == 2 {
            for row in rows.iter_mut().take(400) {
                row[4] = if row[4] == "low" { "high" } else { "low" }.into();
            }
        }
        world.write(&format!("data/{file}.csv"), csv(&rows).as_bytes());
    }
    let outcome = ingest(&world).ok().json();
    assert_eq!(outcome[0]["rows_quarantined"], json!(600), "{outcome}");
    let violations = outcome[0]["violations"].to_string();
    assert!(violations.contains("poisoning/sources"), "{violations}");
}

#[test]
fn drift_stops_warns_or_puts_files_aside() {
    let older = |rows: Vec<[String; 6]>| -> Vec<[String; 6]> {
        rows.into_iter()
            .map(|mut row| {
                row[1] = (row[1].parse::<u32>().unwrap() + 15).to_string();
                row
            })
            .collect()
    };
    let stopping = world("      drift: {onFail: stop, columns: [age, city, job]}\n");
    stopping.write("data/a.csv", csv(&older(people(10_000, 2_000, 3))).as_bytes());
    let done = ingest(&stopping).fails(1, "gate \\\"drift\\\" failed: 1 of 3 columns have drifted: age");
    assert!(done.err.contains("lockgate explain"), "{}", done.err);
    let seen = explained(&stopping);
    assert_eq!(seen["run"]["outcome"], json!("failed"));
    let column = &gate(&seen, "drift")["evidence"]["drift"][0];
    assert_eq!(column["column"], json!("age"));
    assert!(column["before"].as_array().unwrap().len() > 3);
    assert!(stopping.lockgate(&["explain"]).ok().out.contains("before ["));
    assert_eq!(events(&stopping, "gate.failed", "drift"), 1);
    stopping.lockgate(&["datasets"]).ok();
    assert!(!stopping.path(".lockgate/lake/heads/people").exists());

    stopping.edit("pipeline.yaml", "onFail: stop", "onFail: warn");
    assert_eq!(ingest(&stopping).ok().json()[0]["rows_committed"], json!(2_000));
    assert_eq!(events(&stopping, "gate.warned", "drift"), 1);

    stopping.edit("pipeline.yaml", "onFail: warn", "onFail: quarantine");
    stopping.write("data/b.csv", csv(&people(30_000, 1_500, 4)).as_bytes());
    let outcome = ingest(&stopping).ok().json();
    assert_eq!((&outcome[0]["rows_committed"], &outcome[0]["rows_quarantined"]), (&json!(1_500), &json!(2_000)));
    let seen = explained(&stopping);
    let detail = gate(&seen, "drift")["detail"].as_str().unwrap();
    assert!(detail.contains("1 of 2 files have drifted (data/a.csv: 1 of 3 columns"), "{detail}");

    // A profile is baseline enough for drift, and not for poisoning.
    let profile = stopping.path("golden.lgp");
    run(Command::new(program()).args(["profile", "--out"]).arg(&profile).arg(stopping.path("golden.csv"))).ok();
    let digest = run(Command::new("sha256sum").arg(&profile)).ok().out;
    let old = fs::read_to_string(stopping.path("pipeline.yaml")).unwrap();
    let start = old.find("baseline:").unwrap();
    let line = &old[start..start + old[start..].find('\n').unwrap()];
    let own = format!("baseline: {{file: golden.lgp, digest: 'sha256:{}'}}", digest.split_whitespace().next().unwrap());
    stopping.edit("pipeline.yaml", line, &own);
    fs::remove_file(stopping.path("data/b.csv")).unwrap();
    stopping.edit("pipeline.yaml", "onFail: quarantine", "onFail: stop");
    ingest(&stopping).fails(1, "columns have drifted: age");
    stopping.edit("pipeline.yaml", "      drift:", "      poisoning: {}\n      drift:");
    ingest(&stopping).fails(3, "not a profile");
}

#[test]
fn expectations_stop_or_put_rows_aside() {
    let world = world("      expectations: [{suite: suite.json, onFail: quarantine}]\n");
    let suite = |list: Value| json!({"name": "people", "expectations": list}).to_string();
    let between = json!({"type": "expect_column_values_to_be_between", "kwargs": {"column": "age", "max_value": 60}});
    let cities = json!({"type": "expect_column_values_to_be_in_set",
        "kwargs": {"column": "city", "value_set": ["Oslo", "Bern", "Rome", "Paris", "Graz", "Linz"]}});
    world.write("suite.json", suite(json!([between, cities])).as_bytes());
    let mut rows = people(10_000, 500, 3);
    let old = rows.iter().filter(|row| row[1].parse::<u32>().unwrap() > 60).count();
    rows[7][2] = "Atlantis".into();
    world.write("data/a.csv", csv(&rows).as_bytes());
    let outcome = ingest(&world).ok().json();
    let both = usize::from(rows[7][1].parse::<u32>().unwrap() > 60);
    assert_eq!(outcome[0]["rows_quarantined"], json!(old + 1 - both));
    assert!(!outcome.to_string().contains("Atlantis"));

    // The rows of an expectation about the whole cannot be told: the run ends.
    let mean = json!({"type": "expect_column_mean_to_be_between", "kwargs": {"column": "age", "max_value": 1}});
    world.write("suite.json", suite(json!([mean])).as_bytes());
    ingest(&world).fails(1, "expect_column_mean_to_be_between (age)");
    world.write(
        "suite.json",
        suite(json!([{"type": "unexpected_rows_expectation",
        "kwargs": {"unexpected_rows_query": "SELECT * FROM {batch}"}}]))
        .as_bytes(),
    );
    ingest(&world).fails(3, "ingestion does not run");
}

#[test]
fn a_gate_that_is_set_up_wrongly_is_refused() {
    let world = world("      drift: {}\n");
    world.write("data/a.csv", csv(&people(10_000, 500, 3)).as_bytes());
    world.write("golden.csv", csv(&people(0, 4_000, 9)).as_bytes());
    ingest(&world).fails(5, "the digest of the baseline is");
    world.edit("pipeline.yaml", "      drift: {}\n", "      drift: {distance: 3}\n");
    ingest(&world).fails(3, "distance and alpha must be between 0 and 1");
    world.edit("pipeline.yaml", "{distance: 3}", "{columns: [height]}");
    let digest = run(Command::new("sha256sum").arg(world.path("golden.csv"))).ok().out;
    let text = fs::read_to_string(world.path("pipeline.yaml")).unwrap();
    let at = text.find("sha256:").unwrap() + 7;
    world.edit("pipeline.yaml", &text[at..at + 64], digest.split_whitespace().next().unwrap());
    ingest(&world).fails(3, "column \\\"height\\\"");
    let baseline = text.find("      baseline:").unwrap();
    let line = text[baseline..baseline + text[baseline..].find('\n').unwrap()]
        .replace(&text[at..at + 64], digest.split_whitespace().next().unwrap());
    world.edit("pipeline.yaml", &line, "");
    ingest(&world).fails(3, "no baseline");
    world.lockgate(&["explain", "nothing"]).fails(2, "there is no run");
}

#[test]
fn files_are_screened_without_a_workspace() {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name).to_str().unwrap().to_owned();
    let (golden, clean, bad, out) = (at("golden.csv"), at("clean.csv"), at("bad.csv"), at("guilty.jsonl"));
    fs::write(&golden, csv(&people(0, 4_000, 1))).unwrap();
    fs::write(&clean, csv(&people(10_000, 2_000, 3))).unwrap();
    let rows = poisoned();
    fs::write(&bad, csv(&rows)).unwrap();
    let screen = |args: &[&str]| run(Command::new(program()).arg("screen").args(args));
    screen(&[&golden, &clean, "--label", "income"]).ok();
    let done = screen(&[&golden, &bad, "--label", "income", "--out", &out]).fails(1, "the data looks poisoned");
    assert!(done.out.contains("✗ 40 rows ") && !done.out.contains("Vaduz"), "{}", done.out);
    let guilty: Vec<Value> =
        fs::read_to_string(&out).unwrap().lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let numbers: Vec<u64> = guilty.iter().filter_map(|row| row["row"].as_u64()).collect();
    let planted = rows.iter().enumerate().filter(|(_, row)| row[3] == "pilot").map(|(row, _)| row as u64);
    assert!(planted.into_iter().all(|row| numbers.contains(&row)));
    assert!(numbers.len() < 60, "{}", numbers.len());
    let json = screen(&[&golden, &bad, "--label", "income", "--format", "json"]).fails(1, "poisoned").json();
    assert_eq!(json["poisoned"], json!(true));
    // The same seed, the same verdict.
    let again = screen(&[&golden, &bad, "--label", "income", "--format", "json"]).fails(1, "poisoned").json();
    assert_eq!(json, again);
    screen(&[&golden, &bad, "--label", "salary"]).fails(2, "no column \"salary\"");
    screen(&[&golden, &bad, "--false-alarms", "0"]).fails(2, "--false-alarms");
    fs::write(at("tiny.csv"), csv(&people(0, 50, 1))).unwrap();
    screen(&[&at("tiny.csv"), &bad]).fails(3, "the least to learn from");
    fs::write(at("other.csv"), "a,b\n1,2\n").unwrap();
    screen(&[&golden, &at("other.csv")]).fails(3, "has no column");
}

const LEVELS: &str = r"
apiVersion: v3.1.0
kind: DataContract
id: orders
version: 1.0.0
description: {purpose: testing}
team: {members: [{username: ana, role: owner}]}
slaProperties:
  - {property: retention, value: 100, unit: y, element: orders.placed}
  - {property: freshness, value: 50, unit: y, element: orders.placed}
  - {property: frequency, value: 1, unit: d}
servers: [{server: files, type: local, path: orders.jsonl, format: json}]
schema:
  - name: orders
    customProperties: [{property: dataSubject, value: none}]
    properties:
      - {name: id, logicalType: integer, primaryKey: true, classification: internal}
      - {name: person, logicalType: string, classification: internal, relationships: [{to: people.id}]}
      - {name: placed, logicalType: date, classification: internal, logicalTypeOptions: {format: dd.MM.yyyy}}
      - {name: at, logicalType: time, classification: internal, logicalTypeOptions: {minimum: '08:00', maximum: '17:30:00'}}
      - name: lines
        logicalType: array
        classification: internal
        logicalTypeOptions: {minItems: 1}
        items: {logicalType: object, properties: [{name: sku, logicalType: string, required: true}]}
";

#[test]
fn a_contract_says_when_whence_and_in_what_shape() {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name).to_str().unwrap().to_owned();
    let (contract, orders, people) = (at("c.yaml"), at("orders.jsonl"), at("people.csv"));
    fs::write(&contract, LEVELS).unwrap();
    run(Command::new(judge("python")).args([
        "-c",
        "import importlib.resources, json, sys, jsonschema, yaml\nschema = json.loads(importlib.resources.files('open_data_contract_standard').joinpath('schema.json').read_text())\njsonschema.validate(yaml.safe_load(open(sys.argv[1])), schema)",
        &contract,
    ]))
    .ok();
    fs::write(&people, "id,name\nP1,a\nP2,b\n").unwrap();
    let good = r#"{"id": 1, "person": "P1", "placed": "24.12.2025", "at": "08:00:00", "lines": [{"sku": "x"}]}
{"id": 2, "person": null, "placed": "01.02.2026", "at": "17:30", "lines": [{"sku": "y"}, {"sku": "z"}]}
"#;
    fs::write(&orders, good).unwrap();
    let test = |args: &[&str]| {
        run(Command::new(program()).args(["contract", "test", &contract, "--format", "json"]).args(args))
    };
    let table = format!("people={people}");
    // The contract's server says where the data lies.
    test(&["--table", &table]).ok();
    test(&[]).fails(3, "the relationship to people cannot be checked");
    let bad = r#"{"id": 1, "person": "P9", "placed": "31.02.2025", "at": "07:59", "lines": []}
{"id": 2, "person": "P9", "placed": "01.01.1900", "at": "25:00", "lines": [{"sku": 1}]}
{"id": 3, "person": "P9", "placed": "01.01.1900", "at": "12:00", "lines": [{"sku": "a"}]}
"#;
    fs::write(&orders, bad).unwrap();
    let tested = test(&["--table", &table]).fails(1, "does not keep the contract").json();
    let broken: Vec<String> = tested["rows_broken"]
        .as_array()
        .unwrap()
        .iter()
        .map(|b| format!("{} {} {}", b["column"].as_str().unwrap(), b["rule"].as_str().unwrap(), b["rows"]))
        .collect();
    assert_eq!(broken, ["at maximum 1", "at minimum 1", "at pattern 1", "lines nested 2", "placed logicalType 1"]);
    // A date that lies ahead makes nothing fresh.
    fs::write(&orders, bad.replace("01.01.1900", "01.01.2999")).unwrap();
    let ahead = test(&["--table", &table]).fails(1, "does not keep").json();
    assert!(
        ahead["quality"]
            .as_array()
            .unwrap()
            .iter()
            .any(|rule| rule["rule"] == json!("freshness: age of the newest row") && rule["passed"] == json!(false))
    );
    let failed: Vec<&str> = tested["quality"]
        .as_array()
        .unwrap()
        .iter()
        .filter(|rule| rule["passed"] == json!(false))
        .map(|rule| rule["rule"].as_str().unwrap())
        .collect();
    assert_eq!(failed, ["refers to people", "retention: age of the oldest row", "freshness: age of the newest row"]);
    for (from, to, words) in [
        (
            "element: orders.placed}\n  - {property: freshness",
            "element: orders.sent}\n  - {property: freshness",
            "is not a column",
        ),
        ("unit: d}", "unit: moons}", "c.yaml:11:16"),
        ("property: freshness", "property: frehsness", "did you mean \\\"freshness\\\""),
        (
            "element: orders.placed}\n  - {property: frequency",
            "element: people.placed}\n  - {property: frequency",
            "this dataset",
        ),
        (
            "items: {logicalType: object",
            "items: {logicalType: object, classification: restricted",
            "classify it by the highest",
        ),
        ("dd.MM.yyyy", "QQ yyyy", "c.yaml:19:16"),
        ("minimum: '08:00'", "minimum: 8", "time of day"),
        ("to: people.id", "to: [people.id, people.name]", "as many columns"),
    ] {
        fs::write(&contract, LEVELS.replace(from, to)).unwrap();
        let done = test(&["--table", &table]);
        assert_eq!(done.code, 3, "{to}: {}", done.err);
        assert!(done.err.contains(words), "{to}: {}", done.err);
    }
}

#[test]
fn a_relationship_holds_between_the_sources_of_a_pipeline() {
    let world = world("");
    let people_csv = csv(&people(0, 50, 3));
    world.write("data/a.csv", people_csv.as_bytes());
    let orders = CONTRACT.replace("people", "orders").replace(
        "name: city, logicalType: string,",
        "name: city, logicalType: string, relationships: [{to: people.id}],",
    );
    world.write("contracts/orders.yaml", orders.as_bytes());
    let mut rows = people(500, 10, 4);
    rows.iter_mut().enumerate().for_each(|(at, row)| row[2] = format!("P{at:06}"));
    world.write("orders/o.csv", csv(&rows).as_bytes());
    let text = fs::read_to_string(world.path("pipeline.yaml")).unwrap();
    let more =
        "  orders:\n    source: {uri: 'orders/o.csv', trust: unauthenticated}\n    contract: contracts/orders.yaml\n";
    world.write("pipeline.yaml", format!("{text}{more}").as_bytes());
    ingest(&world).ok();
    assert!(ingest(&world).ok().json().as_array().unwrap().iter().all(|one| one["unchanged"] == json!(true)));
    let basis = "customProperties: [{property: lawfulBasis, value: consent}]\nschema:";
    world.edit("contracts/orders.yaml", "schema:", basis);
    ingest(&world).fails(3, "the contract holds orders on");
    world.edit("contracts/orders.yaml", basis, "schema:");
    // The other side changes: what refers to it is looked at again.
    world.write("data/a.csv", csv(&people(0, 9, 3)).as_bytes());
    ingest(&world).fails(1, "refers to people of city is 1 and must be 0");
    world.write("data/a.csv", people_csv.as_bytes());
    rows[3][2] = "P999999".into();
    world.write("orders/o.csv", csv(&rows).as_bytes());
    let done = ingest(&world).fails(1, "refers to people of city is 1 and must be 0");
    assert!(!done.err.contains("P999999"));
    let alone = text
        .replace("  people:\n", "  orders:\n")
        .replace("contracts/people", "contracts/orders")
        .replace("data/*.csv", "orders/o.csv");
    world.write("pipeline.yaml", alone.as_bytes());
    ingest(&world).fails(3, "the pipeline has no source of that name");
}
