//! Questions about one text: patterns, formats of dates, JSON.

use chrono::NaiveDate;
use fancy_regex::Regex;
use jsonschema::Validator;
use serde_json::Value;

/// Steps that a pattern with look-around may take on one value.
const BACKTRACK_MAX: usize = 100_000;
/// A pattern's own length.
const PATTERN_BYTES_MAX: usize = 4_096;

/// Compiles a regular expression; look-around and back-references are allowed, within a limit.
pub(crate) fn regex(pattern: &str) -> Result<Regex, String> {
    if pattern.len() > PATTERN_BYTES_MAX {
        return Err(format!("a pattern is longer than {PATTERN_BYTES_MAX} bytes"));
    }
    fancy_regex::RegexBuilder::new(pattern)
        .backtrack_limit(BACKTRACK_MAX)
        .delegate_size_limit(1 << 20)
        .build()
        .map_err(|_| format!("{pattern:?} is not a regular expression"))
}

/// Whether the pattern is somewhere in the text; one that takes too many steps is not.
pub(crate) fn matches(regex: &Regex, text: &str) -> bool {
    regex.is_match(text).unwrap_or(false)
}

/// SQL's LIKE, case-sensitive, as a regular expression over the whole text.
pub(crate) fn like(pattern: &str, escape: Option<char>) -> Result<Regex, String> {
    let mut out = String::from("(?s)^");
    let mut chars = pattern.chars();
    while let Some(c) = chars.next() {
        match c {
            c if Some(c) == escape => match chars.next() {
                Some(next) => out.push_str(&regex::escape(next.encode_utf8(&mut [0; 4]))),
                None => return Err(format!("{pattern:?} ends with its escape character")),
            },
            '%' => out.push_str(".*"),
            '_' => out.push('.'),
            c => out.push_str(&regex::escape(c.encode_utf8(&mut [0; 4]))),
        }
    }
    out.push_str("\\z");
    regex(&out)
}

/// Whether Python's `json.loads` reads the text.
pub(crate) fn is_json(text: &str) -> bool {
    // Python reads NaN and infinities, which are no JSON: documented as a difference.
    serde_json::from_str::<serde::de::IgnoredAny>(text).is_ok()
}

pub(crate) fn json_schema(schema: &Value) -> Result<Validator, String> {
    jsonschema::validator_for(schema).map_err(|_| "json_schema is not a JSON Schema".to_owned())
}

pub(crate) fn satisfies(validator: &Validator, text: &str) -> bool {
    serde_json::from_str::<Value>(text).is_ok_and(|value| validator.is_valid(&value))
}

/// A format of Python's `strptime`.
#[derive(Debug)]
pub(crate) struct Strptime {
    regex: Regex,
    fields: Vec<char>,
}

impl Strptime {
    pub(crate) fn new(format: &str) -> Result<Self, String> {
        let mut pattern = String::from("(?i)^");
        let mut fields = Vec::new();
        let mut chars = format.chars().peekable();
        while let Some(c) = chars.next() {
            if c.is_whitespace() {
                while chars.next_if(|c| c.is_whitespace()).is_some() {}
                pattern.push_str("\\s+");
                continue;
            }
            if c != '%' {
                pattern.push_str(&regex::escape(c.encode_utf8(&mut [0; 4])));
                continue;
            }
            let field = chars.next().ok_or("the format ends with %")?;
            for (field, part) in expand(field)? {
                pattern.push_str(part);
                if let Some(field) = field {
                    if fields.contains(&field) {
                        return Err(format!("%{field} stands twice in the format"));
                    }
                    fields.push(field);
                }
            }
        }
        pattern.push_str("\\z");
        Ok(Self { regex: regex(&pattern)?, fields })
    }

    pub(crate) fn accepts(&self, text: &str) -> bool {
        let Ok(Some(found)) = self.regex.captures(text) else { return false };
        let (mut year, mut month, mut day, mut day_of_year) = (1900, 1, 1, None);
        for (index, field) in self.fields.iter().enumerate() {
            let Some(part) = found.get(index + 1).map(|part| part.as_str()) else { return false };
            let number = part.trim().parse::<u32>().ok();
            match (field, number) {
                ('Y', Some(value)) => year = value as i32,
                ('y', Some(value)) => year = value as i32 + if value <= 68 { 2000 } else { 1900 },
                ('m', Some(value)) => month = value,
                ('d', Some(value)) => day = value,
                ('j', Some(value)) => day_of_year = Some(value),
                ('b' | 'B', _) => month = month_of(part).unwrap_or(1),
                ('U' | 'W' | 'u' | 'w', _) => {}
                _ => {}
            }
        }
        match day_of_year {
            Some(ordinal) => NaiveDate::from_yo_opt(year, ordinal).is_some(),
            None => NaiveDate::from_ymd_opt(year, month, day).is_some() && year >= 1,
        }
    }
}

