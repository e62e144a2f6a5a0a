//! Dates as people write them, leniently, after what Python's `dateutil.parser` reads.
//!
//! It decides whether a text is a date and which moment it names. What the day's order is
//! (month first) follows `dateutil`'s default. It does not read fuzzy text.

use chrono::{NaiveDate, NaiveTime};

use super::text::month_of;

/// The longest text that is read.
const TEXT_BYTES_MAX: usize = 64;

/// The moment in microseconds since 1970, in UTC where an offset is given; what is not said is `None` when no
/// date is, so that a time alone is no moment.
pub(crate) fn moment(text: &str) -> Option<i64> {
    let found = read(text)?;
    let date = found.date?;
    let local = date.and_time(found.time.unwrap_or_default()).and_utc().timestamp_micros();
    local.checked_sub(found.offset_minutes * 60_000_000)
}

/// Whether the text is a date, a time or both.
pub(crate) fn is_date(text: &str) -> bool {
    read(text).is_some()
}

#[derive(Debug, Default, PartialEq)]
struct Found {
    date: Option<NaiveDate>,
    time: Option<NaiveTime>,
    offset_minutes: i64,
}

#[derive(Clone, Debug, PartialEq)]
enum Token<'t> {
    Number(&'t str),
    Word(&'t str),
    Mark(char),
}

fn tokens(text: &str) -> Option<Vec<Token<'_>>> {
    let mut tokens = Vec::new();
    let mut rest = text;
    while let Some(c) = rest.chars().next() {
        let length = |class: fn(char) -> bool| rest.find(|c| !class(c)).unwrap_or(rest.len());
        let (token, end) = if c.is_ascii_digit() {
            let end = length(|c| c.is_ascii_digit());
            (Token::Number(rest.get(..end)?), end)
        } else if c.is_ascii_alphabetic() {
            let end = length(|c| c.is_ascii_alphabetic());
            (Token::Word(rest.get(..end)?), end)
        } else {
            (Token::Mark(c), c.len_utf8())
        };
        tokens.push(token);
        rest = rest.get(end..)?;
    }
    Some(tokens)
}

fn read(text: &str) -> Option<Found> {
    if text.len() > TEXT_BYTES_MAX || !text.is_ascii() {
        return None;
    }
    let tokens = tokens(text)?;
    if !tokens.iter().any(|token| matches!(token, Token::Number(_) | Token::Word(_))) {
        return None;
    }
    let mut reader =
        Reader { tokens: &tokens, at: 0, parts: Vec::new(), month: None, time: None, offset_minutes: 0, known: false };
    while reader.at < tokens.len() {
        reader.step()?;
    }
    reader.finish()
}

struct Reader<'t> {
    tokens: &'t [Token<'t>],
    at: usize,
    /// Numbers of the date in their order, with how many digits each had.
    parts: Vec<(u32, usize)>,
    /// The month that was named, and how many numbers stood before it.
    month: Option<(u32, usize)>,
    time: Option<NaiveTime>,
    offset_minutes: i64,
    known: bool,
}

impl<'t> Reader<'t> {
    fn peek(&self, ahead: usize) -> Option<&'t Token<'t>> {
        self.tokens.get(self.at + ahead)
    }

    fn step(&mut self) -> Option<()> {
        match self.peek(0)? {
            Token::Number(digits) => self.number(digits),
            Token::Word(word) => self.word(word),
            Token::Mark(' ' | ',' | '.' | '/' | '-' | ';' | '\'') => {
                // A zone's offset after a time.
                if self.time.is_some() && self.peek(0) == Some(&Token::Mark('-')) && self.offset().is_some() {
                    return Some(());
                }
                self.at += 1;
                Some(())
            }
            Token::Mark('+') if self.time.is_some() => self.offset(),
            // The zone's name in parentheses.
            Token::Mark('(' | ')') if self.time.is_some() => {
                self.at += 1;
                Some(())
            }
            Token::Mark(_) => None,
        }
    }

    fn offset(&mut self) -> Option<()> {
        let Some(Token::Number(digits)) = self.peek(1) else { return None };
        if !matches!(digits.len(), 1 | 2 | 4) {
            return None;
        }
        let sign = if self.peek(0) == Some(&Token::Mark('-')) { -1 } else { 1 };
        let (hours, mut minutes) = match digits.len() {
            4 => (digits.get(..2)?, digits.get(2..)?.parse().ok()?),
            _ => (*digits, 0),
        };
        self.at += 2;
        if let (Some(Token::Mark(':')), Some(Token::Number(own))) = (self.peek(0), self.peek(1))
            && own.len() == 2
        {
            minutes = own.parse().ok()?;
            self.at += 2;
        }
        let hours: i64 = hours.parse().ok()?;
        self.offset_minutes = sign * (hours * 60 + minutes);
        Some(())
    }

