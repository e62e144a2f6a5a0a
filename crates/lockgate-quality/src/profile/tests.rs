use std::sync::Arc;

use arrow::{
    array::{ArrayRef, BooleanArray, DictionaryArray, Float64Array, Int64Array, RecordBatch, StringArray},
    datatypes::{Field, Int32Type, Schema},
};
use lockgate_core::Result;
use proptest::prelude::*;

use super::*;

/// Finds what contains `@`.
struct Ats;

impl Inspector for Ats {
    fn inspect(&self, _: &str, values: &[&str]) -> Result<Inspection> {
        let found = values.iter().filter(|value| value.contains('@')).count() as u64;
        let entities = if found > 0 { BTreeMap::from([("EMAIL_ADDRESS".to_owned(), found)]) } else { BTreeMap::new() };
        let personal = values.iter().map(|value| value.contains('@').then(|| "EMAIL_ADDRESS".to_owned())).collect();
        Ok(Inspection { entities, personal })
    }
}

fn batch(columns: Vec<(&str, ArrayRef)>) -> RecordBatch {
    let fields: Vec<Field> =
        columns.iter().map(|(name, array)| Field::new(*name, array.data_type().clone(), true)).collect();
    RecordBatch::try_new(Arc::new(Schema::new(fields)), columns.into_iter().map(|(_, array)| array).collect()).unwrap()
}

fn people(rows: i64) -> RecordBatch {
    let city = |i: i64| ["Oslo", "Bern", "Rome"][(i % 3) as usize];
    batch(vec![
        ("age", Arc::new((0..rows).map(|i| (i % 7 != 0).then_some(20 + i % 50)).collect::<Int64Array>())),
        ("income", Arc::new((0..rows).map(|i| Some(i as f64 * 7919.0 % 1009.0)).collect::<Float64Array>())),
        ("email", Arc::new((0..rows).map(|i| Some(format!("p{i}@example.org"))).collect::<StringArray>())),
        ("city", Arc::new((0..rows).map(|i| Some(city(i))).collect::<DictionaryArray<Int32Type>>())),
        ("member", Arc::new((0..rows).map(|i| Some(i % 4 == 0)).collect::<BooleanArray>())),
    ])
}

fn profile(batches: &[RecordBatch], options: &Options) -> Profile {
    let mut profiler = Profiler::new(&batches[0].schema()).unwrap();
    batches.iter().for_each(|batch| profiler.update(batch).unwrap());
    profiler.finish(&Ats, options).unwrap()
}

#[test]
fn a_table_is_measured() {
    let profile = profile(&[people(7_000)], &Options::default());
    let age = profile.column("age").unwrap();
    assert_eq!((profile.rows, age.missing), (7_000, 1_000));
    assert!((age.distinct - 50.0).abs() < 2.0);
    let quantile = age.quantile(0.5).unwrap();
    assert!((quantile - 44.5).abs() < 2.0, "{quantile}");
    assert_eq!((age.quantile(0.0), age.quantile(1.0)), (Some(20.0), Some(69.0)));
    assert_eq!(age.histogram.counts.iter().sum::<u64>(), 6_000);
    let city = profile.column("city").unwrap();
    assert_eq!(city.top, [("Oslo".to_owned(), 2_334), ("Bern".to_owned(), 2_333), ("Rome".to_owned(), 2_333)]);
    assert_eq!(city.types["text"], 7_000);
    assert_eq!(profile.column("member").unwrap().top[0], ("false".to_owned(), 5_250));
    assert_eq!(profile.missing_patterns, [(vec![], 6_000), (vec![0], 1_000)]);
}

