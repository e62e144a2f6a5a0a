//! Telephone numbers: ITU-T E.164 and the national numbering plans that libphonenumber collects.

use rlibphonenumber::{PHONE_NUMBER_UTIL, Region};

use super::{Hit, Verdict};

/// Plans that a number without a country's code is tried against.
const REGIONS: [Region; 12] = [
    Region::US,
    Region::GB,
    Region::DE,
    Region::FR,
    Region::ES,
    Region::IT,
    Region::NL,
    Region::BR,
    Region::IN,
    Region::CN,
    Region::JP,
    Region::AU,
];

/// With a country's code.
pub(crate) fn international(hit: &Hit<'_>) -> Verdict {
    let number = number(hit.value());
    let digits = number.bytes().filter(u8::is_ascii_digit).count();
    if !(8..=17).contains(&digits) || is_glued(hit) {
        return Verdict::No;
    }
    let plus = number.strip_prefix("00").map_or_else(|| number.to_owned(), |rest| format!("+{rest}"));
    let valid = is_known(&plus, None);
    // Two zeros begin many numbers that are no telephone's.
    let grouped = number.split(['-', ' ', '.']).count() >= 4 && digits >= 11;
    match (valid, number.starts_with('+') || grouped) {
        (true, _) => Verdict::Valid,
        (false, true) => Verdict::Shape,
        (false, false) => Verdict::No,
    }
}

/// With separators that a telephone number has and few others do.
pub(crate) fn separated(hit: &Hit<'_>) -> Verdict {
    let number = number(hit.value());
    let digits = number.bytes().filter(u8::is_ascii_digit).count();
    if !(6..=13).contains(&digits) || is_glued(hit) {
        return Verdict::No;
    }
    let groups: Vec<usize> =
        number.split(|c: char| !c.is_ascii_digit()).map(str::len).filter(|length| *length > 0).collect();
    let american = matches!(groups.as_slice(), [3, 3, 4] | [1, 3, 3, 4] | [3, 7]) && !number.starts_with("000");
    let trunk = number.trim_start_matches('(').starts_with('0') && !number.starts_with("000");
    let parens = number.contains('(');
    let confirmed = american || parens || (trunk && groups.iter().all(|length| *length >= 2));
    if is_date_like(&groups, number) {
        return Verdict::No;
    }
    Verdict::or_shape(confirmed && digits >= 8)
}

/// Digits alone: some plan must know them.
pub(crate) fn bare(hit: &Hit<'_>) -> Verdict {
    if is_glued(hit) || hit.digits().is_uniform() {
        return Verdict::No;
    }
    Verdict::or_shape(REGIONS.iter().any(|region| is_known(hit.value(), Some(*region))))
}

fn is_known(number: &str, region: Option<Region>) -> bool {
    PHONE_NUMBER_UTIL.parse(number, region).is_ok_and(|number| PHONE_NUMBER_UTIL.is_valid_number(&number))
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
fn is_date_like(groups: &[usize], number: &str) -> bool {
    let year = |text: &str| text.parse::<u32>().is_ok_and(|year| (1800..=2200).contains(&year));
    let dated = matches!(groups, [4, 2, 2] | [2, 2, 4]) && number.contains(['-', '.', '/']);
    let years = matches!(groups, [4, 4]) && number.split(['-', '/', ' ']).all(year);
    dated || years
}
