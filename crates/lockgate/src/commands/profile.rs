//! `lockgate profile`: what files look like, as a table, a page and a file to hold later data
//! against.

use std::path::Path;

use askama::Template;
use lockgate_core::{Classification, Failure, Result, durable};
use lockgate_detect::Engine;
use lockgate_pipeline::quality;
use lockgate_quality::{
    Contract,
    profile::{ColumnProfile, Options, Profile},
};

use lockgate_source::Dates;

use super::{
    names,
    picture::{self, Bar, densities, grouped, number, share, shortened, sparkline},
};
use crate::{
    cli::{Format, Global, ProfileArgs},
    environment, output,
};

pub fn profile(global: &Global, args: &ProfileArgs) -> Result<()> {
    let outputs: Vec<&std::path::PathBuf> = args.out.iter().chain(&args.html).collect();
    output::not_over(&outputs, &args.data)?;
    let mut options = Options { confidential: args.confidential.clone(), public: args.public.clone() };
    let tables = quality::open(&args.data, Dates::Parsed)?;
    if let Some(path) = &args.contract {
        let has = |name: &str| tables.first().is_some_and(|table| table.schema().index_of(name).is_ok());
        for column in Contract::read(path)?.columns.into_iter().filter(|column| has(&column.name)) {
            match column.classification {
                Classification::Confidential | Classification::Restricted => options.confidential.push(column.name),
                Classification::Public => options.public.push(column.name),
                Classification::Internal => {}
            }
        }
    }
    let engine = names::add(global, args.names, Engine::new())?;
    let progress = output::Terminal::new(global);
    let profile = quality::profile(&tables, &engine, &options, environment::threads(), &progress)?;
    progress.finish();
    let title = args.data.iter().map(|path| path.display().to_string()).collect::<Vec<_>>().join(", ");
    if let Some(path) = &args.out {
        profile.write(path)?;
        output::say(global, &format!("profile written to {}", path.display()));
    }
    if let Some(path) = &args.html {
        page(&profile, &title, path)?;
        output::say(global, &format!("page written to {}", path.display()));
    }
    match global.format {
        Format::Table => print(global, &profile),
        _ => output::json(global, &profile),
    }
}

fn print(global: &Global, profile: &Profile) -> Result<()> {
    let header = ["column", "holds", "missing", "distinct", "distribution", "least", "median", "most", "mean ± sd"];
    output::rows(global, &header, &profile.columns, |column| cells(column, profile.rows))?;
    output::line("");
    output::line(&format!("{} rows, {} columns", grouped(profile.rows), profile.columns.len()));
    for correlation in profile.correlations.iter().filter(|c| c.pearson.abs() >= 0.5).take(5) {
        let name = |place: usize| profile.columns.get(place).map_or("", |column| column.name.as_str());
        output::line(&format!(
            "{} and {} go together: correlation {:.2}",
            name(correlation.left),
            name(correlation.right),
            correlation.pearson
        ));
    }
    Ok(())
}

fn cells(column: &ColumnProfile, rows: u64) -> Vec<String> {
    let present = column.present(rows);
    let quantile = |rank| column.quantile(rank).map(|value| value_text(column, value)).unwrap_or_default();
    let picture = match &column.withheld {
        Some(why) if column.histogram.counts.is_empty() => format!("withheld: {why}"),
        Some(why) => format!("{} withheld: {why}", sparkline(&densities(&column.histogram))),
        None if !column.histogram.counts.is_empty() => sparkline(&densities(&column.histogram)),
        None => top_line(column, present),
    };
    let spread = match &column.moments {
        Some(m) if !is_time(column) => format!("{} ± {}", number(m.mean()), number(m.deviation())),
        _ => String::new(),
    };
    vec![
        output::plain(&column.name),
        holds(column),
        if column.missing == 0 { String::new() } else { share(column.missing, rows) },
        grouped(column.distinct as u64),
        picture,
        quantile(0.0),
        quantile(0.5),
        quantile(1.0),
        spread,
    ]
}

/// The most frequent values with their shares, in a line.
fn top_line(column: &ColumnProfile, present: u64) -> String {
    const SHOWN: usize = 3;
    let mut parts: Vec<String> = column
        .top
        .iter()
        .take(SHOWN)
        .map(|(value, count)| format!("{} {}", shortened(value, 16), share(*count, present)))
        .collect();
    if parts.is_empty() && present > 0 {
        return "no value is frequent".to_owned();
    }
    if column.top.len() > SHOWN {
        parts.push("…".to_owned());
    }
    parts.join(", ")
}

