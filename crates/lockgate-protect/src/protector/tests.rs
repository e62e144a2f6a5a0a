use arrow::array::{Date32Array, Int64Array};
use lockgate_keys::{LocalStore, Unlock};

use super::*;

const CONTRACT: &str = r"
apiVersion: v3.1.0
kind: DataContract
id: people
version: 1.0.0
status: active
description: {purpose: testing}
team: {members: [{username: ana, role: owner}]}
slaProperties: [{property: retention, value: 2, unit: y}]
schema:
  - name: people
    customProperties: [{property: dataSubject, value: id}]
    properties:
      - {name: id, logicalType: string, classification: restricted}
      - {name: phone, logicalType: string, classification: confidential}
      - {name: note, logicalType: string, classification: internal}
      - {name: ip, logicalType: string, classification: confidential}
      - {name: age, logicalType: integer, classification: internal}
      - {name: joined, logicalType: date, classification: internal}
      - {name: ssn, logicalType: string, classification: restricted}
      - {name: city, logicalType: string, classification: public}
";

fn batch(note: &str, city: &str) -> RecordBatch {
    let text = |value: &str| Arc::new(StringArray::from(vec![Some(value), None])) as ArrayRef;
    RecordBatch::try_from_iter([
        ("id", text("P1")),
        ("phone", text("555-123-4567")),
        ("note", text(note)),
        ("ip", text("13.178.65.34")),
        ("age", Arc::new(Int64Array::from(vec![Some(47), None])) as ArrayRef),
        ("joined", Arc::new(Date32Array::from(vec![Some(20_474), None])) as ArrayRef),
        ("ssn", text("568-36-9548")),
        ("city", text(city)),
    ])
    .unwrap()
}

fn rules() -> Rules {
    Rules {
        columns: [
            ("phone", Operator::Mask(crate::Mask { keep_first: 0, keep_last: 4 })),
            ("ip", Operator::Generalize(Generalize::Prefix(24))),
            ("age", Operator::Generalize(Generalize::Bucket(10))),
            ("joined", Operator::Generalize(Generalize::Month)),
            ("ssn", Operator::Drop),
        ]
        .map(|(name, operator)| (name.to_owned(), operator))
        .into(),
        allowances: vec![],
    }
}

fn protect(batch: &RecordBatch, rules: &Rules) -> (Protected, Result<()>) {
    let dir = tempfile::tempdir().unwrap();
    let unlock = Unlock::create_key_file(&dir.path().join("k")).unwrap();
    let store = LocalStore::create(&dir.path().join("keys"), &unlock).unwrap();
    let key = KeyId::purpose("protect.people");
    store.create(&key).unwrap();
    let contract = Contract::parse(CONTRACT, "c.yaml").unwrap();
    let engine = Engine::new();
    let mut protector = Protector::new(&engine, &contract, rules, &store, &key, &batch.schema()).unwrap();
    let protected = protector.protect(batch, &[7, 8]).unwrap();
    let clean = protector.demand_clean_public_columns();
    (protected, clean)
}

#[test]
fn each_operator_does_what_it_says() {
    let (protected, clean) = protect(&batch("call +34712 67 73 54 or ana@example.com.", "Paris"), &rules());
    clean.unwrap();
    let text = |name: &str| {
        let column = protected.batch.column_by_name(name).unwrap();
        cast(column, &DataType::Utf8).unwrap().as_string::<i32>().value(0).to_owned()
    };
    assert!(text("id").starts_with("tok_"));
    assert_eq!(text("phone"), "********4567");
    assert_eq!(text("note"), "call <PHONE_NUMBER> or <EMAIL_ADDRESS>.");
    assert_eq!(text("ip"), "13.178.65.0/24");
    assert_eq!(text("age"), "40");
    assert_eq!(text("joined"), "2026-01-01");
    assert_eq!(text("city"), "Paris");
    assert!(protected.batch.column_by_name("ssn").is_none());
    let events: Vec<_> = protected.events.iter().map(|e| (e.row, &*e.column, e.operator, e.entity)).collect();
    assert_eq!(
        events,
        [
            (7, "id", "tokenize", None),
            (7, "phone", "mask", None),
            (7, "note", "redact", Some("PHONE_NUMBER")),
            (7, "note", "redact", Some("EMAIL_ADDRESS")),
            (7, "ip", "generalize", None),
            (7, "age", "generalize", None),
            (7, "joined", "generalize", None),
            (7, "ssn", "drop", None),
        ]
    );
    assert_eq!(protected.events.to_batch(Timestamp::from_millis(0)).unwrap().num_rows(), 8);
}

use lockgate_core::Timestamp;

#[test]
fn a_finding_in_a_public_column_is_an_error_unless_declared_harmless() {
    let leaking = batch("", "ana@example.com");
    let failure = protect(&leaking, &rules()).1.unwrap_err();
    assert!(failure.to_string().contains("EMAIL_ADDRESS in column \"city\" (1 times, first in row 7)"));
    assert!(!failure.to_string().contains("ana@"));
    let mut rules = rules();
    rules.allowances.push(Allowance { column: "city".into(), entity: "EMAIL_ADDRESS".into(), reason: "test".into() });
    protect(&leaking, &rules).1.unwrap();
}

#[test]
fn an_operator_that_does_not_fit_the_type_is_refused() {
    let mut rules = rules();
    rules.columns.insert("note".into(), Operator::Generalize(Generalize::Month));
    let contract = Contract::parse(CONTRACT, "c.yaml").unwrap();
    let dir = tempfile::tempdir().unwrap();
    let unlock = Unlock::create_key_file(&dir.path().join("k")).unwrap();
    let store = LocalStore::create(&dir.path().join("keys"), &unlock).unwrap();
    let key = KeyId::purpose("p");
    store.create(&key).unwrap();
    let engine = Engine::new();
    let schema = batch("", "").schema();
    let failure = Protector::new(&engine, &contract, &rules, &store, &key, &schema).err().unwrap();
    assert_eq!(failure.to_string(), "column \"note\": generalize does not fit the type Utf8");
}
