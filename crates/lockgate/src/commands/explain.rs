//! `lockgate explain`: what the gates of a run saw.

use lockgate_catalog::{Catalog as _, Gate, Run, Snapshot};
use lockgate_core::{Failure, Result};
use lockgate_pipeline::{Workspace, audit};
use serde_json::{Value, json};

use super::picture::{grouped, number, shortened, sparkline};
use crate::{
    cli::{ExplainArgs, Format, Global},
    output,
};

/// Runs that are searched for an id.
const RUNS_MAX: u32 = 10_000;
const LISTED: u32 = 20;
/// Characters of the longest bar.
const BAR: f64 = 24.0;

pub fn explain(global: &Global, args: &ExplainArgs) -> Result<()> {
    let (_setup, workspace) = super::open(global, None)?;
    if args.list {
        return list(global, &workspace.catalog.runs(LISTED)?);
    }
    let run = find(&workspace, args.run.as_deref())?;
    let mut gates = workspace.catalog.gates(run.id.as_str())?;
    if gates.is_empty() {
        // A catalog that was made anew has no gates; the log has them, without pictures.
        gates = from_log(&workspace, &run)?;
    }
    let snapshots: Vec<Snapshot> =
        workspace.catalog.snapshots()?.into_iter().filter(|own| own.run == run.id.as_str()).collect();
    if global.format != Format::Table {
        return output::json(global, &json!({"run": run, "gates": gates, "snapshots": snapshots}));
    }
    print(&run, &gates, &snapshots);
    Ok(())
}

fn list(global: &Global, runs: &[Run]) -> Result<()> {
    output::rows(global, &["run", "pipeline", "started", "outcome"], runs, |run| {
        vec![run.id.to_string(), run.pipeline.to_string(), run.started.to_string(), run.outcome.clone()]
    })
}

fn find(workspace: &Workspace, wanted: Option<&str>) -> Result<Run> {
    let runs = workspace.catalog.runs(if wanted.is_some() { RUNS_MAX } else { 1 })?;
    let Some(wanted) = wanted else {
        return runs.into_iter().next().ok_or_else(|| Failure::input("nothing has run here yet"));
    };
    let mut fitting = runs.into_iter().filter(|run| run.id.as_str().starts_with(wanted));
    match (fitting.next(), fitting.next()) {
        (Some(run), None) => Ok(run),
        (Some(_), Some(_)) => Err(Failure::usage(format!("more than one run begins with {wanted:?}"))),
        _ => {
            Err(Failure::usage(format!("there is no run {wanted:?}")).hint("`lockgate explain --list` names the runs"))
        }
    }
}

fn from_log(workspace: &Workspace, run: &Run) -> Result<Vec<Gate>> {
    let mut gates = Vec::new();
    for leaf in workspace.journal.log().reader().leaves(0) {
        let (_, bytes) = leaf?;
        let event = audit::parse(&bytes)?;
        if event.run.as_deref() != Some(run.id.as_str()) || !event.kind.starts_with("gate.") {
            continue;
        }
        let text = |key: &str| event.detail.get(key).and_then(Value::as_str).unwrap_or_default().to_owned();
        gates.push(Gate {
            run: run.id.to_string(),
            gate: format!("{}/{}", event.about, text("gate")),
            passed: event.kind == "gate.passed",
            detail: text("detail"),
            evidence: Value::Null,
        });
    }
    Ok(gates)
}

fn print(run: &Run, gates: &[Gate], snapshots: &[Snapshot]) {
    let outcome = output::verdict(run.outcome == "done", &run.outcome);
    output::line(&format!("run {} of {}: {outcome}, started {}", run.id, run.pipeline, run.started));
    for snapshot in snapshots {
        output::line(&format!(
            "  {}@{}  {} rows, {} data subjects",
            snapshot.dataset,
            snapshot.version,
            grouped(snapshot.rows),
            grouped(snapshot.subjects)
        ));
    }
    if gates.is_empty() {
        output::line("  no gate was asked: what it would have read was unchanged, or it ended before");
    }
    // What failed is what one came for.
    let (passed, failed): (Vec<&Gate>, Vec<&Gate>) = gates.iter().partition(|gate| gate.passed);
    for gate in failed.into_iter().chain(passed) {
        let mark = output::verdict(gate.passed, if gate.passed { "✓" } else { "✗" });
        let said_below = gate.evidence.get("segments").and_then(Value::as_array).is_some_and(|all| !all.is_empty());
        let detail = if said_below { String::new() } else { output::plain(&gate.detail) };
        output::line(&format!("\n{mark} {}  {detail}", output::strong(&gate.gate)));
        evidence(&gate.evidence);
    }
}

