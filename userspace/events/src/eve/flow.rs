//! `event_type: flow`.

use serde::{Serialize, Serializer};

use super::{Carried, Head, Metadata, RESIDENCY, Stamp, Var, event_id};
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

#[derive(Serialize)]
struct Tcp {
    tcp_flags: Hex,
    tcp_flags_ts: Hex,
    tcp_flags_tc: Hex,
    #[serde(skip_serializing_if = "is_false")]
    fin: bool,
    #[serde(skip_serializing_if = "is_false")]
    syn: bool,
    #[serde(skip_serializing_if = "is_false")]
    rst: bool,
    #[serde(skip_serializing_if = "is_false")]
    psh: bool,
    #[serde(skip_serializing_if = "is_false")]
    ack: bool,
    #[serde(skip_serializing_if = "is_false")]
    urg: bool,
    state: &'static str,
}

#[expect(
    clippy::trivially_copy_pass_by_ref,
    reason = "serde passes a reference"
)]
const fn is_false(value: &bool) -> bool {
    !*value
}

/// Two hexadecimal digits.
struct Hex(u8);

impl Serialize for Hex {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(&format_args!("{:02x}", self.0))
    }
}

impl Tcp {
    fn new(flags: TcpFlags, stage: FlowStage) -> Self {
        let all = flags.outbound | flags.reply;
        let seen = |bit: u8| all & bit != 0;
        Self {
            tcp_flags: Hex(all),
            tcp_flags_ts: Hex(flags.outbound),
            tcp_flags_tc: Hex(flags.reply),
            fin: seen(1),
            syn: seen(2),
            rst: seen(4),
            psh: seen(8),
            ack: seen(16),
            urg: seen(32),
            state: match stage {
                FlowStage::New | FlowStage::Stopped => "syn_sent",
                FlowStage::Established => "established",
                FlowStage::Closed => "closed",
            },
        }
    }
}

pub(super) fn line<'a>(record: &'a FlowRecord, origin: &'a Origin, id: &'a str) -> Line<'a> {
    let talk = &record.conversation;
    let residency = &*record.residency;
    let mut flowvars = vars(residency);
    flowvars.push(event_id(id));
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
                EndReason::Closed | EndReason::Timeout => "timeout",
                EndReason::Forced => "forced",
                EndReason::Shutdown => "shutdown",
            },
            alerted: record.alerted,
            action: (residency.enforced && residency.verdict.stops()).then_some("drop"),
        },
        tcp: talk.tcp.map(|flags| Tcp::new(flags, record.stage)),
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
