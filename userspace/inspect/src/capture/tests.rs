use proptest::prelude::*;

use super::*;

/// Everything read, and the error that ended it.
#[derive(Debug, PartialEq)]
struct Outcome {
    packets: Vec<(u64, u16, Vec<u8>, u32)>,
    error: Option<String>,
}

fn read_all(bytes: &[u8]) -> Outcome {
    let mut outcome = Outcome {
        packets: Vec::new(),
        error: None,
    };
    let mut capture = match Capture::open(bytes) {
        Ok(capture) => capture,
        Err(error) => {
            outcome.error = Some(error.to_string());
            return outcome;
        }
    };
    loop {
        match capture.next() {
            Ok(Some(packet)) => outcome.packets.push((
                packet.time_ns,
                packet.link.0,
                packet.data.to_vec(),
                packet.wire_bytes,
            )),
            Ok(None) => return outcome,
            Err(error) => {
                outcome.error = Some(error.to_string());
                assert!(matches!(capture.next(), Ok(None)), "ended after an error");
                return outcome;
            }
        }
    }
}

#[derive(Clone, Copy)]
struct Writer {
    big: bool,
}

impl Writer {
    fn u16(self, value: u16) -> [u8; 2] {
        if self.big {
            value.to_be_bytes()
        } else {
            value.to_le_bytes()
        }
    }

    fn u32(self, value: u32) -> [u8; 4] {
        if self.big {
            value.to_be_bytes()
        } else {
            value.to_le_bytes()
        }
    }

    fn pcap(self, magic: u32, link: u32, packets: &[(u32, u32, &[u8], u32)]) -> Vec<u8> {
        let mut out = self.u32(magic).to_vec();
        out.extend(self.u16(2));
        out.extend(self.u16(4));
        out.extend([0; 8]);
        out.extend(self.u32(262_144));
        out.extend(self.u32(link));
        for (seconds, fraction, data, wire) in packets {
            out.extend(self.u32(*seconds));
            out.extend(self.u32(*fraction));
            out.extend(self.u32(u32::try_from(data.len()).unwrap()));
            out.extend(self.u32(*wire));
            out.extend_from_slice(data);
        }
        out
    }

    fn block(self, kind: u32, body: &[u8]) -> Vec<u8> {
        let padded = body.len().next_multiple_of(4);
        let total = u32::try_from(12 + padded).unwrap();
        let mut out = self.u32(kind).to_vec();
        out.extend(self.u32(total));
        out.extend_from_slice(body);
        out.resize(8 + padded, 0);
        out.extend(self.u32(total));
        out
    }

    fn section(self) -> Vec<u8> {
        let mut body = self.u32(0x1a2b_3c4d).to_vec();
        body.extend(self.u16(1));
        body.extend(self.u16(0));
        body.extend([0xff; 8]);
        self.block(0x0a0d_0d0a, &body)
    }

    fn interface(self, link: u16, snap: u32, options: &[(u16, &[u8])]) -> Vec<u8> {
        let mut body = self.u16(link).to_vec();
        body.extend([0, 0]);
        body.extend(self.u32(snap));
        for (code, value) in options {
            body.extend(self.u16(*code));
            body.extend(self.u16(u16::try_from(value.len()).unwrap()));
            body.extend_from_slice(value);
            body.resize(body.len().next_multiple_of(4), 0);
        }
        self.block(1, &body)
    }

    fn enhanced(self, interface: u32, stamp: u64, data: &[u8], wire: u32) -> Vec<u8> {
        let mut body = self.u32(interface).to_vec();
        body.extend(self.u32((stamp >> 32) as u32));
        body.extend(self.u32((stamp & 0xffff_ffff) as u32));
        body.extend(self.u32(u32::try_from(data.len()).unwrap()));
        body.extend(self.u32(wire));
        body.extend_from_slice(data);
        self.block(6, &body)
    }
}

const BOTH: [Writer; 2] = [Writer { big: false }, Writer { big: true }];

