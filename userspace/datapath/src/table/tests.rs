use std::fs::File;
use std::os::fd::AsFd as _;

use octroi_abi::table::{TIME_SHIFT, long_time, short_time};

use super::*;

const BUCKETS: u32 = 4;

/// A table in memory of this process alone.
fn table(family: Family) -> FlowTable {
    let bytes = BUCKETS as usize * BUCKET_SLOTS * family.slot_bytes();
    let memory = nix::sys::memfd::memfd_create(c"table", nix::sys::memfd::MFdFlags::empty());
    let memory = File::from(memory.unwrap());
    memory.set_len(bytes as u64).unwrap();
    let mapping = Mapping::new(memory.as_fd(), bytes).unwrap();
    FlowTable::new(family, 0x1234_5678_9abc_def1, BUCKETS - 1, mapping)
}

fn key(family: Family, port: u16) -> FlowKey {
    let (inside, outside) = match family {
        Family::V4 => ("::ffff:10.1.2.3", "::ffff:51.210.0.1"),
        Family::V6 => ("fd00::1", "2001:41d0::1"),
    };
    let bytes = |text: &str| text.parse::<std::net::Ipv6Addr>().unwrap().octets();
    FlowKey {
        inside: bytes(inside),
        outside: bytes(outside),
        inside_port: port,
        outside_port: 443,
        protocol: 6,
        family: if family == Family::V4 { 4 } else { 6 },
        reserved: [0; 2],
    }
}

fn account(port: u16) -> Account {
    Account {
        inside_port: port,
        outside_port: 443,
        protocol: 6,
        decided: u64::from(port) << 32,
        outbound_bytes: u64::from(port) + 1,
        class: port,
        ..Account::default()
    }
}

#[test]
fn a_table_fills_and_empties() {
    for family in [Family::V4, Family::V6] {
        let table = table(family);
        let mut there = Vec::new();
        for port in 0..200 {
            if table.insert(&key(family, port), &account(port)) {
                there.push(port);
            }
            assert!(!table.insert(&key(family, port), &account(port)) || port >= 200);
        }
        // Both buckets of a flow must be full before it is refused: few slots stay empty.
        assert!(there.len() > table.capacity() * 3 / 4, "{}", there.len());
        let mut seen = Vec::new();
        // In parts, as who must not keep others waiting does.
        let middle = table.capacity() / 3;
        let parts = [0..middle, middle..table.capacity() + 100];
        let count: usize = parts
            .into_iter()
            .map(|part| {
                table.visit(part, &mut |found, account| {
                    assert_eq!(found, key(family, account.inside_port));
                    seen.push(account.inside_port);
                })
            })
            .sum();
        seen.sort_unstable();
        assert_eq!((count, &seen), (there.len(), &there));
        for port in there {
            let found = table.get(&key(family, port)).unwrap();
            assert_eq!(found.outbound_bytes, u64::from(port) + 1);
            assert_eq!(table.remove(&key(family, port), |_| false), None);
            assert!(table.remove(&key(family, port), |_| true).is_some());
            assert_eq!(table.get(&key(family, port)), None);
        }
        assert_eq!(table.visit(0..table.capacity(), &mut |_, _| {}), 0);
    }
}

#[test]
fn a_decision_is_replaced_whole_or_not_at_all() {
    let table = table(Family::V4);
    let key = key(Family::V4, 7);
    let decided = Decided {
        generation: 3,
        rule: 9,
        verdict: 3,
        flags: 5,
        opaque: 2,
        zone: 63,
    };
    assert_eq!(Decided::unpack(decided.pack()), decided);
    let change = |_: &Account| Ok::<_, ()>((decided, 77));
    assert_eq!(table.decide(&key, change), None);
    assert!(table.insert(&key, &account(7)));
    assert_eq!(table.decide(&key, |_| Err("no")), Some(Err("no")));
    assert_eq!(table.decide(&key, change), Some(Ok(true)));
    let found = table.get(&key).unwrap();
    assert_eq!((found.decided, found.class), (decided.pack(), 77));
    // The kernel judged it in between: what it wrote stands.
    let overtaken = table.decide(&key, |_| {
        let (slot, _) = table.find(&key).unwrap();
        slot.word(2).store(1, Ordering::Release);
        Ok::<_, ()>((decided, 5))
    });
    assert_eq!(overtaken, Some(Ok(false)));
    let found = table.get(&key).unwrap();
    assert_eq!((found.decided, found.class), (1, 77));
}

#[test]
fn what_a_crash_left_is_freed() {
    let table = table(Family::V4);
    for port in [1, 2, 3] {
        assert!(table.insert(&key(Family::V4, port), &account(port)));
    }
    let (held, _) = table.find(&key(Family::V4, 1)).unwrap();
    held.change_state(0, HELD);
    let (taken, _) = table.find(&key(Family::V4, 2)).unwrap();
    taken.change_state(LIVE, TAKEN);
    assert_eq!(table.remove(&key(Family::V4, 1), |_| true), None);
    assert_eq!(table.recover(), 2);
    assert_eq!(
        table.visit(0..table.capacity(), &mut |_, _| {}),
        2,
        "the one half written is gone"
    );
    assert!(table.remove(&key(Family::V4, 1), |_| true).is_some());
}

#[test]
fn short_times_are_read_by_the_clock() {
    let now = (1_u64 << 40) << TIME_SHIFT;
    for age in [0, 1, 1_000_000, u64::from(u32::MAX) - 2_000] {
        let then = now - (age << TIME_SHIFT);
        assert_eq!(long_time(short_time(then), now), then);
    }
    let ahead = now + (3 << TIME_SHIFT);
    assert_eq!(
        long_time(short_time(ahead), now),
        ahead,
        "another CPU's clock"
    );
    assert_eq!(
        long_time(5, 2 << TIME_SHIFT),
        5 << TIME_SHIFT,
        "soon after the start"
    );
}
