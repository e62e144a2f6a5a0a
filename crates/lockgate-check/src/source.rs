//! The files that are checked: which there are, what kind each is, and where a byte stands.
//!
//! Invariants: links are not followed, nothing outside of the root is read, and a file that is
//! too large or not text is named instead of being read in part.

use std::{
    fs,
    io::Read as _,
    path::{Path, PathBuf},
    sync::{Arc, OnceLock},
};

use hashbrown::HashMap;
use lockgate_core::{Failure, Result};

/// Largest file that is read.
pub const FILE_BYTES_MAX: u64 = 2 << 20;
/// Most files of one check.
pub const FILES_MAX: usize = 100_000;
/// Most bytes of one check.
pub const TREE_BYTES_MAX: u64 = 2 << 30;

/// A stretch of a file, in bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Place {
    pub file: u32,
    pub start: u32,
    pub end: u32,
}

impl Place {
    pub fn new(file: u32, start: usize, end: usize) -> Self {
        let small = |n: usize| u32::try_from(n).unwrap_or(u32::MAX);
        Self { file, start: small(start), end: small(end.max(start)) }
    }
}

/// What a file is, told by its name and, for YAML and JSON, by what stands in it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Language {
    Python,
    Notebook,
    Terraform,
    Yaml,
    Json,
    Docker,
    Shell,
    Sql,
    Xml,
    Settings,
    Requirements,
    Makefile,
    /// A template of no kind of its own: what Helm's templates include, what Terraform renders.
    Template,
    /// A file of a private key.
    Key,
    Rego,
}

/// What a file is for; weak values in tests and templates are not held against anybody.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, serde::Serialize, schemars::JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Role {
    Source,
    Test,
    /// A template to be filled in, such as `.env.example`.
    Template,
}

/// A file of the tree.
#[derive(Debug)]
pub struct File {
    /// Relative to the root, with `/`.
    pub path: Arc<str>,
    pub language: Language,
    pub role: Role,
    full: PathBuf,
    text: OnceLock<std::result::Result<Arc<str>, String>>,
    lines: OnceLock<Vec<u32>>,
    /// Why its text may not be what it was meant to be.
    doubt: OnceLock<String>,
}

impl File {
    /// A file whose text is at hand.
    pub fn with_text(path: &str, text: &str) -> Option<Self> {
        let language = language(path)?;
        let cell = OnceLock::new();
        let text =
            if language == Language::Notebook { crate::notebook::code(text).map(Into::into) } else { Ok(text.into()) };
        let _ = cell.set(text);
        Some(Self {
            path: path.into(),
            language,
            role: role(path),
            full: PathBuf::from(path),
            text: cell,
            lines: OnceLock::new(),
            doubt: OnceLock::new(),
        })
    }

    /// Its text, or why there is none.
    pub fn text(&self) -> std::result::Result<&Arc<str>, &str> {
        self.text
            .get_or_init(|| {
                let (text, doubt) = read(&self.full)?;
                if let Some(doubt) = doubt {
                    let _ = self.doubt.set(doubt);
                }
                // What is read of a notebook is its code.
                if self.language == Language::Notebook {
                    crate::notebook::code(&text).map(Into::into)
                } else {
                    Ok(text)
                }
            })
            .as_ref()
            .map_err(String::as_str)
    }

    /// What to say of a text that was read all the same.
    pub fn doubt(&self) -> Option<&str> {
        self.doubt.get().map(String::as_str)
    }

    /// Line and column of a byte, from 1; columns count characters.
    pub fn position(&self, offset: u32) -> (u32, u32) {
        let Ok(text) = self.text() else { return (1, 1) };
        let lines = self.lines.get_or_init(|| {
            let starts = memchr_lines(text.as_bytes());
            std::iter::once(0).chain(starts).collect()
        });
        let line = lines.partition_point(|start| *start <= offset).max(1);
        let start = lines.get(line - 1).copied().unwrap_or(0) as usize;
        // A line that is longer than any program's is counted in bytes.
        let far = (offset as usize).saturating_sub(start);
        if far > 16 << 10 {
            let column = u32::try_from(far + 1).unwrap_or(u32::MAX);
            return (u32::try_from(line).unwrap_or(u32::MAX), column);
        }
        let column = text.get(start..(offset as usize).min(text.len())).map_or(1, |before| before.chars().count() + 1);
        (u32::try_from(line).unwrap_or(u32::MAX), u32::try_from(column).unwrap_or(u32::MAX))
    }

