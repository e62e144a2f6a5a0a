//! A small local authority: it names the workloads of one workspace, for a short time each.

use std::time::Duration;

use lockgate_core::{Failure, Result, Sensitive, Timestamp};
use p256::pkcs8::EncodePrivateKey as _;
use rcgen::{
    BasicConstraints, CertificateParams, DistinguishedName, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair,
    KeyUsagePurpose, SanType, SerialNumber,
};

use crate::SpiffeId;

/// Clocks differ; a certificate is good a little before it was made.
const BACKDATED: Duration = Duration::from_mins(5);
const ROOT_LIFE: Duration = Duration::from_hours(24 * 3_650);

/// Issues certificates in one trust domain.
#[derive(Debug)]
pub struct Authority {
    issuer: Issuer<'static, KeyPair>,
    trust_domain: String,
    certificate: String,
}

/// A certificate with its key, and what the record says about it.
#[derive(Debug)]
pub struct Issued {
    /// PEM; the authority's own certificate is not in it.
    pub certificate: String,
    /// PEM, PKCS #8.
    pub key: Sensitive<String>,
    pub serial: String,
    pub not_after: Timestamp,
}

impl Authority {
    /// Makes the authority's own certificate; keep what [`Self::certificate`] gives.
    pub fn create(trust_domain: &str, seed: &[u8; 32], now: Timestamp) -> Result<Self> {
        let key = key(seed)?;
        let params = root(trust_domain, now)?;
        let certificate = params.self_signed(&key).map_err(unmade)?.pem();
        Ok(Self { issuer: Issuer::new(params, key), trust_domain: trust_domain.to_owned(), certificate })
    }

    /// From the certificate that [`Self::create`] made and the same seed.
    pub fn open(trust_domain: &str, seed: &[u8; 32], certificate: &str) -> Result<Self> {
        let key = key(seed)?;
        let broken = || {
            Failure::integrity("the authority's certificate is not the one of this key store")
                .hint("restore it and the keys from the same backup")
        };
        let (_, pem) = x509_parser::pem::parse_x509_pem(certificate.as_bytes()).map_err(|_| broken())?;
        let parsed = pem.parse_x509().map_err(|_| broken())?;
        if parsed.public_key().subject_public_key.data.as_ref() != key.public_key_raw() || !parsed.is_ca() {
            return Err(broken());
        }
        // Names and key identifiers follow from the trust domain and the key alone.
        let params = root(trust_domain, Timestamp::from_millis(0))?;
        let issuer = Issuer::new(params, key);
        Ok(Self { issuer, trust_domain: trust_domain.to_owned(), certificate: certificate.to_owned() })
    }

    /// PEM.
    pub fn certificate(&self) -> &str {
        &self.certificate
    }

    pub fn trust_domain(&self) -> &str {
        &self.trust_domain
    }

    /// For a client. The id must be of this trust domain.
    pub fn issue_client(&self, id: &SpiffeId, life: Duration, now: Timestamp) -> Result<Issued> {
        if id.trust_domain() != self.trust_domain {
            return Err(Failure::usage(format!("{id} is not of the trust domain {}", self.trust_domain)));
        }
        let name = SanType::URI(id.as_str().try_into().map_err(unmade)?);
        self.issue(vec![name], ExtendedKeyUsagePurpose::ClientAuth, life, now)
    }

    /// For a server that answers under these host names or addresses.
    pub fn issue_server(&self, names: &[String], life: Duration, now: Timestamp) -> Result<Issued> {
        let names = CertificateParams::new(names).map_err(unmade)?.subject_alt_names;
        self.issue(names, ExtendedKeyUsagePurpose::ServerAuth, life, now)
    }

