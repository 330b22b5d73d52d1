//! A call as a conference tool makes it: a STUN exchange, then sound and pictures in RTP both ways.

use std::io;
use std::net::{Ipv4Addr, SocketAddr, UdpSocket};
use std::time::{Duration, Instant};

use super::PATIENCE;
use crate::lab::{LabError, Namespace, Result};

/// Magic cookie of STUN (RFC 8489 section 5).
const COOKIE: u32 = 0x2112_a442;
/// Packets a second: sound alone is 50, pictures come on top.
const RATE: u32 = 100;
/// Bytes of sound, and of a picture's part, after the header of RTP.
const SOUND: usize = 160;
const PICTURE: usize = 1_000;
/// Header of RTP without extensions (RFC 3550 section 5.1), bytes.
const RTP_HEADER: usize = 12;
/// Headers of UDP and of IPv4 without options, bytes.
const HEADERS: u64 = 28;
/// Tries of the STUN exchange: address resolution may cost the first ones.
const TRIES: u32 = 60;

/// What went over the wire, as the client counted it; bytes from the IP header on.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Talked {
    /// Packets sent.
    pub sent: u64,
    /// Their bytes.
    pub sent_bytes: u64,
    /// Packets that came back.
    pub received: u64,
    /// Their bytes.
    pub received_bytes: u64,
}

/// Talks from a namespace with a server that sends back what it gets, for as long as `go_on` says.
/// However late this thread is woken, the packets that are due are sent: the rate holds on a busy
/// machine too.
///
/// # Errors
/// The namespace cannot be entered, a socket fails, or STUN is not answered.
pub fn talk(from: &Namespace, to: SocketAddr, go_on: impl Fn() -> bool + Sync) -> Result<Talked> {
    from.within(|| converse(to, &go_on))?
        .map_err(LabError::io("talk with", to.to_string()))
}

fn converse(to: SocketAddr, go_on: impl Fn() -> bool) -> io::Result<Talked> {
    let socket = UdpSocket::bind((Ipv4Addr::UNSPECIFIED, 0))?;
    socket.connect(to)?;
    let mut talked = Talked::default();
    open(&socket, &mut talked)?;
    socket.set_nonblocking(true)?;
    let start = Instant::now();
    let mut number: u32 = 0;
    while go_on() {
        let due = u32::try_from(start.elapsed().as_millis()).unwrap_or(u32::MAX) / (1_000 / RATE);
        while number < due {
            send(&socket, &rtp(number), &mut talked)?;
            number += 1;
            receive(&socket, &mut talked)?;
        }
        std::thread::sleep(Duration::from_millis(5));
        receive(&socket, &mut talked)?;
    }
    // What is still under way.
    std::thread::sleep(Duration::from_millis(200));
    receive(&socket, &mut talked)?;
    Ok(talked)
}

/// STUN's Binding request, until something comes back.
fn open(socket: &UdpSocket, talked: &mut Talked) -> io::Result<()> {
    let mut request = Vec::from([0, 1, 0, 0]);
    request.extend(COOKIE.to_be_bytes());
    request.extend([7; 12]);
    socket.set_read_timeout(Some(PATIENCE / 4))?;
    for _ in 0..TRIES {
        send(socket, &request, talked)?;
        let mut answer = [0; 64];
        match socket.recv(&mut answer) {
            Ok(length) => {
                count(&mut talked.received, &mut talked.received_bytes, length);
                return Ok(());
            }
            Err(error) if is_silence(&error) => {}
            Err(error) => return Err(error),
        }
    }
    Err(io::ErrorKind::TimedOut.into())
}

/// Sound, and now and then a part of a picture.
fn rtp(number: u32) -> Vec<u8> {
    let payload = if number.is_multiple_of(4) {
        PICTURE
    } else {
        SOUND
    };
    let mut packet = Vec::with_capacity(RTP_HEADER + payload);
    // Version 2, payload type 111.
    packet.extend([0x80, 111]);
    packet.extend((number % 0x1_0000).to_be_bytes().into_iter().skip(2));
    packet.extend(number.wrapping_mul(960).to_be_bytes());
    packet.extend(0x0c7a_0170_u32.to_be_bytes());
    packet.resize(RTP_HEADER + payload, 0xa5);
    packet
}

fn send(socket: &UdpSocket, packet: &[u8], talked: &mut Talked) -> io::Result<()> {
    match socket.send(packet) {
        Ok(length) => count(&mut talked.sent, &mut talked.sent_bytes, length),
        // A full buffer: the packet is lost, as any may be.
        Err(error) if is_silence(&error) => {}
        Err(error) => return Err(error),
    }
    Ok(())
}

fn receive(socket: &UdpSocket, talked: &mut Talked) -> io::Result<()> {
    let mut packet = [0; 2_048];
    loop {
        match socket.recv(&mut packet) {
            Ok(length) => count(&mut talked.received, &mut talked.received_bytes, length),
            Err(error) if is_silence(&error) => return Ok(()),
            Err(error) => return Err(error),
        }
    }
}

fn count(packets: &mut u64, bytes: &mut u64, length: usize) {
    *packets += 1;
    *bytes += length as u64 + HEADERS;
}

fn is_silence(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut
    )
}
