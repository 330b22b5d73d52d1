//! Addresses that are no place on the Internet: the IANA special-purpose registries of both
//! families (RFC 6890), multicast, what IANA has not allocated, and transition prefixes.

use std::net::{IpAddr, Ipv4Addr};

use jiff::civil::{Date, date};
use octroi_abi::transition::well_known;

use super::prefix::PrefixSet;
use super::range::Address;
use crate::profile::SpecialUse;

/// The day on which the table was compared with the registries.
pub(crate) const AS_OF: Date = date(2026, 11, 21);

/// One row of the registries. `special: None` is ordinary space within special space.
#[derive(Clone, Copy, Debug)]
pub(crate) struct SpecialRow {
    pub(crate) special: Option<SpecialUse>,
    pub(crate) name: &'static str,
    pub(crate) reference: &'static str,
}

type Row<A> = (A, u8, Option<SpecialUse>, &'static str, &'static str);

const fn v4(a: u8, b: u8, c: u8, d: u8) -> u32 {
    u32::from_be_bytes([a, b, c, d])
}

const fn v6(a: u16, b: u16, c: u16) -> u128 {
    ((a as u128) << 112) | ((b as u128) << 96) | ((c as u128) << 80)
}

use SpecialUse::{Documentation, LinkLocal, Loopback, Multicast, Private, Reserved, Transition};

const V4: [Row<u32>; 16] = [
    (
        v4(0, 0, 0, 0),
        8,
        Some(Reserved),
        "this network",
        "RFC 791 3.2",
    ),
    (v4(10, 0, 0, 0), 8, Some(Private), "private use", "RFC 1918"),
    (
        v4(100, 64, 0, 0),
        10,
        Some(Private),
        "shared address space",
        "RFC 6598",
    ),
    (
        v4(127, 0, 0, 0),
        8,
        Some(Loopback),
        "loopback",
        "RFC 1122 3.2.1.3",
    ),
    (
        v4(169, 254, 0, 0),
        16,
        Some(LinkLocal),
        "link local",
        "RFC 3927",
    ),
    (
        v4(172, 16, 0, 0),
        12,
        Some(Private),
        "private use",
        "RFC 1918",
    ),
    (
        v4(192, 0, 0, 0),
        24,
        Some(Reserved),
        "IETF protocol assignments",
        "RFC 6890 2.1",
    ),
    (
        v4(192, 0, 2, 0),
        24,
        Some(Documentation),
        "TEST-NET-1",
        "RFC 5737",
    ),
    (
        v4(192, 88, 99, 0),
        24,
        Some(Transition),
        "6to4 relay anycast (deprecated)",
        "RFC 7526",
    ),
    (
        v4(192, 168, 0, 0),
        16,
        Some(Private),
        "private use",
        "RFC 1918",
    ),
    (
        v4(198, 18, 0, 0),
        15,
        Some(Reserved),
        "benchmarking",
        "RFC 2544",
    ),
    (
        v4(198, 51, 100, 0),
        24,
        Some(Documentation),
        "TEST-NET-2",
        "RFC 5737",
    ),
    (
        v4(203, 0, 113, 0),
        24,
        Some(Documentation),
        "TEST-NET-3",
        "RFC 5737",
    ),
    (
        v4(224, 0, 0, 0),
        4,
        Some(Multicast),
        "multicast",
        "RFC 5771",
    ),
    (
        v4(240, 0, 0, 0),
        4,
        Some(Reserved),
        "reserved",
        "RFC 1112 4",
    ),
    (
        v4(255, 255, 255, 255),
        32,
        Some(Multicast),
        "limited broadcast",
        "RFC 919 7",
    ),
];

const V6: [Row<u128>; 20] = [
    (
        v6(0, 0, 0),
        3,
        Some(Reserved),
        "outside global unicast",
        "RFC 4291 2.4",
    ),
    (
        v6(0x4000, 0, 0),
        2,
        Some(Reserved),
        "outside global unicast",
        "RFC 4291 2.4",
    ),
    (
        v6(0x8000, 0, 0),
        1,
        Some(Reserved),
        "outside global unicast",
        "RFC 4291 2.4",
    ),
    (1, 128, Some(Loopback), "loopback", "RFC 4291 2.5.3"),
    (
        0xffff_0000_0000,
        96,
        Some(Reserved),
        "IPv4-mapped",
        "RFC 4291 2.5.5.2",
    ),
    (
        v6(0x64, 0xff9b, 0),
        96,
        Some(Transition),
        "NAT64",
        "RFC 6052 2.1",
    ),
    (
        v6(0x64, 0xff9b, 1),
        48,
        Some(Transition),
        "local NAT64",
        "RFC 8215",
    ),
    (
        v6(0x100, 0, 0),
        64,
        Some(Reserved),
        "discard only",
        "RFC 6666",
    ),
    (
        v6(0x2001, 0, 0),
        23,
        Some(Reserved),
        "IETF protocol assignments",
        "RFC 2928",
    ),
    (v6(0x2001, 0, 0), 32, Some(Transition), "Teredo", "RFC 4380"),
    (v6(0x2001, 3, 0), 32, None, "AMT", "RFC 7450"),
    (v6(0x2001, 4, 0x112), 48, None, "AS112-v6", "RFC 7535"),
    (
        v6(0x2001, 0xdb8, 0),
        32,
        Some(Documentation),
        "documentation",
        "RFC 3849",
    ),
    (v6(0x2002, 0, 0), 16, Some(Transition), "6to4", "RFC 3056"),
    (
        v6(0x3fff, 0, 0),
        20,
        Some(Documentation),
        "documentation",
        "RFC 9637",
    ),
    (
        v6(0x5f00, 0, 0),
        16,
        Some(Reserved),
        "segment routing identifiers",
        "RFC 9602",
    ),
    (
        v6(0xfc00, 0, 0),
        7,
        Some(Private),
        "unique local",
        "RFC 4193",
    ),
    (
        v6(0xfe80, 0, 0),
        10,
        Some(LinkLocal),
        "link local",
        "RFC 4291 2.5.6",
    ),
    (
        v6(0xfec0, 0, 0),
        10,
        Some(Reserved),
        "site local (deprecated)",
        "RFC 3879",
    ),
    (
        v6(0xff00, 0, 0),
        8,
        Some(Multicast),
        "multicast",
        "RFC 4291 2.7",
    ),
];

