//! What a file holds, by its name and its first bytes.

use std::{io::Read as _, path::Path};

use lockgate_source::Content;

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
        let mut magic = [0; 4];
        if content.reader().read_exact(&mut magic).is_ok() && magic == *b"PAR1" {
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
            _ => Self::Text,
        }
    }
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
        for text in ["csv", "json", "r", "contacts.ini", "notes", "a.log"] {
            assert_eq!(of(text, b"x"), Kind::Text, "{text}");
        }
    }
}
