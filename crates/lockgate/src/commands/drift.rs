//! `lockgate drift`: whether data is distributed as it was.

use std::path::Path;

use askama::Template;
use lockgate_core::{Failure, Result, durable};
use lockgate_detect::Engine;
use lockgate_pipeline::drift::{Compared, Request, Side, drift as compare};
use lockgate_quality::{
    drift::{ColumnDrift, Correction, Limits},
    profile::Histogram,
};
use serde_json::json;

use super::{
    names,
    picture::{self, Bar, densities, number, shortened, sparkline},
};
use crate::{
    cli::{Adjustment, DriftArgs, Format, Global},
    environment, output,
};

pub fn drift(global: &Global, args: &DriftArgs) -> Result<()> {
    let outputs: Vec<&std::path::PathBuf> = args.html.iter().collect();
    output::not_over(&outputs, &[args.reference.clone(), args.current.clone()])?;
    let limits = Limits {
        alpha: share("--alpha", args.alpha)?,
        distance: share("--distance", args.distance)?,
        share: share("--share", args.share)?,
        correction: match args.correction {
            Adjustment::None => Correction::None,
            Adjustment::Bonferroni => Correction::Bonferroni,
            Adjustment::Holm => Correction::Holm,
            Adjustment::BenjaminiHochberg => Correction::BenjaminiHochberg,
        },
    };
    let (reference, current) = (Side::open(&args.reference)?, Side::open(&args.current)?);
    let engine = names::add(global, args.names, Engine::new())?;
    let request = Request { columns: args.columns.clone(), limits, engine: &engine, threads: environment::threads() };
    let progress = output::Terminal::new(global);
    let compared = compare(reference, current, &request, &progress)?;
    progress.finish();
    if let Some(path) = &args.html {
        page(&compared, args, path)?;
        output::say(global, &format!("page written to {}", path.display()));
    }
    match global.format {
        Format::Table => print(global, &compared)?,
        _ => output::json(global, &json!({"approximate": compared.approximate, "report": compared.report}))?,
    }
    if compared.report.drifted {
        let report = &compared.report;
        return Err(Failure::findings(format!(
            "the data has drifted: {} of {} columns, {} that are other columns now",
            report.drifted_columns,
            report.tested_columns,
            report.changed.len()
        )));
    }
    Ok(())
}

fn share(option: &str, value: f64) -> Result<f64> {
    if (0.0..=1.0).contains(&value) {
        return Ok(value);
    }
    Err(Failure::usage(format!("{option} must be between 0 and 1")))
}

fn print(global: &Global, compared: &Compared) -> Result<()> {
    let header = ["", "column", "compared as", "before", "now", "distance", "p", "missing"];
    output::rows(global, &header, &compared.report.columns, |column| {
        let (before, now) = pictures(column);
        let missing = if column.reference_missing + column.current_missing == 0.0 {
            String::new()
        } else {
            format!("{:.1} → {:.1} %", column.reference_missing * 100.0, column.current_missing * 100.0)
        };
        vec![
            mark(column),
            output::plain(&column.column),
            column.kind.to_owned(),
            before,
            now,
            distance(column),
            p(column),
            missing,
        ]
    })?;
    output::line("");
    for (column, what) in &compared.report.changed {
        output::line(&format!("{} {column}: {what}", output::verdict(false, "✗")));
    }
    for (column, why) in &compared.report.skipped {
        output::line(&format!("{column} was not compared: {why}"));
    }
    if compared.approximate {
        output::line("measured from profiles: each distance is off by at most what stands beside it");
    }
    let report = &compared.report;
    let open = match report.undecided_columns {
        0 => String::new(),
        open => format!(", {open} cannot be decided within the error"),
    };
    output::line(&format!("{} of {} columns have drifted{open}", report.drifted_columns, report.tested_columns));
    Ok(())
}

fn mark(column: &ColumnDrift) -> String {
    match (column.drifted, column.undecided) {
        (_, true) => "?".to_owned(),
        (true, false) => output::verdict(false, "✗"),
        (false, false) => output::verdict(true, "✓"),
    }
}

fn distance(column: &ColumnDrift) -> String {
    match column.decisive.error {
        Some(error) => format!("{:.3} ± {error:.3}", column.decisive.statistic),
        None => format!("{:.3}", column.decisive.statistic),
    }
}