    fn number(&mut self, digits: &'t str) -> Option<()> {
        if let Some(Token::Mark(':')) = self.peek(1) {
            return self.clock(digits);
        }
        match self.peek(1) {
            Some(Token::Word(word)) if word.eq_ignore_ascii_case("am") || word.eq_ignore_ascii_case("pm") => {
                self.at += 1;
                return self.half(digits.parse().ok()?, 0, 0, 0);
            }
            Some(Token::Mark(' ')) if matches!(self.peek(2), Some(Token::Word(w)) if w.eq_ignore_ascii_case("am") || w.eq_ignore_ascii_case("pm")) =>
            {
                self.at += 2;
                return self.half(digits.parse().ok()?, 0, 0, 0);
            }
            Some(Token::Word(word)) if word.eq_ignore_ascii_case("h") && self.time.is_none() => {
                self.at += 2;
                let hour = digits.parse().ok()?;
                let minute = match self.peek(0) {
                    Some(Token::Number(minute)) => {
                        self.at += 1;
                        if matches!(self.peek(0), Some(Token::Word(w)) if w.eq_ignore_ascii_case("m")) {
                            self.at += 1;
                        }
                        minute.parse().ok()?
                    }
                    _ => 0,
                };
                return self.set_time(hour, minute, 0, 0);
            }
            _ => {}
        }
        self.at += 1;
        match digits.len() {
            // YYYYMMDD and what follows it, as HHMM or HHMMSS.
            8 if self.parts.is_empty() && self.month.is_none() => self.compact(digits),
            14 if self.parts.is_empty() => {
                self.compact(digits.get(..8)?)?;
                self.packed(digits.get(8..)?)
            }
            12 if self.parts.is_empty() => {
                self.compact(digits.get(..8)?)?;
                self.packed(digits.get(8..)?)
            }
            6 if self.parts.is_empty() && self.month.is_none() => {
                for part in [0..2, 2..4, 4..6] {
                    self.parts.push((digits.get(part)?.parse().ok()?, 2));
                }
                Some(())
            }
            4 | 6 if self.parts.len() + usize::from(self.month.is_some()) >= 3 && self.time.is_none() => {
                self.packed(digits)
            }
            1..=4 => {
                if matches!(self.peek(0), Some(Token::Word(w)) if ["st", "nd", "rd", "th"].iter().any(|s| w.eq_ignore_ascii_case(s)))
                {
                    self.at += 1;
                }
                self.parts.push((digits.parse().ok()?, digits.len()));
                (self.parts.len() + usize::from(self.month.is_some()) <= 3).then_some(())
            }
            _ => None,
        }
    }

    fn compact(&mut self, digits: &str) -> Option<()> {
        self.parts.push((digits.get(..4)?.parse().ok()?, 4));
        self.parts.push((digits.get(4..6)?.parse().ok()?, 2));
        self.parts.push((digits.get(6..8)?.parse().ok()?, 2));
        Some(())
    }

    fn packed(&mut self, digits: &str) -> Option<()> {
        let part = |range: std::ops::Range<usize>| digits.get(range).and_then(|d| d.parse().ok());
        self.set_time(part(0..2)?, part(2..4)?, part(4..6).unwrap_or(0), 0)
    }

    fn clock(&mut self, hour: &str) -> Option<()> {
        if hour.len() > 2 || self.time.is_some() {
            return None;
        }
        let hour = hour.parse().ok()?;
        self.at += 2;
        let Some(Token::Number(minute)) = self.peek(0) else { return None };
        if minute.len() > 2 {
            return None;
        }
        let minute = minute.parse().ok()?;
        self.at += 1;
        let (mut second, mut micros) = (0, 0);
        if let (Some(Token::Mark(':')), Some(Token::Number(digits))) = (self.peek(0), self.peek(1)) {
            if digits.len() > 2 {
                return None;
            }
            second = digits.parse().ok()?;
            self.at += 2;
            if let (Some(Token::Mark('.' | ',')), Some(Token::Number(digits))) = (self.peek(0), self.peek(1)) {
                let six: String = digits.chars().chain("000000".chars()).take(6).collect();
                micros = six.parse().ok()?;
                self.at += 2;
            }
        }
        let after = usize::from(self.peek(0) == Some(&Token::Mark(' ')));
        if let Some(Token::Word(word)) = self.peek(after)
            && (word.eq_ignore_ascii_case("am") || word.eq_ignore_ascii_case("pm"))
        {
            self.at += after;
            return self.half(hour, minute, second, micros);
        }
        self.set_time(hour, minute, second, micros)
    }

    /// A time of a half of the day, at its `am` or `pm`.
    fn half(&mut self, hour: u32, minute: u32, second: u32, micros: u32) -> Option<()> {
        let Some(Token::Word(word)) = self.peek(0) else { return None };
        if !(1..=12).contains(&hour) {
            return None;
        }
        let hour = hour % 12 + if word.eq_ignore_ascii_case("pm") { 12 } else { 0 };
        self.at += 1;
        self.set_time(hour, minute, second, micros)
    }

