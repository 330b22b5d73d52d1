//! Strange shapes: every truncation, tags, options, extension headers, tunnels, garbage.

use octroi_abi::opaque::Opaque;
use octroi_abi::outcome::{Direction, Outcome};
use proptest::prelude::*;

use crate::common::frames::{
    INSIDE_V4, INSIDE_V6, SYN, TCP, UDP, V4, ethernet, ethernet_tagged, key, tcp, to, udp, v6,
};
use crate::common::{self, RigGuard, tables};
use crate::fragments::fragment_v4;

pub(crate) const ALLOWED_V4: &str = "198.18.1.1";
pub(crate) const BLOCKED_V4: &str = "198.18.2.1";
pub(crate) const ALLOWED_V6: &str = "2001:db8:1::1";

/// Runs an outbound frame; tells the outcome and the kind of opacity that was counted.
pub(crate) fn shape(rig: &RigGuard, frame: &[u8]) -> (Outcome, Opaque) {
    let before = rig.datapath.counters().unwrap();
    let (outcome, _) = rig.outcome(Direction::Outbound, frame);
    let after = rig.datapath.counters().unwrap();
    let counted = Opaque::ALL
        .into_iter()
        .find(|kind| after.opaque(*kind) != before.opaque(*kind));
    (outcome, counted.unwrap_or(Opaque::None))
}

pub(crate) const PASSED: (Outcome, Opaque) = (Outcome::Allowed, Opaque::None);

pub(crate) fn dropped(kind: Opaque) -> (Outcome, Opaque) {
    (
        if kind.has_flow() {
            Outcome::Blocked
        } else {
            Outcome::OpaqueDropped
        },
        kind,
    )
}

#[test]
fn cut_anywhere_a_packet_is_truncated_and_stops() {
    if common::skipped() {
        return;
    }
    let rig = common::rig();
    let mut options = V4::new(INSIDE_V4, ALLOWED_V4, TCP, tcp(1, 443, SYN, b"abc"));
    options.options = vec![1; 12];
    let mut chain = vec![TCP, 0, 0, 0, 0, 0, 0, 0];
    chain.extend(tcp(1, 443, SYN, b"abc"));
    let frames = [
        to(ALLOWED_V4, TCP, tcp(1, 443, SYN, b"abc")),
        to(ALLOWED_V4, UDP, udp(1, 443, b"abc")),
        options.frame(),
        to(ALLOWED_V6, TCP, tcp(1, 443, SYN, b"abc")),
        ethernet(&v6(INSIDE_V6, ALLOWED_V6, 60, 64, &chain)),
        ethernet_tagged(
            &[(0x88a8, 1), (0x8100, 2)],
            0x0800,
            &V4::new(INSIDE_V4, ALLOWED_V4, UDP, udp(1, 2, b"abc")).bytes(),
        ),
    ];
    for frame in &frames {
        assert_eq!(shape(&rig, frame), PASSED);
        for length in 14..frame.len() {
            let (outcome, kind) = shape(&rig, &frame[..length]);
            assert_eq!(
                outcome,
                Outcome::OpaqueDropped,
                "{length} of {}",
                frame.len()
            );
            assert_eq!(kind, Opaque::Truncated, "{length} of {}", frame.len());
        }
        // Padding behind the packet is nothing.
        let mut padded = frame.clone();
        padded.resize(frame.len() + 18, 0);
        assert_eq!(shape(&rig, &padded), PASSED);
    }
}

