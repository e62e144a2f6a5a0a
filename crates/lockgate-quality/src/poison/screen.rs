//! A screening: batches pass, a verdict comes out.

use std::{
    collections::{BTreeMap, BTreeSet, HashSet},
    sync::Arc,
};

use arrow::record_batch::RecordBatch;
use lockgate_core::{Failure, Result};

use super::{
    baseline::Baseline,
    encode::Block,
    methods::Method,
    sources::Sources,
    verdict::{MethodResult, Screening, Segment},
};

/// Rows that are judged together. A longer batch is judged in several blocks.
const BLOCK_ROWS: usize = 65_536;

/// Takes in batches.
#[derive(Clone, Debug)]
pub struct Screen {
    baseline: Arc<Baseline>,
    block: Block,
    blocks: u32,
    rows: u64,
    sources: Sources,
    /// The same without the rows that were convicted by themselves.
    innocent: Sources,
    /// Sources that are guilty as a whole.
    outcasts: BTreeSet<u32>,
    source_names: Vec<String>,
    source_rows: Vec<u64>,
    /// Rows of each source that were judged.
    seen: Vec<u64>,
    methods: BTreeMap<Method, MethodResult>,
    segments: Vec<Segment>,
}

/// Whether rows of the newest source may follow.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum More {
    Perhaps,
    None,
}

impl Screen {
    pub fn new(baseline: Arc<Baseline>) -> Self {
        Self {
            baseline,
            block: Block::default(),
            blocks: 0,
            rows: 0,
            sources: Sources::default(),
            innocent: Sources::default(),
            outcasts: BTreeSet::new(),
            source_names: Vec::new(),
            source_rows: Vec::new(),
            seen: Vec::new(),
            methods: BTreeMap::new(),
            segments: Vec::new(),
        }
    }

    /// A new source, which the rows that follow come from; rows are numbered by the caller.
    pub fn source(&mut self, name: &str) {
        self.source_names.push(name.to_owned());
        self.source_rows.push(0);
    }

    /// Takes in rows of the newest source, which have these numbers there.
    pub fn update(&mut self, batch: &RecordBatch, numbers: &[u64]) -> Result<()> {
        if numbers.len() != batch.num_rows() {
            return Err(Failure::bug("each row needs a number"));
        }
        if self.source_names.is_empty() {
            self.source("data");
        }
        let source = self.source_names.len() - 1;
        let mut done = 0;
        while done < batch.num_rows() {
            let some = (BLOCK_ROWS - self.block.rows).min(batch.num_rows() - done);
            let own = numbers.get(done..done + some).unwrap_or_default();
            self.baseline.encoder.encode(&batch.slice(done, some), source as u32, own, &mut self.block)?;
            done += some;
            if self.block.rows == BLOCK_ROWS {
                self.judge_block(More::Perhaps);
            }
        }
        self.rows += batch.num_rows() as u64;
        if let Some(rows) = self.source_rows.get_mut(source) {
            *rows += batch.num_rows() as u64;
        }
        Ok(())
    }

    /// The verdict on everything.
    pub fn finish(mut self) -> Screening {
        if self.block.rows > 0 {
            self.judge_block(More::None);
        }
        let encoder = &self.baseline.encoder;
        let alpha = self.baseline.alpha_of_method();
        let mut departures = self.sources.judge(alpha);
        // A source that is like the others without its guilty rows is not guilty.
        for (own, rest) in departures.iter_mut().zip(self.innocent.judge(alpha)) {
            own.guilty &= rest.guilty;
        }
        Screening::new(
            self.rows,
            encoder.roles.clone(),
            self.methods,
            self.segments,
            (&self.source_names, &self.source_rows, departures),
            &self.outcasts,
            &encoder.features.iter().map(|feature| feature.name.clone()).collect::<Vec<_>>(),
        )
    }

    fn judge_block(&mut self, more: More) {
        let block = std::mem::take(&mut self.block);
        let baseline = Arc::clone(&self.baseline);
        self.blocks += 1;
        // The k-th block may spend 1 / (k (k + 1)) of the whole, which adds up to 1.
        let alpha = baseline.alpha_of_method() / (f64::from(self.blocks) * f64::from(self.blocks + 1));
        let judged = baseline.judge(&block, alpha);
        for own in &judged {
            let alarm = own.verdict.p_value < alpha;
            self.methods.entry(own.method).or_insert_with(|| MethodResult::new(own.method)).take(&own.verdict, alarm);
        }
        let fits = baseline.fit_codes(&block);
        self.sources.update(&block, fits.as_deref());
        self.seen.resize(self.source_names.len(), 0);
        for (source, _) in &block.places {
            if let Some(seen) = self.seen.get_mut(*source as usize) {
                *seen += 1;
            }
        }
        let (mut segments, mut convicted) = baseline.convict(judged, &block, alpha);
        let outcasts = self.outcasts(&block, &convicted, alpha, more);
        if !outcasts.is_empty() {
            // What a source explains, no row of another is guilty of.
            let outcast = |row: &usize| block.places.get(*row).is_some_and(|(source, _)| outcasts.contains(source));
            let others: Vec<usize> = (0..block.rows).filter(|row| !outcast(row)).collect();
            let rest = block.select(&others);
            let (found, rows) = baseline.convict(baseline.judge(&rest, alpha), &rest, alpha);
            segments = found;
            convicted = rows.iter().filter_map(|row| others.get(*row).copied()).collect();
            self.outcasts.extend(outcasts);
        }
        self.segments.extend(segments);
        let rest: Vec<usize> = (0..block.rows).filter(|row| !convicted.contains(row)).collect();
        let rest = block.select(&rest);
        self.innocent.update(&rest, baseline.fit_codes(&rest).as_deref());
    }

    /// Sources that are guilty as a whole: most of their rows are, or they stay unlike the others
    /// without the rows that are. Only of those that lie in the block with all of their rows.
    fn outcasts(&self, block: &Block, convicted: &HashSet<usize>, alpha: f64, more: More) -> BTreeSet<u32> {
        let mut counts: BTreeMap<u32, (usize, usize)> = BTreeMap::new();
        for (row, (source, _)) in block.places.iter().enumerate() {
            let (rows, guilty) = counts.entry(*source).or_default();
            *rows += 1;
            *guilty += usize::from(convicted.contains(&row));
        }
        let newest = self.source_names.len().saturating_sub(1) as u32;
        let whole = |source: u32, rows: usize| {
            self.seen.get(source as usize) == Some(&(rows as u64)) && (more == More::None || source != newest)
        };
        if counts.len() < 2 {
            return BTreeSet::new();
        }
        let most = |(source, (rows, guilty)): &(&u32, &(usize, usize))| guilty * 2 > *rows && whole(**source, *rows);
        let mut out: BTreeSet<u32> = counts.iter().filter(most).map(|(source, _)| *source).collect();
        let rest: Vec<usize> = (0..block.rows).filter(|row| !convicted.contains(row)).collect();
        let judged = |block: &Block| {
            let mut sources = Sources::default();
            sources.update(block, self.baseline.fit_codes(block).as_deref());
            sources.judge(alpha)
        };
        for (source, (own, rest)) in judged(block).into_iter().zip(judged(&block.select(&rest))).enumerate() {
            let rows = counts.get(&(source as u32)).map_or(0, |(rows, _)| *rows);
            if own.guilty && rest.guilty && whole(source as u32, rows) {
                out.insert(source as u32);
            }
        }
        // All of them are none.
        if out.len() < counts.len() { out } else { BTreeSet::new() }
    }
}
