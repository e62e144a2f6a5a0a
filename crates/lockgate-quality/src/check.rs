//! The contract check over Arrow batches: types, then rules, then uniqueness.

use std::{path::PathBuf, sync::Arc};

use arrow::{
    array::{Array, ArrayRef, AsArray, BooleanArray, RecordBatch, StringArray},
    compute::{CastOptions, cast_with_options, filter_record_batch},
    datatypes::{
        DataType, Date32Type, Field, Float64Type, Int64Type, Schema, SchemaRef, TimeUnit, TimestampMillisecondType,
    },
    util::display::FormatOptions,
};
use lockgate_core::{Failure, Result, nearest, printable_name};

use crate::{
    contract::{Column, Contract, LogicalType, with_seconds},
    unique::UniqueKeys,
};

/// A row that breaks the contract: where and which rule, never the value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Violation {
    /// The row in the batch that was checked.
    pub row: usize,
    /// The column of the contract, or `None` for a rule over several.
    pub column: Option<usize>,
    pub rule: &'static str,
}

/// The outcome for one batch.
#[derive(Debug)]
pub struct Checked {
    /// The rows that satisfy the contract, in the contract's types and column order.
    pub accepted: RecordBatch,
    /// For each row of the input, whether it was accepted.
    pub mask: BooleanArray,
    /// Sorted by row; every refused row has at least one.
    pub violations: Vec<Violation>,
}

/// Checks batches of one dataset against its contract.
#[derive(Debug)]
pub struct Checker<'c> {
    contract: &'c Contract,
    schema: SchemaRef,
    header: Vec<String>,
    /// For each column of the contract, where the source has it.
    places: Vec<Option<usize>>,
    unique: Vec<(Option<usize>, Vec<usize>, UniqueKeys)>,
}

impl<'c> Checker<'c> {
    /// `header` are the source's column names. A source column that the contract does not know is
    /// refused: what nobody classified must not flow.
    pub fn new(contract: &'c Contract, header: &[String], spill_folder: PathBuf) -> Result<Self> {
        for (index, name) in header.iter().enumerate() {
            if contract.column(name).is_none() {
                let failure = Failure::input(match printable_name(name) {
                    Some(name) => format!("source column {name:?} is not in the contract"),
                    None => format!("source column {} is not in the contract", index + 1),
                });
                let known = contract.columns.iter().map(|c| c.name.as_str());
                return Err(match nearest(name, known) {
                    Some(near) => {
                        failure.hint(format!("did you mean {near:?}? Otherwise add it with a classification"))
                    }
                    None => failure.hint("add it to the contract with a classification, or remove it from the source; is the first row a header?"),
                });
            }
        }
        let places: Vec<_> =
            contract.columns.iter().map(|column| header.iter().position(|name| *name == column.name)).collect();
        for (column, place) in contract.columns.iter().zip(&places) {
            if place.is_none() && column.rules.required {
                return Err(Failure::input(format!("the source has no column {:?}", column.name))
                    .hint("the contract requires it"));
            }
        }
        let fields: Vec<Field> = contract
            .columns
            .iter()
            .map(|column| Field::new(&column.name, arrow_type(column.logical_type), true))
            .collect();
        let mut unique = Vec::new();
        for (index, column) in contract.columns.iter().enumerate() {
            if column.rules.unique && contract.primary_key != [index] {
                unique.push((Some(index), vec![index], UniqueKeys::new(spill_folder.clone())));
            }
        }
        if !contract.primary_key.is_empty() {
            let column = contract.primary_key.first().copied().filter(|_| contract.primary_key.len() == 1);
            unique.push((column, contract.primary_key.clone(), UniqueKeys::new(spill_folder)));
        }
        Ok(Self { contract, schema: Arc::new(Schema::new(fields)), header: header.to_vec(), places, unique })
    }

    /// The source's columns, as they were given.
    pub fn header(&self) -> &[String] {
        &self.header
    }

    /// The contract's columns that the source lacks; they are null.
    pub fn absent(&self) -> impl Iterator<Item = &str> {
        let columns = self.contract.columns.iter().zip(&self.places);
        columns.filter(|(_, place)| place.is_none()).map(|(column, _)| column.name.as_str())
    }

    /// The schema of accepted rows.
    pub fn schema(&self) -> &SchemaRef {
        &self.schema
    }

