//! What is the same everywhere.

use std::net::{Ipv4Addr, Ipv6Addr};

use super::{
    Hit, Verdict,
    digits::{Digits, is_day, luhn, mod_97},
};

/// ISO/IEC 7812: an issuer's range and a Luhn check digit.
pub(crate) fn card(hit: &Hit<'_>) -> Verdict {
    let digits = hit.digits();
    let prefix = digits.number(0..4);
    let lengths: &[usize] = match prefix {
        4000..=4999 => &[13, 16, 19],
        5100..=5599 | 2221..=2720 => &[16],
        3400..=3499 | 3700..=3799 => &[15],
        3000..=3059 | 3095 | 3600..=3699 | 3800..=3999 => &[14, 16],
        3528..=3589 => &[16, 17, 18, 19],
        6011 | 6440..=6599 | 6221..=6229 => &[16, 17, 18, 19],
        // Mir, UnionPay, RuPay and others.
        2200..=2204 | 8100..=8171 => &[16, 17, 18, 19],
        6000..=6303 | 6305..=6705 | 6707 | 6708 | 6710..=6758 | 6760 | 6764..=6770 | 6772..=6999 => &[16, 17, 18, 19],
        // Maestro and Verve.
        5018 | 5020 | 5038 | 5060..=5078 | 5893 | 6304 | 6706 | 6709 | 6759 | 6761..=6763 | 6771 => {
            &[12, 13, 14, 15, 16, 17, 18, 19]
        }
        _ => &[],
    };
    Verdict::confirmed(
        lengths.contains(&digits.len())
            && digits.luhn()
            && !digits.is_uniform()
            && is_grouped(hit.value())
            && !is_in_a_row(hit),
    )
}

/// Four groups of four out of a text that is nothing but such groups, and not whole cards: a row
/// of numbers.
fn is_in_a_row(hit: &Hit<'_>) -> bool {
    const BYTES_MAX: usize = 400;
    let text = hit.text.trim();
    if text.len() > BYTES_MAX || hit.value().len() != 19 {
        return false;
    }
    let mut groups = 0;
    let four = text.split(' ').all(|group| {
        groups += 1;
        group.len() == 4 && group.bytes().all(|b| b.is_ascii_digit())
    });
    four && groups > 5 && groups % 4 != 0
}

/// Separators, where there are any, part a number into groups of at least two digits, or every digit.
fn is_grouped(value: &str) -> bool {
    let mut groups = value.split([' ', '-', '.']).map(str::len);
    let every = value.split([' ', '-', '.']).all(|group| group.len() == 1);
    every || groups.all(|length| length >= 2)
}

/// ISO 13616: the length of the country, and ISO 7064 mod 97-10 over the rearranged text.
pub(crate) fn iban(hit: &Hit<'_>) -> Verdict {
    let compact = hit.compact();
    let Some((head, tail)) = compact.split_at_checked(4) else { return Verdict::No };
    let length = match head.get(..2).unwrap_or_default() {
        "NO" => 15,
        "BE" => 16,
        "DK" | "FI" | "FK" | "FO" | "GL" | "NL" | "SD" => 18,
        "MK" | "SI" => 19,
        "AT" | "BA" | "EE" | "KZ" | "LT" | "LU" | "MN" | "XK" => 20,
        "CH" | "CR" | "HR" | "LI" | "LV" => 21,
        "BG" | "BH" | "DE" | "GB" | "GE" | "IE" | "ME" | "RS" | "VA" => 22,
        "AE" | "GI" | "IL" | "IQ" | "OM" | "SO" | "TL" => 23,
        "AD" | "CZ" | "ES" | "MD" | "PK" | "RO" | "SA" | "SE" | "SK" | "TN" | "VG" => 24,
        "LY" | "PT" | "ST" => 25,
        "IS" | "TR" => 26,
        "BI" | "DJ" | "FR" | "GR" | "IT" | "MC" | "MR" | "SM" => 27,
        "AL" | "AZ" | "BY" | "CY" | "DO" | "GT" | "HN" | "HU" | "LB" | "NI" | "PL" | "SV" => 28,
        "BR" | "EG" | "PS" | "QA" | "UA" => 29,
        "JO" | "KW" | "MU" | "YE" => 30,
        "MT" | "SC" => 31,
        "LC" => 32,
        "RU" => 33,
        _ => return Verdict::No,
    };
    Verdict::confirmed(compact.len() == length && mod_97(tail.bytes().chain(head.bytes())) == Some(1))
}

