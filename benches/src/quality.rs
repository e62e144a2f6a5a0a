//! `quality`: expectations, profiles and drift over one Parquet file, beside Great Expectations,
//! whylogs and Evidently: CPU seconds and peak memory of whole processes, and on two cores
//! against one.

use std::{
    fs::File,
    path::{Path, PathBuf},
    process::Command,
    sync::Arc,
    time::Instant,
};

use anyhow::{Context as _, Result};
use arrow::{
    array::{ArrayRef, Float64Array, Int64Array, RecordBatch, StringArray, TimestampMicrosecondArray},
    datatypes::{Field, Schema},
};
use lockgate_core::SplitMix64;
use parquet::{arrow::ArrowWriter, basic::Compression, file::properties::WriterProperties};
use serde_json::json;

use crate::process::{self, Used};

const GREAT_EXPECTATIONS: &str = r"
import json, logging, os, sys, time, warnings
warnings.filterwarnings('ignore'); logging.disable(logging.CRITICAL)
os.environ['GX_ANALYTICS_ENABLED'] = 'false'
import great_expectations as gx, pandas as pd
start = time.process_time()
frame = pd.read_parquet(sys.argv[1])
read = time.process_time() - start
context = gx.get_context(mode='ephemeral')
context.variables.progress_bars = {'globally': False}
suite = gx.ExpectationSuite(name='s')
for e in json.load(open(sys.argv[2]))['expectations']:
    cls = getattr(gx.expectations, ''.join(p.capitalize() for p in e['type'].split('_')))
    suite.add_expectation(cls(**e['kwargs']))
batch = context.data_sources.add_pandas('p').add_dataframe_asset('a').add_batch_definition_whole_dataframe('b').get_batch(batch_parameters={'dataframe': frame})
start = time.process_time()
result = batch.validate(suite)
work = time.process_time() - start
assert result.success, [r.expectation_config.type for r in result.results if not r.success]
print(json.dumps([read, work]))
";

const WHYLOGS: &str = r"
import json, logging, os, sys, time, warnings
warnings.filterwarnings('ignore'); logging.disable(logging.CRITICAL)
os.environ['WHYLOGS_NO_ANALYTICS'] = 'True'
import pandas as pd, whylogs as why
start = time.process_time()
frame = pd.read_parquet(sys.argv[1])
read = time.process_time() - start
start = time.process_time()
view = why.log(frame).view()
view.to_pandas()
print(json.dumps([read, time.process_time() - start]))
";

const EVIDENTLY: &str = r"
import json, logging, sys, time, warnings
warnings.filterwarnings('ignore'); logging.disable(logging.CRITICAL)
import pandas as pd
from evidently import Report
from evidently.presets import DataDriftPreset
columns, rows = json.loads(sys.argv[3]), int(sys.argv[4])
start = time.process_time()
a, b = (pd.read_parquet(p, columns=columns).head(rows) for p in sys.argv[1:3])
read = time.process_time() - start
start = time.process_time()
Report([DataDriftPreset()]).run(b, a).dict()
print(json.dumps([read, time.process_time() - start]))
";

/// Rows that Evidently compares: it does not finish a million in ten minutes.
const EVIDENTLY_ROWS: u64 = 100_000;

