//! The page and the plot that the documentation holds.

use std::fmt::Write as _;

use crate::plot::{Bar, Panel, svg};
use crate::row::Row;
use crate::table::{in_words, markdown, times};

/// `docs/bench.md`.
#[must_use]
pub fn page(rows: &[Row], machine: &str) -> String {
    let mut text = String::from(
        "# The bench\n\n\
         Written by `cargo xtask bench`, which installs what it needs, measures for about seven minutes and\n\
         prints the same as one table. `cargo xtask bench kernel` (or `peers`, `forward`, `flows`, `held`) runs one\n\
         part and prints it.\n\n\
         ![The gate beside its peers](bench.svg)\n\n",
    );
    let _ = writeln!(text, "Taken on {machine}.\n");
    text.push_str(
        "Each number is the middle one of several turns, taken in turns with what it is compared with: a\n\
         machine that has other things to do disturbs both. \"Popular\" is the same flow or destination each\n\
         time; \"uniform\" another one each time, drawn by a program in front whose own cost is in the floor.\n\
         The floor is an XDP program that does nothing. In the forwarding part one CPU does it all: it sends\n\
         frames of 60 bytes to 100,000 destinations drawn from the space that the atlas knows, the gateway's\n\
         work is done in its softirqs, and the far end drops them; so a filter's whole cost is missed at the\n\
         other end. What could not be measured says why.\n",
    );
    text.push_str(&markdown(rows));
    text
}

/// `docs/bench.svg`.
#[must_use]
pub fn drawing(rows: &[Row]) -> String {
    let mut panels = Vec::new();
    let look_ups =
        |row: &&Row| row.what.contains("look-up IPv") || row.what.starts_with("LPM trie IPv");
    panels.push(Panel {
        title: "Destination look-up, ns above the no-op program (each step ten times as much)"
            .to_owned(),
        bars: bars(rows.iter().filter(look_ups), " look-up", |what| {
            !what.starts_with("LPM")
        }),
        logarithmic: true,
        line: None,
    });
    let packets = |row: &&Row| {
        let new = row.what.starts_with("new flow") && !row.what.starts_with("new flows");
        new || row.what.starts_with("known flow")
    };
    panels.push(Panel {
        title: "The whole program, ns above the no-op program".to_owned(),
        bars: bars(rows.iter().filter(packets), "", |_| true),
        logarithmic: false,
        line: Some((80.0, "80 ns".to_owned())),
    });
    let shares: Vec<Bar> = rows
        .iter()
        .filter_map(|row| {
            let ratio = row.ratio.as_ref()?;
            (ratio.of == "of no filter").then(|| Bar {
                label: row
                    .what
                    .split(", every")
                    .next()
                    .unwrap_or_default()
                    .to_owned(),
                value: ratio.times * 100.0,
                words: times(ratio.times),
                ours: row.what.starts_with("Octroi"),
            })
        })
        .collect();
    panels.push(Panel {
        title: "Forwarded packets a second, share of no filter".to_owned(),
        bars: shares,
        logarithmic: false,
        line: Some((95.0, "95 %".to_owned())),
    });
    let loads = |row: &&Row| row.group == "Loading the map";
    panels.push(Panel {
        title: "Loading the map, ms (each step ten times as much)".to_owned(),
        bars: bars(rows.iter().filter(loads), "", |what| {
            what.starts_with("Octroi")
        }),
        logarithmic: true,
        line: None,
    });
    panels.retain(|panel| !panel.bars.is_empty());
    svg(&panels)
}

fn bars<'a>(
    rows: impl Iterator<Item = &'a Row>,
    drop: &str,
    ours: impl Fn(&str) -> bool,
) -> Vec<Bar> {
    rows.filter_map(|row| {
        let value = row.value()?;
        let crate::row::Measured::Value(_, unit) = row.measured else {
            return None;
        };
        Some(Bar {
            label: row
                .what
                .split(" (")
                .next()?
                .replace("destination look-up", "atlas")
                .replace(drop, ""),
            value,
            words: in_words(value, unit),
            ours: ours(&row.what),
        })
    })
    .collect()
}

/// The machine in words: processor, its count, kernel.
#[must_use]
pub fn machine() -> String {
    let read = |path: &str| std::fs::read_to_string(path).unwrap_or_default();
    let processors = read("/proc/cpuinfo");
    described(&processors, read("/proc/sys/kernel/osrelease").trim())
}

fn described(processors: &str, kernel: &str) -> String {
    let values = |key: &str| {
        let lines = processors.lines().filter_map(|line| line.split_once(':'));
        lines
            .filter(|(name, _)| name.trim() == key)
            .map(|(_, value)| value.trim().to_owned())
            .collect::<Vec<_>>()
    };
    let model = values("model name")
        .into_iter()
        .next()
        .unwrap_or_else(|| "an unnamed processor".to_owned());
    let count = values("processor").len();
    let virtual_machine = if processors.contains(" hypervisor") {
        ", a virtual machine"
    } else {
        ""
    };
    // Numbers only: what follows names who built it.
    let kernel: String = kernel
        .chars()
        .take_while(|c| c.is_ascii_digit() || *c == '.')
        .collect();
    format!("Linux {kernel}, {count} CPUs ({model}{virtual_machine})")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::row::Budget;

    fn rows() -> Vec<Row> {
        vec![
            Row::new("A", "destination look-up IPv4, popular", 5.0, "ns")
                .budget(Budget::AtMost(20.0)),
            Row::new("A", "known flow IPv4, popular", 70.0, "ns"),
            Row::new("B", "LPM trie IPv4, popular", 300.0, "ns").times(60.0, "the atlas"),
            Row::new("C", "no filter", 1e6, "packets/s").times(1.0, "of no filter"),
            Row::missing("C", "Suricata", "not installed"),
        ]
    }

    #[test]
    fn the_machine_is_told_without_a_name_of_its_own() {
        let processors =
            "processor\t: 0\nmodel name\t: A B\nflags\t: x hypervisor\nprocessor\t: 1\n";
        let told = described(processors, "6.18.44-host-name");
        assert_eq!(told, "Linux 6.18.44, 2 CPUs (A B, a virtual machine)");
        assert_eq!(described("", "6"), "Linux 6, 0 CPUs (an unnamed processor)");
    }

    #[test]
    fn the_page_holds_every_row_and_the_plot_every_number() {
        let text = page(&rows(), "a machine");
        for row in rows() {
            assert!(text.contains(&row.what), "{}", row.what);
        }
        assert!(text.contains("not installed") && text.contains("Taken on a machine."));
        let drawing = drawing(&rows());
        assert_eq!(drawing.matches("<rect").count(), 4);
        assert_eq!(drawing.matches(" ours\"").count(), 2);
    }
}
