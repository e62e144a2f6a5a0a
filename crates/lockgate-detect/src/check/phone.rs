//! Telephone numbers: ITU-T E.164 and the national numbering plans that libphonenumber collects.

use rlibphonenumber::PHONE_NUMBER_UTIL;

use super::{Hit, Verdict};

/// The groups of digits of a number, at most nine.
struct Groups {
    lengths: [u8; 9],
    count: usize,
    digits: usize,
}

impl Groups {
    fn of(number: &str) -> Self {
        let mut groups = Self { lengths: [0; 9], count: 0, digits: 0 };
        let mut inside = false;
        for byte in number.bytes() {
            let digit = byte.is_ascii_digit();
            groups.count += usize::from(digit && !inside);
            groups.digits += usize::from(digit);
            if let Some(length) = groups.lengths.get_mut(groups.count.wrapping_sub(1)).filter(|_| digit) {
                *length = length.saturating_add(1);
            }
            inside = digit;
        }
        groups
    }

    fn lengths(&self) -> &[u8] {
        self.lengths.get(..self.count).unwrap_or(&self.lengths)
    }
}

/// With a country's code. Where groups show what it is, the plan of the country is not asked: it
/// lags behind what is in use.
pub(crate) fn international(hit: &Hit<'_>) -> Verdict {
    let number = number(hit.value());
    let groups = Groups::of(number);
    if !(8..=17).contains(&groups.digits) || is_glued(hit) {
        return Verdict::No;
    }
    if number.starts_with('+') {
        // Where another number follows, the plan decides what belongs to this one.
        let followed = hit.after().trim_start_matches(' ').starts_with(|c: char| c.is_ascii_digit());
        let alone = !number.contains(' ') || !followed;
        let grouped = groups.count >= 2 && (9..=15).contains(&groups.digits) && alone;
        return if grouped { Verdict::Valid } else { Verdict::or_shape(is_known(number)) };
    }
    // Two zeros begin many numbers that are no telephone's.
    let grouped = groups.count >= 4 && groups.digits >= 11;
    let plus = || number.strip_prefix("00").map(|rest| format!("+{rest}"));
    if plus().is_some_and(|plus| is_known(&plus)) { Verdict::Valid } else { Verdict::shaped(grouped) }
}

/// With separators that a telephone number has and few others do.
pub(crate) fn separated(hit: &Hit<'_>) -> Verdict {
    let number = number(hit.value());
    let groups = Groups::of(number);
    if !(6..=13).contains(&groups.digits) || is_glued(hit) {
        return Verdict::No;
    }
    let american = matches!(groups.lengths(), [3, 3, 4] | [1, 3, 3, 4] | [3, 7]) && !number.starts_with("000");
    let trunk = number.trim_start_matches('(').starts_with('0') && !number.starts_with("000");
    let (parens, closed) = (number.contains('('), number.contains(')'));
    if parens != closed {
        return Verdict::No;
    }
    let confirmed = american || parens || (trunk && groups.lengths().iter().all(|length| *length >= 2));
    if is_date_like(groups.lengths(), number) {
        return Verdict::No;
    }
    Verdict::or_shape(confirmed && groups.digits >= 8)
}

/// Digits alone; words around must tell what they are.
pub(crate) fn bare(hit: &Hit<'_>) -> Verdict {
    Verdict::shaped(!is_glued(hit) && !hit.digits().is_uniform())
}

/// Whether the plan of the country that the number names knows it.
fn is_known(number: &str) -> bool {
    PHONE_NUMBER_UTIL.parse(number, None).is_ok_and(|number| PHONE_NUMBER_UTIL.is_valid_number(&number))
}

/// What stands before an extension.
fn number(value: &str) -> &str {
    value.split(['x', 'X', 'e', 'E', '#']).next().unwrap_or_default().trim_end()
}

fn is_glued(hit: &Hit<'_>) -> bool {
    let before = hit.before().chars().next_back();
    let after = hit.after().as_bytes();
    let goes_on = after.first().is_some_and(|b| b"-./:".contains(b)) && after.get(1).is_some_and(u8::is_ascii_digit);
    before.is_some_and(|c| c.is_alphanumeric() || "-_./+".contains(c)) || goes_on
}

/// 2020-01-02, 01.02.2020, and years from one to another.
fn is_date_like(groups: &[u8], number: &str) -> bool {
    let year = |text: &str| text.parse::<u32>().is_ok_and(|year| (1800..=2200).contains(&year));
    let dated = matches!(groups, [4, 2, 2] | [2, 2, 4]) && number.contains(['-', '.', '/']);
    let years = matches!(groups, [4, 4]) && number.split(['-', '/', ' ']).all(year);
    dated || years
}