#[test]
fn pcap_in_both_byte_orders_and_all_resolutions() {
    for writer in BOTH {
        for (magic, unit) in [(0xa1b2_c3d4_u32, 1_000_u64), (0xa1b2_3c4d, 1)] {
            // The upper half of the link field is the length of the frame check sequence.
            let file = writer.pcap(magic, 0x1400_0001, &[(7, 5, b"abc", 60), (8, 0, b"", 0)]);
            let outcome = read_all(&file);
            assert_eq!(
                outcome,
                Outcome {
                    packets: vec![
                        (7_000_000_000 + 5 * unit, 1, b"abc".to_vec(), 60),
                        (8_000_000_000, 1, Vec::new(), 0)
                    ],
                    error: None
                }
            );
        }
    }
}

#[test]
fn pcapng_sections_interfaces_clocks_and_packet_kinds() {
    let mut file = Vec::new();
    for writer in BOTH {
        file.extend(writer.section());
        file.extend(writer.interface(1, 0, &[]));
        file.extend(writer.interface(101, 4, &[(9, &[9])]));
        let offset = if writer.big {
            100_i64.to_be_bytes()
        } else {
            100_i64.to_le_bytes()
        };
        file.extend(writer.interface(113, 0, &[(9, &[0x8a]), (14, &offset), (0, &[])]));
        // A block of a kind that nobody knows.
        file.extend(writer.block(0x0bad_cafe, b"skipped"));
        file.extend(writer.enhanced(0, 1_500_000, b"micro", 5));
        file.extend(writer.enhanced(1, 7, b"nano", 99));
        file.extend(writer.enhanced(2, 512, b"binary", 6));
        // Simple packets have no time, and the first interface's snap length.
        let mut simple = writer.u32(6).to_vec();
        simple.extend_from_slice(b"simple");
        file.extend(writer.block(3, &simple));
        // The obsolete kind: a 16-bit interface and a drop count.
        let mut old = writer.u16(1).to_vec();
        old.extend(writer.u16(0));
        old.extend(writer.u32(0));
        old.extend(writer.u32(9));
        old.extend(writer.u32(3));
        old.extend(writer.u32(3));
        old.extend_from_slice(b"old");
        file.extend(writer.block(2, &old));
    }
    let outcome = read_all(&file);
    assert_eq!(outcome.error, None);
    let section = [
        (1_500_000_000, 1, b"micro".to_vec(), 5),
        (7, 101, b"nano".to_vec(), 99),
        (100_500_000_000, 113, b"binary".to_vec(), 6),
        (0, 1, b"simple".to_vec(), 6),
        (9, 101, b"old".to_vec(), 3),
    ];
    assert_eq!(outcome.packets[..5], section);
    assert_eq!(outcome.packets[5..], section);
}

#[test]
fn errors_name_the_place_and_keep_what_was_read() {
    let writer = Writer { big: false };
    let good = writer.pcap(0xa1b2_c3d4, 1, &[(1, 0, b"abcdef", 6)]);
    let mut long = good.clone();
    long.extend(writer.pcap(0xa1b2_c3d4, 1, &[(1, 0, b"", 0)])[24..].to_vec());
    let at = long.len() - 8;
    long[at..at + 4].copy_from_slice(&300_000_u32.to_le_bytes());
    let outcome = read_all(&long);
    assert_eq!(outcome.packets.len(), 1);
    assert_eq!(
        outcome.error.unwrap(),
        "byte 46: a packet claims 300000 bytes, more than 262144 (the file is damaged)"
    );
    let outcome = read_all(&good[..good.len() - 2]);
    assert_eq!(
        outcome.error.unwrap(),
        "byte 40: the file ends inside a packet: 6 bytes expected, 4 there (the capture was cut \
         short; packets before this point are intact)"
    );
    assert!(
        read_all(b"PK\x03\x04zip")
            .error
            .unwrap()
            .contains("0x504b0304")
    );
    assert!(
        read_all(b"")
            .error
            .unwrap()
            .contains("byte 0: the file ends inside the file header")
    );
    let mut version = good.clone();
    version[4] = 9;
    assert_eq!(
        read_all(&version).error.unwrap(),
        "byte 4: pcap version 9.4 is not known (2.4 is expected)"
    );
    let mut unknown = writer.section();
    unknown.extend(writer.enhanced(0, 0, b"x", 1));
    assert_eq!(
        read_all(&unknown).error.unwrap(),
        "byte 28: a packet of an interface that was not described (the file is damaged)"
    );
    let mut tail = writer.section();
    tail.extend(writer.interface(1, 0, &[]));
    let end = tail.len();
    tail[end - 4] = 99;
    assert!(
        read_all(&tail)
            .error
            .unwrap()
            .contains("byte 28: a block whose two lengths differ")
    );
}

