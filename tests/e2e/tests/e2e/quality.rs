//! Quality of data: expectations held against Great Expectations itself.

use std::{fs, process::Command};

use serde_json::{Value, json};

use crate::world::{Done, data, judge, program, root, run};

fn lockgate(args: &[&str]) -> Done {
    run(Command::new(program()).args(args))
}

/// Lets a script hold the program against another, on random data.
#[track_caller]
fn judged(script: &str, rounds: &str, seed: &str) {
    let script = root().join("tests/e2e/judges").join(script);
    let done = run(Command::new(judge("python")).arg(script).arg(program()).args([rounds, seed]));
    assert_eq!(done.code, 0, "{}\n{}", done.out, done.err);
}

#[test]
fn great_expectations_says_the_same() {
    judged("expectations.py", "12", "20261122");
}

#[test]
fn a_suite_names_rows_and_not_values_unless_asked() {
    let folder = tempfile::tempdir().unwrap();
    let (suite, data) = (folder.path().join("suite.json"), folder.path().join("people.csv"));
    fs::write(&data, "name,age\nJudith,30\nHolofernes,200\n").unwrap();
    let expectations = json!({"name": "people", "expectations": [
        {"type": "expect_column_values_to_be_in_set", "kwargs": {"column": "name", "value_set": ["Judith"]}},
        {"type": "unexpected_rows_expectation", "kwargs": {"unexpected_rows_query": "SELECT * FROM {batch} WHERE age > 120"}},
    ]});
    fs::write(&suite, expectations.to_string()).unwrap();
    let (suite, data) = (suite.to_str().unwrap(), data.to_str().unwrap());
    let hidden = lockgate(&["expect", suite, data, "--format", "json"]).fails(1, "2 of 2 expectations are not met");
    assert!(!hidden.out.contains("Holofernes"));
    let result: Value = hidden.json();
    assert_eq!(result["results"][0]["result"]["partial_unexpected_index_list"], json!([1]));
    assert_eq!(result["results"][1]["result"]["observed_value"], json!(1));
    assert!(lockgate(&["expect", suite, data, "--show-values"]).fails(1, "not met").out.contains("Holofernes"));
    lockgate(&["expect", data, data]).fails(3, "this is not an expectation suite");
    lockgate(&["expect", suite, suite]).fails(3, "format");
    fs::write(folder.path().join("broken.csv"), "name,age\na,1,2\n").unwrap();
    lockgate(&["expect", suite, folder.path().join("broken.csv").to_str().unwrap()]).fails(3, "record 1");
}

#[test]
fn scipy_measures_the_same_drift() {
    judged("drift.py", "11", "20261123");
}

#[test]
fn a_profile_stands_in_for_its_data_and_holds_nobody() {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name).to_str().unwrap().to_owned();
    let rows = |shift: u64| {
        let mut csv = String::from("name,email,age,city,iq\n");
        for i in 0..2_000u64 {
            let (age, city) = (20 + (i * 37) % 50 + shift, ["Oslo", "Bern", "Rome"][(i % 3) as usize]);
            csv.push_str(&format!("Maria Keller{i},maria{i}@example.org,{age},{city},{}\n", 80 + i % 41));
        }
        csv
    };
    fs::write(at("before.csv"), rows(0)).unwrap();
    fs::write(at("now.csv"), rows(15)).unwrap();
    let (before, now, profile, page) = (at("before.csv"), at("now.csv"), at("before.lgp"), at("page.html"));
    let shown = lockgate(&["profile", &before, "--out", &profile, "--html", &page, "--confidential", "iq"]).ok();
    for place in [shown.out.into_bytes(), fs::read(&profile).unwrap(), fs::read(&page).unwrap()] {
        let text = String::from_utf8_lossy(&place).into_owned();
        assert!(!text.contains("example.org") && !text.contains("Keller"), "{text}");
    }
    lockgate(&["drift", &before, &before]).ok();
    lockgate(&["drift", &profile, &before]).ok();
    for reference in [&before, &profile] {
        let done = lockgate(&["drift", reference, &now, "--format", "json", "--html", &page]).fails(1, "has drifted");
        let columns = done.json()["report"]["columns"].clone();
        assert_eq!((&columns[0]["column"], &columns[0]["drifted"]), (&json!("age"), &json!(true)));
        let distance = columns[0]["decisive"]["statistic"].as_f64().unwrap();
        assert!((distance - 0.3).abs() < 0.03, "{distance}");
        let drifted = columns.as_array().unwrap().iter().filter(|c| c["drifted"] == json!(true)).count();
        assert_eq!(drifted, 1);
    }
    lockgate(&["drift", &before, &now, "--columns", "height"]).fails(2, "height");
    lockgate(&["drift", &before, &now, "--alpha", "7"]).fails(2, "--alpha");
    let mut bytes = fs::read(&profile).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    fs::write(&profile, bytes).unwrap();
    lockgate(&["drift", &profile, &now]).fails(5, "damaged");
}

