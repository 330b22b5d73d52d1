//! Ranges of autonomous systems as CSV: `first,last,number,name` (ip-location-db `asn`).

use std::collections::HashMap;
use std::io::Read;
use std::net::IpAddr;

use super::SourceError;
use crate::atlas::range::{Address, Range};

/// What one file says.
#[derive(Debug)]
pub struct AsnRanges<A> {
    /// Ranges as they stand in the file; they may overlap, see
    /// [`Partition::from_ranges`](crate::atlas::range::Partition::from_ranges).
    pub ranges: Vec<Range<A, u32>>,
    /// Name of the organisation behind each number: the first name that is not empty.
    pub names: HashMap<u32, String>,
}

/// Reads a file row by row. Addresses may be written as addresses or as numbers (the `-num`
/// files). Rows of AS 0 ("not announced", RFC 7607) are left out.
///
/// # Errors
/// The first row that is not of that form, with file and line.
pub fn read<A: Address>(file: &str, input: impl Read) -> Result<AsnRanges<A>, SourceError> {
    let mut reader = csv::ReaderBuilder::new()
        .has_headers(false)
        .flexible(true)
        .from_reader(input);
    let mut out = AsnRanges {
        ranges: Vec::new(),
        names: HashMap::new(),
    };
    let mut row = csv::StringRecord::new();
    loop {
        let line = reader.position().line();
        let at_line = |what: String| SourceError::Line {
            file: file.to_owned(),
            line: row_line(line),
            what,
        };
        match reader.read_record(&mut row) {
            Ok(true) => {}
            Ok(false) => return Ok(out),
            Err(error) => return Err(at_line(error.to_string())),
        }
        let line = row.position().map_or(line, csv::Position::line);
        let at_line = |what: String| SourceError::Line {
            file: file.to_owned(),
            line: row_line(line),
            what,
        };
        let (Some(first), Some(last), Some(number)) = (row.get(0), row.get(1), row.get(2)) else {
            return Err(at_line(format!(
                "{} fields; expected first address, last address, AS number, name",
                row.len()
            )));
        };
        let first: A = parse_address(first).map_err(&at_line)?;
        let last: A = parse_address(last).map_err(&at_line)?;
        let number: u32 = number
            .parse()
            .map_err(|_| at_line(format!("\"{number}\" is not an AS number")))?;
        if last < first {
            return Err(at_line(format!(
                "the range ends ({}) before it begins ({})",
                last.to_ip(),
                first.to_ip()
            )));
        }
        if number == 0 {
            continue;
        }
        out.ranges.push(Range {
            first,
            last,
            value: number,
        });
        let name = row.get(3).unwrap_or_default().trim();
        if !name.is_empty() && !out.names.contains_key(&number) {
            out.names.insert(number, name.to_owned());
        }
    }
}

/// The reader counts from 1 but is at 0 before the first record.
fn row_line(line: u64) -> u64 {
    line.max(1)
}

fn parse_address<A: Address>(text: &str) -> Result<A, String> {
    let parsed = if text.bytes().all(|byte| byte.is_ascii_digit()) {
        text.parse::<u128>().ok().and_then(A::from_u128)
    } else {
        text.parse::<IpAddr>().ok().and_then(A::from_ip)
    };
    let family = if A::BITS == 32 { "IPv4" } else { "IPv6" };
    parsed.ok_or_else(|| format!("\"{text}\" is not an {family} address"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_are_read_in_both_notations() {
        let text = "1.0.0.0,1.0.0.255,13335,\"Cloudflare, Inc.\"\n\
                    16778240,16779263,38803,Gtelecom Pty Ltd\n\
                    1.0.8.0,1.0.8.255,0,Not announced\n\
                    1.0.9.0,1.0.9.255,13335,Another name\n";
        let read = read::<u32>("asn.csv", text.as_bytes()).expect("reads");
        assert_eq!(read.ranges.len(), 3);
        assert_eq!(read.names[&13335], "Cloudflare, Inc.");
        assert_eq!(read.ranges[1].first, 0x0100_0400);
    }

    #[test]
    fn errors_name_file_line_and_what() {
        let cases = [
            ("1.0.0.0,1.0.0.255\n", "asn.csv:1: 2 fields; expected"),
            (
                "1.0.0.0,1.0.0.255,1,a\n1.0.0.x,1.0.1.0,2,b\n",
                "asn.csv:2: \"1.0.0.x\" is not an IPv4",
            ),
            (
                "2001::,2001::1,2,b\n",
                "asn.csv:1: \"2001::\" is not an IPv4",
            ),
            (
                "1.0.0.9,1.0.0.1,2,b\n",
                "asn.csv:1: the range ends (1.0.0.1) before it begins",
            ),
            (
                "1.0.0.0,1.0.0.1,AS2,b\n",
                "asn.csv:1: \"AS2\" is not an AS number",
            ),
            ("1.0.0.0,1.0.0.1,99999999999,b\n", "is not an AS number"),
        ];
        for (text, expected) in cases {
            let error = read::<u32>("asn.csv", text.as_bytes()).expect_err(text);
            assert!(error.to_string().contains(expected), "{error}");
        }
        let error =
            read::<u32>("asn.csv", &b"1.0.0.0,1.0.0.1,1,\xff\xfe\n"[..]).expect_err("not UTF-8");
        assert!(error.to_string().starts_with("asn.csv:1: "), "{error}");
    }
}
