//! Expectation suites: the JSON that Great Expectations writes, 0.18 and 1.x.

use std::path::Path;

use lockgate_core::{Failure, Result, nearest};
use serde::Deserialize;
use serde_json::{Map, Value};

use super::{
    condition::Condition,
    divergence::Divergence,
    kwargs::{Bounds, Item, Kwargs},
    row::{Match, Question},
};
use crate::numbers::Between;

/// Expectations of one suite.
pub const EXPECTATIONS_MAX: usize = 2_000;

/// A suite of expectations.
#[derive(Clone, Debug)]
pub struct Suite {
    pub name: String,
    pub(crate) expectations: Vec<Expectation>,
}

/// One expectation, read and understood.
#[derive(Clone, Debug)]
pub(crate) struct Expectation {
    pub(crate) kind: String,
    /// As it was given, for the result.
    pub(crate) config: Value,
    pub(crate) condition: Option<Condition>,
    pub(crate) check: Check,
}

/// What is expected.
#[derive(Clone, Debug)]
pub(crate) enum Check {
    RowCount(Bounds),
    RowCountEquals(f64),
    ColumnCount(Bounds),
    ColumnCountEquals(f64),
    ColumnsOrdered(Vec<String>),
    ColumnsSet {
        names: Vec<String>,
        exact: bool,
    },
    ColumnExists {
        column: String,
        index: Option<usize>,
    },
    ColumnType {
        column: String,
        name: String,
    },
    /// The column's values have one of these types, by the names of Python, NumPy and pandas.
    ValueTypes {
        column: String,
        names: Vec<String>,
    },
    Missing {
        column: String,
        wanted: bool,
        mostly: f64,
    },
    Row {
        column: String,
        question: Question,
        mostly: f64,
    },
    Order {
        column: String,
        rising: bool,
        strictly: bool,
        mostly: f64,
    },
    ZScore {
        column: String,
        threshold: f64,
        double_sided: bool,
        mostly: f64,
    },
    Outliers {
        column: String,
        method: Spread,
        multiplier: f64,
        mostly: f64,
    },
    Unique {
        column: String,
        mostly: f64,
    },
    Records {
        columns: Vec<String>,
        question: Records,
        ignore: Ignore,
        mostly: f64,
    },
    Aggregate {
        column: String,
        what: Aggregate,
        bounds: Bounds,
    },
    Quantiles {
        column: String,
        ranks: Vec<f64>,
        ranges: Vec<(f64, f64)>,
        between: Between,
    },
    DistinctSet {
        column: String,
        items: Vec<Item>,
        how: SetRelation,
    },
    MostCommon {
        column: String,
        items: Vec<Item>,
        ties: bool,
    },
    Divergence {
        column: String,
        divergence: Divergence,
    },
    OtherTable(String),
    UnexpectedRows(String),
    QueryMatch {
        base: String,
        comparison: String,
        mostly: f64,
    },
}

/// What is aggregated over a column.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Aggregate {
    Max,
    Min,
    Mean,
    Median,
    Deviation,
    Sum,
    DistinctCount,
    UniqueProportion,
    NonNullProportion,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum SetRelation {
    Within,
    Contains,
    Equals,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Spread {
    /// Tukey's fences around the quartiles.
    Quartiles,
    /// Standard deviations around the mean.
    Deviation,
}

/// A question about several columns of one row.
#[derive(Clone, Debug)]
pub(crate) enum Records {
    Greater {
        or_equal: bool,
    },
    Equal,
    PairInSet(Vec<(Item, Item)>),
    Sum(f64),
    AllEqual,
    AllDifferent,
    /// No two rows have the same values.
    Compound,
}

/// Which rows a question about several columns leaves out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Ignore {
    All,
    Any,
    Never,
}

#[derive(Deserialize)]
struct Document {
    #[serde(alias = "expectation_suite_name")]
    name: String,
    expectations: Vec<Value>,
}

impl Suite {
    pub fn read(path: &Path) -> Result<Self> {
        Self::parse(&lockgate_core::yaml::read_text(path)?, &path.display().to_string())
    }