/// Validates YAML by the standard's own JSON Schema.
const OFFICIAL: &str = r"
import importlib.resources, json, sys, jsonschema, yaml
schema = json.loads(importlib.resources.files('open_data_contract_standard').joinpath('schema.json').read_text())
for path in sys.argv[1:]:
    jsonschema.validate(yaml.safe_load(open(path)), schema)
";

const RULES: &str = r#"
apiVersion: v3.2.0
kind: DataContract
id: people
version: 2.0.0
description: {purpose: testing}
team: {members: [{username: ana, role: owner}]}
slaProperties: [{property: retention, value: 2, unit: y}]
schema:
  - name: people
    customProperties: [{property: dataSubject, value: none}]
    quality:
      - {metric: rowCount, mustBeBetween: [2, 10]}
      - {type: sql, name: no minors, query: "SELECT count(*) FROM ${table} WHERE age < 18", mustBe: 0}
      - {metric: duplicateValues, arguments: {properties: [name, age]}, mustBeLessThan: 10, unit: percent}
      - {type: custom, engine: greatExpectations, implementation: {type: expect_column_mean_to_be_between, kwargs: {column: age, min_value: 10, max_value: 40}}}
      - {type: text, description: be nice}
    properties:
      - {name: name, logicalType: string, classification: public, enum: [{value: a}, {value: b}, {value: c, description: third}]}
      - {name: age, logicalType: integer, classification: internal, logicalTypeOptions: {format: u8, multipleOf: 5}}
      - {name: mail, logicalType: string, classification: public}
      - {name: when, logicalType: date, classification: internal, logicalTypeOptions: {minimum: '2020-01-01', exclusiveMaximum: '2025-01-01'}, quality: [{metric: nullValues, mustBeLessOrEqualTo: 30, unit: percent, severity: warning}]}
"#;

