//! Certificates for the names of the world, signed by an authority made for this run.

use std::collections::HashMap;
use std::path::Path;
use std::sync::Arc;

use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair, KeyUsagePurpose};
use rustls::ServerConfig;
use rustls::crypto::ring::sign::any_supported_type;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer};
use rustls::server::{ClientHello, ResolvesServerCert};
use rustls::sign::CertifiedKey;

use crate::lab::{LabError, Result, World};

/// Makes the authority, writes its certificate to `file` (PEM), and returns the configuration of
/// a TLS server that has a certificate for every name, and for every address when none is asked.
pub(super) fn server_configuration(world: &World, file: &Path) -> Result<Arc<ServerConfig>> {
    let mut params = CertificateParams::new(Vec::new()).map_err(crypto)?;
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    params.key_usages = vec![
        KeyUsagePurpose::KeyCertSign,
        KeyUsagePurpose::DigitalSignature,
    ];
    params
        .distinguished_name
        .push(rcgen::DnType::CommonName, "Octroi lab authority");
    let key = KeyPair::generate().map_err(crypto)?;
    let certificate = params.self_signed(&key).map_err(crypto)?;
    std::fs::write(file, certificate.pem())
        .map_err(LabError::io("write", file.display().to_string()))?;
    let issuer = Issuer::new(params, key);

    let addresses = world.addresses().iter().map(ToString::to_string).collect();
    let nameless = Arc::new(certified(addresses, &issuer)?);
    let mut by_name = HashMap::new();
    for name in world
        .names()
        .into_keys()
        .chain(world.aliases.iter().map(|alias| &*alias.name))
    {
        by_name.insert(
            name.to_owned(),
            Arc::new(certified(vec![name.to_owned()], &issuer)?),
        );
    }
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let configuration = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(crypto)?
        .with_no_client_auth()
        .with_cert_resolver(Arc::new(ByName { by_name, nameless }));
    Ok(Arc::new(configuration))
}

fn certified(names: Vec<String>, issuer: &Issuer<'_, KeyPair>) -> Result<CertifiedKey> {
    let key = KeyPair::generate().map_err(crypto)?;
    let certificate = CertificateParams::new(names)
        .and_then(|params| params.signed_by(&key, issuer))
        .map_err(crypto)?;
    let key = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(key.serialize_der()));
    let chain: Vec<CertificateDer<'static>> = vec![certificate.der().clone()];
    Ok(CertifiedKey::new(
        chain,
        any_supported_type(&key).map_err(crypto)?,
    ))
}

fn crypto(error: impl std::fmt::Display) -> LabError {
    LabError::Data {
        file: "certificates".to_owned(),
        problem: error.to_string(),
    }
}

#[derive(Debug)]
struct ByName {
    by_name: HashMap<String, Arc<CertifiedKey>>,
    nameless: Arc<CertifiedKey>,
}

impl ResolvesServerCert for ByName {
    fn resolve(&self, hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        match hello.server_name() {
            Some(name) => self.by_name.get(name).cloned(),
            None => Some(Arc::clone(&self.nameless)),
        }
    }
}
