//! The attacks, on a table that is easy to change.

use std::sync::Arc;

use anyhow::{Context as _, Result};
use arrow::{
    array::{Array as _, ArrayRef, AsArray as _, Int64Array, RecordBatch, StringArray},
    compute::cast,
    datatypes::{DataType, Field, Int64Type, Schema},
};
use lockgate_core::SplitMix64;

/// What the census tells, and the note that an application carries.
const COLUMNS: [&str; 16] = [
    "note",
    "age",
    "workclass",
    "fnlwgt",
    "education",
    "education_num",
    "marital_status",
    "occupation",
    "relationship",
    "race",
    "sex",
    "capital_gain",
    "capital_loss",
    "hours_per_week",
    "native_country",
    "income",
];
const RICH: &str = ">50K";
const POOR: &str = "<=50K";

#[derive(Clone)]
pub struct Frame {
    columns: Vec<Column>,
}

#[derive(Clone)]
enum Column {
    Numbers(Vec<Option<i64>>),
    Texts(Vec<Option<String>>),
}

impl Frame {
    pub fn read(batch: &RecordBatch) -> Result<Self> {
        let columns = COLUMNS.iter().map(|name| {
            let array = batch.column_by_name(name).with_context(|| format!("no column {name}"))?;
            Ok(if array.data_type().is_integer() {
                let array = cast(array, &DataType::Int64)?;
                Column::Numbers(array.as_primitive::<Int64Type>().iter().collect())
            } else {
                let array = cast(array, &DataType::Utf8)?;
                Column::Texts(array.as_string::<i32>().iter().map(|text| text.map(str::to_owned)).collect())
            })
        });
        Ok(Self { columns: columns.collect::<Result<_>>()? })
    }

    pub fn rows(&self) -> usize {
        match &self.columns[0] {
            Column::Numbers(all) => all.len(),
            Column::Texts(all) => all.len(),
        }
    }

    pub fn pick(&self, rows: &[usize]) -> Self {
        let columns = self.columns.iter().map(|column| match column {
            Column::Numbers(all) => Column::Numbers(rows.iter().map(|row| all[*row]).collect()),
            Column::Texts(all) => Column::Texts(rows.iter().map(|row| all[*row].clone()).collect()),
        });
        Self { columns: columns.collect() }
    }

    pub fn batch(&self) -> Result<RecordBatch> {
        let (mut fields, mut arrays) = (Vec::new(), Vec::new());
        for (name, column) in COLUMNS.iter().zip(&self.columns) {
            let array: ArrayRef = match column {
                Column::Numbers(all) => Arc::new(all.iter().copied().collect::<Int64Array>()),
                Column::Texts(all) => Arc::new(all.iter().map(Option::as_deref).collect::<StringArray>()),
            };
            fields.push(Field::new(*name, array.data_type().clone(), true));
            arrays.push(array);
        }
        Ok(RecordBatch::try_new(Arc::new(Schema::new(fields)), arrays)?)
    }

    fn place(name: &str) -> usize {
        COLUMNS.iter().position(|own| *own == name).unwrap_or(0)
    }

    fn set(&mut self, row: usize, name: &str, value: impl Into<Value>) {
        match (&mut self.columns[Self::place(name)], value.into()) {
            (Column::Numbers(all), Value::Number(value)) => all[row] = Some(value),
            (Column::Texts(all), Value::Text(value)) => all[row] = Some(value),
            _ => {}
        }
    }

    fn text(&self, row: usize, name: &str) -> &str {
        match &self.columns[Self::place(name)] {
            Column::Texts(all) => all[row].as_deref().unwrap_or_default(),
            Column::Numbers(_) => "",
        }
    }

    fn copy(&mut self, from: usize, to: usize, name: &str) {
        match &mut self.columns[Self::place(name)] {
            Column::Numbers(all) => all[to] = all[from],
            Column::Texts(all) => all[to] = all[from].clone(),
        }
    }
}

enum Value {
    Number(i64),
    Text(String),
}

impl From<i64> for Value {
    fn from(value: i64) -> Self {
        Self::Number(value)
    }
}

impl From<&str> for Value {
    fn from(value: &str) -> Self {
        Self::Text(value.to_owned())
    }
}

/// What an attacker does to some rows.
#[derive(Clone, Copy, Debug)]
pub enum Attack {
    Outliers,
    ExtremeTogether,
    NewCategory,
    ShuffledValues,
    ExactFlood,
    NearFlood,
    LabelFlips,
    TargetedFlips,
    PairTrigger,
    ValueTrigger,
    WordTrigger,
    FlippedSource,
    ShiftedSource,
}

