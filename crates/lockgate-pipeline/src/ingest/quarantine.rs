//! The quarantine: refused rows, encrypted, with the reason beside each. A dataset of its own, so
//! that it is versioned, erased and verified like any other.

use std::sync::Arc;

use arrow::{
    array::{Array as _, ArrayRef, AsArray as _, RecordBatch, StringArray, StringBuilder, UInt64Array},
    compute::cast,
    datatypes::{DataType, Field, Schema, SchemaRef},
};
use lockgate_core::{Classification, Clock, Failure, Name, Result, RunId};
use lockgate_keys::Pseudonymizer;
use lockgate_lake::{Column, Governance, Layout, Manifest, SnapshotRef, SnapshotWriter};
use lockgate_quality::{Checked, Contract};

use super::{Totals, gates::Refusal};
use crate::Workspace;

pub(crate) struct Quarantine {
    writer: SnapshotWriter,
    dataset: Name,
    schema: SchemaRef,
    subject: Option<String>,
    subjects: Pseudonymizer,
    rows: u64,
}

/// A refused row.
struct Refused {
    row: u64,
    column: String,
    rule: String,
    record: String,
    subject: Option<[u8; 16]>,
}

const COLUMNS: [(&str, Classification); 4] = [
    ("row", Classification::Internal),
    ("column", Classification::Internal),
    ("rule", Classification::Internal),
    ("record", Classification::Restricted),
];

impl Quarantine {
    pub(crate) fn new(
        workspace: &Workspace,
        dataset: &Name,
        buckets: u16,
        subject: Option<String>,
        subjects: Pseudonymizer,
    ) -> Result<Self> {
        let dataset = dataset.quarantine();
        let schema = Arc::new(Schema::new(vec![
            Field::new("row", DataType::UInt64, false),
            Field::new("column", DataType::Utf8, false),
            Field::new("rule", DataType::Utf8, false),
            Field::new("record", DataType::Utf8, false),
        ]));
        let layout = Layout {
            dataset: dataset.clone(),
            columns: COLUMNS.map(|(name, class)| (name.to_owned(), class)).to_vec(),
            schema: schema.clone(),
            buckets,
            generation: workspace.lake.versions(&dataset)?.len() as u64 + 1,
        };
        let writer = SnapshotWriter::new(&workspace.lake, Arc::clone(&workspace.keys), layout, &workspace.spool())?;
        Ok(Self { writer, dataset, schema, subject, subjects, rows: 0 })
    }

    /// A record that is no row of the table.
    pub(crate) fn malformed(&mut self, row: u64, fields: &[String], totals: &mut Totals) -> Result<()> {
        let record = serde_json::to_string(fields).map_err(|_| Failure::bug("a record could not be written"))?;
        self.put(vec![Refused { row, column: "*".into(), rule: "malformed".into(), record, subject: None }], totals)
    }

    /// The rows of a batch that break the contract; each once, under its first violation.
    pub(crate) fn violations(
        &mut self,
        batch: &RecordBatch,
        rows: &[u64],
        checked: &Checked,
        contract: &Contract,
        totals: &mut Totals,
    ) -> Result<()> {
        if checked.violations.is_empty() {
            return Ok(());
        }
        let texts = texts(batch)?;
        let mut refused: Vec<Refused> = Vec::new();
        let mut last = None;
        for violation in &checked.violations {
            let column =
                violation.column.and_then(|index| contract.columns.get(index)).map_or("*", |c| c.name.as_str());
            *totals.violations.entry((column.to_owned(), violation.rule.to_owned())).or_default() += 1;
            if last.replace(violation.row) == Some(violation.row) {
                if let Some(entry) = refused.last_mut() {
                    entry.column = format!("{},{column}", entry.column);
                    entry.rule = format!("{},{}", entry.rule, violation.rule);
                }
                continue;
            }
            refused.push(self.refused(batch, &texts, rows, violation.row, column, violation.rule));
        }
        self.write(refused, totals)
    }

    /// Rows of a batch that a gate refuses, each with why.
    pub(crate) fn refusals(
        &mut self,
        batch: &RecordBatch,
        rows: &[u64],
        refused: &[(usize, Refusal)],
        totals: &mut Totals,
    ) -> Result<()> {
        let texts = texts(batch)?;
        let mut entries = Vec::with_capacity(refused.len());
        for (at, refusal) in refused {
            let rule = format!("{}: {}", refusal.gate, refusal.why);
            entries.push(self.refused(batch, &texts, rows, *at, "*", &rule));
            *totals.refusals.entry(refusal.gate.clone()).or_default() += 1;
        }
        self.write(entries, totals)
    }

