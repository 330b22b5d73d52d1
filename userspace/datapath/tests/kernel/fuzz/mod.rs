//! Packets by a grammar, with lies in them, against the kernel programs.
//!
//! Every packet ends in exactly one counter. None passes unless a second, simple reader that takes the
//! frame as hosts do (`host.rs`) finds that it can only go where the policy allows. Answers carry right
//! checksums and are no larger than an answer may be.
//!
//! `OCTROI_FUZZ_CASES=1000000 OCTROI_FUZZ_SEED=7 cargo test -p octroi-datapath --test kernel fuzz` runs
//! more; a failure names the case and prints the frame.

mod grammar;
mod host;

use std::collections::BTreeMap;

use octroi_abi::outcome::{Direction, Outcome};

use crate::common::{self, XDP_PASS, XDP_TX, checksum};
use grammar::Random;

/// Room for link headers in front of an answer.
const LINK_BYTES: usize = 14 + 3 * 4 + 8;
/// Largest ICMP answer: 576 bytes (RFC 1812 section 4.3.2.3); an IPv6 one quotes as much.
const ANSWER_BYTES: usize = 600;

fn number(name: &str, default: u64) -> u64 {
    std::env::var(name).map_or(default, |text| text.parse().expect("a number"))
}

#[test]
fn no_packet_of_the_grammar_passes_that_should_not() {
    if common::skipped() {
        return;
    }
    let cases = number("OCTROI_FUZZ_CASES", 30_000);
    let seed = number("OCTROI_FUZZ_SEED", 1);
    let rig = common::rig();
    let mut random = Random::new(seed);
    let mut counted: BTreeMap<&str, u64> = BTreeMap::new();
    for case in 0..cases {
        let frame = grammar::frame(&mut random);
        let told = || format!("case {case} of seed {seed}: {}", hex(&frame));
        let (outcome, report) = rig.outcome(Direction::Outbound, &frame);
        assert_ne!(outcome, Outcome::InternalDrop, "{}", told());
        if report.action == XDP_PASS {
            assert_eq!(report.frame, frame, "changed: {}", told());
            let fate = host::read(&frame);
            assert!(fate.may_pass(outcome), "{outcome:?}, {fate:?}: {}", told());
        } else if report.action == XDP_TX {
            check_answer(&report.frame).unwrap_or_else(|why| panic!("{why}: {}", told()));
        }
        *counted.entry(outcome.name()).or_default() += 1;
        // The way back takes anything without harm, and counts it once.
        if fits_a_socket_buffer(&frame) {
            let (outcome, _) = rig.outcome(Direction::Reply, &frame);
            assert_ne!(outcome, Outcome::InternalDrop, "reply, {}", told());
        }
    }
    println!("{cases} packets of seed {seed}: {counted:?}");
    assert_eq!(counted.values().sum::<u64>(), cases);
    for outcome in [
        Outcome::Allowed,
        Outcome::Blocked,
        Outcome::Rejected,
        Outcome::Control,
        Outcome::OpaqueDropped,
    ] {
        assert!(
            counted.contains_key(outcome.name()),
            "the grammar never came to {outcome:?}"
        );
    }
}

/// Whether the kernel makes a socket buffer of a frame for `BPF_PROG_TEST_RUN`: the IP header that its
/// Ethernet type announces must be there.
fn fits_a_socket_buffer(frame: &[u8]) -> bool {
    match frame[12..14] {
        [0x08, 0x00] => frame.len() >= 14 + 20,
        [0x86, 0xdd] => frame.len() >= 14 + 40,
        _ => true,
    }
}

fn hex(frame: &[u8]) -> String {
    frame
        .iter()
        .fold(String::new(), |text, byte| format!("{text}{byte:02x}"))
}

/// Whether an answer is sound.
fn check_answer(frame: &[u8]) -> Result<(), String> {
    let start = host::network(frame).ok_or("an answer that is no IP packet")?;
    let ip = &frame[start..];
    if frame.len() > ANSWER_BYTES + LINK_BYTES {
        return Err(format!("an answer of {} bytes", frame.len()));
    }
    let (head, protocol, length) = match ip.first().map(|byte| byte >> 4) {
        Some(4) => (20, ip[9], usize::from(u16::from_be_bytes([ip[2], ip[3]]))),
        Some(6) => {
            let payload = usize::from(u16::from_be_bytes([ip[4], ip[5]]));
            (40, ip[6], 40 + payload)
        }
        _ => return Err("an answer of no IP version".to_owned()),
    };
    let whole = ip.get(..length).ok_or("an answer longer than its frame")?;
    let (head, segment) = whole.split_at(head);
    let sound = match protocol {
        1 => checksum::holds(head) && checksum::holds(segment),
        6 => {
            let header = head.len() == 40 || checksum::holds(head);
            header && checksum::transport_holds(head, protocol, segment)
        }
        58 => checksum::transport_holds(head, protocol, segment),
        _ => return Err(format!("an answer of protocol {protocol}")),
    };
    sound
        .then_some(())
        .ok_or_else(|| format!("a wrong checksum in an answer: {}", hex(frame)))
}
