//! The seeds of the fuzz targets that read traffic: made here, with the builders of these tests.
//!
//! `OCTROI_BLESS=1 cargo test -p octroi-inspect seeds` writes them to `fuzz/corpus` anew.

use std::path::Path;

use super::*;
use crate::name::quic::tests::{V1, V2, crypto, seal};
use crate::testing::{
    certificate, connection_request, dtls_fragments, dtls_hello_body, ech_config_list, ethernet,
    in_prelogin, ip, ip_with, mysql_request, prelogin, server_messages, start_tls, tcp, udp,
};

/// A seed: target, name, bytes.
type Seed = (&'static str, &'static str, Vec<u8>);

const A: &str = "10.0.0.1";
const B: &str = "203.0.113.9";

fn behind_lengths(pieces: &[Vec<u8>]) -> Vec<u8> {
    let mut out = Vec::new();
    for piece in pieces {
        out.extend(u16::try_from(piece.len()).unwrap().to_be_bytes());
        out.extend(piece);
    }
    out
}

fn dns_seeds() -> Vec<Seed> {
    let mut query = dns(7, false, ("www.example", 65), &[]);
    query[11] = 1;
    query.extend([0, 0, 41, 4, 208, 0, 0, 0, 0, 0, 0]);
    let chain = [
        (vec![0xc0, 12], 5, 60, dns_name("edge.cdn.example")),
        (dns_name("edge.cdn.example"), 1, 30, vec![203, 0, 113, 9]),
        (dns_name("edge.cdn.example"), 28, 30, vec![0x20; 16]),
    ];
    let keys = ech_config_list(&[(7, "public.example")]);
    let mut service = vec![0, 1, 0, 0, 4, 0, 4, 203, 0, 113, 9, 0, 5];
    service.extend(u16::try_from(keys.len()).unwrap().to_be_bytes());
    service.extend(keys);
    let service = [(vec![0xc0, 12], 65, 300, service)];
    let looped = [
        (dns_name("a.example"), 5, 60, dns_name("b.example")),
        (dns_name("b.example"), 5, 60, dns_name("a.example")),
    ];
    // A name that points into the header, found by the fuzzer.
    let pointer = [
        0x01, 0xc0, 0x00, 0xff, 0x00, 0x01, 0x10, 0x01, 0x04, 0x20, 0xa5, 0x00, 0x03, 0x77, 0x00,
        0x01, 0xc0, 0x00, 0x03, 0x77, 0x77, 0x77, 0x6c, 0xff, 0xfe, 0x01, 0x65, 0xff, 0x3d,
    ];
    vec![
        ("dns", "pointer-into-header", pointer.to_vec()),
        ("dns", "query-with-edns", query),
        ("dns", "chain", dns(9, true, ("www.example", 1), &chain)),
        (
            "dns",
            "service",
            dns(9, true, ("www.example", 65), &service),
        ),
        ("dns", "loop", dns(9, true, ("a.example", 1), &looped)),
    ]
}

fn tls_seeds() -> Vec<Seed> {
    let message = hello_message(Some("www.example.org"), &["h2", "http/1.1"], true, 30);
    let long = hello_message(Some("post.quantum.example"), &["h2"], false, 1_640);
    vec![
        ("tls", "one-record", records(&message, 16_384)),
        ("tls", "records", records(&message, 60)),
        ("tls", "long", records(&long, 16_384)),
        (
            "tls",
            "nameless",
            records(&hello_message(None, &[], false, 0), 16_384),
        ),
        ("certificate", "one", certificate(&["www.example.org"])),
        (
            "certificate",
            "three",
            certificate(&["example.org", "*.example.org", "x.example"]),
        ),
        ("certificate", "none", certificate(&[])),
    ]
}

