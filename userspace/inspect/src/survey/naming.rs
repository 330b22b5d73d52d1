//! What a flow was named.

use crate::name::{AppProtocol, Ech, Evidence, NameEvent, NameSource};

/// What a flow was named, and what else a survey keeps beside it.
#[derive(Clone, Debug, Default)]
pub struct Naming {
    /// The best name: SNI before QUIC, Host and DNS; of one kind, the first.
    pub name: Option<Box<Name>>,
    /// Other names of this flow (HTTP requests for several hosts).
    pub other_names: u32,
    /// It became sure that the client's words carry no name.
    pub nameless: bool,
    /// What it speaks.
    pub protocol: Option<AppProtocol>,
    /// What is known of an encrypted hello in it.
    pub ech: Ech,
    /// JA4 fingerprint of the first hello.
    pub ja4: Option<Box<str>>,
    /// Number of its first packet.
    pub began: u64,
    /// Number of the packet that ended it; `None`: it lasted until the end of the capture.
    pub ended: Option<u64>,
    /// Until then only the start of something new is read, capture time.
    pub(super) quiet_until_ns: u64,
    /// Or what repeats the client's stream before this sequence number.
    pub(super) read_to: Option<u32>,
    /// Payloads read: replies, outbound.
    pub(super) samples: [u8; 2],
    /// Its lane.
    pub(super) lane: u8,
}

/// A name of a flow.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Name {
    /// The name.
    pub name: String,
    /// How it was observed.
    pub source: NameSource,
    /// See [`NameEvent::evidence`].
    pub evidence: Evidence,
    /// See [`NameEvent::alpn`].
    pub alpn: Vec<String>,
    /// See [`NameEvent::chain`].
    pub chain: Vec<String>,
}

impl Naming {
    /// The lane of its five-tuple: see [`crate::flow::lane_of`].
    #[must_use]
    pub fn lane(&self) -> u8 {
        self.lane
    }

    pub(super) fn learn(&mut self, event: NameEvent) {
        if event.protocol != AppProtocol::Unknown {
            self.protocol = Some(event.protocol);
        }
        self.ech = self.ech.max(event.ech);
        if self.ja4.is_none() {
            self.ja4 = event.ja4;
        }
        self.nameless |= event.source == NameSource::Nameless;
        if !event.source.names_destination() {
            return;
        }
        match &self.name {
            Some(known) if known.source >= event.source => {
                self.other_names += u32::from(known.name != event.name);
                return;
            }
            Some(_) | None => {}
        }
        self.name = Some(Box::new(Name {
            name: event.name,
            source: event.source,
            evidence: event.evidence,
            alpn: event.alpn,
            chain: event.chain,
        }));
    }
}
