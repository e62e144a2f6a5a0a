//! Verdicts, in the shape of Great Expectations' results.

mod table;

use lockgate_core::Result;
use serde::Serialize;
use serde_json::{Map, Value, json};

use super::{
    divergence::Partition,
    gather::{EXAMPLES, Gathered, Tested},
    kwargs::{Bound, Bounds, Item},
    row::Interval,
    state::{State, item_hash},
    suite::{Aggregate, Check, Expectation, SetRelation, Spread},
    validator::{Group, Member, Sql, Validator, Values},
};
use crate::{
    column::{Kind, Scalar, number_json},
    distinct::Hashes,
    numbers::{Between, Numbers},
};

/// The verdict on a suite, as Great Expectations writes it.
#[derive(Clone, Debug, Serialize)]
pub struct SuiteResult {
    pub success: bool,
    pub suite_name: String,
    pub statistics: Statistics,
    pub results: Vec<ExpectationResult>,
    pub meta: Value,
}

#[derive(Clone, Debug, Serialize)]
pub struct Statistics {
    pub evaluated_expectations: usize,
    pub successful_expectations: usize,
    pub unsuccessful_expectations: usize,
    pub success_percent: Option<f64>,
}

/// The verdict on one expectation.
#[derive(Clone, Debug, Serialize)]
pub struct ExpectationResult {
    pub success: bool,
    pub expectation_config: Value,
    pub result: Value,
    pub exception_info: ExceptionInfo,
    pub meta: Value,
}

#[derive(Clone, Debug, Serialize)]
pub struct ExceptionInfo {
    pub raised_exception: bool,
    pub exception_message: Option<String>,
    pub exception_traceback: Option<String>,
}

impl ExpectationResult {
    /// The expectation's name.
    pub fn kind(&self) -> &str {
        let config = &self.expectation_config;
        config.get("type").or_else(|| config.get("expectation_type")).and_then(Value::as_str).unwrap_or_default()
    }

    /// The columns that it is about.
    pub fn columns(&self) -> Vec<&str> {
        let kwargs = self.expectation_config.get("kwargs");
        let text = |key: &str| kwargs?.get(key)?.as_str();
        let list = kwargs.and_then(|k| k.get("column_list")).and_then(Value::as_array);
        ["column", "column_A", "column_B"]
            .iter()
            .filter_map(|key| text(key))
            .chain(list.into_iter().flatten().filter_map(Value::as_str))
            .collect()
    }
}

/// A verdict, or why there is none.
type Verdict = std::result::Result<(bool, Value), String>;

pub(crate) fn of(validator: Validator, sql: Option<&dyn Sql>) -> Result<SuiteResult> {
    let mut verdicts: Vec<Option<Verdict>> = vec![None; validator.suite.expectations.len()];
    let judge = Judge {
        show: validator.options.values == Values::Show,
        hashes: validator.hashes.clone(),
        header: validator.schema.fields().iter().map(|field| field.name().clone()).collect(),
        kinds: (0..validator.schema.fields().len()).map(|index| validator.kind(index)).collect(),
        types: (0..validator.schema.fields().len()).map(|index| validator.type_name(index)).collect(),
        sql,
    };
    let suite = std::sync::Arc::clone(&validator.suite);
    for mut group in validator.groups {
        let members = std::mem::take(&mut group.members);
        for member in members {
            let Some(expectation) = suite.expectations.get(member.index) else { continue };
            let index = member.index;
            let verdict = match &group.broken {
                Some(what) => Err(what.clone()),
                None => judge.verdict(expectation, member, &mut group)?,
            };
            if let Some(place) = verdicts.get_mut(index) {
                *place = Some(verdict);
            }
        }
    }
    let results: Vec<ExpectationResult> =
        suite.expectations.iter().zip(verdicts).map(|(expectation, verdict)| result(expectation, verdict)).collect();
    let good = results.iter().filter(|result| result.success).count();
    Ok(SuiteResult {
        success: good == results.len(),
        suite_name: suite.name.clone(),
        statistics: Statistics {
            evaluated_expectations: results.len(),
            successful_expectations: good,
            unsuccessful_expectations: results.len() - good,
            success_percent: (!results.is_empty()).then(|| good as f64 / results.len() as f64 * 100.0),
        },
        results,
        meta: json!({"rows": validator.rows}),
    })
}

