//! `ingest`: contract, detection, protection, ledger, quarantine and encryption, all on, against
//! arrow-csv into zstd Parquet. Both use one thread.

use std::{
    fs,
    io::{BufRead as _, BufReader, BufWriter, Seek as _, Write as _},
    path::Path,
    process::Command,
    sync::Arc,
};

use anyhow::{Context as _, Result, bail};
use arrow::csv::{ReaderBuilder, reader::Format};
use parquet::{
    arrow::ArrowWriter,
    basic::{Compression, ZstdLevel},
    file::properties::WriterProperties,
};
use serde_json::Value;
use sha2::{Digest as _, Sha256};

use crate::process;

pub fn bench(megabytes: u64) -> Result<()> {
    let (workspace, data) = process::income_workspace()?;
    let contract = workspace.path().join("contracts/applicants.yaml");
    // The copies of the rows get longer ids.
    fs::write(&contract, fs::read_to_string(&contract)?.replace("^P[0-9]{6}$", "^P[0-9]{6,12}$"))?;
    let csv = workspace.path().join("large.csv");
    let rows = repeat(&data, &csv, megabytes << 20)?;
    let bytes = fs::metadata(&csv)?.len();
    println!("{rows} rows, {:.0} MB", bytes as f64 / 1e6);
    let parquet = workspace.path().join("plain.parquet");
    let (_, peer) = process::run(Command::new(std::env::current_exe()?).arg("plain-ingest").args([&csv, &parquet]))?;
    let written = fs::metadata(&parquet)?.len();
    fs::remove_file(&parquet)?;
    let mut file = fs::File::open(&csv)?;
    let mut hash = Sha256::new();
    std::io::copy(&mut file, &mut hash)?;
    let digest: String = hash.finalize().iter().map(|byte| format!("{byte:02x}")).collect();
    let (out, ours) = process::run(
        Command::new(process::lockgate()?)
            .args(["ingest", "pipeline.yaml", "--format", "json", "--quiet"])
            .arg("--source")
            .arg(format!("applicants={}", csv.display()))
            .args(["--trust", &format!("applicants=sha256:{digest}")])
            .current_dir(workspace.path()),
    )?;
    let outcome: Value = serde_json::from_str(&out)?;
    let outcome = &outcome[0];
    if outcome["rows_read"] != rows || outcome["rows_committed"].as_u64() < Some(rows * 9 / 10) {
        bail!("the run did not carry the rows through: {outcome}");
    }
    println!(
        "peer: arrow-csv to zstd Parquet   {:>7.2} CPU s   {:>5.0} MiB peak   {:>5.0} MB written",
        peer.cpu_secs,
        peer.peak_rss_mib,
        written as f64 / 1e6
    );
    println!("lockgate ingest, all gates on     {:>7.2} CPU s   {:>5.0} MiB peak", ours.cpu_secs, ours.peak_rss_mib);
    println!("ratio of CPU time                 {:>7.2}", ours.cpu_secs / peer.cpu_secs);
    for (stage, seconds) in outcome["cpu_seconds"].as_object().context("the outcome has stages")? {
        let seconds = seconds.as_f64().unwrap_or_default();
        println!("  {stage:<30}  {seconds:>7.2} CPU s   {:>5.2} of the peer", seconds / peer.cpu_secs);
    }
    Ok(())
}

/// The rows again and again, each time with other ids, until the file is `bytes` large.
fn repeat(from: &Path, to: &Path, bytes: u64) -> Result<u64> {
    let mut out = BufWriter::new(fs::File::create(to)?);
    let mut rows = 0;
    for copy in 0.. {
        let mut lines = BufReader::new(fs::File::open(from)?).split(b'\n');
        let header = lines.next().context("the data has a header")??;
        if copy == 0 {
            out.write_all(&header)?;
            out.write_all(b"\n")?;
        }
        for line in lines {
            let line = line?;
            // `P000001,...` becomes `P37000001,...`: still an id, and another one.
            let at = line.iter().position(u8::is_ascii_digit).unwrap_or(0);
            let (start, end) = line.split_at(at);
            out.write_all(start)?;
            if copy > 0 {
                write!(out, "{copy}")?;
            }
            out.write_all(end)?;
            out.write_all(b"\n")?;
            rows += 1;
        }
        if out.stream_position()? >= bytes {
            break;
        }
    }
    out.flush()?;
    Ok(rows)
}

/// The peer.
pub fn plain(csv: &Path, parquet: &Path) -> Result<()> {
    let format = Format::default().with_header(true);
    let (schema, _) = format.infer_schema(BufReader::new(fs::File::open(csv)?), Some(10_000))?;
    let schema = Arc::new(schema);
    let reader = ReaderBuilder::new(Arc::clone(&schema))
        .with_header(true)
        .with_batch_size(8_192)
        .build(BufReader::with_capacity(1 << 20, fs::File::open(csv)?))?;
    let properties = WriterProperties::builder().set_compression(Compression::ZSTD(ZstdLevel::try_new(1)?)).build();
    let mut writer = ArrowWriter::try_new(fs::File::create(parquet)?, schema, Some(properties))?;
    for batch in reader {
        writer.write(&batch?)?;
    }
    writer.close()?;
    Ok(())
}