/// What a column holds, and what its text looks like when that is something else.
fn holds(column: &ColumnProfile) -> String {
    let all: u64 = column.types.values().sum();
    let most = column.types.iter().max_by_key(|(_, count)| **count).filter(|(kind, _)| *kind != "text");
    match most {
        Some((kind, count)) if count * 2 > all => format!("{}, {} {kind}", column.kind, share(*count, all)),
        _ => column.kind.clone(),
    }
}

fn is_time(column: &ColumnProfile) -> bool {
    matches!(column.kind.as_str(), "timestamps" | "dates")
}

/// A number of a column as people write it.
fn value_text(column: &ColumnProfile, value: f64) -> String {
    if !is_time(column) {
        return number(value);
    }
    let time = chrono::DateTime::from_timestamp_micros(value as i64);
    let format = if column.kind == "dates" { "%Y-%m-%d" } else { "%Y-%m-%d %H:%M" };
    time.map_or_else(|| number(value), |time| time.format(format).to_string())
}

#[derive(Template)]
#[template(path = "profile.html")]
struct Page {
    title: String,
    rows: String,
    columns: Vec<Card>,
    correlations: Vec<(String, String, String)>,
    patterns: Vec<(String, String, String)>,
    width: f64,
    height: f64,
}

/// One column of the page.
struct Card {
    name: String,
    holds: String,
    withheld: Option<String>,
    facts: Vec<(&'static str, String)>,
    bars: Vec<Bar>,
    low: String,
    high: String,
    /// Value, share and how wide its bar is, in percent.
    top: Vec<(String, String, f64)>,
    entities: Vec<(String, String)>,
}

/// Writes the page.
fn page(profile: &Profile, title: &str, path: &Path) -> Result<()> {
    let name = |place: usize| profile.columns.get(place).map_or_else(String::new, |column| column.name.clone());
    let page = Page {
        title: title.to_owned(),
        rows: grouped(profile.rows),
        columns: profile.columns.iter().map(|column| card(column, profile.rows)).collect(),
        correlations: profile
            .correlations
            .iter()
            .take(20)
            .map(|c| (name(c.left), name(c.right), format!("{:+.3}", c.pearson)))
            .collect(),
        patterns: profile
            .missing_patterns
            .iter()
            .filter(|(places, _)| !places.is_empty())
            .take(20)
            .map(|(places, rows)| {
                let names: Vec<String> = places.iter().map(|place| name(*place)).collect();
                (names.join(", "), grouped(*rows), share(*rows, profile.rows))
            })
            .collect(),
        width: picture::WIDTH,
        height: picture::HEIGHT,
    };
    let html = page.render().map_err(|_| Failure::bug("the page could not be made"))?;
    durable::write_to(path, html.as_bytes())
}

fn card(column: &ColumnProfile, rows: u64) -> Card {
    let present = column.present(rows);
    let mut facts = vec![("missing", share(column.missing, rows)), ("distinct", grouped(column.distinct as u64))];
    let quantile = |rank| column.quantile(rank).map(|value| value_text(column, value));
    for (label, rank) in [("least", 0.0), ("5 %", 0.05), ("median", 0.5), ("95 %", 0.95), ("most", 1.0)] {
        facts.extend(quantile(rank).map(|value| (label, value)));
    }
    if let Some(m) = column.moments.filter(|_| !is_time(column)) {
        facts.push(("mean", number(m.mean())));
        facts.push(("deviation", number(m.deviation())));
        facts.push(("skewness", number(m.skewness())));
    }
    if let Some(lengths) = column.lengths.filter(|lengths| lengths.count > 0) {
        facts.push(("length", format!("{} to {}", number(lengths.min), number(lengths.max))));
    }
    let edge = |edge: Option<&f64>| edge.map(|value| value_text(column, *value)).unwrap_or_default();
    let most = column.top.first().map_or(1, |(_, count)| *count).max(1);
    let show_top = column.histogram.counts.is_empty();
    Card {
        name: column.name.clone(),
        holds: holds(column),
        withheld: column.withheld.clone(),
        facts,
        bars: picture::bars(&column.histogram, present),
        low: edge(column.histogram.edges.first()),
        high: edge(column.histogram.edges.last()),
        top: column
            .top
            .iter()
            .take(if show_top { 8 } else { 0 })
            .map(|(value, count)| (shortened(value, 40), share(*count, present), *count as f64 / most as f64 * 100.0))
            .collect(),
        entities: column
            .entities
            .iter()
            .map(|(entity, count)| (entity.clone(), share(*count, column.sampled)))
            .collect(),
    }
}
