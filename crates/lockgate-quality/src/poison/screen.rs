//! A screening: a baseline is learned, batches pass, a verdict comes out.

use std::{
    borrow::Cow,
    collections::{BTreeMap, HashSet},
    sync::{Arc, Mutex, PoisonError},
    thread,
};

use arrow::record_batch::RecordBatch;
use lockgate_core::{Failure, Result, SplitMix64};

use super::{
    chance::{Null, Verdict},
    copies::Group,
    encode::{Block, Encoder},
    methods::{Method, Models, fit_codes},
    sources::Sources,
    verdict::{MethodResult, Screening, Segment, locate},
};

/// Rows of a baseline that are enough; of more, the caller gives an even sample.
pub const BASELINE_ROWS_MAX: usize = 65_536;
/// Fewer teach too little.
const BASELINE_ROWS_MIN: usize = 400;
/// Rows that are judged together. A longer batch is judged in several blocks.
const BLOCK_ROWS: usize = 65_536;
/// Clean blocks that groups are counted in.
const NULL_BLOCKS: usize = 8;
/// Triggers of one block that are told apart.
const ROUNDS_MAX: usize = 20;

/// How poisoning is looked for.
#[derive(Clone, Debug)]
pub struct Options {
    /// The column that a model predicts, a class. Without it labels and backdoors are not judged.
    pub label: Option<String>,
    /// Columns that are left out.
    pub ignore: Vec<String>,
    /// The chance of an alarm on clean data, over all methods and blocks together.
    pub alpha: f64,
    /// The same seed gives the same verdict.
    pub seed: u64,
    pub threads: usize,
}

impl Default for Options {
    fn default() -> Self {
        Self { label: None, ignore: Vec::new(), alpha: 0.01, seed: 0, threads: 1 }
    }
}

/// What a golden baseline teaches.
#[derive(Debug)]
pub struct Baseline {
    options: Options,
    encoder: Encoder,
    models: Models,
    held_out: Block,
    rows_null: BTreeMap<Method, Null>,
    /// By size of the block; learned when a block of that size first comes.
    groups_null: Mutex<BTreeMap<usize, Arc<GroupNulls>>>,
}

type GroupNulls = BTreeMap<Method, Null>;

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
    source_names: Vec<String>,
    source_rows: Vec<u64>,
    methods: BTreeMap<Method, MethodResult>,
    segments: Vec<Segment>,
}

impl Baseline {
    /// Learns from `rows`, at most [`BASELINE_ROWS_MAX`] of them.
    pub fn fit(rows: &RecordBatch, options: Options) -> Result<Self> {
        if rows.num_rows() < BASELINE_ROWS_MIN {
            return Err(Failure::input(format!(
                "the baseline has {} rows; {BASELINE_ROWS_MIN} are the least to learn from",
                rows.num_rows()
            )));
        }
        if !(options.alpha > 0.0 && options.alpha < 1.0) {
            return Err(Failure::usage("alpha must lie between 0 and 1"));
        }
        let rows = rows.slice(0, rows.num_rows().min(BASELINE_ROWS_MAX));
        let encoder = Encoder::fit(&rows, options.label.as_deref(), &options.ignore)?;
        let mut all = Block::default();
        let numbers: Vec<u64> = (0..rows.num_rows() as u64).collect();
        encoder.encode(&rows, 0, &numbers, &mut all)?;
        // In no order of the file's, so that both halves are alike.
        let mut order: Vec<usize> = (0..all.rows).collect();
        let mut random = SplitMix64::new(options.seed);
        for last in (1..order.len()).rev() {
            order.swap(last, random.below(last as u64 + 1) as usize);
        }
        let (fit, held_out) = order.split_at(all.rows / 2);
        let (fit, held_out) = (all.select(fit), all.select(held_out));
        let models = Models::fit(&encoder, &fit, &held_out, options.seed);
        let predicted = models.predict(&held_out);
        let rows_null = parallel(options.threads, &Method::ROWS, |method| {
            let scores = models.rows(method, &held_out, &predicted)?;
            Some((method, Null::new(scores, 0.01, method.scale_min())))
        });
        Ok(Self {
            options,
            encoder,
            models,
            held_out,
            rows_null: rows_null.into_iter().flatten().collect(),
            groups_null: Mutex::default(),
        })
    }

    /// The columns that are looked at.
    pub fn columns(&self) -> Vec<String> {
        self.encoder.columns().map(str::to_owned).collect()
    }