type Part = (Option<char>, &'static str);

/// The parts of one directive, after CPython's `_strptime` in the C locale.
fn expand(field: char) -> Result<Vec<Part>, String> {
    let one = |pattern| vec![(Some(field), pattern)];
    Ok(match field {
        'd' => one("(3[0-1]|[1-2]\\d|0[1-9]|[1-9]| [1-9])"),
        'f' => one("([0-9]{1,6})"),
        'H' => one("(2[0-3]|[0-1]\\d|\\d)"),
        'I' => one("(1[0-2]|0[1-9]|[1-9])"),
        'j' => one("(36[0-6]|3[0-5]\\d|[1-2]\\d\\d|0[1-9]\\d|00[1-9]|[1-9]\\d|0[1-9]|[1-9])"),
        'm' => one("(1[0-2]|0[1-9]|[1-9])"),
        'M' => one("([0-5]\\d|\\d)"),
        'S' => one("(6[0-1]|[0-5]\\d|\\d)"),
        'U' | 'W' => one("(5[0-3]|[0-4]\\d|\\d)"),
        'w' => one("([0-6])"),
        'u' => one("([1-7])"),
        'y' => one("(\\d\\d)"),
        'Y' => one("(\\d\\d\\d\\d)"),
        'z' => one("([+-]\\d\\d:?[0-5]\\d(?::?[0-5]\\d(?:\\.\\d{1,6})?)?|Z)"),
        'Z' => one("(utc|gmt)"),
        'p' => one("(am|pm)"),
        'a' => one("(mon|tue|wed|thu|fri|sat|sun)"),
        'A' => one("(monday|tuesday|wednesday|thursday|friday|saturday|sunday)"),
        'b' => one("(jan|feb|mar|apr|may|jun|jul|aug|sep|oct|nov|dec)"),
        'B' => one("(january|february|march|april|may|june|july|august|september|october|november|december)"),
        '%' => vec![(None, "%")],
        'D' | 'x' => [expand('m')?, vec![(None, "/")], expand('d')?, vec![(None, "/")], expand('y')?].concat(),
        'T' | 'X' => [expand('H')?, vec![(None, ":")], expand('M')?, vec![(None, ":")], expand('S')?].concat(),
        'R' => [expand('H')?, vec![(None, ":")], expand('M')?].concat(),
        'F' => [expand('Y')?, vec![(None, "-")], expand('m')?, vec![(None, "-")], expand('d')?].concat(),
        'c' => [
            expand('a')?,
            vec![(None, "\\s+")],
            expand('b')?,
            vec![(None, "\\s+")],
            expand('d')?,
            vec![(None, "\\s+")],
            expand('T')?,
            vec![(None, "\\s+")],
            expand('Y')?,
        ]
        .concat(),
        other => return Err(format!("%{other} is not a directive of strptime")),
    })
}

const MONTHS: [&str; 12] = [
    "january",
    "february",
    "march",
    "april",
    "may",
    "june",
    "july",
    "august",
    "september",
    "october",
    "november",
    "december",
];

/// The month that a word names, whole or by at least three letters.
pub(crate) fn month_of(word: &str) -> Option<u32> {
    let word = word.to_ascii_lowercase();
    let sept = word == "sept";
    MONTHS
        .iter()
        .position(|month| {
            *month == word || (word.len() == 3 && month.starts_with(&word)) || (sept && *month == "september")
        })
        .map(|index| index as u32 + 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn like_is_held_against_the_whole_text() {
        let check = |pattern: &str, escape, text: &str, expect: bool| {
            assert_eq!(matches(&like(pattern, escape).unwrap(), text), expect, "{pattern} {text}");
        };
        check("a%", None, "abc\nd", true);
        check("a_c", None, "abc", true);
        check("a_c", None, "abcd", false);
        check("100\\%", Some('\\'), "100%", true);
        check("100\\%", Some('\\'), "1000", false);
        check("$5.0", None, "$5.0", true);
        check("$5.0", None, "$5x0", false);
        check("a$", None, "a$", true);
        check("\\z$", None, "\\z$", true);
        assert!(like("a\\", Some('\\')).is_err());
    }

    #[test]
    fn formats_as_python_reads_them() {
        let check = |format: &str, text: &str, expect: bool| {
            assert_eq!(Strptime::new(format).unwrap().accepts(text), expect, "{format} {text}");
        };
        check("%Y-%m-%d", "2024-02-29", true);
        check("%Y-%m-%d", "2023-02-29", false);
        check("%Y-%m-%d", "2023-2-9", true);
        check("%Y-%m-%d", "2023-02-09 ", false);
        check("%d/%b/%y %H:%M", "01/jan/99   23:59", true);
        check("%H:%M:%S.%f", "12:00:00.123456", true);
        check("%H:%M:%S.%f", "12:00:00.1234567", false);
        check("%j %Y", "366 2023", false);
        check("%I:%M %p", "12:30 PM", true);
        check("%z", "+05:30", true);
        assert!(Strptime::new("%Q").is_err());
    }

    #[test]
    fn a_pattern_that_never_ends_ends() {
        let slow = regex("^(?=(a+)+$)(a+)+$").unwrap();
        assert!(!matches(&slow, &format!("{}!", "a".repeat(60))));
    }
}
