//! Two columns, measured against each other: exactly from their values, or from profiles with a
//! bound on the error.

use std::collections::BTreeMap;

use datasketches::{
    common::SearchCriteria,
    kll::{KllFloat, KllSketch, SortedView},
};

use super::{
    Counts, Measured, Samples,
    categories::FISHER_ROWS_MAX,
    maximum_mean_discrepancy,
    ranks::kolmogorov_p,
    verdict::{ColumnDrift, Named},
    welch, z_of_means,
};
use crate::{
    Moments,
    profile::{ColumnProfile, Histogram},
};

/// Bins of equal count for distances that need categories.
const BINS: usize = 20;
/// Bins of the pictures.
const PICTURE_BINS: usize = 30;
/// Categories that a report names.
const NAMED_MAX: usize = 12;

/// One column of one side.
#[derive(Clone, Debug, Default)]
pub struct Column<T> {
    pub values: T,
    /// Rows of the data, with those in which the value is missing.
    pub rows: u64,
    pub missing: u64,
}

impl<T> Column<T> {
    fn missing_share(&self) -> f64 {
        if self.rows == 0 { 0.0 } else { self.missing as f64 / self.rows as f64 }
    }
}

fn drift<A, B>(name: &str, kind: &'static str, sides: (&Column<A>, &Column<B>), decisive: Named) -> ColumnDrift {
    ColumnDrift {
        column: name.to_owned(),
        kind,
        reference_rows: sides.0.rows,
        current_rows: sides.1.rows,
        reference_missing: sides.0.missing_share(),
        current_missing: sides.1.missing_share(),
        decisive,
        p_adjusted: 1.0,
        drifted: false,
        undecided: false,
        tests: Vec::new(),
        reference_histogram: Histogram::default(),
        current_histogram: Histogram::default(),
        categories: Vec::new(),
    }
}

/// Numbers, all of them; the values must be sorted and hold no NaN.
pub fn from_numbers(
    name: &str,
    reference: &Column<Vec<f64>>,
    current: &Column<Vec<f64>>,
) -> Result<ColumnDrift, String> {
    let samples = Samples::new(&reference.values, &current.values).ok_or("there is no value on one side")?;
    let moments = |values: &[f64]| {
        let mut moments = Moments::default();
        moments.add_all(values);
        moments
    };
    let (x, y) = (moments(&reference.values), moments(&current.values));
    let smirnov = Named::of("kolmogorov_smirnov", samples.kolmogorov_smirnov());
    let mut tests = vec![
        smirnov.clone(),
        Named::of("cramer_von_mises", samples.cramer_von_mises()),
        Named::of("anderson_darling", samples.anderson_darling()),
        Named::of("mann_whitney", samples.mann_whitney()),
    ];
    tests.extend(welch(&x, &y).map(|t| Named::of("t", t)));
    tests.extend(z_of_means(&x, &y).map(|z| Named::of("z", z)));
    let wasserstein = samples.wasserstein();
    tests.push(Named::of("wasserstein", wasserstein));
    if x.deviation() > 0.0 {
        tests.push(Named::of("wasserstein_normed", Measured::distance(wasserstein.statistic / x.deviation())));
    }
    tests.push(Named::of("energy", samples.energy()));
    tests.extend(maximum_mean_discrepancy(&reference.values, &current.values).map(|m| Named::of("mmd", m)));
    tests.extend(distances(&samples.binned(BINS)));
    let mut drift = drift(name, "numbers", (reference, current), smirnov);
    drift.tests = tests;
    let edges = picture_edges(&reference.values, &current.values);
    drift.reference_histogram = counted(&edges, &reference.values);
    drift.current_histogram = counted(&edges, &current.values);
    Ok(drift)
}

/// Edges of the pictures: between the first and the last hundredth, since extremes are single
/// rows' values and squeeze the rest.
fn picture_edges(x: &[f64], y: &[f64]) -> Vec<f64> {
    let at = |values: &[f64], share: f64| values.get((values.len().saturating_sub(1) as f64 * share) as usize).copied();
    match (at(x, 0.01), at(y, 0.01), at(x, 0.99), at(y, 0.99)) {
        (Some(a), Some(b), Some(c), Some(d)) => edges_between(a.min(b), c.max(d)),
        _ => Vec::new(),
    }
}

fn edges_between(low: f64, high: f64) -> Vec<f64> {
    if !(high - low).is_finite() {
        return Vec::new();
    }
    let width = if high > low { (high - low) / PICTURE_BINS as f64 } else { 1.0 };
    (0..=PICTURE_BINS).map(|bin| low + width * bin as f64).collect()
}

