//! The style sheet of the page, and its digest for the content security policy.

use sha2::{Digest as _, Sha256};

/// The style sheet. Colours are never the only sign: verdicts are words.
pub(super) const SHEET: &str = "
:root{--paper:#fff;--ink:#1b1f24;--faint:#57606a;--line:#d0d7de;--allow:#1a7f37;--flag:#8a5a00;\
--reject:#bc2a20;--block:#8a1c14}
@media (prefers-color-scheme:dark){:root{--paper:#0d1117;--ink:#e6edf3;--faint:#9ba4ae;\
--line:#30363d;--allow:#4ac26b;--flag:#e0b341;--reject:#ff8a80;--block:#ff6b60}}
body{background:var(--paper);color:var(--ink);font:15px/1.45 system-ui,sans-serif;margin:0}
main{max-width:80rem;margin:0 auto;padding:1.5rem}
h1{font-size:1.6rem}
h2{font-size:1.15rem;margin:2rem 0 .5rem;border-bottom:1px solid var(--line);padding-bottom:.25rem}
.t{overflow-x:auto}
table{border-collapse:collapse;min-width:min(100%,36rem);font-size:.87rem}
caption{text-align:left;color:var(--faint);padding:.25rem 0}
th,td{text-align:left;vertical-align:top;padding:.25rem 1rem .25rem 0;\
border-bottom:1px solid var(--line)}
.n{text-align:right;font-variant-numeric:tabular-nums;white-space:nowrap}
.s{white-space:nowrap}
.w{min-width:16rem}
code{font-family:ui-monospace,monospace;overflow-wrap:anywhere}
td code{display:inline-block;min-width:8.5rem}
.v{font-weight:600}
.allow{color:var(--allow);fill:var(--allow)}
.flag{color:var(--flag);fill:var(--flag)}
.reject{color:var(--reject);fill:var(--reject)}
.block{color:var(--block);fill:var(--block)}
svg{width:100%;height:auto;max-width:60rem}
svg text{fill:var(--ink);font:12px system-ui,sans-serif}
@media (max-width:44rem){svg{display:none}}
@media print{body{background:#fff;color:#000;font-size:10pt}main{max-width:none;padding:0}\
h2{break-after:avoid}tr,svg{break-inside:avoid}.t{overflow:visible}}
";

/// The digest of the style sheet, as a content security policy names it.
pub(super) fn digest() -> String {
    base64(&Sha256::digest(SHEET.as_bytes()))
}

/// RFC 4648 section 4.
fn base64(bytes: &[u8]) -> String {
    const LETTERS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut text = String::new();
    for chunk in bytes.chunks(3) {
        let byte = |at: usize| u32::from(chunk.get(at).copied().unwrap_or(0));
        let bits = byte(0) << 16 | byte(1) << 8 | byte(2);
        for place in 0..4 {
            if place > chunk.len() {
                text.push('=');
            } else {
                let index = (bits >> (18 - 6 * place)) & 63;
                text.push(char::from(LETTERS[index as usize]));
            }
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::base64;

    /// RFC 4648 section 10.
    #[test]
    fn published_vectors() {
        for (plain, encoded) in [
            ("", ""),
            ("f", "Zg=="),
            ("fo", "Zm8="),
            ("foo", "Zm9v"),
            ("foob", "Zm9vYg=="),
            ("fooba", "Zm9vYmE="),
            ("foobar", "Zm9vYmFy"),
        ] {
            assert_eq!(base64(plain.as_bytes()), encoded);
        }
    }
}
