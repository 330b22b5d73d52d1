//! Flows as comma-separated values (RFC 4180).
//!
//! What a capture says is written by strangers: a cell that a spreadsheet would take for a formula
//! gets an apostrophe in front.

use super::flow_line::FlowLine;

/// The columns, in order.
const COLUMNS: &[&str] = &[
    "capture",
    "start",
    "end",
    "zone",
    "source",
    "source_port",
    "destination",
    "destination_port",
    "protocol",
    "from_outside",
    "app_protocol",
    "name",
    "name_source",
    "naming",
    "chain",
    "ech",
    "alpn",
    "ja4",
    "outbound_packets",
    "outbound_bytes",
    "reply_packets",
    "reply_bytes",
    "tcp_state",
    "opaque",
    "hosting",
    "control",
    "operator",
    "service",
    "asn",
    "class",
    "verdict",
    "enforced",
    "rule",
    "shadow_rule",
    "shadow_verdict",
    "community_id",
];

/// The first line.
pub(super) fn head() -> Vec<u8> {
    let mut out = COLUMNS.join(",").into_bytes();
    out.extend_from_slice(b"\r\n");
    out
}

/// A flow as a row, in the order of the columns.
pub(super) fn row(line: &FlowLine) -> Vec<u8> {
    let mut row = Row::default();
    row.number(line.capture as u64);
    row.text(&line.start.map(|time| time.to_string()).unwrap_or_default());
    row.text(&line.end.map(|time| time.to_string()).unwrap_or_default());
    row.text(&line.zone);
    row.text(&line.source.to_string());
    row.number(line.source_port.into());
    row.text(&line.destination.to_string());
    row.number(line.destination_port.into());
    row.number(line.protocol.into());
    row.truth(line.from_outside);
    row.text(line.app_protocol.unwrap_or_default());
    row.text(line.name.as_deref().unwrap_or_default());
    row.text(line.name_source.unwrap_or_default());
    row.text(line.naming);
    row.text(&line.chain.join(" "));
    row.text(line.ech.unwrap_or_default());
    row.text(&line.alpn.join(" "));
    row.text(line.ja4.as_deref().unwrap_or_default());
    row.number(line.outbound_packets);
    row.number(line.outbound_bytes);
    row.number(line.reply_packets);
    row.number(line.reply_bytes);
    row.text(line.tcp_state.unwrap_or_default());
    row.text(line.opaque.unwrap_or_default());
    row.text(&line.hosting);
    row.text(&line.control);
    row.text(line.operator.as_deref().unwrap_or_default());
    row.text(line.service.as_deref().unwrap_or_default());
    row.text(&line.asn.map(|asn| asn.to_string()).unwrap_or_default());
    row.text(line.class.name());
    row.text(line.verdict);
    row.truth(line.enforced);
    row.text(&line.rule);
    let shadow = line.shadow.as_ref();
    row.text(shadow.map_or("", |(rule, _)| rule));
    row.text(shadow.map_or("", |(_, verdict)| verdict));
    row.text(&line.community_id);
    row.end()
}

/// A row being written.
#[derive(Default)]
struct Row {
    out: Vec<u8>,
    cells: usize,
}

impl Row {
    fn begin(&mut self) {
        if self.cells > 0 {
            self.out.push(b',');
        }
        self.cells += 1;
    }

    fn number(&mut self, number: u64) {
        self.begin();
        self.out.extend_from_slice(number.to_string().as_bytes());
    }

    fn truth(&mut self, truth: bool) {
        self.begin();
        self.out
            .extend_from_slice(if truth { b"true" } else { b"false" });
    }

    fn text(&mut self, text: &str) {
        self.begin();
        // White space in front does not keep every spreadsheet from seeing a formula.
        let formula = text.starts_with(['=', '+', '-', '@', '\t', '\r', '\n'])
            || text.trim_start().starts_with(['=', '+', '-', '@']);
        let quoted = text.contains([',', '"', '\r', '\n']);
        if quoted {
            self.out.push(b'"');
        }
        if formula {
            self.out.push(b'\'');
        }
        for byte in text.bytes() {
            if byte == b'"' {
                self.out.push(b'"');
            }
            self.out.push(byte);
        }
        if quoted {
            self.out.push(b'"');
        }
    }

    fn end(mut self) -> Vec<u8> {
        debug_assert_eq!(self.cells, COLUMNS.len());
        self.out.extend_from_slice(b"\r\n");
        self.out
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cell(text: &str) -> String {
        let mut row = Row::default();
        row.text(text);
        String::from_utf8(row.out).unwrap()
    }

    #[test]
    fn cells_are_quoted_when_they_must_be() {
        assert_eq!(cell("www.example.org"), "www.example.org");
        assert_eq!(cell(""), "");
        assert_eq!(cell("a,b"), "\"a,b\"");
        assert_eq!(cell("say \"no\""), "\"say \"\"no\"\"\"");
        assert_eq!(cell("two\nlines"), "\"two\nlines\"");
    }

    #[test]
    fn no_cell_is_a_formula() {
        for hostile in ["=1+1", "+1", "-1", "@SUM(A1)", "\t=1", " =1", "\r=1"] {
            let cell = cell(hostile);
            let inside = cell.trim_start_matches('"');
            assert!(inside.starts_with('\''), "{hostile:?} became {cell:?}");
        }
        assert_eq!(cell("=\"a\",b"), "\"'=\"\"a\"\",b\"");
        assert_eq!(cell("1-2"), "1-2");
    }
}
