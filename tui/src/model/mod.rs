//! The state of the dashboard: pure data, no terminal and no socket.

pub mod jurisdiction;
pub mod list;
pub mod reason;
pub mod row;
pub mod status;
pub mod watched;

use tui_input::Input;

use crate::message::Wanted;

use list::{List, Sort};
use reason::Reason;
use row::{AlertRow, FlowRow, JurisdictionRow, RowId};
use status::{PolicyRules, Status};
use watched::{CallRow, FindingRow};

/// The six screens.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Screen {
    /// Live flows.
    #[default]
    Flows,
    /// Traffic by control and hosting.
    Jurisdictions,
    /// Alerts.
    Alerts,
    /// Calls of people.
    Calls,
    /// What somebody should look into.
    Findings,
    /// The gateway and its policy.
    Status,
}

impl Screen {
    /// Every screen, in the order of the keys 1 to 6.
    pub const ALL: [Self; 6] = [
        Self::Flows,
        Self::Jurisdictions,
        Self::Alerts,
        Self::Calls,
        Self::Findings,
        Self::Status,
    ];

    /// Position among [`Screen::ALL`].
    #[must_use]
    pub const fn index(self) -> usize {
        match self {
            Self::Flows => 0,
            Self::Jurisdictions => 1,
            Self::Alerts => 2,
            Self::Calls => 3,
            Self::Findings => 4,
            Self::Status => 5,
        }
    }
}

/// Whether the daemon answers.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub enum Connection {
    /// First attempt.
    #[default]
    Connecting,
    /// Data flows.
    Up,
    /// The daemon went away; the next attempt is under way or waits.
    Down {
        /// What went wrong, with the remedy.
        why: String,
        /// Seconds until the next attempt.
        retry_seconds: u64,
    },
}

/// The filter line.
#[derive(Clone, Debug, Default)]
pub struct Filter {
    /// The filter in force.
    pub applied: String,
    /// The line being edited, while it is.
    pub editing: Option<Input>,
    /// What is wrong with the edited line: the message, and the column (in characters) of the
    /// caret.
    pub error: Option<(String, usize)>,
}

/// A pause of this screen only: data goes on arriving behind it.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct Frozen {
    /// Server time at which it began, milliseconds since 1970.
    pub since_ms: i64,
    /// Updates held back.
    pub updates: u64,
    /// The last held-back flows.
    pub flows: Option<FlowsPart>,
    /// The last held-back jurisdictions.
    pub jurisdictions: Option<Vec<JurisdictionRow>>,
    /// Held-back alerts, the youngest [`ALERTS_KEPT`].
    pub alerts: AlertsPart,
    /// The last held-back calls.
    pub calls: Option<CallsPart>,
    /// The last held-back findings.
    pub findings: Option<FindingsPart>,
}

/// The calls of one update: all that match, or the first of them.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct CallsPart {
    /// The rows.
    pub rows: Vec<CallRow>,
    /// Calls told since the daemon started.
    pub told: u64,
    /// Calls that pass the filter.
    pub matched: u64,
    /// Parts of calls that the daemon could not remember.
    pub dropped: u64,
}

/// The findings of one update: all that match, or the first of them.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct FindingsPart {
    /// The rows.
    pub rows: Vec<FindingRow>,
    /// Findings that are not closed.
    pub open: u64,
    /// Names that hit since the daemon started.
    pub hits: u64,
    /// Findings that pass the filter.
    pub matched: u64,
}

/// The alerts of one update.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct AlertsPart {
    /// Whether these are all there are, rather than what is new.
    pub all: bool,
    /// The rows.
    pub rows: Vec<AlertRow>,
}

/// The flows of one update.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct FlowsPart {
    /// The rows sent: all, or the first of many.
    pub rows: Vec<FlowRow>,
    /// Flows the daemon knows.
    pub total: u64,
    /// Flows that pass the filter.
    pub matched: u64,
}

/// The screen one row opens.
#[derive(Clone, PartialEq, Debug)]
pub struct Detail {
    /// What it speaks of.
    pub subject: Subject,
    /// The reason, once it is there; `None` when the subject says all there is.
    pub reason: Option<Loading<Reason>>,
    /// First line shown.
    pub scroll: usize,
}

/// What a detail screen speaks of.
#[derive(Clone, PartialEq, Debug)]
pub enum Subject {
    /// A flow; its values follow the list as long as it is listed.
    Flow(Box<FlowRow>),
    /// An alert.
    Alert(Box<AlertRow>),
    /// A call; its values follow the list as long as it is listed.
    Call(Box<CallRow>),
    /// A finding; its values follow the list as long as it is listed.
    Finding(Box<FindingRow>),
}

impl Subject {
    /// Identity of the row.
    #[must_use]
    pub const fn id(&self) -> &RowId {
        match self {
            Self::Flow(flow) => &flow.id,
            Self::Alert(alert) => &alert.id,
            Self::Call(call) => &call.id,
            Self::Finding(finding) => &finding.id,
        }
    }
}

/// Something asked of the daemon.
#[derive(Clone, PartialEq, Debug)]
pub enum Loading<T> {
    /// Asked, not answered.
    Asked,
    /// Answered.
    Ready(Box<T>),
    /// Refused, with the reason.
    Failed(String),
}

