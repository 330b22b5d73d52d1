//! The names in an X.509 certificate (RFC 5280): the DNS names of its subject, and no more.

const SEQUENCE: u8 = 0x30;
const OBJECT_IDENTIFIER: u8 = 0x06;
const OCTET_STRING: u8 = 0x04;
/// `extensions [3] EXPLICIT` of the `TBSCertificate`.
const EXTENSIONS: u8 = 0xa3;
/// `dNSName [2]` of a `GeneralName`.
const DNS_NAME: u8 = 0x82;
/// `id-ce-subjectAltName`, 2.5.29.17.
const SUBJECT_ALTERNATIVE_NAME: [u8; 3] = [0x55, 0x1d, 0x11];
/// Most names read.
const MAX_NAMES: usize = 256;

/// A run of DER elements.
struct Elements<'a>(&'a [u8]);

impl<'a> Iterator for Elements<'a> {
    type Item = (u8, &'a [u8]);

    /// Tag and content of the next element; `None` at the end, and where it is malformed: tags of
    /// several bytes, indefinite or oversized lengths.
    fn next(&mut self) -> Option<Self::Item> {
        let (&[tag, length], mut rest) = self.0.split_first_chunk::<2>()?;
        if tag & 0x1f == 0x1f {
            return None;
        }
        let length = match length {
            0..=0x7f => usize::from(length),
            0x81..=0x83 => {
                let (bytes, after) = rest.split_at_checked(usize::from(length & 0x7f))?;
                rest = after;
                bytes
                    .iter()
                    .fold(0, |sum, byte| sum << 8 | usize::from(*byte))
            }
            _ => return None,
        };
        let (content, rest) = rest.split_at_checked(length)?;
        self.0 = rest;
        Some((tag, content))
    }
}

fn only(bytes: &[u8], tag: u8) -> Option<&[u8]> {
    let (found, content) = Elements(bytes).next()?;
    (found == tag).then_some(content)
}

/// The DNS names of a certificate's subject, lower case, as they stand there: a name may begin
/// with `*.`, and is not checked to be one. Empty when there are none, or it is malformed.
#[must_use]
pub fn names(der: &[u8]) -> Vec<String> {
    subject_names(der).unwrap_or_default()
}

fn subject_names(der: &[u8]) -> Option<Vec<String>> {
    let certificate = only(der, SEQUENCE)?;
    let signed = only(certificate, SEQUENCE)?;
    let (_, extensions) = Elements(signed).find(|(tag, _)| *tag == EXTENSIONS)?;
    for (tag, extension) in Elements(only(extensions, SEQUENCE)?) {
        let mut parts = Elements(extension);
        if tag != SEQUENCE
            || parts.next() != Some((OBJECT_IDENTIFIER, &SUBJECT_ALTERNATIVE_NAME[..]))
        {
            continue;
        }
        // A flag may stand between: whether the extension is critical.
        let (_, value) = parts.find(|(tag, _)| *tag == OCTET_STRING)?;
        let names = Elements(only(value, SEQUENCE)?)
            .filter(|(tag, _)| *tag == DNS_NAME)
            .take(MAX_NAMES)
            .filter_map(|(_, name)| std::str::from_utf8(name).ok())
            .map(str::to_ascii_lowercase)
            .collect();
        return Some(names);
    }
    None
}

/// Whether a server name may be one that Tor's clients make up for a link: `www.`, 4 to 25 letters
/// and digits of base 32, `.com`. Real names are of this form too.
pub(crate) fn may_be_tor(name: &str) -> bool {
    is_made_up(name.as_bytes(), b".com", 4..=25)
}

/// Whether a certificate is one that Tor's relays make up for their links (tor-spec, "Negotiating
/// and initializing channels"; `tor_tls_context_init_one`): issuer and subject have a common name
/// and nothing else, `www.`, 8 to 20 characters of base 32, `.com` and `.net`; no extensions.
pub(super) fn is_tor(der: &[u8]) -> bool {
    tor_names(der).is_some_and(|(issuer, subject)| {
        is_made_up(issuer, b".com", 8..=20) && is_made_up(subject, b".net", 8..=20)
    })
}

fn is_made_up(name: &[u8], end: &[u8], lengths: std::ops::RangeInclusive<usize>) -> bool {
    let label = name
        .strip_prefix(b"www.")
        .and_then(|rest| rest.strip_suffix(end));
    label.is_some_and(|label| {
        lengths.contains(&label.len())
            && label
                .iter()
                .all(|byte| matches!(byte, b'a'..=b'z' | b'2'..=b'7'))
    })
}

/// The common names of issuer and subject, when there is nothing else in them, nor behind the key.
fn tor_names(der: &[u8]) -> Option<(&[u8], &[u8])> {
    const INTEGER: u8 = 0x02;
    const VERSION: u8 = 0xa0;
    let signed = only(only(der, SEQUENCE)?, SEQUENCE)?;
    let mut elements = Elements(signed);
    let tags = [
        VERSION, INTEGER, SEQUENCE, SEQUENCE, SEQUENCE, SEQUENCE, SEQUENCE,
    ];
    let mut parts = [&[][..]; 7];
    for (part, expected) in parts.iter_mut().zip(tags) {
        let (tag, content) = elements.next()?;
        if tag != expected {
            return None;
        }
        *part = content;
    }
    if !elements.0.is_empty() {
        return None;
    }
    Some((only_common_name(parts[3])?, only_common_name(parts[5])?))
}

/// The only attribute of a name, when it is its common name (2.5.4.3).
fn only_common_name(name: &[u8]) -> Option<&[u8]> {
    const SET: u8 = 0x31;
    const COMMON_NAME: [u8; 3] = [0x55, 4, 3];
    const UTF8: u8 = 0x0c;
    const PRINTABLE: u8 = 0x13;
    let whole = |elements: Elements<'_>| elements.0.is_empty().then_some(());
    let mut outer = Elements(name);
    let (set, attributes) = outer.next()?;
    whole(outer)?;
    let mut inner = Elements(attributes);
    let (sequence, attribute) = inner.next()?;
    whole(inner)?;
    let mut parts = Elements(attribute);
    let kind = parts.next()?;
    let (tag, value) = parts.next()?;
    let fits = set == SET
        && sequence == SEQUENCE
        && kind == (OBJECT_IDENTIFIER, &COMMON_NAME[..])
        && matches!(tag, UTF8 | PRINTABLE);
    fits.then_some(value)
}

/// Whether a name of a certificate covers a host name (RFC 9525 section 6.3): itself, or with
/// `*` for the whole first label.
pub(super) fn covers(pattern: &str, host: &str) -> bool {
    match pattern.strip_prefix("*.") {
        Some(parent) => host
            .split_once('.')
            .is_some_and(|(label, rest)| !label.is_empty() && rest == parent),
        None => pattern == host,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{certificate, tor_certificate};
    use proptest::prelude::*;

    #[test]
    fn names_of_a_certificate() {
        assert_eq!(
            names(&certificate(&["Www.Example.org"])),
            ["www.example.org"]
        );
        let many = certificate(&["example.org", "*.example.org"]);
        assert_eq!(names(&many), ["example.org", "*.example.org"]);
        assert!(names(&certificate(&[])).is_empty());
        for length in 0..many.len() {
            assert!(names(&many[..length]).is_empty(), "{length}");
        }
    }

    #[test]
    fn certificates_that_relays_make_up() {
        let link = tor_certificate(
            "www.g6ghvisevf3ibuu5.com",
            "www.xkgk7fdx362yyyxib.net",
            false,
        );
        assert!(is_tor(&link));
        for length in 0..link.len() {
            assert!(!is_tor(&link[..length]), "{length}");
        }
        for (issuer, subject, extensions) in [
            (
                "www.g6ghvisevf3ibuu5.com",
                "www.xkgk7fdx362yyyxib.net",
                true,
            ),
            (
                "www.g6ghvisevf3ibuu5.com",
                "www.xkgk7fdx362yyyxib.com",
                false,
            ),
            (
                "www.g6ghvisevf3ibuu5.net",
                "www.xkgk7fdx362yyyxib.net",
                false,
            ),
            (
                "www.g6ghvisevf3ibuu1.com",
                "www.xkgk7fdx362yyyxib.net",
                false,
            ),
            ("www.short.com", "www.xkgk7fdx362yyyxib.net", false),
            ("www.example.org", "www.example.org", false),
        ] {
            assert!(
                !is_tor(&tor_certificate(issuer, subject, extensions)),
                "{issuer} {subject}"
            );
        }
        assert!(!is_tor(&certificate(&["www.example.org"])));
        assert!(may_be_tor("www.t3i3ru.com") && may_be_tor("www.google.com"));
        assert!(!may_be_tor("www.abc.com") && !may_be_tor("www.g00gle.com"));
    }

    #[test]
    fn a_pattern_covers_one_label() {
        for (pattern, host, expected) in [
            ("example.org", "example.org", true),
            ("example.org", "www.example.org", false),
            ("*.example.org", "www.example.org", true),
            ("*.example.org", "a.b.example.org", false),
            ("*.example.org", "example.org", false),
            ("*.example.org", ".example.org", false),
            ("*", "example", false),
        ] {
            assert_eq!(covers(pattern, host), expected, "{pattern} {host}");
        }
    }

    proptest! {
        #[test]
        fn never_panics(flips in proptest::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..6)) {
            let mut der = certificate(&["www.example.org", "*.example.com"]);
            for (at, value) in flips {
                let at = at.index(der.len());
                der[at] = value;
            }
            prop_assert!(names(&der).len() <= MAX_NAMES);
        }
    }
}
