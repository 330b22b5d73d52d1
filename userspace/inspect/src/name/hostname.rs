//! Host names: what may be told as the name of a destination.

/// Longest name in text, without the trailing dot (RFC 1035 section 2.3.4).
const MAX_NAME: usize = 253;
const MAX_LABEL: usize = 63;

/// The name in lower case without trailing dot, when it is a host name: labels of letters,
/// digits, hyphens (not at the ends) and underscores (which services use), at most 63 long.
#[must_use]
pub fn hostname(bytes: &[u8]) -> Option<String> {
    let bytes = bytes.strip_suffix(b".").unwrap_or(bytes);
    if bytes.is_empty() || bytes.len() > MAX_NAME {
        return None;
    }
    for label in bytes.split(|&byte| byte == b'.') {
        let inner = label
            .iter()
            .all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_'));
        if label.is_empty()
            || label.len() > MAX_LABEL
            || !inner
            || label.first() == Some(&b'-')
            || label.last() == Some(&b'-')
        {
            return None;
        }
    }
    let text = std::str::from_utf8(bytes).ok()?;
    Some(text.to_ascii_lowercase())
}

/// Whether a name is a host name as [`hostname`] has it, and not the text of an IP address.
#[must_use]
pub fn is_hostname(name: &str) -> bool {
    hostname(name.as_bytes()).is_some() && name.parse::<std::net::IpAddr>().is_err()
}

/// The host of a `host[:port]` authority: a host name or an IP address (RFC 3986 section 3.2).
pub(super) fn authority(bytes: &[u8]) -> Option<String> {
    // User information is not part of the name.
    let bytes = match bytes.iter().rposition(|&byte| byte == b'@') {
        Some(at) => &bytes[at + 1..],
        None => bytes,
    };
    if let Some(rest) = bytes.strip_prefix(b"[") {
        let end = rest.iter().position(|&byte| byte == b']')?;
        let text = std::str::from_utf8(&rest[..end]).ok()?;
        let address: std::net::Ipv6Addr = text.parse().ok()?;
        port(&rest[end + 1..])?;
        return Some(address.to_string());
    }
    let end = bytes
        .iter()
        .position(|&byte| byte == b':')
        .unwrap_or(bytes.len());
    port(&bytes[end..])?;
    hostname(&bytes[..end])
}

/// Accepts nothing, or a colon and a port that may be empty.
fn port(bytes: &[u8]) -> Option<()> {
    match bytes {
        [] => Some(()),
        [b':', digits @ ..] if digits.len() <= 5 && digits.iter().all(u8::is_ascii_digit) => {
            Some(())
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn host_names() {
        for (given, expected) in [
            ("Example.ORG", Some("example.org")),
            ("example.org.", Some("example.org")),
            ("localhost", Some("localhost")),
            ("xn--bcher-kva.example", Some("xn--bcher-kva.example")),
            ("_dmarc.example.org", Some("_dmarc.example.org")),
            ("", None),
            (".", None),
            ("a..b", None),
            ("-a.example", None),
            ("a-.example", None),
            ("a b.example", None),
            ("server:443", None),
            ("b\u{fc}cher.example", None),
            ("a\0b", None),
        ] {
            assert_eq!(hostname(given.as_bytes()).as_deref(), expected, "{given:?}");
        }
        assert!(hostname("a".repeat(63).as_bytes()).is_some());
        assert!(hostname("a".repeat(64).as_bytes()).is_none());
        assert!(hostname(["a"; 127].join(".").as_bytes()).is_some());
        assert!(hostname(["a"; 128].join(".").as_bytes()).is_none());
        assert!(!is_hostname("192.0.2.1"));
    }

    #[test]
    fn authorities() {
        for (given, expected) in [
            ("Example.org", Some("example.org")),
            ("example.org:8080", Some("example.org")),
            ("example.org:", Some("example.org")),
            ("user:secret@example.org", Some("example.org")),
            ("192.0.2.1:80", Some("192.0.2.1")),
            ("[2001:DB8::1]:80", Some("2001:db8::1")),
            ("[2001:db8::1]x", None),
            ("example.org:80x", None),
            ("exa mple.org", None),
            ("", None),
        ] {
            assert_eq!(
                authority(given.as_bytes()).as_deref(),
                expected,
                "{given:?}"
            );
        }
    }
}
