//! Conversations that come before a handshake, from the client's first words to its request for
//! TLS: in lines (SMTP, IMAP, POP3, FTP, NNTP, `ManageSieve`), in XML (XMPP), and in messages (LDAP,
//! `PostgreSQL`, `MySQL`, TDS, RDP).

mod database;
mod ldap;
mod lines;
mod rdp;
mod xmpp;

use super::AppProtocol;

/// Longest line or message before a handshake (RFC 5321 section 4.5.3.1.4: 512; RFC 7162: 8,192).
const MAX_LINE: usize = 8_192;

/// Whether bytes are the first ones of a conversation.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Begins {
    /// Of this one. [`AppProtocol::Unknown`]: of one that only the server's greeting names.
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

/// Reads a server's first bytes.
pub(super) fn greeting(bytes: &[u8]) -> Option<Greeting> {
    if database::is_mysql_greeting(bytes) {
        return Some(Greeting::Of(AppProtocol::Mysql));
    }
    lines::greeting(bytes)
}

/// What is spoken when a client answers a greeting with words that begin no conversation.
pub(super) fn answers(greeting: Greeting, bytes: &[u8]) -> Option<AppProtocol> {
    match greeting {
        Greeting::Of(protocol) => Some(protocol),
        Greeting::Ready => lines::is_ftp(bytes).then_some(AppProtocol::Ftp),
    }
}

/// Tells whether bytes are the first ones of a conversation.
pub(super) fn begins(bytes: &[u8]) -> Begins {
    const READERS: [fn(&[u8]) -> Begins; 6] = [
        lines::begins,
        ldap::begins,
        database::postgresql_begins,
        database::mysql_begins,
        database::tds_begins,
        rdp::begins,
    ];
    let mut maybe = false;
    for reader in READERS {
        match reader(bytes) {
            Begins::No => {}
            Begins::Maybe => maybe = true,
            yes @ Begins::Yes(_) => return yes,
        }
    }
    if maybe { Begins::Maybe } else { Begins::No }
}

/// Reads a client's next words.
pub(super) fn words(protocol: AppProtocol, bytes: &[u8]) -> Words {
    match protocol {
        AppProtocol::Xmpp => xmpp::words(bytes),
        AppProtocol::Ldap => ldap::words(bytes),
        AppProtocol::Postgresql => database::postgresql_words(bytes),
        AppProtocol::Mysql => database::mysql_words(bytes),
        AppProtocol::Tds => database::tds_words(bytes),
        AppProtocol::Rdp => rdp::words(bytes),
        _ => lines::words(protocol, bytes),
    }
}

/// Compares the first bytes of a message with what must stand there; `None` stands for any byte.
fn shape(bytes: &[u8], shape: &[Option<u8>]) -> Fit {
    let differs = bytes
        .iter()
        .zip(shape)
        .any(|(byte, expected)| expected.is_some_and(|expected| expected != *byte));
    if differs {
        Fit::Not
    } else if bytes.len() < shape.len() {
        Fit::SoFar
    } else {
        Fit::Whole
    }
}

/// How bytes fit a shape.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Fit {
    Whole,
    /// As far as they go.
    SoFar,
    Not,
}

#[cfg(test)]
mod tests;
