//! A QUIC client (quinn): a stream out and back.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::path::Path;
use std::sync::Arc;
use std::time::Instant;

use quinn::crypto::rustls::QuicClientConfig;
use quinn::{ClientConfig, Endpoint};
use rustls::RootCertStore;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject as _;

use super::{Attempt, PATIENCE, Seen};
use crate::internet::QUIC_ALPN;
use crate::lab::{LabError, Namespace, Result};

const LINE: &[u8] = b"octroi lab over quic\n";

/// Connects from a namespace to an address under a name, sends a line and waits for it to come back.
///
/// # Errors
/// The namespace cannot be entered, or the authority's file cannot be read.
pub fn echo(from: &Namespace, to: SocketAddr, name: &str, authority: &Path) -> Result<Attempt> {
    let configuration = configuration(authority)?;
    from.within(|| {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .map_err(LabError::io("start", "an event loop".to_owned()))?;
        let begun = Instant::now();
        let (seen, words, local_port) = runtime.block_on(async {
            let work = exchange(to, name, configuration);
            match tokio::time::timeout(PATIENCE, work).await {
                Ok(Ok(port)) => (Seen::Answered, String::new(), Some(port)),
                Ok(Err(error)) => (Seen::Cut, error.to_string(), None),
                Err(_) => (Seen::Timeout, "no answer in time".to_owned(), None),
            }
        });
        Ok(Attempt {
            seen,
            took: begun.elapsed(),
            local_port,
            words,
        })
    })?
}

async fn exchange(
    to: SocketAddr,
    name: &str,
    configuration: ClientConfig,
) -> std::result::Result<u16, Box<dyn std::error::Error + Send + Sync>> {
    let any: IpAddr = match to {
        SocketAddr::V4(_) => Ipv4Addr::UNSPECIFIED.into(),
        SocketAddr::V6(_) => Ipv6Addr::UNSPECIFIED.into(),
    };
    let mut endpoint = Endpoint::client((any, 0).into())?;
    endpoint.set_default_client_config(configuration);
    let port = endpoint.local_addr()?.port();
    let connection = endpoint.connect(to, name)?.await?;
    let (mut send, mut receive) = connection.open_bi().await?;
    send.write_all(LINE).await?;
    send.finish()?;
    let back = receive.read_to_end(LINE.len()).await?;
    connection.close(0_u32.into(), b"");
    endpoint.wait_idle().await;
    if back == LINE {
        Ok(port)
    } else {
        Err("another text came back".into())
    }
}

fn configuration(authority: &Path) -> Result<ClientConfig> {
    let problem = |problem: String| LabError::Data {
        file: authority.display().to_string(),
        problem,
    };
    let certificate =
        CertificateDer::from_pem_file(authority).map_err(|error| problem(error.to_string()))?;
    let mut roots = RootCertStore::empty();
    roots
        .add(certificate)
        .map_err(|error| problem(error.to_string()))?;
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let mut tls = rustls::ClientConfig::builder_with_provider(provider)
        .with_protocol_versions(&[&rustls::version::TLS13])
        .map_err(|error| problem(error.to_string()))?
        .with_root_certificates(roots)
        .with_no_client_auth();
    tls.alpn_protocols = vec![QUIC_ALPN.to_vec()];
    let crypto = QuicClientConfig::try_from(tls).map_err(|error| problem(error.to_string()))?;
    Ok(ClientConfig::new(Arc::new(crypto)))
}