/// Counts sorted values between edges.
fn counted(edges: &[f64], values: &[f64]) -> Histogram {
    let last = edges.len().saturating_sub(1);
    let ends: Vec<usize> = edges
        .iter()
        .enumerate()
        .map(|(index, edge)| match index {
            0 => 0,
            _ if index == last => values.len(),
            _ => values.partition_point(|value| value < edge),
        })
        .collect();
    let counts = ends
        .windows(2)
        .map(|pair| match pair {
            [from, to] => to.saturating_sub(*from) as u64,
            _ => 0,
        })
        .collect();
    Histogram { edges: edges.to_vec(), counts }
}

/// Distances between counts over the same categories or bins.
fn distances(counts: &[(f64, f64)]) -> Vec<Named> {
    let counts = Counts(counts);
    vec![
        Named::of("psi", counts.population_stability()),
        Named::of("jensen_shannon", counts.jensen_shannon()),
        Named::of("kullback_leibler", counts.kullback_leibler()),
        Named::of("hellinger", counts.hellinger()),
        Named::of("total_variation", counts.total_variation()),
    ]
}

/// Categories by their counts, all of them.
pub fn from_categories(
    name: &str,
    reference: &Column<BTreeMap<String, u64>>,
    current: &Column<BTreeMap<String, u64>>,
) -> Result<ColumnDrift, String> {
    categories(name, reference, current, 0.0)
}

fn categories(
    name: &str,
    reference: &Column<BTreeMap<String, u64>>,
    current: &Column<BTreeMap<String, u64>>,
    error: f64,
) -> Result<ColumnDrift, String> {
    let mut joined: BTreeMap<&str, (f64, f64)> = BTreeMap::new();
    for (value, count) in &reference.values {
        joined.entry(value).or_default().0 += *count as f64;
    }
    for (value, count) in &current.values {
        joined.entry(value).or_default().1 += *count as f64;
    }
    let pairs: Vec<(f64, f64)> = joined.values().copied().collect();
    let (x, y) = pairs.iter().fold((0.0, 0.0), |sum, pair| (sum.0 + pair.0, sum.1 + pair.1));
    if x == 0.0 || y == 0.0 {
        return Err("there is no value on one side".into());
    }
    let counts = Counts(&pairs);
    let test = counts.chi_square();
    let expected_least = pairs.iter().map(|(a, b)| (a + b) * x.min(y) / (x + y)).fold(f64::INFINITY, f64::min);
    let fisher = if x + y <= FISHER_ROWS_MAX { counts.fisher() } else { None };
    let mut tests = distances(&pairs);
    tests.extend(test.map(|t| Named::of("chi_square", t)));
    tests.extend(counts.g_test().map(|t| Named::of("g", t)));
    tests.extend(fisher.map(|t| Named::of("fisher", t)));
    if pairs.len() == 2 {
        tests.extend(counts.z_of_proportions().map(|t| Named::of("z", t)));
    }
    // The chi-square distribution is an approximation that small counts do not bear.
    let p = match (fisher, test) {
        (Some(fisher), _) if expected_least < 5.0 => fisher.p_value,
        (_, Some(test)) => test.p_value,
        _ => Some(1.0),
    };
    let decisive = Named {
        name: "total_variation",
        statistic: counts.total_variation().statistic,
        p_value: p,
        error: (error > 0.0).then_some(error),
    };
    let mut drift = drift(name, "categories", (reference, current), decisive);
    drift.tests = tests;
    let mut named: Vec<(String, f64, f64)> =
        joined.into_iter().map(|(value, (a, b))| (value.to_owned(), a / x, b / y)).collect();
    named.sort_by(|a, b| b.1.max(b.2).total_cmp(&a.1.max(a.2)).then_with(|| a.0.cmp(&b.0)));
    named.truncate(NAMED_MAX);
    drift.categories = named;
    Ok(drift)
}

