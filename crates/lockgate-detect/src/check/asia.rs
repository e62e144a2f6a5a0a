//! Numbers of Asia, Oceania and Africa.

use super::{
    Hit, Verdict,
    digits::{Digits, is_day, luhn, worth},
};

/// ATO: subtract one from the first digit; weights 10, 1, 3 ... 19; mod 89.
pub(crate) fn au_abn(hit: &Hit<'_>) -> Verdict {
    let digits = hit.digits();
    let sum = digits.weighted(&[10, 1, 3, 5, 7, 9, 11, 13, 15, 17, 19]);
    Verdict::confirmed(digits.at(0) != 0 && !digits.is_uniform() && sum % 89 == 10)
}

/// ASIC: weights 8 to 1, mod 10.
pub(crate) fn au_acn(hit: &Hit<'_>) -> Verdict {
    let digits = hit.digits();
    let check = (10 - digits.weighted(&[8, 7, 6, 5, 4, 3, 2, 1]) % 10) % 10;
    Verdict::confirmed(!digits.is_uniform() && check == digits.at(8))
}

/// ATO: weights 1, 4, 3, 7, 5, 8, 6, 9, 10; mod 11.
pub(crate) fn au_tfn(hit: &Hit<'_>) -> Verdict {
    let digits = hit.digits();
    let sum = digits.weighted(&[1, 4, 3, 7, 5, 8, 6, 9, 10]);
    Verdict::confirmed(!digits.is_uniform() && sum > 0 && sum.is_multiple_of(11))
}

/// Services Australia: weights 1, 3, 7, 9 twice, mod 10, in the ninth digit.
pub(crate) fn au_medicare(hit: &Hit<'_>) -> Verdict {
    let digits = hit.digits();
    let sum = digits.weighted(&[1, 3, 7, 9, 1, 3, 7, 9]);
    Verdict::confirmed((2..=6).contains(&digits.at(0)) && sum % 10 == digits.at(8))
}

/// UIDAI: Verhoeff; neither 0 nor 1 begins one, and none is a palindrome.
pub(crate) fn in_aadhaar(hit: &Hit<'_>) -> Verdict {
    let digits = hit.digits();
    let all = digits.as_slice();
    let palindrome = all.iter().eq(all.iter().rev());
    Verdict::confirmed(digits.len() == 12 && digits.at(0) >= 2 && digits.verhoeff() && !palindrome)
}

/// GSTN: state code, and a check character mod 36.
pub(crate) fn in_gstin(hit: &Hit<'_>) -> Verdict {
    let value = hit.compact();
    let sum: u32 = value
        .bytes()
        .take(14)
        .enumerate()
        .map(|(place, byte)| worth(byte) * if place % 2 == 0 { 1 } else { 2 })
        .map(|product| product / 36 + product % 36)
        .sum();
    let check = (36 - sum % 36) % 36;
    let state = Digits::of(value.get(..2).unwrap_or_default()).number(0..2);
    Verdict::confirmed(matches!(state, 1..=38 | 97 | 99) && value.as_bytes().get(14).copied().map(worth) == Some(check))
}

/// The states and territories that register vehicles.
const IN_STATES: &str = "AN AP AR AS BH BR CG CH DD DL DN GA GJ HP HR JH JK KA KL LA LD MH ML MN MP MZ NL OD OR PB PY RJ SK TN TR TS TG UK UP WB";

pub(crate) fn in_vehicle(hit: &Hit<'_>) -> Verdict {
    let value = hit.compact();
    let state = value.get(..2).unwrap_or_default();
    Verdict::shaped(IN_STATES.split(' ').any(|known| known == state))
}

/// ICA: weights 2, 7, 6, 5, 4, 3, 2; the letter depends on the series.
pub(crate) fn sg_nric(hit: &Hit<'_>) -> Verdict {
    let value = hit.compact();
    let (first, last) = (value.bytes().next().unwrap_or(0), value.bytes().last().unwrap_or(0));
    let sum = hit.digits().weighted(&[2, 7, 6, 5, 4, 3, 2]);
    let (table, offset): (&[u8; 11], u32) = match first {
        b'S' => (b"JZIHGFEDCBA", 0),
        b'T' => (b"JZIHGFEDCBA", 4),
        b'F' => (b"XWUTRQPNMLK", 0),
        b'G' => (b"XWUTRQPNMLK", 4),
        b'M' => (b"KLJNPQRTUWX", 3),
        _ => return Verdict::No,
    };
    let rest = (sum + offset) % 11;
    let place = if first == b'M' { 10 - rest } else { rest };
    Verdict::confirmed(table.get(place as usize) == Some(&last))
}

/// Korea: a birth date and the century in the seventh digit. Since 2020 there is no check digit.
pub(crate) fn kr_rrn(hit: &Hit<'_>) -> Verdict {
    let digits = hit.digits();
    let born = is_day(digits.number(0..2), digits.number(2..4), digits.number(4..6));
    // Thirteen digits alone are most often a time in milliseconds.
    if born { Verdict::or_shape(hit.value().contains('-')) } else { Verdict::No }
}