fn set<A: Address>(rows: &[Row<A>]) -> PrefixSet<A, SpecialRow> {
    let rows = rows.iter().map(|&(first, bits, special, name, reference)| {
        let row = SpecialRow {
            special,
            name,
            reference,
        };
        (first, bits, row)
    });
    PrefixSet::new(rows.collect())
}

/// The IPv4 registry.
pub(crate) fn registry_v4() -> PrefixSet<u32, SpecialRow> {
    set(&V4)
}

/// The IPv6 registry.
pub(crate) fn registry_v6() -> PrefixSet<u128, SpecialRow> {
    set(&V6)
}

/// The IPv4 destination that an IPv6 transition address embeds: NAT64 (RFC 6052 2.2, /96), 6to4
/// (RFC 3056 2), Teredo (RFC 4380 4: the client's address, inverted) and IPv4-mapped.
#[must_use]
pub fn embedded_v4(address: IpAddr) -> Option<Ipv4Addr> {
    let IpAddr::V6(address) = address else {
        return None;
    };
    let [high, low] = [0, 64].map(|shift| {
        let half = (u128::from(address) << shift) >> 64;
        u64::try_from(half).unwrap_or_default()
    });
    well_known(high, low).map(|(address, _)| address.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn special(text: &str) -> Option<SpecialUse> {
        let address: IpAddr = text.parse().expect("an address");
        let row = match address {
            IpAddr::V4(address) => registry_v4()
                .around(address.into())
                .next()
                .map(|(_, entry)| entry.item),
            IpAddr::V6(address) => registry_v6()
                .around(address.into())
                .next()
                .map(|(_, entry)| entry.item),
        };
        row.and_then(|row| row.special)
    }

    #[test]
    fn every_registry_row_is_a_network() {
        for (first, bits, ..) in V4 {
            assert_eq!(super::super::range::bounds(first, u32::from(bits)).0, first);
        }
        for (first, bits, ..) in V6 {
            assert_eq!(super::super::range::bounds(first, u32::from(bits)).0, first);
        }
    }

    #[test]
    fn addresses_of_both_families_have_their_use() {
        let cases = [
            ("0.0.0.0", Some(Reserved)),
            ("10.255.255.255", Some(Private)),
            ("11.0.0.0", None),
            ("100.64.0.1", Some(Private)),
            ("100.128.0.0", None),
            ("127.0.0.1", Some(Loopback)),
            ("169.254.169.254", Some(LinkLocal)),
            ("172.31.255.255", Some(Private)),
            ("172.32.0.0", None),
            ("192.0.0.170", Some(Reserved)),
            ("192.0.2.1", Some(Documentation)),
            ("192.88.99.1", Some(Transition)),
            ("198.19.255.255", Some(Reserved)),
            ("223.255.255.255", None),
            ("224.0.0.1", Some(Multicast)),
            ("240.0.0.1", Some(Reserved)),
            ("255.255.255.254", Some(Reserved)),
            ("255.255.255.255", Some(Multicast)),
            ("::", Some(Reserved)),
            ("::1", Some(Loopback)),
            ("::ffff:8.8.8.8", Some(Reserved)),
            ("64:ff9b::808:808", Some(Transition)),
            ("64:ff9b:1::1", Some(Transition)),
            ("100::1", Some(Reserved)),
            ("2001::1", Some(Transition)),
            ("2001:2::1", Some(Reserved)),
            ("2001:4:112::1", None),
            ("2001:200::1", None),
            ("2001:db8::1", Some(Documentation)),
            ("2002:808:808::1", Some(Transition)),
            ("3fff::1", Some(Documentation)),
            ("3fff:1000::", None),
            ("4000::1", Some(Reserved)),
            ("fd00::1", Some(Private)),
            ("fe80::1", Some(LinkLocal)),
            ("fec0::1", Some(Reserved)),
            ("ff02::1", Some(Multicast)),
        ];
        for (text, expected) in cases {
            assert_eq!(special(text), expected, "{text}");
        }
    }

    #[test]
    fn transition_addresses_give_up_what_they_embed() {
        let google = Some(Ipv4Addr::new(8, 8, 8, 8));
        for text in [
            "64:ff9b::808:808",
            "2002:808:808::1",
            "::ffff:8.8.8.8",
            "2001:0:4136:e378:8000:63bf:f7f7:f7f7",
        ] {
            assert_eq!(
                embedded_v4(text.parse().expect("an address")),
                google,
                "{text}"
            );
        }
        assert_eq!(
            embedded_v4("2001:db8::1".parse().expect("an address")),
            None
        );
        assert_eq!(embedded_v4("8.8.8.8".parse().expect("an address")), None);
    }
}