pub fn bench(rows: u64, alone: bool) -> Result<()> {
    let folder = tempfile::tempdir()?;
    let at = |name: &str| folder.path().join(name);
    println!("writing {rows} rows x 20 columns of Parquet, twice");
    let (data, other) = (at("data.parquet"), at("other.parquet"));
    write(&data, rows, 1)?;
    write(&other, rows, 2)?;
    let suite = at("suite.json");
    std::fs::write(&suite, expectations(rows).to_string())?;
    let columns: Vec<String> =
        header().into_iter().filter(|name| !["id", "when", "n3", "t4"].contains(&name.as_str())).collect();
    let chosen = columns.join(",");
    let commands: [(&str, Vec<&str>); 3] = [
        ("expect, 20 expectations", vec!["expect", path(&suite)?, path(&data)?]),
        ("profile", vec!["profile", path(&data)?, "--names", "lists"]),
        ("drift, 16 columns", vec!["drift", path(&data)?, path(&other)?, "--columns", &chosen]),
    ];
    println!("\n| | CPU seconds | peak MiB | one core: seconds | two cores: seconds | two against one |");
    println!("| --- | --- | --- | --- | --- | --- |");
    let mut ours = Vec::new();
    for (name, arguments) in &commands {
        // The best of three, since others share the machine.
        let one = (0..3).map(|_| lockgate(arguments, "0")).collect::<Result<Vec<_>>>()?;
        let two = (0..3).map(|_| lockgate(arguments, "0,1")).collect::<Result<Vec<_>>>()?;
        let best = |runs: &[(Used, f64)]| runs.iter().map(|run| run.1).fold(f64::INFINITY, f64::min);
        let cpu = one.iter().map(|run| run.0.cpu_secs).fold(f64::INFINITY, f64::min);
        let peak = two.iter().map(|run| run.0.peak_rss_mib).fold(0.0, f64::max);
        let (one, two) = (best(&one), best(&two));
        println!("| {name} | {cpu:.2} | {peak:.0} | {one:.2} | {two:.2} | {:.2} |", one / two);
        ours.push(cpu);
    }
    if alone {
        return Ok(());
    }
    println!("\n| peer | rows | reads, CPU seconds | works, CPU seconds | peak MiB | works against all of ours |");
    println!("| --- | --- | --- | --- | --- | --- |");
    let python = peers()?;
    let some = EVIDENTLY_ROWS.min(rows);
    let columns = serde_json::to_string(&columns)?;
    let some_text = some.to_string();
    let peers: [(&str, u64, &str, Vec<&str>); 3] = [
        ("Great Expectations", rows, GREAT_EXPECTATIONS, vec![path(&data)?, path(&suite)?]),
        ("whylogs", rows, WHYLOGS, vec![path(&data)?]),
        ("Evidently", some, EVIDENTLY, vec![path(&data)?, path(&other)?, &columns, &some_text]),
    ];
    for ((name, rows, script, arguments), own) in peers.into_iter().zip(ours) {
        let (out, used) = process::run(Command::new(&python).args(["-c", script]).args(arguments))?;
        let [read, work]: [f64; 2] = serde_json::from_str(out.lines().last().unwrap_or_default())?;
        println!("| {name} | {rows} | {read:.2} | {work:.2} | {:.0} | {:.1} |", used.peak_rss_mib, work / own);
    }
    Ok(())
}

fn path(path: &Path) -> Result<&str> {
    path.to_str().context("a path is not UTF-8")
}

/// The program on some cores: what it used, and how long it took.
fn lockgate(arguments: &[&str], cores: &str) -> Result<(Used, f64)> {
    let program = std::env::current_exe()?.with_file_name("lockgate");
    let start = Instant::now();
    let mut command = Command::new("taskset");
    command.args(["--cpu-list", cores]).arg(program).args(arguments).args(["--quiet", "--format", "json"]);
    let (_, used) = process::run(&mut command)?;
    Ok((used, start.elapsed().as_secs_f64()))
}

/// The peers' environment, made on the first run.
fn peers() -> Result<PathBuf> {
    let folder = process::root().join("target/peers-quality");
    let python = folder.join("bin/python");
    if !python.exists() {
        process::run(Command::new("python3").args(["-m", "venv"]).arg(&folder))?;
        let list = process::root().join("benches/peers-quality.txt");
        process::run(Command::new(&python).args(["-m", "pip", "install", "--quiet", "--requirement"]).arg(list))?;
    }
    Ok(python)
}

fn header() -> Vec<String> {
    let names =
        (0..9).map(|i| format!("f{i}")).chain((0..4).map(|i| format!("n{i}"))).chain((0..5).map(|i| format!("t{i}")));
    names.chain(["id".to_owned(), "when".to_owned()]).collect()
}

