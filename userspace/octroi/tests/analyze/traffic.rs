//! Captures made for the tests: raw IP packets of clients, resolvers, servers and tunnels.

/// Link type of raw IP in capture files.
const RAW: u32 = 101;

/// Numbers that look random and are the same in every run.
pub(crate) struct Numbers(pub(crate) u64);

impl Numbers {
    pub(crate) fn below(&mut self, bound: u64) -> u64 {
        self.0 = self
            .0
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % bound
    }

    pub(crate) fn byte(&mut self, bound: u64) -> u8 {
        u8::try_from(self.below(bound)).unwrap()
    }

    pub(crate) fn port(&mut self) -> u16 {
        u16::try_from(20_000 + self.below(20_000)).unwrap()
    }
}

/// A packet and its time, microseconds.
pub(crate) type Timed = (u64, Vec<u8>);

/// A classic capture file, little endian, microseconds.
pub(crate) fn pcap(packets: &[Timed]) -> Vec<u8> {
    let mut file = head();
    for packet in packets {
        file.extend(record(packet));
    }
    file
}

/// The head of a capture file.
pub(crate) fn head() -> Vec<u8> {
    let mut head = vec![0xd4, 0xc3, 0xb2, 0xa1, 2, 0, 4, 0];
    head.extend([0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 4, 0]);
    head.extend(RAW.to_le_bytes());
    head
}

/// One packet as it stands in a capture file.
pub(crate) fn record((time_us, packet): &Timed) -> Vec<u8> {
    let length = u32::try_from(packet.len()).unwrap().to_le_bytes();
    let seconds = u32::try_from(time_us / 1_000_000).unwrap().to_le_bytes();
    let rest = u32::try_from(time_us % 1_000_000).unwrap().to_le_bytes();
    [&seconds[..], &rest, &length, &length, packet].concat()
}

/// An IPv4 packet; `fragment` is the word of flags and offset.
pub(crate) fn ip(
    source: [u8; 4],
    destination: [u8; 4],
    protocol: u8,
    fragment: u16,
    payload: &[u8],
) -> Vec<u8> {
    let length = u16::try_from(20 + payload.len()).unwrap().to_be_bytes();
    let mut packet = vec![0x45, 0, length[0], length[1], 0x12, 0x34];
    packet.extend(fragment.to_be_bytes());
    packet.extend([64, protocol, 0, 0]);
    packet.extend(source);
    packet.extend(destination);
    packet.extend_from_slice(payload);
    packet
}

pub(crate) fn udp(from: u16, to: u16, payload: &[u8]) -> Vec<u8> {
    let length = u16::try_from(8 + payload.len()).unwrap();
    let mut datagram = Vec::new();
    for word in [from, to, length, 0] {
        datagram.extend(word.to_be_bytes());
    }
    datagram.extend_from_slice(payload);
    datagram
}

pub(crate) fn tcp(from: u16, to: u16, sequence: u32, flags: u8, payload: &[u8]) -> Vec<u8> {
    let mut segment = Vec::new();
    segment.extend(from.to_be_bytes());
    segment.extend(to.to_be_bytes());
    segment.extend(sequence.to_be_bytes());
    segment.extend([0, 0, 0, 0, 0x50, flags, 4, 0, 0, 0, 0, 0]);
    segment.extend_from_slice(payload);
    segment
}

fn with_length(bytes: &[u8]) -> Vec<u8> {
    let mut out = u16::try_from(bytes.len()).unwrap().to_be_bytes().to_vec();
    out.extend_from_slice(bytes);
    out
}

/// The first bytes of a TLS client that offers one application protocol.
pub(crate) fn hello(name: &str, alpn: &str) -> Vec<u8> {
    let extension =
        |kind: u16, value: &[u8]| [&kind.to_be_bytes(), &with_length(value)[..]].concat();
    let entry = [&[0], &with_length(name.as_bytes())[..]].concat();
    let mut extensions = extension(0, &with_length(&entry));
    let protocol = [&[u8::try_from(alpn.len()).unwrap()], alpn.as_bytes()].concat();
    extensions.extend(extension(16, &with_length(&protocol)));
    let mut body = vec![3, 3];
    body.extend([7; 32]);
    body.push(0);
    body.extend(with_length(&[0x13, 1, 0x13, 2]));
    body.extend([1, 0]);
    body.extend(with_length(&extensions));
    let mut message = vec![1, 0];
    message.extend(with_length(&body));
    [&[22, 3, 1], &with_length(&message)[..]].concat()
}

