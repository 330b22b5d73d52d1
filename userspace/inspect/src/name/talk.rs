//! Conversations in lines that come before a handshake: SMTP, IMAP, POP3, FTP and XMPP, from the
//! client's first command to its request for TLS.

use super::AppProtocol;

/// Longest line of a command, bytes (RFC 5321 section 4.5.3.1.4: 512; RFC 7162: 8,192).
const MAX_LINE: usize = 8_192;
/// Bytes in which a stream header of XMPP must show what it is.
const MAX_XMPP_HEAD: usize = 1_024;

/// Whether bytes are the first ones of a conversation.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Begins {
    Yes(AppProtocol),
    /// They are too few to tell.
    Maybe,
    No,
}

/// What a client's next words are.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Words {
    /// So many bytes that still come before the handshake.
    Before(usize),
    /// The conversation goes on in the clear.
    Clear,
    /// More bytes are needed.
    More,
}

/// What a server's first line says is spoken.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Greeting {
    /// One protocol.
    Of(AppProtocol),
    /// SMTP or FTP: both begin with 220.
    Ready,
}

/// Reads a server's first line.
pub(super) fn greeting(bytes: &[u8]) -> Option<Greeting> {
    match bytes {
        [b'S', b'S', b'H', b'-', ..] => Some(Greeting::Of(AppProtocol::Ssh)),
        [b'+', b'O', b'K', b' ', ..] => Some(Greeting::Of(AppProtocol::Pop3)),
        [b'*', b' ', b'O', b'K', b' ', ..] => Some(Greeting::Of(AppProtocol::Imap)),
        [b'2', b'2', b'0', b' ' | b'-', ..] => Some(Greeting::Ready),
        _ => None,
    }
}

/// What is spoken when a client answers a greeting with words that begin no conversation.
pub(super) fn answers(greeting: Greeting, bytes: &[u8]) -> Option<AppProtocol> {
    const COMMANDS: [&[u8]; 6] = [b"USER ", b"FEAT", b"OPTS ", b"SYST", b"HOST ", b"CLNT "];
    match greeting {
        Greeting::Of(protocol) => Some(protocol),
        Greeting::Ready => COMMANDS
            .iter()
            .any(|word| {
                bytes
                    .get(..word.len())
                    .is_some_and(|start| start.eq_ignore_ascii_case(word))
            })
            .then_some(AppProtocol::Ftp),
    }
}

/// First commands that only one protocol has.
const FIRST: [(&[u8], AppProtocol); 9] = [
    (b"EHLO ", AppProtocol::Smtp),
    (b"HELO ", AppProtocol::Smtp),
    (b"LHLO ", AppProtocol::Smtp),
    (b"CAPA\r\n", AppProtocol::Pop3),
    (b"STLS\r\n", AppProtocol::Pop3),
    (b"AUTH TLS", AppProtocol::Ftp),
    (b"AUTH SSL", AppProtocol::Ftp),
    (b"<?xml", AppProtocol::Xmpp),
    (b"<stream:stream", AppProtocol::Xmpp),
];

/// Commands of IMAP that a client may send first.
const IMAP: [&[u8]; 7] = [
    b"CAPABILITY",
    b"STARTTLS",
    b"LOGIN",
    b"AUTHENTICATE",
    b"NOOP",
    b"ID",
    b"LOGOUT",
];

/// Tells whether bytes are the first ones of a conversation.
pub(super) fn begins(bytes: &[u8]) -> Begins {
    let mut maybe = false;
    for (word, protocol) in FIRST {
        let shared = word.len().min(bytes.len());
        if !word[..shared].eq_ignore_ascii_case(&bytes[..shared]) {
            continue;
        }
        if shared < word.len() {
            maybe = true;
        } else if protocol != AppProtocol::Xmpp {
            return Begins::Yes(protocol);
        } else {
            return xmpp(bytes);
        }
    }
    match imap(bytes) {
        Begins::No if maybe => Begins::Maybe,
        other => other,
    }
}

