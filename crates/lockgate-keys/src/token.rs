//! Deterministic protection of values: tokens that can be turned back (AES-SIV, RFC 5297) and
//! pseudonyms that cannot (HMAC-SHA256, RFC 2104).

use aes_siv::{KeyInit as _, siv::Aes256Siv};
use aws_lc_rs::hmac;
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use lockgate_core::{Failure, Result, Sensitive};

use crate::{Key, KeyId, KeyStore};

/// Turns values into tokens and back. Equal values give equal tokens under one key, so that
/// tables still join; `domain` separates kinds of values that must not.
pub struct Tokenizer {
    siv: Aes256Siv,
    domain: String,
}

const PREFIX: &str = "tok_";

impl Tokenizer {
    pub fn new(store: &dyn KeyStore, id: &KeyId, domain: &str) -> Result<Self> {
        let mut key = [0u8; 64];
        let (mac, encryption) = key.split_at_mut(32);
        mac.copy_from_slice(store.derive(id, "lockgate/v1/token/mac")?.expose());
        encryption.copy_from_slice(store.derive(id, "lockgate/v1/token/enc")?.expose());
        let key = Sensitive::new(key);
        Ok(Self { siv: Aes256Siv::new(key.expose().into()), domain: domain.to_owned() })
    }

    /// Appends the token of `value` to `out`.
    pub fn tokenize(&mut self, value: &str, out: &mut String) -> Result<()> {
        let sealed = self
            .siv
            .encrypt([self.domain.as_bytes()], value.as_bytes())
            .map_err(|_| Failure::bug("a value could not be tokenized"))?;
        out.push_str(PREFIX);
        URL_SAFE_NO_PAD.encode_string(sealed, out);
        Ok(())
    }

    /// The value behind a token of this key and domain.
    pub fn detokenize(&mut self, token: &str) -> Result<Sensitive<String>> {
        let wrong = || Failure::input("this is not a token of this workspace and column");
        let sealed = token.strip_prefix(PREFIX).and_then(|text| URL_SAFE_NO_PAD.decode(text).ok()).ok_or_else(wrong)?;
        let plain = self.siv.decrypt([self.domain.as_bytes()], &sealed).map_err(|_| wrong())?;
        String::from_utf8(plain).map(Sensitive::new).map_err(|_| wrong())
    }
}

/// Keyed one-way pseudonyms of 128 bits (truncation: NIST SP 800-107, section 5.3.3).
#[derive(Clone)]
pub struct Pseudonymizer(hmac::Key);

impl Pseudonymizer {
    pub fn new(key: &Key) -> Self {
        Self(hmac::Key::new(hmac::HMAC_SHA256, key.expose()))
    }

    pub fn pseudonym(&self, value: &[u8]) -> [u8; 16] {
        let tag = hmac::sign(&self.0, value);
        let mut out = [0u8; 16];
        for (to, from) in out.iter_mut().zip(tag.as_ref()) {
            *to = *from;
        }
        out
    }
}

/// Message authentication codes (HMAC-SHA256, RFC 2104), each over the one before it, so that
/// nothing can be put in, changed or moved without the key. What is missing at the end shows not.
#[derive(Clone)]
pub struct MacChain {
    key: hmac::Key,
    last: [u8; 32],
}

impl MacChain {
    pub fn new(key: &Key) -> Self {
        Self { key: hmac::Key::new(hmac::HMAC_SHA256, key.expose()), last: [0; 32] }
    }

    /// The code of the next message.
    pub fn next(&mut self, message: &[u8]) -> [u8; 32] {
        let mut context = hmac::Context::with_key(&self.key);
        context.update(&self.last);
        context.update(message);
        self.last.copy_from_slice(context.sign().as_ref());
        self.last
    }
}

impl std::fmt::Debug for MacChain {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("MacChain")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{LocalStore, Unlock};

    #[test]
    fn tokens_join_and_come_back_only_in_their_domain() {
        let dir = tempfile::tempdir().unwrap();
        let store = LocalStore::create(dir.path(), &Unlock::KeyFile(Key::new([5; 32]))).unwrap();
        let id = KeyId::purpose("protect.people");
        store.create(&id).unwrap();
        let mut email = Tokenizer::new(&store, &id, "email").unwrap();
        let (mut one, mut two) = (String::new(), String::new());
        email.tokenize("ana@example.com", &mut one).unwrap();
        email.tokenize("ana@example.com", &mut two).unwrap();
        assert_eq!(one, two);
        assert_eq!(email.detokenize(&one).unwrap().expose(), "ana@example.com");
        let mut phone = Tokenizer::new(&store, &id, "phone").unwrap();
        assert!(phone.detokenize(&one).is_err());
    }
}