/// A DNS message of type A: the question, and addresses.
pub(crate) fn dns(id: u16, name: &str, answers: &[[u8; 4]]) -> Vec<u8> {
    let mut owner = Vec::new();
    for label in name.split('.') {
        owner.push(u8::try_from(label.len()).unwrap());
        owner.extend_from_slice(label.as_bytes());
    }
    owner.push(0);
    let mut out = id.to_be_bytes().to_vec();
    out.extend(if answers.is_empty() {
        [1, 0]
    } else {
        [0x81, 0x80]
    });
    out.extend([0, 1, 0, u8::try_from(answers.len()).unwrap(), 0, 0, 0, 0]);
    out.extend_from_slice(&owner);
    out.extend([0, 1, 0, 1]);
    for address in answers {
        out.extend_from_slice(&owner);
        out.extend([0, 1, 0, 1, 0, 0, 0, 200, 0, 4]);
        out.extend(address);
    }
    out
}

/// Names, and addresses of many countries and operators that answer for them.
const SERVERS: [(&str, [u8; 4]); 6] = [
    ("teams.microsoft.com", [20, 74, 0, 1]),
    ("www.example.org", [51, 210, 0, 9]),
    ("grabify.link", [104, 16, 1, 1]),
    ("visio.numerique.gouv.fr", [185, 24, 184, 1]),
    ("meet.google.com", [142, 250, 75, 1]),
    ("mail.example.net", [93, 184, 216, 34]),
];

/// An office: clients ask for names and connect, some without asking; fragments, tunnels with DNS
/// and hellos inside, packets that cannot be read, ports that are used again. What one flow of a
/// client learned by DNS names other flows of the same client.
pub(crate) fn office(rounds: u64) -> Vec<Timed> {
    let mut numbers = Numbers(11);
    let mut packets = Vec::new();
    let mut now = 1_700_000_000_000_000;
    for round in 0..rounds {
        now += numbers.below(80_000);
        let client = [10, 0, numbers.byte(3), 1 + numbers.byte(20)];
        let (name, mut server) = SERVERS[usize::try_from(numbers.below(6)).unwrap()];
        server[3] = server[3].wrapping_add(numbers.byte(4));
        let port = numbers.port();
        let id = u16::try_from(round % 60_000).unwrap();
        let mut push = |packet| {
            now += 100;
            packets.push((now, packet));
        };
        match numbers.below(8) {
            0 | 1 => {
                let query = udp(port, 53, &dns(id, name, &[]));
                push(ip(client, [9, 9, 9, 9], 17, 0, &query));
                let answer = udp(53, port, &dns(id, name, &[server]));
                push(ip([9, 9, 9, 9], client, 17, 0, &answer));
            }
            2 | 3 => {
                let hello = hello(name, "h2");
                push(ip(client, server, 6, 0, &tcp(port, 443, 1, 0x02, b"")));
                push(ip(server, client, 6, 0, &tcp(443, port, 1, 0x12, b"")));
                push(ip(client, server, 6, 0, &tcp(port, 443, 2, 0x18, &hello)));
                push(ip(
                    server,
                    client,
                    6,
                    0,
                    &tcp(443, port, 2, 0x18, &[9; 700]),
                ));
                push(ip(client, server, 6, 0, &tcp(port, 443, 900, 0x14, b"")));
            }
            4 => {
                let head = format!("GET / HTTP/1.1\r\nHost: {name}\r\n\r\n");
                let segment = tcp(port, 80, 1, 0x18, head.as_bytes());
                push(ip(client, server, 6, 0, &segment));
            }
            5 => {
                let datagram = udp(port, 4_433, &[7; 64]);
                push(ip(client, server, 17, 0x2000, &datagram[..40]));
                push(ip(client, server, 17, 5, &datagram[40..]));
            }
            6 => {
                let inner = if round % 2 == 0 {
                    ip(
                        client,
                        [9, 9, 9, 9],
                        17,
                        0,
                        &udp(port, 53, &dns(id, name, &[])),
                    )
                } else {
                    ip(
                        client,
                        server,
                        6,
                        0,
                        &tcp(port, 443, 1, 0x18, &hello(name, "h2")),
                    )
                };
                let gre = [&[0, 0, 8, 0], &inner[..]].concat();
                push(ip([192, 0, 2, 1], [192, 0, 2, 2], 47, 0, &gre));
            }
            _ => push(vec![0x45, 0, 0]),
        }
    }
    packets
}
