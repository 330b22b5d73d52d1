//! `event_type: alert` of a finding: the object stands in `alert.context.finding`.

use std::net::IpAddr;

use serde::Serialize;

use super::alert::signature_id;
use super::{Metadata, OWN, Stamp, Var, event_id};
use crate::finding::Finding;
use crate::identity::Origin;
use crate::model::Severity;

#[derive(Serialize)]
pub(super) struct Line<'a> {
    timestamp: Stamp,
    event_type: &'static str,
    host: &'a str,
    src_ip: IpAddr,
    #[serde(skip_serializing_if = "Option::is_none")]
    dest_ip: Option<IpAddr>,
    alert: Body<'a>,
    metadata: Metadata<'a>,
}

#[derive(Serialize)]
struct Body<'a> {
    action: &'static str,
    gid: u8,
    signature_id: u64,
    rev: u8,
    signature: String,
    category: &'static str,
    severity: u8,
    metadata: Words<'a>,
    context: Context<'a>,
}

#[derive(Serialize)]
struct Words<'a> {
    finding: [&'static str; 1],
    family: [&'a str; 1],
    activity: [&'static str; 1],
}

#[derive(Serialize)]
struct Context<'a> {
    finding: &'a Finding,
}

pub(super) fn line<'a>(finding: &'a Finding, origin: &'a Origin, id: &'a str) -> Line<'a> {
    let var = |key: &str, value: String| Var::Owned {
        gid: OWN,
        key: key.to_owned(),
        value,
    };
    Line {
        timestamp: Stamp(finding.time),
        event_type: "alert",
        host: &origin.host,
        src_ip: finding.client,
        dest_ip: finding.destination,
        alert: Body {
            // What became of its packets is told by the alerts of its flows.
            action: "allowed",
            gid: 1,
            signature_id: signature_id(finding.matter.kind()),
            rev: 1,
            signature: finding.signature(),
            category: "Potential Corporate Privacy Violation",
            severity: match finding.matter.severity() {
                Severity::High => 1,
                Severity::Medium => 2,
                Severity::Low => 3,
            },
            metadata: Words {
                finding: [finding.matter.kind()],
                family: [finding.matter.family()],
                activity: [finding.activity.name()],
            },
            context: Context { finding },
        },
        metadata: Metadata {
            flowvars: vec![
                event_id(id),
                var("finding_id", finding.id.to_string()),
                var("activity", finding.activity.name().to_owned()),
                var("count", finding.count.to_string()),
            ],
        },
    }
}
