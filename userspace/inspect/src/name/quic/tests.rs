use aes_gcm::aead::{Aead, KeyInit, Payload};
use aes_gcm::aes::Aes128;
use aes_gcm::aes::cipher::BlockCipherEncrypt;
use aes_gcm::{Aes128Gcm, Nonce};
use proptest::prelude::*;

use super::keys::Secrets;
use super::*;
use crate::testing::hello_message;

pub(in crate::name) const V1: u32 = 1;
pub(in crate::name) const V2: u32 = 0x6b33_43cf;

fn variable(value: usize) -> Vec<u8> {
    u32::try_from(value | 0x8000_0000)
        .unwrap()
        .to_be_bytes()
        .to_vec()
}

pub(in crate::name) fn crypto(offset: usize, bytes: &[u8]) -> Vec<u8> {
    let mut frame = vec![6];
    frame.extend(variable(offset));
    frame.extend(variable(bytes.len()));
    frame.extend_from_slice(bytes);
    frame
}

/// A client's Initial packet, sealed under the keys of `chosen` and sent to `destination`.
pub(in crate::name) fn seal(
    version: u32,
    chosen: &[u8],
    destination: &[u8],
    number: u8,
    frames: &[u8],
) -> Vec<u8> {
    let known = version::version(version).unwrap();
    let secrets = Secrets::of_client(known.schemes[0], chosen);
    let mut packet = vec![0xc0 | known.initial_type << 4];
    packet.extend(version.to_be_bytes());
    packet.push(u8::try_from(destination.len()).unwrap());
    packet.extend_from_slice(destination);
    packet.extend([0, 0]);
    let mut plain = frames.to_vec();
    plain.resize(plain.len().max(64), 0);
    packet.extend(variable(1 + plain.len() + 16));
    let number_at = packet.len();
    packet.push(number);
    let mut nonce = secrets.iv;
    nonce[11] ^= number;
    let sealed = Aes128Gcm::new(&secrets.key.into())
        .encrypt(
            &Nonce::from(nonce),
            Payload {
                msg: &plain,
                aad: &packet,
            },
        )
        .unwrap();
    packet.extend(sealed);
    let sample: [u8; 16] = packet[number_at + 4..number_at + 20].try_into().unwrap();
    let mut mask = sample.into();
    Aes128::new(&secrets.header.into()).encrypt_block(&mut mask);
    packet[0] ^= mask[0] & 0x0f;
    packet[number_at] ^= mask[1];
    packet
}

fn name(read: Read) -> Option<String> {
    match read {
        Read::Hello(hello) => hello.name,
        _ => None,
    }
}

fn hex(text: &str) -> Vec<u8> {
    (0..text.len())
        .step_by(2)
        .map(|at| u8::from_str_radix(&text[at..at + 2], 16).unwrap())
        .collect()
}

/// RFC 9001 appendix A.1 and RFC 9369 appendix A.1.
#[test]
fn published_keys() {
    let cases = [
        (
            V1,
            "1f369613dd76d5467730efcbe3b1a22d",
            "fa044b2f42a3fd3b46fb255c",
            "9f50449e04a0e810283a1e9933adedd2",
        ),
        (
            V2,
            "8b1a0bc121284290a29e0971b5cd045d",
            "91f73e2351d8fa91660e909f",
            "45b95e15235d6f45a6b19cbcb0294ba9",
        ),
    ];
    for (number, key, iv, header) in cases {
        let scheme = version::version(number).unwrap().schemes[0];
        let secrets = Secrets::of_client(scheme, &hex("8394c8f03e515708"));
        assert_eq!(secrets.key[..], hex(key));
        assert_eq!(secrets.iv[..], hex(iv));
        assert_eq!(secrets.header[..], hex(header));
    }
}

