//! HTTP/1.1 (RFC 9112), plain and over TLS: one short answer to each request, then the end.

use std::net::SocketAddr;
use std::sync::Arc;

use rustls::ServerConfig;
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;

use super::DISTANCE;

/// Longest request head that is read.
const HEAD_BYTES: usize = 16 * 1024;

pub(super) async fn plain(listener: TcpListener) {
    while let Ok((stream, _)) = listener.accept().await {
        tokio::spawn(async move {
            let local = stream.local_addr().ok();
            // A client that is cut off or goes away ends its own connection only.
            let _ = answer(stream, local).await;
        });
    }
}

pub(super) async fn over_tls(listener: TcpListener, configuration: Arc<ServerConfig>) {
    let acceptor = TlsAcceptor::from(configuration);
    while let Ok((stream, _)) = listener.accept().await {
        let acceptor = acceptor.clone();
        tokio::spawn(async move {
            let local = stream.local_addr().ok();
            // The ClientHello has arrived by then; the ServerHello travels back this long.
            tokio::time::sleep(DISTANCE).await;
            if let Ok(stream) = acceptor.accept(stream).await {
                let _ = answer(stream, local).await;
            }
        });
    }
}

async fn answer(
    mut stream: impl AsyncRead + AsyncWrite + Unpin,
    local: Option<SocketAddr>,
) -> std::io::Result<()> {
    let mut head = Vec::new();
    while !head.windows(4).any(|end| end == b"\r\n\r\n") {
        let mut part = [0; 1_024];
        let length = stream.read(&mut part).await?;
        if length == 0 || head.len() > HEAD_BYTES {
            return Ok(());
        }
        head.extend_from_slice(&part[..length]);
    }
    tokio::time::sleep(DISTANCE).await;
    let host = host_of(&head).unwrap_or("no name");
    let address = local.map_or_else(String::new, |local| local.ip().to_canonical().to_string());
    let body = format!("the lab's {host} at {address}\n");
    let text = format!(
        "HTTP/1.1 200 OK\r\nServer: octroi-lab\r\nContent-Type: text/plain\r\n\
         Content-Length: {}\r\nConnection: close\r\n\r\n{body}",
        body.len()
    );
    stream.write_all(text.as_bytes()).await?;
    stream.shutdown().await
}

fn host_of(head: &[u8]) -> Option<&str> {
    let head = std::str::from_utf8(head).ok()?;
    head.lines().find_map(|line| {
        let (name, value) = line.split_once(':')?;
        name.eq_ignore_ascii_case("host").then(|| value.trim())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_host_field_is_found_whatever_its_case() {
        assert_eq!(
            host_of(b"GET / HTTP/1.1\r\nhOsT:  a.example \r\n\r\n"),
            Some("a.example")
        );
        assert_eq!(host_of(b"GET / HTTP/1.0\r\n\r\n"), None);
        assert_eq!(host_of(&[0xff, 0xfe]), None);
    }
}