/// Alerts kept in memory.
pub const ALERTS_KEPT: usize = 1_000;

/// How long a notice stays, in milliseconds.
pub const NOTICE_MS: u64 = 4_000;

/// The state of the dashboard.
#[derive(Clone, Debug)]
pub struct Model {
    /// Columns and rows of the terminal.
    pub size: (u16, u16),
    /// A clock that only goes forward, milliseconds since the start.
    pub clock_ms: u64,
    /// The screen shown.
    pub screen: Screen,
    /// Whether the help lies over it.
    pub help: bool,
    /// First line of the help.
    pub help_scroll: usize,
    /// The detail over the screen.
    pub detail: Option<Detail>,
    /// Live flows.
    pub flows: List<FlowRow>,
    /// Flows the daemon knows.
    pub flows_total: u64,
    /// Flows that pass the filter.
    pub flows_matched: u64,
    /// Traffic by control and hosting.
    pub jurisdictions: List<JurisdictionRow>,
    /// Alerts.
    pub alerts: List<AlertRow>,
    /// Alerts seen since the alerts screen was last open.
    pub alerts_new: u64,
    /// Calls.
    pub calls: List<CallRow>,
    /// Calls told since the daemon started.
    pub calls_told: u64,
    /// Calls that pass the filter.
    pub calls_matched: u64,
    /// Parts of calls that the daemon could not remember.
    pub calls_dropped: u64,
    /// Findings.
    pub findings: List<FindingRow>,
    /// Findings that are not closed.
    pub findings_open: u64,
    /// Findings that pass the filter.
    pub findings_matched: u64,
    /// Findings seen since the findings screen was last open.
    pub findings_new: u64,
    /// The gateway.
    pub status: Status,
    /// Its policy.
    pub policy: PolicyRules,
    /// First line of the status screen.
    pub status_scroll: usize,
    /// The filter.
    pub filter: Filter,
    /// The pause, while there is one.
    pub frozen: Option<Frozen>,
    /// Whether the daemon answers.
    pub connection: Connection,
    /// The server's clock, milliseconds since 1970; 0 before the first update.
    pub now_ms: i64,
    /// Losses told with the last update.
    pub lost: u64,
    /// Whether inside addresses are hidden, for screenshots.
    pub masked: bool,
    /// A passing message, and when it goes.
    pub notice: Option<(String, u64)>,
    /// Whether the screen differs from what was last drawn.
    pub dirty: bool,
}

impl Default for Model {
    fn default() -> Self {
        Self::new((80, 24))
    }
}

impl Model {
    /// The state before the first word of the daemon.
    #[must_use]
    pub fn new(size: (u16, u16)) -> Self {
        Self {
            size,
            clock_ms: 0,
            screen: Screen::default(),
            help: false,
            help_scroll: 0,
            detail: None,
            // Youngest first.
            flows: List::new(Sort {
                column: 0,
                descending: false,
            }),
            flows_total: 0,
            flows_matched: 0,
            jurisdictions: List::new(Sort {
                column: 0,
                descending: true,
            }),
            alerts: List::new(Sort {
                column: 0,
                descending: true,
            }),
            alerts_new: 0,
            calls: List::new(Sort {
                column: 0,
                descending: true,
            }),
            calls_told: 0,
            calls_matched: 0,
            calls_dropped: 0,
            findings: List::new(Sort {
                column: 0,
                descending: true,
            }),
            findings_open: 0,
            findings_matched: 0,
            findings_new: 0,
            status: Status::default(),
            policy: PolicyRules::default(),
            status_scroll: 0,
            filter: Filter::default(),
            frozen: None,
            connection: Connection::default(),
            now_ms: 0,
            lost: 0,
            masked: false,
            notice: None,
            dirty: true,
        }
    }

    /// When the model wants to hear the clock next: a hold that ends, a notice that goes.
    #[must_use]
    pub fn next_deadline_ms(&self) -> Option<u64> {
        [
            self.flows.hold_until_ms(),
            self.jurisdictions.hold_until_ms(),
            self.alerts.hold_until_ms(),
            self.calls.hold_until_ms(),
            self.findings.hold_until_ms(),
            self.notice.as_ref().map(|(_, until)| *until),
        ]
        .into_iter()
        .flatten()
        .min()
    }

    /// The moment the rows show: the server's now, or the beginning of the pause.
    #[must_use]
    pub fn shown_ms(&self) -> i64 {
        self.frozen
            .as_ref()
            .map_or(self.now_ms, |frozen| frozen.since_ms)
    }

    /// The rows to ask the daemon for.
    #[must_use]
    pub fn wanted(&self) -> Wanted {
        Wanted {
            filter: self.filter.applied.clone(),
            sort: self.flows.sort(),
        }
    }

    /// All that was lost: what the update tells, or what the status adds up to.
    #[must_use]
    pub fn lost(&self) -> u64 {
        self.lost.max(self.status.lost())
    }

    /// Whether the order of the list on screen is held.
    #[must_use]
    pub fn held(&self) -> bool {
        match self.screen {
            Screen::Flows => self.flows.held(),
            Screen::Jurisdictions => self.jurisdictions.held(),
            Screen::Alerts => self.alerts.held(),
            Screen::Calls => self.calls.held(),
            Screen::Findings => self.findings.held(),
            Screen::Status => false,
        }
    }
}
