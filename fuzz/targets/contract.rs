//! Any text, read as a data contract, and a small table that is held against it.
#![no_main]

use std::sync::Arc;

use arrow::{
    array::{ArrayRef, RecordBatch, StringArray},
    datatypes::{DataType, Field, Schema},
};
use libfuzzer_sys::fuzz_target;
use lockgate_quality::{Checker, Contract, Measures};

const VALUES: [Option<&str>; 8] = [
    Some("5"),
    None,
    Some("a"),
    Some("01.02.2024"),
    Some("12:30"),
    Some("[{\"sku\": \"x\", \"more\": [1, null]}]"),
    Some("1e308"),
    Some("2024-01-02T03:04:05Z"),
];

fuzz_target!(|text: &str| {
    let Ok(contract) = Contract::parse(text, "contract.yaml") else { return };
    let header: Vec<String> = contract.columns.iter().map(|column| column.name.clone()).collect();
    let fields: Vec<Field> = header.iter().map(|name| Field::new(name, DataType::Utf8, true)).collect();
    let columns: Vec<ArrayRef> = header.iter().map(|_| Arc::new(StringArray::from(VALUES.to_vec())) as ArrayRef).collect();
    let Ok(batch) = RecordBatch::try_new(Arc::new(Schema::new(fields)), columns) else { return };
    let Ok(mut checker) = Checker::new(&contract, &header, std::env::temp_dir()) else { return };
    let Ok(checked) = checker.check(&batch) else { return };
    let mut measures = Measures::new(&contract, checker.schema(), std::env::temp_dir());
    measures.update(&checked.accepted).expect("rows that were let in are counted");
    let _ = measures.finish(None);
});
