//! DNS messages (RFC 1035): questions, and the answers that bind a name to addresses.
//!
//! Extensions (EDNS, RFC 6891) stand behind the answers and change nothing here.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use super::svcb::{self, ServiceRecord};

pub(super) const HEADER_BYTES: usize = 12;
/// Longest name on the wire (RFC 1035 section 2.3.4).
const MAX_NAME_BYTES: usize = 255;
/// Most questions and answers read of one message.
const MAX_QUESTIONS: u16 = 32;
const MAX_ANSWERS: u16 = 256;
/// Longest chain of aliases that is followed.
pub const MAX_CHAIN: usize = 16;

/// Flag of a message that was cut to fit.
const TRUNCATED: u16 = 0x0200;

const TYPE_A: u16 = 1;
const TYPE_CNAME: u16 = 5;
const TYPE_AAAA: u16 = 28;
const TYPE_SVCB: u16 = 64;
/// A question of it is about the keys of encrypted hellos too.
pub(super) const TYPE_HTTPS: u16 = 65;
const CLASS_INTERNET: u16 = 1;

/// A message, as far as naming needs it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Message {
    /// Matches an answer to its query.
    pub id: u16,
    /// An answer, not a query.
    pub is_response: bool,
    /// 0: a standard query.
    pub operation: u8,
    /// 0: no error.
    pub response_code: u8,
    /// What is asked.
    pub questions: Vec<Question>,
    /// What is answered, up to the first record that cannot be read.
    pub answers: Vec<Record>,
    /// Not every answer could be read, or the server says that it left some out.
    pub is_cut_short: bool,
}

/// One question.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Question {
    /// Lower case, no trailing dot; empty for the root. `None`: has characters that are not
    /// printable, or a dot inside a label.
    pub name: Option<String>,
    /// Type asked.
    pub kind: u16,
}

/// One answer.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Record {
    /// Whose it is, as in [`Question`].
    pub name: Option<String>,
    /// Seconds it holds.
    pub ttl_seconds: u32,
    /// What it says.
    pub data: RecordData,
}

/// What an answer says.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum RecordData {
    /// An address (A, AAAA).
    Address(IpAddr),
    /// The name is an alias of this one.
    Alias(Option<String>),
    /// Where a service is provided, and how (HTTPS, SVCB).
    Service(Box<ServiceRecord>),
    /// Another type, or malformed.
    Other,
}

/// A message that cannot be read.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum DnsError {
    /// It ends within its header or a question.
    #[error("the DNS message ends within its header or a question")]
    CutShort,
    /// A name that loops, is too long or has an unknown label type.
    #[error("the DNS message has a name that loops, is too long or has an unknown label type")]
    Name,
    /// More questions than any client sends.
    #[error("the DNS message has more than {MAX_QUESTIONS} questions")]
    TooMany,
}

impl Message {
    /// Reads a message.
    ///
    /// # Errors
    ///
    /// The header or a question cannot be read. Answers that cannot be read are left out.
    pub fn read(bytes: &[u8]) -> Result<Self, DnsError> {
        let header = bytes.get(..HEADER_BYTES).ok_or(DnsError::CutShort)?;
        let word = |at: usize| u16::from_be_bytes([header[at], header[at + 1]]);
        let flags = word(2);
        let (asked, answered) = (word(4), word(6));
        if asked > MAX_QUESTIONS {
            return Err(DnsError::TooMany);
        }
        let mut message = Self {
            id: word(0),
            is_response: flags & 0x8000 != 0,
            operation: (flags >> 11 & 0xf) as u8,
            response_code: (flags & 0xf) as u8,
            questions: Vec::with_capacity(usize::from(asked)),
            answers: Vec::new(),
            is_cut_short: answered > MAX_ANSWERS || flags & TRUNCATED != 0,
        };
        let mut at = HEADER_BYTES;
        for _ in 0..asked {
            let name = name(bytes, &mut at)?;
            let fixed = bytes.get(at..at + 4).ok_or(DnsError::CutShort)?;
            at += 4;
            message.questions.push(Question {
                name,
                kind: u16::from_be_bytes([fixed[0], fixed[1]]),
            });
        }
        for _ in 0..answered.min(MAX_ANSWERS) {
            let Ok(record) = record(bytes, &mut at) else {
                message.is_cut_short = true;
                break;
            };
            message.answers.push(record);
        }
        Ok(message)
    }

