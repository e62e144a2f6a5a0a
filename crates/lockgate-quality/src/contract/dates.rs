//! Formats of dates and times, as the standard writes them: patterns of Java's DateTimeFormatter.

use chrono::{NaiveDate, NaiveDateTime};
use lockgate_core::{Failure, Result};

/// How dates or times are written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DateFormat {
    /// The same as chrono writes it.
    pattern: String,
    timed: bool,
}

impl DateFormat {
    /// Reads a pattern; `None` for those that are read anyway.
    pub(super) fn of(format: &str) -> Result<Option<Self>> {
        let offset = ["", "'Z'", "X", "XX", "XXX"].iter().any(|offset| {
            ["yyyy-MM-dd'T'HH:mm:ss", "yyyy-MM-dd HH:mm:ss"]
                .iter()
                .any(|iso| format == format!("{iso}{offset}") || format == format!("{iso}.SSS{offset}"))
        });
        if matches!(format, "yyyy-MM-dd" | "date" | "date-time") || offset {
            return Ok(None);
        }
        let refused = |letter: char| {
            Failure::input(format!("the format {format:?} has {letter:?}, which is not read, so it is refused"))
                .hint("years (yyyy), months (MM, M, MMM), days (dd, d), HH, mm, ss, SSS, a and hh are read")
        };
        let mut pattern = String::new();
        let mut timed = false;
        let mut chars = format.chars().peekable();
        while let Some(letter) = chars.next() {
            let mut count = 1;
            while letter.is_ascii_alphabetic() && chars.next_if_eq(&letter).is_some() {
                count += 1;
            }
            timed |= matches!(letter, 'H' | 'h' | 'm' | 's');
            pattern.push_str(match (letter, count) {
                ('y' | 'u', 4) => "%Y",
                ('M', 2) => "%m",
                ('M', 1) => "%-m",
                ('M', 3) => "%b",
                ('d', 2) => "%d",
                ('d', 1) => "%-d",
                ('H', 2) => "%H",
                ('h', 2) => "%I",
                ('m', 2) => "%M",
                ('s', 2) => "%S",
                ('S', 3) => "%3f",
                ('S', 6) => "%6f",
                ('a', 1) => "%p",
                ('\'', _) => {
                    let mut quoted = 0;
                    for own in chars.by_ref().take_while(|c| *c != '\'') {
                        quoted += 1;
                        pattern.push_str(if own == '%' { "%%" } else { "" });
                        if own != '%' {
                            pattern.push(own);
                        }
                    }
                    // Two quotes are one.
                    if quoted == 0 {
                        pattern.push('\'');
                    }
                    continue;
                }
                ('%', _) => "%%",
                (letter, _) if letter.is_ascii_alphabetic() => return Err(refused(letter)),
                (other, _) => {
                    pattern.push(other);
                    continue;
                }
            });
        }
        let own = Self { pattern, timed };
        // A format that cannot be read back would refuse every row.
        let sample = NaiveDate::from_ymd_opt(2024, 2, 29).and_then(|day| day.and_hms_opt(13, 14, 15));
        let written = sample.map(|sample| sample.format(&own.pattern).to_string());
        if written.and_then(|text| own.read(&text)).is_none() {
            return Err(Failure::input(format!("the format {format:?} does not say which day, or which time, it is"))
                .hint(
                    "a date needs year, month and day; a time needs hours and minutes, with `a` where hours are hh",
                ));
        }
        Ok(Some(own))
    }

    /// Microseconds since 1970.
    pub(crate) fn read(&self, text: &str) -> Option<i64> {
        if self.timed {
            return Some(NaiveDateTime::parse_from_str(text, &self.pattern).ok()?.and_utc().timestamp_micros());
        }
        let day = NaiveDate::parse_from_str(text, &self.pattern).ok()?;
        Some(day.and_hms_opt(0, 0, 0)?.and_utc().timestamp_micros())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn formats_of_the_standard_are_read() {
        let read = |format: &str, text: &str| DateFormat::of(format).unwrap().unwrap().read(text);
        assert_eq!(read("dd.MM.yyyy", "02.01.1970"), Some(86_400_000_000));
        assert_eq!(read("M/d/yyyy", "1/3/1970"), Some(2 * 86_400_000_000));
        assert_eq!(read("dd''MM''yyyy", "02'01'1970"), Some(86_400_000_000));
        assert_eq!(read("dd/MM/yyyy HH:mm:ss", "01/01/1970 00:00:05"), Some(5_000_000));
        assert_eq!(read("yyyy'T'MMdd", "1970T0102"), Some(86_400_000_000));
        assert_eq!(read("dd.MM.yyyy", "31.02.2024"), None);
        assert!(DateFormat::of("yyyy-MM-dd").unwrap().is_none());
        for refused in ["QQQ yyyy", "MM/yyyy", "dd.MM", "dd.MM.yy", "", "yyyy-MM-dd HH", "yyyy-MM-dd'T'HH:mm:ssVV"] {
            assert!(DateFormat::of(refused).is_err(), "{refused}");
        }
    }
}
