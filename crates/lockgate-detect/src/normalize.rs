//! What people and systems do to hide or mangle values: full-width digits, look-alike letters,
//! invisible characters, escapes, "(at)". A normalized copy is scanned, and its places are mapped
//! back. Text that needs nothing of this is not copied.

/// A rewritten text and where its parts come from.
#[derive(Debug, Default)]
pub(crate) struct Normalized {
    pub text: String,
    parts: Vec<Part>,
}

#[derive(Clone, Copy, Debug)]
struct Part {
    start: usize,
    from: usize,
    length: usize,
    from_length: usize,
}

impl Normalized {
    /// `None` when the text stands for itself.
    pub(crate) fn of(text: &str) -> Option<Self> {
        let mut out = Self::default();
        let mut copied = 0;
        let mut at = 0;
        while let Some(found) = next_suspect(text, at) {
            let Some(rest) = text.get(found..) else { break };
            match rewrite(text, found, rest) {
                Some((skipped, length, with)) => {
                    // Spaces around "(at)" go with it.
                    let from = found - skipped.min(found - copied);
                    out.copy(text, copied, from);
                    out.put(with, from, found + length - from);
                    copied = found + length;
                    at = copied;
                }
                None => at = found + rest.chars().next().map_or(1, char::len_utf8),
            }
        }
        if out.parts.is_empty() {
            return None;
        }
        out.copy(text, copied, text.len());
        Some(out)
    }

    fn copy(&mut self, text: &str, from: usize, to: usize) {
        if let Some(part) = text.get(from..to).filter(|part| !part.is_empty()) {
            self.put(part, from, part.len());
        }
    }

    fn put(&mut self, with: &str, from: usize, from_length: usize) {
        self.parts.push(Part { start: self.text.len(), from, length: with.len(), from_length });
        self.text.push_str(with);
    }

    /// Where a range of the copy comes from.
    pub(crate) fn origin(&self, start: usize, end: usize) -> (usize, usize) {
        let part = |at: usize| {
            let index = self.parts.partition_point(|part| part.start <= at).saturating_sub(1);
            self.parts.get(index)
        };
        let first =
            part(start).map_or(0, |p| if p.length == p.from_length { p.from + start - p.start } else { p.from });
        let last = part(end.saturating_sub(1))
            .map_or(0, |p| if p.length == p.from_length { p.from + end - p.start } else { p.from + p.from_length });
        (first, last)
    }
}

/// The next place that may need rewriting.
fn next_suspect(text: &str, at: usize) -> Option<usize> {
    let rest = text.as_bytes().get(at..)?;
    rest.iter()
        .position(|byte| *byte >= 0x80 || matches!(byte, b'%' | b'&' | b'(' | b'[' | b'{'))
        .map(|place| at + place)
}

/// How many bytes before go too, how many from here on, and what stands for them.
fn rewrite(text: &str, at: usize, rest: &str) -> Option<(usize, usize, &'static str)> {
    let first = rest.chars().next()?;
    if first.is_ascii() {
        return escape(text, at, rest);
    }
    let length = first.len_utf8();
    let with = match first as u32 {
        code @ 0xff01..=0xff5e => ascii(code - 0xfee0),
        0xa0 | 0x2000..=0x200a | 0x202f | 0x205f | 0x3000 => " ",
        0xad | 0x34f | 0x180e | 0x200b..=0x200f | 0x202a..=0x202e | 0x2060..=0x2069 | 0xfe0f | 0xfeff => "",
        0x2010..=0x2015 | 0x2212 | 0xfe58 | 0xfe63 => "-",
        0xfe6b => "@",
        0x2024 => ".",
        code @ (0x660..=0x669 | 0x6f0..=0x6f9) => ascii(48 + (code & 15)),
        code @ (0x966..=0x96f | 0x9e6..=0x9ef) => ascii(48 + (code & 15) - 6),
        code @ 0xe50..=0xe59 => ascii(48 + (code & 15)),
        code @ 0x1d7ce..=0x1d7ff => ascii(48 + (code - 0x1d7ce) % 10),
        _ => look_alike(first).filter(|_| is_beside_ascii(text, at, at + length))?,
    };
    Some((0, length, with))
}

