//! All expectations of a suite in one pass over batches; what was seen of several parts merges.

use std::{collections::BTreeMap, path::PathBuf, sync::Arc};

use arrow::{
    array::RecordBatch,
    compute::filter_record_batch,
    datatypes::{DataType, SchemaRef},
};
use lockgate_core::{Failure, Result};

use super::{
    gather::{Gathered, Needs},
    outcome::{self, SuiteResult},
    state::{State, needs},
    suite::{Check, Expectation, Suite},
};
use crate::{
    column::{Column, Kind},
    distinct::Hashes,
};

/// Whether a result may hold values of the data.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Values {
    /// Unexpected values are quoted.
    Show,
    /// Rows are named by number only.
    Hide,
}

/// How a suite is validated.
#[derive(Clone, Debug)]
pub struct Options {
    pub values: Values,
    /// Where counts of many values are spilled to; nothing there reveals a value.
    pub spill_folder: PathBuf,
}

/// Answers the expectations that are SQL.
pub trait Sql {
    /// How many rows the table `name` has.
    fn row_count(&self, name: &str) -> Result<u64>;
    /// How many rows `query` gives; `{batch}` stands for the data under test.
    fn rows(&self, query: &str) -> Result<u64>;
    /// The single number that `query` gives; the data under test is also the table `name`.
    fn number(&self, query: &str, name: &str) -> Result<f64>;
    /// How many rows the two queries give and how many of them match, counted as bags:
    /// (base, comparison, matching).
    fn compare(&self, base: &str, comparison: &str) -> Result<(u64, u64, u64)>;
}

/// Judges batches of one table by a suite.
#[derive(Debug)]
pub struct Validator {
    pub(crate) suite: Arc<Suite>,
    pub(crate) schema: SchemaRef,
    pub(crate) options: Options,
    pub(crate) hashes: Hashes,
    pub(crate) groups: Vec<Group>,
    pub(crate) rows: u64,
}

/// The expectations that are about the same rows.
#[derive(Debug)]
pub(crate) struct Group {
    pub(crate) members: Vec<Member>,
    pub(crate) columns: BTreeMap<usize, Gathered>,
    pub(crate) rows: u64,
    pub(crate) broken: Option<String>,
}

#[derive(Debug)]
pub(crate) struct Member {
    /// Its place in the suite.
    pub(crate) index: usize,
    pub(crate) columns: Vec<usize>,
    pub(crate) state: State,
}

impl Validator {
    pub fn new(suite: Arc<Suite>, schema: SchemaRef, options: Options) -> Self {
        let hashes = Hashes::random();
        let mut own = Self { suite, schema, options, hashes, groups: Vec::new(), rows: 0 };
        own.plan();
        own
    }

    /// An empty validator whose state can be merged into this one, for other rows of the table.
    pub fn fork(&self) -> Self {
        let mut fork = Self {
            suite: Arc::clone(&self.suite),
            schema: Arc::clone(&self.schema),
            options: self.options.clone(),
            hashes: self.hashes.clone(),
            groups: Vec::new(),
            rows: 0,
        };
        fork.plan();
        fork
    }

    fn plan(&mut self) {
        let mut keys: Vec<String> = Vec::new();
        let suite = Arc::clone(&self.suite);
        let show = self.options.values == Values::Show;
        let mut wanted: Vec<BTreeMap<usize, Needs>> = Vec::new();
        for (index, expectation) in suite.expectations.iter().enumerate() {
            let key = format!("{:?}", expectation.condition);
            let place = keys.iter().position(|known| *known == key).unwrap_or_else(|| {
                keys.push(key);
                self.groups.push(Group { members: Vec::new(), columns: BTreeMap::new(), rows: 0, broken: None });
                wanted.push(BTreeMap::new());
                keys.len() - 1
            });
            let (columns, state) = self.member(&expectation.check);
            if let (Some(wanted), State::Gathered) = (wanted.get_mut(place), &state) {
                for column in &columns {
                    let own = needs(&expectation.check, self.kind(*column), show);
                    let all = wanted.entry(*column).or_default();
                    all.moments |= own.moments;
                    all.numbers |= own.numbers;
                    all.distinct |= own.distinct;
                    all.words |= own.words;
                    all.names |= own.names;
                }
            }
            if let Some(group) = self.groups.get_mut(place) {
                group.members.push(Member { index, columns, state });
            }
        }
        for (group, wanted) in self.groups.iter_mut().zip(wanted) {
            group.columns = wanted
                .into_iter()
                .map(|(column, needs)| (column, Gathered::new(needs, &self.hashes, &self.options.spill_folder)))
                .collect();
        }
    }

    fn member(&self, check: &Check) -> (Vec<usize>, State) {
        let mut columns = Vec::new();
        for name in check.columns() {
            let Ok(index) = self.schema.index_of(name) else {
                let near = lockgate_core::nearest(name, self.schema.fields().iter().map(|f| f.name().as_str()));
                let hint = near.map(|near| format!("; did you mean {near:?}?")).unwrap_or_default();
                return (Vec::new(), State::Broken(format!("there is no column {name:?}{hint}")));
            };
            columns.push(index);
        }
        let kinds: Vec<Kind> = columns.iter().map(|index| self.kind(*index)).collect();
        if let Some(index) = kinds.iter().position(|kind| *kind == Kind::Other)
            && !matches!(check, Check::Missing { .. } | Check::ColumnType { .. } | Check::ValueTypes { .. })
            && !matches!(check, Check::Aggregate { what: super::suite::Aggregate::NonNullProportion, .. })
        {
            let name = columns.get(index).map_or("", |column| self.schema.field(*column).name());
            return (Vec::new(), State::Broken(format!("column {name:?} holds nested or binary values")));
        }
        (columns, State::start(check, &kinds, &self.hashes, &self.options.spill_folder))
    }

