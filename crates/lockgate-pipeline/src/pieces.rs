//! Text in pieces: lines of any encoding, of bounded length, cut where no value stands.

use std::io::{BufRead as _, BufReader, Read};

use lockgate_core::{Failure, Result, limits};
use lockgate_source::Content;

/// A line without an end is cut so far before its limit at the latest.
const SLACK_BYTES: usize = 4 << 10;
const SNIFF_BYTES: usize = 4 << 10;

/// Lines with their ends. A line that is too long comes in pieces.
pub(crate) struct Pieces {
    reader: BufReader<Box<dyn Read>>,
    /// What was cut off the piece before.
    carried: Vec<u8>,
}

impl Pieces {
    /// Opens a text; UTF-16 is known by its mark, or by its zeros.
    pub(crate) fn open(content: &Content) -> Result<Self> {
        let mut start = Vec::new();
        content
            .text(None)?
            .take(SNIFF_BYTES as u64)
            .read_to_end(&mut start)
            .map_err(|e| Failure::input(format!("it cannot be read: {e}")))?;
        let text: Box<dyn Read> = match encoding(&start)? {
            None => Box::new(content.text(None)?),
            Some(encoding) => Box::new(content.text(Some(encoding))?),
        };
        Ok(Self { reader: BufReader::with_capacity(512 << 10, text), carried: Vec::new() })
    }

    /// Appends the next line, or a piece of it, to `out`; false at the end.
    pub(crate) fn next(&mut self, out: &mut Vec<u8>) -> Result<bool> {
        let begun = out.len();
        out.append(&mut self.carried);
        let room = limits::RECORD_BYTES_MAX - (out.len() - begun).min(limits::RECORD_BYTES_MAX - 1);
        (&mut self.reader)
            .take(room as u64)
            .read_until(b'\n', out)
            .map_err(|e| Failure::input(format!("it cannot be read: {e}")))?;
        let length = out.len() - begun;
        if length >= limits::RECORD_BYTES_MAX && out.last() != Some(&b'\n') {
            let parts = |byte: &u8| byte.is_ascii_whitespace() || b",;\"'<>{}[]|".contains(byte);
            let slack = out.get(out.len() - SLACK_BYTES..).unwrap_or_default();
            let cut = slack.iter().rposition(parts).unwrap_or(SLACK_BYTES / 2);
            self.carried = out.split_off(out.len() - SLACK_BYTES + cut);
        }
        Ok(length > 0)
    }
}

/// The encoding that a text begins with, unless it is UTF-8.
fn encoding(start: &[u8]) -> Result<Option<&'static str>> {
    match start {
        [0xff, 0xfe, 0, 0, ..] | [0, 0, 0xfe, 0xff, ..] => {
            return Err(Failure::input("it is text in UTF-32").hint("convert it to UTF-8"));
        }
        [b'P', b'K', 3, 4, ..] => return Err(Failure::input("it is an archive").hint("unpack it first")),
        [0xff, 0xfe, ..] => return Ok(Some("utf-16le")),
        [0xfe, 0xff, ..] => return Ok(Some("utf-16be")),
        _ => {}
    }
    let zeros = |first: usize| start.iter().skip(first).step_by(2).filter(|byte| **byte == 0).count();
    let (even, odd, half) = (zeros(0), zeros(1), start.len() / 2);
    // Of text in Latin letters every other byte is zero.
    Ok(if half < 8 {
        None
    } else if odd * 10 > half * 4 && even * 10 < half {
        Some("utf-16le")
    } else if even * 10 > half * 4 && odd * 10 < half {
        Some("utf-16be")
    } else {
        None
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn encodings_are_known_by_their_beginning() {
        let utf16: Vec<u8> = "a line of text".encode_utf16().flat_map(u16::to_le_bytes).collect();
        assert_eq!(encoding(&utf16).unwrap(), Some("utf-16le"));
        let utf16: Vec<u8> = "a line of text".encode_utf16().flat_map(u16::to_be_bytes).collect();
        assert_eq!(encoding(&utf16).unwrap(), Some("utf-16be"));
        assert_eq!(encoding(b"a line of text").unwrap(), None);
        assert_eq!(encoding(b"").unwrap(), None);
        assert!(encoding(b"PK\x03\x04").is_err());
    }

    #[test]
    fn a_long_line_is_cut_between_words() {
        let file = tempfile::NamedTempFile::new().unwrap();
        let text = "word ".repeat(700_000);
        std::fs::write(file.path(), &text).unwrap();
        let mut pieces = Pieces::open(&Content::file(file.path()).unwrap()).unwrap();
        let (mut all, mut piece) = (Vec::new(), Vec::new());
        while pieces.next(&mut piece).unwrap() {
            assert!(piece.len() <= limits::RECORD_BYTES_MAX);
            assert!(piece.starts_with(b"word") || piece.starts_with(b" "), "{:?}", &piece[..8]);
            all.append(&mut piece);
        }
        assert_eq!(all, text.as_bytes());
    }
}