#[test]
fn the_link_layer() {
    if common::skipped() {
        return;
    }
    let rig = common::rig();
    let packet = V4::new(INSIDE_V4, ALLOWED_V4, UDP, udp(1, 2, b"")).bytes();
    let tagged = |tags: &[(u16, u16)]| ethernet_tagged(tags, 0x0800, &packet);
    assert_eq!(shape(&rig, &tagged(&[(0x8100, 5)])), PASSED);
    assert_eq!(shape(&rig, &tagged(&[(0x88a8, 5), (0x8100, 6)])), PASSED);
    let three = tagged(&[(0x88a8, 5), (0x8100, 6), (0x8100, 7)]);
    assert_eq!(shape(&rig, &three), dropped(Opaque::NotIp));
    for ethertype in [0x88cc, 0x9100, 0x0005, 0x22f0] {
        let frame = ethernet_tagged(&[], ethertype, &packet);
        assert_eq!(
            shape(&rig, &frame),
            dropped(Opaque::NotIp),
            "{ethertype:#x}"
        );
    }
    // The frame says IPv6, the packet says 4; and the other way round.
    let crossed = ethernet_tagged(&[], 0x86dd, &packet.repeat(3));
    assert_eq!(shape(&rig, &crossed), dropped(Opaque::Malformed));
    let crossed = ethernet_tagged(
        &[],
        0x0800,
        &v6(INSIDE_V6, ALLOWED_V6, UDP, 1, &udp(1, 2, b"")),
    );
    assert_eq!(shape(&rig, &crossed), dropped(Opaque::Malformed));
}

#[test]
fn ipv4_headers_and_options() {
    if common::skipped() {
        return;
    }
    let rig = common::rig();
    let with_options = |options: &[u8]| {
        let mut packet = V4::new(INSIDE_V4, ALLOWED_V4, TCP, tcp(1, 443, SYN, b""));
        packet.options = options.to_vec();
        shape(&rig, &packet.frame())
    };
    assert_eq!(with_options(&[1, 1, 1, 0]), PASSED);
    assert_eq!(with_options(&[148, 4, 0, 0]), PASSED);
    assert_eq!(
        with_options(&[0, 131, 3, 4]),
        PASSED,
        "behind the end of the list"
    );
    assert_eq!(
        with_options(&[7, 39].iter().copied().chain([0; 38]).collect::<Vec<_>>()),
        PASSED
    );
    assert_eq!(
        with_options(&[131, 7, 4, 1, 2, 3, 4, 0]),
        dropped(Opaque::SourceRouted)
    );
    assert_eq!(
        with_options(&[1, 1, 1, 137, 7, 4, 9, 9, 9, 9, 0, 0]),
        dropped(Opaque::SourceRouted)
    );
    assert_eq!(
        with_options(&[148, 4, 0, 0, 137, 3, 4, 0]),
        dropped(Opaque::SourceRouted)
    );
    assert_eq!(with_options(&[148, 1, 0, 0]), dropped(Opaque::Malformed));
    assert_eq!(with_options(&[148, 200, 0, 0]), dropped(Opaque::Malformed));
    assert_eq!(with_options(&[1, 1, 1, 148]), dropped(Opaque::Malformed));
    let state = rig.flow(&key(ALLOWED_V4, 1, 443, TCP)).unwrap();
    assert_eq!(
        state.opaque, 0,
        "odd packets do not change the flow they pretend to be of"
    );

    let bent = |at: usize, value: u8| {
        let mut frame = to(ALLOWED_V4, TCP, tcp(1, 443, SYN, b""));
        frame[at] = value;
        shape(&rig, &frame)
    };
    assert_eq!(
        bent(14, 0x44),
        dropped(Opaque::Malformed),
        "header of 16 bytes"
    );
    assert_eq!(bent(14, 0x55), dropped(Opaque::Malformed), "version 5");
    assert_eq!(
        bent(17, 19),
        dropped(Opaque::Malformed),
        "total length below the header's"
    );
    assert_eq!(
        bent(14 + 20 + 12, 0x40),
        dropped(Opaque::Malformed),
        "TCP header of 16 bytes"
    );
    assert_eq!(
        bent(14 + 20 + 12, 0x60),
        dropped(Opaque::Truncated),
        "TCP header behind the end"
    );
}

