//! Reading configuration: strict YAML, errors that name file, line, column and the nearest key.

use std::{fs, io::Read as _, path::Path};

use serde::de::DeserializeOwned;
pub use serde_saphyr::Spanned;

use crate::{Failure, Result, limits, nearest, printable_name};

/// Reads and parses the YAML file at `path`.
pub fn read<T: DeserializeOwned>(path: &Path) -> Result<T> {
    parse(&read_text(path)?, &path.display().to_string())
}

/// Reads a text file of at most [`limits::CONFIG_BYTES_MAX`] bytes.
pub fn read_text(path: &Path) -> Result<String> {
    // Opening a pipe would wait for its writer.
    if fs::metadata(path).is_ok_and(|meta| !meta.is_file()) {
        return Err(Failure::input(format!("{} is not a regular file", path.display())));
    }
    let mut text = String::new();
    let size = fs::File::open(path)
        .map_err(|e| Failure::io("open", path, &e))?
        .take(limits::CONFIG_BYTES_MAX + 1)
        .read_to_string(&mut text)
        .map_err(|e| Failure::io("read", path, &e))?;
    if size as u64 > limits::CONFIG_BYTES_MAX {
        return Err(Failure::input(format!("{} is larger than 1 MiB", path.display()))
            .hint("this is a limit for configuration, contract, policy and SQL files"));
    }
    Ok(text)
}

/// Parses YAML text; `file` names it in errors.
pub fn parse<T: DeserializeOwned>(text: &str, file: &str) -> Result<T> {
    serde_saphyr::from_str(text).map_err(|error| {
        let error = error.without_snippet();
        let place =
            error.location().map_or_else(|| file.to_owned(), |at| format!("{file}:{}:{}", at.line(), at.column()));
        match error {
            serde_saphyr::Error::SerdeUnknownField { field, expected, .. } => unknown(field, expected, "key").at(place),
            serde_saphyr::Error::SerdeUnknownVariant { variant, expected, .. } => {
                unknown(variant, expected, "value").at(place)
            }
            other => {
                let text = other.to_string();
                let what = text.split(" at line ").next().unwrap_or(&text);
                Failure::input(format!("{place}: {what}"))
            }
        }
    })
}

fn unknown(word: &str, expected: &[&'static str], kind: &str) -> Failure {
    let hint = match nearest(word, expected.iter().copied()) {
        Some(near) => format!("did you mean {near:?}?"),
        None => format!("known here: {}", expected.join(", ")),
    };
    match printable_name(word) {
        Some(word) => Failure::input(format!("unknown {kind} {word:?}")).hint(hint),
        None => Failure::input(format!("unknown {kind}")).hint(hint),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, serde::Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Thing {
        #[expect(dead_code)]
        sources: Vec<u32>,
        #[expect(dead_code)]
        purpose: String,
    }

    #[test]
    fn an_unknown_key_names_its_place_and_the_nearest_key() {
        let failure = parse::<Thing>("purpose: x\nsouces: [1]\n", "p.yaml").unwrap_err();
        assert_eq!(failure.to_string(), "p.yaml:2:1: unknown key \"souces\"");
        assert_eq!(failure.hint_text(), Some("did you mean \"sources\"?"));
    }

    #[test]
    fn a_wrong_type_names_its_place() {
        let failure = parse::<Thing>("purpose: x\nsources: [a]\n", "p.yaml").unwrap_err();
        assert!(failure.to_string().starts_with("p.yaml:2:11: "), "{failure}");
    }
}
