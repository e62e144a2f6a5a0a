//! `audit`: appending to the transparency log, against appending the same bytes to a plain file
//! that is synced as often; then proofs in a log of a million events.

use std::{fs, io::Write as _, time::Instant};

use anyhow::Result;
use lockgate_proof::{Log, LogReader, SigningKey};

/// An event of the usual length.
fn leaf(number: u64) -> Vec<u8> {
    format!(
        "{{\"id\":\"01a20388-d229-74c0-bc88-{number:012x}\",\"time\":\"2026-11-22T13:53:48.000Z\",\"kind\":\"inference\",\
         \"actor\":\"branch-app\",\"about\":\"endpoint income\",\"detail\":{{\"artifact\":\"sha256:{number:064x}\",\
         \"package\":\"sha256:{number:064x}\",\"policy\":\"sha256:{number:064x}\",\"rows\":1,\"version\":1}}}}"
    )
    .into_bytes()
}

pub fn bench(events: u64) -> Result<()> {
    let dir = tempfile::tempdir()?;
    println!("events of {} bytes; every batch is on disk before the next begins", leaf(0).len());
    println!("{:>8}  {:>14}  {:>14}  {:>6}", "batch", "log events/s", "file events/s", "ratio");
    for batch in [1u64, 32, 256, 4_096] {
        let total = (batch * 200).min(200_000);
        let log_rate = append(&dir.path().join(format!("log-{batch}")), total, batch)?.0;
        let mut file = fs::File::create(dir.path().join("plain"))?;
        let begun = Instant::now();
        for first in (0..total).step_by(batch as usize) {
            let bytes: Vec<u8> = (first..first + batch).flat_map(leaf).collect();
            file.write_all(&bytes)?;
            file.sync_data()?;
        }
        let file_rate = total as f64 / begun.elapsed().as_secs_f64();
        println!("{batch:>8}  {log_rate:>14.0}  {file_rate:>14.0}  {:>6.2}", file_rate / log_rate);
    }
    let place = dir.path().join("large");
    let (rate, key) = append(&place, events, 4_096)?;
    println!("{events} events in batches of 4,096: {rate:.0} events/s");
    let open = Instant::now();
    let reader = LogReader::open(&place, &key.verifying_key())?;
    println!("open                {:>9.3} ms", open.elapsed().as_secs_f64() * 1e3);
    let proofs = 200u64;
    let begun = Instant::now();
    for number in 0..proofs {
        let index = number.wrapping_mul(0x9e37_79b9_7f4a_7c15) % reader.size();
        reader.prove(index)?.verify(&leaf(index), reader.root_hash())?;
    }
    println!("prove and verify    {:>9.3} ms an event", begun.elapsed().as_secs_f64() * 1e3 / proofs as f64);
    let begun = Instant::now();
    reader.verify()?;
    let (whole, bytes) = (begun.elapsed().as_secs_f64(), size(&place)?);
    let begun = Instant::now();
    hash_all(&place)?;
    let limit = begun.elapsed().as_secs_f64();
    println!(
        "verify every byte   {whole:>9.2} s; SHA-256 over the same {:.0} MB: {limit:.2} s; ratio {:.2}",
        bytes as f64 / 1e6,
        whole / limit
    );
    Ok(())
}

fn append(place: &std::path::Path, total: u64, batch: u64) -> Result<(f64, SigningKey)> {
    let key = SigningKey::from_seed("bench.example/log", &[7; 32])?;
    let mut log = Log::create(place, key.clone())?;
    let begun = Instant::now();
    for first in (0..total).step_by(batch as usize) {
        let leaves: Vec<Vec<u8>> = (first..(first + batch).min(total)).map(leaf).collect();
        log.append(&leaves)?;
    }
    Ok((total as f64 / begun.elapsed().as_secs_f64(), key))
}

fn files(place: &std::path::Path) -> Result<Vec<std::path::PathBuf>> {
    let (mut files, mut folders) = (Vec::new(), vec![place.to_owned()]);
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder)? {
            let entry = entry?;
            if entry.file_type()?.is_dir() { folders.push(entry.path()) } else { files.push(entry.path()) }
        }
    }
    Ok(files)
}

fn size(place: &std::path::Path) -> Result<u64> {
    files(place)?.iter().map(|file| Ok(fs::metadata(file)?.len())).sum()
}

fn hash_all(place: &std::path::Path) -> Result<()> {
    use sha2::Digest as _;
    for file in files(place)? {
        std::hint::black_box(sha2::Sha256::digest(fs::read(file)?));
    }
    Ok(())
}
