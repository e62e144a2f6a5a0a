//! Who is on the other end of a connection: SPIFFE ids in X.509 certificates.
//! Spec: <https://github.com/spiffe/spiffe/blob/main/standards/SPIFFE-ID.md> and `X509-SVID.md`.

use lockgate_core::{Digest, Failure, Result, Timestamp};
use rustls::pki_types::CertificateDer;
use x509_parser::{extensions::GeneralName, prelude::FromDer as _};

const ID_BYTES_MAX: usize = 2_048;
const TRUST_DOMAIN_BYTES_MAX: usize = 255;

/// `spiffe://<trust domain>/<path>`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SpiffeId {
    text: String,
    /// Where the path starts.
    path: usize,
}

impl SpiffeId {
    pub fn new(trust_domain: &str, path: &str) -> Result<Self> {
        Self::parse(&format!("spiffe://{trust_domain}/{path}"))
    }

    pub fn parse(text: &str) -> Result<Self> {
        let wrong = || {
            let start: String = text.chars().take(80).collect();
            Failure::input(format!("{start:?} is not a SPIFFE id of a workload"))
                .hint("write spiffe://trust.domain/path with letters, digits, '-', '_' and '.'")
        };
        let rest = text.strip_prefix("spiffe://").filter(|_| text.len() <= ID_BYTES_MAX).ok_or_else(wrong)?;
        let (domain, path) = rest.split_once('/').ok_or_else(wrong)?;
        let of_domain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || "-_.".contains(c);
        let of_path = |c: char| c.is_ascii_alphanumeric() || "-_.".contains(c);
        let segment = |s: &str| !s.is_empty() && s != "." && s != ".." && s.chars().all(of_path);
        let domain_fits = !domain.is_empty() && domain.len() <= TRUST_DOMAIN_BYTES_MAX && domain.chars().all(of_domain);
        if !domain_fits || !path.split('/').all(segment) {
            return Err(wrong());
        }
        Ok(Self { path: text.len() - path.len(), text: text.to_owned() })
    }

    pub fn as_str(&self) -> &str {
        &self.text
    }

    pub fn trust_domain(&self) -> &str {
        self.text.get("spiffe://".len()..self.path - 1).unwrap_or_default()
    }

    /// Without the leading slash.
    pub fn path(&self) -> &str {
        self.text.get(self.path..).unwrap_or_default()
    }
}

impl std::fmt::Display for SpiffeId {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.text)
    }
}

/// The client of a connection, as its certificate says. The chain was verified before.
#[derive(Clone, Debug)]
pub struct Peer {
    pub id: SpiffeId,
    pub not_after: Timestamp,
    /// SHA-256 over the certificate, as RFC 8705 binds tokens to it.
    pub thumbprint: Digest,
}

impl Peer {
    /// Reads a client's certificate. It must hold exactly one URI name, as an X.509-SVID does.
    pub fn read(certificate: &CertificateDer<'_>) -> Result<Self> {
        let wrong = |what: &str| Failure::denied(format!("the client's certificate {what}"));
        let (rest, parsed) =
            x509_parser::certificate::X509Certificate::from_der(certificate).map_err(|_| wrong("cannot be read"))?;
        if !rest.is_empty() || parsed.is_ca() {
            return Err(wrong("is not one of a workload"));
        }
        let names = parsed.subject_alternative_name().map_err(|_| wrong("has malformed names"))?;
        let mut uris = names.iter().flat_map(|names| &names.value.general_names).filter_map(|name| match name {
            GeneralName::URI(uri) => Some(*uri),
            _ => None,
        });
        let (Some(uri), None) = (uris.next(), uris.next()) else {
            return Err(wrong("does not have exactly one URI name"));
        };
        Ok(Self {
            id: SpiffeId::parse(uri)?,
            not_after: Timestamp::from_millis(parsed.validity().not_after.timestamp().saturating_mul(1_000)),
            thumbprint: Digest::of(certificate),
        })
    }

    /// What the workspace calls this client; `None` when it is not of the domain that its
    /// authority may name clients in.
    pub fn principal(&self, domain: &ClientDomain) -> Option<&str> {
        let known = self.id.trust_domain() == domain.name;
        known.then(|| if domain.by_path { self.id.path() } else { self.id.as_str() })
    }
}

/// The trust domain that clients are of. One authority speaks for one domain (SPIFFE, "Trust
/// Domain and Bundle").
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClientDomain {
    pub name: String,
    /// Clients are known by the path of their id alone, as those of the workspace's own authority.
    pub by_path: bool,
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn ids_of_the_specification() {
        for good in ["spiffe://example.org/ns/prod/sa/web", "spiffe://a/b", "spiffe://a_b-c.d9/X.y_Z-0"] {
            let id = SpiffeId::parse(good).unwrap();
            assert_eq!(format!("spiffe://{}/{}", id.trust_domain(), id.path()), good);
        }
        for bad in [
            "",
            "spiffe://",
            "spiffe://a",
            "spiffe://a/",
            "spiffe://a//b",
            "spiffe://a/../b",
            "spiffe://A/b",
            "https://a/b",
            "spiffe://a/b?c",
            "spiffe://a:80/b",
            "spiffe://u@a/b",
            "spiffe://a/b%20c",
            "spiffe://a/b/.",
        ] {
            assert!(SpiffeId::parse(bad).is_err(), "{bad}");
        }
    }

    proptest! {
        #[test]
        fn whatever_parses_prints_itself(text in "spiffe://[a-z./%A-Z0-9_-]{0,40}") {
            if let Ok(id) = SpiffeId::parse(&text) {
                prop_assert_eq!(id.as_str(), text);
            }
        }

        #[test]
        fn no_certificate_panics(bytes in proptest::collection::vec(any::<u8>(), 0..400)) {
            let _ = Peer::read(&CertificateDer::from(bytes));
        }
    }
}
