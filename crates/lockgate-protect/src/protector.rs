//! Applies operators to batches.

use std::{
    collections::{BTreeMap, HashSet},
    net::IpAddr,
    sync::Arc,
};

use arrow::{
    array::{Array, ArrayRef, AsArray, RecordBatch, StringArray, StringBuilder},
    compute::cast,
    datatypes::{DataType, Date32Type, Field, Float64Type, Int64Type, Schema, SchemaRef, TimestampMillisecondType},
};
use chrono::{DateTime, Datelike as _, Days, NaiveDate};
use lockgate_core::{Classification, Failure, Result, nearest};
use lockgate_detect::{Context, Engine, Entity, Finding, SAMPLE_VALUES};
use lockgate_keys::{KeyId, KeyStore, Pseudonymizer, Tokenizer};
use lockgate_quality::Contract;

use crate::{Event, Events, Generalize, Operator};

/// What the pipeline says about protection.
#[derive(Clone, Debug, Default)]
pub struct Rules {
    /// Operators for columns; the others take the default of their classification.
    pub columns: BTreeMap<String, Operator>,
    /// Findings that a person has declared harmless.
    pub allowances: Vec<Allowance>,
}

/// "This entity in this column is not what it seems", with the reason on record.
#[derive(Clone, Debug)]
pub struct Allowance {
    pub column: String,
    pub entity: String,
    pub reason: String,
}

/// How often an entity was found in a column, and where first.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FindingCount {
    pub column: String,
    pub entity: Entity,
    pub classification: Classification,
    pub operator: &'static str,
    pub count: u64,
    pub first_row: u64,
}

/// A batch after protection.
#[derive(Debug)]
pub struct Protected {
    pub batch: RecordBatch,
    pub events: Events,
}

/// Protects the batches of one dataset.
pub struct Protector<'e> {
    engine: &'e Engine,
    plans: Vec<Plan>,
    schema: SchemaRef,
    findings: BTreeMap<(usize, Entity), (u64, u64)>,
}

/// What happens to one column.
struct Plan {
    name: Arc<str>,
    classification: Classification,
    operator: Operator,
    rule: Arc<str>,
    allowed: Vec<Entity>,
    /// What the column's name and its first values tell of; known from the first batch on.
    context: Option<Context>,
    tokenizer: Option<Tokenizer>,
    pseudonymizer: Option<Pseudonymizer>,
    clean: Clean,
}

/// Values in which nothing was found, so that a category is scanned once. A column with many
/// different values is not worth remembering.
#[derive(Default)]
struct Clean {
    values: HashSet<Box<str>>,
    looked: u64,
    known: u64,
}

impl Clean {
    const VALUES_MAX: usize = 512;
    const VALUE_BYTES_MAX: usize = 64;
    /// After so many looks, half of them must have been of use.
    const TRIAL: u64 = 4_096;

    fn is_worth_it(&self) -> bool {
        self.looked < Self::TRIAL || self.known * 2 > self.looked
    }

    fn knows(&mut self, text: &str) -> bool {
        if !self.is_worth_it() {
            return false;
        }
        self.looked += 1;
        let known = self.values.contains(text);
        self.known += u64::from(known);
        known
    }

    fn remember(&mut self, text: &str) {
        if self.is_worth_it() && self.values.len() < Self::VALUES_MAX && text.len() <= Self::VALUE_BYTES_MAX {
            self.values.insert(text.into());
        }
    }
}

impl<'e> Protector<'e> {
    /// `key` is the dataset's protection key in `store`; tokens and hashes are made with it.
    /// `input` is the schema that the contract check yields.
    pub fn new(
        engine: &'e Engine,
        contract: &Contract,
        rules: &Rules,
        store: &dyn KeyStore,
        key: &KeyId,
        input: &Schema,
    ) -> Result<Self> {
        let known = || contract.columns.iter().map(|column| column.name.as_str());
        let named = rules.columns.keys().chain(rules.allowances.iter().map(|a| &a.column));
        for name in named {
            if contract.column(name).is_none() {
                let near = nearest(name, known()).map_or_else(
                    || "use a column of the contract".to_owned(),
                    |near| format!("did you mean {near:?}?"),
                );
                return Err(Failure::input(format!(
                    "protection names column {name:?}, which the contract does not have"
                ))
                .hint(near));
            }
        }
        let mut plans = Vec::new();
        let mut fields = Vec::new();
        for (column, field) in contract.columns.iter().zip(input.fields()) {
            let (operator, rule) = match rules.columns.get(&column.name) {
                Some(operator) => (operator.clone(), "pipeline".to_owned()),
                None => (Operator::default_for(column.classification), format!("contract:{}", column.classification)),
            };
            let output =
                output_type(&operator, field.data_type()).map_err(|f| f.at(format!("column {:?}", column.name)))?;
            if let Some(data_type) = output {
                fields.push(Field::new(&column.name, data_type, true));
            }
            let tokenizer =
                matches!(operator, Operator::Tokenize).then(|| Tokenizer::new(store, key, &column.name)).transpose()?;
            let pseudonymizer = matches!(operator, Operator::Hash)
                .then(|| {
                    let label = format!("lockgate/v1/hash/{}", column.name);
                    store.derive(key, &label).map(|key| Pseudonymizer::new(&key))
                })
                .transpose()?;
            plans.push(Plan {
                name: column.name.as_str().into(),
                classification: column.classification,
                operator,
                rule: rule.into(),
                allowed: allowed(engine, &rules.allowances, &column.name)?,
                context: None,
                tokenizer,
                pseudonymizer,
                clean: Clean::default(),
            });
        }
        Ok(Self { engine, plans, schema: Arc::new(Schema::new(fields)), findings: BTreeMap::new() })
    }

