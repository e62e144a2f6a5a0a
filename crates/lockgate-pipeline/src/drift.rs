//! Drift between two tables, or between profiles of them.

use std::{
    io::Read as _,
    path::Path,
    sync::atomic::{AtomicUsize, Ordering},
    thread,
};

use arrow::array::{ArrayRef, RecordBatch};
use lockgate_core::{Failure, Result};
use lockgate_detect::Engine;
use lockgate_quality::{
    EXACT_MAX,
    drift::{ColumnDrift, DriftReport, Gathered, Limits, from_profiles, judge},
    profile::{Histogram, Inspector as _, Options, Profile, Profiler},
};
use lockgate_source::Table;

use crate::{
    Progress,
    quality::{self, Detecting},
};

/// Values of both sides that are in memory at a time: 32 MiB of numbers.
const CELLS_MAX: u64 = 4 << 20;
/// The same for text, which cannot be read by columns: 256 MiB.
const TEXT_CELLS_MAX: u64 = 32 << 20;

/// Data, or the profile that stands in for it.
#[derive(Clone, Debug)]
pub enum Side {
    Table(Table),
    Profile(Box<Profile>),
}

impl Side {
    /// Opens a file; a profile is known by its first bytes.
    pub fn open(path: &Path) -> Result<Self> {
        let mut start = Vec::new();
        let file = std::fs::File::open(path).map_err(|e| Failure::io("open", path, &e))?;
        if file.take(16).read_to_end(&mut start).is_ok() && Profile::is_one(&start) {
            return Ok(Self::Profile(Box::new(Profile::read(path)?)));
        }
        Ok(Self::Table(Table::open(path)?))
    }

    fn rows(&self) -> u64 {
        match self {
            Self::Table(table) => table.rows(),
            Self::Profile(profile) => profile.rows,
        }
    }

    /// The columns whose values a profile keeps back.
    fn withheld(&self) -> Vec<String> {
        match self {
            Self::Table(_) => Vec::new(),
            Self::Profile(profile) => {
                profile.columns.iter().filter(|c| c.withheld.is_some()).map(|c| c.name.clone()).collect()
            }
        }
    }

    fn names(&self) -> Vec<String> {
        match self {
            Self::Table(table) => table.schema().fields().iter().map(|field| field.name().clone()).collect(),
            Self::Profile(profile) => profile.columns.iter().map(|column| column.name.clone()).collect(),
        }
    }
}

/// How drift is measured.
#[derive(Clone, Debug)]
pub struct Request<'r> {
    /// Only these columns; all that both sides have when empty.
    pub columns: Vec<String>,
    pub limits: Limits,
    /// Looks for personal values where a profile is made.
    pub engine: &'r Engine,
    pub threads: usize,
}

/// What was compared, and how.
#[derive(Clone, Debug)]
pub struct Compared {
    pub report: DriftReport,
    /// From profiles, with a bound on the error, and not from the data.
    pub approximate: bool,
}

/// Compares `current` with `reference`.
pub fn drift(reference: Side, current: Side, request: &Request<'_>, progress: &dyn Progress) -> Result<Compared> {
    for (side, name) in [(&reference, "reference"), (&current, "current data")] {
        if side.rows() == 0 {
            return Err(Failure::input(format!("the {name} has no row")));
        }
    }
    let (before, after) = (reference.names(), current.names());
    if let Some(name) = request.columns.iter().find(|name| !before.contains(name) || !after.contains(name)) {
        return Err(Failure::usage(format!("not both sides have a column {name:?}")));
    }
    let wanted = |name: &String| request.columns.is_empty() || request.columns.contains(name);
    let names: Vec<String> = before.iter().filter(|name| after.contains(name) && wanted(name)).cloned().collect();
    let mut skipped: Vec<(String, String)> = Vec::new();
    let gone = before.iter().filter(|name| !after.contains(name) && wanted(name));
    let mut changed: Vec<(String, String)> = gone.map(|name| (name.clone(), "it is gone".to_owned())).collect();
    let new = after.iter().filter(|name| !before.contains(name) && wanted(name));
    skipped.extend(new.map(|name| (name.clone(), "it is new".to_owned())));
    if names.is_empty() {
        return Err(Failure::input("the two sides have no column in common"));
    }
    let exact = reference.rows().max(current.rows()) <= EXACT_MAX as u64;
    let (columns, approximate) = match (&reference, &current) {
        (Side::Table(reference), Side::Table(current)) if exact => {
            (tables(reference, current, &names, request, progress, &mut changed, &mut skipped)?, false)
        }
        _ => {
            // What one side's profile keeps back, the other's keeps back, too.
            let confidential: Vec<String> =
                [&reference, &current].iter().flat_map(|side| side.withheld()).filter(|n| names.contains(n)).collect();
            let options = Options { confidential, public: Vec::new() };
            let (reference, current) =
                (measured(reference, request, &options, progress)?, measured(current, request, &options, progress)?);
            (profiles(&reference, &current, &names, &mut changed, &mut skipped), true)
        }
    };
    let mut report = judge(columns, changed, skipped, &request.limits);
    for column in &mut report.columns {
        name_harmless(column, request.engine)?;
    }
    Ok(Compared { report, approximate })
}

