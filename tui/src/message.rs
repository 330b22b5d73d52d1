//! What can happen to the dashboard, and what it can ask for.

use crate::model::list::Sort;
use crate::model::reason::Reason;
use crate::model::row::{FlowRow, JurisdictionRow, RowId};
use crate::model::status::{PolicyRules, Status};
use crate::model::{AlertsPart, CallsPart, Connection, FindingsPart, FlowsPart, Screen};

/// A key, free of the terminal library's types.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Key {
    /// A character, shifted or not.
    Char(char),
    /// Control and a lower-case letter.
    Control(char),
    /// Enter.
    Enter,
    /// Escape.
    Escape,
    /// Tab.
    Tab,
    /// Shift and Tab.
    BackTab,
    /// Arrow up.
    Up,
    /// Arrow down.
    Down,
    /// Arrow left.
    Left,
    /// Arrow right.
    Right,
    /// Page up.
    PageUp,
    /// Page down.
    PageDown,
    /// Home.
    Home,
    /// End.
    End,
    /// Backspace.
    Backspace,
    /// Delete.
    Delete,
}

/// What a click hits.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Target {
    /// The tab of a screen.
    Screen(Screen),
    /// A row of the list on screen.
    Row(RowId),
    /// The title of a column, by index of the sort.
    Sort(usize),
    /// A key named in the footer.
    Key(Key),
}

/// What the daemon told.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct Update {
    /// The server's clock, milliseconds since 1970.
    pub now_ms: i64,
    /// Everything the server lost so far.
    pub lost: u64,
    /// Updates this dashboard was too slow for.
    pub skipped: u64,
    /// All flows that pass the filter, or the first of them.
    pub flows: Option<FlowsPart>,
    /// Traffic by control and hosting.
    pub jurisdictions: Option<Vec<JurisdictionRow>>,
    /// Alerts.
    pub alerts: Option<AlertsPart>,
    /// Calls.
    pub calls: Option<CallsPart>,
    /// Findings.
    pub findings: Option<FindingsPart>,
    /// The gateway.
    pub status: Option<Box<Status>>,
    /// The policy, when it changed.
    pub policy: Option<Box<PolicyRules>>,
}

/// Something that happened.
#[derive(Clone, PartialEq, Debug)]
pub enum Message {
    /// The clock, milliseconds since the start. Sent before every other message.
    Clock(u64),
    /// A key.
    Key(Key),
    /// Text pasted into the terminal.
    Paste(String),
    /// A click.
    Click(Target),
    /// The wheel: rows downward.
    Scroll(isize),
    /// The terminal has another size: columns and rows.
    Resize(u16, u16),
    /// The daemon spoke.
    Update(Box<Update>),
    /// The daemon went away or came back.
    Connection(Connection),
    /// The answer to [`Effect::Explain`].
    Reason(RowId, Result<Box<Reason>, String>),
    /// The answer to [`Effect::Acknowledge`]: one sentence either way.
    Acknowledged(String),
    /// The daemon refused the filter: message and column.
    FilterRefused(String, usize),
}

/// The rows the dashboard wants.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Wanted {
    /// The filter, empty for all.
    pub filter: String,
    /// Order of the flows: the daemon sends only the first.
    pub sort: Sort,
}

/// Something to be done outside the model.
#[derive(Clone, PartialEq, Debug)]
pub enum Effect {
    /// Leave.
    Quit,
    /// Ask the daemon for other rows.
    Watch(Wanted),
    /// Ask the daemon for the reason of a flow.
    Explain(Box<FlowRow>),
    /// Tell the daemon that somebody looks into the finding of this id.
    Acknowledge(RowId),
    /// Put text on the clipboard.
    Copy(String),
    /// Draw every cell again.
    Redraw,
    /// Stop as Ctrl-Z does elsewhere.
    Suspend,
}
