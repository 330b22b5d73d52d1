//! Plain text tables: columns as wide as their widest cell, the last one as it comes.

use std::fmt::Write as _;

/// Rows under a head, ready to print.
#[derive(Debug)]
pub(crate) struct Table {
    rows: Vec<Vec<String>>,
    right: Vec<bool>,
}

impl Table {
    /// A table with these heads; a head that ends in `>` makes its column right-aligned.
    pub(crate) fn new(heads: &[&str]) -> Self {
        let right = heads.iter().map(|head| head.ends_with('>')).collect();
        let heads = heads
            .iter()
            .map(|head| head.trim_end_matches('>').to_owned())
            .collect();
        Self {
            rows: vec![heads],
            right,
        }
    }

    /// One more row.
    pub(crate) fn row(&mut self, cells: Vec<String>) {
        self.rows.push(cells);
    }

    /// Has it no row?
    pub(crate) fn is_empty(&self) -> bool {
        self.rows.len() == 1
    }

    /// The text, a line feed after each row.
    pub(crate) fn render(&self) -> String {
        let columns = self.right.len();
        let width = |column: usize| {
            let cells = self.rows.iter().filter_map(|row| row.get(column));
            cells.map(|cell| cell.chars().count()).max().unwrap_or(0)
        };
        let widths: Vec<usize> = (0..columns).map(width).collect();
        let mut text = String::new();
        for row in &self.rows {
            let mut line = String::new();
            for (column, cell) in row.iter().enumerate() {
                let width = widths.get(column).copied().unwrap_or(0);
                if column > 0 {
                    line.push_str("  ");
                }
                // Writing to a String cannot fail.
                let _ = if self.right.get(column).copied().unwrap_or(false) {
                    write!(line, "{cell:>width$}")
                } else {
                    write!(line, "{cell:<width$}")
                };
            }
            text.push_str(line.trim_end());
            text.push('\n');
        }
        text
    }
}

/// Bytes for people: `1.2 MB` (powers of 1000).
pub(crate) fn bytes(count: u64) -> String {
    const UNITS: [&str; 5] = ["B", "kB", "MB", "GB", "TB"];
    let mut tenths = u128::from(count) * 10;
    let mut unit = 0;
    while tenths >= 10_000 && unit + 1 < UNITS.len() {
        tenths = (tenths + 500) / 1_000;
        unit += 1;
    }
    if unit == 0 {
        return format!("{count} B");
    }
    format!("{}.{} {}", tenths / 10, tenths % 10, UNITS[unit])
}

/// A duration for people: `4s`, `3m12s`, `2h05m`, `5d03h`.
pub(crate) fn seconds(count: u64) -> String {
    match count {
        0..60 => format!("{count}s"),
        60..3_600 => format!("{}m{:02}s", count / 60, count % 60),
        3_600..86_400 => format!("{}h{:02}m", count / 3_600, count % 3_600 / 60),
        _ => format!("{}d{:02}h", count / 86_400, count % 86_400 / 3_600),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_align() {
        let mut table = Table::new(&["NAME", "BYTES>"]);
        table.row(vec!["a".to_owned(), "10".to_owned()]);
        table.row(vec!["long".to_owned(), "5".to_owned()]);
        assert_eq!(table.render(), "NAME  BYTES\na        10\nlong      5\n");
    }

    #[test]
    fn quantities_read_well() {
        assert_eq!(bytes(999), "999 B");
        assert_eq!(bytes(1_000), "1.0 kB");
        assert_eq!(bytes(999_960), "1.0 MB");
        assert_eq!(bytes(u64::MAX), "18446744.1 TB");
        assert_eq!(seconds(192), "3m12s");
        assert_eq!(seconds(90_000), "1d01h");
    }
}
