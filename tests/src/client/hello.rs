//! A `ClientHello` as a browser of today sends it, byte by byte: longer than one segment, because it
//! offers a post-quantum key exchange (X25519MLKEM768, draft-ietf-tls-ecdhe-mlkem).

use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::time::Instant;

use super::{Attempt, PATIENCE, Seen};
use crate::lab::{Namespace, Result};

/// Bytes of a key share of X25519MLKEM768: an encapsulation key and an X25519 key.
const KEY_SHARE_BYTES: usize = 1_184 + 32;
const X25519_MLKEM768: u16 = 0x11ec;
const X25519: u16 = 0x001d;

/// The record of a hello for a name.
#[must_use]
pub fn post_quantum(name: &str) -> Vec<u8> {
    let mut extensions = Vec::new();
    let mut extension = |kind: u16, body: &[u8]| {
        extensions.extend_from_slice(&kind.to_be_bytes());
        extensions.extend_from_slice(&sized(2, body));
    };
    // Not the first one: a browser shuffles them, and the name may stand behind the key share.
    extension(0x0a0a, &[]);
    let mut share = X25519_MLKEM768.to_be_bytes().to_vec();
    share.extend_from_slice(&sized(2, &[0x5a; KEY_SHARE_BYTES]));
    share.extend_from_slice(&X25519.to_be_bytes());
    share.extend_from_slice(&sized(2, &[9; 32]));
    extension(51, &sized(2, &share));
    let groups = [X25519_MLKEM768, X25519].map(u16::to_be_bytes).concat();
    extension(10, &sized(2, &groups));
    extension(13, &sized(2, &[4, 3, 8, 4, 8, 5, 4, 1]));
    extension(43, &sized(1, &[3, 4]));
    extension(16, &sized(2, &sized(1, b"http/1.1")));
    // A placeholder for an encrypted hello: outer, HKDF-SHA256 and AES-128-GCM, a number, key, text.
    let mut placeholder = vec![0, 0, 1, 0, 1, 0x2a];
    placeholder.extend_from_slice(&sized(2, &[3; 32]));
    placeholder.extend_from_slice(&sized(2, &[0xc3; 240]));
    extension(0xfe0d, &placeholder);
    let mut entry = vec![0];
    entry.extend_from_slice(&sized(2, name.as_bytes()));
    extension(0, &sized(2, &entry));
    let mut body = vec![3, 3];
    body.extend_from_slice(&[7; 32]);
    body.extend_from_slice(&sized(1, &[1; 32]));
    body.extend_from_slice(&sized(2, &[0x13, 0x01, 0x13, 0x02, 0x13, 0x03, 0xc0, 0x2b]));
    body.extend_from_slice(&sized(1, &[0]));
    body.extend_from_slice(&sized(2, &extensions));
    let mut handshake = vec![1];
    handshake.extend_from_slice(&sized(3, &body));
    let mut record = vec![22, 3, 1];
    record.extend_from_slice(&sized(2, &handshake));
    record
}

/// Bytes behind their length, in so many bytes.
fn sized(width: usize, bytes: &[u8]) -> Vec<u8> {
    let length = bytes.len().to_be_bytes();
    let mut out = length[length.len() - width..].to_vec();
    out.extend_from_slice(bytes);
    out
}

/// Connects from a namespace, says something and waits for the first byte of an answer.
///
/// # Errors
/// The namespace cannot be entered.
pub fn say(from: &Namespace, to: SocketAddr, words: &[u8]) -> Result<Attempt> {
    from.within(|| {
        let begun = Instant::now();
        let attempt = |seen, port, error: &std::io::Error| Attempt {
            seen,
            took: begun.elapsed(),
            local_port: port,
            words: error.to_string(),
        };
        let mut stream = match TcpStream::connect_timeout(&to, PATIENCE) {
            Ok(stream) => stream,
            Err(error) => return attempt(Seen::Refused, None, &error),
        };
        let port = stream.local_addr().ok().map(|address| address.port());
        let answer = stream
            .set_read_timeout(Some(PATIENCE))
            .and_then(|()| stream.write_all(words))
            .and_then(|()| stream.read_exact(&mut [0]));
        match answer {
            Ok(()) => Attempt {
                seen: Seen::Answered,
                took: begun.elapsed(),
                local_port: port,
                words: String::new(),
            },
            Err(error) => attempt(Seen::Cut, port, &error),
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_hello_is_longer_than_a_segment_and_a_server_takes_it() {
        let hello = post_quantum("annuaire.ministere.example");
        assert!(hello.len() > 1_500, "{} bytes", hello.len());
        let mut acceptor = rustls::server::Acceptor::default();
        let mut reader = hello.as_slice();
        while !reader.is_empty() {
            acceptor.read_tls(&mut reader).unwrap();
        }
        let accepted = acceptor.accept().unwrap().expect("a whole hello");
        let name = accepted.client_hello().server_name().map(str::to_owned);
        assert_eq!(name.as_deref(), Some("annuaire.ministere.example"));
    }
}