    pub(crate) fn kind(&self, column: usize) -> Kind {
        self.schema.fields().get(column).map_or(Kind::Other, |field| Kind::of(field.data_type()))
    }

    /// Takes in a batch whose first row has the number `first_row` in the whole table. Batches
    /// of one validator come in the table's order; columns that nobody asks for may be left out.
    pub fn update(&mut self, batch: &RecordBatch, first_row: u64) -> Result<()> {
        self.rows += batch.num_rows() as u64;
        let show = self.options.values == Values::Show;
        let suite = Arc::clone(&self.suite);
        for group in &mut self.groups {
            let condition = group
                .members
                .first()
                .and_then(|member| suite.expectations.get(member.index))
                .and_then(|expectation| expectation.condition.as_ref());
            let filtered;
            let mut kept: Option<Vec<u64>> = None;
            let batch = match condition.map(|condition| condition.holds(batch)) {
                None => batch,
                Some(Ok(mask)) => {
                    kept = Some(
                        (0..batch.num_rows())
                            .filter(|row| mask.value(*row))
                            .map(|row| first_row + row as u64)
                            .collect(),
                    );
                    filtered =
                        filter_record_batch(batch, &mask).map_err(|_| Failure::bug("a batch could not be filtered"))?;
                    &filtered
                }
                Some(Err(what)) => {
                    group.broken = Some(what);
                    continue;
                }
            };
            let row_of = |row: usize| match &kept {
                Some(kept) => kept.get(row).copied().unwrap_or_default(),
                None => first_row + row as u64,
            };
            group.update(&suite.expectations, &self.schema, batch, &row_of, show)?;
        }
        Ok(())
    }

    /// Does what costs time before a merge; where parts are read side by side, each does its own.
    pub fn seal(&mut self) -> Result<()> {
        for group in &mut self.groups {
            group.columns.values_mut().try_for_each(Gathered::seal)?;
        }
        Ok(())
    }

    /// Takes over what `other` saw of the rows that follow.
    pub fn merge(&mut self, other: Self) -> Result<()> {
        self.rows += other.rows;
        for (own, theirs) in self.groups.iter_mut().zip(other.groups) {
            own.rows += theirs.rows;
            own.broken = own.broken.take().or(theirs.broken);
            for (member, other) in own.members.iter_mut().zip(theirs.members) {
                member.state.merge(other.state)?;
            }
            for (index, gathered) in theirs.columns {
                if let Some(own) = own.columns.get_mut(&index) {
                    own.merge(gathered)?;
                }
            }
        }
        Ok(())
    }

    /// The verdicts.
    pub fn finish(self, sql: Option<&dyn Sql>) -> Result<SuiteResult> {
        outcome::of(self, sql)
    }

    /// The Arrow type of a column as pandas would name it.
    pub(crate) fn type_name(&self, column: usize) -> String {
        fn name(data_type: &DataType) -> String {
            match data_type {
                DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View => "str".into(),
                DataType::Boolean => "bool".into(),
                DataType::Timestamp(unit, None) => format!("datetime64[{}]", unit_name(*unit)),
                DataType::Timestamp(unit, Some(zone)) => format!("datetime64[{}, {zone}]", unit_name(*unit)),
                DataType::Date32 | DataType::Date64 => "object".into(),
                DataType::Dictionary(_, value) => name(value),
                other => other.to_string().to_lowercase(),
            }
        }
        self.schema.fields().get(column).map(|field| name(field.data_type())).unwrap_or_default()
    }
}

fn unit_name(unit: arrow::datatypes::TimeUnit) -> &'static str {
    use arrow::datatypes::TimeUnit as T;
    match unit {
        T::Second => "s",
        T::Millisecond => "ms",
        T::Microsecond => "us",
        T::Nanosecond => "ns",
    }
}

impl Group {
    fn update(
        &mut self,
        expectations: &[Expectation],
        schema: &SchemaRef,
        batch: &RecordBatch,
        row_of: &dyn Fn(usize) -> u64,
        show: bool,
    ) -> Result<()> {
        self.rows += batch.num_rows() as u64;
        let mut columns: BTreeMap<usize, Column> = BTreeMap::new();
        let wanted = self.members.iter().flat_map(|member| &member.columns).chain(self.columns.keys());
        for index in wanted {
            if !columns.contains_key(index) {
                let name = schema.field(*index).name();
                let array = batch
                    .column_by_name(name)
                    .ok_or_else(|| Failure::input(format!("column {name:?} is missing in a part of the data")))?;
                columns.insert(*index, Column::of(array).map_err(|failure| failure.at(name))?);
            }
        }
        for (index, gathered) in &mut self.columns {
            if let Some(column) = columns.get(index) {
                gathered.update(column, row_of)?;
            }
        }
        for member in &mut self.members {
            let own: Vec<&Column> = member.columns.iter().filter_map(|index| columns.get(index)).collect();
            if let Some(expectation) = expectations.get(member.index) {
                member.state.update(&expectation.check, &own, row_of, show)?;
            }
        }
        Ok(())
    }
}
