//! Memory does not grow with the capture.

use std::io::Write as _;
use std::process::Stdio;
use std::time::Duration;

use crate::command;
use crate::traffic::{Numbers, dns, head, hello, ip, record, tcp, udp};

/// Most memory that an analysis takes, of any capture.
const BOUND_KIB: u64 = 300 << 10;

/// Streams packets that each begin something new: flows, hellos that never end, DNS answers. Every
/// table fills up. Returns the largest resident size, KiB.
fn resident(megabytes: usize, threads: &str) -> u64 {
    let mut child = command(&["--threads", threads, "--names", "-"])
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .spawn()
        .unwrap();
    let mut stdin = child.stdin.take().unwrap();
    let feeder = std::thread::spawn(move || {
        let mut numbers = Numbers(3);
        let mut now = 1_700_000_000_000_000;
        let mut chunk = head();
        let mut sent = 0;
        while sent < megabytes << 20 {
            for _ in 0..2_000 {
                now += 20;
                chunk.extend(record(&(now, hostile(&mut numbers))));
            }
            sent += chunk.len();
            stdin.write_all(&chunk).unwrap();
            chunk.clear();
        }
    });
    let status = format!("/proc/{}/status", child.id());
    let mut highest = 0;
    while child.try_wait().unwrap().is_none() {
        let text = std::fs::read_to_string(&status).unwrap_or_default();
        let line = text.lines().find_map(|line| line.strip_prefix("VmHWM:"));
        let kib = line.and_then(|line| line.split_whitespace().next());
        highest = highest.max(kib.and_then(|kib| kib.parse().ok()).unwrap_or(0));
        std::thread::sleep(Duration::from_millis(5));
    }
    feeder.join().unwrap();
    assert!(child.wait().unwrap().success());
    highest
}

pub(crate) fn hostile(numbers: &mut Numbers) -> Vec<u8> {
    let client = [10, numbers.byte(256), numbers.byte(256), numbers.byte(256)];
    let server = [
        20 + numbers.byte(150),
        numbers.byte(256),
        numbers.byte(256),
        numbers.byte(256),
    ];
    let port = numbers.port();
    let name = format!("host{}.example.org", numbers.below(1 << 30));
    match numbers.below(6) {
        0 => {
            // A query, and in the next round perhaps its answer.
            let id = u16::try_from(numbers.below(4)).unwrap();
            let client = [10, 0, 0, numbers.byte(2)];
            let answers = [server];
            let answers = if numbers.below(2) == 0 {
                &[]
            } else {
                &answers[..]
            };
            let message = dns(id, "many.example.org", answers);
            if answers.is_empty() {
                ip(client, [9, 9, 9, 9], 17, 0, &udp(5_000, 53, &message))
            } else {
                ip([9, 9, 9, 9], client, 17, 0, &udp(53, 5_000, &message))
            }
        }
        1 => ip(
            client,
            [9, 9, 9, 9],
            17,
            0,
            &udp(port, 53, &dns(7, &name, &[])),
        ),
        2 => ip(
            client,
            server,
            6,
            0,
            &tcp(port, 443, 1, 0x18, &hello(&name, "h2")),
        ),
        3 => {
            let half = &hello(&name, &"x".repeat(200))[..150];
            ip(client, server, 6, 0, &tcp(port, 443, 1, 0x18, half))
        }
        4 => {
            let head = format!("GET / HTTP/1.1\r\nHost: {name}\r\n");
            ip(
                client,
                server,
                6,
                0,
                &tcp(port, 80, 1, 0x18, head.as_bytes()),
            )
        }
        _ => ip(client, server, 17, 0, &udp(port, 4_433, &[1; 400])),
    }
}

#[test]
fn a_long_capture_of_nothing_but_new_flows_stays_in_bounds() {
    for threads in ["1", "4"] {
        let kib = resident(160, threads);
        assert!(kib > 20 << 10, "{kib} KiB: the size was not read");
        assert!(kib < BOUND_KIB, "{threads} threads: {kib} KiB");
    }
}

/// By hand, with a release build: `cargo test --release -p octroi --test analyze -- --ignored`.
#[test]
#[ignore = "takes a minute: 2 GiB through a pipe"]
fn two_gibibytes_stay_in_bounds() {
    for threads in ["2", "4"] {
        let kib = resident(2_048, threads);
        eprintln!("{threads} threads: {} MiB", kib >> 10);
        assert!(kib < BOUND_KIB, "{threads} threads: {kib} KiB");
    }
}