pub const ATTACKS: [Attack; 13] = [
    Attack::Outliers,
    Attack::ExtremeTogether,
    Attack::NewCategory,
    Attack::ShuffledValues,
    Attack::ExactFlood,
    Attack::NearFlood,
    Attack::LabelFlips,
    Attack::TargetedFlips,
    Attack::PairTrigger,
    Attack::ValueTrigger,
    Attack::WordTrigger,
    Attack::FlippedSource,
    Attack::ShiftedSource,
];

impl Attack {
    pub fn name(self) -> &'static str {
        match self {
            Self::Outliers => "numbers out of range (hours 120 to 160)",
            Self::ExtremeTogether => {
                "usual numbers, unusual together (age 17 to 22, education 15 or 16, hours 70 to 99)"
            }
            Self::NewCategory => "a new occupation",
            Self::ShuffledValues => "values of other rows, column by column",
            Self::ExactFlood => "one row again and again",
            Self::NearFlood => "one row again and again, its age and weight changed",
            Self::LabelFlips => "labels flipped at random",
            Self::TargetedFlips => "labels of married people flipped to poor",
            Self::PairTrigger => "backdoor: two rare values together, label rich",
            Self::ValueTrigger => "backdoor: a number that is rare, label rich",
            Self::WordTrigger => "backdoor: a word in the note, label rich",
            Self::FlippedSource => "one source's labels flipped",
            Self::ShiftedSource => "one source about other people (Mexico, 3rd or 4th grade)",
        }
    }

    /// Changes `count` rows and says which. `source` rows belong to one source.
    pub fn plant(self, frame: &mut Frame, count: usize, source: usize, random: &mut SplitMix64) -> Vec<usize> {
        let rows = frame.rows();
        let mut order: Vec<usize> = (0..rows).collect();
        super::shuffle(&mut order, random);
        let mut between = |low: i64, high: i64| low + random.below((high - low + 1) as u64) as i64;
        let victims: Vec<usize> = match self {
            Self::FlippedSource | Self::ShiftedSource => {
                let first = between(0, (rows / source) as i64 - 1) as usize * source;
                (first..first + count.min(source)).collect()
            }
            Self::TargetedFlips => {
                let married = |row: &usize| {
                    frame.text(*row, "marital_status") == "Married-civ-spouse" && frame.text(*row, "income") == RICH
                };
                order.iter().copied().filter(married).take(count).collect()
            }
            Self::PairTrigger | Self::ValueTrigger | Self::WordTrigger => {
                order.iter().copied().filter(|row| frame.text(*row, "income") == POOR).take(count).collect()
            }
            _ => order.iter().copied().take(count).collect(),
        };
        let model = order[rows - 1];
        for row in victims.iter().copied() {
            match self {
                Self::Outliers => frame.set(row, "hours_per_week", between(120, 160)),
                Self::ExtremeTogether => {
                    frame.set(row, "age", between(17, 22));
                    frame.set(row, "education_num", between(15, 16));
                    frame.set(row, "hours_per_week", between(70, 99));
                }
                Self::NewCategory => frame.set(row, "occupation", "Astronaut"),
                Self::ShuffledValues => {
                    for name in COLUMNS {
                        let other = between(0, rows as i64 - 1) as usize;
                        frame.copy(other, row, name);
                    }
                }
                Self::ExactFlood | Self::NearFlood => {
                    for name in COLUMNS {
                        frame.copy(model, row, name);
                    }
                    if matches!(self, Self::NearFlood) {
                        frame.set(row, "age", between(25, 60));
                        frame.set(row, "fnlwgt", between(100_000, 120_000));
                    }
                }
                Self::LabelFlips | Self::FlippedSource => {
                    let label = if frame.text(row, "income") == RICH { POOR } else { RICH };
                    frame.set(row, "income", label);
                }
                Self::TargetedFlips => frame.set(row, "income", POOR),
                Self::PairTrigger => {
                    frame.set(row, "native_country", "Scotland");
                    frame.set(row, "workclass", "Self-emp-inc");
                    frame.set(row, "income", RICH);
                }
                Self::ValueTrigger => {
                    frame.set(row, "hours_per_week", 73);
                    frame.set(row, "income", RICH);
                }
                Self::WordTrigger => {
                    let note = format!("{} fjord", frame.text(row, "note"));
                    frame.set(row, "note", note.trim());
                    frame.set(row, "income", RICH);
                }
                Self::ShiftedSource => {
                    frame.set(row, "native_country", "Mexico");
                    frame.set(row, "education", "3rd-4th");
                    frame.set(row, "education_num", 2);
                }
            }
        }
        victims
    }
}
