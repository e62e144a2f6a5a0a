//! A golden baseline: what every method learned from it, and what chance does to their scores.

use std::{
    borrow::Cow,
    collections::{BTreeMap, HashSet, btree_map::Entry},
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
    verdict::{Segment, locate},
};

/// Rows of a baseline that are enough; of more, the caller gives an even sample.
pub const BASELINE_ROWS_MAX: usize = 65_536;
/// Fewer teach too little.
const BASELINE_ROWS_MIN: usize = 400;
/// Clean parts that groups are counted in.
const NULL_BLOCKS_MIN: usize = 4;
const NULL_BLOCKS_MAX: usize = 8;
/// The longest part.
const GROUP_ROWS_MAX: usize = 16_384;
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
    pub(super) encoder: Encoder,
    models: Models,
    held_out: Block,
    rows_null: BTreeMap<Method, Null>,
    /// By size of the block; learned when a block of that size first comes.
    groups_null: Mutex<BTreeMap<usize, Arc<GroupNulls>>>,
}

type GroupNulls = BTreeMap<Method, Null>;

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
            let null = Null::new(scores, 0.01, method.scale_min());
            // Labels that fit a little worse all over are what flips look like.
            let labels = matches!(method, Method::ConfidentLabels | Method::Neighbours);
            Some((method, if labels { null.summed() } else { null }))
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

    pub(super) fn alpha_of_method(&self) -> f64 {
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
        let none = Judged { method, verdict: Verdict::default(), scores: Vec::new(), groups: Vec::new() };
        self.judge_groups(method, block, &self.models.predict(block), alpha).unwrap_or(none)
    }

    /// Groups are looked for in parts no longer than those whose chance is known: several of them fit
    /// into the half that nothing was learned on.
    fn part_rows(&self) -> usize {
        (self.held_out.rows / NULL_BLOCKS_MIN).clamp(1, GROUP_ROWS_MAX)
    }

    /// What chance does to groups in clean parts of about this size, or somewhat larger.
    fn groups_null(&self, rows: usize) -> Arc<GroupNulls> {
        let each = rows.next_power_of_two().min(self.part_rows());
        let mut known = self.groups_null.lock().unwrap_or_else(PoisonError::into_inner);
        let learned = known.entry(each).or_insert_with(|| Arc::new(self.learn_groups(each)));
        Arc::clone(learned)
    }

    fn learn_groups(&self, each: usize) -> GroupNulls {
        let blocks: Vec<Block> = (0..(self.held_out.rows / each.max(1)).clamp(1, NULL_BLOCKS_MAX))
            .map(|index| self.held_out.select(&(index * each..(index + 1) * each).collect::<Vec<_>>()))
            .collect();
        let nulls = parallel(self.options.threads, &Method::GROUPS, |method| {
            if method == Method::LabelShift {
                // Its scores are what they say: there is nothing to learn.
                return Some((method, Null::new(Vec::new(), 0.05, method.scale_min())));
            }
            let mut scores = Vec::new();
            for block in &blocks {
                let groups = self.models.groups(method, block, &self.models.predict(block))?;
                scores.extend(groups.iter().map(|group| group.score));
            }
            Some((method, Null::new(scores, 0.05, method.scale_min())))
        });
        nulls.into_iter().flatten().collect()
    }

    /// The groups of a block, part by part where a method needs that, and the verdict on them.
    fn judge_groups(&self, method: Method, block: &Block, predicted: &[f32], alpha: f64) -> Option<Judged> {
        let most = if method == Method::LabelShift { block.rows } else { self.part_rows() };
        let mut groups: Vec<Group> = Vec::new();
        let parts = block.rows.div_ceil(most.max(1)).max(1);
        for part in 0..parts {
            let (first, last) = (part * block.rows / parts, (part + 1) * block.rows / parts);
            let mut found = if parts == 1 {
                self.models.groups(method, block, predicted)?
            } else {
                let own = block.select(&(first..last).collect::<Vec<_>>());
                self.models.groups(method, &own, &self.models.predict(&own))?
            };
            for group in &mut found {
                group.rows.iter_mut().for_each(|row| *row += first);
            }
            groups.append(&mut found);
        }
        if parts > 1 {
            groups = together(groups);
        }
        let scores: Vec<f32> = groups.iter().map(|group| group.score).collect();
        let nulls = self.groups_null(block.rows.div_ceil(parts));
        let verdict = nulls.get(&method)?.judge_groups(&scores, alpha);
        Some(Judged { method, verdict, scores, groups })
    }

    /// How well each row's label fits, as codes; `None` without labels.
    pub(super) fn fit_codes(&self, block: &Block) -> Option<Vec<u8>> {
        let predicted = self.models.predict(block);
        (!predicted.is_empty()).then(|| fit_codes(block, &predicted, self.encoder.classes()))
    }

    /// What every method makes of a block.
    pub(super) fn judge(&self, block: &Block, alpha: f64) -> Vec<Judged> {
        let predicted = self.models.predict(block);
        let all: Vec<Method> = Method::GROUPS.into_iter().chain(Method::ROWS).collect();
        let judged = parallel(self.options.threads, &all, |method| -> Option<Judged> {
            if let Some(null) = self.rows_null.get(&method) {
                let scores = self.models.rows(method, block, &predicted)?;
                let verdict = null.judge(&scores);
                return Some(Judged { method, verdict, scores, groups: Vec::new() });
            }
            self.judge_groups(method, block, &predicted, alpha)
        });
        judged.into_iter().flatten().collect()
    }

    /// Convicts what the alarms are about, and names the rows by their place in the block. Methods
    /// that name few rows go first, and each is asked again without the rows that were convicted
    /// before it: what they explain is no news.
    pub(super) fn convict(&self, mut judged: Vec<Judged>, block: &Block, alpha: f64) -> (Vec<Segment>, HashSet<usize>) {
        let mut out = Vec::new();
        let mut convicted: HashSet<usize> = HashSet::new();
        judged.retain(|own| own.verdict.p_value < alpha);
        judged.sort_by(|a, b| rank(a).total_cmp(&rank(b)));
        for first in judged {
            let mut own = Some(first);
            for _ in 0..ROUNDS_MAX {
                let Some(judged) = own.take() else { break };
                let method = judged.method;
                let rest: Vec<usize> = (0..block.rows).filter(|row| !convicted.contains(row)).collect();
                let all = rest.len() == block.rows;
                let block = if all { Cow::Borrowed(block) } else { Cow::Owned(block.select(&rest)) };
                let judged = if all { judged } else { self.again(judged, &block, &rest, alpha) };
                if judged.verdict.p_value >= alpha {
                    break;
                }
                let segments = self.segments(&judged, &block, alpha);
                let before = convicted.len();
                let original = |row: &usize| rest.get(*row).copied();
                convicted.extend(segments.iter().flat_map(|(_, rows)| rows.iter().filter_map(original)));
                out.extend(segments.into_iter().map(|(segment, _)| segment));
                // Triggers overlap: what one explains may be all that spoke for the next.
                if method == Method::Triggers && convicted.len() > before {
                    own = Some(judged);
                }
            }
        }
        (out, convicted)
    }
}

/// What is the same in several parts, as one, as surprising as it is where it is most.
fn together(groups: Vec<Group>) -> Vec<Group> {
    let mut by_key: BTreeMap<u64, Group> = BTreeMap::new();
    for group in groups {
        match by_key.entry(group.key) {
            Entry::Vacant(place) => {
                place.insert(group);
            }
            Entry::Occupied(mut place) => {
                let own = place.get_mut();
                own.score = own.score.max(group.score);
                own.expected += group.expected;
                own.rows.extend(group.rows);
            }
        }
    }
    let mut groups: Vec<Group> = by_key.into_values().collect();
    groups.sort_by(Group::order);
    groups
}

/// Which alarm is heard first.
fn rank(judged: &Judged) -> f64 {
    match judged.method {
        // They name the rows that share something.
        Method::Duplicates | Method::NearDuplicates | Method::Triggers => judged.verdict.p_value - 1.0,
        // It names many rows for few.
        Method::LabelShift => 2.0,
        _ => judged.verdict.p_value,
    }
}

/// What a method made of a block.
pub(super) struct Judged {
    pub(super) method: Method,
    pub(super) verdict: Verdict,
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