/// The client's Initial packet of RFC 9001 appendix A.2 and RFC 9369 appendix A.2: sealed here, its
/// head as published, and read.
#[test]
fn published_packets() {
    const CRYPTO: &str = "060040f1010000ed0303ebf8fa56f12939b9584a3896472ec40bb863cfd3e86804fe3a47f06a2b69484c00000413011302010000c000000010000e00000b6578616d706c652e636f6dff01000100000a00080006001d0017001800100007000504616c706e000500050100000000003300260024001d00209370b2c9caa47fbabaf4559fedba753de171fa71f50f1ce15d43e994ec74d748002b0003020304000d0010000e0403050306030203080408050806002d00020101001c00024001003900320408ffffffffffffffff05048000ffff07048000ffff0801100104800075300901100f088394c8f03e51570806048000ffff";
    const NUMBER_AT: usize = 18;
    let cases = [
        (
            V1,
            "c300000001088394c8f03e5157080000449e00000002",
            "c000000001088394c8f03e5157080000449e7b9aec34d1b1c98dd7689fb8ec11d242b123dc9bd8bab936b47d92ec356c0bab7df5976d27cd449f63300099f399",
        ),
        (
            V2,
            "d36b3343cf088394c8f03e5157080000449e00000002",
            "d76b3343cf088394c8f03e5157080000449ea0c95e82ffe67b6abcdb4298b485dd04de806071bf03dceebfa162e75d6c96058bdbfb127cdfcbf903388e99ad04",
        ),
    ];
    for (number, header, published) in cases {
        let scheme = version::version(number).unwrap().schemes[0];
        let secrets = Secrets::of_client(scheme, &hex("8394c8f03e515708"));
        let mut packet = hex(header);
        let mut plain = hex(CRYPTO);
        plain.resize(1_162, 0);
        let mut nonce = secrets.iv;
        nonce[11] ^= 2;
        let sealed = Aes128Gcm::new(&secrets.key.into())
            .encrypt(
                &Nonce::from(nonce),
                Payload {
                    msg: &plain,
                    aad: &packet,
                },
            )
            .unwrap();
        packet.extend(sealed);
        let sample: [u8; 16] = packet[NUMBER_AT + 4..NUMBER_AT + 20].try_into().unwrap();
        let mut mask = sample.into();
        Aes128::new(&secrets.header.into()).encrypt_block(&mut mask);
        packet[0] ^= mask[0] & 0x0f;
        for (byte, mask) in packet[NUMBER_AT..NUMBER_AT + 4].iter_mut().zip(&mask[1..]) {
            *byte ^= mask;
        }
        let published = hex(published);
        assert_eq!(packet[..published.len()], published);
        let Read::Hello(hello) = Connection::default().read(&packet, 65_536) else {
            panic!("{number:#x}")
        };
        assert_eq!(hello.name.as_deref(), Some("example.com"));
        assert_eq!(hello.alpn, ["alpn"]);
    }
}

#[test]
fn early_data_before_the_hello_is_waited_behind() {
    let message = hello_message(Some("early.example.org"), &[], false, 300);
    let mut early = seal(V1, b"chosen-id", b"chosen-id", 0, &[]);
    early[0] = 0xd0 | early[0] & 0x0f;
    // A packet of 0-RTT has no token.
    early.remove(5 + 1 + 9 + 1);
    let mut connection = Connection::default();
    assert!(matches!(connection.read(&early, 65_536), Read::Early));
    let hello = seal(V1, b"chosen-id", b"chosen-id", 1, &crypto(0, &message));
    let found = name(connection.read(&hello, 65_536));
    assert_eq!(found.as_deref(), Some("early.example.org"));
    assert!(matches!(connection.read(&early, 65_536), Read::Nothing));
}

#[test]
fn pieces_that_contradict_each_other_give_no_name() {
    let message = hello_message(Some("good.example.org"), &[], false, 300);
    let other = hello_message(Some("evil.example.org"), &[], false, 300);
    let at = message.len() - 60;
    let mut connection = Connection::default();
    let tail = seal(V1, b"chosen-id", b"chosen-id", 0, &crypto(at, &other[at..]));
    assert!(matches!(connection.read(&tail, 65_536), Read::Nothing));
    let all = seal(V1, b"chosen-id", b"chosen-id", 1, &crypto(0, &message));
    assert!(matches!(connection.read(&all, 65_536), Read::Contradicts));
    assert!(
        matches!(connection.read(&all, 65_536), Read::Nothing),
        "given up"
    );
    assert_eq!(connection.held(), 0);
}

#[test]
fn a_hello_that_never_ends_is_given_up() {
    let message = hello_message(Some("endless.example.org"), &[], false, 1_000);
    let mut connection = Connection::default();
    for number in 0..64 {
        let at = usize::from(number) * 4;
        let packet = seal(
            V1,
            b"chosen-id",
            b"chosen-id",
            number,
            &crypto(at, &message[at..at + 4]),
        );
        assert!(matches!(connection.read(&packet, 65_536), Read::Nothing));
        assert!(connection.is_incomplete());
    }
    let packet = seal(
        V1,
        b"chosen-id",
        b"chosen-id",
        64,
        &crypto(256, &message[256..]),
    );
    assert!(matches!(connection.read(&packet, 65_536), Read::TooLong));
    assert!(!connection.is_incomplete());
}

