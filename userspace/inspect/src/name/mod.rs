//! Naming flows from what they say: DNS, TLS, QUIC and HTTP.
//!
//! A [`Namer`] takes payloads in the order they were seen and yields names. What was observed is
//! told; nothing is guessed: a name that is no host name, a hello that was lost in part, an
//! address that two names share give no name, and a counter of [`NamerStats`] says so. When it is
//! sure that the client's words carry no name, that is told too. All that is kept is bounded by
//! [`NamerLimits`].

mod assembler;
mod binding;
mod certificate;
mod dns;
mod dtls;
mod event;
mod fair;
mod hostname;
mod http;
mod http2;
mod ja4;
mod limits;
mod memo;
mod namer;
mod protocol;
mod quic;
mod refusal;
mod service;
mod shape;
mod start;
mod svcb;
mod talk;
mod tls;

pub use binding::{Binding, Bindings, MAX_TTL_NS, MIN_TTL_NS};
pub(crate) use certificate::may_be_tor;
pub use certificate::names as certificate_names;
pub use dns::{DnsError, MAX_CHAIN, Message, Question, Record, RecordData, Resolution};
pub use event::{Ech, Evidence, Heard, NameEvent, NameSource, Sample};
pub use hostname::{hostname, is_hostname};
pub use http::{Head, begins_request, request_head};
pub use http2::first_request as http2_request;
pub use limits::{NamerLimits, NamerStats};
pub use namer::{Namer, Rest, may_begin};
pub use protocol::AppProtocol;
pub use refusal::refusal;
pub use svcb::{EchConfig, ServiceRecord};
pub use tls::{ClientHello, EncryptedHello, Progress, client_hello};

#[cfg(test)]
mod tests;