/// A tag of at most 16 letters and digits, a space, a command (RFC 9051 section 2.2.1).
fn imap(bytes: &[u8]) -> Begins {
    let tag = bytes
        .iter()
        .take(17)
        .take_while(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'_' | b'-'))
        .count();
    if tag == 0 || tag > 16 || !bytes[..tag].iter().any(u8::is_ascii_digit) {
        return Begins::No;
    }
    let Some(rest) = bytes.get(tag..).filter(|rest| !rest.is_empty()) else {
        return Begins::Maybe;
    };
    let Some(rest) = rest.strip_prefix(b" ") else {
        return Begins::No;
    };
    let mut maybe = false;
    for word in IMAP {
        let shared = word.len().min(rest.len());
        if !word[..shared].eq_ignore_ascii_case(&rest[..shared]) {
            continue;
        }
        match rest.get(word.len()) {
            Some(b'\r' | b'\n' | b' ') => return Begins::Yes(AppProtocol::Imap),
            Some(_) => {}
            None => maybe = true,
        }
    }
    if maybe { Begins::Maybe } else { Begins::No }
}

/// XML is XMPP when its stream says so (RFC 6120 section 4.8.1).
fn xmpp(bytes: &[u8]) -> Begins {
    let head = &bytes[..bytes.len().min(MAX_XMPP_HEAD)];
    if head
        .windows(31)
        .any(|part| part == b"http://etherx.jabber.org/stream")
    {
        Begins::Yes(AppProtocol::Xmpp)
    } else if head.len() < MAX_XMPP_HEAD && !head.windows(2).any(|part| part == b"</") {
        Begins::Maybe
    } else {
        Begins::No
    }
}

/// Reads a client's next words.
pub(super) fn words(protocol: AppProtocol, bytes: &[u8]) -> Words {
    if protocol == AppProtocol::Xmpp {
        return element(bytes);
    }
    let Some(end) = bytes.iter().take(MAX_LINE).position(|&byte| byte == b'\n') else {
        return if bytes.len() < MAX_LINE {
            Words::More
        } else {
            Words::Clear
        };
    };
    let line = bytes[..end].trim_ascii();
    let mut parts = line.split(|&byte| byte == b' ');
    if protocol == AppProtocol::Imap {
        // The tag.
        parts.next();
    }
    let command = parts.next().unwrap_or(&[]).to_ascii_uppercase();
    let before: &[&[u8]] = match protocol {
        AppProtocol::Smtp => &[
            b"EHLO",
            b"HELO",
            b"LHLO",
            b"STARTTLS",
            b"NOOP",
            b"RSET",
            b"HELP",
        ],
        AppProtocol::Imap => &[b"CAPABILITY", b"STARTTLS", b"NOOP", b"ID"],
        AppProtocol::Pop3 => &[b"CAPA", b"STLS", b"NOOP"],
        AppProtocol::Ftp => &[b"AUTH", b"FEAT", b"NOOP", b"SYST"],
        _ => &[],
    };
    if before.contains(&&command[..]) {
        Words::Before(end + 1)
    } else {
        Words::Clear
    }
}

/// Words that may stand before the handshake: the stream's header and the request for TLS.
fn element(bytes: &[u8]) -> Words {
    let bytes = &bytes[..bytes.len().min(MAX_LINE)];
    let blank = bytes.len() - bytes.trim_ascii_start().len();
    let rest = &bytes[blank..];
    if rest.is_empty() {
        return if blank == 0 {
            Words::More
        } else {
            Words::Before(blank)
        };
    }
    let known: [&[u8]; 4] = [b"<?xml", b"<stream:stream", b"<starttls", b"</starttls"];
    for word in known {
        let shared = word.len().min(rest.len());
        if word[..shared] == rest[..shared] {
            return match rest.iter().position(|&byte| byte == b'>') {
                Some(end) => Words::Before(blank + end + 1),
                None if bytes.len() < MAX_LINE => Words::More,
                None => Words::Clear,
            };
        }
    }
    Words::Clear
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn first_words() {
        let cases: [(&str, Begins); 19] = [
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
        ];
        for (bytes, expected) in cases {
            assert_eq!(begins(bytes.as_bytes()), expected, "{bytes:?}");
        }
    }

    #[test]
    fn words_before_a_handshake_and_words_in_the_clear() {
        use AppProtocol::{Ftp, Imap, Pop3, Smtp, Xmpp};
        let cases: [(AppProtocol, &str, Words); 14] = [
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
}