#[test]
fn a_hello_in_one_packet() {
    let message = hello_message(Some("www.example.org"), &["h3"], true, 0);
    for number in [V1, V2, 0xff00_001d, 0xff00_001b, 0xface_b001, 0x1a2a_3a4a] {
        let packet = seal(number, b"chosen-id", b"chosen-id", 0, &crypto(0, &message));
        let mut connection = Connection::default();
        let Read::Hello(hello) = connection.read(&packet, 65_536) else {
            panic!("{number:#x}")
        };
        assert_eq!(hello.name.as_deref(), Some("www.example.org"));
        assert_eq!(hello.alpn, ["h3"]);
        assert_eq!(hello.ech.and_then(|ech| ech.config_id), Some(7));
        assert!(hello.ja4.is_some_and(|ja4| ja4.starts_with("q12d0204h3_")));
        assert!(
            matches!(connection.read(&packet, 65_536), Read::Nothing),
            "told once"
        );
    }
}

#[test]
fn a_hello_over_packets_frames_and_coalesced() {
    let message = hello_message(Some("late.example.org"), &[], false, 1500);
    let (head, tail) = message.split_at(900);
    // The client goes on with the identifier that the server chose; the keys stay.
    let first = [crypto(400, &head[400..]), vec![1], crypto(0, &head[..400])].concat();
    let first = seal(V1, b"12345678", b"12345678", 0, &first);
    let second = seal(V1, b"12345678", b"server", 1, &crypto(900, tail));
    for datagrams in [
        vec![first.clone(), second.clone()],
        vec![[first.clone(), second.clone()].concat()],
    ] {
        let mut connection = Connection::default();
        let mut found = None;
        for datagram in &datagrams {
            found = name(connection.read(datagram, 65_536)).or(found);
        }
        assert_eq!(found.as_deref(), Some("late.example.org"));
    }
}

#[test]
fn after_a_retry_the_keys_are_new() {
    let message = hello_message(Some("retry.example.org"), &[], false, 300);
    let mut connection = Connection::default();
    let half = seal(V1, b"original", b"original", 0, &crypto(0, &message[..200]));
    assert!(matches!(connection.read(&half, 65_536), Read::Nothing));
    assert!(connection.is_incomplete());
    let again = seal(V1, b"fromretry", b"fromretry", 1, &crypto(0, &message));
    assert_eq!(
        name(connection.read(&again, 65_536)).as_deref(),
        Some("retry.example.org")
    );
}

#[test]
fn what_does_not_decrypt_gives_no_name() {
    let message = hello_message(Some("www.example.org"), &[], false, 0);
    let good = seal(V1, b"chosen-id", b"chosen-id", 0, &crypto(0, &message));
    for at in 0..good.len() {
        let mut bad = good.clone();
        bad[at] ^= 0x10;
        assert!(
            name(Connection::default().read(&bad, 65_536)).is_none(),
            "byte {at}"
        );
    }
    for length in 0..good.len() {
        assert!(name(Connection::default().read(&good[..length], 65_536)).is_none());
    }
    let mut unknown = good.clone();
    unknown[1..5].copy_from_slice(&0xdead_beef_u32.to_be_bytes());
    assert!(matches!(
        Connection::default().read(&unknown, 65_536),
        Read::UnknownVersion
    ));
    assert!(matches!(
        Connection::default().read(&good, 10),
        Read::TooLong
    ));
}

#[test]
fn hellos_of_google_in_the_clear() {
    let mut hello = b"CHLO\x02\0\0\0".to_vec();
    hello.extend(b"PAD\0\x04\0\0\0SNI\0\x13\0\0\0");
    hello.extend(b"----www.example.org");
    let mut old = vec![0x09, 1, 2, 3, 4, 5, 6, 7, 8];
    old.extend(b"Q043\x01");
    old.extend([0; 12]);
    old.extend([0xa0, 1, 4, 0]);
    let mut long = vec![0xc3];
    long.extend(b"Q046\x50");
    long.extend([0; 8 + 4 + 12]);
    long.extend([0xa0, 1, 4, 0]);
    for head in [old, long] {
        let datagram = [head, hello.clone()].concat();
        assert!(may_be(&datagram));
        let found = name(Connection::default().read(&datagram, 65_536));
        assert_eq!(found.as_deref(), Some("www.example.org"));
        for length in 0..datagram.len() {
            Connection::default().read(&datagram[..length], 65_536);
        }
    }
}