fn result(expectation: &Expectation, verdict: Option<Verdict>) -> ExpectationResult {
    let (success, result, message) = match verdict {
        Some(Ok((success, result))) => (success, result, None),
        Some(Err(what)) => (false, json!({}), Some(what)),
        None => (false, json!({}), Some("it was not judged".to_owned())),
    };
    let mut config = expectation.config.clone();
    if let Some(object) = config.as_object_mut() {
        object.remove("expectation_type");
        object.insert("type".into(), expectation.kind.clone().into());
    }
    ExpectationResult {
        success,
        expectation_config: config,
        result,
        exception_info: ExceptionInfo {
            raised_exception: message.is_some(),
            exception_message: message,
            exception_traceback: None,
        },
        meta: json!({}),
    }
}

struct Judge<'s> {
    show: bool,
    hashes: Hashes,
    header: Vec<String>,
    kinds: Vec<Kind>,
    types: Vec<String>,
    sql: Option<&'s dyn Sql>,
}

impl Judge<'_> {
    fn verdict(&self, expectation: &Expectation, member: Member, group: &mut Group) -> Result<Verdict> {
        let rows = group.rows;
        let place = member.columns.first().copied();
        let kind = place.and_then(|place| self.kinds.get(place)).copied().unwrap_or(Kind::Other);
        let gathered = place.and_then(|place| group.columns.get_mut(&place));
        let check = &expectation.check;
        Ok(match member.state {
            State::Broken(what) => Err(what),
            State::Missing { tested, .. } => Ok(self.missing(tested, mostly(check))),
            State::Row { tested, .. } | State::Order { tested, .. } => Ok(self.mapped(tested, mostly(check), None)),
            State::Spread { values, rows, moments, tested } => Ok(self.spread(check, &values, &rows, &moments, tested)),
            State::Records { counts, tested, .. } => match counts {
                Some(mut counts) => Ok(self.compound(&mut counts, tested, mostly(check))?),
                None => Ok(self.mapped(tested, mostly(check), None)),
            },
            State::Histogram(histogram) => match check {
                Check::Divergence { divergence, .. } => Ok(divergence.over_bins(&histogram)),
                _ => Err("it was not judged".into()),
            },
            State::Gathered => match (check, gathered) {
                (Check::ColumnType { .. } | Check::ValueTypes { .. }, _) | (_, None) => {
                    self.table(check, rows, place)?
                }
                (_, Some(gathered)) => self.gathered(check, gathered, kind)?,
            },
        })
    }

    fn missing(&self, tested: Tested, mostly: f64) -> (bool, Value) {
        let mut result = Map::new();
        result.insert("element_count".into(), tested.elements.into());
        result.insert("unexpected_count".into(), tested.unexpected.into());
        result.insert("unexpected_percent".into(), percent(tested.unexpected, tested.elements));
        self.examples(&mut result, &tested);
        (passes(tested.elements, tested.unexpected, mostly), Value::Object(result))
    }

    /// The result of a question to each row.
    fn mapped(&self, tested: Tested, mostly: f64, rank_error: Option<f64>) -> (bool, Value) {
        let present = tested.elements - tested.missing;
        let mut result = Map::new();
        result.insert("element_count".into(), tested.elements.into());
        result.insert("unexpected_count".into(), tested.unexpected.into());
        result.insert("unexpected_percent".into(), percent(tested.unexpected, present));
        result.insert("missing_count".into(), tested.missing.into());
        result.insert("missing_percent".into(), percent(tested.missing, tested.elements));
        result.insert("unexpected_percent_total".into(), percent(tested.unexpected, tested.elements));
        result.insert("unexpected_percent_nonmissing".into(), percent(tested.unexpected, present));
        if let Some(error) = rank_error {
            result.insert("rank_error".into(), error.into());
        }
        self.examples(&mut result, &tested);
        (passes(present, tested.unexpected, mostly), Value::Object(result))
    }

    fn examples(&self, result: &mut Map<String, Value>, tested: &Tested) {
        // Rows that repeat a value are known by number only.
        if self.show && !tested.examples.iter().all(|(_, value)| value.is_null()) {
            let values: Vec<&Value> = tested.examples.iter().map(|(_, value)| value).collect();
            result.insert("partial_unexpected_list".into(), json!(values));
        }
        let rows: Vec<u64> = tested.examples.iter().map(|(row, _)| *row).collect();
        result.insert("partial_unexpected_index_list".into(), json!(rows));
    }

    fn spread(
        &self,
        check: &Check,
        values: &Numbers,
        rows: &[u64],
        moments: &crate::Moments,
        mut tested: Tested,
    ) -> (bool, Value) {
        let bad: Box<dyn Fn(f64) -> bool> = match check {
            Check::ZScore { threshold, double_sided, .. } => {
                let (mean, deviation) = (moments.mean(), moments.deviation());
                let (threshold, both) = (*threshold, *double_sided);
                if deviation == 0.0 || deviation.is_nan() {
                    Box::new(|_| false)
                } else {
                    Box::new(move |value| {
                        let z = (value - mean) / deviation;
                        if both { z.abs() >= threshold.abs() } else { z >= threshold }
                    })
                }
            }
            Check::Outliers { method: Spread::Quartiles, multiplier, .. } => {
                match values.quantiles(&[0.25, 0.75], Between::Linear).as_deref() {
                    Some([low, high]) if (high - low).is_finite() => {
                        let reach = multiplier * (high - low);
                        let (low, high) = (low - reach, high + reach);
                        Box::new(move |value| value < low || value > high)
                    }
                    _ => Box::new(|_| false),
                }
            }
            Check::Outliers { multiplier, .. } => {
                let (mean, reach) = (moments.mean(), multiplier * moments.deviation());
                if reach.is_nan() || mean.is_nan() {
                    Box::new(|_| false)
                } else if reach <= 0.0 {
                    Box::new(move |value| value != mean)
                } else {
                    Box::new(move |value| (value - mean).abs() >= reach)
                }
            }
            _ => Box::new(|_| false),
        };
        // Extremes are exact even where values are sketched: what is far out is not overlooked.
        let extreme = u64::from(moments.count > 0 && (bad(moments.min) || bad(moments.max)));
        tested.unexpected = match values.rank_error() {
            Some(_) if extreme == 0 => 0,
            Some(_) => values.count(&bad).max(extreme),
            None => values.count(&bad),
        };
        if let Numbers::Exact { values, .. } = values {
            for (value, row) in values.iter().zip(rows).filter(|(value, _)| bad(**value)).take(EXAMPLES) {
                tested.example(*row, if self.show { number_json(*value) } else { Value::Null });
            }
        }
        self.mapped(tested, mostly(check), values.rank_error())
    }

    fn compound(
        &self,
        counts: &mut crate::distinct::Distinct,
        mut tested: Tested,
        mostly: f64,
    ) -> Result<(bool, Value)> {
        let tally = counts.tally(EXAMPLES)?;
        tested.unexpected = tally.repeated_rows;
        tested.examples = tally.repeated_first.into_iter().map(|row| (row, Value::Null)).collect();
        Ok(self.mapped(tested, mostly, None))
    }

    fn gathered(&self, check: &Check, gathered: &mut Gathered, kind: Kind) -> Result<Verdict> {
        Ok(match check {
            Check::Aggregate { what, bounds, .. } => {
                let observed = Self::aggregate(*what, gathered, kind)?;
                judge_bounds(observed.as_ref().ok(), bounds, kind).map(|success| {
                    // A text that comes first or last is somebody's.
                    let shown = observed.clone().ok().filter(|o| self.show || !matches!(o, Observed::Text(_)));
                    let mut result = json!({"observed_value": shown.map_or(Value::Null, |o| o.to_json())});
                    if let (Aggregate::Median, Some(error), Some(object)) =
                        (what, gathered.numbers.rank_error(), result.as_object_mut())
                    {
                        object.insert("rank_error".into(), error.into());
                    }
                    (success, result)
                })
            }
            Check::Unique { mostly, .. } => {
                let Some(distinct) = &mut gathered.distinct else { return Ok(Err("nothing was counted".into())) };
                let tally = distinct.tally(EXAMPLES)?;
                let tested = Tested {
                    elements: gathered.rows,
                    missing: gathered.missing,
                    unexpected: tally.repeated_rows,
                    examples: tally.repeated_first.into_iter().map(|row| (row, Value::Null)).collect(),
                };
                Ok(self.mapped(tested, *mostly, None))
            }
            Check::Quantiles { ranks, ranges, between, .. } => Ok(quantiles(gathered, ranks, ranges, *between)),
            Check::DistinctSet { items, how, .. } => Ok(self.distinct_set(gathered, items, *how, kind)?),
            Check::MostCommon { items, ties, .. } => Ok(self.most_common(gathered, items, *ties, kind)?),
            Check::Divergence { divergence, .. } => match (&divergence.partition, &mut gathered.distinct) {
                (Partition::Values { .. }, Some(distinct)) => {
                    Ok(divergence.over_values(distinct, &|value| item_hash(&self.hashes, value, kind))?)
                }
                _ => Err("nothing was counted".into()),
            },
            _ => Err("it was not judged".into()),
        })
    }

    fn aggregate(what: Aggregate, gathered: &mut Gathered, kind: Kind) -> Result<std::result::Result<Observed, ()>> {
        let moments = &gathered.moments;
        let number = |value: f64| if value.is_nan() { Err(()) } else { Ok(Observed::Number(value)) };
        let extreme = |value: f64| match kind {
            _ if moments.count == 0 => Err(()),
            Kind::Time | Kind::Day => Ok(Observed::Time(value as i64, kind)),
            _ => number(value),
        };
        Ok(match what {
            Aggregate::Max | Aggregate::Min if kind == Kind::Text => {
                let words = gathered.words.clone().ok_or(());
                words.map(|(first, last)| Observed::Text(if what == Aggregate::Max { last } else { first }))
            }
            Aggregate::Max => extreme(moments.max),
            Aggregate::Min => extreme(moments.min),
            Aggregate::Mean if kind.is_time() => extreme(moments.mean),
            Aggregate::Mean => number(moments.mean()),
            Aggregate::Deviation => number(moments.deviation()),
            Aggregate::Sum => number(moments.sum),
            Aggregate::Median => match gathered.numbers.quantiles(&[0.5], Between::Linear).as_deref() {
                Some([median]) if kind.is_time() => Ok(Observed::Time(*median as i64, kind)),
                Some([median]) => number(*median),
                _ => Err(()),
            },
            Aggregate::NonNullProportion => {
                let share = gathered.present() as f64 / gathered.rows as f64;
                if gathered.rows == 0 { Ok(Observed::Number(0.0)) } else { number(share) }
            }
            Aggregate::DistinctCount | Aggregate::UniqueProportion => {
                let Some(distinct) = &mut gathered.distinct else { return Ok(Err(())) };
                let count = match distinct.in_memory() {
                    Some(count) => count as f64,
                    None => distinct.tally(0)?.distinct as f64,
                };
                let present = gathered.present();
                match what {
                    Aggregate::DistinctCount => number(count),
                    _ if present == 0 => Ok(Observed::Number(0.0)),
                    _ => number(count / present as f64),
                }
            }
        })
    }

    fn distinct_set(
        &self,
        gathered: &mut Gathered,
        items: &[Item],
        how: SetRelation,
        kind: Kind,
    ) -> Result<(bool, Value)> {
        let mut wanted: hashbrown::HashMap<u128, (&Value, bool)> =
            items.iter().map(|item| (item_hash(&self.hashes, &item.0, kind), (&item.0, false))).collect();
        let mut unexpected = 0u64;
        let (mut rows, mut values) = (Vec::new(), Vec::new());
        if let Some(distinct) = &mut gathered.distinct {
            let names = &gathered.names;
            distinct.visit(|hash, _, first| {
                if let Some((_, seen)) = wanted.get_mut(&hash) {
                    *seen = true;
                    return;
                }
                unexpected += 1;
                if rows.len() < EXAMPLES {
                    rows.push(first);
                    values.extend(names.get(&hash).cloned());
                }
            })?;
        }
        rows.sort_unstable();
        let missing: Vec<&Value> = wanted.values().filter(|(_, seen)| !seen).map(|(value, _)| *value).collect();
        let mut result = Map::new();
        result.insert("observed_value".into(), Value::Null);
        if how != SetRelation::Contains {
            result.insert("unexpected_count".into(), unexpected.into());
            result.insert("partial_unexpected_index_list".into(), json!(rows));
            if self.show {
                result.insert("partial_unexpected_list".into(), json!(values));
            }
        }
        if how != SetRelation::Within {
            result.insert("missing_count".into(), missing.len().into());
            let shown: Vec<&&Value> = missing.iter().take(EXAMPLES).collect();
            result.insert("partial_missing_list".into(), json!(shown));
        }
        let success = match how {
            SetRelation::Within => unexpected == 0,
            SetRelation::Contains => missing.is_empty(),
            SetRelation::Equals => unexpected == 0 && missing.is_empty(),
        };
        Ok((success, Value::Object(result)))
    }

    fn most_common(&self, gathered: &mut Gathered, items: &[Item], ties: bool, kind: Kind) -> Result<(bool, Value)> {
        let (mut most, mut modes) = (0u64, Vec::new());
        if let Some(distinct) = &mut gathered.distinct {
            distinct.visit(|hash, count, _| {
                if count > most {
                    most = count;
                    modes.clear();
                }
                if count == most && modes.len() < 1 << 16 {
                    modes.push(hash);
                }
            })?;
        }
        let wanted: hashbrown::HashSet<u128> =
            items.iter().map(|item| item_hash(&self.hashes, &item.0, kind)).collect();
        let within = modes.iter().filter(|mode| wanted.contains(*mode)).count();
        let success = if ties { within > 0 } else { modes.len() == 1 && within == 1 };
        let mut result = json!({"most_common_count": most, "most_common_values": modes.len()});
        if self.show
            && let Some(object) = result.as_object_mut()
        {
            let names: Vec<&Value> = modes.iter().filter_map(|mode| gathered.names.get(mode)).take(EXAMPLES).collect();
            object.insert("observed_value".into(), json!(names));
        }
        Ok((success, result))
    }
}

