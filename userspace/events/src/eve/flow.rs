//! `event_type: flow`.

use serde::ser::SerializeMap;
use serde::{Serialize, Serializer};

use super::{Carried, Head, Metadata, OWN, RESIDENCY, Stamp, Var, event_id};
use crate::identity::Origin;
use crate::model::{EndReason, FlowRecord, FlowStage, TcpFlags};
use crate::residency::Residency;

#[derive(Serialize)]
pub(super) struct Line<'a> {
    #[serde(flatten)]
    head: Head<'a>,
    flow: Account,
    #[serde(skip_serializing_if = "Option::is_none")]
    tcp: Option<Tcp>,
    metadata: Metadata<'a>,
}

#[derive(Serialize)]
struct Account {
    #[serde(flatten)]
    carried: Carried,
    end: Stamp,
    age: i64,
    state: &'static str,
    reason: &'static str,
    alerted: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    action: Option<&'static str>,
}

/// `tcp`: flags as hexadecimal words, then one key for each flag that was seen.
struct Tcp(TcpFlags);

/// Flags that EVE has a key for (RFC 9293 section 3.1).
const FLAGS: [(&str, u8); 6] = [
    ("fin", 1),
    ("syn", 2),
    ("rst", 4),
    ("psh", 8),
    ("ack", 16),
    ("urg", 32),
];

impl Serialize for Tcp {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let Self(flags) = self;
        let all = flags.outbound | flags.reply;
        let mut map = serializer.serialize_map(None)?;
        map.serialize_entry("tcp_flags", &Hex(all))?;
        map.serialize_entry("tcp_flags_ts", &Hex(flags.outbound))?;
        map.serialize_entry("tcp_flags_tc", &Hex(flags.reply))?;
        for (name, bit) in FLAGS {
            if all & bit != 0 {
                map.serialize_entry(name, &true)?;
            }
        }
        map.serialize_entry("state", flags.state())?;
        map.end()
    }
}

/// Two hexadecimal digits.
struct Hex(u8);

impl Serialize for Hex {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(&format_args!("{:02x}", self.0))
    }
}

pub(super) fn line<'a>(record: &'a FlowRecord, origin: &'a Origin, id: &'a str) -> Line<'a> {
    let talk = &record.conversation;
    let residency = &*record.residency;
    let mut flowvars = vars(residency);
    flowvars.push(event_id(id));
    flowvars.push(Var::Text {
        gid: OWN,
        key: "end",
        value: record.reason.name(),
    });
    Line {
        head: Head::new(record.time, "flow", origin, talk, residency),
        flow: Account {
            carried: Carried::new(talk),
            end: Stamp(record.end),
            age: (record.end.as_second() - talk.start.as_second()).max(0),
            state: match record.stage {
                FlowStage::New | FlowStage::Stopped => "new",
                FlowStage::Established => "established",
                FlowStage::Closed => "closed",
            },
            // Suricata has no word for an end that the flow made itself: it ages such flows out.
            reason: match record.reason {
                EndReason::Closed | EndReason::Reset | EndReason::Timeout => "timeout",
                EndReason::Forced => "forced",
                EndReason::Shutdown => "shutdown",
                EndReason::Upgrade => "upgrade",
            },
            alerted: record.alerted,
            action: (residency.enforced && residency.verdict.stops()).then_some("drop"),
        },
        tcp: talk.tcp.map(Tcp),
        metadata: Metadata { flowvars },
    }
}

/// The facts that SIEM rules ask for, flat, then the whole object.
fn vars(residency: &Residency) -> Vec<Var<'_>> {
    let text = |key, value| Var::Text {
        gid: RESIDENCY,
        key,
        value,
    };
    let mut vars = vec![
        text("class", residency.class.name()),
        text("verdict", residency.verdict.name()),
        text(
            "enforced",
            if residency.enforced { "true" } else { "false" },
        ),
        text("confidence", residency.confidence.name()),
        text("rule", &residency.rule),
        text("policy_sha256", &residency.policy_sha256),
        text("db_ver", &residency.db_ver),
    ];
    if let Some(code) = &residency.host_country {
        vars.push(text("host_country", code.as_str()));
    }
    if let Some(code) = &residency.control_country {
        vars.push(text("control_country", code.as_str()));
    }
    for (key, value) in [
        ("zone", &residency.zone),
        ("operator_id", &residency.operator_id),
        ("service", &residency.service),
        ("policy_ver", &residency.policy_ver),
        ("name", &residency.name),
    ] {
        if let Some(value) = value {
            vars.push(text(key, value));
        }
    }
    vars.push(Var::Whole {
        gid: RESIDENCY,
        residency,
    });
    vars
}