fn http_seeds() -> Vec<Seed> {
    let mut http2 = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0".to_vec();
    let plain = http2.clone();
    http2.extend([0, 0, 17, 1, 5, 0, 0, 0, 1, 0x82, 0x86, 0x84, 0x41, 0x8c]);
    http2.extend([
        0xf1, 0xe3, 0xc2, 0xe5, 0xf2, 0x3a, 0x6b, 0xa0, 0xab, 0x90, 0xf4, 0xff,
    ]);
    let mut parts = plain;
    parts.extend([0, 0, 14, 1, 0x28, 0, 0, 0, 1, 2, 0, 0, 0, 0, 9, 0x40, 4]);
    parts.extend(b"host\0\0");
    parts.extend([0, 0, 6, 9, 4, 0, 0, 0, 1, 3]);
    parts.extend(b"a.b\x82\xbe");
    let get = b"GET /x HTTP/1.1\r\nAccept: */*\r\nHost: www.example.org:8080\r\n\r\n";
    vec![
        ("http1", "get", get.to_vec()),
        (
            "http1",
            "connect",
            b"CONNECT [2001:db8::1]:443 HTTP/1.1\r\n\r\n".to_vec(),
        ),
        (
            "http1",
            "absolute",
            b"GET http://u:p@a.example/ HTTP/1.1\r\nHost: b\r\n\r\n".to_vec(),
        ),
        ("http2", "coded", http2),
        ("http2", "continued", parts),
    ]
}

fn quic_seeds() -> Vec<Seed> {
    let message = hello_message(Some("quic.example.org"), &["h3"], true, 1_100);
    let (head, tail) = message.split_at(700);
    let scattered = [
        crypto(300, &head[300..]),
        vec![1, 0],
        crypto(0, &head[..300]),
    ]
    .concat();
    let two = [
        seal(V1, b"chosen-id", b"chosen-id", 0, &crypto(700, tail)),
        seal(V1, b"chosen-id", b"chosen-id", 1, &scattered),
    ];
    let retried = [
        seal(V2, b"original", b"original", 0, &crypto(0, head)),
        seal(V2, b"after-it", b"after-it", 1, &crypto(0, &message)),
    ];
    vec![
        ("quic", "two-packets", behind_lengths(&two)),
        ("quic", "coalesced", behind_lengths(&[two.concat()])),
        ("quic", "retry-v2", behind_lengths(&retried)),
        (
            "quic",
            "dtls-fragments",
            behind_lengths(&dtls_fragments(&dtls_hello_body("call.example", 90), 60)),
        ),
    ]
}

fn stream_seeds() -> Vec<Seed> {
    let said = hello("mail.example");
    let with = |size: u8, words: &[u8]| [&[size][..], words, &said].concat();
    let xmpp = b"<?xml version='1.0'?><stream:stream to='x.example' xmlns:stream='http://etherx.jabber.org/streams'><starttls xmlns='urn:ietf:params:xml:ns:xmpp-tls'/>";
    let described = |number: u8, flags: u8, at: u16, payload: &[u8]| {
        let mut out = vec![number, flags, 0];
        out.extend(at.to_be_bytes());
        out.extend(u16::try_from(payload.len()).unwrap().to_be_bytes());
        out.extend_from_slice(payload);
        out
    };
    let hidden = records(&hello_message(None, &[], false, 0), 16_384);
    let shown = records(
        &server_messages(&certificate(&["one.example"]), false),
        16_384,
    );
    let query = dns(7, false, ("www.example", 1), &[]);
    let answers = [(vec![0xc0, 12], 1, 60, vec![203, 0, 113, 1])];
    let answer = dns(7, true, ("www.example", 1), &answers);
    let many = [
        described(8, 4, 0, &query),
        described(8, 5, 0, &answer),
        described(1, 0, 100, &said[100..]),
        described(1, 0, 0, &said[..120]),
        described(2, 0, 0, &hidden),
        described(2, 1, 0, &shown),
        described(4, 2, 0, b"GET / HTTP/1.1\r\nHost: cut.example\r\n"),
    ];
    vec![
        ("starttls", "smtp", with(5, b"EHLO me\r\nSTARTTLS\r\n")),
        (
            "starttls",
            "imap",
            with(3, b"a1 CAPABILITY\r\na2 STARTTLS\r\n"),
        ),
        ("starttls", "xmpp", with(40, xmpp)),
        ("starttls", "ldap", with(7, &start_tls(true))),
        (
            "starttls",
            "postgresql",
            with(6, &[0, 0, 0, 8, 4, 210, 22, 48, 0, 0, 0, 8, 4, 210, 22, 47]),
        ),
        ("starttls", "mysql", with(30, &mysql_request())),
        (
            "starttls",
            "tds",
            [&[50][..], &prelogin(), &in_prelogin(&said)].concat(),
        ),
        (
            "starttls",
            "rdp",
            with(9, &connection_request(b"Cookie: mstshash=me\r\n", true)),
        ),
        ("starttls", "untagged", with(4, b"STARTTLS\r\n")),
        (
            "starttls",
            "http",
            [&[9][..], b"GET / HTTP/1.1\r\nHost: a.example\r\n\r\n"].concat(),
        ),
        ("namer", "several-flows", many.concat()),
    ]
}

