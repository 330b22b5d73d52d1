//! First words, and words before a handshake.

use super::*;
use crate::testing::{connection_request, mysql_request, prelogin, start_tls};

#[test]
fn first_words() {
    let cases: [(&str, Begins); 26] = [
        ("EHLO client.example\r\n", Begins::Yes(AppProtocol::Smtp)),
        ("ehlo x\r\n", Begins::Yes(AppProtocol::Smtp)),
        ("EH", Begins::Maybe),
        ("CAPA\r\n", Begins::Yes(AppProtocol::Pop3)),
        ("CAPA", Begins::Maybe),
        ("STLS\r\n", Begins::Yes(AppProtocol::Pop3)),
        ("AUTH TLS\r\n", Begins::Yes(AppProtocol::Ftp)),
        ("AUTH PLAIN x\r\n", Begins::No),
        ("USER anonymous\r\n", Begins::No),
        ("a1 CAPABILITY\r\n", Begins::Yes(AppProtocol::Imap)),
        ("A0001 login me secret\r\n", Begins::Yes(AppProtocol::Imap)),
        ("a1 IDLE\r\n", Begins::No),
        ("a1 ID", Begins::Maybe),
        ("a1", Begins::Maybe),
        ("tag without\r\n", Begins::No),
        (
            "<?xml version='1.0'?><stream:stream to='x.example' xmlns:stream='http://etherx.jabber.org/streams'>",
            Begins::Yes(AppProtocol::Xmpp),
        ),
        ("<?xml version='1.0'?>", Begins::Maybe),
        ("<?xml version='1.0'?><note></note>", Begins::No),
        ("\u{16}\u{3}\u{1}", Begins::No),
        ("STARTTLS\r\n", Begins::Yes(AppProtocol::Unknown)),
        ("CAPABILITIES\r\n", Begins::Yes(AppProtocol::Nntp)),
        ("mode reader\r\n", Begins::Yes(AppProtocol::Nntp)),
        ("CAPABILITY\r\n", Begins::No),
        ("\0\0", Begins::Maybe),
        ("0", Begins::Maybe),
        ("\u{12}\u{1}", Begins::Maybe),
    ];
    for (bytes, expected) in cases {
        assert_eq!(begins(bytes.as_bytes()), expected, "{bytes:?}");
    }
}

#[test]
fn words_before_a_handshake_and_words_in_the_clear() {
    use AppProtocol::{Ftp, Imap, Managesieve, Nntp, Pop3, Smtp, Xmpp};
    let cases: [(AppProtocol, &str, Words); 18] = [
        (Nntp, "STARTTLS\r\n", Words::Before(10)),
        (Nntp, "GROUP misc.test\r\n", Words::Clear),
        (Managesieve, "Starttls\r\n", Words::Before(10)),
        (Managesieve, "AUTHENTICATE \"PLAIN\"\r\n", Words::Clear),
        (Smtp, "EHLO x\r\nSTARTTLS\r\n", Words::Before(8)),
        (Smtp, "STARTTLS\r\n", Words::Before(10)),
        (Smtp, "STARTT", Words::More),
        (Smtp, "MAIL FROM:<a@b.example>\r\n", Words::Clear),
        (Imap, "a2 starttls\r\n", Words::Before(13)),
        (Imap, "a3 LOGIN me secret\r\n", Words::Clear),
        (Pop3, "STLS\n", Words::Before(5)),
        (Pop3, "USER me\r\n", Words::Clear),
        (Ftp, "AUTH TLS\r\n", Words::Before(10)),
        (Ftp, "USER me\r\n", Words::Clear),
        (Xmpp, " \n", Words::Before(2)),
        (
            Xmpp,
            "<starttls xmlns='urn:ietf:params:xml:ns:xmpp-tls'/>",
            Words::Before(51),
        ),
        (Xmpp, "<stream:stream to='x'", Words::More),
        (Xmpp, "<auth mechanism='PLAIN'>", Words::Clear),
    ];
    for (protocol, bytes, expected) in cases {
        assert_eq!(words(protocol, bytes.as_bytes()), expected, "{bytes:?}");
    }
    assert_eq!(words(Smtp, &[b'x'; 10_000]), Words::Clear);
}

/// Messages that come before a handshake, whole.
fn before() -> Vec<(AppProtocol, Vec<u8>)> {
    use AppProtocol::{Ldap, Mysql, Postgresql, Rdp, Tds};
    vec![
        (Ldap, start_tls(false)),
        (Ldap, start_tls(true)),
        (
            Ldap,
            b"\x30\x25\x02\x01\x01\x63\x20\x04\0\x0a\x01\0\x0a\x01\0\x02\x01\0\x02\x01\0\x01\x01\0\x87\x0bobjectClass\x30\0"
                .to_vec(),
        ),
        (Postgresql, vec![0, 0, 0, 8, 4, 210, 22, 47]),
        (Postgresql, vec![0, 0, 0, 8, 4, 210, 22, 48]),
        (Mysql, mysql_request()),
        (Tds, prelogin()),
        (Rdp, connection_request(b"Cookie: mstshash=me\r\n", true)),
        (Rdp, connection_request(b"", true)),
        (Rdp, connection_request(b"Cookie: msts=167772170.15629.0000\r\n", false)),
    ]
}

