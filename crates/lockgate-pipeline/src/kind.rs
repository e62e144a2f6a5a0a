//! What a file holds, by its name and its first bytes.

use std::{io::Read as _, path::Path};

use lockgate_source::Content;

/// So much of a file tells what it is.
const START_BYTES: u64 = 4 << 10;

/// What a file is read as.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// Separated by this.
    Csv(char),
    JsonLines,
    Json,
    Parquet,
    /// Text, of a program.
    Code,
    /// Bytes that are no text: a picture, a database.
    Binary,
    Text,
}

/// Names in programs are of functions and types, seldom of people.
const CODE: [&str; 40] = [
    "asm", "bash", "bat", "c", "cc", "cfg", "clj", "cpp", "cs", "css", "cu", "dart", "ex", "go", "gradle", "h", "hcl",
    "hpp", "hs", "java", "js", "jsx", "kt", "lua", "mjs", "ml", "php", "pl", "ps1", "py", "r", "rb", "rego", "rs",
    "scala", "sh", "swift", "tf", "ts", "tsx",
];

impl Kind {
    pub(crate) fn of(path: &Path, content: &Content) -> Self {
        let mut start = Vec::new();
        let read = content.reader().take(START_BYTES).read_to_end(&mut start);
        if read.is_ok() && start.starts_with(b"PAR1") {
            return Self::Parquet;
        }
        let name = path.file_name().unwrap_or_default().to_string_lossy().to_ascii_lowercase();
        let name = name.strip_suffix(".gz").or_else(|| name.strip_suffix(".zst")).unwrap_or(&name);
        let Some((_, ending)) = name.rsplit_once('.') else {
            return if matches!(name, "dockerfile" | "makefile") { Self::Code } else { Self::Text };
        };
        match ending {
            "csv" => Self::Csv(','),
            "tsv" => Self::Csv('\t'),
            "jsonl" | "ndjson" => Self::JsonLines,
            "json" => Self::Json,
            "parquet" => Self::Parquet,
            ending if CODE.contains(&ending) => Self::Code,
            _ if is_binary(&start) => Self::Binary,
            _ => Self::Text,
        }
    }
}

/// Many bytes that text has none of; compressed text is told by its own first bytes, and UTF-16 has
/// its zeros beside letters.
fn is_binary(start: &[u8]) -> bool {
    let compressed = start.starts_with(&[0x1f, 0x8b]) || start.starts_with(&[0x28, 0xb5, 0x2f, 0xfd]);
    let control = |b: &&u8| **b < 0x20 && !b"\0\t\n\r\x0c\x1b".contains(b);
    let broken = String::from_utf8_lossy(start).chars().filter(|c| *c == '\u{fffd}').count();
    !compressed && (start.iter().filter(control).count() * 50 > start.len() || broken * 10 > start.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kinds_are_known_by_endings_and_first_bytes() {
        let folder = tempfile::tempdir().expect("a folder");
        let of = |name: &str, bytes: &[u8]| {
            let path = folder.path().join(name);
            std::fs::write(&path, bytes).expect("a file");
            Kind::of(&path, &Content::file(&path).expect("content"))
        };
        assert_eq!(of("a.CSV", b"x"), Kind::Csv(','));
        assert_eq!(of("a.tsv.gz", b"x"), Kind::Csv('\t'));
        assert_eq!(of("a.ndjson.zst", b"x"), Kind::JsonLines);
        assert_eq!(of("a.txt", b"PAR1...."), Kind::Parquet);
        assert_eq!(of("main.rs", b"x"), Kind::Code);
        assert_eq!(of("Dockerfile", b"x"), Kind::Code);
        assert_eq!(of("a.png", b"\x89PNG\r\n\x1a\n\x00\x00\x00\rIHDR\x01\x02\x03\xff\xfe\xfd"), Kind::Binary);
        assert_eq!(of("wide.txt", b"a\0n\0n\0a\0"), Kind::Text);
        assert_eq!(of("latin.txt", b"Fran\xe7ois came to see us and stayed\n"), Kind::Text);
        for text in ["csv", "json", "r", "contacts.ini", "notes", "a.log"] {
            assert_eq!(of(text, b"x"), Kind::Text, "{text}");
        }
    }
}
