//! One pass over a table on several threads: each takes a run of rows, states merge in order.

use std::{
    sync::atomic::{AtomicU64, Ordering},
    thread,
};

use arrow::record_batch::RecordBatch;
use lockgate_core::{Failure, Result};
use lockgate_source::Table;

use crate::Progress;

/// How a table is read.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Reading<'r> {
    pub(crate) columns: Option<&'r [String]>,
    pub(crate) threads: usize,
}

/// Reads `table` once. `update` sees each batch with the number of its first row; `seal` is called
/// when a part has been read; `merge` gets the state of the rows that follow.
pub(crate) fn reduce<S: Send>(
    table: &Table,
    reading: Reading<'_>,
    progress: &dyn Progress,
    start: impl Fn() -> S + Sync,
    update: impl Fn(&mut S, &RecordBatch, u64) -> Result<()> + Sync,
    seal: impl Fn(&mut S) -> Result<()> + Sync,
    merge: impl Fn(&mut S, S) -> Result<()>,
) -> Result<S> {
    let parts = table.parts(reading.threads.max(1));
    let done = AtomicU64::new(0);
    let run = |part: &lockgate_source::Part, tell: &dyn Fn(u64)| -> Result<S> {
        let mut state = start();
        let mut batches = table.read(part, reading.columns)?;
        while let Some((batch, first)) = batches.next_batch()? {
            update(&mut state, &batch, first)?;
            let rows = batch.num_rows() as u64;
            tell(done.fetch_add(rows, Ordering::Relaxed) + rows);
        }
        seal(&mut state)?;
        Ok(state)
    };
    let (first, rest) = parts.split_first().ok_or_else(|| Failure::bug("a table has no part"))?;
    let states = thread::scope(|scope| {
        let others: Vec<_> = rest.iter().map(|part| scope.spawn(|| run(part, &|_| {}))).collect();
        let mut states = vec![run(first, &|rows| progress.rows(rows))];
        for other in others {
            states.push(other.join().unwrap_or_else(|_| Err(Failure::bug("a reading thread panicked"))));
        }
        states
    });
    let mut states = states.into_iter();
    let mut all = states.next().unwrap_or_else(|| Err(Failure::bug("a table has no part")))?;
    for state in states {
        merge(&mut all, state?)?;
    }
    Ok(all)
}
