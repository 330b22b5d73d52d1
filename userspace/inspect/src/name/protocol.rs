//! The words for what flows speak.

/// What a flow was seen to speak.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default, serde::Serialize)]
#[serde(rename_all = "snake_case")]
pub enum AppProtocol {
    /// Not observed, or not known.
    #[default]
    Unknown,
    /// DNS over UDP or TCP.
    Dns,
    /// Multicast DNS (RFC 6762).
    Mdns,
    /// Link-local multicast name resolution (RFC 4795).
    Llmnr,
    /// DNS over TLS (RFC 7858): its port, or its ALPN.
    Dot,
    /// DNS over HTTP (RFC 8484) whose requests are readable.
    Doh,
    /// DNS over QUIC (RFC 9250): its ALPN.
    Doq,
    /// TLS over TCP.
    Tls,
    /// DTLS (RFC 6347, RFC 9147).
    Dtls,
    /// QUIC, Google's own versions included.
    Quic,
    /// HTTP/1.
    Http,
    /// HTTP/2 in the clear (RFC 9113).
    Http2,
    /// SSH (RFC 4253).
    Ssh,
    /// SMTP and LMTP, in the clear or before STARTTLS (RFC 5321, RFC 3207).
    Smtp,
    /// IMAP, in the clear or before STARTTLS (RFC 9051).
    Imap,
    /// POP3, in the clear or before STLS (RFC 1939, RFC 2595).
    Pop3,
    /// FTP's control connection (RFC 959, RFC 4217).
    Ftp,
    /// XMPP, in the clear or before STARTTLS (RFC 6120).
    Xmpp,
    /// NNTP, in the clear or before STARTTLS (RFC 3977, RFC 4642).
    Nntp,
    /// `ManageSieve`, in the clear or before STARTTLS (RFC 5804).
    Managesieve,
    /// LDAP, in the clear or before its start of TLS (RFC 4511).
    Ldap,
    /// `PostgreSQL`, in the clear, before TLS, or by its ALPN.
    Postgresql,
    /// `MySQL` and `MariaDB`, in the clear or before TLS.
    Mysql,
    /// Microsoft SQL Server (MS-TDS), before its handshake or by its ALPN.
    Tds,
    /// Remote Desktop (MS-RDPBCGR), from its connection request on.
    Rdp,
    /// STUN (RFC 8489).
    Stun,
    /// TURN (RFC 8656): STUN that asks for a relay.
    Turn,
    /// The shape of RTP (RFC 3550) over several packets.
    Rtp,
    /// `WireGuard`.
    Wireguard,
    /// `OpenVPN`, over UDP or TCP.
    Openvpn,
    /// IKE (RFC 7296, RFC 2409).
    Ike,
    /// Tor's directory protocol, and its links up to TLS 1.2, by the certificate. Of TLS 1.3 they
    /// cannot be told.
    Tor,
}

impl AppProtocol {
    /// All of them.
    pub const ALL: [Self; 32] = [
        Self::Unknown,
        Self::Dns,
        Self::Mdns,
        Self::Llmnr,
        Self::Dot,
        Self::Doh,
        Self::Doq,
        Self::Tls,
        Self::Dtls,
        Self::Quic,
        Self::Http,
        Self::Http2,
        Self::Ssh,
        Self::Smtp,
        Self::Imap,
        Self::Pop3,
        Self::Ftp,
        Self::Xmpp,
        Self::Nntp,
        Self::Managesieve,
        Self::Ldap,
        Self::Postgresql,
        Self::Mysql,
        Self::Tds,
        Self::Rdp,
        Self::Stun,
        Self::Turn,
        Self::Rtp,
        Self::Wireguard,
        Self::Openvpn,
        Self::Ike,
        Self::Tor,
    ];

    /// The word used in messages and alerts.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Unknown => "unknown",
            Self::Dns => "dns",
            Self::Mdns => "mdns",
            Self::Llmnr => "llmnr",
            Self::Dot => "dot",
            Self::Doh => "doh",
            Self::Doq => "doq",
            Self::Tls => "tls",
            Self::Dtls => "dtls",
            Self::Quic => "quic",
            Self::Http => "http",
            Self::Http2 => "http2",
            Self::Ssh => "ssh",
            Self::Smtp => "smtp",
            Self::Imap => "imap",
            Self::Pop3 => "pop3",
            Self::Ftp => "ftp",
            Self::Xmpp => "xmpp",
            Self::Nntp => "nntp",
            Self::Managesieve => "managesieve",
            Self::Ldap => "ldap",
            Self::Postgresql => "postgresql",
            Self::Mysql => "mysql",
            Self::Tds => "tds",
            Self::Rdp => "rdp",
            Self::Stun => "stun",
            Self::Turn => "turn",
            Self::Rtp => "rtp",
            Self::Wireguard => "wireguard",
            Self::Openvpn => "openvpn",
            Self::Ike => "ike",
            Self::Tor => "tor",
        }
    }
}