/// National Tax Service: weights 1, 3, 7, 1, 3, 7, 1, 3, 5 and the carry of the ninth.
pub(crate) fn kr_brn(hit: &Hit<'_>) -> Verdict {
    let digits = hit.digits();
    let sum = digits.weighted(&[1, 3, 7, 1, 3, 7, 1, 3, 5]) + digits.at(8) * 5 / 10;
    Verdict::confirmed((10 - sum % 10) % 10 == digits.at(9))
}

/// DOPA: weights 13 to 2, mod 11.
pub(crate) fn th_tnin(hit: &Hit<'_>) -> Verdict {
    let digits = hit.digits();
    let sum = digits.weighted(&[13, 12, 11, 10, 9, 8, 7, 6, 5, 4, 3, 2]);
    Verdict::confirmed((1..=8).contains(&digits.at(0)) && (11 - sum % 11) % 10 == digits.at(12))
}

/// GB 11643: region, birth date, and ISO 7064 mod 11-2.
pub(crate) fn cn_resident(hit: &Hit<'_>) -> Verdict {
    const WEIGHTS: [u32; 17] = [7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2];
    let value = hit.compact();
    let digits = Digits::of(value.get(..17).unwrap_or_default());
    let region =
        matches!(digits.number(0..2), 11..=15 | 21..=23 | 31..=37 | 41..=46 | 50..=54 | 61..=65 | 71 | 81..=83);
    let year = digits.number(6..10);
    let born = (1850..=2100).contains(&year) && is_day(year, digits.number(10..12), digits.number(12..14));
    let check = b"10X98765432".get((digits.weighted(&WEIGHTS) % 11) as usize).copied();
    Verdict::confirmed(region && born && check == value.as_bytes().get(17).copied())
}

/// Ministry of Internal Affairs: weights 6 to 2 and 7 to 2, mod 11.
pub(crate) fn jp_my_number(hit: &Hit<'_>) -> Verdict {
    let digits = hit.digits();
    let rest = digits.weighted(&[6, 5, 4, 3, 2, 7, 6, 5, 4, 3, 2]) % 11;
    let check = if rest <= 1 { 0 } else { 11 - rest };
    Verdict::confirmed(!digits.is_uniform() && check == digits.at(11))
}

/// Home Affairs: a birth date, citizenship 0 to 2, and Luhn.
pub(crate) fn za_id(hit: &Hit<'_>) -> Verdict {
    let digits = hit.digits();
    let born = is_day(digits.number(0..2), digits.number(2..4), digits.number(4..6));
    Verdict::confirmed(born && digits.at(10) <= 2 && matches!(digits.at(11), 8 | 9) && digits.luhn())
}

/// NVI: two check digits.
pub(crate) fn tr_national(hit: &Hit<'_>) -> Verdict {
    let digits = hit.digits();
    let odd = digits.weighted(&[1, 0, 1, 0, 1, 0, 1, 0, 1]);
    let even = digits.weighted(&[0, 1, 0, 1, 0, 1, 0, 1]);
    let tenth = (odd * 7 + 100 - even) % 10;
    let eleventh = (odd + even + digits.at(9)) % 10;
    Verdict::confirmed(digits.at(0) != 0 && tenth == digits.at(9) && eleventh == digits.at(10))
}

/// The provinces 01 to 81.
pub(crate) fn tr_plate(hit: &Hit<'_>) -> Verdict {
    Verdict::shaped((1..=81).contains(&hit.digits().number(0..2)))
}

/// ACRA: local companies and businesses end in a check letter.
pub(crate) fn sg_uen(hit: &Hit<'_>) -> Verdict {
    let value = hit.compact();
    let digits = hit.digits();
    let last = value.bytes().last();
    match digits.len() {
        8 => {
            let sum = digits.weighted(&[10, 4, 9, 3, 8, 2, 7, 1]);
            Verdict::confirmed(b"XMKECAWLJDB".get((sum % 11) as usize).copied() == last)
        }
        9 => {
            let sum = digits.weighted(&[10, 8, 6, 4, 9, 7, 5, 3, 1]);
            Verdict::confirmed(b"ZKCMDNERGWH".get((sum % 11) as usize).copied() == last)
        }
        _ => Verdict::Shape,
    }
}

/// MIIT: 13 to 19 begin a mobile number.
pub(crate) fn cn_mobile(hit: &Hit<'_>) -> Verdict {
    Verdict::confirmed(!hit.digits().is_uniform())
}

/// A number of nine or more that is not one digit over and over.
pub(crate) fn varied(hit: &Hit<'_>) -> Verdict {
    let digits = hit.digits();
    Verdict::shaped(!digits.is_uniform())
}

/// Luhn alone.
pub(crate) fn luhn_only(hit: &Hit<'_>) -> Verdict {
    let digits = hit.digits();
    Verdict::confirmed(!digits.is_uniform() && luhn(digits.as_slice().iter().copied()))
}