/// A reference that is in memory.
pub(crate) enum Reference {
    Rows(RecordBatch),
    Profile(Box<Profile>),
}

/// Compares rows that are in memory with a reference, in the columns that `request` names and both
/// have.
pub(crate) fn of_rows(reference: &Reference, current: &RecordBatch, request: &Request<'_>) -> Result<DriftReport> {
    let (mut columns, mut changed, mut skipped) = (Vec::new(), Vec::new(), Vec::new());
    match reference {
        Reference::Rows(before) => {
            for name in &request.columns {
                let (Some(x), Some(y)) = (before.column_by_name(name), current.column_by_name(name)) else {
                    skipped.push((name.clone(), "not both sides have it".to_owned()));
                    continue;
                };
                let gathered = |array: &ArrayRef| {
                    let mut gathered = Gathered::new(array.data_type());
                    gathered.update(array).map(|()| gathered)
                };
                match compare(name, gathered(x)?, gathered(y)?, request.engine)? {
                    Outcome::Compared(column) => columns.push(*column),
                    Outcome::Changed(what) => changed.push((name.clone(), what)),
                    Outcome::Skipped(why) => skipped.push((name.clone(), why)),
                }
            }
        }
        Reference::Profile(before) => {
            let mut profiler = Profiler::new(&current.schema())?;
            profiler.update(current)?;
            let now = profiler.finish(&Detecting(request.engine), &Options::default())?;
            let lacking = request.columns.iter().filter(|name| before.column(name).is_none());
            skipped.extend(lacking.map(|name| (name.clone(), "the baseline lacks it".to_owned())));
            columns = profiles(before, &now, &request.columns, &mut changed, &mut skipped);
        }
    }
    let mut report = judge(columns, changed, skipped, &request.limits);
    for column in &mut report.columns {
        name_harmless(column, request.engine)?;
    }
    Ok(report)
}

/// Leaves of the named categories those that many rows have and nothing personal was found in.
fn name_harmless(column: &mut ColumnDrift, engine: &Engine) -> Result<()> {
    const ROWS_MIN: f64 = 10.0;
    let values: Vec<&str> = column.categories.iter().map(|(value, ..)| value.as_str()).collect();
    let personal = Detecting(engine).inspect(&column.column, &values)?.personal;
    // Shares are of the values that are there.
    let present = |rows: u64, missing: f64| rows as f64 * (1.0 - missing);
    let before = present(column.reference_rows, column.reference_missing);
    let now = present(column.current_rows, column.current_missing);
    let mut personal = personal.into_iter();
    column.categories.retain(|(_, x, y)| {
        let harmless = personal.next() == Some(None);
        harmless && (x * before >= ROWS_MIN || y * now >= ROWS_MIN)
    });
    Ok(())
}

fn measured(side: Side, request: &Request<'_>, options: &Options, progress: &dyn Progress) -> Result<Profile> {
    match side {
        Side::Profile(profile) => Ok(*profile),
        Side::Table(table) => {
            let tables = [table];
            quality::profile(&tables, request.engine, options, request.threads, progress)
        }
    }
}

fn profiles(
    reference: &Profile,
    current: &Profile,
    names: &[String],
    changed: &mut Vec<(String, String)>,
    skipped: &mut Vec<(String, String)>,
) -> Vec<ColumnDrift> {
    let mut columns = Vec::new();
    for name in names {
        if let (Some(x), Some(y)) = (reference.column(name), current.column(name)) {
            let number = |kind: &str| matches!(kind, "integers" | "numbers");
            if x.kind != y.kind && !(number(&x.kind) && number(&y.kind)) {
                changed.push((name.clone(), format!("it held {} and holds {} now", x.kind, y.kind)));
                continue;
            }
            let empty = (x.missing == reference.rows, y.missing == current.rows);
            if empty.0 != empty.1 {
                let what = if empty.1 { "every value is missing now" } else { "every value was missing" };
                changed.push((name.clone(), what.to_owned()));
                continue;
            }
            match from_profiles(name, (x, reference.rows), (y, current.rows)) {
                Ok(column) => columns.push(column),
                Err(why) => skipped.push((name.clone(), why)),
            }
        }
    }
    columns
}

