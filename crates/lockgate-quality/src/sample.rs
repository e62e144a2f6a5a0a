//! An even sample of rows whose number is not known before the last one has come.

use arrow::{
    array::{BooleanArray, RecordBatch},
    compute::{concat_batches, filter_record_batch},
    datatypes::SchemaRef,
};
use lockgate_core::{Failure, Result, SplitMix64};

/// Keeps each row with one probability, which falls as rows come so that never more than twice the
/// limit are in memory. The same rows in the same order give the same sample.
#[derive(Clone, Debug)]
pub struct Sample {
    most: usize,
    share: f64,
    seen: u64,
    kept: usize,
    /// Each batch with the lots of its rows.
    batches: Vec<(RecordBatch, Vec<f64>)>,
}

impl Sample {
    pub fn new(most: usize) -> Self {
        Self { most, share: 1.0, seen: 0, kept: 0, batches: Vec::new() }
    }

    /// How many rows have come.
    pub fn seen(&self) -> u64 {
        self.seen
    }

    pub fn update(&mut self, batch: &RecordBatch) -> Result<()> {
        let lots: Vec<f64> =
            (0..batch.num_rows() as u64).map(|row| SplitMix64::unit_of(self.seen + row, 0x7361_6d70)).collect();
        self.seen += batch.num_rows() as u64;
        self.take(batch, lots)?;
        while self.kept > 2 * self.most {
            self.share /= 2.0;
            self.kept = 0;
            for (batch, lots) in std::mem::take(&mut self.batches) {
                self.take(&batch, lots)?;
            }
        }
        Ok(())
    }

    fn take(&mut self, batch: &RecordBatch, lots: Vec<f64>) -> Result<()> {
        let chosen: BooleanArray = lots.iter().map(|lot| Some(*lot < self.share)).collect();
        let batch = if self.share < 1.0 { filtered(batch, &chosen)? } else { batch.clone() };
        self.kept += batch.num_rows();
        if batch.num_rows() > 0 {
            let share = self.share;
            self.batches.push((batch, lots.into_iter().filter(|lot| *lot < share).collect()));
        }
        Ok(())
    }

    /// The sample, at most as many rows as were asked for; `None` when no row came.
    pub fn finish(mut self) -> Result<Option<RecordBatch>> {
        if self.kept > self.most {
            self.share *= self.most as f64 / self.kept as f64;
            self.kept = 0;
            for (batch, lots) in std::mem::take(&mut self.batches) {
                self.take(&batch, lots)?;
            }
        }
        let Some(schema) = self.batches.first().map(|(batch, _)| batch.schema()) else { return Ok(None) };
        let all = concat(&schema, &self.batches)?;
        Ok(Some(all.slice(0, all.num_rows().min(self.most))))
    }
}

fn concat(schema: &SchemaRef, batches: &[(RecordBatch, Vec<f64>)]) -> Result<RecordBatch> {
    concat_batches(schema, batches.iter().map(|(batch, _)| batch))
        .map_err(|_| Failure::bug("the parts of a sample do not fit together"))
}

fn filtered(batch: &RecordBatch, mask: &BooleanArray) -> Result<RecordBatch> {
    filter_record_batch(batch, mask).map_err(|_| Failure::bug("a batch could not be filtered"))
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use arrow::{
        array::{AsArray as _, Int64Array},
        datatypes::{DataType, Field, Int64Type, Schema},
    };

    use super::*;

    #[test]
    fn a_sample_is_even_and_never_too_large() {
        let schema = Arc::new(Schema::new(vec![Field::new("n", DataType::Int64, false)]));
        let mut sample = Sample::new(1_000);
        for start in (0..100_000).step_by(700) {
            let rows = Int64Array::from_iter_values(start..(start + 700).min(100_000));
            sample.update(&RecordBatch::try_new(schema.clone(), vec![Arc::new(rows)]).unwrap()).unwrap();
            assert!(sample.kept <= 2_000);
        }
        assert_eq!(sample.seen(), 100_000);
        let rows = sample.finish().unwrap().unwrap();
        assert!((900..=1_000).contains(&rows.num_rows()), "{}", rows.num_rows());
        let numbers = rows.column(0).as_primitive::<Int64Type>();
        let low = numbers.values().iter().filter(|n| **n < 50_000).count();
        assert!((400..=600).contains(&low), "{low}");
        assert!(Sample::new(5).finish().unwrap().is_none());
    }

    #[test]
    fn few_rows_are_all_kept() {
        let schema = Arc::new(Schema::new(vec![Field::new("n", DataType::Int64, false)]));
        let mut sample = Sample::new(10);
        let rows = Int64Array::from_iter_values(0..10);
        sample.update(&RecordBatch::try_new(schema, vec![Arc::new(rows)]).unwrap()).unwrap();
        assert_eq!(sample.finish().unwrap().unwrap().num_rows(), 10);
    }
}
