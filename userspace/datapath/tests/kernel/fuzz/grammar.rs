//! What packets are made of: layers that fit each other mostly, lengths that lie sometimes.

use crate::common::frames::{GATE_MAC, INSIDE_MAC};

/// A small generator of numbers (xorshift64*): the same seed gives the same packets.
pub(crate) struct Random(u64);

impl Random {
    pub(crate) fn new(seed: u64) -> Self {
        Self(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1)
    }

    fn next(&mut self) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        self.0.wrapping_mul(0x2545_f491_4f6c_dd1d)
    }

    fn below(&mut self, end: usize) -> usize {
        usize::try_from(self.next() >> 33).unwrap() % end
    }

    fn one_in(&mut self, times: usize) -> bool {
        self.below(times) == 0
    }

    fn pick<T: Copy>(&mut self, from: &[T]) -> T {
        from[self.below(from.len())]
    }

    fn byte(&mut self) -> u8 {
        self.next().to_le_bytes()[4]
    }

    fn short(&mut self) -> u16 {
        let bytes = self.next().to_le_bytes();
        u16::from_le_bytes([bytes[4], bytes[5]])
    }

    fn bytes(&mut self, length: usize) -> Vec<u8> {
        (0..length).map(|_| self.byte()).collect()
    }
}

const DESTINATIONS_V4: [[u8; 4]; 14] = [
    [198, 18, 1, 1],
    [198, 18, 1, 1],
    [198, 18, 1, 2],
    [198, 18, 1, 77],
    [198, 18, 2, 1],
    [198, 18, 3, 1],
    [198, 18, 3, 2],
    [8, 8, 8, 8],
    [255, 255, 255, 255],
    [224, 0, 0, 5],
    [239, 1, 1, 1],
    [169, 254, 1, 1],
    [127, 0, 0, 1],
    [0, 0, 0, 0],
];
const SOURCES_V4: [[u8; 4]; 5] = [
    [10, 1, 2, 3],
    [10, 1, 2, 3],
    [10, 200, 0, 1],
    [192, 0, 2, 9],
    [0, 0, 0, 0],
];
const DESTINATIONS_V6: [&str; 13] = [
    "2001:db8:1::1",
    "2001:db8:1::1",
    "2001:db8:1::77",
    "2001:db8:2::1",
    "2001:db8:3::1",
    "64:ff9b::198.18.1.1",
    "64:ff9b::198.18.2.1",
    "2002:c612:101::1",
    "2002:c612:201::1",
    "::ffff:198.18.2.1",
    "ff02::1",
    "ff0e::1",
    "fe80::5",
];
const SOURCES_V6: [&str; 4] = ["fd00::1", "fd00::2", "fe80::9", "::"];
const PROTOCOLS: [u8; 18] = [
    6, 6, 6, 17, 17, 17, 1, 2, 4, 33, 41, 47, 50, 51, 58, 132, 136, 250,
];
const EXTENSIONS: [u8; 8] = [0, 43, 44, 60, 60, 135, 139, 140];

/// One frame, 15 (a socket buffer is never empty behind its link header) to about 1,500 bytes.
pub(crate) fn frame(random: &mut Random) -> Vec<u8> {
    let six = random.one_in(2);
    let mut packet = if six {
        ipv6(random, 0)
    } else {
        ipv4(random, 0)
    };
    if random.one_in(40) {
        let length = random.below(200);
        packet = random.bytes(length);
    }
    let mut frame = link(random, six, &packet);
    if random.one_in(4) {
        for _ in 0..=random.below(3) {
            let at = random.below(frame.len());
            frame[at] = random.byte();
        }
    }
    if random.one_in(8) {
        let length = random.below(frame.len() + 1).max(15);
        frame.truncate(length);
    }
    if random.one_in(8) {
        let length = random.below(40);
        frame.extend(random.bytes(length));
    }
    frame.resize(frame.len().max(15), 0);
    frame
}

