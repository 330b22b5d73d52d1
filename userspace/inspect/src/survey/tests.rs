//! The same packets give the same flows and names, whatever number of shards shares them.

use super::*;
use crate::capture::LinkType;
use crate::packet::{Unparsed, protocol, tcp_flag};
use crate::testing::{dns, dns_name, hello, ip, ip_with, tcp, udp};

const RESOLVER: &str = "9.9.9.9";

/// Everything that was told, in order.
#[derive(Debug, Default)]
struct Told {
    flows: Vec<((Option<u64>, u64), String)>,
    names: Vec<(u64, String)>,
    without_flow: u64,
}

impl Sink for Told {
    fn flow(&mut self, flow: Flow<Naming>) {
        let order = (flow.data.ended, flow.data.began);
        self.flows.push((order, format!("{flow:?}")));
    }

    fn name(&mut self, event: &NameEvent, inside_tunnel: bool) {
        self.names
            .push((event.time_ns, format!("{event:?} {inside_tunnel}")));
    }

    fn without_flow(&mut self, _time_ns: u64, _wire_bytes: u32, _unparsed: &Unparsed) {
        self.without_flow += 1;
    }
}

/// Numbers that look random and are the same in every run.
struct Numbers(u64);

impl Numbers {
    fn below(&mut self, bound: u64) -> u64 {
        self.0 = self
            .0
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % bound
    }
}

/// Clients that ask for names, connect to what they were answered, send fragments and use tunnels.
/// What one client learned by DNS names its later flows, which lie in other lanes.
fn packets(rounds: u64) -> Vec<(u64, Vec<u8>)> {
    let mut numbers = Numbers(7);
    let mut packets = Vec::new();
    let mut time_ns = 1_000_000_000;
    for round in 0..rounds {
        time_ns += numbers.below(400_000_000);
        let client = format!("10.0.{}.{}", numbers.below(2), 1 + numbers.below(5));
        let last = u8::try_from(1 + numbers.below(20)).unwrap();
        let server = format!("203.0.113.{last}");
        let port = u16::try_from(20_000 + numbers.below(400)).unwrap();
        let name = format!("host{last}.example.org");
        let mut push = |packet: Vec<u8>| {
            time_ns += 1_000_000;
            packets.push((time_ns, packet));
        };
        match numbers.below(7) {
            0 | 1 => {
                let id = u16::try_from(round % 60_000).unwrap();
                let query = dns(id, false, (&name, 1), &[]);
                let address = vec![203, 0, 113, last];
                let answer = dns(
                    id,
                    true,
                    (&name, 1),
                    &[(dns_name(&name), 1, 60 + u32::from(last), address)],
                );
                push(ip(&client, RESOLVER, protocol::UDP, &udp(port, 53, &query)));
                push(ip(
                    RESOLVER,
                    &client,
                    protocol::UDP,
                    &udp(53, port, &answer),
                ));
            }
            2 => {
                let segment = |flags, payload: &[u8]| tcp(port, 443, 1, flags, payload);
                let hello = hello(&name);
                push(ip(
                    &client,
                    &server,
                    protocol::TCP,
                    &segment(tcp_flag::SYN, b""),
                ));
                push(ip(
                    &client,
                    &server,
                    protocol::TCP,
                    &segment(tcp_flag::ACK, &hello),
                ));
                push(ip(
                    &client,
                    &server,
                    protocol::TCP,
                    &segment(tcp_flag::RST, b""),
                ));
            }
            3 => push(ip(
                &client,
                &server,
                protocol::UDP,
                &udp(port, 4_433, b"something"),
            )),
            4 => {
                let datagram = udp(port, 7_000, &[7; 64]);
                let (first, second) = datagram.split_at(40);
                push(ip_with(&client, &server, protocol::UDP, first, 0x2000, &[]));
                push(ip_with(&client, &server, protocol::UDP, second, 5, &[]));
            }
            5 => {
                // What is inside has other lanes than the tunnel, and asks DNS too.
                let inner = if last.is_multiple_of(2) {
                    let query = dns(9, false, (&name, 1), &[]);
                    ip(&client, RESOLVER, protocol::UDP, &udp(port, 53, &query))
                } else {
                    ip(
                        &client,
                        &server,
                        protocol::TCP,
                        &tcp(port, 443, 1, 0x18, &hello(&name)),
                    )
                };
                let mut gre = vec![0, 0, 8, 0];
                gre.extend(inner);
                push(ip("192.0.2.1", "192.0.2.2", protocol::GRE, &gre));
            }
            _ => push(vec![0x40, 1, 2]),
        }
    }
    packets
}

