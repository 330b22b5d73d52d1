//! What the contestants look up: destinations drawn from the atlas, and its prefixes as each of
//! them wants to be given them.

use std::fmt::Write as _;
use std::net::Ipv4Addr;

use ipnet::IpNet;
use octroi_geo_db::atlas::range::{Address, Partition, networks_of};
use octroi_geo_db::{Atlas, CLASS_UNKNOWN, Group};

use crate::Effort;

/// A first and a last address.
pub type Span = (u32, u32);

/// A small generator of numbers (xorshift64*, Vigna 2016): the same ones in every run.
#[derive(Clone, Debug)]
pub struct Numbers(u64);

impl Numbers {
    /// From a seed other than 0.
    #[must_use]
    pub fn new(seed: u64) -> Self {
        Self(seed.max(1))
    }

    /// The next one below `bound`, which is not 0.
    pub fn below(&mut self, bound: u64) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        let high = self.0.wrapping_mul(0x2545_f491_4f6c_dd1d);
        let product = u128::from(high) * u128::from(bound);
        u64::try_from(product >> 64).unwrap_or(0)
    }
}

/// The IPv4 space of which the atlas knows something and that is a place on the Internet.
#[must_use]
pub fn known_space(atlas: &Atlas) -> Vec<Span> {
    spans(atlas, |atlas, class| {
        class != CLASS_UNKNOWN && atlas.profile(class).special.is_none()
    })
}

/// The IPv4 space hosted in the European Union on the atlas's day, neighbours joined.
#[must_use]
pub fn union_space(atlas: &Atlas) -> Vec<Span> {
    let catalogue = atlas.catalogue();
    let day = catalogue.day();
    spans(atlas, |atlas, class| {
        let country = atlas.profile(class).hosting.country;
        country.is_some_and(|code| catalogue.group_contains(Group::Eu, code, day))
    })
}

fn spans(atlas: &Atlas, wanted: impl Fn(&Atlas, u16) -> bool) -> Vec<Span> {
    let mut spans: Vec<Span> = Vec::new();
    for piece in atlas.classes_v4().pieces() {
        if !wanted(atlas, piece.value) {
            continue;
        }
        match spans.last_mut() {
            Some((_, last)) if last.checked_add(1) == Some(piece.first) => *last = piece.last,
            _ => spans.push((piece.first, piece.last)),
        }
    }
    spans
}

/// `count` addresses, each address of the spans as likely as any other.
#[must_use]
pub fn draw(spans: &[Span], count: usize, numbers: &mut Numbers) -> Vec<Ipv4Addr> {
    let mut ends = Vec::with_capacity(spans.len());
    let mut total = 0_u64;
    for (first, last) in spans {
        total += u64::from(*last - *first) + 1;
        ends.push(total);
    }
    if total == 0 {
        return Vec::new();
    }
    let mut address = || {
        let drawn = numbers.below(total);
        let index = ends.partition_point(|end| *end <= drawn);
        let (_, last) = spans.get(index)?;
        let back = ends.get(index)? - 1 - drawn;
        Some(Ipv4Addr::from(u32::try_from(u64::from(*last) - back).ok()?))
    };
    (0..count).filter_map(|_| address()).collect()
}

/// Every prefix of the atlas with its class, both families: what a trie must hold to answer alike.
#[must_use]
pub fn prefixes(atlas: &Atlas) -> Vec<(IpNet, u32)> {
    let mut all = Vec::new();
    add_prefixes(atlas.classes_v4(), &mut all);
    add_prefixes(atlas.classes_v6(), &mut all);
    all
}

fn add_prefixes<A: Address>(classes: &Partition<A, u16>, all: &mut Vec<(IpNet, u32)>) {
    let mut networks = Vec::new();
    for piece in classes.pieces() {
        if piece.value != CLASS_UNKNOWN {
            networks_of(piece.first, piece.last, &mut networks);
            all.extend(
                networks
                    .drain(..)
                    .map(|network| (network, u32::from(piece.value))),
            );
        }
    }
}