    /// Every row of a batch, for one reason.
    pub(crate) fn whole_batch(
        &mut self,
        batch: &RecordBatch,
        rows: &[u64],
        rule: &str,
        totals: &mut Totals,
    ) -> Result<()> {
        let texts = texts(batch)?;
        let refused = (0..batch.num_rows()).map(|at| self.refused(batch, &texts, rows, at, "*", rule)).collect();
        self.put(refused, totals)
    }

    fn refused(
        &self,
        batch: &RecordBatch,
        texts: &[StringArray],
        rows: &[u64],
        at: usize,
        column: &str,
        rule: &str,
    ) -> Refused {
        let mut record = serde_json::Map::new();
        let mut subject = None;
        for (field, values) in batch.schema().fields().iter().zip(texts) {
            let value = values.is_valid(at).then(|| values.value(at));
            if self.subject.as_deref() == Some(field.name().as_str()) {
                subject = value.map(|value| self.subjects.pseudonym(value.as_bytes()));
            }
            record.insert(field.name().clone(), value.into());
        }
        Refused {
            row: rows.get(at).copied().unwrap_or_default(),
            column: column.to_owned(),
            rule: rule.to_owned(),
            record: serde_json::Value::Object(record).to_string(),
            subject,
        }
    }

    fn put(&mut self, refused: Vec<Refused>, totals: &mut Totals) -> Result<()> {
        for entry in &refused {
            *totals.violations.entry((entry.column.clone(), entry.rule.clone())).or_default() += 1;
        }
        self.write(refused, totals)
    }

    fn write(&mut self, refused: Vec<Refused>, totals: &mut Totals) -> Result<()> {
        let rows: UInt64Array = refused.iter().map(|r| Some(r.row)).collect();
        let column = |pick: fn(&Refused) -> &str| {
            let mut builder = StringBuilder::new();
            for entry in &refused {
                builder.append_value(pick(entry));
            }
            Arc::new(builder.finish()) as ArrayRef
        };
        let columns: Vec<ArrayRef> =
            vec![Arc::new(rows), column(|r| &r.column), column(|r| &r.rule), column(|r| &r.record)];
        let batch = RecordBatch::try_new(self.schema.clone(), columns)
            .map_err(|_| Failure::bug("refused rows do not form a batch"))?;
        let subjects: Vec<_> = refused.iter().map(|r| r.subject).collect();
        self.writer.write(&batch, &subjects)?;
        self.rows += refused.len() as u64;
        totals.quarantined += refused.len() as u64;
        Ok(())
    }

    /// Stages the quarantine as a snapshot; `None` when nothing was refused.
    pub(crate) fn finish(
        self,
        workspace: &Workspace,
        run: &RunId,
        governance: &Governance,
    ) -> Result<Option<SnapshotRef>> {
        if self.rows == 0 {
            return Ok(None);
        }
        let staged = self.writer.finish()?;
        let head = workspace.lake.head(&self.dataset)?;
        let manifest = Manifest {
            dataset: self.dataset,
            version: head.as_ref().map_or(1, |head| head.version + 1),
            parent: head.map(|head| head.manifest),
            created: Clock.now(),
            run: run.clone(),
            columns: COLUMNS
                .iter()
                .map(|(name, class)| Column {
                    name: (*name).to_owned(),
                    logical_type: if *name == "row" { "integer".into() } else { "string".into() },
                    classification: *class,
                    protection: "keep".into(),
                    derived_from: Vec::new(),
                })
                .collect(),
            rows: staged.rows,
            files: staged.files,
            subjects: staged.subjects,
            governance: Governance { classification: Classification::Restricted, ..governance.clone() },
            contract: None,
            sources: Vec::new(),
            inputs: Vec::new(),
            recipe: serde_json::Value::Null,
        };
        workspace.lake.stage(&workspace.signer, &manifest).map(Some)
    }
}

fn texts(batch: &RecordBatch) -> Result<Vec<StringArray>> {
    batch
        .columns()
        .iter()
        .map(|column| {
            cast(column, &DataType::Utf8)
                .map(|array| array.as_string::<i32>().clone())
                .map_err(|_| Failure::input("a refused row cannot be written as text"))
        })
        .collect()
}