    /// Parses a suite; `file` names it in errors.
    pub fn parse(text: &str, file: &str) -> Result<Self> {
        let document: Document = serde_json::from_str(text).map_err(|error| {
            Failure::input(format!("{file}:{}:{}: this is not an expectation suite", error.line(), error.column()))
                .hint("a suite is JSON with `name` and `expectations`, as Great Expectations writes it")
        })?;
        if document.expectations.len() > EXPECTATIONS_MAX {
            return Err(Failure::input(format!("{file}: a suite has at most {EXPECTATIONS_MAX} expectations")));
        }
        let expectations = document
            .expectations
            .into_iter()
            .enumerate()
            .map(|(index, config)| {
                expectation(config).map_err(|what| Failure::input(format!("{file}: expectations[{index}]: {what}")))
            })
            .collect::<Result<_>>()?;
        Ok(Self { name: document.name, expectations })
    }

    /// How many expectations there are.
    pub fn len(&self) -> usize {
        self.expectations.len()
    }

    pub fn is_empty(&self) -> bool {
        self.expectations.is_empty()
    }

    /// Whether some expectation asks for SQL.
    pub fn needs_sql(&self) -> bool {
        self.expectations
            .iter()
            .any(|e| matches!(e.check, Check::OtherTable(_) | Check::UnexpectedRows(_) | Check::QueryMatch { .. }))
    }

    /// The columns that are looked at; `None` when a condition or a table-wide expectation may
    /// need any of them.
    pub fn columns(&self) -> Vec<String> {
        let mut names: Vec<String> = Vec::new();
        for expectation in &self.expectations {
            names.extend(expectation.check.columns().into_iter().cloned());
            if let Some(condition) = &expectation.condition {
                condition.columns(&mut names);
            }
        }
        names.sort();
        names.dedup();
        names
    }
}

impl Check {
    pub(crate) fn columns(&self) -> Vec<&String> {
        match self {
            Self::ColumnType { column, .. }
            | Self::ValueTypes { column, .. }
            | Self::Missing { column, .. }
            | Self::Row { column, .. }
            | Self::Order { column, .. }
            | Self::ZScore { column, .. }
            | Self::Outliers { column, .. }
            | Self::Unique { column, .. }
            | Self::Aggregate { column, .. }
            | Self::Quantiles { column, .. }
            | Self::DistinctSet { column, .. }
            | Self::MostCommon { column, .. }
            | Self::Divergence { column, .. } => vec![column],
            Self::Records { columns, .. } => columns.iter().collect(),
            _ => Vec::new(),
        }
    }
}

fn expectation(config: Value) -> Result<Expectation, String> {
    let object = config.as_object().ok_or("an expectation is an object")?;
    let kind = object
        .get("type")
        .or_else(|| object.get("expectation_type"))
        .and_then(Value::as_str)
        .ok_or("`type` is missing")?
        .to_owned();
    let none = Map::new();
    let kwargs = match object.get("kwargs") {
        Some(Value::Object(kwargs)) => kwargs,
        None => &none,
        Some(_) => return Err(format!("{kind}: kwargs must be an object")),
    };
    let at = |what: String| format!("{kind}: {what}");
    let check = check(&kind, &Kwargs(kwargs)).map_err(at)?;
    let condition = Condition::parse(kwargs.get("row_condition")).map_err(at)?;
    Ok(Expectation { kind, config: config.clone(), condition, check })
}

