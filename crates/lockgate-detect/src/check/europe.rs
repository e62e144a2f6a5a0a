//! Numbers of Europe.

use super::{
    Hit, Verdict,
    digits::{Digits, is_day, letter, luhn, worth},
};

/// NHS number: weights 10 to 2, mod 11.
pub(crate) fn uk_nhs(hit: &Hit<'_>) -> Verdict {
    let digits = hit.digits();
    let check = 11 - digits.weighted(&[10, 9, 8, 7, 6, 5, 4, 3, 2]) % 11;
    Verdict::confirmed(!digits.is_uniform() && check != 10 && check % 11 == digits.at(9))
}

/// HMRC NIM39110: prefixes that are not allotted.
pub(crate) fn uk_nino(hit: &Hit<'_>) -> Verdict {
    let value = hit.compact();
    let prefix = value.get(..2).unwrap_or_default();
    Verdict::confirmed(!matches!(prefix, "BG" | "GB" | "KN" | "NK" | "NT" | "TN" | "ZZ"))
}

/// The areas that Royal Mail delivers to.
const UK_AREAS: &str = "AB AL B BA BB BD BF BH BL BN BR BS BT BX CA CB CF CH CM CO CR CT CV CW DA DD DE DG DH DL DN DT DY E EC EH EN EX FK FY G GL GU GY HA HD HG HP HR HS HU HX IG IM IP IV JE KA KT KW KY L LA LD LE LL LN LS LU M ME MK ML N NE NG NN NP NR NW OL OX PA PE PH PL PO PR RG RH RM S SA SE SG SK SL SM SN SO SP SR SS ST SW SY TA TD TF TN TQ TR TS TW UB W WA WC WD WF WN WR WS WV YO ZE";

/// Royal Mail: an area that is in use.
pub(crate) fn uk_postcode(hit: &Hit<'_>) -> Verdict {
    let value = hit.value();
    let area: String = value.chars().take_while(char::is_ascii_alphabetic).collect::<String>().to_ascii_uppercase();
    let known = UK_AREAS.split(' ').any(|known| known == area);
    match (known, value.contains(' ')) {
        (false, _) => Verdict::No,
        (true, spaced) => Verdict::or_shape(spaced),
    }
}

/// DVLA: surname, decade, month (plus 50 for women), day, year, initials, check.
pub(crate) fn uk_driving_licence(hit: &Hit<'_>) -> Verdict {
    let value = hit.compact();
    let digits = Digits::of(value.get(5..11).unwrap_or_default());
    let month = digits.number(1..3) % 50;
    Verdict::confirmed(digits.len() == 6 && (1..=12).contains(&month) && (1..=31).contains(&digits.number(3..5)))
}

/// Ministerio del Interior: the letter is the number mod 23; X, Y, Z stand for 0, 1, 2.
pub(crate) fn es_nif(hit: &Hit<'_>) -> Verdict {
    const LETTERS: &[u8; 23] = b"TRWAGMYFPDXBNJZSQVHLCKE";
    let value = hit.compact();
    let Some((letter, head)) = value.as_bytes().split_last() else { return Verdict::No };
    let digit = |byte: &u8| if (b'X'..=b'Z').contains(byte) { u32::from(byte - b'X') } else { worth(*byte) };
    let number = head.iter().take(8).fold(0, |n, byte| n * 10 + digit(byte)) as usize;
    Verdict::confirmed(LETTERS.get(number % 23) == Some(letter) && number != 0)
}

/// Agenzia delle Entrate: odd and even places weighted apart, mod 26.
pub(crate) fn it_fiscal_code(hit: &Hit<'_>) -> Verdict {
    const ODD: [u32; 26] =
        [1, 0, 5, 7, 9, 13, 15, 17, 19, 21, 2, 4, 18, 20, 11, 3, 6, 8, 12, 14, 16, 10, 22, 25, 24, 23];
    let value = hit.compact();
    let sum: u32 = value
        .bytes()
        .take(15)
        .enumerate()
        .map(|(place, byte)| {
            let worth = if byte.is_ascii_digit() { worth(byte) } else { letter(byte) };
            if place % 2 == 0 { ODD.get(worth as usize).copied().unwrap_or(0) } else { worth }
        })
        .sum();
    Verdict::confirmed(value.as_bytes().get(15).copied() == Some(b'A' + (sum % 26) as u8))
}

/// Partita IVA: a Luhn check digit over eleven.
pub(crate) fn it_vat(hit: &Hit<'_>) -> Verdict {
    let digits = hit.digits();
    Verdict::confirmed(digits.len() == 11 && digits.luhn() && digits.number(0..7) != 0)
}