    /// Checks one batch of the source.
    pub fn check(&mut self, batch: &RecordBatch) -> Result<Checked> {
        let mut violations = Vec::new();
        let mut columns: Vec<ArrayRef> = Vec::with_capacity(self.places.len());
        for (index, column) in self.contract.columns.iter().enumerate() {
            let target = arrow_type(column.logical_type);
            let place = self.places.get(index).copied().flatten();
            let Some(raw) = place.map(|place| batch.column(place)) else {
                columns.push(arrow::array::new_null_array(&target, batch.num_rows()));
                continue;
            };
            let typed = match &column.rules.date_format {
                Some(format) => dated(raw, format, &target)?,
                None => convert(raw, &target)?,
            };
            let mut add = |row, rule| violations.push(Violation { row, column: Some(index), rule });
            check_nulls(column, raw.as_ref(), typed.as_ref(), &mut add);
            check_values(column, &typed, &mut add);
            columns.push(typed);
        }
        let mut accepted = vec![true; batch.num_rows()];
        for violation in &violations {
            if let Some(row) = accepted.get_mut(violation.row) {
                *row = false;
            }
        }
        self.check_unique(&columns, &mut accepted, &mut violations)?;
        violations.sort_by_key(|violation| violation.row);
        let mask = BooleanArray::from(accepted);
        let whole = RecordBatch::try_new(self.schema.clone(), columns)
            .map_err(|_| Failure::bug("checked columns do not form a batch"))?;
        let accepted = if violations.is_empty() {
            whole
        } else {
            filter_record_batch(&whole, &mask).map_err(|_| Failure::bug("a batch could not be filtered"))?
        };
        Ok(Checked { accepted, mask, violations })
    }

    fn check_unique(
        &mut self,
        columns: &[ArrayRef],
        accepted: &mut [bool],
        violations: &mut Vec<Violation>,
    ) -> Result<()> {
        for (column, key, seen) in &mut self.unique {
            let texts: Vec<ArrayRef> = key
                .iter()
                .filter_map(|index| columns.get(*index))
                .map(|array| convert(array, &DataType::Utf8))
                .collect::<Result<_>>()?;
            let texts: Vec<&StringArray> = texts.iter().map(arrow::array::AsArray::as_string::<i32>).collect();
            for (row, ok) in accepted.iter_mut().enumerate().filter(|(_, ok)| **ok) {
                if texts.iter().any(|array| array.is_null(row)) {
                    continue;
                }
                let parts: Vec<&str> = texts.iter().map(|array| array.value(row)).collect();
                if !seen.insert(&parts)? {
                    *ok = false;
                    let rule = if key.len() > 1 || *key == self.contract.primary_key { "primaryKey" } else { "unique" };
                    violations.push(Violation { row, column: *column, rule });
                }
            }
        }
        Ok(())
    }
}

fn arrow_type(logical: LogicalType) -> DataType {
    match logical {
        LogicalType::String | LogicalType::Time | LogicalType::Object | LogicalType::Array => DataType::Utf8,
        LogicalType::Integer => DataType::Int64,
        LogicalType::Number => DataType::Float64,
        LogicalType::Boolean => DataType::Boolean,
        LogicalType::Date => DataType::Date32,
        LogicalType::Timestamp => DataType::Timestamp(TimeUnit::Millisecond, Some("UTC".into())),
    }
}

/// Dates and times in a format of their own; what is not in it becomes null, which the caller
/// reports as a violation.
fn dated(raw: &ArrayRef, format: &crate::DateFormat, target: &DataType) -> Result<ArrayRef> {
    let texts = match raw.data_type() {
        DataType::Date32 | DataType::Date64 | DataType::Timestamp(..) => return convert(raw, target),
        _ => convert(raw, &DataType::Utf8)?,
    };
    let micros: arrow::array::TimestampMicrosecondArray =
        texts.as_string::<i32>().iter().map(|text| text.and_then(|text| format.read(text))).collect();
    convert(&(Arc::new(micros.with_timezone("UTC")) as ArrayRef), target)
}

/// Casts; what cannot be cast becomes null, which the caller reports as a violation.
fn convert(array: &ArrayRef, target: &DataType) -> Result<ArrayRef> {
    if array.data_type() == target {
        return Ok(Arc::clone(array));
    }
    let options = CastOptions { safe: true, format_options: FormatOptions::default() };
    cast_with_options(array, target, &options).map_err(|_| {
        Failure::input(format!("a source column of type {} cannot become {target}", array.data_type()))
            .hint("change the contract's logicalType, or the source")
    })
}