/// The names of all expectations that are known.
pub const KINDS: [&str; 60] = [
    "expect_column_distinct_values_to_be_in_set",
    "expect_column_distinct_values_to_contain_set",
    "expect_column_distinct_values_to_equal_set",
    "expect_column_kl_divergence_to_be_less_than",
    "expect_column_max_to_be_between",
    "expect_column_mean_to_be_between",
    "expect_column_median_to_be_between",
    "expect_column_min_to_be_between",
    "expect_column_most_common_value_to_be_in_set",
    "expect_column_pair_values_a_to_be_greater_than_b",
    "expect_column_pair_values_to_be_equal",
    "expect_column_pair_values_to_be_in_set",
    "expect_column_proportion_of_non_null_values_to_be_between",
    "expect_column_proportion_of_unique_values_to_be_between",
    "expect_column_quantile_values_to_be_between",
    "expect_column_stdev_to_be_between",
    "expect_column_sum_to_be_between",
    "expect_column_to_exist",
    "expect_column_type_to_be",
    "expect_column_unique_value_count_to_be_between",
    "expect_column_value_lengths_to_be_between",
    "expect_column_value_lengths_to_equal",
    "expect_column_value_z_scores_to_be_less_than",
    "expect_column_values_to_be_between",
    "expect_column_values_to_be_dateutil_parseable",
    "expect_column_values_to_be_decreasing",
    "expect_column_values_to_be_in_set",
    "expect_column_values_to_be_in_type_list",
    "expect_column_values_to_be_increasing",
    "expect_column_values_to_be_json_parseable",
    "expect_column_values_to_be_null",
    "expect_column_values_to_be_of_type",
    "expect_column_values_to_be_unique",
    "expect_column_values_to_match_json_schema",
    "expect_column_values_to_match_like_pattern",
    "expect_column_values_to_match_like_pattern_list",
    "expect_column_values_to_match_regex",
    "expect_column_values_to_match_regex_list",
    "expect_column_values_to_match_strftime_format",
    "expect_column_values_to_not_be_in_set",
    "expect_column_values_to_not_be_null",
    "expect_column_values_to_not_be_outliers",
    "expect_column_values_to_not_match_like_pattern",
    "expect_column_values_to_not_match_like_pattern_list",
    "expect_column_values_to_not_match_regex",
    "expect_column_values_to_not_match_regex_list",
    "expect_compound_columns_to_be_unique",
    "expect_multicolumn_sum_to_equal",
    "expect_multicolumn_values_to_be_equal",
    "expect_multicolumn_values_to_be_unique",
    "expect_query_results_to_match_comparison",
    "expect_select_column_values_to_be_unique_within_record",
    "expect_table_column_count_to_be_between",
    "expect_table_column_count_to_equal",
    "expect_table_columns_to_match_ordered_list",
    "expect_table_columns_to_match_set",
    "expect_table_row_count_to_be_between",
    "expect_table_row_count_to_equal",
    "expect_table_row_count_to_equal_other_table",
    "unexpected_rows_expectation",
];

const BOUNDS: [&str; 4] = ["min_value", "max_value", "strict_min", "strict_max"];

fn check(kind: &str, kwargs: &Kwargs<'_>) -> Result<Check, String> {
    let short = kind.strip_prefix("expect_").unwrap_or(kind);
    if let Some(rest) = short.strip_prefix("table_") {
        return table(kind, rest, kwargs);
    }
    if let Some(check) = records(short, kwargs)? {
        return Ok(check);
    }
    if let Some(check) = aggregate(short, kwargs)? {
        return Ok(check);
    }
    if let Some(check) = rows(short, kwargs)? {
        return Ok(check);
    }
    match short {
        "column_to_exist" => {
            kwargs.only(&["column", "column_index"])?;
            let index = kwargs.number("column_index")?.map(|index| index as usize);
            Ok(Check::ColumnExists { column: kwargs.text("column")?, index })
        }
        "column_type_to_be" => {
            kwargs.only(&["column", "type_"])?;
            Ok(Check::ColumnType { column: kwargs.text("column")?, name: kwargs.text("type_")? })
        }
        "unexpected_rows_expectation" => {
            kwargs.only(&["unexpected_rows_query", "description"])?;
            Ok(Check::UnexpectedRows(kwargs.text("unexpected_rows_query")?))
        }
        "query_results_to_match_comparison" => {
            kwargs.only(&["base_query", "comparison_data_source_name", "comparison_query", "mostly"])?;
            Ok(Check::QueryMatch {
                base: kwargs.text("base_query")?,
                comparison: kwargs.text("comparison_query")?,
                mostly: kwargs.mostly()?,
            })
        }
        _ => Err(unknown(kind)),
    }
}

