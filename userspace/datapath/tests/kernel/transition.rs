//! Destinations that stand for an IPv4 address are judged by it, as `Tables` says.

use std::net::IpAddr;

use octroi_abi::outcome::{Direction, Outcome};

use crate::common::frames::{SYN, TCP, tcp, to};
use crate::common::{self, tables};

/// 20.74.0.1 and 51.210.0.1 in every dress, and what is not unwrapped.
const DRESSED: [(&str, u16); 18] = [
    ("20.74.0.1", tables::BLOCKED),
    ("64:ff9b::20.74.0.1", tables::BLOCKED),
    ("2002:144a:1::1", tables::BLOCKED),
    ("2001:0:3333:3333:0:0:ebb5:fffe", tables::BLOCKED),
    ("::ffff:20.74.0.1", tables::BLOCKED),
    ("::20.74.0.1", tables::BLOCKED),
    ("2a01:64:14:4a00:1::", tables::BLOCKED),
    ("51.210.0.1", tables::ALLOWED),
    ("64:ff9b::51.210.0.1", tables::ALLOWED),
    ("2002:33d2:1::1", tables::ALLOWED),
    ("::ffff:51.210.0.1", tables::ALLOWED),
    ("2a01:64:33:d200:1::", tables::ALLOWED),
    // Bits 64 to 71 are not zero: not an address of RFC 6052, judged by 2a01:64::/32.
    ("2a01:64:33:d200:101::", tables::BLOCKED),
    // What is inside is not global: judged as the IPv6 address, of which nothing is known.
    ("64:ff9b::10.1.0.1", tables::UNKNOWN),
    ("2002:a01:1::1", tables::UNKNOWN),
    ("::ffff:10.1.0.1", tables::UNKNOWN),
    ("64:ff9b:1::51.210.0.1", tables::UNKNOWN),
    ("2a01:64:a:100:1::", tables::BLOCKED),
];

#[test]
fn they_are_judged_by_what_they_embed() {
    if common::skipped() {
        return;
    }
    let mut rig = common::rig();
    let world: Vec<_> = [
        ("20.74.0.0/16", tables::BLOCKED),
        ("51.210.0.0/16", tables::ALLOWED),
        ("10.0.0.0/8", tables::ALLOWED),
        ("2a01:64::/32", tables::BLOCKED),
    ]
    .into_iter()
    .map(|(prefix, class)| (prefix.parse().unwrap(), class))
    .collect();
    let mut policy = tables::policy(true);
    policy.nat64 = vec!["2a01:64::/40".parse().unwrap()];
    rig.datapath
        .apply_atlas_and_policy(&tables::atlas_of(&world), &policy)
        .unwrap();
    let class_of = |address: IpAddr| {
        let around = world.iter().filter(|(prefix, _)| prefix.contains(&address));
        around.map(|&(_, class)| class).next().unwrap_or(0)
    };
    for (destination, class) in DRESSED {
        let address = destination.parse().unwrap();
        let looked_up = policy.looked_up(address);
        assert_eq!(class_of(looked_up), class, "{destination} by {looked_up}");
        let frame = to(destination, TCP, tcp(1, 443, SYN, b""));
        let (outcome, _) = rig.outcome(Direction::Outbound, &frame);
        let wanted = if class == tables::ALLOWED {
            Outcome::Allowed
        } else {
            Outcome::Blocked
        };
        assert_eq!(outcome, wanted, "{destination}");
    }
    // Without the translator's prefix its addresses are those of its operator.
    rig.datapath.apply_policy(&tables::policy(true)).unwrap();
    let frame = to("2a01:64:33:d200:1::", TCP, tcp(1, 443, SYN, b""));
    assert_eq!(rig.outcome(Direction::Outbound, &frame).0, Outcome::Blocked);
}
