//! The workspace's local authority, which names the gateway and its clients.

use std::{fs, time::Duration};

use lockgate_core::{
    Clock, Failure, Result, Sensitive, Timestamp,
    durable::{self, Readers},
};
use lockgate_gateway::{
    Authority, Peer, SpiffeId,
    pki::{CertificateDer, pem::PemObject as _},
};
use lockgate_keys::KeyId;
use lockgate_policy::Resource;
use serde_json::json;

use crate::{Workspace, audit::Event};

/// A client's certificate with its key.
#[derive(Debug)]
pub struct Certificate {
    pub id: String,
    pub not_after: Timestamp,
    /// PEM.
    pub certificate: String,
    /// PEM.
    pub key: Sensitive<String>,
    /// The authority's certificate, which the client trusts the server by; PEM.
    pub authority: String,
}

/// The SPIFFE id in a certificate.
pub fn identity(pem: &str) -> Result<String> {
    let unread = |_| Failure::input("it is not a certificate of a client");
    let der = CertificateDer::from_pem_slice(pem.as_bytes()).map_err(unread)?;
    Peer::read(&der).map(|peer| peer.id.to_string())
}

const LIFE_MAX: Duration = Duration::from_hours(24 * 31);

/// Issues a short-lived client certificate for a principal. Recorded.
pub fn issue(workspace: &mut Workspace, principal: &str, life: Duration) -> Result<Certificate> {
    if life > LIFE_MAX || life < Duration::from_mins(1) {
        return Err(Failure::usage("a client's certificate is good for one minute to 31 days")
            .hint("short lives need no revocation: issue a new one before the old one ends"));
    }
    let resource =
        Resource { kind: "workspace".into(), name: workspace.config.name.to_string(), ..Resource::default() };
    workspace.demand("administer", resource, "administration")?;
    let authority = open(workspace)?;
    let id = SpiffeId::new(authority.trust_domain(), principal)?;
    let issued = authority.issue_client(&id, life, Clock.now())?;
    let event = Event::new("certificate.issued", &workspace.principal.id, id.as_str(), Clock.now())
        .detail(json!({"serial": issued.serial, "notAfter": issued.not_after}));
    workspace.journal.append(vec![event])?;
    Ok(Certificate {
        id: id.to_string(),
        not_after: issued.not_after,
        certificate: issued.certificate,
        key: issued.key,
        authority: authority.certificate().to_owned(),
    })
}

/// The authority, made on first use. Its key is derived from the key store and lies nowhere else.
pub(super) fn open(workspace: &mut Workspace) -> Result<Authority> {
    let id = KeyId::purpose("workspace.authority");
    workspace.keys.create(&id)?;
    let seed = workspace.keys.derive(&id, "lockgate/v1/ecdsa-p256")?;
    let domain = super::trust_domain(&workspace.config.name);
    let path = workspace.state().join("authority.pem");
    match fs::read_to_string(&path) {
        Ok(pem) => Authority::open(&domain, seed.expose(), &pem),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            let authority = Authority::create(&domain, seed.expose(), Clock.now())?;
            durable::write(&path, authority.certificate().as_bytes(), Readers::Anyone)?;
            let event = Event::new("authority.created", &workspace.principal.id, &domain, Clock.now());
            workspace.journal.append(vec![event])?;
            Ok(authority)
        }
        Err(error) => Err(Failure::io("read", &path, &error)),
    }
}