fn evidence(evidence: &Value) {
    let list = |key: &str| evidence.get(key).and_then(Value::as_array).into_iter().flatten();
    for column in list("drift") {
        drifted(column);
    }
    for file in list("files") {
        let counts: Vec<f64> = numbers(file.get("strip"));
        let rows = file.get("rows").and_then(Value::as_u64).unwrap_or_default();
        output::line(&format!("    {}  {} rows, from its first to its last:", text(file, "file"), grouped(rows)));
        output::line(&format!("      [{}]", sparkline(&counts)));
    }
    for segment in list("segments") {
        output::line(&format!("    {:<16} {}", text(segment, "method"), text(segment, "reason")));
    }
    let ignored: Vec<String> = list("ignored")
        .filter_map(|pair| Some(format!("{} ({})", pair.get(0)?.as_str()?, pair.get(1)?.as_str()?)))
        .collect();
    if !ignored.is_empty() {
        output::line(&format!("    not looked at: {}", output::plain(&ignored.join(", "))));
    }
    let failed: Vec<&Value> = list("expectations").collect();
    for own in &failed {
        let columns: Vec<&str> =
            own.get("columns").and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_str).collect();
        let count = |key: &str| own.get(key).and_then(Value::as_u64);
        let share = match (count("unexpected"), count("rows")) {
            (Some(bad), Some(all)) if all > 0 => {
                format!("{} {} of {} rows", bar(bad as f64 / all as f64), grouped(bad), grouped(all))
            }
            _ => text(own, "error"),
        };
        output::line(&format!("    {} ({})  {share}", text(own, "expectation"), columns.join(", ")));
    }
    let rows = evidence.get("rows").and_then(Value::as_u64).unwrap_or_default();
    for own in list("violations") {
        let count = own.get("count").and_then(Value::as_u64).unwrap_or_default();
        let share = if rows == 0 { 0.0 } else { count as f64 / rows as f64 };
        output::line(&format!(
            "    {:>9}  {}  {}: {}",
            grouped(count),
            bar(share),
            text(own, "column"),
            shortened(&text(own, "rule"), 100)
        ));
    }
}

/// Both distributions over each other.
fn drifted(column: &Value) {
    let (before, now) = (numbers(column.get("before")), numbers(column.get("now")));
    let distance = column.get("distance").and_then(Value::as_f64).unwrap_or_default();
    output::line(&format!("    {}  distance {}", text(column, "column"), number(distance)));
    if !before.is_empty() && before.len() == now.len() {
        // One scale for both, so that heights can be compared.
        let most = before.iter().chain(&now).copied().fold(0.0, f64::max);
        let line = |values: &[f64]| {
            let mut scaled = values.to_vec();
            scaled.push(most);
            let drawn: Vec<char> = sparkline(&scaled).chars().collect();
            drawn.iter().take(values.len()).collect::<String>()
        };
        output::line(&format!("      before [{}]", line(&before)));
        output::line(&format!("      now    [{}]", line(&now)));
    }
    for category in column.get("categories").and_then(Value::as_array).into_iter().flatten() {
        let share = |index: usize| category.get(index).and_then(Value::as_f64).unwrap_or_default();
        let name = category.get(0).and_then(Value::as_str).unwrap_or_default();
        output::line(&format!("      {:<20} before {} {:.1} %", shortened(name, 20), bar(share(1)), share(1) * 100.0));
        output::line(&format!("      {:<20} now    {} {:.1} %", "", bar(share(2)), share(2) * 100.0));
    }
}

fn bar(share: f64) -> String {
    let full = (share.clamp(0.0, 1.0) * BAR).round() as usize;
    format!("{}{}", "█".repeat(full), "·".repeat(BAR as usize - full))
}

fn numbers(value: Option<&Value>) -> Vec<f64> {
    value.and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_f64).collect()
}

fn text(value: &Value, key: &str) -> String {
    output::plain(value.get(key).and_then(Value::as_str).unwrap_or_default())
}
