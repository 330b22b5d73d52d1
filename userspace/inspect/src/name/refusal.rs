//! The answer to a DNS query that is refused (RFC 1035, RFC 6891, RFC 8914).

use super::dns::{self, HEADER_BYTES};

const TYPE_OPT: u16 = 41;
const OPTION_EXTENDED_ERROR: u16 = 15;
/// What the answer says it can receive, bytes (RFC 6891 section 6.2.5).
const PAYLOAD_BYTES: u16 = 1_232;
/// Longest text told, bytes: the answer must fit where the query did.
const MAX_TEXT: usize = 256;

const RESPONSE: u16 = 0x8000;
/// Operation code and "recursion desired" are copied from the query.
const COPIED: u16 = 0x7900;
const RECURSION_AVAILABLE: u16 = 0x0080;
const REFUSED: u16 = 5;

/// The message that answers `query` with REFUSED: its identifier and question copied, no records.
/// When the query had an OPT record the answer has one too, with an Extended DNS Error of `code`
/// (15 Blocked, 16 Censored, 17 Filtered, ...) and `text` (cut to 256 bytes).
///
/// `None`: it is no query with exactly one readable question, or an answer itself.
#[must_use]
pub fn refusal(query: &[u8], code: u16, text: &str) -> Option<Vec<u8>> {
    let header = query.get(..HEADER_BYTES)?;
    let word = |at: usize| u16::from_be_bytes([header[at], header[at + 1]]);
    let flags = word(2);
    if flags & RESPONSE != 0 || word(4) != 1 {
        return None;
    }
    let mut at = HEADER_BYTES;
    dns::name(query, &mut at).ok()?;
    let question = query.get(HEADER_BYTES..at + 4)?;
    at += 4;
    let has_opt = has_opt(query, at, [word(6), word(8), word(10)]);
    let mut out = Vec::with_capacity(HEADER_BYTES + question.len() + MAX_TEXT);
    out.extend_from_slice(&header[..2]);
    let flags = RESPONSE | flags & COPIED | RECURSION_AVAILABLE | REFUSED;
    for word in [flags, 1, 0, 0, u16::from(has_opt)] {
        out.extend_from_slice(&word.to_be_bytes());
    }
    out.extend_from_slice(question);
    if has_opt {
        let text = &text[..text.floor_char_boundary(MAX_TEXT)];
        // The text was cut: both lengths fit.
        let text_bytes = u16::try_from(text.len()).unwrap_or(0);
        out.push(0);
        for word in [TYPE_OPT, PAYLOAD_BYTES, 0, 0] {
            out.extend_from_slice(&word.to_be_bytes());
        }
        for word in [6 + text_bytes, OPTION_EXTENDED_ERROR, 2 + text_bytes, code] {
            out.extend_from_slice(&word.to_be_bytes());
        }
        out.extend_from_slice(text.as_bytes());
    }
    Some(out)
}

/// Whether an OPT record stands in the additional section. What cannot be read has none.
fn has_opt(query: &[u8], mut at: usize, counts: [u16; 3]) -> bool {
    let [answers, authorities, additional] = counts.map(u32::from);
    let before = answers + authorities;
    for index in 0..before + additional {
        // Each record is eleven bytes at least: the message bounds the walk.
        if dns::name(query, &mut at).is_err() {
            return false;
        }
        let Some(fixed) = query.get(at..at + 10) else {
            return false;
        };
        if index >= before && u16::from_be_bytes([fixed[0], fixed[1]]) == TYPE_OPT {
            return true;
        }
        at += 10 + usize::from(u16::from_be_bytes([fixed[8], fixed[9]]));
    }
    false
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::name::Message;
    use crate::testing::dns;

    fn with_opt(mut query: Vec<u8>) -> Vec<u8> {
        query[11] = 1;
        query.extend([0, 0, 41, 4, 208, 0, 0, 0, 0, 0, 0]);
        query
    }

    #[test]
    fn a_query_with_edns_is_told_why() {
        let query = with_opt(dns(0x1234, false, ("Ads.Example", 65), &[]));
        let answer = refusal(&query, 15, "policy: no-trackers").unwrap();
        assert_eq!(
            answer[..12],
            [0x12, 0x34, 0x81, 0x85, 0, 1, 0, 0, 0, 0, 0, 1]
        );
        let question = 12 + 13 + 4;
        assert_eq!(answer[12..question], query[12..question], "case kept");
        let text = b"policy: no-trackers";
        let mut opt = vec![0, 0, 41, 4, 208, 0, 0, 0, 0, 0, 25, 0, 15, 0, 21, 0, 15];
        opt.extend(text);
        assert_eq!(answer[question..], opt);
        let read = Message::read(&answer).unwrap();
        assert!(read.is_response && read.response_code == 5 && read.id == 0x1234);
    }

    #[test]
    fn a_query_without_edns_gets_no_record() {
        let query = dns(7, false, ("ads.example", 1), &[]);
        let answer = refusal(&query, 15, "why").unwrap();
        assert_eq!(answer.len(), query.len());
        assert_eq!(answer[10..12], [0, 0]);
    }

    #[test]
    fn a_long_text_is_cut_between_characters() {
        let query = with_opt(dns(7, false, ("ads.example", 1), &[]));
        let answer = refusal(&query, 17, &"\u{e9}".repeat(400)).unwrap();
        let question = 12 + 13 + 4;
        assert_eq!(answer.len(), question + 11 + 6 + 256);
        assert!(std::str::from_utf8(&answer[question + 17..]).is_ok());
    }

    #[test]
    fn what_is_no_query_gets_no_answer() {
        let query = dns(7, false, ("ads.example", 1), &[]);
        let mut response = query.clone();
        response[2] |= 0x80;
        let mut two = query.clone();
        two[5] = 2;
        for bad in [
            &response[..],
            &two,
            &query[..query.len() - 1],
            &[],
            &[0; 12],
        ] {
            assert_eq!(refusal(bad, 15, ""), None);
        }
        // An OPT record that is announced and not there.
        let mut short = query.clone();
        short[11] = 1;
        assert_eq!(refusal(&short, 15, "x").map(|answer| answer[11]), Some(0));
    }
}