/// The century stands in the month: plus 20 is 2000, plus 80 is 1800.
pub(crate) fn pl_pesel(hit: &Hit<'_>) -> Verdict {
    let digits = hit.digits();
    let check = (10 - digits.weighted(&[1, 3, 7, 9, 1, 3, 7, 9, 1, 3]) % 10) % 10;
    let born = is_day(digits.number(0..2), digits.number(2..4) % 20, digits.number(4..6));
    Verdict::confirmed(born && check == digits.at(10))
}

/// DVV: the remainder of the nine digits mod 31 names the check character.
pub(crate) fn fi_hetu(hit: &Hit<'_>) -> Verdict {
    const CHECKS: &[u8; 31] = b"0123456789ABCDEFHJKLMNPRSTUVWXY";
    let value = hit.value().to_ascii_uppercase();
    let head: String = value.chars().take(10).filter(char::is_ascii_digit).collect();
    let digits = Digits::of(&head);
    let born = is_day(digits.number(4..6), digits.number(2..4), digits.number(0..2));
    let check = CHECKS.get((digits.number(0..9) % 31) as usize);
    Verdict::confirmed(born && digits.len() == 9 && value.as_bytes().last() == check)
}

/// Skatteverket: a birth date (days plus 60 for coordination numbers) and Luhn over ten digits.
pub(crate) fn se_personnummer(hit: &Hit<'_>) -> Verdict {
    let digits = hit.digits();
    let short = digits.as_slice().get(digits.len().saturating_sub(10)..).unwrap_or_default();
    let offset = digits.len().saturating_sub(10);
    let day = digits.number(offset + 4..offset + 6) % 60;
    let born = is_day(digits.number(0..offset + 2), digits.number(offset + 2..offset + 4), day);
    let century = offset == 0 || matches!(digits.number(0..2), 18..=20);
    Verdict::confirmed(matches!(digits.len(), 10 | 12) && born && century && luhn(short.iter().copied()))
}

/// Bolagsverket: the third digit is 2 at least, and Luhn.
pub(crate) fn se_organisation(hit: &Hit<'_>) -> Verdict {
    let digits = hit.digits();
    Verdict::confirmed(digits.len() == 10 && digits.at(2) >= 2 && digits.luhn() && digits.at(0) != 0)
}

/// Steuer-ID (§ 139b AO): ISO 7064 mod 11,10, and among the first ten digits just one repeats.
pub(crate) fn de_tax_id(hit: &Hit<'_>) -> Verdict {
    let digits = hit.digits();
    let mut counts = [0u8; 10];
    for digit in digits.as_slice().iter().take(10) {
        if let Some(count) = counts.get_mut(usize::from(*digit)) {
            *count += 1;
        }
    }
    let repeated = counts.iter().filter(|count| **count > 1).count();
    let most = counts.iter().max().copied().unwrap_or(0);
    Verdict::confirmed(digits.len() == 11 && repeated == 1 && most <= 3 && digits.mod_11_10())
}

/// USt-IdNr.: ISO 7064 mod 11,10.
pub(crate) fn de_vat(hit: &Hit<'_>) -> Verdict {
    let digits = hit.digits();
    Verdict::confirmed(digits.len() == 9 && digits.mod_11_10() && digits.at(0) != 0)
}

/// ICAO 9303: weights 7, 3, 1 over letters (10 to 35) and digits; where there is a check digit.
pub(crate) fn de_document(hit: &Hit<'_>) -> Verdict {
    let value = hit.compact();
    let sum: u32 = value.bytes().take(9).zip([7, 3, 1].into_iter().cycle()).map(|(b, w): (u8, u32)| worth(b) * w).sum();
    match value.as_bytes().get(9).copied() {
        Some(check) => Verdict::confirmed(sum % 10 == worth(check)),
        None => Verdict::shaped(value.bytes().filter(u8::is_ascii_digit).count() >= 4),
    }
}

/// VKVV § 2 and 4: area, birth date, initial, serial and check.
pub(crate) fn de_social_security(hit: &Hit<'_>) -> Verdict {
    const WEIGHTS: [u32; 12] = [2, 1, 2, 5, 7, 1, 2, 1, 2, 1, 2, 1];
    let value = hit.compact();
    let digits = hit.digits();
    let born = is_day(digits.number(6..8), digits.number(4..6), digits.number(2..4) % 50);
    let mut expanded = Vec::with_capacity(12);
    for byte in value.bytes().take(11) {
        if byte.is_ascii_digit() {
            expanded.push(worth(byte));
        } else {
            let place = letter(byte) + 1;
            expanded.extend([place / 10, place % 10]);
        }
    }
    let cross = |n: u32| n / 10 + n % 10;
    let sum: u32 = expanded.iter().zip(WEIGHTS).map(|(digit, weight)| cross(digit * weight)).sum();
    Verdict::confirmed(born && sum % 10 == digits.at(10))
}