#[test]
fn protocols_that_hide_what_they_carry() {
    if common::skipped() {
        return;
    }
    let mut rig = common::rig();
    let table = [
        (4, Opaque::Ipv4InIp),
        (41, Opaque::Ipv6InIp),
        (47, Opaque::Gre),
        (50, Opaque::Esp),
        (51, Opaque::Ah),
        (97, Opaque::EtherIp),
        (115, Opaque::L2tp),
        (89, Opaque::UnknownProtocol),
        (58, Opaque::UnknownProtocol),
    ];
    for (protocol, kind) in table {
        assert_eq!(
            shape(&rig, &to(ALLOWED_V4, protocol, vec![0; 32])),
            dropped(kind),
            "{protocol}"
        );
        let state = rig.flow(&key(ALLOWED_V4, 0, 0, protocol)).unwrap();
        assert_eq!(state.opaque, kind.code());
    }
    for protocol in [33, 132, 136] {
        assert_eq!(
            shape(&rig, &to(ALLOWED_V4, protocol, vec![0; 32])),
            PASSED,
            "{protocol}"
        );
    }
    // The policy may let a kind pass; the destination's verdict still holds.
    let mut lenient = tables::policy(true);
    lenient.opaque = tables::opaque_all(octroi_abi::verdict::Verdict::Allow, true);
    rig.datapath.apply_policy(&lenient).unwrap();
    let passed = (Outcome::Allowed, Opaque::Gre);
    assert_eq!(shape(&rig, &to(ALLOWED_V4, 47, vec![0; 32])), passed);
    assert_eq!(
        shape(&rig, &to(BLOCKED_V4, 47, vec![0; 32])),
        dropped(Opaque::Gre)
    );
    let cut = &to(ALLOWED_V4, TCP, tcp(1, 443, SYN, b""))[..40];
    assert_eq!(shape(&rig, cut), (Outcome::OpaquePassed, Opaque::Truncated));
    let cut = &to(BLOCKED_V4, TCP, tcp(1, 443, SYN, b""))[..40];
    assert_eq!(
        shape(&rig, cut),
        (Outcome::OpaqueDropped, Opaque::Truncated)
    );
}

#[test]
fn ipv6_extension_headers() {
    if common::skipped() {
        return;
    }
    let rig = common::rig();
    // Headers of 8 bytes, each naming the next.
    let chained = |kinds: &[u8], bend: &dyn Fn(&mut Vec<u8>)| {
        let mut payload = Vec::new();
        for next in kinds.iter().skip(1).chain(&[TCP]).take(kinds.len()) {
            payload.extend_from_slice(&[*next, 0, 1, 4, 0, 0, 0, 0]);
        }
        payload.extend(tcp(1, 443, SYN, b"x"));
        bend(&mut payload);
        let first = kinds.first().copied().unwrap_or(TCP);
        shape(
            &rig,
            &ethernet(&v6(INSIDE_V6, ALLOWED_V6, first, 64, &payload)),
        )
    };
    let straight = |kinds: &[u8]| chained(kinds, &|_| {});
    assert_eq!(straight(&[]), PASSED);
    assert_eq!(straight(&[0]), PASSED);
    assert_eq!(straight(&[0, 60, 135, 139, 140]), PASSED);
    assert_eq!(straight(&[60; 8]), PASSED);
    assert_eq!(straight(&[60; 9]), dropped(Opaque::ExtensionHeaders));
    assert_eq!(
        straight(&[60, 0]),
        dropped(Opaque::ExtensionHeaders),
        "hop-by-hop comes first"
    );
    assert_eq!(straight(&[50]), dropped(Opaque::Esp));
    assert_eq!(straight(&[59]), dropped(Opaque::UnknownProtocol));
    // Type 1 without segments left is harmless; type 0, or segments left, is a source route.
    assert_eq!(chained(&[43], &|bytes| bytes[3] = 0), PASSED);
    assert_eq!(straight(&[43]), dropped(Opaque::SourceRouted));
    let type_zero = chained(&[43], &|bytes| bytes[2..4].fill(0));
    assert_eq!(type_zero, dropped(Opaque::SourceRouted));
    assert_eq!(
        chained(&[60], &|bytes| bytes[1] = 200),
        dropped(Opaque::Truncated)
    );
}