    /// The addresses answered for the name asked, and the aliases that led there. A chain of
    /// aliases that loops or is longer than [`MAX_CHAIN`] leads nowhere.
    #[must_use]
    pub fn resolution(&self) -> Resolution<'_> {
        let mut found = Resolution::default();
        let Some(asked) = self.questions.first().and_then(|asked| asked.name.as_ref()) else {
            return found;
        };
        let mut owner = asked;
        let mut ttl = u32::MAX;
        // Answers need not stand in the order of the chain.
        while let Some((target, alias_ttl)) = self.alias_of(owner) {
            if found.chain.len() >= MAX_CHAIN || target == asked || found.chain.contains(target) {
                return Resolution {
                    is_endless: true,
                    ..Resolution::default()
                };
            }
            ttl = ttl.min(alias_ttl);
            found.chain.push(target.clone());
            owner = target;
        }
        for record in &self.answers {
            if record.name.as_ref() != Some(owner) {
                continue;
            }
            let ttl = ttl.min(record.ttl_seconds);
            match &record.data {
                RecordData::Address(address) => found.addresses.push((*address, ttl)),
                RecordData::Service(service) => found.services.push((service, ttl)),
                RecordData::Alias(_) | RecordData::Other => {}
            }
        }
        found
    }

    fn alias_of(&self, owner: &String) -> Option<(&String, u32)> {
        self.answers.iter().find_map(|record| match &record.data {
            RecordData::Alias(Some(target)) if record.name.as_ref() == Some(owner) => {
                Some((target, record.ttl_seconds))
            }
            _ => None,
        })
    }
}

/// Where an answer leads.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Resolution<'a> {
    /// Targets of the aliases (CNAME), in order, beginning with that of the name asked.
    pub chain: Vec<String>,
    /// The addresses, each with the least TTL of its chain in seconds.
    pub addresses: Vec<(IpAddr, u32)>,
    /// The services, likewise.
    pub services: Vec<(&'a ServiceRecord, u32)>,
    /// The aliases loop, or are too many: they lead nowhere.
    pub is_endless: bool,
}

fn record(bytes: &[u8], at: &mut usize) -> Result<Record, DnsError> {
    let owner = name(bytes, at)?;
    let fixed = bytes.get(*at..*at + 10).ok_or(DnsError::CutShort)?;
    let word = |at: usize| u16::from_be_bytes([fixed[at], fixed[at + 1]]);
    let (kind, class, length) = (word(0), word(2), usize::from(word(8)));
    let ttl_seconds = u32::from_be_bytes([fixed[4], fixed[5], fixed[6], fixed[7]]);
    *at += 10;
    let mut inner = *at;
    let value = bytes.get(*at..*at + length).ok_or(DnsError::CutShort)?;
    *at += length;
    let data = match kind {
        _ if class != CLASS_INTERNET => RecordData::Other,
        TYPE_A => match <[u8; 4]>::try_from(value) {
            Ok(octets) => RecordData::Address(IpAddr::V4(Ipv4Addr::from(octets))),
            Err(_) => RecordData::Other,
        },
        TYPE_AAAA => match <[u8; 16]>::try_from(value) {
            Ok(octets) => RecordData::Address(IpAddr::V6(Ipv6Addr::from(octets))),
            Err(_) => RecordData::Other,
        },
        TYPE_CNAME => RecordData::Alias(name(bytes, &mut inner)?),
        TYPE_SVCB | TYPE_HTTPS => match svcb::read(bytes, inner, *at) {
            Some(service) => RecordData::Service(Box::new(service)),
            None => RecordData::Other,
        },
        _ => RecordData::Other,
    };
    Ok(Record {
        name: owner,
        // The top bit is to be read as zero (RFC 2181 section 8).
        ttl_seconds: if ttl_seconds > 0x7fff_ffff {
            0
        } else {
            ttl_seconds
        },
        data,
    })
}

/// Reads a name and moves `at` behind it. Compression pointers must point backwards, each further
/// than the one before, and behind the header: a loop is impossible.
pub(super) fn name(bytes: &[u8], at: &mut usize) -> Result<Option<String>, DnsError> {
    let mut text = String::new();
    let mut printable = true;
    let mut place = *at;
    let mut lowest = *at;
    let mut jumped = false;
    let mut wire_bytes = 1;
    loop {
        let length = *bytes.get(place).ok_or(DnsError::CutShort)?;
        match length >> 6 {
            0 if length == 0 => {
                if !jumped {
                    *at = place + 1;
                }
                return Ok(printable.then_some(text));
            }
            0 => {
                let label = bytes
                    .get(place + 1..place + 1 + usize::from(length))
                    .ok_or(DnsError::CutShort)?;
                wire_bytes += 1 + label.len();
                if wire_bytes > MAX_NAME_BYTES {
                    return Err(DnsError::Name);
                }
                if !text.is_empty() {
                    text.push('.');
                }
                for &byte in label {
                    printable &= byte.is_ascii_graphic() && byte != b'.';
                    text.push(char::from(byte.to_ascii_lowercase()));
                }
                place += 1 + label.len();
            }
            3 => {
                let low = *bytes.get(place + 1).ok_or(DnsError::CutShort)?;
                if !jumped {
                    *at = place + 2;
                    jumped = true;
                }
                place = usize::from(length & 0x3f) << 8 | usize::from(low);
                // No name stands in the header.
                if place >= lowest || place < HEADER_BYTES {
                    return Err(DnsError::Name);
                }
                lowest = place;
            }
            _ => return Err(DnsError::Name),
        }
    }
}