fn unknown(kind: &str) -> String {
    match nearest(kind, KINDS.iter().copied()) {
        Some(near) => format!("unknown expectation {kind:?}; did you mean {near:?}?"),
        None => format!("unknown expectation {kind:?}"),
    }
}

fn table(kind: &str, rest: &str, kwargs: &Kwargs<'_>) -> Result<Check, String> {
    match rest {
        "row_count_to_be_between" | "column_count_to_be_between" => {
            kwargs.only(&BOUNDS)?;
            let bounds = kwargs.bounds()?;
            bounds.numbers()?;
            Ok(if rest.starts_with("row") { Check::RowCount(bounds) } else { Check::ColumnCount(bounds) })
        }
        "row_count_to_equal" => {
            kwargs.only(&["value"])?;
            Ok(Check::RowCountEquals(kwargs.demanded_number("value")?))
        }
        "column_count_to_equal" => {
            kwargs.only(&["value"])?;
            Ok(Check::ColumnCountEquals(kwargs.demanded_number("value")?))
        }
        "columns_to_match_ordered_list" => {
            kwargs.only(&["column_list"])?;
            Ok(Check::ColumnsOrdered(kwargs.texts("column_list")?))
        }
        "columns_to_match_set" => {
            kwargs.only(&["column_set", "exact_match"])?;
            Ok(Check::ColumnsSet { names: kwargs.texts("column_set")?, exact: kwargs.flag("exact_match", true)? })
        }
        "row_count_to_equal_other_table" => {
            kwargs.only(&["other_table_name"])?;
            Ok(Check::OtherTable(kwargs.text("other_table_name")?))
        }
        _ => Err(unknown(kind)),
    }
}

fn records(short: &str, kwargs: &Kwargs<'_>) -> Result<Option<Check>, String> {
    let ignore = |otherwise: &str| -> Result<Ignore, String> {
        match kwargs.text_or("ignore_row_if", otherwise)?.as_str() {
            "both_values_are_missing" | "all_values_are_missing" => Ok(Ignore::All),
            "either_value_is_missing" | "any_value_is_missing" => Ok(Ignore::Any),
            "neither" | "never" => Ok(Ignore::Never),
            other => Err(format!("ignore_row_if cannot be {other:?}")),
        }
    };
    let pair = || -> Result<Vec<String>, String> { Ok(vec![kwargs.text("column_A")?, kwargs.text("column_B")?]) };
    let list = || -> Result<Vec<String>, String> {
        let columns = kwargs.texts("column_list")?;
        let repeated = columns.iter().enumerate().any(|(place, name)| columns.iter().take(place).any(|n| n == name));
        if columns.len() < 2 || columns.len() > 100 || repeated {
            return Err("column_list has 2 to 100 columns, each once".into());
        }
        Ok(columns)
    };
    let (columns, question, ignore) = match short {
        "column_pair_values_a_to_be_greater_than_b" => {
            kwargs.only(&["column_A", "column_B", "mostly", "or_equal", "ignore_row_if"])?;
            let question = Records::Greater { or_equal: kwargs.flag("or_equal", false)? };
            (pair()?, question, ignore("both_values_are_missing")?)
        }
        "column_pair_values_to_be_equal" => {
            kwargs.only(&["column_A", "column_B", "mostly", "ignore_row_if"])?;
            (pair()?, Records::Equal, ignore("both_values_are_missing")?)
        }
        "column_pair_values_to_be_in_set" => {
            kwargs.only(&["column_A", "column_B", "mostly", "value_pairs_set", "ignore_row_if"])?;
            let pairs = kwargs
                .list("value_pairs_set")?
                .into_iter()
                .map(|Item(pair)| match pair.as_array().map(Vec::as_slice) {
                    Some([a, b]) => Ok((Item(a.clone()), Item(b.clone()))),
                    _ => Err("value_pairs_set must hold pairs".to_owned()),
                })
                .collect::<Result<_, _>>()?;
            (pair()?, Records::PairInSet(pairs), ignore("both_values_are_missing")?)
        }
        "multicolumn_sum_to_equal" => {
            kwargs.only(&["column_list", "mostly", "sum_total", "ignore_row_if"])?;
            (list()?, Records::Sum(kwargs.demanded_number("sum_total")?), ignore("all_values_are_missing")?)
        }
        "multicolumn_values_to_be_equal" => {
            kwargs.only(&["column_list", "mostly", "ignore_row_if"])?;
            (list()?, Records::AllEqual, ignore("all_values_are_missing")?)
        }
        "select_column_values_to_be_unique_within_record" | "multicolumn_values_to_be_unique" => {
            kwargs.only(&["column", "column_list", "mostly", "ignore_row_if"])?;
            (list()?, Records::AllDifferent, ignore("all_values_are_missing")?)
        }
        "compound_columns_to_be_unique" => {
            kwargs.only(&["column_list", "mostly", "ignore_row_if"])?;
            (list()?, Records::Compound, ignore("all_values_are_missing")?)
        }
        _ => return Ok(None),
    };
    Ok(Some(Check::Records { columns, question, ignore, mostly: kwargs.mostly()? }))
}

