//! What can be asked about: an address, a prefix or a host name, told apart by their form.

use std::net::IpAddr;
use std::str::FromStr;

use ipnet::IpNet;

/// One thing asked about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum What {
    Address(IpAddr),
    Prefix(IpNet),
    /// Lower case, without a trailing dot.
    Name(String),
}

/// Neither an address nor a prefix nor a host name.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("\"{what}\" is not understood: {remedy}")]
pub(super) struct NotUnderstood {
    what: String,
    remedy: String,
}

impl FromStr for What {
    type Err = NotUnderstood;

    fn from_str(text: &str) -> Result<Self, NotUnderstood> {
        let refuse = |remedy: String| NotUnderstood {
            what: text.to_owned(),
            remedy,
        };
        if let Ok(address) = text.parse() {
            return Ok(Self::Address(address));
        }
        if let Ok(prefix) = text.parse::<IpNet>() {
            if prefix.addr() == prefix.network() {
                return Ok(Self::Prefix(prefix));
            }
            let whole = prefix.trunc();
            return Err(refuse(format!(
                "bits are set behind the length of the prefix; write {whole}, or {} for the address",
                prefix.addr()
            )));
        }
        if let Some((scheme, rest)) = text.split_once("://") {
            let host = rest.split(['/', '?', '#']).next().unwrap_or_default();
            let host = host.rsplit('@').next().unwrap_or_default();
            let host = host.split(':').next().unwrap_or_default();
            return Err(refuse(format!(
                "it is a {scheme} link; give its host alone: {host}"
            )));
        }
        let name = text.strip_suffix('.').unwrap_or(text).to_ascii_lowercase();
        if !name.is_ascii() {
            return Err(refuse(
                "write an international name as it is sent (xn--...)".to_owned(),
            ));
        }
        if is_name(&name) {
            return Ok(Self::Name(name));
        }
        Err(refuse(
            "give an address (20.74.0.1, 2603:1020:805::1), a prefix (20.74.0.0/16) or a host name \
             (zoom.us)"
                .to_owned(),
        ))
    }
}

/// Two labels or more (RFC 1035 section 2.3.4); the last one is not a number (RFC 3696 section 2).
fn is_name(name: &str) -> bool {
    let label = |label: &str| {
        let inner = label
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || b"-_".contains(&byte));
        (1..=63).contains(&label.len()) && inner && !label.starts_with('-') && !label.ends_with('-')
    };
    let top = name.rsplit('.').next().unwrap_or_default();
    name.len() <= 253
        && name.contains('.')
        && name.split('.').all(label)
        && !top.bytes().all(|byte| byte.is_ascii_digit())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn each_form_is_told_apart() {
        let understood = [
            ("8.8.8.8", What::Address("8.8.8.8".parse().unwrap())),
            ("64:ff9b::1", What::Address("64:ff9b::1".parse().unwrap())),
            ("10.0.0.0/8", What::Prefix("10.0.0.0/8".parse().unwrap())),
            ("::/0", What::Prefix("::/0".parse().unwrap())),
            ("Zoom.US.", What::Name("zoom.us".to_owned())),
        ];
        for (text, what) in understood {
            assert_eq!(text.parse(), Ok(what), "{text}");
        }
        let refused = [
            ("8.8.8.8/24", "8.8.8.0/24"),
            ("https://user@zoom.us:443/j/1", "host alone: zoom.us"),
            ("zoom", "give an address"),
            ("8.8.8.256", "give an address"),
            ("10.0.0.0/33", "give an address"),
            ("caf\u{e9}.fr", "xn--"),
            ("", "give an address"),
            ("-a.fr", "give an address"),
        ];
        for (text, remedy) in refused {
            let error = text.parse::<What>().unwrap_err().to_string();
            assert!(error.contains(remedy), "{text}: {error}");
        }
    }

    proptest! {
        #[test]
        fn any_text_is_survived(text in ".{0,64}") {
            let _ = text.parse::<What>();
        }
    }
}
