//! The one table, for a terminal and for a page.

use std::fmt::Write as _;

use unicode_width::UnicodeWidthStr as _;

use crate::row::{Budget, Measured, Row};

const HEAD: [&str; 6] = ["what", "measured", "ratio", "budget", "holds", "note"];

/// For a terminal: columns under each other, groups apart.
#[must_use]
pub fn plain(rows: &[Row]) -> String {
    let cells: Vec<[String; 6]> = rows.iter().map(cells).collect();
    let mut widths = HEAD.map(str::width);
    for row in &cells {
        for (width, cell) in widths.iter_mut().zip(row) {
            *width = (*width).max(cell.width());
        }
    }
    let line = |row: &[String; 6]| {
        let mut text = String::new();
        for (column, (cell, width)) in row.iter().zip(widths).enumerate() {
            let room = " ".repeat(width.saturating_sub(cell.width()));
            // Numbers to the right.
            let _ = if column == 1 {
                write!(text, "  {room}{cell}")
            } else {
                write!(text, "  {cell}{room}")
            };
        }
        text.trim_end().to_owned()
    };
    let mut text = line(&HEAD.map(str::to_owned));
    let mut group = "";
    for (row, cells) in rows.iter().zip(&cells) {
        if row.group != group {
            group = row.group;
            let _ = write!(text, "\n\n{group}");
        }
        let _ = write!(text, "\n{}", line(cells));
    }
    text.push('\n');
    text
}

/// For a page: one Markdown table for each group.
#[must_use]
pub fn markdown(rows: &[Row]) -> String {
    let mut text = String::new();
    let mut group = "";
    for row in rows {
        if row.group != group {
            group = row.group;
            let _ = write!(
                text,
                "\n## {group}\n\n| {} |\n|---|---:|---|---|---|---|\n",
                HEAD.join(" | ")
            );
        }
        let cells = cells(row).map(|cell| cell.replace('|', "\\|"));
        let _ = writeln!(text, "| {} |", cells.join(" | "));
    }
    text
}

fn cells(row: &Row) -> [String; 6] {
    let (measured, why) = match &row.measured {
        Measured::Value(value, unit) => (in_words(*value, unit), String::new()),
        Measured::Missing(why) => ("-".to_owned(), why.clone()),
    };
    let ratio = row.ratio.as_ref().map_or_else(String::new, |ratio| {
        format!("{} {}", times(ratio.times), ratio.of)
    });
    let unit = match row.measured {
        Measured::Value(_, unit) => unit,
        Measured::Missing(_) => "",
    };
    let budget = match row.budget {
        None => String::new(),
        Some(Budget::AtMost(limit)) => format!("<= {}", in_words(limit, unit)),
        Some(Budget::AtLeast(limit)) => format!(">= {}", in_words(limit, unit)),
        Some(Budget::RatioAtLeast(limit)) => format!(">= {}", times(limit)),
    };
    let holds = match row.holds() {
        None => "",
        Some(true) => "yes",
        Some(false) => "NO",
    };
    let note = if why.is_empty() {
        row.note.clone()
    } else {
        why
    };
    [
        row.what.clone(),
        measured,
        ratio,
        budget,
        holds.to_owned(),
        note,
    ]
}

/// A number with three digits that mean something, thousands apart, and its unit.
#[must_use]
pub fn in_words(value: f64, unit: &str) -> String {
    let digits = match value.abs() {
        size if size >= 100.0 => 0,
        size if size >= 10.0 => 1,
        _ => 2,
    };
    let text = format!("{value:.digits$}");
    let (whole, rest) = text.split_once('.').unwrap_or((&text, ""));
    let (sign, whole) = whole
        .strip_prefix('-')
        .map_or(("", whole), |whole| ("-", whole));
    let mut grouped = String::new();
    for (index, digit) in whole.char_indices() {
        if index > 0 && (whole.len() - index).is_multiple_of(3) {
            grouped.push(',');
        }
        grouped.push(digit);
    }
    let point = if rest.is_empty() { "" } else { "." };
    format!("{sign}{grouped}{point}{rest} {unit}")
        .trim_end()
        .to_owned()
}

/// A ratio: a share below one and a half, otherwise a factor.
#[must_use]
pub fn times(ratio: f64) -> String {
    if ratio < 1.5 {
        format!("{:.1} %", ratio * 100.0)
    } else {
        format!("{} x", in_words(ratio, ""))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rows() -> Vec<Row> {
        vec![
            Row::new("Look-ups", "atlas", 12.34, "ns")
                .times(40.0, "cheaper")
                .budget(Budget::AtMost(20.0)),
            Row::new("Look-ups", "a | b", 1_234_567.0, "ns").note("slow"),
            Row::missing("Forwarding", "suricata", "not installed")
                .budget(Budget::RatioAtLeast(0.95)),
        ]
    }

    #[test]
    fn numbers_have_three_digits_and_thousands() {
        assert_eq!(in_words(0.123, "ms"), "0.12 ms");
        assert_eq!(in_words(12.34, "ns"), "12.3 ns");
        assert_eq!(in_words(-1_234.5, ""), "-1,234");
        assert_eq!(in_words(1_234_567.0, "packets/s"), "1,234,567 packets/s");
        assert_eq!(times(0.957), "95.7 %");
        assert_eq!(times(40.0), "40.0 x");
    }

    #[test]
    fn columns_stand_under_each_other() {
        let text = plain(&rows());
        let expected = "  what          measured  ratio           budget      holds  note

Look-ups
  atlas          12.3 ns  40.0 x cheaper  <= 20.0 ns  yes
  a | b     1,234,567 ns                                     slow

Forwarding
  suricata             -                  >= 95.0 %          not installed
";
        assert_eq!(text, expected);
    }

    #[test]
    fn a_page_has_a_table_for_each_group() {
        let text = markdown(&rows());
        assert_eq!(text.matches("\n## ").count(), 2);
        assert!(
            text.contains("| a \\| b | 1,234,567 ns |  |  |  | slow |"),
            "{text}"
        );
        for line in text.lines().filter(|line| line.starts_with('|')) {
            assert_eq!(line.replace("\\|", "").matches('|').count(), 7, "{line}");
        }
    }
}