/// Free text by what can be counted of it: each is a sample of numbers, sorted, and the one that
/// differs most decides.
pub fn from_texts(
    name: &str,
    reference: &Column<Vec<(&'static str, Vec<f64>)>>,
    current: &Column<Vec<(&'static str, Vec<f64>)>>,
) -> Result<ColumnDrift, String> {
    let count = reference.values.len().max(1) as f64;
    let mut best: Option<(Named, Histogram, Histogram)> = None;
    let mut tests = Vec::new();
    for ((feature, x), (_, y)) in reference.values.iter().zip(&current.values) {
        let samples = Samples::new(x, y).ok_or("there is no value on one side")?;
        let mut measured = samples.kolmogorov_smirnov();
        // Several features are tested: Bonferroni's correction within the column.
        measured.p_value = measured.p_value.map(|p| (p * count).min(1.0));
        let named = Named::of(feature, measured);
        let better = best.as_ref().is_none_or(|(best, ..)| named.statistic > best.statistic);
        if better {
            let edges = picture_edges(x, y);
            best = Some((named.clone(), counted(&edges, x), counted(&edges, y)));
        }
        tests.push(named);
    }
    let (decisive, before, after) = best.ok_or("nothing of the text was measured")?;
    let mut drift = drift(name, "text", (reference, current), decisive);
    drift.tests = tests;
    drift.reference_histogram = before;
    drift.current_histogram = after;
    Ok(drift)
}

/// Two columns by their profiles alone. Every statistic comes with a bound on its error, which
/// holds with 99 % confidence.
pub fn from_profiles(
    name: &str,
    reference: (&ColumnProfile, u64),
    current: (&ColumnProfile, u64),
) -> Result<ColumnDrift, String> {
    let side = |(profile, rows): (&ColumnProfile, u64)| Column { values: (), rows, missing: profile.missing };
    let (x, y) = (reference.0, current.0);
    if !x.sketch.is_empty() && !y.sketch.is_empty() {
        return sketches(name, x, y, (&side(reference), &side(current)));
    }
    if !x.histogram.counts.is_empty() && !y.histogram.counts.is_empty() && x.withheld.is_some() == y.withheld.is_some()
    {
        let ranks = x.rank_error + y.rank_error;
        return coarse(name, &x.histogram, &y.histogram, ranks, (&side(reference), &side(current)));
    }
    if !x.top.is_empty() && !y.top.is_empty() {
        return tops(name, reference, current);
    }
    Err(match (&x.withheld, &y.withheld) {
        (Some(why), _) | (_, Some(why)) => format!("values are withheld: {why}"),
        _ => "no value is frequent, and text is compared from data only".into(),
    })
}

/// Categories by the most frequent ones of both sides. What only one side names may be anything on
/// the other, so it is not counted as a difference but as what the distance may be off by.
fn tops(name: &str, reference: (&ColumnProfile, u64), current: (&ColumnProfile, u64)) -> Result<ColumnDrift, String> {
    let side = |(profile, rows): (&ColumnProfile, u64), other: &ColumnProfile| {
        let present = profile.present(rows);
        let all: u64 = profile.top.iter().map(|(_, count)| count).sum();
        let complete = all == present;
        // Where everything is named on the other side, what it does not name it does not have.
        let known = |value: &String| other.top.iter().any(|(theirs, _)| theirs == value);
        let values: BTreeMap<String, u64> = profile.top.iter().filter(|(value, _)| known(value)).cloned().collect();
        let named: u64 = values.values().sum();
        let share = |count: u64| count as f64 / present.max(1) as f64;
        (
            Column { values, rows, missing: profile.missing },
            share(present - named.min(present)),
            complete,
            share(profile.top_error),
        )
    };
    let ((a, a_rest, a_whole, a_off), (b, b_rest, b_whole, b_off)) =
        (side(reference, current.0), side(current, reference.0));
    let counted = (a.values.len() + b.values.len()) as f64;
    if a_whole && b_whole {
        let whole = |profile: &ColumnProfile, rows: u64| Column {
            values: profile.top.iter().cloned().collect(),
            rows,
            missing: profile.missing,
        };
        return categories(name, &whole(reference.0, reference.1), &whole(current.0, current.1), 0.0);
    }
    let error = a_rest.max(b_rest) + counted * (a_off + b_off) / 2.0;
    let mut drift = categories(name, &a, &b, error)?;
    // The shares are of what both sides name; the distance at the near end of its bound decides.
    let near = (drift.decisive.statistic - error).max(0.0);
    if near == 0.0 {
        drift.decisive.p_value = Some(1.0);
    }
    Ok(drift)
}

type Sides<'s> = (&'s Column<()>, &'s Column<()>);

fn sketches(name: &str, x: &ColumnProfile, y: &ColumnProfile, sides: Sides<'_>) -> Result<ColumnDrift, String> {
    let open = |bytes: &[u8]| {
        KllSketch::<KllFloat<f64>>::deserialize(bytes).map_err(|_| "the profile's sketch is damaged".to_owned())
    };
    let (a, b) = (open(&x.sketch)?, open(&y.sketch)?);
    let (view_a, view_b) = (a.sorted_view(), b.sorted_view());
    let steps = 2_000u32;
    let mut points: Vec<f64> = Vec::new();
    for view in [&view_a, &view_b] {
        for step in 0..=steps {
            if let Ok(Some(value)) = view.quantile(f64::from(step) / f64::from(steps), SearchCriteria::Inclusive) {
                points.push(*value);
            }
        }
    }
    points.sort_unstable_by(f64::total_cmp);
    points.dedup();
    let error = x.rank_error + y.rank_error;
    let (mut most, mut area, mut before) = (0.0f64, 0.0, None::<(f64, f64)>);
    for point in &points {
        let difference = rank(&view_a, *point) - rank(&view_b, *point);
        most = most.max(difference.abs());
        if let Some((value, difference)) = before {
            area += f64::abs(difference) * (point - value);
        }
        before = Some((*point, difference));
    }
    let mut smirnov = Named::of("kolmogorov_smirnov", Measured::distance(most)).within(error);
    // The distance at the near end of its bound: the test stays on the safe side.
    smirnov.p_value = Some(kolmogorov_p((most - error).max(0.0), a.n(), b.n()));
    let span = points.last().copied().unwrap_or(0.0) - points.first().copied().unwrap_or(0.0);
    let mut tests = vec![smirnov.clone(), Named::of("wasserstein", Measured::distance(area)).within(error * span)];
    if let (Some(x), Some(y)) = (&x.moments, &y.moments) {
        tests.extend(welch(x, y).map(|t| Named::of("t", t)));
        tests.extend(z_of_means(x, y).map(|z| Named::of("z", z)));
    }
    let mut edges: Vec<f64> = (1..BINS as u32)
        .filter_map(|bin| view_a.quantile(f64::from(bin) / BINS as f64, SearchCriteria::Inclusive).ok().flatten())
        .map(|value| *value)
        .collect();
    edges.dedup();
    let shares = |view: &SortedView<KllFloat<f64>>, n: u64| -> Vec<f64> {
        let ranks: Vec<f64> = edges.iter().map(|edge| rank(view, *edge)).chain([1.0]).collect();
        let mut before = 0.0;
        ranks
            .into_iter()
            .map(|rank| {
                let share = (rank - before).max(0.0);
                before = rank;
                share * n as f64
            })
            .collect()
    };
    let binned: Vec<(f64, f64)> = shares(&view_a, a.n()).into_iter().zip(shares(&view_b, b.n())).collect();
    // A bin's share is the difference of two ranks.
    let off = binned.len() as f64 * error;
    tests.extend(distances(&binned).into_iter().map(|named| match named.name {
        "total_variation" => named.within(off),
        _ => named,
    }));
    let mut drift = drift(name, "numbers", sides, smirnov);
    drift.tests = tests;
    let edges = picture_edges(&points, &points);
    drift.reference_histogram = Histogram::at(edges.clone(), a.n(), |x| rank(&view_a, x));
    drift.current_histogram = Histogram::at(edges, b.n(), |x| rank(&view_b, x));
    Ok(drift)
}

fn rank(view: &SortedView<KllFloat<f64>>, x: f64) -> f64 {
    KllFloat::<f64>::new(x).ok().and_then(|x| view.rank(&x, SearchCriteria::Inclusive)).unwrap_or(0.0)
}

/// Wide bins of withheld columns. What a bin holds is known, where in it is not, so a
/// distribution function is known at the edges only.
fn coarse(name: &str, x: &Histogram, y: &Histogram, ranks: f64, sides: Sides<'_>) -> Result<ColumnDrift, String> {
    let total = |h: &Histogram| h.counts.iter().sum::<u64>();
    let (m, n) = (total(x), total(y));
    let mut edges: Vec<f64> = x.edges.iter().chain(&y.edges).copied().collect();
    edges.sort_unstable_by(f64::total_cmp);
    edges.dedup();
    let most = edges.iter().map(|edge| (share_below(x, *edge) - share_below(y, *edge)).abs()).fold(0.0, f64::max);
    // Within a bin the rows may lie anywhere, so each side's share in it may be on either end.
    let most_in_bin = |h: &Histogram, all: u64| h.counts.iter().copied().max().unwrap_or(0) as f64 / all.max(1) as f64;
    let error = most_in_bin(x, m) + most_in_bin(y, n) + ranks;
    let mut smirnov = Named::of("kolmogorov_smirnov", Measured::distance(most)).within(error);
    smirnov.p_value = Some(kolmogorov_p((most - error).max(0.0), m, n));
    let mut drift = drift(name, "numbers", sides, smirnov.clone());
    drift.tests = vec![smirnov];
    drift.reference_histogram = Histogram::at(edges.clone(), m, |edge| share_below(x, edge));
    drift.current_histogram = Histogram::at(edges, n, |edge| share_below(y, edge));
    Ok(drift)
}

/// The share below an edge, a bin's rows being spread evenly over it.
fn share_below(h: &Histogram, edge: f64) -> f64 {
    let all: u64 = h.counts.iter().sum();
    let below: f64 = h
        .edges
        .windows(2)
        .zip(&h.counts)
        .map(|(bin, count)| match bin {
            [low, high] if edge >= *high || high <= low => *count as f64 * f64::from(u8::from(edge >= *low)),
            [low, high] if edge > *low => *count as f64 * (edge - low) / (high - low),
            _ => 0.0,
        })
        .sum();
    below / all.max(1) as f64
}
