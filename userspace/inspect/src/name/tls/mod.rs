//! The TLS ClientHello (RFC 8446 section 4.1.2): server name, ALPN, encrypted hello, fingerprint.

pub(super) mod server;

use super::hostname::hostname;
use super::ja4::{Traits, Transport, is_grease};

const RECORD_HANDSHAKE: u8 = 22;
const CLIENT_HELLO: u8 = 1;
const RECORD_HEADER: usize = 5;
const HANDSHAKE_HEADER: usize = 4;
/// Longest plaintext record (RFC 8446 section 5.1).
const MAX_RECORD: usize = 1 << 14;
/// Longest hello accepted, bytes.
pub(super) const MAX_HELLO: usize = 60_000;
/// Most application protocols told.
const MAX_ALPN: usize = 16;

const EXTENSION_SERVER_NAME: u16 = 0;
const EXTENSION_SIGNATURES: u16 = 13;
const EXTENSION_ALPN: u16 = 16;
const EXTENSION_VERSIONS: u16 = 43;
/// Encrypted hello (RFC 9849), and the encrypted server name it grew from.
const EXTENSION_ECH: u16 = 0xfe0d;
const EXTENSION_ESNI: u16 = 0xffce;

/// What a hello says of its destination.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct ClientHello {
    /// The server name, when it is a host name.
    pub name: Option<String>,
    /// A server name is there, and it is none.
    pub name_is_invalid: bool,
    /// Application protocols offered.
    pub alpn: Vec<String>,
    /// An encrypted hello, or a placeholder that looks like one.
    pub ech: Option<EncryptedHello>,
    /// JA4 fingerprint, when the hello was read whole.
    pub ja4: Option<Box<str>>,
}

/// What an encrypted hello shows of itself (RFC 9849 section 5).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct EncryptedHello {
    /// Key derivation function (HPKE, RFC 9180).
    pub kdf: u16,
    /// Cipher (HPKE).
    pub aead: u16,
    /// The configuration it was made for; `None`: not of the form that is in use.
    pub config_id: Option<u8>,
}

/// How far a hello was read.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Progress {
    /// All of it.
    Whole(ClientHello),
    /// More bytes are needed; what was read so far.
    More(ClientHello),
    /// It is no hello.
    Not,
}

/// Reads a hello from the start of a TCP stream: records, then the handshake message in them.
#[must_use]
pub fn client_hello(stream: &[u8]) -> Progress {
    // The usual hello lies in one record and is read in place.
    match stream {
        [RECORD_HANDSHAKE, 3, 0..=4, high, low, rest @ ..] => {
            let length = usize::from(u16::from_be_bytes([*high, *low]));
            if length == 0 || length > MAX_RECORD {
                return Progress::Not;
            }
            if let Some(record) = rest.get(..length)
                && (record.len() < HANDSHAKE_HEADER || message_length(record) > record.len())
            {
                return several_records(stream);
            }
            handshake(&rest[..rest.len().min(length)], Transport::Tcp)
        }
        [RECORD_HANDSHAKE]
        | [RECORD_HANDSHAKE, 3]
        | [RECORD_HANDSHAKE, 3, 0..=4]
        | [RECORD_HANDSHAKE, 3, 0..=4, _] => Progress::More(ClientHello::default()),
        _ => Progress::Not,
    }
}

fn message_length(message: &[u8]) -> usize {
    match message {
        [_, a, b, c, ..] => {
            HANDSHAKE_HEADER + (usize::from(*a) << 16 | usize::from(*b) << 8 | usize::from(*c))
        }
        _ => usize::MAX,
    }
}

fn several_records(mut stream: &[u8]) -> Progress {
    let mut message = Vec::new();
    while stream.len() >= RECORD_HEADER && message.len() <= MAX_HELLO {
        let length = usize::from(u16::from_be_bytes([stream[3], stream[4]]));
        if stream[0] != RECORD_HANDSHAKE || stream[1] != 3 || length == 0 || length > MAX_RECORD {
            return Progress::Not;
        }
        let body = &stream[RECORD_HEADER..];
        let there = body.len().min(length);
        message.extend_from_slice(&body[..there]);
        if message.len() >= HANDSHAKE_HEADER && message_length(&message) <= message.len() {
            break;
        }
        stream = &body[there..];
    }
    handshake(&message, Transport::Tcp)
}

