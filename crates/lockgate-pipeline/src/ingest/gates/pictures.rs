//! What a gate saw, for `explain`: counts, shares and shapes, and names of categories that many rows
//! share in columns that may be seen.

use lockgate_core::Classification;
use lockgate_quality::{
    Contract,
    drift::DriftReport,
    poison::{Role, Screening},
    profile::Histogram,
};
use lockgate_source::{Authenticated, Content};
use serde_json::{Value, json};

/// Columns that are pictured, and bars of each.
const PICTURES_MAX: usize = 12;
const BARS_MAX: usize = 24;
/// Parts of a file in which guilty rows are counted.
const STRIP: usize = 48;
/// Files and segments that are told of.
const FILES_MAX: usize = 50;
const SEGMENTS_MAX: usize = 50;

/// Where the guilty rows lie, and why each part is guilty.
pub(super) fn poisoning(screening: &Screening, sources: &[(Content, Authenticated)]) -> Value {
    let uri = |source: u32| sources.get(source as usize).map(|(_, record)| record.uri.as_str());
    let files: Vec<Value> = (0..sources.len() as u32)
        .filter(|file| screening.guilty_rows_of(*file) > 0)
        .take(FILES_MAX)
        .map(|file| {
            json!({"file": uri(file), "rows": screening.guilty_rows_of(file), "strip": screening.strip(file, STRIP)})
        })
        .collect();
    let segments: Vec<Value> = screening
        .segments
        .iter()
        .take(SEGMENTS_MAX)
        .map(|segment| {
            json!({"method": segment.method.name(), "part": segment.part, "rows": segment.rows,
                   "pValue": segment.p_value, "reason": segment.reason, "file": segment.source.and_then(uri)})
        })
        .collect();
    let ignored: Vec<Value> = screening
        .columns
        .iter()
        .filter(|(_, role, _)| *role == Role::Ignored)
        .map(|(name, _, why)| json!([name, why]))
        .collect();
    json!({"files": files, "segments": segments, "ignored": ignored})
}

/// Both distributions of the columns that drifted, as shares; names of categories only of columns
/// that may be seen.
pub(super) fn drift(report: &DriftReport, contract: &Contract) -> Value {
    let open = |name: &str| {
        contract
            .column(name)
            .and_then(|index| contract.columns.get(index))
            .is_some_and(|column| column.classification <= Classification::Internal)
    };
    let drifted = report.columns.iter().filter(|column| column.drifted).take(PICTURES_MAX);
    let columns: Vec<Value> = drifted
        .map(|column| {
            let bars = |histogram: &Histogram| {
                let all = histogram.counts.iter().sum::<u64>().max(1) as f64;
                let step = histogram.counts.len().div_ceil(BARS_MAX).max(1);
                let counts = histogram.counts.chunks(step).map(|some| some.iter().sum::<u64>() as f64 / all);
                counts.map(|share| (share * 1e4).round() / 1e4).collect::<Vec<f64>>()
            };
            let categories: Vec<Value> = column
                .categories
                .iter()
                .filter(|_| open(&column.column))
                .take(6)
                .map(|(name, before, now)| json!([name, before, now]))
                .collect();
            json!({
                "column": column.column, "distance": column.decisive.statistic, "p": column.p_adjusted,
                "before": bars(&column.reference_histogram), "now": bars(&column.current_histogram),
                "categories": categories,
            })
        })
        .collect();
    json!({"drift": columns})
}