#[test]
fn a_contract_is_tested_rule_by_rule() {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name).to_str().unwrap().to_owned();
    let (contract, data, better) = (at("c.yaml"), at("p.csv"), at("better.csv"));
    fs::write(&contract, RULES).unwrap();
    let rows = "name,age,mail,when\na,20,x@example.org,2020-01-01\nb,15,,2025-01-01\na,20,y@example.org,\nd,300,,2021-01-01\nc,7,z@example.org,2019-12-31\n";
    fs::write(&data, rows).unwrap();
    fs::write(&better, "name,age,mail,when\na,20,,2020-01-01\nb,35,,2024-12-31\n").unwrap();
    run(Command::new(judge("python")).args(["-c", OFFICIAL, &contract])).ok();
    let done =
        lockgate(&["contract", "test", &contract, &data, "--format", "json"]).fails(1, "does not keep the contract");
    let tested = done.json();
    let broken: Vec<String> = tested["rows_broken"]
        .as_array()
        .unwrap()
        .iter()
        .map(|b| {
            format!("{} {} {} {}", b["column"].as_str().unwrap(), b["rule"].as_str().unwrap(), b["rows"], b["first"])
        })
        .collect();
    let expected = [
        "age format 1 [3]",
        "age multipleOf 1 [4]",
        "name invalidValues 1 [3]",
        "when maximum 1 [1]",
        "when minimum 1 [4]",
    ];
    assert_eq!(broken, expected);
    let quality: Vec<(bool, bool, Value)> = tested["quality"]
        .as_array()
        .unwrap()
        .iter()
        .map(|q| (q["passed"] == json!(true), q["warning"] == json!(true), q["observed"].clone()))
        .collect();
    // Of the two rows that may enter: a duplicate, and one without a date. SQL sees all rows.
    let expected = [
        (true, false, json!(2.0)),
        (false, false, json!(2.0)),
        (false, false, json!(50.0)),
        (true, false, Value::Null),
        (false, true, json!(50.0)),
    ];
    assert_eq!(quality, expected);
    assert!(tested["governance"][0].as_str().unwrap().contains("\"mail\" is public and holds EMAIL_ADDRESS"));
    assert!(!done.out.contains("example.org"));
    lockgate(&["contract", "test", &contract, &better]).ok();

    let weaker = at("weaker.yaml");
    let text = RULES.replace("[2, 10]", "[2, 99]").replace(
        "name: age, logicalType: integer, classification: internal",
        "name: age, logicalType: integer, classification: public",
    );
    fs::write(&weaker, text).unwrap();
    lockgate(&["contract", "diff", &contract, &contract]).ok();
    let done = lockgate(&["contract", "diff", &contract, &weaker]).fails(1, "1 breaking changes, 1 that weaken");
    assert!(done.out.contains("was internal and is public"));
    for (from, to, words) in [
        ("mustBeBetween: [2, 10]", "mustBe: 2, mustBeLessThan: 3", "two things"),
        ("metric: rowCount", "metric: rowCounts", "did you mean \"rowCount\""),
        ("engine: greatExpectations", "engine: soda", "soda"),
        ("format: u8", "format: u7", "u7"),
        ("kind: DataContract", "kind: DataContract\nunknown: 1", "unknown"),
        ("purpose: testing", "purpose: TODO", "orphaned"),
    ] {
        fs::write(&weaker, RULES.replace(from, to)).unwrap();
        let done = lockgate(&["contract", "test", &weaker, &data]);
        assert_eq!(done.code, 3, "{to}: {}", done.err);
        assert!(done.err.contains(words), "{to}: {}", done.err);
    }
}

#[test]
fn an_inferred_contract_is_valid_and_its_data_keeps_it() {
    let folder = tempfile::tempdir().unwrap();
    let contract = folder.path().join("c.yaml").to_str().unwrap().to_owned();
    let applicants = data("income", "adult/applicants.csv");
    let data = applicants.path.to_str().unwrap();
    let infer = ["contract", "infer", data, "--out", &contract, "--subject", "applicant_id", "--names", "lists"];
    lockgate(&infer).ok();
    lockgate(&infer).fails(2, "exists already");
    lockgate(&["contract", "test", &contract, data]).fails(3, "orphaned");
    let text = fs::read_to_string(&contract).unwrap().replace("\"TODO\"", "\"somebody\"");
    fs::write(&contract, &text).unwrap();
    run(Command::new(judge("python")).args(["-c", OFFICIAL, &contract])).ok();
    lockgate(&["contract", "test", &contract, data, "--names", "lists"]).ok();
    for (column, class) in [("ssn", "restricted"), ("phone", "confidential"), ("age", "internal")] {
        let own = text.split("- name: ").find(|part| part.starts_with(&format!("\"{column}\""))).unwrap();
        assert!(own.contains(&format!("classification: {class}")), "{own}");
    }
}
