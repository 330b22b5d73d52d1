//! `octroi geo-db lookup`: many addresses, one line each.

use std::io::{self, BufRead, BufWriter, Write};
use std::net::IpAddr;
use std::process::ExitCode;

use anyhow::{Context, Result};
use octroi_geo_db::profile::{CountryCode, Profile};
use octroi_geo_db::{Atlas, ClassId};
use serde_json::json;

use super::arguments::LookupArguments;

/// Wrong lines that are told one by one.
const TOLD: u64 = 10;
/// Bytes that are written at once.
const BUFFER: usize = 256 << 10;
/// The word for reading standard input.
const STANDARD_INPUT: &str = "-";

/// Looks addresses up. Exit status 2 when some lines were no addresses.
pub(super) fn run(arguments: &LookupArguments) -> Result<ExitCode> {
    let atlas = super::open(arguments.atlas.as_deref())?;
    let out = BufWriter::with_capacity(BUFFER, io::stdout().lock());
    let mut table = Lines::new(&atlas, arguments.json, out);
    let looked = arguments.addresses.iter().try_for_each(|word| {
        if word == STANDARD_INPUT {
            table.read(io::stdin().lock())
        } else {
            table.line(word.as_bytes())
        }
    });
    let wrong = table.wrong;
    match looked.and_then(|()| table.out.flush()) {
        // Whoever read has enough.
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => {}
        other => other.context("cannot read or write the lines")?,
    }
    if wrong > TOLD {
        eprintln!("octroi: {wrong} lines were no addresses");
    }
    Ok(if wrong == 0 {
        ExitCode::SUCCESS
    } else {
        ExitCode::from(2)
    })
}

/// Writes a line for each address; what is said of a class is rendered once.
struct Lines<'a, W> {
    atlas: &'a Atlas,
    json: bool,
    rendered: Vec<Option<String>>,
    number: u64,
    wrong: u64,
    out: W,
}

impl<'a, W: Write> Lines<'a, W> {
    fn new(atlas: &'a Atlas, json: bool, out: W) -> Self {
        Self {
            rendered: vec![None; atlas.profiles().len()],
            atlas,
            json,
            number: 0,
            wrong: 0,
            out,
        }
    }

    fn read(&mut self, mut from: impl BufRead) -> io::Result<()> {
        let mut line = Vec::new();
        while from.read_until(b'\n', &mut line)? > 0 {
            self.line(&line)?;
            line.clear();
        }
        Ok(())
    }

    fn line(&mut self, line: &[u8]) -> io::Result<()> {
        self.number += 1;
        let text = line.trim_ascii();
        if text.is_empty() {
            return Ok(());
        }
        let Some(address) = parse(text) else {
            self.wrong += 1;
            if self.wrong <= TOLD {
                eprintln!(
                    "octroi: line {}: \"{}\" is no IPv4 or IPv6 address; it is left out",
                    self.number,
                    String::from_utf8_lossy(text).escape_debug()
                );
            }
            return Ok(());
        };
        let class = self.atlas.class_of(address);
        let json = self.json;
        let profile = self.atlas.profile(class);
        let render = || {
            if json {
                object(class, profile)
            } else {
                row(class, profile)
            }
        };
        // The address as the parser reads it: it is a part of JSON that needs no escapes.
        let begin = if json { "{\"address\":\"" } else { "" };
        write!(self.out, "{begin}{address}")?;
        match self.rendered.get_mut(usize::from(class)) {
            Some(slot) => self
                .out
                .write_all(slot.get_or_insert_with(render).as_bytes()),
            None => self.out.write_all(render().as_bytes()),
        }
    }
}

fn parse(text: &[u8]) -> Option<IpAddr> {
    std::str::from_utf8(text).ok()?.parse().ok()
}

/// Country, hosting, operator, control, reach, service, special use, class; `-` for none.
fn row(class: ClassId, profile: &Profile) -> String {
    let code = |country: Option<CountryCode>| {
        country.map_or_else(|| "-".to_owned(), |country| country.to_string())
    };
    let hosting = profile.hosting;
    let control = &profile.control;
    format!(
        "\t{}\t{}\t{}\t{}\t{}\t{}\t{}\t{class}\n",
        code(hosting.country),
        hosting.confidence.name(),
        control.operator.as_deref().unwrap_or("-"),
        code(control.country),
        control.reach.name(),
        profile.service.as_deref().unwrap_or("-"),
        profile.special.map_or("-", |special| special.name()),
    )
}

fn object(class: ClassId, profile: &Profile) -> String {
    let rest = json!({
        "class": class,
        "hosting": profile.hosting,
        "control": profile.control,
        "qualifications": profile.qualifications,
        "service": profile.service,
        "special": profile.special,
    });
    let rest = rest.to_string();
    format!("\",{}\n", rest.trim_start_matches('{'))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines(json: bool, input: &str) -> (String, u64) {
        let atlas = Atlas::embedded().unwrap();
        let mut table = Lines::new(&atlas, json, Vec::new());
        table.read(input.as_bytes()).unwrap();
        (String::from_utf8(table.out).unwrap(), table.wrong)
    }

    #[test]
    fn each_address_has_its_line_and_wrong_ones_are_counted() {
        let input = "20.74.0.1\n\n 2a01:e0a::1 \r\nnowhere\n10.0.0.1";
        let (text, wrong) = lines(false, input);
        assert_eq!(wrong, 1);
        let rows: Vec<Vec<&str>> = text
            .lines()
            .map(|line| line.split('\t').collect())
            .collect();
        assert_eq!(rows.len(), 3);
        assert!(rows.iter().all(|row| row.len() == 9), "{text}");
        assert_eq!(
            rows[0][..6],
            [
                "20.74.0.1",
                "FR",
                "located",
                "microsoft",
                "US",
                "controlled"
            ]
        );
        assert_eq!(rows[1][..4], ["2a01:e0a::1", "FR", "located", "free"]);
        assert_eq!(rows[2][7], "private");
    }

    #[test]
    fn json_lines_are_json() {
        let (text, _) = lines(true, "20.74.0.1\n20.74.0.2\n::1\n");
        let values: Vec<serde_json::Value> = text
            .lines()
            .map(|line| serde_json::from_str(line).unwrap())
            .collect();
        assert_eq!(values.len(), 3);
        assert_eq!(values[1]["address"], "20.74.0.2");
        assert_eq!(values[1]["hosting"]["country"], "FR");
        assert_eq!(values[2]["special"], "loopback");
    }
}
