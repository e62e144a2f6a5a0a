//! `poisoning`: attacks planted in the Adult census data, and how often each method sees them at
//! 1 % false alarms: a table in Markdown.
//!
//! Half of the rows are the golden baseline. Batches of 2,000 rows are drawn from the other half, as
//! eight sources: clean ones, whose p-values say where 1 % false alarms lie for each method, and
//! ones with an attack in so many of the rows.

mod attacks;

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
    sync::Arc,
    thread,
};

use anyhow::{Context as _, Result};
use arrow::{array::RecordBatch, compute::concat_batches};
use lockgate_core::SplitMix64;
use lockgate_quality::poison::{Baseline, Method, Options, Screen, Screening};
use lockgate_source::Table;

use self::attacks::{ATTACKS, Attack, Frame};
use crate::process;

const ROWS: usize = 2_000;
const SOURCES: usize = 8;
const RATES: [f64; 4] = [0.005, 0.01, 0.02, 0.05];
const FALSE_ALARMS: f64 = 0.01;
/// Rows of a baseline and of clean data.
const SIZES: [(usize, usize); 8] = [
    (24_000, 1_000),
    (24_000, 5_000),
    (24_000, 24_000),
    (10_000, 5_000),
    (10_000, 20_000),
    (3_000, 3_000),
    (3_000, 10_000),
    (800, 800),
];
const LABEL: &str = "income";

/// What a batch came to.
struct Judged {
    p_values: BTreeMap<Method, f64>,
    alarms: Vec<Method>,
    /// Planted rows, how many of them were convicted, and how many others.
    planted: usize,
    right: usize,
    wrong: usize,
}

pub fn bench(data: Option<PathBuf>, clean: usize, attacked: usize, trials: usize) -> Result<()> {
    let folder = tempfile::tempdir()?;
    let data = data.map_or_else(|| process::applicants(folder.path()), Ok)?;
    let frame = Frame::read(&read(&data)?)?;
    sizes(&frame, trials)?;
    let mut random = SplitMix64::new(2026);
    let mut order: Vec<usize> = (0..frame.rows()).collect();
    shuffle(&mut order, &mut random);
    let (golden, pool) = order.split_at(frame.rows() / 2);
    let options = Options { label: Some(LABEL.into()), threads: 2, ..Options::default() };
    let baseline = Arc::new(Baseline::fit(&frame.pick(golden).batch()?, options)?);

    let judged = each(clean, |round| judge(&baseline, &frame, pool, None, round as u64))?;
    let limits = limits(&judged);
    let methods: Vec<Method> = limits.keys().copied().collect();
    let alarms = judged.iter().filter(|own| !own.alarms.is_empty()).count();
    let wrong: usize = judged.iter().map(|own| own.wrong).sum();
    let by_method: Vec<String> = methods
        .iter()
        .map(|method| (method, judged.iter().filter(|own| own.alarms.contains(method)).count()))
        .filter(|(_, count)| *count > 0)
        .map(|(method, count)| format!("{} {count}", method.name()))
        .collect();
    println!(
        "Baseline of {} rows. Alarms on clean batches by method: {}.",
        golden.len(),
        if by_method.is_empty() { "none".to_owned() } else { by_method.join(", ") }
    );
    println!(
        "Clean batches: {alarms} of {clean} raise an alarm as shipped ({:.1} %); {:.3} % of their rows are convicted.\n",
        alarms as f64 * 100.0 / clean as f64,
        wrong as f64 * 100.0 / (clean * ROWS) as f64
    );
    println!("| attack | {} | any | as shipped | rows found | clean rows taken |", names(&methods).join(" | "));
    println!("|---|{}---|---|---|---|", "---|".repeat(methods.len()));
    for attack in ATTACKS {
        let mut cells: Vec<Vec<f64>> = vec![Vec::new(); methods.len() + 4];
        for rate in RATES {
            let all =
                each(attacked, |round| judge(&baseline, &frame, pool, Some((attack, rate)), 1_000_000 + round as u64))?;
            let share = |count: usize| count as f64 * 100.0 / attacked as f64;
            let seen = |own: &Judged, method: &Method| own.p_values.get(method).is_some_and(|p| *p < limits[method].0);
            for (cell, method) in cells.iter_mut().zip(&methods) {
                cell.push(share(all.iter().filter(|own| seen(own, method)).count()));
            }
            // Any method, with each at a share of the false alarms.
            let any = |own: &&Judged| own.p_values.iter().any(|(method, p)| *p < limits[method].1);
            cells[methods.len()].push(share(all.iter().filter(any).count()));
            cells[methods.len() + 1].push(share(all.iter().filter(|own| !own.alarms.is_empty()).count()));
            let planted: usize = all.iter().map(|own| own.planted).sum();
            let right: usize = all.iter().map(|own| own.right).sum();
            let wrong: usize = all.iter().map(|own| own.wrong).sum();
            cells[methods.len() + 2].push(right as f64 * 100.0 / planted as f64);
            cells[methods.len() + 3].push(wrong as f64 * 100.0 / (attacked * ROWS - planted) as f64);
        }
        let last = cells.len() - 1;
        let cells: Vec<String> =
            cells.iter().enumerate().map(|(index, cell)| text(cell, if index == last { 2 } else { 0 })).collect();
        println!("| {} | {} |", attack.name(), cells.join(" | "));
    }
    Ok(())
}

