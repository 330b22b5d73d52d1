//! What the keys and signs mean, for the screen they are asked on.

use super::sheet::{Fact, Section, Sheet};
use crate::adapter;
use crate::model::{Model, Screen};

/// The help as a sheet.
pub(crate) fn sheet(model: &Model) -> Sheet {
    let facts = |rows: &[(&str, &str)]| {
        rows.iter()
            .map(|(key, text)| Fact::new(*key, *text))
            .collect::<Vec<_>>()
    };
    let (title, here) = here(model);
    let mut sheet = Sheet {
        left: vec![
            Section::new(title, 12, facts(here)),
            Section::new("Everywhere", 12, facts(EVERYWHERE)),
        ],
        right: vec![Section::new("Signs", 12, facts(SIGNS))],
    };
    let listed = !matches!(model.screen, Screen::Jurisdictions | Screen::Status);
    if listed && model.detail.is_none() {
        let filter = adapter::filter_help()
            .into_iter()
            .map(|(what, text)| Fact::new(what, text))
            .collect();
        sheet.right.push(Section::new("Filter", 12, filter));
    }
    sheet
}

fn here(model: &Model) -> (&'static str, &'static [(&'static str, &'static str)]) {
    if model.detail.is_some() {
        return ("Detail", DETAIL);
    }
    match model.screen {
        Screen::Flows => ("Flows", LIST),
        Screen::Alerts => ("Alerts", LIST),
        Screen::Calls => ("Calls", CALLS),
        Screen::Findings => ("Findings", FINDINGS),
        Screen::Jurisdictions => ("Jurisdictions", JURISDICTIONS),
        Screen::Status => ("Status", STATUS),
    }
}

const LIST: &[(&str, &str)] = &[
    ("Enter", "the whole reason of the row under the cursor"),
    ("/", "filter; Enter keeps it, Esc leaves it as it was"),
    ("Esc", "drop the filter"),
    ("s, S", "sort by the next column, turn the direction"),
    ("o", "pin the order (values stay live), or let it go"),
    ("g", "follow the first row again"),
];

const CALLS: &[(&str, &str)] = &[
    ("Enter", "all that is known of the call under the cursor"),
    (
        "rows",
        "one for each call of a client over a meeting or messaging service",
    ),
    (
        "STATE",
        "running: its flows live; over: it was told in the event stream",
    ),
    (
        "SURE",
        "high: the service's own address, and media by language or signalling",
    ),
    ("/", "filter, as in service:zoom lasted>10m"),
    ("s, S", "sort by the next column, turn the direction"),
    ("o", "pin the order (values stay live), or let it go"),
];

const FINDINGS: &[(&str, &str)] = &[
    ("Enter", "all that is known of the finding under the cursor"),
    ("a", "acknowledge: say that you look into it (operators)"),
    (
        "rows",
        "one for each client and tracking-link host, told once",
    ),
    (
        "STATE",
        "open, ack: somebody looks into it, closed: silent for an hour",
    ),
    ("/", "filter, as in family:grabify state:open"),
    ("s, S", "sort by the next column, turn the direction"),
    ("o", "pin the order (values stay live), or let it go"),
];

const JURISDICTIONS: &[(&str, &str)] = &[
    ("Enter", "the flows of the row under the cursor"),
    ("s, S", "sort by the next column, turn the direction"),
    ("o", "pin the order, or let it go"),
    (
        "rows",
        "control: whose law reaches the operator; host: where it stands",
    ),
];

const STATUS: &[(&str, &str)] = &[(
    "seen",
    "every packet ends in exactly one outcome: their sum is what was seen",
)];

const DETAIL: &[(&str, &str)] = &[
    ("Esc", "back to the list, cursor where it was"),
    ("n, N", "next and previous row"),
    ("c", "copy the row and its reason as JSON"),
];

const EVERYWHERE: &[(&str, &str)] = &[
    ("1 to 6", "screens; Tab and Shift-Tab go round"),
    ("j k ↑ ↓", "move; PgUp PgDn ^U ^D by pages, g G to the ends"),
    ("f", "freeze this screen; data goes on arriving behind it"),
    ("P", "mask inside addresses, for screenshots"),
    ("c", "copy the row as JSON through the terminal (OSC 52)"),
    ("^L", "draw every cell again"),
    ("mouse", "click a tab, a row, a column title; wheel moves"),
    ("?", "this help"),
    ("q, ^C", "quit; the gateway goes on"),
];

const SIGNS: &[(&str, &str)] = &[
    ("· ALLOW", "passes"),
    ("! FLAG", "passes, and an alert is raised"),
    ("← REJECT", "stopped, and the sender is told"),
    ("✗ BLOCK", "stopped in silence"),
    (
        "✗ (BLOCK)",
        "in parentheses: recorded only, the packet passed",
    ),
    ("HOST FR?", "contested: the sources disagree"),
    (
        "US law",
        "an extraterritorial law of that country controls the operator",
    ),
    (
        "US link",
        "it reaches the operator by a subsidiary or presence",
    ),
    (
        "US law?",
        "presumed from the country of the announcing network only",
    ),
    (
        "none (FR)",
        "no such law is known to reach the operator; its parent is in FR",
    ),
    ("LOST n", "events lost: what is shown is not all there was"),
];