    /// The schema of protected batches: dropped columns are gone.
    pub fn schema(&self) -> &SchemaRef {
        &self.schema
    }

    /// Protects a batch. `rows` are the row numbers in the source, one for each row.
    pub fn protect(&mut self, batch: &RecordBatch, rows: &[u64]) -> Result<Protected> {
        let mut events = Events::default();
        let mut columns = Vec::with_capacity(self.plans.len());
        let mut findings = Vec::new();
        for (index, (plan, array)) in self.plans.iter_mut().zip(batch.columns()).enumerate() {
            let mut column = ColumnPass { plan, rows, events: &mut events, counts: &mut self.findings, index };
            if let Some(texts) = array.as_string_opt::<i32>() {
                column.scan(self.engine, texts, &mut findings);
            } else {
                findings.clear();
            }
            if let Some(array) = column.apply(array, &findings)? {
                columns.push(array);
            }
        }
        let batch = RecordBatch::try_new(self.schema.clone(), columns)
            .map_err(|_| Failure::bug("protected columns do not form a batch"))?;
        Ok(Protected { batch, events })
    }

    /// What was found so far, by column and entity.
    pub fn findings(&self) -> Vec<FindingCount> {
        self.findings
            .iter()
            .filter_map(|((column, entity), (count, first_row))| {
                let plan = self.plans.get(*column)?;
                Some(FindingCount {
                    column: plan.name.to_string(),
                    entity: *entity,
                    classification: plan.classification,
                    operator: plan.operator.as_str(),
                    count: *count,
                    first_row: *first_row,
                })
            })
            .collect()
    }

    /// Fails when a column that the contract calls public holds findings.
    pub fn demand_clean_public_columns(&self) -> Result<()> {
        let leaks: Vec<String> = self
            .findings()
            .iter()
            .filter(|f| f.classification == Classification::Public && f.operator != "drop")
            .map(|f| format!("{} in column {:?} ({} times, first in row {})", f.entity, f.column, f.count, f.first_row))
            .collect();
        if leaks.is_empty() {
            return Ok(());
        }
        Err(Failure::findings(format!(
            "sensitive values in columns that the contract calls public: {}",
            leaks.join("; ")
        ))
        .hint("raise the classification in the contract, or state under protection.allow why the finding is harmless"))
    }
}

fn allowed(engine: &Engine, allowances: &[Allowance], column: &str) -> Result<Vec<Entity>> {
    allowances
        .iter()
        .filter(|allowance| allowance.column == column)
        .map(|allowance| {
            engine.entity(&allowance.entity).ok_or_else(|| {
                let all = Entity::all();
                let near = nearest(&allowance.entity, all.iter().map(|e| e.as_str()));
                Failure::input(format!("unknown entity {:?}", allowance.entity))
                    .hint(format!("did you mean {:?}?", near.unwrap_or("EMAIL_ADDRESS")))
            })
        })
        .collect()
}

/// The type a column has afterwards; `None` when it is dropped.
fn output_type(operator: &Operator, input: &DataType) -> Result<Option<DataType>> {
    let unfit = |needs: &str| {
        Err(Failure::input(format!("generalize does not fit the type {input}"))
            .hint(format!("this form needs {needs}")))
    };
    match operator {
        Operator::Drop => Ok(None),
        // There is no text to redact in.
        Operator::Keep | Operator::Redact => Ok(Some(input.clone())),
        Operator::Mask(_) | Operator::Hash | Operator::Tokenize => Ok(Some(DataType::Utf8)),
        Operator::Generalize(form) => match (form, input) {
            (Generalize::Month | Generalize::Year, DataType::Date32 | DataType::Timestamp(..))
            | (Generalize::Prefix(1..=32), DataType::Utf8) => Ok(Some(input.clone())),
            (Generalize::Bucket(1..), DataType::Int64 | DataType::Float64) => Ok(Some(input.clone())),
            (Generalize::Month | Generalize::Year, _) => unfit("a date or a timestamp"),
            (Generalize::Bucket(_), _) => unfit("a number, and a width of at least 1"),
            (Generalize::Prefix(_), _) => unfit("a string, and 1 to 32 bits"),
        },
    }
}