/// Exactly, some columns at a time, so that memory does not grow with their number. Each thread
/// takes the next columns and reads them from both sides.
fn tables(
    reference: &Table,
    current: &Table,
    names: &[String],
    request: &Request<'_>,
    progress: &dyn Progress,
    changed: &mut Vec<(String, String)>,
    skipped: &mut Vec<(String, String)>,
) -> Result<Vec<ColumnDrift>> {
    progress.stage("compare", &format!("{} columns of {} and {}", names.len(), reference.uri(), current.uri()));
    let rows = (reference.rows() + current.rows()).max(1);
    // Text is read whole for each group of columns: few groups, one after the other.
    let divisible = reference.is_divisible() && current.is_divisible();
    let cells = if divisible { CELLS_MAX } else { TEXT_CELLS_MAX };
    let most = if divisible { (cells / rows).max(1) as usize } else { 1 };
    let threads = request.threads.clamp(1, names.len().max(1)).min(most.max(2));
    let threads = if divisible { threads } else { 1 };
    let fit = cells / rows / threads as u64;
    let at_a_time = (fit.max(1) as usize).min(names.len().div_ceil(threads));
    let next = AtomicUsize::new(0);
    let run = || -> Result<Vec<(String, Outcome)>> {
        let mut done = Vec::new();
        loop {
            let start = next.fetch_add(at_a_time, Ordering::Relaxed);
            let Some(some) = names.get(start..names.len().min(start + at_a_time)).filter(|some| !some.is_empty())
            else {
                return Ok(done);
            };
            let (before, after) = (gather(reference, some)?, gather(current, some)?);
            for ((name, before), after) in some.iter().zip(before).zip(after) {
                done.push((name.clone(), compare(name, before, after, request.engine)?));
            }
        }
    };
    let parts = thread::scope(|scope| {
        let others: Vec<_> = (1..threads).map(|_| scope.spawn(run)).collect();
        let mut parts = vec![run()];
        for other in others {
            parts.push(other.join().unwrap_or_else(|_| Err(Failure::bug("comparing a column panicked"))));
        }
        parts
    });
    let mut columns = Vec::new();
    for part in parts {
        for (name, outcome) in part? {
            match outcome {
                Outcome::Compared(column) => columns.push(*column),
                Outcome::Changed(what) => changed.push((name, what)),
                Outcome::Skipped(why) => skipped.push((name, why)),
            }
        }
    }
    Ok(columns)
}

fn compare(name: &str, mut before: Gathered, mut after: Gathered, engine: &Engine) -> Result<Outcome> {
    if let Some(what) = before.changed(&after) {
        return Ok(Outcome::Changed(what));
    }
    // Numbers may be telephone numbers: then there is no picture of them.
    let sample = [before.sample(), after.sample()].concat();
    let values: Vec<&str> = sample.iter().map(String::as_str).collect();
    let found = Detecting(engine).inspect(name, &values)?;
    Ok(match before.compare(name, after) {
        Ok(mut column) => {
            if found.what_is_personal(false).is_some() {
                column.reference_histogram = Histogram::default();
                column.current_histogram = Histogram::default();
            }
            Outcome::Compared(Box::new(column))
        }
        Err(why) => Outcome::Skipped(why),
    })
}

/// What came of a column.
enum Outcome {
    Compared(Box<ColumnDrift>),
    /// It is another column now.
    Changed(String),
    Skipped(String),
}

fn gather(table: &Table, names: &[String]) -> Result<Vec<Gathered>> {
    let schema = table.schema();
    let mut all = names
        .iter()
        .map(|name| schema.field_with_name(name).map(|field| Gathered::new(field.data_type())))
        .collect::<std::result::Result<Vec<_>, _>>()
        .map_err(|_| Failure::bug("a column is gone"))?;
    for part in table.parts(1) {
        let mut batches = table.read(&part, Some(names))?;
        while let Some((batch, _)) = batches.next_batch()? {
            for (name, gathered) in names.iter().zip(&mut all) {
                let array = batch.column_by_name(name).ok_or_else(|| Failure::bug("a column was not read"))?;
                gathered.update(array)?;
            }
        }
    }
    Ok(all)
}
