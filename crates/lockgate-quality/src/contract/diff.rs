//! What a new version of a contract changes for those who rely on the old one.

use serde::Serialize;

use super::{Column, Contract, Subject};

/// One change.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Change {
    pub kind: Kind,
    /// The column, or nothing for the dataset.
    pub column: Option<String>,
    pub what: String,
}

/// What a change means for readers of the data.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Kind {
    /// What worked may stop working, or values come that never came.
    Breaking,
    /// Data is protected less than it was.
    Weakening,
    Compatible,
}

/// The changes from `old` to `new`, breaking ones first.
pub fn diff(old: &Contract, new: &Contract) -> Vec<Change> {
    let mut changes = Changes(Vec::new());
    let dataset = None;
    if old.dataset != new.dataset {
        changes.add(Kind::Breaking, dataset, format!("renamed from {} to {}", old.dataset, new.dataset));
    }
    if old.purpose != new.purpose {
        changes.add(Kind::Breaking, dataset, format!("the purpose was {:?} and is {:?}", old.purpose, new.purpose));
    }
    if old.owner != new.owner {
        changes.add(Kind::Compatible, dataset, format!("owned by {}", new.owner));
    }
    match old.retention_days.cmp(&new.retention_days) {
        std::cmp::Ordering::Less => {
            let what = format!("kept for {} days instead of {}", new.retention_days, old.retention_days);
            changes.add(Kind::Weakening, dataset, what);
        }
        std::cmp::Ordering::Greater => {
            let what = format!("kept for {} days only instead of {}", new.retention_days, old.retention_days);
            changes.add(Kind::Breaking, dataset, what);
        }
        std::cmp::Ordering::Equal => {}
    }
    if subject(old) != subject(new) {
        changes.add(Kind::Breaking, dataset, "rows are about somebody else: the data subject changed".to_owned());
    }
    if key(old) != key(new) {
        changes.add(Kind::Breaking, dataset, "the primary key changed".to_owned());
    }
    for before in &old.columns {
        match new.columns.iter().find(|column| column.name == before.name) {
            None => changes.add(Kind::Breaking, Some(before), "removed".to_owned()),
            Some(after) => columns(before, after, &mut changes),
        }
    }
    for after in new.columns.iter().filter(|column| old.column(&column.name).is_none()) {
        changes.add(
            Kind::Compatible,
            Some(after),
            format!("added: {}, {}", after.logical_type.as_str(), after.classification),
        );
    }
    match (old.frequency_days, new.frequency_days) {
        (Some(was), Some(is)) if is > was => {
            changes.add(Kind::Breaking, dataset, format!("a snapshot came every {was} days and comes every {is}"));
        }
        (Some(_), None) => changes.add(Kind::Breaking, dataset, "no longer says how often snapshots come".to_owned()),
        (was, is) if was != is => changes.add(Kind::Compatible, dataset, "snapshots come more often".to_owned()),
        _ => {}
    }
    let rules = |contract: &Contract| -> Vec<String> {
        contract
            .quality
            .iter()
            .map(|rule| {
                let column = rule.column.and_then(|place| contract.columns.get(place)).map_or("", |c| c.name.as_str());
                let to = match &rule.metric {
                    super::Metric::References(reference) => reference.to.join(", "),
                    _ => String::new(),
                };
                format!("{} {to} {column} {} {:?}", rule.name, rule.demand, rule.unit).replace("  ", " ")
            })
            .collect()
    };
    let (before, after) = (rules(old), rules(new));
    for rule in before.iter().filter(|rule| !after.contains(rule)) {
        changes.add(Kind::Breaking, dataset, format!("quality rule no longer promised: {rule}"));
    }
    for rule in after.iter().filter(|rule| !before.contains(rule)) {
        changes.add(Kind::Compatible, dataset, format!("quality rule added: {rule}"));
    }
    changes.0.sort_by_key(|change| change.kind);
    changes.0
}

struct Changes(Vec<Change>);

impl Changes {
    fn add(&mut self, kind: Kind, column: Option<&Column>, what: String) {
        self.0.push(Change { kind, column: column.map(|column| column.name.clone()), what });
    }
}

fn subject(contract: &Contract) -> Option<&str> {
    match contract.subject {
        Subject::Column(place) => contract.columns.get(place).map(|column| column.name.as_str()),
        Subject::None => None,
    }
}

