//! The ClientHello of DTLS (RFC 6347 section 4.2, RFC 9147 section 5): whole, or in fragments over
//! several records and datagrams.

use super::assembler::{Assembler, Refused};
use super::tls::{self, ClientHello, MAX_HELLO};

const RECORD_HEADER: usize = 13;
const MESSAGE_HEADER: usize = 12;
const RECORD_HANDSHAKE: u8 = 22;
const CLIENT_HELLO: u8 = 1;

/// What a datagram brought.
#[derive(Debug)]
pub(super) enum Read {
    /// A whole hello.
    Hello(ClientHello),
    /// Part of one.
    Part,
    /// Part of one that is not held, or a hello that cannot be read.
    Malformed,
    /// Pieces of a hello contradict each other.
    Contradicts,
    /// DTLS, and no hello.
    Other,
}

/// A hello in fragments.
#[derive(Default)]
pub(super) struct Fragments {
    sequence: u16,
    length: usize,
    bytes: Assembler,
    /// Number of the hello whose pieces contradicted each other: nothing of it is read any more.
    spoiled: Option<u16>,
}

/// Whether a datagram begins with a record of DTLS 1.0 or 1.2 (1.3 begins as 1.2 does).
pub(super) fn is_record(datagram: &[u8]) -> bool {
    matches!(datagram, [20..=25, 0xfe, 0xfd | 0xff, rest @ ..] if rest.len() > RECORD_HEADER - 3)
}

impl Fragments {
    pub(super) fn held(&self) -> usize {
        self.bytes.held()
    }

    /// Whether a hello is not to be read, whatever comes.
    pub(super) fn is_spoiled(&self) -> bool {
        self.spoiled.is_some()
    }

    /// Reads a datagram for which [`is_record`] holds; holds at most `limit` bytes.
    pub(super) fn read(&mut self, datagram: &[u8], limit: usize) -> Read {
        let mut rest = datagram;
        let mut result = Read::Other;
        while let Some((header, after)) = rest.split_first_chunk::<RECORD_HEADER>() {
            let length = usize::from(u16::from_be_bytes([header[11], header[12]]));
            let Some((content, after)) = after.split_at_checked(length) else {
                return result;
            };
            rest = after;
            // What is encrypted (a later epoch) is no hello.
            if header[0] == RECORD_HANDSHAKE && header[3..5] == [0, 0] {
                match self.messages(content, limit) {
                    Read::Other => {}
                    hello @ Read::Hello(_) => return hello,
                    other => result = other,
                }
            }
        }
        result
    }

    /// The messages, or pieces of them, in a record.
    fn messages(&mut self, mut content: &[u8], limit: usize) -> Read {
        let mut result = Read::Other;
        while let Some((header, after)) = content.split_first_chunk::<MESSAGE_HEADER>() {
            let u24 = |at: usize| {
                usize::from(header[at]) << 16
                    | usize::from(header[at + 1]) << 8
                    | usize::from(header[at + 2])
            };
            let (length, offset, piece) = (u24(1), u24(6), u24(9));
            let Some((bytes, after)) = after.split_at_checked(piece) else {
                return result;
            };
            content = after;
            if header[0] != CLIENT_HELLO {
                continue;
            }
            let sequence = u16::from_be_bytes([header[4], header[5]]);
            match self.piece(sequence, length, offset, bytes, limit) {
                hello @ Read::Hello(_) => return hello,
                other => result = other,
            }
        }
        result
    }

    fn piece(
        &mut self,
        sequence: u16,
        length: usize,
        offset: usize,
        bytes: &[u8],
        limit: usize,
    ) -> Read {
        if length > MAX_HELLO.min(limit) || offset + bytes.len() > length {
            return Read::Malformed;
        }
        if self.spoiled == Some(sequence) {
            return Read::Other;
        }
        if bytes.len() == length {
            return whole(bytes);
        }
        // Another hello, as after a request for a cookie.
        if sequence != self.sequence || length != self.length {
            *self = Self {
                sequence,
                length,
                bytes: Assembler::default(),
                spoiled: self.spoiled,
            };
        }
        if let Err(refused) = self.bytes.insert(offset, bytes, length) {
            self.bytes = Assembler::default();
            return match refused {
                Refused::TooLong => Read::Malformed,
                Refused::Contradicts => {
                    self.spoiled = Some(sequence);
                    Read::Contradicts
                }
            };
        }
        if self.bytes.data().len() < length {
            return Read::Part;
        }
        let hello = whole(self.bytes.data());
        self.bytes = Assembler::default();
        hello
    }
}

fn whole(body: &[u8]) -> Read {
    tls::read_body_of_dtls(body).map_or(Read::Malformed, Read::Hello)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{dtls_fragments, dtls_hello_body};

    fn name(read: Read) -> Option<String> {
        match read {
            Read::Hello(hello) => hello.name,
            _ => None,
        }
    }

    #[test]
    fn a_hello_whole_or_in_fragments_of_any_order() {
        let body = dtls_hello_body("call.example", 900);
        for size in [2_000, 700, 300, 64] {
            let mut datagrams = dtls_fragments(&body, size);
            assert!(datagrams.iter().all(|datagram| is_record(datagram)));
            for _ in 0..2 {
                let mut fragments = Fragments::default();
                let (last, before) = datagrams.split_last().unwrap();
                for datagram in before {
                    assert!(matches!(fragments.read(datagram, 65_536), Read::Part));
                    assert!(matches!(fragments.read(datagram, 65_536), Read::Part));
                }
                let found = name(fragments.read(last, 65_536));
                assert_eq!(found.as_deref(), Some("call.example"), "{size}");
                assert_eq!(fragments.held(), 0);
                datagrams.reverse();
            }
            let joined = datagrams.concat();
            let found = name(Fragments::default().read(&joined, 65_536));
            assert_eq!(
                found.as_deref(),
                Some("call.example"),
                "{size}, one datagram"
            );
            for length in 0..joined.len() {
                Fragments::default().read(&joined[..length], 65_536);
            }
        }
    }

    #[test]
    fn a_hello_that_contradicts_itself_is_not_read_later_either() {
        let (good, evil) = (
            dtls_fragments(&dtls_hello_body("good.example", 900), 300),
            dtls_fragments(&dtls_hello_body("evil.example", 900), 300),
        );
        let mut fragments = Fragments::default();
        assert!(matches!(fragments.read(&good[3], 65_536), Read::Part));
        assert!(matches!(
            fragments.read(&evil[3], 65_536),
            Read::Contradicts
        ));
        for datagram in good.iter().chain(&evil) {
            assert!(matches!(fragments.read(datagram, 65_536), Read::Other));
        }
        assert!(fragments.is_spoiled() && fragments.held() == 0);
    }

    #[test]
    fn what_is_too_long_or_contradicts_itself_is_refused() {
        let body = dtls_hello_body("call.example", 900);
        let datagrams = dtls_fragments(&body, 300);
        let mut fragments = Fragments::default();
        assert!(matches!(
            fragments.read(&datagrams[0], 500),
            Read::Malformed
        ));
        assert_eq!(fragments.held(), 0);
        let mut beyond = datagrams[1].clone();
        beyond[RECORD_HEADER + 6..RECORD_HEADER + 9].copy_from_slice(&[0, 0xff, 0xff]);
        assert!(matches!(fragments.read(&beyond, 65_536), Read::Malformed));
        assert!(matches!(
            fragments.read(&datagrams[0][..20], 65_536),
            Read::Other
        ));
    }
}