    fn alpha_of_method(&self) -> f64 {
        self.options.alpha / (Method::ROWS.len() + Method::GROUPS.len() + 1) as f64
    }

    /// What an alarm is about, each part with its rows in the block.
    fn segments(&self, judged: &Judged, block: &Block, alpha: f64) -> Vec<(Segment, Vec<usize>)> {
        let names: Vec<&str> = self.encoder.features.iter().map(|feature| feature.name.as_str()).collect();
        let Judged { method, verdict, scores, groups } = judged;
        if let Some(null) = self.rows_null.get(method) {
            let found = locate(*method, verdict, scores, block, null, alpha);
            let rows = found.rows().to_vec();
            let features = self.models.features(*method, block, &rows);
            return vec![(found.segment(&names, &features, block, verdict), rows)];
        }
        let mut guilty: Vec<Group> = verdict.guilty.iter().filter_map(|index| groups.get(*index)).cloned().collect();
        if *method == Method::Triggers {
            guilty.truncate(1);
        }
        Segment::of_groups(*method, &guilty, &names, block, verdict.p_value)
    }

    /// A method's verdict on what is left of a block, which are the rows `rest` of the one that it
    /// judged first.
    fn again(&self, first: Judged, block: &Block, rest: &[usize], alpha: f64) -> Judged {
        let method = first.method;
        if let Some(null) = self.rows_null.get(&method) {
            let scores: Vec<f32> = rest.iter().filter_map(|row| first.scores.get(*row).copied()).collect();
            return Judged { method, verdict: null.judge(&scores), scores, groups: Vec::new() };
        }
        let groups = self.models.groups(method, block, &self.models.predict(block)).unwrap_or_default();
        let scores: Vec<f32> = groups.iter().map(|group| group.score).collect();
        let nulls = self.groups_null(block.rows);
        let verdict = nulls.get(&method).map(|null| null.judge_groups(&scores, alpha)).unwrap_or_default();
        Judged { method, verdict, scores, groups }
    }

    /// What chance does to groups in clean blocks of about this size.
    fn groups_null(&self, rows: usize) -> Arc<GroupNulls> {
        // Blocks of sizes within a factor of two share it.
        let size = rows.next_power_of_two();
        let mut known = self.groups_null.lock().unwrap_or_else(PoisonError::into_inner);
        let learned = known.entry(size).or_insert_with(|| Arc::new(self.learn_groups(rows)));
        Arc::clone(learned)
    }