fn link(random: &mut Random, six: bool, packet: &[u8]) -> Vec<u8> {
    let ethertype: u16 = if six { 0x86dd } else { 0x0800 };
    let ethertype = if random.one_in(60) {
        random.pick(&[0x0806, 0x88cc, 0x0026, 0x8863, ethertype ^ 0x8edd])
    } else {
        ethertype
    };
    let mut frame = match random.below(16) {
        0 => [0xff; 6].to_vec(),
        1 => vec![1, 0x80, 0xc2, 0, 0, random.byte() & 15],
        _ => GATE_MAC.to_vec(),
    };
    frame.extend(INSIDE_MAC);
    for _ in 0..[0, 0, 0, 1, 2, 3][random.below(6)] {
        frame.extend(random.pick(&[[0x81, 0x00], [0x88, 0xa8], [0x91, 0x00]]));
        frame.extend(random.bytes(2));
    }
    match random.below(10) {
        0 => {
            frame.extend([0x88, 0x47]);
            let labels = random.below(10);
            for label in 0..=labels {
                let bottom = u8::from(label == labels || random.one_in(12));
                frame.extend([0, random.byte(), 0x10 | bottom, 64]);
            }
        }
        1 => {
            frame.extend([0x88, 0x64]);
            let code = if random.one_in(10) { random.byte() } else { 0 };
            frame.extend([0x11, code, 0, 7]);
            let lie = if random.one_in(5) {
                random.below(60)
            } else {
                0
            };
            let length = u16::try_from(packet.len() + 2 - lie.min(packet.len())).unwrap();
            frame.extend(length.to_be_bytes());
            let protocol = if six { 0x0057_u16 } else { 0x0021 };
            let protocol = if random.one_in(10) {
                random.pick(&[0xc021, 0x8021, 0x00fd, protocol])
            } else {
                protocol
            };
            frame.extend(protocol.to_be_bytes());
        }
        _ => frame.extend(ethertype.to_be_bytes()),
    }
    frame.extend(packet);
    frame
}

/// A length that lies now and then.
fn lying(random: &mut Random, truth: usize) -> u16 {
    let truth = u16::try_from(truth).unwrap();
    match random.below(30) {
        0 => truth.wrapping_add(random.short() % 40),
        1 => truth.wrapping_sub(random.short() % 40),
        2 => random.short(),
        3 => 0,
        _ => truth,
    }
}

fn options(random: &mut Random) -> Vec<u8> {
    let mut options = match random.below(10) {
        0 => vec![131, 7, 4, 198, 18, 2, 1, 0],
        1 => vec![1, 1, 137, 7, 4, 8, 8, 8, 8, 0, 0, 0],
        2 => vec![148, 4, 0, 0],
        3 => {
            let length = 4 * (1 + random.below(10));
            random.bytes(length)
        }
        _ => Vec::new(),
    };
    options.truncate(40);
    options
}

fn ipv4(random: &mut Random, depth: u8) -> Vec<u8> {
    let options = options(random);
    let protocol = random.pick(&PROTOCOLS);
    let (source, destination) = (random.pick(&SOURCES_V4), random.pick(&DESTINATIONS_V4));
    let payload = payload(random, protocol, depth);
    let words = 5 + options.len() / 4;
    let words = if random.one_in(30) {
        random.below(16)
    } else {
        words
    };
    let version = if random.one_in(60) {
        random.byte() & 0xf0
    } else {
        0x40
    };
    let fragment = match random.below(12) {
        0 => 0x2000,
        1 => random.pick(&[1_u16, 2, 3, 5, 0x2001, 0x2003, 0x1fff]),
        2 => 0x4000,
        _ => 0,
    };
    let mut packet = vec![version | u8::try_from(words).unwrap(), random.byte()];
    let length = 20 + options.len() + payload.len();
    packet.extend(lying(random, length).to_be_bytes());
    packet.extend([0, random.byte() & 3]);
    packet.extend(fragment.to_be_bytes());
    packet.extend([random.pick(&[64, 64, 1, 255]), protocol, 0, 0]);
    packet.extend(source);
    packet.extend(destination);
    packet.extend(options);
    packet.extend(payload);
    packet
}

