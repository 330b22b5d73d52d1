//! Domain names: what is one, and the longest known suffix of one.

use std::collections::HashMap;
use std::sync::Arc;

/// Longest name in presentation form, trailing dot left out (RFC 1035 section 3.1).
const NAME_MAX_BYTES: usize = 253;

/// Why a text is not a domain suffix as the catalogue writes them.
pub(super) fn domain_fault(text: &str) -> Option<&'static str> {
    if text.starts_with("*.") || text.starts_with('.') {
        return Some("write the suffix alone: it covers all names below it");
    }
    if text.ends_with('.') {
        return Some("leave the trailing dot out");
    }
    if text.bytes().any(|byte| byte.is_ascii_uppercase()) {
        return Some("write it in lower case");
    }
    if !text.is_ascii() {
        return Some("write the punycode form (xn--...)");
    }
    if text.len() > NAME_MAX_BYTES {
        return Some("253 characters at most");
    }
    let label_fits = |label: &str| {
        let inner = label.bytes().all(|byte| {
            byte.is_ascii_lowercase() || byte.is_ascii_digit() || b"-_".contains(&byte)
        });
        !label.is_empty()
            && label.len() <= 63
            && inner
            && !label.starts_with('-')
            && !label.ends_with('-')
    };
    if text.contains('.') && text.split('.').all(label_fits) {
        return None;
    }
    Some("two labels or more of a-z, 0-9 and - are expected, such as zoom.us")
}

/// Suffix -> index of whatever owns it.
#[derive(Clone, Debug, Default)]
pub(super) struct SuffixIndex {
    suffixes: HashMap<Arc<str>, u32, foldhash::fast::RandomState>,
}

impl SuffixIndex {
    /// Returns the index that had the suffix before.
    pub(super) fn insert(&mut self, suffix: Arc<str>, index: u32) -> Option<u32> {
        self.suffixes.insert(suffix, index)
    }

    /// The owner of the longest suffix on label borders. Any case, one trailing dot accepted.
    pub(super) fn find(&self, name: &str) -> Option<u32> {
        let name = name.strip_suffix('.').unwrap_or(name);
        let mut buffer = [0_u8; NAME_MAX_BYTES];
        let lower = buffer.get_mut(..name.len())?;
        lower.copy_from_slice(name.as_bytes());
        lower.make_ascii_lowercase();
        let mut rest = std::str::from_utf8(lower).ok()?;
        loop {
            if let Some(index) = self.suffixes.get(rest) {
                return Some(*index);
            }
            rest = rest.split_once('.')?.1;
        }
    }
}
