//! JSON Web Tokens (RFC 7519, RFC 8725): who a workload acts for. An option on top of mutual TLS.

use std::{collections::HashMap, sync::Arc};

use jsonwebtoken::{
    Algorithm, DecodingKey, Validation, decode, decode_header,
    jwk::{AlgorithmParameters, EllipticCurve, JwkSet},
};
use lockgate_core::{Digest, Failure, Result, Timestamp, same_secret};
use quick_cache::sync::Cache;
use serde::Deserialize;
use serde_json::Value;

use crate::Peer;

const TOKEN_BYTES_MAX: usize = 8 << 10;
const KEYS_MAX: usize = 64;
/// 2,048 bits in base64url, the least that RFC 7518, section 3.3, allows.
const RSA_MODULUS_CHARS_MIN: usize = 342;
const CACHED_MAX: usize = 10_000;
const LEEWAY_SECS: u64 = 30;

/// What a token must say.
#[derive(Clone, Debug)]
pub struct TokenOptions {
    pub issuer: String,
    pub audience: String,
    /// The claim with the roles, a list of texts; without one, roles come from the workspace.
    pub roles_claim: Option<String>,
}

/// Verifies tokens with the keys of a JWKS (RFC 7517). What was verified is remembered, by hash,
/// never past its end; a new set of keys means a new value and forgets everything.
pub struct Tokens {
    options: TokenOptions,
    keys: HashMap<String, (DecodingKey, Algorithm)>,
    verified: Cache<Digest, Arc<Verified>>,
}

/// What a good token says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Verified {
    pub subject: String,
    pub roles: Option<Vec<String>>,
    expires_secs: i64,
    /// The certificate that it is bound to (RFC 8705), base64url.
    thumbprint: Option<String>,
}

#[derive(Deserialize)]
struct Claims {
    sub: String,
    exp: i64,
    cnf: Option<Confirmation>,
    #[serde(flatten)]
    others: HashMap<String, Value>,
}

/// A token that is bound in another way is not a bearer's token either.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Confirmation {
    #[serde(rename = "x5t#S256")]
    thumbprint: String,
}

impl Tokens {
    /// Takes the public keys from the text of a JWKS. Only RS256, ES256 and EdDSA are known, and
    /// each key fixes its algorithm, whatever a token claims.
    pub fn new(jwks: &str, options: TokenOptions) -> Result<Self> {
        let set: JwkSet = serde_json::from_str(jwks).map_err(|_| Failure::input("the JWKS cannot be read"))?;
        if set.keys.len() > KEYS_MAX {
            return Err(Failure::input(format!("the JWKS holds {} keys; {KEYS_MAX} are allowed", set.keys.len())));
        }
        let mut keys = HashMap::new();
        for jwk in &set.keys {
            let algorithm = match &jwk.algorithm {
                AlgorithmParameters::RSA(p) if p.n.len() < RSA_MODULUS_CHARS_MIN => {
                    return Err(Failure::input("an RSA key of the JWKS has fewer than 2,048 bits"));
                }
                AlgorithmParameters::RSA(_) => Algorithm::RS256,
                AlgorithmParameters::EllipticCurve(p) if p.curve == EllipticCurve::P256 => Algorithm::ES256,
                AlgorithmParameters::OctetKeyPair(_) => Algorithm::EdDSA,
                _ => continue,
            };
            let key = DecodingKey::from_jwk(jwk).map_err(|_| Failure::input("a key of the JWKS is malformed"))?;
            let id = jwk.common.key_id.clone().ok_or_else(|| Failure::input("a key of the JWKS has no kid"))?;
            if keys.insert(id, (key, algorithm)).is_some() {
                return Err(Failure::input("two keys of the JWKS have the same kid"));
            }
        }
        if keys.is_empty() {
            return Err(Failure::input("the JWKS holds no public key for RS256, ES256 or EdDSA"));
        }
        Ok(Self { options, keys, verified: Cache::new(CACHED_MAX) })
    }

    /// Who the bearer of `token` acts for. It never says what exactly is wrong.
    pub(crate) fn verify(&self, token: &str, peer: &Peer, now: Timestamp) -> Option<Arc<Verified>> {
        let digest = Digest::of(token.as_bytes());
        let verified = if let Some(verified) = self.verified.get(&digest) {
            verified
        } else {
            let verified = Arc::new(self.verify_anew(token)?);
            self.verified.insert(digest, Arc::clone(&verified));
            verified
        };
        if now.millis() >= verified.expires_secs.saturating_mul(1_000) {
            self.verified.remove(&digest);
            return None;
        }
        let here = base64url(peer.thumbprint.as_bytes());
        let bound_elsewhere =
            verified.thumbprint.as_ref().is_some_and(|bound| !same_secret(bound.as_bytes(), here.as_bytes()));
        (!bound_elsewhere).then_some(verified)
    }

    fn verify_anew(&self, token: &str) -> Option<Verified> {
        if token.len() > TOKEN_BYTES_MAX {
            return None;
        }
        let header = decode_header(token).ok()?;
        // RFC 7515, section 4.1.11: what must be understood and is not means no.
        let critical = header.crit.is_some();
        // A proof or an identity token is no access token (RFC 8725, section 3.11).
        let foreign = header
            .typ
            .as_deref()
            .is_some_and(|typ| !["jwt", "at+jwt", "application/at+jwt"].contains(&typ.to_ascii_lowercase().as_str()));
        if critical || foreign {
            return None;
        }
        let (key, algorithm) = self.keys.get(&header.kid?)?;
        let mut validation = Validation::new(*algorithm);
        validation.set_issuer(&[&self.options.issuer]);
        validation.set_audience(&[&self.options.audience]);
        validation.set_required_spec_claims(&["exp", "iss", "aud", "sub"]);
        validation.validate_nbf = true;
        validation.leeway = LEEWAY_SECS;
        let claims = decode::<Claims>(token, key, &validation).ok()?.claims;
        let roles = match &self.options.roles_claim {
            None => None,
            Some(name) => {
                Some(claims.others.get(name).and_then(|v| Vec::<String>::deserialize(v).ok()).unwrap_or_default())
            }
        };
        if claims.sub.is_empty() || claims.sub.len() > 256 || claims.sub.chars().any(char::is_control) {
            return None;
        }
        Some(Verified {
            subject: claims.sub,
            roles,
            expires_secs: claims.exp,
            thumbprint: claims.cnf.map(|cnf| cnf.thumbprint),
        })
    }
}

impl std::fmt::Debug for Tokens {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Tokens({} keys)", self.keys.len())
    }
}

fn base64url(bytes: &[u8]) -> String {
    use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
    URL_SAFE_NO_PAD.encode(bytes)
}
