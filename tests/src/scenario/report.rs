//! Outcomes as a table that people read.

use std::fmt;

use unicode_width::UnicodeWidthStr as _;

use super::Outcome;

/// The table of a played scenario, its mismatches below it.
#[derive(Debug)]
pub struct Report<'a> {
    title: &'a str,
    outcomes: &'a [Outcome],
}

const HEADINGS: [&str; 9] = [
    "",
    "ZONE",
    "DESTINATION",
    "VIA",
    "HOSTING",
    "CONTROL",
    "VERDICT",
    "RULE",
    "THE CLIENT SAW",
];

impl<'a> Report<'a> {
    /// The report of some outcomes.
    #[must_use]
    pub const fn new(title: &'a str, outcomes: &'a [Outcome]) -> Self {
        Self { title, outcomes }
    }

    /// Whether everything is as expected.
    #[must_use]
    pub fn is_good(&self) -> bool {
        self.outcomes
            .iter()
            .all(|outcome| outcome.mismatches.is_empty())
    }
}

impl fmt::Display for Report<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut rows = vec![HEADINGS.map(str::to_owned)];
        rows.extend(self.outcomes.iter().map(cells));
        let mut widths = [0; HEADINGS.len()];
        for row in &rows {
            for (width, cell) in widths.iter_mut().zip(row) {
                *width = (*width).max(cell.width());
            }
        }
        writeln!(f, "{}\n", self.title)?;
        for row in &rows {
            let mut line = String::new();
            for (width, cell) in widths.iter().zip(row) {
                line.push_str(cell);
                line.extend(std::iter::repeat_n(' ', width - cell.width() + 2));
            }
            writeln!(f, "{}", line.trim_end())?;
        }
        let bad: Vec<_> = self
            .outcomes
            .iter()
            .filter(|outcome| !outcome.mismatches.is_empty())
            .collect();
        writeln!(
            f,
            "\n{} rows, {} as expected",
            self.outcomes.len(),
            self.outcomes.len() - bad.len()
        )?;
        for outcome in bad {
            let trip = &outcome.trip;
            writeln!(
                f,
                "\n{} to {} ({}) via {}:",
                trip.row.zone,
                trip.target.ip(),
                trip.about,
                trip.row.via
            )?;
            for mismatch in &outcome.mismatches {
                writeln!(f, "  {mismatch}")?;
            }
        }
        Ok(())
    }
}

fn cells(outcome: &Outcome) -> [String; HEADINGS.len()] {
    let trip = &outcome.trip;
    let flow = outcome.flow.clone().unwrap_or_default();
    let control = match (flow.control.is_empty(), flow.operator.is_empty()) {
        (false, false) => format!("{} ({})", flow.control, flow.operator),
        _ => flow.control,
    };
    let place = match &trip.name {
        Some(name) => format!("{name} [{}]", trip.target.ip()),
        None => trip.target.ip().to_string(),
    };
    [
        if outcome.mismatches.is_empty() {
            "ok"
        } else {
            "!!"
        }
        .to_owned(),
        trip.row.zone.clone(),
        place,
        trip.row.via.to_string(),
        flow.hosting,
        control,
        flow.verdict,
        flow.rule,
        format!(
            "{} in {} ms",
            outcome.attempt.seen,
            outcome.attempt.took.as_millis()
        ),
    ]
}