/// The spans as networks.
#[must_use]
pub fn networks(spans: &[Span]) -> Vec<IpNet> {
    let mut networks = Vec::new();
    for (first, last) in spans {
        networks_of(*first, *last, &mut networks);
    }
    networks
}

/// Elements of an nftables interval set or map; `value` follows each, such as ` : accept`.
#[must_use]
pub fn nft_elements(spans: &[Span], value: &str) -> String {
    let mut text = String::with_capacity(spans.len() * 40);
    for (first, last) in spans {
        let (first, last) = (Ipv4Addr::from(*first), Ipv4Addr::from(*last));
        let _ = if first == last {
            writeln!(text, "{first}{value},")
        } else {
            writeln!(text, "{first}-{last}{value},")
        };
    }
    text
}

/// Every piece of the atlas's IPv4 table of which something is known: the world, one by one. The EU
/// alone when things are to be short: nftables takes seconds to load the world.
#[must_use]
pub fn pieces(atlas: &Atlas, effort: Effort) -> Vec<Span> {
    if effort.is_short() {
        return union_space(atlas);
    }
    let pieces = atlas.classes_v4().pieces();
    pieces
        .filter(|piece| piece.value != CLASS_UNKNOWN)
        .map(|piece| (piece.first, piece.last))
        .collect()
}

/// What `ipset restore` reads to make the set `name`.
#[must_use]
pub fn ipset_restore(name: &str, networks: &[IpNet]) -> String {
    let room = networks.len().next_power_of_two().max(1024);
    let mut text = format!("create {name} hash:net family inet hashsize {room} maxelem {room}\n");
    for network in networks {
        // The set type holds no prefix of length 0.
        if network.prefix_len() > 0 {
            let _ = writeln!(text, "add {name} {network}");
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn drawn_addresses_lie_in_the_spans_and_reach_both_ends() {
        let spans = [(10, 11), (20, 20), (30, 33)];
        let drawn = draw(&spans, 2_000, &mut Numbers::new(7));
        assert_eq!(drawn.len(), 2_000);
        for expected in [10, 11, 20, 30, 31, 32, 33] {
            let count = drawn.iter().filter(|a| u32::from(**a) == expected).count();
            assert!((180..400).contains(&count), "{expected}: {count}");
        }
        assert_eq!(draw(&[], 3, &mut Numbers::new(7)), Vec::<Ipv4Addr>::new());
        let whole = [(0, u32::MAX)];
        assert_eq!(draw(&whole, 100, &mut Numbers::new(7)).len(), 100);
    }

    #[test]
    fn numbers_are_the_same_in_every_run() {
        let mut numbers = Numbers::new(42);
        let first: Vec<u64> = (0..3).map(|_| numbers.below(1_000)).collect();
        let mut again = Numbers::new(42);
        assert_eq!(
            first,
            (0..3).map(|_| again.below(1_000)).collect::<Vec<_>>()
        );
        assert!(first.iter().any(|number| *number != first[0]));
    }

    #[test]
    fn each_contestant_is_told_in_its_own_words() {
        let spans = [(0x0a00_0000, 0x0a00_0000), (0x0a00_0100, 0x0a00_02ff)];
        let elements = nft_elements(&spans, " : accept");
        assert_eq!(
            elements,
            "10.0.0.0 : accept,\n10.0.1.0-10.0.2.255 : accept,\n"
        );
        let networks = networks(&spans);
        let text = ipset_restore("eu", &networks);
        let lines: Vec<&str> = text.lines().collect();
        assert_eq!(
            lines[0],
            "create eu hash:net family inet hashsize 1024 maxelem 1024"
        );
        assert_eq!(
            lines[1..],
            [
                "add eu 10.0.0.0/32",
                "add eu 10.0.1.0/24",
                "add eu 10.0.2.0/24"
            ]
        );
    }
}