#[expect(clippy::too_many_lines, reason = "a table")]
fn packet_seeds() -> Vec<Seed> {
    let inner = ip("10.1.0.1", "198.51.100.7", 17, &udp(4000, 53, b"payload"));
    let segment = ip(A, B, 6, &tcp(4000, 443, 7, 0x18, b"payload"));
    let frame = ethernet(0x0800, &segment);
    let inner_frame = ethernet(0x0800, &inner);
    let gre = |kind: u16, content: &[u8]| {
        let head = [&[0, 0][..], &kind.to_be_bytes()].concat();
        ip(A, B, 47, &[&head[..], content].concat())
    };
    let over_udp = |port: u16, head: &[u8], content: &[u8]| {
        ip(A, B, 17, &udp(40_000, port, &[head, content].concat()))
    };
    let six = ip("2001:db8::1", "2001:db8::2", 17, &udp(4000, 53, b"payload"));
    let datagram = udp(4000, 53, &[5; 60]);
    let pieces = [
        ip_with(A, B, 17, &datagram[..24], 0x2000, &[]),
        ip_with(A, B, 17, &datagram[24..48], 0x2003, &[]),
        ip_with(A, B, 17, &datagram[48..], 0x0006, &[]),
    ];
    let tagged = ethernet(0x8100, &[&[0, 5, 8, 0][..], &segment].concat());
    vec![
        ("packet", "ethernet", [&[0, 0][..], &frame].concat()),
        ("packet", "vlan", [&[0, 1][..], &tagged].concat()),
        ("packet", "raw6", [&[1, 0][..], &six].concat()),
        (
            "packet",
            "pppoe",
            [&[13, 0, 0x11, 0, 0, 1, 0, 40, 0, 0x21][..], &inner].concat(),
        ),
        ("tunnel", "ip-in-ip", ip(A, B, 4, &inner)),
        ("tunnel", "six-in-four", ip(A, B, 41, &six)),
        ("tunnel", "gre", gre(0x0800, &inner)),
        ("tunnel", "gre-bridge", gre(0x6558, &inner_frame)),
        (
            "tunnel",
            "vxlan",
            over_udp(4789, &[8, 0, 0, 0, 0, 0, 7, 0], &inner_frame),
        ),
        (
            "tunnel",
            "geneve",
            over_udp(6081, &[0, 0, 0x65, 0x58, 0, 0, 7, 0], &inner_frame),
        ),
        (
            "tunnel",
            "gtp",
            over_udp(2152, &[0x30, 255, 0, 40, 0, 0, 0, 1], &inner),
        ),
        (
            "tunnel",
            "teredo",
            over_udp(3544, &[0, 0, 1, 2, 3, 4, 5, 6], &six),
        ),
        (
            "tunnel",
            "l2tp",
            over_udp(
                1701,
                &[0x40, 2, 0, 99, 0, 1, 0, 1, 0xff, 3, 0, 0x21],
                &inner,
            ),
        ),
        (
            "tunnel",
            "etherip",
            ip(A, B, 97, &[&[0x30, 0][..], &inner_frame].concat()),
        ),
        (
            "tunnel",
            "capwap-wireless",
            over_udp(
                5247,
                &[
                    &[0, 0x10, 3, 0, 0, 0, 0, 0, 0x11, 8][..],
                    &[0; 22],
                    &[0xaa, 0xaa, 3, 0, 0, 0, 8, 0],
                ]
                .concat(),
                &inner,
            ),
        ),
        (
            "tunnel",
            "capwap-ethernet",
            over_udp(5247, &[0, 0x10, 2, 0, 0, 0, 0, 0], &inner_frame),
        ),
        (
            "tunnel",
            "l2tp-3",
            ip(
                A,
                B,
                115,
                &[&[0, 0, 0, 9, 1, 2, 3, 4][..], &ethernet(0x86dd, &six)].concat(),
            ),
        ),
        (
            "tunnel",
            "l2tp-3-udp",
            over_udp(1701, &[0, 3, 0, 0, 0, 0, 0, 9], &ethernet(0x86dd, &six)),
        ),
        ("tunnel", "gue", over_udp(6080, &[0, 4, 0, 0], &inner)),
        (
            "tunnel",
            "gre-udp",
            over_udp(4754, &[0, 0, 0x65, 0x58], &inner_frame),
        ),
        (
            "tunnel",
            "authenticated",
            ip(
                A,
                B,
                51,
                &[&[6, 4][..], &[7; 22], &tcp(4000, 443, 7, 0x18, b"payload")].concat(),
            ),
        ),
        ("fragment", "in-order", behind_lengths(&pieces)),
        (
            "fragment",
            "twice",
            behind_lengths(&[pieces[0].clone(), pieces[1].clone(), pieces[1].clone()]),
        ),
    ]
}

