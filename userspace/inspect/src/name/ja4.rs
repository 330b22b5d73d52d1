//! JA4: the fingerprint of a TLS client's hello (the public specification of JA4, the client part;
//! "JA4+ Technical Details", `FoxIO`).

use sha2::{Digest as _, Sha256};

/// What carried the hello.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Transport {
    Tcp,
    Quic,
    Dtls,
}

/// What the fingerprint is made of.
#[derive(Default)]
pub(super) struct Traits {
    pub(super) legacy_version: u16,
    /// The highest of `supported_versions`.
    pub(super) version: Option<u16>,
    pub(super) has_server_name: bool,
    /// In the order of the hello, as all of these; reserved values ("GREASE") left out.
    pub(super) ciphers: Vec<u16>,
    pub(super) extensions: Vec<u16>,
    pub(super) signatures: Vec<u16>,
    /// First and last byte of the first application protocol.
    pub(super) protocol: Option<(u8, u8)>,
}

const SERVER_NAME: u16 = 0x0000;
const ALPN: u16 = 0x0010;
/// Stands for a hash of nothing.
const NOTHING: &str = "000000000000";

/// Values reserved so that servers learn to ignore unknown ones (RFC 8701).
pub(super) const fn is_grease(value: u16) -> bool {
    value & 0x0f0f == 0x0a0a && value >> 8 == value & 0xff
}

impl Traits {
    /// The fingerprint.
    pub(super) fn ja4(mut self, transport: Transport) -> Box<str> {
        let mut out = String::with_capacity(36);
        out.push(match transport {
            Transport::Tcp => 't',
            Transport::Quic => 'q',
            Transport::Dtls => 'd',
        });
        out.push_str(match self.version.unwrap_or(self.legacy_version) {
            0x0304 => "13",
            0x0303 => "12",
            0x0302 => "11",
            0x0301 => "10",
            0x0300 => "s3",
            0x0002 => "s2",
            0xfeff => "d1",
            0xfefd => "d2",
            0xfefc => "d3",
            _ => "00",
        });
        out.push(if self.has_server_name { 'd' } else { 'i' });
        count(&mut out, self.ciphers.len());
        count(&mut out, self.extensions.len());
        let [first, last] = ends(self.protocol);
        out.extend([first, last, '_']);
        self.ciphers.sort_unstable();
        let mut text = Vec::with_capacity(5 * (self.ciphers.len() + self.extensions.len() + 32));
        list(&mut text, &self.ciphers);
        hash(&mut out, &text);
        out.push('_');
        self.extensions
            .retain(|kind| !matches!(*kind, SERVER_NAME | ALPN));
        self.extensions.sort_unstable();
        text.clear();
        list(&mut text, &self.extensions);
        if !text.is_empty() && !self.signatures.is_empty() {
            text.push(b'_');
            list(&mut text, &self.signatures);
        }
        hash(&mut out, &text);
        out.into_boxed_str()
    }
}

/// Two digits; more than 99 count as 99.
fn count(out: &mut String, count: usize) {
    let count = u8::try_from(count.min(99)).unwrap_or(99);
    out.extend([char::from(b'0' + count / 10), char::from(b'0' + count % 10)]);
}

/// First and last character of a protocol's name; of its hexadecimal form when one of them is no
/// letter or digit.
fn ends(protocol: Option<(u8, u8)>) -> [char; 2] {
    match protocol {
        None => ['0', '0'],
        Some((first, last)) if first.is_ascii_alphanumeric() && last.is_ascii_alphanumeric() => {
            [char::from(first), char::from(last)]
        }
        Some((first, last)) => [digit(first >> 4), digit(last)],
    }
}

fn digit(value: u8) -> char {
    char::from(b"0123456789abcdef"[usize::from(value & 15)])
}

/// Four hexadecimal digits each, between commas.
fn list(out: &mut Vec<u8>, values: &[u16]) {
    for (index, value) in values.iter().enumerate() {
        if index > 0 {
            out.push(b',');
        }
        let [high, low] = value.to_be_bytes();
        for digit in [high >> 4, high & 15, low >> 4, low & 15] {
            out.push(b"0123456789abcdef"[usize::from(digit)]);
        }
    }
}

/// The first twelve hexadecimal digits of the SHA-256 of `text`.
fn hash(out: &mut String, text: &[u8]) {
    if text.is_empty() {
        return out.push_str(NOTHING);
    }
    let digest = Sha256::digest(text);
    for byte in digest.iter().take(6) {
        out.extend([digit(byte >> 4), digit(*byte)]);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The example of the specification.
    #[test]
    fn published_fingerprint() {
        let traits = || Traits {
            legacy_version: 0x0303,
            version: Some(0x0304),
            has_server_name: true,
            ciphers: vec![
                0x1301, 0x1302, 0x1303, 0xc02b, 0xc02f, 0xc02c, 0xc030, 0xcca9, 0xcca8, 0xc013,
                0xc014, 0x009c, 0x009d, 0x002f, 0x0035,
            ],
            extensions: vec![
                0x001b, 0x0000, 0x0033, 0x0010, 0x4469, 0x0017, 0x002d, 0x000d, 0x0005, 0x0023,
                0x0012, 0x002b, 0xff01, 0x000b, 0x000a, 0x0015,
            ],
            signatures: vec![
                0x0403, 0x0804, 0x0401, 0x0503, 0x0805, 0x0501, 0x0806, 0x0601,
            ],
            protocol: Some((b'h', b'2')),
        };
        let tcp = traits().ja4(Transport::Tcp);
        assert_eq!(&*tcp, "t13d1516h2_8daaf6152771_e5627efa2ab1");
        let quic = traits().ja4(Transport::Quic);
        assert_eq!(&*quic, "q13d1516h2_8daaf6152771_e5627efa2ab1");
    }

    #[test]
    fn what_is_missing_has_its_signs() {
        let none = Traits::default().ja4(Transport::Dtls);
        assert_eq!(&*none, "d00i000000_000000000000_000000000000");
        assert_eq!(ends(Some((b'h', b'h'))), ['h', 'h'], "one letter");
        // The two examples of the specification.
        assert_eq!(ends(Some((0xab, 0xab))), ['a', 'b']);
        assert_eq!(ends(Some((0x30, 0xcd))), ['3', 'd']);
        let many = Traits {
            ciphers: vec![1; 120],
            ..Traits::default()
        };
        assert!(many.ja4(Transport::Tcp).starts_with("t00i9900"));
    }

    #[test]
    fn reserved_values() {
        for value in [0x0a0a, 0x1a1a, 0xfafa] {
            assert!(is_grease(value));
        }
        for value in [0x0a1a, 0x1301, 0x0a0b, 0x0b0b] {
            assert!(!is_grease(value));
        }
    }
}
