//! QUIC (RFC 9000) for the names of the world: what a stream brings is sent back.

use std::sync::Arc;

use quinn::crypto::rustls::QuicServerConfig;
use quinn::{Endpoint, EndpointConfig, Incoming, TokioRuntime};
use rustls::ServerConfig;
use tokio::net::UdpSocket;

use super::DISTANCE;
use crate::lab::{LabError, Result};

/// Application protocol of the lab's echo over QUIC.
pub const ALPN: &[u8] = b"octroi-lab";
/// Most bytes of one stream.
const STREAM_BYTES: usize = 64 * 1024;

/// The same certificates as over TCP.
pub(super) fn server_configuration(tls: &ServerConfig) -> Result<quinn::ServerConfig> {
    let mut tls = tls.clone();
    tls.alpn_protocols = vec![ALPN.to_vec()];
    let crypto = QuicServerConfig::try_from(tls).map_err(|error| LabError::Data {
        file: "certificates".to_owned(),
        problem: format!("QUIC does not take them: {error}"),
    })?;
    Ok(quinn::ServerConfig::with_crypto(Arc::new(crypto)))
}

/// Serves one address.
pub(super) async fn echo(socket: UdpSocket, configuration: quinn::ServerConfig) {
    let endpoint = socket.into_std().and_then(|socket| {
        let runtime = Arc::new(TokioRuntime);
        Endpoint::new(
            EndpointConfig::default(),
            Some(configuration),
            socket,
            runtime,
        )
    });
    let Ok(endpoint) = endpoint else {
        return;
    };
    while let Some(incoming) = endpoint.accept().await {
        // A client that is cut off or goes away ends its own connection only.
        tokio::spawn(async move { serve(incoming).await.ok() });
    }
}

async fn serve(
    incoming: Incoming,
) -> std::result::Result<(), Box<dyn std::error::Error + Send + Sync>> {
    tokio::time::sleep(DISTANCE).await;
    let connection = incoming.await?;
    let (mut send, mut receive) = connection.accept_bi().await?;
    let bytes = receive.read_to_end(STREAM_BYTES).await?;
    send.write_all(&bytes).await?;
    send.finish()?;
    connection.closed().await;
    Ok(())
}
