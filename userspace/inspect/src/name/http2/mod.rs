//! HTTP/2 in the clear with prior knowledge (RFC 9113 section 3.3): the authority of its first
//! request.

mod hpack;
mod huffman;

use self::hpack::Field;
use super::AppProtocol;
use super::hostname::authority;
use super::http::{self, Head};

/// What a client says first.
pub(super) const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

const FRAME_HEADER: usize = 9;
/// Longest frame before the peer allowed more.
const MAX_FRAME: usize = 16_384;
const HEADERS: u8 = 1;
const CONTINUATION: u8 = 9;
const FLAG_END_HEADERS: u8 = 0x04;
const FLAG_PADDED: u8 = 0x08;
const FLAG_PRIORITY: u8 = 0x20;

/// Reads the first request from the start of a stream of HTTP/2 with prior knowledge: its host, and
/// what the stream speaks.
#[must_use]
pub fn first_request(stream: &[u8]) -> (Head, AppProtocol) {
    let shared = PREFACE.len().min(stream.len());
    if stream[..shared] != PREFACE[..shared] {
        return (Head::Not, AppProtocol::Unknown);
    }
    let Some(mut rest) = stream.get(PREFACE.len()..) else {
        return (Head::More, AppProtocol::Unknown);
    };
    let mut block: Option<Vec<u8>> = None;
    loop {
        let Some((header, after)) = rest.split_first_chunk::<FRAME_HEADER>() else {
            return (Head::More, AppProtocol::Http2);
        };
        let [a, b, c, kind, flags, ..] = *header;
        let length = usize::from(a) << 16 | usize::from(b) << 8 | usize::from(c);
        if length > MAX_FRAME {
            return (Head::Not, AppProtocol::Http2);
        }
        let Some((content, after)) = after.split_at_checked(length) else {
            return (Head::More, AppProtocol::Http2);
        };
        rest = after;
        match (&mut block, kind) {
            (None, HEADERS) => match fragment(content, flags) {
                Some(fragment) => block = Some(fragment.to_vec()),
                None => return (Head::Not, AppProtocol::Http2),
            },
            (Some(block), CONTINUATION) => block.extend_from_slice(content),
            (Some(_), _) => return (Head::Not, AppProtocol::Http2),
            // Settings and the like may stand before it.
            (None, _) => continue,
        }
        if flags & FLAG_END_HEADERS != 0 {
            return request(block.as_deref().unwrap_or(&[]));
        }
    }
}

/// The header block in a HEADERS frame, without padding and priority.
fn fragment(mut content: &[u8], flags: u8) -> Option<&[u8]> {
    if flags & FLAG_PADDED != 0 {
        let (padding, rest) = content.split_first()?;
        content = rest.get(..rest.len().checked_sub(usize::from(*padding))?)?;
    }
    if flags & FLAG_PRIORITY != 0 {
        content = content.get(5..)?;
    }
    Some(content)
}

fn request(block: &[u8]) -> (Head, AppProtocol) {
    let mut host: Option<Vec<u8>> = None;
    let mut differs = false;
    let mut speaks = AppProtocol::Http2;
    let read = hpack::fields(block, |field, value| match field {
        // Both may stand there, and must agree (RFC 9113 section 8.3.1).
        Field::Authority | Field::Host => match &host {
            None => host = Some(value.to_vec()),
            Some(known) => differs |= !known.eq_ignore_ascii_case(value),
        },
        Field::Path if http::asks_dns(value) => speaks = AppProtocol::Doh,
        Field::MediaType if http::is_dns_message(value) => speaks = AppProtocol::Doh,
        Field::Path | Field::MediaType | Field::Other => {}
    });
    let head = match host {
        _ if read.is_err() => Head::Not,
        Some(_) if differs => Head::InvalidHost,
        Some(host) => authority(&host).map_or(Head::InvalidHost, Head::Host),
        None => Head::WithoutHost,
    };
    (head, speaks)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn frame(kind: u8, flags: u8, content: &[u8]) -> Vec<u8> {
        let mut out = u32::try_from(content.len()).unwrap().to_be_bytes()[1..].to_vec();
        out.extend([kind, flags, 0, 0, 0, 1]);
        out.extend_from_slice(content);
        out
    }

    fn authority_field(name: &str) -> Vec<u8> {
        let mut out = vec![0x41, u8::try_from(name.len()).unwrap()];
        out.extend(name.as_bytes());
        out
    }

    fn stream(frames: &[Vec<u8>]) -> Vec<u8> {
        [PREFACE, &frames.concat()].concat()
    }

    #[test]
    fn the_first_request_names_its_host() {
        let block = [
            &[0x82, 0x86, 0x84][..],
            &authority_field("Www.Example.org:8080"),
        ]
        .concat();
        let (head, tail) = block.split_at(6);
        let padded = [&[3][..], &[0, 0, 0, 0, 9], &block, &[0; 3]].concat();
        let settings = frame(4, 0, &[0, 3, 0, 0, 0, 100]);
        let cases = [
            stream(&[settings.clone(), frame(1, 5, &block)]),
            stream(&[
                settings.clone(),
                frame(8, 0, &[0; 4]),
                frame(1, 0x2d, &padded),
            ]),
            stream(&[settings.clone(), frame(1, 1, head), frame(9, 4, tail)]),
        ];
        for bytes in cases {
            let expected = Head::Host("www.example.org".to_owned());
            assert_eq!(first_request(&bytes), (expected, AppProtocol::Http2));
            for length in 1..bytes.len() {
                assert_eq!(first_request(&bytes[..length]).0, Head::More, "{length}");
            }
        }
    }

    #[test]
    fn requests_without_a_host_that_is_sure() {
        let host = |name: &str| [&[0x66, 9][..], name.as_bytes()].concat();
        let cases = [
            (vec![0x82, 0x86, 0x84], Head::WithoutHost),
            (
                [authority_field("a.example"), host("b.example")].concat(),
                Head::InvalidHost,
            ),
            (authority_field("a b"), Head::InvalidHost),
            (vec![0x80], Head::Not),
            (
                [authority_field("a.example"), host("A.example")].concat(),
                Head::Host("a.example".to_owned()),
            ),
        ];
        for (block, expected) in cases {
            let bytes = stream(&[frame(1, 4, &block)]);
            assert_eq!(first_request(&bytes).0, expected, "{block:02x?}");
        }
        for bytes in [
            stream(&[frame(1, 0, &[0x82]), frame(0, 0, &[])]),
            stream(&[vec![1, 0, 0, 4, 0, 0, 0, 0, 0]]),
            stream(&[frame(1, 0x0c, &[9])]),
            b"PRI * HTTP/1.0".to_vec(),
        ] {
            assert_eq!(first_request(&bytes).0, Head::Not, "{bytes:02x?}");
        }
    }

    #[test]
    fn dns_over_http_is_told() {
        let path = b"/dns-query?dns=AAABAAABAAAAAAAAA3d3dwdleGFtcGxlA2NvbQAAAQAB";
        let mut block = vec![0x82, 0x44, u8::try_from(path.len()).unwrap()];
        block.extend(path);
        block.extend(authority_field("dns.example"));
        let bytes = stream(&[frame(1, 4, &block)]);
        let expected = Head::Host("dns.example".to_owned());
        assert_eq!(first_request(&bytes), (expected, AppProtocol::Doh));
    }

    proptest! {
        #[test]
        fn never_panics(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            let _ = first_request(&bytes);
            let _ = first_request(&stream(std::slice::from_ref(&bytes)));
            let _ = first_request(&stream(&[frame(1, 4, &bytes)]));
        }
    }
}
