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
    use crate::testing::certificate;
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
