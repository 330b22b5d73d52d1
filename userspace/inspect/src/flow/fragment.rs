//! Where the later fragments of a datagram belong: they have no ports of their own. Each byte of a
//! datagram belongs to it once, as in the kernel (see [`octroi_abi::fragment`]).

use std::collections::{HashMap, VecDeque};

use foldhash::fast::RandomState;
use octroi_abi::fragment::{FORGOTTEN_AFTER_NS, FRAGMENTS_ENTRIES, UNIT_BYTES};
use octroi_abi::opaque::Opaque;

use super::{flow_ports, mapped};
use crate::packet::{Fragment, Parsed, protocol};

/// Longest datagram, bytes.
const MAX_BYTES: u32 = 65_535;
/// Bytes of a TCP header: no later fragment has any of them.
const TCP_BYTES: u32 = 20;

/// What fragments of one datagram share (RFC 791, RFC 8200 section 4.5).
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
struct Datagram {
    source: [u8; 16],
    destination: [u8; 16],
    identification: u32,
    protocol: u8,
}

/// What is kept of a datagram whose first fragment was seen.
struct State {
    first_ns: u64,
    source_port: u16,
    destination_port: u16,
    /// The one behind the extension headers.
    protocol: u8,
    /// A bit for each unit of eight bytes that came; as many words as were needed.
    bitmap: Vec<u64>,
    units: u32,
    /// Units of the whole datagram, when its last fragment came.
    end: Option<u32>,
    /// Unit behind the highest one that came.
    highest: u32,
    /// Fragments overlapped: none passes any more.
    is_spoiled: bool,
}

/// Ports of the datagrams whose first fragment was seen. Bounded: the oldest are forgotten.
pub struct FragmentTable {
    datagrams: HashMap<Datagram, State, RandomState>,
    order: VecDeque<Datagram>,
    limit: usize,
}

impl Default for FragmentTable {
    fn default() -> Self {
        Self::new(FRAGMENTS_ENTRIES as usize)
    }
}

impl FragmentTable {
    /// A table of at most `limit` datagrams.
    #[must_use]
    pub fn new(limit: usize) -> Self {
        Self {
            datagrams: HashMap::default(),
            order: VecDeque::new(),
            limit: limit.max(1),
        }
    }

    /// Gives a later fragment, seen at `time_ns`, the ports of its datagram; remembers those of a
    /// first fragment.
    ///
    /// # Errors
    ///
    /// A later fragment whose first one was not seen, or one that brings bytes which came already,
    /// would rewrite headers (RFC 3128, RFC 5722), or contradicts itself.
    pub fn resolve(&mut self, packet: &mut Parsed<'_>, time_ns: u64) -> Result<(), Opaque> {
        let Some(fragment) = packet.fragment else {
            return Ok(());
        };
        let bytes = bytes_of(packet);
        if let Some(bytes) = bytes
            && (bytes == 0
                || fragment.more && !bytes.is_multiple_of(UNIT_BYTES)
                || fragment.offset_bytes + bytes > MAX_BYTES)
        {
            return Err(Opaque::Malformed);
        }
        let datagram = Datagram {
            source: mapped(packet.source),
            destination: mapped(packet.destination),
            identification: fragment.identification,
            protocol: fragment.protocol,
        };
        let known = self.datagrams.get_mut(&datagram);
        if fragment.offset_bytes == 0 {
            if let Some(state) = known
                && !state.is_past(time_ns)
            {
                state.cover(fragment, bytes);
                return Err(Opaque::FragmentOverlapping);
            }
            let mut state = State::new(packet, time_ns);
            state.cover(fragment, bytes);
            self.keep(datagram, state);
            return Ok(());
        }
        let Some(state) = known.filter(|state| !state.is_forgotten(time_ns)) else {
            return Err(
                if fragment.protocol == protocol::TCP && fragment.offset_bytes < TCP_BYTES {
                    Opaque::FragmentOverlapping
                } else {
                    Opaque::FragmentWithoutFirst
                },
            );
        };
        if !state.cover(fragment, bytes) {
            return Err(Opaque::FragmentOverlapping);
        }
        packet.source_port = state.source_port;
        packet.destination_port = state.destination_port;
        packet.protocol = state.protocol;
        Ok(())
    }

    fn keep(&mut self, datagram: Datagram, state: State) {
        if self.datagrams.insert(datagram, state).is_some() {
            return;
        }
        if self.order.len() >= self.limit
            && let Some(oldest) = self.order.pop_front()
        {
            self.datagrams.remove(&oldest);
        }
        self.order.push_back(datagram);
    }
}

/// The fragment's own bytes of its datagram; `None`: the capture left some out.
fn bytes_of(packet: &Parsed<'_>) -> Option<u32> {
    let payload = u32::try_from(packet.payload.len()).ok()?;
    (!packet.cut).then_some(packet.header_bytes + payload)
}

impl State {
    fn new(packet: &Parsed<'_>, first_ns: u64) -> Self {
        let (source_port, destination_port) = flow_ports(packet);
        Self {
            first_ns,
            source_port,
            destination_port,
            protocol: packet.protocol,
            bitmap: Vec::new(),
            units: 0,
            end: None,
            highest: 0,
            is_spoiled: false,
        }
    }

    fn is_forgotten(&self, now_ns: u64) -> bool {
        now_ns.saturating_sub(self.first_ns) > FORGOTTEN_AFTER_NS
    }

    /// Whether a new datagram may have this one's number.
    fn is_past(&self, now_ns: u64) -> bool {
        self.end.is_some_and(|end| self.units >= end) || self.is_forgotten(now_ns)
    }

    /// Notes the bytes of a fragment; false when it must not pass. Of a fragment that the capture
    /// left short only the first unit is sure.
    fn cover(&mut self, fragment: Fragment, bytes: Option<u32>) -> bool {
        let from = fragment.offset_bytes / UNIT_BYTES;
        let to = bytes.map_or(from + 1, |bytes| {
            (fragment.offset_bytes + bytes).div_ceil(UNIT_BYTES)
        });
        let (seen, missing) = self.mark(from, to);
        if !seen {
            self.units += to - from;
        } else if missing {
            self.is_spoiled = true;
        }
        self.highest = self.highest.max(to);
        if bytes.is_some() {
            if fragment.more {
                self.is_spoiled |= self.end.is_some_and(|end| to > end);
            } else {
                self.is_spoiled |= self.end.is_some_and(|end| end != to) || self.highest > to;
                self.end = Some(to);
            }
        }
        !seen && !self.is_spoiled
    }

    /// Sets the bits of the units `from` to `to`; whether any was set before, and whether any was
    /// not.
    fn mark(&mut self, from: u32, to: u32) -> (bool, bool) {
        let (mut seen, mut missing) = (false, false);
        let words = to.div_ceil(64) as usize;
        if self.bitmap.len() < words {
            self.bitmap.resize(words, 0);
        }
        for (index, word) in (0_u32..).zip(&mut self.bitmap).skip(from as usize / 64) {
            let begin = index * 64;
            if begin >= to {
                break;
            }
            let low = from.saturating_sub(begin);
            let high = (begin + 64).saturating_sub(to);
            let mask = (!0_u64 << low) & (!0_u64 >> high);
            seen |= *word & mask != 0;
            missing |= !*word & mask != 0;
            *word |= mask;
        }
        (seen, missing)
    }
}