/// Numbers of several distributions, categories of several sizes, an identifier and a time; one
/// column in twenty has holes.
fn write(path: &Path, rows: u64, seed: u64) -> Result<()> {
    const BATCH: u64 = 65_536;
    let mut random = SplitMix64::new(seed);
    let mut writer: Option<ArrowWriter<File>> = None;
    let mut done = 0;
    while done < rows {
        let count = BATCH.min(rows - done) as usize;
        let mut columns: Vec<ArrayRef> = Vec::new();
        for kind in 0..9u32 {
            let values: Float64Array = (0..count)
                .map(|_| {
                    let u = random.unit();
                    let value = match kind % 3 {
                        0 => (0..6).map(|_| random.unit()).sum::<f64>() - 3.0,
                        1 => -(1.0 - u).ln() * 10.0,
                        _ => u * 100.0,
                    };
                    (kind != 4 || u > 0.05).then_some(value)
                })
                .collect();
            columns.push(Arc::new(values));
        }
        for most in [10, 100, 5_000, 1_000_000] {
            columns.push(Arc::new((0..count).map(|_| Some(random.below(most) as i64)).collect::<Int64Array>()));
        }
        for different in [3, 12, 50, 400, 3_000] {
            let values: StringArray = (0..count)
                .map(|_| Some(format!("value-{:04}", random.below(different).min(random.below(different)))))
                .collect();
            columns.push(Arc::new(values));
        }
        columns
            .push(Arc::new((0..count).map(|i| Some(format!("row-{:09}", done + i as u64))).collect::<StringArray>()));
        let start = 1_767_225_600_000_000i64;
        columns.push(Arc::new(
            (0..count)
                .map(|_| Some(start + random.below(86_400_000_000 * 90) as i64))
                .collect::<TimestampMicrosecondArray>(),
        ));
        let fields: Vec<Field> = header()
            .into_iter()
            .zip(&columns)
            .map(|(name, column)| Field::new(name, column.data_type().clone(), true))
            .collect();
        let batch = RecordBatch::try_new(Arc::new(Schema::new(fields)), columns)?;
        if writer.is_none() {
            let properties = WriterProperties::builder()
                .set_compression(Compression::SNAPPY)
                .set_max_row_group_row_count(Some(131_072))
                .build();
            writer = Some(ArrowWriter::try_new(File::create(path)?, batch.schema(), Some(properties))?);
        }
        let writer = writer.as_mut().context("the file is open")?;
        writer.write(&batch)?;
        done += count as u64;
    }
    writer.context("no rows")?.close()?;
    Ok(())
}

fn expectations(rows: u64) -> serde_json::Value {
    let words: Vec<String> = (0..12).map(|i| format!("value-{i:04}")).collect();
    json!({"name": "bench", "expectations": [
        {"type": "expect_column_values_to_be_between", "kwargs": {"column": "f0", "min_value": -3, "max_value": 3}},
        {"type": "expect_column_values_to_be_between", "kwargs": {"column": "f1", "min_value": 0}},
        {"type": "expect_column_values_to_be_between", "kwargs": {"column": "f2", "min_value": 0, "max_value": 100}},
        {"type": "expect_column_mean_to_be_between", "kwargs": {"column": "f3", "min_value": -1, "max_value": 1}},
        {"type": "expect_column_values_to_not_be_null", "kwargs": {"column": "f4", "mostly": 0.9}},
        {"type": "expect_column_stdev_to_be_between", "kwargs": {"column": "f5", "min_value": 20, "max_value": 40}},
        {"type": "expect_column_max_to_be_between", "kwargs": {"column": "f6", "max_value": 3}},
        {"type": "expect_column_min_to_be_between", "kwargs": {"column": "f7", "min_value": 0}},
        {"type": "expect_column_median_to_be_between", "kwargs": {"column": "f8", "min_value": 40, "max_value": 60}},
        {"type": "expect_column_quantile_values_to_be_between", "kwargs": {"column": "f8", "quantile_ranges": {"quantiles": [0.05, 0.95], "value_ranges": [[0, 10], [90, 100]]}}},
        {"type": "expect_column_values_to_be_between", "kwargs": {"column": "n0", "min_value": 0, "max_value": 9}},
        {"type": "expect_column_values_to_be_in_set", "kwargs": {"column": "n0", "value_set": [0, 1, 2, 3, 4, 5, 6, 7, 8, 9]}},
        {"type": "expect_column_unique_value_count_to_be_between", "kwargs": {"column": "n1", "min_value": 50, "max_value": 100}},
        {"type": "expect_column_pair_values_a_to_be_greater_than_b", "kwargs": {"column_A": "n2", "column_B": "n0", "mostly": 0.9}},
        {"type": "expect_column_values_to_be_in_set", "kwargs": {"column": "t1", "value_set": words}},
        {"type": "expect_column_values_to_match_regex", "kwargs": {"column": "t2", "regex": "^value-[0-9]{4}$"}},
        {"type": "expect_column_value_lengths_to_be_between", "kwargs": {"column": "t3", "min_value": 10, "max_value": 10}},
        {"type": "expect_column_distinct_values_to_be_in_set", "kwargs": {"column": "t0", "value_set": words}},
        {"type": "expect_column_values_to_be_unique", "kwargs": {"column": "id"}},
        {"type": "expect_table_row_count_to_be_between", "kwargs": {"min_value": 1, "max_value": rows}},
    ]})
}
