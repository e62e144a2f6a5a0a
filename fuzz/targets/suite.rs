//! Any text, read as an expectation suite and run over a small table.
#![no_main]

use std::sync::Arc;

use arrow::{
    array::{ArrayRef, Float64Array, RecordBatch, StringArray},
    datatypes::{DataType, Field, Schema},
};
use libfuzzer_sys::fuzz_target;
use lockgate_quality::expect::{Options, Suite, Validator, Values};

fuzz_target!(|text: &str| {
    let Ok(suite) = Suite::parse(text, "suite.json") else { return };
    let schema = Arc::new(Schema::new(vec![
        Field::new("a", DataType::Float64, true),
        Field::new("b", DataType::Utf8, true),
    ]));
    let columns: Vec<ArrayRef> = vec![
        Arc::new(Float64Array::from(vec![Some(1.0), None, Some(f64::NAN), Some(f64::INFINITY)])),
        Arc::new(StringArray::from(vec![Some("x"), Some(text), None, Some("2020-01-02")])),
    ];
    let batch = RecordBatch::try_new(Arc::clone(&schema), columns).expect("a batch");
    let options = Options { values: Values::Show, spill_folder: std::env::temp_dir() };
    let mut validator = Validator::new(Arc::new(suite), schema, options);
    validator.update(&batch, 0).expect("a batch is taken in");
    validator.finish(None).expect("there is a verdict");
});