/// Reads a hello from the start of a handshake stream (a TLS record's content, QUIC's CRYPTO).
pub(super) fn handshake(message: &[u8], transport: Transport) -> Progress {
    match message.first() {
        None => return Progress::More(ClientHello::default()),
        Some(&CLIENT_HELLO) => {}
        Some(_) => return Progress::Not,
    }
    if message.len() < HANDSHAKE_HEADER {
        return Progress::More(ClientHello::default());
    }
    let length = message_length(message);
    if length > MAX_HELLO {
        return Progress::Not;
    }
    let whole = message.len() >= length;
    let mut hello = ClientHello::default();
    let mut traits = Traits::default();
    let body = &message[HANDSHAKE_HEADER..message.len().min(length)];
    match (read_body(body, &mut hello, &mut traits, transport), whole) {
        (Ok(()) | Err(Stop::CutShort), false) => Progress::More(hello),
        (Ok(()), true) => {
            hello.ja4 = Some(traits.ja4(transport));
            Progress::Whole(hello)
        }
        (Err(_), _) => Progress::Not,
    }
}

/// Why reading ended early.
enum Stop {
    CutShort,
    Malformed,
}

struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
    fn take(&mut self, count: usize) -> Result<&'a [u8], Stop> {
        let (head, rest) = self.0.split_at_checked(count).ok_or(Stop::CutShort)?;
        self.0 = rest;
        Ok(head)
    }

    fn u8(&mut self) -> Result<usize, Stop> {
        Ok(usize::from(self.take(1)?[0]))
    }

    fn u16(&mut self) -> Result<u16, Stop> {
        let bytes = self.take(2)?;
        Ok(u16::from_be_bytes([bytes[0], bytes[1]]))
    }
}

/// Reads the body of a hello of DTLS.
pub(super) fn read_body_of_dtls(body: &[u8]) -> Option<ClientHello> {
    let mut hello = ClientHello::default();
    let mut traits = Traits::default();
    read_body(body, &mut hello, &mut traits, Transport::Dtls).ok()?;
    hello.ja4 = Some(traits.ja4(Transport::Dtls));
    Some(hello)
}

fn read_body(
    body: &[u8],
    hello: &mut ClientHello,
    traits: &mut Traits,
    transport: Transport,
) -> Result<(), Stop> {
    let mut reader = Reader(body);
    read_head(&mut reader, traits, transport == Transport::Dtls)?;
    read_extensions(&mut reader, hello, traits)
}

/// All before the extensions. DTLS has a cookie behind the session identifier.
fn read_head(reader: &mut Reader<'_>, traits: &mut Traits, dtls: bool) -> Result<(), Stop> {
    traits.legacy_version = reader.u16()?;
    if traits.legacy_version >> 8 != if dtls { 0xfe } else { 3 } {
        return Err(Stop::Malformed);
    }
    reader.take(32)?;
    let session = reader.u8()?;
    if session > 32 {
        return Err(Stop::Malformed);
    }
    reader.take(session)?;
    if dtls {
        let cookie = reader.u8()?;
        reader.take(cookie)?;
    }
    let suites = usize::from(reader.u16()?);
    if suites < 2 || !suites.is_multiple_of(2) {
        return Err(Stop::Malformed);
    }
    traits.ciphers = words(reader.take(suites)?);
    let compression = reader.u8()?;
    if compression == 0 {
        return Err(Stop::Malformed);
    }
    reader.take(compression)?;
    Ok(())
}

/// A list of 16-bit values, reserved ones left out.
fn words(bytes: &[u8]) -> Vec<u16> {
    let (pairs, _) = bytes.as_chunks::<2>();
    let words = pairs.iter().map(|pair| u16::from_be_bytes(*pair));
    words.filter(|word| !is_grease(*word)).collect()
}