/// Clean data beside baselines of several sizes: how often it raises an alarm as shipped.
fn sizes(frame: &Frame, trials: usize) -> Result<()> {
    println!("| baseline | clean data | alarms | by | rows convicted |\n|---|---|---|---|---|");
    for (golden, count) in SIZES {
        let judged = each(trials, |round| {
            let mut random = SplitMix64::new(7_000 + round as u64);
            let mut order: Vec<usize> = (0..frame.rows()).collect();
            shuffle(&mut order, &mut random);
            let (golden, data) = (&order[..golden], &order[golden..golden + count]);
            let options = Options { label: Some(LABEL.into()), ..Options::default() };
            let baseline = Arc::new(
                Baseline::fit(&frame.pick(golden).batch()?, options).map_err(|failure| anyhow::anyhow!("{failure}"))?,
            );
            let mut screen = Screen::new(baseline);
            let numbers: Vec<u64> = (0..count as u64).collect();
            screen.update(&frame.pick(data).batch()?, &numbers).map_err(|failure| anyhow::anyhow!("{failure}"))?;
            let screening = screen.finish();
            Ok(Judged {
                p_values: BTreeMap::new(),
                alarms: screening.methods.iter().filter(|own| own.alarm).map(|own| own.method).collect(),
                planted: 0,
                right: 0,
                wrong: screening.guilty_rows as usize,
            })
        })?;
        let mut by: BTreeMap<&str, usize> = BTreeMap::new();
        for method in judged.iter().flat_map(|own| &own.alarms) {
            *by.entry(method.name()).or_default() += 1;
        }
        let alarms = judged.iter().filter(|own| !own.alarms.is_empty()).count();
        let by: Vec<String> = by.iter().map(|(name, count)| format!("{name} {count}")).collect();
        let wrong: usize = judged.iter().map(|own| own.wrong).sum();
        println!(
            "| {golden} | {count} | {alarms} of {trials} | {} | {:.3} % |",
            by.join(", "),
            wrong as f64 * 100.0 / (count * trials) as f64
        );
    }
    println!();
    Ok(())
}

fn read(data: &Path) -> Result<RecordBatch> {
    let table = Table::open(data).map_err(|failure| anyhow::anyhow!("{failure}"))?;
    let mut batches = Vec::new();
    for part in table.parts(1) {
        let mut reader = table.read(&part, None).map_err(|failure| anyhow::anyhow!("{failure}"))?;
        while let Some((batch, _)) = reader.next_batch().map_err(|failure| anyhow::anyhow!("{failure}"))? {
            batches.push(batch);
        }
    }
    Ok(concat_batches(table.schema(), &batches)?)
}

