//! From p-values to the smallest part that explains them, and to words.

use std::collections::{BTreeMap, BTreeSet, btree_map::Entry};

use serde::Serialize;

use super::{
    chance::{Null, Verdict},
    copies::Group,
    encode::{Block, Role},
    methods::Method,
    sources::{Departure, SourceWeight},
};

/// Fewer rows in a run are rows, not a run.
const RUN_MIN: usize = 32;

/// What the guilty part is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Part {
    Rows,
    /// Rows that follow each other.
    Batch,
    Source,
    /// No smaller part explains it.
    Everything,
}

/// A part of the data that is held to be poisoned, and why.
#[derive(Clone, Debug, Serialize)]
pub struct Segment {
    pub method: Method,
    pub part: Part,
    pub reason: String,
    /// How many of the rows a clean batch would have, too.
    pub expected: f64,
    pub p_value: f64,
    /// Columns that it shows in.
    pub columns: Vec<String>,
    /// Source and number of each row; empty for whole sources and everything.
    #[serde(skip)]
    pub places: Vec<(u32, u64)>,
    /// For a whole source.
    pub source: Option<u32>,
    pub rows: u64,
}

/// What came of one method.
#[derive(Clone, Debug, Serialize)]
pub struct MethodResult {
    pub method: Method,
    /// The least of all blocks.
    pub p_value: f64,
    pub alarm: bool,
}

impl MethodResult {
    pub(crate) fn new(method: Method) -> Self {
        Self { method, p_value: 1.0, alarm: false }
    }

    pub(crate) fn take(&mut self, verdict: &Verdict, alarm: bool) {
        self.p_value = self.p_value.min(verdict.p_value);
        self.alarm |= alarm;
    }
}

