//! Bars: how many bytes went under whose law.

use std::collections::BTreeMap;
use std::io::{self, Write};

use super::escape::Text;
use crate::analyze::report::JurisdictionLine;
use crate::cli::table::bytes;

/// Bars of one drawing; the table has the rest.
const BARS: usize = 12;
const ROW_UNITS: usize = 24;
const LABEL_UNITS: u64 = 300;
const BAR_UNITS: u64 = 420;

/// A bar for each pair of hosting and control, divided by verdict.
pub(super) fn jurisdictions(lines: &[JurisdictionLine], out: &mut impl Write) -> io::Result<()> {
    let mut bars: BTreeMap<(&str, &str), Vec<&JurisdictionLine>> = BTreeMap::new();
    for line in lines {
        bars.entry((&line.hosting, &line.control))
            .or_default()
            .push(line);
    }
    let total = |parts: &[&JurisdictionLine]| parts.iter().map(|part| part.bytes).sum::<u64>();
    let mut bars: Vec<_> = bars.into_iter().collect();
    bars.sort_by_key(|(_, parts)| std::cmp::Reverse(total(parts)));
    bars.truncate(BARS);
    let most = bars.first().map_or(0, |(_, parts)| total(parts)).max(1);
    writeln!(
        out,
        "<svg viewBox=\"0 0 800 {}\" role=\"img\">\n<title>Bytes by hosting and control; the \
         table below says the same</title>",
        bars.len() * ROW_UNITS + 4
    )?;
    for (row, ((hosting, control), parts)) in bars.iter().enumerate() {
        let y = row * ROW_UNITS;
        let label = format!("{hosting} / {control}");
        writeln!(
            out,
            "<text x=\"0\" y=\"{}\">{}</text>",
            y + 16,
            Text(&label)
        )?;
        let mut x = LABEL_UNITS;
        for part in parts {
            let width = scaled(part.bytes, most);
            writeln!(
                out,
                "<rect class=\"{}\" x=\"{x}\" y=\"{}\" width=\"{width}\" height=\"16\"/>",
                Text(part.verdict),
                y + 4
            )?;
            x += width;
        }
        writeln!(
            out,
            "<text x=\"{}\" y=\"{}\">{}</text>",
            x + 6,
            y + 16,
            Text(&bytes(total(parts)))
        )?;
    }
    out.write_all(b"</svg>\n")
}

/// At least one unit, so that a little is not nothing.
fn scaled(bytes: u64, most: u64) -> u64 {
    let units = u128::from(bytes) * u128::from(BAR_UNITS) / u128::from(most.max(1));
    u64::try_from(units)
        .unwrap_or(BAR_UNITS)
        .clamp(1, BAR_UNITS)
}