fn aggregate(short: &str, kwargs: &Kwargs<'_>) -> Result<Option<Check>, String> {
    let what = match short {
        "column_max_to_be_between" => Aggregate::Max,
        "column_min_to_be_between" => Aggregate::Min,
        "column_mean_to_be_between" => Aggregate::Mean,
        "column_median_to_be_between" => Aggregate::Median,
        "column_stdev_to_be_between" => Aggregate::Deviation,
        "column_sum_to_be_between" => Aggregate::Sum,
        "column_unique_value_count_to_be_between" => Aggregate::DistinctCount,
        "column_proportion_of_unique_values_to_be_between" => Aggregate::UniqueProportion,
        "column_proportion_of_non_null_values_to_be_between" => Aggregate::NonNullProportion,
        _ => return several(short, kwargs),
    };
    kwargs.only(&[&["column"][..], &BOUNDS].concat())?;
    Ok(Some(Check::Aggregate { column: kwargs.text("column")?, what, bounds: kwargs.bounds()? }))
}

/// Aggregates whose arguments are their own.
fn several(short: &str, kwargs: &Kwargs<'_>) -> Result<Option<Check>, String> {
    let column = || kwargs.text("column");
    Ok(Some(match short {
        "column_quantile_values_to_be_between" => {
            kwargs.only(&["column", "quantile_ranges", "allow_relative_error"])?;
            quantiles(column()?, kwargs)?
        }
        "column_distinct_values_to_be_in_set"
        | "column_distinct_values_to_contain_set"
        | "column_distinct_values_to_equal_set" => {
            kwargs.only(&["column", "value_set"])?;
            let how = match short {
                "column_distinct_values_to_be_in_set" => SetRelation::Within,
                "column_distinct_values_to_contain_set" => SetRelation::Contains,
                _ => SetRelation::Equals,
            };
            Check::DistinctSet { column: column()?, items: kwargs.list("value_set")?, how }
        }
        "column_most_common_value_to_be_in_set" => {
            kwargs.only(&["column", "value_set", "ties_okay"])?;
            let ties = kwargs.flag("ties_okay", false)?;
            Check::MostCommon { column: column()?, items: kwargs.list("value_set")?, ties }
        }
        "column_kl_divergence_to_be_less_than" => {
            kwargs.only(&[
                "column",
                "partition_object",
                "threshold",
                "internal_weight_holdout",
                "tail_weight_holdout",
                "bucketize_data",
                "min_value",
                "max_value",
            ])?;
            Check::Divergence { column: column()?, divergence: Divergence::parse(kwargs)? }
        }
        _ => return Ok(None),
    }))
}