/// The verdict on the data.
#[derive(Clone, Debug, Serialize)]
pub struct Screening {
    pub rows: u64,
    pub poisoned: bool,
    /// Rows that stand in some segment.
    pub guilty_rows: u64,
    pub methods: Vec<MethodResult>,
    pub segments: Vec<Segment>,
    pub sources: Vec<SourceWeight>,
    /// Every column of the baseline, what it is to the methods, and why it is ignored.
    pub columns: Vec<(String, Role, &'static str)>,
    #[serde(skip)]
    guilty: BTreeMap<u32, BTreeMap<u64, usize>>,
    /// Each with the segment that convicts it.
    #[serde(skip)]
    guilty_sources: BTreeMap<u32, usize>,
    #[serde(skip)]
    source_rows: Vec<u64>,
}

impl Screening {
    pub(crate) fn new(
        rows: u64,
        columns: Vec<(String, Role, &'static str)>,
        methods: BTreeMap<Method, MethodResult>,
        mut segments: Vec<Segment>,
        (names, source_rows, departures): (&[String], &[u64], Vec<Departure>),
        outcasts: &BTreeSet<u32>,
        features: &[String],
    ) -> Self {
        let mut methods: Vec<MethodResult> = methods.into_values().collect();
        let column = |index: usize| features.get(index).cloned();
        if !departures.is_empty() {
            let p_value = departures.iter().map(|own| own.p_value).fold(1.0, f64::min);
            let alarm = departures.iter().any(|own| own.guilty);
            methods.push(MethodResult { method: Method::Sources, p_value, alarm });
        }
        let departed: Vec<bool> = departures.iter().map(|own| own.guilty).collect();
        let mut weights = Vec::new();
        for (source, (own, name)) in departures.into_iter().zip(names).enumerate() {
            let column = column(own.column);
            if own.guilty {
                let what = column.as_ref().map_or_else(
                    || "how well its labels fit its rows".to_owned(),
                    |column| format!("the distribution of {column}"),
                );
                segments.push(Segment {
                    method: Method::Sources,
                    part: Part::Source,
                    reason: format!(
                        "{what} is at a distance of {:.2} from the other sources, more than they are from each other",
                        own.distance
                    ),
                    expected: 0.0,
                    p_value: own.p_value,
                    columns: column.clone().into_iter().collect(),
                    places: Vec::new(),
                    source: Some(source as u32),
                    rows: own.rows,
                });
            }
            weights.push(SourceWeight {
                source: name.clone(),
                rows: own.rows,
                weight: own.weight,
                column,
                distance: own.distance,
                p_value: own.p_value,
            });
        }
        for source in outcasts {
            if !departed.get(*source as usize).copied().unwrap_or(false) {
                let rows = source_rows.get(*source as usize).copied().unwrap_or(0);
                segments.push(Segment::of_source(*source, rows, "most of its rows are guilty by themselves".into()));
            }
        }
        let mut screening = Self {
            rows,
            poisoned: !segments.is_empty(),
            guilty_rows: 0,
            methods,
            segments,
            sources: weights,
            columns,
            guilty: BTreeMap::new(),
            guilty_sources: BTreeMap::new(),
            source_rows: source_rows.to_vec(),
        };
        screening.convict();
        screening
    }

    fn convict(&mut self) {
        for (index, segment) in self.segments.iter().enumerate() {
            if let Some(source) = segment.source {
                self.guilty_sources.entry(source).or_insert(index);
            }
            for (source, row) in &segment.places {
                self.guilty.entry(*source).or_default().entry(*row).or_insert(index);
            }
        }
        // A source most of whose rows are guilty is guilty, where there are others.
        for source in self.guilty.keys().copied().collect::<Vec<_>>() {
            let (rows, own) = (self.rows_of(source), self.guilty.get(&source).map_or(0, BTreeMap::len));
            if self.source_rows.len() > 1
                && own as u64 * 2 > rows
                && let Entry::Vacant(entry) = self.guilty_sources.entry(source)
            {
                entry.insert(self.segments.len());
                let reason = format!("{own} of its {rows} rows are guilty by themselves");
                self.segments.push(Segment::of_source(source, rows, reason));
            }
        }
        self.guilty.retain(|source, _| !self.guilty_sources.contains_key(source));
        let sources: u64 = self.guilty_sources.keys().map(|source| self.rows_of(*source)).sum();
        self.guilty_rows = self.guilty.values().map(|rows| rows.len() as u64).sum::<u64>() + sources;
    }

    /// The segment that convicts a row, if one does.
    pub fn guilty(&self, source: u32, row: u64) -> Option<&Segment> {
        let index = self.guilty_sources.get(&source).or_else(|| self.guilty.get(&source)?.get(&row))?;
        self.segments.get(*index)
    }

    /// How many rows of a source are guilty.
    pub fn guilty_rows_of(&self, source: u32) -> u64 {
        if self.guilty_sources.contains_key(&source) {
            return self.rows_of(source);
        }
        self.guilty.get(&source).map_or(0, |rows| rows.len() as u64)
    }

    /// Where in a source the guilty rows lie: counts in so many parts of equal length.
    pub fn strip(&self, source: u32, parts: usize) -> Vec<u64> {
        let mut strip = vec![0u64; parts];
        if self.guilty_sources.contains_key(&source) {
            strip.fill(self.rows_of(source).div_ceil(parts.max(1) as u64));
            return strip;
        }
        let rows = self.guilty.get(&source);
        let last = rows.and_then(|rows| rows.last_key_value()).map_or(0, |(row, _)| *row);
        let width = u128::from(self.rows_of(source).max(last.saturating_add(1)));
        for row in rows.into_iter().flat_map(BTreeMap::keys) {
            if let Some(count) = strip.get_mut((u128::from(*row) * parts as u128 / width) as usize) {
                *count += 1;
            }
        }
        strip
    }

    /// How many rows a source has.
    pub fn rows_of(&self, source: u32) -> u64 {
        self.source_rows.get(source as usize).copied().unwrap_or(0)
    }

    /// Something is wrong, and no part explains it.
    pub fn unexplained(&self) -> impl Iterator<Item = &Segment> {
        self.segments.iter().filter(|segment| segment.part == Part::Everything)
    }
}

/// Rows by their place in a block.
pub(crate) struct Located {
    method: Method,
    part: Part,
    rows: Vec<usize>,
}

/// The smallest part whose absence leaves nothing that chance would not do.
pub(crate) fn locate(
    method: Method,
    verdict: &Verdict,
    scores: &[f32],
    block: &Block,
    null: &Null,
    alpha: f64,
) -> Located {
    if !verdict.guilty.is_empty() {
        let mut rows = verdict.guilty.clone();
        rows.sort_unstable();
        return Located { method, part: Part::Rows, rows };
    }
    let mut runs = runs(block);
    runs.sort_by_key(std::ops::Range::len);
    for run in runs {
        let own = scores.get(run.clone()).unwrap_or_default();
        // It must be guilty itself, and the others not without it.
        if null.judge(own).p_value >= alpha {
            continue;
        }
        let rest: Vec<f32> =
            scores.iter().enumerate().filter(|(row, _)| !run.contains(row)).map(|(_, score)| *score).collect();
        if null.judge(&rest).p_value >= alpha.max(0.01) {
            return Located { method, part: Part::Batch, rows: run.collect() };
        }
    }
    Located { method, part: Part::Everything, rows: Vec::new() }
}

/// Halves, quarters and so on of each source's rows in the block, each also shifted by half of its
/// length, and each source as a whole where there are several.
fn runs(block: &Block) -> Vec<std::ops::Range<usize>> {
    let mut out = Vec::new();
    let mut start = 0;
    while let Some((source, _)) = block.places.get(start) {
        let length = block.places.iter().skip(start).take_while(|(own, _)| own == source).count();
        if length < block.rows {
            out.push(start..start + length);
        }
        let mut size = length / 2;
        while size >= RUN_MIN && length / size <= 64 {
            let step = size / 2;
            let mut at = start;
            while at + size <= start + length {
                out.push(at..at + size);
                at += step;
            }
            size /= 2;
        }
        start += length;
    }
    out
}

impl Located {
    /// The guilty rows by their place in the block; none when no part explains it.
    pub(crate) fn rows(&self) -> &[usize] {
        &self.rows
    }

