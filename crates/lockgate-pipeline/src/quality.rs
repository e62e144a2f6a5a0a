//! Quality of data in files: expectations and profiles, without a workspace.

use std::{collections::BTreeMap, path::PathBuf, sync::Arc};

use lockgate_core::{Failure, Result};
use lockgate_detect::{Engine, SAMPLE_VALUES};
use lockgate_quality::{
    expect::{Options, Sql, Suite, SuiteResult, Validator},
    profile::{self, Inspection, Inspector, Profile, Profiler},
    same_columns,
};
use lockgate_source::{Dates, Table};

use crate::{
    Progress,
    parallel::{Reading, reduce},
};

/// Opens files that are one table together.
pub fn open(files: &[PathBuf], dates: Dates) -> Result<Vec<Table>> {
    let tables = files.iter().map(|path| Table::open_with(path, dates)).collect::<Result<Vec<_>>>()?;
    if let Some((first, rest)) = tables.split_first()
        && let Some(other) = rest.iter().find(|table| !same_columns(table.schema(), first.schema()))
    {
        return Err(Failure::input(format!("{} and {} have different columns or types", first.uri(), other.uri()))
            .hint("test them one by one"));
    }
    Ok(tables)
}

/// Judges files that are one table together by a suite.
pub fn expect(
    tables: &[Table],
    suite: Suite,
    options: Options,
    sql: Option<&dyn Sql>,
    threads: usize,
    progress: &dyn Progress,
) -> Result<SuiteResult> {
    let first = tables.first().ok_or_else(|| Failure::usage("no file is named"))?;
    let mut columns = suite.columns();
    columns.retain(|name| first.schema().index_of(name).is_ok());
    if columns.is_empty() {
        // Rows are counted by some column.
        columns.extend(first.schema().fields().first().map(|field| field.name().clone()));
    }
    let empty = Validator::new(Arc::new(suite), Arc::clone(first.schema()), options);
    let mut all = empty.fork();
    let mut rows = 0;
    for table in tables {
        progress.stage("expect", table.uri());
        let offset = rows;
        let own = reduce(
            table,
            Reading { columns: Some(&columns), threads },
            progress,
            || empty.fork(),
            |state, batch, first| state.update(batch, offset + first),
            Validator::seal,
            Validator::merge,
        )?;
        rows += table.rows();
        all.merge(own)?;
    }
    all.finish(sql)
}

/// Profiles files that are one table together.
pub fn profile(
    tables: &[Table],
    engine: &Engine,
    options: &profile::Options,
    threads: usize,
    progress: &dyn Progress,
) -> Result<Profile> {
    let first = tables.first().ok_or_else(|| Failure::usage("no file is named"))?;
    for name in options.confidential.iter().chain(&options.public) {
        if first.schema().index_of(name).is_err() {
            return Err(Failure::usage(format!("{} has no column {name:?}", first.uri())));
        }
    }
    let mut all = Profiler::new(first.schema())?;
    for table in tables {
        progress.stage("profile", table.uri());
        let own = reduce(
            table,
            Reading { columns: None, threads },
            progress,
            || Profiler::new(first.schema()),
            |state, batch, _| match state {
                Ok(profiler) => profiler.update(batch),
                Err(failure) => Err(Failure::bug(failure)),
            },
            |_| Ok(()),
            |state, other| match state {
                Ok(profiler) => profiler.merge(other?),
                Err(failure) => Err(Failure::bug(failure)),
            },
        )?;
        all.merge(own?)?;
    }
    all.finish(&Detecting(engine), options)
}

/// The detection engine looks into samples.
pub(crate) struct Detecting<'e>(pub(crate) &'e Engine);

impl Inspector for Detecting<'_> {
    fn inspect(&self, name: &str, values: &[&str]) -> Result<Inspection> {
        let few: Vec<&str> = values.iter().take(SAMPLE_VALUES).copied().collect();
        let context = self.0.column(name, &few);
        let mut inspection = Inspection { entities: BTreeMap::new(), personal: Vec::with_capacity(values.len()) };
        let mut findings = Vec::new();
        for value in values {
            findings.clear();
            self.0.scan_in(value, context, &mut findings);
            let personal = findings.iter().map(|finding| finding.entity.as_str()).find(|entity| is_personal(entity));
            inspection.personal.push(personal.map(str::to_owned));
            let mut entities: Vec<&str> = findings.iter().map(|finding| finding.entity.as_str()).collect();
            entities.sort_unstable();
            entities.dedup();
            for entity in entities {
                *inspection.entities.entry(entity.to_owned()).or_default() += 1;
            }
        }
        crate::names::check(self.0)?;
        Ok(inspection)
    }
}

/// Places, organizations and nationalities that many rows share are categories.
pub fn is_personal(entity: &str) -> bool {
    !matches!(entity, "LOCATION" | "ORGANIZATION" | "NRP" | "DATE_TIME" | "URL" | "TITLE")
}
