//! The keys of a dataset that relationships of another lead to.

use std::{collections::BTreeMap, sync::Arc};

use arrow::array::RecordBatch;
use hashbrown::HashSet;
use lockgate_core::{Failure, Result};

use crate::{
    column::{Column, Scalar},
    distinct::Hashes,
};

/// More keys than this are not held in memory: 500 MB of them.
const KEYS_MAX: usize = 16 << 20;

/// By dataset and columns.
pub type ReferenceKeys = BTreeMap<(String, Vec<String>), Arc<Keys>>;

/// Keyed hashes of the values in some columns; no value is kept.
#[derive(Debug)]
pub struct Keys {
    hashes: Hashes,
    known: HashSet<u128>,
}

impl Default for Keys {
    fn default() -> Self {
        Self { hashes: Hashes::random(), known: HashSet::new() }
    }
}

impl Keys {
    /// Takes in the rows of a batch of the other dataset.
    pub fn add(&mut self, batch: &RecordBatch, columns: &[String]) -> Result<()> {
        let places: Vec<usize> = columns
            .iter()
            .map(|name| {
                batch
                    .schema()
                    .index_of(name)
                    .map_err(|_| Failure::input(format!("a relationship leads to column {name:?}, which is not there")))
            })
            .collect::<Result<_>>()?;
        for hash in self.hashed(batch, &places)?.into_iter().flatten() {
            if self.known.len() >= KEYS_MAX && !self.known.contains(&hash) {
                return Err(Failure::input(format!("a relationship leads to more than {KEYS_MAX} keys"))
                    .hint("write it as a quality rule of type sql and run `lockgate contract test`"));
            }
            self.known.insert(hash);
        }
        Ok(())
    }

    /// How many rows have a key that is not known. A row that lacks a part of its key refers to
    /// nothing, as SQL has it.
    pub(crate) fn missing_from(&self, batch: &RecordBatch, places: &[usize]) -> Result<u64> {
        let hashes = self.hashed(batch, places)?;
        Ok(hashes.into_iter().flatten().filter(|hash| !self.known.contains(hash)).count() as u64)
    }

    /// A key is its text, so that 1 refers to "1".
    fn hashed(&self, batch: &RecordBatch, places: &[usize]) -> Result<Vec<Option<u128>>> {
        let columns = places
            .iter()
            .filter(|place| **place < batch.num_columns())
            .map(|place| Column::of(batch.column(*place)))
            .collect::<Result<Vec<_>>>()?;
        let hash = |row: usize| {
            let texts: Vec<String> =
                columns.iter().map(|column| column.scalar(row).to_text()).collect::<Option<_>>()?;
            Some(self.hashes.of_all(texts.iter().map(|text| Scalar::Text(text))))
        };
        Ok((0..batch.num_rows()).map(hash).collect())
    }
}