/// Several shards, one after the other in one thread.
struct Shards {
    shards: Vec<(Shard, Told)>,
    without_flow: u64,
}

impl Dispatch for Shards {
    fn packet(&mut self, packet: &Routed<'_>) {
        let shards = u8::try_from(self.shards.len()).unwrap();
        let one = usize::from(packet.lane % shards);
        for (number, (shard, told)) in self.shards.iter_mut().enumerate() {
            if packet.for_all || number == one {
                shard.packet(packet, told);
            }
        }
    }

    fn without_flow(&mut self, _time_ns: u64, _wire_bytes: u32, _unparsed: &Unparsed) {
        self.without_flow += 1;
    }

    fn expire(&mut self, now_ns: u64) {
        for (shard, _) in &mut self.shards {
            shard.expire(now_ns);
        }
    }
}

/// All that shards tell, sorted, and the number of tuples.
fn shared_by(
    count: u8,
    limits: flow::Limits,
    names: NamerLimits,
    packets: &[(u64, Vec<u8>)],
) -> (Told, u64) {
    let mut front = Front::default();
    let shard = |number| Shard::new(Share { number, of: count }, limits, names);
    let mut shards = Shards {
        shards: (0..count)
            .map(|number| (shard(number), Told::default()))
            .collect(),
        without_flow: 0,
    };
    for (time_ns, data) in packets {
        front.read(&raw(*time_ns, data), &mut shards);
    }
    let mut all = Told {
        without_flow: shards.without_flow,
        ..Told::default()
    };
    let mut tuples = 0;
    for (mut shard, mut told) in shards.shards {
        shard.finish(&mut told);
        tuples += shard.tuples();
        let ordered = told.flows.clone();
        told.flows
            .sort_by_key(|((ended, began), _)| (ended.unwrap_or(u64::MAX), *began));
        assert_eq!(ordered, told.flows, "a shard tells of flows in order");
        all.flows.extend(told.flows);
        all.names.extend(told.names);
    }
    all.flows
        .sort_by_key(|((ended, began), _)| (ended.unwrap_or(u64::MAX), *began));
    all.names.sort();
    (all, tuples)
}

fn raw(time_ns: u64, data: &[u8]) -> RawPacket<'_> {
    RawPacket {
        time_ns,
        link: LinkType::RAW,
        data,
        wire_bytes: u32::try_from(data.len()).unwrap(),
    }
}

/// A survey and shards of 1 to 16 agree; returns what they tell.
fn agree(limits: flow::Limits, names: NamerLimits, packets: &[(u64, Vec<u8>)]) -> Told {
    let mut survey = Survey::new(limits, names);
    let mut expected = Told::default();
    for (time_ns, data) in packets {
        survey.packet(&raw(*time_ns, data), &mut expected);
    }
    survey.finish(&mut expected);
    expected.names.sort();
    for count in [1, 2, 3, 4, 16] {
        let (told, tuples) = shared_by(count, limits, names, packets);
        assert_eq!(told.flows, expected.flows, "{count} shards");
        assert_eq!(told.names, expected.names, "{count} shards");
        assert_eq!(told.without_flow, expected.without_flow);
        assert_eq!(tuples, survey.tuples(), "{count} shards");
    }
    expected
}

#[test]
fn what_is_found_does_not_depend_on_the_number_of_shards() {
    let told = agree(
        flow::Limits::default(),
        NamerLimits::default(),
        &packets(4_000),
    );
    let named_by_dns = |text: &&((Option<u64>, u64), String)| {
        text.1.contains("source: Dns") && !text.1.contains("outside_port: 53,")
    };
    assert!(told.flows.iter().filter(named_by_dns).count() > 100);
    assert!(
        told.names
            .iter()
            .any(|(_, name)| name.contains("Sni") && name.ends_with("true"))
    );
    assert!(
        told.names
            .iter()
            .any(|(_, name)| name.contains("Query") && name.ends_with("true"))
    );
    assert!(told.without_flow > 100);
}

