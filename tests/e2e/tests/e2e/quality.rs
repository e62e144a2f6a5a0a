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
