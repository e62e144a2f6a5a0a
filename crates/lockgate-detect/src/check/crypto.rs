//! Addresses of cryptocurrencies, by their checksums.

use sha3::{Digest as _, Keccak256};

use super::{Hit, Verdict};

/// Base58Check (Bitcoin and its kin).
pub(crate) fn base58(hit: &Hit<'_>) -> Verdict {
    let decoded = bs58::decode(hit.value()).with_check(None).into_vec();
    Verdict::confirmed(decoded.is_ok_and(|bytes| bytes.len() == 21))
}

/// BIP 173 and BIP 350.
pub(crate) fn bech32(hit: &Hit<'_>) -> Verdict {
    Verdict::confirmed(bech32::segwit::decode(hit.value()).is_ok())
}

/// EIP-55: the case of each letter is a checksum; all of one case has none.
pub(crate) fn ethereum(hit: &Hit<'_>) -> Verdict {
    let Some(address) = hit.value().get(2..) else { return Verdict::No };
    let letters = || address.chars().filter(char::is_ascii_alphabetic);
    if letters().all(|c| c.is_ascii_lowercase()) || letters().all(|c| c.is_ascii_uppercase()) {
        let varied = address.bytes().collect::<std::collections::BTreeSet<_>>().len() > 4;
        return Verdict::shaped(varied);
    }
    let hash = Keccak256::digest(address.to_ascii_lowercase());
    let nibble =
        |at: usize| hash.get(at / 2).map_or(0, |byte| if at.is_multiple_of(2) { byte >> 4 } else { byte & 15 });
    let holds = address
        .bytes()
        .enumerate()
        .all(|(at, byte)| !byte.is_ascii_alphabetic() || byte.is_ascii_uppercase() == (nibble(at) >= 8));
    Verdict::confirmed(holds)
}
