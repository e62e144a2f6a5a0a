//! A first contract for data that has none, from its profile. It promises little: what the data
//! is, what must not be missing, which categories there are, and what was found in it.

use std::fmt::Write as _;

use lockgate_core::Classification;
use serde_json::json;

use super::TODO;
use crate::profile::{ColumnProfile, Profile};

/// What a profile cannot know.
#[derive(Clone, Debug, Default)]
pub struct Draft {
    pub dataset: String,
    /// Left as TODO when absent; a contract with a TODO is refused as orphaned.
    pub owner: Option<String>,
    pub purpose: Option<String>,
    /// The column that identifies the data subject, or `none`.
    pub subject: Option<String>,
}

/// Text columns with so few values, each shown, are enumerations.
const VALUES_MAX: usize = 30;
/// Fewer rows say little about what may come.
const ROWS_MIN: u64 = 100;

/// Writes the contract as YAML; `classify` tells how a column with an entity is classified.
pub fn infer(profile: &Profile, draft: &Draft, classify: &dyn Fn(&str) -> Classification) -> String {
    let todo = |value: &Option<String>| json!(value.as_deref().unwrap_or(TODO)).to_string();
    let mut out = String::new();
    let _ = write!(
        out,
        "# Inferred from {} rows. Read it, replace each {TODO}, and lower or raise what the data cannot tell.\n\
         apiVersion: v3.1.0\n\
         kind: DataContract\n\
         id: {id}\n\
         version: 1.0.0\n\
         status: draft\n\
         description:\n  purpose: {purpose}\n\
         team:\n  members:\n    - username: {owner}\n      role: owner\n\
         slaProperties:\n  - {{property: retention, value: 1, unit: y}}\n\
         schema:\n  - name: {id}\n    logicalType: object\n    customProperties:\n      - {{property: dataSubject, value: {subject}}}\n    properties:\n",
        profile.rows,
        id = json!(draft.dataset),
        purpose = todo(&draft.purpose),
        owner = todo(&draft.owner),
        subject = todo(&draft.subject),
    );
    for column in &profile.columns {
        write_column(&mut out, column, profile.rows, classify);
    }
    out
}

fn write_column(out: &mut String, column: &ColumnProfile, rows: u64, classify: &dyn Fn(&str) -> Classification) {
    let logical_type = match column.kind.as_str() {
        "integers" => "integer",
        "numbers" => "number",
        "booleans" => "boolean",
        "dates" => "date",
        "timestamps" => "timestamp",
        _ => "string",
    };
    let found = if column.withheld.is_some() { column.entities.keys().map(|e| classify(e)).max() } else { None };
    let classification = found.unwrap_or(match column.withheld {
        Some(_) => Classification::Confidential,
        None => Classification::Internal,
    });
    let _ = writeln!(out, "      - name: {}", json!(column.name));
    let _ = writeln!(out, "        logicalType: {logical_type}");
    if column.missing == 0 && rows >= ROWS_MIN {
        let _ = writeln!(out, "        required: true");
    }
    let _ = writeln!(out, "        classification: {classification}");
    if let Some(why) = &column.withheld {
        let _ = writeln!(out, "        # {why}");
    }
    if matches!(logical_type, "integer" | "number") && column.quantile(0.0).is_some_and(|least| least >= 0.0) {
        let _ = writeln!(out, "        logicalTypeOptions: {{minimum: 0}}");
    }
    let present = column.present(rows);
    let named: u64 = column.top.iter().map(|(_, count)| count).sum();
    let all_named = logical_type == "string" && present > 0 && named == present && column.top.len() <= VALUES_MAX;
    if all_named && rows >= ROWS_MIN {
        let mut values: Vec<&str> = column.top.iter().map(|(value, _)| value.as_str()).collect();
        values.sort_unstable();
        let _ = writeln!(out, "        quality:");
        let _ = writeln!(out, "          - metric: invalidValues");
        let _ = writeln!(out, "            arguments: {{validValues: {}}}", json!(values));
        let _ = writeln!(out, "            mustBe: 0");
    }
}
