//! The ClientHello of DTLS (RFC 6347 section 4.2): one record, one whole message.

use super::tls::{self, ClientHello};

const RECORD_HEADER: usize = 13;
const MESSAGE_HEADER: usize = 12;

/// The hello in a datagram that begins with one. A hello in several fragments is not read.
pub(super) fn client_hello(datagram: &[u8]) -> Option<ClientHello> {
    let [22, 0xfe, 0xfd | 0xff, ..] = datagram else {
        return None;
    };
    let length = usize::from(u16::from_be_bytes([*datagram.get(11)?, *datagram.get(12)?]));
    let record = datagram.get(RECORD_HEADER..RECORD_HEADER + length)?;
    let (header, body) = record.split_at_checked(MESSAGE_HEADER)?;
    let u24 = |at: usize| {
        usize::from(header[at]) << 16
            | usize::from(header[at + 1]) << 8
            | usize::from(header[at + 2])
    };
    let (length, offset, fragment) = (u24(1), u24(6), u24(9));
    if header[0] != 1 || offset != 0 || fragment != length {
        return None;
    }
    tls::read_body_of_dtls(body.get(..length)?)
}
