//! Servers that send back what they get.

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream, UdpSocket};

use super::DISTANCE;

/// Largest datagram of UDP over Ethernet that is not fragmented, rounded up.
const DATAGRAM_BYTES: usize = 2_048;

pub(super) async fn stream(listener: TcpListener) {
    while let Ok((stream, _)) = listener.accept().await {
        tokio::spawn(send_back(stream));
    }
}

async fn send_back(mut stream: TcpStream) {
    let mut buffer = vec![0; 64 * 1024];
    // A client that is cut off or goes away ends its own connection only.
    while let Ok(length @ 1..) = stream.read(&mut buffer).await {
        tokio::time::sleep(DISTANCE).await;
        if stream.write_all(&buffer[..length]).await.is_err() {
            return;
        }
    }
}

pub(super) async fn datagrams(socket: UdpSocket) {
    let mut buffer = [0; DATAGRAM_BYTES];
    loop {
        // An error here is an ICMP message about an earlier answer.
        let Ok((length, from)) = socket.recv_from(&mut buffer).await else {
            continue;
        };
        let _ = socket.send_to(&buffer[..length], from).await;
    }
}
