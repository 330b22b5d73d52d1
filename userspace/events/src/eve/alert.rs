//! `event_type: alert`.

use std::net::IpAddr;

use octroi_abi::verdict::Verdict;
use serde::Serialize;

use super::{Carried, Head, Metadata, OWN, Var, event_id};
use crate::identity::{Fnv, Origin};
use crate::model::{Alert, Severity};
use crate::residency::Residency;

/// First signature id: above the ranges that rule publishers use.
const SIGNATURE_BASE: u64 = 9_000_000;
/// Signature ids.
const SIGNATURES: u64 = 900_000_000;

#[derive(Serialize)]
pub(super) struct Line<'a> {
    #[serde(flatten)]
    head: Head<'a>,
    pkt_src: &'static str,
    direction: &'static str,
    alert: Body<'a>,
    verdict: Done,
    flow: Subset,
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
    engine: &'static str,
    source: Endpoint,
    target: Endpoint,
    metadata: Words<'a>,
    context: Context<'a>,
}

#[derive(Serialize)]
struct Endpoint {
    ip: IpAddr,
    #[serde(skip_serializing_if = "Option::is_none")]
    port: Option<u16>,
}

#[derive(Serialize)]
struct Words<'a> {
    policy: [&'a str; 1],
    deployment: [&'static str; 1],
    residency_class: [&'static str; 1],
    #[serde(skip_serializing_if = "Option::is_none")]
    residency_control: Option<[&'a str; 1]>,
    signature_severity: [&'static str; 1],
}

#[derive(Serialize)]
struct Context<'a> {
    residency: &'a Residency,
}

#[derive(Serialize)]
struct Done {
    action: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    reject: Option<[&'static str; 1]>,
    #[serde(skip_serializing_if = "Option::is_none")]
    reject_target: Option<&'static str>,
}

#[derive(Serialize)]
struct Subset {
    #[serde(flatten)]
    carried: Carried,
    src_ip: IpAddr,
    dest_ip: IpAddr,
    #[serde(skip_serializing_if = "Option::is_none")]
    src_port: Option<u16>,
    #[serde(skip_serializing_if = "Option::is_none")]
    dest_port: Option<u16>,
}

/// The id of a rule's signature: the same for the same rule id in every policy and version.
pub(crate) fn signature_id(rule: &str) -> u64 {
    let mut hash = Fnv::default();
    hash.write(rule.as_bytes());
    SIGNATURE_BASE + hash.finish() % SIGNATURES
}

pub(super) fn line<'a>(alert: &'a Alert, origin: &'a Origin, id: &'a str) -> Line<'a> {
    let talk = &alert.conversation;
    let residency = &*alert.residency;
    let stopped = residency.enforced && residency.verdict.stops();
    let (severity, word) = match alert.severity {
        Severity::High => (1, "Major"),
        Severity::Medium => (2, "Minor"),
        Severity::Low => (3, "Informational"),
    };
    let mut flowvars = vec![event_id(id)];
    if alert.count > 1 {
        flowvars.push(Var::Owned {
            gid: OWN,
            key: "count".to_owned(),
            value: alert.count.to_string(),
        });
        flowvars.push(Var::Owned {
            gid: OWN,
            key: "last".to_owned(),
            value: alert.last.to_string(),
        });
    }
    Line {
        head: Head::new(alert.time, "alert", origin, talk, residency),
        pkt_src: "wire/pcap",
        direction: "to_server",
        alert: Body {
            action: if stopped { "blocked" } else { "allowed" },
            gid: 1,
            signature_id: signature_id(&residency.rule),
            rev: 1,
            signature: residency.signature(),
            category: "Potential Corporate Privacy Violation",
            severity,
            engine: "fw",
            source: Endpoint {
                ip: talk.source,
                port: talk.source_port,
            },
            target: Endpoint {
                ip: talk.destination,
                port: talk.destination_port,
            },
            metadata: Words {
                policy: [&residency.rule],
                deployment: ["Perimeter"],
                residency_class: [residency.class.name()],
                residency_control: residency
                    .control_country
                    .as_ref()
                    .map(|country| [country.as_str()]),
                signature_severity: [word],
            },
            context: Context { residency },
        },
        verdict: done(residency.verdict, residency.enforced, talk.protocol),
        flow: Subset {
            carried: Carried::new(talk),
            src_ip: talk.source,
            dest_ip: talk.destination,
            src_port: talk.source_port,
            dest_port: talk.destination_port,
        },
        metadata: Metadata { flowvars },
    }
}

/// What was done with the packet. Without enforcement every verdict but `allow` is an `alert`.
fn done(verdict: Verdict, enforced: bool, protocol: u8) -> Done {
    let plain = |action| Done {
        action,
        reject: None,
        reject_target: None,
    };
    match verdict {
        Verdict::Allow => plain("pass"),
        Verdict::Flag => plain("alert"),
        Verdict::Reject | Verdict::Block if !enforced => plain("alert"),
        Verdict::Block => plain("drop"),
        Verdict::Reject => Done {
            action: "drop",
            reject: Some([if protocol == 6 {
                "tcp-reset"
            } else {
                "icmp-prohib"
            }]),
            reject_target: Some("to_client"),
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn signature_ids_are_private_and_stable() {
        assert!(signature_id("") >= SIGNATURE_BASE);
        assert_ne!(signature_id("R-01"), signature_id("R-02"));
        // Pinned: SIEM rules name these numbers.
        assert_eq!(signature_id("default"), 458_983_630);
        for rule in ["default", "opaque", "R-1", "no-us-control"] {
            assert!(u32::try_from(signature_id(rule)).is_ok());
        }
    }

    #[test]
    fn monitor_mode_never_says_drop() {
        for verdict in Verdict::ALL {
            assert_ne!(done(verdict, false, 6).action, "drop");
            assert!(done(verdict, false, 6).reject.is_none());
        }
        assert_eq!(done(Verdict::Reject, true, 6).reject, Some(["tcp-reset"]));
        assert_eq!(
            done(Verdict::Reject, true, 17).reject,
            Some(["icmp-prohib"])
        );
    }
}