    fn learn_groups(&self, rows: usize) -> GroupNulls {
        let each = rows.min(self.held_out.rows);
        let blocks: Vec<Block> = (0..(self.held_out.rows / each.max(1)).clamp(1, NULL_BLOCKS))
            .map(|index| self.held_out.select(&(index * each..(index + 1) * each).collect::<Vec<_>>()))
            .collect();
        let nulls = parallel(self.options.threads, &Method::GROUPS, |method| {
            let mut scores = Vec::new();
            for block in &blocks {
                let groups = self.models.groups(method, block, &self.models.predict(block))?;
                scores.extend(groups.iter().map(|group| group.score));
            }
            Some((method, Null::new(scores, 0.05, method.scale_min())))
        });
        nulls.into_iter().flatten().collect()
    }
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
            source_names: Vec::new(),
            source_rows: Vec::new(),
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
                self.judge_block();
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
            self.judge_block();
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
            &encoder.features.iter().map(|feature| feature.name.clone()).collect::<Vec<_>>(),
        )
    }

    fn judge_block(&mut self) {
        let block = std::mem::take(&mut self.block);
        let baseline = Arc::clone(&self.baseline);
        self.blocks += 1;
        // The k-th block may spend 1 / (k (k + 1)) of the whole, which adds up to 1.
        let alpha = baseline.alpha_of_method() / (f64::from(self.blocks) * f64::from(self.blocks + 1));
        let models = &baseline.models;
        let predicted = models.predict(&block);
        let fits = (!predicted.is_empty()).then(|| fit_codes(&block, &predicted, baseline.encoder.classes()));
        self.sources.update(&block, fits.as_deref());
        let groups_null = baseline.groups_null(block.rows);
        let all: Vec<Method> = Method::GROUPS.into_iter().chain(Method::ROWS).collect();
        let judged = parallel(baseline.options.threads, &all, |method| -> Option<Judged> {
            if let Some(null) = baseline.rows_null.get(&method) {
                let scores = models.rows(method, &block, &predicted)?;
                let verdict = null.judge(&scores);
                return Some(Judged { method, verdict, scores, groups: Vec::new() });
            }
            let groups = models.groups(method, &block, &predicted)?;
            let scores: Vec<f32> = groups.iter().map(|group| group.score).collect();
            let verdict = groups_null.get(&method)?.judge_groups(&scores, alpha);
            Some(Judged { method, verdict, scores, groups })
        });
        let mut judged: Vec<Judged> = judged.into_iter().flatten().collect();
        for own in &judged {
            let alarm = own.verdict.p_value < alpha;
            self.methods.entry(own.method).or_insert_with(|| MethodResult::new(own.method)).take(&own.verdict, alarm);
        }
        judged.retain(|own| own.verdict.p_value < alpha);
        let convicted = self.convict(judged, &block, alpha);
        let rest: Vec<usize> = (0..block.rows).filter(|row| !convicted.contains(row)).collect();
        let fits = fits.map(|fits| rest.iter().filter_map(|row| fits.get(*row).copied()).collect::<Vec<u8>>());
        self.innocent.update(&block.select(&rest), fits.as_deref());
    }

    /// Convicts what the alarms are about. Methods that name few rows go first, and each is asked
    /// again without the rows that were convicted before it: what they explain is no news.
    fn convict(&mut self, mut judged: Vec<Judged>, block: &Block, alpha: f64) -> HashSet<usize> {
        let baseline = Arc::clone(&self.baseline);
        let mut convicted: HashSet<usize> = HashSet::new();
        judged.sort_by(|a, b| rank(a).total_cmp(&rank(b)));
        for first in judged {
            let mut own = Some(first);
            for round in 0..ROUNDS_MAX {
                let Some(judged) = own.take() else { break };
                let method = judged.method;
                let rest: Vec<usize> = (0..block.rows).filter(|row| !convicted.contains(row)).collect();
                let all = rest.len() == block.rows;
                let block = if all { Cow::Borrowed(block) } else { Cow::Owned(block.select(&rest)) };
                let judged = if all { judged } else { baseline.again(judged, &block, &rest, alpha) };
                if judged.verdict.p_value >= alpha {
                    break;
                }
                let segments = baseline.segments(&judged, &block, alpha);
                let before = convicted.len();
                let original = |row: &usize| rest.get(*row).copied();
                convicted.extend(segments.iter().flat_map(|(_, rows)| rows.iter().filter_map(original)));
                self.segments.extend(segments.into_iter().map(|(segment, _)| segment));
                // Triggers overlap: what one explains may be all that spoke for the next.
                if method == Method::Triggers && convicted.len() > before && round + 1 < ROUNDS_MAX {
                    own = Some(Judged { scores: Vec::new(), ..judged });
                }
            }
        }
        convicted
    }
}

/// Which alarm is heard first.
fn rank(judged: &Judged) -> f64 {
    match judged.method {
        Method::Duplicates => -4.0,
        Method::NearDuplicates => -3.0,
        Method::Triggers => -2.0,
        // It names many rows for few.
        Method::LabelShift => 2.0,
        _ => judged.verdict.p_value,
    }
}

/// What a method made of a block.
struct Judged {
    method: Method,
    verdict: Verdict,
    scores: Vec<f32>,
    groups: Vec<Group>,
}

/// Calls `run` with every item, on several threads, and returns what came in the items' order.
fn parallel<T: Copy + Sync, R: Send>(threads: usize, items: &[T], run: impl Fn(T) -> R + Sync) -> Vec<R> {
    use std::sync::atomic::{AtomicUsize, Ordering};
    let next = AtomicUsize::new(0);
    let work = || {
        let mut done = Vec::new();
        while let Some((index, item)) =
            Some(next.fetch_add(1, Ordering::Relaxed)).and_then(|i| Some((i, *items.get(i)?)))
        {
            done.push((index, run(item)));
        }
        done
    };
    let mut done = thread::scope(|scope| {
        let others: Vec<_> = (1..threads.clamp(1, items.len().max(1))).map(|_| scope.spawn(work)).collect();
        let mut done = work();
        for other in others {
            match other.join() {
                Ok(own) => done.extend(own),
                Err(panic) => std::panic::resume_unwind(panic),
            }
        }
        done
    });
    done.sort_unstable_by_key(|(index, _)| *index);
    done.into_iter().map(|(_, result)| result).collect()
}