fn check_nulls(column: &Column, raw: &dyn Array, typed: &dyn Array, add: &mut impl FnMut(usize, &'static str)) {
    if typed.null_count() == 0 {
        return;
    }
    for row in 0..typed.len() {
        if raw.is_null(row) {
            if column.rules.required {
                add(row, "required");
            }
        } else if typed.is_null(row) {
            add(row, "logicalType");
        }
    }
}

fn check_values(column: &Column, typed: &ArrayRef, add: &mut impl FnMut(usize, &'static str)) {
    let rules = &column.rules;
    if let Some(texts) = typed.as_string_opt::<i32>() {
        let lengths = rules.length_min.is_some() || rules.length_max.is_some();
        if lengths {
            for (row, text) in texts.iter().enumerate() {
                let Some(text) = text else { continue };
                let length = text.chars().count() as u64;
                if rules.length_min.is_some_and(|min| length < min) {
                    add(row, "minLength");
                }
                if rules.length_max.is_some_and(|max| length > max) {
                    add(row, "maxLength");
                }
            }
        }
        if let Some(pattern) = &rules.pattern {
            for (row, text) in texts.iter().enumerate() {
                if text.is_some_and(|text| !pattern.is_match(text)) {
                    add(row, "pattern");
                }
            }
        }
        let beyond = |end: &Option<(String, bool)>, text: &str, side: std::cmp::Ordering| {
            end.as_ref().is_some_and(|(end, strict)| {
                let order = with_seconds(text).as_str().cmp(end.as_str());
                order == side || (*strict && order.is_eq())
            })
        };
        if rules.time_low.is_some() || rules.time_high.is_some() || rules.shape.is_some() {
            for (row, text) in texts.iter().enumerate().filter_map(|(row, text)| Some((row, text?))) {
                if beyond(&rules.time_low, text, std::cmp::Ordering::Less) {
                    add(row, "minimum");
                }
                if beyond(&rules.time_high, text, std::cmp::Ordering::Greater) {
                    add(row, "maximum");
                }
                if rules.shape.as_ref().is_some_and(|shape| !shape.holds(text)) {
                    add(row, "nested");
                }
            }
        }
        if let Some(valid) = &rules.valid_values {
            for (row, text) in texts.iter().enumerate() {
                if text.is_some_and(|text| !valid.iter().any(|v| v == text)) {
                    add(row, "invalidValues");
                }
            }
        }
    } else if let Some(numbers) = typed.as_primitive_opt::<Int64Type>() {
        for (row, number) in numbers.iter().enumerate() {
            if let Some(number) = number {
                if rules.integer_range.is_some_and(|(low, high)| number < low || number > high) {
                    add(row, "format");
                }
                check_number(rules, row, number as f64, &number, add);
            }
        }
    } else if let Some(numbers) = typed.as_primitive_opt::<Float64Type>() {
        for (row, number) in numbers.iter().enumerate() {
            if let Some(number) = number {
                check_number(rules, row, number, &number, add);
            }
        }
    } else if rules.earliest.is_some() || rules.latest.is_some() {
        check_times(rules, typed, add);
    }
}

fn check_times(rules: &crate::Rules, typed: &ArrayRef, add: &mut impl FnMut(usize, &'static str)) {
    let mut check = |row: usize, micros: i64| {
        if rules.earliest.is_some_and(|(end, strict)| micros < end || (strict && micros == end)) {
            add(row, "minimum");
        }
        if rules.latest.is_some_and(|(end, strict)| micros > end || (strict && micros == end)) {
            add(row, "maximum");
        }
    };
    if let Some(days) = typed.as_primitive_opt::<Date32Type>() {
        for (row, day) in days.iter().enumerate().filter_map(|(row, day)| Some((row, day?))) {
            check(row, i64::from(day) * crate::column::DAY_MICROS);
        }
    } else if let Some(times) = typed.as_primitive_opt::<TimestampMillisecondType>() {
        for (row, millis) in times.iter().enumerate().filter_map(|(row, time)| Some((row, time?))) {
            check(row, millis.saturating_mul(1_000));
        }
    }
}

#[expect(clippy::neg_cmp_op_on_partial_ord, reason = "NaN must break every bound")]
fn check_number(
    rules: &crate::Rules,
    row: usize,
    number: f64,
    text: &dyn std::fmt::Display,
    add: &mut impl FnMut(usize, &'static str),
) {
    if rules.minimum.is_some_and(|min| !(number >= min)) {
        add(row, "minimum");
    }
    if rules.maximum.is_some_and(|max| !(number <= max)) {
        add(row, "maximum");
    }
    if rules.exclusive_minimum.is_some_and(|min| !(number > min)) {
        add(row, "exclusiveMinimum");
    }
    if rules.exclusive_maximum.is_some_and(|max| !(number < max)) {
        add(row, "exclusiveMaximum");
    }
    // A quotient of decimals is whole up to rounding: 0.3 is three times 0.1.
    if let Some(step) = rules.multiple_of
        && ((number / step) - (number / step).round()).abs() > 1e-9 * (number / step).abs().max(1.0)
    {
        add(row, "multipleOf");
    }
    if let Some(valid) = &rules.valid_values
        && !valid.contains(&text.to_string())
    {
        add(row, "invalidValues");
    }
}

#[cfg(test)]
mod tests;
