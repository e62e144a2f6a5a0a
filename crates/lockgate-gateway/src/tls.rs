//! TLS 1.3 alone, hybrid post-quantum key exchange first, and a client certificate always.

use std::sync::{Arc, RwLock};

use lockgate_core::{Failure, Result, Sensitive};
use rustls::{
    RootCertStore, ServerConfig,
    crypto::aws_lc_rs,
    pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject as _},
    server::{ClientHello, ResolvesServerCert, WebPkiClientVerifier},
    sign::CertifiedKey,
};

/// How the server proves who it is, and which authority must have named its clients. All PEM.
#[derive(Debug)]
pub struct Identity {
    pub certificates: String,
    pub key: Sensitive<String>,
    pub client_authority: String,
}

/// The certificate in use; it can be replaced while the server runs.
#[derive(Debug)]
pub(crate) struct Current(RwLock<Arc<CertifiedKey>>);

impl Current {
    pub(crate) fn new(identity: &Identity) -> Result<Arc<Self>> {
        Ok(Arc::new(Self(RwLock::new(certified(identity)?))))
    }

    pub(crate) fn replace(&self, identity: &Identity) -> Result<()> {
        let fresh = certified(identity)?;
        *self.0.write().map_err(|_| Failure::bug("the certificate in use is locked"))? = fresh;
        Ok(())
    }
}

impl ResolvesServerCert for Current {
    fn resolve(&self, _: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        self.0.read().ok().map(|key| Arc::clone(&key))
    }
}

pub(crate) fn server_config(identity: &Identity, current: Arc<Current>) -> Result<Arc<ServerConfig>> {
    let provider = Arc::new(aws_lc_rs::default_provider());
    let mut roots = RootCertStore::empty();
    for certificate in certificates(&identity.client_authority, "the clients' authority")? {
        roots.add(certificate).map_err(|_| Failure::input("the certificate of the clients' authority is not one"))?;
    }
    let verifier = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), Arc::clone(&provider))
        .build()
        .map_err(|error| Failure::input(format!("clients cannot be verified: {error}")))?;
    let mut config = ServerConfig::builder_with_provider(provider)
        .with_protocol_versions(&[&rustls::version::TLS13])
        .map_err(|error| Failure::bug(format!("TLS 1.3 is missing: {error}")))?
        .with_client_cert_verifier(verifier)
        .with_cert_resolver(current);
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    // A resumed session would carry an identity that was proved on another connection.
    config.session_storage = Arc::new(rustls::server::NoServerSessionStorage {});
    config.send_tls13_tickets = 0;
    Ok(Arc::new(config))
}

fn certified(identity: &Identity) -> Result<Arc<CertifiedKey>> {
    let chain = certificates(&identity.certificates, "the server")?;
    let key = PrivateKeyDer::from_pem_slice(identity.key.expose().as_bytes())
        .map_err(|_| Failure::input("the server's key is not a PEM private key"))?;
    let key = CertifiedKey::from_der(chain, key, &aws_lc_rs::default_provider())
        .map_err(|error| Failure::input(format!("the server's certificate and key do not fit: {error}")))?;
    Ok(Arc::new(key))
}

fn certificates(pem: &str, whose: &str) -> Result<Vec<CertificateDer<'static>>> {
    let all: Vec<_> = CertificateDer::pem_slice_iter(pem.as_bytes())
        .collect::<Result<_, _>>()
        .map_err(|_| Failure::input(format!("the certificate of {whose} is not PEM")))?;
    if all.is_empty() {
        return Err(Failure::input(format!("there is no certificate of {whose}")));
    }
    Ok(all)
}