/// An aggregate's value.
#[derive(Clone, Debug)]
enum Observed {
    Number(f64),
    Text(String),
    Time(i64, Kind),
}

impl Observed {
    fn to_json(&self) -> Value {
        match self {
            Self::Number(value) => number_json(*value),
            Self::Text(text) => text.clone().into(),
            Self::Time(micros, Kind::Day) => Scalar::Day(*micros).to_json(),
            Self::Time(micros, _) => Scalar::Time(*micros).to_json(),
        }
    }
}

fn judge_bounds(observed: Option<&Observed>, bounds: &Bounds, kind: Kind) -> std::result::Result<bool, String> {
    let Some(observed) = observed else { return Ok(false) };
    match observed {
        Observed::Number(value) => Ok(bounds.numbers()?.holds(value)),
        Observed::Time(value, _) => Ok(bounds.times()?.holds(value)),
        Observed::Text(value) => {
            let range: Interval<String> = bounds.clone().range().map(|bound| match bound {
                Bound::Text(text) => Ok(text),
                Bound::Number(_) => {
                    Err(format!("the column holds {}, min_value or max_value is a number", kind.name()))
                }
            })?;
            Ok(range.holds(value))
        }
    }
}

fn quantiles(gathered: &Gathered, ranks: &[f64], ranges: &[(f64, f64)], between: Between) -> (bool, Value) {
    let values = gathered.numbers.quantiles(ranks, between);
    let inside: Vec<bool> = match &values {
        None => vec![false; ranks.len()],
        Some(values) => values
            .iter()
            .zip(ranges)
            .map(|(value, (low, high))| {
                // A ten-thousandth of slack at the ends, as Great Expectations gives.
                let near = |end: f64| end.is_finite() && (value - end).abs() <= 1e-4 * end.abs();
                near(*low) || near(*high) || (low <= value && value <= high)
            })
            .collect(),
    };
    let observed: Vec<Value> = match &values {
        None => vec![Value::Null; ranks.len()],
        Some(values) => values.iter().map(|value| number_json(*value)).collect(),
    };
    let mut result = json!({
        "observed_value": {"quantiles": ranks, "values": observed},
        "details": {"success_details": inside},
    });
    if let (Some(error), Some(object)) = (gathered.numbers.rank_error(), result.as_object_mut()) {
        object.insert("rank_error".into(), error.into());
    }
    (inside.iter().all(|inside| *inside), result)
}

fn mostly(check: &Check) -> f64 {
    match check {
        Check::Missing { mostly, .. }
        | Check::Row { mostly, .. }
        | Check::Order { mostly, .. }
        | Check::ZScore { mostly, .. }
        | Check::Outliers { mostly, .. }
        | Check::Unique { mostly, .. }
        | Check::Records { mostly, .. } => *mostly,
        _ => 1.0,
    }
}

fn passes(considered: u64, unexpected: u64, mostly: f64) -> bool {
    considered == 0 || (considered - unexpected) as f64 / considered as f64 >= mostly
}

fn percent(part: u64, whole: u64) -> Value {
    if whole == 0 { Value::Null } else { number_json(part as f64 / whole as f64 * 100.0) }
}
