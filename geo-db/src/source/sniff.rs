//! What a file looks like, so that a wrong one is named and not only refused.

use super::SourceError;
use super::kind::SourceKind;

/// How much of the beginning is looked at.
const HEAD_BYTES: usize = 8192;

/// The metadata of an MMDB file begins within its last 128 KiB.
const MMDB_TAIL_BYTES: usize = 128 << 10;
const MMDB_MARK: &[u8] = b"\xab\xcd\xefMaxMind.com";

/// Refuses what is clearly not a file of `kind`.
pub(super) fn check(kind: SourceKind, file: &str, bytes: &[u8]) -> Result<(), SourceError> {
    let other = |found: &'static str| {
        Err(SourceError::OtherFormat {
            file: file.to_owned(),
            found,
            expected: kind.form(),
        })
    };
    let head = bytes.get(..HEAD_BYTES).unwrap_or(bytes);
    let text = head
        .strip_prefix(b"\xef\xbb\xbf")
        .unwrap_or(head)
        .trim_ascii_start();
    if text.is_empty() && bytes.len() <= HEAD_BYTES {
        return Err(SourceError::Empty {
            file: file.to_owned(),
        });
    }
    let binary = matches!(kind, SourceKind::Mmdb | SourceKind::CloudIp);
    if text.starts_with(b"<") && !(binary && is_mmdb(bytes)) {
        return Err(SourceError::WebPage {
            file: file.to_owned(),
            expected: kind.form(),
        });
    }
    if kind == SourceKind::Mmdb {
        return if is_mmdb(bytes) {
            Ok(())
        } else if let Some(found) = json_kind(text) {
            other(found.form())
        } else {
            // The reader says what is missing.
            Ok(())
        };
    }
    if is_mmdb(bytes) {
        return other(SourceKind::Mmdb.form());
    }
    let is_json = matches!(
        kind,
        SourceKind::Aws
            | SourceKind::Azure
            | SourceKind::Google
            | SourceKind::Oracle
            | SourceKind::M365
    );
    let json = text.starts_with(b"{") || text.starts_with(b"[") && !text.starts_with(b"[[");
    match json_kind(text).filter(|_| json) {
        Some(found) if found != kind => return other(found.form()),
        None if json && !is_json && kind != SourceKind::Overrides && !binary => {
            return other("JSON of another kind");
        }
        _ => {}
    }
    if kind != SourceKind::Overrides && text.starts_with(b"[[override]]") {
        return other(SourceKind::Overrides.form());
    }
    if is_json && !json {
        return other(if text.contains(&0) {
            "binary data"
        } else {
            "plain text"
        });
    }
    if !binary && head.contains(&0) {
        return other("binary data");
    }
    Ok(())
}

fn is_mmdb(bytes: &[u8]) -> bool {
    let tail = bytes.len().saturating_sub(MMDB_TAIL_BYTES);
    find(&bytes[tail..], MMDB_MARK)
}

/// The vendor whose field names come up first.
fn json_kind(head: &[u8]) -> Option<SourceKind> {
    const FIELDS: [(&[u8], SourceKind); 10] = [
        (b"\"ip_prefix\"", SourceKind::Aws),
        (b"\"ipv6_prefix\"", SourceKind::Aws),
        (b"\"ipv6_prefixes\"", SourceKind::Aws),
        (b"\"addressPrefixes\"", SourceKind::Azure),
        (b"\"systemService\"", SourceKind::Azure),
        (b"\"ipv4Prefix\"", SourceKind::Google),
        (b"\"ipv6Prefix\"", SourceKind::Google),
        (b"\"cidrs\"", SourceKind::Oracle),
        (b"\"last_updated_timestamp\"", SourceKind::Oracle),
        (b"\"serviceArea\"", SourceKind::M365),
    ];
    FIELDS
        .iter()
        .find(|(field, _)| find(head, field))
        .map(|(_, kind)| *kind)
}

fn find(bytes: &[u8], wanted: &[u8]) -> bool {
    bytes.windows(wanted.len()).any(|window| window == wanted)
}
