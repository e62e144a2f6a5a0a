//! Quality of data: expectations held against Great Expectations itself.

use std::{fs, process::Command};

use serde_json::{Value, json};

use crate::world::{Done, judge, program, root, run};

fn lockgate(args: &[&str]) -> Done {
    run(Command::new(program()).args(args))
}

#[test]
fn great_expectations_says_the_same() {
    let script = root().join("tests/e2e/judges/expectations.py");
    let output = Command::new(judge("python")).arg(script).arg(program()).args(["12", "20261122"]).output().unwrap();
    assert!(
        output.status.success(),
        "{}\n{}",
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    );
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
    let script = root().join("tests/e2e/judges/drift.py");
    let output = Command::new(judge("python")).arg(script).arg(program()).args(["11", "20261123"]).output().unwrap();
    assert!(
        output.status.success(),
        "{}\n{}",
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    );
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