pub(crate) fn ip(hit: &Hit<'_>) -> Verdict {
    let value = hit.value();
    if value.contains('.') && !value.contains(':') {
        // 1.2.3.4 inside 0.1.2.3.4 or behind a "v" is a version.
        let before = hit.before();
        let tail = before.as_bytes().get(before.len().saturating_sub(9)..).unwrap_or_default().trim_ascii_end();
        let word = tail.get(tail.len().saturating_sub(7)..).unwrap_or_default();
        let hyphenated = matches!(tail, [.., letter, b'-'] if letter.is_ascii_alphabetic());
        let versioned = before.ends_with(['.', 'v', 'V'])
            || hyphenated
            || word.eq_ignore_ascii_case(b"version")
            || (hit.after().starts_with('.') && hit.after().as_bytes().get(1).is_some_and(u8::is_ascii_digit));
        let address = value.parse::<Ipv4Addr>().ok().filter(|_| !versioned);
        return address.map_or(Verdict::No, |address| {
            // 1.0.0.0 and 10.0.0.1 are addresses; 0.x and small dotted numbers are mostly versions.
            Verdict::or_shape(address.octets().iter().any(|octet| *octet > 9))
        });
    }
    let glued = hit.before().ends_with(':') || hit.after().starts_with(':');
    // "::1" is loopback; "a::b" is a path in many languages.
    let telling = value.bytes().filter(u8::is_ascii_hexdigit).count() >= 5 && value.bytes().any(|b| b.is_ascii_digit());
    Verdict::confirmed(!glued && telling && value.parse::<Ipv6Addr>().is_ok())
}

pub(crate) fn mac(hit: &Hit<'_>) -> Verdict {
    let value = hit.value();
    let separator = value.chars().find(|c| !c.is_ascii_hexdigit());
    let same = value.chars().filter(|c| !c.is_ascii_hexdigit()).all(|c| Some(c) == separator);
    let glued = hit.before().ends_with([':', '-']) || hit.after().starts_with(':');
    Verdict::confirmed(same && !glued && value.bytes().any(|b| b != b'0' && b.is_ascii_hexdigit()))
}

/// ISO 8601 and the usual numeric forms: there must be such a day.
pub(crate) fn date(hit: &Hit<'_>) -> Verdict {
    let value = hit.value();
    let day = value.split(['T', ' ']).next().unwrap_or_default();
    let mut parts = [0u64; 3];
    let mut count = 0;
    for part in day.split(['-', '/', '.']) {
        let (Ok(number), Some(place)) = (part.parse(), parts.get_mut(count)) else { return Verdict::No };
        *place = number;
        count += 1;
    }
    let [a, b, c] = parts;
    if count != 3 {
        return Verdict::No;
    }
    let (year, holds) = if day.find(['-', '/', '.']) == Some(4) {
        (a, is_day(a, b, c))
    } else {
        (c, is_day(c, b, a) || is_day(c, a, b))
    };
    let glued = hit.before().ends_with(['-', '/', '.', '_']) || hit.after().starts_with(['/', '_']);
    let plausible = holds && (year < 100 || (1800..=2200).contains(&year)) && !glued;
    match (plausible, year >= 100) {
        (true, true) => Verdict::Valid,
        (true, false) => Verdict::Shape,
        _ => Verdict::No,
    }
}

/// A day beside a month's name.
pub(crate) fn written_date(hit: &Hit<'_>) -> Verdict {
    let numbers = hit.value().split(|c: char| !c.is_ascii_digit()).filter_map(|part| part.parse::<u64>().ok());
    let mut day = false;
    let mut year = true;
    for number in numbers {
        match number {
            1..=31 if !day => day = true,
            0..=99 => {}
            _ => year = (1800..=2200).contains(&number),
        }
    }
    Verdict::confirmed(day && year)
}

/// 3GPP TS 23.003: 15 digits with a Luhn check digit.
pub(crate) fn imei(hit: &Hit<'_>) -> Verdict {
    let digits = hit.digits();
    Verdict::confirmed(digits.len() == 15 && digits.luhn() && !digits.is_uniform())
}

