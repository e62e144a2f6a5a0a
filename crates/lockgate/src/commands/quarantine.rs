//! `lockgate quarantine`.

use lockgate_core::{Failure, Result};
use lockgate_pipeline::ingest;

use crate::{
    cli::{Format, Global, ReleaseArgs},
    output,
};

pub fn release(global: &Global, args: &ReleaseArgs) -> Result<()> {
    let (_setup, mut workspace) = super::open(global, None)?;
    let dataset = args.dataset.parse()?;
    let rows = args.rows.iter().map(|text| run(text)).collect::<Result<Vec<_>>>()?;
    let rows = (!rows.is_empty()).then_some(rows);
    let released = ingest::release(&mut workspace, &dataset, rows, &args.reason)?;
    if global.format != Format::Table {
        return output::json(global, &released);
    }
    let what = if released.rows.is_some() { "those rows" } else { "all rows that quality gates put aside" };
    output::line(&format!("{what} of {} are released; run the pipeline again to let them in", released.quarantine));
    Ok(())
}

/// `7` or `12-40`.
fn run(text: &str) -> Result<(u64, u64)> {
    let (first, last) = text.split_once('-').unwrap_or((text, text));
    match (first.trim().parse(), last.trim().parse()) {
        (Ok(first), Ok(last)) if first <= last => Ok((first, last)),
        _ => Err(Failure::usage(format!("--rows {text:?} is no row and no run of rows")).hint("for example 7,12-40")),
    }
}
