//! `lockgate query`: rows under policy.

use arrow::{array::AsArray as _, compute::cast, datatypes::DataType};
use lockgate_core::{Clock, Failure, Result};
use lockgate_lake::QueryEngine as _;
use lockgate_pipeline::{audit::Event, derive};
use serde_json::json;

use crate::{
    cli::{Global, QueryArgs},
    output,
};

pub fn query(global: &Global, args: &QueryArgs) -> Result<()> {
    let (setup, mut workspace) = super::open(global, None)?;
    let engine = lockgate_query::Engine::new(setup.runtime.handle().clone());
    let resolved = derive::resolve(&mut workspace, &engine, &args.sql, "read", &args.purpose)?;
    let inputs: Vec<String> = resolved.iter().map(|r| r.snapshot.to_string()).collect();
    let event = Event::new("policy.decided", &workspace.principal.id, &inputs.join(" "), Clock.now())
        .detail(json!({"action": "read", "allow": true, "purpose": args.purpose, "policy": workspace.policy.digest()}));
    workspace.journal.append(vec![event])?;
    let tables = resolved.into_iter().map(|r| r.table).collect();
    let result = engine.run(&args.sql, &workspace.lake, tables, workspace.spool())?;
    let names: Vec<String> = result.columns.iter().map(|c| c.name.clone()).collect();
    let mut rows: Vec<serde_json::Map<String, serde_json::Value>> = Vec::new();
    for batch in result.batches {
        let batch = batch?;
        let texts = batch
            .columns()
            .iter()
            .map(|column| {
                cast(column, &DataType::Utf8).map_err(|_| Failure::input("a column of the result cannot be printed"))
            })
            .collect::<Result<Vec<_>>>()?;
        for row in 0..batch.num_rows() {
            if rows.len() == args.limit {
                output::say(global, &format!("more than {} rows; --limit shows more", args.limit));
                return print(global, &names, &rows);
            }
            let value = |text: &arrow::array::ArrayRef| {
                let text = text.as_string::<i32>();
                (!arrow::array::Array::is_null(text, row)).then(|| text.value(row).to_owned())
            };
            rows.push(names.iter().zip(&texts).map(|(name, text)| (name.clone(), value(text).into())).collect());
        }
    }
    print(global, &names, &rows)
}

fn print(global: &Global, names: &[String], rows: &[serde_json::Map<String, serde_json::Value>]) -> Result<()> {
    let header: Vec<&str> = names.iter().map(String::as_str).collect();
    output::rows(global, &header, rows, |row| {
        names.iter().map(|name| row.get(name).and_then(|v| v.as_str()).unwrap_or("").to_owned()).collect()
    })
}