fn read_extensions(
    reader: &mut Reader<'_>,
    hello: &mut ClientHello,
    traits: &mut Traits,
) -> Result<(), Stop> {
    if reader.0.is_empty() {
        // TLS 1.2 and older may have no extensions at all.
        return Ok(());
    }
    let length = usize::from(reader.u16()?);
    let cut_short = reader.0.len() < length;
    let mut extensions = Reader(&reader.0[..reader.0.len().min(length)]);
    while !extensions.0.is_empty() {
        let kind = extensions.u16()?;
        let length = usize::from(extensions.u16()?);
        let value = extensions.take(length)?;
        if !is_grease(kind) {
            traits.extensions.push(kind);
        }
        match kind {
            EXTENSION_SERVER_NAME => {
                traits.has_server_name = true;
                server_name(value, hello);
            }
            EXTENSION_SIGNATURES => traits.signatures = words(value.get(2..).unwrap_or(&[])),
            EXTENSION_ALPN => {
                if let [_, _, length, rest @ ..] = value
                    && let Some(name) = rest.get(..usize::from(*length))
                    && let (Some(first), Some(last)) = (name.first(), name.last())
                {
                    traits.protocol = Some((*first, *last));
                }
                alpn(value, hello);
            }
            EXTENSION_VERSIONS => {
                let versions = words(value.get(1..).unwrap_or(&[])).into_iter();
                // Later versions of DTLS have smaller numbers.
                traits.version = if traits.legacy_version >> 8 == 0xfe {
                    versions.min()
                } else {
                    versions.max()
                };
            }
            EXTENSION_ECH => hello.ech = Some(encrypted_hello(value)),
            EXTENSION_ESNI => {
                hello.ech.get_or_insert_with(|| encrypted_hello(&[]));
            }
            _ => {}
        }
    }
    if cut_short {
        return Err(Stop::CutShort);
    }
    Ok(())
}

/// The extension in an outer hello: type 0, cipher suite, configuration.
fn encrypted_hello(value: &[u8]) -> EncryptedHello {
    match value {
        [0, a, b, c, d, id, ..] => EncryptedHello {
            kdf: u16::from_be_bytes([*a, *b]),
            aead: u16::from_be_bytes([*c, *d]),
            config_id: Some(*id),
        },
        _ => EncryptedHello {
            kdf: 0,
            aead: 0,
            config_id: None,
        },
    }
}

/// RFC 6066 section 3: a list, of which only host names (type 0) are in use.
fn server_name(value: &[u8], hello: &mut ClientHello) {
    let read = || -> Result<Option<&[u8]>, Stop> {
        let mut reader = Reader(value);
        let length = usize::from(reader.u16()?);
        let mut list = Reader(reader.take(length)?);
        while !list.0.is_empty() {
            let kind = list.u8()?;
            let length = usize::from(list.u16()?);
            let name = list.take(length)?;
            if kind == 0 {
                return Ok(Some(name));
            }
        }
        Ok(None)
    };
    match read() {
        Ok(Some(name)) if hello.name.is_none() => {
            hello.name = hostname(name);
            hello.name_is_invalid = hello.name.is_none();
        }
        Ok(_) => {}
        Err(_) => hello.name_is_invalid = !value.is_empty(),
    }
}

/// RFC 7301. Protocols that are not printable (reserved "GREASE" values) are left out.
fn alpn(value: &[u8], hello: &mut ClientHello) {
    let mut reader = Reader(value.get(2..).unwrap_or(&[]));
    while hello.alpn.len() < MAX_ALPN {
        let Ok(name) = reader.u8().and_then(|length| reader.take(length)) else {
            return;
        };
        if !name.is_empty()
            && name.iter().all(u8::is_ascii_graphic)
            && let Ok(name) = std::str::from_utf8(name)
        {
            hello.alpn.push(name.to_owned());
        }
    }
}

/// Bytes from which on a hello is told from other things.
pub(super) const START_BYTES: usize = 6;

/// Whether bytes can be the start of a stream that begins with a hello.
pub(super) fn may_begin(bytes: &[u8]) -> bool {
    const START: [fn(u8) -> bool; START_BYTES] = [
        |byte| byte == RECORD_HANDSHAKE,
        |byte| byte == 3,
        |byte| byte <= 4,
        |byte| byte <= 0x40,
        |_| true,
        |byte| byte == CLIENT_HELLO,
    ];
    !bytes.is_empty() && bytes.iter().zip(START).all(|(&byte, fits)| fits(byte))
}

/// Whether bytes begin with a TLS record of any kind: then they are not the middle of a hello.
pub(super) fn is_record(bytes: &[u8]) -> bool {
    matches!(bytes, [20..=23, 3, 0..=4, ..])
}
