//! `event_type: netflow`: one call, as an account of its media flows together.

use std::net::IpAddr;

use serde::Serialize;

use super::{Metadata, OWN, Stamp, Var, event_id};
use crate::call::CallRecord;
use crate::identity::Origin;

#[derive(Serialize)]
pub(super) struct Line<'a> {
    timestamp: Stamp,
    event_type: &'static str,
    host: &'a str,
    src_ip: IpAddr,
    #[serde(skip_serializing_if = "Option::is_none")]
    dest_ip: Option<IpAddr>,
    proto: &'static str,
    netflow: Account,
    traffic: Words,
    metadata: Metadata<'a>,
}

#[derive(Serialize)]
struct Account {
    pkts: u64,
    bytes: u64,
    start: Stamp,
    end: Stamp,
    age: u64,
}

#[derive(Serialize)]
struct Words {
    id: [&'static str; 1],
    label: Vec<String>,
}

pub(super) fn line<'a>(record: &'a CallRecord, origin: &'a Origin, id: &'a str) -> Line<'a> {
    let call = &record.call;
    let mut label = vec![
        format!("service/{}", call.service),
        format!("operator/{}", call.operator_id),
        format!("verdict/{}", call.verdict.name()),
    ];
    label.extend(
        record
            .control_country
            .map(|country| format!("control/{country}")),
    );
    label.extend(
        record
            .legal_regimes
            .iter()
            .map(|law| format!("regime/{law}")),
    );
    label.extend(call.zone.iter().map(|zone| format!("zone/{zone}")));
    let mut flowvars = vec![event_id(id)];
    if let Some(severity) = call.severity() {
        flowvars.push(Var::Text {
            gid: OWN,
            key: "severity",
            value: severity.name(),
        });
    }
    flowvars.push(Var::Call {
        gid: OWN,
        call: record,
    });
    Line {
        timestamp: Stamp(record.time),
        event_type: "netflow",
        host: &origin.host,
        src_ip: call.client,
        dest_ip: call.peers.first().copied(),
        proto: "UDP",
        netflow: Account {
            pkts: call.outbound_packets + call.reply_packets,
            bytes: call.outbound_bytes + call.reply_bytes,
            start: Stamp(record.start),
            end: Stamp(record.end),
            age: call.seconds,
        },
        traffic: Words {
            id: ["call"],
            label,
        },
        metadata: Metadata { flowvars },
    }
}