#[test]
fn full_flow_tables_make_room_alike_for_any_number_of_shards() {
    let limits = flow::Limits {
        flows: 256,
        ..flow::Limits::default()
    };
    let told = agree(limits, NamerLimits::default(), &packets(4_000));
    let early = told.flows.iter().filter(|((ended, _), _)| ended.is_some());
    assert!(early.count() > 1_000, "flows had to make room");
}

#[test]
fn a_name_by_dns_is_over_at_the_same_time_for_all() {
    // The last packet before the binding ends is of one shard, the flow that asks for it of
    // another.
    let query = dns(1, false, ("a.example", 1), &[]);
    let answer = [(dns_name("a.example"), 1, 60, vec![203, 0, 113, 9])];
    let answer = dns(1, true, ("a.example", 1), &answer);
    let second = 1_000_000_000;
    let mut packets = vec![
        (
            0,
            ip("10.0.0.1", RESOLVER, protocol::UDP, &udp(5_000, 53, &query)),
        ),
        (
            0,
            ip(
                RESOLVER,
                "10.0.0.1",
                protocol::UDP,
                &udp(53, 5_000, &answer),
            ),
        ),
    ];
    for port in 0..40 {
        let datagram = udp(6_000 + port, 4_433, b"x");
        packets.push((
            (40 + u64::from(port)) * second,
            ip("10.0.0.1", "203.0.113.9", protocol::UDP, &datagram),
        ));
    }
    let told = agree(flow::Limits::default(), NamerLimits::default(), &packets);
    let named = told
        .flows
        .iter()
        .filter(|(_, flow)| flow.contains("a.example"));
    assert_eq!(named.count(), 20, "bound for a minute");
}

#[test]
fn full_memories_of_names_forget_alike_for_any_number_of_shards() {
    // Sixteen lanes and DNS share these: each lane holds a few flows and less than two hellos.
    let names = NamerLimits {
        flows: 17 * 3,
        total_bytes: 17 * 100,
        bindings: 20,
        queries: 8,
        services: 4,
        ..NamerLimits::default()
    };
    let mut packets = packets(4_000);
    // Hellos that never end, of many clients.
    let mut numbers = Numbers(5);
    let half = &hello("never.example.org")[..60];
    let begin_ns = packets[0].0;
    for number in 0..2_000_u64 {
        let client = format!("10.9.{}.{}", numbers.below(4), 1 + numbers.below(200));
        let port = u16::try_from(30_000 + numbers.below(9_000)).unwrap();
        let segment = tcp(port, 443, 1, tcp_flag::ACK, half);
        let packet = ip(&client, "203.0.113.200", protocol::TCP, &segment);
        packets.push((begin_ns + number * 1_000_000, packet));
    }
    packets.sort_by_key(|(time_ns, _)| *time_ns);
    agree(flow::Limits::default(), names, &packets);
    let given_up = |count: u8| {
        let mut front = Front::default();
        let shard =
            |number| Shard::new(Share { number, of: count }, flow::Limits::default(), names);
        let mut shards = Shards {
            shards: (0..count)
                .map(|number| (shard(number), Told::default()))
                .collect(),
            without_flow: 0,
        };
        for (time_ns, data) in &packets {
            front.read(&raw(*time_ns, data), &mut shards);
        }
        let each = shards.shards.iter().map(|(shard, _)| shard.given_up());
        each.fold(GivenUp::default(), |sum, one| GivenUp {
            flows: sum.flows + one.flows,
            streams: sum.streams + one.streams,
            bindings: sum.bindings + one.bindings,
        })
    };
    let alone = given_up(1);
    assert!(
        alone.flows > 100 && alone.streams > 100 && alone.bindings > 100,
        "{alone:?}"
    );
    for count in [2, 3, 4, 16] {
        assert_eq!(given_up(count), alone, "{count} shards");
    }
}