    /// What is said of it.
    pub(crate) fn segment(self, names: &[&str], features: &[usize], block: &Block, verdict: &Verdict) -> Segment {
        let columns: Vec<String> =
            features.iter().filter_map(|index| names.get(*index)).map(|name| (*name).to_owned()).collect();
        let places = self.rows.iter().filter_map(|row| block.places.get(*row).copied()).collect();
        let n = self.rows.len();
        let subject = match self.part {
            Part::Rows => format!("{n} rows, where clean data would have {:.1}:", verdict.expected),
            Part::Batch => format!("{n} rows that follow each other have more than chance would put there:"),
            Part::Source | Part::Everything => "more rows than chance would put there, in no part of their own:".into(),
        };
        Segment {
            method: self.method,
            part: self.part,
            reason: format!("{subject} {}", what(self.method, &columns)),
            expected: verdict.expected,
            p_value: verdict.p_value,
            columns,
            places,
            source: None,
            rows: n as u64,
        }
    }
}

fn what(method: Method, columns: &[String]) -> String {
    let columns = if columns.is_empty() { String::new() } else { format!(", in {}", columns.join(", ")) };
    match method {
        Method::ZScore => format!("numbers far from the mean{columns}"),
        Method::Mad => format!("numbers far from the median{columns}"),
        Method::Range => format!("numbers outside of all that the baseline has{columns}"),
        Method::RareValues => format!("values that the baseline hardly has{columns}"),
        Method::RarePairs => format!("values that hardly go together{columns}"),
        Method::Mahalanobis => format!("numbers that do not lie together as they do{columns}"),
        Method::IsolationForest => "unlike all others, by an isolation forest".to_owned(),
        Method::ConfidentLabels => {
            "labels that the baseline does not have, or that a model of it is sure are others".to_owned()
        }
        Method::Neighbours => "labels that the most similar rows of the baseline do not have".to_owned(),
        _ => String::new(),
    }
}

impl Segment {
    /// A source that is guilty as a whole, by its rows.
    fn of_source(source: u32, rows: u64, reason: String) -> Self {
        Self {
            method: Method::Sources,
            part: Part::Source,
            reason,
            expected: 0.0,
            p_value: 0.0,
            columns: Vec::new(),
            places: Vec::new(),
            source: Some(source),
            rows,
        }
    }

    /// A segment for each group, with its rows in the block.
    pub(crate) fn of_groups(
        method: Method,
        groups: &[Group],
        names: &[&str],
        block: &Block,
        p_value: f64,
    ) -> Vec<(Self, Vec<usize>)> {
        let mut out: Vec<(Self, Vec<usize>)> = Vec::new();
        for group in groups {
            let columns: Vec<String> =
                group.features.iter().filter_map(|index| names.get(*index)).map(|name| (*name).to_owned()).collect();
            let n = group.rows.len();
            let reason = match method {
                Method::Duplicates => format!("{n} rows are all the same, where {:.1} would be", group.expected),
                Method::NearDuplicates => {
                    format!("{n} rows differ in {} alone, where {:.1} would", columns.join(", "), group.expected)
                }
                Method::LabelShift => format!(
                    "{n} rows with one value of {} have one label, where a model of the baseline expects {:.1}",
                    columns.join(", "),
                    group.expected
                ),
                _ => {
                    let class = group.class;
                    let hits = group.rows.iter().filter(|row| block.labels.get(**row).copied() == class).count();
                    let shared = match columns.as_slice() {
                        [] => "a word that is rare in the baseline".to_owned(),
                        [one] => format!("a value of {one} that is rare in the baseline"),
                        several => {
                            format!("values of {} that are rare together in the baseline", several.join(" and "))
                        }
                    };
                    format!("{n} rows share {shared}, where {:.1} would; {hits} of them have one label", group.expected)
                }
            };
            // Where most are as they should be, the guilty ones cannot be told from them.
            let told_apart = group.expected * 2.0 <= n as f64;
            let part = if told_apart { Part::Rows } else { Part::Everything };
            let rows = if told_apart { group.rows.clone() } else { Vec::new() };
            let segment = Self {
                method,
                part,
                reason,
                expected: group.expected,
                p_value,
                columns,
                places: rows.iter().filter_map(|row| block.places.get(*row).copied()).collect(),
                source: None,
                rows: n as u64,
            };
            out.push((segment, rows));
            // One alarm that no part explains is enough, and of the others so many.
            if !told_apart || out.len() >= 100 {
                break;
            }
        }
        out
    }
}