    /// The text of a line, counted from 1, and where it starts.
    pub fn line(&self, number: u32) -> Option<(&str, u32)> {
        self.position(0);
        let text = self.text().ok()?;
        let lines = self.lines.get()?;
        let start = *lines.get((number as usize).checked_sub(1)?)?;
        let end = lines.get(number as usize).map_or(text.len(), |end| *end as usize);
        Some((text.get(start as usize..end)?.trim_end_matches(['\n', '\r']), start))
    }
}

fn memchr_lines(bytes: &[u8]) -> impl Iterator<Item = u32> {
    bytes.iter().enumerate().filter(|(_, b)| **b == b'\n').map(|(i, _)| u32::try_from(i + 1).unwrap_or(u32::MAX))
}

/// A text, and why it may be another one.
type Decoded = (Arc<str>, Option<String>);

fn read(path: &Path) -> std::result::Result<Decoded, String> {
    let meta = fs::symlink_metadata(path).map_err(|e| format!("it cannot be read: {e}"))?;
    if !meta.is_file() {
        return Err("it is not a regular file".to_owned());
    }
    let mut bytes = Vec::new();
    fs::File::open(path)
        .and_then(|file| file.take(FILE_BYTES_MAX + 1).read_to_end(&mut bytes))
        .map_err(|e| format!("it cannot be read: {e}"))?;
    if bytes.len() as u64 > FILE_BYTES_MAX {
        return Err("it is larger than 2 MiB, the limit of a file that is checked".to_owned());
    }
    decoded(bytes)
}

/// A text in UTF-8, in UTF-16 with its mark, or in the Latin-1 that it declares (PEP 263). Any other
/// text is read as Latin-1 too, since one byte of a comment hides nothing.
fn decoded(bytes: Vec<u8>) -> std::result::Result<Decoded, String> {
    let utf16 = |units: fn([u8; 2]) -> u16| {
        let units: Vec<u16> =
            bytes.chunks_exact(2).skip(1).filter_map(|pair| pair.try_into().ok()).map(units).collect();
        String::from_utf16(&units)
            .map(|text| (text.into(), None))
            .map_err(|_| "it is not UTF-16, as its mark says".to_owned())
    };
    match bytes.as_slice() {
        [0xFF, 0xFE, ..] => return utf16(u16::from_le_bytes),
        [0xFE, 0xFF, ..] => return utf16(u16::from_be_bytes),
        _ => {}
    }
    String::from_utf8(bytes).map_or_else(
        |error| {
            let at = error.utf8_error().valid_up_to();
            let bytes = error.into_bytes();
            let head = bytes.split(|b| *b == b'\n').take(2).collect::<Vec<_>>().concat();
            let head = String::from_utf8_lossy(&head).to_ascii_lowercase();
            let is_latin = head.contains("coding")
                && ["latin-1", "latin1", "iso-8859-1", "cp1252"].iter().any(|name| head.contains(name));
            if bytes.contains(&0) {
                return Err(format!("byte {at} is not UTF-8"));
            }
            let doubt = (!is_latin).then(|| format!("byte {at} is not UTF-8; it was read as Latin-1"));
            Ok((bytes.iter().map(|b| char::from(*b)).collect::<String>().into(), doubt))
        },
        |text| Ok((text.trim_start_matches('\u{FEFF}').into(), None)),
    )
}

