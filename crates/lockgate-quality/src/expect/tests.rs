use std::sync::Arc;

use arrow::{
    array::{ArrayRef, Float64Array, Int64Array, RecordBatch, StringArray},
    datatypes::{Field, Schema},
};
use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;

fn batch(columns: Vec<(&str, ArrayRef)>) -> RecordBatch {
    let fields: Vec<Field> =
        columns.iter().map(|(name, array)| Field::new(*name, array.data_type().clone(), true)).collect();
    RecordBatch::try_new(Arc::new(Schema::new(fields)), columns.into_iter().map(|(_, array)| array).collect()).unwrap()
}

fn people() -> RecordBatch {
    batch(vec![
        ("x", Arc::new(Float64Array::from(vec![Some(1.0), Some(2.0), Some(2.0), None, Some(f64::NAN), Some(9.0)]))),
        ("s", Arc::new(StringArray::from(vec![Some("a"), Some("bb"), None, Some("a"), Some("zz"), Some("a1")]))),
        ("k", Arc::new(Int64Array::from(vec![1, 2, 3, 4, 5, 6]))),
    ])
}

fn options(values: Values) -> Options {
    Options { values, spill_folder: std::env::temp_dir() }
}

fn suite(expectations: Value) -> Arc<Suite> {
    let text = json!({"name": "suite", "expectations": expectations}).to_string();
    Arc::new(Suite::parse(&text, "suite.json").unwrap())
}

fn run(expectations: Value, values: Values) -> SuiteResult {
    let batch = people();
    let mut validator = Validator::new(suite(expectations), batch.schema(), options(values));
    validator.update(&batch, 0).unwrap();
    validator.finish(None).unwrap()
}

#[track_caller]
fn check(kind: &str, kwargs: Value, success: bool, unexpected: Option<u64>) {
    let result = run(json!([{"type": kind, "kwargs": kwargs}]), Values::Hide);
    let first = &result.results[0];
    assert_eq!(first.exception_info.exception_message, None);
    assert_eq!(first.success, success, "{kind} {kwargs} {}", first.result);
    assert_eq!(first.result.get("unexpected_count").and_then(Value::as_u64), unexpected, "{kind} {}", first.result);
}

#[test]
fn verdicts_and_counts() {
    check("expect_column_values_to_be_between", json!({"column": "x", "max_value": 5}), false, Some(1));
    check("expect_column_values_to_be_between", json!({"column": "x", "max_value": 5, "mostly": 0.7}), true, Some(1));
    check("expect_column_values_to_not_be_null", json!({"column": "x"}), false, Some(2));
    check("expect_column_values_to_be_unique", json!({"column": "x"}), false, Some(2));
    check("expect_column_values_to_match_regex", json!({"column": "s", "regex": "^[a-z]+$"}), false, Some(1));
    check("expect_column_values_to_match_like_pattern", json!({"column": "s", "like_pattern": "a%"}), false, Some(2));
    check("expect_column_mean_to_be_between", json!({"column": "x", "min_value": 3.5, "max_value": 3.5}), true, None);
    check("expect_column_values_to_be_increasing", json!({"column": "k", "strictly": true}), true, Some(0));
    check("expect_table_row_count_to_equal", json!({"value": 6}), true, None);
    check("expect_column_distinct_values_to_equal_set", json!({"column": "x", "value_set": [1, 2, 9]}), true, Some(0));
    check(
        "expect_column_pair_values_a_to_be_greater_than_b",
        json!({"column_A": "k", "column_B": "x", "or_equal": true}),
        false,
        Some(3),
    );
    check(
        "expect_column_values_to_be_between",
        json!({"column": "x", "max_value": 5, "row_condition": "col(\"k\") < 6"}),
        true,
        Some(0),
    );
}

#[test]
fn values_are_shown_only_where_they_may_be() {
    let ask = json!([
        {"type": "expect_column_values_to_be_in_set", "kwargs": {"column": "s", "value_set": ["a"]}},
        {"type": "expect_column_distinct_values_to_be_in_set", "kwargs": {"column": "s", "value_set": ["a"]}},
        {"type": "expect_column_pair_values_to_be_equal", "kwargs": {"column_A": "s", "column_B": "s"}},
        {"type": "expect_column_most_common_value_to_be_in_set", "kwargs": {"column": "s", "value_set": ["q"]}},
    ]);
    let hidden =
        serde_json::to_string(&run(ask.clone(), Values::Hide).results.iter().map(|r| &r.result).collect::<Vec<_>>());
    assert!(!hidden.as_ref().unwrap().contains("zz") && !hidden.unwrap().contains("bb"));
    let shown = run(ask, Values::Show);
    assert_eq!(shown.results[0].result["partial_unexpected_list"], json!(["bb", "zz", "a1"]));
    assert_eq!(shown.results[0].result["partial_unexpected_index_list"], json!([1, 4, 5]));
}

