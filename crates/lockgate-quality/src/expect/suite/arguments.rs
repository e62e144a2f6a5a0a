//! From an expectation's name and arguments to what is expected.

use lockgate_core::nearest;
use serde_json::Value;

use super::{Aggregate, Check, Ignore, KINDS, Records, SetRelation, Spread};
use crate::{
    expect::{
        divergence::Divergence,
        kwargs::{Bound, Bounds, Item, Kwargs},
        row::{Match, Question},
    },
    numbers::Between,
};

const BOUNDS: [&str; 4] = ["min_value", "max_value", "strict_min", "strict_max"];

pub(super) fn check(kind: &str, kwargs: &Kwargs<'_>) -> Result<Check, String> {
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
            let value = Bound::Number(kwargs.demanded_number("value")?);
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