/// One column of one batch.
struct ColumnPass<'p> {
    plan: &'p mut Plan,
    rows: &'p [u64],
    events: &'p mut Events,
    counts: &'p mut BTreeMap<(usize, Entity), (u64, u64)>,
    index: usize,
}

impl ColumnPass<'_> {
    /// Scans every value; `found` gets the findings with the position of their value.
    fn scan(&mut self, engine: &Engine, texts: &StringArray, found: &mut Vec<(usize, Finding)>) {
        found.clear();
        let mut findings = Vec::new();
        let context = *self.plan.context.get_or_insert_with(|| {
            let values: Vec<&str> = texts.iter().flatten().take(SAMPLE_VALUES).collect();
            engine.column(&self.plan.name, &values)
        });
        if engine.finds_names() {
            engine.prepare(context, &texts.iter().flatten().collect::<Vec<_>>());
        }
        for (at, text) in texts.iter().enumerate() {
            let Some(text) = text else { continue };
            if self.plan.clean.knows(text) {
                continue;
            }
            engine.scan_in(text, context, &mut findings);
            if findings.is_empty() {
                self.plan.clean.remember(text);
            }
            for finding in findings.drain(..) {
                if self.plan.allowed.contains(&finding.entity) {
                    continue;
                }
                let row = self.rows.get(at).copied().unwrap_or_default();
                let count = self.counts.entry((self.index, finding.entity)).or_insert((0, row));
                count.0 += 1;
                found.push((at, finding));
            }
        }
    }

    fn apply(&mut self, array: &ArrayRef, found: &[(usize, Finding)]) -> Result<Option<ArrayRef>> {
        match self.plan.operator.clone() {
            Operator::Keep => Ok(Some(Arc::clone(array))),
            Operator::Redact => Ok(Some(match array.as_string_opt::<i32>() {
                Some(texts) if !found.is_empty() => self.redact(texts, found),
                _ => Arc::clone(array),
            })),
            Operator::Drop => {
                self.whole_column(array.as_ref());
                Ok(None)
            }
            Operator::Generalize(form) => {
                self.whole_column(array.as_ref());
                generalize(array, &form).map(Some)
            }
            Operator::Mask(_) | Operator::Hash | Operator::Tokenize => {
                self.whole_column(array.as_ref());
                let texts =
                    cast(array, &DataType::Utf8).map_err(|_| Failure::bug("a column cannot be written as text"))?;
                self.replace(texts.as_string::<i32>()).map(Some)
            }
        }
    }

    /// An event for every value that is not null, as runs.
    fn whole_column(&mut self, array: &dyn Array) {
        let mut run: Option<(u64, u64)> = None;
        for (at, row) in self.rows.iter().enumerate() {
            if array.is_null(at) {
                continue;
            }
            run = match run {
                Some((first, rows)) if first + rows == *row => Some((first, rows + 1)),
                ended => {
                    if let Some((first, rows)) = ended {
                        self.event(first, rows, None);
                    }
                    Some((*row, 1))
                }
            };
        }
        if let Some((first, rows)) = run {
            self.event(first, rows, None);
        }
    }

    fn event(&mut self, row: u64, rows: u64, entity: Option<Entity>) {
        self.events.push(Event {
            row,
            rows,
            column: Arc::clone(&self.plan.name),
            entity: entity.map(Entity::as_str),
            rule: Arc::clone(&self.plan.rule),
            operator: self.plan.operator.as_str(),
        });
    }

    fn redact(&mut self, texts: &StringArray, found: &[(usize, Finding)]) -> ArrayRef {
        let mut out = StringBuilder::with_capacity(texts.len(), texts.value_data().len());
        let mut found = found.iter().peekable();
        let mut clean = String::new();
        for (at, text) in texts.iter().enumerate() {
            let Some(text) = text else {
                out.append_null();
                continue;
            };
            clean.clear();
            let mut copied = 0;
            while let Some((_, finding)) = found.next_if(|(place, _)| *place == at) {
                clean.push_str(text.get(copied..finding.start).unwrap_or_default());
                clean.push('<');
                clean.push_str(finding.entity.as_str());
                clean.push('>');
                copied = finding.end;
                let row = self.rows.get(at).copied().unwrap_or_default();
                self.event(row, 1, Some(finding.entity));
            }
            if copied == 0 {
                out.append_value(text);
            } else {
                clean.push_str(text.get(copied..).unwrap_or_default());
                out.append_value(&clean);
            }
        }
        Arc::new(out.finish())
    }

    fn replace(&mut self, texts: &StringArray) -> Result<ArrayRef> {
        let mut out = StringBuilder::with_capacity(texts.len(), texts.len() * 48);
        let mut text_out = String::new();
        for text in texts {
            let Some(text) = text else {
                out.append_null();
                continue;
            };
            text_out.clear();
            if let Some(tokenizer) = &mut self.plan.tokenizer {
                tokenizer.tokenize(text, &mut text_out)?;
            } else if let Some(pseudonymizer) = &self.plan.pseudonymizer {
                let mut digits = [0u8; 32];
                let _ = hex::encode_to_slice(pseudonymizer.pseudonym(text.as_bytes()), &mut digits);
                text_out.push_str(std::str::from_utf8(&digits).unwrap_or_default());
            } else if let Operator::Mask(mask) = &self.plan.operator {
                let length = text.chars().count();
                // A value too short to keep anything of is masked whole.
                let kept = mask.keep_first + mask.keep_last;
                let (first, last) = if kept * 2 > length { (0, 0) } else { (mask.keep_first, mask.keep_last) };
                text_out.extend(text.chars().enumerate().map(
                    |(at, c)| {
                        if at < first || at >= length - last { c } else { '*' }
                    },
                ));
            }
            out.append_value(&text_out);
        }
        Ok(Arc::new(out.finish()))
    }
}