#[test]
fn personal_values_stay_out() {
    let profile =
        profile(&[people(7_000)], &Options { confidential: vec!["income".into(), "city".into()], public: vec![] });
    let email = profile.column("email").unwrap();
    assert!(email.top.is_empty() && email.withheld.as_deref() == Some("it holds EMAIL_ADDRESS"));
    let income = profile.column("income").unwrap();
    assert!(income.quantiles.is_empty() && income.sketch.is_empty());
    assert!(income.histogram.counts.iter().all(|count| *count >= 10));
    assert!(!profile.correlations.iter().any(|c| c.left == 1 || c.right == 1), "{:?}", profile.correlations);
    let income = income.moments.unwrap();
    assert!(income.min.is_nan() && income.m3.is_nan(), "{income:?}");
    let bytes = profile.encode().unwrap();
    for secret in ["example.org", "Oslo", "1008"] {
        assert!(!bytes.windows(secret.len()).any(|window| window == secret.as_bytes()), "{secret}");
    }
}

#[test]
fn a_rare_value_is_no_frequent_one() {
    let notes: StringArray =
        (0..100).map(|i| Some(if i < 95 { "paid" } else { "called twice about the divorce" })).collect();
    let profile = profile(&[batch(vec![("note", Arc::new(notes))])], &Options::default());
    assert_eq!(profile.columns[0].top, [("paid".to_owned(), 95)]);
}

#[test]
fn a_profile_is_read_as_it_was_written_and_a_changed_one_is_refused() {
    let profile = profile(&[people(500)], &Options::default());
    let bytes = profile.encode().unwrap();
    let read = Profile::decode(&bytes, "p").unwrap();
    assert_eq!(read.encode().unwrap(), bytes);
    for place in [0, 9, bytes.len() / 2, bytes.len() - 1] {
        let mut changed = bytes.clone();
        changed[place] ^= 1;
        Profile::decode(&changed, "p").unwrap_err();
    }
    Profile::decode(&bytes[..bytes.len() - 40], "p").unwrap_err();
    Profile::decode(b"", "p").unwrap_err();
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(32))]
    #[test]
    fn parts_merge_to_what_one_pass_measures(rows in 2i64..200, cut in 1i64..199, second in 1i64..199) {
        let whole = people(rows);
        let (low, high) = (cut.min(second).min(rows - 1), cut.max(second).min(rows - 1));
        let part = |from: i64, to: i64| {
            let mut part = Profiler::new(&whole.schema()).unwrap();
            part.update(&whole.slice(from as usize, (to - from) as usize)).unwrap();
            part
        };
        let one = profile(std::slice::from_ref(&whole), &Options::default());
        let mut left = part(0, low);
        left.merge(part(low, high)).unwrap();
        left.merge(part(high, rows)).unwrap();
        let mut rest = part(low, high);
        rest.merge(part(high, rows)).unwrap();
        let mut right = part(0, low);
        right.merge(rest).unwrap();
        for merged in [left, right] {
            let merged = merged.finish(&Ats, &Options::default()).unwrap();
            for (a, b) in merged.columns.iter().zip(&one.columns) {
                prop_assert_eq!((&a.top, a.missing, a.distinct, &a.quantiles), (&b.top, b.missing, b.distinct, &b.quantiles));
                prop_assert_eq!(&a.histogram, &b.histogram);
                prop_assert_eq!(&a.withheld, &b.withheld);
            }
            prop_assert_eq!(&merged.missing_patterns, &one.missing_patterns);
            for (a, b) in merged.correlations.iter().zip(&one.correlations) {
                prop_assert!((a.pearson - b.pearson).abs() < 1e-9);
            }
        }
    }

    #[test]
    fn a_confidential_column_leaves_no_value(values in prop::collection::vec("[a-z]{6,9}", 20..60)) {
        let texts: StringArray = values.iter().map(Some).collect();
        let table = batch(vec![("c", Arc::new(texts))]);
        let options = Options { confidential: vec!["c".into()], public: vec![] };
        let bytes = profile(&[table.clone(), table], &options).encode().unwrap();
        let text = String::from_utf8_lossy(&bytes).into_owned();
        // Words of the format itself aside.
        for value in values.iter().filter(|v| !["missing", "columns", "distinct", "entities", "lengths", "moments", "sampled", "counts", "withheld"].contains(&v.as_str())) {
            prop_assert!(!text.contains(value.as_str()), "{value}");
        }
    }
}