#[test]
fn a_flow_that_the_namer_forgot_is_nameless_and_not_the_one_that_took_its_place() {
    let names = NamerLimits {
        flows: 17,
        ..NamerLimits::default()
    };
    let half = &hello("never.example.org")[..60];
    let segments: Vec<_> = (0..64_u16)
        .map(|number| {
            let segment = tcp(20_000 + number, 443, 1, tcp_flag::ACK, half);
            let packet = ip("10.0.0.1", "203.0.113.9", protocol::TCP, &segment);
            (1_000_000_000 + u64::from(number), packet)
        })
        .collect();
    let mut survey = Survey::new(flow::Limits::default(), names);
    let mut sink = Nameless::default();
    for (time_ns, data) in &segments {
        survey.packet(&raw(*time_ns, data), &mut sink);
    }
    survey.finish(&mut sink);
    let forgotten = survey.shard().given_up().flows;
    assert!(forgotten > 30);
    // Each lane remembers the flow that came last; all others were told, and no flow was in the
    // place of another.
    assert_eq!(
        sink.flows.iter().filter(|(_, is)| *is).count() as u64,
        forgotten
    );
    let mut told = sink.told.clone();
    told.sort_unstable();
    let mut nameless: Vec<u16> = sink
        .flows
        .iter()
        .filter(|(_, is)| *is)
        .map(|(at, _)| *at)
        .collect();
    nameless.sort_unstable();
    assert_eq!(told, nameless);
}

/// Which flows, by inside port, were told to be nameless, and which ended so.
#[derive(Default)]
struct Nameless {
    told: Vec<u16>,
    flows: Vec<(u16, bool)>,
}

impl Sink for Nameless {
    fn flow(&mut self, flow: Flow<Naming>) {
        self.flows.push((flow.key.inside_port, flow.data.nameless));
    }

    fn name(&mut self, event: &NameEvent, _inside_tunnel: bool) {
        if event.source == crate::name::NameSource::Nameless {
            self.told.push(event.key.inside_port);
        }
    }

    fn without_flow(&mut self, _time_ns: u64, _wire_bytes: u32, _unparsed: &Unparsed) {}
}

#[test]
fn what_a_flow_says_after_it_was_read_is_still_heard_when_something_begins() {
    let (client, server) = ("10.0.0.1", "203.0.113.9");
    let mut sequence = 1;
    let mut packets = Vec::new();
    let mut say = |payload: &[u8]| {
        let segment = tcp(20_000, 8_080, sequence, tcp_flag::ACK, payload);
        sequence += u32::try_from(payload.len()).unwrap();
        let time_ns = 1_000_000_000 + u64::from(sequence) * 1_000;
        packets.push((time_ns, ip(client, server, protocol::TCP, &segment)));
    };
    say(b"GET / HTTP/1.1\r\nHost: first.example.org\r\n\r\n");
    for _ in 0..20 {
        say(&[7; 100]);
    }
    say(b"GET / HTTP/1.1\r\nHost: second.example.org\r\n\r\n");
    for _ in 0..10 {
        say(&[7; 100]);
    }
    say(&hello("third.example.org"));
    let answers = packets.clone();
    for (time_ns, _) in answers {
        let segment = tcp(8_080, 20_000, 1, tcp_flag::ACK, &[9; 50]);
        packets.push((time_ns + 1, ip(server, client, protocol::TCP, &segment)));
    }
    packets.sort_by_key(|(time_ns, _)| *time_ns);
    let told = agree(flow::Limits::default(), NamerLimits::default(), &packets);
    for name in ["first", "second", "third"] {
        let name = format!("{name}.example.org");
        assert!(
            told.names.iter().any(|(_, told)| told.contains(&name)),
            "{name}"
        );
    }
    let mut survey = Survey::new(flow::Limits::default(), NamerLimits::default());
    for (time_ns, data) in &packets {
        survey.packet(&raw(*time_ns, data), &mut Told::default());
    }
    assert!(
        survey.namer_stats().samples < 20,
        "{:?}",
        survey.namer_stats()
    );
}
