//! Events: one for every transformation, as runs of rows with the same transformation.

use std::sync::Arc;

use arrow::{
    array::{ArrayRef, RecordBatch, StringDictionaryBuilder, TimestampMillisecondBuilder, UInt64Builder},
    datatypes::{DataType, Field, Int32Type, Schema, SchemaRef, TimeUnit},
};
use lockgate_core::{Failure, Result, Timestamp};

/// One transformation of `rows` consecutive values of a column, starting at `row`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Event {
    /// The first row, counted from 0 over the whole source.
    pub row: u64,
    pub rows: u64,
    pub column: Arc<str>,
    /// The entity that was found, where a finding was the reason.
    pub entity: Option<&'static str>,
    /// Who asked for it: `contract:<classification>` or `pipeline`.
    pub rule: Arc<str>,
    pub operator: &'static str,
}

/// Collects events and turns them into batches for the ledger.
#[derive(Debug, Default)]
pub struct Events {
    events: Vec<Event>,
}

impl Events {
    /// Adds an event; one that continues the last one of its column extends it.
    pub fn push(&mut self, event: Event) {
        if let Some(last) = self.events.last_mut() {
            let continues = last.row + last.rows == event.row
                && Arc::ptr_eq(&last.column, &event.column)
                && last.entity == event.entity
                && Arc::ptr_eq(&last.rule, &event.rule)
                && last.operator == event.operator;
            if continues {
                last.rows += event.rows;
                return;
            }
        }
        self.events.push(event);
    }

    pub fn iter(&self) -> impl Iterator<Item = &Event> {
        self.events.iter()
    }

    pub fn is_empty(&self) -> bool {
        self.events.is_empty()
    }

    /// How many values were transformed.
    pub fn transformations(&self) -> u64 {
        self.events.iter().map(|event| event.rows).sum()
    }

    /// The ledger's schema.
    pub fn schema() -> SchemaRef {
        let word = || DataType::Dictionary(Box::new(DataType::Int32), Box::new(DataType::Utf8));
        Arc::new(Schema::new(vec![
            Field::new("time", DataType::Timestamp(TimeUnit::Millisecond, Some("UTC".into())), false),
            Field::new("row", DataType::UInt64, false),
            Field::new("rows", DataType::UInt64, false),
            Field::new("column", word(), false),
            Field::new("entity", word(), true),
            Field::new("rule", word(), false),
            Field::new("operator", word(), false),
        ]))
    }

    /// The events as one batch, all stamped `time`.
    pub fn to_batch(&self, time: Timestamp) -> Result<RecordBatch> {
        let mut times = TimestampMillisecondBuilder::new().with_timezone("UTC");
        let (mut row, mut rows) = (UInt64Builder::new(), UInt64Builder::new());
        let mut words: [StringDictionaryBuilder<Int32Type>; 4] = Default::default();
        for event in &self.events {
            times.append_value(time.millis());
            row.append_value(event.row);
            rows.append_value(event.rows);
            let [column, entity, rule, operator] = &mut words;
            column.append_value(&event.column);
            entity.append_option(event.entity);
            rule.append_value(&event.rule);
            operator.append_value(event.operator);
        }
        let mut columns: Vec<ArrayRef> =
            vec![Arc::new(times.finish()), Arc::new(row.finish()), Arc::new(rows.finish())];
        columns.extend(words.iter_mut().map(|builder| Arc::new(builder.finish()) as ArrayRef));
        RecordBatch::try_new(Self::schema(), columns).map_err(|_| Failure::bug("events do not form a batch"))
    }
}
