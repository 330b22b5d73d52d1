//! What a server shows in the clear up to TLS 1.2: its certificate (RFC 5246 section 7.4).

use super::{
    HANDSHAKE_HEADER, MAX_RECORD, RECORD_HANDSHAKE, RECORD_HEADER, Reader, message_length,
};

const SERVER_HELLO: u8 = 2;
const CERTIFICATE: u8 = 11;
const SERVER_HELLO_DONE: u8 = 14;
const EXTENSION_SUPPORTED_VERSIONS: u16 = 43;
const TLS_1_3: [u8; 2] = [3, 4];

/// What a server showed.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(in crate::name) enum Shown {
    /// Its own certificate, DER.
    Leaf(Vec<u8>),
    /// More bytes are needed.
    More,
    /// None, or it is hidden (TLS 1.3), or this is no server's handshake.
    Nothing,
}

/// Whether bytes begin as a server's handshake does.
pub(in crate::name) fn begins(bytes: &[u8]) -> bool {
    matches!(bytes, [RECORD_HANDSHAKE, 3, 0..=4, _, _, SERVER_HELLO, ..])
}

/// Reads a server's certificate from the start of its stream.
pub(in crate::name) fn certificate(stream: &[u8]) -> Shown {
    let (messages, is_over) = messages(stream);
    let mut rest = &messages[..];
    loop {
        let length = message_length(rest);
        let Some(message) = rest.get(..length) else {
            return if is_over { Shown::Nothing } else { Shown::More };
        };
        let body = &message[HANDSHAKE_HEADER..];
        match message[0] {
            SERVER_HELLO if is_tls_1_3(body) => return Shown::Nothing,
            CERTIFICATE => return leaf(body).map_or(Shown::Nothing, Shown::Leaf),
            SERVER_HELLO_DONE => return Shown::Nothing,
            _ => rest = &rest[length..],
        }
    }
}

/// The handshake messages of a stream's records, and whether something else follows them.
fn messages(mut stream: &[u8]) -> (Vec<u8>, bool) {
    let mut out = Vec::with_capacity(stream.len());
    while let Some((header, body)) = stream.split_first_chunk::<RECORD_HEADER>() {
        let length = usize::from(u16::from_be_bytes([header[3], header[4]]));
        if header[0] != RECORD_HANDSHAKE || header[1] != 3 || length == 0 || length > MAX_RECORD {
            return (out, true);
        }
        let there = body.len().min(length);
        out.extend_from_slice(&body[..there]);
        stream = &body[there..];
    }
    (out, false)
}

fn is_tls_1_3(hello: &[u8]) -> bool {
    let read = || -> Result<bool, super::Stop> {
        let mut reader = Reader(hello);
        reader.take(34)?;
        let session = reader.u8()?;
        reader.take(session)?;
        reader.take(3)?;
        let length = usize::from(reader.u16()?);
        let mut extensions = Reader(reader.take(length)?);
        while !extensions.0.is_empty() {
            let kind = extensions.u16()?;
            let length = usize::from(extensions.u16()?);
            let value = extensions.take(length)?;
            if kind == EXTENSION_SUPPORTED_VERSIONS {
                return Ok(value == TLS_1_3);
            }
        }
        Ok(false)
    };
    read().unwrap_or(false)
}

/// The first certificate of a list: that of the server itself.
fn leaf(body: &[u8]) -> Option<Vec<u8>> {
    let u24 = |bytes: &[u8]| {
        let [a, b, c] = *bytes.first_chunk::<3>()?;
        Some(usize::from(a) << 16 | usize::from(b) << 8 | usize::from(c))
    };
    let list = body.get(3..3 + u24(body)?)?;
    let leaf = list.get(3..3 + u24(list)?)?;
    Some(leaf.to_vec())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{certificate as der, records, server_messages};

    #[test]
    fn a_certificate_over_records_cut_anywhere() {
        let certificate_der = der(&["www.example.org"]);
        let messages = server_messages(&certificate_der, false);
        for size in [16_384, 100, 7] {
            let stream = records(&messages, size);
            assert!(begins(&stream));
            assert_eq!(certificate(&stream), Shown::Leaf(certificate_der.clone()));
            for length in 0..stream.len() {
                match certificate(&stream[..length]) {
                    Shown::Leaf(leaf) => assert_eq!(leaf, certificate_der),
                    Shown::More => {}
                    Shown::Nothing => panic!("{length}"),
                }
            }
        }
    }

    #[test]
    fn what_shows_none() {
        let hidden = records(&server_messages(&[], true), 16_384);
        assert_eq!(certificate(&hidden), Shown::Nothing, "TLS 1.3");
        let hello = &server_messages(&[], false)[..4 + 38];
        let mut resumed = records(hello, 16_384);
        resumed.extend([20, 3, 3, 0, 1, 1]);
        assert_eq!(certificate(&resumed), Shown::Nothing, "no certificate");
        assert_eq!(certificate(&[]), Shown::More);
    }
}