fn p(column: &ColumnDrift) -> String {
    match column.p_adjusted {
        p if p < 0.0001 => "< 0.0001".to_owned(),
        p => format!("{p:.4}"),
    }
}

/// Both sides in a line each.
fn pictures(column: &ColumnDrift) -> (String, String) {
    const BARS: usize = 15;
    if !column.reference_histogram.counts.is_empty() {
        let line = |histogram: &Histogram| sparkline(&halved(&densities(histogram), BARS));
        return (line(&column.reference_histogram), line(&column.current_histogram));
    }
    let top = |share: fn(&(String, f64, f64)) -> f64| {
        let mut rows: Vec<&(String, f64, f64)> = column.categories.iter().collect();
        rows.sort_by(|a, b| share(b).total_cmp(&share(a)));
        let parts: Vec<String> =
            rows.iter().take(2).map(|row| format!("{} {:.0} %", shortened(&row.0, 14), share(row) * 100.0)).collect();
        parts.join(", ")
    };
    (top(|row| row.1), top(|row| row.2))
}

/// Neighbours added up until there are no more than `most`.
fn halved(values: &[f64], most: usize) -> Vec<f64> {
    let step = values.len().div_ceil(most).max(1);
    values.chunks(step).map(|chunk| chunk.iter().sum()).collect()
}

#[derive(Template)]
#[template(path = "drift.html")]
struct Page {
    reference: String,
    current: String,
    drifted: bool,
    summary: String,
    approximate: bool,
    cards: Vec<Card>,
    skipped: Vec<(String, String)>,
    width: f64,
    height: f64,
}

struct Card {
    name: String,
    kind: &'static str,
    verdict: &'static str,
    class: &'static str,
    distance: String,
    p: String,
    bars: Vec<Bar>,
    /// The reference as a line of the SVG.
    line: String,
    low: String,
    high: String,
    categories: Vec<Category>,
    tests: Vec<(String, String)>,
}

/// A category and its bars, in percent of the longest.
struct Category {
    name: String,
    shares: String,
    before: f64,
    now: f64,
}

fn page(compared: &Compared, args: &DriftArgs, path: &Path) -> Result<()> {
    let report = &compared.report;
    let page = Page {
        reference: args.reference.display().to_string(),
        current: args.current.display().to_string(),
        drifted: report.drifted,
        summary: format!("{} of {} columns have drifted", report.drifted_columns, report.tested_columns),
        approximate: compared.approximate,
        cards: report.columns.iter().map(card).collect(),
        skipped: [report.changed.clone(), report.skipped.clone()].concat(),
        width: picture::WIDTH,
        height: picture::HEIGHT,
    };
    let html = page.render().map_err(|_| Failure::bug("the page could not be made"))?;
    durable::write_to(path, html.as_bytes())
}

fn card(column: &ColumnDrift) -> Card {
    let (verdict, class) = match (column.drifted, column.undecided) {
        (_, true) => ("cannot be decided within the error", ""),
        (true, false) => ("drifted", "bad"),
        (false, false) => ("as it was", "good"),
    };
    let (before, now) = (&column.reference_histogram, &column.current_histogram);
    let edge = |edge: Option<&f64>| edge.map(|value| number(*value)).unwrap_or_default();
    let most = column.categories.iter().map(|(_, a, b)| a.max(*b)).fold(f64::MIN_POSITIVE, f64::max);
    Card {
        name: column.column.clone(),
        kind: column.kind,
        verdict,
        class,
        distance: distance(column),
        p: p(column),
        bars: picture::bars(now, now.counts.iter().sum()),
        line: picture::outline(before, now),
        low: edge(now.edges.first()),
        high: edge(now.edges.last()),
        categories: column
            .categories
            .iter()
            .map(|(name, before, now)| Category {
                name: name.clone(),
                shares: format!("{:.1} → {:.1} %", before * 100.0, now * 100.0),
                before: before / most * 100.0,
                now: now / most * 100.0,
            })
            .collect(),
        tests: column
            .tests
            .iter()
            .map(|test| {
                let p = match test.p_value {
                    None => String::new(),
                    Some(p) if p < 1e-300 => ", p < 1e-300".to_owned(),
                    Some(p) if p < 0.001 => format!(", p {p:.1e}"),
                    Some(p) => format!(", p {p:.3}"),
                };
                (test.name.replace('_', " "), format!("{}{p}", number(test.statistic)))
            })
            .collect(),
    }
}
