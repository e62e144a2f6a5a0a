//! JSON as text: its strings and numbers where they stand, so that what is replaced changes nothing
//! beside it: order, numbers, repeated keys and spaces stay.

use std::ops::Range;

/// A string or a number of a JSON text.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Token {
    /// With its quotes.
    pub place: Range<usize>,
    /// What it says.
    pub text: String,
    pub kind: Part,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Part {
    Key,
    Text,
    Number,
    /// The beginning of an object or a list.
    Open,
    Close,
}

/// The tokens of a text that is JSON; of anything else, nothing.
pub(crate) fn tokens(json: &str) -> Vec<Token> {
    let bytes = json.as_bytes();
    if serde_json::from_str::<serde::de::IgnoredAny>(json).is_err() {
        return Vec::new();
    }
    let mut tokens = Vec::new();
    let mut at = 0;
    while let Some(byte) = bytes.get(at) {
        let start = at;
        match byte {
            b'"' => {
                at += 1;
                while bytes.get(at).is_some_and(|b| *b != b'"') {
                    at += if bytes.get(at) == Some(&b'\\') { 2 } else { 1 };
                }
                at += 1;
                let next = bytes.get(at..).unwrap_or_default().iter().find(|b| !b.is_ascii_whitespace());
                let kind = if next == Some(&b':') { Part::Key } else { Part::Text };
                let text = json.get(start..at).and_then(|raw| serde_json::from_str(raw).ok()).unwrap_or_default();
                tokens.push(Token { place: start..at, text, kind });
            }
            b'-' | b'0'..=b'9' => {
                while bytes.get(at).is_some_and(|b| b.is_ascii_digit() || b"+-.eE".contains(b)) {
                    at += 1;
                }
                let text = json.get(start..at).unwrap_or_default().to_owned();
                tokens.push(Token { place: start..at, text, kind: Part::Number });
            }
            b'{' | b'[' | b'}' | b']' => {
                at += 1;
                let kind = if matches!(byte, b'{' | b'[') { Part::Open } else { Part::Close };
                tokens.push(Token { place: start..at, text: String::new(), kind });
            }
            _ => at += 1,
        }
    }
    tokens
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tokens_stand_where_they_are() {
        let json = r#" {"a\"b" : [1e2, "x\u0040y"], "a\"b":-3, "é":true}"#;
        let found: Vec<(&str, String, Part)> = tokens(json)
            .into_iter()
            .filter(|t| !matches!(t.kind, Part::Open | Part::Close))
            .map(|t| (&json[t.place], t.text, t.kind))
            .collect();
        let token = |raw, text: &str, kind| (raw, text.to_owned(), kind);
        assert_eq!(
            found,
            [
                token("\"a\\\"b\"", "a\"b", Part::Key),
                token("1e2", "1e2", Part::Number),
                token("\"x\\u0040y\"", "x@y", Part::Text),
                token("\"a\\\"b\"", "a\"b", Part::Key),
                token("-3", "-3", Part::Number),
                token("\"é\"", "é", Part::Key),
            ]
        );
        assert_eq!(tokens("{\"a\":"), []);
    }
}