    fn issue(
        &self,
        names: Vec<SanType>,
        usage: ExtendedKeyUsagePurpose,
        life: Duration,
        now: Timestamp,
    ) -> Result<Issued> {
        let key = KeyPair::generate().map_err(unmade)?;
        let mut params = CertificateParams::default();
        let serial = *uuid::Uuid::new_v4().as_bytes();
        params.serial_number = Some(SerialNumber::from_slice(&serial));
        params.distinguished_name = named("Lockgate workload");
        params.subject_alt_names = names;
        params.is_ca = IsCa::ExplicitNoCa;
        params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        params.extended_key_usages = vec![usage];
        params.use_authority_key_identifier_extension = true;
        let not_after = Timestamp::from_millis(now.millis() + life.as_millis() as i64);
        params.not_before = moment(now)? - BACKDATED;
        params.not_after = moment(not_after)?;
        let certificate = params.signed_by(&key, &self.issuer).map_err(unmade)?.pem();
        let serial = serial.iter().map(|byte| format!("{byte:02x}")).collect();
        Ok(Issued { certificate, key: Sensitive::new(key.serialize_pem()), serial, not_after })
    }
}

fn root(trust_domain: &str, now: Timestamp) -> Result<CertificateParams> {
    let mut params = CertificateParams::default();
    params.distinguished_name = named(&format!("Lockgate authority of {trust_domain}"));
    params.subject_alt_names =
        vec![SanType::URI(format!("spiffe://{trust_domain}").as_str().try_into().map_err(unmade)?)];
    params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    params.not_before = moment(now)? - BACKDATED;
    params.not_after = moment(now)? + ROOT_LIFE;
    Ok(params)
}

fn named(common_name: &str) -> DistinguishedName {
    let mut name = DistinguishedName::new();
    name.push(DnType::CommonName, common_name);
    name
}

fn key(seed: &[u8; 32]) -> Result<KeyPair> {
    let broken = || Failure::bug("the authority's key is out of range");
    let der = p256::SecretKey::from_slice(seed).map_err(|_| broken())?.to_pkcs8_der().map_err(|_| broken())?;
    let der = rustls::pki_types::PrivatePkcs8KeyDer::from(der.as_bytes());
    KeyPair::from_pkcs8_der_and_sign_algo(&der, &rcgen::PKCS_ECDSA_P256_SHA256).map_err(|_| broken())
}

fn moment(time: Timestamp) -> Result<time::OffsetDateTime> {
    time::OffsetDateTime::from_unix_timestamp(time.millis() / 1_000)
        .map_err(|_| Failure::input("a certificate cannot be good for that long"))
}

fn unmade<E>(_: E) -> Failure {
    Failure::input("a certificate could not be made").hint("names must be host names, addresses or SPIFFE ids")
}

#[cfg(test)]
mod tests {
    use rustls::pki_types::{CertificateDer, pem::PemObject as _};

    use super::*;
    use crate::{ClientDomain, Peer};

    #[test]
    fn an_issued_certificate_names_its_workload() {
        let now = Timestamp::from_millis(1_800_000_000_000);
        let authority = Authority::create("demo.lockgate.local", &[7; 32], now).unwrap();
        let same = Authority::open("demo.lockgate.local", &[7; 32], authority.certificate()).unwrap();
        let id = SpiffeId::new("demo.lockgate.local", "shop/web").unwrap();
        let issued = same.issue_client(&id, Duration::from_hours(1), now).unwrap();
        let peer = Peer::read(&CertificateDer::from_pem_slice(issued.certificate.as_bytes()).unwrap()).unwrap();
        assert_eq!(peer.id, id);
        let domain = |name: &str, by_path| ClientDomain { name: name.into(), by_path };
        assert_eq!(peer.principal(&domain("demo.lockgate.local", true)), Some("shop/web"));
        assert_eq!(peer.principal(&domain("demo.lockgate.local", false)), Some(id.as_str()));
        assert_eq!(peer.principal(&domain("other", true)), None);
        assert_eq!(peer.not_after, issued.not_after);
        let root = CertificateDer::from_pem_slice(authority.certificate().as_bytes()).unwrap();
        assert!(Peer::read(&root).is_err(), "an authority is no workload");
        assert!(Authority::open("demo.lockgate.local", &[8; 32], authority.certificate()).is_err());
        assert!(same.issue_client(&SpiffeId::new("other", "x").unwrap(), Duration::from_hours(1), now).is_err());
    }
}
