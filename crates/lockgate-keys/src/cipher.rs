//! AES-256-GCM with a random nonce (NIST SP 800-38D) and HKDF-Expand (RFC 5869), from aws-lc.

use aws_lc_rs::{aead, hmac, rand};
use lockgate_core::{Failure, Result, Sensitive};

/// A 256-bit symmetric key.
pub type Key = Sensitive<[u8; 32]>;

const NONCE_BYTES: usize = 12;

/// Fills `bytes` from the operating system's generator.
pub fn fill_random(bytes: &mut [u8]) -> Result<()> {
    rand::fill(bytes).map_err(|_| Failure::unreachable("the system gives no random bytes"))
}

pub(crate) fn random_key() -> Result<Key> {
    let mut bytes = [0u8; 32];
    fill_random(&mut bytes)?;
    Ok(Key::new(bytes))
}

/// Encrypts `plaintext`, bound to `context`; the result is nonce, ciphertext and tag.
pub fn seal(key: &Key, context: &[u8], plaintext: &[u8]) -> Result<Vec<u8>> {
    let mut nonce = [0u8; NONCE_BYTES];
    fill_random(&mut nonce)?;
    let mut body = plaintext.to_vec();
    cipher(key)?
        .seal_in_place_append_tag(aead::Nonce::assume_unique_for_key(nonce), aead::Aad::from(context), &mut body)
        .map_err(|_| Failure::bug("encryption failed"))?;
    let mut out = nonce.to_vec();
    out.append(&mut body);
    Ok(out)
}

/// Decrypts what [`seal`] made. Fails when one bit of it, the key or the context differs.
pub fn open(key: &Key, context: &[u8], sealed: &[u8]) -> Result<Sensitive<Vec<u8>>> {
    let wrong = || Failure::integrity("a sealed value cannot be opened with this key");
    let (nonce, body) = sealed.split_first_chunk::<NONCE_BYTES>().ok_or_else(wrong)?;
    let mut body = body.to_vec();
    let size = cipher(key)?
        .open_in_place(aead::Nonce::assume_unique_for_key(*nonce), aead::Aad::from(context), &mut body)
        .map_err(|_| wrong())?
        .len();
    body.truncate(size);
    Ok(Sensitive::new(body))
}

/// HKDF-Expand of one block.
pub(crate) fn expand(key: &Key, label: &str) -> Key {
    let mut context = hmac::Context::with_key(&hmac::Key::new(hmac::HMAC_SHA256, key.expose()));
    context.update(label.as_bytes());
    context.update(&[1]);
    let mut out = [0u8; 32];
    out.copy_from_slice(context.sign().as_ref());
    Key::new(out)
}

fn cipher(key: &Key) -> Result<aead::LessSafeKey> {
    aead::UnboundKey::new(&aead::AES_256_GCM, key.expose())
        .map(aead::LessSafeKey::new)
        .map_err(|_| Failure::bug("a key has the wrong length"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn any_changed_bit_is_refused() {
        let key = random_key().unwrap();
        let sealed = seal(&key, b"context", b"plaintext").unwrap();
        assert_eq!(open(&key, b"context", &sealed).unwrap().expose(), b"plaintext");
        assert!(open(&key, b"another", &sealed).is_err());
        for at in 0..sealed.len() {
            let mut changed = sealed.clone();
            changed[at] ^= 1;
            assert!(open(&key, b"context", &changed).is_err(), "byte {at}");
        }
    }

    #[test]
    fn derivation_is_hkdf_expand() {
        use aws_lc_rs::hkdf;
        let key = Key::new([9; 32]);
        let prk = hkdf::Prk::new_less_safe(hkdf::HKDF_SHA256, key.expose());
        let mut expected = [0u8; 32];
        prk.expand(&[b"label"], hkdf::HKDF_SHA256).unwrap().fill(&mut expected).unwrap();
        assert_eq!(expand(&key, "label").expose(), &expected);
    }
}