fn generalize(array: &ArrayRef, form: &Generalize) -> Result<ArrayRef> {
    let unfit = || Failure::bug("a column changed its type before it was generalized");
    let epoch = NaiveDate::default();
    let start = |date: NaiveDate| -> NaiveDate {
        let month = if *form == Generalize::Year { 1 } else { date.month() };
        NaiveDate::from_ymd_opt(date.year(), month, 1).unwrap_or(date)
    };
    Ok(match (form, array.data_type()) {
        (Generalize::Month | Generalize::Year, DataType::Date32) => {
            let days = array.as_primitive_opt::<Date32Type>().ok_or_else(unfit)?;
            Arc::new(days.unary::<_, Date32Type>(|day| {
                let date = if day >= 0 {
                    epoch.checked_add_days(Days::new(day.unsigned_abs().into()))
                } else {
                    epoch.checked_sub_days(Days::new(day.unsigned_abs().into()))
                };
                date.map_or(day, |date| (start(date) - epoch).num_days() as i32)
            }))
        }
        (Generalize::Month | Generalize::Year, _) => {
            let times = array.as_primitive_opt::<TimestampMillisecondType>().ok_or_else(unfit)?;
            let coarse = times.unary::<_, TimestampMillisecondType>(|millis| {
                DateTime::from_timestamp_millis(millis)
                    .and_then(|time| start(time.date_naive()).and_hms_opt(0, 0, 0))
                    .map_or(millis, |time| time.and_utc().timestamp_millis())
            });
            Arc::new(coarse.with_timezone("UTC"))
        }
        (Generalize::Bucket(width), DataType::Int64) => {
            let numbers = array.as_primitive_opt::<Int64Type>().ok_or_else(unfit)?;
            let width = i64::from(*width);
            Arc::new(numbers.unary::<_, Int64Type>(|n| n.div_euclid(width).saturating_mul(width)))
        }
        (Generalize::Bucket(width), _) => {
            let numbers = array.as_primitive_opt::<Float64Type>().ok_or_else(unfit)?;
            let width = f64::from(*width);
            Arc::new(numbers.unary::<_, Float64Type>(|n| (n / width).floor() * width))
        }
        (Generalize::Prefix(bits), _) => {
            let texts = array.as_string_opt::<i32>().ok_or_else(unfit)?;
            let out: StringArray = texts.iter().map(|text| text.map(|text| network(text, *bits))).collect();
            Arc::new(out)
        }
    })
}

/// The network of an address; what is not an address becomes `*`.
fn network(text: &str, bits: u8) -> String {
    match text.trim().parse::<IpAddr>() {
        Ok(IpAddr::V4(ip)) => {
            let bits = u32::from(bits.min(32));
            let mask = u32::MAX.checked_shl(32 - bits).unwrap_or(0);
            format!("{}/{bits}", std::net::Ipv4Addr::from(u32::from(ip) & mask))
        }
        Ok(IpAddr::V6(ip)) => {
            let bits = u32::from(bits) * 2;
            let bits = bits.min(128);
            let mask = u128::MAX.checked_shl(128 - bits).unwrap_or(0);
            format!("{}/{bits}", std::net::Ipv6Addr::from(u128::from(ip) & mask))
        }
        Err(_) => "*".to_owned(),
    }
}

#[cfg(test)]
mod tests;
