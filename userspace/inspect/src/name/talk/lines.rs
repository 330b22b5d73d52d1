//! Conversations in lines: SMTP, IMAP, POP3, FTP, NNTP and `ManageSieve`.

use super::{AppProtocol, Begins, Greeting, MAX_LINE, Words, xmpp};

/// Reads a server's first line.
pub(super) fn greeting(bytes: &[u8]) -> Option<Greeting> {
    /// RFC 5804 section 1.7: capabilities come first, and this one must be there.
    const SIEVE: &[u8] = b"\"IMPLEMENTATION\" \"";
    match bytes {
        [b'S', b'S', b'H', b'-', ..] => Some(Greeting::Of(AppProtocol::Ssh)),
        [b'+', b'O', b'K', b' ', ..] => Some(Greeting::Of(AppProtocol::Pop3)),
        [b'*', b' ', b'O', b'K', b' ', ..] => Some(Greeting::Of(AppProtocol::Imap)),
        [b'2', b'2', b'0', b' ' | b'-', ..] => Some(Greeting::Ready),
        _ if bytes.starts_with(SIEVE) => Some(Greeting::Of(AppProtocol::Managesieve)),
        _ => None,
    }
}

/// Whether words behind a greeting that SMTP and FTP share are FTP's.
pub(super) fn is_ftp(bytes: &[u8]) -> bool {
    const COMMANDS: [&[u8]; 6] = [b"USER ", b"FEAT", b"OPTS ", b"SYST", b"HOST ", b"CLNT "];
    COMMANDS.iter().any(|word| {
        bytes
            .get(..word.len())
            .is_some_and(|start| start.eq_ignore_ascii_case(word))
    })
}

/// First commands that only one protocol has; `STARTTLS` without a tag is of several.
const FIRST: [(&[u8], AppProtocol); 12] = [
    (b"EHLO ", AppProtocol::Smtp),
    (b"HELO ", AppProtocol::Smtp),
    (b"LHLO ", AppProtocol::Smtp),
    (b"CAPA\r\n", AppProtocol::Pop3),
    (b"STLS\r\n", AppProtocol::Pop3),
    (b"AUTH TLS", AppProtocol::Ftp),
    (b"AUTH SSL", AppProtocol::Ftp),
    (b"CAPABILITIES\r\n", AppProtocol::Nntp),
    (b"MODE READER\r\n", AppProtocol::Nntp),
    (b"STARTTLS\r\n", AppProtocol::Unknown),
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
            return xmpp::begins(bytes);
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

/// Reads a client's next line.
pub(super) fn words(protocol: AppProtocol, bytes: &[u8]) -> Words {
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
        AppProtocol::Nntp => &[b"CAPABILITIES", b"MODE", b"STARTTLS", b"HELP", b"DATE"],
        // Said by itself, or behind the greeting of ManageSieve.
        AppProtocol::Managesieve | AppProtocol::Unknown => &[b"STARTTLS", b"CAPABILITY", b"NOOP"],
        _ => &[],
    };
    if before.contains(&&command[..]) {
        Words::Before(end + 1)
    } else {
        Words::Clear
    }
}