fn capture_seeds() -> Vec<Seed> {
    let frame = ethernet(
        0x0800,
        &ip(A, B, 6, &tcp(4000, 443, 7, 0x18, &hello("www.example"))),
    );
    let length = u32::try_from(frame.len()).unwrap();
    let mut pcap = 0xa1b2_c3d4_u32.to_le_bytes().to_vec();
    pcap.extend([2, 0, 4, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 4, 0, 1, 0, 0, 0]);
    for second in [1_u32, 2] {
        for word in [second, 5, length, length] {
            pcap.extend(word.to_le_bytes());
        }
        pcap.extend(&frame);
    }
    let block = |kind: u32, body: &[u8]| {
        let total = u32::try_from(12 + body.len()).unwrap();
        let mut out = kind.to_le_bytes().to_vec();
        out.extend(total.to_le_bytes());
        out.extend_from_slice(body);
        out.extend(total.to_le_bytes());
        out
    };
    let mut section = 0x1a2b_3c4d_u32.to_le_bytes().to_vec();
    section.extend([1, 0, 0, 0]);
    section.extend([0xff; 8]);
    let mut packet = Vec::new();
    for word in [0_u32, 0, 5, length, length] {
        packet.extend(word.to_le_bytes());
    }
    packet.extend(&frame);
    packet.resize(packet.len().next_multiple_of(4), 0);
    let pcapng = [
        block(0x0a0d_0d0a, &section),
        block(1, &[1, 0, 0, 0, 0, 0, 4, 0]),
        block(6, &packet),
    ];
    vec![
        ("capture", "pcap", pcap),
        ("capture", "pcapng", pcapng.concat()),
    ]
}

#[test]
fn the_seeds_of_the_fuzz_targets_are_these() {
    let corpus = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fuzz/corpus");
    let seeds = [
        dns_seeds(),
        tls_seeds(),
        http_seeds(),
        quic_seeds(),
        stream_seeds(),
        packet_seeds(),
        capture_seeds(),
    ];
    for (target, name, bytes) in seeds.concat() {
        let path = corpus.join(target).join(name);
        if std::env::var_os("OCTROI_BLESS").is_some() {
            std::fs::create_dir_all(corpus.join(target)).unwrap();
            std::fs::write(&path, &bytes).unwrap();
        }
        let found =
            std::fs::read(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        assert!(found == bytes, "{} is another one", path.display());
    }
}
