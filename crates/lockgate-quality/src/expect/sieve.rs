//! Which rows fail an expectation: all of them, where a verdict names the first few.

use std::{collections::BTreeMap, path::Path, sync::Arc};

use arrow::{array::RecordBatch, datatypes::SchemaRef};
use lockgate_core::Result;

use super::{
    gather::EXAMPLES,
    state::State,
    suite::Suite,
    validator::{Options, Validator, Values},
};

/// Tells the rows that expectations about each row refuse.
#[derive(Debug)]
pub struct Sieve {
    validator: Validator,
    /// The expectations' names, by their place.
    kinds: Vec<String>,
}

impl Sieve {
    /// A sieve of those expectations of `suite` whose places `failing` names; `None` when one of
    /// them is not about each row by itself, and its rows cannot be told.
    pub fn new(suite: &Suite, failing: &[usize], schema: &SchemaRef, spill_folder: &Path) -> Option<Self> {
        let chosen: Vec<_> =
            failing.iter().map(|index| suite.expectations.get(*index).cloned()).collect::<Option<_>>()?;
        let kinds = chosen.iter().map(|expectation| expectation.kind.clone()).collect();
        let suite = Suite { name: suite.name.clone(), expectations: chosen };
        let options = Options { values: Values::Hide, spill_folder: spill_folder.to_owned() };
        let validator = Validator::new(Arc::new(suite), Arc::clone(schema), options);
        let by_row = |state: &State| match state {
            State::Missing { .. } | State::Row { .. } => true,
            State::Records { counts, .. } => counts.is_none(),
            _ => false,
        };
        let all = validator.groups.iter().flat_map(|group| &group.members).all(|member| by_row(&member.state));
        all.then_some(Self { validator, kinds })
    }

    /// The rows of a batch that are refused, each with the expectations that refuse it.
    pub fn refused(&mut self, batch: &RecordBatch) -> Result<BTreeMap<usize, Vec<String>>> {
        let mut refused: BTreeMap<usize, Vec<String>> = BTreeMap::new();
        // A state names so many rows at most: it is shown no more at a time.
        for first in (0..batch.num_rows()).step_by(EXAMPLES) {
            let some = EXAMPLES.min(batch.num_rows() - first);
            self.validator.update(&batch.slice(first, some), first as u64)?;
            for member in self.validator.groups.iter_mut().flat_map(|group| &mut group.members) {
                let (State::Missing { tested, .. } | State::Row { tested, .. } | State::Records { tested, .. }) =
                    &mut member.state
                else {
                    continue;
                };
                for (row, _) in std::mem::take(tested).examples {
                    let kind = self.kinds.get(member.index).cloned().unwrap_or_default();
                    refused.entry(row as usize).or_default().push(kind);
                }
            }
        }
        Ok(refused)
    }
}