    fn set_time(&mut self, hour: u32, minute: u32, second: u32, micros: u32) -> Option<()> {
        if self.time.is_some() {
            return None;
        }
        self.time = Some(NaiveTime::from_hms_micro_opt(hour, minute, second, micros)?);
        Some(())
    }

    fn word(&mut self, word: &str) -> Option<()> {
        self.at += 1;
        if let Some(month) = month_of(word) {
            if self.month.is_some() {
                return None;
            }
            self.month = Some((month, self.parts.len()));
            return Some(());
        }
        let lower = word.to_ascii_lowercase();
        let weekday = ["monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday"]
            .iter()
            .any(|day| *day == lower || (lower.len() == 3 && day.starts_with(&lower)));
        if weekday {
            self.known = true;
            return Some(());
        }
        match lower.as_str() {
            "t" | "at" | "on" | "and" | "of" | "ad" | "m" => Some(()),
            _ if self.time.is_some() && word.len() <= 5 && word.bytes().all(|b| b.is_ascii_uppercase()) => Some(()),
            "z" | "utc" | "gmt" if self.time.is_some() => Some(()),
            _ => None,
        }
    }

    fn finish(self) -> Option<Found> {
        let year = |(value, digits): (u32, usize)| {
            let value = value as i32;
            // As dateutil: two digits are within fifty years of now, which is about 2026.
            if digits > 2 { value } else { value + if value < 76 { 2000 } else { 1900 } }
        };
        let date = match (self.month, self.parts.as_slice()) {
            (None, []) => None,
            (Some((month, _)), []) => Some(NaiveDate::from_ymd_opt(2000, month, 1)?),
            (Some((month, _)), [one]) => {
                if one.0 > 31 || one.1 > 2 {
                    Some(NaiveDate::from_ymd_opt(year(*one), month, 1)?)
                } else {
                    Some(NaiveDate::from_ymd_opt(2000, month, one.0)?)
                }
            }
            (Some((month, _)), [first, second]) => {
                let year_first = first.1 > 2 || first.0 > 31;
                let (day, of) = if year_first { (second, first) } else { (first, second) };
                Some(NaiveDate::from_ymd_opt(year(*of), month, day.0)?)
            }
            (None, [one]) => {
                if one.1 > 2 || one.0 > 31 {
                    Some(NaiveDate::from_ymd_opt(year(*one), 1, 1)?)
                } else {
                    Some(NaiveDate::from_ymd_opt(2000, 1, one.0)?)
                }
            }
            (None, [first, second]) => {
                if first.1 > 2 || first.0 > 31 {
                    Some(NaiveDate::from_ymd_opt(year(*first), second.0, 1)?)
                } else if second.1 > 2 || second.0 > 31 {
                    Some(NaiveDate::from_ymd_opt(year(*second), first.0, 1)?)
                } else {
                    Some(either(2000, first.0, second.0)?)
                }
            }
            (None, [first, second, third]) => {
                if first.1 > 2 || first.0 > 31 {
                    Some(either(year(*first), second.0, third.0)?)
                } else {
                    Some(either(year(*third), first.0, second.0)?)
                }
            }
            _ => return None,
        };
        (date.is_some() || self.time.is_some() || self.known).then_some(Found {
            date,
            time: self.time,
            offset_minutes: self.offset_minutes,
        })
    }
}

/// Month first, unless only the other order is a date.
fn either(year: i32, first: u32, second: u32) -> Option<NaiveDate> {
    NaiveDate::from_ymd_opt(year, first, second).or_else(|| NaiveDate::from_ymd_opt(year, second, first))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_as_people_write_them() {
        let check = |text: &str, expect: Option<&str>| {
            let found = moment(text).map(crate::column::time_text);
            assert_eq!(found.as_deref(), expect, "{text}");
        };
        check("2024-02-29", Some("2024-02-29 00:00:00"));
        check("2023-02-29", None);
        check("2024-02-29T13:01:02.5Z", Some("2024-02-29 13:01:02.500"));
        check("2024-02-29 13:01+02:00", Some("2024-02-29 11:01:00"));
        check("2024-02-29 13:01 -0330", Some("2024-02-29 16:31:00"));
        check("01/02/2024", Some("2024-01-02 00:00:00"));
        check("13/02/2024", Some("2024-02-13 00:00:00"));
        check("Jan 5, 2021 3:04 PM", Some("2021-01-05 15:04:00"));
        check("5 January 2021", Some("2021-01-05 00:00:00"));
        check("Tue, 05 Jan 2021 10:00:00 GMT", Some("2021-01-05 10:00:00"));
        check("20210105", Some("2021-01-05 00:00:00"));
        check("20210105T101112", Some("2021-01-05 10:11:12"));
        check("hello", None);
        check("", None);
        check("2021-13-45", None);
        check("12:60", None);
        check("1 2 3 4", None);
        assert!(is_date("10:15"));
        assert!(!is_date("-"));
        assert!(!is_date("é"));
    }
}