#[test]
fn tunnels_over_udp() {
    if common::skipped() {
        return;
    }
    let rig = common::rig();
    let sent = |port, payload: &[u8]| shape(&rig, &to(ALLOWED_V4, UDP, udp(9, port, payload)));
    let vxlan = [&[8, 0, 0, 0, 0, 0, 1, 0][..], &[0; 40]].concat();
    assert_eq!(sent(4_789, &vxlan), dropped(Opaque::Vxlan));
    assert_eq!(sent(4_790, &vxlan), PASSED);
    assert_eq!(sent(3_544, b""), dropped(Opaque::Teredo));
    assert_eq!(
        sent(6_081, &[0, 0, 0x65, 0x58, 0, 0, 1, 0]),
        dropped(Opaque::Geneve)
    );
    assert_eq!(
        sent(2_152, &[0x30, 255, 0, 4, 0, 0, 0, 1]),
        dropped(Opaque::GtpU)
    );
    assert_eq!(
        sent(1_701, &[0xc8, 2, 0, 20, 0, 0, 0, 0]),
        dropped(Opaque::L2tp)
    );
    assert_eq!(sent(1_701, &[0xc8, 2, 0, 20]), PASSED);
    // The later fragments of a tunnel are that tunnel.
    let mut first = udp(9, 4_789, &vxlan);
    first[4..6].copy_from_slice(&200_u16.to_be_bytes());
    let piece = |offset, more, payload: &[u8]| {
        shape(&rig, &fragment_v4(ALLOWED_V4, 77, offset, more, payload))
    };
    assert_eq!(piece(0, true, &first), dropped(Opaque::Vxlan));
    assert_eq!(piece(56, false, &[0; 40]), dropped(Opaque::Vxlan));
}

#[test]
fn garbage_ends_in_one_counter_and_does_not_pass() {
    if common::skipped() {
        return;
    }
    let mut rig = common::rig();
    // Everything blocked: whatever passes is the link's own.
    let mut nothing = tables::policy(true);
    nothing.zones.clear();
    rig.datapath.apply_policy(&nothing).unwrap();
    let start = prop_oneof![
        Just(vec![]),
        Just(to(ALLOWED_V4, TCP, tcp(1, 2, SYN, b""))),
        Just(to(ALLOWED_V6, UDP, udp(1, 2, b"abc"))),
        Just(fragment_v4(ALLOWED_V4, 7, 64, true, &[0; 40])),
        Just(ethernet_tagged(
            &[(0x8100, 1)],
            0x86dd,
            &v6(INSIDE_V6, ALLOWED_V6, 0, 1, &[0; 40])
        )),
    ];
    let noise = proptest::collection::vec(any::<u8>(), 14..200);
    let bends = proptest::collection::vec((12_usize..120, any::<u8>()), 0..6);
    let mut runner = proptest::test_runner::TestRunner::new(ProptestConfig {
        cases: 1_500,
        failure_persistence: None,
        ..ProptestConfig::default()
    });
    runner
        .run(&(start, noise, bends), |(start, noise, bends)| {
            let mut frame = if start.is_empty() { noise } else { start };
            for (at, value) in bends {
                if let Some(byte) = frame.get_mut(at) {
                    *byte = value;
                }
            }
            // `outcome` checks "seen once, one outcome, and the action is that of the outcome".
            let (outcome, _) = rig.outcome(Direction::Outbound, &frame);
            let stops = !outcome.passes() || outcome == Outcome::Control;
            prop_assert!(
                stops && outcome != Outcome::InternalDrop,
                "{outcome:?}: {frame:02x?}"
            );
            rig.outcome(Direction::Reply, &frame);
            Ok(())
        })
        .unwrap();
}
