//! The servers of the lab's Internet: DNS, HTTP, TLS and echo on every address of the world.
//!
//! They run in a process of their own (`octroi-lab-internet`) inside the internet namespace, which
//! owns the addresses and has no route out.

mod authority;
mod dns;
mod echo;
mod http;
mod quic;

use std::net::{IpAddr, Ipv6Addr, SocketAddr};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use tokio::net::{TcpListener, UdpSocket};

use crate::lab::{LabError, Result, World};

pub use quic::ALPN as QUIC_ALPN;

/// Port of HTTP.
pub const HTTP: u16 = 80;
/// Port of HTTP over TLS; over UDP, of QUIC.
pub const TLS: u16 = 443;
/// Port of DNS.
pub const DNS: u16 = 53;
/// Ports that send back what they get, on TCP and UDP: echo (RFC 862), SSH's, Teams' media.
pub const ECHO: [u16; 3] = [7, 22, 3478];

/// How far away the servers pretend to be: each answer comes this much later. Real destinations
/// are 5 to 150 ms away; a lab without distance would finish whole exchanges before any gate that
/// reads names could act, and prove nothing.
pub const DISTANCE: Duration = Duration::from_millis(40);

/// Serves a world until the process ends; calls `ready` once everything listens.
///
/// # Errors
/// An address or port cannot be bound, the authority cannot be made.
pub async fn serve(world: World, authority: &Path, ready: impl FnOnce()) -> Result<()> {
    let tls = authority::server_configuration(&world, authority)?;
    let everywhere = |port| SocketAddr::from((Ipv6Addr::UNSPECIFIED, port));
    tokio::spawn(http::plain(listen(everywhere(HTTP)).await?));
    let quic = quic::server_configuration(&tls)?;
    tokio::spawn(http::over_tls(listen(everywhere(TLS)).await?, tls));
    for port in ECHO {
        tokio::spawn(echo::stream(listen(everywhere(port)).await?));
    }
    let records = Arc::new(dns::Records::of(&world)?);
    for host in &world.hosts {
        for &address in &host.addresses {
            // One socket for each address: the answer must come from the address that was asked.
            for port in ECHO {
                tokio::spawn(echo::datagrams(bind(address, port).await?));
            }
            tokio::spawn(quic::echo(bind(address, TLS).await?, quic.clone()));
            if host.resolver {
                tokio::spawn(dns::datagrams(
                    bind(address, DNS).await?,
                    Arc::clone(&records),
                ));
                let listener = listen((address, DNS).into()).await?;
                tokio::spawn(dns::streams(listener, Arc::clone(&records)));
            }
        }
    }
    ready();
    std::future::pending().await
}

async fn listen(address: SocketAddr) -> Result<TcpListener> {
    TcpListener::bind(address)
        .await
        .map_err(LabError::io("listen on", address.to_string()))
}

async fn bind(address: IpAddr, port: u16) -> Result<UdpSocket> {
    UdpSocket::bind((address, port))
        .await
        .map_err(LabError::io("bind", format!("UDP {address} port {port}")))
}
