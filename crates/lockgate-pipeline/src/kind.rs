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
const CODE: [&str; 44] = [
    "asm", "bash", "bat", "c", "cc", "cfg", "clj", "cpp", "cs", "css", "cu", "dart", "ex", "go", "gradle", "h", "hcl",
    "hpp", "hs", "ini", "java", "js", "jsx", "kt", "lock", "lua", "mjs", "ml", "php", "pl", "ps1", "py", "r", "rb",
    "rego", "rs", "scala", "scss", "sh", "swift", "tf", "toml", "ts", "tsx",
];

impl Kind {
    pub(crate) fn of(path: &Path, content: &Content) -> Self {
        let mut magic = [0; 4];
        if content.reader().read_exact(&mut magic).is_ok() && magic == *b"PAR1" {
            return Self::Parquet;
        }
        let name = path.to_string_lossy().to_ascii_lowercase();
        let name = name.strip_suffix(".gz").or_else(|| name.strip_suffix(".zst")).unwrap_or(&name);
        match name.rsplit(['.', '/']).next().unwrap_or_default() {
            "csv" => Self::Csv(','),
            "tsv" => Self::Csv('\t'),
            "jsonl" | "ndjson" => Self::JsonLines,
            "json" => Self::Json,
            "parquet" => Self::Parquet,
            "dockerfile" | "makefile" => Self::Code,
            ending if CODE.contains(&ending) => Self::Code,
            _ => Self::Text,
        }
    }
}
