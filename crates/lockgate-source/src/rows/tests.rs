use std::io::Write as _;

use super::*;
use crate::Trust;

type Table = Vec<Vec<Option<String>>>;

fn spec(uri: &str) -> SourceSpec {
    SourceSpec {
        uri: uri.into(),
        format: None,
        trust: Trust::Unauthenticated,
        encoding: None,
        delimiter: None,
        tls: None,
        hint: None,
    }
}

fn read(name: &str, bytes: &[u8], change: impl FnOnce(&mut SourceSpec)) -> Result<(Table, Vec<u64>)> {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join(name);
    std::fs::write(&path, bytes).unwrap();
    let content = Content::file(&path)?;
    let uri = path.to_string_lossy().into_owned();
    let record = Authenticated {
        uri: uri.clone(),
        digest: content.digest()?,
        size_bytes: 0,
        trust: String::new(),
        publisher_key: None,
        signature: None,
    };
    let mut spec = spec(&uri);
    change(&mut spec);
    let mut rows = Rows::open(&content, &record, &spec, &["a".into(), "b".into()])?;
    let (mut out, mut bad) = (Vec::new(), Vec::new());
    while let Some(batch) = rows.next_batch()? {
        use arrow::array::AsArray as _;
        for row in 0..batch.batch.num_rows() {
            out.push(
                batch
                    .batch
                    .columns()
                    .iter()
                    .map(|c| {
                        let c = c.as_string::<i32>();
                        arrow::array::Array::is_valid(c, row).then(|| c.value(row).to_owned())
                    })
                    .collect(),
            );
        }
        bad.extend(batch.malformed.iter().map(|m| m.row));
    }
    rows.finish()?;
    Ok((out, bad))
}

fn some(values: &[&str]) -> Vec<Option<String>> {
    values.iter().map(|v| (!v.is_empty()).then(|| (*v).to_owned())).collect()
}

#[test]
fn csv_as_rfc_4180_has_it() {
    let (rows, bad) =
        read("x.csv", b"\xef\xbb\xbfa,b\r\n1,\"two\nlines, \"\"quoted\"\"\"\r\n,\xc3\xa9\n1,2,3\nx\n", |_| {}).unwrap();
    assert_eq!(rows, [some(&["1", "two\nlines, \"quoted\""]), some(&["", "é"])]);
    assert_eq!(bad, [2, 3]);
}

#[test]
fn a_quote_without_its_end_is_refused() {
    let failure = read("x.csv", b"a,b\n1,\"two\n3,four\n5,six\n", |_| {}).unwrap_err();
    assert!(failure.to_string().contains("inside a quoted field"), "{failure}");
    read("x.csv", b"a,b\n1,\"two\"", |_| {}).unwrap();
}

#[test]
fn encodings_are_declared_not_guessed() {
    let latin = b"a;b\n\xe9;2\n";
    let failure = read("x.csv", latin, |s| s.delimiter = Some(';')).unwrap_err();
    assert!(failure.to_string().contains("not valid UTF-8"), "{failure}");
    let (rows, _) = read("x.csv", latin, |s| {
        s.delimiter = Some(';');
        s.encoding = Some("windows-1252".into());
    })
    .unwrap();
    assert_eq!(rows, [some(&["é", "2"])]);
    let utf16: Vec<u8> = "\u{feff}a,b\nž,2\n".encode_utf16().flat_map(u16::to_le_bytes).collect();
    let (rows, _) = read("x.csv", &utf16, |s| s.encoding = Some("utf-16le".into())).unwrap();
    assert_eq!(rows, [some(&["ž", "2"])]);
}

#[test]
fn json_lines_and_compression() {
    let text = b"{\"a\":1,\"b\":\"x\"}\n\nnot json\n{\"a\":null,\"b\":[1]}\n";
    let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
    gzip.write_all(text).unwrap();
    let (rows, bad) = read("x.jsonl.gz", &gzip.finish().unwrap(), |_| {}).unwrap();
    assert_eq!(rows, [some(&["1", "x"]), some(&["", "[1]"])]);
    assert_eq!(bad, [1]);
    assert!(read("x.jsonl", b"{\"c\":1}\n", |_| {}).unwrap_err().to_string().contains("\"c\" is not in the contract"));
}

#[test]
fn bombs_and_endless_records_end_in_a_clear_error() {
    let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
    let line = [b"a,b\n".as_slice(), &vec![b'x'; 1 << 16]].concat();
    for _ in 0..2_000 {
        gzip.write_all(&line).unwrap();
        gzip.write_all(b",1\n").unwrap();
    }
    let failure = read("x.csv.gz", &gzip.finish().unwrap(), |_| {}).unwrap_err();
    assert!(failure.to_string().contains("decompression bomb"), "{failure}");

    let endless = [b"a,b\n\"".as_slice(), &vec![b'x'; 3 << 20]].concat();
    let failure = read("x.csv", &endless, |_| {}).unwrap_err();
    assert!(failure.to_string().contains("larger than 1 MiB"), "{failure}");
}

proptest::proptest! {
    #[test]
    fn any_bytes_end_in_rows_or_an_error(bytes: Vec<u8>) {
        let _ = read("x.csv", &bytes, |_| {});
        let _ = read("x.jsonl", &bytes, |_| {});
        let _ = read("x.parquet", &bytes, |_| {});
    }
}
