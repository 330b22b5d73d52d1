//! Tables of the page.

use std::io::{self, Write};

use super::escape::Text;
use crate::cli::table::bytes;

/// A cell of a table.
pub(super) enum Cell {
    Text(String),
    /// In letters of one width: names and addresses.
    Code(String),
    /// A verdict, and whether it is carried out.
    Verdict(&'static str, bool),
    Number(String),
    /// Sentences and lists, with room to be read.
    Long(String),
    /// Not to be broken: times, countries, addresses of clients.
    Short(String),
    Lines(Vec<String>),
}

impl Cell {
    pub(super) fn text(text: &str) -> Self {
        Self::Text(text.to_owned())
    }

    pub(super) fn code(text: &str) -> Self {
        Self::Code(text.to_owned())
    }

    pub(super) fn long(text: impl Into<String>) -> Self {
        Self::Long(text.into())
    }

    pub(super) fn short(text: impl Into<String>) -> Self {
        Self::Short(text.into())
    }

    pub(super) fn verdict(verdict: &'static str, enforced: bool) -> Self {
        Self::Verdict(verdict, enforced)
    }

    pub(super) fn count(count: u64) -> Self {
        Self::Number(count.to_string())
    }

    pub(super) fn bytes(count: u64) -> Self {
        Self::Number(bytes(count))
    }

    pub(super) fn lines(lines: Vec<String>) -> Self {
        Self::Lines(lines)
    }

    fn write(&self, out: &mut impl Write) -> io::Result<()> {
        match self {
            Self::Text(text) => write!(out, "<td>{}</td>", Text(text)),
            Self::Code(text) if text.is_empty() => out.write_all(b"<td></td>"),
            Self::Code(text) => write!(out, "<td><code>{}</code></td>", Text(text)),
            Self::Long(text) => write!(out, "<td class=\"w\">{}</td>", Text(text)),
            Self::Short(text) => write!(out, "<td class=\"s\">{}</td>", Text(text)),
            Self::Number(text) => write!(out, "<td class=\"n\">{}</td>", Text(text)),
            Self::Verdict(verdict, enforced) => {
                let (open, close) = if *enforced || matches!(*verdict, "allow" | "flag") {
                    ("", "")
                } else {
                    ("(", ")")
                };
                write!(
                    out,
                    "<td><span class=\"v {}\">{open}{}{close}</span></td>",
                    Text(verdict),
                    Text(verdict)
                )
            }
            Self::Lines(lines) => {
                out.write_all(b"<td class=\"w\">")?;
                for (number, line) in lines.iter().enumerate() {
                    let next = if number == 0 { "" } else { "<br>" };
                    write!(out, "{next}{}", Text(line))?;
                }
                out.write_all(b"</td>")
            }
        }
    }
}

/// A table with a caption.
pub(super) struct Table<'a> {
    caption: &'a str,
    heads: &'a [&'a str],
    rows: Vec<Vec<Cell>>,
}

impl<'a> Table<'a> {
    /// A head that ends in `>` is of a column of numbers.
    pub(super) fn new(caption: &'a str, heads: &'a [&'a str]) -> Self {
        Self {
            caption,
            heads,
            rows: Vec::new(),
        }
    }

    pub(super) fn row(&mut self, row: Vec<Cell>) {
        self.rows.push(row);
    }

    pub(super) fn write(&self, out: &mut impl Write) -> io::Result<()> {
        writeln!(
            out,
            "<div class=\"t\">\n<table>\n<caption>{}</caption>\n<thead>\n<tr>",
            Text(self.caption)
        )?;
        for head in self.heads {
            let class = if head.ends_with('>') {
                " class=\"n\""
            } else {
                ""
            };
            let head = Text(head.trim_end_matches('>'));
            write!(out, "<th scope=\"col\"{class}>{head}</th>")?;
        }
        out.write_all(b"</tr>\n</thead>\n<tbody>\n")?;
        for row in &self.rows {
            out.write_all(b"<tr>")?;
            for cell in row {
                cell.write(out)?;
            }
            out.write_all(b"</tr>\n")?;
        }
        out.write_all(b"</tbody>\n</table>\n</div>\n")
    }
}