fn ipv6(random: &mut Random, depth: u8) -> Vec<u8> {
    let octets = |text: &str| text.parse::<std::net::Ipv6Addr>().unwrap().octets();
    let protocol = random.pick(&PROTOCOLS);
    let mut chain = Vec::new();
    let headers = [0, 0, 0, 1, 2, 3, 8, 9, 10][random.below(9)];
    let kinds: Vec<u8> = (0..headers).map(|_| random.pick(&EXTENSIONS)).collect();
    for (place, kind) in kinds.iter().enumerate() {
        let next = kinds.get(place + 1).copied().unwrap_or(protocol);
        let words = if random.one_in(10) {
            random.below(4)
        } else {
            0
        };
        let mut header = vec![next, u8::try_from(words).unwrap()];
        match *kind {
            43 => header.extend([
                random.pick(&[0, 2, 3, 4]),
                random.pick(&[0, 0, 1]),
                0,
                0,
                0,
                0,
            ]),
            44 => {
                header[1] = 0;
                let offset = random.pick(&[0_u16, 0, 1, 8, 9, 24, 0xfff8]);
                header.extend(offset.to_be_bytes());
                header.extend([0, 0, 0, random.byte() & 3]);
            }
            _ => header.extend([1, 4, 0, 0, 0, 0]),
        }
        if *kind != 44 {
            header.resize(8 * (words + 1), 0);
        }
        chain.extend(header);
    }
    let payload = payload(random, protocol, depth);
    let length = chain.len() + payload.len();
    let version = if random.one_in(60) {
        random.byte()
    } else {
        0x60
    };
    let mut packet = vec![version, 0, 0, 0];
    packet.extend(lying(random, length).to_be_bytes());
    packet.push(kinds.first().copied().unwrap_or(protocol));
    packet.push(random.pick(&[64, 64, 255, 1]));
    let (source, destination) = (random.pick(&SOURCES_V6), random.pick(&DESTINATIONS_V6));
    packet.extend(octets(source));
    packet.extend(octets(destination));
    packet.extend(chain);
    packet.extend(payload);
    packet
}

fn payload(random: &mut Random, protocol: u8, depth: u8) -> Vec<u8> {
    let ports = [
        random.pick(&[40_000_u16, 68, 546]),
        random.pick(&[443_u16, 53, 67, 25, 0, 3544, 4789]),
    ];
    let ports = ports.map(u16::to_be_bytes).concat();
    let length = if random.one_in(20) {
        random.below(1_200)
    } else {
        random.below(40)
    };
    let data = random.bytes(length);
    match protocol {
        6 => {
            let words = if random.one_in(12) {
                random.below(16)
            } else {
                5
            };
            let flags = random.pick(&[2, 16, 18, 24, 4, 17, 0, 255]);
            let head = [
                random.bytes(8),
                vec![u8::try_from(words << 4).unwrap(), flags],
            ]
            .concat();
            [ports, head, vec![4, 0, 0, 0, 0, 0], data].concat()
        }
        17 | 136 => {
            let length = lying(random, 8 + data.len());
            [ports, length.to_be_bytes().to_vec(), vec![0, 0], data].concat()
        }
        1 => [
            vec![random.pick(&[8, 0, 3, 5, 11, 13]), 0, 0, 0],
            random.bytes(4),
            data,
        ]
        .concat(),
        58 => {
            let kind = random.pick(&[128, 129, 1, 2, 133, 135, 136, 137, 143]);
            [vec![kind, 0, 0, 0], random.bytes(4), data].concat()
        }
        4 if depth < 2 => ipv4(random, depth + 1),
        41 if depth < 2 => ipv6(random, depth + 1),
        47 => [vec![0, 0, 8, 0], data].concat(),
        _ => [ports, random.bytes(12), data].concat(),
    }
}