fn quantiles(column: String, kwargs: &Kwargs<'_>) -> Result<Check, String> {
    let object = kwargs.object("quantile_ranges")?.ok_or("quantile_ranges is missing")?;
    let inner = Kwargs(object);
    let ranks = inner
        .list("quantiles")?
        .iter()
        .map(|item| item.number().filter(|q| (0.0..=1.0).contains(q)))
        .collect::<Option<Vec<f64>>>()
        .ok_or("quantiles must be between 0 and 1")?;
    let ranges = inner
        .list("value_ranges")?
        .iter()
        .map(|Item(range)| {
            let end = |value: &Value, open: f64| if value.is_null() { Some(open) } else { value.as_f64() };
            match range.as_array().map(Vec::as_slice) {
                Some([low, high]) => Some((end(low, f64::NEG_INFINITY)?, end(high, f64::INFINITY)?)),
                _ => None,
            }
        })
        .collect::<Option<Vec<_>>>()
        .ok_or("value_ranges must hold pairs of numbers or null")?;
    if ranks.len() != ranges.len() {
        return Err("quantiles and value_ranges differ in length".into());
    }
    let between = match kwargs.0.get("allow_relative_error") {
        None | Some(Value::Bool(_) | Value::Null) => Between::Nearest,
        Some(Value::String(name)) => match name.as_str() {
            "linear" => Between::Linear,
            "lower" => Between::Lower,
            "higher" => Between::Higher,
            "midpoint" => Between::Midpoint,
            "nearest" => Between::Nearest,
            _ => return Err("allow_relative_error is linear, lower, higher, midpoint or nearest".into()),
        },
        Some(_) => return Err("allow_relative_error is linear, lower, higher, midpoint or nearest".into()),
    };
    Ok(Check::Quantiles { column, ranks, ranges, between })
}