proptest! {
    /// As browsers do it: a hello with a post-quantum key share over two packets, in frames that are
    /// scattered, with PING and PADDING between, in any order, some of them twice.
    #[test]
    fn a_scattered_hello_gives_its_name(
        cuts in proptest::collection::vec(1_usize..1_700, 1..24),
        order in any::<u64>(),
        version in prop::sample::select(vec![V1, V2, 0xff00_001d]),
        swapped in any::<bool>(),
    ) {
        let message = hello_message(Some("scattered.example.org"), &["h3"], false, 1_500);
        let mut cuts: Vec<usize> = cuts.into_iter().filter(|at| *at < message.len()).collect();
        cuts.extend([0, message.len()]);
        cuts.sort_unstable();
        cuts.dedup();
        let mut pieces: Vec<Vec<u8>> = cuts
            .windows(2)
            .map(|ends| crypto(ends[0], &message[ends[0]..ends[1]]))
            .collect();
        let again = pieces[0].clone();
        pieces.push(again);
        let count = u64::try_from(pieces.len()).unwrap();
        for index in 0..pieces.len() {
            let other = order.rotate_left(u32::try_from(index).unwrap()) % count;
            pieces.swap(index, usize::try_from(other).unwrap());
        }
        let mut frames = [Vec::new(), Vec::new()];
        for (index, piece) in pieces.iter().enumerate() {
            let packet = &mut frames[usize::from(index >= pieces.len() / 2)];
            packet.extend_from_slice(piece);
            packet.extend([1, 0, 0]);
        }
        let mut datagrams = vec![
            seal(version, b"chosen-id", b"chosen-id", 0, &frames[0]),
            seal(version, b"chosen-id", b"chosen-id", 1, &frames[1]),
        ];
        if swapped {
            datagrams.reverse();
        }
        let mut connection = Connection::default();
        let mut found = None;
        for datagram in &datagrams {
            found = name(connection.read(datagram, 65_536)).or(found);
        }
        prop_assert_eq!(found.as_deref(), Some("scattered.example.org"));
        prop_assert_eq!(connection.held(), 0);
    }

    /// One frame says something else than the others, whenever it comes: no name, or the one that a
    /// server reads that takes what came first.
    #[test]
    fn a_frame_that_lies_gives_no_wrong_name(
        cuts in proptest::collection::vec(1_usize..700, 0..6),
        lie in (0_usize..700, 1_usize..700, 0_usize..700, 1_u8..),
        order in any::<u64>(),
    ) {
        let message = hello_message(Some("true.example.org"), &["h3"], false, 400);
        let from = lie.0 % message.len();
        let to = from + 1 + lie.1 % (message.len() - from);
        let mut other = message.clone();
        other[from + lie.2 % (to - from)] ^= lie.3;
        let mut ends: Vec<usize> = cuts.into_iter().filter(|at| *at < message.len()).collect();
        ends.extend([0, message.len()]);
        ends.sort_unstable();
        ends.dedup();
        let mut pieces: Vec<(usize, usize, &[u8])> =
            ends.windows(2).map(|ends| (ends[0], ends[1], &message[..])).collect();
        pieces.push((from, to, &other));
        let count = u64::try_from(pieces.len()).unwrap();
        for index in 0..pieces.len() {
            let other = order.rotate_left(u32::try_from(index).unwrap()) % count;
            pieces.swap(index, usize::try_from(other).unwrap());
        }
        let mut first = vec![None; message.len()];
        let mut connection = Connection::default();
        let mut told = Vec::new();
        for (number, (from, to, source)) in (0..).zip(&pieces) {
            for at in *from..*to {
                first[at].get_or_insert(source[at]);
            }
            let frames = crypto(*from, &source[*from..*to]);
            let packet = seal(V1, b"chosen-id", b"chosen-id", number, &frames);
            told.extend(name(connection.read(&packet, 65_536)));
        }
        let first: Vec<u8> = first.into_iter().flatten().collect();
        let server = match tls::handshake(&first, Transport::Quic) {
            Progress::Whole(hello) => hello.name,
            Progress::More(_) | Progress::Not => None,
        };
        prop_assert!(told.len() <= 1);
        prop_assert!(told.is_empty() || told.first() == server.as_ref(), "{told:?} {server:?}");
        prop_assert_eq!(connection.held(), 0);
    }

    #[test]
    fn never_panics(bytes in proptest::collection::vec(any::<u8>(), 0..200), start in 0_usize..4) {
        let starts: [&[u8]; 4] = [&[], &[0xc0, 0, 0, 0, 1, 8], b"\xc3Q046\x50", b"\x09aaaaaaaaQ043CHLO"];
        let datagram = [starts[start], &bytes].concat();
        Connection::default().read(&datagram, 65_536);
    }

    #[test]
    fn frames_never_panic(bytes in proptest::collection::vec(any::<u8>(), 0..100)) {
        for style in [version::Frames::Ietf, version::Frames::Google] {
            let _ = frames::each_crypto(&bytes, style, |_, _| Ok(()));
        }
    }
}