fn key(contract: &Contract) -> Vec<&str> {
    contract.primary_key.iter().filter_map(|place| contract.columns.get(*place)).map(|c| c.name.as_str()).collect()
}

fn columns(before: &Column, after: &Column, changes: &mut Changes) {
    let column = Some(after);
    if before.logical_type != after.logical_type {
        let what = format!("was {} and is {}", before.logical_type.as_str(), after.logical_type.as_str());
        changes.add(Kind::Breaking, column, what);
    }
    if after.classification > before.classification {
        let what = format!("was {} and is {}: readers may lose it", before.classification, after.classification);
        changes.add(Kind::Breaking, column, what);
    } else if after.classification < before.classification {
        changes.add(Kind::Weakening, column, format!("was {} and is {}", before.classification, after.classification));
    }
    let (old, new) = (&before.rules, &after.rules);
    let mut promise = |had: bool, has: bool, name: &str| match (had, has) {
        (true, false) => changes.add(Kind::Breaking, column, format!("no longer {name}")),
        (false, true) => changes.add(Kind::Compatible, column, format!("now {name}")),
        _ => {}
    };
    promise(old.required, new.required, "required");
    promise(old.unique, new.unique, "unique");
    let mut bound = |name: &str, was: Option<f64>, is: Option<f64>, is_low: bool| {
        if was == is {
            return;
        }
        let loosened = match (was, is) {
            (Some(_), None) => true,
            (Some(was), Some(is)) => (is < was) == is_low,
            (None, _) => false,
        };
        let text = |value: Option<f64>| value.map_or_else(|| "none".to_owned(), |value| value.to_string());
        let what = format!("{name} was {} and is {}", text(was), text(is));
        changes.add(if loosened { Kind::Breaking } else { Kind::Compatible }, column, what);
    };
    let length = |length: Option<u64>| length.map(|length| length as f64);
    let moment = |moment: Option<(i64, bool)>| moment.map(|(moment, _)| moment as f64);
    bound("minimum", old.minimum, new.minimum, true);
    bound("exclusiveMinimum", old.exclusive_minimum, new.exclusive_minimum, true);
    bound("minLength", length(old.length_min), length(new.length_min), true);
    bound("the earliest moment", moment(old.earliest), moment(new.earliest), true);
    bound("maximum", old.maximum, new.maximum, false);
    bound("exclusiveMaximum", old.exclusive_maximum, new.exclusive_maximum, false);
    bound("maxLength", length(old.length_max), length(new.length_max), false);
    bound("the latest moment", moment(old.latest), moment(new.latest), false);
    if old.multiple_of != new.multiple_of {
        changes.add(Kind::Breaking, column, "multipleOf changed".to_owned());
    }
    if old.integer_range != new.integer_range {
        changes.add(Kind::Breaking, column, "the integers' format changed".to_owned());
    }
    let pattern = |rules: &super::Rules| rules.pattern.as_ref().map(|pattern| pattern.as_str().to_owned());
    match (pattern(old), pattern(new)) {
        (None, Some(_)) => changes.add(Kind::Compatible, column, "a pattern was added".to_owned()),
        (was, is) if was != is => changes.add(Kind::Breaking, column, "the pattern changed".to_owned()),
        _ => {}
    }
    if old.date_format != new.date_format {
        changes.add(Kind::Breaking, column, "the dates' format changed".to_owned());
    }
    if old.shape != new.shape && old.shape.is_some() && new.shape.is_some() {
        changes.add(Kind::Breaking, column, "what is nested in it changed".to_owned());
    }
    let times = |rules: &super::Rules| (rules.time_low.clone(), rules.time_high.clone());
    if times(old) != times(new) {
        changes.add(Kind::Breaking, column, "the bounds of the time of day changed".to_owned());
    }
    match (&old.valid_values, &new.valid_values) {
        (Some(_), None) => changes.add(Kind::Breaking, column, "any value may come".to_owned()),
        (None, Some(_)) => changes.add(Kind::Compatible, column, "only listed values come".to_owned()),
        (Some(was), Some(is)) => {
            let new = is.iter().filter(|value| !was.contains(value)).count();
            let gone = was.iter().filter(|value| !is.contains(value)).count();
            if new > 0 {
                changes.add(Kind::Breaking, column, format!("{new} more values may come"));
            }
            if gone > 0 {
                changes.add(Kind::Compatible, column, format!("{gone} values no longer come"));
            }
        }
        (None, None) => {}
    }
}