#[test]
fn what_cannot_be_judged_says_why() {
    let result = run(
        json!([
            {"type": "expect_column_values_to_be_between", "kwargs": {"column": "y", "max_value": 5}},
            {"type": "expect_column_values_to_be_between", "kwargs": {"column": "s", "max_value": 5}},
            {"type": "expect_table_row_count_to_equal_other_table", "kwargs": {"other_table_name": "t"}},
        ]),
        Values::Hide,
    );
    assert!(!result.success);
    let message = |index: usize| result.results[index].exception_info.exception_message.clone().unwrap();
    assert_eq!(message(0), "there is no column \"y\"; did you mean \"k\"?");
    assert!(message(1).contains("max_value"), "{}", message(1));
    assert!(message(2).contains("SQL"));
}

#[test]
fn a_wrong_suite_says_where() {
    let fail = |text: &str| Suite::parse(text, "s.json").unwrap_err().to_string();
    assert!(fail("{").starts_with("s.json:1:"));
    let near =
        fail(r#"{"name":"s","expectations":[{"type":"expect_column_values_to_be_uniqe","kwargs":{"column":"a"}}]}"#);
    assert!(near.contains("expectations[0]") && near.contains("expect_column_values_to_be_unique"), "{near}");
    let near =
        fail(r#"{"name":"s","expectations":[{"type":"expect_column_max_to_be_between","kwargs":{"colum":"a"}}]}"#);
    assert!(near.contains("\"column\""), "{near}");
}

#[test]
fn every_expectation_is_read() {
    for kind in KINDS {
        let error =
            Suite::parse(&json!({"name": "s", "expectations": [{"type": kind, "kwargs": {}}]}).to_string(), "s")
                .err()
                .map(|failure| failure.to_string())
                .unwrap_or_default();
        assert!(!error.contains("unknown expectation"), "{error}");
    }
}

fn everything() -> Value {
    json!([
        {"type": "expect_column_values_to_be_between", "kwargs": {"column": "x", "min_value": -1, "max_value": 1}},
        {"type": "expect_column_values_to_not_be_null", "kwargs": {"column": "x"}},
        {"type": "expect_column_values_to_be_unique", "kwargs": {"column": "s"}},
        {"type": "expect_column_values_to_be_increasing", "kwargs": {"column": "x"}},
        {"type": "expect_column_median_to_be_between", "kwargs": {"column": "x", "min_value": 0}},
        {"type": "expect_column_max_to_be_between", "kwargs": {"column": "s", "min_value": "b"}},
        {"type": "expect_column_values_to_not_be_outliers", "kwargs": {"column": "x"}},
        {"type": "expect_column_most_common_value_to_be_in_set", "kwargs": {"column": "s", "value_set": ["a"]}},
        {"type": "expect_compound_columns_to_be_unique", "kwargs": {"column_list": ["x", "s"]}},
        {"type": "expect_column_kl_divergence_to_be_less_than", "kwargs": {"column": "x", "threshold": 1,
          "partition_object": {"bins": [-2, 0, 2], "weights": [0.5, 0.5]}, "tail_weight_holdout": 0.1}},
    ])
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]
    #[test]
    fn parts_merge_to_what_one_pass_says(
        rows in prop::collection::vec((prop::option::of(-3i32..4), prop::option::of("[abc]{0,2}")), 0..60),
        cut in 0usize..60, second in 0usize..60,
    ) {
        let x: Float64Array = rows.iter().map(|(x, _)| x.map(f64::from)).collect();
        let s: StringArray = rows.iter().map(|(_, s)| s.clone()).collect();
        let batch = batch(vec![("x", Arc::new(x)), ("s", Arc::new(s))]);
        let (low, high) = (cut.min(second).min(rows.len()), cut.max(second).min(rows.len()));
        let suite = suite(everything());
        let mut whole = Validator::new(Arc::clone(&suite), batch.schema(), options(Values::Hide));
        whole.update(&batch, 0).unwrap();
        let part = |from: usize, to: usize| {
            let mut part = Validator::new(Arc::clone(&suite), batch.schema(), options(Values::Hide));
            part.hashes = whole.hashes.clone();
            let mut part = part.fork();
            part.update(&batch.slice(from, to - from), from as u64).unwrap();
            part
        };
        let mut left = part(0, low);
        left.merge(part(low, high)).unwrap();
        left.merge(part(high, rows.len())).unwrap();
        let mut right = part(low, high);
        right.merge(part(high, rows.len())).unwrap();
        let mut other = part(0, low);
        other.merge(right).unwrap();
        let plain = |validator: Validator| -> Vec<(bool, Value)> {
            validator.finish(None).unwrap().results.into_iter().map(|r| {
                // A row that breaks the order at a seam is counted and not named.
                let mut result = r.result;
                if let Some(object) = result.as_object_mut() { object.remove("partial_unexpected_index_list"); }
                (r.success, result)
            }).collect()
        };
        let whole = plain(whole);
        prop_assert_eq!(&plain(left), &whole);
        prop_assert_eq!(&plain(other), &whole);
    }
}