fn rows(short: &str, kwargs: &Kwargs<'_>) -> Result<Option<Check>, String> {
    let only = |own: &[&str]| kwargs.only(&[&["column", "mostly"][..], own].concat());
    let how = || -> Result<Match, String> {
        match kwargs.text_or("match_on", "any")?.as_str() {
            "any" => Ok(Match::Any),
            "all" => Ok(Match::All),
            other => Err(format!("match_on is any or all, not {other:?}")),
        }
    };
    let escape = || -> Result<Option<char>, String> {
        let text = kwargs.text_or("escape", "")?;
        let mut chars = text.chars();
        match (chars.next(), chars.next()) {
            (escape, None) => Ok(escape),
            _ => Err("escape must be one character".into()),
        }
    };
    let question = match short {
        "column_values_to_be_null" | "column_values_to_not_be_null" => {
            only(&[])?;
            let wanted = short == "column_values_to_be_null";
            return Ok(Some(Check::Missing { column: kwargs.text("column")?, wanted, mostly: kwargs.mostly()? }));
        }
        "column_values_to_be_increasing" | "column_values_to_be_decreasing" => {
            only(&["strictly"])?;
            let (rising, strictly) = (short.ends_with("increasing"), kwargs.flag("strictly", false)?);
            let column = kwargs.text("column")?;
            return Ok(Some(Check::Order { column, rising, strictly, mostly: kwargs.mostly()? }));
        }
        "column_value_z_scores_to_be_less_than" => {
            only(&["threshold", "double_sided"])?;
            return Ok(Some(Check::ZScore {
                column: kwargs.text("column")?,
                threshold: kwargs.demanded_number("threshold")?,
                double_sided: kwargs.flag("double_sided", false)?,
                mostly: kwargs.mostly()?,
            }));
        }
        "column_values_to_not_be_outliers" => {
            only(&["method", "multiplier"])?;
            let method = match kwargs.text_or("method", "iqr")?.as_str() {
                "iqr" => Spread::Quartiles,
                "std" => Spread::Deviation,
                other => return Err(format!("method is iqr or std, not {other:?}")),
            };
            let multiplier = kwargs.number("multiplier")?.unwrap_or(1.5);
            let column = kwargs.text("column")?;
            return Ok(Some(Check::Outliers { column, method, multiplier, mostly: kwargs.mostly()? }));
        }
        "column_values_to_be_unique" => {
            only(&[])?;
            return Ok(Some(Check::Unique { column: kwargs.text("column")?, mostly: kwargs.mostly()? }));
        }
        "column_values_to_be_between" => only(&BOUNDS).and(kwargs.bounds()).map(Question::Between)?,
        "column_value_lengths_to_be_between" => only(&BOUNDS).and(kwargs.bounds()).map(Question::Lengths)?,
        "column_value_lengths_to_equal" => {
            only(&["value"])?;
            let value = super::kwargs::Bound::Number(kwargs.demanded_number("value")?);
            Question::Lengths(Bounds { low: Some((value.clone(), false)), high: Some((value, false)) })
        }
        "column_values_to_be_in_set" => only(&["value_set"]).and(kwargs.list("value_set")).map(Question::InSet)?,
        "column_values_to_not_be_in_set" => {
            only(&["value_set"]).and(kwargs.list("value_set")).map(Question::NotInSet)?
        }
        "column_values_to_match_regex" => {
            only(&["regex"])?;
            Question::Regex(vec![kwargs.text("regex")?], Match::Any)
        }
        "column_values_to_not_match_regex" => {
            only(&["regex"])?;
            Question::Regex(vec![kwargs.text("regex")?], Match::None)
        }
        "column_values_to_match_regex_list" => {
            only(&["regex_list", "match_on"])?;
            Question::Regex(patterns(kwargs, "regex_list")?, how()?)
        }
        "column_values_to_not_match_regex_list" => {
            only(&["regex_list"])?;
            Question::Regex(patterns(kwargs, "regex_list")?, Match::None)
        }
        "column_values_to_match_like_pattern" => {
            only(&["like_pattern", "escape"])?;
            Question::Like(vec![kwargs.text("like_pattern")?], escape()?, Match::Any)
        }
        "column_values_to_not_match_like_pattern" => {
            only(&["like_pattern", "escape"])?;
            Question::Like(vec![kwargs.text("like_pattern")?], escape()?, Match::None)
        }
        "column_values_to_match_like_pattern_list" => {
            only(&["like_pattern_list", "match_on", "escape"])?;
            Question::Like(patterns(kwargs, "like_pattern_list")?, escape()?, how()?)
        }
        "column_values_to_not_match_like_pattern_list" => {
            only(&["like_pattern_list", "escape"])?;
            Question::Like(patterns(kwargs, "like_pattern_list")?, escape()?, Match::None)
        }
        "column_values_to_match_strftime_format" => {
            only(&["strftime_format"])?;
            Question::Strptime(kwargs.text("strftime_format")?)
        }
        "column_values_to_be_dateutil_parseable" => only(&[]).map(|()| Question::Date)?,
        "column_values_to_be_json_parseable" => only(&[]).map(|()| Question::Json)?,
        "column_values_to_match_json_schema" => {
            only(&["json_schema"])?;
            let schema = kwargs.object("json_schema")?.ok_or("json_schema is missing")?;
            Question::JsonSchema(Value::Object(schema.clone()))
        }
        "column_values_to_be_of_type" => {
            only(&["type_"])?;
            kwargs.mostly()?;
            return Ok(Some(Check::ValueTypes { column: kwargs.text("column")?, names: vec![kwargs.text("type_")?] }));
        }
        "column_values_to_be_in_type_list" => {
            only(&["type_list"])?;
            kwargs.mostly()?;
            return Ok(Some(Check::ValueTypes { column: kwargs.text("column")?, names: kwargs.texts("type_list")? }));
        }
        _ => return Ok(None),
    };
    Ok(Some(Check::Row { column: kwargs.text("column")?, question, mostly: kwargs.mostly()? }))
}

/// Patterns of one expectation.
const PATTERNS_MAX: usize = 100;

fn patterns(kwargs: &Kwargs<'_>, key: &str) -> Result<Vec<String>, String> {
    let patterns = kwargs.texts(key)?;
    if patterns.len() > PATTERNS_MAX {
        Err(format!("{key} has more than {PATTERNS_MAX} patterns"))
    } else {
        Ok(patterns)
    }
}