/// The files under a root.
#[derive(Debug, Default)]
pub struct Tree {
    pub root: PathBuf,
    pub files: Vec<File>,
    by_path: HashMap<Arc<str>, u32>,
    /// Which files were asked for; the others are there to be imported.
    pub asked: Vec<bool>,
    /// Named, and not checked, with the reason.
    pub passed_over: Vec<(String, &'static str)>,
    /// Links and files that were left out, with the reason.
    pub left_out: Vec<(String, &'static str)>,
}

impl Tree {
    /// Walks the root once. `asked` are the paths that were named; they lie under the root.
    pub fn walk(root: &Path, asked: &[PathBuf], exclude: &[String]) -> Result<Self> {
        let mut tree = Self { root: root.to_path_buf(), ..Self::default() };
        let exclude: Vec<glob::Pattern> = exclude
            .iter()
            .map(|pattern| {
                glob::Pattern::new(pattern)
                    .map_err(|e| Failure::usage(format!("exclude {pattern:?} is no pattern: {e}")))
            })
            .collect::<Result<_>>()?;
        let mut bytes = 0u64;
        let mut walk = ignore::WalkBuilder::new(root);
        walk.hidden(false).follow_links(false).require_git(false).max_depth(Some(64)).sort_by_file_name(Ord::cmp);
        walk.filter_entry(|entry| {
            let name = entry.file_name().to_string_lossy();
            !matches!(
                &*name,
                ".git" | "node_modules" | "__pycache__" | ".venv" | "venv" | ".tox" | ".terraform" | ".mypy_cache"
            )
        });
        for entry in walk.build() {
            let entry = match entry {
                Ok(entry) => entry,
                Err(error) => {
                    tree.left_out.push((printable(&error.to_string()), "it cannot be read"));
                    continue;
                }
            };
            let Some(kind) = entry.file_type() else { continue };
            let Ok(relative) = entry.path().strip_prefix(root) else { continue };
            let path = relative.to_string_lossy().replace('\\', "/");
            let is_asked = asked.iter().any(|asked| entry.path().starts_with(asked));
            if kind.is_symlink() && is_asked && language(&path).is_some() {
                tree.left_out.push((printable(&path), "it is a link; links are not followed"));
                continue;
            }
            if kind.is_symlink() || !kind.is_file() || exclude.iter().any(|pattern| pattern.matches(&path)) {
                continue;
            }
            let Some(language) = language(&path).or_else(|| by_content(entry.path())) else { continue };
            bytes += entry.metadata().map_or(0, |meta| meta.len().min(FILE_BYTES_MAX));
            if tree.files.len() >= FILES_MAX || bytes > TREE_BYTES_MAX {
                return Err(Failure::input(format!(
                    "{} holds more than 100,000 files or 2 GiB to check",
                    root.display()
                ))
                .hint("name the folders to check, or leave some out with `check.exclude` in lockgate.yaml"));
            }
            tree.push(&path, language, entry.path().to_path_buf(), is_asked);
        }
        // What was named is checked even where an ignore file leaves it out.
        for path in asked {
            let Ok(relative) = path.strip_prefix(root) else { continue };
            let name = relative.to_string_lossy().replace('\\', "/");
            if path.is_file() && !tree.by_path.contains_key(name.as_str()) {
                if exclude.iter().any(|pattern| pattern.matches(&name)) {
                    tree.passed_over.push((printable(&name), "it is left out by `check.exclude`"));
                    continue;
                }
                // A hook names whatever was changed.
                let Some(language) = language(&name).or_else(|| by_content(path)) else {
                    tree.passed_over.push((printable(&name), "it is not of a kind that is checked"));
                    continue;
                };
                tree.push(&name, language, path.clone(), true);
            }
        }
        Ok(tree)
    }

    fn push(&mut self, path: &str, language: Language, full: PathBuf, asked: bool) {
        let path: Arc<str> = path.into();
        let id = u32::try_from(self.files.len()).unwrap_or(u32::MAX);
        self.by_path.insert(Arc::clone(&path), id);
        self.asked.push(asked);
        self.files.push(File {
            role: role(&path),
            path,
            language,
            full,
            text: OnceLock::new(),
            lines: OnceLock::new(),
            doubt: OnceLock::new(),
        });
    }

    /// A tree of texts, for tests and for fuzzing.
    pub fn of(files: &[(&str, &str)]) -> Self {
        let mut tree = Self::default();
        for (path, text) in files {
            if let Some(file) = File::with_text(path, text) {
                let id = u32::try_from(tree.files.len()).unwrap_or(u32::MAX);
                tree.by_path.insert(Arc::clone(&file.path), id);
                tree.asked.push(true);
                tree.files.push(file);
            }
        }
        tree
    }

    pub fn file(&self, id: u32) -> Option<&File> {
        self.files.get(id as usize)
    }

    /// The file of a path relative to the root.
    pub fn find(&self, path: &str) -> Option<u32> {
        self.by_path.get(path).copied()
    }

    /// Whether some file lies in this folder.
    pub fn has_folder(&self, folder: &str) -> bool {
        let start = format!("{folder}/");
        self.files.iter().any(|file| file.path.starts_with(&start))
    }
}

/// What a file without an ending is by how it begins: a private key, or a script with its
/// interpreter.
fn by_content(path: &Path) -> Option<Language> {
    let name = path.file_name()?.to_string_lossy();
    if name.contains('.') {
        return None;
    }
    let mut start = [0; 40];
    let read = fs::File::open(path).and_then(|mut file| file.read(&mut start)).ok()?;
    let start = String::from_utf8_lossy(start.get(..read)?);
    if let Some(interpreter) = start.strip_prefix("#!") {
        let line = interpreter.lines().next()?;
        let program = line.split([' ', '/']).rfind(|word| !word.is_empty() && !word.starts_with('-'))?;
        return match program {
            "sh" | "bash" | "zsh" | "dash" | "ksh" => Some(Language::Shell),
            _ if program.starts_with("python") => Some(Language::Python),
            _ => None,
        };
    }
    (start.starts_with("-----BEGIN") && start.contains("PRIVATE KEY")).then_some(Language::Key)
}

/// A path without control characters.
pub fn printable(text: &str) -> String {
    text.chars().map(|c| if crate::facts::is_unseen(c) { '\u{FFFD}' } else { c }).take(300).collect()
}

fn language(path: &str) -> Option<Language> {
    let name = path.rsplit('/').next().unwrap_or(path);
    let lower = name.to_ascii_lowercase();
    let bare = lower
        .strip_suffix(".example")
        .or_else(|| lower.strip_suffix(".sample"))
        .or_else(|| lower.strip_suffix(".template"))
        .or_else(|| lower.strip_suffix(".dist"))
        .unwrap_or(&lower);
    // A template of a file is read as the file.
    let bare = [".j2", ".jinja", ".jinja2", ".tmpl"].iter().find_map(|end| bare.strip_suffix(end)).unwrap_or(bare);
    let ending = bare.rsplit_once('.').map_or("", |(_, ending)| ending);
    Some(match ending {
        "py" | "pyw" | "pyi" => Language::Python,
        "ipynb" => Language::Notebook,
        "tf" | "tfvars" | "tofu" | "hcl" => Language::Terraform,
        "yaml" | "yml" | "condarc" => Language::Yaml,
        "json" => Language::Json,
        "sh" | "bash" | "zsh" => Language::Shell,
        "sql" | "hql" | "ddl" => Language::Sql,
        "xml" => Language::Xml,
        "ini" | "cfg" | "conf" | "properties" | "env" | "toml" | "tfbackend" | "secret" | "secrets" => {
            Language::Settings
        }
        "rego" => Language::Rego,
        "pem" | "key" | "ppk" => Language::Key,
        "tpl" | "tftpl" | "gotmpl" => Language::Template,
        "mk" => Language::Makefile,
        "cron" | "crontab" => Language::Shell,
        _ if bare == "crontab" || path.contains("cron.d/") => Language::Shell,
        _ if bare == "mlproject" => Language::Yaml,
        _ if matches!(bare, "makefile" | "gnumakefile") => Language::Makefile,
        _ if matches!(bare, "id_rsa" | "id_dsa" | "id_ecdsa" | "id_ed25519") => Language::Key,
        "dockerfile" | "containerfile" => Language::Docker,
        _ if bare == "dockerfile" || bare.starts_with("dockerfile.") || bare == "containerfile" => Language::Docker,
        _ if bare == ".env"
            || bare.starts_with(".env.")
            || matches!(
                bare,
                ".netrc" | "_netrc" | ".pypirc" | ".pgpass" | "pgpass" | ".npmrc" | ".s3cfg" | ".boto" | "credentials"
            )
            || path.ends_with(".dvc/config")
            || path.ends_with(".aws/config") =>
        {
            Language::Settings
        }
        "txt" | "in"
            if bare.contains("requirements")
                || bare.contains("constraints")
                || path.split('/').rev().nth(1) == Some("requirements") =>
        {
            Language::Requirements
        }
        _ => return None,
    })
}

/// Whether a file is a table of cron.
pub(crate) fn is_cron(path: &str) -> bool {
    let name = path.rsplit('/').next().unwrap_or(path).to_ascii_lowercase();
    name == "crontab" || name.ends_with(".cron") || name.ends_with(".crontab") || path.contains("cron.d/")
}

fn role(path: &str) -> Role {
    let lower = path.to_ascii_lowercase();
    let mut parts: Vec<&str> = lower.split('/').collect();
    let name = parts.pop().unwrap_or_default();
    // `Stack.template.json` is what CDK deploys.
    let is_stack = name.contains(".template.") && [".json", ".yaml", ".yml"].iter().any(|end| name.ends_with(end));
    let template = !is_stack
        && [".example", ".sample", ".template", ".dist"]
            .iter()
            .any(|word| name.ends_with(word) || name.contains(&format!("{word}.")));
    if template || name.starts_with("example.env") || name == "env.example" {
        return Role::Template;
    }
    let stem = name.split('.').next().unwrap_or(name);
    let is_tests = |part: &str| {
        matches!(part, "tests" | "test" | "testing" | "__tests__" | "fixtures") || part.ends_with("_tests")
    };
    let is_test = parts.iter().any(|part| is_tests(part))
        || stem.starts_with("test_")
        || stem.ends_with("_test")
        || stem == "conftest";
    if is_test { Role::Test } else { Role::Source }
}
