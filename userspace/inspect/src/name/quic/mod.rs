//! QUIC: the hello in a client's Initial packets (RFC 9000, RFC 9001, RFC 9369), and in the
//! packets of Google's own versions.
//!
//! Initial packets are encrypted with keys that anybody can derive from the connection identifier
//! the client chose. A packet is believed only when its authentication tag is right.

mod frames;
mod google;
mod header;
mod keys;
mod version;

use super::assembler::{Assembler, Refused};
use super::ja4::Transport;
use super::tls::{self, ClientHello, Progress};
use header::{Initial, Packet};
use keys::Keys;

/// Initial packets tried in one flow.
const MAX_ATTEMPTS: u16 = 64;

/// What a datagram brought.
pub(super) enum Read {
    /// A whole hello.
    Hello(ClientHello),
    /// Looks like a client's first, does not decrypt.
    Undecryptable,
    /// A version without known keys.
    UnknownVersion,
    /// The hello is longer than allowed.
    TooLong,
    /// The stream is no hello.
    Malformed,
    /// Pieces of the hello contradict each other.
    Contradicts,
    /// Data sent before the hello could be read (0-RTT).
    Early,
    /// No Initial packet, or a part of a hello.
    Nothing,
}

/// A client's side of a flow's connection.
#[derive(Default)]
pub(super) struct Connection {
    keys: Option<Keys>,
    crypto: Assembler,
    /// The hello was told, or given up: whose it was (the connection identifier the client chose).
    told: Option<Box<[u8]>>,
    /// The identifier that the keys were made from.
    chosen: Box<[u8]>,
    attempts: u16,
}

/// Whether a datagram can be QUIC with a readable hello.
pub(super) fn may_be(datagram: &[u8]) -> bool {
    header::has_long_form(datagram) || google::has_version(datagram)
}

impl Connection {
    pub(super) fn held(&self) -> usize {
        self.crypto.held()
    }

    pub(super) fn is_incomplete(&self) -> bool {
        self.crypto.held() > 0
    }

    /// Reads a datagram; holds at most `limit` bytes of hello.
    pub(super) fn read(&mut self, datagram: &[u8], limit: usize) -> Read {
        match google::read(datagram) {
            google::Clear::Hello(hello) => return Read::Hello(hello),
            google::Clear::WithoutHello => return Read::Nothing,
            google::Clear::OtherVersion => {}
        }
        let mut rest = datagram;
        let mut result = Read::Nothing;
        while let Some((packet, after)) = header::next(rest) {
            match packet {
                Packet::Initial(initial) => match self.initial(&initial, limit) {
                    hello @ Read::Hello(_) => return hello,
                    Read::Nothing => {}
                    other => result = other,
                },
                Packet::UnknownVersion => return Read::UnknownVersion,
                Packet::Early if self.told.is_none() && self.attempts < MAX_ATTEMPTS => {
                    self.attempts += 1;
                    if matches!(result, Read::Nothing) {
                        result = Read::Early;
                    }
                }
                Packet::Early | Packet::Other => {}
            }
            rest = after;
        }
        result
    }

    fn initial(&mut self, initial: &Initial<'_>, limit: usize) -> Read {
        if self.attempts >= MAX_ATTEMPTS {
            if !self.is_incomplete() {
                return Read::Nothing;
            }
            self.end();
            return Read::TooLong;
        }
        if self.told.as_deref() == Some(initial.destination) {
            return Read::Nothing;
        }
        self.attempts += 1;
        let known = self
            .keys
            .as_ref()
            .and_then(|keys| keys.open(initial).map(|plain| (plain, None)));
        // Another connection in the same flow, or the client's second try after a Retry.
        let found = known.or_else(|| {
            initial.schemes.iter().find_map(|scheme| {
                let keys = Keys::of_client(scheme, initial.destination);
                keys.open(initial).map(|plain| (plain, Some(keys)))
            })
        });
        let Some((plain, keys)) = found else {
            // Servers answer with Initial packets too, under keys of their own.
            return if self.keys.is_some() || self.told.is_some() {
                Read::Nothing
            } else {
                Read::Undecryptable
            };
        };
        if let Some(keys) = keys {
            self.keys = Some(keys);
            self.crypto = Assembler::default();
            self.chosen = initial.destination.into();
        }
        let crypto = &mut self.crypto;
        let style = initial.frames;
        let inserted = frames::each_crypto(&plain, style, |offset, bytes| {
            crypto.insert(offset, bytes, limit)
        });
        match inserted {
            Err(frames::Stop::Refused(Refused::TooLong)) => {
                self.end();
                return Read::TooLong;
            }
            Err(frames::Stop::Refused(Refused::Contradicts)) => {
                self.end();
                return Read::Contradicts;
            }
            Err(frames::Stop::Malformed) if self.crypto.data().is_empty() => {
                return Read::Malformed;
            }
            Ok(()) | Err(frames::Stop::Malformed) => {}
        }
        let stream = self.crypto.data();
        let progress = if stream.starts_with(b"CHLO") {
            google::hello(stream).map_or(Progress::More(ClientHello::default()), Progress::Whole)
        } else {
            tls::handshake(stream, Transport::Quic)
        };
        match progress {
            Progress::Whole(hello) => {
                self.end();
                Read::Hello(hello)
            }
            Progress::More(_) => Read::Nothing,
            Progress::Not => {
                self.end();
                Read::Malformed
            }
        }
    }

    /// Nothing more is read of this connection: only whose it was is kept.
    fn end(&mut self) {
        self.keys = None;
        self.crypto = Assembler::default();
        self.told = Some(std::mem::take(&mut self.chosen));
    }
}

#[cfg(test)]
pub(super) mod tests;