/// Krankenversichertennummer: the letter as two digits, weights 1 and 2, digit sums.
pub(crate) fn de_health_insurance(hit: &Hit<'_>) -> Verdict {
    let value = hit.compact();
    let letter = value.bytes().next().map_or(0, letter) as u8 + 1;
    let digits = hit.digits();
    let all = [letter / 10, letter % 10].into_iter().chain(digits.as_slice().iter().copied().take(8));
    let sum: u32 = all
        .zip([1u32, 2].into_iter().cycle())
        .map(|(digit, weight)| u32::from(digit) * weight)
        .map(|product| product / 10 + product % 10)
        .sum();
    Verdict::confirmed(sum % 10 == digits.at(8))
}

/// INSEE: key = 97 - (number mod 97); Corsica counts as 19 and 18.
pub(crate) fn fr_nir(hit: &Hit<'_>) -> Verdict {
    let value = hit.compact().replacen("2A", "19", 1).replacen("2B", "18", 1);
    let digits = Digits::of(&value);
    let month = digits.number(3..5);
    let plausible = matches!(month, 1..=12 | 20..=42 | 50..=99);
    Verdict::confirmed(digits.len() == 15 && plausible && 97 - digits.number(0..13) % 97 == digits.number(13..15))
}

/// Elfproef: weights 9 to 2 and -1, mod 11.
pub(crate) fn nl_bsn(hit: &Hit<'_>) -> Verdict {
    let digits = hit.digits();
    let sum = digits.weighted(&[9, 8, 7, 6, 5, 4, 3, 2]);
    Verdict::confirmed(!digits.is_uniform() && sum > 0 && sum % 11 == digits.at(8) % 11)
}

/// Rijksregister: 97 - (number mod 97), with a 2 in front for those born since 2000.
pub(crate) fn be_national(hit: &Hit<'_>) -> Verdict {
    let digits = hit.digits();
    let head = digits.number(0..9);
    let check = digits.number(9..11);
    let holds = [head, 2_000_000_000 + head].iter().any(|number| 97 - number % 97 == check);
    // Month and day may be 0 where they are not known.
    let month = digits.number(2..4);
    Verdict::confirmed(holds && month <= 12 && digits.number(4..6) <= 31)
}

/// AHVN13: 756 and the check digit of EAN-13.
pub(crate) fn ch_ahv(hit: &Hit<'_>) -> Verdict {
    let digits = hit.digits();
    let check = (10 - digits.weighted(&[1, 3, 1, 3, 1, 3, 1, 3, 1, 3, 1, 3]) % 10) % 10;
    Verdict::confirmed(digits.number(0..3) == 756 && check == digits.at(12))
}

/// ASVG § 31: weights 3, 7, 9 and 5, 8, 4, 2, 1, 6 mod 11, then a birth date.
pub(crate) fn at_social_security(hit: &Hit<'_>) -> Verdict {
    let digits = hit.digits();
    let check = digits.weighted(&[3, 7, 9, 0, 5, 8, 4, 2, 1, 6]) % 11;
    let month = digits.number(6..8);
    let born = (1..=31).contains(&digits.number(4..6)) && (1..=15).contains(&month);
    Verdict::confirmed(born && digits.at(0) != 0 && check == digits.at(3))
}

/// Weights 9 to 2, mod 11.
pub(crate) fn pt_nif(hit: &Hit<'_>) -> Verdict {
    let digits = hit.digits();
    let check = match digits.weighted(&[9, 8, 7, 6, 5, 4, 3, 2]) % 11 {
        0 | 1 => 0,
        rest => 11 - rest,
    };
    Verdict::confirmed(digits.at(0) != 0 && !digits.is_uniform() && check == digits.at(8))
}

/// Revenue: weights 8 to 2, and 9 for a second letter, mod 23.
pub(crate) fn ie_pps(hit: &Hit<'_>) -> Verdict {
    let value = hit.compact();
    let digits = hit.digits();
    let second = value.as_bytes().get(8).copied().filter(|byte| *byte != b'W').map_or(0, |byte| letter(byte) + 1);
    let rest = (digits.weighted(&[8, 7, 6, 5, 4, 3, 2]) + second * 9) % 23;
    let check = if rest == 0 { b'W' } else { b'@' + rest as u8 };
    Verdict::confirmed(value.as_bytes().get(7).copied() == Some(check))
}
