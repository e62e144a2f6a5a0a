//! Numbers of the Americas.

use super::{
    Hit, Verdict,
    digits::{Digits, is_day},
    global::luhn_with,
};

/// SSA POMS RM 10201.035: no area 000, 666 or 9xx, no group 00, no serial 0000.
pub(crate) fn us_ssn(hit: &Hit<'_>) -> Verdict {
    let digits = hit.digits();
    let (area, group, serial) = (digits.number(0..3), digits.number(3..5), digits.number(5..9));
    // In an old card's advertisement, and in use since.
    let known = matches!(digits.number(0..9), 78_051_120 | 219_099_999);
    let holds = area != 0 && area != 666 && area < 900 && group != 0 && serial != 0 && !known && !digits.is_uniform();
    Verdict::confirmed(holds)
}

/// IRS Pub. 1915: 9xx and groups 50 to 65, 70 to 88, 90 to 92, 94 to 99.
pub(crate) fn us_itin(hit: &Hit<'_>) -> Verdict {
    let digits = hit.digits();
    let group = digits.number(3..5);
    Verdict::confirmed(digits.at(0) == 9 && matches!(group, 50..=65 | 70..=88 | 90..=92 | 94..=99))
}

/// 45 CFR 162.406: a Luhn check digit over the number behind 80840.
pub(crate) fn us_npi(hit: &Hit<'_>) -> Verdict {
    Verdict::confirmed(luhn_with(&[8, 0, 8, 4, 0], &hit.digits()))
}

/// ABA key to routing numbers: weights 3, 7, 1, and the prefixes that are in use.
pub(crate) fn aba_routing(hit: &Hit<'_>) -> Verdict {
    let digits = hit.digits();
    let prefix = digits.number(0..2);
    let used = matches!(prefix, 1..=12 | 21..=32 | 61..=72 | 80);
    Verdict::confirmed(used && digits.weighted(&[3, 7, 1, 3, 7, 1, 3, 7, 1]).is_multiple_of(10))
}

/// DEA registration: (d1 + d3 + d5) + 2 (d2 + d4 + d6) ends in d7.
pub(crate) fn dea(hit: &Hit<'_>) -> Verdict {
    // The second character may be a 9.
    let digits = Digits::of(hit.value().get(2..).unwrap_or_default());
    Verdict::confirmed(digits.weighted(&[1, 2, 1, 2, 1, 2]) % 10 == digits.at(6))
}

pub(crate) fn us_driver_license(hit: &Hit<'_>) -> Verdict {
    let value = hit.value();
    let digits = value.bytes().filter(u8::is_ascii_digit).count();
    Verdict::shaped(digits >= 5 && !hit.digits().is_uniform())
}

/// Social insurance number: a Luhn check digit; 0 and 8 begin none.
pub(crate) fn ca_sin(hit: &Hit<'_>) -> Verdict {
    let digits = hit.digits();
    Verdict::confirmed(digits.len() == 9 && digits.luhn() && !matches!(digits.at(0), 0 | 8) && !digits.is_uniform())
}

/// Canada Post: letters that are in use.
pub(crate) fn ca_postal_code(hit: &Hit<'_>) -> Verdict {
    Verdict::or_shape(hit.value().contains([' ', '-']))
}

/// Receita Federal: two check digits mod 11.
pub(crate) fn br_cpf(hit: &Hit<'_>) -> Verdict {
    let digits = hit.digits();
    let check = |count: u32| {
        let weights: Vec<u32> = (2..=count + 1).rev().collect();
        (digits.weighted(&weights) * 10 % 11) % 10
    };
    Verdict::confirmed(!digits.is_uniform() && check(9) == digits.at(9) && check(10) == digits.at(10))
}

/// Receita Federal: two check digits mod 11.
pub(crate) fn br_cnpj(hit: &Hit<'_>) -> Verdict {
    let digits = hit.digits();
    let rest = |weights: &[u32]| match digits.weighted(weights) % 11 {
        0 | 1 => 0,
        rest => 11 - rest,
    };
    let first = rest(&[5, 4, 3, 2, 9, 8, 7, 6, 5, 4, 3, 2]);
    let second = rest(&[6, 5, 4, 3, 2, 9, 8, 7, 6, 5, 4, 3, 2]);
    Verdict::confirmed(!digits.is_uniform() && first == digits.at(12) && second == digits.at(13))
}

/// RENAPO: a birth date, a state and a check digit.
pub(crate) fn mx_curp(hit: &Hit<'_>) -> Verdict {
    const ALPHABET: &str = "0123456789ABCDEFGHIJKLMN*OPQRSTUVWXYZ";
    let value = hit.compact();
    let digits = Digits::of(value.get(4..10).unwrap_or_default());
    // The letter Ñ has place 24 and never stands in ASCII text.
    let place = |byte: u8| ALPHABET.bytes().position(|b| b == byte).unwrap_or(0) as u32;
    let sum: u32 = value.bytes().take(17).zip(2..=18u32).map(|(byte, at)| place(byte) * (20 - at)).sum();
    let check = (10 - sum % 10) % 10;
    let born = is_day(digits.number(0..2), digits.number(2..4), digits.number(4..6));
    Verdict::confirmed(born && value.as_bytes().get(17).copied() == Some(b'0' + check as u8))
}