fn judge(
    baseline: &Arc<Baseline>,
    frame: &Frame,
    pool: &[usize],
    attack: Option<(Attack, f64)>,
    round: u64,
) -> Result<Judged> {
    let mut random = SplitMix64::new(round);
    let mut rows: Vec<usize> = Vec::with_capacity(ROWS);
    let mut taken = std::collections::HashSet::new();
    while rows.len() < ROWS {
        let row = pool[random.below(pool.len() as u64) as usize];
        if taken.insert(row) {
            rows.push(row);
        }
    }
    let mut batch = frame.pick(&rows);
    let planted = match attack {
        None => Vec::new(),
        Some((attack, rate)) => attack.plant(&mut batch, (rate * ROWS as f64) as usize, ROWS / SOURCES, &mut random),
    };
    let batch = batch.batch()?;
    let mut screen = Screen::new(Arc::clone(baseline));
    for source in 0..SOURCES {
        screen.source(&format!("source {source}"));
        let first = source * (ROWS / SOURCES);
        let part = batch.slice(first, ROWS / SOURCES);
        let numbers: Vec<u64> = (first as u64..(first + part.num_rows()) as u64).collect();
        screen.update(&part, &numbers).map_err(|failure| anyhow::anyhow!("{failure}"))?;
    }
    let screening: Screening = screen.finish();
    let guilty = |row: usize| screening.guilty((row / (ROWS / SOURCES)) as u32, row as u64).is_some();
    let mut is_planted = vec![false; ROWS];
    for row in &planted {
        is_planted[*row] = true;
    }
    let right = (0..ROWS).filter(|row| is_planted[*row] && guilty(*row)).count();
    let wrong = (0..ROWS).filter(|row| !is_planted[*row] && guilty(*row)).count();
    Ok(Judged {
        p_values: screening.methods.iter().map(|own| (own.method, own.p_value)).collect(),
        alarms: screening.methods.iter().filter(|own| own.alarm).map(|own| own.method).collect(),
        planted: planted.len(),
        right,
        wrong,
    })
}

/// For each method the p-value below which 1 % of the clean batches lie; and that below which each
/// of all methods may lie so that any of them does in 1 %.
fn limits(clean: &[Judged]) -> BTreeMap<Method, (f64, f64)> {
    let mut by_method: BTreeMap<Method, Vec<f64>> = BTreeMap::new();
    for own in clean {
        for (method, p) in &own.p_values {
            by_method.entry(*method).or_default().push(*p);
        }
    }
    for all in by_method.values_mut() {
        all.sort_by(f64::total_cmp);
    }
    let allowed = (clean.len() as f64 * FALSE_ALARMS) as usize;
    // The p-values of all methods together, each batch by its least beside the method's own order.
    let mut least: Vec<f64> = clean
        .iter()
        .map(|own| {
            own.p_values
                .iter()
                .map(|(method, p)| by_method[method].partition_point(|q| q < p) as f64)
                .fold(f64::INFINITY, f64::min)
        })
        .collect();
    least.sort_by(f64::total_cmp);
    let place = least.get(allowed).copied().unwrap_or(0.0) as usize;
    by_method
        .iter()
        .map(|(method, all)| (*method, (all[allowed.min(all.len() - 1)], all[place.min(all.len() - 1)])))
        .collect()
}

fn each(rounds: usize, run: impl Fn(usize) -> Result<Judged> + Sync) -> Result<Vec<Judged>> {
    let run = &run;
    thread::scope(|scope| {
        let halves: Vec<_> = (0..2)
            .map(|half| scope.spawn(move || (half..rounds).step_by(2).map(run).collect::<Result<Vec<_>>>()))
            .collect();
        let mut all = Vec::new();
        for half in halves {
            all.extend(half.join().ok().context("a thread panicked")??);
        }
        Ok(all)
    })
}

fn shuffle(order: &mut [usize], random: &mut SplitMix64) {
    for last in (1..order.len()).rev() {
        order.swap(last, random.below(last as u64 + 1) as usize);
    }
}

fn names(methods: &[Method]) -> Vec<&'static str> {
    methods.iter().map(|method| method.name()).collect()
}

/// The four rates in one cell; nothing where nothing is to be seen.
fn text(shares: &[f64], digits: usize) -> String {
    if digits == 0 && shares.iter().all(|share| *share <= 3.0) {
        return "·".to_owned();
    }
    shares.iter().map(|share| format!("{share:.digits$}")).collect::<Vec<_>>().join("/")
}
