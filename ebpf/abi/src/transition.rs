//! Addresses that stand for an IPv4 address: one rule for the kernel and for userspace.
//!
//! A destination that embeds a global IPv4 address is judged by that address: its class and AS are
//! those of the IPv4 address, and conditions on prefixes hold for either ([`Marks::through`]). One
//! that embeds an address that is not global (private, special use) is judged as the IPv6 address
//! it is: RFC 6052 section 3.1 and RFC 3056 section 2 forbid it, and it must not open what the
//! policy allows for one's own networks.
//!
//! Not unwrapped: ISATAP (RFC 5214) and 6rd (RFC 5969) addresses, which are routed by an ordinary
//! prefix of an ordinary operator.
//!
//! Addresses are two words in host byte order: the high and the low 64 bits.

/// How an address stands for an IPv4 address.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
#[repr(u8)]
pub enum Transition {
    /// The NAT64 prefix that everybody knows, `64:ff9b::/96` (RFC 6052 section 2.1).
    WellKnownNat64 = 1,
    /// A NAT64 prefix that the policy names (RFC 6052 section 2.2; RFC 8215).
    ConfiguredNat64 = 2,
    /// 6to4, `2002::/16` (RFC 3056).
    SixToFour = 3,
    /// Teredo, `2001::/32`: the client behind its NAT (RFC 4380 section 4).
    Teredo = 4,
    /// IPv4-mapped, `::ffff:0:0/96` (RFC 4291 section 2.5.5.2): the IPv4 address itself.
    Mapped = 5,
    /// IPv4-compatible, `::/96` (RFC 4291 section 2.5.5.1, deprecated).
    Compatible = 6,
}

impl Transition {
    /// The word of explanations and alerts.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::WellKnownNat64 => "NAT64",
            Self::ConfiguredNat64 => "configured NAT64",
            Self::SixToFour => "6to4",
            Self::Teredo => "Teredo",
            Self::Mapped => "IPv4-mapped",
            Self::Compatible => "IPv4-compatible",
        }
    }

    /// Whether the condition `special = ["transition"]` holds for the address, although it is
    /// judged by what it embeds: who carries the packet to that address is nobody's choice. Not so
    /// for a translator that the policy names.
    #[must_use]
    pub const fn is_special(self) -> bool {
        !matches!(self, Self::ConfiguredNat64 | Self::Mapped)
    }
}

/// The IPv4 address in a well-known transition address, global or not.
#[must_use]
#[inline(always)]
pub const fn well_known(high: u64, low: u64) -> Option<(u32, Transition)> {
    let top = high >> 32;
    let last = low as u32;
    if top >> 16 == 0x2002 {
        return Some(((high >> 16) as u32, Transition::SixToFour));
    }
    if top == 0x2001_0000 {
        return Some((!last, Transition::Teredo));
    }
    if high == 0x0064_ff9b_0000_0000 && low >> 32 == 0 {
        return Some((last, Transition::WellKnownNat64));
    }
    if high != 0 {
        return None;
    }
    match low >> 32 {
        0xffff => Some((last, Transition::Mapped)),
        // `::` and `::1` are addresses of their own.
        0 if last > 1 => Some((last, Transition::Compatible)),
        _ => None,
    }
}

/// The IPv4 address behind a NAT64 prefix of `length` bits (RFC 6052 section 2.2); `None` for
/// another length, or when the bits 64 to 71 are not zero as they must be.
#[must_use]
#[inline(always)]
pub const fn nat64(high: u64, low: u64, length: u32) -> Option<u32> {
    if length == 96 {
        return Some(low as u32);
    }
    if low >> 56 != 0 {
        return None;
    }
    let address = match length {
        32 => high,
        40 => high << 8 | low >> 48 & 0xff,
        48 => high << 16 | low >> 40 & 0xffff,
        56 => high << 24 | low >> 32 & 0x00ff_ffff,
        64 => low >> 24,
        _ => return None,
    };
    Some(address as u32)
}

/// Whether a NAT64 prefix can have this length.
#[must_use]
pub const fn is_nat64_length(length: u8) -> bool {
    matches!(length, 32 | 40 | 48 | 56 | 64 | 96)
}

/// Whether an IPv4 address is global unicast: in no special-use range (RFC 6890 and its registry,
/// multicast, reserved).
#[must_use]
#[inline(always)]
pub const fn is_global(address: u32) -> bool {
    !matches!(
        address,
        0x0000_0000..=0x00ff_ffff // 0.0.0.0/8
            | 0x0a00_0000..=0x0aff_ffff // 10.0.0.0/8
            | 0x6440_0000..=0x647f_ffff // 100.64.0.0/10
            | 0x7f00_0000..=0x7fff_ffff // 127.0.0.0/8
            | 0xa9fe_0000..=0xa9fe_ffff // 169.254.0.0/16
            | 0xac10_0000..=0xac1f_ffff // 172.16.0.0/12
            | 0xc000_0000..=0xc000_00ff // 192.0.0.0/24
            | 0xc000_0200..=0xc000_02ff // 192.0.2.0/24
            | 0xc058_6300..=0xc058_63ff // 192.88.99.0/24
            | 0xc0a8_0000..=0xc0a8_ffff // 192.168.0.0/16
            | 0xc612_0000..=0xc613_ffff // 198.18.0.0/15
            | 0xc633_6400..=0xc633_64ff // 198.51.100.0/24
            | 0xcb00_7100..=0xcb00_71ff // 203.0.113.0/24
            | 0xe000_0000.. // 224.0.0.0/3
    )
}