#[test]
fn a_capture_cut_at_every_byte_gives_its_whole_packets() {
    let writer = Writer { big: true };
    let pcap = writer.pcap(0xa1b2_3c4d, 1, &[(1, 1, b"first", 5), (2, 2, b"second", 6)]);
    let mut pcapng = writer.section();
    pcapng.extend(writer.interface(1, 0, &[]));
    pcapng.extend(writer.enhanced(0, 1, b"first", 5));
    pcapng.extend(writer.enhanced(0, 2, b"second", 6));
    for file in [pcap, pcapng] {
        let whole = read_all(&file);
        assert_eq!(whole.packets.len(), 2);
        for length in 0..file.len() {
            let cut = read_all(&file[..length]);
            assert_eq!(cut.packets[..], whole.packets[..cut.packets.len()]);
        }
    }
}

#[test]
fn a_slow_reader_gives_the_same_packets() {
    struct Slow<'a>(&'a [u8]);
    impl Read for Slow<'_> {
        fn read(&mut self, out: &mut [u8]) -> std::io::Result<usize> {
            let count = self.0.len().min(out.len()).min(3);
            out[..count].copy_from_slice(&self.0[..count]);
            self.0 = &self.0[count..];
            Ok(count)
        }
    }
    let data = vec![7; 5_000];
    let packets: Vec<_> = (0..400)
        .map(|second| (second, 0, &data[..], 5_000))
        .collect();
    let file = Writer { big: false }.pcap(0xa1b2_c3d4, 1, &packets);
    let mut capture = Capture::open(Slow(&file)).unwrap();
    let mut count = 0;
    while let Some(packet) = capture.next().unwrap() {
        assert_eq!(packet.data, data);
        assert_eq!(packet.time_ns, count * 1_000_000_000);
        count += 1;
    }
    assert_eq!(count, 400);
    assert_eq!(capture.offset(), file.len() as u64);
}

proptest! {
    #[test]
    fn a_damaged_capture_never_panics(
        flips in proptest::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..12),
        pcapng in any::<bool>(),
        big in any::<bool>(),
    ) {
        let writer = Writer { big };
        let mut file = if pcapng {
            let mut file = writer.section();
            file.extend(writer.interface(1, 0, &[(9, &[6])]));
            file.extend(writer.enhanced(0, 1, b"first", 5));
            file.extend(writer.enhanced(0, 2, b"second", 6));
            file
        } else {
            writer.pcap(0xa1b2_c3d4, 1, &[(1, 1, b"first", 5), (2, 2, b"second", 6)])
        };
        for (at, value) in flips {
            let at = at.index(file.len());
            file[at] = value;
        }
        let outcome = read_all(&file);
        prop_assert!(outcome.packets.len() <= 2);
    }

    #[test]
    fn garbage_never_panics(bytes in proptest::collection::vec(any::<u8>(), 0..300), start in 0_usize..4) {
        let starts: [&[u8]; 4] = [
            &[], &[0xd4, 0xc3, 0xb2, 0xa1, 2, 0, 4, 0], &[0xa1, 0xb2, 0x3c, 0x4d, 0, 2],
            &[0x0a, 0x0d, 0x0d, 0x0a, 28, 0, 0, 0, 0x4d, 0x3c, 0x2b, 0x1a, 1, 0],
        ];
        let mut file = starts[start].to_vec();
        file.extend(bytes);
        read_all(&file);
    }
}