/// `&#64;`, `%40`, `(at)`, `[dot]`.
fn escape(text: &str, at: usize, rest: &str) -> Option<(usize, usize, &'static str)> {
    const ESCAPES: [(&str, &str); 12] = [
        ("%40", "@"),
        ("&commat;", "@"),
        ("&period;", "."),
        ("&nbsp;", " "),
        ("&hyphen;", "-"),
        ("&lowbar;", "_"),
        ("&colon;", ":"),
        ("&plus;", "+"),
        ("&#x40;", "@"),
        ("&#X40;", "@"),
        ("&#x2e;", "."),
        ("&#x2E;", "."),
    ];
    const WORDS: [(&str, &str); 2] = [("at", "@"), ("dot", ".")];
    if let Some((escape, with)) = ESCAPES.iter().find(|(escape, _)| rest.starts_with(escape)) {
        return Some((0, escape.len(), with));
    }
    if let Some(number) = rest.strip_prefix("&#") {
        let end = number.bytes().take(4).position(|byte| byte == b';').filter(|end| *end >= 2)?;
        let digits = number.get(..end)?;
        let code = digits.parse().ok().filter(|code| (33..=126).contains(code))?;
        return Some((0, digits.len() + 3, ascii(code)));
    }
    let close = match rest.as_bytes().first()? {
        b'(' => ')',
        b'[' => ']',
        b'{' => '}',
        _ => return None,
    };
    let inside = rest.get(1..)?;
    let word = inside.get(..inside.bytes().take(6).position(|byte| byte == close as u8)?)?;
    let (_, with) = WORDS.iter().find(|(known, _)| word.trim().eq_ignore_ascii_case(known))?;
    let before = text.get(..at)?;
    let skipped = before.len() - before.trim_end_matches(' ').len();
    let length = word.len() + 2;
    let after = rest.get(length..)?;
    let spaces = after.len() - after.trim_start_matches(' ').len();
    Some((skipped, length + spaces, with))
}

/// A letter that looks like one of ASCII counts as it only beside ASCII: words of its own script stay.
fn is_beside_ascii(text: &str, start: usize, end: usize) -> bool {
    let bytes = text.as_bytes();
    let telling =
        |byte: Option<&u8>| byte.is_some_and(|b| b.is_ascii_alphanumeric() || matches!(b, b'@' | b'.' | b'_'));
    telling(start.checked_sub(1).and_then(|at| bytes.get(at))) || telling(bytes.get(end))
}

fn look_alike(letter: char) -> Option<&'static str> {
    if !matches!(letter as u32, 0x391..=0x3bf | 0x410..=0x51d) {
        return None;
    }
    const FROM: &str = "авекмнорстухАВЕКМНОРСТУХіјѕԁһԛԝІЈЅΑΒΕΖΗΙΚΜΝΟΡΤΥΧονι";
    const TO: &str = "abekmhopctyxABEKMHOPCTYXijsdhqwIJSABEZHIKMNOPTYXovi";
    let place = FROM.chars().position(|c| c == letter)?;
    TO.get(place..=place)
}

/// A character of ASCII as text.
fn ascii(code: u32) -> &'static str {
    const ALL: &str =
        "!\"#$%&'()*+,-./0123456789:;<=>?@ABCDEFGHIJKLMNOPQRSTUVWXYZ[\\]^_`abcdefghijklmnopqrstuvwxyz{|}~";
    let place = code.saturating_sub(33) as usize;
    ALL.get(place..=place).unwrap_or_default()
}

/// Whether the text can need rewriting at all: one pass that needs no decision.
fn may_need(text: &str) -> bool {
    // Without an early exit the compiler looks at many bytes at once.
    let suspects = |byte: u8| {
        u8::from(byte >= 0x80)
            | u8::from(byte == b'%')
            | u8::from(byte == b'&')
            | u8::from(byte == b'(')
            | u8::from(byte == b'[')
            | u8::from(byte == b'{')
    };
    text.bytes().fold(0, |may, byte| may | suspects(byte)) != 0
}

/// A text as it is read.
pub(crate) enum Plain<'t> {
    As(&'t str),
    Changed(Normalized),
}

impl Plain<'_> {
    pub(crate) fn text(&self) -> &str {
        match self {
            Self::As(text) => text,
            Self::Changed(normalized) => &normalized.text,
        }
    }
}

/// A text with what it hides made plain.
pub(crate) fn plain(text: &str) -> Plain<'_> {
    if may_need(text)
        && let Some(normalized) = Normalized::of(text)
    {
        return Plain::Changed(normalized);
    }
    Plain::As(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(text: &str, expected: &str) {
        let normalized = Normalized::of(text);
        assert_eq!(normalized.as_ref().map_or(text, |n| &n.text), expected);
    }

    #[test]
    fn what_is_hidden_becomes_plain() {
        check("plain (text) 50% & [more]", "plain (text) 50% & [more]");
        check("４１１１\u{200b}１１１１", "41111111");
        check("ana (at) mail [dot] example", "ana@mail.example");
        check("ana%40mail.example, ana&#64;mail.example", "ana@mail.example, ana@mail.example");
        check("\u{430}na@mail.example", "ana@mail.example");
        check("Привет мир", "Привет мир");
        check("+49\u{a0}30\u{2011}123 ٤٢", "+49 30-123 42");
    }

    #[test]
    fn places_lead_back() {
        let text = "é: ana (at) mail.example!";
        let normalized = Normalized::of(text).unwrap();
        let start = normalized.text.find("ana").unwrap();
        let end = normalized.text.find('!').unwrap();
        let (first, last) = normalized.origin(start, end);
        assert_eq!(text.get(first..last), Some("ana (at) mail.example"));
    }
}
