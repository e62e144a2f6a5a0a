//! `lockgate screen`: whether a part of new data was made to mislead a model.

use std::{fmt::Write as _, path::Path};

use lockgate_core::{Failure, Result, durable};
use lockgate_pipeline::screen::screen as judge;
use lockgate_quality::poison::{Options, Part, Role, Screening, Segment};
use serde_json::json;

use super::picture::grouped;
use crate::{
    cli::{Format, Global, ScreenArgs},
    environment, output,
};

/// Rows of a segment that are named on a terminal.
const NAMED: usize = 8;

pub fn screen(global: &Global, args: &ScreenArgs) -> Result<()> {
    let outputs: Vec<&std::path::PathBuf> = args.out.iter().collect();
    output::not_over(&outputs, &[std::slice::from_ref(&args.baseline), args.data.as_slice()].concat())?;
    if !(args.false_alarms > 0.0 && args.false_alarms < 1.0) {
        return Err(Failure::usage("--false-alarms must lie between 0 and 1"));
    }
    let options = Options {
        label: args.label.clone(),
        ignore: args.ignore.clone(),
        alpha: args.false_alarms,
        threads: environment::threads(),
        ..Options::default()
    };
    let progress = output::Terminal::new(global);
    let screening = judge(&args.baseline, &args.data, options, &progress)?;
    progress.finish();
    let names: Vec<String> = args.data.iter().map(|path| path.display().to_string()).collect();
    if let Some(path) = &args.out {
        write(&screening, &names, path)?;
        output::say(global, &format!("guilty rows written to {}", path.display()));
    }
    match global.format {
        Format::Table => print(global, &screening, &names)?,
        _ => output::json(global, &whole(&screening, &names))?,
    }
    if !screening.poisoned {
        return Ok(());
    }
    let open = screening.unexplained().count();
    let also = if open == 0 { String::new() } else { format!("; {open} alarms that no part explains") };
    Err(Failure::findings(format!(
        "the data looks poisoned: {} of {} rows are guilty{also}",
        grouped(screening.guilty_rows),
        grouped(screening.rows)
    )))
}

fn whole(screening: &Screening, names: &[String]) -> serde_json::Value {
    let mut value = serde_json::to_value(screening).unwrap_or_default();
    let segments = value.get_mut("segments").and_then(|s| s.as_array_mut());
    for (json, segment) in segments.into_iter().flatten().zip(&screening.segments) {
        if let Some(object) = json.as_object_mut() {
            let source = segment.source.and_then(|source| names.get(source as usize));
            object.insert("source".into(), json!(source));
            object.insert("row_numbers".into(), json!(by_source(segment, names)));
        }
    }
    value
}

/// The rows of a segment, file by file.
fn by_source(segment: &Segment, names: &[String]) -> std::collections::BTreeMap<String, Vec<u64>> {
    let mut out = std::collections::BTreeMap::new();
    for (source, row) in &segment.places {
        let name = names.get(*source as usize).cloned().unwrap_or_default();
        out.entry(name).or_insert_with(Vec::new).push(*row);
    }
    out
}

fn print(global: &Global, screening: &Screening, names: &[String]) -> Result<()> {
    output::rows(global, &["", "method", "p", "what it looks at"], &screening.methods, |own| {
        let mark = if own.alarm { output::verdict(false, "✗") } else { output::verdict(true, "✓") };
        let p = match own.p_value {
            p if p < 1e-12 => "< 1e-12".to_owned(),
            p if p < 0.001 => format!("{p:.0e}"),
            p => format!("{p:.3}"),
        };
        vec![mark, own.method.name().to_owned(), p, own.method.about().to_owned()]
    })?;
    for segment in &screening.segments {
        let mut line = format!("\n{} ", output::verdict(false, "✗"));
        line.push_str(&match (segment.part, segment.source.and_then(|source| names.get(source as usize))) {
            (Part::Source, Some(name)) => format!("source {}: ", output::plain(name)),
            (Part::Everything, _) => "no part of the data explains it: ".to_owned(),
            _ => String::new(),
        });
        line.push_str(&output::plain(&segment.reason));
        output::line(&line);
        for (name, rows) in by_source(segment, names) {
            let mut text = format!("    {}: rows", output::plain(&name));
            for row in rows.iter().take(NAMED) {
                let _ = write!(text, " {row}");
            }
            if rows.len() > NAMED {
                let _ = write!(text, " and {} more", rows.len() - NAMED);
            }
            output::line(&text);
        }
    }
    if screening.sources.iter().any(|own| own.weight < 1.0) {
        output::line("");
        output::rows(global, &["source", "rows", "weight", "most unlike in", "distance"], &screening.sources, |own| {
            let column = own.column.as_deref().unwrap_or("its labels");
            vec![
                output::plain(&own.source),
                grouped(own.rows),
                format!("{:.2}", own.weight),
                if own.weight < 1.0 { output::plain(column) } else { String::new() },
                format!("{:.2}", own.distance),
            ]
        })?;
    }
    let ignored: Vec<String> = screening
        .columns
        .iter()
        .filter(|(_, role, _)| *role == Role::Ignored)
        .map(|(name, _, why)| format!("{} ({why})", output::plain(name)))
        .collect();
    if !ignored.is_empty() {
        output::line(&format!("\nnot looked at: {}", ignored.join(", ")));
    }
    if !screening.columns.iter().any(|(_, role, _)| *role == Role::Label) {
        output::line("labels and backdoors were not looked for: --label names the column that a model predicts");
    }
    Ok(())
}

/// Every guilty row with its reason, as JSON lines.
fn write(screening: &Screening, names: &[String], path: &Path) -> Result<()> {
    let mut text = String::new();
    for segment in &screening.segments {
        let name = |source: u32| names.get(source as usize).map(String::as_str).unwrap_or_default();
        let shared = json!({"method": segment.method.name(), "reason": segment.reason});
        if let Some(source) = segment.source {
            let _ = writeln!(text, "{}", json!({"source": name(source), "row": null, "why": shared}));
        }
        for (source, row) in &segment.places {
            let _ = writeln!(text, "{}", json!({"source": name(*source), "row": row, "why": shared}));
        }
    }
    durable::write_to(path, text.as_bytes())
}