/// The IPv4 address that a destination is judged by, and how it is embedded. `configured` is the
/// length of the longest configured NAT64 prefix around the address, 0 for none: that one wins.
#[must_use]
#[inline(always)]
pub const fn judged_by(high: u64, low: u64, configured: u32) -> Option<(u32, Transition)> {
    let found = match configured {
        0 => well_known(high, low),
        length => match nat64(high, low, length) {
            Some(address) => Some((address, Transition::ConfiguredNat64)),
            None => None,
        },
    };
    match found {
        Some((address, _)) if is_global(address) => found,
        _ => None,
    }
}

/// Room of the `NAT64` trie, both halves.
pub const NAT64_ENTRIES: u32 = 64;

/// What the policy's rules know of a destination address: one bit for each distinct combination of
/// conditions on the address (`asn`, `prefix`, `to`, `special = ["transition"]`).
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default)]
#[repr(C)]
pub struct Marks {
    /// Combinations that hold for the address as it is.
    pub holds: u64,
    /// Combinations whose `asn` holds, or that have none.
    pub asn: u64,
    /// Combinations that want this prefix, or want none.
    pub prefix: u64,
    /// Combinations whose `to` holds, or that have none.
    pub to: u64,
    /// Combinations that the address is excluded from (`!` of a prefix; a `to` that includes the
    /// rest of the world, but not the zone of this address).
    pub vetoes: u64,
    /// Combinations that do not ask for a transition address.
    pub plain: u64,
}

impl Marks {
    /// The combinations that hold for an address with these marks which is judged by the IPv4
    /// address with the marks `inner`: `asn` of the inner one; a prefix or a zone that is asked for
    /// may be that of either; what excludes either excludes the packet.
    #[must_use]
    #[inline(always)]
    pub const fn through(&self, inner: &Self, via: Transition) -> u64 {
        let holds = inner.asn
            & (self.prefix | inner.prefix)
            & (self.to | inner.to)
            & !(self.vetoes | inner.vetoes);
        if via.is_special() {
            holds
        } else {
            holds & inner.plain
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn words(address: u128) -> (u64, u64) {
        ((address >> 64) as u64, address as u64)
    }

    fn parse(text: &str) -> (u64, u64) {
        extern crate std;
        words(text.parse::<std::net::Ipv6Addr>().unwrap().into())
    }

    /// The examples of RFC 6052 section 2.4: 192.0.2.33 behind prefixes of every length.
    #[test]
    fn nat64_prefixes_of_every_length() {
        for (text, length) in [
            ("2001:db8:c000:221::", 32),
            ("2001:db8:1c0:2:21::", 40),
            ("2001:db8:122:c000:2:2100::", 48),
            ("2001:db8:122:3c0:0:221::", 56),
            ("2001:db8:122:344:c0:2:2100::", 64),
            ("2001:db8:122:344::192.0.2.33", 96),
        ] {
            let (high, low) = parse(text);
            assert_eq!(nat64(high, low, length), Some(0xc000_0221), "{text}");
        }
        let (high, low) = parse("2001:db8:122:344:1c0:2:2100::");
        assert_eq!(nat64(high, low, 64), None, "bits 64 to 71");
        assert_eq!(nat64(high, 0, 33), None);
    }

    #[test]
    fn well_known_addresses_and_what_they_are_judged_by() {
        let global = 0x144a_0001;
        for (text, via) in [
            ("64:ff9b::20.74.0.1", Some(Transition::WellKnownNat64)),
            ("2002:144a:1::1", Some(Transition::SixToFour)),
            // 203.0.113.1 is the server, the client is inverted.
            ("2001:0:cb00:7101:0:0:ebb5:fffe", Some(Transition::Teredo)),
            ("::ffff:20.74.0.1", Some(Transition::Mapped)),
            ("::20.74.0.1", Some(Transition::Compatible)),
            ("64:ff9b:0:0:1::20.74.0.1", None),
            ("64:ff9b:1::20.74.0.1", None),
            ("64:ff9b::10.1.2.3", None),
            ("2002:c0a8:1::1", None),
            ("::1", None),
            ("::", None),
            ("2001:db8::5efe:20.74.0.1", None),
        ] {
            let (high, low) = parse(text);
            let found = judged_by(high, low, 0);
            assert_eq!(found, via.map(|via| (global, via)), "{text}");
        }
        let (high, low) = parse("64:ff9b::20.74.0.1");
        let configured = Some((global, Transition::ConfiguredNat64));
        assert_eq!(judged_by(high, low, 96), configured);
    }

    #[test]
    fn marks_hold_for_either_address_and_exclusions_for_both() {
        let none = Marks {
            asn: !0,
            to: !0,
            plain: !0,
            ..Marks::default()
        };
        let outer = Marks {
            prefix: 0b001,
            vetoes: 0b100,
            ..none
        };
        let inner = Marks {
            prefix: 0b110,
            asn: 0b111,
            plain: 0b101,
            ..none
        };
        assert_eq!(outer.through(&inner, Transition::SixToFour), 0b011);
        assert_eq!(outer.through(&inner, Transition::ConfiguredNat64), 0b001);
        assert_eq!(inner.through(&outer, Transition::Mapped), 0b011);
    }
}
