//! What parsing leaves of a packet.

use core::mem::transmute;

use octroi_abi::flow::FlowKey;
use octroi_abi::opaque::Opaque;
use octroi_abi::outcome::Direction;

use crate::fragment::Piece;

/// IP protocol numbers that are told apart (IANA "Protocol Numbers").
pub mod protocol {
    pub const ICMP: u8 = 1;
    pub const IGMP: u8 = 2;
    pub const TCP: u8 = 6;
    pub const UDP: u8 = 17;
    pub const DCCP: u8 = 33;
    pub const ICMPV6: u8 = 58;
    pub const SCTP: u8 = 132;
    pub const UDP_LITE: u8 = 136;
}

/// TCP flags (RFC 9293 section 3.1).
pub mod tcp {
    pub const FIN: u8 = 0x01;
    pub const SYN: u8 = 0x02;
    pub const RST: u8 = 0x04;
    pub const ACK: u8 = 0x10;
}

/// Codes of [`Packet::fragment`].
pub mod fragment {
    /// Not a fragment.
    pub const WHOLE: u8 = 0;
    /// The fragment that holds the transport header.
    pub const FIRST: u8 = 1;
    /// Any other.
    pub const LATER: u8 = 2;
}

/// An address as it stands in a [`FlowKey`], as two words in memory order.
pub type Address = [u64; 2];

/// The mapped form of an IPv4 address (word in memory order).
#[inline(always)]
pub fn mapped(address: u32) -> Address {
    [0, 0xffff_0000 | (address as u64) << 32]
}

/// A packet. Offsets are from the start of the frame, in bytes.
#[repr(C)]
pub struct Packet {
    /// The flow; meaningful when `addressed`.
    pub key: FlowKey,
    /// IP bytes, as on the wire: the headers count once for each segment.
    pub ip_bytes: u64,
    /// Wire segments.
    pub segments: u32,
    /// Where the IP header begins; 0: there is no link header.
    pub network: u32,
    /// Where the TCP header begins; 0: this is not TCP, or it cannot be read.
    pub transport: u32,
    /// Where the transport payload begins; 0: there is none that can be read.
    pub payload: u32,
    /// Its bytes in this frame.
    pub payload_bytes: u32,
    /// TCP sequence number.
    pub sequence: u32,
    /// TCP acknowledgment number.
    pub acknowledgment: u32,
    /// TCP flags; 0 for anything else.
    pub tcp_flags: u8,
    /// [`Opaque`] code.
    pub opaque: u8,
    /// 1: both addresses could be read. (No `bool`: the bytes stand in a map.)
    pub addressed: u8,
    /// See [`fragment`].
    pub fragment: u8,
    /// IPv4 time to live or IPv6 hop limit.
    pub hop_limit: u8,
    /// Type of an ICMP or ICMPv6 message.
    pub icmp_type: u8,
    /// Its code.
    pub icmp_code: u8,
    /// 1: the link's own traffic that is not IP, and not opaque (ARP, PPPoE discovery, ...).
    pub link_control: u8,
    /// The fragment that it is, when it is one.
    pub piece: Piece,
    /// Bytes that a PPPoE header gives to the IP packet; 0: none does.
    pub room: u16,
    /// Where that header begins; 0: there is none.
    pub session: u8,
    /// 1: behind MPLS labels, which are good for this direction only.
    pub labelled: u8,
}

impl Packet {
    /// Forgets the packet before.
    #[inline(always)]
    pub fn reset(&mut self) {
        self.key = flow_key(Direction::Outbound, [0; 2], [0; 2], 0, 0, 0, 0);
        self.ip_bytes = 0;
        self.segments = 1;
        self.network = 0;
        self.transport = 0;
        self.payload = 0;
        self.payload_bytes = 0;
        self.sequence = 0;
        self.acknowledgment = 0;
        self.tcp_flags = 0;
        self.opaque = 0;
        self.addressed = 0;
        self.fragment = fragment::WHOLE;
        self.hop_limit = 0;
        self.icmp_type = 0;
        self.icmp_code = 0;
        self.link_control = 0;
        self.room = 0;
        self.session = 0;
        self.labelled = 0;
    }

    /// Whether an IP packet of `total` bytes is longer than the link layer says.
    #[inline(always)]
    pub fn exceeds_room(&self, total: u32) -> bool {
        self.room != 0 && total > self.room as u32
    }

    /// Notes a kind of opacity that ends parsing.
    #[inline(always)]
    pub fn give_up(&mut self, kind: Opaque) {
        self.opaque = kind.code();
        self.payload = 0;
        self.payload_bytes = 0;
    }

    /// Notes a kind of opacity that a flow can have; the first one found stays.
    #[inline(always)]
    pub fn note(&mut self, kind: Opaque) {
        if self.opaque == Opaque::None.code() {
            self.opaque = kind.code();
        }
    }

    /// Sets the key from addresses and ports as they stand in the packet (ports in host order).
    #[inline(always)]
    pub fn set_key(
        &mut self,
        direction: Direction,
        source: Address,
        destination: Address,
        ports: [u16; 2],
        protocol: u8,
        family: u8,
    ) {
        self.key = flow_key(
            direction,
            source,
            destination,
            ports[0],
            ports[1],
            protocol,
            family,
        );
    }

    /// Sets the ports of a key that has its addresses.
    #[inline(always)]
    pub fn set_ports(&mut self, direction: Direction, source: u16, destination: u16) {
        match direction {
            Direction::Outbound => {
                self.key.inside_port = source;
                self.key.outside_port = destination;
            }
            Direction::Reply => {
                self.key.inside_port = destination;
                self.key.outside_port = source;
            }
        }
    }

    /// Whether the packet can have a flow of its own (`Opaque::has_flow`).
    #[inline(always)]
    pub fn has_flow(&self) -> bool {
        self.addressed != 0
            && (self.opaque == Opaque::None.code() || self.opaque >= Opaque::SourceRouted.code())
    }
}

/// Built in words: the key is hashed and compared on every packet.
#[inline(always)]
pub fn flow_key(
    direction: Direction,
    source: Address,
    destination: Address,
    source_port: u16,
    destination_port: u16,
    protocol: u8,
    family: u8,
) -> FlowKey {
    let (inside, outside, inside_port, outside_port) = match direction {
        Direction::Outbound => (source, destination, source_port, destination_port),
        Direction::Reply => (destination, source, destination_port, source_port),
    };
    let last = inside_port as u64
        | (outside_port as u64) << 16
        | (protocol as u64) << 32
        | (family as u64) << 40;
    // SAFETY: `FlowKey` is repr(C): two addresses, two ports, two codes and two zero bytes, in
    // this order, with an alignment of 8 and without padding.
    unsafe { transmute([inside[0], inside[1], outside[0], outside[1], last]) }
}

/// The bytes of an address of two words.
#[inline(always)]
pub fn octets(address: Address) -> [u8; 16] {
    // SAFETY: both are 16 plain bytes.
    unsafe { transmute(address) }
}

/// The two words of an address of a key.
#[inline(always)]
pub fn words(address: &[u8; 16]) -> Address {
    // SAFETY: addresses stand at offsets 0 and 16 of a key that is aligned to 8.
    unsafe { *core::ptr::from_ref(address).cast::<Address>() }
}