#[test]
fn messages_before_a_handshake_cut_anywhere() {
    for (protocol, bytes) in before() {
        assert_eq!(begins(&bytes), Begins::Yes(protocol), "{bytes:02x?}");
        assert_eq!(words(protocol, &bytes), Words::Before(bytes.len()));
        let longer = [&bytes[..], b"\x16\x03\x01"].concat();
        assert_eq!(words(protocol, &longer), Words::Before(bytes.len()));
        for length in 1..bytes.len() {
            assert_eq!(
                begins(&bytes[..length]),
                Begins::Maybe,
                "{protocol:?} {length}"
            );
            assert_eq!(
                words(protocol, &bytes[..length]),
                Words::More,
                "{protocol:?} {length}"
            );
        }
    }
}

#[test]
fn messages_in_the_clear() {
    use AppProtocol::{Ldap, Mysql, Postgresql, Rdp, Tds};
    let bind = b"\x30\x0c\x02\x01\x01\x60\x07\x02\x01\x03\x04\0\x80\0";
    let search = b"\x30\x11\x02\x01\x02\x63\x0c\x04\x04dc=x\x0a\x01\x02\x0a\x01\0";
    let start = b"\0\0\0\x20\0\x03\0\0user\0me\0database\0sales\0\0";
    for (protocol, bytes) in [(Ldap, &bind[..]), (Ldap, search), (Postgresql, start)] {
        assert_eq!(begins(bytes), Begins::Yes(protocol));
        assert_eq!(words(protocol, bytes), Words::Clear);
    }
    for (protocol, bytes) in [
        (Mysql, &b"\x20\0\0\x01\x05\xa2"[..]),
        (Tds, b"\x10\x01\0\x90\0\0\x01\0"),
        (Rdp, b"\x03\0\x01\x9b\x02\xf0\x80\x7f\x65"),
    ] {
        assert_eq!(words(protocol, bytes), Words::Clear, "{protocol:?}");
    }
}

#[test]
fn what_only_resembles_them_begins_nothing() {
    // A hello inside a packet of TDS is the next word, never the first one.
    let record = b"\x12\x01\0\x40\0\0\0\0\x16\x03\x01\0\x30\x01";
    assert_eq!(words(AppProtocol::Tds, record), Words::Before(8));
    let cases: [&[u8]; 10] = [
        record,
        // SNMP; a sequence longer than what it holds; a negative number; an unknown operation.
        b"\x30\x0b\x02\x01\0\x04\x06public",
        b"\x30\x0c\x02\x01\x01\x60\x08\x02\x01\x03\x04\0\x80\x01",
        b"\x30\x0c\x02\x01\x81\x60\x07\x02\x01\x03\x04\0\x80\0",
        b"\x30\x0c\x02\x01\x01\x6f\x07\x02\x01\x03\x04\0\x80\0",
        // A start message without parameters.
        b"\0\0\0\x10\0\x03\0\0what\0x\0\0",
        // A connection request of S7, and one whose lengths differ.
        b"\x03\0\0\x16\x11\xe0\0\0\0\x01\0\xc0\x01\x0a\xc1\x02\x01\0\xc2\x02\x01\x02",
        b"\x03\0\0\x13\x0f\xe0\0\0\0\0\0\x01\0\x08\0\x03\0\0\0",
        // Another first option; filler that is not zero.
        b"\x12\x01\0\x20\0\0\0\0\x01\0\x10\0\x06\xff",
        b"\x20\0\0\x01\x05\xae\0\0\0\0\0\x01\x21\x01",
    ];
    for bytes in cases {
        assert_eq!(begins(bytes), Begins::No, "{bytes:02x?}");
    }
}

#[test]
fn greetings_of_servers() {
    use AppProtocol::{Managesieve, Mysql};
    let mut packet = vec![0, 0, 0, 0, 10];
    packet.extend_from_slice(b"8.4.2\0");
    packet.extend_from_slice(&[7; 40]);
    packet[0] = u8::try_from(packet.len() - 4).unwrap();
    assert_eq!(greeting(&packet), Some(Greeting::Of(Mysql)));
    assert_eq!(greeting(&packet[..20]), None);
    let sieve = b"\"IMPLEMENTATION\" \"Example1 v1\"\r\n";
    assert_eq!(greeting(sieve), Some(Greeting::Of(Managesieve)));
    assert_eq!(greeting(b"200 ready\r\n"), None);
}
