//! TCP and UDP clients with sockets of their own: they see errors as the kernel reports them.

use std::io::{self, ErrorKind, Read as _, Write as _};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpStream, UdpSocket};
use std::time::{Duration, Instant};

use super::{Attempt, PATIENCE, Seen};
use crate::lab::{Namespace, Result};

/// What is sent and must come back.
const ECHO: &[u8] = b"octroi lab echo\n";

/// Connects from a namespace, sends a line and waits for it to come back.
///
/// # Errors
/// The namespace cannot be entered.
pub fn tcp_echo(from: &Namespace, to: SocketAddr) -> Result<Attempt> {
    from.within(|| {
        let start = Instant::now();
        let stream = match TcpStream::connect_timeout(&to, PATIENCE) {
            Ok(stream) => stream,
            Err(error) => {
                return attempt(before_connection(&error), start, None, error.to_string());
            }
        };
        let port = stream.local_addr().ok().map(|address| address.port());
        match echo_over(&stream) {
            Ok(()) => attempt(Seen::Answered, start, port, String::new()),
            Err(error) => attempt(Seen::Cut, start, port, error.to_string()),
        }
    })
}

fn echo_over(mut stream: &TcpStream) -> io::Result<()> {
    stream.set_read_timeout(Some(PATIENCE))?;
    stream.write_all(ECHO)?;
    let mut back = [0; ECHO.len()];
    stream.read_exact(&mut back)?;
    if back == ECHO {
        Ok(())
    } else {
        Err(io::Error::other("another text came back"))
    }
}

/// Sends a datagram from a namespace, a few times, and waits for it to come back.
///
/// # Errors
/// The namespace cannot be entered.
pub fn udp_echo(from: &Namespace, to: SocketAddr) -> Result<Attempt> {
    from.within(|| {
        let start = Instant::now();
        let mut port = None;
        match udp_exchange(to, &mut port) {
            Ok(()) => attempt(Seen::Answered, start, port, String::new()),
            Err(error) => attempt(before_connection(&error), start, port, error.to_string()),
        }
    })
}

fn udp_exchange(to: SocketAddr, port: &mut Option<u16>) -> io::Result<()> {
    let any: IpAddr = match to {
        SocketAddr::V4(_) => Ipv4Addr::UNSPECIFIED.into(),
        SocketAddr::V6(_) => Ipv6Addr::UNSPECIFIED.into(),
    };
    let socket = UdpSocket::bind((any, 0))?;
    socket.connect(to)?;
    *port = Some(socket.local_addr()?.port());
    // Datagrams are lost for honest reasons too (address resolution): three tries.
    let tries = 3;
    socket.set_read_timeout(Some(PATIENCE / tries))?;
    let mut last = io::Error::from(ErrorKind::TimedOut);
    for _ in 0..tries {
        socket.send(ECHO)?;
        let mut back = [0; 64];
        match socket.recv(&mut back) {
            Ok(length) if back.get(..length) == Some(ECHO) => return Ok(()),
            Ok(_) => last = io::Error::other("another text came back"),
            Err(error) if is_silence(&error) => last = error,
            Err(error) => return Err(error),
        }
    }
    Err(last)
}

fn is_silence(error: &io::Error) -> bool {
    matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut)
}

/// What an error before any answer means. The kernel turns ICMP administratively prohibited into
/// EHOSTUNREACH (IPv4, code 13) and EACCES (IPv6, code 1), other prohibitions into ENETUNREACH.
fn before_connection(error: &io::Error) -> Seen {
    match error.kind() {
        ErrorKind::ConnectionRefused | ErrorKind::ConnectionReset => Seen::Refused,
        ErrorKind::HostUnreachable
        | ErrorKind::NetworkUnreachable
        | ErrorKind::PermissionDenied => Seen::Prohibited,
        _ => Seen::Timeout,
    }
}

fn attempt(seen: Seen, start: Instant, local_port: Option<u16>, words: String) -> Attempt {
    Attempt {
        seen,
        took: start.elapsed(),
        local_port,
        words,
    }
}

/// A TCP connection that sends without pause until it is told to stop; used to have traffic while
/// something else happens.
///
/// # Errors
/// The namespace cannot be entered.
pub fn keep_talking(
    from: &Namespace,
    to: SocketAddr,
    pause: Duration,
    go_on: impl Fn() -> bool + Sync,
) -> Result<u64> {
    from.within(|| {
        let Ok(stream) = TcpStream::connect_timeout(&to, PATIENCE) else {
            return 0;
        };
        let mut exchanges = 0;
        while go_on() && echo_over(&stream).is_ok() {
            exchanges += 1;
            std::thread::sleep(pause);
        }
        exchanges
    })
}
