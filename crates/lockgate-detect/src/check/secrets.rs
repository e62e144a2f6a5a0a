//! Keys and tokens, by structure and checksum. No secret is tried against its issuer.

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};

use super::{Hit, Verdict};

/// Shannon entropy in bits a character.
fn entropy(text: &str) -> f64 {
    let mut counts = [0u32; 256];
    for byte in text.bytes() {
        if let Some(count) = counts.get_mut(usize::from(byte)) {
            *count += 1;
        }
    }
    let length = text.len() as f64;
    counts.iter().filter(|count| **count > 0).map(|count| f64::from(*count) / length).map(|p| -p * p.log2()).sum()
}

/// Random enough to be a secret rather than a placeholder such as xxxx or EXAMPLE.
fn is_random(text: &str, bits: f64) -> bool {
    let lower = text.to_ascii_lowercase();
    let placeholder =
        ["example", "xxxx", "your", "0000", "1234567890", "abcdef0", "placeholder", "changeme", "<", "${", "{{"];
    entropy(text) >= bits && !placeholder.iter().any(|word| lower.contains(word))
}

/// A known prefix and a random rest.
pub(crate) fn prefixed(hit: &Hit<'_>) -> Verdict {
    let value = hit.value();
    let rest = value.rsplit(['_', '-']).next().unwrap_or(value);
    let body = if rest.len() >= 12 { rest } else { value };
    Verdict::confirmed(is_random(body, 2.8))
}

/// AWS access keys end in base 32.
pub(crate) fn aws_access_key(hit: &Hit<'_>) -> Verdict {
    Verdict::confirmed(hit.value().get(4..).is_some_and(|rest| entropy(rest) >= 2.5))
}

/// GitHub and npm tokens end in a CRC-32 of what stands before, in six digits of base 62.
pub(crate) fn crc62(hit: &Hit<'_>) -> Verdict {
    const DIGITS: &[u8; 62] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
    let value = hit.value();
    let body = value.split_once('_').map_or(value, |(_, body)| body);
    let Some((random, check)) = body.split_at_checked(body.len().saturating_sub(6)) else { return Verdict::No };
    let mut crc = crc32fast::hash(random.as_bytes());
    let mut wanted = [b'0'; 6];
    for place in wanted.iter_mut().rev() {
        *place = DIGITS.get((crc % 62) as usize).copied().unwrap_or(b'0');
        crc /= 62;
    }
    if wanted == check.as_bytes() { Verdict::Valid } else { Verdict::shaped(is_random(random, 3.0)) }
}

/// RFC 7519: the head is JSON that names an algorithm.
pub(crate) fn jwt(hit: &Hit<'_>) -> Verdict {
    let head = hit.value().split('.').next().unwrap_or_default();
    let decoded = URL_SAFE_NO_PAD.decode(head).unwrap_or_default();
    let text = String::from_utf8_lossy(&decoded);
    Verdict::confirmed(text.starts_with('{') && text.contains("\"alg\""))
}

/// A high-entropy value behind a word that tells what it is.
pub(crate) fn assigned(hit: &Hit<'_>) -> Verdict {
    let value = hit.value();
    let secret = value.rsplit(['=', ':', ' ']).next().unwrap_or(value).trim_matches(['"', '\'', '`']);
    let kinds = [secret.bytes().any(|b| b.is_ascii_digit()), secret.bytes().any(|b| b.is_ascii_alphabetic())];
    Verdict::shaped(
        kinds == [true, true]
            && is_random(secret, 2.9)
            && !secret.contains(['(', '.'])
            && !secret.starts_with('/')
            && !secret.contains("//"),
    )
}

/// RFC 9110, section 11.6.2: what stands behind `Bearer` or `Basic`.
pub(crate) fn authorization(hit: &Hit<'_>) -> Verdict {
    let secret = hit.value().rsplit(' ').next().unwrap_or_default();
    Verdict::confirmed(is_random(secret, 3.0) && secret.bytes().any(|b| b.is_ascii_digit() || b == b'='))
}

/// A password in an address; a reference such as `${PASSWORD}` is none.
pub(crate) fn password_in_url(password: &str) -> bool {
    let reference = password.starts_with(['$', '{', '<', '%', '*']) || password.ends_with('}');
    let placeholder =
        matches!(password.to_ascii_lowercase().as_str(), "password" | "pass" | "pwd" | "secret" | "xxx" | "xxxx");
    !password.is_empty() && !reference && !placeholder
}

/// A PEM block that holds a private key.
pub(crate) fn private_key(hit: &Hit<'_>) -> Verdict {
    Verdict::confirmed(hit.value().contains("PRIVATE KEY"))
}
