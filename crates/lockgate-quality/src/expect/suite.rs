//! Expectation suites: the JSON that Great Expectations writes, 0.18 and 1.x.

mod arguments;

use std::path::Path;

use lockgate_core::{Failure, Result};
use serde::Deserialize;
use serde_json::{Map, Value};

use super::{
    condition::Condition,
    divergence::Divergence,
    kwargs::{Bounds, Item, Kwargs},
    row::Question,
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
    let check = arguments::check(&kind, &Kwargs(kwargs)).map_err(at)?;
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