/// ISO 3779, and the check digit of 49 CFR 565.15 where it holds.
pub(crate) fn vin(hit: &Hit<'_>) -> Verdict {
    const WEIGHTS: [u32; 17] = [8, 7, 6, 5, 4, 3, 2, 10, 0, 9, 8, 7, 6, 5, 4, 3, 2];
    let value = hit.value().to_ascii_uppercase();
    let worth = |byte: u8| match byte {
        b'0'..=b'9' => u32::from(byte - b'0'),
        b'A'..=b'H' => u32::from(byte - b'A') + 1,
        b'J'..=b'N' => u32::from(byte - b'J') + 1,
        b'P' => 7,
        b'R' => 9,
        b'S'..=b'Z' => u32::from(byte - b'S') + 2,
        _ => 0,
    };
    let digits = value.bytes().filter(u8::is_ascii_digit).count();
    if digits < 4 || value.len() - digits < 3 {
        return Verdict::No;
    }
    let rest = value.bytes().zip(WEIGHTS).map(|(byte, weight)| worth(byte) * weight).sum::<u32>() % 11;
    let check = if rest == 10 { b'X' } else { b'0' + rest as u8 };
    Verdict::or_shape(value.as_bytes().get(8) == Some(&check))
}

/// A pair of decimal degrees, precise to some ten metres.
pub(crate) fn coordinates(hit: &Hit<'_>) -> Verdict {
    let mut parts = hit.value().split([',', ' ']).filter(|part| !part.is_empty());
    let (Some(latitude), Some(longitude), None) = (parts.next(), parts.next(), parts.next()) else {
        return Verdict::No;
    };
    let within = |text: &str, limit: f64| text.parse::<f64>().is_ok_and(|degrees| degrees.abs() <= limit);
    Verdict::shaped(within(latitude, 90.0) && within(longitude, 180.0))
}

/// ISO 9362: a country in the fifth and sixth letter.
pub(crate) fn swift(hit: &Hit<'_>) -> Verdict {
    // Behind its label; the code is what stands last.
    let code = hit.value().rsplit([' ', ':', '#']).next().unwrap_or_default();
    Verdict::confirmed(code.get(4..6).is_some_and(|country| COUNTRIES.split(' ').any(|known| known == country)))
}

/// ISO 3166-1, and XK.
pub(crate) const COUNTRIES: &str = "AD AE AF AG AI AL AM AO AQ AR AS AT AU AW AX AZ BA BB BD BE BF BG BH BI BJ BL BM BN BO BQ BR BS BT BV BW BY BZ CA CC CD CF CG CH CI CK CL CM CN CO CR CU CV CW CX CY CZ DE DJ DK DM DO DZ EC EE EG EH ER ES ET FI FJ FK FM FO FR GA GB GD GE GF GG GH GI GL GM GN GP GQ GR GS GT GU GW GY HK HM HN HR HT HU ID IE IL IM IN IO IQ IR IS IT JE JM JO JP KE KG KH KI KM KN KP KR KW KY KZ LA LB LC LI LK LR LS LT LU LV LY MA MC MD ME MF MG MH MK ML MM MN MO MP MQ MR MS MT MU MV MW MX MY MZ NA NC NE NF NG NI NL NO NP NR NU NZ OM PA PE PF PG PH PK PL PM PN PR PS PT PW PY QA RE RO RS RU RW SA SB SC SD SE SG SH SI SJ SK SL SM SN SO SR SS ST SV SX SY SZ TC TD TF TG TH TJ TK TL TM TN TO TR TT TV TW TZ UA UG UM US UY UZ VA VC VE VG VI VN VU WF WS XK YE YT ZA ZM ZW";

/// An age that someone can have.
pub(crate) fn age(hit: &Hit<'_>) -> Verdict {
    let years = Digits::of(hit.value()).number(0..3);
    Verdict::shaped((1..=119).contains(&years))
}

/// A title stands before a name.
pub(crate) fn title(hit: &Hit<'_>) -> Verdict {
    let rest = hit.after().trim_start_matches('.');
    let named = rest.strip_prefix([' ', '\u{a0}']).and_then(|rest| rest.chars().next()).is_some_and(char::is_uppercase);
    let opens = hit.before().chars().next_back().is_none_or(|c| !c.is_alphanumeric() && c != '-' && c != '_');
    Verdict::shaped(named && opens)
}

/// A UUID (RFC 9562) is about no person; what stands in it is no number of another kind.
pub(crate) fn uuid(_: &Hit<'_>) -> Verdict {
    Verdict::Valid
}

/// ISO/IEC 7812 with the card's own prefix, for numbers that Luhn guards.
pub(crate) fn luhn_with(prefix: &[u8], digits: &Digits) -> bool {
    luhn(prefix.iter().copied().chain(digits.as_slice().iter().copied()))
}
